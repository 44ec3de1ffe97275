/* The simulated world: many nodes on a virtual clock, in one thread, from a seed.
 *
 * Every node is the shipped core behind a port of this world's. Datagrams and links have a delay and can be cut; jobs and
 * transfers are modelled. All that happens goes into a trace hash, so that two runs from one seed can be compared to the
 * last event. */
#ifndef WEFT_TESTS_SIM_WORLD_H
#define WEFT_TESTS_SIM_WORLD_H

#include "core.h"
#include "row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Under sanitizers everything costs ten times as much: tests of large worlds make them smaller. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORLD_IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WORLD_IS_SLOW 1
#endif
#endif

#define WORLD_NODES_MAX 1024

struct world;

struct world *world_new(uint64_t seed);
void world_free(struct world *w);

uint64_t world_now(const struct world *w);
uint64_t world_trace(const struct world *w); /* hash of all events so far */
uint64_t world_events(const struct world *w);
uint64_t world_random(struct world *w);

/* Adds a node, not yet started: its number. */
size_t world_add(struct world *w, const char *name);
/* ROLE_RELAY, ROLE_HUB: from its next start on. */
void world_roles(struct world *w, size_t node, uint32_t roles);
void world_start(struct world *w, size_t node);
/* Stops in an orderly way (goodbyes), or at once and without a word. It can be started again, with a later incarnation. */
void world_stop(struct world *w, size_t node);
void world_crash(struct world *w, size_t node);
/* As by SIGSTOP and SIGCONT: what happens to a frozen node waits, and then happens all at once. */
void world_freeze(struct world *w, size_t node, bool frozen);
/* Gives a node a disk, a real folder of this machine: from its next start on it remembers files of its peers. What it shares
 * below that, and what is put there, are real files. */
const char *world_disk(struct world *w, size_t node);
struct core *world_core(struct world *w, size_t node);
const struct node_id *world_id(struct world *w, size_t node);

/* Runs until nothing is left to happen before `until`. */
void world_run(struct world *w, uint64_t until);
/* Runs until check says so, or the deadline: false. */
bool world_run_until(struct world *w, bool (*check)(struct world *w, void *arg), void *arg, uint64_t deadline);

/* Between two nodes, both ways: datagrams and links pass (default) or not. Links that are up break silently. */
void world_cut(struct world *w, size_t a, size_t b, bool cut);
/* From now on transfers over what is cut stand still, as over a cable that was pulled, instead of ending at once. */
void world_cuts_silently(struct world *w);
/* Nobody can dial this node (it can dial others). */
void world_firewall(struct world *w, size_t node, bool closed);
/* Part of all datagrams that are lost, in thousandths. */
void world_loss(struct world *w, unsigned thousandths);
/* Bytes a second of each transfer from now on. */
void world_rate(struct world *w, uint64_t bytes_per_s);
/* How long it takes to make what came durable; 0 as it comes. */
void world_slow_disks(struct world *w, uint64_t ns);
/* Delivers a datagram of any bytes to a node. */
void world_inject(struct world *w, size_t node, const void *bytes, size_t n);

/* Every message on a link, as it is sent, passes the tap, which may change its bytes (in place, up to n + MSG_BYTES_MAX of
 * them), let it arrive not at all, or several times. NULL: none. */
struct world_message {
    size_t from, to;
    uint8_t *bytes;
    size_t n;
    unsigned times; /* 1 */
};
typedef void world_tapper(void *arg, struct world_message *m);
void world_tap(struct world *w, world_tapper *tap, void *arg);
/* As if `from` had sent these bytes to `to`, over the link between them; past the tap. False: there is none. */
bool world_forge(struct world *w, size_t from, size_t to, const void *bytes, size_t n);

/* A control request of client 1 of this node; its answer is kept row by row. Runs the world until it has ended. Takes
 * `request`. */
struct answer {
    struct row **row;
    size_t count;
    bool done;        /* ended by "done" */
    const char *code; /* of the error, else NULL */
};
const struct answer *world_call(struct world *w, size_t node, struct row *request);
/* How many rows of a kind it has, and the i-th. */
size_t answer_count(const struct answer *a, const char *kind);
const struct row *answer_row(const struct answer *a, const char *kind, size_t i);

/* A program at a node: a client of its own, whose calls last (pipe-listen, pipe-send). Its rows go to on_row as they come;
 * on_row must not call back into the world, but for program_send. */
struct program;
struct program *world_program(struct world *w, size_t node, void (*on_row)(void *arg, const struct row *row), void *arg);
/* A request, or a further row of the running call, at the current time. Takes the row. */
void program_send(struct program *p, struct row *row);
/* Its byte stream, for which it passes descriptors with "pipe-connect" and "accept": what it writes and that no more comes,
 * what has come so far for it and whether that was all, and whether it reads at all. */
void program_write(struct program *p, const void *bytes, size_t n);
void program_shut(struct program *p);
const uint8_t *program_read(const struct program *p, size_t *n, bool *ended);
void program_stall(struct program *p, bool stalled);
/* The program ends, as by kill -9. Frees it. When its node stops or crashes, its programs end too, untold and freed. */
void program_leave(struct program *p);

/* How many messages the nodes have sent over links. */
uint64_t world_messages(const struct world *w);

#endif

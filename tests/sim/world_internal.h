/* What the files of the simulated world share. */
#ifndef WEFT_TESTS_SIM_WORLD_INTERNAL_H
#define WEFT_TESTS_SIM_WORLD_INTERNAL_H

#include "identity.h"
#include "job.h"
#include "port.h"
#include "transfer.h"
#include "world.h"

enum event_kind { EVENT_TIMERS, EVENT_DATAGRAM, EVENT_ACCEPT, EVENT_MESSAGE, EVENT_LOST, EVENT_JOB, EVENT_CALL, EVENT_ROW };

struct event {
    uint64_t at, seq;
    enum event_kind kind;
    size_t node;
    uint64_t life; /* of the node that it is for: an event for an earlier life is void */
    link_no link;
    size_t from;
    void (*call)(void *data); /* EVENT_CALL */
    void *data;               /* job, or call's */
    size_t n;
    uint8_t bytes[];
};

/* One end of a simulated connection. */
struct wire {
    bool open;
    link_no own, other;
    size_t peer;
    uint64_t peer_life;
    uint64_t free_at; /* messages keep their order */
    size_t next;      /* in its bucket, or SIZE_MAX */
};
#define WIRES_MAX 4096
#define WIRE_BUCKETS 64

/* Bytes that a program has written, or that have come for it. */
struct sim_queue {
    uint8_t *bytes;
    size_t n, at;
    bool ended;
};

struct program {
    struct program *next; /* of the node's */
    struct sim_node *node;
    uint64_t client;
    void (*on_row)(void *arg, const struct row *row);
    void *arg;
    struct sim_queue out, in; /* of its byte stream */
    bool stalled;             /* it does not read */
};

struct sim_stage {
    struct sim_stage *next;
    char key[64];
    uint64_t done;
};

struct sim_node {
    struct world *world;
    size_t number;
    bool up, closed, frozen;
    struct event **held; /* what happened to it while frozen */
    size_t held_count;
    uint64_t life, incarnation, next_inbound;
    uint32_t roles;
    char name[NAME_MAX_BYTES + 1];
    struct identity identity;
    struct core *core;
    struct port port;
    struct timers timers;
    uint64_t wake; /* the earliest EVENT_TIMERS on its way */
    struct wire *wires;
    size_t wire_count;
    size_t bucket[WIRE_BUCKETS]; /* of the open wires, by number */
    struct program *programs;
    struct receive *receives[16]; /* of a raw node */
    struct sim_transfer *transfers;
    struct sim_bridge *bridges; /* of a relay */
    struct sim_stage *stages;   /* its disk: what has come of interrupted receives; crashes leave it */
    struct sim_duplex *duplexes;
    struct sim_resource *resources;
    struct sim_kept *kept;       /* streams that last, without connections */
    struct share_row shares[16]; /* its database */
    size_t share_count;
    struct peer_row *peers;
    size_t peer_count;
    char disk[64], bases[80], spool[80]; /* "" or a folder of this machine */
    struct base_row *rows;               /* what it remembers of files of its peers */
    size_t row_count;
    struct answer answer;
    bool waiting;
    struct raw *raw; /* NULL: it has a core */
};

struct world {
    uint64_t now, seq, rng, trace, events, messages, clients;
    unsigned loss;
    uint64_t rate;    /* of a transfer */
    uint64_t placing; /* ns, see world_slow_disks */
    struct event **heap;
    size_t count, cap;
    struct sim_node *nodes[WORLD_NODES_MAX];
    size_t node_count;
    uint8_t *cut; /* WORLD_NODES_MAX squared bits */
    bool silent_cuts;
    world_tapper *tap;
    void *tap_arg;
};

/* A shared folder holds files named after their number; a transfer of it, or of anything in it, moves all of them. */
#define SIM_FILES 5
#define SIM_FILE_BYTES 1000000u
#define SIM_RATE 100000000u /* bytes a second, of each transfer, unless world_rate says otherwise */

#define WORLD_DELAY (200 * 1000ull) /* one way: 0.2 ms, as on a LAN */

struct event *event_new(struct world *w, enum event_kind kind, struct sim_node *to, uint64_t after, const void *bytes,
                        size_t n);
void world_push(struct world *w, struct event *e);
bool world_is_cut(const struct world *w, size_t a, size_t b);
struct wire *wire_find(struct sim_node *node, link_no no);
void wires_clear(struct sim_node *node);
struct port sim_port(struct sim_node *node);
void sim_run_job(struct sim_node *node, struct job *job);
/* Byte streams (world_duplex.c). */
void sim_duplex_start(void *self, struct duplex *d);
void sim_duplex_confirm(void *self, struct duplex *d, const struct msg_fetch_ok *answer);
void sim_duplex_go(void *self, struct duplex *d);
void sim_duplex_cancel(void *self, struct duplex *d, int code);
void sim_duplex_drop(void *self, const struct tag *stream);
void duplexes_end(struct sim_node *node);
/* Transfers (world_transfer.c). */
void sim_receive_start(void *self, struct receive *r);
void sim_receive_confirm(void *self, struct receive *r, const struct msg_fetch_ok *answer);
void sim_receive_cancel(void *self, struct receive *r, int code);
void sim_send_start(void *self, struct send *s);
void sim_send_go(void *self, struct send *s);
void sim_send_cancel(void *self, struct send *s, int code);
void transfers_end(struct sim_node *node);
void stages_free(struct sim_node *node);
/* Disks (world_disk.c): jobs that are really done, and what a transfer between nodes with disks really places. */
bool disk_does(const struct sim_node *node, const struct job *job);
void disk_base(struct sim_node *node, struct base_job *j);
bool disk_sends(const struct sim_node *node, const struct send *s);
uint64_t disk_bytes(const struct send *s);
void disk_place(struct receive *r, const struct send *s);
void disk_free(struct sim_node *node);
/* Bridges and resources (world_bridge.c). Does a bridge join these two ways, and do the nodes at their ends reach its relay? */
bool bridge_carries(struct world *w, const struct relay_way *a, const struct relay_way *b, size_t node_a, size_t node_b);
void bridge_moved(struct world *w, const struct relay_way *way, uint64_t n); /* counts; may end it by its limit */
void bridge_unused(struct world *w, const struct relay_way *way);            /* whoever used it has ended */
void bridges_end(struct sim_node *node);
int sim_bridge_open(void *self, struct bridge *b);
void sim_bridge_close(void *self, struct bridge *b, int code);
/* Resources (world_resource.c): "tcp:" ones echo what comes, of others their target is what they say, and all that they do.
 * One whose target has "missing" in it cannot be opened, one with "failing" fails after its last byte. */
void sim_resource_open(void *self, struct resource *r);
void sim_resource_close(void *self, struct resource *r);
struct program *resource_program(struct resource *r);           /* what stands at its end of a stream */
void resource_serve(struct resource *r);                        /* something has come for it */
int resource_fate(const struct resource *r, struct fault *why); /* once its end has been read */
void resources_end(struct sim_node *node);
/* Programs: a row arrives from one, or goes to one; the node's end is theirs. */
struct program *program_find(struct sim_node *node, uint64_t client); /* NULL: it is gone */
void program_arrived(struct sim_node *node, const struct event *e);
void program_reply(struct sim_node *node, uint64_t client, const struct row *row);
void programs_end(struct sim_node *node);
/* What happens to a raw node, and its end. */
void raw_happen(struct sim_node *node, const struct event *e);
void raw_free(struct sim_node *node);

#endif

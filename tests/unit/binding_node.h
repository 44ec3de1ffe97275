/* A node around the pipe binding protocol that is played by hand.
 *
 * It has a clock, links to some of PEERS peers, of which some are rendezvous nodes and some are trusted, the newest incarnation
 * that it knows of each, and all that the protocol has sent. */
#ifndef WEFT_TESTS_BINDING_NODE_H
#define WEFT_TESTS_BINDING_NODE_H

#include "binding.h"
#include "binding_internal.h"
#include "someone.h"

#define PEERS 12
#define SENT_MAX 8192
#define T0 (100 * SECOND)

struct sent {
    struct node_id to;
    struct msg m;
};

struct node {
    struct binding *b;
    struct port port;
    struct timers timers;
    uint64_t now, random;
    struct someone self, peer[PEERS];
    uint64_t newest[PEERS]; /* incarnation of each that is known */
    bool linked[PEERS], relay[PEERS], trusted[PEERS];
    uint64_t rtt[PEERS];
    unsigned changes; /* pipes bound and unbound */
    size_t sent_count;
    struct sent *sent[SENT_MAX];
    unsigned results;
    struct binding_result result; /* the last */
};

/* Set-up and tear-down of a test: *state is a struct node, an ordinary one or a rendezvous. */
int binding_node_new(void **state);
int binding_rendezvous_new(void **state);
int binding_node_free(void **state);

/* Lets time go by. */
void run(struct node *n, uint64_t until);
void link_to_peers(struct node *n, int first, int last);
/* Which of the peers has this id; -1: none. */
int peer_number(const struct node *n, const struct node_id *id);

/* A peer registers a pipe with us; its record is known. */
void register_pipe(struct node *n, int peer, const struct binding_want *want, uint8_t rank, uint64_t life);

/* The owned pipe `files`; a shared one, bound by anyone that is trusted. */
struct binding_want files_of(const struct someone *s);
struct binding_want shared_logs(void);
/* Asks; what comes of it is n->result, counted in n->results. */
void resolve(struct node *n, const struct binding_want *want);
void resolved(void *arg, const struct binding_result *result);

/* The i-th message sent, which must be of this type and for this peer (-1: any). */
const struct msg *sent(const struct node *n, size_t i, enum msg_type type, int peer);

/* The answer that `holder` would give to the i-th message sent, a query; and the one that says no. */
struct msg *yes(const struct node *n, size_t i, const struct someone *holder);
struct msg *no(const struct node *n, size_t i);
/* Names a further holder in an answer. */
void also(struct msg *m, const struct someone *holder, uint8_t rank);
/* A peer answers (takes m). */
void answer(struct node *n, int from, struct msg *m);
/* Is the i-th holder of the result, or of an answer, this one? */
bool result_is(const struct node *n, size_t i, const struct someone *holder);
bool answer_is(const struct msg_answer *a, size_t i, const struct someone *holder);
/* Queries among what was sent. */
size_t queries(const struct node *n);
/* How many answers were not believed. */
uint64_t refused(const struct node *n);

/* A query as `asker` sends it; `number` makes its id. */
struct msg *query_of(const struct binding_want *want, int number, const struct someone *asker, uint8_t hops);
/* A peer asks (takes m). */
void query(struct node *n, int from, struct msg *m);

#endif

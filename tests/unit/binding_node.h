/* A node around the pipe binding protocol that is played by hand.
 *
 * It has a clock, links to some of PEERS peers, the newest incarnation that it knows of each, and all that the protocol has
 * sent. */
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
    bool linked[PEERS];
    size_t sent_count;
    struct sent *sent[SENT_MAX];
    unsigned results;
    struct binding_result result; /* the last */
};

/* Set-up and tear-down of a test: *state is a struct node. */
int binding_node_new(void **state);
int binding_node_free(void **state);

/* Lets time go by. */
void run(struct node *n, uint64_t until);
void link_to_peers(struct node *n, int first, int last);
/* Which of the peers has this id; -1: none. */
int peer_number(const struct node *n, const struct node_id *id);

/* The owned pipe `files`. */
struct binding_want files_of(const struct someone *s);
/* Asks; what comes of it is n->result, counted in n->results. */
void resolve(struct node *n, const struct binding_want *want);
void resolved(void *arg, const struct binding_result *result);

/* The i-th message sent, which must be of this type and for this peer (-1: any). */
const struct msg *sent(const struct node *n, size_t i, enum msg_type type, int peer);

/* The answer that `holder` would give to the i-th message sent, a query; and the one that says no. */
struct msg *yes(const struct node *n, size_t i, const struct someone *holder);
struct msg *no(const struct node *n, size_t i);
/* A peer answers (takes m). */
void answer(struct node *n, int from, struct msg *m);
/* How many answers were not believed. */
uint64_t refused(const struct node *n);

/* A query as `asker` sends it; `number` makes its id. */
struct msg *query_of(const struct binding_want *want, int number, const struct someone *asker, uint8_t hops);
/* A peer asks (takes m). */
void query(struct node *n, int from, struct msg *m);

#endif

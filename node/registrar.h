/* How pipes are made known, in two parts: registrar.c tells rendezvous nodes what is bound here; registrar_index.c, at a
 * rendezvous, keeps what others tell, and passes it on. Part of the core. */
#ifndef WEFT_NODE_REGISTRAR_H
#define WEFT_NODE_REGISTRAR_H

#include "core_internal.h"

#define REGISTERED_WITH 2 /* rendezvous nodes that know what is bound here */
#define REGISTRAR_GATHER (20 * MILLISECOND)
#define REGISTRAR_RETRY (2 * SECOND) /* after a failure, at a rendezvous */
#define REGISTRAR_WAIT (10 * SECOND) /* after a failure, at its client */
#define REGISTRAR_LOST (10 * SECOND) /* that a client has to come back before what it registered ends */
#define REGISTRAR_TIMEOUT (5 * SECOND)

/* A rendezvous that we register with. */
struct target {
    struct core *core;
    bool used, asking;
    bool afresh; /* it is to forget first what it knows of us */
    struct node_id relay;
    uint64_t told;    /* number of the last pipe that it was told of */
    uint64_t next_at; /* when to renew, or to try again */
    size_t gone_count;
    struct registered_pipe gone[REGISTER_PIPES_MAX]; /* no longer bound, and it does not know yet */
};

struct registrar {
    struct timer timer; /* of targets */
    struct target target[REGISTERED_WITH];
    struct timer pass_timer; /* of the index */
    uint64_t sweep_at;
    struct bucket checks; /* of the signatures of records that are passed on to us */
};

/* A pipe's, or a node's, nearest of `count`; NULL when there is none. */
const struct node_id *registrar_nearest(const uint8_t *to, size_t n, const struct node_id *ids, size_t count);
/* The index: a rendezvous came or went, so that other pipes are to be passed on, or to others. */
void registrar_index_relay_changed(struct core *core, const struct node_id *relay);
/* The index: a client, or a rendezvous that passes on, is not linked any more. */
void registrar_index_client_lost(struct core *core, const struct peer *peer);
void registrar_index_new(struct core *core);
void registrar_index_free(struct core *core);

#endif

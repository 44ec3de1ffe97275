/* The pipe binding protocol (US 8,160,077): which endpoint of which peer is bound to a pipe?
 *
 * Pure state. A node that wants a pipe sends a query; a node that has it bound answers with its signed record and the
 * endpoints, best first, that speak the pipe's transport; a node in between forwards the query to the holder when it is
 * linked to it, or answers from its cache or index. Look-up order: bound here, cache, those believed to hold it, rendezvous
 * nodes and linked peers.
 *
 * Nothing in an answer is believed without the holder's signature: every endpoint must stand in the holder's record, the
 * record must not be older than one already seen, and the holder must be one that was wanted: the owner of an owned pipe; of a
 * shared one, somebody that we trust. */
#ifndef WEFT_DISCOVERY_BINDING_H
#define WEFT_DISCOVERY_BINDING_H

#include "port.h"
#include "record.h"
#include "rendezvous.h"

struct binding;

/* What the protocol needs of the node around it. Calls come back into the binding only as events. */
struct binding_host {
    void *arg;
    const struct port *port;
    struct node_id self;
    bool rendezvous; /* this node keeps an index for others */
    /* Sends to a linked peer. ERR_UNREACHABLE when there is no link. */
    int (*send)(void *arg, const struct node_id *to, const struct msg *m);
    /* The linked peers in order of id; those of them that are rendezvous nodes, in any order. */
    size_t (*linked)(void *arg, struct node_id *out, size_t max);
    size_t (*relays)(void *arg, struct node_id *out, size_t max);
    /* Our own record, signed, and decoded. */
    const struct record_bytes *(*own_record)(void *arg, struct record *decoded);
    /* Verifies a holder's record, remembers it, and decodes it. ERR_VERIFY; ERR_STATE when a newer one is known. */
    int (*take_record)(void *arg, const struct record_bytes *bytes, struct record *decoded);
    /* What take_record remembers of a node: its newest record, or NULL; the newest incarnation ever seen, or 0. */
    const struct record_bytes *(*record_of)(void *arg, const struct node_id *id, struct record *decoded);
    uint64_t (*incarnation)(void *arg, const struct node_id *id);
    /* Do we trust this node? */
    bool (*trusted)(void *arg, const struct node_id *id);
    /* The round trip of the best link to a peer; 0: not known. */
    uint64_t (*rtt)(void *arg, const struct node_id *id);
    /* A pipe was bound here, or is no more. May be NULL. */
    void (*changed)(void *arg, const struct tag *pipe, bool bound);
};

int binding_new(const struct binding_host *host, struct binding **b);
/* Ends what is outstanding without calling back. */
void binding_free(struct binding *b);

/* The id of a pipe that `owner` alone may bind, and of a shared one. */
struct tag pipe_owned(const struct node_id *owner, const char *name);
struct tag pipe_shared(const char *name);

/* Binds a pipe at this node's endpoints of a transport (or any). Of several binders the one with the lowest rank is taken
 * first. ERR_FULL, ERR_EXISTS. */
int binding_bind(struct binding *b, const struct tag *pipe, enum pipe_type type, enum transport transport, uint8_t rank);
void binding_unbind(struct binding *b, const struct tag *pipe);
bool binding_bound(const struct binding *b, const struct tag *pipe);
/* Pipes bound here, in the order in which they were bound: up to `max` of those after number `*after`, which is moved on. */
size_t binding_list(const struct binding *b, uint64_t *after, struct registered_pipe *out, size_t max);
size_t binding_bound_count(const struct binding *b);

/* What our clients have registered with us; NULL when we are no rendezvous. */
struct rendezvous *binding_index(const struct binding *b);

struct binding_want {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport;
    bool owned; /* then only `owner` will do */
    struct node_id owner;
    char name[NAME_MAX_BYTES + 1]; /* of the pipe, where it is known; else "". No part of the question */
};

/* One that has it bound. */
struct binding_holder {
    struct record record;
    uint8_t rank; /* its binder's wish: lower first */
    uint8_t count;
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX]; /* best first, as the holder ranked them */
    struct node_id answered_by;                   /* the peer that told; ourselves when it is bound or registered here */
    uint64_t expires;                             /* on the port's clock */
};

struct binding_result {
    int err; /* 0; ERR_NOT_FOUND: all who were asked said no; ERR_TIMEOUT; ERR_UNREACHABLE: nobody to ask */
    uint8_t count;
    struct binding_holder holder[ANSWER_HOLDERS_MAX]; /* best first: by rank, then by round trip, then by id */
    bool cached;
    uint16_t asked;   /* peers that were asked */
    uint64_t elapsed; /* ns from question to answer */
};
typedef void binding_done(void *arg, const struct binding_result *result);

/* Asks. `done` comes exactly once, later, unless cancelled by the same arg. ERR_FULL. */
int binding_resolve(struct binding *b, const struct binding_want *want, binding_done *done, void *arg);
void binding_cancel(struct binding *b, void *arg);
/* Forgets that this holder has it bound, because its endpoints did not work. */
void binding_forget(struct binding *b, const struct tag *pipe, const struct node_id *holder);
/* A holder has a newer record: what was heard of it with an older one is no answer any more, but still says whom to ask. */
void binding_renewed(struct binding *b, const struct record *holder);

void binding_on_query(struct binding *b, const struct node_id *from, const struct msg *m);
void binding_on_answer(struct binding *b, const struct node_id *from, const struct msg *m);

struct binding_counts {
    uint64_t queries_sent, queries_heard, answers_sent, answers_refused, forwarded;
    uint32_t cached;
};
void binding_counts(const struct binding *b, struct binding_counts *out);

#endif

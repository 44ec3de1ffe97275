/* The index of a rendezvous: which pipes its clients have bound.
 *
 * Pure state. A holder's pipes stand under a lease. It is the holder's own when the holder registered them itself, and a
 * rendezvous's when that one passed them on to us (`via`): nobody alters the lease of another. What the index says is no more
 * than a hint whom to ask, or for whom to answer with a record that the holder has signed.
 *
 * Invariants: (1) leases are in order of (holder, via); (2) there are at most LEASES_MAX, at most a quarter of them by one
 * rendezvous that passes on, and only a trusted holder makes room for itself, at the cost of one that is not; (3) a lease has
 * at most LOCAL_PIPES_MAX pipes, each once, and all together REGISTERED_MAX, half of them for holders that are not trusted;
 * (4) memory grows with the number of pipes and leases, and with nothing else. */
#ifndef WEFT_DISCOVERY_RENDEZVOUS_H
#define WEFT_DISCOVERY_RENDEZVOUS_H

#include "msg.h"

#define RENDEZVOUS_KEY_BYTES 16

struct rendezvous;

struct registered {
    struct registered *same_bucket;
    struct registered *next; /* of the lease */
    struct lease *lease;
    struct registered_pipe pipe;
    bool passed_on; /* to a rendezvous nearer to it */
};

struct lease {
    struct node_id holder, via; /* equal when the holder registered itself */
    uint64_t incarnation;       /* of the holder */
    uint64_t expires;
    bool trusted;
    bool passed_on; /* all its pipes, that is; new and changed ones are not */
    uint32_t count;
    struct registered *pipes;
};

/* `key` is random and secret: peers choose the ids of pipes, but must not choose their places. */
int rendezvous_new(const uint8_t key[RENDEZVOUS_KEY_BYTES], struct rendezvous **r);
void rendezvous_free(struct rendezvous *r);

struct registration {
    struct node_id holder, via;
    uint64_t incarnation;
    uint64_t expires, now;
    bool trusted;
    size_t count;
    const struct registered_pipe *pipe;
};
/* Adds pipes to a lease, or renews it (no pipes). What does not fit is left out: `kept` says how many pipes the lease has.
 * ERR_STATE for an earlier life of the holder (a later one begins anew), ERR_FULL, ERR_NOMEM. */
int rendezvous_register(struct rendezvous *r, const struct registration *reg, uint32_t *kept);
/* The lease, or NULL. */
struct lease *rendezvous_lease_of(struct rendezvous *r, const struct node_id *holder, const struct node_id *via);
/* Takes pipes out of a lease; without any left it ends. */
void rendezvous_withdraw(struct rendezvous *r, struct lease *lease, const struct registered_pipe *pipe, size_t count);
void rendezvous_end(struct rendezvous *r, struct lease *lease);
/* Ends leases of earlier lives of a holder, and those whose time is up. */
void rendezvous_outlive(struct rendezvous *r, const struct node_id *holder, uint64_t incarnation);
void rendezvous_expire(struct rendezvous *r, uint64_t now);

/* Those who have registered a pipe, expired ones too, in no order that means anything. */
const struct registered *rendezvous_first(const struct rendezvous *r, const struct tag *pipe);
const struct registered *rendezvous_next(const struct registered *p);
/* The i-th lease of `leases`. */
struct lease *rendezvous_lease(const struct rendezvous *r, size_t i);

struct rendezvous_counts {
    size_t leases, pipes;
    size_t bytes; /* of memory, without the allocator's own */
};
void rendezvous_counts(const struct rendezvous *r, struct rendezvous_counts *out);

/* Is `a` nearer to `target` than `b`, by XOR of their first `n` bytes? */
bool xor_nearer(const uint8_t *target, const struct node_id *a, const struct node_id *b, size_t n);

#endif

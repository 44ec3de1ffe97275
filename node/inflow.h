/* The binder's side of one channel: what has come, what the reader was handed, what it has taken.
 *
 * Pure state: no clock of its own, no link. Messages are handed over in order, each once; what comes twice is trimmed away and
 * a gap is refused. What cannot be handed over at once is held, within the credit that was granted. Of a shared pipe, messages
 * are handed over only under a lease: see struct msg_open_ok.
 *
 * Invariants: (1) taken <= handed <= expected; (2) the held parcels are exactly handed..expected-1; (3) what is held and what
 * the sender may yet send stay within what inflow_grant was allowed; (4) a lease ends at a stamp that the sender has confirmed
 * since the latest OPEN, plus its length. */
#ifndef WEFT_NODE_INFLOW_H
#define WEFT_NODE_INFLOW_H

#include "batch.h"

struct inflow_parcel;

struct inflow {
    struct inflow_parcel *first, *last; /* not handed over yet */
    uint64_t held;                      /* their cost */
    uint64_t taken;                     /* number of the first message that the reader has not taken */
    uint64_t handed;                    /* that it was not handed */
    uint64_t expected;                  /* that has not come */
    uint64_t came, credit;              /* cost since OPEN */
    uint64_t lease;                     /* ns; 0: none is needed */
    uint64_t floor, stamp, until;       /* oldest stamp that counts, newest that was given out, end of the lease */
};

/* A channel that begins: the sender has told that all below `seq` is taken. */
void inflow_init(struct inflow *f, uint64_t seq, uint64_t lease, uint64_t now);
void inflow_fini(struct inflow *f);
/* OPEN again. What is still good is kept, so that it needs not be sent again. True: what the reader was handed and has not
 * taken must be forgotten by it, for the sender has been elsewhere with it. */
bool inflow_open(struct inflow *f, uint64_t seq, uint64_t now);

/* DATA: gives what is new in it (borrowed from `batch`; may be nothing), which is either handed over and told by
 * inflow_handed, or held. ERR_STATE: there is a gap before it; ERR_LIMIT: it is more than was granted. Nothing is changed
 * then. */
int inflow_data(struct inflow *f, uint64_t seq, const struct batch *batch, struct batch *fresh);
void inflow_handed(struct inflow *f, const struct batch *fresh);
/* ERR_NOMEM: then it counts as not come. */
int inflow_hold(struct inflow *f, bool again, const struct batch *fresh);
/* The first of what is held; inflow_handed_first when it has been handed over. */
bool inflow_first(const struct inflow *f, struct batch *batch, bool *again);
void inflow_handed_first(struct inflow *f);

/* The reader has taken all below `seq`. ERR_USAGE: it was not handed that much. Going back is no error, and changes nothing. */
int inflow_taken(struct inflow *f, uint64_t seq);

/* Cost that is held or may yet come. */
uint64_t inflow_promised(const struct inflow *f);
/* Raises the credit so that at most `window` is promised. */
void inflow_grant(struct inflow *f, uint64_t window);

/* May messages be handed over now? */
bool inflow_leased(const struct inflow *f, uint64_t now);
/* A stamp to be given out with an ACK. */
uint64_t inflow_stamp(struct inflow *f, uint64_t now);
/* The sender has confirmed a stamp. True: the lease is longer now. */
bool inflow_confirm(struct inflow *f, uint64_t stamp);
/* When a stamp is to be given out so that the lease does not end under what has not been taken; UINT64_MAX: not. */
uint64_t inflow_stamp_due(const struct inflow *f);

#endif

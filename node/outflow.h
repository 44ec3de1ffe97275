/* The sender's queue of one channel: what has been pushed and not been taken yet.
 *
 * Pure state: no clock, no link. Messages are numbered from 1 in the order in which they were pushed. They lie in parcels, each
 * as large as one DATA may be: small batches that come one after the other share a parcel, so that they leave together, and
 * a batch is copied once. An acknowledgement frees, cumulatively; a new binder is sent all that has not been taken.
 *
 * Invariants: (1) taken <= next <= reach <= pushed; (2) the parcels hold exactly the messages taken..pushed-1; (3) `held` is
 * their cost and at most PIPE_QUEUE_BYTES; (4) a binder is never sent more cost than it gave credit for, counted since its
 * OPEN. */
#ifndef WEFT_NODE_OUTFLOW_H
#define WEFT_NODE_OUTFLOW_H

#include "batch.h"

struct parcel;

struct outflow {
    struct parcel *first, *last;
    uint64_t taken;  /* number of the first message that has not been taken */
    uint64_t pushed; /* number that the next one gets */
    uint64_t held;   /* cost */
    uint64_t reach;  /* number behind the last one that any binder was ever sent */
    uint64_t doubt;  /* below it, another binder may have handed messages on */
    /* with the binder of now */
    struct parcel *at; /* which message `next` is in, or NULL when all have been sent */
    size_t at_byte;
    uint64_t next;  /* number of the first message that it has not been sent */
    uint64_t acked; /* the first one that it has not taken, as it says */
    uint64_t spent, credit;
};

void outflow_init(struct outflow *f);
void outflow_fini(struct outflow *f);

/* Queues a batch (copies). ERR_FULL when it would be more than PIPE_QUEUE_BYTES, ERR_LIMIT when the numbers are used up,
 * ERR_NOMEM; then nothing was taken. */
int outflow_push(struct outflow *f, const struct batch *batch);
uint64_t outflow_room(const struct outflow *f); /* cost that fits */
bool outflow_empty(const struct outflow *f);    /* has all been taken? */
/* Has the binder been sent something that it has not taken? */
bool outflow_outstanding(const struct outflow *f);
/* Bytes of one DATA that could go now. */
size_t outflow_ready(const struct outflow *f);

/* A binder was told OPEN with `asked` and wants all from `wanted` on. ERR_MALFORMED for a number that it cannot want; ERR_STATE
 * when more has been taken since it was asked, so that it must be asked again. */
int outflow_open(struct outflow *f, uint64_t asked, uint64_t wanted, uint64_t credit);

struct outflow_part {
    uint64_t seq; /* of the first message */
    bool again;
    struct batch batch; /* borrows: valid until the queue is next touched */
    size_t end;         /* of it in its parcel */
};
/* What to send next: as much of a parcel as the credit allows. False: nothing, or no credit. */
bool outflow_next(const struct outflow *f, struct outflow_part *part);
void outflow_sent(struct outflow *f, const struct outflow_part *part);

/* The binder has taken all below `seq`, and gives credit. ERR_MALFORMED, and nothing is changed: it goes back, or beyond what
 * was sent. */
int outflow_ack(struct outflow *f, uint64_t seq, uint64_t credit);
/* A binder of before has taken all below `seq`. ERR_MALFORMED for what nobody was sent, ERR_STATE when the binder of now has
 * not been sent that much: then it must be opened anew. */
int outflow_taken(struct outflow *f, uint64_t seq);

#endif

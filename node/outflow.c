/* The sender's queue of one channel. See outflow.h. */
#include "outflow.h"

#include "err.h"
#include "limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct parcel {
    struct parcel *next;
    uint64_t seq, end; /* numbers of its first message that has not been taken, and behind its last */
    size_t head;       /* where that first one begins */
    size_t used, cap;
    uint8_t bytes[];
};

void outflow_init(struct outflow *f)
{
    *f = (struct outflow){.taken = 1, .pushed = 1, .reach = 1, .doubt = 1, .next = 1, .acked = 1};
}

void outflow_fini(struct outflow *f)
{
    while (f->first) {
        struct parcel *p = f->first;
        f->first = p->next;
        free(p);
    }
}

/* ---- pushing */

/* A small batch leaves room for others behind it; memory stays within twice the queue's cap. */
static struct parcel *parcel_new(uint64_t seq, size_t n)
{
    size_t cap = n > BATCH_BYTES_MAX / 2 ? n : BATCH_BYTES_MAX;
    struct parcel *p = malloc(sizeof *p + cap);
    if (p)
        *p = (struct parcel){.seq = seq, .end = seq, .cap = cap};
    return p;
}

static struct parcel *parcel_for(struct outflow *f, size_t n)
{
    if (f->last && f->last->cap - f->last->used >= n)
        return f->last;
    struct parcel *p = parcel_new(f->pushed, n);
    if (!p)
        return NULL;
    if (f->last)
        f->last->next = p;
    else
        f->first = p;
    f->last = p;
    return p;
}

int outflow_push(struct outflow *f, const struct batch *batch)
{
    uint64_t cost = batch_cost(batch);
    if (batch->count == 0)
        return 0;
    if (batch->n > BATCH_BYTES_MAX || batch->count >= INT64_MAX - f->pushed)
        return ERR_LIMIT;
    if (cost > outflow_room(f))
        return ERR_FULL;
    struct parcel *p = parcel_for(f, batch->n);
    if (!p)
        return ERR_NOMEM;
    if (!f->at && f->next == f->pushed) {
        f->at = p;
        f->at_byte = p->used;
    }
    memcpy(p->bytes + p->used, batch->bytes, batch->n);
    p->used += batch->n;
    p->end += batch->count;
    f->pushed += batch->count;
    f->held += cost;
    return 0;
}

uint64_t outflow_room(const struct outflow *f)
{
    return PIPE_QUEUE_BYTES - f->held;
}

bool outflow_empty(const struct outflow *f)
{
    return f->taken == f->pushed;
}

bool outflow_outstanding(const struct outflow *f)
{
    return f->next > f->taken;
}

/* ---- sending */

/* All messages of a parcel from byte `at`, which is where number `seq` begins. */
static struct batch rest_of(const struct parcel *p, size_t at, uint64_t seq)
{
    return (struct batch){.bytes = p->bytes + at, .n = p->used - at, .count = (uint32_t)(p->end - seq)};
}

/* The first messages of a batch whose cost is at most `credit`. */
static struct batch affordable(const struct batch *b, uint64_t credit)
{
    struct batch part = {.bytes = b->bytes};
    const uint8_t *bytes;
    size_t at = 0, n;
    if (batch_cost(b) <= credit)
        return *b;
    while (batch_next(b, &at, &bytes, &n) && at + (part.count + 1ull) * PIPE_MESSAGE_COST <= credit) {
        part.n = at;
        part.count++;
    }
    return part;
}

size_t outflow_ready(const struct outflow *f)
{
    return f->at ? f->at->used - f->at_byte : 0;
}

bool outflow_next(const struct outflow *f, struct outflow_part *part)
{
    if (!f->at)
        return false;
    struct batch rest = rest_of(f->at, f->at_byte, f->next);
    part->seq = f->next;
    part->again = f->next < f->doubt;
    part->batch = affordable(&rest, f->credit - f->spent);
    part->end = f->at_byte + part->batch.n;
    return part->batch.count > 0;
}

void outflow_sent(struct outflow *f, const struct outflow_part *part)
{
    f->next += part->batch.count;
    f->spent += batch_cost(&part->batch);
    f->at_byte = part->end;
    if (f->next == f->at->end) {
        f->at = f->at->next;
        f->at_byte = 0;
    }
    if (f->next > f->reach)
        f->reach = f->next;
}

/* Where message `seq` begins, which is one of p's. */
static size_t parcel_find(const struct parcel *p, uint64_t seq)
{
    struct batch rest = rest_of(p, p->head, p->seq);
    assert(seq >= p->seq && seq < p->end);
    return p->used - batch_skip(&rest, (uint32_t)(seq - p->seq)).n;
}

int outflow_open(struct outflow *f, uint64_t asked, uint64_t wanted, uint64_t credit)
{
    if (wanted < asked || wanted > f->reach)
        return ERR_MALFORMED;
    if (wanted < f->taken)
        return ERR_STATE;
    if (wanted == asked) /* one that goes on where it was has handed nothing on from here; one that begins cannot know */
        f->doubt = f->reach;
    f->spent = 0;
    f->credit = credit;
    f->next = wanted;
    f->acked = asked;
    for (f->at = f->first; f->at && f->at->end <= wanted;)
        f->at = f->at->next;
    f->at_byte = f->at ? parcel_find(f->at, wanted) : 0;
    return 0;
}

/* ---- acknowledgements */

static void forget_below(struct outflow *f, uint64_t seq)
{
    while (f->first && f->first->end <= seq) {
        struct parcel *p = f->first;
        struct batch gone = rest_of(p, p->head, p->seq);
        f->held -= batch_cost(&gone);
        f->first = p->next;
        if (f->last == p)
            f->last = NULL;
        free(p);
    }
    if (f->first && f->first->seq < seq) {
        struct parcel *p = f->first;
        size_t head = parcel_find(p, seq);
        struct batch gone = {.n = head - p->head, .count = (uint32_t)(seq - p->seq)};
        f->held -= batch_cost(&gone);
        p->head = head;
        p->seq = seq;
    }
    f->taken = seq;
}

int outflow_ack(struct outflow *f, uint64_t seq, uint64_t credit)
{
    if (seq < f->acked || seq > f->next || credit < f->credit)
        return ERR_MALFORMED;
    f->acked = seq;
    f->credit = credit;
    if (seq > f->taken)
        forget_below(f, seq);
    return 0;
}

int outflow_taken(struct outflow *f, uint64_t seq)
{
    if (seq > f->reach)
        return ERR_MALFORMED;
    if (seq <= f->taken)
        return 0;
    bool reopen = seq > f->next;
    if (reopen) { /* until then nothing more is sent */
        f->next = seq;
        f->at = NULL;
    }
    forget_below(f, seq);
    return reopen ? ERR_STATE : 0;
}

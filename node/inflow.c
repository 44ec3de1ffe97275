/* The binder's side of one channel. See inflow.h. */
#include "inflow.h"

#include "err.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

#define STAMPS_PER_LEASE 4 /* so that one may be late */

struct inflow_parcel {
    struct inflow_parcel *next;
    bool again;
    struct batch batch;
    uint8_t bytes[];
};

static void drop_held(struct inflow *f)
{
    while (f->first) {
        struct inflow_parcel *p = f->first;
        f->first = p->next;
        free(p);
    }
    f->last = NULL;
    f->held = 0;
    f->expected = f->handed;
}

/* Stamps of an earlier OPEN are void: a sender that echoes one does not know that this binder went on without it. */
void inflow_init(struct inflow *f, uint64_t seq, uint64_t lease, uint64_t now)
{
    *f = (struct inflow){
        .taken = seq, .handed = seq, .expected = seq, .lease = lease, .floor = now, .stamp = now > 0 ? now - 1 : 0};
}

void inflow_fini(struct inflow *f)
{
    drop_held(f);
}

bool inflow_open(struct inflow *f, uint64_t seq, uint64_t now)
{
    bool lapsed = !inflow_leased(f, now);
    bool elsewhere = seq > f->handed || (seq > f->taken && lapsed);
    bool forget = elsewhere && f->handed > f->taken;
    if (elsewhere)
        f->handed = seq;
    if (elsewhere || lapsed) /* another may have handed it on by now: let the sender say so with `again` */
        drop_held(f);
    if (seq > f->taken)
        f->taken = seq;
    f->came = f->credit = 0;
    f->floor = now;
    f->stamp = now > 0 ? now - 1 : 0;
    return forget;
}

/* ---- what comes */

int inflow_data(struct inflow *f, uint64_t seq, const struct batch *batch, struct batch *fresh)
{
    uint64_t cost = batch_cost(batch), end = seq + batch->count;
    if (seq > f->expected)
        return ERR_STATE;
    if (cost > f->credit - f->came)
        return ERR_LIMIT;
    f->came += cost;
    *fresh = end <= f->expected ? (struct batch){.bytes = batch->bytes} : batch_skip(batch, (uint32_t)(f->expected - seq));
    f->expected += fresh->count;
    return 0;
}

void inflow_handed(struct inflow *f, const struct batch *fresh)
{
    f->handed += fresh->count;
}

int inflow_hold(struct inflow *f, bool again, const struct batch *fresh)
{
    struct inflow_parcel *p = malloc(sizeof *p + fresh->n);
    if (!p) {
        f->expected -= fresh->count;
        return ERR_NOMEM;
    }
    *p = (struct inflow_parcel){.again = again, .batch = {.bytes = p->bytes, .n = fresh->n, .count = fresh->count}};
    memcpy(p->bytes, fresh->bytes, fresh->n);
    if (f->last)
        f->last->next = p;
    else
        f->first = p;
    f->last = p;
    f->held += batch_cost(fresh);
    return 0;
}

/* ---- what the reader gets */

bool inflow_first(const struct inflow *f, struct batch *batch, bool *again)
{
    if (!f->first)
        return false;
    *batch = f->first->batch;
    *again = f->first->again;
    return true;
}

void inflow_handed_first(struct inflow *f)
{
    struct inflow_parcel *p = f->first;
    f->handed += p->batch.count;
    f->held -= batch_cost(&p->batch);
    f->first = p->next;
    if (!f->first)
        f->last = NULL;
    free(p);
}

int inflow_taken(struct inflow *f, uint64_t seq)
{
    if (seq > f->handed)
        return ERR_USAGE;
    if (seq > f->taken)
        f->taken = seq;
    return 0;
}

/* ---- credit */

uint64_t inflow_promised(const struct inflow *f)
{
    return f->held + (f->credit - f->came);
}

void inflow_grant(struct inflow *f, uint64_t window)
{
    uint64_t promised = inflow_promised(f);
    if (window > promised && f->credit <= INT64_MAX - (window - promised))
        f->credit += window - promised;
}

/* ---- the lease */

bool inflow_leased(const struct inflow *f, uint64_t now)
{
    return f->lease == 0 || now < f->until;
}

uint64_t inflow_stamp(struct inflow *f, uint64_t now)
{
    f->stamp = now;
    return now;
}

bool inflow_confirm(struct inflow *f, uint64_t stamp)
{
    if (f->lease == 0 || stamp < f->floor || stamp > f->stamp || stamp + f->lease <= f->until)
        return false;
    f->until = stamp + f->lease;
    return true;
}

uint64_t inflow_stamp_due(const struct inflow *f)
{
    if (f->lease == 0 || f->expected == f->taken)
        return UINT64_MAX;
    return f->stamp < f->floor ? f->floor : f->stamp + f->lease / STAMPS_PER_LEASE;
}

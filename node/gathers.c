/* GATHER: a new file is built in parts (claims GATHER-5 to GATHER-7). See openings_internal.h.
 *
 * All that can be known without the disk is checked before a worker hears of it: order, rights, tokens, regions, limits, and
 * what the peer may still have built. What is over a limit is refused with the limits, so that the peer can ask for less or
 * later; what is wrong is an error. What the disk knows is for the worker (store/gather.h). */
#include "openings_internal.h"

#include <stdlib.h>

#define AGAIN_MS 1000 /* when too many wait already */

struct gather_demand {
    struct demand d;
    struct regions regions;
};

static void answer_gather(struct demand *d)
{
    const struct opening *o = d->opening;
    struct msg *m = demand_message(d, MSG_GATHER_OK);
    if (!m)
        return;
    m->gather_ok.taken = true;
    m->gather_ok.end = o->end;
    account_limits(o->core, o->account, &m->gather_ok.limits);
    demand_answer(d, m);
}

static void gathered(struct job *job)
{
    struct gather_job *j = (struct gather_job *)job;
    struct demand *d = job->owner;
    struct opening *o = d->opening;
    struct fault fault = job->fault;
    const struct regions *built = &((struct gather_demand *)d)->regions;
    o->core->jobs--;
    o->gather = j->gather;
    free(j);
    if (fault.code) {
        opening_step_over(o, &fault);
        demand_fail(d, &fault);
        return;
    }
    o->end = built->end;
    o->literals_used += built->literals;
    answer_gather(d);
}

static void gather_begin(struct demand *d)
{
    struct gather_job *j = demand_job(d, JOB_GATHER, gathered);
    if (!j)
        return;
    j->regions = ((struct gather_demand *)d)->regions; /* lent */
    j->source = d->source ? &d->source->source : NULL;
    atomic_store(&d->opening->watch.stop, false); /* the one before may have been complete when it was to stop */
    core_job(d->core, &j->job);
}

static void gather_stop(struct demand *d)
{
    atomic_store(&d->opening->watch.stop, true);
}

static void gather_look(const struct demand *d, struct msg_progress *p)
{
    p->phase = PROGRESS_GATHER;
    p->done = d->opening->watch.done;
    p->total = ((const struct gather_demand *)d)->regions.end;
}

static void gather_drop(struct demand *d)
{
    regions_free(&((struct gather_demand *)d)->regions);
}

/* What the source must be for these regions; never the destination, which was opened to write. */
static int check_source(const struct opening *source, const struct msg_gather *g, struct fault *fault)
{
    if (g->source && (!source || source->write))
        return fault_set(fault, ERR_STATE, "the source is not open to read on this link");
    if (source && !opening_allowed(source, fault))
        return (int)fault->code;
    if (source && source_token(&source->source) != g->token)
        return fault_set(fault, ERR_CHANGED, "the source is not what the regions mean; open it anew and compare again");
    return 0;
}

static int check_order(const struct opening *o, const struct msg_gather *g, struct fault *fault)
{
    if (g->from != o->end)
        return fault_set(fault, ERR_STATE, "this part begins at %llu, but what is built ends at %llu",
                         (unsigned long long)g->from, (unsigned long long)o->end);
    if (g->length == 0 || g->count == 0)
        return fault_set(fault, ERR_MALFORMED, "this part builds nothing");
    return 0;
}

/* Each piece must lie in what it is taken from. */
static int check_pieces(const struct opening *o, const struct opening *source, const struct regions *regions,
                        struct fault *fault)
{
    uint64_t size = source ? source_size(&source->source) : 0, literals = o->literals == NO_LITERALS ? 0 : o->literals;
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct region *r = &regions->region[i];
        uint64_t room = r->kind == REGION_COPY ? size : r->kind == REGION_LITERAL ? literals : INT64_MAX;
        if (r->source > room || r->length > room - r->source)
            return fault_set(fault, ERR_MALFORMED, "region %u reaches beyond the end of %s", i,
                             r->kind == REGION_COPY ? "the source" : "the literals that have come");
    }
    return 0;
}

static bool over_limits(const struct msg_gather *g)
{
    return g->count > GATHER_REGIONS_MAX || g->length > GATHER_BYTES_MAX || g->from > GATHER_SIZE_MAX ||
           g->length > GATHER_SIZE_MAX - g->from;
}

/* What the disk has to do, as bytes; holes are free. */
static uint64_t cost_of(const struct regions *regions)
{
    uint64_t cost = 0;
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct region *r = &regions->region[i];
        if (r->kind != REGION_HOLE)
            cost += r->length > GATHER_REGION_COST ? r->length : GATHER_REGION_COST;
    }
    return cost;
}

/* Is there room for it, and budget? Else when there may be. */
static bool may_wait(struct opening *o, const struct regions *regions, uint32_t *wait_ms)
{
    const struct openings *os = o->core->openings;
    *wait_ms = AGAIN_MS;
    return demands_waiting(os, WAIT_GATHER, NULL) < GATHERS_WAIT_MAX &&
           demands_waiting(os, WAIT_GATHER, o->account) < GATHERS_WAIT_PER_PEER_MAX &&
           account_spend(o->core, o->account, cost_of(regions), wait_ms);
}

/* Nothing was done. `wait_ms` 0: nor will it ever be, as it is. */
static void refuse(struct link *link, const struct msg *m, struct opening *o, uint32_t wait_ms)
{
    struct msg *answer = calloc(1, sizeof *answer);
    if (!answer)
        return;
    answer->type = MSG_GATHER_OK;
    answer->request = m->request;
    answer->gather_ok.end = o->end;
    account_limits(o->core, o->account, &answer->gather_ok.limits);
    answer->gather_ok.limits.wait_ms = wait_ms;
    link_send(link, answer);
    free(answer);
    opening_release(o);
}

static void enqueue(struct link *link, const struct msg *m, struct opening *o, struct opening *source,
                    const struct regions *regions)
{
    static const struct demand_kind kind = {.size = sizeof(struct gather_demand),
                                            .turn = WAIT_GATHER,
                                            .begin = gather_begin,
                                            .stop = gather_stop,
                                            .look = gather_look,
                                            .drop = gather_drop};
    struct demand *d = demand_new(&kind, link, m, o);
    struct regions taken = *regions;
    if (!d) {
        regions_free(&taken);
        return;
    }
    ((struct gather_demand *)d)->regions = taken;
    d->source = source;
    if (source) {
        source->uses++;
        core_cancel(d->core, &source->idle);
    }
    d->wait = WAIT_GATHER;
    demands_look_soon(d->core);
}

void gather_on_request(struct link *link, const struct msg *m)
{
    const struct msg_gather *g = &m->gather;
    struct opening *o = opening_to_build(link, m, g->destination);
    struct opening *source = g->source ? opening_find(link, g->source) : NULL;
    struct regions regions = {0};
    struct fault fault;
    uint32_t wait_ms = 0;
    if (!o)
        return;
    int err = check_order(o, g, &fault);
    if (!err)
        err = check_source(source, g, &fault);
    if (!err && over_limits(g)) {
        refuse(link, m, o, 0);
        return;
    }
    regions_init(&regions, g->from, o->literals_used);
    if (!err && (err = regions_decode(g->bytes, g->len, g->count, g->length, &regions)) != 0)
        fault_set(&fault, err, "these are no regions: %s", err_text(err));
    if (!err)
        err = check_pieces(o, source, &regions, &fault);
    if (err) {
        regions_free(&regions);
        core_send_error(link, m->request, &fault);
    } else if (!may_wait(o, &regions, &wait_ms)) {
        regions_free(&regions);
        refuse(link, m, o, wait_ms);
    } else {
        enqueue(link, m, o, source, &regions);
    }
}

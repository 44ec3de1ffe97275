/* LITERALS: the new bytes of a file are fetched into the hidden folder of its gather. See openings_internal.h.
 *
 * A worker makes the folder, then what the peer has ready is taken as any file is. They come once, before the first GATHER.
 * What they bring to the budget is what has crossed the wire. */
#include "openings_internal.h"

#include <stdlib.h>

struct literals_demand {
    struct demand d;
    struct msg_literals wanted;
    struct take *take;
};

static void answer(struct demand *d)
{
    const struct msg_literals *wanted = &((struct literals_demand *)d)->wanted;
    struct msg *m = demand_message(d, MSG_LITERALS_OK);
    if (!m)
        return;
    d->opening->literals = wanted->bytes;
    m->literals = *wanted;
    demand_answer(d, m);
}

static void taken(struct take *t)
{
    struct literals_demand *l = t->owner;
    struct opening *o = l->d.opening;
    const struct transfer_progress *p = t->receive ? &t->receive->progress : NULL;
    struct fault fault = t->fault;
    if (p)
        account_credit(o->core, o->account, p->bytes_moved);
    if (!fault.code && (!p || p->bytes_total != l->wanted.bytes))
        fault_set(&fault, ERR_VERIFY, "the literals are not as many as was said");
    take_free(t);
    l->take = NULL;
    if (fault.code)
        demand_fail(&l->d, &fault);
    else
        answer(&l->d);
}

static int take_them(struct literals_demand *l, struct fault *fault)
{
    struct opening *o = l->d.opening;
    struct link *link = link_find(o->core, o->link);
    struct take *t = link ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return fault_set(fault, link ? ERR_NOMEM : ERR_UNREACHABLE, "the literals cannot be fetched");
    t->parcel = l->wanted.parcel;
    t->dest = o->shown;
    t->top = GATHER_LITERALS;
    t->key = o->key;
    t->at_fd = true;
    t->dest_fd = gather_dir(o->gather);
    t->policy = IF_EXISTS_OVERWRITE;
    t->file_only = true;
    t->limit = l->wanted.bytes;
    t->owner = l;
    t->done = taken;
    int err = take_start(t, link);
    if (err) {
        free(t);
        return fault_set(fault, err, "the literals cannot be fetched: %s", err_text(err));
    }
    l->take = t;
    return 0;
}

static void made_room(struct job *job)
{
    struct gather_job *j = (struct gather_job *)job;
    struct demand *d = job->owner;
    struct fault fault = job->fault;
    d->core->jobs--;
    d->opening->gather = j->gather;
    free(j);
    if (fault.code)
        opening_step_over(d->opening, &fault);
    if (fault.code || d->why.code || take_them((struct literals_demand *)d, &fault) != 0)
        demand_fail(d, &fault);
}

static void literals_begin(struct demand *d)
{
    struct gather_job *j = demand_job(d, JOB_GATHER, made_room);
    if (!j)
        return;
    j->open_only = true;
    core_job(d->core, &j->job);
}

static void literals_stop(struct demand *d)
{
    struct literals_demand *l = (struct literals_demand *)d;
    if (l->take)
        take_cancel(l->take, (int)d->why.code);
}

static void literals_look(const struct demand *d, struct msg_progress *p)
{
    const struct literals_demand *l = (const struct literals_demand *)d;
    p->phase = PROGRESS_SEND;
    p->done = l->take && l->take->receive ? l->take->receive->progress.bytes_done : 0;
    p->total = l->wanted.bytes;
}

void literals_on_request(struct link *link, const struct msg *m)
{
    static const struct demand_kind kind = {.size = sizeof(struct literals_demand),
                                            .takes = true,
                                            .begin = literals_begin,
                                            .stop = literals_stop,
                                            .look = literals_look};
    struct opening *o = opening_to_build(link, m, m->literals.handle);
    if (!o)
        return;
    if (o->literals != NO_LITERALS || o->end > 0) {
        link_error(link, m->request, ERR_STATE, "literals come once, before anything is gathered");
    } else if (m->literals.bytes == 0 || m->literals.bytes > GATHER_SIZE_MAX) {
        link_error(link, m->request, ERR_LIMIT, "so many literals make no file");
    } else if (demands_may_take(link, m)) {
        struct demand *d = demand_new(&kind, link, m, o);
        if (!d)
            return;
        ((struct literals_demand *)d)->wanted = m->literals;
        literals_begin(d);
    }
}

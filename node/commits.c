/* COMMIT: what has been gathered is to stand under its name. See openings_internal.h.
 *
 * Size is compared here; the hash, and that what stands there is still what was opened, by the worker that makes it durable. */
#include "openings_internal.h"

#include <stdlib.h>
#include <string.h>

struct commit_demand {
    struct demand d;
    struct msg_commit wanted;
};

static void tell(struct demand *d, const char *state, const struct fault *fault)
{
    const struct demand_event event = {.state = state, .name = "", .bytes = d->opening->end, .fault = fault};
    demand_tell(d, &event);
}

static void committed(struct job *job)
{
    struct gather_job *j = (struct gather_job *)job;
    struct demand *d = job->owner;
    struct fault fault = job->fault;
    struct file_state state = j->state;
    d->core->jobs--;
    d->opening->gather = j->gather;
    free(j);
    opening_step_over(d->opening, &fault);
    tell(d, fault.code ? "failed" : "done", fault.code ? &fault : NULL);
    struct msg *m = fault.code ? NULL : demand_message(d, MSG_COMMIT_OK);
    if (m) {
        m->commit_ok.state = state;
        demand_answer(d, m);
    } else if (fault.code) {
        demand_fail(d, &fault);
    }
}

static void commit_begin(struct demand *d)
{
    const struct msg_commit *wanted = &((struct commit_demand *)d)->wanted;
    struct gather_job *j = demand_job(d, JOB_COMMIT, committed);
    if (!j)
        return;
    j->size = wanted->size;
    memcpy(j->hash.b, wanted->hash, sizeof j->hash.b);
    j->meta = (struct stage_meta){.mode = wanted->mode, .mtime_s = wanted->mtime_s, .mtime_ns = wanted->mtime_ns};
    core_job(d->core, &j->job);
}

static void commit_look(const struct demand *d, struct msg_progress *p)
{
    p->phase = PROGRESS_FINISH;
    p->done = p->total = d->opening->end;
}

void commit_on_request(struct link *link, const struct msg *m)
{
    static const struct demand_kind kind = {.size = sizeof(struct commit_demand), .begin = commit_begin, .look = commit_look};
    struct opening *o = opening_to_build(link, m, m->commit.handle);
    if (!o)
        return;
    if (o->end != m->commit.size) {
        link_error(link, m->request, ERR_STATE, "what has been built has another size; gather all of it first");
        return;
    }
    struct demand *d = demand_new(&kind, link, m, o);
    if (!d)
        return;
    ((struct commit_demand *)d)->wanted = m->commit;
    commit_begin(d);
}

/* Remembering files of peers: what is asked of the store actor, and who waits for its answer. See remember.h. */
#include "remember_internal.h"

#include <stdlib.h>
#include <string.h>

static void tell_none(void *arg);

struct remember *remember_of(struct core *core)
{
    if (!core->remember) {
        core->remember = calloc(1, sizeof *core->remember);
        if (core->remember) {
            core->remember->core = core;
            timer_init(&core->remember->none, tell_none, core->remember);
        }
    }
    return core->remember;
}

struct base_job *remember_job(struct remember *r, enum job_kind kind, const struct base_key *key)
{
    struct base_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->job.kind = kind;
    j->dir = r->core->config.bases;
    j->limit = r->core->config.base_limit;
    if (key)
        j->row.key = *key;
    return j;
}

/* ---- jobs that nobody waits for */

static void done(struct job *job)
{
    struct remember *r = job->owner;
    r->core->jobs--;
    r->putting -= job->kind == JOB_BASE_PUT;
    r->sums = ((struct base_job *)job)->sums;
    if (job->fault.code)
        log_write(r->core->log, LOG_INFO, "remember", "%s", job->fault.text);
    free(job);
}

static void begin(struct remember *r, struct base_job *j, void (*back)(struct job *job))
{
    if (!j)
        return;
    j->job.done = back;
    j->job.owner = r;
    core_job(r->core, &j->job);
}

void remember_put(struct remember *r, const struct base_row *row)
{
    struct base_job *j = remember_job(r, JOB_BASE_PUT, NULL);
    if (j) {
        j->row = *row;
        r->putting++;
    }
    begin(r, j, done);
}

void remember_row(struct core *core, const struct base_row *row)
{
    struct remember *r = remember_of(core);
    if (!r || !core->config.bases)
        return;
    struct lined *older = line_find(r, &row->key);
    remember_put(r, row);
    if (older)
        line_forget(older);
}

void remember_not(struct core *core, uint64_t number)
{
    struct remember *r = remember_of(core);
    if (!r || !core->config.bases || number == 0)
        return;
    struct base_job *j = remember_job(r, JOB_BASE_FORGET, NULL);
    if (j)
        j->row.number = number;
    begin(r, j, done);
}

uint64_t remember_number(struct core *core)
{
    uint64_t number = 0;
    while (number == 0)
        core_random(core, &number, sizeof number);
    return number;
}

/* ---- finds */

static void unlink_find(struct remember *r, struct find *f)
{
    struct find **at = &r->finds;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
}

static void find_free(struct find *f)
{
    if (!f->out)
        free(f->job);
    free(f);
}

static void answer(struct find *f, const struct base_row *row, uint64_t seed)
{
    base_found *found = f->found;
    void *arg = f->arg;
    unlink_find(f->core->remember, f);
    find_free(f);
    if (found)
        found(arg, row, seed);
}

static void looked_up(struct job *job)
{
    struct base_job *j = (struct base_job *)job;
    struct find *f = job->owner;
    f->core->jobs--;
    f->core->remember->sums = j->sums;
    answer(f, job->fault.code ? NULL : &j->row, j->seed);
    free(j);
}

static void ask_store(struct find *f)
{
    f->after = NULL;
    f->out = true;
    f->job->job.done = looked_up;
    f->job->job.owner = f;
    core_job(f->core, &f->job->job);
}

void finds_after(struct remember *r, const struct lined *e, const struct lined *instead)
{
    for (struct find *f = r->finds; f; f = f->next)
        if (f->after == e && instead)
            f->after = instead;
        else if (f->after == e)
            ask_store(f);
}

/* One each time: whoever is told may ask again at once. */
static void tell_none(void *arg)
{
    struct remember *r = arg;
    if (!r->finds)
        return;
    if (r->finds->next)
        core_timer(r->core, &r->none, 0);
    answer(r->finds, NULL, 0);
}

static int find(struct core *core, struct base_job *j, base_found *found, void *arg)
{
    struct remember *r = core->remember;
    struct find *f = j ? calloc(1, sizeof *f) : NULL;
    if (!f) {
        free(j);
        return ERR_NOMEM;
    }
    *f = (struct find){.core = core, .found = found, .arg = arg, .job = j};
    struct find **at = &r->finds;
    while (*at)
        at = &(*at)->next;
    *at = f;
    struct lined *e = j->job.kind == JOB_BASE_FIND ? line_find(r, &j->row.key) : NULL;
    if (!core->config.bases) {
        core_timer(core, &r->none, 0);
    } else if (e) {
        f->after = e;
        line_hurry(e);
    } else {
        ask_store(f);
    }
    return 0;
}

int remember_find(struct core *core, const struct base_key *key, base_found *found, void *arg)
{
    struct remember *r = remember_of(core);
    return r ? find(core, remember_job(r, JOB_BASE_FIND, key), found, arg) : ERR_NOMEM;
}

int remember_similar(struct core *core, const struct base_key *key, const uint64_t *sketch, size_t count, base_found *found,
                     void *arg)
{
    struct remember *r = remember_of(core);
    struct base_job *j = r ? remember_job(r, JOB_BASE_SIMILAR, key) : NULL;
    if (!j)
        return ERR_NOMEM;
    j->row.sketch_count = count < SKETCH_HASHES ? count : SKETCH_HASHES;
    memcpy(j->row.sketch, sketch, j->row.sketch_count * sizeof *sketch);
    return find(core, j, found, arg);
}

void remember_cancel(struct core *core, void *arg)
{
    struct find *next;
    for (struct find *f = core->remember ? core->remember->finds : NULL; f; f = next) {
        next = f->next;
        if (f->arg != arg)
            continue;
        f->found = NULL;
        f->arg = NULL;
        if (!f->out) {
            unlink_find(core->remember, f);
            find_free(f);
        }
    }
}

/* ---- all of them */

static void started(struct job *job)
{
    struct remember *r = job->owner;
    r->ready = true;
    r->seed = ((struct base_job *)job)->seed;
    done(job);
    line_advance(r);
}

void remember_start(struct core *core)
{
    struct remember *r = core->config.bases ? remember_of(core) : NULL;
    if (r)
        begin(r, remember_job(r, JOB_BASE_SUMS, NULL), started);
}

void remember_stop(struct core *core)
{
    if (!core->remember)
        return;
    core->remember->stopping = true;
    line_forget_all(core->remember);
}

void remember_free(struct core *core)
{
    struct remember *r = core->remember;
    if (!r)
        return;
    core_cancel(core, &r->none);
    line_free(r);
    while (r->finds) {
        struct find *f = r->finds;
        r->finds = f->next;
        find_free(f);
    }
    free(r);
    core->remember = NULL;
}

void remember_describe(const struct core *core, struct row *status)
{
    const struct remember *r = core->remember;
    if (!core->config.bases)
        return;
    row_int(status, "base_count", r ? (int64_t)r->sums.count : 0);
    row_int(status, "base_bytes", r ? (int64_t)r->sums.cost : 0);
    row_int(status, "base_limit", (int64_t)core->config.base_limit);
    row_int(status, "base_waiting", r ? (int64_t)(r->count + r->putting) : 0);
}

/* ---- the verb forget */

static void tell_cleared(struct call *call, const struct bases_sums *sums)
{
    struct row *row = row_new("done");
    if (row) {
        row_int(row, "bases", (int64_t)sums->count);
        row_int(row, "bytes", (int64_t)sums->cost);
    }
    call_done(call, row);
}

static void not_waited_for(struct call *call, int code)
{
    (void)call, (void)code; /* they are cleared all the same */
}

/* The call that this job is for, if its client is still there. */
static struct call *clearing(struct core *core, const struct job *job)
{
    struct call *call = core->calls;
    while (call && (call->client != job->tag || call->cancel != not_waited_for))
        call = call->next;
    return call;
}

static void cleared(struct job *job)
{
    struct remember *r = job->owner;
    struct call *call = clearing(r->core, job);
    struct fault fault = job->fault;
    struct bases_sums before = ((struct base_job *)job)->sums;
    if (!fault.code)
        ((struct base_job *)job)->sums = (struct bases_sums){0};
    done(job);
    if (call && fault.code)
        call_fail(call, &fault);
    else if (call)
        tell_cleared(call, &before);
}

void verb_forget(struct call *call, const struct row *request)
{
    (void)request;
    struct core *core = call->core;
    struct remember *r = core->config.bases ? remember_of(core) : NULL;
    struct base_job *j = r ? remember_job(r, JOB_BASE_CLEAR, NULL) : NULL;
    struct fault fault;
    if (!core->config.bases) {
        tell_cleared(call, &(struct bases_sums){0});
    } else if (!j) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
    } else {
        line_forget_all(r);
        j->job.tag = call->client;
        call->cancel = not_waited_for;
        begin(r, j, cleared);
    }
}

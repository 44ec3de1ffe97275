/* The peer's own index of a file that is to be updated, where there is no base of it: asked for, and fetched as a parcel into
 * the folder of bases. See put_internal.h. */
#include "put_internal.h"

#include <stdio.h>
#include <stdlib.h>

static void taking_free(struct put_taking *t)
{
    take_free(t->take);
    free(t);
}

static void discarded(struct job *job)
{
    struct core *core = job->owner;
    core->jobs--;
    free(job);
}

/* `name` in the folder of bases. Where that cannot be now it goes at the next start. */
static void discard(struct core *core, const char *prefix, const char *name)
{
    struct discard_job *j = calloc(1, sizeof *j);
    if (!j)
        return;
    j->job = (struct job){.kind = JOB_DISCARD, .done = discarded, .owner = core};
    snprintf(j->path, sizeof j->path, "%s/%s%s", core->config.bases, prefix, name);
    core_job(core, &j->job);
}

/* What has come of it is of no use: the next attempt has another name, so that nothing is resumed. */
static void discard_taken(const struct put_taking *t)
{
    discard(t->take->core, "", t->top);
    discard(t->take->core, STAGE_PREFIX, t->key);
}

static void index_taken(struct take *take)
{
    struct put_taking *t = take->owner;
    struct put *p = t->put;
    struct fault fault = take->fault;
    char path[PATH_BYTES_MAX + 1];
    int n = snprintf(path, sizeof path, "%s/%s", take->dest, t->top);
    if (p) {
        put_count(p);
        p->taking = NULL;
    }
    if (!p || fault.code)
        discard_taken(t);
    taking_free(t);
    if (!p)
        return;
    if (!fault.code && n > PATH_BYTES_MAX)
        fault_set(&fault, ERR_LIMIT, "the path of the home is too long");
    if (fault.code)
        put_failed(p, &fault);
    else
        put_compare_with(p, path);
}

static struct put_taking *taking_new(struct put *p, const struct msg_index_ok *ok)
{
    struct put_taking *t = calloc(1, sizeof *t);
    struct take *take = t ? calloc(1, sizeof *take) : NULL;
    if (!take) {
        free(t);
        return NULL;
    }
    t->put = p;
    t->take = take;
    base32_encode(ok->parcel.b, TAG_BYTES, t->key);
    snprintf(t->top, sizeof t->top, "%llu.peer", (unsigned long long)remember_number(p->core));
    take->parcel = ok->parcel;
    take->dest = p->core->config.bases;
    take->top = t->top;
    take->key = t->key;
    take->policy = IF_EXISTS_OVERWRITE;
    take->file_only = true;
    take->limit = ok->bytes;
    take->owner = t;
    take->done = index_taken;
    return t;
}

static void index_ready(struct put *p, const struct msg *m)
{
    const struct msg_index_ok *ok = &m->index_ok;
    struct fault fault;
    struct link *link = put_link(p);
    int err = ok->token != p->file.token ? ERR_CHANGED : ok->bytes > INDEX_BYTES_MAX ? ERR_LIMIT : link ? 0 : ERR_UNREACHABLE;
    struct put_taking *t = err ? NULL : taking_new(p, ok);
    if (!err)
        err = t ? take_start(t->take, link) : ERR_NOMEM;
    if (!err) {
        p->taking = t;
        put_phase(p, PUT_FETCH, ok->bytes);
        return;
    }
    if (t) {
        free(t->take);
        free(t);
    }
    fault_set(&fault, err, "the index of the file there cannot be fetched: %s", err_text(err));
    put_failed(p, &fault);
}

void put_ask_index(struct put *p)
{
    struct msg *m = calloc(1, sizeof *m);
    put_phase(p, PUT_INDEX, 0);
    if (m) {
        m->type = MSG_INDEX;
        m->index.handle = p->file.source;
        m->index.seed = p->file.seed;
        put_ask(p, m, MSG_INDEX_OK, index_ready);
    } else {
        put_fail_nomem(p);
    }
    free(m);
}

/* Shares: what this node offers under which name to whom, and the verbs that change that.
 *
 * The table is kept in order of names and in the database, so that it is there again after a restart. Serving it is for
 * files.c. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

struct share *share_find(struct core *core, const char *name)
{
    for (struct share *s = core->shares; s; s = s->next)
        if (strcmp(s->row.name, name) == 0)
            return s;
    return NULL;
}

int share_put(struct core *core, const struct share_row *row, struct share **out)
{
    struct share *s = share_find(core, row->name);
    if (!s) {
        if (core->share_count >= SHARES_MAX)
            return ERR_FULL;
        s = calloc(1, sizeof *s);
        if (!s)
            return ERR_NOMEM;
        struct share **at = &core->shares;
        while (*at && strcmp((*at)->row.name, row->name) < 0)
            at = &(*at)->next;
        s->next = *at;
        *at = s;
        core->share_count++;
    }
    s->row = *row;
    if (out)
        *out = s;
    return 0;
}

bool share_allows(const struct share *share, const struct peer *peer)
{
    if (share->row.is_public)
        return true;
    if (share->row.audience_count == 0)
        return peer->trusted;
    for (size_t i = 0; i < share->row.audience_count; i++)
        if (id_equal(&share->row.audience[i], &peer->id))
            return true;
    return false;
}

bool share_is_stream(const struct share *share)
{
    return share->row.kind != RESOURCE_FILE && share->row.kind != RESOURCE_DIR;
}

struct share_info share_info_of(const struct share *share)
{
    struct share_info info = {.kind = share->row.kind,
                              .size = share->row.kind == RESOURCE_FILE ? share->size : 0,
                              .is_public = share->row.is_public,
                              .writable = share->row.writable};
    memcpy(info.name, share->row.name, sizeof info.name);
    return info;
}

void shares_free(struct core *core)
{
    while (core->shares) {
        struct share *s = core->shares;
        core->shares = s->next;
        free(s);
    }
}

/* ---- the verbs share and unshare */

/* A change in work: it holds when it is in the database, and is answered then. One allocation with its jobs, so that it
 * lives just as long as they. */
struct share_work {
    union {
        struct job job;
        struct inspect_job inspect; /* first: what is this path? */
        struct share_job save;      /* then: keep it, or drop it */
    };
    struct core *core;
    struct call *call; /* NULL when its client went away meanwhile */
    struct share_row row;
    uint64_t size;
    bool named, dry_run;
};

static void share_cancel(struct call *call, int code)
{
    (void)code;
    struct share_work *w = call->work;
    w->call = NULL; /* the job comes back and finds nobody to tell */
}

/* Ends the work: with the fault, or well. */
static void share_end(struct share_work *w, const struct fault *fault)
{
    struct call *call = w->call;
    free(w);
    if (!call)
        return;
    call->work = NULL;
    call->cancel = NULL;
    if (fault && fault->code)
        call_fail(call, fault);
    else
        call_done(call, NULL);
}

static void share_save(struct share_work *w, enum job_kind kind, void (*done)(struct job *job))
{
    w->save = (struct share_job){.job = {.kind = kind, .done = done}, .row = w->row};
    core_job(w->core, &w->job);
}

struct row *share_row_of(const char *peer, const struct share_info *info)
{
    struct row *row = row_new("share");
    if (!row)
        return NULL;
    row_text(row, "peer", peer);
    row_text(row, "name", info->name);
    row_text(row, "kind", resource_kind_name(info->kind));
    row_int(row, "size", (int64_t)info->size);
    row_bool(row, "public", info->is_public);
    row_bool(row, "writable", info->writable);
    return row;
}

static void share_tell(struct share_work *w)
{
    struct share share = {.row = w->row, .size = w->size};
    struct share_info info = share_info_of(&share);
    struct row *row = w->call ? share_row_of(w->core->config.name, &info) : NULL;
    row_data(row, "path", w->row.path, strlen(w->row.path));
    if (row)
        call_row(w->call, row);
    share_end(w, NULL);
}

static void share_kept(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct fault fault = job->fault;
    struct share *share;
    w->core->jobs--;
    int err = fault.code ? 0 : share_put(w->core, &w->row, &share);
    if (err)
        fault_set(&fault, err, "the share cannot be offered before a restart: %s", err_text(err));
    if (fault.code) {
        share_end(w, &fault);
        return;
    }
    share->size = w->size;
    share_tell(w);
}

/* Gives the share its name and checks that it may have it. */
static int share_name(struct share_work *w, struct fault *fault)
{
    const struct share *other;
    if (!w->named) { /* after the last component of what it really is, so that "." works too */
        const char *last = strrchr(w->row.path, '/');
        snprintf(w->row.name, sizeof w->row.name, "%s", last && strlen(last) <= NAME_MAX_BYTES + 1 ? last + 1 : "");
    }
    if (!name_valid(w->row.name))
        return fault_set(fault, ERR_USAGE,
                         "'%s' cannot be the name of a share; give one with --as NAME (letters, digits, up to %d bytes)",
                         w->row.name, NAME_MAX_BYTES);
    other = share_find(w->core, w->row.name);
    if (other && strcmp(other->row.path, w->row.path) != 0)
        return fault_set(fault, ERR_EXISTS,
                         "'%s' is already the name of another share; give another with --as, or 'weft unshare %s' first",
                         w->row.name, w->row.name);
    if (!other && w->core->share_count >= SHARES_MAX)
        return fault_set(fault, ERR_FULL, "at most %d shares can be offered", SHARES_MAX);
    return 0;
}

static void inspected(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct fault fault = job->fault;
    w->core->jobs--;
    w->row.kind = w->inspect.kind == ENTRY_DIR ? RESOURCE_DIR : RESOURCE_FILE;
    w->size = w->inspect.size;
    strcpy(w->row.path, w->inspect.real);
    if (!fault.code && w->inspect.kind != ENTRY_FILE && w->inspect.kind != ENTRY_DIR)
        fault_set(&fault, ERR_USAGE, "only files and folders can be shared");
    if (!fault.code)
        share_name(w, &fault);
    if (fault.code || !w->call)
        share_end(w, &fault);
    else if (w->dry_run)
        share_tell(w);
    else
        share_save(w, JOB_PUT_SHARE, share_kept);
}

static int audience_read(struct core *core, const struct row *request, struct share_row *row, struct fault *fault)
{
    size_t n = row_count(request, "to");
    if (n > AUDIENCE_MAX)
        return fault_set(fault, ERR_LIMIT, "a share can name at most %d peers", AUDIENCE_MAX);
    if (n > 0 && row->is_public)
        return fault_set(fault, ERR_USAGE, "--to and --public contradict each other: choose one");
    for (size_t i = 0; i < n; i++) {
        struct peer *peer;
        int err = core_peer(core, row_get_text_at(request, "to", i, ""), &peer, fault);
        if (err)
            return err;
        row->audience[row->audience_count++] = peer->id;
    }
    return 0;
}

static void share_request(struct share_work *w, const struct row *request, struct fault *fault)
{
    size_t n = 0;
    const char *path = row_get_bytes(request, "path", &n);
    if (!path || n == 0 || n > PATH_BYTES_MAX || path[0] != '/') {
        fault_set(fault, ERR_USAGE, "an absolute path is needed");
        return;
    }
    memcpy(w->inspect.path, path, n);
    w->dry_run = row_get_bool(request, "dry_run", false);
    w->row.is_public = row_get_bool(request, "public", false);
    w->row.writable = row_get_bool(request, "writable", false);
    const char *name = row_get_text(request, "name", NULL);
    w->named = name != NULL;
    if (name)
        snprintf(w->row.name, sizeof w->row.name, "%s", strlen(name) <= NAME_MAX_BYTES ? name : "");
    audience_read(w->core, request, &w->row, fault);
}

void verb_share(struct call *call, const struct row *request)
{
    struct fault fault = {0};
    struct share_work *w = calloc(1, sizeof *w);
    if (w) {
        w->core = call->core;
        w->call = call;
        share_request(w, request, &fault);
    } else {
        fault_set(&fault, ERR_NOMEM, "out of memory");
    }
    if (fault.code) {
        free(w);
        call_fail(call, &fault);
        return;
    }
    w->job = (struct job){.kind = JOB_INSPECT, .done = inspected};
    call->work = w;
    call->cancel = share_cancel;
    core_job(call->core, &w->job);
}

static void share_dropped(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct core *core = w->core;
    struct fault fault = job->fault;
    struct share *share = share_find(core, w->row.name);
    core->jobs--;
    if (!fault.code && share) {
        struct share **at = &core->shares;
        while (*at != share)
            at = &(*at)->next;
        *at = share->next;
        core->share_count--;
        free(share);
    }
    share_end(w, &fault);
}

void verb_unshare(struct call *call, const struct row *request)
{
    const char *name = row_get_text(request, "name", "");
    struct share *share = share_find(call->core, name);
    bool dry_run = row_get_bool(request, "dry_run", false);
    struct share_work *w = share && !dry_run ? calloc(1, sizeof *w) : NULL;
    struct fault fault;
    if (!share) {
        fault_set(&fault, ERR_NOT_FOUND, "nothing is shared as '%s'; 'weft ls' shows what is", name);
        call_fail(call, &fault);
    } else if (dry_run) {
        call_done(call, NULL);
    } else if (!w) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
    } else {
        w->core = call->core;
        w->call = call;
        w->row = share->row;
        call->work = w;
        call->cancel = share_cancel;
        share_save(w, JOB_DROP_SHARE, share_dropped);
    }
}

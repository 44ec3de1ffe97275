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

struct share_info share_info_of(const struct share *share)
{
    struct share_info info = {.kind = share->row.kind,
                              .size = share->row.kind == ENTRY_FILE ? share->size : 0,
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

struct share_work { /* one allocation with its job, so that it lives just as long */
    struct inspect_job inspect;
    struct core *core;
    struct call *call; /* NULL when its client went away meanwhile */
    struct share_row row;
    bool named, dry_run;
};

static void share_cancel(struct call *call, int code)
{
    (void)code;
    struct share_work *w = call->work;
    w->call = NULL; /* the job comes back and finds nobody to tell */
}

static void share_save(struct core *core, const struct share_row *row, enum job_kind kind)
{
    struct share_job *j = calloc(1, sizeof *j);
    if (!j)
        return;
    j->job = (struct job){.kind = kind, .done = core_saved, .owner = core};
    j->row = *row;
    core_job(core, &j->job);
}

struct row *share_row_of(const char *peer, const struct share_info *info)
{
    struct row *row = row_new("share");
    if (!row)
        return NULL;
    row_text(row, "peer", peer);
    row_text(row, "name", info->name);
    row_text(row, "kind", info->kind == ENTRY_DIR ? "dir" : "file");
    row_int(row, "size", (int64_t)info->size);
    row_bool(row, "public", info->is_public);
    row_bool(row, "writable", info->writable);
    return row;
}

static void share_made(struct share_work *w)
{
    const struct inspect_job *j = &w->inspect;
    struct call *call = w->call;
    struct core *core = call->core;
    struct fault fault = {0};
    struct share *share;
    if (!w->named) { /* after the last component of what it really is, so that "." works too */
        const char *last = strrchr(j->real, '/');
        snprintf(w->row.name, sizeof w->row.name, "%s", last && last[1] ? last + 1 : "");
    }
    if (!name_valid(w->row.name))
        fault_set(&fault, ERR_USAGE,
                  "'%s' cannot be the name of a share; give one with --as NAME (letters, digits, up to %d bytes)", w->row.name,
                  NAME_MAX_BYTES);
    else if (share_find(core, w->row.name) && strcmp(share_find(core, w->row.name)->row.path, j->real) != 0)
        fault_set(&fault, ERR_EXISTS,
                  "'%s' is already the name of another share; give another with --as, or 'weft unshare %s' first", w->row.name,
                  w->row.name);
    w->row.kind = j->kind;
    strcpy(w->row.path, j->real);
    int err = fault.code || w->dry_run ? 0 : share_put(core, &w->row, &share);
    if (err)
        fault_set(&fault, err, "at most %d shares can be offered", SHARES_MAX);
    if (fault.code) {
        call_fail(call, &fault);
        return;
    }
    if (!w->dry_run) {
        share->size = j->size;
        share_save(core, &w->row, JOB_PUT_SHARE);
    }
    struct share_info info = {.kind = j->kind, .size = j->size, .is_public = w->row.is_public, .writable = w->row.writable};
    memcpy(info.name, w->row.name, sizeof info.name);
    struct row *row = share_row_of(core->config.name, &info);
    if (row)
        row_data(row, "path", j->real, strlen(j->real));
    call_row(call, row);
    call_done(call, NULL);
}

static void inspected(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    w->core->jobs--;
    if (w->call) {
        w->call->work = NULL;
        w->call->cancel = NULL;
        struct fault fault = job->fault;
        if (!fault.code && w->inspect.kind != ENTRY_FILE && w->inspect.kind != ENTRY_DIR)
            fault_set(&fault, ERR_USAGE, "only files and folders can be shared");
        if (fault.code)
            call_fail(w->call, &fault);
        else
            share_made(w);
    }
    free(w);
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
    w->inspect.job = (struct job){.kind = JOB_INSPECT, .done = inspected};
    call->work = w;
    call->cancel = share_cancel;
    core_job(call->core, &w->inspect.job);
}

void verb_unshare(struct call *call, const struct row *request)
{
    struct core *core = call->core;
    const char *name = row_get_text(request, "name", "");
    struct share *share = share_find(core, name);
    struct fault fault;
    if (!share) {
        fault_set(&fault, ERR_NOT_FOUND, "nothing is shared as '%s'; 'weft ls' shows what is", name);
        call_fail(call, &fault);
        return;
    }
    if (!row_get_bool(request, "dry_run", false)) {
        share_save(core, &share->row, JOB_DROP_SHARE);
        struct share **at = &core->shares;
        while (*at != share)
            at = &(*at)->next;
        *at = share->next;
        core->share_count--;
        free(share);
    }
    call_done(call, NULL);
}

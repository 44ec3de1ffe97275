/* The verbs share and unshare: a change holds when it is in the database, and is answered then.
 *
 * What is to be shared is looked at first, on a worker: a path becomes what it really is, and says what kind it is of; of a
 * command the program is found. Names of services and URLs are read here, and asked for when they are used. */
#include "locator.h"
#include "resources.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* A change in work. One allocation with its jobs, so that it lives just as long as they. */
struct share_work {
    union {
        struct job job;
        struct inspect_job inspect; /* first: what is this? */
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

/* ---- what is said of it */

/* The relays that it goes by; those that are none as far as we know are named once more. */
static void row_vias(struct core *core, struct row *row, const struct share_row *share)
{
    char label[NAME_MAX_BYTES + 1], text[NAME_MAX_BYTES + 160];
    for (size_t i = 0; i < share->via_count; i++) {
        const struct peer *peer = peers_find(core->peers, &share->via[i]);
        pipe_node_label(core, &share->via[i], label);
        row_text(row, "via", label);
        if (peer && peer->has_record && (peer->record.roles & ROLE_RELAY))
            continue;
        snprintf(text, sizeof text,
                 "'%s' is not known to be a relay (weft up --role relay); this is offered there as soon as it is", label);
        row_text(row, "warning", text);
    }
}

static void share_tell(struct share_work *w)
{
    struct share share = {.row = w->row, .size = w->size};
    struct share_info info = share_info_of(&share);
    struct row *row = w->call ? share_row_of(w->core->config.name, &info) : NULL;
    row_data(row, "path", w->row.path, strlen(w->row.path));
    row_vias(w->core, row, &w->row);
    if (row)
        call_row(w->call, row);
    share_end(w, NULL);
}

/* ---- keeping it */

static void share_kept(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct fault fault = job->fault, why;
    struct share *share = NULL;
    w->core->jobs--;
    int err = fault.code ? 0 : share_put(w->core, &w->row, &share);
    if (share) {
        share->size = w->size;
        reservations_changed(w->core);
    }
    if (err)
        fault_set(&fault, err, "the share is kept, but cannot be offered before a restart: %s",
                  resources_share_may(w->core, &w->row, &why) ? why.text : err_text(err));
    if (fault.code)
        share_end(w, &fault);
    else
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
    if (!w->row.name[0])
        return fault_set(fault, ERR_USAGE, "the name of a share has 1 to %d bytes; give one with --as NAME", NAME_MAX_BYTES);
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
    return resources_share_may(w->core, &w->row, fault);
}

/* It is known what it is: kind, path and size are set. */
static void share_settle(struct share_work *w, struct fault *fault)
{
    if (!fault->code && w->row.writable && w->row.kind != RESOURCE_FILE && w->row.kind != RESOURCE_DIR)
        fault_set(fault, ERR_USAGE, "only files and folders can be writable");
    if (!fault->code)
        share_name(w, fault);
    if (fault->code || !w->call)
        share_end(w, fault);
    else if (w->dry_run)
        share_tell(w);
    else
        share_save(w, JOB_PUT_SHARE, share_kept);
}

static void inspected(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct fault fault = job->fault;
    w->core->jobs--;
    w->size = w->inspect.size;
    if (w->row.kind != RESOURCE_COMMAND)
        w->row.kind = w->inspect.kind == ENTRY_DIR ? RESOURCE_DIR : w->inspect.fifo ? RESOURCE_FIFO : RESOURCE_FILE;
    if (!fault.code && w->row.kind == RESOURCE_FILE && w->inspect.kind != ENTRY_FILE)
        fault_set(&fault, ERR_USAGE, "only files, folders, FIFOs, tcp:HOST:PORT, http(s)://... and cmd:... can be shared");
    if (!fault.code)
        strcpy(w->row.path, w->inspect.real);
    share_settle(w, &fault);
}

/* ---- the request */

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

static bool has_via(const struct share_row *row, const struct node_id *relay)
{
    for (size_t i = 0; i < row->via_count; i++)
        if (id_equal(&row->via[i], relay))
            return true;
    return false;
}

static int vias_read(struct core *core, const struct row *request, struct share_row *row, struct fault *fault)
{
    size_t n = row_count(request, "via");
    for (size_t i = 0; i < n; i++) {
        struct peer *peer;
        int err = core_peer(core, row_get_text_at(request, "via", i, ""), &peer, fault);
        if (err)
            return err;
        if (has_via(row, &peer->id))
            continue;
        if (row->via_count == RELAYS_PER_NODE_MAX)
            return fault_set(fault, ERR_LIMIT, "a share can go by at most %d relays", RELAYS_PER_NODE_MAX);
        row->via[row->via_count++] = peer->id;
    }
    return 0;
}

/* What is to be shared: text without a NUL, into `out`. */
static int text_read(const struct row *request, const char *field, char out[PATH_BYTES_MAX + 1], struct fault *fault)
{
    size_t n = 0;
    const char *bytes = row_get_bytes(request, field, &n);
    if (!bytes || n == 0 || n > PATH_BYTES_MAX || memchr(bytes, '\0', n))
        return fault_set(fault, ERR_USAGE, "a path or a target of 1 to %d bytes is needed", PATH_BYTES_MAX);
    memcpy(out, bytes, n);
    out[n] = '\0';
    return 0;
}

static int target_read(struct share_work *w, const struct row *request, struct fault *fault)
{
    struct locator locator;
    int err = text_read(request, "target", w->row.path, fault);
    if (!err)
        err = locator_parse(w->row.path, &locator, fault);
    if (err)
        return err;
    w->row.kind = locator.kind;
    strcpy(w->inspect.path, w->row.path);
    if (!w->named)
        return fault_set(fault, ERR_USAGE, "what is no file has no name of its own: give it one with --as NAME");
    return 0;
}

static int path_read(struct share_work *w, const struct row *request, struct fault *fault)
{
    int err = text_read(request, "path", w->inspect.path, fault);
    if (!err && w->inspect.path[0] != '/')
        err = fault_set(fault, ERR_USAGE, "an absolute path is needed");
    return err;
}

static void share_request(struct share_work *w, const struct row *request, struct fault *fault)
{
    bool target = row_count(request, "target") > 0, path = row_count(request, "path") > 0;
    w->dry_run = row_get_bool(request, "dry_run", false);
    w->row.is_public = row_get_bool(request, "public", false);
    w->row.writable = row_get_bool(request, "writable", false);
    const char *name = row_get_text(request, "name", NULL);
    w->named = name != NULL;
    if (name)
        snprintf(w->row.name, sizeof w->row.name, "%s", strlen(name) <= NAME_MAX_BYTES ? name : "");
    int err = target && path ? fault_set(fault, ERR_USAGE, "either a path or a target can be shared, not both at once")
              : target       ? target_read(w, request, fault)
                             : path_read(w, request, fault);
    if (!err)
        err = audience_read(w->core, request, &w->row, fault);
    if (!err)
        vias_read(w->core, request, &w->row, fault);
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
    call->work = w;
    call->cancel = share_cancel;
    if (w->row.kind == RESOURCE_TCP || w->row.kind == RESOURCE_HTTP) {
        share_settle(w, &fault);
        return;
    }
    w->job = (struct job){.kind = JOB_INSPECT, .done = inspected};
    core_job(call->core, &w->job);
}

/* ---- unshare */

static void share_dropped(struct job *job)
{
    struct share_work *w = (struct share_work *)job;
    struct fault fault = job->fault;
    struct share *share = share_find(w->core, w->row.name);
    w->core->jobs--;
    if (!fault.code && share) {
        share_drop(w->core, share);
        reservations_changed(w->core);
    }
    share_end(w, &fault);
}

static int unshare(struct call *call, const struct share *share, struct fault *fault)
{
    struct share_work *w = calloc(1, sizeof *w);
    if (!w)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    w->core = call->core;
    w->call = call;
    w->row = share->row;
    call->work = w;
    call->cancel = share_cancel;
    share_save(w, JOB_DROP_SHARE, share_dropped);
    return 0;
}

void verb_unshare(struct call *call, const struct row *request)
{
    const char *name = row_get_text(request, "name", "");
    const struct share *share = share_find(call->core, name);
    struct fault fault;
    int err = share ? 0 : fault_set(&fault, ERR_NOT_FOUND, "nothing is shared as '%s'; 'weft ls' shows what is", name);
    if (!err && row_get_bool(request, "dry_run", false)) {
        call_done(call, NULL);
        return;
    }
    if (!err)
        err = unshare(call, share, &fault);
    if (err)
        call_fail(call, &fault);
}

/* The verb get: fetches what peers share, one source after the other. See get.h; get_carrier.c brings a source. */
#include "get.h"
#include "remember.h"

#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY (250 * MILLISECOND)

static void next_source(struct get *g);

/* ---- the request */

int source_parse(const char *text, size_t n, char *peer, size_t peer_cap, struct share_path *at, struct fault *fault)
{
    char shown[256];
    const char *colon = memchr(text, ':', n);
    size_t name_n = colon ? (size_t)(colon - text) : n;
    memset(at, 0, sizeof *at);
    escape(text, n, shown, sizeof shown);
    if (name_n == 0 || name_n >= peer_cap || memchr(text, '\0', n))
        return fault_set(fault, ERR_USAGE, "'%s' is not of the form PEER:SHARE/PATH", shown);
    memcpy(peer, text, name_n);
    peer[name_n] = '\0';
    const char *share = colon ? colon + 1 : text + n, *end = text + n;
    while (end > share && end[-1] == '/')
        end--;
    const char *slash = memchr(share, '/', (size_t)(end - share));
    size_t share_n = (size_t)((slash ? slash : end) - share), path_n = slash ? (size_t)(end - slash - 1) : 0;
    if (share_n > NAME_MAX_BYTES || path_n > PATH_BYTES_MAX)
        return fault_set(fault, ERR_USAGE, "'%s' has a part that is too long", shown);
    memcpy(at->share, share, share_n);
    if (path_n > 0)
        memcpy(at->path, slash + 1, path_n);
    at->len = (uint16_t)path_n;
    if ((share_n > 0 && !name_valid(at->share)) || !share_path_valid(at->path, path_n))
        return fault_set(fault, ERR_USAGE, "'%s' is not of the form PEER:SHARE/PATH", shown);
    return 0;
}

const char *get_source_text(const struct get *g, size_t *n)
{
    const char *text = NULL;
    size_t hit = 0;
    for (size_t i = 0; i < row_fields(g->request); i++)
        if (strcmp(row_name_at(g->request, i), "source") == 0 && hit++ == g->next)
            text = row_bytes_at(g->request, i, n);
    return text;
}

/* A request is only lent to us; its sources are needed until the end. */
struct row *request_copy(const struct row *row)
{
    uint8_t *buf = malloc(ROW_BYTES);
    struct row *copy = NULL;
    uint64_t seq;
    size_t n;
    if (buf && row_encode(row, 0, buf, ROW_BYTES, &n) == 0 && row_decode(buf, n, &seq, &copy) != 0)
        copy = NULL;
    free(buf);
    return copy;
}

/* ---- what is told */

void get_event(struct get *g, const char *state)
{
    struct row *row = row_new("transfer");
    if (row) {
        char label[NAME_MAX_BYTES + 1];
        size_t n = 0;
        const char *source = get_source_text(g, &n);
        peer_label(g->peer, label);
        row_text(row, "direction", "in");
        row_text(row, "state", state);
        row_text(row, "peer", label);
        row_data(row, "source", source ? source : "", n);
    }
    core_event(g->core, row);
}

void get_item_failed(struct receive *r, const char *path, const struct fault *fault)
{
    struct get *g = r->owner;
    struct row *row = g->call ? row_new("item") : NULL;
    if (!row)
        return;
    row_data(row, "path", path, strlen(path));
    row_text(row, "code", err_name((int)fault->code));
    row_text(row, "text", fault->text);
    call_row(g->call, row);
}

/* What is below the name in the destination is what is below the source: its own name may be another one there. */
void get_placed(struct receive *r, const char *path, const struct file_state *state)
{
    const struct get *g = r->owner;
    const char *below = strchr(path, '/');
    char whole[PATH_BYTES_MAX + 1];
    struct base_key key = {.peer = r->peer, .at = g->at};
    int len = snprintf(key.at.path, sizeof key.at.path, "%s%s", g->at.path, !below ? "" : g->at.len > 0 ? below : below + 1);
    int n = snprintf(whole, sizeof whole, "%s/%s", g->dest, path);
    if (len > PATH_BYTES_MAX || n > PATH_BYTES_MAX)
        return;
    key.at.len = (uint16_t)len;
    remember_file(g->core, &key, whole, state);
}

void get_add_route(struct get *g, const char *route)
{
    size_t n = strlen(g->route), m = strlen(route);
    if (n >= m && strcmp(g->route + n - m, route) == 0 && (n == m || g->route[n - m - 1] == ' '))
        return; /* the last one */
    if (n + m + 3 <= sizeof g->route)
        snprintf(g->route + n, sizeof g->route - n, "%s%s", n ? ", " : "", route);
}

static void at_least(uint64_t *seen, uint64_t now)
{
    if (now > *seen)
        *seen = now;
}

void get_observe(struct get *g)
{
    const struct transfer_progress *p = g->receive ? &g->receive->progress : NULL;
    if (!p)
        return;
    uint64_t moved = p->bytes_moved;
    at_least(&g->seen.files_total, p->files_total);
    at_least(&g->seen.files_done, p->files_done);
    at_least(&g->seen.bytes_total, p->bytes_total);
    at_least(&g->seen.bytes_done, p->bytes_done);
    if (moved != g->moved)
        g->barren = 0;
    if (g->joined)
        g->alive_at = core_now(g->core);
    g->sum.moved += moved - g->moved;
    g->moved = moved;
}

static const char *const phase_names[] = {"connecting", "listing", "data", "finishing", "ended"};

static void tell_progress(void *arg)
{
    struct get *g = arg;
    size_t n = 0;
    const char *source = get_source_text(g, &n);
    struct row *row = g->call ? row_new("progress") : NULL;
    get_observe(g);
    get_look(g);
    if (row) {
        row_text(row, "phase", phase_names[g->receive ? g->receive->progress.phase : TRANSFER_CONNECTING]);
        row_data(row, "name", source ? source : "", n);
        row_int(row, "files_done", (int64_t)(g->sum.files + g->seen.files_done));
        row_int(row, "files_total", (int64_t)(g->sum.files + g->seen.files_total));
        row_int(row, "bytes_done", (int64_t)(g->sum.bytes + g->seen.bytes_done));
        row_int(row, "bytes_total", (int64_t)(g->sum.bytes + g->seen.bytes_total));
        row_int(row, "bytes_moved", (int64_t)g->sum.moved);
        call_row(g->call, row);
    }
    core_timer(g->core, &g->timer, PROGRESS_EVERY);
}

void get_add_up(struct get *g)
{
    const struct transfer_progress *p = &g->receive->progress;
    bool dry = g->dry_run && g->remote.code == 0; /* then what would be done: all that is neither there nor passed over */
    g->sum.files += dry ? p->files_total - p->files_done - p->skipped : p->files_done;
    g->sum.bytes += dry ? p->bytes_total - p->bytes_done : p->bytes_done;
    g->sum.present += p->present;
    g->sum.skipped += p->skipped;
    g->sum.failed += p->failed;
}

/* ---- the end */

void get_free(struct get *g)
{
    struct get **at = &g->core->gets;
    while (*at != g)
        at = &(*at)->next_get;
    *at = g->next_get;
    core_cancel(g->core, &g->timer);
    get_carrier_drop(g);
    if (g->peer)
        g->peer->busy--;
    row_free(g->request);
    free(g->receive);
    free(g);
}

void gets_free(struct core *core)
{
    while (core->gets)
        get_free(core->gets);
}

static struct row *sums_row(const struct get *g, const char *kind)
{
    const struct get_sums *s = &g->sum;
    struct row *row = row_new(kind);
    if (!row)
        return NULL;
    row_int(row, "files", (int64_t)s->files);
    row_int(row, "bytes", (int64_t)s->bytes);
    row_int(row, "bytes_moved", (int64_t)s->moved);
    row_int(row, "present", (int64_t)s->present);
    row_int(row, "skipped", (int64_t)s->skipped);
    row_int(row, "failed", (int64_t)s->failed);
    row_int(row, "elapsed_us", (int64_t)((core_now(g->core) - g->started) / 1000));
    row_text(row, "route", g->route[0] ? g->route : "direct");
    return row;
}

static void get_finish(struct get *g)
{
    struct call *call = g->call;
    struct fault fault = g->last;
    if (!fault.code && g->sum.failed > 0)
        fault_set(&fault, ERR_PARTIAL, "%llu item%s could not be fetched, each named above; the rest is there",
                  (unsigned long long)g->sum.failed, g->sum.failed == 1 ? "" : "s");
    if (g->lost > 0 && g->lost < row_count(g->request, "source"))
        fault.code = ERR_PARTIAL;
    struct row *row = sums_row(g, fault.code ? "summary" : "done");
    get_free(g);
    if (!fault.code) {
        call_done(call, row);
        return;
    }
    call_row(call, row);
    call_fail(call, &fault);
}

void get_source_over(struct get *g, const struct fault *fault)
{
    core_cancel(g->core, &g->timer);
    get_carrier_drop(g);
    if (g->peer)
        g->peer->busy--;
    g->peer = NULL;
    g->next++;
    if (fault && fault->code && fault->code != ERR_PARTIAL) {
        g->lost++;
        g->last = *fault;
    }
    if (!g->call) {
        get_free(g);
        return;
    }
    next_source(g);
}

void get_is_stream(struct get *g)
{
    size_t n = 0;
    const char *source = get_source_text(g, &n);
    struct row *row = source && g->call ? row_new("stream") : NULL;
    if (row) {
        char pipe[NODE_ID_TEXT + 2 * NAME_MAX_BYTES + 3];
        const char *colon = memchr(source, ':', n);
        snprintf(pipe, sizeof pipe, "%.*s:%s", (int)(colon - source), source,
                 g->at.share); /* the peer as the person wrote it */
        row_data(row, "source", source, n);
        row_text(row, "pipe", pipe);
        call_row(g->call, row);
    }
    get_event(g, "stream");
    get_source_over(g, NULL);
}

/* ---- sources */

/* The name that the source gets in the destination. */
static int choose_top(struct get *g, struct fault *fault)
{
    size_t n = 0;
    const char *top = row_get_bytes(g->request, "top", &n);
    if (!top) {
        const char *slash = strrchr(g->at.path, '/');
        top = g->at.len == 0 ? g->at.share : slash ? slash + 1 : g->at.path;
        n = strlen(top);
    }
    if (!entry_name_valid(top, n))
        return fault_set(fault, ERR_USAGE, "the destination's last part is no file name");
    memset(g->top, 0, sizeof g->top);
    memcpy(g->top, top, n);
    return 0;
}

/* The stage's key: the same source to the same place resumes. */
static void make_key(struct get *g)
{
    char place[2 * PATH_BYTES_MAX + ENTRY_NAME_MAX + NAME_MAX_BYTES + 4];
    int n = snprintf(place, sizeof place, "%s/%s%c%s%c%s", g->at.share, g->at.path, 0, g->dest, 0, g->top);
    struct tag tag = tag_derive("weft stage 1", g->peer->id.b, NODE_ID_BYTES, place, (size_t)n);
    base32_encode(tag.b, TAG_BYTES, g->key);
}

static int parse_source(struct get *g, const char *text, size_t n, struct fault *fault)
{
    char name[NODE_ID_TEXT + NAME_MAX_BYTES + 1];
    int err = source_parse(text, n, name, sizeof name, &g->at, fault);
    if (!err && g->at.share[0] == '\0')
        err = fault_set(fault, ERR_USAGE,
                        "'%s' names a peer, but not what to fetch: PEER:SHARE/PATH; 'weft ls %s' shows its shares", name, name);
    if (!err)
        err = choose_top(g, fault);
    return err ? err : core_peer(g->core, name, &g->peer, fault);
}

static void next_source(struct get *g)
{
    struct fault fault = {0};
    size_t n = 0;
    const char *text = get_source_text(g, &n);
    if (!text) {
        get_finish(g);
        return;
    }
    memset(&g->seen, 0, sizeof g->seen);
    if (parse_source(g, text, n, &fault) != 0) {
        g->peer = NULL;
        get_source_over(g, &fault);
        return;
    }
    g->peer->busy++;
    make_key(g);
    struct row *row = row_new("source");
    if (row) {
        row_data(row, "source", text, n);
        row_data(row, "path", g->dest, strlen(g->dest));
        row_data(row, "top", g->top, strlen(g->top));
    }
    call_row(g->call, row);
    core_timer(g->core, &g->timer, PROGRESS_EVERY);
    get_begin(g);
}

static void get_cancel(struct call *call, int code)
{
    struct get *g = call->work;
    g->call = NULL;
    get_stop(g, code);
}

void verb_get(struct call *call, const struct row *request)
{
    struct get *g = calloc(1, sizeof *g);
    struct fault fault = {0};
    size_t n = 0;
    const char *dest = row_get_bytes(request, "dest", &n);
    if (!g || !(g->request = request_copy(request)))
        fault_set(&fault, ERR_NOMEM, "out of memory");
    else if (!dest || n == 0 || n > PATH_BYTES_MAX || dest[0] != '/')
        fault_set(&fault, ERR_USAGE, "the destination must be an absolute path");
    else if (row_count(request, "source") == 0 || (row_count(request, "source") > 1 && row_count(request, "top") > 0))
        fault_set(&fault, ERR_USAGE, "one or more sources are needed, and a new name for one only");
    else if (!policy_read(row_get_text(request, "if_exists", "refuse"), &g->policy))
        fault_set(&fault, ERR_USAGE, "--if-exists is one of skip, rename, overwrite");
    if (fault.code) {
        if (g)
            row_free(g->request);
        free(g);
        call_fail(call, &fault);
        return;
    }
    memcpy(g->dest, dest, n);
    g->core = call->core;
    g->call = call;
    g->dry_run = row_get_bool(request, "dry_run", false);
    g->started = core_now(g->core);
    g->next_get = g->core->gets;
    g->core->gets = g;
    timer_init(&g->timer, tell_progress, g);
    get_carrier_init(g);
    call->work = g;
    call->cancel = get_cancel;
    next_source(g);
}

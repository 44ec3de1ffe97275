/* The verb get: fetches what peers share, one source after the other.
 *
 * For each source: reach the peer's `files` pipe, have a reception object made, send FETCH with it, and confirm when the
 * answer says that the streams are up; the port then does the rest (transfer.h). When the sender cannot connect to us, it is
 * asked once more with the roles of listening and dialling swapped. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY (250 * MILLISECOND)
#define LOCK_PATIENCE (5 * SECOND) /* for a transfer to the same place that is being stopped, as after Ctrl-C */
#define LOCK_AGAIN (100 * MILLISECOND)
#define FETCH_TIMEOUT ((RECEPTION_DEADLINE_S + 5) * SECOND)

struct get {
    struct get *next_get;
    struct core *core;
    struct call *call; /* NULL once its client is gone */
    struct row *request;
    char dest[PATH_BYTES_MAX + 1], key[BASE32_CHARS(TAG_BYTES) + 1];
    char top[ENTRY_NAME_MAX + 1];
    enum if_exists policy;
    bool dry_run;
    size_t next; /* source */
    uint64_t started;
    struct timer timer; /* tells progress */
    struct timer again; /* the source in hand begins anew */
    /* the source in hand */
    struct peer *peer;
    struct share_path at;
    link_no link;
    uint64_t began;      /* it was reached then */
    bool swapped;        /* the sender listens */
    bool fetch_out;      /* FETCH is not answered yet */
    struct fault remote; /* why the sender refused */
    struct receive *receive;
    /* sums over the sources that are through */
    uint64_t files, bytes, moved, present, skipped, failed;
    size_t lost; /* sources that failed as a whole */
    struct fault last;
};

static void next_source(struct get *g);
static void start_receive(struct get *g);

static const char *source_text(const struct get *g, size_t *n)
{
    const char *text = NULL;
    size_t hit = 0;
    for (size_t i = 0; i < row_fields(g->request); i++)
        if (strcmp(row_name_at(g->request, i), "source") == 0 && hit++ == g->next)
            text = row_bytes_at(g->request, i, n);
    return text;
}

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

/* A request is only lent to us; its sources are needed until the end. */
static struct row *copy_of(const struct row *row)
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

/* ---- the end */

static void get_free(struct get *g)
{
    struct get **at = &g->core->gets;
    while (*at != g)
        at = &(*at)->next_get;
    *at = g->next_get;
    core_cancel(g->core, &g->timer);
    core_cancel(g->core, &g->again);
    reach_cancel(g->core, g);
    ask_cancel(g->core, g);
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

static void get_finish(struct get *g)
{
    struct call *call = g->call;
    struct fault fault = g->last;
    if (!fault.code && g->failed > 0)
        fault_set(&fault, ERR_PARTIAL, "%llu item%s could not be fetched, each named above; the rest is there",
                  (unsigned long long)g->failed, g->failed == 1 ? "" : "s");
    if (g->lost > 0 && g->lost < row_count(g->request, "source"))
        fault.code = ERR_PARTIAL;
    struct row *row = row_new(fault.code ? "summary" : "done");
    if (row) {
        row_int(row, "files", (int64_t)g->files);
        row_int(row, "bytes", (int64_t)g->bytes);
        row_int(row, "bytes_moved", (int64_t)g->moved);
        row_int(row, "present", (int64_t)g->present);
        row_int(row, "skipped", (int64_t)g->skipped);
        row_int(row, "failed", (int64_t)g->failed);
        row_int(row, "elapsed_us", (int64_t)((core_now(g->core) - g->started) / 1000));
        row_text(row, "route", "direct");
    }
    get_free(g);
    if (!fault.code) {
        call_done(call, row);
        return;
    }
    call_row(call, row);
    call_fail(call, &fault);
}

static void source_over(struct get *g, const struct fault *fault)
{
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

/* ---- the transfer */

static void add_up(struct get *g)
{
    const struct transfer_progress *p = &g->receive->progress;
    bool dry = g->dry_run && g->remote.code == 0; /* then what would be done: all that is neither there nor passed over */
    g->files += dry ? p->files_total - p->files_done - p->skipped : p->files_done;
    g->bytes += dry ? p->bytes_total - p->bytes_done : p->bytes_done;
    g->moved += p->bytes_moved;
    g->present += p->present;
    g->skipped += p->skipped;
    g->failed += p->failed;
}

static void transfer_event(struct get *g, const char *state)
{
    struct row *row = row_new("transfer");
    if (row) {
        char label[NAME_MAX_BYTES + 1];
        size_t n = 0;
        const char *source = source_text(g, &n);
        peer_label(g->peer, label);
        row_text(row, "direction", "in");
        row_text(row, "state", state);
        row_text(row, "peer", label);
        row_data(row, "source", source ? source : "", n);
    }
    core_event(g->core, row);
}

static void receive_done(struct receive *r)
{
    struct get *g = r->owner;
    struct fault fault = g->remote.code ? g->remote : r->fault;
    g->core->transfers--;
    core_cancel(g->core, &g->timer);
    ask_cancel(g->core, g);
    g->fetch_out = false;
    bool wanted = g->call && !g->core->stopping;
    bool retry = wanted && g->remote.code == ERR_UNREACHABLE && !g->swapped;
    bool wait = wanted && fault.code == ERR_LOCKED && core_now(g->core) - g->began < LOCK_PATIENCE;
    if (!retry && !wait) {
        add_up(g);
        transfer_event(g, fault.code ? "failed" : "done");
    }
    free(g->receive);
    g->receive = NULL;
    if (wait) {
        core_timer(g->core, &g->again, LOCK_AGAIN);
    } else if (retry) {
        g->swapped = true;
        start_receive(g);
    } else {
        source_over(g, &fault);
    }
}

static void fetch_answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct get *g = arg;
    g->fetch_out = false;
    if (m) {
        g->core->port->receive_confirm(g->core->port->self, g->receive, &m->fetch_ok);
        return;
    }
    g->remote = *fault;
    g->core->port->receive_cancel(g->core->port->self, g->receive, (int)fault->code);
}

static void reception_ready(struct receive *r)
{
    struct get *g = r->owner;
    struct link *link = link_find(g->core, g->link);
    struct msg *m = calloc(1, sizeof *m);
    int err = ERR_UNREACHABLE;
    if (!link)
        link = link_to(g->core, g->peer);
    if (m && link) {
        m->type = MSG_FETCH;
        m->fetch.pipe = pipe_owned(&g->peer->id, "files");
        m->fetch.at = g->at;
        m->fetch.reception = r->reception;
        err = ask(link, m, MSG_FETCH_OK, FETCH_TIMEOUT, fetch_answered, g);
    }
    free(m);
    g->fetch_out = err == 0;
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(g->peer, label);
        fault_set(&g->remote, err, "the link to %s is gone; is it still up? The same command tries again", label);
        g->core->port->receive_cancel(g->core->port->self, r, err);
    }
}

static void item_failed(struct receive *r, const char *path, const struct fault *fault)
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

static const char *const phase_names[] = {"connecting", "listing", "data", "finishing", "ended"};

static void tell_progress(void *arg)
{
    struct get *g = arg;
    struct transfer_progress *p = &g->receive->progress;
    size_t n = 0;
    const char *source = source_text(g, &n);
    struct row *row = g->call ? row_new("progress") : NULL;
    if (row) {
        row_text(row, "phase", phase_names[p->phase]);
        row_data(row, "name", source ? source : "", n);
        row_int(row, "files_done", (int64_t)(g->files + p->files_done));
        row_int(row, "files_total", (int64_t)(g->files + p->files_total));
        row_int(row, "bytes_done", (int64_t)(g->bytes + p->bytes_done));
        row_int(row, "bytes_total", (int64_t)(g->bytes + p->bytes_total));
        row_int(row, "bytes_moved", (int64_t)(g->moved + p->bytes_moved));
        call_row(g->call, row);
    }
    core_timer(g->core, &g->timer, PROGRESS_EVERY);
}

/* The stage's key: the same source to the same place resumes. */
static void make_key(struct get *g)
{
    char place[2 * PATH_BYTES_MAX + ENTRY_NAME_MAX + NAME_MAX_BYTES + 4];
    int n = snprintf(place, sizeof place, "%s/%s%c%s%c%s", g->at.share, g->at.path, 0, g->dest, 0, g->top);
    struct tag tag = tag_derive("weft stage 1", g->peer->id.b, NODE_ID_BYTES, place, (size_t)n);
    base32_encode(tag.b, TAG_BYTES, g->key);
}

static void begin_again(void *arg)
{
    start_receive(arg);
}

static void start_receive(struct get *g)
{
    struct receive *r = calloc(1, sizeof *r);
    struct fault fault;
    if (!r) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        source_over(g, &fault);
        return;
    }
    memset(&g->remote, 0, sizeof g->remote);
    make_key(g);
    r->peer = g->peer->id;
    r->dest = g->dest;
    r->top = g->top;
    r->key = g->key;
    r->policy = g->policy;
    r->dry_run = g->dry_run;
    r->listen = !g->swapped;
    r->owner = g;
    r->ready = reception_ready;
    r->item = item_failed;
    r->done = receive_done;
    g->receive = r;
    g->core->transfers++;
    core_timer(g->core, &g->timer, PROGRESS_EVERY);
    g->core->port->receive_start(g->core->port->self, r);
}

/* ---- sources */

static void get_reached(void *arg, const struct reached *r)
{
    struct get *g = arg;
    if (!r->link) {
        source_over(g, &r->fault);
        return;
    }
    g->link = r->link->no;
    g->began = core_now(g->core);
    transfer_event(g, "started");
    start_receive(g);
}

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

static void next_source(struct get *g)
{
    struct fault fault = {0};
    char name[NODE_ID_TEXT + NAME_MAX_BYTES + 1];
    size_t n = 0;
    const char *text = source_text(g, &n);
    if (!text) {
        get_finish(g);
        return;
    }
    g->swapped = false;
    if (source_parse(text, n, name, sizeof name, &g->at, &fault) == 0 && g->at.share[0] == '\0')
        fault_set(&fault, ERR_USAGE, "'%s' names a peer, but not what to fetch: PEER:SHARE/PATH; 'weft ls %s' shows its shares",
                  name, name);
    if (!fault.code)
        choose_top(g, &fault);
    if (!fault.code && core_peer(g->core, name, &g->peer, &fault) == 0) {
        g->peer->busy++;
        struct row *row = row_new("source");
        if (row) {
            row_data(row, "source", text, n);
            row_data(row, "path", g->dest, strlen(g->dest));
            row_data(row, "top", g->top, strlen(g->top));
        }
        call_row(g->call, row);
        if (reach_share(g->core, g->peer, g->at.share, get_reached, g) != 0)
            fault_set(&fault, ERR_NOMEM, "out of memory");
    }
    if (fault.code)
        source_over(g, &fault);
}

static void get_cancel(struct call *call, int code)
{
    struct get *g = call->work;
    struct core *core = g->core;
    g->call = NULL;
    if (!g->receive) {
        get_free(g);
        return;
    }
    struct link *link = link_find(core, g->link);
    if (g->fetch_out && link) {
        struct msg m = {.type = MSG_CANCEL, .cancel = {.request = ask_number(core, g)}};
        link_send(link, &m);
    }
    ask_cancel(core, g);
    core->port->receive_cancel(core->port->self, g->receive, code); /* receive_done frees us */
}

static int policy_parse(const char *text, enum if_exists *policy)
{
    static const char *const names[] = {"refuse", "skip", "rename", "overwrite"};
    for (int i = 0; i < IF_EXISTS_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *policy = (enum if_exists)i;
            return 0;
        }
    return ERR_USAGE;
}

void verb_get(struct call *call, const struct row *request)
{
    struct get *g = calloc(1, sizeof *g);
    struct fault fault = {0};
    size_t n = 0;
    const char *dest = row_get_bytes(request, "dest", &n);
    if (!g || !(g->request = copy_of(request)))
        fault_set(&fault, ERR_NOMEM, "out of memory");
    else if (!dest || n == 0 || n > PATH_BYTES_MAX || dest[0] != '/')
        fault_set(&fault, ERR_USAGE, "the destination must be an absolute path");
    else if (row_count(request, "source") == 0 || (row_count(request, "source") > 1 && row_count(request, "top") > 0))
        fault_set(&fault, ERR_USAGE, "one or more sources are needed, and a new name for one only");
    else if (policy_parse(row_get_text(request, "if_exists", "refuse"), &g->policy) != 0)
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
    timer_init(&g->again, begin_again, g);
    call->work = g;
    call->cancel = get_cancel;
    next_source(g);
}

void gets_upgrade(struct core *core, struct peer *peer)
{
    (void)core, (void)peer;
}

/* The verb ls: which shares there are, and what is in a folder of one.
 *
 * Shares of several peers are asked for at once (browse_shares.c). A folder is read in pages, folders below it one after the
 * other from a bounded list, so that a peer cannot make it grow without end. A link that is lost is sought again once. */
#include "browse.h"

#include <stdlib.h>
#include <string.h>

#define FOLDERS_PENDING_MAX 65536
#define UNREAD_MAX (CLIENT_QUEUE_BYTES / 4) /* more is not fetched before the client has read */
#define UNREAD_WAIT (20 * MILLISECOND)

static void visit_free(struct visit *v)
{
    struct core *core = v->browse->call->core;
    core_cancel(core, &v->timer);
    reach_cancel(core, v);
    ask_cancel(core, v);
    v->peer->busy--;
    free(v);
}

static void browse_free(struct browse *b)
{
    while (b->visits) {
        struct visit *v = b->visits;
        b->visits = v->next;
        visit_free(v);
    }
    while (b->folders) {
        struct folder *f = b->folders;
        b->folders = f->next;
        free(f);
    }
    free(b);
}

static void browse_cancel(struct call *call, int code)
{
    (void)code;
    browse_free(call->work);
}

static void browse_end(struct browse *b, const struct fault *fault)
{
    struct call *call = b->call;
    browse_free(b);
    if (fault)
        call_fail(call, fault);
    else
        call_done(call, NULL);
}

void visit_end(struct visit *v, const struct fault *fault)
{
    struct browse *b = v->browse;
    b->pending--;
    if (fault && b->one) {
        browse_end(b, fault);
        return;
    }
    if (fault) {
        struct row *row = peer_row_of(b->call->core, "peer", v->peer);
        if (row)
            row_text(row, "note", fault->text);
        call_row(b->call, row);
    }
    if (b->pending == 0)
        browse_end(b, NULL);
}

static void visit_reached(void *arg, const struct reached *r);

static int visit_seek(struct visit *v)
{
    const struct browse *b = v->browse;
    return reach_share(b->call->core, v->peer, b->target.share, visit_reached, v);
}

bool visit_seeks_again(struct visit *v, const struct fault *fault)
{
    if (fault->code != ERR_UNREACHABLE || v->sought_again || visit_seek(v) != 0)
        return false;
    v->sought_again = true;
    return true;
}

void visit_ask(struct visit *v, struct msg *m, enum msg_type answer, ask_done *done)
{
    struct link *link = link_find(v->browse->call->core, v->link);
    struct fault fault;
    int err = link ? ask(link, m, answer, REQUEST_TIMEOUT, done, v) : ERR_UNREACHABLE;
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(v->peer, label);
        fault_set(&fault, err, "the link to %s is gone; is it still up? Try again", label);
        if (!visit_seeks_again(v, &fault))
            visit_end(v, &fault);
    }
}

/* ---- folders */

static void folder_listed(void *arg, const struct msg *m, const struct fault *fault);

/* The path of the folder being read, inside the share. False: too long. */
static bool full_path(const struct browse *b, struct share_path *out)
{
    size_t n = strlen(b->path), at = b->target.len;
    *out = b->target;
    if (n == 0)
        return true;
    if (at + 1 + n > PATH_BYTES_MAX)
        return false;
    if (at > 0)
        out->path[at++] = '/';
    memcpy(out->path + at, b->path, n + 1);
    out->len = (uint16_t)(at + n);
    return true;
}

static void ask_page(struct visit *v)
{
    struct msg *m = calloc(1, sizeof *m);
    struct fault fault;
    if (!m || !full_path(v->browse, &m->list.at)) {
        fault_set(&fault, m ? ERR_LIMIT : ERR_NOMEM, "a path in this folder is too long");
        visit_end(v, &fault);
        free(m);
        return;
    }
    m->type = MSG_LIST;
    m->list.pipe = pipe_owned(&v->peer->id, "files");
    m->list.cursor = v->cursor;
    visit_ask(v, m, MSG_LIST_OK, folder_listed);
    free(m);
}

void visit_ask_in_time(struct visit *v)
{
    struct call *call = v->browse->call;
    if (call->core->port->unread(call->core->port->self, call->client) > UNREAD_MAX)
        core_timer(call->core, &v->timer, UNREAD_WAIT);
    else
        v->ask(v);
}

static void look_again(void *arg)
{
    visit_ask_in_time(arg);
}

static const char *const kind_names[] = {"file", "dir", "link", "other"};

#define JOINED_MAX (PATH_BYTES_MAX + 1 + ENTRY_NAME_MAX + 1)

/* The path of an entry of the folder being read, below the target; its length. */
static size_t joined(const struct browse *b, const struct entry *e, char path[JOINED_MAX])
{
    size_t n = strlen(b->path);
    memcpy(path, b->path, n);
    if (n > 0)
        path[n++] = '/';
    memcpy(path + n, e->name, e->name_len);
    n += e->name_len;
    path[n] = '\0';
    return n;
}

static void entry_row(struct browse *b, const struct entry *e)
{
    struct row *row = row_new("entry");
    if (row) {
        char path[JOINED_MAX];
        size_t n = joined(b, e, path);
        row_data(row, "path", path, n);
        row_data(row, "name", e->name, e->name_len);
        row_text(row, "kind", kind_names[e->kind]);
        row_int(row, "mode", e->mode);
        row_int(row, "size", (int64_t)e->size);
        row_int(row, "mtime_s", e->mtime_s);
        row_int(row, "mtime_ns", e->mtime_ns);
        if (e->kind == ENTRY_LINK)
            row_data(row, "target", e->target, e->target_len);
    }
    call_row(b->call, row);
}

static int push_folder(struct browse *b, const struct entry *e)
{
    char path[JOINED_MAX];
    size_t n = joined(b, e, path) + 1;
    struct folder *f = b->folder_count < FOLDERS_PENDING_MAX && n <= sizeof b->path ? malloc(sizeof *f + n) : NULL;
    if (!f)
        return ERR_LIMIT;
    memcpy(f->path, path, n);
    f->next = b->folders;
    b->folders = f;
    b->folder_count++;
    return 0;
}

static bool next_folder(struct browse *b)
{
    struct folder *f = b->folders;
    if (!f)
        return false;
    b->folders = f->next;
    b->folder_count--;
    snprintf(b->path, sizeof b->path, "%s", f->path);
    free(f);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->name, y->name, n);
    return order ? order : (int)x->name_len - (int)y->name_len;
}

/* Tells a page in order of names, and notes the folders in it, so that the first is read next. */
static int tell_page(struct browse *b, const struct msg_list_ok *page)
{
    const struct entry *sorted[LIST_ENTRIES_MAX];
    int err = 0;
    for (size_t i = 0; i < page->count; i++)
        sorted[i] = &page->entry[i];
    qsort(sorted, page->count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < page->count; i++)
        entry_row(b, sorted[i]);
    for (size_t i = page->count; i-- > 0 && b->recursive && !err;)
        if (sorted[i]->kind == ENTRY_DIR)
            err = push_folder(b, sorted[i]);
    return err;
}

static void folder_listed(void *arg, const struct msg *m, const struct fault *fault)
{
    struct visit *v = arg;
    struct browse *b = v->browse;
    struct fault own;
    if (!m && visit_seeks_again(v, fault))
        return;
    if (!m && b->path[0] != '\0') { /* one folder below could not be read: told, and the rest goes on */
        struct row *row = row_new("item");
        if (row) {
            row_data(row, "path", b->path, strlen(b->path));
            row_text(row, "code", err_name((int)fault->code));
            row_text(row, "text", fault->text);
        }
        call_row(b->call, row);
    } else if (!m) {
        visit_end(v, fault);
        return;
    } else if (tell_page(b, &m->list_ok) != 0) {
        fault_set(&own, ERR_LIMIT, "more than %d folders are waiting to be listed", FOLDERS_PENDING_MAX);
        visit_end(v, &own);
        return;
    }
    bool same_folder = m && m->list_ok.more;
    v->cursor = same_folder ? m->list_ok.cursor : 0;
    if (same_folder || next_folder(b))
        visit_ask_in_time(v);
    else
        visit_end(v, NULL);
}

/* ---- starting */

static void visit_reached(void *arg, const struct reached *r)
{
    struct visit *v = arg;
    if (!r->link) {
        visit_end(v, &r->fault);
        return;
    }
    v->link = r->link->no;
    v->ask(v);
}

static int visit_start(struct browse *b, struct peer *peer)
{
    struct visit *v = calloc(1, sizeof *v);
    if (!v)
        return ERR_NOMEM;
    v->browse = b;
    v->peer = peer;
    v->ask = b->target.share[0] != '\0' ? ask_page : visit_ask_shares;
    if (visit_seek(v) != 0) {
        free(v);
        return ERR_NOMEM;
    }
    timer_init(&v->timer, look_again, v);
    peer->busy++;
    v->next = b->visits;
    b->visits = v;
    b->pending++;
    return 0;
}

static void visit_everyone(struct browse *b)
{
    struct core *core = b->call->core;
    for (struct share *s = core->shares; s; s = s->next) {
        struct share_info info = share_info_of(s);
        call_row(b->call, share_row_of(core->config.name, &info));
    }
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        struct peer *peer = peers_at(core->peers, i);
        if (!link_to(core, peer))
            continue;
        call_row(b->call, peer_row_of(core, "peer", peer));
        visit_start(b, peer);
    }
    if (b->pending == 0)
        browse_end(b, NULL);
}

static void visit_own(struct browse *b)
{
    struct core *core = b->call->core;
    for (struct share *s = core->shares; s; s = s->next) {
        struct share_info info = share_info_of(s);
        call_row(b->call, share_row_of(core->config.name, &info));
    }
    browse_end(b, NULL);
}

void verb_ls(struct call *call, const struct row *request)
{
    struct core *core = call->core;
    size_t n;
    const char *target = row_get_bytes(request, "target", &n);
    char name[NODE_ID_TEXT + NAME_MAX_BYTES + 1];
    struct peer *peer = NULL;
    struct fault fault = {0};
    struct browse *b = calloc(1, sizeof *b);
    if (!b) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    b->call = call;
    b->recursive = row_get_bool(request, "recursive", false);
    b->one = target != NULL;
    call->work = b;
    call->cancel = browse_cancel;
    if (!target) {
        visit_everyone(b);
        return;
    }
    if (source_parse(target, n, name, sizeof name, &b->target, &fault) == 0 && b->target.share[0] == '\0' &&
        strcmp(name, core->config.name) == 0) {
        visit_own(b);
        return;
    }
    if (fault.code == 0 && core_peer(core, name, &peer, &fault) == 0 && visit_start(b, peer) != 0)
        fault_set(&fault, ERR_NOMEM, "out of memory");
    if (fault.code)
        browse_end(b, &fault);
}

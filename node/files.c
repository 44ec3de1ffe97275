/* The `files` pipe: what a node shares, who may see it, and the requests of others for it.
 *
 * A peer names shares and paths below them, never paths of this machine. A share that a peer may not see is answered just as
 * one that does not exist; so is one that is not offered at the relay by which it is asked for. Disk is touched by jobs and
 * transfers only. Every request in work is a `struct serve`, counted against its peer.
 *
 * A parcel (parcels.h) is fetched in the same way, by whom it stands ready for and by whatever link of that peer: its name is
 * the right to it. */
#include "parcels.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

struct serve {
    struct serve *next;
    struct core *core;
    struct peer *peer;
    link_no link;          /* that the answer goes to, while it is there */
    link_no used;          /* see link_use */
    uint64_t request;      /* the peer's number */
    struct send *send;     /* of a FETCH; NULL for a LIST */
    struct parcel *parcel; /* what is fetched, until that has ended; NULL: something shared */
    char share[NAME_MAX_BYTES + 1];
    bool relayed; /* its bytes go by this relay */
    struct node_id relay;
    char *root; /* owned, of a FETCH */
    char *path;
};

bool files_place(const struct share *share, const struct share_path *at, char *root, char *path)
{
    const char *full = share->row.path;
    if (share->row.kind == RESOURCE_DIR) {
        strcpy(root, full);
        strcpy(path, at->path);
        return true;
    }
    const char *slash = strrchr(full, '/');
    if (at->len > 0 || !slash)
        return false; /* nothing is below a file */
    size_t n = slash == full ? 1 : (size_t)(slash - full);
    memcpy(root, full, n);
    root[n] = '\0';
    strcpy(path, slash + 1);
    return true;
}

/* ---- requests in work */

static struct serve *serve_new(struct link *link, uint64_t request)
{
    struct serve *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->core = link->core;
    s->peer = link->peer;
    s->link = link->no;
    s->request = request;
    s->peer->busy++;
    s->next = s->core->serves;
    s->core->serves = s;
    return s;
}

static void serve_free(struct serve *s)
{
    struct serve **at = &s->core->serves;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->peer->busy--;
    link_use(s->core, &s->used, 0);
    free(s->root);
    free(s->path);
    free(s->send);
    free(s);
}

static bool over_quota(const struct link *link, bool transfer)
{
    unsigned requests = 0, sends = 0, all = 0;
    for (const struct serve *s = link->core->serves; s; s = s->next) {
        requests += s->peer == link->peer;
        sends += s->send && s->peer == link->peer;
        all += s->send != NULL;
    }
    return requests >= REQUESTS_PER_PEER_MAX || (transfer && (sends >= SENDS_PER_PEER_MAX || all >= SENDS_MAX));
}

static bool is_files(struct link *link, uint64_t request, const struct tag *pipe)
{
    struct tag files = pipe_owned(&link->core->config.identity->id, "files");
    if (tag_equal(&files, pipe) && binding_bound(link->core->binding, pipe))
        return true;
    link_error(link, request, ERR_STATE, "this pipe is not bound here");
    return false;
}

struct share *files_share_for(struct link *link, uint64_t request, const struct tag *pipe, const char *name)
{
    if (!is_files(link, request, pipe))
        return NULL;
    struct share *share = share_find(link->core, name);
    if (share && share_allows(share, link->peer) && link_reaches_share(link, &share->row))
        return share;
    char text[FAULT_TEXT];
    snprintf(text, sizeof text, "no share '%s' is offered to you", name);
    link_error(link, request, ERR_NOT_FOUND, text);
    return NULL;
}

/* What is below a byte stream, and the stream itself where a file or a folder is meant. True: it was refused. */
static bool refused_stream(struct link *link, uint64_t request, const struct share *share, const struct share_path *at)
{
    if (!share_is_stream(share))
        return false;
    if (at->len > 0)
        link_error(link, request, ERR_NOT_FOUND, "this share is a byte stream; nothing is below it");
    else
        link_error(link, request, ERR_UNSUPPORTED, "this share is a byte stream: connect to it");
    return true;
}

/* ---- SHARES */

/* A session for the node itself shows what is offered at its relay, one for a share just that. */
static bool link_lists_share(const struct link *link, const struct share_row *row)
{
    struct tag node = handle_of(&link->core->config.identity->id, "");
    if (!link->relayed || !tag_equal(&node, &link->handle))
        return link_reaches_share(link, row);
    return link->session && share_goes_via(row, session_relay(link->session));
}

static void on_shares(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    struct tag files = pipe_owned(&core->config.identity->id, "files");
    if (!tag_equal(&files, &m->shares.pipe)) {
        link_error(link, m->request, ERR_STATE, "this pipe is not bound here");
        return;
    }
    struct msg *answer = calloc(1, sizeof *answer);
    if (!answer)
        return;
    answer->type = MSG_SHARES_OK;
    answer->request = m->request;
    struct msg_shares_ok *ok = &answer->shares_ok;
    for (struct share *s = core->shares; s && !ok->more; s = s->next) {
        if (strcmp(s->row.name, m->shares.after) <= 0 || !share_allows(s, link->peer) || !link_lists_share(link, &s->row))
            continue;
        if (ok->count == SHARES_PAGE_MAX)
            ok->more = true;
        else
            ok->share[ok->count++] = share_info_of(s);
    }
    link_send(link, answer);
    free(answer);
}

/* ---- LIST */

static void listed(struct job *job)
{
    struct list_job *j = (struct list_job *)job;
    struct serve *s = job->owner;
    struct core *core = s->core;
    struct link *link = link_find(core, s->link);
    core->jobs--;
    if (link && job->fault.code) {
        core_send_error(link, s->request, &job->fault);
    } else if (link) {
        struct msg *m = calloc(1, sizeof *m);
        if (m) {
            m->type = MSG_LIST_OK;
            m->request = s->request;
            m->list_ok.more = j->page.more;
            m->list_ok.cursor = j->page.cursor;
            m->list_ok.count = j->page.count;
            memcpy(m->list_ok.entry, j->page.entry, j->page.count * sizeof j->page.entry[0]);
            if (link_send(link, m) == ERR_LIMIT)
                link_error(link, s->request, ERR_LIMIT, "this folder's page does not fit into one message");
        }
        free(m);
    }
    serve_free(s);
    free(j);
}

static void on_list(struct link *link, const struct msg *m)
{
    struct share *share = files_share_for(link, m->request, &m->list.pipe, m->list.at.share);
    if (!share || refused_stream(link, m->request, share, &m->list.at))
        return;
    struct list_job *j = calloc(1, sizeof *j);
    if (!j || over_quota(link, false)) {
        link_error(link, m->request, ERR_FULL, "too many of your requests are in work; wait for their answers");
        free(j);
        return;
    }
    if (!files_place(share, &m->list.at, j->root, j->path)) {
        link_error(link, m->request, ERR_NOT_FOUND, "this share is a file; nothing is below it");
        free(j);
        return;
    }
    struct serve *s = serve_new(link, m->request);
    if (!s) {
        free(j);
        return;
    }
    j->job = (struct job){.kind = JOB_LIST, .done = listed, .owner = s};
    j->cursor = m->list.cursor;
    core_job(link->core, &j->job);
}

/* ---- FETCH */

static void fetch_connected(struct send *send)
{
    struct serve *s = send->owner;
    struct link *link = link_find(s->core, s->link);
    struct msg *m = calloc(1, sizeof *m);
    int err = ERR_UNREACHABLE;
    if (m && link) {
        m->type = MSG_FETCH_OK;
        m->request = s->request;
        m->fetch_ok = send->answer;
        err = link_send(link, m);
    }
    free(m);
    if (err)
        s->core->port->send_cancel(s->core->port->self, send, err);
    else
        s->core->port->send_go(s->core->port->self, send);
}

/* Of parcels their owners tell. */
static void fetch_event(struct serve *s, const char *state)
{
    struct row *row = s->parcel ? NULL : row_new("transfer");
    if (row) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(s->peer, label);
        row_text(row, "direction", "out");
        row_text(row, "state", state);
        row_text(row, "peer", label);
        row_data(row, "path", s->path, strlen(s->path));
        row_int(row, "bytes", (int64_t)s->send->progress.bytes_moved);
        if (s->send->fault.code)
            row_text(row, "text", s->send->fault.text);
    }
    core_event(s->core, row);
}

static void fetch_ended(struct send *send)
{
    struct serve *s = send->owner;
    struct core *core = s->core;
    struct link *link = link_find(core, s->link);
    core->transfers--;
    fetch_event(s, send->fault.code ? "failed" : "done");
    if (send->fault.code && link)
        core_send_error(link, s->request, &send->fault); /* an answer only while the peer still waits for one */
    if (s->parcel)
        parcel_fetch_ended(s->parcel);
    serve_free(s);
}

static struct serve *fetch_new(struct link *link, uint64_t request, const char *root, const char *path)
{
    struct serve *s = serve_new(link, request);
    if (!s)
        return NULL;
    s->send = calloc(1, sizeof *s->send);
    s->root = strdup(root);
    s->path = strdup(path);
    if (s->send && s->root && s->path)
        return s;
    serve_free(s);
    return NULL;
}

static bool has_room(struct link *link, uint64_t request)
{
    if (!over_quota(link, true) && !link->core->stopping)
        return true;
    link_error(link, request, ERR_FULL, "as many transfers as this node allows are running; try again when one has ended");
    return false;
}

static void fetch_start(struct serve *s, struct link *link, const struct reception_info *reception)
{
    struct core *core = link->core;
    link_use(core, &s->used, link->no);
    s->relayed = link->session != NULL;
    if (s->relayed)
        s->relay = *session_relay(link->session);
    s->send->peer = link->peer->id;
    s->send->root = s->root;
    s->send->path = s->path;
    s->send->reception = *reception;
    s->send->owner = s;
    s->send->connected = fetch_connected;
    s->send->done = fetch_ended;
    core->transfers++;
    fetch_event(s, "started");
    core->port->send_start(core->port->self, s->send);
}

static void fetch_shared(struct link *link, const struct msg *m)
{
    char root[PATH_BYTES_MAX + 1], path[PATH_BYTES_MAX + 1];
    struct share *share = files_share_for(link, m->request, &m->fetch.pipe, m->fetch.at.share);
    if (!share || refused_stream(link, m->request, share, &m->fetch.at) || !has_room(link, m->request))
        return;
    if (!files_place(share, &m->fetch.at, root, path)) {
        link_error(link, m->request, ERR_NOT_FOUND, "this share is a file; nothing is below it");
        return;
    }
    struct serve *s = fetch_new(link, m->request, root, path);
    if (!s)
        return;
    memcpy(s->share, share->row.name, sizeof s->share);
    fetch_start(s, link, &m->fetch.reception);
}

static void fetch_parcel(struct link *link, const struct msg *m)
{
    struct parcel *parcel = parcel_find(link->core, link->peer, &m->fetch.parcel);
    if (!is_files(link, m->request, &m->fetch.pipe))
        return;
    if (!parcel || parcel->send) {
        link_error(link, m->request, parcel ? ERR_LOCKED : ERR_NOT_FOUND,
                   parcel ? "this is being fetched already" : "nothing of this name stands ready for you");
        return;
    }
    struct serve *s = has_room(link, m->request) ? fetch_new(link, m->request, parcel->root, parcel->path) : NULL;
    if (!s)
        return;
    s->parcel = parcel;
    s->send->view = parcel->view;
    s->send->token = parcel->token;
    parcel_fetch_begun(parcel, s->send);
    fetch_start(s, link, &m->fetch.reception);
}

static void on_fetch(struct link *link, const struct msg *m)
{
    if (tag_is_zero(&m->fetch.parcel))
        fetch_shared(link, m);
    else
        fetch_parcel(link, m);
}

static void on_cancel(struct link *link, const struct msg *m)
{
    for (struct serve *s = link->core->serves; s; s = s->next)
        if (s->send && s->peer == link->peer && s->request == m->cancel.request && s->link == link->no)
            s->core->port->send_cancel(s->core->port->self, s->send, ERR_CANCELLED);
}

void files_on_request(struct link *link, const struct msg *m)
{
    link->used_at = core_now(link->core);
    switch (m->type) {
    case MSG_SHARES: on_shares(link, m); break;
    case MSG_LIST: on_list(link, m); break;
    case MSG_FETCH: on_fetch(link, m); break;
    case MSG_CANCEL: on_cancel(link, m); break;
    default: break;
    }
}

/* Answers to this link go nowhere from now on; a transfer whose streams are up goes on without it. */
void files_link_lost(struct core *core, struct link *link)
{
    for (struct serve *s = core->serves; s; s = s->next)
        if (s->link == link->no)
            s->link = 0;
}

/* The peer is told at once: the relay ends the session as soon as it hears of it. */
static void withdraw(struct serve *s)
{
    struct link *link = link_find(s->core, s->link);
    if (link)
        link_error(link, s->request, ERR_NOT_FOUND, "this share is not offered here any more");
    s->link = 0;
    s->core->port->send_cancel(s->core->port->self, s->send, ERR_NOT_FOUND);
}

/* What goes by a relay at which its share is not offered any more, or not to this peer, ends. */
void files_share_changed(struct core *core, const char *name)
{
    const struct share *share = share_find(core, name);
    for (struct serve *s = core->serves; s; s = s->next)
        if (s->send && s->relayed && strcmp(s->share, name) == 0 &&
            !(share && share_allows(share, s->peer) && share_goes_via(&share->row, &s->relay)))
            withdraw(s);
}

void files_start(struct core *core)
{
    struct tag files = pipe_owned(&core->config.identity->id, "files");
    binding_bind(core->binding, &files, PIPE_UNICAST, TRANSPORT_ANY, 0);
}

void files_stop(struct core *core)
{
    for (struct serve *s = core->serves; s; s = s->next)
        if (s->send)
            core->port->send_cancel(core->port->self, s->send, ERR_CANCELLED);
}

/* At the end of the core: the port has given back all jobs and transfers, or never will. */
void files_free(struct core *core)
{
    while (core->serves)
        serve_free(core->serves);
}

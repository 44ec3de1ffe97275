/* Which pipes are bound where: the verb pipe-ls, and the `pipes` service of each node that answers it to others.
 *
 * A peer is told of the pipes that it may use, page by page in order of name; of what it may not use it learns nothing. An
 * owned and a shared pipe may have the same name, and a page never ends between those two, so that "after NAME" loses none. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE "pipes"

/* ---- the service */

void pipes_start(struct core *core)
{
    struct tag service = pipe_owned(&core->config.identity->id, SERVICE);
    binding_bind(core->binding, &service, PIPE_UNICAST, TRANSPORT_ANY, 0);
}

static struct pipe_info info_of(const struct pipe *p)
{
    struct pipe_info info = {.type = p->type, .transport = p->transport, .shared = p->shared, .rank = p->rank};
    memcpy(info.name, p->name, sizeof info.name);
    return info;
}

/* Takes back the last entry when the next one, which did not fit, has its name. */
static void end_page(struct msg_pipes_ok *ok, const struct pipe *next)
{
    ok->more = true;
    if (strcmp(ok->pipe[ok->count - 1].name, next->name) == 0)
        ok->count--;
}

static void fill_page(struct link *link, const char *after, struct msg_pipes_ok *ok)
{
    for (const struct pipe *p = link->core->pipes; p && !ok->more; p = p->next) {
        if (strcmp(p->name, after) <= 0 || !pipe_allows(p, link->peer))
            continue;
        if (ok->count == PIPES_PAGE_MAX)
            end_page(ok, p);
        else
            ok->pipe[ok->count++] = info_of(p);
    }
}

void pipes_on_request(struct link *link, const struct msg *m)
{
    struct tag service = pipe_owned(&link->core->config.identity->id, SERVICE);
    if (!tag_equal(&service, &m->pipes.pipe)) {
        link_error(link, m->request, ERR_STATE, "this pipe is not bound here");
        return;
    }
    struct msg *answer = calloc(1, sizeof *answer);
    if (!answer)
        return;
    answer->type = MSG_PIPES_OK;
    answer->request = m->request;
    fill_page(link, m->pipes.after, &answer->pipes_ok);
    link_send(link, answer);
    free(answer);
}

/* ---- the verb */

struct listing {
    struct call *call;
    struct peer *peer;
    link_no link;
    char after[NAME_MAX_BYTES + 1];
};

/* Whose pipe it is: `peer`, which is also who has a shared one bound. */
static struct row *row_of(const char *peer, const struct pipe_info *info)
{
    char full[PIPE_NAME_TEXT];
    struct row *row = row_new("pipe");
    snprintf(full, sizeof full, "%s%s%s", info->shared ? "" : peer, info->shared ? "" : ":", info->name);
    row_text(row, "pipe", full);
    row_text(row, "name", info->name);
    row_text(row, "peer", peer);
    row_text(row, "type", pipe_type_name(info->type));
    row_text(row, "transport", transport_name(info->transport));
    row_bool(row, "shared", info->shared);
    row_int(row, "rank", info->rank);
    return row;
}

static void list_own(struct call *call)
{
    for (const struct pipe *p = call->core->pipes; p; p = p->next) {
        struct pipe_info info = info_of(p);
        struct row *row = row_of(call->core->config.name, &info);
        row_int(row, "readers", p->reader ? 1 : 0);
        if (p->share)
            row_text(row, "share", resource_kind_name(p->share->row.kind));
        row_int(row, "channels", pipe_senders(p));
        call_row(call, row);
    }
    call_done(call, NULL);
}

static void listing_free(struct listing *l)
{
    reach_cancel(l->call->core, l);
    ask_cancel(l->call->core, l);
    l->peer->busy--;
    free(l);
}

static void listing_cancel(struct call *call, int code)
{
    (void)code;
    listing_free(call->work);
}

static void listing_end(struct listing *l, const struct fault *fault)
{
    struct call *call = l->call;
    listing_free(l);
    if (fault)
        call_fail(call, fault);
    else
        call_done(call, NULL);
}

static void page_came(void *arg, const struct msg *m, const struct fault *fault);

static void ask_page(struct listing *l)
{
    struct fault fault;
    struct link *link = link_find(l->call->core, l->link);
    struct msg m; /* not zeroed: it is large */
    m.type = MSG_PIPES;
    m.pipes.pipe = pipe_owned(&l->peer->id, SERVICE);
    memcpy(m.pipes.after, l->after, sizeof m.pipes.after);
    int err = link ? ask(link, &m, MSG_PIPES_OK, REQUEST_TIMEOUT, page_came, l) : ERR_UNREACHABLE;
    if (err) {
        fault_set(&fault, err, "the peer cannot be asked for its pipes: %s", err_text(err));
        listing_end(l, &fault);
    }
}

/* Names that do not go up would have us ask for ever. */
static bool in_order(const struct listing *l, const struct msg_pipes_ok *page)
{
    const char *before = l->after;
    for (size_t i = 0; i < page->count; i++) {
        int order = strcmp(before, page->pipe[i].name);
        if (order > 0 || (order == 0 && (i == 0 || page->pipe[i - 1].shared || !page->pipe[i].shared)))
            return false;
        before = page->pipe[i].name;
    }
    return true;
}

static void page_came(void *arg, const struct msg *m, const struct fault *fault)
{
    struct listing *l = arg;
    struct fault own;
    char label[NAME_MAX_BYTES + 1];
    peer_label(l->peer, label);
    if (!m || !in_order(l, &m->pipes_ok)) {
        fault_set(&own, ERR_MALFORMED, "%s names its pipes in no order", label);
        listing_end(l, m ? &own : fault);
        return;
    }
    for (size_t i = 0; i < m->pipes_ok.count; i++)
        call_row(l->call, row_of(label, &m->pipes_ok.pipe[i]));
    if (m->pipes_ok.count > 0)
        memcpy(l->after, m->pipes_ok.pipe[m->pipes_ok.count - 1].name, sizeof l->after);
    if (m->pipes_ok.more)
        ask_page(l);
    else
        listing_end(l, NULL);
}

static void listing_reached(void *arg, const struct reached *r)
{
    struct listing *l = arg;
    if (!r->link) {
        listing_end(l, &r->fault);
        return;
    }
    l->link = r->link->no;
    ask_page(l);
}

static void list_peer(struct call *call, const char *name)
{
    struct fault fault;
    struct peer *peer;
    if (core_peer(call->core, name, &peer, &fault) != 0) {
        call_fail(call, &fault);
        return;
    }
    struct listing *l = calloc(1, sizeof *l);
    if (!l || reach(call->core, peer, SERVICE, TRANSPORT_ANY, listing_reached, l) != 0) {
        free(l);
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    l->call = call;
    l->peer = peer;
    peer->busy++;
    call->work = l;
    call->cancel = listing_cancel;
}

void verb_pipe_ls(struct call *call, const struct row *request)
{
    const char *peer = row_get_text(request, "peer", NULL);
    if (peer && strcmp(peer, call->core->config.name) != 0)
        list_peer(call, peer);
    else
        list_own(call);
}

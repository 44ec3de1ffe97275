/* Byte streams, the callee's side: a CONNECT is offered to the program that has the pipe bound, or has the share opened that
 * the pipe is; what comes of it is connect_callee.c's. A caller that comes again for a stream that lasts is let in without
 * asking anyone, over whatever link, if by that it may use the pipe now.
 *
 * Invariants: (1) a pipe that a program reads has one callee at most, one that is a share any number; (2) at most CONNECTS_MAX
 * are offered or up, CONNECTS_PER_PEER_MAX of them for one peer. */
#include "connect_callee.h"
#include "resources.h"
#include "session.h"

/* ---- rights */

/* Through a relay only what the session was opened for: a share by its handle, a program's pipe by the node's own, or by that
 * of its name, which may be a share's too: who calls cannot know. */
static bool link_reaches_pipe(const struct link *link, const struct pipe *pipe)
{
    const struct node_id *self = &link->core->config.identity->id;
    struct tag node = handle_of(self, ""), named = handle_of(self, pipe->name);
    if (pipe->share)
        return link_reaches_share(link, &pipe->share->row);
    return !link->relayed || tag_equal(&link->handle, &node) || tag_equal(&link->handle, &named);
}

static bool may_use(const struct link *link, const struct pipe *pipe)
{
    if (pipe->share)
        return (link_is_here(link) || share_allows(pipe->share, link->peer)) && link_reaches_pipe(link, pipe);
    return pipe_allows(pipe, link->peer) && link_reaches_pipe(link, pipe);
}

static int may_connect(const struct link *link, const struct msg *m, const struct pipe *pipe, struct fault *fault)
{
    if (!pipe || (!pipe->reader && !pipe->share) || pipe->type != PIPE_UNICAST || link->core->stopping)
        return fault_set(fault, ERR_STATE, "this pipe is not bound here for byte streams");
    if (!may_use(link, pipe))
        return fault_set(fault, ERR_REFUSED, "this pipe is not for you");
    if (m->connect.reception.streams != DUPLEX_STREAMS)
        return fault_set(fault, ERR_MALFORMED, "a byte stream takes two connections");
    return 0;
}

static bool over_quota(const struct link *link)
{
    unsigned peers = 0, all = 0;
    for (const struct callee *c = link->core->callees; c; c = c->next)
        if (c->state != CALLEE_ENDED) {
            peers += c->peer == link->peer;
            all++;
        }
    return peers >= CONNECTS_PER_PEER_MAX || all >= CONNECTS_MAX;
}

/* ---- CONNECT */

static struct callee *callee_of_pipe(struct core *core, const struct pipe *pipe)
{
    struct callee *c = core->callees;
    while (c && c->pipe != pipe)
        c = c->next;
    return c;
}

/* The one that the caller at this link gave this name. */
static struct callee *callee_named(const struct link *link, const struct tag *stream)
{
    struct callee *c = link->core->callees;
    while (c && (c->peer != link->peer || !tag_equal(&c->stream, stream)))
        c = c->next;
    return c;
}

static void offer(struct pipe *pipe, struct link *link, const struct msg *m)
{
    if (over_quota(link)) {
        link_error(link, m->request, ERR_FULL, "as many byte streams as this node allows are there; try again later");
        return;
    }
    struct callee *c = callee_new(pipe, link, m);
    if (!c) {
        link_error(link, m->request, ERR_NOMEM, "out of memory for a byte stream");
        return;
    }
    core_timer(c->core, &c->timer, CONNECT_OFFER);
    int err = pipe->share ? resources_offer(pipe, c->number) : pipe_offer(pipe, link->peer, c->number);
    if (!err)
        return;
    callee_refuse(c, err,
                  pipe->share ? "as many of these as this node allows are in use; try again later"
                              : "the program that listens cannot be told");
    callee_free(c);
}

/* Of one that is up, waits for its caller, or has ended. */
static void again(struct link *link, const struct msg *m)
{
    struct callee *c = callee_named(link, &m->connect.stream);
    char text[ERROR_TEXT_MAX + 1];
    struct fault fault;
    if (!c || !c->standing || !c->lasting || !m->connect.lasting) {
        link_error(link, m->request, ERR_NOT_FOUND, "no such stream of yours is known here any more; was this node restarted?");
    } else if (c->state == CALLEE_ENDED && !c->why.code) {
        link_error(link, m->request, ERR_EXISTS, "this stream has come to its end");
    } else if (c->state == CALLEE_ENDED) {
        snprintf(text, sizeof text, "this stream has ended: %.*s", ERROR_TEXT_MAX - 40, c->why.text);
        link_error(link, m->request, ERR_STATE, text);
    } else if (may_connect(link, m, c->pipe, &fault) != 0) {
        core_send_error(link, m->request, &fault);
    } else if (!tag_equal(&c->pipe->tag, &m->connect.pipe)) {
        link_error(link, m->request, ERR_NOT_FOUND, "this stream is of another pipe");
    } else {
        callee_refuse(c, ERR_CHANGED, "the stream was asked for again meanwhile");
        callee_take_request(c, link, m);
        callee_resume(c);
    }
}

/* Is this what a held one waits for: the caller asks again, and offers no address this time? */
static bool swaps(const struct callee *c, const struct msg *m)
{
    return c && c->state == CALLEE_HELD && m->connect.reception.addr_count == 0 && m->connect.reception.way.addr_count == 0;
}

void connect_on_request(struct link *link, const struct msg *m)
{
    struct pipe *pipe = pipe_find(link->core, &m->connect.pipe);
    struct callee *known = callee_named(link, &m->connect.stream);
    struct fault fault;
    link->used_at = core_now(link->core);
    if (m->connect.again) {
        again(link, m);
    } else if (may_connect(link, m, pipe, &fault) != 0) {
        core_send_error(link, m->request, &fault);
    } else if (swaps(known, m) && known->pipe == pipe) {
        callee_take_request(known, link, m);
        callee_start(known);
    } else if (known) {
        link_error(link, m->request, ERR_STATE, "a stream of yours has that name already");
    } else if (!pipe->share && callee_of_pipe(link->core, pipe)) {
        link_error(link, m->request, ERR_FULL, "the program that listens is talking to somebody else; try again later");
    } else {
        offer(pipe, link, m);
    }
}

/* Withdraws a CONNECT that is not answered; of a stream that lasts, it will not come again. */
void connect_on_cancel(struct link *link, const struct msg *m)
{
    uint64_t number = m->cancel.request;
    struct callee *c = link->core->callees;
    while (c && (c->peer != link->peer || number == 0 || (c->request != number && !(c->lasting && c->joined_by == number))))
        c = c->next;
    if (!c)
        return;
    c->request = 0; /* nobody waits for an answer */
    callee_stop(c, ERR_CANCELLED, "the caller has given up");
}

/* ---- what the reader says, and its end */

static struct callee *callee_numbered(struct core *core, uint64_t number, uint64_t client)
{
    struct callee *c = core->callees;
    while (c && (c->number != number || c->client != client || !c->pipe))
        c = c->next;
    return c;
}

void connect_accepted(struct core *core, uint64_t number, uint64_t client)
{
    struct callee *c = callee_numbered(core, number, client);
    if (c && c->state == CALLEE_OFFERED && !c->is_share)
        callee_start(c);
}

void connect_opened(struct core *core, uint64_t number, struct resource *resource)
{
    struct callee *c = callee_numbered(core, number, 0);
    if (!c || c->state != CALLEE_OFFERED)
        return;
    c->resource = resource;
    callee_start(c);
}

void connect_refused(struct core *core, uint64_t number, uint64_t client, const struct fault *why)
{
    struct callee *c = callee_numbered(core, number, client);
    if (c)
        callee_stop(c, (int)why->code, why->text);
}

void connect_release(struct core *core, const struct pipe *pipe)
{
    struct callee *next;
    for (struct callee *c = core->callees; c; c = next) {
        next = c->next;
        if (c->pipe != pipe)
            continue;
        const char *text = c->is_share ? "this is not shared any more" : "the program that listened is gone";
        c->pipe = NULL;
        callee_stop(c, ERR_STATE, text);
    }
}

/* ---- the node around it */

void connect_link_lost(struct core *core, const struct link *link)
{
    struct callee *next;
    for (struct callee *c = core->callees; c; c = next) {
        next = c->next;
        if (c->state == CALLEE_ABSENT && c->peer == link->peer && c->peer->gone)
            callee_stop(c, ERR_UNREACHABLE, "the caller's node has stopped");
        else if (!c->here && c->link == link->no)
            callee_link_lost(c);
    }
    callers_link_lost(core, link);
}

void connects_stop(struct core *core)
{
    struct callee *next;
    for (struct callee *c = core->callees; c; c = next) {
        next = c->next;
        callee_stop(c, ERR_CANCELLED, "the node is stopping");
    }
}

/* At the end of the core: the port has given back all duplexes, or never will. */
void connects_free(struct core *core)
{
    callers_free(core);
    while (core->callees)
        callee_free(core->callees);
}

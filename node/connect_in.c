/* Byte streams, the callee's side: a CONNECT is offered to the program that has the pipe bound; when it accepts, we connect to
 * the caller's reception object and say so, and the bytes flow between the two programs' descriptors.
 *
 * A callee that could not connect is kept for a moment: the caller may ask again with the roles of listening and dialling
 * swapped, and the program that has accepted is not asked twice.
 *
 * Invariants: (1) a pipe has one callee at most; (2) while there is a duplex, only its done() frees the callee; (3) the request
 * is answered once: `request` is 0 from then on. */
#include "connect.h"
#include "pipes.h"

#include <stdlib.h>

#define HOLD_FOR_SWAP (5 * SECOND)

enum callee_state {
    CALLEE_OFFERED,    /* to the program */
    CALLEE_CONNECTING, /* to the caller */
    CALLEE_JOINED,     /* bytes flow */
    CALLEE_HELD        /* the caller may ask again */
};

struct callee {
    struct callee *next;
    struct core *core;
    struct pipe *pipe; /* NULL once it is released */
    struct peer *peer;
    uint64_t number, client;
    enum callee_state state;
    link_no link; /* that the answer goes to */
    bool here;
    uint64_t request;
    struct reception_info reception;
    struct timer timer; /* OFFERED, HELD: how long */
    struct duplex *duplex;
};

/* ---- what is told, to whom */

static struct link *link_of(const struct callee *c)
{
    return c->here ? link_here(c->core) : link_find(c->core, c->link);
}

static void refuse(struct callee *c, int code, const char *text)
{
    struct link *link = link_of(c);
    if (link && c->request)
        link_error(link, c->request, code, text);
    c->request = 0;
}

static void show(const struct callee *c, const char *state, const struct fault *fault)
{
    struct row *row = row_new("stream");
    row_int(row, "number", (int64_t)c->number);
    row_text(row, "state", state);
    connect_moved(row, c->duplex);
    if (fault && fault->code) {
        row_text(row, "code", err_name((int)fault->code));
        row_text(row, "text", fault->text);
    }
    if (row && c->pipe)
        c->core->port->reply(c->core->port->self, c->client, row);
    row_free(row);
}

/* ---- life */

static struct callee *callee_new(struct pipe *pipe, struct link *link)
{
    struct callee *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->core = link->core;
    c->pipe = pipe;
    c->client = pipe->reader->client;
    c->peer = link->peer;
    c->peer->busy++;
    c->number = ++c->core->next_request;
    c->next = c->core->callees;
    c->core->callees = c;
    return c;
}

static void callee_free(struct callee *c)
{
    struct callee **at = &c->core->callees;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core_cancel(c->core, &c->timer);
    c->peer->busy--;
    free(c->duplex);
    free(c);
}

/* It comes to nothing: `text` for both. */
static void drop(struct callee *c, int code, const char *text)
{
    struct fault fault;
    fault_set(&fault, code, "%s", text);
    refuse(c, code, text);
    show(c, "failed", &fault);
    callee_free(c);
}

static void expired(void *arg)
{
    struct callee *c = arg;
    drop(c, ERR_TIMEOUT,
         c->state == CALLEE_OFFERED ? "the program that listens does not answer" : "the caller did not try again");
}

/* Whatever state it is in: ends it. */
static void stop(struct callee *c, int code, const char *text)
{
    refuse(c, code, text);
    if (c->duplex)
        c->core->port->duplex_cancel(c->core->port->self, c->duplex, ERR_CANCELLED); /* ended() does the rest */
    else
        drop(c, code, text);
}

/* ---- the stream */

static void connected(struct duplex *d)
{
    struct callee *c = d->owner;
    const struct port *port = c->core->port;
    struct link *link = link_of(c);
    struct msg *m = link && c->request ? calloc(1, sizeof *m) : NULL;
    int err = ERR_UNREACHABLE;
    if (m) {
        m->type = MSG_CONNECT_OK;
        m->request = c->request;
        m->connect_ok = d->answer;
        err = link_send(link, m);
    }
    free(m);
    if (err) {
        port->duplex_cancel(port->self, d, err);
        return;
    }
    c->request = 0;
    c->state = CALLEE_JOINED;
    show(c, "joined", NULL);
    port->duplex_go(port->self, d);
}

/* Could the caller's dialling us help? */
static bool may_swap(const struct callee *c, const struct fault *fault)
{
    return c->state == CALLEE_CONNECTING && (fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT) &&
           c->reception.addr_count > 0 && c->pipe && c->request && link_of(c);
}

static void hold(struct callee *c, const struct fault *fault)
{
    refuse(c, ERR_UNREACHABLE, fault->text);
    free(c->duplex);
    c->duplex = NULL;
    c->state = CALLEE_HELD;
    core_timer(c->core, &c->timer, HOLD_FOR_SWAP);
}

static void ended(struct duplex *d)
{
    struct callee *c = d->owner;
    struct fault fault = d->fault;
    c->core->transfers--;
    if (may_swap(c, &fault)) {
        hold(c, &fault);
        return;
    }
    refuse(c, (int)fault.code, fault.text);
    if (fault.code && c->state == CALLEE_JOINED)
        connect_failed(&fault, d);
    show(c, fault.code ? "failed" : "done", &fault);
    callee_free(c);
}

static void start(struct callee *c)
{
    const struct port *port = c->core->port;
    core_cancel(c->core, &c->timer);
    c->duplex = calloc(1, sizeof *c->duplex);
    if (!c->duplex) {
        drop(c, ERR_NOMEM, "out of memory for a byte stream");
        return;
    }
    c->state = CALLEE_CONNECTING;
    c->duplex->peer = c->peer->id;
    c->duplex->client = c->client;
    c->duplex->reception = c->reception;
    c->duplex->owner = c;
    c->duplex->connected = connected;
    c->duplex->done = ended;
    c->core->transfers++;
    port->duplex_start(port->self, c->duplex);
}

/* ---- CONNECT */

static struct callee *callee_of(struct core *core, const struct pipe *pipe)
{
    struct callee *c = core->callees;
    while (c && c->pipe != pipe)
        c = c->next;
    return c;
}

static bool over_quota(const struct link *link)
{
    unsigned peers = 0, all = 0;
    for (const struct callee *c = link->core->callees; c; c = c->next) {
        peers += c->peer == link->peer;
        all++;
    }
    return peers >= CONNECTS_PER_PEER_MAX || all >= CONNECTS_MAX;
}

/* From where it is now asked, and how its reception object can be reached. */
static void take_request(struct callee *c, const struct link *link, const struct msg *m)
{
    c->link = link->no;
    c->here = link_is_here(link);
    c->request = m->request;
    c->reception = m->connect.reception;
}

static void offer(struct pipe *pipe, struct link *link, const struct msg *m)
{
    if (over_quota(link)) {
        link_error(link, m->request, ERR_FULL, "as many byte streams as this node allows are there; try again later");
        return;
    }
    struct callee *c = callee_new(pipe, link);
    if (!c) {
        link_error(link, m->request, ERR_NOMEM, "out of memory for a byte stream");
        return;
    }
    timer_init(&c->timer, expired, c);
    take_request(c, link, m);
    int err = pipe_offer(pipe, link->peer, c->number);
    if (err) {
        refuse(c, err, "the program that listens cannot be told");
        callee_free(c);
        return;
    }
    core_timer(c->core, &c->timer, CONNECT_OFFER);
}

static int may_connect(const struct link *link, const struct msg *m, const struct pipe *pipe, struct fault *fault)
{
    if (!pipe->reader || pipe->type != PIPE_UNICAST || link->core->stopping)
        return fault_set(fault, ERR_STATE, "this pipe is not bound here for byte streams");
    if (!pipe_allows(pipe, link->peer))
        return fault_set(fault, ERR_REFUSED, "this pipe is not for you");
    if (m->connect.reception.streams != DUPLEX_STREAMS)
        return fault_set(fault, ERR_MALFORMED, "a byte stream takes two connections");
    return 0;
}

/* Is this what we wait for: the caller asks again, and offers no address this time? */
static bool swaps(const struct callee *c, const struct link *link, const struct msg *m)
{
    return c->state == CALLEE_HELD && c->peer == link->peer && m->connect.reception.addr_count == 0;
}

void connect_on_request(struct link *link, const struct msg *m)
{
    struct pipe *pipe = pipe_find(link->core, &m->connect.pipe);
    struct fault fault;
    link->used_at = core_now(link->core);
    if (!pipe) {
        link_error(link, m->request, ERR_STATE, "this pipe is not bound here");
        return;
    }
    struct callee *c = callee_of(link->core, pipe);
    if (may_connect(link, m, pipe, &fault) != 0) {
        core_send_error(link, m->request, &fault);
    } else if (!c) {
        offer(pipe, link, m);
    } else if (swaps(c, link, m)) {
        take_request(c, link, m);
        start(c);
    } else {
        link_error(link, m->request, ERR_FULL, "the program that listens is talking to somebody else; try again later");
    }
}

void connect_on_cancel(struct link *link, const struct msg *m)
{
    struct callee *c = link->core->callees;
    while (c && (c->peer != link->peer || c->request == 0 || c->request != m->cancel.request))
        c = c->next;
    if (!c)
        return;
    c->request = 0; /* nobody waits for an answer */
    stop(c, ERR_CANCELLED, "the caller has given up");
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
    if (c && c->state == CALLEE_OFFERED)
        start(c);
}

void connect_opened(struct core *core, uint64_t number, struct resource *resource)
{
    (void)core, (void)number, (void)resource;
}

void connect_refused(struct core *core, uint64_t number, uint64_t client, const struct fault *why)
{
    struct callee *c = callee_numbered(core, number, client);
    if (c)
        stop(c, (int)why->code, why->text);
}

void connect_release(struct core *core, const struct pipe *pipe)
{
    struct callee *c = callee_of(core, pipe);
    if (!c)
        return;
    c->pipe = NULL;
    stop(c, ERR_STATE, "the program that listened is gone");
}

/* ---- the node around it */

void connect_link_lost(struct core *core, const struct link *link)
{
    struct callee *next;
    for (struct callee *c = core->callees; c; c = next) {
        next = c->next;
        if (c->here || c->link != link->no || c->state == CALLEE_JOINED)
            continue; /* a stream that is up goes on without the link */
        c->request = 0;
        stop(c, ERR_UNREACHABLE, "the link to the caller was lost");
    }
}

void connects_stop(struct core *core)
{
    struct callee *next;
    for (struct callee *c = core->callees; c; c = next) {
        next = c->next;
        stop(c, ERR_CANCELLED, "the node is stopping");
    }
}

/* At the end of the core: the port has given back all duplexes, or never will. */
void connects_free(struct core *core)
{
    callers_free(core);
    while (core->callees)
        callee_free(core->callees);
}

/* Byte streams, the callee's side: the stream itself, once connect_in.c has found it in order.
 *
 * When the reader has accepted (or the share was opened) we connect to the caller's reception object and say so, and the bytes
 * flow. A callee that could not connect is kept for a moment: the caller may ask again with the roles of listening and
 * dialling swapped, and the program that has accepted is not asked twice.
 *
 * A stream that lasts and has lost its connections waits STREAM_ABSENT for its caller, with what the port keeps of it. How
 * such a one ended is remembered for as long, since its caller may not have heard of it.
 *
 * Invariants: (1) while there is a duplex, only its done() frees the callee; (2) a request is answered once: `request` is 0
 * from then on. */
#include "connect_callee.h"
#include "resources.h"

#include <stdlib.h>

#define HOLD_FOR_SWAP (5 * SECOND)

/* ---- what is told, to whom */

struct link *callee_link(const struct callee *c)
{
    return c->here ? link_here(c->core) : link_find(c->core, c->link);
}

void callee_refuse(struct callee *c, int code, const char *text)
{
    struct link *link = callee_link(c);
    if (link && c->request)
        link_error(link, c->request, code, text);
    c->request = 0;
}

static void show(const struct callee *c, const char *state, const struct fault *fault)
{
    struct row *row = row_new("stream");
    row_int(row, "number", (int64_t)c->number);
    row_text(row, "state", state);
    connect_show_moved(row, connect_moved(c->duplex, c->moved));
    if (fault && fault->code) {
        row_text(row, "code", err_name((int)fault->code));
        row_text(row, "text", fault->text);
    }
    if (row && c->pipe && !c->is_share)
        c->core->port->reply(c->core->port->self, c->client, row);
    row_free(row);
}

/* ---- life */

static void expired(void *arg);

void callee_take_request(struct callee *c, const struct link *link, const struct msg *m)
{
    c->link = link->no;
    link_use(c->core, &c->used, link->no);
    c->here = link_is_here(link);
    c->request = m->request;
    c->reception = m->connect.reception;
}

/* As many as may be under way are remembered; the oldest, which is the last in the list, makes room. */
static void forget_oldest(struct core *core)
{
    struct callee *oldest = NULL;
    unsigned count = 0;
    for (struct callee *c = core->callees; c; c = c->next)
        if (c->state == CALLEE_ENDED) {
            oldest = c;
            count++;
        }
    if (count >= CONNECTS_MAX)
        callee_free(oldest);
}

struct callee *callee_new(struct pipe *pipe, struct link *link, const struct msg *m)
{
    struct callee *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    forget_oldest(link->core);
    c->core = link->core;
    c->pipe = pipe;
    c->is_share = pipe->share != NULL;
    c->client = pipe->reader ? pipe->reader->client : 0;
    c->peer = link->peer;
    c->peer->busy++;
    c->number = ++c->core->next_request;
    c->stream = m->connect.stream;
    c->lasting = m->connect.lasting;
    core_random(c->core, &c->kept, sizeof c->kept);
    timer_init(&c->timer, expired, c);
    callee_take_request(c, link, m);
    c->next = c->core->callees;
    c->core->callees = c;
    return c;
}

void callee_free(struct callee *c)
{
    struct callee **at = &c->core->callees;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core_cancel(c->core, &c->timer);
    if (c->is_share && c->state != CALLEE_ENDED)
        resources_close(c->core, c->number);
    c->peer->busy--;
    link_use(c->core, &c->used, 0);
    free(c->duplex);
    free(c);
}

static void let_duplex_go(struct callee *c)
{
    c->moved = connect_moved(c->duplex, c->moved);
    link_use(c->core, &c->used, 0);
    free(c->duplex);
    c->duplex = NULL;
}

/* ---- ends */

/* A stream that lasted has ended: its pipe is free, its caller may still ask how. */
static void remember(struct callee *c, const struct fault *why)
{
    c->why = *why;
    if (c->is_share)
        resources_close(c->core, c->number);
    c->pipe = NULL;
    c->resource = NULL;
    c->state = CALLEE_ENDED;
    core_timer(c->core, &c->timer, STREAM_ABSENT);
}

/* It has ended, for this reason or (code 0) as it should: for both sides to know. */
static void conclude(struct callee *c, const struct fault *why)
{
    struct fault told = *why;
    callee_refuse(c, why->code ? (int)why->code : ERR_EXISTS, why->code ? why->text : "this stream has come to its end");
    if (told.code && c->standing)
        connect_failed(&told, connect_moved(c->duplex, c->moved));
    show(c, told.code ? "failed" : "done", &told);
    let_duplex_go(c);
    if (c->standing && c->lasting && !c->core->stopping)
        remember(c, why->code && c->why.code ? &c->why : why);
    else
        callee_free(c);
}

static void conclude_with(struct callee *c, int code, const char *text)
{
    struct fault why;
    fault_set(&why, code, "%s", text);
    conclude(c, &why);
}

void callee_stop(struct callee *c, int code, const char *text)
{
    const struct port *port = c->core->port;
    callee_refuse(c, code, text);
    c->pending = false;
    if (c->state == CALLEE_ENDED) {
        callee_free(c);
    } else if (c->duplex) {
        fault_set(&c->why, code, "%s", text);
        port->duplex_cancel(port->self, c->duplex, ERR_CANCELLED); /* ended() does the rest */
    } else {
        if (c->standing)
            port->duplex_drop(port->self, &c->kept);
        conclude_with(c, code, text);
    }
}

static void expired(void *arg)
{
    struct callee *c = arg;
    switch (c->state) {
    case CALLEE_OFFERED: callee_stop(c, ERR_TIMEOUT, "the program that listens does not answer"); break;
    case CALLEE_ABSENT:
        callee_stop(c, ERR_UNREACHABLE, "the connection to the caller was lost, and it did not come again");
        break;
    case CALLEE_ENDED: callee_free(c); break;
    default: callee_stop(c, ERR_TIMEOUT, "the caller did not try again"); break;
    }
}

/* ---- the stream */

static void connected(struct duplex *d)
{
    struct callee *c = d->owner;
    const struct port *port = c->core->port;
    struct link *link = callee_link(c);
    struct msg *m = link && c->request && !c->pending ? calloc(1, sizeof *m) : NULL;
    int err = ERR_UNREACHABLE;
    if (m) {
        m->type = MSG_CONNECT_OK;
        m->request = c->request;
        m->connect_ok = d->answer;
        err = link_send(link, m);
    }
    free(m);
    if (err) {
        port->duplex_cancel(port->self, d, c->standing ? ERR_CHANGED : err);
        return;
    }
    c->joined_by = c->request;
    c->request = 0;
    c->state = CALLEE_JOINED;
    if (!c->standing)
        show(c, "joined", NULL);
    c->standing = true;
    port->duplex_go(port->self, d);
}

/* Could the caller's dialling us help? */
static bool may_swap(const struct callee *c, const struct fault *fault)
{
    return c->state == CALLEE_CONNECTING && !c->standing && (fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT) &&
           c->reception.addr_count > 0 && c->pipe && c->request && callee_link(c);
}

static void hold(struct callee *c, const struct fault *fault)
{
    callee_refuse(c, ERR_UNREACHABLE, fault->text);
    let_duplex_go(c);
    c->state = CALLEE_HELD;
    core_timer(c->core, &c->timer, HOLD_FOR_SWAP);
}

/* It has lost its connections, or got none: the caller may come again until STREAM_ABSENT after it was up last. */
static void wait_for_caller(struct callee *c, const struct fault *fault)
{
    uint64_t now = core_now(c->core);
    if (c->duplex->carried || c->lost_at == 0)
        c->lost_at = now;
    callee_refuse(c, ERR_UNREACHABLE, fault->text);
    let_duplex_go(c);
    c->state = CALLEE_ABSENT;
    core_timer(c->core, &c->timer, c->lost_at + STREAM_ABSENT > now ? c->lost_at + STREAM_ABSENT - now : 0);
}

static void ended(struct duplex *d)
{
    struct callee *c = d->owner;
    struct fault fault = d->fault;
    bool comes_again = c->pending;
    c->core->transfers--;
    c->pending = false;
    if (d->parked && comes_again) {
        if (d->carried)
            c->lost_at = core_now(c->core);
        let_duplex_go(c);
        callee_start(c);
    } else if (d->parked) {
        wait_for_caller(c, &fault);
    } else if (may_swap(c, &fault)) {
        hold(c, &fault);
    } else {
        conclude(c, &fault);
    }
}

void callee_start(struct callee *c)
{
    const struct port *port = c->core->port;
    core_cancel(c->core, &c->timer);
    c->duplex = calloc(1, sizeof *c->duplex);
    if (!c->duplex) {
        callee_stop(c, ERR_NOMEM, "out of memory for a byte stream");
        return;
    }
    c->state = CALLEE_CONNECTING;
    c->duplex->peer = c->peer->id;
    c->duplex->client = c->client;
    c->duplex->resource = c->resource;
    c->duplex->stream = c->kept;
    c->duplex->lasting = c->lasting;
    c->duplex->again = c->standing;
    c->duplex->reception = c->reception;
    c->duplex->owner = c;
    c->duplex->connected = connected;
    c->duplex->done = ended;
    c->core->transfers++;
    port->duplex_start(port->self, c->duplex);
}

void callee_resume(struct callee *c)
{
    const struct port *port = c->core->port;
    if (!c->duplex) {
        callee_start(c);
        return;
    }
    c->pending = true;
    port->duplex_cancel(port->self, c->duplex, ERR_CHANGED);
}

void callee_link_lost(struct callee *c)
{
    const struct port *port = c->core->port;
    if (c->state == CALLEE_JOINED || c->state == CALLEE_ABSENT || c->state == CALLEE_ENDED)
        return; /* a stream that is up goes on without the link, and another one brings the caller again */
    c->request = 0;
    if (!c->standing)
        callee_stop(c, ERR_UNREACHABLE, "the link to the caller was lost");
    else if (c->duplex)
        port->duplex_cancel(port->self, c->duplex, ERR_CHANGED);
}

/* Byte streams, the caller's side: the verb pipe-connect. connect_carrier.c has the stream itself, connect_in.c is the side of
 * the pipe's reader.
 *
 * Seek a link to whoever has the pipe bound, and have the stream joined over it. Of a shared pipe's binders the next one is
 * asked when one is busy. A pipe that nobody has bound is sought again until the program's patience ends. A stream that lasts,
 * and has lost what carried it, seeks a link to the same holder again, whichever way that goes.
 *
 * Invariants: (1) one of these is under way: a reach, the timer, a bridge, a duplex, the question why; (2) while there is a
 * duplex, only its done() frees the caller. */
#include "connect_caller.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define SEEK_AGAIN (250 * MILLISECOND)

/* ---- what both sides tell */

struct moved connect_moved(const struct duplex *d, struct moved before)
{
    uint64_t in = d ? d->bytes_in : 0, out = d ? d->bytes_out : 0;
    return (struct moved){.in = in > before.in ? in : before.in, .out = out > before.out ? out : before.out};
}

void connect_show_moved(struct row *row, struct moved moved)
{
    row_int(row, "bytes_in", (int64_t)moved.in);
    row_int(row, "bytes_out", (int64_t)moved.out);
}

void connect_failed(struct fault *fault, struct moved moved)
{
    char text[FAULT_TEXT];
    snprintf(text, sizeof text, "%.*s; %llu bytes had been sent and %llu received", FAULT_TEXT - 100, fault->text,
             (unsigned long long)moved.in, (unsigned long long)moved.out);
    fault_set(fault, (int)fault->code, "%s", text);
}

/* ---- the end */

void caller_let_go(struct caller *c)
{
    if (c->peer)
        c->peer->busy--;
    link_use(c->core, &c->used, 0);
    c->peer = NULL;
}

void caller_free(struct caller *c)
{
    struct core *core = c->core;
    struct caller **at = &core->callers;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core_cancel(core, &c->timer);
    reach_cancel(core, c);
    ask_cancel(core, c);
    session_bridge_cancel(core, c);
    pipe_why_cancel(c->asking_why);
    caller_let_go(c);
    free(c->duplex);
    free(c);
}

static struct row *summary(const struct caller *c, const char *kind)
{
    struct row *row = row_new(kind);
    char label[NAME_MAX_BYTES + 1];
    connect_show_moved(row, connect_moved(c->duplex, c->moved));
    row_int(row, "elapsed_us", (int64_t)((core_now(c->core) - c->began) / 1000));
    if (c->peer && c->route[0]) {
        peer_label(c->peer, label);
        row_text(row, "peer", label);
        row_text(row, "route", c->route);
    }
    return row;
}

void caller_fail(struct caller *c, const struct fault *fault)
{
    struct call *call = c->call;
    struct fault told = *fault;
    if (c->standing || c->joined)
        connect_failed(&told, connect_moved(c->duplex, c->moved));
    call_row(call, summary(c, "summary"));
    carrier_farewell(c);
    caller_free(c);
    call_fail(call, &told);
}

void caller_succeed(struct caller *c)
{
    struct call *call = c->call;
    struct row *row = summary(c, "done");
    caller_free(c);
    call_done(call, row);
}

/* ---- what it is told meanwhile */

/* One more that was taken, or the same again; when they become too many, the latest one is what counts. */
static void add_route(struct caller *c, const char *route)
{
    size_t n = strlen(c->route), m = strlen(route);
    if (n >= m && strcmp(c->route + n - m, route) == 0 && (n == m || c->route[n - m - 1] == ' '))
        return;
    if (n + m + 3 > sizeof c->route)
        n = 0;
    snprintf(c->route + n, sizeof c->route - n, "%s%s", n ? ", " : "", route);
}

void caller_show(struct caller *c, const char *kind)
{
    char label[NAME_MAX_BYTES + 1], route[ROUTE_TEXT] = "direct";
    const struct link *link = carrier_link(c);
    struct row *row = row_new(kind);
    if (link && !c->here)
        link_route(link, route);
    add_route(c, route);
    peer_label(c->peer, label);
    row_text(row, "pipe", c->request.name);
    row_text(row, "peer", label);
    row_text(row, "id", id_text(&c->peer->id).s);
    row_text(row, "endpoint", link && !c->here && !link->inbound ? link->endpoint.text : NULL);
    row_text(row, "route", route);
    call_row(c->call, row);
}

/* ---- seeking */

static void explained(void *arg, const struct fault *fault)
{
    struct caller *c = arg;
    c->asking_why = NULL;
    caller_fail(c, fault);
}

void caller_not_found(struct caller *c, const struct fault *fault)
{
    if (core_now(c->core) + SEEK_AGAIN <= c->patience) {
        caller_seek_later(c);
        return;
    }
    if (fault->code == ERR_NOT_FOUND)
        c->asking_why = pipe_why(c->core, &c->request, fault, explained, c);
    if (!c->asking_why)
        caller_fail(c, fault);
}

static bool was_busy(const struct caller *c, const struct node_id *id)
{
    for (unsigned i = 0; i < c->busy_count; i++)
        if (id_equal(&c->busy[i], id))
            return true;
    return false;
}

static void all_busy(struct caller *c)
{
    struct fault busy;
    fault_set(&busy, ERR_FULL, "'%s' is busy: who has it bound is talking to somebody else; try again later", c->request.name);
    caller_fail(c, &busy);
}

/* Of the holders that were found, the best one that was not busy. */
static const struct binding_holder *idle_holder(const struct caller *c, const struct binding_result *binding)
{
    for (uint8_t i = 0; i < binding->count; i++)
        if (!was_busy(c, &binding->holder[i].record.id))
            return &binding->holder[i];
    return NULL;
}

static void reached(void *arg, const struct reached *r);

/* By just this one, whoever else has it bound. */
static int reach_holder(struct caller *c, const struct node_id *holder)
{
    struct binding_want want = c->request.want;
    if (!want.owned)
        want.name[0] = '\0'; /* of no share of the holder's */
    want.owned = true;
    want.owner = *holder;
    return reach_pipe(c->core, &want, NULL, reached, c);
}

/* The holder of a stream may have unbound the pipe since: it is asked all the same how the stream ended. */
static void not_reached(struct caller *c, const struct fault *fault)
{
    struct link *link = c->standing ? link_to(c->core, c->peer) : NULL;
    if (link)
        carrier_start(c, link);
    else if (c->standing)
        carrier_absent(c, fault);
    else if (c->busy_count > 0)
        all_busy(c);
    else
        caller_not_found(c, fault);
}

static void reached(void *arg, const struct reached *r)
{
    struct caller *c = arg;
    if (!r->link) {
        not_reached(c, &r->fault);
    } else if (!c->standing && was_busy(c, &r->link->peer->id)) {
        const struct binding_holder *idle = idle_holder(c, r->binding);
        if (!idle || reach_holder(c, &idle->record.id) != 0)
            all_busy(c);
    } else {
        if (c->peer != r->link->peer) {
            caller_let_go(c);
            c->peer = r->link->peer;
            c->peer->busy++;
        }
        carrier_start(c, r->link);
    }
}

static void no_memory(struct caller *c)
{
    struct fault fault;
    fault_set(&fault, ERR_NOMEM, "out of memory");
    caller_fail(c, &fault);
}

void caller_seek(struct caller *c)
{
    int err = c->standing ? reach_holder(c, &c->peer->id) : reach_pipe(c->core, &c->request.want, NULL, reached, c);
    if (err)
        no_memory(c);
}

static void tick(void *arg)
{
    struct caller *c = arg;
    if (c->joined)
        carrier_holds(c);
    else
        caller_seek(c);
}

void caller_seek_later(struct caller *c)
{
    core_timer(c->core, &c->timer, SEEK_AGAIN);
}

/* ---- the call */

static void caller_cancel(struct call *call, int code)
{
    struct caller *c = call->work;
    call_row(call, summary(c, "summary"));
    carrier_cancel(c, code);
}

void verb_pipe_connect(struct call *call, const struct row *row)
{
    struct pipe_send_request request = {.wait = 0};
    struct fault fault = {0};
    struct caller *c = NULL;
    int err = pipe_send_request(call->core, row, &request, &fault);
    if (!err && request.want.type != PIPE_UNICAST)
        err = fault_set(&fault, ERR_USAGE, "there are no byte streams through propagate pipes");
    if (!err && !(c = calloc(1, sizeof *c)))
        fault_set(&fault, ERR_NOMEM, "out of memory");
    if (!c) {
        call_fail(call, &fault);
        return;
    }
    c->core = call->core;
    c->call = call;
    c->request = request;
    c->began = core_now(c->core);
    c->patience = c->began + request.wait;
    core_random(c->core, &c->stream, sizeof c->stream);
    timer_init(&c->timer, tick, c);
    c->next = c->core->callers;
    c->core->callers = c;
    call->work = c;
    call->cancel = caller_cancel;
    caller_seek(c);
}

void callers_free(struct core *core)
{
    while (core->callers)
        caller_free(core->callers);
}

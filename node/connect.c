/* Byte streams, the caller's side: the verb pipe-connect. connect_in.c is the side of the pipe's reader.
 *
 * Seek a link to whoever has the pipe bound; have a reception object made; send CONNECT with it; confirm when the answer says
 * that both streams are up; then the port moves the bytes (transfer.h). When the callee cannot connect to us, it is asked once
 * more with the roles of listening and dialling swapped. Of a shared pipe's binders the next one is asked when one is busy. A
 * pipe that nobody has bound is sought again until the program's patience ends.
 *
 * Invariants: (1) one of these is under way: a reach, the timer, a duplex, the question why; (2) while there is a duplex, only
 * its done() frees the caller. */
#include "connect.h"
#include "pipes.h"

#include <stdlib.h>

#define SEEK_AGAIN (250 * MILLISECOND)
#define CONNECT_TIMEOUT ((RECEPTION_DEADLINE_S + 1) * SECOND) /* the callee's program is asked, too */

struct caller {
    struct caller *next;
    struct core *core;
    struct call *call; /* NULL once its program is gone */
    struct pipe_send_request request;
    uint64_t began, patience; /* at */
    struct timer timer;
    struct pipe_why *asking_why;
    /* the holder in hand */
    struct peer *peer;
    link_no link;
    bool here;        /* it is this very node */
    bool swapped;     /* the callee listens */
    bool asked;       /* CONNECT is not answered yet */
    bool joined;      /* bytes may flow */
    struct fault why; /* it refused */
    struct duplex *duplex;
    struct node_id busy[ANSWER_HOLDERS_MAX]; /* holders that were */
    unsigned busy_count;
};

static void seek(void *arg);
static void start(struct caller *c);

/* ---- the end */

static void let_go(struct caller *c)
{
    if (c->peer)
        c->peer->busy--;
    c->peer = NULL;
}

static void caller_free(struct caller *c)
{
    struct core *core = c->core;
    struct caller **at = &core->callers;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core_cancel(core, &c->timer);
    reach_cancel(core, c);
    ask_cancel(core, c);
    pipe_why_cancel(c->asking_why);
    let_go(c);
    free(c->duplex);
    free(c);
}

void connect_moved(struct row *row, const struct duplex *d)
{
    row_int(row, "bytes_in", d ? (int64_t)d->bytes_in : 0);
    row_int(row, "bytes_out", d ? (int64_t)d->bytes_out : 0);
}

void connect_failed(struct fault *fault, const struct duplex *d)
{
    char text[FAULT_TEXT];
    snprintf(text, sizeof text, "%.*s; %llu bytes had been sent and %llu received", FAULT_TEXT - 100, fault->text,
             (unsigned long long)d->bytes_in, (unsigned long long)d->bytes_out);
    fault_set(fault, (int)fault->code, "%s", text);
}

static void summarise(const struct caller *c, const char *kind)
{
    struct row *row = row_new(kind);
    connect_moved(row, c->duplex);
    row_int(row, "elapsed_us", (int64_t)((core_now(c->core) - c->began) / 1000));
    call_row(c->call, row);
}

static void fail(struct caller *c, const struct fault *fault)
{
    struct call *call = c->call;
    struct fault told = *fault;
    if (c->joined && c->duplex)
        connect_failed(&told, c->duplex);
    summarise(c, "summary");
    caller_free(c);
    call_fail(call, &told);
}

static void succeed(struct caller *c)
{
    struct call *call = c->call;
    struct row *row = row_new("done");
    connect_moved(row, c->duplex);
    row_int(row, "elapsed_us", (int64_t)((core_now(c->core) - c->began) / 1000));
    caller_free(c);
    call_done(call, row);
}

/* ---- the stream */

static struct link *link_of(const struct caller *c)
{
    struct link *link = c->here ? link_here(c->core) : link_find(c->core, c->link);
    return link || c->here ? link : link_to(c->core, c->peer);
}

static void explained(void *arg, const struct fault *fault)
{
    struct caller *c = arg;
    c->asking_why = NULL;
    fail(c, fault);
}

/* Nobody who has it bound was found, or he has it no more: again a little later, while the program is patient. */
static void not_found(struct caller *c, const struct fault *fault)
{
    if (core_now(c->core) + SEEK_AGAIN <= c->patience) {
        core_timer(c->core, &c->timer, SEEK_AGAIN);
        return;
    }
    if (fault->code == ERR_NOT_FOUND)
        c->asking_why = pipe_why(c->core, &c->request, fault, explained, c);
    if (!c->asking_why)
        fail(c, fault);
}

static bool was_busy(const struct caller *c, const struct node_id *id)
{
    for (unsigned i = 0; i < c->busy_count; i++)
        if (id_equal(&c->busy[i], id))
            return true;
    return false;
}

/* The stream did not come about, for the reason in c->why. What could still help? */
static void another_way(struct caller *c)
{
    struct fault why = c->why;
    if (why.code == ERR_UNREACHABLE && !c->swapped) {
        c->swapped = true;
        start(c);
    } else if (why.code == ERR_STATE) {
        binding_forget(c->core->binding, &c->request.want.pipe, &c->peer->id);
        let_go(c);
        not_found(c, &why);
    } else if (why.code == ERR_FULL && !c->request.want.owned && c->busy_count < ANSWER_HOLDERS_MAX) {
        c->busy[c->busy_count++] = c->peer->id;
        let_go(c);
        seek(c);
    } else {
        fail(c, &why);
    }
}

static void ended(struct duplex *d)
{
    struct caller *c = d->owner;
    c->core->transfers--;
    ask_cancel(c->core, c);
    c->asked = false;
    if (!c->call) {
        caller_free(c);
    } else if (c->joined) {
        if (d->fault.code)
            fail(c, &d->fault);
        else
            succeed(c);
    } else {
        if (!c->why.code)
            c->why = d->fault;
        free(c->duplex);
        c->duplex = NULL;
        another_way(c);
    }
}

static void show_connected(struct caller *c)
{
    char label[NAME_MAX_BYTES + 1];
    const struct link *link = link_of(c);
    struct row *row = row_new("connected");
    peer_label(c->peer, label);
    row_text(row, "pipe", c->request.name);
    row_text(row, "peer", label);
    row_text(row, "id", id_text(&c->peer->id).s);
    row_text(row, "endpoint", link && !c->here && !link->inbound ? link->endpoint.text : NULL);
    call_row(c->call, row);
}

static void answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct caller *c = arg;
    const struct port *port = c->core->port;
    c->asked = false;
    if (m) {
        c->joined = true;
        show_connected(c);
        port->duplex_confirm(port->self, c->duplex, &m->connect_ok);
    } else {
        c->why = *fault;
        port->duplex_cancel(port->self, c->duplex, (int)fault->code);
    }
}

static void ready(struct duplex *d)
{
    struct caller *c = d->owner;
    struct link *link = link_of(c);
    struct msg *m = link ? calloc(1, sizeof *m) : NULL;
    int err = ERR_UNREACHABLE;
    if (m) {
        m->type = MSG_CONNECT;
        m->connect.pipe = c->request.want.pipe;
        m->connect.reception = d->reception;
        err = ask(link, m, MSG_CONNECT_OK, CONNECT_TIMEOUT, answered, c);
    }
    free(m);
    c->asked = err == 0;
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(c->peer, label);
        fault_set(&c->why, err, "the link to %s is gone; is it still up?", label);
        c->swapped = true; /* there is nobody to be asked again */
        c->core->port->duplex_cancel(c->core->port->self, d, err);
    }
}

static void start(struct caller *c)
{
    const struct port *port = c->core->port;
    struct fault fault;
    c->why = (struct fault){0};
    c->duplex = calloc(1, sizeof *c->duplex);
    if (!c->duplex) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        fail(c, &fault);
        return;
    }
    c->duplex->peer = c->peer->id;
    c->duplex->calling = true;
    c->duplex->listen = !c->swapped;
    c->duplex->client = c->call->client;
    c->duplex->owner = c;
    c->duplex->ready = ready;
    c->duplex->done = ended;
    c->core->transfers++;
    port->duplex_start(port->self, c->duplex);
}

/* ---- seeking */

static void all_busy(struct caller *c)
{
    struct fault busy;
    fault_set(&busy, ERR_FULL, "'%s' is busy: who has it bound is talking to somebody else; try again later", c->request.name);
    fail(c, &busy);
}

/* Of the holders that were found, the best one that was not busy. */
static const struct binding_holder *idle_holder(const struct caller *c, const struct binding_result *binding)
{
    for (uint8_t i = 0; i < binding->count; i++)
        if (!was_busy(c, &binding->holder[i].record.id))
            return &binding->holder[i];
    return NULL;
}

static void reached(void *arg, const struct reached *r)
{
    struct caller *c = arg;
    if (!r->link) {
        if (c->busy_count > 0)
            all_busy(c);
        else
            not_found(c, &r->fault);
        return;
    }
    if (was_busy(c, &r->link->peer->id)) {
        const struct binding_holder *idle = idle_holder(c, r->binding);
        struct binding_want want = c->request.want;
        want.owned = true; /* by just this one, for the moment */
        want.owner = idle ? idle->record.id : want.owner;
        if (!idle || reach_pipe(c->core, &want, NULL, reached, c) != 0)
            all_busy(c);
        return;
    }
    c->peer = r->link->peer;
    c->peer->busy++;
    c->link = r->link->no;
    c->here = link_is_here(r->link);
    c->swapped = false;
    start(c);
}

static void seek(void *arg)
{
    struct caller *c = arg;
    if (reach_pipe(c->core, &c->request.want, NULL, reached, c) == 0)
        return;
    struct fault fault;
    fault_set(&fault, ERR_NOMEM, "out of memory");
    fail(c, &fault);
}

/* ---- the call */

static void caller_cancel(struct call *call, int code)
{
    struct caller *c = call->work;
    struct link *link = c->asked ? link_of(c) : NULL;
    if (link) {
        struct msg m = {.type = MSG_CANCEL, .cancel = {.request = ask_number(c->core, c)}};
        link_send(link, &m);
    }
    summarise(c, "summary");
    if (!c->duplex) {
        caller_free(c);
        return;
    }
    c->call = NULL;
    ask_cancel(c->core, c);
    c->core->port->duplex_cancel(c->core->port->self, c->duplex, code); /* ended() frees */
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
    timer_init(&c->timer, seek, c);
    c->next = c->core->callers;
    c->core->callers = c;
    call->work = c;
    call->cancel = caller_cancel;
    seek(c);
}

void callers_free(struct core *core)
{
    while (core->callers)
        caller_free(core->callers);
}

void connects_upgrade(struct core *core, struct peer *peer)
{
    (void)core, (void)peer;
}

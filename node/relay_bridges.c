/* Bridges of a relay: bulk streams of two of its clients, which the port joins. Here it is said who may have one, and on whose
 * account. See relay_internal.h and struct bridge (transfer.h).
 *
 * A bridge counts against the client that asked for it, and its bytes are on the account of the session's holder: that is who
 * has a reservation. It lives while both links do, also when the session has been hung up meanwhile: a transfer whose streams
 * are up goes on by itself.
 *
 * Invariants: (1) only done() frees a bridge, or the end of the relay, when the port has given back all or never will; (2)
 * both clients outlive it; (3) a line of it is NULL, or not lost. */
#include "relay_internal.h"

#include <stdlib.h>
#include <string.h>

#define COMING (100 * MILLISECOND) /* what both ends need to come to a bridge; after that it may make room for another one */
#define CHARGE_EVERY SECOND        /* so much may be moved beyond the quota, when several bridges share it */

struct relay_bridge {
    struct relay_bridge *next;
    struct relay *relay;
    struct relay_client *asker, *payer;
    struct relay_line *line[END_COUNT];
    uint64_t charged; /* of what it moved */
    uint64_t opened_at;
    bool closing; /* it does not count any more */
    struct bridge b;
};

/* ---- accounts */

static void charge(struct relay_bridge *rb)
{
    uint64_t moved = rb->b.moved, fresh = moved - rb->charged;
    rb->charged = moved;
    rb->payer->bytes += fresh;
    rb->relay->bytes += fresh;
}

static void bridge_close(struct relay_bridge *rb, int code)
{
    const struct port *port = rb->relay->core->port;
    port->bridge_close(port->self, &rb->b, code);
}

/* Each was opened with all that was left, so together they may move more. */
static void charge_all(void *arg)
{
    struct relay *relay = arg;
    for (struct relay_bridge *rb = relay->bridges; rb; rb = rb->next)
        charge(rb);
    for (struct relay_bridge *rb = relay->bridges; rb; rb = rb->next)
        if (relay_bytes_left(rb->payer) == 0)
            bridge_close(rb, ERR_FULL);
    if (relay->bridges)
        core_timer(relay->core, &relay->charge_timer, CHARGE_EVERY);
}

/* ---- life */

static void bridge_done(struct bridge *b)
{
    struct relay_bridge *rb = b->owner;
    struct relay *relay = rb->relay;
    struct relay_bridge **at = &relay->bridges;
    charge(rb);
    log_write(relay->core->log, LOG_DEBUG, "relay", "a bridge of %s ended after %llu bytes: %s", relay_label(rb->asker).s,
              (unsigned long long)rb->charged, b->fault.code ? b->fault.text : "all came through");
    while (*at != rb)
        at = &(*at)->next;
    *at = rb->next;
    relay->bridge_count--;
    rb->asker->bridges--;
    rb->payer->charged--;
    relay_client_settle(rb->payer);
    if (rb->asker != rb->payer)
        relay_client_settle(rb->asker);
    free(rb);
    relay_look_whether_idle(relay);
}

static struct relay_bridge *bridge_new(struct relay_session *s, struct relay_client *asker, uint8_t streams)
{
    struct relay *relay = s->relay;
    struct relay_client *payer = s->end[END_HOLDER].line->client;
    struct relay_bridge *rb = calloc(1, sizeof *rb);
    if (!rb)
        return NULL;
    rb->relay = relay;
    rb->asker = asker;
    rb->payer = payer;
    for (size_t i = 0; i < END_COUNT; i++)
        rb->line[i] = s->end[i].line;
    rb->b.streams = streams;
    rb->b.deadline_s = RECEPTION_DEADLINE_S;
    rb->b.limit = relay_bytes_left(payer);
    rb->b.rate = relay->core->config.quota.rate;
    rb->b.account = payer->number;
    rb->opened_at = core_now(rb->relay->core);
    rb->b.owner = rb;
    rb->b.done = bridge_done;
    return rb;
}

static void bridge_enter(struct relay_bridge *rb)
{
    struct relay *relay = rb->relay;
    rb->next = relay->bridges;
    relay->bridges = rb;
    relay->bridge_count++;
    rb->asker->bridges++;
    rb->payer->charged++;
    if (relay->charge_timer.slot == TIMER_IDLE)
        core_timer(relay->core, &relay->charge_timer, CHARGE_EVERY);
}

/* ---- BRIDGE */

/* What was asked for and is not needed after all, as when the holder has refused, nobody comes to: such a one makes room. */
static bool makes_room(struct relay_bridge *rb)
{
    uint64_t now = core_now(rb->relay->core);
    if (rb->b.moved > 0 || now - rb->opened_at < COMING)
        return false;
    rb->closing = true;
    bridge_close(rb, ERR_TIMEOUT);
    return true;
}

static bool has_room(const struct relay_client *asker)
{
    size_t n = 0;
    struct relay_bridge *oldest = NULL; /* that nobody has come to */
    for (struct relay_bridge *rb = asker->relay->bridges; rb; rb = rb->next) {
        if (rb->asker != asker || rb->closing)
            continue;
        n++;
        oldest = rb->b.moved == 0 ? rb : oldest; /* the list begins with the newest */
    }
    return n < BRIDGES_PER_CLIENT_MAX || (oldest && makes_room(oldest));
}

static int may_bridge(struct relay_session *s, const struct relay_client *asker, struct fault *fault)
{
    const struct relay *relay = asker->relay;
    if (relay->draining)
        return fault_set(fault, ERR_STATE, "this relay is stopping; take another one");
    if (relay->bridge_count >= BRIDGES_MAX || !has_room(asker))
        return fault_set(fault, ERR_FULL, "as many transfers as this relay allows are running; try again when one has ended");
    if (relay_bytes_left(s->end[END_HOLDER].line->client) == 0)
        return fault_set(fault, ERR_FULL, "what the holder may send and take through this relay is used up for now");
    return 0;
}

static void bridge_ok(struct relay_bridge *rb, const struct relay_line *line, uint64_t request)
{
    size_t own = line == rb->line[END_USER] ? END_USER : END_HOLDER;
    struct msg *out = &rb->relay->out;
    out->type = MSG_BRIDGE_OK;
    out->request = request;
    out->bridge_ok = (struct msg_bridge_ok){.own = rb->b.way[own], .other = rb->b.way[1 - own], .deadline_s = rb->b.deadline_s};
    if (link_send(line->link, out) != 0)
        bridge_close(rb, ERR_UNREACHABLE);
}

/* The open session that is meant, when the client is an end of it. */
static struct relay_session *session_of(struct relay_line *line, uint64_t number)
{
    struct relay_session *s = relay_session_find(line->client->relay, number);
    return s && s->state.now == RELAY_OPEN && relay_end_at(s, line) ? s : NULL;
}

void relay_on_bridge(struct relay_line *line, const struct msg *m)
{
    const struct port *port = line->link->core->port;
    struct relay_session *s = session_of(line, m->bridge.session);
    struct fault fault;
    if (!s) {
        link_error(line->link, m->request, ERR_NOT_FOUND, "you have no such session at this relay");
        return;
    }
    if (may_bridge(s, line->client, &fault) != 0) {
        core_send_error(line->link, m->request, &fault);
        return;
    }
    struct relay_bridge *rb = bridge_new(s, line->client, m->bridge.streams);
    int err = rb ? port->bridge_open(port->self, &rb->b) : ERR_NOMEM;
    if (err) {
        fault_set(&fault, err, "this relay cannot carry a transfer now: %s", err_text(err));
        log_write(line->link->core->log, LOG_DEBUG, "relay", "no bridge for %s: %s", relay_label(line->client).s,
                  err_text(err));
        core_send_error(line->link, m->request, &fault);
        free(rb);
        return;
    }
    bridge_enter(rb);
    bridge_ok(rb, line, m->request);
}

/* ---- the end */

void relay_bridges_line_lost(struct relay *relay, struct relay_line *line)
{
    for (struct relay_bridge *rb = relay->bridges; rb; rb = rb->next) {
        if (rb->line[END_USER] != line && rb->line[END_HOLDER] != line)
            continue;
        rb->line[END_USER] = rb->line[END_HOLDER] = NULL;
        bridge_close(rb, ERR_UNREACHABLE);
    }
}

void relay_bridges_init(struct relay *relay)
{
    timer_init(&relay->charge_timer, charge_all, relay);
}

void relay_bridges_free(struct relay *relay)
{
    core_cancel(relay->core, &relay->charge_timer);
    while (relay->bridges) {
        struct relay_bridge *rb = relay->bridges;
        relay->bridges = rb->next;
        free(rb);
    }
}

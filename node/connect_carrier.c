/* Byte streams, the caller's side: what carries one.
 *
 * Have a reception object made; send CONNECT with it; confirm when the answer says that both streams are up; then the port
 * moves the bytes (transfer.h). When the callee cannot connect to us, it is asked once more with the roles of listening and
 * dialling swapped. When the link goes through a relay, that joins the streams: both sides dial it (session.h).
 *
 * A stream that may go through a relay, now or later, lasts: when its connections are lost the port parks it, a link to the
 * callee is sought again for STREAM_ABSENT, and CONNECT sent again under the stream's name. To move it to a better way its
 * connections are given up on purpose. The callee's word on how it ended counts: it ends first (bulk_last.c). */
#include "connect_caller.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT ((RECEPTION_DEADLINE_S + 1) * SECOND) /* the callee's program is asked, too */
#define STEADY SECOND                                         /* what was joined for so long is sought again at once */

static void start(struct caller *c);

struct link *carrier_link(const struct caller *c)
{
    struct link *link = c->here ? link_here(c->core) : link_find(c->core, c->link);
    return link || c->here ? link : link_to(c->core, c->peer);
}

/* ---- ends */

static void send_cancel(struct caller *c, uint64_t number)
{
    struct link *link = c->peer ? carrier_link(c) : NULL;
    struct msg m = {.type = MSG_CANCEL, .cancel = {.request = number}};
    if (link)
        link_send(link, &m);
}

void carrier_farewell(struct caller *c)
{
    if (!c->standing)
        return;
    if (!c->duplex)
        c->core->port->duplex_drop(c->core->port->self, &c->stream);
    send_cancel(c, c->number);
}

void carrier_cancel(struct caller *c, int code)
{
    if (c->asked)
        send_cancel(c, c->asked);
    else
        carrier_farewell(c);
    if (!c->duplex) {
        caller_free(c);
        return;
    }
    c->call = NULL;
    ask_cancel(c->core, c);
    c->core->port->duplex_cancel(c->core->port->self, c->duplex, code); /* ended() frees */
}

/* It has found no carrier in time, or needs none any more: why. */
static void lost_for_good(struct caller *c, const struct fault *why)
{
    c->core->port->duplex_drop(c->core->port->self, &c->stream);
    if (why->code == ERR_EXISTS)
        caller_succeed(c); /* it had ended, only we did not hear of it */
    else
        caller_fail(c, why);
}

void carrier_absent(struct caller *c, const struct fault *why)
{
    char label[NAME_MAX_BYTES + 1];
    struct fault lost;
    if (core_now(c->core) < c->lost_at + STREAM_ABSENT && !c->peer->gone) {
        caller_seek_later(c);
        return;
    }
    peer_label(c->peer, label);
    if (c->peer->gone)
        fault_set(&lost, ERR_UNREACHABLE, "%s has stopped", label);
    else
        fault_set(&lost, ERR_UNREACHABLE, "the connection to %s was lost, and none could be made again in %llu s: %.*s", label,
                  STREAM_ABSENT / SECOND, FAULT_TEXT / 2, why->text);
    lost_for_good(c, &lost);
}

/* ---- what now? */

/* The stream did not come about, for the reason in c->why. What could still help? */
static void another_way(struct caller *c)
{
    struct fault why = c->why;
    if (why.code == ERR_UNREACHABLE && !c->swapped && !c->relayed) {
        c->swapped = true;
        start(c);
    } else if (why.code == ERR_STATE) {
        binding_forget(c->core->binding, &c->request.want.pipe, &c->peer->id);
        caller_let_go(c);
        caller_not_found(c, &why);
    } else if (why.code == ERR_FULL && !c->request.want.owned && c->busy_count < ANSWER_HOLDERS_MAX) {
        c->busy[c->busy_count++] = c->peer->id;
        caller_let_go(c);
        caller_seek(c);
    } else {
        caller_fail(c, &why);
    }
}

/* Nothing will change this answer to a CONNECT again. */
static bool is_final(const struct caller *c, int code)
{
    return code == ERR_EXISTS || code == ERR_STATE || code == ERR_NOT_FOUND || code == ERR_MALFORMED ||
           (code == ERR_REFUSED && !c->relayed); /* a better way may be allowed */
}

/* The connection in hand is not fit for the streams: the session that they went by before. */
static struct link *way_back(const struct caller *c)
{
    struct link *link = !c->relayed && c->used ? link_find(c->core, c->used) : NULL;
    return link && link->session && link->state.now == LINK_UP ? link : NULL;
}

/* It had lost its carrier, and has not got a new one, for the reason in c->why. */
static void still_lost(struct caller *c)
{
    c->joined = false;
    c->lost_at = c->lost_at ? c->lost_at : c->joined_at;
    struct fault why = c->why;
    if (is_final(c, (int)why.code)) {
        lost_for_good(c, &why);
    } else if (why.code == ERR_UNREACHABLE && !c->swapped && !c->relayed) {
        c->swapped = true;
        start(c);
    } else if (way_back(c)) {
        c->unfit = c->link;
        carrier_start(c, way_back(c));
    } else {
        carrier_absent(c, &why);
    }
}

/* It was joined, and is lost: its callee is sought again. One that did not hold for long is given a moment. */
static void lost(struct caller *c)
{
    uint64_t now = core_now(c->core);
    c->joined = false;
    c->lost_at = now;
    if (now - c->joined_at >= STEADY)
        caller_seek(c);
    else
        caller_seek_later(c);
}

static void let_duplex_go(struct caller *c)
{
    c->moved = connect_moved(c->duplex, c->moved);
    free(c->duplex);
    c->duplex = NULL;
}

static void ended(struct duplex *d)
{
    struct caller *c = d->owner;
    struct fault fault = d->fault;
    bool parked = d->parked, carried = d->carried;
    c->core->transfers--;
    ask_cancel(c->core, c);
    c->asked = 0;
    core_cancel(c->core, &c->timer);
    let_duplex_go(c);
    if (!c->call) {
        if (parked)
            c->core->port->duplex_drop(c->core->port->self, &c->stream);
        caller_free(c);
    } else if (parked) {
        if (!c->why.code)
            c->why = fault;
        if (c->joined && carried)
            lost(c);
        else
            still_lost(c);
    } else if (c->joined || c->standing) {
        if (fault.code)
            caller_fail(c, &fault);
        else
            caller_succeed(c);
    } else {
        if (!c->why.code)
            c->why = fault;
        another_way(c);
    }
}

/* ---- CONNECT */

void carrier_holds(struct caller *c)
{
    link_use(c->core, &c->used, c->link);
}

/* Ends the duplex; one that lasts, and was joined before, is only parked again. */
static void stop_duplex(struct caller *c, int code)
{
    const struct port *port = c->core->port;
    port->duplex_cancel(port->self, c->duplex, c->standing ? ERR_CHANGED : code);
}

/* Gives up the connections of a stream that lasts and is up: it is sought again, and goes the best way there is. */
static void move(struct caller *c)
{
    if (c->standing && c->joined && c->duplex && c->call)
        c->core->port->duplex_cancel(c->core->port->self, c->duplex, ERR_CHANGED);
}

static bool could_go_directly(const struct caller *c)
{
    const struct link *link = c->relayed ? link_direct(c->peer) : NULL;
    return link && link->no != c->unfit;
}

static void answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct caller *c = arg;
    const struct port *port = c->core->port;
    uint64_t number = c->asked;
    c->asked = 0;
    if (!m) {
        c->why = *fault;
        stop_duplex(c, (int)fault->code);
        return;
    }
    c->joined = true;
    c->number = number;
    c->joined_at = core_now(c->core);
    caller_show(c, c->standing ? "moved" : "connected");
    c->standing = c->lasting;
    if (c->swapped)
        core_timer(c->core, &c->timer, RECEPTION_DEADLINE_S * SECOND); /* for us to dial: see way_back */
    else
        carrier_holds(c);
    port->duplex_confirm(port->self, c->duplex, &m->connect_ok);
    if (could_go_directly(c)) /* a connection has come meanwhile */
        move(c);
}

static int send_connect(struct caller *c, struct link *link)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->type = MSG_CONNECT;
    m->connect.pipe = c->request.want.pipe;
    m->connect.reception = c->duplex->reception;
    m->connect.stream = c->stream;
    m->connect.lasting = c->lasting;
    m->connect.again = c->standing;
    int err = ask(link, m, MSG_CONNECT_OK, CONNECT_TIMEOUT, answered, c);
    free(m);
    return err;
}

static void ready(struct duplex *d)
{
    struct caller *c = d->owner;
    struct link *link = carrier_link(c);
    int err = link ? send_connect(c, link) : ERR_UNREACHABLE;
    c->asked = err ? 0 : ask_number(c->core, c);
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(c->peer, label);
        fault_set(&c->why, err, "the link to %s is gone; is it still up?", label);
        c->swapped = true; /* there is nobody to be asked again */
        stop_duplex(c, err);
    }
}

static void start(struct caller *c)
{
    const struct port *port = c->core->port;
    struct fault fault;
    c->why = (struct fault){0};
    c->joined = false;
    c->duplex = calloc(1, sizeof *c->duplex);
    if (!c->duplex) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        caller_fail(c, &fault);
        return;
    }
    c->duplex->peer = c->peer->id;
    c->duplex->calling = true;
    c->duplex->listen = !c->swapped;
    c->duplex->client = c->call->client;
    c->duplex->stream = c->stream;
    c->duplex->lasting = c->lasting;
    c->duplex->again = c->standing;
    c->duplex->way = c->way;
    c->duplex->other = c->other;
    c->duplex->owner = c;
    c->duplex->ready = ready;
    c->duplex->done = ended;
    c->core->transfers++;
    port->duplex_start(port->self, c->duplex);
}

/* ---- the way there */

static void bridged(void *arg, const struct msg_bridge_ok *ok, const struct fault *fault)
{
    struct caller *c = arg;
    c->bridging = false;
    if (ok) {
        c->way = ok->own;
        c->other = ok->other;
        start(c);
    } else if (c->standing) {
        carrier_absent(c, fault);
    } else {
        caller_let_go(c);
        caller_not_found(c, fault); /* another relay may, or this one later */
    }
}

/* Streams to it may come to go through a relay. */
static bool has_relays(struct core *core, const struct peer *peer)
{
    for (size_t i = 0; peer->has_record && i < peer->record.endpoint_count; i++)
        if (peer->record.endpoint[i].transport == TRANSPORT_RELAY &&
            endpoint_usable(core, &peer->id, &peer->record.endpoint[i]))
            return true;
    return false;
}

void carrier_start(struct caller *c, struct link *link)
{
    c->link = link->no;
    if (!c->standing || link->relayed)
        link_use(c->core, &c->used, link->no); /* else a session that it went by stays until it is joined anew */
    c->here = link_is_here(link);
    c->relayed = link->relayed;
    c->lasting = c->lasting || c->relayed || (!c->here && has_relays(c->core, c->peer));
    c->swapped = false;
    c->way = c->other = (struct relay_way){.addr_count = 0};
    if (!c->relayed) {
        start(c);
        return;
    }
    struct fault fault;
    int err = ERR_UNREACHABLE;
    if (link->session) {
        c->relay = *session_relay(link->session);
        err = session_bridge(link->session, DUPLEX_STREAMS, bridged, c);
    }
    c->bridging = !err;
    if (!err)
        return;
    fault_set(&fault, err, "the relay that carries the link cannot be asked to join a byte stream: %s", err_text(err));
    bridged(c, NULL, &fault);
}

/* ---- what happens to links */

void connects_upgrade(struct core *core, struct peer *peer)
{
    for (struct caller *c = core->callers; c; c = c->next)
        if (c->peer == peer && could_go_directly(c))
            move(c);
}

/* Whether the connections of a stream are dead too is noticed late, if they are silent: none was ever lost by moving. */
void callers_link_lost(struct core *core, const struct link *link)
{
    for (struct caller *c = core->callers; c; c = c->next) {
        if (c->here || !c->peer)
            continue;
        const struct peer *relay = c->relayed ? peers_find(core->peers, &c->relay) : NULL;
        bool direct_is_gone = !c->relayed && c->link == link->no;
        bool relay_is_gone = c->relayed && link->peer && link->peer == relay;
        if (direct_is_gone || relay_is_gone)
            move(c);
    }
}

/* Relayed sessions: what links call, how sessions end, and the turn in which all of it moves. See session.h.
 *
 * Links, relays and timers only mark what is to happen and ask for a turn. A turn hands messages to links, says what is to be
 * said to relays, tells links of sessions that have ended, and frees what nobody needs any more. */
#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#define TICK SECOND
#define DRAIN_GRACE SECOND /* for what is under way in sessions through a relay that stops */

static const char *const state_names[] = {"reaching", "asking", "accepting", "proving", "open", "closing", "ended"};
static const uint32_t state_moves[] = {
    [SESSION_REACHING] = STATE_BIT(SESSION_ASKING) | STATE_BIT(SESSION_ENDED),
    [SESSION_ASKING] = STATE_BIT(SESSION_OPEN) | STATE_BIT(SESSION_ENDED),
    [SESSION_ACCEPTING] = STATE_BIT(SESSION_PROVING) | STATE_BIT(SESSION_ENDED),
    [SESSION_PROVING] = STATE_BIT(SESSION_OPEN) | STATE_BIT(SESSION_ENDED),
    [SESSION_OPEN] = STATE_BIT(SESSION_CLOSING) | STATE_BIT(SESSION_ENDED),
    [SESSION_CLOSING] = STATE_BIT(SESSION_ENDED),
    [SESSION_ENDED] = 0,
};
static const struct state_table session_table = {
    .what = "session", .names = state_names, .allowed = state_moves, .count = SESSION_STATES};

/* ---- beginning and end */

struct session *session_new(struct carrier *c, const struct tag *handle, bool inbound)
{
    struct relayed *r = c->core->relayed;
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->carrier = c;
    s->handle = *handle;
    s->inbound = inbound;
    s->used_at = core_now(c->core);
    s->in.told = RELAY_WINDOW;
    state_init(&s->state, &session_table, inbound ? SESSION_ACCEPTING : SESSION_REACHING);
    notes_init(&s->out.sealed);
    notes_init(&s->in.whole);
    s->next = r->sessions;
    r->sessions = s;
    return s;
}

static void session_free(struct relayed *r, struct session *s)
{
    struct session **at = &r->sessions;
    ask_cancel(r->core, s);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    notes_clear(&s->out.sealed);
    notes_clear(&s->in.whole);
    free(s->in.partial);
    noise_wipe(&s->noise);
    free(s);
}

void session_end(struct session *s, const struct fault *fault, bool tell)
{
    struct carrier *c = s->carrier;
    char label[NAME_MAX_BYTES + 1];
    if (s->state.now == SESSION_ENDED)
        return;
    state_move(&s->state, SESSION_ENDED, c->core->log);
    s->fault = *fault;
    s->owes_close = tell && s->number > 0;
    s->deadline = core_now(c->core) + RELAY_ACCEPT;
    notes_clear(&s->out.sealed);
    noise_wipe(&s->noise);
    log_write(c->core->log, fault->code == ERR_VERIFY ? LOG_WARN : LOG_DEBUG, "session", "through %s ended: %s",
              carrier_name(c, label), fault->code ? fault->text : "in order");
    relayed_soon(c->core, 0);
}

/* Whoever started the node is told, once of each relay; but not for sessions to us, which a stranger can break at will. */
void session_broken(struct session *s, const struct fault *fault)
{
    struct carrier *c = s->carrier;
    struct row *row = c->warned || s->inbound ? NULL : row_new("warning");
    c->warned |= !s->inbound;
    c->core->relayed->broken++;
    row_text(row, "text", fault->text);
    row_text(row, "id", id_text(&c->peer->id).s);
    core_event(c->core, row);
    session_end(s, fault, true);
}

const char *session_peer_name(const struct session *s, char label[NAME_MAX_BYTES + 1])
{
    if (s->link && s->link->peer)
        peer_label(s->link->peer, label);
    else
        snprintf(label, NAME_MAX_BYTES + 1, "the other side");
    return label;
}

struct session *session_find(const struct carrier *c, uint64_t number)
{
    struct session *s = c->core->relayed->sessions;
    while (s && (s->carrier != c || s->number != number))
        s = s->next;
    return s;
}

/* ---- what links call */

/* Would a session to this link's peer through this relay come back to where it began? A node needs no relay to itself; and what
 * we need to reach that peer as a relay is a connection: of two relays, each behind the other, each would be asked for the
 * other without end. */
static bool is_loop(const struct link *link, const struct node_id *relay)
{
    struct core *core = link->core;
    if (id_equal(relay, &core->config.identity->id) || id_equal(relay, &link->peer->id))
        return true;
    for (const struct carrier *c = core->relayed ? core->relayed->carriers : NULL; c; c = c->next)
        if (c->peer == link->peer && c->reaching)
            return true;
    return false;
}

int session_open(struct link *link, const struct node_id *relay, const struct tag *handle)
{
    struct core *core = link->core;
    if (core->stopping || is_loop(link, relay))
        return ERR_STATE;
    struct carrier *c = carrier_get(core, relay);
    if (!c)
        return ERR_NOMEM;
    if (c->draining_at || carrier_sessions(c, false) >= RELAY_SESSIONS_PER_CLIENT)
        return ERR_FULL;
    struct session *s = session_new(c, handle, false);
    if (!s)
        return ERR_NOMEM;
    s->link = link;
    link->session = s;
    if (c->link)
        relayed_soon(core, 0);
    else
        carrier_reach(c);
    return 0;
}

int session_send(struct session *s, const void *bytes, size_t n)
{
    if (s->state.now != SESSION_OPEN)
        return ERR_UNREACHABLE;
    int err = session_queue(s, bytes, n);
    if (err)
        return err;
    if (!carrier_say(s->carrier))
        relayed_soon(s->carrier->core, MILLISECOND);
    return 0;
}

void session_hangup(struct session *s)
{
    struct core *core = s->carrier->core;
    static const struct fault gone = {.code = ERR_CANCELLED, .text = "it is not wanted any more"};
    if (!s->link)
        return;
    s->link = NULL;
    notes_clear(&s->in.whole);
    if (s->state.now == SESSION_REACHING) {
        session_end(s, &gone, false);
    } else if (s->state.now == SESSION_OPEN) {
        state_move(&s->state, SESSION_CLOSING, core->log);
        s->deadline = core_now(core) + RELAY_ACCEPT;
        relayed_soon(core, carrier_say(s->carrier) ? 0 : MILLISECOND);
    }
}

const struct node_id *session_relay(const struct session *s)
{
    return &s->carrier->peer->id;
}

const struct tag *session_handle(const struct session *s)
{
    return &s->handle;
}

uint64_t session_idle(const struct session *s)
{
    return core_now(s->carrier->core) - s->used_at;
}

/* ---- the turn */

static struct session *untold(const struct relayed *r)
{
    struct session *s = r->sessions;
    while (s && !(s->state.now == SESSION_ENDED && s->link))
        s = s->next;
    return s;
}

/* The end of a link may begin and end other sessions, so the search begins anew after each. */
static void tell_links(struct relayed *r)
{
    struct session *s;
    while ((s = untold(r))) {
        struct link *link = s->link;
        session_deliver(s);
        if (s->link != link)
            continue;
        s->link = NULL;
        link_session_ended(link, &s->fault);
    }
}

static void reap(struct relayed *r)
{
    struct session *s = r->sessions;
    while (s) {
        struct session *next = s->next;
        if (s->state.now == SESSION_ENDED && !s->link && !(s->owes_close && s->carrier->link))
            session_free(r, s);
        s = next;
    }
    struct carrier *c = r->carriers;
    while (c) {
        struct carrier *next = c->next;
        bool used = c->reaching || c->reservation || (c->link && c->out_count > 0);
        if (!used && carrier_sessions(c, true) + carrier_sessions(c, false) == 0)
            carrier_free(c);
        c = next;
    }
}

static void turn(void *arg)
{
    struct relayed *r = arg;
    bool all = true;
    for (struct session *s = r->sessions; s; s = s->next)
        if (s->state.now == SESSION_REACHING && s->carrier->link)
            session_use(s);
    for (struct session *s = r->sessions; s; s = s->next)
        session_deliver(s);
    for (struct carrier *c = r->carriers; c; c = c->next)
        all = carrier_say(c) && all;
    tell_links(r);
    reap(r);
    if (!all)
        relayed_soon(r->core, MILLISECOND);
}

void relayed_soon(struct core *core, uint64_t after)
{
    struct timer *t = &core->relayed->turn;
    uint64_t at = core_now(core) + after;
    if (t->slot == TIMER_IDLE || t->at > at)
        core->port->timer_set(core->port->self, t, at);
}

/* ---- time goes by */

static void overdue(struct session *s, uint64_t now)
{
    struct fault fault;
    char relay[NAME_MAX_BYTES + 1];
    uint64_t draining_at = s->carrier->draining_at;
    carrier_name(s->carrier, relay);
    if (s->state.now == SESSION_PROVING && now >= s->deadline) {
        fault_set(&fault, ERR_TIMEOUT, "who asked for this session through %s did not go on", relay);
        session_end(s, &fault, true);
    } else if (s->state.now == SESSION_CLOSING && now >= s->deadline) {
        fault_set(&fault, ERR_TIMEOUT, "%s did not take the rest in time", relay);
        session_end(s, &fault, true);
    } else if (s->state.now == SESSION_ENDED && now >= s->deadline) {
        s->owes_close = false;
    } else if (draining_at && s->state.now != SESSION_ASKING && now - draining_at >= DRAIN_GRACE) {
        fault_set(&fault, ERR_UNREACHABLE, "the relay %s is stopping", relay);
        session_end(s, &fault, true);
    }
}

static void tick(void *arg)
{
    struct relayed *r = arg;
    uint64_t now = core_now(r->core);
    for (struct session *s = r->sessions; s; s = s->next)
        overdue(s, now);
    for (struct carrier *c = r->carriers; c; c = c->next) {
        c->hungry = true;
        if (c->link && (c->reservation || carrier_sessions(c, true) + carrier_sessions(c, false) > 0))
            c->link->used_at = now; /* it is quiet, and not idle */
    }
    relayed_soon(r->core, 0);
    if (r->carriers)
        core_timer(r->core, &r->tick, TICK);
}

/* ---- all of it */

struct relayed *relayed_of(struct core *core)
{
    struct relayed *r = core->relayed ? core->relayed : calloc(1, sizeof *r);
    if (!r)
        return NULL;
    if (!core->relayed) {
        r->core = core;
        timer_init(&r->turn, turn, r);
        timer_init(&r->tick, tick, r);
        core->relayed = r;
    }
    if (r->tick.slot == TIMER_IDLE)
        core_timer(core, &r->tick, TICK);
    return r;
}

void sessions_free(struct core *core)
{
    struct relayed *r = core->relayed;
    while (r && r->sessions)
        session_free(r, r->sessions);
    if (r)
        bridgings_free(r);
}

void relayed_free(struct core *core)
{
    struct relayed *r = core->relayed;
    if (!r)
        return;
    while (r->carriers)
        carrier_free(r->carriers);
    core_cancel(core, &r->turn);
    core_cancel(core, &r->tick);
    free(r);
    core->relayed = NULL;
}

/* ---- telling */

/* The share that a session was opened for; "" for the node, NULL when it is none of ours any more. */
static const char *handle_name(const struct session *s)
{
    const struct core *core = s->carrier->core;
    struct tag node = handle_of(&core->config.identity->id, "");
    if (!s->inbound)
        return s->link ? s->link->share : NULL;
    if (tag_equal(&node, &s->handle))
        return "";
    for (const struct share *share = core->shares; share; share = share->next) {
        struct tag tag = handle_of(&core->config.identity->id, share->row.name);
        if (tag_equal(&tag, &s->handle))
            return share->row.name;
    }
    return NULL;
}

void sessions_describe(struct call *call)
{
    struct relayed *r = call->core->relayed;
    for (const struct session *s = r ? r->sessions : NULL; s; s = s->next) {
        char label[NAME_MAX_BYTES + 1];
        struct row *row = s->link && s->state.now == SESSION_OPEN ? row_new("session") : NULL;
        if (!row)
            continue;
        const char *name = handle_name(s);
        row_text(row, "peer", session_peer_name(s, label));
        row_text(row, "relay", carrier_name(s->carrier, label));
        row_text(row, "direction", s->inbound ? "in" : "out");
        if (name)
            row_text(row, "handle", name);
        row_int(row, "bytes_in", (int64_t)s->in.got);
        row_int(row, "bytes_out", (int64_t)s->out.sent);
        row_int(row, "idle_ms", (int64_t)(session_idle(s) / MILLISECOND));
        call_row(call, row);
    }
}

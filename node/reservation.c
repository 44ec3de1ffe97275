/* Reservations: at the relays that shares of ours name by --via, so that these carry sessions to us. See session.h.
 *
 * One for each relay: it is reached, asked, told of the shares (reservation_offers.c), and asked again at half the life that it
 * granted. While a reservation is held, our record names its relay. When it is refused, runs out or its relay is lost, it is
 * tried again, at growing intervals; at once when a link to the relay comes up.
 *
 * Invariants: (1) there are at most RELAYS_PER_NODE_MAX that shares want; (2) WAITING has a timer; REACHING waits for the
 * carrier, ASKING for an answer, each in bounded time. */
#include "reservation_internal.h"

#include <stdlib.h>
#include <string.h>

#define RESERVE_TIMEOUT (5 * SECOND)
#define WAIT_FIRST (SECOND / 2)
#define WAIT_MAX (60 * SECOND)

static const char *const state_names[] = {"waiting", "reaching", "asking", "held"};
static const uint32_t state_moves[] = {
    [RESERVATION_WAITING] = STATE_BIT(RESERVATION_REACHING) | STATE_BIT(RESERVATION_ASKING),
    [RESERVATION_REACHING] = STATE_BIT(RESERVATION_WAITING) | STATE_BIT(RESERVATION_ASKING),
    [RESERVATION_ASKING] = STATE_BIT(RESERVATION_WAITING) | STATE_BIT(RESERVATION_HELD),
    [RESERVATION_HELD] = STATE_BIT(RESERVATION_WAITING),
};
static const struct state_table reservation_table = {
    .what = "reservation", .names = state_names, .allowed = state_moves, .count = RESERVATION_STATES};

/* Our record names the relays that will carry sessions to us: it is made anew when these are others. */
static void list_in_record(struct core *core)
{
    bool changed = false;
    for (struct reservation *r = core->relayed->reservations; r; r = r->next) {
        bool listed = r->wanted && r->state.now == RESERVATION_HELD;
        changed |= listed != r->listed;
        r->listed = listed;
    }
    if (changed)
        core_endpoints_changed(core);
}

/* ---- the end */

static void given_up(void *arg, const struct msg *m, const struct fault *fault)
{
    (void)arg, (void)m, (void)fault; /* it runs out by itself, too */
}

/* Its relay need not keep what nobody wants. */
static void give_up(struct reservation *r)
{
    struct msg *m = &r->core->relayed->out;
    m->type = MSG_RESERVE;
    m->reserve = (struct msg_reserve){.pipe = pipe_owned(&r->carrier->peer->id, "relay")};
    ask(r->carrier->link, m, MSG_RESERVE_OK, RESERVE_TIMEOUT, given_up, NULL);
}

static void reservation_free(struct core *core, struct reservation *r)
{
    struct reservation **at = &core->relayed->reservations;
    offers_free(r);
    ask_cancel(core, r);
    core_cancel(core, &r->timer);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->carrier->reservation = NULL;
    r->carrier->hungry = true;
    free(r);
}

bool reservation_settle(struct reservation *r)
{
    bool held = r->state.now == RESERVATION_HELD && r->carrier->link;
    if (r->wanted || (held && r->offers))
        return false;
    if (held)
        give_up(r);
    reservation_free(r->core, r);
    return true;
}

/* ---- asking */

static void try_again(struct reservation *r)
{
    uint64_t jitter; /* a relay that was restarted is not to hear from all its clients at once */
    core_random(r->core, &jitter, sizeof jitter);
    r->wait = r->wait == 0 ? WAIT_FIRST : r->wait < WAIT_MAX / 2 ? 2 * r->wait : WAIT_MAX;
    core_timer(r->core, &r->timer, r->wait / 2 + jitter % r->wait);
}

void reservation_failed(struct reservation *r, const struct fault *fault)
{
    char label[NAME_MAX_BYTES + 1];
    r->fault = *fault;
    r->renewing = false;
    ask_cancel(r->core, r);
    log_write(r->core->log, LOG_INFO, "reservation", "%s does not carry sessions to us: %s", carrier_name(r->carrier, label),
              fault->text);
    if (r->state.now != RESERVATION_WAITING)
        state_move(&r->state, RESERVATION_WAITING, r->core->log);
    try_again(r);
    list_in_record(r->core);
    reservation_settle(r);
}

static void held(struct reservation *r, const struct msg_reserve_ok *ok)
{
    uint64_t life = ok->life_s > 1 ? ok->life_s * SECOND : SECOND;
    r->granted = *ok;
    r->carrier->nexts = ok->nexts;
    r->carrier->hungry = true;
    r->expires = core_now(r->core) + life;
    r->wait = 0;
    r->fault.code = 0;
    core_timer(r->core, &r->timer, life / 2);
    if (r->state.now != RESERVATION_HELD) {
        state_move(&r->state, RESERVATION_HELD, r->core->log);
        offers_afresh(r);
        list_in_record(r->core);
    }
    for (struct offer *o = r->offers; o; o = o->next)
        o->told &= !o->refused;
    relayed_soon(r->core, 0); /* before it may be freed */
    if (!reservation_settle(r))
        offers_say(r);
}

/* While it has not run out, it holds though the relay was too busy to renew it. */
static void reserved(void *arg, const struct msg *m, const struct fault *fault)
{
    struct reservation *r = arg;
    bool holds = r->renewing && core_now(r->core) < r->expires;
    r->renewing = false;
    if (m)
        held(r, &m->reserve_ok);
    else if (holds && fault->code == ERR_TIMEOUT)
        try_again(r);
    else
        reservation_failed(r, fault);
}

static void reserve(struct reservation *r)
{
    struct msg *m = &r->core->relayed->out;
    struct fault fault;
    m->type = MSG_RESERVE;
    m->reserve = (struct msg_reserve){
        .pipe = pipe_owned(&r->carrier->peer->id, "relay"), .life_s = RELAY_LIFE_MAX_S, .sessions = RELAY_SESSIONS_PER_CLIENT};
    r->renewing = r->state.now == RESERVATION_HELD;
    if (!r->renewing)
        state_move(&r->state, RESERVATION_ASKING, r->core->log);
    int err = ask(r->carrier->link, m, MSG_RESERVE_OK, RESERVE_TIMEOUT, reserved, r);
    if (!err)
        return;
    fault_set(&fault, err, "it could not be asked: %s", err_text(err));
    reservation_failed(r, &fault);
}

static void due(void *arg)
{
    struct reservation *r = arg;
    if (r->core->stopping || r->renewing)
        return;
    if (r->carrier->link) {
        reserve(r);
    } else if (r->state.now == RESERVATION_WAITING) {
        state_move(&r->state, RESERVATION_REACHING, r->core->log);
        carrier_reach(r->carrier);
    }
}

/* ---- what happens to the relay */

void reservation_reached(struct carrier *c, const struct fault *fault)
{
    struct reservation *r = c->reservation;
    if (!r || r->state.now != RESERVATION_REACHING)
        return;
    if (fault)
        reservation_failed(r, fault);
    else
        reserve(r);
}

static void over(struct carrier *c, const char *why)
{
    struct fault fault;
    if (!c->reservation || c->reservation->state.now != RESERVATION_HELD)
        return;
    c->reservation->wait = 0;
    fault_set(&fault, ERR_UNREACHABLE, "%s", why);
    reservation_failed(c->reservation, &fault);
}

/* Of two links to it one was left: then the other one does. */
void reservation_lost(struct carrier *c)
{
    over(c, "the link to it is lost");
    if (c->reservation && c->reservation->state.now == RESERVATION_WAITING && c->peer->connected > 1)
        core_timer(c->core, &c->reservation->timer, 0);
}

void reservation_drained(struct carrier *c)
{
    over(c, "it is stopping");
}

void sessions_link_up(struct link *link)
{
    struct reservation *r = link->core->relayed && !link->session ? link->core->relayed->reservations : NULL;
    while (r && r->carrier->peer != link->peer)
        r = r->next;
    if (r && r->state.now == RESERVATION_WAITING && !link->core->stopping)
        core_timer(r->core, &r->timer, 0);
}

/* ---- which relays */

static struct reservation *reservation_at(struct core *core, const struct node_id *relay)
{
    struct reservation *r = core->relayed ? core->relayed->reservations : NULL;
    while (r && !id_equal(&r->carrier->peer->id, relay))
        r = r->next;
    return r;
}

static struct reservation *reservation_new(struct core *core, const struct node_id *relay)
{
    struct carrier *c = carrier_get(core, relay);
    struct reservation *r = c ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return NULL;
    r->core = core;
    r->carrier = c;
    c->reservation = r;
    state_init(&r->state, &reservation_table, RESERVATION_WAITING);
    timer_init(&r->timer, due, r);
    struct reservation **at = &core->relayed->reservations;
    while (*at)
        at = &(*at)->next;
    *at = r;
    core_timer(core, &r->timer, 0);
    return r;
}

static void want(struct core *core, const struct node_id *relay, unsigned *wanted)
{
    struct reservation *r = reservation_at(core, relay);
    if ((r && r->wanted) || id_equal(relay, &core->config.identity->id))
        return;
    if (*wanted < RELAYS_PER_NODE_MAX && !r)
        r = reservation_new(core, relay);
    if (!r || *wanted == RELAYS_PER_NODE_MAX) {
        log_write(core->log, LOG_WARN, "reservation", "nothing is offered at %s: there is room for %d relays",
                  id_short(relay).s, RELAYS_PER_NODE_MAX);
        return;
    }
    r->wanted = true;
    ++*wanted;
}

void reservations_changed(struct core *core)
{
    unsigned wanted = 0;
    if (!core->started || core->stopping)
        return;
    for (struct reservation *r = core->relayed ? core->relayed->reservations : NULL; r; r = r->next)
        r->wanted = false;
    for (const struct share *s = core->shares; s; s = s->next)
        for (size_t i = 0; i < s->row.via_count; i++)
            want(core, &s->row.via[i], &wanted);
    if (core->relayed)
        list_in_record(core);
    struct reservation *r = core->relayed ? core->relayed->reservations : NULL;
    while (r) {
        struct reservation *next = r->next;
        if (offers_compare(r) != 0)
            log_write(core->log, LOG_ERROR, "reservation", "out of memory: not all shares are offered");
        if (!reservation_settle(r))
            offers_say(r);
        r = next;
    }
}

void reservations_start(struct core *core)
{
    reservations_changed(core);
}

void reservations_free(struct core *core)
{
    while (core->relayed && core->relayed->reservations)
        reservation_free(core, core->relayed->reservations);
    relayed_free(core);
}

/* ---- what others ask */

size_t reservations_endpoints(struct core *core, struct endpoint *out, size_t max)
{
    size_t n = 0;
    for (const struct reservation *r = core->relayed ? core->relayed->reservations : NULL; r && n < max; r = r->next)
        if (r->listed)
            endpoint_set_relay(&out[n++], &r->carrier->peer->id);
    return n;
}

bool reservation_held(const struct carrier *c)
{
    return c->reservation && c->reservation->state.now == RESERVATION_HELD;
}

bool reservation_offers(const struct carrier *c, const struct tag *handle)
{
    const struct reservation *r = c->reservation;
    if (!reservation_held(c) || !r->wanted)
        return false;
    struct tag node = handle_of(&c->core->config.identity->id, "");
    if (tag_equal(&node, handle))
        return true;
    for (const struct offer *o = r->offers; o; o = o->next)
        if (!o->withdrawn && tag_equal(&o->handle, handle))
            return true;
    return false;
}

bool link_reaches_share(const struct link *link, const struct share_row *row)
{
    if (!link->relayed)
        return true;
    struct tag handle = handle_of(&link->core->config.identity->id, row->name);
    return link->session && share_goes_via(row, session_relay(link->session)) && tag_equal(&handle, &link->handle);
}

void reservations_describe(struct call *call)
{
    struct core *core = call->core;
    uint64_t now = core_now(core);
    for (const struct reservation *r = core->relayed ? core->relayed->reservations : NULL; r; r = r->next) {
        struct row *row = row_new("reservation");
        char label[NAME_MAX_BYTES + 1];
        int64_t offers = 0;
        for (const struct offer *o = r->offers; o; o = o->next)
            offers += o->told && !o->asking && !o->refused && !o->withdrawn;
        bool is_held = r->state.now == RESERVATION_HELD;
        row_text(row, "relay", carrier_name(r->carrier, label));
        row_text(row, "state", state_name(&r->state));
        row_int(row, "sessions", (int64_t)carrier_sessions(r->carrier, true));
        row_int(row, "expires_s", is_held && r->expires > now ? (int64_t)((r->expires - now) / SECOND) : 0);
        row_int(row, "offers", is_held ? offers : 0);
        if (r->fault.code)
            row_text(row, "text", r->fault.text);
        call_row(call, row);
    }
}

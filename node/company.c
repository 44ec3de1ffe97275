/* Company: which peers a node is linked to without being asked for.
 *
 * In a small network that is everybody. In a larger one each node dials, of all peers that it knows to be alive, in order of id
 * and beginning after its own, the first COMPANY_NEAR and then those at twice the distance, and twice that: so all nodes hang
 * together (everyone has its successor), any two are some log2 n links apart, and each has some 2 log2 n links. By the same
 * rule trusted peers are chosen among themselves. Of relays each node has COMPANY_RELAYS, the next after itself; relays have
 * each other all.
 *
 * Invariants: (1) a peer is dialled for company by one race at a time (peer->dialling), and after a failure not before
 * peer->dial_after; (2) dials of peers that are not trusted come out of one budget, whatever beacons say. */
#include "core_internal.h"

#define CONSIDER_DELAY (5 * MILLISECOND)
#define CONSIDER_PEER (MILLISECOND / 20) /* more for each peer: the whole table is looked at */
#define YIELD_DIAL (300 * MILLISECOND)   /* the peer with the lower id dials first */

/* ---- who is wanted */

/* Peers of one kind, gone through in order of id. */
struct circle {
    size_t count;  /* in all */
    size_t before; /* with ids below our own */
    size_t at;     /* the next one's place, from 0 */
};

/* A member's distance from us, going upwards and around: 0 is our successor. */
static size_t distance(struct circle *c)
{
    return (c->at++ + c->count - c->before) % c->count;
}

static bool is_company(const struct circle *c, size_t d)
{
    return c->count <= COMPANY_MAX || d < COMPANY_NEAR || (d & (d - 1)) == 0;
}

struct circles {
    struct circle all, trusted, relays;
    bool relay; /* we are one */
};

static void count_in(struct circle *c, bool below)
{
    c->count++;
    c->before += below;
}

static bool is_relay(const struct peer *peer)
{
    return (peer->record.roles & ROLE_RELAY) != 0;
}

/* Could it be dialled, if it is wanted? */
static bool is_there(const struct peer *peer, uint64_t now)
{
    return peer->has_record && !peer_impostor(peer) && (peer->trusted || peer_alive(peer, now) || peer->up > 0);
}

static struct circles draw_circles(struct core *core, uint64_t now)
{
    struct circles c = {.relay = (core->config.roles & ROLE_RELAY) != 0};
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        const struct peer *peer = peers_at(core->peers, i);
        if (!is_there(peer, now))
            continue;
        bool below = id_compare(&peer->id, &core->config.identity->id) < 0;
        count_in(&c.all, below);
        if (peer->trusted)
            count_in(&c.trusted, below);
        if (is_relay(peer))
            count_in(&c.relays, below);
    }
    return c;
}

/* To be asked of all that are there, in order. */
static bool is_wanted(struct circles *c, const struct peer *peer)
{
    bool wanted = is_company(&c->all, distance(&c->all));
    if (peer->trusted && is_company(&c->trusted, distance(&c->trusted)))
        wanted = true;
    if (!is_relay(peer))
        return wanted;
    size_t d = distance(&c->relays);
    return wanted || (c->relay ? is_company(&c->relays, d) : d < COMPANY_RELAYS);
}

/* ---- dialling them */

static void plain_done(void *arg, struct link *link)
{
    (void)link;
    links_consider(arg);
}

static void dial(struct core *core, struct peer *peer, uint64_t now)
{
    peer_dialled(peer, now);
    if (peer->trusted || bucket_take(&core->dials, now))
        links_dial(core, peer);
}

bool links_dial(struct core *core, struct peer *peer)
{
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    size_t n = peer->has_record ? endpoints_usable(core, &peer->record, usable, PIPE_ENDPOINTS_MAX) : 0;
    if (peer->dialling)
        return true;
    return n > 0 && race_start(core, peer, usable, n, true, plain_done, core) == 0;
}

/* When it is to be looked at again. */
static uint64_t dial_when_due(struct core *core, struct peer *peer, uint64_t now)
{
    if (peer->dial_after == 0) /* the lower id goes first, so that only one link is made */
        peer->dial_after = now + (id_compare(&core->config.identity->id, &peer->id) < 0 ? 0 : YIELD_DIAL);
    if (peer->dial_after <= now)
        dial(core, peer, now);
    return peer->dialling ? TIMER_NEVER : peer->dial_after;
}

/* Dials whoever is due, and sets the timer for who is next. */
static void dial_due(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core), next = TIMER_NEVER;
    if (!core->started || core->stopping)
        return;
    struct circles circles = draw_circles(core, now);
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        struct peer *peer = peers_at(core->peers, i);
        if (!is_there(peer, now) || !is_wanted(&circles, peer) || peer->up > 0 || peer->dialling)
            continue;
        uint64_t again = dial_when_due(core, peer, now);
        next = again < next ? again : next;
    }
    if (next != TIMER_NEVER)
        core->port->timer_set(core->port->self, &core->dial_timer, next > now ? next : now + MILLISECOND);
}

/* The whole table is looked at in one go for all that changed in the meantime. */
void links_consider(struct core *core)
{
    uint64_t soon = core_now(core) + CONSIDER_DELAY + peers_count(core->peers) * CONSIDER_PEER;
    if (core->dial_timer.slot == TIMER_IDLE || core->dial_timer.at > soon)
        core->port->timer_set(core->port->self, &core->dial_timer, soon);
}

void links_renewed(struct core *core, struct peer *peer)
{
    links_close_outlived(core, peer);
    if (races_end(core, peer, plain_done))
        peer->dial_after = 0;
    links_doubt(core, peer);
}

void company_init(struct core *core)
{
    timer_init(&core->dial_timer, dial_due, core);
}

void company_fini(struct core *core)
{
    core_cancel(core, &core->dial_timer);
}

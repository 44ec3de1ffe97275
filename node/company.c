/* Company: which peers a node is linked to without being asked for.
 *
 * In a small network that is everybody. In a larger one each node dials, of all peers that it hears, the next COMPANY_NEAR
 * after itself in order of id, and then one in each further doubling of the distance between ids, which is how Chord chooses
 * its fingers (Stoica et al., 2001). So all nodes hang together, any two are some log2 n links apart, and who comes or goes
 * changes little. By the same rule trusted peers are chosen among themselves, and so are peers that are known by hearsay only:
 * one who tells of thousands blinds nobody to those who are heard. Of relays each node has COMPANY_RELAYS, the next after
 * itself; relays have each other all.
 *
 * Invariants: (1) a peer is dialled for company by one race at a time (peer->dialling), and after a failure not before
 * peer->dial_after; (2) dials of peers that are not trusted come out of a budget of their kind, whatever beacons say. */
#include "core_internal.h"

#define CONSIDER_DELAY (5 * MILLISECOND)
#define CONSIDER_PEER (MILLISECOND / 5) /* more for each peer: the whole table is looked at */
#define BUDGET_WAIT SECOND
#define YIELD_DIAL (300 * MILLISECOND) /* the peer with the lower id dials first */

/* ---- who is wanted */

/* Peers of one kind, gone through in order of id. Distances are those of ids on a circle, going upwards from our own. */
struct circle {
    size_t count;  /* in all */
    size_t before; /* with ids below our own */
    size_t at;     /* the next one's place, from 0 */
    uint64_t last; /* distance of the one before */
};

struct place {
    size_t rank; /* 0: our successor */
    bool finger; /* the first one beyond a power of two */
};

static uint64_t number_of(const struct node_id *id)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof n; i++)
        n = n << 8 | id->b[i];
    return n;
}

static struct place place_of(struct circle *c, uint64_t distance)
{
    uint64_t before = c->last;
    c->last = distance;
    return (struct place){.rank = (c->at++ + c->count - c->before) % c->count,
                          .finger = distance > before && (distance ^ before) > before};
}

static bool is_company(size_t count, struct place place)
{
    return count <= COMPANY_MAX || place.rank < COMPANY_NEAR || place.finger;
}

struct circles {
    struct circle all[DIAL_KINDS]; /* each peer is in one of these */
    struct circle trusted, relays;
    uint64_t self;
    bool relay; /* we are one */
};

static void count_in(struct circle *c, uint64_t distance, bool below)
{
    c->count++;
    c->before += below;
    c->last = distance;
}

static bool is_relay(const struct peer *peer)
{
    return (peer->record.roles & ROLE_RELAY) != 0;
}

static enum dial_kind kind_of(const struct peer *peer)
{
    return peer->told && peer->up == 0 ? DIAL_TOLD : DIAL_HEARD;
}

/* Could it be dialled, if it is wanted? */
static bool is_there(const struct peer *peer, uint64_t now)
{
    return (peer->up > 0 || peer->trusted || peer_alive(peer, now)) && peer->has_record && !peer_impostor(peer);
}

static struct circles draw_circles(struct core *core, uint64_t now)
{
    const struct node_id *self = &core->config.identity->id;
    struct circles c = {.self = number_of(self), .relay = (core->config.roles & ROLE_RELAY) != 0};
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        const struct peer *peer = peers_at(core->peers, i);
        if (!is_there(peer, now))
            continue;
        bool below = id_compare(&peer->id, self) < 0;
        uint64_t distance = number_of(&peer->id) - c.self;
        count_in(&c.all[kind_of(peer)], distance, below);
        if (peer->trusted)
            count_in(&c.trusted, distance, below);
        if (is_relay(peer))
            count_in(&c.relays, distance, below);
    }
    return c;
}

/* How large the network seems. Hearsay counts, since who has just come has heard few; but it cannot make it seem twice as
 * large as what is heard. */
static size_t size_for(const struct circles *c, enum dial_kind kind)
{
    size_t heard = c->all[DIAL_HEARD].count, told = c->all[DIAL_TOLD].count;
    return heard + (kind == DIAL_TOLD || told < heard ? told : heard);
}

/* To be asked of all that are there, in order. */
static bool is_wanted(struct circles *c, const struct peer *peer)
{
    uint64_t distance = number_of(&peer->id) - c->self;
    enum dial_kind kind = kind_of(peer);
    bool wanted = is_company(size_for(c, kind), place_of(&c->all[kind], distance));
    if (kind == DIAL_TOLD && c->all[DIAL_HEARD].count >= COMPANY_MAX)
        wanted = false; /* who hears enough needs no hearsay */
    if (peer->trusted && is_company(c->trusted.count, place_of(&c->trusted, distance)))
        wanted = true;
    if (!is_relay(peer))
        return wanted;
    struct place place = place_of(&c->relays, distance);
    return wanted || (c->relay ? is_company(c->relays.count, place) : place.rank < COMPANY_RELAYS);
}

/* ---- dialling them */

static void plain_done(void *arg, struct link *link, const struct fault *why)
{
    (void)link, (void)why;
    links_consider(arg);
}

static void dial(struct core *core, struct peer *peer, uint64_t now)
{
    struct bucket *budget = &core->dials[is_relay(peer) ? DIAL_RELAY : kind_of(peer)];
    if (!peer->trusted && !bucket_take(budget, now)) {
        peer->dial_after = now + BUDGET_WAIT;
        return;
    }
    peer_dialled(peer, now);
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
        if (!is_there(peer, now) || !is_wanted(&circles, peer) || peer->connected > 0 || peer->dialling)
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
    peer->shut_until = 0;
    binding_renewed(core->binding, &peer->record);
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

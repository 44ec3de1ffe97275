/* Upgrades: connections instead of sessions through relays, as soon as they can be made.
 *
 * While sessions with a peer are in use, its own endpoints are dialled every UPGRADE_EVERY, and anew each time, for what a
 * firewall has swallowed TCP repeats only after a second. Both ends do so: it is enough that one can dial the other. Once there
 * is a connection, whoever made it and why, all that is begun takes it (ways.c), gets, streams and channels are moved, and
 * sessions of ours are hung up when they have been idle for a moment. When it is lost again nothing is to be done: requests
 * seek their way anew (reach.c).
 *
 * Invariants: (1) there is a struct upgrade for each peer with a session that is up, from the next turn on; (2) at most
 * ATTEMPTS_MAX races are under way at once, and who has waited longest is next; (3) dials of peers that are not trusted come
 * out of one budget: their records can name anybody's addresses. */
#include "core_internal.h"
#include "pipes.h"
#include "put.h"
#include "session.h"

#include <stdlib.h>

#define UPGRADE_EVERY (400 * MILLISECOND)
#define UPGRADE_LATER (800 * MILLISECOND) /* after UPGRADE_PATIENCE in vain: still within a second of its becoming possible */
#define UPGRADE_PATIENCE (60 * SECOND)
#define IN_USE (10 * SECOND)      /* since something went through a session */
#define ATTEMPT_LIFE (2 * SECOND) /* some five round trips, over the slowest paths */
#define ATTEMPTS 5                /* of one peer: ATTEMPT_LIFE / UPGRADE_EVERY */
#define ATTEMPTS_MAX 20
#define SESSION_RESTS (3 * SECOND) /* idle for so long, beside a connection: it is not needed any more */

struct attempt {
    struct upgrade *of;
    uint64_t began; /* 0: none is under way */
};

struct upgrade {
    struct upgrade *next;
    struct core *core;
    struct peer *peer;  /* held */
    uint64_t used_from; /* its sessions are in use since then; 0: they are not */
    uint64_t tried_at;
    bool moved; /* there is a connection, and who goes by relays was told */
    struct attempt attempt[ATTEMPTS];
};

/* ---- which peers */

static struct upgrade *upgrade_of(struct core *core, const struct peer *peer)
{
    struct upgrade *u = core->upgrades;
    while (u && u->peer != peer)
        u = u->next;
    return u;
}

static void upgrade_new(struct core *core, struct peer *peer)
{
    struct upgrade *u = calloc(1, sizeof *u);
    if (!u)
        return; /* again in the next turn */
    u->core = core;
    u->peer = peer;
    peer->busy++;
    for (size_t i = 0; i < ATTEMPTS; i++)
        u->attempt[i].of = u;
    u->next = core->upgrades;
    core->upgrades = u;
}

static void give_up(struct attempt *a)
{
    if (a->began)
        race_cancel(a->of->core, a);
    a->began = 0;
}

static void upgrade_free(struct upgrade *u)
{
    struct upgrade **at = &u->core->upgrades;
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    for (size_t i = 0; i < ATTEMPTS; i++)
        give_up(&u->attempt[i]);
    u->peer->busy--;
    free(u);
}

/* Those that have a session now, and no others. */
static void gather(struct core *core)
{
    struct upgrade *next;
    for (struct upgrade *u = core->upgrades; u; u = next) {
        next = u->next;
        if (u->peer->up == u->peer->connected)
            upgrade_free(u);
    }
    for (struct link *l = core->links; l; l = l->next)
        if (l->relayed && l->state.now == LINK_UP && !upgrade_of(core, l->peer))
            upgrade_new(core, l->peer);
}

/* ---- making a connection */

static void attempted(void *arg, struct link *link, const struct fault *why)
{
    struct attempt *a = arg;
    (void)link, (void)why;
    a->began = 0; /* that there is a connection is seen in the next turn: see link_is_up */
}

static size_t affordable(struct upgrade *u, size_t endpoints)
{
    size_t n = 0;
    while (n < endpoints && (u->peer->trusted || bucket_take(&u->core->upgrade_dials, core_now(u->core))))
        n++;
    return n;
}

static void try_now(struct upgrade *u, uint64_t now)
{
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    struct attempt *a = u->attempt;
    while (a < u->attempt + ATTEMPTS && a->began)
        a++;
    u->tried_at = now;
    if (a == u->attempt + ATTEMPTS)
        return;
    size_t n = affordable(u, endpoints_usable(u->core, &u->peer->record, usable, PIPE_ENDPOINTS_MAX));
    if (n > 0 && race_start(u->core, u->peer, usable, n, false, attempted, a) == 0)
        a->began = now;
}

static bool is_due(const struct upgrade *u, uint64_t now)
{
    uint64_t every = now - u->used_from < UPGRADE_PATIENCE ? UPGRADE_EVERY : UPGRADE_LATER;
    return u->used_from > 0 && u->peer->connected == 0 && now - u->tried_at >= every;
}

void upgrades_count(const struct core *core, size_t *peers, size_t *attempts)
{
    *peers = *attempts = 0;
    for (const struct upgrade *u = core->upgrades; u; u = u->next) {
        ++*peers;
        for (size_t i = 0; i < ATTEMPTS; i++)
            *attempts += u->attempt[i].began != 0;
    }
}

static void try_all(struct core *core, uint64_t now)
{
    size_t peers, attempts;
    upgrades_count(core, &peers, &attempts);
    for (; attempts < ATTEMPTS_MAX; attempts++) {
        struct upgrade *first = NULL;
        for (struct upgrade *u = core->upgrades; u; u = u->next)
            if (is_due(u, now) && (!first || u->tried_at < first->tried_at))
                first = u;
        if (!first)
            return;
        try_now(first, now);
    }
}

/* ---- once there is one */

static bool session_in_use(const struct link *link, uint64_t within)
{
    return link->users > 0 || (link->session && session_idle(link->session) < within);
}

/* A session of ours that nobody needs, now that there is a connection. */
static struct link *resting(const struct core *core, const struct peer *peer)
{
    for (struct link *l = peer->links; l; l = l->same_peer)
        if (l->relayed && !l->inbound && l->state.now == LINK_UP && !session_in_use(l, SESSION_RESTS) && !ask_waits(core, l))
            return l;
    return NULL;
}

static void move(struct upgrade *u)
{
    struct core *core = u->core;
    struct peer *peer = u->peer;
    struct link *link;
    for (size_t i = 0; i < ATTEMPTS; i++)
        give_up(&u->attempt[i]);
    u->used_from = 0;
    if (!u->moved) {
        u->moved = true;
        if (link_direct(peer)->inbound)
            peer_is_shut(core, peer);
        gets_upgrade(core, peer);
        puts_upgrade(core, peer);
        connects_upgrade(core, peer);
        channel_out_upgrade(core, peer);
    }
    while (peer->connected > 0 && (link = resting(core, peer)))
        link_close(link, BYE_DUPLICATE);
}

static bool in_use(const struct peer *peer)
{
    for (const struct link *l = peer->links; l; l = l->same_peer)
        if (l->relayed && l->state.now == LINK_UP && session_in_use(l, IN_USE))
            return true;
    return false;
}

/* Its races end, and it is noted whether more are worth while. */
static void look(struct upgrade *u, uint64_t now)
{
    u->moved = false;
    for (size_t i = 0; i < ATTEMPTS; i++)
        if (u->attempt[i].began && now - u->attempt[i].began >= ATTEMPT_LIFE)
            give_up(&u->attempt[i]);
    if (!in_use(u->peer))
        u->used_from = 0;
    else if (u->used_from == 0)
        u->used_from = now;
}

static void tick(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core);
    if (core->stopping)
        return;
    gather(core);
    for (struct upgrade *u = core->upgrades; u; u = u->next) {
        if (u->peer->connected > 0)
            move(u);
        else
            look(u, now);
    }
    try_all(core, now);
    if (core->upgrades)
        core_timer(core, &core->upgrade_timer, UPGRADE_EVERY);
}

/* ---- life */

void upgrades_consider(struct core *core)
{
    if (!core->stopping)
        core_timer(core, &core->upgrade_timer, 0);
}

void upgrades_init(struct core *core)
{
    timer_init(&core->upgrade_timer, tick, core);
    bucket_init(&core->upgrade_dials, DIALS_PER_S, DIALS_BURST, core_now(core));
}

void upgrades_fini(struct core *core)
{
    core_cancel(core, &core->upgrade_timer);
    while (core->upgrades)
        upgrade_free(core->upgrades);
}

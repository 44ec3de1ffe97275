/* Dialling: races between the endpoints of a peer, and which peers are dialled without being asked for.
 *
 * Invariants: (1) a race ends once, by a winner, by its last runner's end or by its deadline, and hangs up all other
 * runners; (2) a peer is dialled for company by one race at a time (peer->dialling), and after a failure not before
 * peer->dial_after; (3) dials of peers that are not trusted come out of one budget, whatever beacons say. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

#define WS_STAGGER (10 * DIAL_STAGGER) /* before the first ws endpoint: it is for where the others do not get through */

struct race {
    struct race *next;
    struct core *core;
    struct peer *peer;
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX];
    size_t count, dialled, open;
    bool plain;
    struct timer timer;
    uint64_t deadline;
    race_done *done;
    void *arg;
};

size_t endpoints_usable(struct core *core, const struct record *record, struct endpoint *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < record->endpoint_count && n < max; i++) {
        const struct endpoint *e = &record->endpoint[i];
        if (e->scope == 0 || core->port->in_scope(core->port->self, e->scope))
            out[n++] = *e;
    }
    return n;
}

static void race_drop(struct race *race)
{
    struct core *core = race->core;
    core_cancel(core, &race->timer);
    struct race **at = &core->races;
    while (*at != race)
        at = &(*at)->next;
    *at = race->next;
    struct link *l = race->peer->links;
    while (l) { /* runners that lost */
        struct link *next = l->same_peer;
        if (l->race == race) {
            core->port->hangup(core->port->self, l->no);
            link_free(l);
        }
        l = next;
    }
    race->peer->busy--;
    if (race->plain)
        race->peer->dialling = false;
    free(race);
}

static void race_end(struct race *race, struct link *winner)
{
    race_done *done = race->done;
    void *arg = race->arg;
    struct core *core = race->core;
    struct peer *peer = race->plain && !winner ? race->peer : NULL;
    if (winner)
        winner->race = NULL;
    race_drop(race);
    if (done)
        done(arg, winner);
    if (peer)
        reach_dial_failed(core, peer);
}

static void race_dial(struct race *race)
{
    struct core *core = race->core;
    const struct endpoint *e = &race->endpoint[race->dialled++];
    struct link *link = link_new(core, ++core->next_link, race->peer, race->peer->trusted);
    if (!link)
        return;
    link->endpoint = *e;
    link->plain = race->plain;
    if (core->port->dial(core->port->self, link->no, &race->peer->id, e->text) != 0) {
        link_free(link);
        return;
    }
    link->race = race;
    race->open++;
    if (link_hello(link, MSG_HELLO, 0) != 0)
        log_write(core->log, LOG_DEBUG, "links", "HELLO to %s could not be queued", e->text);
}

static uint64_t stagger(const struct race *race)
{
    const struct endpoint *next = &race->endpoint[race->dialled];
    return next->transport == TRANSPORT_WS && next[-1].transport != TRANSPORT_WS ? WS_STAGGER : DIAL_STAGGER;
}

/* Starts the next runner, or ends the race: at its deadline, or when nobody is running any more. */
static void race_tick(void *arg)
{
    struct race *race = arg;
    if (race->dialled < race->count)
        race_dial(race);
    bool over = race->dialled == race->count && race->open == 0;
    if (over || core_now(race->core) >= race->deadline) {
        race_end(race, NULL);
        return;
    }
    uint64_t now = core_now(race->core);
    core_timer(race->core, &race->timer, race->dialled < race->count ? stagger(race) : race->deadline - now);
}

void race_won(struct race *race, struct link *link)
{
    race->open--;
    race_end(race, link);
}

void race_lost_runner(struct race *race)
{
    race->open--;
    if (race->open == 0 && race->dialled == race->count)
        core_timer(race->core, &race->timer, 0);
}

int race_start(struct core *core, struct peer *peer, const struct endpoint *endpoints, size_t count, bool plain,
               race_done *done, void *arg)
{
    struct race *race = calloc(1, sizeof *race);
    if (!race)
        return ERR_NOMEM;
    race->core = core;
    race->peer = peer;
    race->count = count < PIPE_ENDPOINTS_MAX ? count : PIPE_ENDPOINTS_MAX;
    memcpy(race->endpoint, endpoints, race->count * sizeof *endpoints);
    race->plain = plain;
    race->done = done;
    race->arg = arg;
    race->deadline = core_now(core) + LINK_HELLO_DEADLINE;
    timer_init(&race->timer, race_tick, race);
    race->next = core->races;
    core->races = race;
    peer->busy++;
    if (plain)
        peer->dialling = true;
    core_timer(core, &race->timer, 0);
    return 0;
}

void race_cancel(struct core *core, void *arg)
{
    struct race *race = core->races;
    while (race) {
        struct race *next = race->next;
        if (race->arg == arg && arg)
            race_drop(race);
        race = next;
    }
}

bool races_end(struct core *core, const struct peer *peer, race_done *done)
{
    struct race *race = core->races;
    while (race && (race->peer != peer || race->done != done))
        race = race->next;
    if (race)
        race_end(race, NULL);
    return race != NULL;
}

void dial_fini(struct core *core)
{
    while (core->races)
        race_drop(core->races);
}

void race_use(struct core *core, void *arg, const struct tag *handle)
{
    (void)core, (void)arg, (void)handle;
}

/* Dialling: races between the endpoints of a peer.
 *
 * Its own endpoints are dialled one after the other. Sessions through the relays that it names are begun RELAY_AFTER later, so
 * that who is near is won directly, and nobody waits long for a relay. A connection that cannot be made is silent; a session is
 * refused aloud: when all relays have said no, the peer's own endpoints get no more than RELAYS_SAID_NO in all. A relay that
 * does not know the handle may know the node's own: that is tried when none is left that could know the first. Where there are
 * as many sessions as there may be, one of ours that rests is ended, and room is waited for a moment.
 *
 * Invariants: (1) a race ends once, by a winner, by its last runner's end or by its deadline, and drops all other runners;
 * (2) it ends in a turn of its own or of its winner's. */
#include "core_internal.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define WS_STAGGER (10 * DIAL_STAGGER) /* before the first ws endpoint: it is for where the others do not get through */
#define RELAY_AFTER (100 * MILLISECOND)
#define RELAY_STAGGER (100 * MILLISECOND)
#define RELAYS_SAID_NO SECOND
#define RESTING (500 * MILLISECOND)  /* a session that has been idle for so long can make room */
#define ROOM_WAIT (50 * MILLISECOND) /* for it to have ended at both ends, or for another one to */
#define ROOM_DEADLINE SECOND

/* A race's ways round. */
struct relays {
    struct node_id id[RELAYS_PER_NODE_MAX];
    size_t count, dialled, open;
    struct tag handle;
    char share[NAME_MAX_BYTES + 1]; /* whose it is */
    bool or_node;                   /* the node's own handle is to be tried besides */
    bool crowded;                   /* room is to be made */
    bool made;                      /* it was */
    uint64_t room_by;               /* so long it is waited for; 0: it was not needed yet */
    struct timer timer;
    struct fault why; /* that said most */
};

struct race {
    struct race *next;
    struct core *core;
    struct peer *peer;
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX]; /* its own */
    size_t count, dialled;
    size_t open; /* runners, of both kinds */
    struct relays relays;
    bool plain;
    struct timer timer;
    uint64_t began, deadline;
    race_done *done;
    void *arg;
};

bool endpoint_usable(struct core *core, const struct node_id *peer, const struct endpoint *e)
{
    struct node_id relay;
    if (e->transport != TRANSPORT_RELAY)
        return e->scope == 0 || core->port->in_scope(core->port->self, e->scope);
    return endpoint_relay(e->text, &relay) == 0 && !id_equal(&relay, peer) && !id_equal(&relay, &core->config.identity->id);
}

size_t endpoints_usable(struct core *core, const struct record *record, struct endpoint *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < record->endpoint_count && n < max; i++)
        if (record->endpoint[i].transport != TRANSPORT_RELAY && endpoint_usable(core, &record->id, &record->endpoint[i]))
            out[n++] = record->endpoint[i];
    return n;
}

/* ---- the end */

static void race_drop(struct race *race)
{
    struct core *core = race->core;
    core_cancel(core, &race->timer);
    core_cancel(core, &race->relays.timer);
    struct race **at = &core->races;
    while (*at != race)
        at = &(*at)->next;
    *at = race->next;
    struct link *l = race->peer->links;
    while (l) { /* runners that lost */
        struct link *next = l->same_peer;
        if (l->race == race) {
            link_drop(l);
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
    struct fault why = race->relays.why;
    if (winner)
        winner->race = NULL;
    race_drop(race);
    if (done)
        done(arg, winner, winner ? NULL : &why);
    if (peer)
        reach_dial_failed(core, peer);
}

/* Has it nothing left to wait for? */
static bool is_over(const struct race *race)
{
    return race->open == 0 && race->dialled == race->count && race->relays.dialled == race->relays.count;
}

/* Then it ends in a turn. */
static void race_look(struct race *race)
{
    if (is_over(race))
        core_timer(race->core, &race->timer, 0);
}

/* ---- its own endpoints */

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
    if (is_over(race) || core_now(race->core) >= race->deadline) {
        race_end(race, NULL);
        return;
    }
    uint64_t now = core_now(race->core);
    core_timer(race->core, &race->timer, race->dialled < race->count ? stagger(race) : race->deadline - now);
}

/* ---- relays */

static void use_handle(struct race *race, const char *share)
{
    race->relays.handle = handle_of(&race->peer->id, share);
    snprintf(race->relays.share, sizeof race->relays.share, "%s", share);
}

/* Does this reason tell more than that somebody cannot be reached? */
static bool says_more(const struct fault *why)
{
    return why->code != ERR_OK && why->code != ERR_UNREACHABLE && why->code != ERR_TIMEOUT;
}

void race_refused(struct race *race, const struct fault *why)
{
    if (!says_more(&race->relays.why))
        race->relays.why = *why;
}

static void begin_session(struct race *race, const struct node_id *relay)
{
    struct core *core = race->core;
    struct link *link = link_new(core, ++core->next_link, race->peer, race->peer->trusted);
    if (!link)
        return;
    link->relayed = true;
    link->handle = race->relays.handle;
    memcpy(link->share, race->relays.share, sizeof link->share);
    endpoint_set_relay(&link->endpoint, relay);
    int err = session_open(link, relay, &link->handle);
    if (err) {
        struct fault why;
        fault_set(&why, err, "no session through a relay can be begun: %s", err_text(err));
        race_refused(race, &why);
        link_free(link);
        return;
    }
    link->race = race;
    race->open++;
    race->relays.open++;
}

static void start_over(struct race *race, uint64_t wait)
{
    race->relays.dialled = 0;
    core_timer(race->core, &race->relays.timer, wait);
}

/* Ends a session at each relay that can do without. */
static bool make_room(struct race *race)
{
    bool any = false;
    for (size_t i = 0; i < race->relays.count; i++) {
        struct link *link = link_resting(race->core, &race->relays.id[i], RESTING);
        if (link)
            link_close(link, BYE_DUPLICATE);
        any = any || link;
    }
    return any;
}

static bool wants_room(struct relays *r, uint64_t now)
{
    if (r->room_by == 0)
        r->room_by = now + ROOM_DEADLINE;
    return now + ROOM_WAIT <= r->room_by;
}

/* All relays have said no to the handle. */
static void relays_said_no(struct race *race)
{
    struct relays *r = &race->relays;
    struct core *core = race->core;
    uint64_t now = core_now(core), end = race->began + RELAYS_SAID_NO;
    if (r->or_node && r->why.code == ERR_NOT_FOUND) {
        r->or_node = false;
        use_handle(race, "");
        start_over(race, 0);
        return;
    }
    if (r->why.code == ERR_FULL && wants_room(r, now)) {
        r->crowded = true;
        start_over(race, 0);
        return;
    }
    race->deadline = end < race->deadline ? end : race->deadline;
    if (race->dialled == race->count)
        core_timer(core, &race->timer, race->deadline > now ? race->deadline - now : 0);
    race_look(race);
}

static void clear_out(struct race *race)
{
    struct relays *r = &race->relays;
    r->crowded = false;
    r->made = r->made || make_room(race);
    start_over(race, ROOM_WAIT);
}

/* Begins the next session, unless there is by now what it would be good for. */
static void relays_tick(void *arg)
{
    struct race *race = arg;
    struct relays *r = &race->relays;
    struct link *link = link_for(race->core, race->peer, &r->handle);
    if (link) {
        race_end(race, link);
        return;
    }
    if (r->crowded) {
        clear_out(race);
        return;
    }
    if (r->dialled == 0)
        r->why = (struct fault){.code = ERR_OK};
    begin_session(race, &r->id[r->dialled++]);
    if (r->dialled < r->count)
        core_timer(race->core, &r->timer, RELAY_STAGGER);
    else if (r->open == 0)
        relays_said_no(race);
}

void race_use(struct core *core, void *arg, const char *share, bool or_node)
{
    for (struct race *race = core->races; race; race = race->next)
        if (race->arg == arg) {
            use_handle(race, share);
            race->relays.or_node = or_node;
        }
}

/* ---- races */

void race_won(struct race *race, struct link *link)
{
    race->open--;
    if (link->relayed && race->dialled > 0)
        peer_is_shut(race->core, race->peer);
    race_end(race, link);
}

void race_lost_runner(struct race *race, bool relayed)
{
    race->open--;
    race->relays.open -= relayed;
    if (relayed && race->relays.open == 0 && race->relays.dialled == race->relays.count)
        relays_said_no(race);
    else
        race_look(race);
}

static bool is_connected(struct core *core, const struct node_id *id)
{
    const struct peer *peer = peers_find(core->peers, id);
    return peer && peer->connected > 0;
}

/* Its own endpoints in their order, and the relays: first those that need not be dialled themselves. */
static void race_sort(struct race *race, const struct endpoint *endpoints, size_t count)
{
    struct relays *r = &race->relays;
    struct node_id relay;
    for (size_t i = 0; i < count && race->count < PIPE_ENDPOINTS_MAX; i++)
        if (endpoints[i].transport != TRANSPORT_RELAY)
            race->endpoint[race->count++] = endpoints[i];
    for (int connected = 1; connected >= 0; connected--)
        for (size_t i = 0; i < count && r->count < RELAYS_PER_NODE_MAX; i++)
            if (endpoints[i].transport == TRANSPORT_RELAY && endpoint_relay(endpoints[i].text, &relay) == 0 &&
                is_connected(race->core, &relay) == (connected == 1))
                r->id[r->count++] = relay;
}

/* Behind its own endpoints, but before ws; beside them when they did not answer lately. */
static uint64_t relays_wait(const struct race *race)
{
    uint64_t before = 0;
    if (race->began < race->peer->shut_until)
        return 0;
    for (size_t i = 0; i < race->count; i++)
        before += race->endpoint[i].transport != TRANSPORT_WS;
    return before > 0 ? (before - 1) * DIAL_STAGGER + RELAY_AFTER : 0;
}

int race_start(struct core *core, struct peer *peer, const struct endpoint *endpoints, size_t count, bool plain,
               race_done *done, void *arg)
{
    struct race *race = calloc(1, sizeof *race);
    if (!race)
        return ERR_NOMEM;
    race->core = core;
    race->peer = peer;
    race_sort(race, endpoints, count);
    use_handle(race, "");
    race->plain = plain;
    race->done = done;
    race->arg = arg;
    race->began = core_now(core);
    race->deadline = race->began + LINK_HELLO_DEADLINE;
    timer_init(&race->timer, race_tick, race);
    timer_init(&race->relays.timer, relays_tick, race);
    race->next = core->races;
    core->races = race;
    peer->busy++;
    if (plain)
        peer->dialling = true;
    core_timer(core, &race->timer, 0);
    if (race->relays.count > 0)
        core_timer(core, &race->relays.timer, relays_wait(race));
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

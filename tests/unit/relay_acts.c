/* See relay_acts.h. */
#include "relay_acts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- books */

static void turn_is_right(const struct relay_line *line)
{
    struct relay_end *const *last = &line->turn;
    for (const struct relay_end *end = line->turn; end; end = end->after) {
        assert_true(end->in_turn);
        assert_ptr_equal(end->line, line);
        last = &end->after;
    }
    assert_ptr_equal(line->turn_last, last);
    assert_true(line->next_count <= RELAY_NEXTS_MAX);
    if (line->turn && line->next_count > 0)
        assert_int_not_equal(line->timer.slot, TIMER_IDLE); /* who could be told something is, in time */
}

static bool is_in_turn(const struct relay_end *end)
{
    const struct relay_end *e = end->line->turn;
    while (e && e != end)
        e = e->after;
    return e != NULL;
}

static void end_is_right(const struct relay_session *s, size_t which)
{
    const struct relay_end *end = &s->end[which], *other = &s->end[1 - which];
    assert_ptr_equal(end->session, s);
    assert_ptr_equal(relay_other(end), other);
    if (!end->line)
        return;
    assert_int_equal(end->in_turn, is_in_turn(end));
    assert_true(end->in_turn || end->waiting.count == 0);
    assert_true(end->came <= end->allowed);
    assert_true(end->passed <= other->came && other->came - end->passed <= RELAY_WINDOW);
    assert_true(end->allowed <= other->granted && end->allowed <= other->passed + RELAY_WINDOW);
    assert_int_equal(end->closing, s->state.now == RELAY_ENDING);
    assert_true(end->waiting.cap <= BACKLOG_MAX);
}

static void session_is_right(struct relay_node *n, const struct relay_session *s)
{
    bool pending = s->state.now == RELAY_WANTED || s->state.now == RELAY_ASKED;
    assert_ptr_equal(relay_session_find(node_relay(n), s->number), s);
    assert_int_equal(pending, s->request != 0);
    assert_true(s->end[END_USER].line || s->end[END_HOLDER].line);
    assert_int_not_equal(s->timer.slot, TIMER_IDLE);
    for (size_t i = 0; i < END_COUNT; i++)
        end_is_right(s, i);
}

static void client_is_right(const struct relay *relay, const struct relay_client *c)
{
    unsigned sessions = 0, strangers = 0, offers = 0;
    for (const struct relay_session *s = relay->sessions; s; s = s->next)
        for (size_t i = 0; i < END_COUNT; i++)
            if (s->end[i].line && s->end[i].line->client == c) {
                sessions++;
                strangers += i == END_HOLDER && s->strange;
            }
    for (const struct relay_offer *o = c->offers; o; o = o->next, offers++)
        assert_true(!o->next || strcmp(o->name, o->next->name) < 0);
    for (const struct relay_line *line = c->lines; line; line = line->next)
        turn_is_right(line);
    assert_int_equal(c->sessions, sessions);
    assert_int_equal(c->strangers, strangers);
    assert_int_equal(c->offer_count, offers);
    assert_true(c->until || offers == 0);
    assert_true(c->lines || c->until || c->bridges + c->charged > 0);
    assert_int_equal(c->until != 0, c->lapse.slot != TIMER_IDLE);
}

void relay_books_are_right(struct relay_node *n)
{
    const struct relay *relay = node_relay(n);
    unsigned sessions = 0, strange = 0, offers = 0, reservations = 0, bridges = 0, charged = 0;
    for (const struct relay_session *s = relay->sessions; s; s = s->next) {
        session_is_right(n, s);
        sessions++;
        strange += s->strange;
    }
    for (size_t i = 0; i < relay->client_count; i++) {
        const struct relay_client *c = relay->client[i];
        assert_true(i == 0 || id_compare(&relay->client[i - 1]->peer->id, &c->peer->id) < 0);
        client_is_right(relay, c);
        offers += c->offer_count;
        reservations += c->until != 0;
        bridges += c->bridges;
        charged += c->charged;
    }
    assert_int_equal(relay->session_count, sessions);
    assert_int_equal(relay->strange_count, strange);
    assert_int_equal(relay->offers, offers);
    assert_int_equal(relay->reservations, reservations);
    assert_int_equal(relay->bridge_count, node_bridges(n));
    assert_int_equal(relay->bridge_count, bridges);
    assert_int_equal(relay->bridge_count, charged);
}

/* ---- acts */

#define PEOPLE 4
#define SESSIONS 4 /* that each may have */

struct acts {
    struct relay_node *n;
    size_t who[PEOPLE];
    size_t joined;
    bool full[PEOPLE], stopped;
    const uint8_t *bytes;
    size_t left;
};

static uint8_t byte(struct acts *a)
{
    if (a->left == 0)
        return 0;
    a->left--;
    return *a->bytes++;
}

static uint64_t some_credit(struct acts *a)
{
    const uint64_t credits[] = {0, 1, RELAY_WINDOW, RELAY_WINDOW + 5000, 20 * RELAY_WINDOW, INT64_MAX};
    return credits[byte(a) % (sizeof credits / sizeof *credits)];
}

/* One that there is, if there is any. */
static const struct relay_session *some_session(struct acts *a)
{
    const struct relay_session *s = node_relay(a->n)->sessions;
    for (unsigned i = byte(a) % 8; s && s->next && i > 0; i--)
        s = s->next;
    return s;
}

/* Who is at that end, if anybody is. */
static size_t person_at(const struct acts *a, const struct relay_end *end, size_t fallback)
{
    for (size_t i = 0; i < PEOPLE; i++)
        if (end->line && id_equal(&end->line->client->peer->id, node_id_of(a->n, a->who[i])))
            return i;
    return fallback;
}

static const char *some_name(struct acts *a)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", ""};
    return names[byte(a) % 6];
}

static void join(struct acts *a, size_t i)
{
    char name[8];
    if (a->stopped || a->joined + 1 >= NODE_CLIENTS_MAX)
        return;
    snprintf(name, sizeof name, "p-%zu", i);
    a->who[i] = a->joined < PEOPLE ? node_join(a->n, name, i > 0) : node_join_again(a->n, a->who[i]);
    a->full[i] = false;
    a->joined++;
}

static void say_reserve(struct acts *a, size_t client)
{
    struct msg *m = node_msg(a->n, MSG_RESERVE, 1);
    m->reserve = (struct msg_reserve){.pipe = pipe_owned(node_self(a->n), "relay")};
    m->reserve.life_s = byte(a) * 2;
    m->reserve.sessions = byte(a) % 6;
    node_say(a->n, client, m);
}

static void say_offer(struct acts *a, size_t client)
{
    struct msg *m = node_msg(a->n, MSG_OFFER, 2);
    uint8_t how = byte(a);
    const char *name = some_name(a);
    snprintf(m->offer.name, sizeof m->offer.name, "%s", *name ? name : "f");
    m->offer.withdrawn = how % 4 == 0;
    m->offer.is_public = how & 8;
    m->offer.audience_count = m->offer.is_public ? 0 : how >> 4 & 3;
    for (size_t i = 0; i < m->offer.audience_count; i++)
        m->offer.audience[i] = *node_id_of(a->n, a->who[byte(a) % PEOPLE]);
    node_say(a->n, client, m);
}

static void say_handles(struct acts *a, size_t client)
{
    struct msg *m = node_msg(a->n, MSG_HANDLES, 3);
    m->handles.pipe = pipe_owned(node_self(a->n), "relay");
    m->handles.after_holder.b[0] = byte(a);
    strcpy(m->handles.after_name, some_name(a));
    node_say(a->n, client, m);
}

static void say_use(struct acts *a, size_t client)
{
    struct msg *m = node_msg(a->n, MSG_USE, 4);
    m->use.pipe = pipe_owned(node_self(a->n), "relay");
    m->use.holder = *node_id_of(a->n, a->who[byte(a) % PEOPLE]);
    m->use.handle = handle_of(&m->use.holder, some_name(a));
    m->use.credit = some_credit(a);
    node_say(a->n, client, m);
}

/* Mostly by one of its ends. */
static uint64_t session_for(struct acts *a, size_t *person, size_t which)
{
    const struct relay_session *s = some_session(a);
    uint8_t how = byte(a);
    if (s && how >= 16)
        *person = person_at(a, &s->end[which], *person);
    return s && how >= 8 ? s->number : 1u + how;
}

static void say_part(struct acts *a, size_t person, enum part_kind kind, size_t which)
{
    static const uint8_t piece[RELAY_PART_MAX];
    const uint16_t lengths[] = {0, 16, 17, 300, 5000, RELAY_PART_MAX};
    struct msg *m = node_msg(a->n, MSG_NEXT, 5);
    m->part = (struct relay_part){.kind = kind, .session = session_for(a, &person, which)};
    if (kind != PART_CLOSE)
        m->part.credit = some_credit(a);
    if (kind == PART_DATA) {
        m->part.bytes = piece;
        m->part.len = lengths[byte(a) % 6];
    } else if (kind == PART_CLOSE) {
        m->part.code = (enum err)(byte(a) % ERR_COUNT);
        memset(m->part.text, 'x', byte(a) % ERROR_TEXT_MAX);
    }
    node_say(a->n, a->who[person], m);
}

static void say_bridge(struct acts *a, size_t person, size_t which)
{
    struct msg *m = node_msg(a->n, MSG_BRIDGE, 6);
    m->bridge = (struct msg_bridge){.session = session_for(a, &person, which), .streams = 1};
    node_say(a->n, a->who[person], m);
}

static void move_bytes(struct acts *a)
{
    if (node_bridges(a->n) == 0)
        return;
    size_t i = byte(a) % node_bridges(a->n);
    node_bridge(a->n, i)->moved += byte(a) * 100;
    if (byte(a) % 2)
        node_bridge_ends(a->n, i);
}

enum act {
    RESERVES,
    OFFERS,
    LOOKS,
    USES,
    ASKS,
    ASKS_MUCH,
    ACCEPTS,
    SENDS,
    CLOSES,
    BRIDGES,
    MOVES,
    LEAVES,
    IS_FULL,
    TIME,
    TRUST,
    STOPS
};

/* How often each is done. */
static const enum act acts[] = {RESERVES, RESERVES, OFFERS,  OFFERS,  USES,    USES,    USES,     USES,    ASKS,  ASKS,
                                ASKS,     ASKS,     ACCEPTS, ACCEPTS, ACCEPTS, ACCEPTS, ACCEPTS,  SENDS,   SENDS, SENDS,
                                SENDS,    SENDS,    SENDS,   SENDS,   SENDS,   CLOSES,  BRIDGES,  BRIDGES, MOVES, IS_FULL,
                                TIME,     TIME,     LOOKS,   LEAVES,  TRUST,   STOPS,   ASKS_MUCH};

static void act(struct acts *a, enum act what, size_t i)
{
    size_t client = a->who[i], which = what == ACCEPTS ? END_HOLDER : byte(a) % END_COUNT;
    struct peer *peer = node_peer(a->n, client);
    switch (what) {
    case RESERVES: say_reserve(a, client); break;
    case OFFERS: say_offer(a, client); break;
    case LOOKS: say_handles(a, client); break;
    case USES: say_use(a, client); break;
    case ASKS: node_next(a->n, client); break;
    case ASKS_MUCH: node_nexts(a->n, client, byte(a) % 64); break;
    case ACCEPTS: say_part(a, i, PART_ACCEPT, which); break;
    case SENDS: say_part(a, i, PART_DATA, which); break;
    case CLOSES: say_part(a, i, PART_CLOSE, which); break;
    case BRIDGES: say_bridge(a, i, which); break;
    case MOVES: move_bytes(a); break;
    case LEAVES: node_lose(a->n, client); break;
    case IS_FULL: node_stuff(a->n, client, a->full[i] = !a->full[i]); break;
    case TIME: node_wait(a->n, MILLISECOND << byte(a) % 16); break;
    case TRUST: peer->trusted = i > 0 && !peer->trusted; break;
    case STOPS: a->stopped |= byte(a) == 7; break;
    }
}

static void hear_all(struct acts *a)
{
    for (size_t i = 0; i < PEOPLE; i++)
        while (node_hear(a->n, a->who[i]))
            ;
}

void relay_acts(const uint8_t *bytes, size_t n)
{
    const struct relay_quota quota = {.sessions = SESSIONS, .bytes = 100000, .rate = 1000};
    struct acts a = {.n = node_new(&quota), .bytes = bytes, .left = n};
    for (size_t i = 0; i < PEOPLE; i++)
        join(&a, i);
    while (a.left > 0) {
        uint8_t what = byte(&a), i = byte(&a) % PEOPLE;
        bool stopped = a.stopped;
        if (node_parted(a.n, a.who[i]))
            join(&a, i);
        if (!node_parted(a.n, a.who[i]))
            act(&a, acts[what % (sizeof acts / sizeof *acts)], i);
        if (a.stopped && !stopped)
            core_stop(node_core(a.n));
        relay_books_are_right(a.n);
        hear_all(&a);
    }
    if (a.stopped) {
        node_wait(a.n, RELAY_DRAIN + SECOND);
        assert_true(relay_idle(node_core(a.n)));
    }
    node_free(a.n);
}

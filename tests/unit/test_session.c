/* What flows in a relayed session, and the NEXTs that it travels in: two ends by hand, with the test in the relay's place. How
 * sessions begin and what becomes of links: tests/sim/test_hostile_relays.c. */
#include "reservation_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- one end: a core whose port only remembers */

#define SAID_MAX 512

struct end {
    struct identity identity;
    struct port port;
    struct timers timers;
    uint64_t now, randoms;
    struct core *core;
    struct link *link; /* to the relay */
    struct carrier *carrier;
    struct session *session;
    struct said {
        uint64_t request;
        struct relay_part part; /* without its bytes */
    } said[SAID_MAX];
    size_t count;
    unsigned hangups, warnings;
};

static uint64_t port_now(void *self)
{
    return ((struct end *)self)->now;
}

static void port_random(void *self, void *buf, size_t n)
{
    memset(buf, (int)(++((struct end *)self)->randoms & 0xff), n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct end *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct end *)self)->timers, t);
}

static int port_send(void *self, link_no link, const void *bytes, size_t n)
{
    struct end *e = self;
    struct msg *m = malloc(sizeof *m);
    assert_non_null(m);
    assert_int_equal(msg_decode(bytes, n, m), 0);
    if (link == e->link->no && m->type == MSG_NEXT) {
        assert_true(e->count < SAID_MAX);
        e->said[e->count++] = (struct said){.request = m->request, .part = m->part};
    }
    free(m);
    return 0;
}

static void port_hangup(void *self, link_no link)
{
    (void)link;
    ((struct end *)self)->hangups++;
}

static void port_reply(void *self, uint64_t client, const struct row *row)
{
    ((struct end *)self)->warnings += client == 0 && strcmp(row_kind(row), "warning") == 0;
}

static void end_new(struct end *e, uint8_t seed)
{
    struct core_config config = {.identity = &e->identity, .name = "end", .incarnation = 1};
    uint8_t seeds[SEED_BYTES];
    memset(e, 0, sizeof *e);
    memset(seeds, seed, sizeof seeds);
    identity_from_seed(seeds, &e->identity);
    timers_init(&e->timers);
    e->now = SECOND;
    e->port = (struct port){.self = e,
                            .now = port_now,
                            .random = port_random,
                            .timer_set = port_timer_set,
                            .timer_cancel = port_timer_cancel,
                            .send = port_send,
                            .hangup = port_hangup,
                            .reply = port_reply};
    assert_int_equal(core_new(&config, &e->port, &e->core), 0);
}

static void end_free(struct end *e)
{
    core_free(e->core);
    timers_fini(&e->timers);
}

/* A carrier with a link that is up, to a relay of the same key for all ends. */
static void end_carrier(struct end *e)
{
    struct identity relay;
    uint8_t seed[SEED_BYTES] = {9};
    identity_from_seed(seed, &relay);
    e->carrier = carrier_get(e->core, &relay.id);
    assert_non_null(e->carrier);
    e->link = link_new(e->core, ++e->core->next_link, e->carrier->peer, true);
    assert_non_null(e->link);
    state_move(&e->link->state, LINK_UP, NULL);
    e->carrier->link = e->link;
}

static void turn(struct end *e)
{
    timers_run(&e->timers, e->now);
}

/* ---- a pair: a session that is open at both ends */

struct pair {
    struct end a, b;
};

/* Another session at the same two ends, open too. */
static void open_session(struct pair *p, uint64_t number, struct session **sa, struct session **sb)
{
    struct tag handle = handle_of(&p->b.identity.id, "");
    struct noise_purpose purpose = {.prologue = "test", .prologue_n = 4};
    struct session *a = *sa = session_new(p->a.carrier, &handle, false);
    struct session *b = *sb = session_new(p->b.carrier, &handle, true);
    uint8_t first[NOISE_FIRST_BYTES];
    memset(purpose.ephemeral, (int)number, sizeof purpose.ephemeral);
    assert_int_equal(noise_start(&a->noise, &p->a.identity, p->b.identity.curve_public, &purpose, first), 0);
    memset(purpose.ephemeral, (int)number + 100, sizeof purpose.ephemeral);
    assert_int_equal(noise_accept(&b->noise, &p->b.identity, &purpose, first, b->curve, b->second), 0);
    assert_int_equal(noise_finish(&a->noise, &p->a.identity, b->second), 0);
    state_move(&a->state, SESSION_ASKING, NULL);
    state_move(&a->state, SESSION_OPEN, NULL);
    state_move(&b->state, SESSION_PROVING, NULL);
    state_move(&b->state, SESSION_OPEN, NULL);
    a->number = b->number = number;
    a->out.limit = b->out.limit = RELAY_WINDOW;
}

static struct pair *pair_new(void)
{
    struct pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    end_new(&p->a, 1);
    end_new(&p->b, 2);
    end_carrier(&p->a);
    end_carrier(&p->b);
    open_session(p, 1, &p->a.session, &p->b.session);
    return p;
}

static void pair_free(struct pair *p)
{
    end_free(&p->a);
    end_free(&p->b);
    free(p);
}

/* A part as the relay holds it. */
struct held {
    struct relay_part part;
    uint8_t bytes[RELAY_PART_MAX];
};

/* The next part that a session says; false: none. */
static bool take(struct session *s, struct held *h)
{
    if (!session_part(s, &h->part))
        return false;
    memcpy(h->bytes, h->part.bytes ? h->part.bytes : h->bytes, h->part.len);
    h->part.bytes = h->bytes;
    session_said(s, &h->part);
    return true;
}

/* The parts that a message makes, in order. */
static size_t parts_of(struct session *s, const void *bytes, size_t n, struct held *h, size_t max)
{
    size_t count = 0;
    assert_int_equal(session_queue(s, bytes, n), 0);
    while (count < max && take(s, &h[count]))
        count++;
    return count;
}

/* Says parts of `from` to `to` until there are no more, with the credit that comes back. */
static void pass(struct session *from, struct session *to)
{
    struct held *h = malloc(sizeof *h);
    assert_non_null(h);
    while (take(from, h)) {
        session_data(to, &h->part);
        assert_true(from->out.sent <= to->in.told); /* never more than was granted */
        while (take(to, h))
            session_data(from, &h->part);
    }
    free(h);
}

/* The message that waits at an end, which the link takes now. */
static void assert_message(struct session *s, const void *bytes, size_t n)
{
    struct note *note = notes_pop(&s->in.whole);
    assert_non_null(note);
    assert_int_equal(note->n, n);
    assert_memory_equal(note->bytes, bytes, n);
    free(note);
}

static uint8_t *pattern(size_t n, uint8_t seed)
{
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251 + seed);
    return bytes;
}

/* ---- messages */

static void relay_7_messages_of_any_size_arrive_whole_both_ways(void **state)
{
    static const size_t sizes[] = {1, 2, 16366, 16367, 16368, 32734, 32735, 65535, 65536, 3};
    (void)state;
    struct pair *p = pair_new();
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i / 2];
        struct session *from = i % 2 ? p->b.session : p->a.session, *to = i % 2 ? p->a.session : p->b.session;
        uint8_t *bytes = pattern(n, (uint8_t)i);
        assert_int_equal(session_queue(from, bytes, n), 0);
        pass(from, to);
        assert_message(to, bytes, n);
        free(bytes);
    }
    pair_free(p);
}

static void relay_7_messages_keep_their_order(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(session_queue(p->a.session, &i, 1), 0);
    pass(p->a.session, p->b.session);
    for (uint8_t i = 0; i < 100; i++)
        assert_message(p->b.session, &i, 1);
    pair_free(p);
}

static void relay_7_credit_bounds_what_is_in_flight(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct held *h = calloc(4, sizeof *h);
    uint8_t *bytes = pattern(MSG_BYTES_MAX, 0);
    assert_int_equal(parts_of(p->a.session, bytes, MSG_BYTES_MAX, h, 4), 1); /* two whole pieces are more than the window */
    assert_int_equal(h[0].part.len, RELAY_PART_MAX);
    assert_true(p->a.session->out.sent <= RELAY_WINDOW);
    session_data(p->b.session, &h[0].part);
    assert_true(take(p->b.session, &h[1])); /* credit alone */
    assert_int_equal(h[1].part.len, 0);
    session_data(p->a.session, &h[1].part);
    assert_true(take(p->a.session, &h[2]));
    free(bytes);
    free(h);
    pair_free(p);
}

/* Whole messages that the link has not taken yet count: their memory is bounded too. */
static void relay_7_a_link_that_takes_nothing_gets_no_more(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    uint8_t *bytes = pattern(8000, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(session_queue(p->a.session, bytes, 8000), 0);
    pass(p->a.session, p->b.session);
    assert_true(p->b.session->in.whole.bytes <= RELAY_WINDOW);
    assert_true(p->a.session->out.sealed.bytes > 0);
    for (unsigned i = 0; i < 100; i++) {
        struct held *h = calloc(1, sizeof *h);
        assert_message(p->b.session, bytes, 8000);
        if (take(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
        pass(p->a.session, p->b.session);
    }
    assert_null(p->b.session->in.whole.first);
    free(bytes);
    pair_free(p);
}

static void s26_the_queue_of_a_session_is_bounded(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    uint8_t *bytes = pattern(MSG_BYTES_MAX, 0);
    unsigned taken = 0;
    while (session_queue(p->a.session, bytes, MSG_BYTES_MAX) == 0)
        taken++;
    assert_true(taken >= 14 && p->a.session->out.sealed.bytes <= SESSION_QUEUE_BYTES);
    assert_int_equal(session_queue(p->a.session, bytes, MSG_BYTES_MAX), ERR_FULL);
    for (unsigned i = 0; i < taken; i++) { /* what was refused has left nothing behind */
        pass(p->a.session, p->b.session);
        assert_message(p->b.session, bytes, MSG_BYTES_MAX);
        struct held *h = calloc(1, sizeof *h);
        if (take(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
    }
    assert_null(p->b.session->in.whole.first);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN);
    free(bytes);
    pair_free(p);
}

/* ---- what a relay can do to what it carries */

static void assert_broken(const struct session *s)
{
    struct relay_part part;
    assert_int_equal(s->state.now, SESSION_ENDED);
    assert_int_equal(s->fault.code, ERR_VERIFY);
    assert_non_null(strstr(s->fault.text, "did not carry"));
    assert_true(session_part((struct session *)s, &part)); /* and the other side is told */
    assert_int_equal(part.kind, PART_CLOSE);
    assert_int_equal(part.code, ERR_VERIFY);
}

static void p42_each_changed_byte_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 + 1 + NOISE_TAG_BYTES; i++) {
        struct pair *p = pair_new();
        struct held *h = calloc(1, sizeof *h);
        assert_int_equal(parts_of(p->a.session, "ping", 4, h, 1), 1);
        h->bytes[i] ^= 0x10;
        session_data(p->b.session, &h->part);
        assert_broken(p->b.session);
        free(h);
        pair_free(p);
    }
}

static void p42_each_length_but_the_true_one_is_found(void **state)
{
    (void)state;
    for (uint16_t n = 1; n < 40; n++) {
        struct pair *p = pair_new();
        struct held *h = calloc(1, sizeof *h);
        assert_int_equal(parts_of(p->a.session, "ping", 4, h, 1), 1);
        bool is_true = h->part.len == n;
        h->part.len = n;
        session_data(p->b.session, &h->part);
        if (is_true)
            assert_int_equal(p->b.session->state.now, SESSION_OPEN);
        else
            assert_broken(p->b.session);
        free(h);
        pair_free(p);
    }
}

static void three_parts(struct pair *p, struct held *h)
{
    assert_int_equal(parts_of(p->a.session, "one", 3, &h[0], 1), 1);
    assert_int_equal(parts_of(p->a.session, "two", 3, &h[1], 1), 1);
    assert_int_equal(parts_of(p->a.session, "three", 5, &h[2], 1), 1);
}

/* Each order of parts in which the relay may hand them on, but the true one: numbers of parts of which the last breaks it. */
static void p42_dropped_repeated_and_reordered_parts_are_found(void **state)
{
    static const int orders[][3] = {{1, -1}, {2, -1}, {0, 0, -1}, {0, 2, -1}, {0, 1, 1}, {0, 1, 0}};
    (void)state;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        struct pair *p = pair_new();
        struct held *h = calloc(3, sizeof *h);
        three_parts(p, h);
        for (size_t i = 0; i < 3 && orders[k][i] >= 0; i++) {
            assert_int_equal(p->b.session->state.now, SESSION_OPEN);
            session_data(p->b.session, &h[orders[k][i]].part);
        }
        assert_broken(p->b.session);
        free(h);
        pair_free(p);
    }
}

static void p42_parts_of_another_session_are_found(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct session *a2, *b2;
    struct held *h = calloc(1, sizeof *h);
    open_session(p, 2, &a2, &b2);
    assert_int_equal(parts_of(a2, "two", 3, h, 1), 1);
    session_data(p->b.session, &h->part);
    assert_broken(p->b.session);
    assert_int_equal(p->b.warnings, 0);            /* nor can a stranger make us speak ill of one */
    assert_int_equal(b2->state.now, SESSION_OPEN); /* whose own bytes still come */
    session_data(b2, &h->part);
    assert_message(b2, "two", 3);
    free(h);
    pair_free(p);
}

/* What one side said comes back to it, as if the other had said it. */
static void p42_parts_sent_back_are_found(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct held *h = calloc(1, sizeof *h);
    assert_int_equal(parts_of(p->a.session, "one", 3, h, 1), 1);
    session_data(p->a.session, &h->part);
    assert_broken(p->a.session);
    assert_int_equal(p->a.warnings, 1); /* whoever runs the node should know of such a relay */
    free(h);
    pair_free(p);
}

static void s20_messages_before_the_break_are_kept_and_none_after(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct held *h = calloc(3, sizeof *h);
    three_parts(p, h);
    session_data(p->b.session, &h[0].part);
    session_data(p->b.session, &h[2].part);
    assert_broken(p->b.session);
    session_data(p->b.session, &h[1].part);
    assert_message(p->b.session, "one", 3);
    assert_null(p->b.session->in.whole.first);
    free(h);
    pair_free(p);
}

/* ---- credit that lies */

static void p42_more_than_was_granted_ends_the_session(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct held *h = calloc(1, sizeof *h);
    uint8_t *bytes = pattern(10000, 0);
    for (unsigned i = 0; i < 3; i++) {
        p->a.session->out.limit = INT64_MAX; /* this side believes whatever the relay says */
        assert_int_equal(parts_of(p->a.session, bytes, 10000, h, 1), 1);
        session_data(p->b.session, &h->part);
    }
    assert_int_equal(p->b.session->state.now, SESSION_ENDED);
    assert_int_equal(p->b.session->fault.code, ERR_LIMIT);
    free(bytes);
    free(h);
    pair_free(p);
}

static void p42_credit_beyond_a_window_is_not_believed(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct relay_part part = {.kind = PART_DATA, .session = 1, .credit = INT64_MAX};
    session_data(p->a.session, &part);
    assert_int_equal(p->a.session->out.limit, RELAY_WINDOW);
    part.credit = 5; /* nor is granted credit taken back */
    session_data(p->a.session, &part);
    assert_int_equal(p->a.session->out.limit, RELAY_WINDOW);
    pair_free(p);
}

/* ---- what the node at the other end can do: it seals what is no piece */

static void say_sealed(struct pair *p, const void *plain, size_t n)
{
    struct held *h = calloc(1, sizeof *h);
    assert_non_null(h);
    assert_int_equal(noise_seal(&p->a.session->noise, plain, n, h->bytes), 0);
    h->part = (struct relay_part){.kind = PART_DATA, .session = 1, .len = (uint16_t)(n + NOISE_TAG_BYTES), .bytes = h->bytes};
    session_data(p->b.session, &h->part);
    free(h);
}

static void s8_what_is_no_piece_ends_the_session(void **state)
{
    static const char *const wrong[] = {"", "\2a", "\377", "a"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pair *p = pair_new();
        say_sealed(p, wrong[i], strlen(wrong[i]));
        assert_int_equal(p->b.session->state.now, SESSION_ENDED);
        assert_int_equal(p->b.session->fault.code, ERR_MALFORMED);
        pair_free(p);
    }
}

static void s26_a_message_without_end_ends_the_session(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    uint8_t more[10001] = {1};
    unsigned pieces = 0;
    while (p->b.session->state.now == SESSION_OPEN && ++pieces < 100) {
        struct held *h = calloc(1, sizeof *h);
        say_sealed(p, more, sizeof more);
        if (p->b.session->state.now == SESSION_OPEN && take(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
    }
    assert_int_equal(pieces, MSG_BYTES_MAX / 10000 + 1);
    assert_int_equal(p->b.session->fault.code, ERR_LIMIT);
    pair_free(p);
}

static void relay_7_pings_are_no_use_of_a_session(void **state)
{
    static const uint8_t ping[] = {0x93, MSG_PING, 0, 1}, list[] = {0x95, MSG_LIST, 1};
    (void)state;
    struct pair *p = pair_new();
    p->a.now = p->b.now = 10 * SECOND;
    assert_int_equal(session_queue(p->a.session, ping, sizeof ping), 0);
    pass(p->a.session, p->b.session);
    assert_int_equal(session_idle(p->a.session), 9 * SECOND);
    assert_int_equal(session_idle(p->b.session), 9 * SECOND);
    assert_int_equal(session_queue(p->a.session, list, sizeof list), 0);
    pass(p->a.session, p->b.session);
    assert_int_equal(session_idle(p->a.session), 0);
    assert_int_equal(session_idle(p->b.session), 0);
    pair_free(p);
}

/* ---- NEXTs */

static void answer(struct end *e, uint64_t request, const struct relay_part *part)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_NEXT_OK;
    m->request = request;
    m->part = *part;
    sessions_on_next(e->link, m);
    free(m);
}

static const struct relay_part nothing = {.kind = PART_NONE};

static void relay_3_nexts_are_kept_waiting_and_asked_again(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS);
    struct relay_part credit = {.kind = PART_DATA, .session = 1, .credit = 1};
    answer(&p->a, p->a.said[2].request, &credit);
    turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 1);
    answer(&p->a, p->a.said[3].request, &nothing); /* no work: not asked again at once */
    turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 1);
    p->a.now += SECOND;
    turn(&p->a);
    turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 2);
    assert_int_equal(p->a.link->strikes, 0);
    pair_free(p);
}

static void relay_3_no_more_nexts_wait_than_the_relay_lets(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->a.carrier->nexts = 3;
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    turn(&p->a);
    assert_int_equal(p->a.count, 3);
    pair_free(p);
}

static void p42_answers_nobody_asked_for_are_strikes(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    turn(&p->a);
    answer(&p->a, 4711, &nothing);
    assert_int_equal(p->a.link->strikes, 1);
    answer(&p->a, p->a.said[0].request, &nothing);
    answer(&p->a, p->a.said[0].request, &nothing); /* the same one twice */
    assert_int_equal(p->a.link->strikes, 2);
    struct relay_part accept = {.kind = PART_ACCEPT, .session = 1};
    answer(&p->a, p->a.said[1].request, &accept); /* what only holders say */
    assert_int_equal(p->a.link->strikes, 3);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN);
    pair_free(p);
}

static void s26_few_nexts_are_out_however_much_is_to_be_said(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->a.session->out.limit = INT64_MAX;
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(session_send(p->a.session, "x", 1), 0);
    assert_int_equal(p->a.count, NEXTS_OUT_MAX);
    answer(&p->a, p->a.said[0].request, &nothing);
    turn(&p->a);
    assert_int_equal(p->a.count, NEXTS_OUT_MAX + 1);
    pair_free(p);
}

static void s46_sessions_take_turns(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct session *a2, *b2;
    open_session(p, 2, &a2, &b2);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(session_queue(p->a.session, "x", 1), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(session_queue(a2, "y", 1), 0);
    carrier_say(p->a.carrier);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(p->a.said[i].part.session, 1 + (p->a.said[0].part.session + i + 1) % 2);
    pair_free(p);
}

/* A refused NEXT ends the session whose part it carried, and is not repeated at once. */
static void p42_a_refused_part_ends_its_session(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct msg *m = calloc(1, sizeof *m);
    assert_int_equal(session_send(p->a.session, "x", 1), 0);
    *m = (struct msg){.type = MSG_ERROR, .request = p->a.said[p->a.count - 1].request, .error = {.code = ERR_NOT_FOUND}};
    strcpy(m->error.text, "no such session");
    assert_true(sessions_on_error(p->a.link, m));
    assert_false(sessions_on_error(p->a.link, m));
    assert_int_equal(p->a.session->state.now, SESSION_ENDED);
    assert_int_equal(p->a.session->fault.code, ERR_NOT_FOUND);
    size_t count = p->a.count;
    turn(&p->a);
    assert_int_equal(p->a.count, count);
    free(m);
    pair_free(p);
}

static void s31_a_lost_relay_ends_its_sessions(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sessions_link_lost(p->a.core, p->a.link);
    assert_int_equal(p->a.session->state.now, SESSION_ENDED);
    assert_int_equal(p->a.session->fault.code, ERR_UNREACHABLE);
    turn(&p->a);
    assert_null(p->a.core->relayed->sessions);
    assert_null(p->a.core->relayed->carriers); /* nothing is left of it */
    pair_free(p);
}

static void relay_7_a_relay_that_drains_is_left(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    struct relay_part drain = {.kind = PART_DRAIN};
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    turn(&p->a);
    answer(&p->a, p->a.said[0].request, &drain);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN); /* what is under way may end */
    for (unsigned i = 0; i < 3; i++) {
        p->a.now += SECOND;
        turn(&p->a);
    }
    assert_null(p->a.core->relayed->sessions);
    pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_7_messages_of_any_size_arrive_whole_both_ways),
        cmocka_unit_test(relay_7_messages_keep_their_order),
        cmocka_unit_test(relay_7_credit_bounds_what_is_in_flight),
        cmocka_unit_test(relay_7_a_link_that_takes_nothing_gets_no_more),
        cmocka_unit_test(s26_the_queue_of_a_session_is_bounded),
        cmocka_unit_test(p42_each_changed_byte_is_found),
        cmocka_unit_test(p42_each_length_but_the_true_one_is_found),
        cmocka_unit_test(p42_dropped_repeated_and_reordered_parts_are_found),
        cmocka_unit_test(p42_parts_of_another_session_are_found),
        cmocka_unit_test(p42_parts_sent_back_are_found),
        cmocka_unit_test(s20_messages_before_the_break_are_kept_and_none_after),
        cmocka_unit_test(p42_more_than_was_granted_ends_the_session),
        cmocka_unit_test(p42_credit_beyond_a_window_is_not_believed),
        cmocka_unit_test(s8_what_is_no_piece_ends_the_session),
        cmocka_unit_test(s26_a_message_without_end_ends_the_session),
        cmocka_unit_test(relay_7_pings_are_no_use_of_a_session),
        cmocka_unit_test(relay_3_nexts_are_kept_waiting_and_asked_again),
        cmocka_unit_test(relay_3_no_more_nexts_wait_than_the_relay_lets),
        cmocka_unit_test(p42_answers_nobody_asked_for_are_strikes),
        cmocka_unit_test(s26_few_nexts_are_out_however_much_is_to_be_said),
        cmocka_unit_test(s46_sessions_take_turns),
        cmocka_unit_test(p42_a_refused_part_ends_its_session),
        cmocka_unit_test(s31_a_lost_relay_ends_its_sessions),
        cmocka_unit_test(relay_7_a_relay_that_drains_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Hostile clients of a relay in the simulated world. Anna is the relay; bob offers a folder there, and carl, who cannot reach
 * him otherwise, uses it: that must go on, whatever mallory, whom anna trusts, and eve, a stranger, say to her. */
#include "hostile.h"
#include "relay_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CARL = EVE + 1, NODES };

/* ---- the world */

static void keep_alive(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct msg *m = message(0, 0);
    (void)arg;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_PING) {
        m->type = MSG_PONG;
        say(w, raw, h->link, m);
    }
    free(m);
}

static void trust(struct world *w, size_t at, size_t of)
{
    ok(w, at, request("trust", "peer", id_text(world_id(w, of)).s));
}

static struct world *relay_world(uint64_t seed)
{
    struct world *w = world_new(seed);
    world_roles(w, world_add(w, "anna"), ROLE_RELAY);
    world_add(w, "bob");
    world_add_raw(w, "mallory");
    world_add_raw(w, "eve");
    world_add(w, "carl");
    world_cut(w, BOB, CARL, true);
    for (size_t i = 0; i < NODES; i++)
        world_start(w, i);
    raw_answers(w, MALLORY, keep_alive, NULL);
    raw_answers(w, EVE, keep_alive, NULL);
    world_run(w, world_now(w) + SECOND);
    trust(w, ANNA, BOB);
    trust(w, ANNA, CARL);
    trust(w, BOB, ANNA);
    trust(w, BOB, CARL);
    struct row *r = request("share", "path", "/srv/open");
    row_text(r, "via", "anna");
    ok(w, BOB, r);
    world_run(w, world_now(w) + 2 * SECOND);
    return w;
}

static struct relay *relay_of(struct world *w)
{
    return anna(w)->relay;
}

/* Carl lists bob's folder through anna, in little time. */
static void anna_still_carries(struct world *w)
{
    uint64_t before = world_now(w);
    const struct answer *a = ok(w, CARL, request("ls", "target", "bob:open"));
    assert_int_equal(answer_count(a, "entry"), 5);
    assert_true(world_now(w) - before < SECOND);
}

static link_no greet_trusted(struct world *w)
{
    link_no link = greet(w, MALLORY);
    known(w, MALLORY)->trusted = true;
    return link;
}

/* ---- what they say */

static struct tag relay_pipe(struct world *w)
{
    return pipe_owned(world_id(w, ANNA), "relay");
}

static void reserve(struct world *w, size_t raw, link_no link)
{
    struct msg *m = message(MSG_RESERVE, 1);
    m->reserve = (struct msg_reserve){.pipe = relay_pipe(w), .life_s = RELAY_LIFE_MAX_S};
    say_new(w, raw, link, m);
    soon(w);
}

static void offer(struct world *w, size_t raw, link_no link, unsigned number)
{
    struct msg *m = message(MSG_OFFER, number + 1);
    snprintf(m->offer.name, sizeof m->offer.name, "offer-%u", number);
    m->offer.is_public = true;
    say_new(w, raw, link, m);
}

static void use(struct world *w, size_t raw, link_no link, size_t holder)
{
    struct msg *m = message(MSG_USE, 9);
    m->use = (struct msg_use){.pipe = relay_pipe(w), .holder = *world_id(w, holder), .credit = INT64_MAX};
    m->use.handle = handle_of(world_id(w, holder), "");
    say_new(w, raw, link, m);
}

static void next(struct world *w, size_t raw, link_no link, enum part_kind kind, uint64_t session)
{
    static const uint8_t piece[RELAY_PART_MAX];
    struct msg *m = message(MSG_NEXT, 9);
    m->part = (struct relay_part){.kind = kind, .session = session};
    if (kind == PART_ACCEPT || kind == PART_DATA)
        m->part.credit = INT64_MAX;
    if (kind == PART_DATA) {
        m->part.bytes = piece;
        m->part.len = sizeof piece;
    }
    say_new(w, raw, link, m);
}

/* The parts of a kind that it has heard, and the session of the last. */
static size_t parts(struct world *w, size_t raw, enum part_kind kind, uint64_t *session)
{
    struct msg *m = message(0, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        if (h->opened || msg_decode(h->bytes, h->n, m) != 0 || m->type != MSG_NEXT_OK || m->part.kind != kind)
            continue;
        n++;
        if (session)
            *session = m->part.session;
    }
    free(m);
    return n;
}

/* ---- floods */

static void s46_thousands_of_uses_leave_room_for_others(void **state)
{
    (void)state;
    struct world *w = relay_world(1);
    link_no eves = greet(w, EVE), mallorys = greet_trusted(w);
    unsigned before = (unsigned)relay_of(w)->next_session;
    for (unsigned i = 0; i < 1500; i++) {
        use(w, EVE, eves, BOB);
        use(w, MALLORY, mallorys, BOB);
        assert_true(relay_of(w)->session_count <= RELAY_SESSIONS_PER_CLIENT);
    }
    soon(w);
    assert_true(relay_of(w)->next_session - before <= 2 * (RELAY_USES_BURST + RELAY_USES_PER_S));
    assert_true(errors(w, EVE, ERR_LIMIT) + errors(w, EVE, ERR_FULL) > 1000);
    assert_true(is_up(w, EVE)); /* what is refused by number is no breach of the rules */
    world_run(w, world_now(w) + RELAY_ACCEPT + SECOND);
    anna_still_carries(w);
    world_free(w);
}

static void s26_of_a_flood_of_nexts_a_few_wait(void **state)
{
    (void)state;
    struct world *w = relay_world(2);
    link_no link = greet(w, EVE);
    for (unsigned i = 0; i < 10000; i++)
        next(w, EVE, link, PART_NONE, 0);
    soon(w);
    const struct relay_client *c = relay_client_find(relay_of(w), world_id(w, EVE));
    assert_int_equal(c->lines->next_count, RELAY_NEXTS_MAX);
    assert_int_equal(parts(w, EVE, PART_NONE, NULL), 10000 - RELAY_NEXTS_MAX);
    anna_still_carries(w);
    for (unsigned i = 0; i < 40000; i++) /* faster than any link may talk */
        next(w, EVE, link, PART_NONE, 0);
    soon(w);
    assert_true(parted(w, EVE, link));
    anna_still_carries(w);
    world_free(w);
}

static void offers_without_a_reservation_are_not_kept(void **state)
{
    (void)state;
    struct world *w = relay_world(3);
    link_no eves = greet(w, EVE), mallorys = greet_trusted(w);
    reserve(w, EVE, eves);
    assert_int_equal(errors(w, EVE, ERR_REFUSED), 1);
    reserve(w, MALLORY, mallorys);
    for (unsigned i = 0; i < SHARES_MAX + 500; i++) {
        offer(w, EVE, eves, i);
        offer(w, MALLORY, mallorys, i);
    }
    soon(w);
    assert_int_equal(errors(w, EVE, ERR_STATE), SHARES_MAX + 500);
    assert_int_equal(errors(w, MALLORY, ERR_FULL), 500);
    assert_int_equal(relay_of(w)->offers, 1 + SHARES_MAX);
    anna_still_carries(w);
    world_free(w);
}

/* ---- sessions of others */

static void s20_forged_session_numbers_touch_nobody(void **state)
{
    (void)state;
    struct world *w = relay_world(4);
    link_no link = greet(w, EVE);
    anna_still_carries(w);
    uint64_t session = relay_of(w)->next_session;
    assert_non_null(relay_session_find(relay_of(w), session));
    for (uint64_t number = 1; number < 500; number++) {
        struct msg *m = message(MSG_BRIDGE, number);
        m->bridge = (struct msg_bridge){.session = number, .streams = STREAMS_MAX};
        next(w, EVE, link, PART_DATA, number);
        next(w, EVE, link, PART_ACCEPT, number);
        next(w, EVE, link, PART_CLOSE, number);
        say_new(w, EVE, link, m);
    }
    soon(w);
    assert_int_equal(errors(w, EVE, ERR_NOT_FOUND), 499);
    assert_int_equal(parts(w, EVE, PART_CLOSE, NULL), 2 * 499); /* the same for those that are and those that are not */
    assert_int_equal(parts(w, EVE, PART_DATA, NULL), 0);
    anna_still_carries(w);
    assert_int_equal(relay_of(w)->next_session, session); /* by the session that was there before */
    world_free(w);
}

/* Mallory and eve have a session of their own, and each says that it takes as much as can be. */
static void s22_credit_without_bounds_fills_no_memory(void **state)
{
    (void)state;
    struct world *w = relay_world(5);
    link_no eves = greet(w, EVE), mallorys = greet_trusted(w);
    uint64_t session;
    reserve(w, MALLORY, mallorys);
    next(w, MALLORY, mallorys, PART_NONE, 0);
    use(w, EVE, eves, MALLORY);
    soon(w);
    assert_int_equal(parts(w, MALLORY, PART_USE, &session), 1);
    next(w, MALLORY, mallorys, PART_ACCEPT, session);
    soon(w);
    const struct relay_session *s = relay_session_find(relay_of(w), session);
    assert_int_equal(s->state.now, RELAY_OPEN);
    for (unsigned i = 0; i < 50 && s; i++) { /* mallory asks for nothing but by what he says himself */
        next(w, MALLORY, mallorys, PART_DATA, session);
        next(w, EVE, eves, PART_DATA, session);
        world_run(w, world_now(w) + MILLISECOND);
        s = relay_session_find(relay_of(w), session);
        assert_true(!s || s->end[END_USER].waiting.cap + s->end[END_HOLDER].waiting.cap <= 2 * BACKLOG_MAX);
    }
    anna_still_carries(w);
    for (unsigned i = 0; i < 50; i++)
        next(w, EVE, eves, PART_DATA, session); /* more than anybody granted */
    soon(w);
    assert_null(relay_session_find(relay_of(w), session));
    assert_int_equal(parts(w, MALLORY, PART_CLOSE, NULL), 1);
    assert_true(is_up(w, EVE) && is_up(w, MALLORY));
    anna_still_carries(w);
    world_free(w);
}

/* ---- holders */

static void s31_a_holder_that_never_accepts_holds_up_nobody(void **state)
{
    (void)state;
    struct world *w = relay_world(6);
    link_no eves = greet(w, EVE), mallorys = greet_trusted(w);
    reserve(w, MALLORY, mallorys);
    for (unsigned i = 0; i < RELAY_NEXTS_MAX; i++)
        next(w, MALLORY, mallorys, PART_NONE, 0);
    for (unsigned i = 0; i < RELAY_SESSIONS_PER_CLIENT; i++)
        use(w, EVE, eves, MALLORY);
    soon(w);
    assert_int_equal(parts(w, MALLORY, PART_USE, NULL), RELAY_SESSIONS_PER_CLIENT / 2); /* the half that is for strangers */
    anna_still_carries(w);
    world_run(w, world_now(w) + RELAY_ACCEPT);
    assert_int_equal(errors(w, EVE, ERR_TIMEOUT), RELAY_SESSIONS_PER_CLIENT / 2);
    anna_still_carries(w);
    world_run(w, world_now(w) + RELAY_ACCEPT);
    for (const struct relay_session *s = relay_of(w)->sessions; s; s = s->next)
        assert_int_equal(s->state.now, RELAY_OPEN); /* carl's: nothing is left of the others */
    world_free(w);
}

/* He accepts what was never asked, twice, and in the names of others. */
static void s8_answers_that_nobody_asked_for_open_nothing(void **state)
{
    (void)state;
    struct world *w = relay_world(7);
    link_no mallorys = greet_trusted(w);
    reserve(w, MALLORY, mallorys);
    anna_still_carries(w);
    uint64_t last = relay_of(w)->next_session, refused = anna(w)->refused_messages;
    for (uint64_t number = last > 5 ? last - 5 : 1; number < last + 20; number++)
        next(w, MALLORY, mallorys, PART_ACCEPT, number);
    soon(w);
    assert_true(anna(w)->refused_messages >= refused + 20);
    assert_int_equal(relay_of(w)->next_session, last);
    anna_still_carries(w);
    assert_int_equal(relay_of(w)->next_session, last);
    world_free(w);
}

/* ---- stopping */

static bool is_idle(struct world *w, void *arg)
{
    (void)arg;
    return core_idle(anna(w));
}

static void relay_7_a_relay_stops_in_bounded_time_while_all_talk(void **state)
{
    (void)state;
    struct world *w = relay_world(8);
    link_no eves = greet(w, EVE);
    anna_still_carries(w);
    core_stop(anna(w));
    uint64_t stopped = world_now(w);
    while (!is_idle(w, NULL)) {
        use(w, EVE, eves, BOB);
        next(w, EVE, eves, PART_NONE, 0);
        world_run(w, world_now(w) + 10 * MILLISECOND);
        assert_true(world_now(w) - stopped <= RELAY_DRAIN + SECOND);
    }
    assert_true(parts(w, EVE, PART_DRAIN, NULL) == 1);
    assert_true(errors(w, EVE, ERR_STATE) > 0);
    assert_int_equal(anna(w)->link_count, 0);
    world_stop(w, ANNA);
    world_start(w, ANNA); /* and is back: who was there before is again */
    world_run(w, world_now(w) + MINUTE);
    anna_still_carries(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s46_thousands_of_uses_leave_room_for_others),
        cmocka_unit_test(s26_of_a_flood_of_nexts_a_few_wait),
        cmocka_unit_test(offers_without_a_reservation_are_not_kept),
        cmocka_unit_test(s20_forged_session_numbers_touch_nobody),
        cmocka_unit_test(s22_credit_without_bounds_fills_no_memory),
        cmocka_unit_test(s31_a_holder_that_never_accepts_holds_up_nobody),
        cmocka_unit_test(s8_answers_that_nobody_asked_for_open_nothing),
        cmocka_unit_test(relay_7_a_relay_stops_in_bounded_time_while_all_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

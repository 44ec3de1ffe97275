/* Hostile relays. Anna and hugo can reach each other only through a relay: sara, and rita where there are two. The relays are
 * honest nodes whose messages are changed on their way (world_tap), or raw nodes that the test plays.
 *
 * Whatever a relay does, what is asked through it is answered truly or not at all, and the next relay is taken. What one end of
 * a session finds in its bytes: tests/unit/test_session.c. What clients can do to a relay: test_hostile_relay_clients.c. */
#include "hostile_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void it_works_through_a_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(1, 1);
    assert_true(ping(w)->done);
    assert_int_equal(sessions_at(w, ANNA), 1);
    assert_int_equal(sessions_at(w, HUGO), 1);
    assert_int_equal(broken_at(w, ANNA) + broken_at(w, HUGO), 0);
    world_free(w);
}

/* Pings until the relay has struck; each ping ends in bounded time, well or with an error. */
static void ping_until_struck(struct tamper *t)
{
    for (unsigned i = 0; i < 10 && t->done == 0; i++) {
        uint64_t before = world_now(t->w);
        ping(t->w);
        assert_true(world_now(t->w) - before < 40 * SECOND);
    }
    assert_true(t->done > 0);
    run(t->w, SECOND);
}

static tamper_kind *const changes_found[] = {tamper_changes, tamper_shortens, tamper_repeats};

/* Each change, at each end, to one of the first parts or a later one, is found at once; then all goes on in another session. */
static void p42_what_a_relay_changes_is_found_at_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof changes_found / sizeof *changes_found; k++)
        for (size_t victim = ANNA; victim <= HUGO; victim++)
            for (unsigned skip = 0; skip < 4; skip++) {
                struct world *w = relayed_world(2, 1);
                struct tamper *t = tamper_new(w, victim, changes_found[k]);
                t->skip = skip;
                t->times = 1;
                ping_until_struck(t);
                assert_int_equal(broken_at(w, victim), 1);
                assert_int_equal(broken_at(w, victim == ANNA ? HUGO : ANNA), 0);
                tamper_free(t);
                assert_true(ping(w)->done);
                assert_true(sessions_at(w, ANNA) > 0 && sessions_at(w, HUGO) > 0);
                world_free(w);
            }
}

/* What is left out shows with the next part, or when nothing comes. */
static void p42_what_a_relay_leaves_out_is_found(void **state)
{
    (void)state;
    for (size_t victim = ANNA; victim <= HUGO; victim++) {
        struct world *w = relayed_world(3, 1);
        assert_true(ping(w)->done);
        struct tamper *t = tamper_new(w, victim, tamper_drops);
        t->times = 1;
        ping_until_struck(t);
        run(w, LINK_DEAD_AFTER + 2 * SECOND);
        assert_int_equal(broken_at(w, ANNA) + broken_at(w, HUGO), 1);
        tamper_free(t);
        assert_true(ping(w)->done);
        world_free(w);
    }
}

/* It answers our NEXTs with nothing at all: silence ends the session. */
static void p42_a_relay_that_withholds_all_is_found_by_silence(void **state)
{
    (void)state;
    struct world *w = relayed_world(4, 1);
    assert_true(ping(w)->done);
    struct tamper *t = tamper_new(w, ANNA, tamper_withholds);
    run(w, LINK_DEAD_AFTER + 3 * SECOND);
    assert_int_equal(sessions_at(w, ANNA), 0);
    tamper_free(t);
    assert_true(ping(w)->done);
    world_free(w);
}

/* ---- how sessions begin */

static bool changes_answer(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_USE_OK)
        m->use_ok.noise[t->done++ % NOISE_SECOND_BYTES] ^= 0x80;
    return true;
}

/* It answers itself, with a key of its own. */
static bool forges_answer(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_USE_OK)
        memset(m->use_ok.noise, (int)++t->done, sizeof m->use_ok.noise);
    return true;
}

static void p42_a_forged_holder_is_refused(void **state)
{
    static tamper_kind *const kinds[] = {changes_answer, forges_answer};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world *w = relayed_world(5, 1);
        struct tamper *t = tamper_new(w, ANNA, kinds[k]);
        const struct answer *a = ping(w);
        assert_false(a->done);
        assert_true(t->done > 0);
        assert_int_equal(broken_at(w, ANNA), t->done);
        run(w, RELAY_ACCEPT + 3 * SECOND);
        assert_int_equal(sessions_at(w, HUGO), 0);
        assert_null(relayed_at(w, HUGO)->sessions); /* what was half open is closed */
        tamper_free(t);
        assert_true(ping(w)->done);
        world_free(w);
    }
}

static bool changes_use(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_NEXT_OK && m->part.kind == PART_USE)
        m->part.noise[t->done++ * 11 % NOISE_FIRST_BYTES] ^= 4;
    return true;
}

/* It leads anna to another handle than she asked for; or says that another node asks, which is believed nowhere. */
static bool leads_astray(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_NEXT_OK && m->part.kind == PART_USE) {
        m->part.handle = handle_of(world_id(t->w, HUGO), "docs");
        t->done++;
    }
    return true;
}

static void p42_a_changed_request_is_refused_by_the_holder(void **state)
{
    static tamper_kind *const kinds[] = {changes_use, leads_astray};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world *w = relayed_world(6, 1);
        struct tamper *t = tamper_new(w, HUGO, kinds[k]);
        assert_false(ping(w)->done);
        assert_true(t->done > 0);
        assert_int_equal(broken_at(w, HUGO), t->done);
        assert_int_equal(sessions_at(w, HUGO) + sessions_at(w, ANNA), 0);
        assert_null(relayed_at(w, HUGO)->sessions);
        tamper_free(t);
        assert_true(ping(w)->done);
        world_free(w);
    }
}

static bool names_another_user(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_NEXT_OK && m->part.kind == PART_USE) {
        m->part.user = *world_id(t->w, SARA);
        t->done++;
    }
    return true;
}

static void s8_who_asks_is_who_proves_it_whatever_the_relay_says(void **state)
{
    (void)state;
    struct world *w = relayed_world(7, 1);
    struct tamper *t = tamper_new(w, HUGO, names_another_user);
    assert_true(ping(w)->done);
    assert_true(t->done > 0);
    for (const struct session *s = relayed_at(w, HUGO)->sessions; s; s = s->next)
        assert_true(id_equal(&s->link->peer->id, world_id(w, ANNA)));
    tamper_free(t);
    world_free(w);
}

/* ---- what it may send besides */

/* Puts a part of its own in the place of the next that would go to the victim with nothing, credit or bytes. */
static bool floods(struct tamper *t, struct msg *m)
{
    if (m->type != MSG_NEXT_OK)
        return true;
    memset(&m->part, 0, sizeof m->part);
    m->part.kind = PART_USE;
    m->part.session = 1000000 + t->done++;
    m->part.handle = handle_of(world_id(t->w, HUGO), "");
    m->part.user = *world_id(t->w, ANNA);
    memset(m->part.noise, (int)t->done, sizeof m->part.noise);
    return true;
}

/* Garbage that asks for sessions is refused piece by piece, and nothing of it stays. */
static void s26_a_flood_of_requests_leaves_nothing(void **state)
{
    (void)state;
    struct world *w = relayed_world(8, 1);
    assert_true(ping(w)->done);
    struct tamper *t = tamper_new(w, HUGO, floods);
    for (unsigned i = 0; i < 30; i++) {
        run(w, 200 * MILLISECOND);
        size_t n = 0;
        for (const struct session *s = relayed_at(w, HUGO)->sessions; s; s = s->next)
            n++;
        assert_true(n <= RELAY_SESSIONS_PER_CLIENT);
    }
    tamper_free(t);
    run(w, RELAY_ACCEPT + 3 * SECOND);
    assert_true(ping(w)->done);
    world_free(w);
}

/* A USE of anna's that was carried once comes again, as it was: the holder accepts, but what is to follow cannot be sealed. */
static bool replays(struct tamper *t, struct msg *m)
{
    if (m->type == MSG_NEXT_OK && m->part.kind == PART_USE && t->kept->part.kind == PART_NONE) {
        t->kept->part = m->part;
    } else if (m->type == MSG_NEXT_OK && m->part.kind != PART_USE && t->kept->part.kind == PART_USE && t->done < 20) {
        uint64_t number = 2000000 + t->done++;
        m->part = t->kept->part;
        m->part.session = number;
    }
    return true;
}

static void p42_a_replayed_request_makes_no_link(void **state)
{
    (void)state;
    struct world *w = relayed_world(9, 1);
    struct tamper *t = tamper_new(w, HUGO, replays);
    ping(w);
    run(w, SECOND);
    assert_true(t->done > 0);
    for (const struct session *s = relayed_at(w, HUGO)->sessions; s; s = s->next)
        assert_true(s->number < 2000000 || !s->link);
    run(w, RELAY_ACCEPT + 3 * SECOND);
    for (const struct session *s = relayed_at(w, HUGO)->sessions; s; s = s->next)
        assert_true(s->number < 2000000); /* they have been given up */
    tamper_free(t);
    assert_true(ping(w)->done);
    world_free(w);
}

/* ---- several sessions, several relays */

/* Parts of two sessions to hugo change places. */
static bool swaps(struct tamper *t, struct msg *m)
{
    uint64_t *a = &t->kept->part.session, *b = &t->kept->part.credit;
    if (m->type != MSG_NEXT_OK || m->part.kind != PART_DATA || m->part.len == 0)
        return true;
    if (*a == 0 || *a == m->part.session) {
        *a = m->part.session;
    } else {
        *b = m->part.session;
        m->part.session = *a;
        t->done++;
    }
    return true;
}

static void p42_swapped_sessions_are_found(void **state)
{
    (void)state;
    struct world *w = relayed_world(10, 1);
    assert_true(ping(w)->done);
    assert_true(world_call(w, ANNA, row_for("ls", "target", "hugo:docs"))->done);
    assert_int_equal(sessions_at(w, ANNA), 2); /* one for the node, one for the share */
    struct tamper *t = tamper_new(w, HUGO, swaps);
    t->times = 1;
    ping(w);
    world_call(w, ANNA, row_for("ls", "target", "hugo:docs"));
    ping(w);
    run(w, SECOND);
    assert_true(t->done > 0);
    assert_int_equal(broken_at(w, HUGO), 2); /* the one that got it, and the one that missed it */
    tamper_free(t);
    const struct answer *a = world_call(w, ANNA, row_for("ls", "target", "hugo:docs"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "entry"), 5);
    world_free(w);
}

/* Sara does her worst, all the time; rita is honest. */
static void p42_an_honest_relay_is_found_beside_a_hostile_one(void **state)
{
    static tamper_kind *const kinds[] = {tamper_changes, tamper_shortens, tamper_drops, tamper_withholds, changes_answer};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world *w = relayed_world(11 + k, 2);
        struct tamper *t = tamper_new(w, ANNA, kinds[k]);
        unsigned well = 0;
        for (unsigned i = 0; i < 6; i++) {
            well += ping(w)->done;
            run(w, 5 * SECOND);
        }
        assert_true(well >= 5);
        assert_true(sessions_via(w, ANNA, RITA) > 0);
        tamper_free(t);
        world_free(w);
    }
}

/* ---- answers that nobody asked for */

static void forge(struct world *w, size_t to, const struct relay_part *part, uint64_t request)
{
    uint8_t buf[1024];
    size_t n;
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_NEXT_OK;
    m->request = request;
    m->part = *part;
    assert_int_equal(msg_encode(m, buf, sizeof buf, &n), 0);
    assert_true(world_forge(w, SARA, to, buf, n));
    free(m);
}

static void p42_who_answers_what_nobody_asked_is_parted_with(void **state)
{
    (void)state;
    for (size_t victim = ANNA; victim <= HUGO; victim++) {
        struct world *w = relayed_world(20, 1);
        const struct relay_part part = {.kind = PART_CLOSE, .session = 1};
        assert_true(ping(w)->done);
        for (uint64_t i = 0; i < LINK_STRIKES_MAX; i++)
            forge(w, victim, &part, INT64_MAX - i);
        run(w, 10 * MILLISECOND);
        assert_int_equal(sessions_at(w, victim), 0); /* the link to the relay ended, and with it what it carried */
        run(w, 120 * SECOND);
        assert_true(ping(w)->done); /* it behaves by now */
        world_free(w);
    }
}

/* A node that never asked for anything at a relay is told of sessions. */
static void s8_parts_for_who_has_no_session_are_refused(void **state)
{
    (void)state;
    struct world *w = strange_world(21, 1);
    const struct relay_part part = {.kind = PART_USE, .session = 5};
    forge(w, ANNA, &part, 77);
    run(w, SECOND);
    assert_null(relayed_at(w, ANNA));
    assert_true(world_core(w, ANNA)->refused_messages > 0);
    world_free(w);
}

/* ---- relays behind relays */

static void share_via(struct world *w, size_t node, size_t relay)
{
    struct share_row row = {.kind = RESOURCE_DIR, .name = "own", .path = "/srv/own", .via_count = 1};
    row.via[0] = *world_id(w, relay);
    assert_int_equal(share_put(world_core(w, node), &row, NULL), 0);
    reservations_changed(world_core(w, node));
    run(w, 2 * SECOND);
}

/* Sara can be reached through rita; but as a relay she is of use only where she can be reached directly. */
static void p42_a_relay_that_needs_a_relay_is_none(void **state)
{
    (void)state;
    struct world *w = relayed_world(22, 1);
    size_t rita = world_add(w, "rita");
    world_roles(w, rita, ROLE_RELAY);
    world_start(w, rita);
    run(w, 2 * SECOND);
    trust(w, SARA, rita);
    trust(w, ANNA, rita);
    share_via(w, SARA, rita);
    world_cut(w, ANNA, SARA, true);
    run(w, LINK_DEAD_AFTER + 3 * SECOND);
    assert_true(world_call(w, ANNA, row_for("ping", "peer", "sara"))->done); /* by way of rita */
    assert_false(ping(w)->done);
    for (const struct carrier *c = relayed_at(w, ANNA)->carriers; c; c = c->next)
        assert_true(!c->link || !c->link->relayed);
    world_free(w);
}

/* Each is behind the other: whoever asks for one of them, or for what is behind both, comes to an end soon. */
static void p42_loops_of_relays_end(void **state)
{
    (void)state;
    struct world *w = relayed_world(23, 2);
    world_add(w, "bob");
    world_start(w, RITA + 1);
    run(w, 2 * SECOND);
    trust(w, SARA, RITA);
    share_via(w, SARA, RITA);
    share_via(w, RITA, SARA);
    run(w, 5 * SECOND);
    world_cut(w, ANNA, SARA, true);
    world_cut(w, ANNA, RITA, true);
    run(w, LINK_DEAD_AFTER + 3 * SECOND);
    uint64_t messages = world_messages(w), before = world_now(w);
    assert_false(ping(w)->done);
    assert_true(world_now(w) - before < 20 * SECOND);
    assert_true(world_core(w, ANNA)->link_count < 10);
    run(w, 10 * SECOND);
    assert_true(world_messages(w) - messages < 2000);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_works_through_a_relay),
        cmocka_unit_test(p42_what_a_relay_changes_is_found_at_once),
        cmocka_unit_test(p42_what_a_relay_leaves_out_is_found),
        cmocka_unit_test(p42_a_relay_that_withholds_all_is_found_by_silence),
        cmocka_unit_test(p42_a_forged_holder_is_refused),
        cmocka_unit_test(p42_a_changed_request_is_refused_by_the_holder),
        cmocka_unit_test(s8_who_asks_is_who_proves_it_whatever_the_relay_says),
        cmocka_unit_test(s26_a_flood_of_requests_leaves_nothing),
        cmocka_unit_test(p42_a_replayed_request_makes_no_link),
        cmocka_unit_test(p42_swapped_sessions_are_found),
        cmocka_unit_test(p42_an_honest_relay_is_found_beside_a_hostile_one),
        cmocka_unit_test(p42_who_answers_what_nobody_asked_is_parted_with),
        cmocka_unit_test(s8_parts_for_who_has_no_session_are_refused),
        cmocka_unit_test(p42_a_relay_that_needs_a_relay_is_none),
        cmocka_unit_test(p42_loops_of_relays_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

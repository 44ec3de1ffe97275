/* How sessions of a relay end, and the relay itself; and what it all costs in memory meanwhile. */
#include "relay_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PIECE 17 /* the shortest DATA */

/* ---- how they end */

static void what_was_sent_comes_before_the_end(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures");
    node_next(n, BOB);
    for (unsigned i = 0; i < 4; i++)
        node_data(n, ANNA, session, 500 + i);
    node_close(n, ANNA, session, ERR_OK, "");
    node_wait(n, MILLISECOND);
    node_nexts(n, BOB, 3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(node_part(n, BOB, PART_DATA)->len, 500 + i);
    const struct relay_part *part = node_part(n, BOB, PART_CLOSE);
    assert_int_equal(part->code, ERR_OK);
    assert_string_equal(part->text, "");
    assert_nothing_left(n);
    node_data(n, BOB, session, 100); /* crosses it */
    node_part(n, BOB, PART_CLOSE);
    node_free(n);
}

static void an_end_that_asks_for_nothing_is_not_waited_for(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures");
    while (node_relay(n)->sessions->end[END_HOLDER].line->next_count > 0) {
        node_data(n, ANNA, session, PIECE);
        node_part(n, BOB, PART_DATA);
    }
    node_data(n, ANNA, session, 5000);
    node_close(n, ANNA, session, ERR_OK, "bye");
    assert_int_equal(node_relay(n)->session_count, 1);
    node_wait(n, RELAY_ACCEPT + SECOND);
    assert_nothing_left(n);
    node_next(n, BOB);
    node_silent(n, BOB);
    node_free(n);
}

static void p38_either_end_may_vanish(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 2; who++) {
        struct relay_node *n = relay_people(NULL);
        size_t gone = who ? BOB : ANNA, left = who ? ANNA : BOB;
        uint64_t session = node_session(n, ANNA, BOB, "pictures");
        node_nexts(n, left, 2);
        node_lose(n, gone);
        node_wait(n, MILLISECOND);
        const struct relay_part *part = node_part(n, left, PART_CLOSE);
        assert_int_equal(part->session, session);
        assert_int_equal(part->code, ERR_UNREACHABLE);
        assert_string_equal(part->text, who ? "bob is gone" : "anna is gone");
        node_free(n);
    }
}

static void what_is_withdrawn_is_closed(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_offer_ok(n, BOB, "music", true);
    uint64_t pictures = node_session(n, ANNA, BOB, "pictures"), music = node_session(n, ANNA, BOB, "music");
    node_nexts(n, ANNA, 4);
    node_nexts(n, BOB, 4);
    node_use(n, CARL, BOB, "pictures");
    node_part(n, BOB, PART_USE);
    node_withdraw_ok(n, BOB, "pictures");
    node_wait(n, MILLISECOND);
    const struct relay_part *part = node_part(n, ANNA, PART_CLOSE);
    assert_int_equal(part->session, pictures);
    assert_int_equal(part->code, ERR_NOT_FOUND);
    assert_non_null(strstr(part->text, "withdrawn"));
    node_refused(n, CARL, ERR_NOT_FOUND);
    node_part(n, BOB, PART_CLOSE);
    node_part(n, BOB, PART_CLOSE);
    node_data(n, ANNA, music, 60);
    assert_int_equal(node_part(n, BOB, PART_DATA)->session, music);
    node_use(n, ANNA, BOB, "pictures");
    node_refused(n, ANNA, ERR_NOT_FOUND);
    node_free(n);
}

static void s31_an_idle_session_ends(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t idle = node_session(n, ANNA, BOB, "pictures"), used = node_session(n, ANNA, BOB, "pictures");
    node_nexts(n, ANNA, 2);
    node_nexts(n, BOB, 2);
    for (unsigned i = 0; i < 13; i++) {
        node_wait(n, RELAY_IDLE / 12);
        node_data(n, BOB, used, 100);
        node_credit(n, BOB, idle, RELAY_WINDOW + i); /* credit alone is no use of it */
        node_next(n, ANNA);
        for (const struct msg *m; (m = node_hear(n, ANNA));)
            assert_true(m->part.kind != PART_CLOSE || (m->part.session == idle && m->part.code == ERR_TIMEOUT));
    }
    assert_int_equal(node_relay(n)->session_count, 1);
    assert_int_equal(node_relay(n)->sessions->number, used);
    node_free(n);
}

/* ---- draining */

static void clients_are_told_that_the_relay_stops(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_next(n, BOB);
    core_stop(node_core(n));
    node_part(n, BOB, PART_DRAIN); /* and as there is nothing to wait for: */
    assert_int_equal(node_hear_a(n, BOB, MSG_BYE)->bye.reason, BYE_STOPPING);
    assert_true(core_idle(node_core(n)));
    assert_int_equal(node_links(n), 0);
    node_free(n);
}

static void relay_7_a_relay_that_stops_gives_time_to_go_elsewhere(void **state)
{
    (void)state;
    for (unsigned in_time = 0; in_time < 2; in_time++) {
        struct relay_node *n = relay_people(NULL);
        uint64_t session = node_session(n, ANNA, BOB, "pictures");
        node_next(n, BOB);
        core_stop(node_core(n));
        assert_false(core_idle(node_core(n)));
        node_part(n, BOB, PART_DRAIN);
        node_next(n, ANNA); /* who had none waiting is told then */
        node_part(n, ANNA, PART_DRAIN);
        node_use(n, CARL, BOB, "pictures");
        node_refused(n, CARL, ERR_STATE);
        node_reserve(n, CARL);
        node_refused(n, CARL, ERR_STATE);
        node_next(n, BOB);
        node_data(n, ANNA, session, 700);
        assert_int_equal(node_part(n, BOB, PART_DATA)->len, 700);
        node_wait(n, RELAY_DRAIN - SECOND);
        assert_false(core_idle(node_core(n)));
        if (in_time) {
            node_close(n, ANNA, session, ERR_OK, "");
            node_wait(n, MILLISECOND);
            node_part(n, BOB, PART_CLOSE);
        } else {
            node_wait(n, SECOND + MILLISECOND);
        }
        assert_true(core_idle(node_core(n)));
        assert_true(node_parted(n, ANNA) && node_parted(n, BOB));
        assert_int_equal(node_links(n), 0);
        node_free(n);
    }
}

/* ---- memory */

static size_t memory_of(const struct relay_session *s)
{
    return sizeof *s + s->end[END_USER].waiting.cap + s->end[END_HOLDER].waiting.cap;
}

static void fill(struct relay_node *n, size_t client, uint64_t session)
{
    for (size_t sent = 0; sent + PIECE <= RELAY_WINDOW; sent += PIECE)
        node_data(n, client, session, PIECE);
}

/* In the smallest pieces, which cost the most, both ways, and nobody takes any. */
static void s49_200_sessions_with_full_windows_are_64_kib_each(void **state)
{
    (void)state;
    enum { HOLDERS = 10, EACH = 20, CLIENTS = HOLDERS * (EACH + 1) };
    struct relay_node *n = node_new(NULL);
    uint64_t session[HOLDERS][EACH];
    char name[16];
    for (size_t i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "client-%zu", i);
        node_join(n, name, true);
    }
    for (size_t h = 0; h < HOLDERS; h++) {
        node_reserve_ok(n, h);
        for (size_t i = 0; i < EACH; i++)
            session[h][i] = node_session(n, HOLDERS + h * EACH + i, h, "");
    }
    for (size_t i = 0; i < CLIENTS; i++)
        node_stuff(n, i, true);
    for (size_t i = 0; i < EACH; i++) {
        for (size_t h = 0; h < HOLDERS; h++) {
            fill(n, HOLDERS + h * EACH + i, session[h][i]);
            fill(n, h, session[h][i]);
        }
        node_wait(n, SECOND / 4); /* a link may say only so much at once */
    }
    size_t count = 0, most = 0;
    for (const struct relay_session *s = node_relay(n)->sessions; s; s = s->next, count++)
        most = memory_of(s) > most ? memory_of(s) : most;
    assert_int_equal(count, HOLDERS * EACH);
    assert_in_range(most, 2 * RELAY_WINDOW, 64 * 1024);
    assert_true(sizeof(struct relay_session) + 2 * BACKLOG_MAX <= 64 * 1024); /* however they are filled */
    assert_true(sizeof(struct relay_session) <= 320);
    node_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_comes_before_the_end),
        cmocka_unit_test(an_end_that_asks_for_nothing_is_not_waited_for),
        cmocka_unit_test(p38_either_end_may_vanish),
        cmocka_unit_test(what_is_withdrawn_is_closed),
        cmocka_unit_test(s31_an_idle_session_ends),
        cmocka_unit_test(clients_are_told_that_the_relay_stops),
        cmocka_unit_test(relay_7_a_relay_that_stops_gives_time_to_go_elsewhere),
        cmocka_unit_test(s49_200_sessions_with_full_windows_are_64_kib_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

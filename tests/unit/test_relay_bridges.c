/* Bridges of a relay: who may have one, on whose account, and when it ends. Bytes are the port's. */
#include "relay_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct relay_node *people(const struct relay_quota *quota)
{
    struct relay_node *n = node_new(quota);
    node_join(n, "bob", true);
    node_join(n, "anna", true);
    node_join(n, "carl", true);
    node_reserve_ok(n, BOB);
    return n;
}

static void want(struct relay_node *n, size_t client, uint64_t session)
{
    struct msg *m = node_msg(n, MSG_BRIDGE, 77);
    m->bridge = (struct msg_bridge){.session = session, .streams = 3};
    node_say(n, client, m);
}

static const struct msg_bridge_ok *want_ok(struct relay_node *n, size_t client, uint64_t session)
{
    want(n, client, session);
    const struct msg *m = node_hear_a(n, client, MSG_BRIDGE_OK);
    assert_int_equal(m->request, 77);
    return &m->bridge_ok;
}

static bool is_way(const struct relay_way *a, const struct relay_way *b)
{
    return tag_equal(&a->id, &b->id) && memcmp(a->key, b->key, sizeof a->key) == 0 && a->addr_count == b->addr_count;
}

static void each_end_is_told_of_its_own_way(void **state)
{
    (void)state;
    const struct relay_quota quota = {.bytes = 5000, .rate = 100};
    struct relay_node *n = people(&quota);
    uint64_t session = node_session(n, ANNA, BOB, "");
    const struct msg_bridge_ok *ok = want_ok(n, ANNA, session);
    const struct bridge *b = node_bridge(n, 0);
    assert_true(is_way(&ok->own, &b->way[END_USER]) && is_way(&ok->other, &b->way[END_HOLDER]));
    assert_int_equal(ok->deadline_s, RECEPTION_DEADLINE_S);
    assert_int_equal(b->streams, 3);
    assert_int_equal(b->limit, 5000);
    assert_int_equal(b->rate, 100);
    ok = want_ok(n, BOB, session); /* its holder may ask, too */
    b = node_bridge(n, 1);
    assert_true(is_way(&ok->own, &b->way[END_HOLDER]) && is_way(&ok->other, &b->way[END_USER]));
    assert_int_equal(b->account, node_bridge(n, 0)->account);
    assert_int_equal(node_relay(n)->bridge_count, 2);
    node_free(n);
}

static void only_ends_of_an_open_session_have_bridges(void **state)
{
    (void)state;
    struct relay_node *n = people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "");
    want(n, CARL, session);
    node_refused(n, CARL, ERR_NOT_FOUND);
    want(n, ANNA, session + 1);
    node_refused(n, ANNA, ERR_NOT_FOUND);
    node_next(n, BOB);
    node_use(n, ANNA, BOB, "");
    want(n, BOB, node_part(n, BOB, PART_USE)->session); /* not accepted yet */
    node_refused(n, BOB, ERR_NOT_FOUND);
    node_bridge_fails(n, ERR_UNREACHABLE);
    want(n, ANNA, session);
    node_refused(n, ANNA, ERR_UNREACHABLE);
    assert_int_equal(node_relay(n)->bridge_count, 0);
    node_free(n);
}

static void s26_bridges_of_one_client_have_a_bound(void **state)
{
    (void)state;
    struct relay_node *n = people(NULL);
    uint64_t annas = node_session(n, ANNA, BOB, ""), carls = node_session(n, CARL, BOB, "");
    for (unsigned i = 0; i < BRIDGES_PER_CLIENT_MAX; i++)
        want_ok(n, ANNA, annas);
    want(n, ANNA, annas);
    node_refused(n, ANNA, ERR_FULL);
    want_ok(n, CARL, carls);
    node_bridge_ends(n, 0);
    want_ok(n, ANNA, annas);
    node_free(n);
}

/* As when the holder refuses what the bridge was for. */
static void a_bridge_that_nobody_came_to_makes_room(void **state)
{
    (void)state;
    struct relay_node *n = people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "");
    for (unsigned i = 0; i < BRIDGES_PER_CLIENT_MAX; i++) {
        want_ok(n, ANNA, session);
        node_bridge(n, i)->moved = i != 2;
    }
    want(n, ANNA, session); /* they may still come */
    node_refused(n, ANNA, ERR_FULL);
    node_wait(n, SECOND);
    want_ok(n, ANNA, session);
    want(n, ANNA, session); /* all are in use, or new */
    node_refused(n, ANNA, ERR_FULL);
    node_wait(n, SECOND);
    assert_int_equal(node_bridges(n), BRIDGES_PER_CLIENT_MAX);
    node_free(n);
}

static void s26_bridges_of_all_clients_have_a_bound(void **state)
{
    (void)state;
    const struct relay_quota quota = {.sessions = RELAY_SESSIONS_MAX};
    struct relay_node *n = people(&quota);
    char name[16];
    for (unsigned i = 0; i <= BRIDGES_MAX / BRIDGES_PER_CLIENT_MAX; i++) {
        snprintf(name, sizeof name, "client-%u", i);
        size_t client = node_join(n, name, true);
        uint64_t session = node_session(n, client, BOB, "");
        for (unsigned k = 0; k < BRIDGES_PER_CLIENT_MAX && i < BRIDGES_MAX / BRIDGES_PER_CLIENT_MAX; k++)
            want_ok(n, client, session);
        if (i < BRIDGES_MAX / BRIDGES_PER_CLIENT_MAX)
            continue;
        want(n, client, session);
        node_refused(n, client, ERR_FULL);
    }
    assert_int_equal(node_bridges(n), BRIDGES_MAX);
    node_free(n);
}

static void a_holders_quota_is_what_all_its_bridges_move(void **state)
{
    (void)state;
    const struct relay_quota quota = {.bytes = 1000};
    struct relay_node *n = people(&quota);
    uint64_t annas = node_session(n, ANNA, BOB, ""), carls = node_session(n, CARL, BOB, "");
    want_ok(n, ANNA, annas);
    node_bridge(n, 0)->moved = 300;
    node_bridge_ends(n, 0);
    want_ok(n, ANNA, annas);
    want_ok(n, CARL, carls);
    assert_int_equal(node_bridge(n, 0)->limit, 700);
    node_bridge(n, 0)->moved = node_bridge(n, 1)->moved = 340;
    node_wait(n, 2 * SECOND);
    assert_int_equal(node_bridges(n), 2); /* 20 are left */
    node_bridge(n, 1)->moved = 361;
    node_wait(n, 2 * SECOND);
    assert_int_equal(node_bridges(n), 0); /* each within its limit, but not together */
    assert_int_equal(node_relay(n)->bytes, 1001);
    want(n, ANNA, annas);
    node_refused(n, ANNA, ERR_FULL);
    node_next(n, BOB);
    node_data(n, ANNA, annas, 100); /* what is no bulk goes on */
    node_part(n, BOB, PART_DATA);
    node_free(n);
}

static void a_quota_is_counted_anew_after_the_longest_life(void **state)
{
    (void)state;
    const struct relay_quota quota = {.bytes = 1000};
    struct relay_node *n = people(&quota);
    uint64_t session = node_session(n, ANNA, BOB, "");
    want_ok(n, ANNA, session);
    node_bridge(n, 0)->moved = 1000;
    node_bridge_ends(n, 0);
    for (unsigned i = 0; i < 12; i++) {
        node_reserve(n, BOB); /* that it is renewed does not fill it */
        assert_int_equal(node_hear_a(n, BOB, MSG_RESERVE_OK)->reserve_ok.bytes, 0);
        node_next(n, BOB);
        node_data(n, ANNA, session, 100);
        node_part(n, BOB, PART_DATA);
        node_wait(n, RELAY_LIFE_MAX_S / 12 * SECOND - (i == 0 ? SECOND : 0));
    }
    node_wait(n, SECOND);
    want_ok(n, ANNA, session);
    assert_int_equal(node_bridge(n, 0)->limit, 1000);
    node_free(n);
}

static void relay_7_a_bridge_outlives_its_session_and_not_its_links(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 2; who++) {
        struct relay_node *n = people(NULL);
        uint64_t session = node_session(n, ANNA, BOB, "");
        want_ok(n, ANNA, session);
        node_close(n, ANNA, session, ERR_OK, "");
        node_wait(n, SECOND);
        assert_int_equal(node_relay(n)->session_count, 0);
        assert_int_equal(node_bridges(n), 1);
        node_lose(n, who ? ANNA : BOB);
        assert_int_equal(node_bridge(n, 0)->fault.code, ERR_UNREACHABLE);
        node_wait(n, MILLISECOND);
        assert_int_equal(node_bridges(n), 0);
        assert_int_equal(node_relay(n)->bridge_count, 0);
        node_free(n);
    }
}

/* Whoever is paid by, or has asked for, a bridge is remembered until it is over. */
static void the_account_lasts_as_long_as_the_bridge(void **state)
{
    (void)state;
    struct relay_node *n = people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "");
    want_ok(n, ANNA, session);
    struct bridge *b = node_bridge(n, 0);
    node_lose(n, ANNA);
    node_lose(n, BOB);
    b->port_data = NULL; /* the port takes its time */
    node_wait(n, (RELAY_LIFE_MAX_S + 1) * SECOND);
    assert_int_equal(node_relay(n)->reservations, 0);
    assert_int_equal(node_relay(n)->client_count, 2);
    b->moved = 10;
    node_bridge_ends(n, 0);
    assert_int_equal(node_relay(n)->client_count, 0);
    assert_int_equal(node_relay(n)->bytes, 10);
    node_free(n);
}

static void relay_7_draining_waits_for_bridges(void **state)
{
    (void)state;
    struct relay_node *n = people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "");
    want_ok(n, ANNA, session);
    core_stop(node_core(n));
    want(n, ANNA, session);
    node_refused(n, ANNA, ERR_STATE);
    node_next(n, BOB);
    node_close(n, ANNA, session, ERR_OK, "");
    node_wait(n, SECOND);
    assert_int_equal(node_relay(n)->session_count, 0);
    assert_false(core_idle(node_core(n)));
    node_bridge_ends(n, 0);
    node_wait(n, MILLISECOND);
    assert_true(core_idle(node_core(n)));
    assert_int_equal(node_links(n), 0);
    node_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_told_of_its_own_way),
        cmocka_unit_test(only_ends_of_an_open_session_have_bridges),
        cmocka_unit_test(s26_bridges_of_one_client_have_a_bound),
        cmocka_unit_test(a_bridge_that_nobody_came_to_makes_room),
        cmocka_unit_test(s26_bridges_of_all_clients_have_a_bound),
        cmocka_unit_test(a_holders_quota_is_what_all_its_bridges_move),
        cmocka_unit_test(a_quota_is_counted_anew_after_the_longest_life),
        cmocka_unit_test(relay_7_a_bridge_outlives_its_session_and_not_its_links),
        cmocka_unit_test(the_account_lasts_as_long_as_the_bridge),
        cmocka_unit_test(relay_7_draining_waits_for_bridges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The tree of propagate pipes, over whole networks of it: who gets a message, how many copies are sent, what is repaired. */
#include "limits.h"
#include "spread_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SETTLE (2 * SECOND) /* longer than any repair takes */

static void everyone_has(const struct net *net, size_t message)
{
    if (net_without(net, message) != 0)
        fail_msg("message %zu: %zu nodes have not got it", message, net_without(net, message));
}

/* ---- fully linked */

static void pipe_7_propagate_reaches_all_once_and_nobody_sends_more_than_8(void **state)
{
    static const size_t sizes[] = {2, 3, 4, 5, 8, 9, 17, 50, 128, 200};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct net *net = net_new(i, sizes[i]);
        net_link_all(net);
        net_run(net, SECOND);
        for (size_t k = 0; k < 20; k++) {
            size_t m = net_send(net, net_random(net, sizes[i]));
            net_run(net, net_random(net, 2) * 100 * MILLISECOND);
            assert_true(net_copies_max(net, m) <= 8);
        }
        net_run(net, SETTLE);
        for (size_t m = 0; m < 20; m++) {
            everyone_has(net, m);
            assert_true(net_copies_max(net, m) <= 8);
            assert_true(net_hops(net, m) < SPREAD_HOPS_MAX);
        }
        net_free(net);
    }
}

static void once_the_tree_stands_a_message_costs_one_copy_a_node(void **state)
{
    (void)state;
    struct net *net = net_new(7, 100);
    net_link_all(net);
    for (size_t k = 0; k < 5; k++) {
        net_send(net, 3);
        net_run(net, SETTLE);
    }
    size_t m = net_send(net, 42);
    net_run(net, SETTLE);
    everyone_has(net, m);
    assert_int_equal(net_copies(net, m), 99);
    net_free(net);
}

/* Each takes another way; were what is double for any of them pruned, hardly a link would be left. */
static void messages_under_way_at_once_do_not_tear_the_tree(void **state)
{
    (void)state;
    struct net *net = net_new(9, 100);
    net_link_all(net);
    net_run(net, SECOND);
    for (size_t k = 0; k < 20; k++)
        net_send(net, 5 * k);
    net_run(net, 100 * MILLISECOND); /* too short to ask for what is missing */
    for (size_t m = 0; m < 20; m++)
        everyone_has(net, m);
    net_free(net);
}

static void what_was_not_sent_is_told_also_when_the_next_one_is_sent(void **state)
{
    (void)state;
    struct net *net = net_new(10, 2);
    net_link(net, 0, 1, true);
    net_run(net, SECOND);
    spread_tree_on_prune(net_tree(net, 0), net_node_id(net, 1), true);
    size_t first = net_send(net, 0);
    spread_tree_on_want(net_tree(net, 0), net_node_id(net, 1), NULL, 0);
    size_t second = net_send(net, 0);
    net_run(net, SETTLE);
    everyone_has(net, first);
    everyone_has(net, second);
    assert_int_equal(net_copies(net, first) + net_copies(net, second), 2);
    net_free(net);
}

static void ids_are_told_to_neighbours_and_not_to_all(void **state)
{
    (void)state;
    struct net *net = net_new(8, 100);
    net_link_all(net);
    net_send(net, 0);
    net_run(net, SETTLE);
    size_t before = net_words(net);
    net_send(net, 0);
    net_run(net, SETTLE);
    assert_in_range(net_words(net) - before, 100, 100 * (SPREAD_BRANCHES + 1));
    net_free(net);
}

/* ---- other graphs */

/* A tree of links at random, so that all are connected, and some more. */
static void link_at_random(struct net *net, size_t nodes, size_t more)
{
    for (size_t i = 1; i < nodes; i++)
        net_link(net, i, net_random(net, i), true);
    for (size_t i = 0; i < more; i++)
        net_link(net, net_random(net, nodes), net_random(net, nodes), true);
}

static void pipe_7_propagate_reaches_all_once_over_any_graph(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct net *net = net_new(seed, 40);
        link_at_random(net, 40, seed * 5);
        for (size_t k = 0; k < 60; k++) { /* by then every link has been tried */
            net_send(net, net_random(net, 40));
            net_run(net, 100 * MILLISECOND);
        }
        size_t m = net_send(net, net_random(net, 40));
        net_run(net, 10 * SETTLE);
        everyone_has(net, m);
        net_free(net);
    }
}

static void a_hub_with_many_leaves_serves_them_all(void **state)
{
    (void)state;
    struct net *net = net_new(3, 30);
    for (size_t i = 1; i < 30; i++)
        net_link(net, 0, i, true);
    for (size_t k = 0; k < 4; k++) {
        size_t m = net_send(net, k);
        net_run(net, SETTLE);
        everyone_has(net, m);
    }
    net_free(net);
}

/* Nobody may have this link on its ring; it is found by telling ids around. */
static void two_groups_joined_by_one_link_find_it(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct net *net = net_new(seed, 60);
        for (size_t a = 0; a < 60; a++)
            for (size_t b = 0; b < a; b++)
                if ((a < 30) == (b < 30))
                    net_link(net, a, b, true);
        net_link(net, 5, 55, true);
        for (size_t k = 0; k < 30; k++) {
            net_send(net, net_random(net, 30));
            net_run(net, 200 * MILLISECOND);
        }
        size_t m = net_send(net, 0), back = net_send(net, 59);
        net_run(net, SETTLE);
        everyone_has(net, m);
        everyone_has(net, back);
        net_free(net);
    }
}

/* ---- faults */

static void pipe_7_propagate_survives_nodes_that_die_in_the_tree(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct net *net = net_new(seed, 50);
        net_link_all(net);
        net_send(net, 0);
        net_run(net, SETTLE);
        for (size_t victim = 1; victim <= 5; victim++) {
            size_t before = net_send(net, 0);
            net_run(net, net_random(net, 6 * MILLISECOND)); /* in the middle of it */
            net_crash(net, victim);
            size_t after = net_send(net, 49);
            net_run(net, SETTLE);
            everyone_has(net, before);
            everyone_has(net, after);
            assert_true(net_copies_max(net, after) <= 8);
            net_notice(net, victim);
        }
        size_t m = net_send(net, 20);
        net_run(net, SETTLE);
        everyone_has(net, m);
        assert_int_equal(net_copies_max(net, m) <= 8, 1);
        net_free(net);
    }
}

static void what_a_full_link_did_not_take_is_asked_for(void **state)
{
    (void)state;
    struct net *net = net_new(13, 20);
    net_link_all(net);
    net_send(net, 0);
    net_run(net, SETTLE);
    net_full(net, 0, true);
    size_t m = net_send(net, 0);
    net_run(net, 50 * MILLISECOND);
    assert_int_equal(net_without(net, m), 19);
    net_full(net, 0, false);
    net_run(net, SETTLE);
    everyone_has(net, m);
    assert_true(net_copies_max(net, m) <= 8);
    net_free(net);
}

static void links_that_come_and_go_lose_nothing_that_is_still_connected(void **state)
{
    (void)state;
    struct net *net = net_new(11, 30);
    link_at_random(net, 30, 200);
    for (size_t k = 0; k < 200; k++) {
        size_t a = 1 + net_random(net, 29), b = 1 + net_random(net, 29); /* node 0 keeps its links: nobody is alone */
        net_link(net, 0, a, true);
        net_link(net, a, b, !net_linked(net, a, b));
        net_send(net, net_random(net, 30));
        net_run(net, net_random(net, 200 * MILLISECOND));
    }
    net_run(net, SETTLE);
    size_t m = net_send(net, 0);
    net_run(net, SETTLE);
    everyone_has(net, m);
    net_free(net);
}

static void pipe_7_propagate_gets_everywhere_again_once_a_partition_has_healed(void **state)
{
    (void)state;
    struct net *net = net_new(12, 40);
    net_link_all(net);
    net_send(net, 0);
    net_run(net, SETTLE);
    for (size_t a = 0; a < 20; a++)
        for (size_t b = 20; b < 40; b++)
            net_link(net, a, b, false);
    size_t cut = net_send(net, 0);
    net_run(net, SETTLE);
    assert_int_equal(net_without(net, cut), 20);
    net_run(net, 10 * SECOND);
    net_link_all(net);
    size_t healed = net_send(net, 0), back = net_send(net, 39);
    net_run(net, SETTLE);
    everyone_has(net, healed);
    everyone_has(net, back);
    assert_int_equal(net_without(net, cut), 20); /* what was sent before they were linked is past */
    net_free(net);
}

/* ---- hostile */

static void p45_made_up_ids_cost_bounded_memory_and_stop_being_asked_for(void **state)
{
    (void)state;
    struct net *net = net_new(20, 6);
    struct spread_tree_status status;
    struct tag ids[SPREAD_IDS_MAX];
    net_link_all(net);
    for (size_t k = 0; k < 100; k++) {
        for (size_t i = 0; i < SPREAD_IDS_MAX; i++)
            ids[i] = net_id(1000000 + k * SPREAD_IDS_MAX + i);
        for (size_t from = 1; from < 6; from++)
            spread_tree_on_have(net_tree(net, 0), net_node_id(net, from), ids, SPREAD_IDS_MAX);
    }
    spread_tree_status(net_tree(net, 0), &status);
    assert_in_range(status.missing, SPREAD_MISSING_PER_LINK, SPREAD_MISSING_MAX);
    size_t m = net_send(net, 0);
    net_run(net, 5 * SECOND);
    everyone_has(net, m);
    spread_tree_status(net_tree(net, 0), &status);
    assert_int_equal(status.missing, 0);
    net_free(net);
}

static void p45_what_is_kept_is_bounded_in_count_in_bytes_and_in_time(void **state)
{
    (void)state;
    struct net *net = net_new(21, 1);
    struct spread_tree_status status;
    static const uint8_t bytes[SPREAD_BYTES_MAX];
    for (size_t i = 0; i < 2 * SPREAD_SEEN_MAX; i++) {
        struct spread_take m = {.id = net_id(i), .bytes = bytes, .n = sizeof bytes};
        assert_int_equal(spread_tree_take(net_tree(net, 0), &m), 0);
    }
    spread_tree_status(net_tree(net, 0), &status);
    assert_int_equal(status.here, SPREAD_SEEN_MAX);
    assert_in_range(status.kept_bytes, SPREAD_KEPT_BYTES / 2, SPREAD_KEPT_BYTES);
    struct tag newest = net_id(2 * SPREAD_SEEN_MAX - 1), oldest = net_id(0);
    assert_true(spread_tree_again(net_tree(net, 0), net_node_id(net, 0), &newest));
    assert_false(spread_tree_again(net_tree(net, 0), net_node_id(net, 0), &oldest));
    net_run(net, SPREAD_KEEP + SECOND);
    spread_tree_status(net_tree(net, 0), &status);
    assert_int_equal(status.here, 0);
    assert_int_equal(status.kept_bytes, 0);
    net_free(net);
}

static void who_is_not_trusted_gets_nothing_until_it_is(void **state)
{
    (void)state;
    struct net *net = net_new(22, 2);
    struct spread_tree_status status;
    net_link(net, 0, 1, true);
    net_run(net, SECOND);
    spread_tree_link(net_tree(net, 0), net_node_id(net, 1), 1, false);
    size_t m = net_send(net, 0);
    struct tag id = net_id(m), unknown = net_id(77);
    spread_tree_on_want(net_tree(net, 0), net_node_id(net, 1), &id, 1);
    spread_tree_on_have(net_tree(net, 0), net_node_id(net, 1), &unknown, 1);
    net_run(net, SETTLE);
    assert_int_equal(net_without(net, m), 1);
    spread_tree_status(net_tree(net, 0), &status);
    assert_int_equal(status.missing, 0);
    spread_tree_link(net_tree(net, 0), net_node_id(net, 1), 1, true);
    m = net_send(net, 0);
    net_run(net, SETTLE);
    everyone_has(net, m);
    net_free(net);
}

/* Every node on the way is named as one that has it already. */
static void p45_a_false_list_of_visited_nodes_hides_no_message(void **state)
{
    (void)state;
    struct net *net = net_new(23, 5);
    struct node_id all[5];
    uint32_t body[2] = {0, 0};
    net_link_all(net);
    for (size_t i = 0; i < 5; i++)
        all[i] = *net_node_id(net, i);
    struct spread_take m = {.id = net_id(0),
                            .from = net_node_id(net, 1),
                            .bytes = (const uint8_t *)body,
                            .n = sizeof body,
                            .visited = all,
                            .visited_count = 5};
    net_run(net, SECOND);
    assert_int_equal(spread_tree_take(net_tree(net, 0), &m), 0);
    net_run(net, SETTLE);
    assert_int_equal(net_without(net, 0), 1); /* node 0, which took it right here */
    net_free(net);
}

static void nothing_to_do_sets_no_timer(void **state)
{
    (void)state;
    struct net *net = net_new(24, 10);
    net_link_all(net);
    net_run(net, SECOND);
    size_t before = net_words(net);
    net_run(net, 600 * SECOND);
    assert_int_equal(net_words(net), before);
    net_free(net);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_7_propagate_reaches_all_once_and_nobody_sends_more_than_8),
        cmocka_unit_test(once_the_tree_stands_a_message_costs_one_copy_a_node),
        cmocka_unit_test(messages_under_way_at_once_do_not_tear_the_tree),
        cmocka_unit_test(what_was_not_sent_is_told_also_when_the_next_one_is_sent),
        cmocka_unit_test(ids_are_told_to_neighbours_and_not_to_all),
        cmocka_unit_test(pipe_7_propagate_reaches_all_once_over_any_graph),
        cmocka_unit_test(a_hub_with_many_leaves_serves_them_all),
        cmocka_unit_test(two_groups_joined_by_one_link_find_it),
        cmocka_unit_test(pipe_7_propagate_survives_nodes_that_die_in_the_tree),
        cmocka_unit_test(what_a_full_link_did_not_take_is_asked_for),
        cmocka_unit_test(links_that_come_and_go_lose_nothing_that_is_still_connected),
        cmocka_unit_test(pipe_7_propagate_gets_everywhere_again_once_a_partition_has_healed),
        cmocka_unit_test(p45_made_up_ids_cost_bounded_memory_and_stop_being_asked_for),
        cmocka_unit_test(p45_what_is_kept_is_bounded_in_count_in_bytes_and_in_time),
        cmocka_unit_test(who_is_not_trusted_gets_nothing_until_it_is),
        cmocka_unit_test(p45_a_false_list_of_visited_nodes_hides_no_message),
        cmocka_unit_test(nothing_to_do_sets_no_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

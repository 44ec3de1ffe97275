/* Propagate pipes over whole networks: programs that listen at each of 50 and more nodes, every copy counted. */
#include "pipe_programs.h"

#include "core_internal.h"
#include "pipes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef WORLD_IS_SLOW
#define MANY 100
#else
#define MANY 200
#endif
#define SETTLE (2 * SECOND) /* for what the tree has lost to be got again */

struct net {
    struct world *w;
    size_t nodes;
    struct tag news;
    struct reader reader[MANY];
    bool down[MANY];
};

static void run(struct net *net, uint64_t time)
{
    world_run(net->w, world_now(net->w) + time);
}

static void listen_at(struct net *net, size_t node)
{
    struct row *row = listen_on("news");
    row_bool(row, "shared", true);
    row_bool(row, "propagate", true);
    net->reader[node] = (struct reader){0};
    reader_start(&net->reader[node], net->w, node, row);
}

static void trust_all(struct net *net, size_t node)
{
    struct core *core = world_core(net->w, node);
    for (size_t i = 0; i < net->nodes; i++) {
        struct peer *peer = i == node ? NULL : peers_find(core->peers, world_id(net->w, i));
        if (peer)
            trust_set(core, peer, true);
    }
}

/* Nodes that all trust each other, and listen. */
static struct net *net_of(uint64_t seed, size_t nodes)
{
    struct net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    net->w = world_new(seed);
    net->nodes = nodes;
    net->news = pipe_shared("news");
    for (size_t i = 0; i < nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu", i);
        world_start(net->w, world_add(net->w, name));
        run(net, 5 * MILLISECOND);
    }
    run(net, 6 * SECOND);
    for (size_t i = 0; i < nodes; i++) {
        trust_all(net, i);
        listen_at(net, i);
    }
    run(net, 6 * SECOND);
    return net;
}

static void net_free(struct net *net)
{
    world_free(net->w);
    free(net);
}

static void crash(struct net *net, size_t node)
{
    net->down[node] = true;
    world_crash(net->w, node);
}

static void come_back(struct net *net, size_t node)
{
    net->down[node] = false;
    world_start(net->w, node);
    listen_at(net, node);
}

/* ---- messages, and what became of them */

static void publish(struct net *net, size_t node, size_t bytes)
{
    uint8_t *text = calloc(1, bytes);
    assert_non_null(text);
    assert_int_equal(spread_send(world_core(net->w, node), &net->news, text, bytes), 0);
    free(text);
}

static uint64_t copies_of(struct net *net, size_t node)
{
    const struct answer *a = world_call(net->w, node, row_new("status"));
    return (uint64_t)row_get_int(answer_row(a, "status", 0), "spread_sent", -1);
}

/* From now on all who listen have heard nothing. */
static void forget(struct net *net)
{
    for (size_t i = 0; i < net->nodes; i++)
        net->reader[i].messages = 0;
}

static void assert_all_heard(struct net *net, uint64_t messages)
{
    for (size_t i = 0; i < net->nodes; i++)
        if (!net->down[i] && net->reader[i].messages != messages)
            fail_msg("n%zu has heard %llu of %llu messages", i, (unsigned long long)net->reader[i].messages,
                     (unsigned long long)messages);
}

/* One message: everyone hears it once, and who sends most copies sends at most eight. Gives all copies. */
static uint64_t one_message(struct net *net, size_t from)
{
    uint64_t before[MANY], sum = 0;
    for (size_t i = 0; i < net->nodes; i++)
        before[i] = net->down[i] ? 0 : copies_of(net, i);
    forget(net);
    publish(net, from, 64);
    run(net, SETTLE);
    assert_all_heard(net, 1);
    for (size_t i = 0; i < net->nodes; i++) {
        uint64_t copies = net->down[i] ? 0 : copies_of(net, i) - before[i];
        assert_true(copies <= 8);
        sum += copies;
    }
    return sum;
}

static void reaches_all(size_t nodes)
{
    struct net *net = net_of(nodes, nodes);
    uint64_t copies = 0;
    for (size_t k = 0; k < 6; k++)
        copies = one_message(net, k * 7 % nodes);
    print_message("%zu nodes: the sixth message took %llu copies\n", nodes, (unsigned long long)copies);
    assert_in_range(copies, nodes - 1, nodes + nodes / 10);
    net_free(net);
}

static void pipe_7_propagate_reaches_50_nodes_once_and_none_sends_more_than_8_copies(void **state)
{
    (void)state;
    reaches_all(50);
}

static void pipe_7_propagate_reaches_many_nodes_once_and_none_sends_more_than_8_copies(void **state)
{
    (void)state;
    reaches_all(MANY);
}

static void pipe_7_propagate_carries_a_stream_of_messages_from_several_nodes(void **state)
{
    (void)state;
    struct net *net = net_of(3, 30);
    for (size_t k = 0; k < 300; k++) {
        publish(net, k % 7, k % 50 == 0 ? SPREAD_BYTES_MAX : 100);
        run(net, 2 * MILLISECOND);
    }
    run(net, SETTLE);
    assert_all_heard(net, 300);
    net_free(net);
}

static void what_is_sent_the_moment_a_node_has_joined_reaches_it(void **state)
{
    (void)state;
    struct net *net = net_of(4, 10);
    crash(net, 3);
    run(net, 10 * SECOND);
    come_back(net, 3);
    struct core *core = world_core(net->w, 3);
    while (core->link_count == 0 || peers_find(core->peers, world_id(net->w, 0))->up == 0)
        run(net, MILLISECOND);
    one_message(net, 0);
    net_free(net);
}

/* ---- faults */

static void pipe_7_propagate_reaches_all_though_nodes_crash_in_the_tree(void **state)
{
    (void)state;
    struct net *net = net_of(5, 50);
    one_message(net, 0);
    for (size_t victim = 10; victim < 15; victim++) {
        forget(net);
        publish(net, 0, 64);
        run(net, 700 * 1000); /* 0.7 ms: three steps of the way */
        crash(net, victim);
        publish(net, 49, 64); /* nobody has noticed */
        run(net, SETTLE);
        assert_all_heard(net, 2);
    }
    for (size_t victim = 10; victim < 15; victim++)
        come_back(net, victim);
    run(net, 70 * SECOND); /* they are dialled again, however often they have failed */
    one_message(net, 12);
    net_free(net);
}

static void cut_in_two(struct net *net, bool cut)
{
    for (size_t a = 0; a < net->nodes / 2; a++)
        for (size_t b = net->nodes / 2; b < net->nodes; b++)
            world_cut(net->w, a, b, cut);
}

static void pipe_7_propagate_gets_everywhere_again_once_a_partition_has_healed(void **state)
{
    (void)state;
    struct net *net = net_of(6, 30);
    one_message(net, 1);
    cut_in_two(net, true);
    forget(net);
    publish(net, 1, 64);
    run(net, SETTLE);
    for (size_t i = 0; i < net->nodes; i++)
        assert_int_equal(net->reader[i].messages, i < net->nodes / 2);
    run(net, 30 * SECOND);
    cut_in_two(net, false);
    run(net, 90 * SECOND);
    one_message(net, 1);
    one_message(net, 29);
    net_free(net);
}

/* Two of three nodes cannot be dialled: they are linked to the others alone, and pass on what comes. */
static void nodes_that_cannot_be_dialled_hear_and_send_as_all_others(void **state)
{
    (void)state;
    struct net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    net->w = world_new(7);
    net->nodes = 24;
    net->news = pipe_shared("news");
    for (size_t i = 0; i < net->nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu", i);
        world_add(net->w, name);
        world_firewall(net->w, i, i % 3 != 0);
        world_start(net->w, i);
    }
    run(net, 6 * SECOND);
    for (size_t i = 0; i < net->nodes; i++) {
        trust_all(net, i);
        listen_at(net, i);
    }
    run(net, 30 * SECOND);
    for (size_t k = 0; k < 5; k++) {
        forget(net);
        publish(net, k * 5, 64);
        run(net, SETTLE);
        assert_all_heard(net, 1);
    }
    net_free(net);
}

/* ---- who is alone, and who is not trusted */

static void a_message_that_reaches_nobody_is_refused_but_for_a_listener_here(void **state)
{
    (void)state;
    struct net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    net->w = world_new(8);
    net->nodes = 1;
    net->news = pipe_shared("news");
    world_start(net->w, world_add(net->w, "alone"));
    assert_int_equal(spread_send(world_core(net->w, 0), &net->news, "hi", 2), ERR_UNREACHABLE);
    listen_at(net, 0);
    run(net, SECOND);
    publish(net, 0, 64);
    run(net, SECOND);
    assert_all_heard(net, 1);
    assert_string_equal(net->reader[0].from, "alone");
    net_free(net);
}

static void s10_who_is_not_trusted_neither_hears_nor_is_heard(void **state)
{
    (void)state;
    struct net *net = net_of(9, 6);
    for (size_t i = 0; i < 5; i++)
        trust_set(world_core(net->w, i), peers_find(world_core(net->w, i)->peers, world_id(net->w, 5)), false);
    run(net, SECOND);
    publish(net, 0, 64);
    publish(net, 5, 64); /* it still trusts them */
    run(net, SETTLE);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(net->reader[i].messages, 1); /* its own, or the other */
    net_free(net);
}

static void s26_more_than_others_would_check_is_refused_at_its_origin(void **state)
{
    (void)state;
    struct net *net = net_of(10, 3);
    struct core *core = world_core(net->w, 0);
    int err = 0;
    size_t sent = 0;
    while (!err && sent < 10 * SPREAD_SENDS_PER_S) {
        err = spread_send(core, &net->news, "x", 1);
        sent += !err;
    }
    assert_int_equal(err, ERR_FULL);
    run(net, SETTLE);
    assert_all_heard(net, sent);
    publish(net, 0, 64);
    net_free(net);
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    uint64_t trace[2];
    for (size_t i = 0; i < 2; i++) {
        struct net *net = net_of(11, 12);
        one_message(net, 2);
        trace[i] = world_trace(net->w);
        net_free(net);
    }
    assert_true(trace[0] == trace[1]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_7_propagate_reaches_50_nodes_once_and_none_sends_more_than_8_copies),
        cmocka_unit_test(pipe_7_propagate_reaches_many_nodes_once_and_none_sends_more_than_8_copies),
        cmocka_unit_test(pipe_7_propagate_carries_a_stream_of_messages_from_several_nodes),
        cmocka_unit_test(what_is_sent_the_moment_a_node_has_joined_reaches_it),
        cmocka_unit_test(pipe_7_propagate_reaches_all_though_nodes_crash_in_the_tree),
        cmocka_unit_test(pipe_7_propagate_gets_everywhere_again_once_a_partition_has_healed),
        cmocka_unit_test(nodes_that_cannot_be_dialled_hear_and_send_as_all_others),
        cmocka_unit_test(a_message_that_reaches_nobody_is_refused_but_for_a_listener_here),
        cmocka_unit_test(s10_who_is_not_trusted_neither_hears_nor_is_heard),
        cmocka_unit_test(s26_more_than_others_would_check_is_refused_at_its_origin),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

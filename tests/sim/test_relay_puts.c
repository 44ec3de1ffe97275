/* Puts between nodes that meet only at a relay, in the simulated world: they come through, move to a connection and back, and
 * outlive the relay. */
#include "core_internal.h"
#include "put_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1u << 20)

static void assert_route(struct puts *t, const char *route)
{
    assert_string_equal(row_get_text(answer_row(t->answer, "done", 0), "route", ""), route);
}

static void relay_6_gather_6_an_update_through_a_relay(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 1);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    assert_route(t, "relay:sara");
    edit_file(t, ANNA, "a.bin", 500000, 30);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", t->base);
    assert_route(t, "relay:sara");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void the_peers_index_through_a_relay(void **state)
{
    struct puts *t = *state;
    make_file(t, HUGO, "docs/a.bin", SIZE, 2);
    make_file(t, ANNA, "a.bin", SIZE, 2);
    edit_file(t, ANNA, "a.bin", 500000, 30);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", "peer-index");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void may_connect(struct puts *t, bool may)
{
    world_firewall(t->w, HUGO, !may);
    world_cut(t->w, ANNA, HUGO, !may);
}

static void start_large(struct puts *t)
{
    make_file(t, ANNA, "a.bin", 4 * SIZE, 3);
    world_rate(t->w, SIZE);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, 2 * SECOND);
}

static void assert_whole(struct puts *t, const char *route)
{
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_string_equal(t->route, route);
    assert_in_range(t->sent, 4 * SIZE, 5 * SIZE);
    assert_in_range(t->wire, 4 * SIZE, 5 * SIZE); /* of all attempts */
    run_for(t, 5 * SECOND);
    assert_quiet(t);
}

static void relay_7_moves_to_a_connection(void **state)
{
    struct puts *t = *state;
    start_large(t);
    may_connect(t, true);
    until_put_over(t, 20 * SECOND);
    assert_whole(t, "relay:sara, direct");
}

static void relay_7_falls_back_to_the_relay(void **state)
{
    struct puts *t = *state;
    may_connect(t, true);
    run_for(t, 5 * SECOND);
    start_large(t);
    may_connect(t, false);
    until_put_over(t, 60 * SECOND);
    assert_whole(t, "direct, relay:sara");
}

/* Messages pass between the two, but no streams. */
static void no_fetch(void *arg, struct world_message *m)
{
    (void)arg;
    if (m->from == HUGO && m->to == ANNA && m->n > 1 && m->bytes[1] == MSG_FETCH)
        m->times = 0;
}

static void relay_7_goes_back_where_only_messages_get_through(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_tap(t->w, no_fetch, NULL);
    may_connect(t, true);
    until_put_over(t, 120 * SECOND);
    assert_whole(t, "relay:sara, direct, relay:sara");
}

static void p38_a_relay_that_crashes_and_comes_back(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_crash(t->w, SARA);
    run_for(t, SECOND);
    world_start(t->w, SARA);
    until_put_over(t, 60 * SECOND);
    assert_whole(t, "relay:sara");
}

static void p38_a_relay_that_never_comes_back(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_crash(t->w, SARA);
    until_put_over(t, 60 * SECOND);
    assert_string_equal(t->code, "unreachable");
    assert_non_null(strstr(t->text, "the same command resumes"));
    int64_t sent = t->sent;
    world_start(t->w, SARA);
    run_for(t, 20 * SECOND);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(sent + t->sent < 5 * SIZE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, puts_relay_setup, puts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_6_gather_6_an_update_through_a_relay),
        TEST(the_peers_index_through_a_relay),
        TEST(relay_7_moves_to_a_connection),
        TEST(relay_7_falls_back_to_the_relay),
        TEST(relay_7_goes_back_where_only_messages_get_through),
        TEST(p38_a_relay_that_crashes_and_comes_back),
        TEST(p38_a_relay_that_never_comes_back),
    };
    return cmocka_run_group_tests_name("sim_relay_puts", tests, NULL, NULL);
}

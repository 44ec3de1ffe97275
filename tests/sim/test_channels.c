/* Channels in the simulated world: what becomes of messages when binders move, die, freeze and are cut off. */
#include "channel_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What a reader has handled is unknown to the sender for as long as this many messages take: taken, ACK, link. */
#define IN_DOUBT 30

static void pipe_6_messages_arrive_once_and_in_order(void **state)
{
    (void)state;
    struct scene *s = scene_new(1, 2);
    listen_at(s, 1, "box", false);
    speak_at(s, 0, "node1:box", 5000);
    flow(s, 500, 20);
    assert_true(finish(s, 1000));
    check_all(s);
    assert_int_equal(s->oracle.doubles, 0);
    assert_int_equal(s->ear[1].began, 1);
    world_run(s->w, world_now(s->w) + 10 * MS);
    assert_int_equal(s->ear[1].ended, 1);
    scene_free(s);
}

static void programs_of_one_node_reach_each_other(void **state)
{
    (void)state;
    const char *const names[] = {"node0:box", "box"};
    for (int shared = 0; shared < 2; shared++) {
        struct scene *s = scene_new(2, 2);
        listen_at(s, 0, "box", shared);
        speak_at(s, 0, names[shared], 5000);
        flow(s, 100, 50);
        assert_true(finish(s, 1000));
        check_all(s);
        assert_int_equal(s->oracle.doubles, 0);
        assert_int_equal(s->ear[0].handled, 5000);
        scene_free(s);
    }
}

/* The owner dies, is back in another life, and so is its reader. */
static void p44_rebinds_after_the_owner_was_gone(void **state)
{
    (void)state;
    struct scene *s = scene_new(3, 2);
    listen_at(s, 1, "box", false);
    speak_at(s, 0, "node1:box", 5000);
    flow(s, 200, 10);
    crash(s, 1);
    flow(s, 500, 10);
    world_start(s->w, 1);
    listen_at(s, 1, "box", false);
    flow(s, 500, 10);
    assert_true(finish(s, 8000));
    check_all(s);
    assert_in_range(s->oracle.doubles, 0, IN_DOUBT);
    assert_int_equal(s->voice.rebound, 1);
    scene_free(s);
}

static void p44_a_partition_that_heals_loses_and_doubles_nothing(void **state)
{
    (void)state;
    const uint64_t length[] = {300, 1500, 9000};
    for (size_t i = 0; i < 3; i++)
        for (int shared = 0; shared < 2; shared++) {
            struct scene *s = scene_new(10 + i, 2);
            listen_at(s, 1, "box", shared);
            speak_at(s, 0, shared ? "box" : "node1:box", 30000);
            flow(s, 200, 10);
            world_cut(s->w, 0, 1, true);
            flow(s, length[i], 1);
            world_cut(s->w, 0, 1, false);
            flow(s, 1000, 10);
            assert_true(finish(s, 30000));
            check_all(s);
            assert_int_equal(s->oracle.doubles, 0);
            scene_free(s);
        }
}

/* ---- several binders */

static struct scene *two_binders(uint64_t seed, bool receipts)
{
    struct scene *s = scene_new(seed, 3);
    s->ear[1].no_receipts = !receipts;
    listen_at(s, 1, "box", true);
    listen_at(s, 2, "box", true);
    speak_at(s, 0, "box", 5000);
    flow(s, 300, 10);
    assert_string_equal(s->voice.peer, "node1"); /* the lower rank */
    s->oracle.longest_gap = 0;
    return s;
}

/* What its reader has handled last is told by the reader, when it still can. */
static void pipe_7_another_binder_takes_over_within_two_seconds(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 40; seed++) {
        bool receipts = seed % 2;
        struct scene *s = two_binders(seed, receipts);
        flow(s, seed % 7, 10);
        crash(s, 1);
        flow(s, 2000, 10);
        assert_string_equal(s->voice.peer, "node2");
        assert_true(finish(s, 1000));
        check_all(s);
        assert_in_range(s->oracle.longest_gap, 1, 1500 * MS);
        assert_in_range(s->oracle.doubles, 0, receipts ? 0 : IN_DOUBT);
        scene_free(s);
    }
}

static void pipe_7_a_frozen_binder_hands_nothing_on_when_it_thaws(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 40; seed++) {
        bool receipts = seed % 2;
        struct scene *s = two_binders(seed, receipts);
        world_freeze(s->w, 1, true);
        flow(s, 1500 + 700 * (seed % 5), 10);
        assert_string_equal(s->voice.peer, "node2");
        world_freeze(s->w, 1, false);
        flow(s, 1000, 10);
        assert_true(finish(s, 1000));
        check_all(s);
        assert_in_range(s->oracle.longest_gap, 1, 1500 * MS);
        assert_in_range(s->oracle.doubles, 0, receipts ? 0 : IN_DOUBT);
        scene_free(s);
    }
}

/* The other one is taken at once: that a reader is gone for good is no guess. */
static void pipe_7_a_reader_that_leaves_is_replaced_at_once(void **state)
{
    (void)state;
    struct scene *s = two_binders(40, true);
    leave(s, 1);
    flow(s, 200, 10);
    assert_string_equal(s->voice.peer, "node2");
    assert_true(s->oracle.longest_gap < 50 * MS);
    listen_at(s, 1, "box", true);
    leave(s, 2);
    flow(s, 200, 10);
    assert_string_equal(s->voice.peer, "node1");
    assert_true(finish(s, 1000));
    check_all(s);
    assert_int_equal(s->voice.rebound, 2);
    scene_free(s);
}

/* A reader that handles, and whose word of it never arrives, is what `again` is for. */
static void p44_what_is_handled_twice_was_said_to_be_in_doubt(void **state)
{
    (void)state;
    struct scene *s = two_binders(41, true);
    s->ear[1].mute = true;
    flow(s, 20, 10);
    crash(s, 1);
    flow(s, 2000, 10);
    assert_true(finish(s, 1000));
    check_all(s);
    assert_in_range(s->oracle.doubles, 150, 250);
    scene_free(s);
}

/* ---- bounds and refusals */

static void p44_a_reader_that_never_reads_bounds_the_sender(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct scene *s = scene_new(50, 3);
        s->size = 20000;
        listen_at(s, 1, "box", shared);
        s->ear[1].idle = true;
        speak_at(s, 0, shared ? "box" : "node1:box", 5000);
        flow(s, 3000, 2);
        uint64_t pushed = s->voice.pushed * (s->size + BATCH_HEAD + PIPE_MESSAGE_COST);
        assert_in_range(pushed, PIPE_QUEUE_BYTES - 100000, PIPE_QUEUE_BYTES);
        assert_in_range(s->ear[1].most_held, 1, PIPE_CREDIT_BYTES);
        assert_int_equal(s->voice.rebound, 0); /* slow is not dead */
        s->ear[1].idle = false;
        struct row *go = row_new("taken");
        row_text(go, "channel", "nothing");
        row_int(go, "seq", 1);
        program_send(s->ear[1].program, go);
        flow(s, 10, 0);
        scene_free(s);
    }
}

static void a_pipe_that_nobody_binds_is_an_error_after_the_stated_wait(void **state)
{
    (void)state;
    const char *const pipes[] = {"box", "node1:box"};
    for (int i = 0; i < 2; i++) {
        struct scene *s = scene_new(60, 3);
        uint64_t began = world_now(s->w);
        speak_at(s, 0, pipes[i], 2000);
        push(s, 10);
        assert_false(finish(s, 10000));
        assert_string_equal(s->voice.code, "not-found");
        assert_in_range(world_now(s->w) - began, 2000 * MS, 12000 * MS); /* and then it is asked why */
        scene_free(s);
    }
}

static void p44_finds_a_binder_that_comes_later(void **state)
{
    (void)state;
    struct scene *s = scene_new(61, 3);
    speak_at(s, 0, "box", 5000);
    flow(s, 2000, 1);
    listen_at(s, 2, "box", true);
    assert_true(finish(s, 3000));
    check_all(s);
    assert_int_equal(s->ear[2].handled, 2000);
    scene_free(s);
}

/* Node 2 trusts only node 0. */
static void who_may_not_send_is_told_so_at_once(void **state)
{
    (void)state;
    struct scene *s = scene_new(62, 3);
    listen_at(s, 2, "box", false);
    char pipe[NODE_ID_TEXT + 8];
    snprintf(pipe, sizeof pipe, "%s:box", id_text(world_id(s->w, 2)).s);
    speak_at(s, 1, pipe, 5000);
    uint64_t began = world_now(s->w);
    assert_false(finish(s, 5000));
    assert_string_equal(s->voice.code, "refused");
    assert_true(world_now(s->w) - began < SECOND);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_6_messages_arrive_once_and_in_order),
        cmocka_unit_test(programs_of_one_node_reach_each_other),
        cmocka_unit_test(p44_rebinds_after_the_owner_was_gone),
        cmocka_unit_test(p44_a_partition_that_heals_loses_and_doubles_nothing),
        cmocka_unit_test(pipe_7_another_binder_takes_over_within_two_seconds),
        cmocka_unit_test(pipe_7_a_frozen_binder_hands_nothing_on_when_it_thaws),
        cmocka_unit_test(pipe_7_a_reader_that_leaves_is_replaced_at_once),
        cmocka_unit_test(p44_what_is_handled_twice_was_said_to_be_in_doubt),
        cmocka_unit_test(p44_a_reader_that_never_reads_bounds_the_sender),
        cmocka_unit_test(a_pipe_that_nobody_binds_is_an_error_after_the_stated_wait),
        cmocka_unit_test(p44_finds_a_binder_that_comes_later),
        cmocka_unit_test(who_may_not_send_is_told_so_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

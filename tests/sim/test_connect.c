/* Byte streams in the simulated world: programs that listen and connect, what they are told, what they are refused, and what
 * becomes of a stream when a program, a link or a node at either side goes. */
#include "core_internal.h"
#include "pipes.h"
#include "stream_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ANNA, BOB, CAROL, DAVE, NODES };

/* ---- the world */

static void run(struct world *w, uint64_t time)
{
    world_run(w, world_now(w) + time);
}

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    row_text(row, key, value);
    return row;
}

static void join(struct world *w, size_t a, size_t b)
{
    char ticket[300];
    const struct answer *invited = world_call(w, a, row_new("invite"));
    assert_true(invited->done);
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(invited, "ticket", 0), "ticket", ""));
    assert_true(world_call(w, b, request("join", "ticket", ticket))->done);
}

/* Anna and bob trust each other, and the others too unless they are strangers. */
static struct world *world_of(uint64_t seed, bool strangers)
{
    static const char *const names[NODES] = {"anna", "bob", "carol", "dave"};
    struct world *w = world_new(seed);
    for (size_t i = 0; i < NODES; i++)
        world_start(w, world_add(w, names[i]));
    run(w, SECOND);
    for (size_t i = 1; i < (strangers ? CAROL : NODES); i++)
        for (size_t k = 0; k < i; k++)
            join(w, i, k);
    return w;
}

/* Ends in order: with no streams, transfers and offers left at any node. */
static void part(struct world *w)
{
    run(w, 30 * SECOND);
    for (size_t i = 0; i < NODES; i++) {
        const struct core *core = world_core(w, i);
        if (core)
            assert_true(core->callees == NULL && core->callers == NULL && core->transfers == 0);
    }
    world_free(w);
}

/* ---- the whole of it */

static void talk(struct world *w, struct party *listener, struct party *caller)
{
    until_connected(w, caller);
    until_joined(w, listener);
    assert_string_equal(caller->code, "");
    party_say(caller, "a question");
    program_shut(caller->program);
    run(w, SECOND);
    assert_came(listener, "a question", true);
    assert_false(is_party_over(caller) || is_party_over(listener));
    party_say(listener, "and its answer");
    program_shut(listener->program);
    until_over(w, caller);
    until_over(w, listener);
    assert_came(caller, "and its answer", true);
    assert_int_equal(caller->done, 1);
    assert_int_equal(listener->done, 1);
    assert_true(caller->in == 10 && caller->out == 14);
    assert_true(listener->in == 14 && listener->out == 10);
}

static void pipe_6_a_stream_to_a_linked_peer(void **state)
{
    (void)state;
    struct world *w = world_of(1, false);
    struct party bob = {0}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    talk(w, &bob, &anna);
    assert_string_equal(anna.peer, "bob");
    assert_string_equal(bob.from, "anna");
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0)); /* and another one */
    until_connected(w, &anna);
    assert_int_equal(bob.offers, 2);
    assert_string_equal(anna.code, "");
    program_leave(anna.program);
    part(w);
}

/* Both are programs of one node. */
static void pipe_6_a_stream_within_a_node(void **state)
{
    (void)state;
    struct world *w = world_of(2, false);
    struct party one = {0}, other;
    listen_as(w, &one, ANNA, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &other, ANNA, call_for("anna:chat", 0));
    talk(w, &one, &other);
    assert_string_equal(other.peer, "anna");
    part(w);
}

/* Who cannot be dialled dials: asked once more, the program once only. */
static void oob_3_the_roles_are_swapped(void **state)
{
    (void)state;
    struct world *w = world_of(3, false);
    struct party bob = {0}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    world_firewall(w, ANNA, true);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    talk(w, &bob, &anna);
    assert_int_equal(bob.offers, 1);
    part(w);
}

static void oob_3_nobody_can_be_dialled(void **state)
{
    (void)state;
    struct world *w = world_of(4, false);
    struct party bob = {0}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    run(w, SECOND);
    world_firewall(w, ANNA, true);
    world_firewall(w, BOB, true);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    assert_error(w, &anna, "unreachable", "");
    until_over(w, &bob);
    assert_int_equal(bob.failed, 1);
    part(w);
}

/* ---- who is not there, not asked, not willing */

static void pipe_nobody_listens(void **state)
{
    (void)state;
    struct world *w = world_of(5, false);
    struct party anna;
    uint64_t began = world_now(w);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 2000));
    assert_error(w, &anna, "not-found", "bob");
    assert_true(world_now(w) - began >= 1500 * MILLISECOND); /* it was patient */
    assert_true(anna.summaries == 1 && anna.in == 0 && anna.out == 0);
    part(w);
}

static void pipe_somebody_comes_to_listen(void **state)
{
    (void)state;
    struct world *w = world_of(6, false);
    struct party bob = {0}, anna;
    connect_as(w, &anna, ANNA, call_for("bob:chat", 5000));
    run(w, SECOND);
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    talk(w, &bob, &anna);
    part(w);
}

/* What was resolved a moment ago is bound no more: it is resolved anew. */
static void pipe_a_stale_binding_is_forgotten(void **state)
{
    (void)state;
    struct world *w = world_of(7, false);
    struct party bob = {0}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    talk(w, &bob, &anna);
    program_leave(bob.program);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 1000));
    assert_error(w, &anna, "not-found", "bob");
    part(w);
}

static void s62_a_stranger_is_refused(void **state)
{
    (void)state;
    struct world *w = world_of(8, true);
    struct party bob = {0}, carol;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &carol, CAROL, call_for("bob:chat", 1000));
    until_over(w, &carol);
    assert_int_equal(carol.failed, 1);
    assert_int_equal(carol.connected, 0);
    assert_int_equal(bob.offers, 0);
    part(w);
}

static void pipe_the_program_refuses(void **state)
{
    (void)state;
    struct world *w = world_of(9, false);
    struct party bob = {.manner = REFUSES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 1000));
    assert_error(w, &anna, "refused", "not today");
    assert_int_equal(bob.offers, 1);
    part(w);
}

static void pipe_the_program_does_not_answer(void **state)
{
    (void)state;
    struct world *w = world_of(10, false);
    struct party bob = {.manner = IGNORES}, anna;
    uint64_t began;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    began = world_now(w);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    assert_error(w, &anna, "timeout", "does not answer");
    assert_true(world_now(w) - began < CONNECT_OFFER + 2 * SECOND);
    assert_int_equal(bob.failed, 1);
    part(w);
}

/* The answer comes when it is too late, and to nobody's number. */
static void pipe_late_and_wrong_answers_are_passed_over(void **state)
{
    (void)state;
    struct world *w = world_of(11, false);
    struct party bob = {.manner = IGNORES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    run(w, SECOND);
    assert_int_equal(bob.offers, 1);
    for (int64_t wrong = -1; wrong < 2; wrong++) {
        struct row *row = row_new("accept");
        row_int(row, "number", bob.number + (wrong ? wrong : INT32_MAX));
        program_send(bob.program, row);
    }
    run(w, SECOND);
    assert_false(anna.connected || anna.failed);
    assert_error(w, &anna, "timeout", "does not answer");
    struct row *row = row_new("accept");
    row_int(row, "number", bob.number);
    program_send(bob.program, row);
    run(w, SECOND);
    assert_int_equal(bob.joined, 0);
    part(w);
}

static void pipe_no_streams_through_propagate_pipes(void **state)
{
    (void)state;
    struct world *w = world_of(12, false);
    struct party bob = {0}, anna;
    struct row *row = request("pipe-listen", "pipe", "news");
    row_bool(row, "propagate", true);
    listen_as(w, &bob, BOB, row);
    connect_as(w, &anna, ANNA, call_for("bob:news", 500));
    until_over(w, &anna);
    assert_int_equal(anna.failed, 1);
    row = call_for("news", 500);
    row_bool(row, "propagate", true);
    connect_as(w, &anna, ANNA, row);
    assert_error(w, &anna, "usage", "no byte streams");
    part(w);
}

/* ---- busy ones */

static void pipe_an_owned_pipe_is_busy(void **state)
{
    (void)state;
    struct world *w = world_of(13, false);
    struct party bob = {0}, anna, carol;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    until_connected(w, &anna);
    connect_as(w, &carol, CAROL, call_for("bob:chat", 0));
    assert_error(w, &carol, "full", "somebody else");
    assert_int_equal(bob.offers, 1);
    program_shut(anna.program);
    program_shut(bob.program);
    until_over(w, &anna);
    run(w, SECOND);
    connect_as(w, &carol, CAROL, call_for("bob:chat", 0));
    until_connected(w, &carol);
    assert_int_equal(carol.connected, 1);
    program_leave(carol.program);
    part(w);
}

static struct row *listen_shared(void)
{
    struct row *row = request("pipe-listen", "pipe", "desk");
    row_bool(row, "shared", true);
    return row;
}

/* Three binders of a shared pipe: each caller comes to another one, the fourth to none. */
static void pipe_of_a_shared_pipe_the_next_one_is_asked(void **state)
{
    (void)state;
    struct world *w = world_of(14, false);
    struct party desk[3] = {0}, caller[4];
    for (size_t i = 0; i < 3; i++)
        listen_as(w, &desk[i], BOB + i, listen_shared());
    run(w, SECOND);
    for (size_t i = 0; i < 3; i++) {
        connect_as(w, &caller[i], ANNA, call_for("desk", 1000));
        until_connected(w, &caller[i]);
        if (!caller[i].connected)
            fail_msg("caller %zu: %s: %s", i, caller[i].code, caller[i].text);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(caller[i].peer, caller[k].peer);
    }
    connect_as(w, &caller[3], ANNA, call_for("desk", 1000));
    assert_error(w, &caller[3], "full", "busy");
    for (size_t i = 0; i < 3; i++) {
        assert_true(desk[i].offers == 1 && desk[i].joined == 1);
        program_leave(caller[i].program);
    }
    part(w);
}

/* ---- ends out of order */

static struct world *talking(uint64_t seed, struct party *bob, struct party *anna)
{
    struct world *w = world_of(seed, false);
    *bob = (struct party){0};
    listen_as(w, bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, anna, ANNA, call_for("bob:chat", 0));
    until_connected(w, anna);
    party_say(anna, "hello");
    party_say(bob, "good morning");
    run(w, SECOND);
    return w;
}

static void assert_broken(const struct party *p, const char *code, int64_t in, int64_t out)
{
    assert_int_equal(p->failed, 1);
    assert_string_equal(p->code, code);
    assert_int_equal(p->in, in);
    assert_int_equal(p->out, out);
    if (!strstr(p->text, "bytes had been sent"))
        fail_msg("'%s' does not say how much went each way", p->text);
}

static void p43_the_calling_program_is_killed(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(20, &bob, &anna);
    program_leave(anna.program);
    until_over(w, &bob);
    assert_broken(&bob, "unreachable", 12, 5);
    part(w);
}

static void p43_the_listening_program_is_killed(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(21, &bob, &anna);
    program_leave(bob.program);
    until_over(w, &anna);
    assert_broken(&anna, "unreachable", 5, 12);
    part(w);
}

static void p43_the_callers_node_crashes(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(22, &bob, &anna);
    world_crash(w, ANNA);
    until_over(w, &bob);
    assert_broken(&bob, "unreachable", 12, 5);
    part(w);
}

static void p43_the_callees_node_crashes(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(23, &bob, &anna);
    world_crash(w, BOB);
    until_over(w, &anna);
    assert_broken(&anna, "unreachable", 5, 12);
    part(w);
}

static void p43_the_network_parts(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(24, &bob, &anna);
    world_cut(w, ANNA, BOB, true);
    party_say(&anna, "are you there?");
    until_over(w, &anna);
    until_over(w, &bob);
    assert_broken(&anna, "unreachable", 5, 12);
    assert_broken(&bob, "unreachable", 12, 5);
    part(w);
}

static void pipe_both_nodes_stop_in_order(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(25, &bob, &anna);
    world_stop(w, BOB);
    until_over(w, &anna);
    assert_broken(&anna, "unreachable", 5, 12);
    part(w);
}

static void pipe_the_caller_cancels(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(26, &bob, &anna);
    program_send(anna.program, row_new("cancel"));
    until_over(w, &anna);
    assert_string_equal(anna.code, "cancelled");
    assert_true(anna.in == 5 && anna.out == 12);
    until_over(w, &bob);
    assert_broken(&bob, "unreachable", 12, 5);
    part(w);
}

/* As weft_pipe_interrupt: the listener goes on listening. */
static void pipe_the_listener_ends_its_stream(void **state)
{
    (void)state;
    struct party bob, anna;
    struct world *w = talking(27, &bob, &anna);
    struct row *row = row_new("refuse");
    row_int(row, "number", bob.number);
    program_send(bob.program, row);
    until_over(w, &bob);
    assert_broken(&bob, "cancelled", 12, 5);
    until_over(w, &anna);
    assert_broken(&anna, "unreachable", 5, 12);
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    until_connected(w, &anna);
    assert_int_equal(anna.connected, 1);
    program_leave(anna.program);
    part(w);
}

/* While the program thinks about it: the offer is withdrawn, and the pipe is free. */
static void pipe_the_caller_goes_before_it_is_accepted(void **state)
{
    (void)state;
    struct world *w = world_of(28, false);
    struct party bob = {.manner = IGNORES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    run(w, SECOND);
    assert_int_equal(bob.offers, 1);
    program_leave(anna.program);
    run(w, SECOND);
    assert_int_equal(bob.failed, 1);
    bob.manner = ACCEPTS;
    bob.failed = 0;
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    talk(w, &bob, &anna);
    part(w);
}

static void pipe_the_listener_goes_before_it_accepts(void **state)
{
    (void)state;
    struct world *w = world_of(29, false);
    struct party bob = {.manner = IGNORES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 1000));
    run(w, SECOND / 2);
    program_leave(bob.program);
    until_over(w, &anna);
    assert_int_equal(anna.failed, 1);
    part(w);
}

/* The callee's node goes before the program has accepted. */
static void pipe_the_node_goes_before_it_accepts(void **state)
{
    (void)state;
    struct world *w = world_of(30, false);
    struct party bob = {.manner = IGNORES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 1000));
    run(w, SECOND / 2);
    world_crash(w, BOB);
    until_over(w, &anna);
    assert_int_equal(anna.failed, 1);
    part(w);
}

/* The caller's node goes: the offer is withdrawn as soon as that is known. */
static void p43_the_callers_node_crashes_before_it_is_accepted(void **state)
{
    (void)state;
    struct world *w = world_of(32, false);
    struct party bob = {.manner = IGNORES}, anna;
    listen_as(w, &bob, BOB, request("pipe-listen", "pipe", "chat"));
    connect_as(w, &anna, ANNA, call_for("bob:chat", 0));
    run(w, SECOND / 2);
    uint64_t began = world_now(w);
    world_crash(w, ANNA);
    assert_error(w, &bob, "unreachable", "the link to the caller was lost");
    assert_true(world_now(w) - began < CONNECT_OFFER - SECOND);
    part(w);
}

static void p45_what_is_not_read_is_not_sent(void **state)
{
    (void)state;
    static uint8_t much[1 << 20];
    struct party bob, anna;
    struct world *w = talking(31, &bob, &anna);
    size_t n;
    bool ended;
    program_stall(bob.program, true);
    program_write(anna.program, much, sizeof much);
    program_shut(anna.program);
    run(w, 10 * SECOND);
    program_read(bob.program, &n, &ended);
    assert_true(n == 5 && !ended);
    program_stall(bob.program, false);
    program_shut(bob.program);
    until_over(w, &anna);
    assert_int_equal(anna.done, 1);
    assert_int_equal(anna.in, sizeof much + 5);
    program_read(bob.program, &n, &ended);
    assert_true(n == sizeof much + 5 && ended);
    part(w);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipe_6_a_stream_to_a_linked_peer),
        TEST(pipe_6_a_stream_within_a_node),
        TEST(oob_3_the_roles_are_swapped),
        TEST(oob_3_nobody_can_be_dialled),
        TEST(pipe_nobody_listens),
        TEST(pipe_somebody_comes_to_listen),
        TEST(pipe_a_stale_binding_is_forgotten),
        TEST(s62_a_stranger_is_refused),
        TEST(pipe_the_program_refuses),
        TEST(pipe_the_program_does_not_answer),
        TEST(pipe_late_and_wrong_answers_are_passed_over),
        TEST(pipe_no_streams_through_propagate_pipes),
        TEST(pipe_an_owned_pipe_is_busy),
        TEST(pipe_of_a_shared_pipe_the_next_one_is_asked),
        TEST(p43_the_calling_program_is_killed),
        TEST(p43_the_listening_program_is_killed),
        TEST(p43_the_callers_node_crashes),
        TEST(p43_the_callees_node_crashes),
        TEST(p43_the_network_parts),
        TEST(pipe_both_nodes_stop_in_order),
        TEST(pipe_the_caller_cancels),
        TEST(pipe_the_listener_ends_its_stream),
        TEST(pipe_the_caller_goes_before_it_is_accepted),
        TEST(pipe_the_listener_goes_before_it_accepts),
        TEST(pipe_the_node_goes_before_it_accepts),
        TEST(p43_the_callers_node_crashes_before_it_is_accepted),
        TEST(p45_what_is_not_read_is_not_sent),
    };
    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}

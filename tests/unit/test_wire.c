/* The wire: two of them in one process shake hands by CURVE; wrong keys, other mechanisms and malformed messages come to
 * nothing; queues are bounded; lost connections are told. Real sockets on ports that the system picks. */
#include "wires.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tcp_carries_messages_both_ways(void **state)
{
    struct wires *w = *state;
    wires_exchange(w, w->tcp);
}

static void ipc_carries_messages_both_ways(void **state)
{
    struct wires *w = *state;
    wires_exchange(w, w->ipc);
}

/* ---- who may come */

/* Who answers at an endpoint but is not whom we dialled gets nothing from us. */
static void s25_a_server_with_another_key_never_connects(void **state)
{
    struct wires *w = *state;
    assert_int_equal(wire_dial(w->a.wire, 1, &w->a.identity.id, w->tcp), 0);
    int err = wire_send(w->a.wire, 1, "secret", 6); /* the refusal may have come already */
    assert_true(err == 0 || err == ERR_UNREACHABLE);
    assert_true(wires_stay(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
}

static void no_id_no_dial(void **state)
{
    struct wires *w = *state;
    struct node_id zero = {{0}};
    assert_int_equal(wire_dial(w->a.wire, 1, &zero, w->tcp), ERR_MALFORMED);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
}

static void s34_other_mechanisms_are_refused(void **state)
{
    struct wires *w = *state;
    struct stranger null = stranger_new(ZMQ_DEALER), plain = stranger_new(ZMQ_DEALER);
    zmq_setsockopt(plain.socket, ZMQ_PLAIN_USERNAME, "anna", 4);
    zmq_setsockopt(plain.socket, ZMQ_PLAIN_PASSWORD, "x", 1);
    assert_int_equal(zmq_connect(null.socket, w->tcp), 0);
    assert_int_equal(zmq_connect(plain.socket, w->tcp), 0);
    zmq_send(null.socket, "null", 4, ZMQ_DONTWAIT);
    zmq_send(plain.socket, "plain", 5, ZMQ_DONTWAIT);
    assert_true(wires_stay(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
    stranger_free(&null);
    stranger_free(&plain);
}

static void a_secret_key_must_fit_the_public_one(void **state)
{
    struct wires *w = *state;
    struct stranger s = stranger_new(ZMQ_DEALER);
    struct identity forged = w->b.identity;
    memcpy(forged.curve_public, w->a.identity.curve_public, CURVE_KEY_BYTES); /* a's name, b's secret */
    stranger_keys(&s, w, &forged);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "I am a", 6, ZMQ_DONTWAIT);
    assert_true(wires_stay(w, &w->b.messages));
    stranger_free(&s);
}

static void endpoints_that_are_none_are_refused(void **state)
{
    struct wires *w = *state;
    char bound[ENDPOINT_TEXT];
    const char *const listen[] = {"inproc://x", "tcp://", "udp://127.0.0.1:1", "nonsense", "", "tcp://300.1.1.1:1"};
    const char *const dial[] = {"inproc://zeromq.zap.01", "tcp://localhost:1", "tcp://*:*",       "tcp://127.0.0.1;1.1.1.1:1",
                                "ipc://relative",         "ipc://@abstract",   "pgm://1.2.3.4:5", "tcp://127.0.0.1:0"};
    for (size_t i = 0; i < sizeof listen / sizeof *listen; i++)
        assert_int_equal(wire_listen(w->a.wire, listen[i], bound, &w->fault), ERR_USAGE);
    for (size_t i = 0; i < sizeof dial / sizeof *dial; i++)
        assert_int_equal(wire_dial(w->a.wire, 1, &w->b.identity.id, dial[i]), ERR_MALFORMED);
    assert_int_equal(wire_listen(w->a.wire, w->tcp, bound, &w->fault), ERR_EXISTS);
}

/* ---- what may be said */

static void p45_oversize_and_many_framed_messages_are_dropped(void **state)
{
    struct wires *w = *state;
    static const char big[MSG_BYTES_MAX + 1];
    struct stranger s = stranger_new(ZMQ_DEALER);
    stranger_keys(&s, w, &w->a.identity);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "one", 3, ZMQ_SNDMORE);
    zmq_send(s.socket, "two", 3, ZMQ_SNDMORE);
    zmq_send(s.socket, "three", 5, 0);
    zmq_send(s.socket, "good", 4, 0);
    assert_true(wires_run_until(w, &w->b.messages, 1, PATIENCE));
    assert_string_equal(w->b.text, "good");
    zmq_send(s.socket, big, MSG_BYTES_MAX, 0);
    assert_true(wires_run_until(w, &w->b.messages, 2, PATIENCE));
    assert_int_equal(w->b.bytes, MSG_BYTES_MAX);
    zmq_send(s.socket, big, sizeof big, 0);
    assert_true(wires_stay(w, &w->b.messages));
    struct wire_counts counts;
    wire_count(w->b.wire, &counts);
    assert_int_equal(counts.malformed, 1); /* the oversize one never got out of libzmq */
    stranger_free(&s);
    assert_int_equal(wire_dial(w->a.wire, 1, &w->b.identity.id, w->tcp), 0);
    assert_int_equal(wire_send(w->a.wire, 1, big, sizeof big), ERR_LIMIT);
}

/* A routing id that the peer chose could be another peer's. */
static void s20_chosen_routing_ids_are_dropped(void **state)
{
    struct wires *w = *state;
    struct stranger s = stranger_new(ZMQ_DEALER);
    stranger_keys(&s, w, &w->a.identity);
    zmq_setsockopt(s.socket, ZMQ_ROUTING_ID, "anna", 4);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "hello", 5, 0);
    assert_true(wires_stay(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
    stranger_free(&s);
}

/* ---- bounds and ends */

static void p45_a_full_queue_says_so(void **state)
{
    struct wires *w = *state;
    static const char filling[60000];
    struct stranger s = stranger_new(ZMQ_DEALER); /* which reads nothing */
    int one = 1;
    zmq_setsockopt(s.socket, ZMQ_RCVHWM, &one, sizeof one);
    stranger_keys(&s, w, &w->a.identity);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "hello", 5, 0);
    assert_true(wires_run_until(w, &w->b.messages, 1, PATIENCE));
    int err = 0, sent = 0;
    while (sent < 4096 && (err = wire_send(w->b.wire, w->b.accepted, filling, sizeof filling)) == 0)
        sent++;
    assert_int_equal(err, ERR_FULL);
    assert_true(sent >= SOCKET_QUEUE);
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "x", 1), ERR_FULL);
    stranger_free(&s);
}

static void a_link_that_hung_up_is_forgotten(void **state)
{
    struct wires *w = *state;
    wires_meet(w, 1, w->tcp);
    wire_hangup(w->b.wire, w->b.accepted);
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "x", 1), ERR_UNREACHABLE);
    wire_send(w->a.wire, 1, "anybody?", 8);
    assert_true(wires_stay(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 1); /* nor is it a new one */
    wire_hangup(w->a.wire, 1);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
    wire_hangup(w->a.wire, 1); /* once is enough, twice is fine */
    wires_meet(w, 2, w->tcp);
    assert_int_equal(w->b.accepts, 2);
}

static void who_is_hung_up_on_at_once_is_not_heard(void **state)
{
    struct wires *w = *state;
    w->b.hangs_up = true;
    assert_int_equal(wire_dial(w->a.wire, 1, &w->b.identity.id, w->tcp), 0);
    wire_send(w->a.wire, 1, "one", 3);
    wire_send(w->a.wire, 1, "two", 3);
    assert_true(wires_run_until(w, &w->b.accepts, 1, PATIENCE));
    assert_true(wires_stay(w, &w->b.messages));
    assert_int_equal(w->b.messages, 0);
    assert_int_equal(w->b.accepts, 1);
}

/* Goodbyes are said just before a link is dropped. */
static void what_was_queued_before_a_hangup_arrives(void **state)
{
    struct wires *w = *state;
    wires_meet(w, 1, w->tcp);
    wire_send(w->a.wire, 1, "goodbye", 7);
    wire_hangup(w->a.wire, 1);
    assert_true(wires_run_until(w, &w->b.messages, 2, PATIENCE));
    assert_string_equal(w->b.text, "goodbye");
}

static void what_was_queued_before_the_end_arrives(void **state)
{
    struct wires *w = *state;
    wires_meet(w, 1, w->tcp);
    for (int i = 0; i < 50; i++)
        assert_int_equal(wire_send(w->a.wire, 1, "goodbye", 7), 0);
    wire_free(w->a.wire);
    w->a.wire = NULL;
    assert_true(wires_run_until(w, &w->b.messages, 51, PATIENCE));
}

static void a_lost_inbound_tcp_link_is_told(void **state)
{
    wires_lost_inbound(*state, ((struct wires *)*state)->tcp);
}

static void a_lost_inbound_ipc_link_is_told(void **state)
{
    wires_lost_inbound(*state, ((struct wires *)*state)->ipc);
}

static void what_was_said_last_comes_before_the_loss(void **state)
{
    struct wires *w = *state;
    wires_meet(w, 1, w->tcp);
    for (int i = 0; i < 50; i++)
        wire_send(w->a.wire, 1, "goodbye", 7);
    wire_free(w->a.wire); /* all of it is on its way, and so is the end of the connection, before the loop looks */
    w->a.wire = NULL;
    assert_true(wires_run_until(w, &w->b.losses, 1, PATIENCE));
    assert_int_equal(w->b.messages, 51);
}

/* Not only forgotten: the connection is closed, so that it takes nothing from us any more. */
static void a_hangup_closes_the_connection(void **state)
{
    struct wires *w = *state;
    int nothing = 0;
    wires_meet(w, 1, w->tcp);
    wire_hangup(w->b.wire, w->b.accepted);
    while (wire_send(w->a.wire, 1, "still there?", 12) == 0)
        wires_run_until(w, &nothing, 1, 100000000);
    assert_true(wires_run_until(w, &w->a.losses, 1, PATIENCE));
}

static void a_lost_outbound_tcp_link_is_told(void **state)
{
    wires_lost_outbound(*state, ((struct wires *)*state)->tcp);
}

static void a_lost_outbound_ipc_link_is_told(void **state)
{
    wires_lost_outbound(*state, ((struct wires *)*state)->ipc);
}

/* Nothing ever came from there: only sending shows it. */
static void a_lost_link_that_never_answered_is_told(void **state)
{
    struct wires *w = *state;
    int nothing = 0;
    wires_meet(w, 1, w->tcp);
    wire_free(w->b.wire);
    w->b.wire = NULL;
    while (w->a.losses == 0 && wire_send(w->a.wire, 1, "there?", 6) != ERR_UNREACHABLE)
        wires_run_until(w, &nothing, 1, 1000000);
    assert_true(wires_run_until(w, &w->a.losses, 1, PATIENCE));
}

static void dials_are_bounded(void **state)
{
    struct wires *w = *state;
    link_no n = 0;
    int err = 0;
    while (n < 2 * LINKS_MAX && (err = wire_dial(w->a.wire, n + 1, &w->b.identity.id, "tcp://127.0.0.1:1")) == 0)
        n++;
    assert_int_equal(err, ERR_FULL);
    assert_true(n <= LINKS_MAX);
    wire_hangup(w->a.wire, 1);
    assert_int_equal(wire_dial(w->a.wire, n + 2, &w->b.identity.id, "tcp://127.0.0.1:1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wires_setup, wires_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tcp_carries_messages_both_ways),
        TEST(ipc_carries_messages_both_ways),
        TEST(s25_a_server_with_another_key_never_connects),
        TEST(no_id_no_dial),
        TEST(s34_other_mechanisms_are_refused),
        TEST(a_secret_key_must_fit_the_public_one),
        TEST(endpoints_that_are_none_are_refused),
        TEST(p45_oversize_and_many_framed_messages_are_dropped),
        TEST(s20_chosen_routing_ids_are_dropped),
        TEST(p45_a_full_queue_says_so),
        TEST(a_link_that_hung_up_is_forgotten),
        TEST(who_is_hung_up_on_at_once_is_not_heard),
        TEST(what_was_queued_before_a_hangup_arrives),
        TEST(what_was_queued_before_the_end_arrives),
        TEST(a_lost_inbound_tcp_link_is_told),
        TEST(a_lost_inbound_ipc_link_is_told),
        TEST(what_was_said_last_comes_before_the_loss),
        TEST(a_hangup_closes_the_connection),
        TEST(a_lost_outbound_tcp_link_is_told),
        TEST(a_lost_outbound_ipc_link_is_told),
        TEST(a_lost_link_that_never_answered_is_told),
        TEST(dials_are_bounded),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}

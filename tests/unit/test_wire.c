/* The wire: two of them in one process shake hands by CURVE; wrong keys, other mechanisms and malformed messages come to
 * nothing; queues are bounded; lost connections are told. Real sockets on ports that the system picks. */
#include "core.h"
#include "limits.h"
#include "scratch.h"
#include "socket.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

#define PATIENCE 10000000000u
#define SILENCE 300000000u /* in which what must not happen would have */

/* One node's side. */
struct side {
    struct identity identity;
    struct wire *wire;
    link_no accepted, from, lost;
    uint8_t curve[CURVE_KEY_BYTES];
    int messages, losses, accepts;
    size_t bytes;
    char text[64];
    bool hangs_up; /* at once, when somebody comes */
};

struct world {
    struct loop *loop;
    struct scratch scratch;
    struct side a, b; /* b listens */
    char tcp[ENDPOINT_TEXT], ipc[ENDPOINT_TEXT];
    struct timer timer;
    bool over;
    const int *wanted;
    int least;
    struct fault fault;
};

/* ---- callbacks */

static void accepted(void *arg, link_no link, const uint8_t curve[CURVE_KEY_BYTES])
{
    struct side *s = arg;
    s->accepts++;
    s->accepted = link;
    memcpy(s->curve, curve, CURVE_KEY_BYTES);
    if (s->hangs_up)
        wire_hangup(s->wire, link);
}

static void message(void *arg, link_no link, const void *bytes, size_t n)
{
    struct side *s = arg;
    s->messages++;
    s->from = link;
    s->bytes = n;
    snprintf(s->text, sizeof s->text, "%.*s", (int)(n < 60 ? n : 60), (const char *)bytes);
}

static void lost(void *arg, link_no link)
{
    struct side *s = arg;
    s->losses++;
    s->lost = link;
}

/* ---- running the loop */

static void time_is_up(void *arg)
{
    struct world *w = arg;
    w->over = true;
    loop_stop(w->loop);
}

static void look(void *arg)
{
    struct world *w = arg;
    if (*w->wanted >= w->least)
        loop_stop(w->loop);
    else
        loop_timer_set(w->loop, &w->timer, loop_now() + 1000000);
}

/* Runs until the counter has reached `least`; false when it does not in time. */
static bool run_until(struct world *w, const int *counter, int least, uint64_t patience)
{
    struct timer end;
    w->over = false;
    w->wanted = counter;
    w->least = least;
    timer_init(&end, time_is_up, w);
    timer_init(&w->timer, look, w);
    loop_timer_set(w->loop, &end, loop_now() + patience);
    loop_timer_set(w->loop, &w->timer, 0);
    loop_run(w->loop);
    loop_timer_cancel(w->loop, &end);
    loop_timer_cancel(w->loop, &w->timer);
    return !w->over;
}

static bool stays(struct world *w, const int *counter)
{
    return !run_until(w, counter, *counter + 1, SILENCE);
}

/* ---- the world */

static void open_side(struct world *w, struct side *s, uint8_t seed_byte)
{
    uint8_t seed[SEED_BYTES];
    memset(seed, seed_byte, sizeof seed);
    identity_from_seed(seed, &s->identity);
    const struct wire_config config = {
        .identity = &s->identity, .loop = w->loop, .accepted = accepted, .message = message, .lost = lost, .arg = s};
    assert_int_equal(wire_new(&config, &s->wire, &w->fault), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char path[ENDPOINT_TEXT];
    scratch_make(&w->scratch);
    assert_int_equal(loop_new(&w->loop, &w->fault), 0);
    open_side(w, &w->a, 1);
    open_side(w, &w->b, 2);
    assert_int_equal(wire_listen(w->b.wire, "tcp://127.0.0.1:*", w->tcp, &w->fault), 0);
    snprintf(path, sizeof path, "ipc://%.100s/b", w->scratch.path);
    assert_int_equal(wire_listen(w->b.wire, path, w->ipc, &w->fault), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    wire_free(w->a.wire);
    wire_free(w->b.wire);
    loop_free(w->loop);
    assert_int_equal(scratch_count(&w->scratch, ""), 0); /* no socket is left behind */
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

/* a dials b and says hello. */
static void meet(struct world *w, link_no link, const char *endpoint)
{
    int before = w->b.messages;
    assert_int_equal(wire_dial(w->a.wire, link, &w->b.identity.id, endpoint), 0);
    assert_int_equal(wire_send(w->a.wire, link, "hello", 5), 0);
    assert_true(run_until(w, &w->b.messages, before + 1, PATIENCE));
}

static void exchange(struct world *w, const char *endpoint)
{
    meet(w, 1, endpoint);
    assert_int_equal(w->b.accepts, 1);
    assert_true(w->b.accepted & LINK_INBOUND);
    assert_memory_equal(w->b.curve, w->a.identity.curve_public, CURVE_KEY_BYTES); /* what User-Id carried */
    assert_int_equal(w->b.from, w->b.accepted);
    assert_string_equal(w->b.text, "hello");
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "welcome", 7), 0);
    assert_true(run_until(w, &w->a.messages, 1, PATIENCE));
    assert_int_equal(w->a.from, 1);
    assert_string_equal(w->a.text, "welcome");
    wire_send(w->a.wire, 1, "again", 5);
    assert_true(run_until(w, &w->b.messages, 2, PATIENCE));
    assert_int_equal(w->b.accepts, 1); /* the same link */
}

static void tcp_carries_messages_both_ways(void **state)
{
    struct world *w = *state;
    exchange(w, w->tcp);
}

static void ipc_carries_messages_both_ways(void **state)
{
    struct world *w = *state;
    exchange(w, w->ipc);
}

/* ---- who may come */

/* Who answers at an endpoint but is not whom we dialled gets nothing from us. */
static void s25_a_server_with_another_key_never_connects(void **state)
{
    struct world *w = *state;
    assert_int_equal(wire_dial(w->a.wire, 1, &w->a.identity.id, w->tcp), 0);
    int err = wire_send(w->a.wire, 1, "secret", 6); /* the refusal may have come already */
    assert_true(err == 0 || err == ERR_UNREACHABLE);
    assert_true(stays(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
}

static void no_id_no_dial(void **state)
{
    struct world *w = *state;
    struct node_id zero = {{0}};
    assert_int_equal(wire_dial(w->a.wire, 1, &zero, w->tcp), ERR_MALFORMED);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
}

/* A client of libzmq that is not ours, with the mechanism that its options say. */
struct stranger {
    void *context, *socket;
};

static struct stranger stranger_new(int type)
{
    struct stranger s = {.context = zmq_ctx_new()};
    int zero = 0;
    s.socket = zmq_socket(s.context, type);
    zmq_setsockopt(s.socket, ZMQ_LINGER, &zero, sizeof zero);
    return s;
}

static void stranger_keys(const struct stranger *s, const struct world *w, const struct identity *own)
{
    zmq_setsockopt(s->socket, ZMQ_CURVE_SERVERKEY, w->b.identity.curve_public, CURVE_KEY_BYTES);
    zmq_setsockopt(s->socket, ZMQ_CURVE_PUBLICKEY, own->curve_public, CURVE_KEY_BYTES);
    zmq_setsockopt(s->socket, ZMQ_CURVE_SECRETKEY, own->curve_secret, CURVE_KEY_BYTES);
}

static void stranger_free(struct stranger *s)
{
    zmq_close(s->socket);
    zmq_ctx_term(s->context);
}

static void s34_other_mechanisms_are_refused(void **state)
{
    struct world *w = *state;
    struct stranger null = stranger_new(ZMQ_DEALER), plain = stranger_new(ZMQ_DEALER);
    zmq_setsockopt(plain.socket, ZMQ_PLAIN_USERNAME, "anna", 4);
    zmq_setsockopt(plain.socket, ZMQ_PLAIN_PASSWORD, "x", 1);
    assert_int_equal(zmq_connect(null.socket, w->tcp), 0);
    assert_int_equal(zmq_connect(plain.socket, w->tcp), 0);
    zmq_send(null.socket, "null", 4, ZMQ_DONTWAIT);
    zmq_send(plain.socket, "plain", 5, ZMQ_DONTWAIT);
    assert_true(stays(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
    stranger_free(&null);
    stranger_free(&plain);
}

static void a_secret_key_must_fit_the_public_one(void **state)
{
    struct world *w = *state;
    struct stranger s = stranger_new(ZMQ_DEALER);
    struct identity forged = w->b.identity;
    memcpy(forged.curve_public, w->a.identity.curve_public, CURVE_KEY_BYTES); /* a's name, b's secret */
    stranger_keys(&s, w, &forged);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "I am a", 6, ZMQ_DONTWAIT);
    assert_true(stays(w, &w->b.messages));
    stranger_free(&s);
}

static void endpoints_that_are_none_are_refused(void **state)
{
    struct world *w = *state;
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
    struct world *w = *state;
    static const char big[MSG_BYTES_MAX + 1];
    struct stranger s = stranger_new(ZMQ_DEALER);
    stranger_keys(&s, w, &w->a.identity);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "one", 3, ZMQ_SNDMORE);
    zmq_send(s.socket, "two", 3, ZMQ_SNDMORE);
    zmq_send(s.socket, "three", 5, 0);
    zmq_send(s.socket, "good", 4, 0);
    assert_true(run_until(w, &w->b.messages, 1, PATIENCE));
    assert_string_equal(w->b.text, "good");
    zmq_send(s.socket, big, MSG_BYTES_MAX, 0);
    assert_true(run_until(w, &w->b.messages, 2, PATIENCE));
    assert_int_equal(w->b.bytes, MSG_BYTES_MAX);
    zmq_send(s.socket, big, sizeof big, 0);
    assert_true(stays(w, &w->b.messages));
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
    struct world *w = *state;
    struct stranger s = stranger_new(ZMQ_DEALER);
    stranger_keys(&s, w, &w->a.identity);
    zmq_setsockopt(s.socket, ZMQ_ROUTING_ID, "anna", 4);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "hello", 5, 0);
    assert_true(stays(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 0);
    stranger_free(&s);
}

/* ---- bounds and ends */

static void p45_a_full_queue_says_so(void **state)
{
    struct world *w = *state;
    static const char filling[60000];
    struct stranger s = stranger_new(ZMQ_DEALER); /* which reads nothing */
    int one = 1;
    zmq_setsockopt(s.socket, ZMQ_RCVHWM, &one, sizeof one);
    stranger_keys(&s, w, &w->a.identity);
    zmq_connect(s.socket, w->tcp);
    zmq_send(s.socket, "hello", 5, 0);
    assert_true(run_until(w, &w->b.messages, 1, PATIENCE));
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
    struct world *w = *state;
    meet(w, 1, w->tcp);
    wire_hangup(w->b.wire, w->b.accepted);
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "x", 1), ERR_UNREACHABLE);
    wire_send(w->a.wire, 1, "anybody?", 8);
    assert_true(stays(w, &w->b.messages));
    assert_int_equal(w->b.accepts, 1); /* nor is it a new one */
    wire_hangup(w->a.wire, 1);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
    wire_hangup(w->a.wire, 1); /* once is enough, twice is fine */
    meet(w, 2, w->tcp);
    assert_int_equal(w->b.accepts, 2);
}

static void who_is_hung_up_on_at_once_is_not_heard(void **state)
{
    struct world *w = *state;
    w->b.hangs_up = true;
    assert_int_equal(wire_dial(w->a.wire, 1, &w->b.identity.id, w->tcp), 0);
    wire_send(w->a.wire, 1, "one", 3);
    wire_send(w->a.wire, 1, "two", 3);
    assert_true(run_until(w, &w->b.accepts, 1, PATIENCE));
    assert_true(stays(w, &w->b.messages));
    assert_int_equal(w->b.messages, 0);
    assert_int_equal(w->b.accepts, 1);
}

/* Goodbyes are said just before a link is dropped. */
static void what_was_queued_before_a_hangup_arrives(void **state)
{
    struct world *w = *state;
    meet(w, 1, w->tcp);
    wire_send(w->a.wire, 1, "goodbye", 7);
    wire_hangup(w->a.wire, 1);
    assert_true(run_until(w, &w->b.messages, 2, PATIENCE));
    assert_string_equal(w->b.text, "goodbye");
}

static void what_was_queued_before_the_end_arrives(void **state)
{
    struct world *w = *state;
    meet(w, 1, w->tcp);
    for (int i = 0; i < 50; i++)
        assert_int_equal(wire_send(w->a.wire, 1, "goodbye", 7), 0);
    wire_free(w->a.wire);
    w->a.wire = NULL;
    assert_true(run_until(w, &w->b.messages, 51, PATIENCE));
}

/* The one who dialled is gone: that is told without our sending anything, once, and not after a hangup. */
static void lost_inbound(struct world *w, const char *endpoint)
{
    meet(w, 1, endpoint);
    link_no inbound = w->b.accepted;
    wire_free(w->a.wire);
    w->a.wire = NULL;
    assert_true(run_until(w, &w->b.losses, 1, PATIENCE));
    assert_int_equal(w->b.lost, inbound);
    assert_int_equal(wire_send(w->b.wire, inbound, "x", 1), ERR_UNREACHABLE);
    assert_true(stays(w, &w->b.losses));
}

static void a_lost_inbound_tcp_link_is_told(void **state)
{
    lost_inbound(*state, ((struct world *)*state)->tcp);
}

static void a_lost_inbound_ipc_link_is_told(void **state)
{
    lost_inbound(*state, ((struct world *)*state)->ipc);
}

static void what_was_said_last_comes_before_the_loss(void **state)
{
    struct world *w = *state;
    meet(w, 1, w->tcp);
    for (int i = 0; i < 50; i++)
        wire_send(w->a.wire, 1, "goodbye", 7);
    wire_free(w->a.wire); /* all of it is on its way, and so is the end of the connection, before the loop looks */
    w->a.wire = NULL;
    assert_true(run_until(w, &w->b.losses, 1, PATIENCE));
    assert_int_equal(w->b.messages, 51);
}

/* Not only forgotten: the connection is closed, so that it takes nothing from us any more. */
static void a_hangup_closes_the_connection(void **state)
{
    struct world *w = *state;
    int nothing = 0;
    meet(w, 1, w->tcp);
    wire_hangup(w->b.wire, w->b.accepted);
    while (wire_send(w->a.wire, 1, "still there?", 12) == 0)
        run_until(w, &nothing, 1, 100000000);
    assert_true(run_until(w, &w->a.losses, 1, PATIENCE));
}

/* Without our sending anything. */
static void lost_outbound(struct world *w, const char *endpoint)
{
    meet(w, 1, endpoint);
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "welcome", 7), 0);
    assert_true(run_until(w, &w->a.messages, 1, PATIENCE));
    wire_free(w->b.wire);
    w->b.wire = NULL;
    assert_true(run_until(w, &w->a.losses, 1, PATIENCE));
    assert_int_equal(w->a.lost, 1);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
}

static void a_lost_outbound_tcp_link_is_told(void **state)
{
    lost_outbound(*state, ((struct world *)*state)->tcp);
}

static void a_lost_outbound_ipc_link_is_told(void **state)
{
    lost_outbound(*state, ((struct world *)*state)->ipc);
}

/* Nothing ever came from there: only sending shows it. */
static void a_lost_link_that_never_answered_is_told(void **state)
{
    struct world *w = *state;
    int nothing = 0;
    meet(w, 1, w->tcp);
    wire_free(w->b.wire);
    w->b.wire = NULL;
    while (w->a.losses == 0 && wire_send(w->a.wire, 1, "there?", 6) != ERR_UNREACHABLE)
        run_until(w, &nothing, 1, 1000000);
    assert_true(run_until(w, &w->a.losses, 1, PATIENCE));
}

static void dials_are_bounded(void **state)
{
    struct world *w = *state;
    link_no n = 0;
    int err = 0;
    while (n < 2 * LINKS_MAX && (err = wire_dial(w->a.wire, n + 1, &w->b.identity.id, "tcp://127.0.0.1:1")) == 0)
        n++;
    assert_int_equal(err, ERR_FULL);
    assert_true(n <= LINKS_MAX);
    wire_hangup(w->a.wire, 1);
    assert_int_equal(wire_dial(w->a.wire, n + 2, &w->b.identity.id, "tcp://127.0.0.1:1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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

/* Two wires in one process. See wires.h. */
#include "wires.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    struct wires *w = arg;
    w->over = true;
    loop_stop(w->loop);
}

static void look(void *arg)
{
    struct wires *w = arg;
    if (*w->wanted >= w->least)
        loop_stop(w->loop);
    else
        loop_timer_set(w->loop, &w->timer, loop_now() + 1000000);
}

/* Runs until the counter has reached `least`; false when it does not in time. */
bool wires_run_until(struct wires *w, const int *counter, int least, uint64_t patience)
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

bool wires_stay(struct wires *w, const int *counter)
{
    return !wires_run_until(w, counter, *counter + 1, SILENCE);
}

/* ---- the world */

static void open_side(struct wires *w, struct side *s, uint8_t seed_byte)
{
    uint8_t seed[SEED_BYTES];
    memset(seed, seed_byte, sizeof seed);
    identity_from_seed(seed, &s->identity);
    const struct wire_config config = {
        .identity = &s->identity, .loop = w->loop, .accepted = accepted, .message = message, .lost = lost, .arg = s};
    assert_int_equal(wire_new(&config, &s->wire, &w->fault), 0);
}

int wires_setup(void **state)
{
    struct wires *w = calloc(1, sizeof *w);
    char path[ENDPOINT_TEXT];
    scratch_make(&w->scratch);
    assert_int_equal(loop_new(&w->loop, &w->fault), 0);
    open_side(w, &w->a, 1);
    open_side(w, &w->b, 2);
    assert_int_equal(wire_listen(w->b.wire, "tcp://127.0.0.1:*", w->tcp, &w->fault), 0);
    snprintf(path, sizeof path, "ipc://%.100s/b", w->scratch.path);
    assert_int_equal(wire_listen(w->b.wire, path, w->ipc, &w->fault), 0);
    assert_int_equal(wire_listen(w->b.wire, "ws://127.0.0.1:*", w->ws, &w->fault), 0);
    *state = w;
    return 0;
}

int wires_teardown(void **state)
{
    struct wires *w = *state;
    wire_free(w->a.wire);
    wire_free(w->b.wire);
    loop_free(w->loop);
    assert_int_equal(scratch_count(&w->scratch, ""), 0); /* no socket is left behind */
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

/* a dials b and says hello. */
void wires_meet(struct wires *w, link_no link, const char *endpoint)
{
    int before = w->b.messages;
    assert_int_equal(wire_dial(w->a.wire, link, &w->b.identity.id, endpoint), 0);
    assert_int_equal(wire_send(w->a.wire, link, "hello", 5), 0);
    assert_true(wires_run_until(w, &w->b.messages, before + 1, PATIENCE));
}

void wires_exchange(struct wires *w, const char *endpoint)
{
    wires_meet(w, 1, endpoint);
    assert_int_equal(w->b.accepts, 1);
    assert_true(w->b.accepted & LINK_INBOUND);
    assert_memory_equal(w->b.curve, w->a.identity.curve_public, CURVE_KEY_BYTES); /* what User-Id carried */
    assert_int_equal(w->b.from, w->b.accepted);
    assert_string_equal(w->b.text, "hello");
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "welcome", 7), 0);
    assert_true(wires_run_until(w, &w->a.messages, 1, PATIENCE));
    assert_int_equal(w->a.from, 1);
    assert_string_equal(w->a.text, "welcome");
    wire_send(w->a.wire, 1, "again", 5);
    assert_true(wires_run_until(w, &w->b.messages, 2, PATIENCE));
    assert_int_equal(w->b.accepts, 1); /* the same link */
}

/* ---- what tests of each transport do */

/* The one who dialled is gone: that is told without our sending anything, once, and not after a hangup. */
void wires_lost_inbound(struct wires *w, const char *endpoint)
{
    wires_meet(w, 1, endpoint);
    link_no inbound = w->b.accepted;
    wire_free(w->a.wire);
    w->a.wire = NULL;
    assert_true(wires_run_until(w, &w->b.losses, 1, PATIENCE));
    assert_int_equal(w->b.lost, inbound);
    assert_int_equal(wire_send(w->b.wire, inbound, "x", 1), ERR_UNREACHABLE);
    assert_true(wires_stay(w, &w->b.losses));
}

/* Without our sending anything. */
void wires_lost_outbound(struct wires *w, const char *endpoint)
{
    wires_meet(w, 1, endpoint);
    assert_int_equal(wire_send(w->b.wire, w->b.accepted, "welcome", 7), 0);
    assert_true(wires_run_until(w, &w->a.messages, 1, PATIENCE));
    wire_free(w->b.wire);
    w->b.wire = NULL;
    assert_true(wires_run_until(w, &w->a.losses, 1, PATIENCE));
    assert_int_equal(w->a.lost, 1);
    assert_int_equal(wire_send(w->a.wire, 1, "x", 1), ERR_UNREACHABLE);
}

/* ---- strangers */

struct stranger stranger_new(int type)
{
    struct stranger s = {.context = zmq_ctx_new()};
    int zero = 0;
    s.socket = zmq_socket(s.context, type);
    zmq_setsockopt(s.socket, ZMQ_LINGER, &zero, sizeof zero);
    return s;
}

void stranger_keys(const struct stranger *s, const struct wires *w, const struct identity *own)
{
    zmq_setsockopt(s->socket, ZMQ_CURVE_SERVERKEY, w->b.identity.curve_public, CURVE_KEY_BYTES);
    zmq_setsockopt(s->socket, ZMQ_CURVE_PUBLICKEY, own->curve_public, CURVE_KEY_BYTES);
    zmq_setsockopt(s->socket, ZMQ_CURVE_SECRETKEY, own->curve_secret, CURVE_KEY_BYTES);
}

void stranger_free(struct stranger *s)
{
    zmq_close(s->socket);
    zmq_ctx_term(s->context);
}

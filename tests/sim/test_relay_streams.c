/* Byte streams between nodes that meet only at relays, in the simulated world: they come through, move to a connection and
 * back, outlive relays and links with no byte lost or doubled; who may not have them does not get them; and ends are told. */
#include "connect_caller.h"
#include "relayed_world.h"
#include "stream_programs.h"
#include "world_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a pair of programs: hugo listens, anna calls */

struct talk {
    struct world *w;
    struct party hugo, anna;
};

static void talk_start(struct talk *t, struct world *w)
{
    *t = (struct talk){.w = w};
    listen_as(w, &t->hugo, HUGO, row_for("pipe-listen", "pipe", "chat"));
    connect_as(w, &t->anna, ANNA, call_for("hugo:chat", 2000));
    until_connected(w, &t->anna);
    until_joined(w, &t->hugo);
    if (t->anna.code[0])
        fail_msg("%s: %s", t->anna.code, t->anna.text);
}

/* What is said at either side is heard at the other, though not at once. */
static void exchange(struct talk *t)
{
    party_say(&t->anna, "a question.");
    party_say(&t->hugo, "an answer.");
    run(t->w, 2 * SECOND);
}

static void assert_heard(const struct talk *t, int times, bool end)
{
    char asked[512] = "", answered[512] = "";
    for (int i = 0; i < times; i++) {
        strcat(asked, "a question.");
        strcat(answered, "an answer.");
    }
    assert_came(&t->hugo, asked, end);
    assert_came(&t->anna, answered, end);
}

/* Both sides end in order, after so many exchanges, by this route. */
static void finish(struct talk *t, int times, const char *route)
{
    program_shut(t->anna.program);
    program_shut(t->hugo.program);
    until_over(t->w, &t->anna);
    until_over(t->w, &t->hugo);
    if (!t->anna.done)
        fail_msg("%s: %s", t->anna.code, t->anna.text);
    assert_heard(t, times, true);
    assert_int_equal(t->hugo.done, 1);
    assert_int_equal(t->anna.in, times * (int)strlen("a question."));
    assert_int_equal(t->anna.out, times * (int)strlen("an answer."));
    assert_int_equal(t->hugo.in, t->anna.out);
    assert_int_equal(t->hugo.out, t->anna.in);
    assert_int_equal(t->hugo.offers, 1);
    assert_string_equal(t->anna.route, route);
}

/* Nothing is left of it anywhere. */
static void part(struct world *w)
{
    run(w, STREAM_ABSENT + 2 * SECOND);
    for (size_t i = 0; i < w->node_count; i++) {
        if (!w->nodes[i]->up)
            continue;
        const struct core *core = world_core(w, i);
        assert_true(core->callees == NULL && core->callers == NULL && core->transfers == 0 && core->opened == NULL);
        assert_true(w->nodes[i]->kept == NULL && w->nodes[i]->bridges == NULL && w->nodes[i]->duplexes == NULL);
    }
    world_free(w);
}

static void connected(struct world *w, bool is)
{
    world_cut(w, ANNA, HUGO, !is);
    world_firewall(w, HUGO, !is);
}

/* ---- as if there were no relay */

static void relay_6_a_stream_through_a_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(1, 1);
    struct talk t;
    talk_start(&t, w);
    assert_string_equal(t.anna.route, "relay:sara");
    assert_string_equal(t.hugo.from, "anna");
    exchange(&t);
    assert_heard(&t, 1, false);
    exchange(&t);
    finish(&t, 2, "relay:sara");
    assert_int_equal(t.anna.moved, 0);
    part(w);
}

static void relay_6_directly_where_that_is_possible(void **state)
{
    (void)state;
    struct world *w = relayed_world(2, 1);
    struct talk t;
    connected(w, true);
    run(w, 5 * SECOND);
    talk_start(&t, w);
    exchange(&t);
    finish(&t, 1, "direct");
    part(w);
}

/* ---- moving */

/* Whoever of the two can be dialled then. */
static void relay_7_moves_to_a_connection(void **state)
{
    (void)state;
    for (size_t open = ANNA; open <= HUGO; open++) {
        struct world *w = relayed_world(30 + open, 1);
        struct talk t;
        talk_start(&t, w);
        exchange(&t);
        uint64_t began = world_now(w);
        world_firewall(w, open, false);
        world_cut(w, ANNA, HUGO, false);
        until_moved(w, &t.anna, 1);
        assert_true(world_now(w) - began < 2 * SECOND);
        assert_string_equal(t.anna.route, "direct");
        exchange(&t);
        assert_heard(&t, 2, false);
        assert_null(w->nodes[SARA]->bridges);
        finish(&t, 2, "relay:sara, direct");
        part(w);
    }
}

static bool is_linked(struct world *w, void *arg)
{
    (void)arg;
    const struct core *core = world_core(w, ANNA);
    return link_direct(peers_find(core->peers, world_id(w, HUGO))) != NULL;
}

/* It is good for messages, but neither can dial the other for the bytes: they stay with the relay, and are not moved again. */
static void relay_7_a_connection_that_will_not_do(void **state)
{
    (void)state;
    struct world *w = relayed_world(33, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    connected(w, true);
    assert_true(world_run_until(w, is_linked, NULL, world_now(w) + 2 * SECOND));
    world_firewall(w, HUGO, true);
    until_moved(w, &t.anna, 2); /* there, for the callee will listen, and back, for it cannot be dialled */
    assert_string_equal(t.anna.route, "relay:sara");
    exchange(&t);
    run(w, 10 * SECOND);
    assert_int_equal(t.anna.moved, 2);
    finish(&t, 2, "relay:sara, direct, relay:sara");
    part(w);
}

static void relay_7_falls_back_to_the_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(4, 1);
    struct talk t;
    connected(w, true);
    run(w, 5 * SECOND);
    talk_start(&t, w);
    exchange(&t);
    connected(w, false);
    until_moved(w, &t.anna, 1); /* though nobody says anything: the link is dead */
    exchange(&t);
    finish(&t, 2, "direct, relay:sara");
    part(w);
}

/* With bytes on their way each time. */
static void relay_7_there_and_back_in_the_middle(void **state)
{
    (void)state;
    struct world *w = relayed_world(5, 1);
    struct talk t;
    talk_start(&t, w);
    for (int i = 1; i <= 6; i++) {
        party_say(&t.anna, "a question.");
        connected(w, i % 2);
        party_say(&t.hugo, "an answer.");
        until_moved(w, &t.anna, i);
        assert_false(is_party_over(&t.anna) || is_party_over(&t.hugo));
    }
    run(w, 2 * SECOND);
    assert_heard(&t, 6, false);
    program_shut(t.anna.program);
    program_shut(t.hugo.program);
    until_over(w, &t.anna);
    assert_int_equal(t.anna.done, 1);
    assert_heard(&t, 6, true);
    part(w);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 0x9e3779b1u >> 9);
}

static void assert_bytes(const struct party *p, size_t want)
{
    size_t n;
    bool ended;
    const uint8_t *b = program_read(p->program, &n, &ended);
    assert_true(n == want && ended);
    for (size_t i = 0; i < n; i++)
        if (b[i] != byte_at(i))
            fail_msg("byte %zu is another one", i);
}

/* Megabytes both ways, while the way changes at random. */
static void p38_much_while_everything_changes(void **state)
{
    (void)state;
    enum { MUCH = 3 << 20 };
    uint8_t *much = malloc(MUCH);
    assert_non_null(much);
    for (size_t i = 0; i < MUCH; i++)
        much[i] = byte_at(i);
    for (uint64_t seed = 6; seed < 10; seed++) {
        struct world *w = relayed_world(seed, 2);
        struct talk t;
        talk_start(&t, w);
        for (size_t part_of = 0; part_of < 12; part_of++) {
            program_write(t.anna.program, much + part_of * (MUCH / 12), MUCH / 12);
            program_write(t.hugo.program, much + part_of * (MUCH / 12), MUCH / 12);
            run(w, world_random(w) % SECOND);
            if (world_random(w) % 3 == 0)
                connected(w, world_random(w) % 2);
            else if (world_random(w) % 2)
                world_cut(w, world_random(w) % 2, SARA + world_random(w) % 2, world_random(w) % 2);
            run(w, world_random(w) % (4 * SECOND));
            for (size_t relay = SARA; relay <= RITA; relay++)
                for (size_t end = ANNA; end <= HUGO; end++)
                    world_cut(w, end, relay, false);
        }
        program_shut(t.anna.program);
        program_shut(t.hugo.program);
        until_over(w, &t.anna);
        until_over(w, &t.hugo);
        if (!t.anna.done || !t.hugo.done)
            fail_msg("%s; %s", t.anna.text, t.hugo.text);
        assert_bytes(&t.hugo, MUCH);
        assert_bytes(&t.anna, MUCH);
        part(w);
    }
    free(much);
}

/* ---- relays that go */

static void p38_the_relay_is_killed_and_restarted(void **state)
{
    (void)state;
    struct world *w = relayed_world(10, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    world_crash(w, SARA);
    run(w, SECOND);
    party_say(&t.anna, "a question.");
    party_say(&t.hugo, "an answer.");
    run(w, SECOND);
    assert_heard(&t, 1, false);
    world_start(w, SARA);
    until_moved(w, &t.anna, 1);
    run(w, SECOND);
    finish(&t, 2, "relay:sara");
    part(w);
}

static void p38_the_relay_never_comes_back(void **state)
{
    (void)state;
    struct world *w = relayed_world(11, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    uint64_t began = world_now(w);
    world_crash(w, SARA);
    assert_error(w, &t.anna, "unreachable", "bytes had been sent");
    assert_true(world_now(w) - began < STREAM_ABSENT + 15 * SECOND);
    until_over(w, &t.hugo);
    assert_string_equal(t.hugo.code, "unreachable");
    assert_true(t.anna.in == 11 && t.anna.out == 10);
    part(w);
}

/* Of two relays the one that carries the stream ends. */
static void goes_by_the_other(struct world *w, void (*end)(struct world *w, size_t node))
{
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    size_t by = strcmp(t.anna.route, "relay:sara") == 0 ? SARA : RITA;
    end(w, by);
    until_moved(w, &t.anna, 1);
    exchange(&t);
    finish(&t, 2, by == SARA ? "relay:sara, relay:rita" : "relay:rita, relay:sara");
    part(w);
}

/* It says that it stops. */
static void relay_7_of_two_relays_one_drains(void **state)
{
    (void)state;
    goes_by_the_other(relayed_world(12, 2), world_stop);
}

static void p38_of_two_relays_one_is_killed(void **state)
{
    (void)state;
    goes_by_the_other(relayed_world(13, 2), world_crash);
}

/* ---- ends that go */

static void p38_the_callees_node_is_killed(void **state)
{
    (void)state;
    struct world *w = relayed_world(14, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    world_crash(w, HUGO);
    assert_error(w, &t.anna, "unreachable", "bytes had been sent");
    part(w);
}

/* It has forgotten the stream, and says so at once. */
static void p38_the_callees_node_is_restarted(void **state)
{
    (void)state;
    struct world *w = relayed_world(15, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    world_crash(w, HUGO);
    run(w, SECOND);
    world_start(w, HUGO);
    until_over(w, &t.anna);
    assert_int_equal(t.anna.failed, 1);
    assert_true(t.anna.in == 11 && t.anna.out == 10);
    part(w);
}

static void p38_the_callers_node_is_killed(void **state)
{
    (void)state;
    struct world *w = relayed_world(16, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    uint64_t began = world_now(w);
    world_crash(w, ANNA);
    assert_error(w, &t.hugo, "unreachable", "did not come again");
    assert_true(world_now(w) - began < STREAM_ABSENT + 10 * SECOND);
    part(w);
}

static void relay_7_the_calling_program_goes(void **state)
{
    (void)state;
    struct world *w = relayed_world(17, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    program_leave(t.anna.program);
    run(w, 3 * SECOND);
    assert_int_equal(t.hugo.failed, 1); /* it need not wait */
    part(w);
}

static void relay_7_the_listening_program_goes(void **state)
{
    (void)state;
    struct world *w = relayed_world(18, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    program_leave(t.hugo.program);
    uint64_t began = world_now(w);
    assert_error(w, &t.anna, "wrong-state", "the program that listened is gone");
    assert_true(world_now(w) - began < 5 * SECOND);
    part(w);
}

static void pipe_the_listener_ends_its_stream(void **state)
{
    (void)state;
    struct world *w = relayed_world(19, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    struct row *row = row_new("refuse");
    row_int(row, "number", t.hugo.number);
    program_send(t.hugo.program, row);
    assert_error(w, &t.anna, "wrong-state", "this stream has ended");
    struct party again;
    connect_as(w, &again, ANNA, call_for("hugo:chat", 2000)); /* it listens on */
    until_connected(w, &again);
    assert_int_equal(again.connected, 1);
    program_leave(again.program);
    part(w);
}

/* ---- the end that was not heard */

struct unheard {
    uint64_t asked; /* number of the CONNECT that was swallowed */
};

static void swallow(void *arg, struct world_message *m)
{
    struct msg *msg = calloc(1, sizeof *msg);
    struct unheard *u = arg;
    assert_non_null(msg);
    if (m->from == ANNA && msg_decode(m->bytes, m->n, msg) == 0 && msg->type == MSG_CONNECT && msg->connect.again) {
        u->asked = msg->request;
        m->times = 0;
    }
    free(msg);
}

/* All was moved, and the callee has ended, but the caller lost its connections just then: it asks, and is told so. */
static void relay_7_an_end_that_was_not_heard_is_told(void **state)
{
    (void)state;
    struct world *w = relayed_world(27, 1);
    struct talk t;
    struct unheard u = {0};
    uint8_t bytes[512];
    size_t n;
    connected(w, true);
    run(w, 5 * SECOND);
    talk_start(&t, w);
    exchange(&t);
    world_tap(w, swallow, &u);
    const struct caller *c = world_core(w, ANNA)->callers;
    sim_duplex_cancel(w->nodes[ANNA], c->duplex, ERR_CHANGED);
    run(w, SECOND);
    assert_true(u.asked > 0 && !is_party_over(&t.anna));
    struct msg *answer = calloc(1, sizeof *answer);
    assert_non_null(answer);
    answer->type = MSG_ERROR;
    answer->request = u.asked;
    answer->error.code = ERR_EXISTS;
    assert_int_equal(msg_encode(answer, bytes, sizeof bytes, &n), 0);
    free(answer);
    assert_true(world_forge(w, HUGO, ANNA, bytes, n));
    run(w, SECOND);
    assert_int_equal(t.anna.done, 1);
    assert_heard(&t, 1, false);
    world_tap(w, NULL, NULL);
    program_leave(t.hugo.program);
    part(w);
}

/* ---- who may */

static void capture(void *arg, struct world_message *m)
{
    struct msg *msg = calloc(1, sizeof *msg);
    struct msg *out = arg;
    assert_non_null(msg);
    if (m->from == ANNA && m->to == HUGO && msg_decode(m->bytes, m->n, msg) == 0 && msg->type == MSG_CONNECT)
        *out = *msg;
    free(msg);
}

static void answered(void *arg, const struct msg *m, const struct fault *fault)
{
    assert_null(m);
    *(struct fault *)arg = *fault;
}

static struct link *link_between(struct world *w, size_t from, size_t to)
{
    struct core *core = world_core(w, from);
    return link_to(core, peers_find(core->peers, world_id(w, to)));
}

/* Another peer, who has learnt its name, asks for the stream; and so does its caller, in words that do not fit. */
static void p42_another_peer_does_not_get_it(void **state)
{
    (void)state;
    struct world *w = relayed_world(20, 1);
    struct talk t;
    struct msg *seen = calloc(1, sizeof *seen);
    struct fault why = {0};
    assert_non_null(seen);
    connected(w, true);
    run(w, 5 * SECOND);
    world_tap(w, capture, seen);
    talk_start(&t, w);
    world_tap(w, NULL, NULL);
    exchange(&t);
    assert_int_equal(seen->type, MSG_CONNECT);
    assert_true(seen->connect.lasting && !seen->connect.again);
    seen->connect.again = true;
    assert_int_equal(ask(link_between(w, SARA, HUGO), seen, MSG_CONNECT_OK, SECOND, answered, &why), 0);
    run(w, SECOND);
    assert_int_equal(why.code, ERR_NOT_FOUND);
    seen->connect.pipe.b[0] ^= 1; /* as if of another pipe */
    assert_int_equal(ask(link_between(w, ANNA, HUGO), seen, MSG_CONNECT_OK, SECOND, answered, &why), 0);
    run(w, SECOND);
    assert_int_equal(why.code, ERR_NOT_FOUND);
    seen->connect.pipe.b[0] ^= 1;
    seen->connect.again = false; /* a second one of that name */
    assert_int_equal(ask(link_between(w, ANNA, HUGO), seen, MSG_CONNECT_OK, SECOND, answered, &why), 0);
    run(w, SECOND);
    assert_int_equal(why.code, ERR_STATE);
    exchange(&t);
    finish(&t, 2, "direct");
    seen->connect.again = true; /* how did it end? */
    assert_int_equal(ask(link_between(w, ANNA, HUGO), seen, MSG_CONNECT_OK, SECOND, answered, &why), 0);
    run(w, SECOND);
    assert_int_equal(why.code, ERR_EXISTS);
    free(seen);
    part(w);
}

static void ignored(void *arg, const struct msg *m, const struct fault *fault)
{
    (void)m, (void)fault;
    ++*(int *)arg;
}

/* Its caller asks for it again and again, by reception objects that are no more: it is found again all the same. */
static void s26_asked_for_again_and_again_in_vain(void **state)
{
    (void)state;
    struct world *w = relayed_world(28, 1);
    struct talk t;
    struct msg *seen = calloc(1, sizeof *seen);
    int answers = 0;
    assert_non_null(seen);
    connected(w, true);
    run(w, 5 * SECOND);
    world_tap(w, capture, seen);
    talk_start(&t, w);
    world_tap(w, NULL, NULL);
    seen->connect.again = true;
    for (unsigned i = 0; i < 9; i++) {
        if (i % 3 == 0)
            exchange(&t);
        assert_int_equal(ask(link_between(w, ANNA, HUGO), seen, MSG_CONNECT_OK, SECOND, ignored, &answers), 0);
        run(w, i * WORLD_DELAY);
    }
    run(w, 3 * SECOND);
    assert_int_equal(answers, 9);
    exchange(&t);
    finish(&t, 4, "direct");
    free(seen);
    part(w);
}

/* Its right to the pipe is gone when it comes again. */
static void relay_7_what_was_allowed_may_not_be_any_more(void **state)
{
    (void)state;
    struct world *w = relayed_world(21, 1);
    struct talk t;
    talk_start(&t, w);
    exchange(&t);
    assert_true(world_call(w, HUGO, row_for("untrust", "peer", "anna"))->done);
    connected(w, true);
    assert_error(w, &t.anna, "refused", "not for you");
    run(w, SECOND);
    assert_int_equal(t.hugo.failed, 1); /* it need not wait */
    part(w);
}

/* ---- shares that are byte streams */

static void share_stream(struct world *w, enum resource_kind kind, const char *name, const char *target, bool via)
{
    struct share_row row = {.kind = kind, .via_count = via};
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.path, sizeof row.path, "%s", target);
    row.via[0] = *world_id(w, SARA);
    assert_int_equal(share_put(world_core(w, HUGO), &row, NULL), 0);
    reservations_changed(world_core(w, HUGO));
    run(w, SECOND);
}

static void call_share(struct world *w, struct party *p, const char *name, const char *text)
{
    connect_as(w, p, ANNA, call_for(name, 2000));
    party_say(p, text);
    program_shut(p->program);
}

static void relay_2_a_service_through_a_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(22, 1);
    struct party anna[3];
    share_stream(w, RESOURCE_TCP, "echo", "tcp:localhost:7", true);
    for (int i = 0; i < 3; i++) /* as many at a time as one likes */
        call_share(w, &anna[i], "hugo:echo", "hear, hear");
    for (int i = 0; i < 3; i++) {
        until_over(w, &anna[i]);
        if (!anna[i].done)
            fail_msg("%s: %s", anna[i].code, anna[i].text);
        assert_came(&anna[i], "hear, hear", true);
        assert_string_equal(anna[i].route, "relay:sara");
    }
    part(w);
}

/* However many a share would serve: of one caller there are only so many. */
static void s22_no_more_streams_than_one_peer_may_have(void **state)
{
    (void)state;
    struct world *w = relayed_world(29, 1);
    struct party anna[CONNECTS_PER_PEER_MAX + 1];
    share_stream(w, RESOURCE_TCP, "echo", "tcp:localhost:7", true);
    for (int i = 0; i < CONNECTS_PER_PEER_MAX; i++) {
        connect_as(w, &anna[i], ANNA, call_for("hugo:echo", 2000));
        until_connected(w, &anna[i]);
        if (!anna[i].connected)
            fail_msg("%d: %s: %s", i, anna[i].code, anna[i].text);
    }
    connect_as(w, &anna[CONNECTS_PER_PEER_MAX], ANNA, call_for("hugo:echo", 0));
    assert_error(w, &anna[CONNECTS_PER_PEER_MAX], "full", "");
    for (int i = 0; i < CONNECTS_PER_PEER_MAX; i++)
        program_leave(anna[i].program);
    part(w);
}

static void relay_7_a_service_moves_too(void **state)
{
    (void)state;
    struct world *w = relayed_world(23, 1);
    struct party anna;
    share_stream(w, RESOURCE_TCP, "echo", "tcp:localhost:7", true);
    connect_as(w, &anna, ANNA, call_for("hugo:echo", 2000));
    until_connected(w, &anna);
    party_say(&anna, "here");
    run(w, SECOND);
    connected(w, true);
    until_moved(w, &anna, 1);
    party_say(&anna, " and there");
    program_shut(anna.program);
    until_over(w, &anna);
    assert_came(&anna, "here and there", true);
    assert_string_equal(anna.route, "relay:sara, direct");
    part(w);
}

/* What is not offered at the relay cannot be had through it, also not by a stream that was joined directly. */
static void s10_a_share_that_is_not_offered_at_the_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(24, 1);
    struct party anna, other;
    share_stream(w, RESOURCE_TCP, "inner", "tcp:localhost:7", false);
    connected(w, true);
    run(w, 5 * SECOND);
    connect_as(w, &anna, ANNA, call_for("hugo:inner", 2000));
    until_connected(w, &anna);
    assert_string_equal(anna.code, "");
    party_say(&anna, "here");
    run(w, SECOND);
    connected(w, false);
    connect_as(w, &other, ANNA, call_for("hugo:inner", 2000));
    until_over(w, &anna);
    until_over(w, &other);
    assert_true(anna.failed && other.failed && anna.moved == 0 && other.connected == 0);
    part(w);
}

static void relay_2_a_command_that_failed_has_not_ended(void **state)
{
    (void)state;
    struct world *w = relayed_world(25, 1);
    struct party good, bad, none;
    share_stream(w, RESOURCE_COMMAND, "report", "cmd:report", true);
    share_stream(w, RESOURCE_COMMAND, "broken", "cmd:failing", true);
    share_stream(w, RESOURCE_TCP, "none", "tcp:missing:1", true);
    call_share(w, &good, "hugo:report", "");
    until_over(w, &good);
    assert_int_equal(good.done, 1);
    assert_came(&good, "cmd:report", true);
    call_share(w, &bad, "hugo:broken", "");
    assert_error(w, &bad, "io", "failed");
    call_share(w, &none, "hugo:none", "");
    assert_error(w, &none, "unreachable", "not there");
    part(w);
}

static void relay_7_a_share_is_withdrawn_in_use(void **state)
{
    (void)state;
    struct world *w = relayed_world(26, 1);
    struct party anna;
    share_stream(w, RESOURCE_TCP, "echo", "tcp:localhost:7", true);
    connect_as(w, &anna, ANNA, call_for("hugo:echo", 2000));
    until_connected(w, &anna);
    party_say(&anna, "here");
    run(w, SECOND);
    assert_true(world_call(w, HUGO, row_for("unshare", "name", "echo"))->done);
    assert_error(w, &anna, "wrong-state", "not shared any more");
    part(w);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(relay_6_a_stream_through_a_relay),
        TEST(relay_6_directly_where_that_is_possible),
        TEST(relay_7_moves_to_a_connection),
        TEST(relay_7_a_connection_that_will_not_do),
        TEST(relay_7_falls_back_to_the_relay),
        TEST(relay_7_there_and_back_in_the_middle),
        TEST(p38_much_while_everything_changes),
        TEST(p38_the_relay_is_killed_and_restarted),
        TEST(p38_the_relay_never_comes_back),
        TEST(relay_7_of_two_relays_one_drains),
        TEST(p38_of_two_relays_one_is_killed),
        TEST(p38_the_callees_node_is_killed),
        TEST(p38_the_callees_node_is_restarted),
        TEST(p38_the_callers_node_is_killed),
        TEST(relay_7_the_calling_program_goes),
        TEST(relay_7_the_listening_program_goes),
        TEST(pipe_the_listener_ends_its_stream),
        TEST(relay_7_an_end_that_was_not_heard_is_told),
        TEST(p42_another_peer_does_not_get_it),
        TEST(s26_asked_for_again_and_again_in_vain),
        TEST(relay_7_what_was_allowed_may_not_be_any_more),
        TEST(relay_2_a_service_through_a_relay),
        TEST(s22_no_more_streams_than_one_peer_may_have),
        TEST(relay_7_a_service_moves_too),
        TEST(s10_a_share_that_is_not_offered_at_the_relay),
        TEST(relay_2_a_command_that_failed_has_not_ended),
        TEST(relay_7_a_share_is_withdrawn_in_use),
    };
    return cmocka_run_group_tests_name("relay streams", tests, NULL, NULL);
}

/* A hostile peer that has a pipe bound which anna's programs send into. */
#include "hostile.h"
#include "pipe_programs.h"
#include "receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct msg *ack_of(const struct msg *data)
{
    struct msg *a = message(MSG_ACK, 0);
    a->ack = (struct msg_ack){.channel = data->data.channel, .seq = data->data.seq + data->data.batch.count, .credit = 1 << 20};
    return a;
}

static void open_well(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_OPEN_OK, m->request);
    a->open_ok = (struct msg_open_ok){.seq = m->open.seq, .credit = 1 << 20};
    say_new(w, raw, link, a);
}

static void acks_what_was_not_sent(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type == MSG_OPEN)
        open_well(w, raw, link, m);
    if (m->type != MSG_DATA)
        return;
    struct msg *a = ack_of(m);
    a->ack.seq += 2000; /* which have been pushed, but are more than the credit lets go */
    say_new(w, raw, link, a);
}

static void wants_what_was_never_sent(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type != MSG_OPEN)
        return;
    struct msg *a = message(MSG_OPEN_OK, m->request);
    a->open_ok = (struct msg_open_ok){.seq = m->open.seq + 1000, .credit = 1 << 20};
    say_new(w, raw, link, a);
}

static void takes_credit_back(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type == MSG_OPEN)
        open_well(w, raw, link, m);
    if (m->type != MSG_DATA)
        return;
    struct msg *a = ack_of(m);
    a->ack.seq = 1;
    a->ack.credit = 1;
    say_new(w, raw, link, a);
}

static void releases_what_was_not_sent(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type == MSG_OPEN)
        open_well(w, raw, link, m);
    if (m->type != MSG_DATA)
        return;
    struct msg *a = message(MSG_CLOSE, 0);
    a->close = (struct msg_close){.channel = m->data.channel, .seq = INT64_MAX, .reason = CLOSE_RELEASED};
    say_new(w, raw, link, a);
}

static void knows_nothing(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type == MSG_OPEN)
        open_well(w, raw, link, m);
    if (m->type != MSG_DATA)
        return;
    struct msg *a = message(MSG_CLOSE, 0);
    a->close = (struct msg_close){.channel = m->data.channel, .seq = m->data.seq, .reason = CLOSE_UNKNOWN};
    say_new(w, raw, link, a);
}

static void takes_no_message(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    if (m->type == MSG_OPEN)
        open_well(w, raw, link, m);
}

/* Anna's program sends to that binder for ten seconds, and is never told that anything was taken. */
static void send_in_vain(struct server *server, uint64_t seed, unsigned most_asked)
{
    struct world *w = hostile_world(seed);
    struct writer s = {.total = 1000000, .size = 1000};
    raw_answers(w, MALLORY, serve, server);
    greet(w, MALLORY);
    writer_start(&s, w, ANNA, send_to("mallory:log"));
    uint64_t before = world_messages(w);
    world_run(w, world_now(w) + 10 * SECOND);
    assert_false(s.done);
    assert_int_equal(s.taken, 0);
    assert_true(s.cost <= PIPE_QUEUE_BYTES);
    assert_in_range(server->asked, 1, most_asked);
    assert_true(world_messages(w) - before <= 4ull * most_asked + 200);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p44_a_binder_that_lies_about_what_it_took_is_left_and_not_believed(void **state)
{
    (void)state;
    struct server liars[] = {{.other = acks_what_was_not_sent},
                             {.other = wants_what_was_never_sent},
                             {.other = takes_credit_back},
                             {.other = releases_what_was_not_sent}};
    for (size_t i = 0; i < sizeof liars / sizeof *liars; i++)
        send_in_vain(&liars[i], 91 + i, 1000);
}

static void s22_a_binder_that_forgets_at_once_is_asked_ever_more_slowly(void **state)
{
    (void)state;
    struct server server = {.other = knows_nothing};
    send_in_vain(&server, 96, 1000);
}

static void p45_a_binder_that_takes_nothing_costs_a_bounded_queue(void **state)
{
    (void)state;
    struct server server = {.other = takes_no_message};
    send_in_vain(&server, 97, 100);
}

/* Eve acknowledges what mallory was sent. */
static void s20_an_acknowledgement_counts_only_from_the_binder(void **state)
{
    (void)state;
    struct world *w = hostile_world(98);
    struct server server = {.other = takes_no_message};
    struct writer s = {.total = 1000, .size = 100};
    struct msg *data = message(0, 0);
    raw_answers(w, MALLORY, serve, &server);
    greet(w, MALLORY);
    link_no eves = greet(w, EVE);
    writer_start(&s, w, ANNA, send_to("mallory:log"));
    world_run(w, world_now(w) + SECOND);
    assert_true(heard(w, MALLORY, 0, MSG_DATA, data) > 0);
    unsigned asked = server.asked;
    struct msg *a = ack_of(data);
    say(w, EVE, eves, a);
    a->type = MSG_CLOSE;
    a->close = (struct msg_close){.channel = data->data.channel, .seq = s.pushed + 1, .reason = CLOSE_RELEASED};
    say_new(w, EVE, eves, a);
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(s.taken, 0);
    assert_string_equal(s.state, "ending");
    assert_int_equal(server.asked, asked); /* neither opened nor sent anew */
    free(data);
    world_free(w);
}

/* Mallory has the key, as every binder, and eve has not. */
static void s20_a_receipt_counts_only_with_the_key_and_for_what_was_sent(void **state)
{
    (void)state;
    struct world *w = hostile_world(99);
    struct server server = {.other = takes_no_message};
    struct writer s = {.total = 100, .size = 100};
    struct msg *open = message(0, 0);
    raw_answers(w, MALLORY, serve, &server);
    greet(w, MALLORY);
    writer_start(&s, w, ANNA, send_to("mallory:log"));
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(heard(w, MALLORY, 0, MSG_OPEN, open), 1);
    uint64_t refused = anna(w)->refused_messages;
    uint8_t wrong[RECEIPT_KEY_BYTES] = {1}, bytes[RECEIPT_BYTES_MAX];
    struct receipt receipt = {.channel = open->open.channel, .seq = s.total + 1};
    world_inject(w, ANNA, bytes, receipt_write(&receipt, wrong, bytes));
    receipt.seq++;
    world_inject(w, ANNA, bytes, receipt_write(&receipt, open->open.key, bytes));
    receipt.channel.b[0] ^= 1;
    world_inject(w, ANNA, bytes, receipt_write(&receipt, open->open.key, bytes));
    soon(w);
    assert_int_equal(anna(w)->refused_messages, refused + 3);
    raw_answers(w, MALLORY, NULL, NULL);
    world_crash(w, MALLORY);
    world_run(w, world_now(w) + LINK_DEAD_AFTER + 2 * SECOND);
    assert_int_equal(s.taken, 0);
    assert_false(s.done);
    receipt = (struct receipt){.channel = open->open.channel, .seq = s.total + 1};
    world_inject(w, ANNA, bytes, receipt_write(&receipt, open->open.key, bytes));
    soon(w);
    assert_true(s.done); /* a true one is enough */
    free(open);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p44_a_binder_that_lies_about_what_it_took_is_left_and_not_believed),
        cmocka_unit_test(s22_a_binder_that_forgets_at_once_is_asked_ever_more_slowly),
        cmocka_unit_test(p45_a_binder_that_takes_nothing_costs_a_bounded_queue),
        cmocka_unit_test(s20_an_acknowledgement_counts_only_from_the_binder),
        cmocka_unit_test(s20_a_receipt_counts_only_with_the_key_and_for_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

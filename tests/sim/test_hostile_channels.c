/* A hostile peer that sends into anna's pipes. What one does that is sent to: test_hostile_binders.c. */
#include "hostile.h"
#include "pipe_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- what mallory says of a channel, which is named by one byte */

static struct tag channel_tag(uint8_t channel)
{
    struct tag tag;
    memset(tag.b, channel, sizeof tag.b);
    return tag;
}

static void say_open(struct world *w, size_t raw, link_no link, uint8_t channel, uint64_t seq)
{
    struct msg *m = message(MSG_OPEN, seq);
    m->open = (struct msg_open){.pipe = pipe_owned(world_id(w, ANNA), "log"), .channel = channel_tag(channel), .seq = seq};
    say_new(w, raw, link, m);
    soon(w);
}

struct piece {
    uint8_t channel;
    uint64_t seq, stamp;
    uint32_t count;
    size_t size; /* of each message: its number, then zeros */
};

static void say_data(struct world *w, size_t raw, link_no link, const struct piece *p)
{
    struct msg *m = message(MSG_DATA, 0);
    uint8_t *batch = malloc(BATCH_BYTES_MAX), *bytes = calloc(1, PIPE_MESSAGE_MAX);
    size_t used = 0;
    for (uint64_t i = 0; i < p->count; i++) {
        uint64_t number = p->seq - 1 + i;
        memcpy(bytes, &number, sizeof number);
        assert_int_equal(batch_add(batch, BATCH_BYTES_MAX, &used, bytes, p->size), 0);
    }
    m->data = (struct msg_data){.channel = channel_tag(p->channel), .seq = p->seq, .stamp = p->stamp};
    m->data.batch = (struct batch){.bytes = batch, .n = used, .count = p->count};
    say_new(w, raw, link, m);
    free(batch);
    free(bytes);
}

/* Small ones. */
static void say_some(struct world *w, size_t raw, link_no link, uint8_t channel, uint64_t seq, uint32_t count)
{
    const struct piece p = {.channel = channel, .seq = seq, .count = count, .size = sizeof seq};
    say_data(w, raw, link, &p);
    soon(w);
}

static void say_close(struct world *w, size_t raw, link_no link, uint8_t channel, uint64_t seq, enum close_reason reason)
{
    struct msg *m = message(MSG_CLOSE, 0);
    m->close = (struct msg_close){.channel = channel_tag(channel), .seq = seq, .reason = reason};
    say_new(w, raw, link, m);
    soon(w);
}

/* How often anna has said CLOSE for this reason. */
static size_t closes(struct world *w, size_t raw, enum close_reason reason)
{
    struct msg *m = message(0, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        n += !h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_CLOSE && m->close.reason == reason;
    }
    free(m);
    return n;
}

/* The newest of a type that anna has said. */
static struct msg newest(struct world *w, size_t raw, enum msg_type type)
{
    struct msg *m = message(0, 0);
    assert_true(heard(w, raw, 0, type, m) > 0);
    struct msg copy = *m;
    free(m);
    return copy;
}

static int64_t channels(struct world *w)
{
    const struct answer *status = ok(w, ANNA, request("status", NULL, NULL));
    return row_get_int(answer_row(status, "status", 0), "channels", -1);
}

/* Anna listens on "log", for all. */
static struct world *listening(uint64_t seed, struct reader *r)
{
    struct world *w = hostile_world(seed);
    struct row *row = listen_on("log");
    row_bool(row, "public", true);
    reader_start(r, w, ANNA, row);
    soon(w);
    assert_true(r->bound);
    return w;
}

/* ---- into anna's pipe */

static void data_without_open_is_closed_as_unknown(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = listening(81, &r);
    link_no link = greet(w, MALLORY);
    say_some(w, MALLORY, link, 1, 1, 3);
    say_some(w, MALLORY, link, 2, INT64_MAX, 0);
    say_close(w, MALLORY, link, 3, 1, CLOSE_ENDED);
    assert_int_equal(closes(w, MALLORY, CLOSE_UNKNOWN), 2);
    assert_int_equal(r.messages, 0);
    assert_int_equal(channels(w), 0);
    assert_true(is_up(w, MALLORY));
    world_free(w);
}

static void s20_a_channel_belongs_to_its_sender_and_to_the_link_it_was_opened_on(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = listening(82, &r);
    link_no link = greet(w, MALLORY), other = greet(w, MALLORY), eves = greet(w, EVE);
    say_open(w, MALLORY, link, 1, 1);
    say_some(w, EVE, eves, 1, 1, 3);
    say_close(w, EVE, eves, 1, 1, CLOSE_CANCELLED);
    assert_int_equal(closes(w, EVE, CLOSE_UNKNOWN), 1);
    say_some(w, MALLORY, other, 1, 1, 3);
    assert_int_equal(closes(w, MALLORY, CLOSE_UNKNOWN), 1);
    assert_int_equal(r.messages, 0);
    say_some(w, MALLORY, link, 1, 1, 3);
    assert_int_equal(r.messages, 3);
    assert_int_equal(r.lost, 0);
    say_open(w, EVE, eves, 1, 1); /* one of her own */
    say_some(w, EVE, eves, 1, 1, 2);
    assert_int_equal(r.messages, 5);
    assert_int_equal(r.channels, 2);
    world_free(w);
}

static void a_gap_closes_the_channel_and_nothing_behind_it_is_read(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = listening(83, &r);
    link_no link = greet(w, MALLORY);
    say_open(w, MALLORY, link, 1, 1);
    say_some(w, MALLORY, link, 1, 1, 3);
    say_some(w, MALLORY, link, 1, 5, 3);
    assert_int_equal(closes(w, MALLORY, CLOSE_UNKNOWN), 1);
    say_some(w, MALLORY, link, 1, 4, 3); /* not opened again */
    assert_int_equal(closes(w, MALLORY, CLOSE_UNKNOWN), 2);
    assert_int_equal(r.messages, 3);
    say_open(w, MALLORY, link, 1, 2);
    assert_int_equal(newest(w, MALLORY, MSG_OPEN_OK).open_ok.seq, 4);
    say_some(w, MALLORY, link, 1, 4, 3);
    assert_int_equal(r.messages, 6);
    assert_int_equal(r.disorder, 0);
    world_free(w);
}

static void p5_data_said_again_is_read_once(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = listening(84, &r);
    link_no link = greet(w, MALLORY);
    say_open(w, MALLORY, link, 1, 1);
    for (int i = 0; i < 20; i++)
        say_some(w, MALLORY, link, 1, 1, 3);
    say_some(w, MALLORY, link, 1, 2, 4);
    assert_int_equal(r.messages, 5);
    assert_int_equal(r.disorder, 0);
    say_open(w, MALLORY, link, 1, 1);
    assert_int_equal(newest(w, MALLORY, MSG_OPEN_OK).open_ok.seq, 6);
    world_free(w);
}

static void p44_numbers_at_their_maximum_do_not_overflow(void **state)
{
    (void)state;
    struct reader r = {.channels = 1};
    struct world *w = listening(85, &r);
    link_no link = greet(w, MALLORY);
    r.channels = 0;
    say_open(w, MALLORY, link, 1, INT64_MAX - 1);
    assert_int_equal(newest(w, MALLORY, MSG_OPEN_OK).open_ok.seq, INT64_MAX - 1);
    say_some(w, MALLORY, link, 1, INT64_MAX - 1, 1);
    assert_int_equal(r.messages, 1);
    assert_int_equal(newest(w, MALLORY, MSG_ACK).ack.seq, INT64_MAX);
    say_some(w, MALLORY, link, 1, INT64_MAX, 0);
    assert_true(is_up(w, MALLORY));
    say_some(w, MALLORY, link, 1, INT64_MAX, 1); /* there is no number behind it: malformed */
    assert_int_equal(r.messages, 1);
    say_open(w, MALLORY, link, 2, INT64_MAX);
    assert_int_equal(newest(w, MALLORY, MSG_OPEN_OK).open_ok.seq, INT64_MAX);
    say_close(w, MALLORY, link, 1, INT64_MAX, CLOSE_ENDED);
    assert_int_equal(r.ended, 1);
    world_free(w);
}

/* Sends as long as nothing is wrong with it. Returns the cost of what was sent. */
static uint64_t send_until_closed(struct world *w, link_no link, uint8_t channel)
{
    struct piece p = {.channel = channel, .seq = 1, .count = 1, .size = PIPE_MESSAGE_MAX};
    size_t before = closes(w, MALLORY, CLOSE_UNKNOWN);
    for (; closes(w, MALLORY, CLOSE_UNKNOWN) == before; p.seq++) {
        assert_true(p.seq < 1000);
        say_data(w, MALLORY, link, &p);
        world_run(w, world_now(w) + 2 * MILLISECOND);
    }
    return (p.seq - 1) * (PIPE_MESSAGE_MAX + BATCH_HEAD + PIPE_MESSAGE_COST);
}

/* To a program that does not read. */
static void s22_credit_that_was_not_given_is_not_taken(void **state)
{
    (void)state;
    struct reader r = {.idle = true};
    struct world *w = listening(86, &r);
    link_no link = greet(w, MALLORY);
    for (uint8_t i = 0; i < LINK_STRIKES_MAX; i++) {
        assert_true(is_up(w, MALLORY));
        say_open(w, MALLORY, link, i, 1);
        uint64_t credit = newest(w, MALLORY, MSG_OPEN_OK).open_ok.credit, sent = send_until_closed(w, link, i);
        assert_in_range(credit, PIPE_MESSAGE_MAX, PIPE_CREDIT_BYTES);
        assert_in_range(sent, credit + 1, credit + (2 << 20)); /* what was handed over makes room for more */
    }
    assert_true(parted(w, MALLORY, link));
    assert_true(r.bytes <= 2 << 20);
    world_free(w);
}

static void p45_what_all_channels_may_send_to_a_program_that_never_reads_is_bounded(void **state)
{
    (void)state;
    struct reader r = {.idle = true};
    struct world *w = listening(87, &r);
    uint64_t promised = 0;
    size_t opened = 0;
    for (size_t raw = MALLORY; raw <= EVE; raw++) {
        link_no link = greet(w, raw);
        for (uint8_t i = 0; i < CHANNELS_PER_PEER_MAX + 10; i++) {
            raw_forget(w, raw);
            say_open(w, raw, link, i, 1);
            opened += heard(w, raw, link, MSG_OPEN_OK, NULL);
            promised += heard(w, raw, link, MSG_OPEN_OK, NULL) ? newest(w, raw, MSG_OPEN_OK).open_ok.credit : 0;
        }
        assert_int_equal(errors(w, raw, ERR_FULL), 1);
    }
    assert_int_equal(opened, 2 * CHANNELS_PER_PEER_MAX);
    assert_int_equal(channels(w), opened);
    assert_true(promised <= CHANNEL_BYTES_MAX);
    world_free(w);
}

static void s46_the_number_of_channels_survives_reconnecting(void **state)
{
    (void)state;
    struct reader r = {.idle = true};
    struct world *w = listening(88, &r);
    for (uint8_t turn = 0; turn < 3; turn++) {
        link_no link = greet(w, MALLORY);
        for (uint8_t i = 0; i < CHANNELS_PER_PEER_MAX; i++)
            say_open(w, MALLORY, link, (uint8_t)(turn * CHANNELS_PER_PEER_MAX + i), 1);
        assert_int_equal(channels(w), CHANNELS_PER_PEER_MAX);
        say_new(w, MALLORY, link, message(MSG_BYE, 0));
        soon(w);
    }
    world_run(w, world_now(w) + CHANNEL_KEEP + SECOND);
    assert_int_equal(channels(w), 0);
    assert_int_equal(r.lost, 3 * CHANNELS_PER_PEER_MAX);
    world_free(w);
}

static void s10_a_stranger_opens_no_channel_into_a_pipe_for_the_trusted(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = hostile_world(89);
    reader_start(&r, w, ANNA, listen_on("log"));
    soon(w);
    link_no link = greet(w, MALLORY);
    say_open(w, MALLORY, link, 1, 1);
    say_some(w, MALLORY, link, 1, 1, 3);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 1);
    assert_int_equal(r.messages + r.began, 0);
    world_free(w);
}

/* ---- a lease */

/* A shared pipe, for all: messages are read only under a stamp that anna has given since OPEN. */
static void pipe_7_stamps_that_were_not_given_extend_no_lease(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = hostile_world(90);
    struct row *row = listen_on("log");
    row_bool(row, "public", true);
    row_bool(row, "shared", true);
    reader_start(&r, w, ANNA, row);
    soon(w);
    link_no link = greet(w, MALLORY);
    struct msg *m = message(MSG_OPEN, 1);
    m->open = (struct msg_open){.pipe = pipe_shared("log"), .channel = channel_tag(1), .seq = 1};
    say_new(w, MALLORY, link, m);
    soon(w);
    assert_int_equal(newest(w, MALLORY, MSG_OPEN_OK).open_ok.lease_ms, PIPE_LEASE_MS);
    uint64_t stamp = newest(w, MALLORY, MSG_ACK).ack.stamp;
    const uint64_t wrong[] = {0, 1, stamp - SECOND, stamp + SECOND, INT64_MAX};
    for (uint64_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        say_data(w, MALLORY, link, &(struct piece){.channel = 1, .seq = i + 1, .count = 1, .size = 8, .stamp = wrong[i]});
    soon(w);
    assert_int_equal(r.messages, 0);
    stamp = newest(w, MALLORY, MSG_ACK).ack.stamp;
    say_data(w, MALLORY, link, &(struct piece){.channel = 1, .seq = 6, .count = 1, .size = 8, .stamp = stamp});
    soon(w);
    assert_int_equal(r.messages, 6);
    world_run(w, world_now(w) + PIPE_LEASE_MS * MILLISECOND); /* an old one again */
    say_data(w, MALLORY, link, &(struct piece){.channel = 1, .seq = 7, .count = 1, .size = 8, .stamp = stamp});
    soon(w);
    assert_int_equal(r.messages, 6);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_without_open_is_closed_as_unknown),
        cmocka_unit_test(s20_a_channel_belongs_to_its_sender_and_to_the_link_it_was_opened_on),
        cmocka_unit_test(a_gap_closes_the_channel_and_nothing_behind_it_is_read),
        cmocka_unit_test(p5_data_said_again_is_read_once),
        cmocka_unit_test(p44_numbers_at_their_maximum_do_not_overflow),
        cmocka_unit_test(s22_credit_that_was_not_given_is_not_taken),
        cmocka_unit_test(p45_what_all_channels_may_send_to_a_program_that_never_reads_is_bounded),
        cmocka_unit_test(s46_the_number_of_channels_survives_reconnecting),
        cmocka_unit_test(s10_a_stranger_opens_no_channel_into_a_pipe_for_the_trusted),
        cmocka_unit_test(pipe_7_stamps_that_were_not_given_extend_no_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A hostile peer of propagate pipes and byte streams: forged and replayed messages, made-up ids, streams that nobody wants.
 *
 * The signature is made here as node/PROTOCOL.md says, and not by node/spread.c. */
#include "hostile.h"
#include "pipe_programs.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void befriend(struct world *w, size_t raw)
{
    ok(w, ANNA, request("trust", "peer", id_text(world_id(w, raw)).s));
}

/* Anna listens on the shared propagate pipe "news", for those she trusts; mallory is one of them. */
static struct world *listening(uint64_t seed, struct reader *r, link_no *link)
{
    struct world *w = hostile_world(seed);
    struct row *row = listen_on("news");
    row_bool(row, "shared", true);
    row_bool(row, "propagate", true);
    reader_start(r, w, ANNA, row);
    soon(w);
    assert_true(r->bound);
    *link = greet(w, MALLORY);
    befriend(w, MALLORY);
    soon(w);
    return w;
}

/* ---- what is said */

static void put64(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Message number `number` of a raw node, whose bytes are what a struct reader expects as its first. */
static struct msg *spreading(struct world *w, size_t origin, uint64_t number)
{
    static const uint8_t bytes[8];
    struct msg *m = message(MSG_SPREAD, 0);
    struct msg_spread *s = &m->spread;
    uint8_t signed_bytes[64];
    *s = (struct msg_spread){.pipe = pipe_shared("news"), .origin = *world_id(w, origin), .incarnation = 1, .number = number};
    s->hops = 1;
    s->bytes = bytes;
    s->len = sizeof bytes;
    memcpy(signed_bytes, s->pipe.b, TAG_BYTES);
    put64(signed_bytes + 16, s->incarnation);
    put64(signed_bytes + 24, s->number);
    crypto_generichash(signed_bytes + 32, 32, bytes, sizeof bytes, NULL, 0);
    identity_sign(raw_identity(w, origin), "weft spread 1", signed_bytes, sizeof signed_bytes, s->signature);
    return m;
}

/* ---- messages */

static void s20_a_message_with_a_wrong_signature_is_not_read_and_ends_the_link(void **state)
{
    (void)state;
    struct reader r = {0};
    link_no link;
    struct world *w = listening(111, &r, &link);
    say_new(w, MALLORY, link, spreading(w, MALLORY, 1));
    soon(w);
    assert_int_equal(r.messages, 1);
    for (unsigned i = 0; i < LINK_STRIKES_MAX; i++) {
        assert_true(is_up(w, MALLORY));
        struct msg *m = spreading(w, MALLORY, i + 2);
        if (i == 0)
            m->spread.signature[0] ^= 1;
        else if (i == 1)
            m->spread.origin = *world_id(w, BOB); /* whom anna knows */
        else
            m->spread.pipe = pipe_shared("olds");
        say_new(w, MALLORY, link, m);
        soon(w);
    }
    assert_int_equal(r.messages, 1);
    assert_true(parted(w, MALLORY, link));
    world_free(w);
}

static void p5_a_replayed_message_is_read_once_however_late(void **state)
{
    (void)state;
    struct reader r = {0};
    link_no link;
    struct world *w = listening(112, &r, &link);
    struct msg *m = spreading(w, MALLORY, 7);
    for (int i = 0; i < 100; i++)
        say(w, MALLORY, link, m);
    for (int i = 0; i < 4; i++) {
        world_run(w, world_now(w) + SPREAD_KEEP / 2); /* longer than ids are remembered */
        if (!is_up(w, MALLORY))
            link = greet(w, MALLORY);
        say(w, MALLORY, link, m);
    }
    soon(w);
    assert_int_equal(r.messages, 1);
    free(m);
    world_free(w);
}

static void s10_who_is_not_trusted_spreads_nothing(void **state)
{
    (void)state;
    struct reader r = {0};
    link_no link;
    struct world *w = listening(113, &r, &link);
    link_no eves = greet(w, EVE);
    say_new(w, EVE, eves, spreading(w, EVE, 1));
    say_new(w, EVE, eves, spreading(w, MALLORY, 1)); /* true, but by a wrong way */
    soon(w);
    assert_int_equal(r.messages, 0);
    say_new(w, MALLORY, link, spreading(w, EVE, 1)); /* by a right way, but from one that may not send into the pipe */
    say_new(w, MALLORY, link, spreading(w, MALLORY, 1));
    soon(w);
    assert_int_equal(r.messages, 1);
    assert_string_equal(r.from, "mallory");
    world_free(w);
}

static void p44_numbers_at_their_maximum_harm_their_origin_alone(void **state)
{
    (void)state;
    struct reader r = {0};
    link_no link;
    struct world *w = listening(114, &r, &link);
    say_new(w, MALLORY, link, spreading(w, MALLORY, INT64_MAX));
    say_new(w, MALLORY, link, spreading(w, MALLORY, 0));
    say_new(w, MALLORY, link, spreading(w, MALLORY, 1)); /* far behind now: might be a replay */
    soon(w);
    assert_int_equal(r.messages, 1);
    link_no eves = greet(w, EVE);
    befriend(w, EVE);
    say_new(w, EVE, eves, spreading(w, EVE, 1));
    soon(w);
    assert_int_equal(r.messages, 2);
    world_free(w);
}

static void s24_no_more_signatures_are_checked_than_the_budget_says(void **state)
{
    (void)state;
    struct reader r = {.idle = true};
    link_no link;
    struct world *w = listening(115, &r, &link);
    uint64_t refused = anna(w)->refused_messages;
    for (uint64_t i = 1; i <= 5 * SPREAD_CHECKS_PER_S; i++)
        say_new(w, MALLORY, link, spreading(w, MALLORY, i));
    soon(w);
    uint64_t over = anna(w)->refused_messages - refused;
    assert_in_range(over, 5 * SPREAD_CHECKS_PER_S - 2 * SPREAD_CHECKS_PER_S - SPREAD_CHECKS_PER_S / 10,
                    5 * SPREAD_CHECKS_PER_S - 2 * SPREAD_CHECKS_PER_S);
    assert_true(is_up(w, MALLORY)); /* it may be many others' */
    world_free(w);
}

/* ---- ids */

static size_t ids_wanted(struct world *w, size_t raw)
{
    struct msg *m = message(0, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_SPREAD_WANT)
            n += m->spread_ids.count;
    }
    free(m);
    return n;
}

static void p45_200_000_made_up_ids_are_not_all_asked_for(void **state)
{
    (void)state;
    struct reader r = {0};
    link_no link;
    struct world *w = listening(116, &r, &link);
    struct msg *m = message(MSG_SPREAD_HAVE, 0);
    m->spread_ids.count = SPREAD_IDS_MAX;
    for (uint64_t i = 0; i < 200000; i++) {
        memcpy(m->spread_ids.id[i % SPREAD_IDS_MAX].b, &i, sizeof i);
        if (i % SPREAD_IDS_MAX == SPREAD_IDS_MAX - 1)
            say(w, MALLORY, link, m);
    }
    world_run(w, world_now(w) + 5 * SECOND);
    assert_in_range(ids_wanted(w, MALLORY), 1, SPREAD_MISSING_PER_LINK);
    say_new(w, MALLORY, link, spreading(w, MALLORY, 1)); /* and all goes on */
    soon(w);
    assert_int_equal(r.messages, 1);
    free(m);
    world_free(w);
}

/* ---- byte streams */

static void say_connect(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = message(MSG_CONNECT, number);
    m->connect.pipe = pipe_owned(world_id(w, ANNA), "talk");
    m->connect.reception = (struct reception_info){.streams = 2, .limit = INT64_MAX, .deadline_s = RECEPTION_DEADLINE_S};
    say_new(w, raw, link, m);
}

static void no_word(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    (void)w, (void)raw, (void)link, (void)m;
}

static void p45_a_thousand_streams_asked_for_are_one_offer(void **state)
{
    (void)state;
    struct world *w = hostile_world(117);
    struct server server = {.other = no_word};
    struct reader r = {0};
    raw_answers(w, MALLORY, serve, &server);
    struct row *row = listen_on("talk");
    row_bool(row, "public", true);
    reader_start(&r, w, ANNA, row);
    soon(w);
    link_no link = greet(w, MALLORY);
    for (uint64_t i = 1; i <= 1000; i++)
        say_connect(w, MALLORY, link, i);
    soon(w);
    assert_int_equal(r.offers, 1);
    assert_int_equal(errors(w, MALLORY, ERR_FULL), 999);
    assert_int_equal(anna(w)->transfers, 0);
    world_run(w, world_now(w) + CONNECT_OFFER + SECOND);
    assert_int_equal(errors(w, MALLORY, ERR_TIMEOUT), 1);
    world_free(w);
}

static void s20_an_offer_is_withdrawn_only_by_its_caller(void **state)
{
    (void)state;
    struct world *w = hostile_world(118);
    struct reader r = {0};
    struct row *row = listen_on("talk");
    struct msg *cancel = message(MSG_CANCEL, 0);
    row_bool(row, "public", true);
    reader_start(&r, w, ANNA, row);
    soon(w);
    link_no link = greet(w, MALLORY), eves = greet(w, EVE);
    say_connect(w, MALLORY, link, 7);
    cancel->cancel.request = 7;
    say(w, EVE, eves, cancel);
    say_connect(w, EVE, eves, 7); /* it is still mallory's turn */
    soon(w);
    assert_int_equal(errors(w, EVE, ERR_FULL), 1);
    say_new(w, MALLORY, link, cancel);
    say_connect(w, EVE, eves, 8);
    soon(w);
    assert_int_equal(r.offers, 2);
    assert_int_equal(errors(w, EVE, ERR_FULL), 1);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s20_a_message_with_a_wrong_signature_is_not_read_and_ends_the_link),
        cmocka_unit_test(p5_a_replayed_message_is_read_once_however_late),
        cmocka_unit_test(s10_who_is_not_trusted_spreads_nothing),
        cmocka_unit_test(p44_numbers_at_their_maximum_harm_their_origin_alone),
        cmocka_unit_test(s24_no_more_signatures_are_checked_than_the_budget_says),
        cmocka_unit_test(p45_200_000_made_up_ids_are_not_all_asked_for),
        cmocka_unit_test(p45_a_thousand_streams_asked_for_are_one_offer),
        cmocka_unit_test(s20_an_offer_is_withdrawn_only_by_its_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

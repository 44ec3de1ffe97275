/* A trusted peer that turns on a propagate pipe: forged, altered and replayed messages, and floods of all kinds. */
#include "hostile.h"
#include "pipe_programs.h"
#include "pipes.h"
#include "spread_origins.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct reader news, gazette;

static void listen_at(struct world *w, struct reader *r, size_t node, const char *name, bool is_public)
{
    struct row *row = listen_on(name);
    row_bool(row, "shared", true);
    row_bool(row, "propagate", true);
    row_bool(row, "public", is_public);
    *r = (struct reader){0};
    reader_start(r, w, node, row);
    soon(w);
    assert_true(r->bound);
}

/* Anna listens to "news" of those she trusts, and to the "gazette" of anyone. She trusts mallory, and bob. */
static struct world *spread_world(uint64_t seed, link_no *link)
{
    struct world *w = hostile_world(seed);
    *link = greet(w, MALLORY);
    trust_set(anna(w), known(w, MALLORY), true);
    trust_set(anna(w), known(w, BOB), true);
    trust_set(world_core(w, BOB), peers_find(world_core(w, BOB)->peers, world_id(w, ANNA)), true);
    listen_at(w, &news, ANNA, "news", false);
    listen_at(w, &gazette, ANNA, "gazette", true);
    raw_forget(w, MALLORY);
    return w;
}

/* What an origin has signed. */
static struct msg *signed_by(const struct identity *origin, const char *pipe, uint64_t incarnation, uint64_t number)
{
    struct msg *m = message(MSG_SPREAD, 0);
    struct {
        uint8_t pipe[16], incarnation[8], number[8], digest[32];
    } st;
    m->spread = (struct msg_spread){.pipe = pipe_shared(pipe),
                                    .origin = origin->id,
                                    .incarnation = incarnation,
                                    .number = number,
                                    .hops = 5,
                                    .len = 5,
                                    .bytes = (const uint8_t *)"hello"};
    memcpy(st.pipe, m->spread.pipe.b, sizeof st.pipe);
    for (int i = 0; i < 8; i++) {
        st.incarnation[i] = (uint8_t)(incarnation >> (56 - 8 * i));
        st.number[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    crypto_generichash(st.digest, sizeof st.digest, m->spread.bytes, m->spread.len, NULL, 0);
    identity_sign(origin, "weft spread 1", &st, sizeof st, m->spread.signature);
    return m;
}

static struct msg *of_mallory(struct world *w, const char *pipe, uint64_t number)
{
    return signed_by(raw_identity(w, MALLORY), pipe, 1, number);
}

static void say_to_anna(struct world *w, link_no link, struct msg *m)
{
    say_new(w, MALLORY, link, m);
    soon(w);
}

static void say_ids(struct world *w, link_no link, enum msg_type type, const struct tag *ids, size_t count)
{
    struct msg *m = message(type, 0);
    m->spread_ids.count = (uint8_t)count;
    if (count > 0)
        memcpy(m->spread_ids.id, ids, count * sizeof *ids);
    say_new(w, MALLORY, link, m);
}

/* By anna. */
static int64_t copies_sent(struct world *w)
{
    return row_get_int(answer_row(ok(w, ANNA, row_new("status")), "status", 0), "spread_sent", -1);
}

/* Keeps the link alive. */
static void answer_pings(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct msg *m = message(0, 0);
    (void)arg;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_PING) {
        m->type = MSG_PONG;
        say(w, raw, h->link, m);
    }
    free(m);
}

/* ---- what it is for */

static void pipe_7_a_signed_message_is_delivered_and_passed_on(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(1, &link);
    struct reader bobs;
    listen_at(w, &bobs, BOB, "gazette", true);
    say_to_anna(w, link, of_mallory(w, "news", 1));
    say_to_anna(w, link, of_mallory(w, "gazette", 2));
    assert_int_equal(news.messages, 1);
    assert_string_equal(news.from, "mallory");
    assert_int_equal(gazette.messages, 1);
    assert_int_equal(bobs.messages, 1);
    assert_string_equal(bobs.from, "mallory"); /* though it came from anna */
    world_free(w);
}

static void s10_the_origin_must_be_one_of_the_pipes_audience(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(2, &link);
    greet(w, EVE); /* known, and not trusted */
    say_to_anna(w, link, signed_by(raw_identity(w, EVE), "news", 1, 1));
    assert_int_equal(news.messages, 0);
    say_to_anna(w, link, signed_by(raw_identity(w, EVE), "gazette", 1, 2));
    assert_int_equal(gazette.messages, 1);
    assert_string_equal(gazette.from, "eve");
    world_free(w);
}

/* ---- forged */

static void s44_a_message_that_its_origin_has_not_signed_is_refused(void **state)
{
    (void)state;
    for (size_t change = 0; change < 7; change++) {
        link_no link;
        struct world *w = spread_world(3, &link);
        struct msg *m = of_mallory(w, "news", 1);
        uint64_t before = anna(w)->refused_messages;
        switch (change) {
        case 0: m->spread.bytes = (const uint8_t *)"hallo"; break;
        case 1: m->spread.len = 4; break;
        case 2: m->spread.number++; break;
        case 3: m->spread.incarnation++; break;
        case 4: m->spread.pipe = pipe_shared("gazette"); break;
        case 5: m->spread.origin = *world_id(w, BOB); break;
        default: m->spread.signature[63] ^= 0x10; break;
        }
        say_to_anna(w, link, m);
        assert_int_equal(news.messages + gazette.messages, 0);
        assert_int_equal(anna(w)->refused_messages, before + 1);
        say_to_anna(w, link, of_mallory(w, "news", 1)); /* the forged one is not in its way */
        assert_int_equal(news.messages, 1);
        world_free(w);
    }
}

static void s44_who_passes_on_what_is_not_signed_is_parted_from(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(4, &link);
    for (uint64_t i = 1; i <= LINK_STRIKES_MAX; i++) {
        struct msg *m = of_mallory(w, "news", i);
        m->spread.signature[0] ^= 1;
        say_to_anna(w, link, m);
    }
    assert_true(parted(w, MALLORY, link));
    assert_false(is_up(w, MALLORY));
    anna_still_serves_bob(w);
    world_free(w);
}

static void s10_nothing_is_taken_from_a_link_that_is_not_trusted(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(5, &link);
    trust_set(anna(w), known(w, MALLORY), false);
    trust_set(anna(w), known(w, BOB), false);
    raw_forget(w, MALLORY);
    say_to_anna(w, link, of_mallory(w, "gazette", 1)); /* which is for anyone, by ways that are trusted */
    struct tag id = {{1}};
    say_ids(w, link, MSG_SPREAD_HAVE, &id, 1);
    world_run(w, world_now(w) + 2 * SECOND);
    assert_int_equal(gazette.messages, 0);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD_WANT, NULL), 0);
    struct tag tag = pipe_shared("gazette");
    assert_int_equal(spread_send(anna(w), &tag, "own", 3), 0); /* for the listener here */
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD, NULL), 0);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD_HAVE, NULL), 0);
    world_free(w);
}

/* ---- replayed */

static void s44_a_replay_is_never_delivered_again_however_late(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(6, &link);
    raw_answers(w, MALLORY, answer_pings, NULL);
    say_to_anna(w, link, of_mallory(w, "news", 1));
    for (size_t k = 0; k < 4; k++) { /* at once, while it is kept, and long after it is forgotten */
        say_to_anna(w, link, of_mallory(w, "news", 1));
        assert_int_equal(news.messages, 1);
        world_run(w, world_now(w) + SPREAD_KEEP * k + SECOND);
    }
    say_to_anna(w, link, of_mallory(w, "news", 2));
    assert_int_equal(news.messages, 2);
    world_free(w);
}

static void s44_messages_of_an_earlier_life_are_replays(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(7, &link);
    known(w, MALLORY)->incarnation = 9; /* as she would remember from before a restart of her own */
    say_to_anna(w, link, signed_by(raw_identity(w, MALLORY), "news", 8, 1));
    assert_int_equal(news.messages, 0);
    say_to_anna(w, link, signed_by(raw_identity(w, MALLORY), "news", 9, 1));
    assert_int_equal(news.messages, 1);
    say_to_anna(w, link, signed_by(raw_identity(w, MALLORY), "news", 10, 1));
    assert_int_equal(news.messages, 2);
    say_to_anna(w, link, signed_by(raw_identity(w, MALLORY), "news", 9, 2));
    assert_int_equal(news.messages, 2);
    world_free(w);
}

static void s44_her_own_message_sent_back_is_not_delivered_again(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(8, &link);
    struct msg *own = message(0, 0);
    raw_answers(w, MALLORY, answer_pings, NULL);
    say_ids(w, link, MSG_SPREAD_WANT, NULL, 0);
    soon(w);
    struct tag tag = pipe_shared("news");
    assert_int_equal(spread_send(anna(w), &tag, "mine", 4), 0);
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD, own), 1);
    assert_int_equal(news.messages, 1);
    uint8_t bytes[4];
    memcpy(bytes, own->spread.bytes, sizeof bytes);
    own->spread.bytes = bytes;
    for (size_t k = 0; k < 3; k++) {
        own->spread.hops = SPREAD_HOPS_MAX;
        own->spread.visited_count = 0;
        say(w, MALLORY, link, own);
        world_run(w, world_now(w) + SPREAD_KEEP);
        assert_int_equal(news.messages, 1);
        assert_int_equal(copies_sent(w), 2);
    }
    free(own);
    world_free(w);
}

/* ---- loops */

static void s46_a_message_whose_hops_are_used_up_goes_no_further(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(9, &link);
    struct reader bobs;
    listen_at(w, &bobs, BOB, "gazette", true);
    struct msg *m = of_mallory(w, "gazette", 1);
    m->spread.hops = 0;
    say_to_anna(w, link, m);
    world_run(w, world_now(w) + 2 * SECOND);
    assert_int_equal(gazette.messages, 1);
    assert_int_equal(bobs.messages, 0);
    assert_int_equal(copies_sent(w), 0);
    world_free(w);
}

/* ---- floods */

static void p45_a_storm_of_signed_messages_costs_a_bounded_number_of_checks(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(10, &link);
    struct identity origin;
    uint8_t seed[SEED_BYTES] = {0};
    for (uint32_t i = 0; i < 3 * SPREAD_CHECKS_PER_S; i++) {
        if (i % 100 == 0) { /* of many origins, who are made up */
            memcpy(seed, &i, sizeof i);
            identity_from_seed(seed, &origin);
        }
        say_new(w, MALLORY, link, signed_by(&origin, "gazette", 1, 1 + i % 100));
    }
    uint64_t refused = anna(w)->refused_messages;
    soon(w);
    assert_in_range(anna(w)->refused_messages - refused, SPREAD_CHECKS_PER_S / 2, 3 * SPREAD_CHECKS_PER_S);
    assert_int_equal(gazette.messages, 0); /* she knows none of them */
    world_run(w, world_now(w) + 5 * SECOND);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p45_a_storm_of_ids_is_asked_for_in_part_and_forgotten(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(11, &link);
    struct tag ids[SPREAD_IDS_MAX];
    raw_answers(w, MALLORY, answer_pings, NULL);
    for (uint32_t k = 0; k < 300; k++) {
        for (uint32_t i = 0; i < SPREAD_IDS_MAX; i++) {
            uint32_t number = k * SPREAD_IDS_MAX + i;
            memset(&ids[i], 0, sizeof ids[i]);
            memcpy(ids[i].b, &number, sizeof number);
        }
        say_ids(w, link, MSG_SPREAD_HAVE, ids, SPREAD_IDS_MAX);
    }
    world_run(w, world_now(w) + 5 * SECOND);
    assert_in_range(heard(w, MALLORY, link, MSG_SPREAD_WANT, NULL), 1, 2 + SPREAD_MISSING_PER_LINK);
    raw_forget(w, MALLORY);
    world_run(w, world_now(w) + 5 * SECOND);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD_WANT, NULL), 0);
    say_to_anna(w, link, of_mallory(w, "news", 1));
    assert_int_equal(news.messages, 1);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p45_a_storm_of_wants_is_answered_within_a_budget(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(12, &link);
    struct tag ids[SPREAD_IDS_MAX], tag = pipe_shared("news");
    const struct spread_name name = {.origin = *world_id(w, ANNA), .incarnation = 1, .number = 1};
    raw_answers(w, MALLORY, answer_pings, NULL);
    assert_int_equal(spread_send(anna(w), &tag, "mine", 4), 0);
    for (size_t i = 0; i < SPREAD_IDS_MAX; i++)
        ids[i] = spread_id(&name);
    soon(w);
    raw_forget(w, MALLORY);
    for (size_t k = 0; k < 200; k++)
        say_ids(w, link, MSG_SPREAD_WANT, ids, SPREAD_IDS_MAX);
    soon(w);
    assert_in_range(heard(w, MALLORY, link, MSG_SPREAD, NULL), SPREAD_CHECKS_PER_S, 2 * SPREAD_CHECKS_PER_S + 200);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p45_a_storm_of_duplicates_is_answered_with_one_prune(void **state)
{
    (void)state;
    link_no link;
    struct world *w = spread_world(13, &link);
    struct tag tag = pipe_shared("news");
    struct msg *own = message(0, 0);
    say_ids(w, link, MSG_SPREAD_WANT, NULL, 0);
    soon(w);
    assert_int_equal(spread_send(anna(w), &tag, "mine", 4), 0);
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD, own), 1);
    uint8_t bytes[4];
    memcpy(bytes, own->spread.bytes, sizeof bytes);
    own->spread.bytes = bytes;
    raw_forget(w, MALLORY);
    for (size_t k = 0; k < 3000; k++)
        say(w, MALLORY, link, own);
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SPREAD_PRUNE, NULL), 1);
    assert_int_equal(news.messages, 1);
    free(own);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_7_a_signed_message_is_delivered_and_passed_on),
        cmocka_unit_test(s10_the_origin_must_be_one_of_the_pipes_audience),
        cmocka_unit_test(s44_a_message_that_its_origin_has_not_signed_is_refused),
        cmocka_unit_test(s44_who_passes_on_what_is_not_signed_is_parted_from),
        cmocka_unit_test(s10_nothing_is_taken_from_a_link_that_is_not_trusted),
        cmocka_unit_test(s44_a_replay_is_never_delivered_again_however_late),
        cmocka_unit_test(s44_messages_of_an_earlier_life_are_replays),
        cmocka_unit_test(s44_her_own_message_sent_back_is_not_delivered_again),
        cmocka_unit_test(s46_a_message_whose_hops_are_used_up_goes_no_further),
        cmocka_unit_test(p45_a_storm_of_signed_messages_costs_a_bounded_number_of_checks),
        cmocka_unit_test(p45_a_storm_of_ids_is_asked_for_in_part_and_forgotten),
        cmocka_unit_test(p45_a_storm_of_wants_is_answered_within_a_budget),
        cmocka_unit_test(p45_a_storm_of_duplicates_is_answered_with_one_prune),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A hostile peer in the simulated world: greetings that are not, bytes of any kind, and floods. */
#include "hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- before HELLO, and HELLO */

/* The same for those about files that are written. */
static void least_put(struct msg *m)
{
    const struct tag parcel = {{1}};
    switch (m->type) {
    case MSG_FILE: strcpy(m->file.at.share, "x"); break;
    case MSG_FILE_OK: m->file_ok.handle = 1; break;
    case MSG_FILE_CLOSE: m->file_close.handle = 1; break;
    case MSG_INDEX: m->index.handle = 1; break;
    case MSG_INDEX_OK: m->index_ok = (struct msg_index_ok){.token = 1, .parcel = parcel, .bytes = 1}; break;
    case MSG_PUT: m->put = (struct msg_put){.handle = 1, .parcel = parcel}; break;
    case MSG_LITERALS: m->literals = (struct msg_literals){.handle = 1, .parcel = parcel, .bytes = 1}; break;
    case MSG_LITERALS_OK: m->literals.bytes = 1; break;
    case MSG_GATHER: m->gather.destination = 1; break;
    case MSG_COMMIT: m->commit.handle = 1; break;
    case MSG_COMMIT_OK: m->commit_ok.state.token = 1; break;
    default: break;
    }
}

/* The least message of a type that is well formed, but for a record in WELCOME. */
static struct msg *least(enum msg_type type)
{
    struct msg *m = message(type, 1);
    least_put(m);
    switch (type) {
    case MSG_ERROR: m->error.code = ERR_FULL; break;
    case MSG_LIST: strcpy(m->list.at.share, "x"); break;
    case MSG_FETCH:
        strcpy(m->fetch.at.share, "x");
        m->fetch.reception = (struct reception_info){.streams = 1, .deadline_s = 1};
        break;
    case MSG_FETCH_OK: m->fetch_ok.streams = 1; break;
    case MSG_CANCEL: m->cancel.request = 1; break;
    case MSG_OPEN: m->open.seq = 1; break;
    case MSG_OPEN_OK: m->open_ok.seq = 1; break;
    case MSG_DATA: m->data.seq = 1; break;
    case MSG_ACK: m->ack.seq = 1; break;
    case MSG_CLOSE: m->close.seq = 1; break;
    case MSG_SPREAD_HAVE: m->spread_ids.count = 1; break;
    case MSG_CONNECT: m->connect.reception = (struct reception_info){.streams = 2, .deadline_s = 1}; break;
    case MSG_CONNECT_OK: m->connect_ok.streams = 2; break;
    case MSG_RESERVE_OK: m->reserve_ok.nexts = 1; break;
    case MSG_OFFER: strcpy(m->offer.name, "x"); break;
    case MSG_USE_OK: m->use_ok.session = 1; break;
    case MSG_BRIDGE: m->bridge = (struct msg_bridge){.session = 1, .streams = 1}; break;
    case MSG_BRIDGE_OK: {
        struct relay_way way = {.addr_count = 1, .addr[0] = {.family = AF_INET, .ip = {10, 0, 0, 1}, .port = 1}};
        m->bridge_ok = (struct msg_bridge_ok){.own = way, .other = way, .deadline_s = 1};
        break;
    }
    default: break;
    }
    return m;
}

static void s31_before_hello_nothing_may_be_said(void **state)
{
    (void)state;
    struct world *w = hostile_world(1);
    uint32_t links = anna(w)->link_count;
    for (int type = MSG_WELCOME; type < MSG_TYPE_END; type++) {
        if (type == MSG_BYE)
            continue;
        struct msg *m = least((enum msg_type)type);
        if (type == MSG_WELCOME)
            m->hello.record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
        link_no link = raw_dial(w, MALLORY, ANNA);
        say_new(w, MALLORY, link, m);
        soon(w);
        if (!parted(w, MALLORY, link) || raw_heard_count(w, MALLORY) != 1)
            fail_msg("%s is heard before HELLO", msg_name((enum msg_type)type));
        assert_int_equal(anna(w)->link_count, links);
        raw_forget(w, MALLORY);
    }
    assert_null(known(w, MALLORY));
    world_free(w);
}

static void s31_who_connects_and_says_nothing_is_dropped_in_time(void **state)
{
    (void)state;
    struct world *w = hostile_world(2);
    uint32_t links = anna(w)->link_count;
    raw_dial(w, MALLORY, ANNA);
    soon(w);
    assert_int_equal(anna(w)->link_count, links + 1);
    world_run(w, world_now(w) + LINK_HELLO_DEADLINE + 2 * SECOND);
    assert_int_equal(anna(w)->link_count, links);
    world_free(w);
}

static void s20_hello_with_somebody_elses_record_is_refused_and_no_sign_of_life(void **state)
{
    (void)state;
    struct world *w = hostile_world(3);
    struct record_bytes bobs = known(w, BOB)->signed_record;
    world_crash(w, BOB);
    world_run(w, world_now(w) + MINUTE);
    assert_false(peer_alive(known(w, BOB), world_now(w)));
    link_no link = raw_dial(w, MALLORY, ANNA);
    say_hello(w, MALLORY, link, MSG_HELLO, &bobs);
    soon(w);
    assert_true(parted(w, MALLORY, link));
    assert_false(bob_is_linked(w));
    assert_false(peer_alive(known(w, BOB), world_now(w)));
    world_free(w);
}

static void s20_hello_with_an_unsigned_record_or_another_version_is_refused(void **state)
{
    (void)state;
    struct world *w = hostile_world(4);
    struct record_bytes record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
    record.b[record.len - 1] ^= 1;
    link_no link = raw_dial(w, MALLORY, ANNA);
    say_hello(w, MALLORY, link, MSG_HELLO, &record);
    soon(w);
    assert_true(parted(w, MALLORY, link));

    struct msg *m = message(MSG_HELLO, 0);
    m->hello.version = PROTOCOL_VERSION + 1;
    m->hello.record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
    link = raw_dial(w, MALLORY, ANNA);
    say_new(w, MALLORY, link, m);
    soon(w);
    assert_true(parted(w, MALLORY, link));
    assert_false(is_up(w, MALLORY));
    world_free(w);
}

static void a_second_hello_counts_like_a_malformed_message(void **state)
{
    (void)state;
    struct world *w = hostile_world(5);
    struct record_bytes record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
    link_no link = greet(w, MALLORY);
    assert_int_equal(heard(w, MALLORY, link, MSG_WELCOME, NULL), 1);
    for (int i = 0; i < LINK_STRIKES_MAX; i++) {
        assert_true(is_up(w, MALLORY));
        say_hello(w, MALLORY, link, i % 2 ? MSG_WELCOME : MSG_HELLO, &record);
        soon(w);
    }
    assert_false(is_up(w, MALLORY));
    assert_true(parted(w, MALLORY, link));
    assert_int_equal(heard(w, MALLORY, link, MSG_WELCOME, NULL), 1);
    world_free(w);
}

/* ---- bytes */

static void unknown_messages_are_answered_unsupported_and_nothing_worse(void **state)
{
    (void)state;
    struct world *w = hostile_world(6);
    link_no link = greet(w, MALLORY);
    struct msg *last = message(MSG_ERROR, 0);
    for (uint8_t i = 1; i <= 50; i++) {
        const uint8_t unknown[] = {0x94, 0x40, i, 0xc0, 0xc0};
        raw_say(w, MALLORY, link, unknown, sizeof unknown);
        soon(w);
        assert_int_equal(heard(w, MALLORY, link, MSG_ERROR, last), i);
        assert_int_equal(last->request, i);
        assert_int_equal(last->error.code, ERR_UNSUPPORTED);
    }
    static const uint8_t wants_no_answer[] = {0x92, 0x40, 0x00};
    raw_say(w, MALLORY, link, wants_no_answer, sizeof wants_no_answer);
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_ERROR, NULL), 50);
    assert_true(is_up(w, MALLORY));
    free(last);
    world_free(w);
}

static void the_third_malformed_message_ends_the_link(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint8_t b[8];
    } malformed[] = {{0, {0}}, {1, {0xc1}}, {4, {0x93, 0x04, 0x00, 0xff}}, {5, {0xdd, 0xff, 0xff, 0xff, 0xff}}};
    struct world *w = hostile_world(7);
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        link_no link = greet(w, MALLORY);
        for (int k = 0; k < LINK_STRIKES_MAX; k++) {
            assert_true(is_up(w, MALLORY));
            raw_say(w, MALLORY, link, malformed[i].b, malformed[i].n);
            soon(w);
        }
        assert_true(parted(w, MALLORY, link));
        assert_false(is_up(w, MALLORY));
        raw_forget(w, MALLORY);
    }
    anna_still_serves_bob(w);
    world_free(w);
}

static void s45_garbage_does_no_harm(void **state)
{
    (void)state;
    struct world *w = hostile_world(8);
    struct record_bytes record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[256];
        size_t n = world_random(w) % sizeof bytes;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)world_random(w);
        link_no link = raw_dial(w, MALLORY, ANNA);
        if (i % 2)
            say_hello(w, MALLORY, link, MSG_HELLO, &record);
        for (int k = 0; k < LINK_STRIKES_MAX; k++)
            raw_say(w, MALLORY, link, bytes, n);
        world_run(w, world_now(w) + MILLISECOND);
        raw_hangup(w, MALLORY, link);
    }
    anna_still_serves_bob(w);
    world_run(w, world_now(w) + 2 * LINK_DEAD_AFTER);
    assert_int_equal(anna(w)->link_count, 1);
    world_free(w);
}

/* ---- floods */

static void s45_a_flood_of_messages_ends_the_link(void **state)
{
    (void)state;
    struct world *w = hostile_world(9);
    struct msg *ping = message(MSG_PING, 1);
    link_no link = greet(w, MALLORY);
    for (int i = 0; i < 2 * LINK_MESSAGES_PER_S; i++)
        say(w, MALLORY, link, ping);
    soon(w);
    assert_true(is_up(w, MALLORY)); /* a burst of that size is borne */
    for (int i = 0; i < LINK_MESSAGES_PER_S; i++)
        say(w, MALLORY, link, ping);
    soon(w);
    assert_true(parted(w, MALLORY, link));
    raw_forget(w, MALLORY);

    link = greet(w, MALLORY);
    for (int i = 0; i < 5; i++) { /* and so is half the rate, for as long as it lasts */
        for (int k = 0; k < LINK_MESSAGES_PER_S / 2; k++)
            say(w, MALLORY, link, ping);
        world_run(w, world_now(w) + SECOND);
    }
    assert_true(is_up(w, MALLORY));
    assert_int_equal(heard(w, MALLORY, link, MSG_PONG, NULL), 5 * LINK_MESSAGES_PER_S / 2);
    free(ping);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p45_a_flood_of_lists_is_refused_over_the_peers_cap(void **state)
{
    (void)state;
    struct world *w = hostile_world(10);
    share(w, "/srv/open", true);
    link_no link = greet(w, MALLORY);
    for (uint64_t i = 1; i <= 3 * REQUESTS_PER_PEER_MAX; i++)
        say_new(w, MALLORY, link, asking(w, MSG_LIST, i, "open"));
    say_new(w, MALLORY, link, message(MSG_PING, 99));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_LIST_OK, NULL), REQUESTS_PER_PEER_MAX);
    assert_int_equal(errors(w, MALLORY, ERR_FULL), 2 * REQUESTS_PER_PEER_MAX);
    assert_int_equal(heard(w, MALLORY, link, MSG_PONG, NULL), 1);
    raw_forget(w, MALLORY);
    say_new(w, MALLORY, link, asking(w, MSG_LIST, 1, "open"));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_LIST_OK, NULL), 1);
    anna_still_serves_bob(w);
    world_free(w);
}

static void p45_a_flood_of_fetches_is_refused_over_the_peers_cap(void **state)
{
    (void)state;
    struct world *w = hostile_world(11);
    share(w, "/srv/open", true);
    link_no links[2] = {greet(w, MALLORY), greet(w, MALLORY)}; /* two links are one peer */
    for (uint64_t i = 0; i < 2 * SENDS_PER_PEER_MAX; i++)
        fetch(w, MALLORY, links[i % 2], i + 1);
    fetch(w, EVE, greet(w, EVE), 1);
    world_run(w, world_now(w) + 10 * MILLISECOND);
    assert_int_equal(heard(w, MALLORY, 0, MSG_FETCH_OK, NULL), SENDS_PER_PEER_MAX);
    assert_int_equal(errors(w, MALLORY, ERR_FULL), SENDS_PER_PEER_MAX);
    assert_int_equal(heard(w, EVE, 0, MSG_FETCH_OK, NULL), 1);
    world_run(w, world_now(w) + SECOND); /* they end, and there is room again */
    raw_forget(w, MALLORY);
    fetch(w, MALLORY, links[0], 50);
    soon(w);
    assert_int_equal(heard(w, MALLORY, links[0], MSG_FETCH_OK, NULL), 1);
    world_free(w);
}

static bool has_linked(struct world *w, void *arg)
{
    struct peer *peer = peers_find(anna(w)->peers, world_id(w, *(size_t *)arg));
    return peer && link_to(anna(w), peer);
}

/* 5,000 records, each of a true identity of its own, at a rate that the link bears. Meanwhile a newcomer's beacon must be
 * heard: anna cannot be dialled, so nothing else can bring the two together. */
static void p45_5000_records_are_bounded_and_blind_nobody(void **state)
{
    (void)state;
    struct world *w = hostile_world(12);
    link_no link = greet(w, MALLORY);
    size_t newcomer = world_add(w, "carol");
    bool noticed = false;
    world_firewall(w, ANNA, true);
    for (int i = 0; i < 5000; i++) {
        uint8_t seed[SEED_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 1};
        struct identity identity;
        char name[32];
        struct msg *m = message(MSG_RECORDS, 0);
        identity_from_seed(seed, &identity);
        snprintf(name, sizeof name, "m%d", i);
        m->records.count = 1;
        m->records.record[0] = record_of(&identity, name, 1, 0xc801);
        say_new(w, MALLORY, link, m);
        if (i == 3000)
            world_start(w, newcomer);
        if (i % 100 == 99)
            world_run(w, world_now(w) + 100 * MILLISECOND);
        noticed = noticed || (i > 3000 && has_linked(w, &newcomer));
    }
    assert_true(is_up(w, MALLORY));
    assert_true(noticed);
    assert_true(peers_count(anna(w)->peers) <= PEERS_MAX);
    assert_true(anna(w)->link_count < LINKS_MAX - 100); /* the budget of dials, not one for each record */
    anna_still_serves_bob(w);
    world_free(w);
}

static void s24_old_records_again_and_again_cost_nothing(void **state)
{
    (void)state;
    struct world *w = hostile_world(13);
    struct msg *m = message(MSG_RECORDS, 0);
    link_no link = greet(w, MALLORY);
    for (; m->records.count < GOSSIP_RECORDS_MAX; m->records.count++)
        m->records.record[m->records.count] = known(w, BOB)->signed_record;
    for (int i = 0; i < 1000; i++)
        say(w, MALLORY, link, m);
    world_run(w, world_now(w) + 10 * MILLISECOND);
    free(m);
    size_t newcomer = world_add(w, "carol");
    world_firewall(w, ANNA, true);
    world_start(w, newcomer);
    assert_true(world_run_until(w, has_linked, &newcomer, world_now(w) + SECOND));
    world_free(w);
}

static void s20_forged_records_count_like_malformed_messages(void **state)
{
    (void)state;
    struct world *w = hostile_world(14);
    struct msg *m = message(MSG_RECORDS, 0);
    link_no link = greet(w, MALLORY);
    struct record_bytes good = record_of(raw_identity(w, EVE), "eve", 1, EVE), bad = good;
    bad.b[bad.len - 1] ^= 1;
    m->records.count = 2;
    m->records.record[0] = bad;
    m->records.record[1] = good;
    say(w, MALLORY, link, m);
    soon(w);
    assert_non_null(known(w, EVE)); /* the others in a message are taken */
    m->records.count = LINK_STRIKES_MAX - 1;
    for (int i = 0; i < LINK_STRIKES_MAX; i++) {
        m->records.record[i] = record_of(raw_identity(w, EVE), "eve", 9, EVE);
        m->records.record[i].b[m->records.record[i].len - 1] ^= 1;
    }
    say_new(w, MALLORY, link, m);
    soon(w);
    assert_true(parted(w, MALLORY, link));
    assert_int_equal(known(w, EVE)->incarnation, 1);
    world_free(w);
}

static void p45_one_peer_has_few_links_and_leaves_room_for_others(void **state)
{
    (void)state;
    struct world *w = hostile_world(15);
    for (int i = 0; i < 20; i++)
        greet(w, MALLORY);
    assert_int_equal(known(w, MALLORY)->up, 2 * LINKS_PER_PEER_MAX);
    for (int i = 0; i < LINKS_MAX; i++) /* nor does it help to say no HELLO */
        raw_dial(w, MALLORY, ANNA);
    soon(w);
    assert_int_equal(anna(w)->link_count, 1 + 2 * LINKS_PER_PEER_MAX);
    greet(w, EVE);
    assert_true(is_up(w, EVE));
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s31_before_hello_nothing_may_be_said),
        cmocka_unit_test(s31_who_connects_and_says_nothing_is_dropped_in_time),
        cmocka_unit_test(s20_hello_with_somebody_elses_record_is_refused_and_no_sign_of_life),
        cmocka_unit_test(s20_hello_with_an_unsigned_record_or_another_version_is_refused),
        cmocka_unit_test(a_second_hello_counts_like_a_malformed_message),
        cmocka_unit_test(unknown_messages_are_answered_unsupported_and_nothing_worse),
        cmocka_unit_test(the_third_malformed_message_ends_the_link),
        cmocka_unit_test(s45_garbage_does_no_harm),
        cmocka_unit_test(s45_a_flood_of_messages_ends_the_link),
        cmocka_unit_test(p45_a_flood_of_lists_is_refused_over_the_peers_cap),
        cmocka_unit_test(p45_a_flood_of_fetches_is_refused_over_the_peers_cap),
        cmocka_unit_test(p45_5000_records_are_bounded_and_blind_nobody),
        cmocka_unit_test(s24_old_records_again_and_again_cost_nothing),
        cmocka_unit_test(s20_forged_records_count_like_malformed_messages),
        cmocka_unit_test(p45_one_peer_has_few_links_and_leaves_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

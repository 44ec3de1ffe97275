/* A hostile peer in the simulated world: what it may say on links, and that no harm comes of it.
 *
 * Node 0 is anna, whom it is all about, node 1 is bob, an honest peer; mallory and eve are played by the tests. */
#include "world_raw.h"

#include "core_internal.h"
#include "ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE (60 * SECOND)

enum { ANNA, BOB, MALLORY, EVE };

/* ---- what tests say in one line */

static struct world *world_with(uint64_t seed)
{
    struct world *w = world_new(seed);
    world_add(w, "anna");
    world_add(w, "bob");
    world_add_raw(w, "mallory");
    world_add_raw(w, "eve");
    for (size_t i = 0; i < 4; i++)
        world_start(w, i);
    world_run(w, world_now(w) + SECOND);
    return w;
}

static struct core *anna(struct world *w)
{
    return world_core(w, ANNA);
}

static struct peer *known(struct world *w, size_t node)
{
    return peers_find(anna(w)->peers, world_id(w, node));
}

static void soon(struct world *w)
{
    world_run(w, world_now(w) + 50 * MILLISECOND);
}

static bool bob_is_linked(struct world *w)
{
    return known(w, BOB) && link_to(anna(w), known(w, BOB));
}

/* A record of an identity, numbered, at an address of this world. */
static struct record_bytes record_of(const struct identity *identity, const char *name, uint64_t incarnation, size_t at)
{
    struct record r = {.id = identity->id, .incarnation = incarnation, .seq = 1, .life_s = 600, .endpoint_count = 1};
    struct record_bytes bytes;
    snprintf(r.name, sizeof r.name, "%s", name);
    r.endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "sim0"};
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.%zu.%zu:7000", at >> 8, at & 255);
    assert_int_equal(record_sign(&r, identity, &bytes), 0);
    return bytes;
}

static const char *name_of(size_t raw)
{
    return raw == MALLORY ? "mallory" : "eve";
}

static void say(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    uint8_t *buf = malloc(MSG_BYTES_MAX);
    size_t n;
    assert_non_null(buf);
    assert_int_equal(msg_encode(m, buf, MSG_BYTES_MAX, &n), 0);
    raw_say(w, raw, link, buf, n);
    free(buf);
}

static struct msg *message(enum msg_type type, uint64_t request)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = type;
    m->request = request;
    return m;
}

/* Says it and frees it. */
static void say_new(struct world *w, size_t raw, link_no link, struct msg *m)
{
    say(w, raw, link, m);
    free(m);
}

static void say_hello(struct world *w, size_t raw, link_no link, enum msg_type type, const struct record_bytes *record)
{
    struct msg *m = message(type, 0);
    m->hello.version = PROTOCOL_VERSION;
    m->hello.record = *record;
    say_new(w, raw, link, m);
}

/* A link of a raw node that is up. */
static link_no greet(struct world *w, size_t raw)
{
    struct record_bytes record = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
    link_no link = raw_dial(w, raw, ANNA);
    say_hello(w, raw, link, MSG_HELLO, &record);
    soon(w);
    return link;
}

/* The messages of a type that a raw node has heard on a link (0: any). */
static size_t heard(struct world *w, size_t raw, link_no link, enum msg_type type, struct msg *last)
{
    struct msg *m = message(type, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        if (h->opened || (link && h->link != link))
            continue;
        assert_int_equal(msg_decode(h->bytes, h->n, m), 0);
        if (m->type != type)
            continue;
        n++;
        if (last)
            *last = *m; /* names in it point into what was heard */
    }
    free(m);
    return n;
}

static size_t errors(struct world *w, size_t raw, enum err code)
{
    struct msg *m = message(MSG_ERROR, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        n += !h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_ERROR && m->error.code == code;
    }
    free(m);
    return n;
}

static bool parted(struct world *w, size_t raw, link_no link)
{
    struct msg *bye = message(MSG_BYE, 0);
    bool is = heard(w, raw, link, MSG_BYE, bye) == 1 && bye->bye.reason == BYE_REFUSED;
    free(bye);
    return is;
}

static bool is_up(struct world *w, size_t raw)
{
    return known(w, raw) && known(w, raw)->up > 0;
}

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

static const struct answer *ok(struct world *w, size_t node, struct row *r)
{
    const struct answer *a = world_call(w, node, r);
    assert_true(a->done);
    return a;
}

static void share(struct world *w, const char *path, bool is_public)
{
    struct row *r = request("share", "path", path);
    row_bool(r, "public", is_public);
    ok(w, ANNA, r);
}

/* Whatever was done to anna: bob is linked, and gets what he asks for. */
static void anna_still_serves_bob(struct world *w)
{
    if (!share_find(anna(w), "open"))
        share(w, "/srv/open", true);
    assert_true(bob_is_linked(w));
    assert_int_equal(answer_count(ok(w, BOB, request("ls", "target", "anna:open")), "entry"), 5);
}

static struct msg *asking(struct world *w, enum msg_type type, uint64_t number, const char *share_name)
{
    struct msg *m = message(type, number);
    struct tag files = pipe_owned(world_id(w, ANNA), "files");
    if (type == MSG_SHARES) {
        m->shares.pipe = files;
    } else if (type == MSG_LIST) {
        m->list.pipe = files;
        strcpy(m->list.at.share, share_name);
    } else {
        m->fetch.pipe = files;
        strcpy(m->fetch.at.share, share_name);
        m->fetch.reception.streams = 1;
        m->fetch.reception.deadline_s = 1;
    }
    return m;
}

/* ---- before HELLO, and HELLO */

static void s31_before_hello_nothing_may_be_said(void **state)
{
    (void)state;
    struct world *w = world_with(1);
    uint32_t links = anna(w)->link_count;
    for (int type = MSG_WELCOME; type < MSG_TYPE_END; type++) {
        if (type == MSG_BYE)
            continue;
        struct msg *m = message((enum msg_type)type, 1);
        if (type == MSG_WELCOME)
            m->hello.record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
        if (type == MSG_LIST || type == MSG_FETCH)
            strcpy(type == MSG_LIST ? m->list.at.share : m->fetch.at.share, "x");
        m->error.code = type == MSG_ERROR ? ERR_FULL : m->error.code;
        if (type == MSG_FETCH)
            m->fetch.reception.streams = 1, m->fetch.reception.deadline_s = 1;
        if (type == MSG_FETCH_OK)
            m->fetch_ok.streams = 1;
        if (type == MSG_CANCEL)
            m->cancel.request = 1;
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
    struct world *w = world_with(2);
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
    struct world *w = world_with(3);
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
    struct world *w = world_with(4);
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
    struct world *w = world_with(5);
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
    struct world *w = world_with(6);
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
    struct world *w = world_with(7);
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
    struct world *w = world_with(8);
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
    struct world *w = world_with(9);
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
    struct world *w = world_with(10);
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

static link_no fetch(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = asking(w, MSG_FETCH, number, "open");
    raw_receives(w, raw, ANNA, &m->fetch.reception);
    say_new(w, raw, link, m);
    return link;
}

static void p45_a_flood_of_fetches_is_refused_over_the_peers_cap(void **state)
{
    (void)state;
    struct world *w = world_with(11);
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
    struct world *w = world_with(12);
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
    struct world *w = world_with(13);
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
    struct world *w = world_with(14);
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
    struct world *w = world_with(15);
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

/* ---- rights */

static void s8_to_a_stranger_a_private_share_is_as_one_that_is_not_there(void **state)
{
    (void)state;
    struct world *w = world_with(16);
    struct msg *answer[2] = {message(0, 0), message(0, 0)};
    static const char *const names[2] = {"shut", "gone"};
    share(w, "/srv/shut", false);
    link_no link = greet(w, MALLORY);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < 2; i++) {
            say_new(w, MALLORY, link, asking(w, kind ? MSG_FETCH : MSG_LIST, 7, names[i]));
            soon(w);
            assert_int_equal(heard(w, MALLORY, link, MSG_ERROR, answer[i]), 1);
            raw_forget(w, MALLORY);
        }
        char *name = strstr(answer[0]->error.text, "shut");
        assert_non_null(name);
        memcpy(name, "gone", 4);
        assert_string_equal(answer[0]->error.text, answer[1]->error.text);
        assert_int_equal(answer[0]->error.code, ERR_NOT_FOUND);
        assert_int_equal(answer[1]->error.code, ERR_NOT_FOUND);
    }
    say_new(w, MALLORY, link, asking(w, MSG_SHARES, 8, NULL));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SHARES_OK, answer[0]), 1);
    assert_int_equal(answer[0]->shares_ok.count, 0);
    assert_int_equal(anna(w)->transfers, 0);
    free(answer[0]);
    free(answer[1]);
    world_free(w);
}

static void pipe_3_requests_through_another_pipe_are_refused(void **state)
{
    (void)state;
    struct world *w = world_with(17);
    share(w, "/srv/open", true);
    link_no link = greet(w, MALLORY);
    static const enum msg_type types[] = {MSG_SHARES, MSG_LIST, MSG_FETCH};
    for (size_t i = 0; i < 3; i++) {
        struct msg *m = asking(w, types[i], i + 1, "open");
        struct tag *pipe = types[i] == MSG_SHARES ? &m->shares.pipe : types[i] == MSG_LIST ? &m->list.pipe : &m->fetch.pipe;
        *pipe = pipe_owned(world_id(w, BOB), "files");
        say_new(w, MALLORY, link, m);
    }
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_STATE), 3);
    world_free(w);
}

static void s8_a_transfer_is_cancelled_only_by_the_link_that_asked_for_it(void **state)
{
    (void)state;
    struct world *w = world_with(18);
    share(w, "/srv/open", true);
    link_no link = greet(w, MALLORY), other = greet(w, MALLORY), eves = greet(w, EVE);
    struct msg *cancel = message(MSG_CANCEL, 0);
    cancel->cancel.request = 1;
    fetch(w, MALLORY, link, 1);
    say(w, EVE, eves, cancel);
    say(w, MALLORY, other, cancel);
    world_run(w, world_now(w) + 10 * MILLISECOND);
    assert_int_equal(heard(w, MALLORY, link, MSG_FETCH_OK, NULL), 1);
    assert_int_equal(errors(w, MALLORY, ERR_CANCELLED), 0);
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(anna(w)->transfers, 0);
    fetch(w, MALLORY, link, 1);
    say_new(w, MALLORY, link, cancel);
    say_new(w, MALLORY, link, message(MSG_PING, 1));
    world_run(w, world_now(w) + 10 * MILLISECOND);
    assert_int_equal(anna(w)->transfers, 0);
    assert_int_equal(errors(w, MALLORY, ERR_CANCELLED), 1);
    world_free(w);
}

/* ---- answers */

static void s8_answers_to_requests_never_made_change_nothing(void **state)
{
    (void)state;
    struct world *w = world_with(19);
    link_no link = greet(w, MALLORY);
    static const enum msg_type types[] = {MSG_ERROR,    MSG_JOIN_OK, MSG_SHARES_OK, MSG_LIST_OK,
                                          MSG_FETCH_OK, MSG_ANSWER,  MSG_PONG};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (uint64_t number = 1; number < 20; number++) {
            struct msg *m = message(types[i], number);
            if (types[i] == MSG_ERROR)
                m->error.code = ERR_REFUSED;
            if (types[i] == MSG_FETCH_OK)
                m->fetch_ok.streams = 1;
            say_new(w, MALLORY, link, m);
        }
    soon(w);
    assert_true(is_up(w, MALLORY)); /* they may be late: no reason to part */
    assert_false(known(w, MALLORY)->trusted);
    assert_true(anna(w)->refused_messages >= 5 * 19);
    anna_still_serves_bob(w);
    world_free(w);
}

/* Mallory answers on her own link, with all numbers, what anna asks bob. */
static void s20_an_answer_counts_only_on_the_link_of_its_request(void **state)
{
    (void)state;
    struct world *w = world_with(20);
    link_no link = greet(w, MALLORY);
    ok(w, BOB, request("share", "path", "/srv/bobs"));
    struct row *ls = request("ls", "target", "bob");
    core_request(anna(w), 1, ls);
    row_free(ls);
    for (int i = 0; i < 20; i++) {
        for (uint64_t number = 1; number < 20; number++) {
            struct msg *m = message(MSG_SHARES_OK, number);
            m->shares_ok.count = 1;
            strcpy(m->shares_ok.share[0].name, "trap");
            say_new(w, MALLORY, link, m);
        }
        world_run(w, world_now(w) + MILLISECOND / 10);
    }
    soon(w);
    const struct answer *a = ok(w, ANNA, request("ls", "target", "bob"));
    for (size_t i = 0; i < answer_count(a, "share"); i++)
        assert_string_not_equal(row_get_text(answer_row(a, "share", i), "name", ""), "trap");
    world_free(w);
}

/* A server that does as the test says: binds its `files` pipe, and answers the rest by `other`. */
struct server {
    void (*other)(struct world *w, size_t raw, link_no link, const struct msg *m);
    unsigned asked;
};

static void serve(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct server *s = arg;
    struct msg *m = message(0, 0), *a = message(MSG_ANSWER, 0);
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY) {
        a->answer.query = m->query.query;
        a->answer.pipe = m->query.pipe;
        a->answer.found = true;
        a->answer.incarnation = 1;
        a->answer.life_s = 60;
        a->answer.holder = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
        a->answer.endpoint_count = 1;
        a->answer.endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "sim0"};
        snprintf(a->answer.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%zu:7000", raw);
        say(w, raw, h->link, a);
    } else if (!h->opened && m->type == MSG_HELLO) {
        struct record_bytes own = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
        say_hello(w, raw, h->link, MSG_WELCOME, &own);
    } else if (!h->opened && m->type == MSG_PING) {
        m->type = MSG_PONG;
        say(w, raw, h->link, m);
    } else if (!h->opened && m->type != MSG_WELCOME && m->type != MSG_RECORDS) {
        s->asked++;
        s->other(w, raw, h->link, m);
    }
    free(m);
    free(a);
}

static void answer_of_another_type(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_FETCH_OK, m->request);
    a->fetch_ok.streams = 1;
    say_new(w, raw, link, a);
}

static void same_page_for_ever(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_SHARES_OK, m->request);
    a->shares_ok.more = true;
    a->shares_ok.count = 2;
    strcpy(a->shares_ok.share[0].name, "a");
    strcpy(a->shares_ok.share[1].name, "b");
    if (m->type == MSG_SHARES)
        say(w, raw, link, a);
    free(a);
}

/* How anna's listing of that server ends. */
static void ls_ends(struct server *server, uint64_t seed, const char *expected)
{
    struct world *w = world_with(seed);
    raw_answers(w, MALLORY, serve, server);
    greet(w, MALLORY);
    const struct answer *a = world_call(w, ANNA, request("ls", "target", "mallory"));
    assert_string_equal(a->code ? a->code : a->done ? "done" : "never", expected);
    world_free(w);
}

static void s8_an_answer_of_another_type_is_none(void **state)
{
    (void)state;
    struct server server = {.other = answer_of_another_type};
    ls_ends(&server, 21, "timeout");
}

static void s22_pages_that_do_not_advance_end_the_listing(void **state)
{
    (void)state;
    struct server server = {.other = same_page_for_ever};
    ls_ends(&server, 22, "malformed");
    assert_int_equal(server.asked, 2);
}

/* ---- answers about pipes */

/* Bob is known but gone; mallory says where he is. */
static void forge_answer(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    const struct record_bytes *forged = arg;
    struct msg *m = message(0, 0), *a = message(MSG_ANSWER, 0);
    struct record record;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY) {
        assert_int_equal(record_decode(forged, &record), 0);
        a->answer.query = m->query.query;
        a->answer.pipe = m->query.pipe;
        a->answer.found = true;
        a->answer.incarnation = record.incarnation;
        a->answer.life_s = 60;
        a->answer.holder = *forged;
        a->answer.endpoint_count = record.endpoint_count;
        memcpy(a->answer.endpoint, record.endpoint, sizeof record.endpoint);
        say(w, raw, h->link, a);
    }
    free(m);
    free(a);
}

static void s20_a_holders_record_is_believed_only_with_its_signature(void **state)
{
    (void)state;
    struct world *w = world_with(23);
    struct binding_counts counts;
    struct record_bytes forged;
    struct record r = known(w, BOB)->record; /* its very numbers, so that it is no news */
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%d:7000", MALLORY);
    assert_int_equal(record_sign(&r, raw_identity(w, MALLORY), &forged), 0);
    world_crash(w, BOB);
    world_run(w, world_now(w) + MINUTE);
    raw_answers(w, MALLORY, forge_answer, &forged);
    greet(w, MALLORY);
    const struct answer *a = world_call(w, ANNA, request("pipe-resolve", "pipe", "bob:files"));
    assert_string_equal(a->code, "unreachable");
    binding_counts(anna(w)->binding, &counts);
    assert_int_equal(counts.answers_refused, 1);
    assert_int_equal(counts.cached, 0);
    world_free(w);
}

/* Eve asks who has a shared pipe; mallory says: anna herself, with a record that anna never signed. */
static void s20_nobody_else_says_what_anna_has_bound(void **state)
{
    (void)state;
    struct world *w = world_with(24);
    struct record_bytes forged;
    struct record r = anna(w)->record;
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%d:7000", MALLORY);
    assert_int_equal(record_sign(&r, raw_identity(w, MALLORY), &forged), 0);
    raw_answers(w, MALLORY, forge_answer, &forged);
    greet(w, MALLORY);
    link_no link = greet(w, EVE);
    struct msg *m = message(MSG_QUERY, 0);
    m->query.pipe = pipe_shared("logs");
    m->query.hops = 1;
    m->query.asker = *world_id(w, EVE);
    say(w, EVE, link, m);
    world_run(w, world_now(w) + QUERY_TIMEOUT);
    assert_int_equal(heard(w, EVE, link, MSG_ANSWER, m), 1);
    assert_false(m->answer.found);
    free(m);
    world_free(w);
}

/* ---- tickets */

static void wrong_join(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = message(MSG_JOIN, number);
    for (size_t i = 0; i < sizeof m->join.ticket.b; i++)
        m->join.ticket.b[i] = (uint8_t)world_random(w);
    say_new(w, raw, link, m);
}

static void s46_limits_on_wrong_tickets_survive_reconnecting(void **state)
{
    (void)state;
    struct world *w = world_with(25);
    char ticket[TICKET_TEXT];
    const char *word = row_get_text(answer_row(ok(w, ANNA, request("invite", NULL, NULL)), "ticket", 0), "ticket", "");
    snprintf(ticket, sizeof ticket, "%s", word);
    unsigned guesses = 0, turned_away = 0;
    for (int i = 0; i < 40; i++) { /* a new link for each, by one key and another */
        size_t raw = i % 2 ? MALLORY : EVE;
        link_no link = greet(w, raw);
        wrong_join(w, raw, link, 1);
        world_run(w, world_now(w) + 10 * MILLISECOND);
        guesses += errors(w, raw, ERR_REFUSED) > 0;
        turned_away += parted(w, raw, link);
        say_new(w, raw, link, message(MSG_BYE, 0));
        soon(w);
        raw_forget(w, raw);
    }
    assert_in_range(guesses, TICKET_WRONG_PER_MIN, TICKET_WRONG_PER_MIN + 2); /* two more in the four seconds that it takes */
    assert_int_equal(guesses + turned_away, 40);
    assert_false(known(w, MALLORY)->trusted);
    ok(w, BOB, request("join", "ticket", ticket)); /* a right one is never turned away for the wrong ones */
    assert_true(known(w, BOB)->trusted);
    world_free(w);
}

/* What mallory overheard is of no use to her: the proof is for bob, and the ticket works once. */
static void s25_a_proof_made_for_another_is_refused(void **state)
{
    (void)state;
    struct world *w = world_with(26);
    struct ticket_text ticket;
    const char *word = row_get_text(answer_row(ok(w, ANNA, request("invite", NULL, NULL)), "ticket", 0), "ticket", "");
    assert_int_equal(ticket_read(word, &ticket), 0);
    struct msg *m = message(MSG_JOIN, 1);
    m->join.ticket = ticket_id(ticket.secret);
    ticket_proof(ticket.secret, world_id(w, BOB), world_id(w, ANNA), m->join.proof);
    link_no link = greet(w, MALLORY);
    say(w, MALLORY, link, m);
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 1);
    assert_false(known(w, MALLORY)->trusted);
    ticket_proof(ticket.secret, world_id(w, MALLORY), world_id(w, ANNA), m->join.proof);
    for (uint64_t i = 2; i <= 3; i++) {
        m->request = i;
        say(w, MALLORY, link, m);
    }
    soon(w);
    assert_true(known(w, MALLORY)->trusted);
    assert_int_equal(heard(w, MALLORY, link, MSG_JOIN_OK, m), 1);
    assert_int_equal(m->request, 2);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 2);
    free(m);
    world_free(w);
}

static void join_ok_without_proof(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_JOIN_OK, m->request);
    a->join.ticket = m->join.ticket;
    memcpy(a->join.proof, m->join.proof, sizeof a->join.proof); /* anna's own, sent back */
    if (m->type == MSG_JOIN)
        say(w, raw, link, a);
    free(a);
}

static void s20_an_inviter_that_does_not_know_the_secret_is_not_trusted(void **state)
{
    (void)state;
    struct world *w = world_with(27);
    struct server server = {.other = join_ok_without_proof};
    struct ticket_text ticket = {.inviter = *world_id(w, MALLORY), .secret = {1, 2, 3}};
    char word[TICKET_TEXT];
    raw_answers(w, MALLORY, serve, &server);
    greet(w, MALLORY);
    ticket_write(&ticket, word);
    const struct answer *a = world_call(w, ANNA, request("join", "ticket", word));
    assert_string_equal(a->code, "verify");
    assert_int_equal(server.asked, 1);
    assert_false(known(w, MALLORY)->trusted);
    world_free(w);
}

/* ---- as the one who is dialled */

static void wrong_welcome(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    const struct record_bytes *record = arg;
    if (h->opened)
        return;
    if (record)
        say_hello(w, raw, h->link, MSG_WELCOME, record);
    else
        say_new(w, raw, h->link, message(MSG_PING, 1));
}

static void s20_a_welcome_with_somebody_elses_record_or_none_is_not_believed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world *w = world_with(28);
        struct record_bytes mallorys = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
        struct record_bytes eves = record_of(raw_identity(w, EVE), "eve", 1, EVE);
        struct seed seed = {.id = *world_id(w, MALLORY), .id_known = true, .endpoint = "tcp://10.0.0.2:7000"};
        raw_answers(w, MALLORY, wrong_welcome, i ? NULL : &eves);
        assert_int_equal(core_add_seed(anna(w), &seed), 0);
        world_run(w, world_now(w) + 10 * SECOND);
        assert_true(raw_heard_count(w, MALLORY) > 0);
        assert_false(is_up(w, MALLORY));
        assert_false(is_up(w, EVE));
        raw_answers(w, MALLORY, wrong_welcome, &mallorys); /* its own is good */
        world_run(w, world_now(w) + MINUTE);
        assert_true(is_up(w, MALLORY));
        world_free(w);
    }
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
        cmocka_unit_test(s8_to_a_stranger_a_private_share_is_as_one_that_is_not_there),
        cmocka_unit_test(pipe_3_requests_through_another_pipe_are_refused),
        cmocka_unit_test(s8_a_transfer_is_cancelled_only_by_the_link_that_asked_for_it),
        cmocka_unit_test(s8_answers_to_requests_never_made_change_nothing),
        cmocka_unit_test(s20_an_answer_counts_only_on_the_link_of_its_request),
        cmocka_unit_test(s8_an_answer_of_another_type_is_none),
        cmocka_unit_test(s22_pages_that_do_not_advance_end_the_listing),
        cmocka_unit_test(s20_a_holders_record_is_believed_only_with_its_signature),
        cmocka_unit_test(s20_nobody_else_says_what_anna_has_bound),
        cmocka_unit_test(s46_limits_on_wrong_tickets_survive_reconnecting),
        cmocka_unit_test(s25_a_proof_made_for_another_is_refused),
        cmocka_unit_test(s20_an_inviter_that_does_not_know_the_secret_is_not_trusted),
        cmocka_unit_test(s20_a_welcome_with_somebody_elses_record_or_none_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

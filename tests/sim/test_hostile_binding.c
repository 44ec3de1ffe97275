/* A hostile peer about where pipes are bound: names without end, storms of queries, untrue answers and registrations. */
#include "hostile.h"
#include "registrar.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMES 200000u
#define BOBS_PIPES 2 /* files, pipes */

static struct rendezvous_counts index_of(struct world *w)
{
    struct rendezvous_counts counts;
    rendezvous_counts(binding_index(anna(w)->binding), &counts);
    return counts;
}

/* Anna with the role of a rendezvous. */
static struct world *relay_world(uint64_t seed)
{
    struct world *w = hostile_world(seed);
    world_stop(w, ANNA);
    world_roles(w, ANNA, ROLE_RELAY);
    world_start(w, ANNA);
    world_run(w, world_now(w) + 5 * SECOND);
    assert_true(bob_is_linked(w));
    assert_int_equal(index_of(w).leases, 1); /* bob's */
    assert_int_equal(index_of(w).pipes, BOBS_PIPES);
    return w;
}

static void befriend(struct world *w, size_t raw)
{
    ok(w, ANNA, request("trust", "peer", id_text(world_id(w, raw)).s));
}

/* A raw node that says it is a rendezvous. */
static link_no greet_as_relay(struct world *w, size_t raw)
{
    struct record_bytes bytes = record_of(raw_identity(w, raw), name_of(raw), 2, raw);
    struct record r;
    assert_int_equal(record_decode(&bytes, &r), 0);
    r.roles = ROLE_RELAY;
    assert_int_equal(record_sign(&r, raw_identity(w, raw), &bytes), 0);
    link_no link = raw_dial(w, raw, ANNA);
    say_hello(w, raw, link, MSG_HELLO, &bytes);
    soon(w);
    return link;
}

static struct tag name_number(uint64_t i)
{
    struct tag tag = {.b = {'n', 'a', 'm', 'e'}};
    memcpy(tag.b + 8, &i, sizeof i);
    return tag;
}

static struct binding_counts counts_of(struct world *w)
{
    struct binding_counts counts;
    binding_counts(anna(w)->binding, &counts);
    return counts;
}

/* What the whole program has allocated: by the sanitizer's count where there is one. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
static size_t memory(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

/* ---- names without end */

static struct msg *registering(uint64_t request, uint64_t first, uint16_t count)
{
    struct msg *m = message(MSG_REGISTER, request);
    m->registered.life_s = LEASE_LIFE_MAX_S;
    m->registered.count = count;
    for (uint16_t i = 0; i < count; i++)
        m->registered.pipe[i].pipe = name_number(first + i);
    return m;
}

static void s26_200_000_names_that_one_peer_registers_are_a_thousand(void **state)
{
    (void)state;
    struct world *w = relay_world(61);
    struct msg *last = message(0, 0);
    link_no link = greet(w, MALLORY);
    for (uint64_t i = 0; i < NAMES; i += REGISTER_PIPES_MAX)
        say_new(w, MALLORY, link, registering(i + 1, i, REGISTER_PIPES_MAX));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_REGISTER_OK, last), (NAMES + REGISTER_PIPES_MAX - 1) / REGISTER_PIPES_MAX);
    assert_int_equal(last->registered_ok.kept, LOCAL_PIPES_MAX);
    assert_int_equal(index_of(w).pipes, BOBS_PIPES + LOCAL_PIPES_MAX);
    assert_true(index_of(w).bytes < 256 * 1024);
    anna_still_serves_bob(w);
    free(last);
    world_free(w);
}

/* A QUERY, an OPEN, a CONNECT, in turn. */
static struct msg *about_name(struct world *w, uint64_t i)
{
    static const enum msg_type types[] = {MSG_QUERY, MSG_OPEN, MSG_CONNECT};
    struct msg *m = message(types[i % 3], i + 1);
    struct tag name = name_number(i);
    if (m->type == MSG_QUERY) {
        m->query = (struct msg_query){.query = name, .pipe = name, .hops = QUERY_HOPS_MAX, .asker = *world_id(w, MALLORY)};
    } else if (m->type == MSG_OPEN) {
        m->open = (struct msg_open){.pipe = name, .channel = name, .seq = 1};
    } else {
        m->connect.pipe = name;
        m->connect.reception = (struct reception_info){.streams = 2, .deadline_s = RECEPTION_DEADLINE_S};
    }
    return m;
}

static void say_names(struct world *w, link_no link, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        say_new(w, MALLORY, link, about_name(w, i));
        if (i % 60 == 0) { /* 1500 a second */
            world_run(w, world_now(w) + 40 * MILLISECOND);
            raw_forget(w, MALLORY);
        }
    }
    world_run(w, world_now(w) + 3 * SECOND);
    raw_forget(w, MALLORY);
}

static void p45_s26_200_000_names_that_one_peer_uses_leave_nothing(void **state)
{
    (void)state;
    struct world *w = hostile_world(62);
    link_no link = greet(w, MALLORY);
    say_names(w, link, 0, 2000); /* tables have grown by now */
    anna_still_serves_bob(w);
    size_t before = memory();
    say_names(w, link, 2000, NAMES);
    assert_true(is_up(w, MALLORY));
    assert_true(memory() < before + 256 * 1024);
    assert_int_equal(counts_of(w).cached, 0);
    const struct answer *status = ok(w, ANNA, request("status", NULL, NULL));
    assert_int_equal(row_get_int(answer_row(status, "status", 0), "channels", -1), 0);
    anna_still_serves_bob(w);
    world_free(w);
}

/* ---- queries */

static void s22_a_storm_of_queries_is_not_passed_on_beyond_the_quota(void **state)
{
    (void)state;
    struct world *w = hostile_world(63);
    link_no link = greet(w, MALLORY), eves = greet(w, EVE); /* who never answers */
    for (uint64_t i = 0; i < 3 * 3900; i += 3)
        say_new(w, MALLORY, link, about_name(w, i));
    soon(w);
    assert_true(heard(w, EVE, eves, MSG_QUERY, NULL) <= FORWARDS_PER_PEER_MAX);
    assert_true(counts_of(w).queries_heard <= 2 * LINK_QUERIES_PER_S + LINK_QUERIES_PER_S / 10);
    assert_true(is_up(w, MALLORY));
    anna_still_serves_bob(w);
    world_free(w);
}

/* Back it goes, as if it had been nowhere yet. */
static void bounce(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct msg *m = message(0, 0);
    unsigned *bounced = arg;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY && ++*bounced < 1000) {
        m->query.hops = QUERY_HOPS_MAX;
        m->query.visited_count = 0;
        say(w, raw, h->link, m);
    }
    free(m);
}

static void s22_a_query_that_liars_send_round_goes_round_once(void **state)
{
    (void)state;
    struct world *w = hostile_world(64);
    unsigned bounced = 0;
    link_no link = greet(w, MALLORY);
    greet(w, EVE);
    raw_answers(w, MALLORY, bounce, &bounced);
    raw_answers(w, EVE, bounce, &bounced);
    say_new(w, MALLORY, link, about_name(w, 0));
    world_run(w, world_now(w) + 10 * SECOND);
    assert_int_equal(bounced, 1);
    assert_int_equal(heard(w, MALLORY, link, MSG_ANSWER, NULL), 1);
    world_free(w);
}

/* ---- answers */

/* How anna's question ends. */
static const char *resolve(struct world *w, const char *pipe)
{
    const struct answer *a = world_call(w, ANNA, request("pipe-resolve", "pipe", pipe));
    return a->done ? "done" : a->code;
}

static void never(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    (void)w, (void)raw, (void)link, (void)m;
}

static void s20_a_stranger_is_not_believed_to_hold_a_shared_pipe(void **state)
{
    (void)state;
    struct world *w = hostile_world(65);
    struct server server = {.other = never};
    raw_answers(w, MALLORY, serve, &server);
    greet(w, MALLORY);
    assert_string_equal(resolve(w, "logs"), "not-found");
    assert_int_equal(counts_of(w).cached, 0);
    befriend(w, MALLORY);
    assert_string_equal(resolve(w, "logs"), "done");
    world_free(w);
}

/* Says where a shared pipe is, as often as it is told to, `link` 0: where it was asked. */
struct liar {
    unsigned times;
    size_t as;
    link_no link;
    struct msg *query; /* kept for later */
};

static void say_where(struct world *w, const struct liar *liar, link_no link)
{
    struct msg *a = message(MSG_ANSWER, 0);
    a->answer = (struct msg_answer){.query = liar->query->query.query, .pipe = liar->query->query.pipe, .holder_count = 1};
    a->answer.holder[0] = (struct pipe_holder){.incarnation = 1, .life_s = 60, .endpoint_count = 1};
    a->answer.holder[0].record = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
    a->answer.holder[0].endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "sim0"};
    snprintf(a->answer.holder[0].endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%d:7000", MALLORY);
    for (unsigned i = 0; i < liar->times; i++)
        say(w, liar->as, liar->link ? liar->link : link, a);
    free(a);
}

static void tell_where(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct liar *liar = arg;
    (void)raw;
    if (!h->opened && msg_decode(h->bytes, h->n, liar->query) == 0 && liar->query->type == MSG_QUERY)
        say_where(w, liar, h->link);
}

static void s20_late_replayed_and_strangers_answers_count_for_nothing(void **state)
{
    (void)state;
    struct world *w = hostile_world(66);
    struct liar liar = {.times = 0, .as = MALLORY, .query = message(0, 0)};
    link_no link = greet(w, MALLORY), eves = greet(w, EVE);
    befriend(w, MALLORY);
    raw_answers(w, MALLORY, tell_where, &liar);

    assert_string_equal(resolve(w, "logs"), "timeout");
    liar.times = 5;
    say_where(w, &liar, link); /* late */
    soon(w);
    assert_int_equal(counts_of(w).cached, 0);
    assert_int_equal(counts_of(w).answers_refused, 5);

    liar.as = EVE; /* who was asked too, and answers with what she has overheard */
    liar.link = eves;
    assert_string_equal(resolve(w, "audit"), "done"); /* true all the same: mallory has signed it, and is trusted */
    assert_int_equal(counts_of(w).answers_refused, 9);

    liar.as = MALLORY;
    liar.link = link;
    assert_string_equal(resolve(w, "trail"), "done");
    assert_int_equal(counts_of(w).answers_refused, 13);
    assert_int_equal(counts_of(w).cached, 2);
    free(liar.query);
    world_free(w);
}

/* Mallory's own record, well signed, says that she lives where bob does. */
static void claim_bobs_endpoint(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    struct msg *m = message(0, 0), *a = message(MSG_ANSWER, 0);
    struct record_bytes record = record_of(raw_identity(w, raw), "mallory", 2, BOB);
    struct record r;
    (void)arg;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY) {
        assert_int_equal(record_decode(&record, &r), 0);
        a->answer = (struct msg_answer){.query = m->query.query, .pipe = m->query.pipe, .holder_count = 1};
        a->answer.holder[0] = (struct pipe_holder){.incarnation = 2, .life_s = 60, .endpoint_count = 1};
        a->answer.holder[0].record = record;
        a->answer.holder[0].endpoint[0] = r.endpoint[0];
        say(w, raw, h->link, a);
    }
    free(m);
    free(a);
}

static void s44_an_answer_that_names_anothers_endpoint_leads_nowhere(void **state)
{
    (void)state;
    struct world *w = hostile_world(67);
    struct core *bob = world_core(w, BOB);
    raw_answers(w, MALLORY, claim_bobs_endpoint, NULL);
    greet(w, MALLORY);
    uint64_t refused = bob->refused_messages;
    const struct answer *a = world_call(w, ANNA, request("ls", "target", "mallory"));
    assert_string_equal(a->code, "unreachable");
    assert_int_equal(bob->refused_messages, refused);
    assert_int_equal(peers_find(bob->peers, world_id(w, MALLORY))->up, 0);
    anna_still_serves_bob(w);
    world_free(w);
}

/* ---- registrations */

static void register_for(struct world *w, link_no link, uint64_t request, const struct record_bytes *holder,
                         const struct tag *pipe)
{
    struct msg *m = message(MSG_REGISTER, request);
    m->registered.holder = *holder;
    m->registered.life_s = LEASE_LIFE_MAX_S;
    m->registered.count = 1;
    m->registered.pipe[0].pipe = *pipe;
    say_new(w, MALLORY, link, m);
    soon(w);
}

static void s20_only_a_rendezvous_registers_for_others_and_with_their_signature(void **state)
{
    (void)state;
    struct world *w = relay_world(68);
    struct tag pipe = pipe_owned(world_id(w, BOB), "treasure");
    struct record_bytes forged = known(w, BOB)->signed_record;
    forged.b[forged.len - 1] ^= 1;
    link_no link = greet(w, MALLORY);
    register_for(w, link, 1, &known(w, BOB)->signed_record, &pipe);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 1);
    raw_hangup(w, MALLORY, link);
    link = greet_as_relay(w, MALLORY);
    register_for(w, link, 2, &forged, &pipe);
    assert_int_equal(errors(w, MALLORY, ERR_VERIFY), 1);
    assert_int_equal(index_of(w).pipes, BOBS_PIPES);
    world_free(w);
}

/* Mallory, a rendezvous, says of bob what is not so. */
static void s44_a_registration_is_a_hint_which_the_holder_denies(void **state)
{
    (void)state;
    struct world *w = relay_world(69);
    struct tag pipe = pipe_owned(world_id(w, BOB), "treasure");
    struct msg *m = message(MSG_QUERY, 0);
    link_no link = greet_as_relay(w, MALLORY), eves = greet(w, EVE);
    register_for(w, link, 1, &known(w, BOB)->signed_record, &pipe);
    assert_int_equal(heard(w, MALLORY, link, MSG_REGISTER_OK, NULL), 1);
    assert_int_equal(index_of(w).pipes, BOBS_PIPES + 1);
    m->query = (struct msg_query){.pipe = pipe, .hops = 1, .asker = *world_id(w, EVE), .wanted_count = 1};
    m->query.wanted[0] = *world_id(w, BOB);
    say(w, EVE, eves, m);
    soon(w);
    assert_int_equal(heard(w, EVE, eves, MSG_ANSWER, m), 1);
    assert_int_equal(m->answer.holder_count, 0);
    free(m);
    world_free(w);
}

static void s45_100_000_forged_registrations_cost_their_budget_and_no_more(void **state)
{
    (void)state;
    struct world *w = relay_world(70);
    struct record_bytes forged = known(w, BOB)->signed_record;
    link_no link = greet_as_relay(w, MALLORY);
    size_t peers = peers_count(anna(w)->peers), checked = 0;
    struct msg *m = registering(1, 0, 1);
    uint64_t began = world_now(w);
    for (uint64_t i = 1; i <= 100000; i++) {
        m->request = i;
        m->registered.holder = forged;
        memcpy(m->registered.holder.b + forged.len - sizeof i, &i, sizeof i); /* of the signature */
        say(w, MALLORY, link, m);
        if (i % 50 == 0) { /* 1250 a second */
            world_run(w, world_now(w) + 40 * MILLISECOND);
            checked += errors(w, MALLORY, ERR_VERIFY);
            raw_forget(w, MALLORY);
        }
    }
    free(m);
    uint64_t seconds = (world_now(w) - began) / SECOND + 1;
    assert_in_range(checked, 1, 200 * seconds + 400);
    assert_int_equal(index_of(w).leases, 1);
    assert_int_equal(peers_count(anna(w)->peers), peers);
    anna_still_serves_bob(w);
    world_free(w);
}

/* Others' names would fill the index: each holder has a thousand, and together they may not crowd out the trusted. */
static void p45_strangers_leases_leave_room_for_the_trusted(void **state)
{
    (void)state;
    struct world *w = relay_world(71);
    link_no link = greet_as_relay(w, MALLORY);
    size_t refused = 0;
    for (uint64_t i = 1; i <= LEASES_MAX; i++) {
        struct identity someone;
        uint8_t seed[SEED_BYTES] = {0};
        memcpy(seed, &i, sizeof i);
        identity_from_seed(seed, &someone);
        struct record_bytes record = record_of(&someone, "someone", 1, 200);
        struct msg *m = registering(i, i, 1);
        m->registered.holder = record;
        say_new(w, MALLORY, link, m);
        if (i % 5 == 0)
            world_run(w, world_now(w) + 40 * MILLISECOND);
    }
    soon(w);
    refused = errors(w, MALLORY, ERR_FULL);
    assert_true(refused > 0);
    assert_true(index_of(w).leases <= 1 + LEASES_MAX / 4);
    assert_true(peers_count(anna(w)->peers) <= PEERS_MAX);
    anna_still_serves_bob(w);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s26_200_000_names_that_one_peer_registers_are_a_thousand),
        cmocka_unit_test(p45_s26_200_000_names_that_one_peer_uses_leave_nothing),
        cmocka_unit_test(s22_a_storm_of_queries_is_not_passed_on_beyond_the_quota),
        cmocka_unit_test(s22_a_query_that_liars_send_round_goes_round_once),
        cmocka_unit_test(s20_a_stranger_is_not_believed_to_hold_a_shared_pipe),
        cmocka_unit_test(s20_late_replayed_and_strangers_answers_count_for_nothing),
        cmocka_unit_test(s44_an_answer_that_names_anothers_endpoint_leads_nowhere),
        cmocka_unit_test(s20_only_a_rendezvous_registers_for_others_and_with_their_signature),
        cmocka_unit_test(s44_a_registration_is_a_hint_which_the_holder_denies),
        cmocka_unit_test(s45_100_000_forged_registrations_cost_their_budget_and_no_more),
        cmocka_unit_test(p45_strangers_leases_leave_room_for_the_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

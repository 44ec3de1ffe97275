/* Discovery, trust, pipes and shares of many nodes in the simulated world: the same core that a real node runs. */
#include "world.h"

#include "beacon.h"
#include "core_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE (60 * SECOND)

static size_t add_named(struct world *w, const char *prefix, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "%s%zu", prefix, i);
    return world_add(w, name);
}

static struct world *world_of(uint64_t seed, size_t nodes)
{
    struct world *w = world_new(seed);
    for (size_t i = 0; i < nodes; i++)
        world_start(w, add_named(w, "n", i));
    return w;
}

static bool linked(struct world *w, size_t a, size_t b)
{
    struct peer *peer = peers_find(world_core(w, a)->peers, world_id(w, b));
    return peer && link_to(world_core(w, a), peer);
}

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

/* Calls and expects success. */
static const struct answer *ok(struct world *w, size_t node, struct row *r)
{
    const struct answer *a = world_call(w, node, r);
    if (!a->done)
        print_message("%s\n", a->count > 0 ? row_get_text(a->row[a->count - 1], "text", "no text") : "no answer");
    assert_true(a->done);
    return a;
}

static const char *refused(struct world *w, size_t node, struct row *r)
{
    const struct answer *a = world_call(w, node, r);
    assert_false(a->done);
    assert_non_null(a->code);
    return a->code;
}

static void share_public(struct world *w, size_t node, const char *path)
{
    struct row *r = row_new("share");
    row_data(r, "path", path, strlen(path));
    row_bool(r, "public", true);
    ok(w, node, r);
}

static struct row *get_of(const char *source)
{
    struct row *r = request("get", "source", source);
    row_text(r, "dest", "/here");
    return r;
}

/* a and b trust each other, by a ticket. */
static void join(struct world *w, size_t a, size_t b)
{
    char ticket[300];
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(ok(w, a, row_new("invite")), "ticket", 0), "ticket", ""));
    ok(w, b, request("join", "ticket", ticket));
}

/* ---- finding each other */

struct expectation {
    size_t nodes;
    size_t a, b; /* the pair that was missing last: looked at first */
};

static bool everyone_linked(struct world *w, void *arg)
{
    struct expectation *e = arg;
    for (size_t checked = 0; checked < e->nodes * e->nodes; checked++) {
        if (e->a != e->b && !linked(w, e->a, e->b))
            return false;
        e->b = (e->b + 1) % e->nodes;
        e->a = e->b == 0 ? (e->a + 1) % e->nodes : e->a;
    }
    return true;
}

/* Is there a way over links from node 0 to every other? */
static bool all_hang_together(struct world *w, void *arg)
{
    const struct expectation *e = arg;
    size_t queue[WORLD_NODES_MAX] = {0}, n = 1;
    bool seen[WORLD_NODES_MAX] = {true};
    for (size_t at = 0; at < n; at++)
        for (size_t b = 0; b < e->nodes; b++)
            if (!seen[b] && linked(w, queue[at], b)) {
                seen[b] = true;
                queue[n++] = b;
            }
    return n == e->nodes;
}

static bool first_pair_linked(struct world *w, void *arg)
{
    (void)arg;
    return linked(w, 0, 1) && linked(w, 1, 0);
}

static void two_nodes_link_within_a_second_and_once(void **state)
{
    (void)state;
    struct world *w = world_of(1, 2);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + SECOND));
    world_run(w, world_now(w) + MINUTE);
    assert_true(linked(w, 0, 1) && linked(w, 1, 0));
    assert_int_equal(world_core(w, 0)->link_count, 1);
    assert_int_equal(world_core(w, 1)->link_count, 1);
    world_free(w);
}

static void lost_datagrams_only_delay(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    world_loss(w, 500);
    for (size_t i = 0; i < 6; i++)
        world_start(w, add_named(w, "n", i));
    struct expectation e = {.nodes = 6};
    assert_true(world_run_until(w, everyone_linked, &e, world_now(w) + 2 * MINUTE));
    world_free(w);
}

static uint64_t run_many(uint64_t seed, size_t nodes, uint64_t *events)
{
    struct world *w = world_of(seed, nodes);
    struct expectation e = {.nodes = nodes};
    world_run(w, world_now(w) + 10 * SECOND);
    assert_true(world_run_until(w, all_hang_together, &e, world_now(w) + MINUTE));
    for (size_t i = 0; i < nodes; i++)
        assert_true(world_core(w, i)->link_count <= 2 * COMPANY_MAX);
    share_public(w, 7, "/srv/music");
    for (size_t i = 10; i < nodes; i += nodes / 5) {
        assert_int_equal(answer_count(ok(w, i, request("ls", "target", "n7")), "share"), 1);
        assert_int_equal(answer_count(ok(w, i, request("ls", "target", "n7:music")), "entry"), 5);
        const struct answer *a = ok(w, i, request("pipe-resolve", "pipe", "n7:files"));
        assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "transport", ""), "tcp");
        assert_int_equal(row_get_int(ok(w, i, get_of("n7:music"))->row[0], "failed", 0), 0);
    }
    world_crash(w, 3);
    world_run(w, world_now(w) + 20 * SECOND);
    for (size_t i = 0; i < nodes; i++)
        assert_false(i != 3 && linked(w, i, 3));
    uint64_t trace = world_trace(w);
    *events = world_events(w);
    world_free(w);
    return trace;
}

static void p5_200_nodes_twice_from_one_seed_give_one_trace(void **state)
{
    (void)state;
    uint64_t events[2], a = run_many(42, 200, &events[0]), b = run_many(42, 200, &events[1]);
    print_message("200 nodes, seed 42: %llu events, trace %016llx\n", (unsigned long long)events[0], (unsigned long long)a);
    assert_true(a == b);
    assert_int_equal(events[0], events[1]);
    assert_true(run_many(1, 15, &events[0]) != run_many(2, 15, &events[1]));
}

static void a_crashed_peer_is_noticed_and_linked_again_when_it_returns(void **state)
{
    (void)state;
    struct world *w = world_of(4, 2);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + SECOND));
    world_crash(w, 1);
    world_run(w, world_now(w) + 10 * SECOND);
    assert_false(linked(w, 0, 1));
    world_start(w, 1);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + 2 * SECOND));
    world_free(w);
}

static void a_goodbye_is_believed_at_once(void **state)
{
    (void)state;
    struct world *w = world_of(5, 2);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + SECOND));
    world_stop(w, 1);
    world_run(w, world_now(w) + SECOND);
    assert_false(linked(w, 0, 1));
    const struct answer *a = ok(w, 0, row_new("peers"));
    assert_string_equal(row_get_text(answer_row(a, "peer", 0), "state", ""), "known");
    world_free(w);
}

static void a_peer_that_comes_and_goes_is_damped(void **state)
{
    (void)state;
    struct world *w = world_of(6, 2);
    for (int i = 0; i < 12; i++) {
        world_run_until(w, first_pair_linked, NULL, world_now(w) + SECOND);
        world_stop(w, 1);
        world_run(w, world_now(w) + 100 * MILLISECOND);
        world_start(w, 1);
    }
    const struct peer *peer = peers_find(world_core(w, 0)->peers, world_id(w, 1));
    assert_true(peer->penalty > 1.5);
    assert_true(peer->damped_until > 0);
    world_free(w);
}

static void records_travel_over_links_to_nodes_that_hear_no_beacon(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    for (size_t i = 0; i < 3; i++)
        add_named(w, "n", i);
    for (size_t i = 0; i < 2; i++)
        world_start(w, i);
    world_run(w, world_now(w) + SECOND);
    world_loss(w, 1000); /* from now on no datagram arrives */
    world_start(w, 2);
    struct seed seed = {.id = *world_id(w, 0), .id_known = true, .endpoint = "tcp://10.0.0.0:7000"};
    assert_int_equal(core_add_seed(world_core(w, 2), &seed), 0);
    struct expectation e = {.nodes = 3};
    assert_true(world_run_until(w, everyone_linked, &e, world_now(w) + 5 * SECOND));
    world_free(w);
}

static void a_seed_without_id_is_asked_by_datagram(void **state)
{
    (void)state;
    struct world *w = world_new(8);
    add_named(w, "n", 0);
    add_named(w, "n", 1);
    world_start(w, 0);
    world_run(w, world_now(w) + SECOND);
    world_start(w, 1);
    struct seed seed = {.endpoint = "tcp://10.0.0.0:7000"};
    assert_int_equal(core_add_seed(world_core(w, 1), &seed), 0);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + SECOND));
    world_free(w);
}

/* ---- hostile datagrams */

/* A beacon of a fresh identity that says it is at an address where nobody is. */
static size_t forged(struct world *w, uint8_t buf[BEACON_BYTES_MAX], const char *name, bool sign_well)
{
    uint8_t seed[SEED_BYTES];
    struct identity identity;
    struct record record = {.incarnation = 1, .seq = 1, .life_s = 60, .endpoint_count = 1};
    struct beacon b = {.beat = 1};
    size_t n;
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)world_random(w);
    identity_from_seed(seed, &identity);
    record.id = identity.id;
    snprintf(record.name, sizeof record.name, "%s", name);
    record.endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .text = "tcp://10.0.200.1:7000", .iface = "x"};
    assert_int_equal(record_sign(&record, &identity, &b.record), 0);
    assert_int_equal(beacon_sign(&b, &identity, buf, BEACON_BYTES_MAX, &n), 0);
    if (!sign_well)
        buf[n - 1] ^= 1;
    return n;
}

static void s45_100000_forged_beacons_do_no_harm(void **state)
{
    (void)state;
    struct world *w = world_of(9, 2);
    world_run(w, world_now(w) + SECOND);
    uint8_t buf[BEACON_BYTES_MAX];
    size_t n = forged(w, buf, "mallory", false);
    for (int i = 0; i < 100000; i++) {
        buf[60] = (uint8_t)i; /* the id, or near it: another claim each time */
        buf[61] = (uint8_t)(i >> 8);
        world_inject(w, 0, buf, n);
        if (i % 1000 == 0)
            world_run(w, world_now(w) + 10 * MILLISECOND);
    }
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(peers_count(world_core(w, 0)->peers), 1);
    assert_true(linked(w, 0, 1));
    world_free(w);
}

static void s44_many_true_identities_are_capped_and_cost_few_dials(void **state)
{
    (void)state;
    struct world *w = world_of(10, 2);
    join(w, 0, 1);
    for (int i = 0; i < 6000; i++) {
        uint8_t buf[BEACON_BYTES_MAX];
        char name[32];
        snprintf(name, sizeof name, "m%d", i);
        world_inject(w, 0, buf, forged(w, buf, name, true));
        world_run(w, world_now(w) + 4 * MILLISECOND);
    }
    struct core *core = world_core(w, 0);
    assert_true(peers_count(core->peers) <= PEERS_MAX);
    assert_true(core->link_count <= LINKS_MAX);
    assert_non_null(peers_find(core->peers, world_id(w, 1))); /* a trusted peer is never pushed out */
    assert_true(linked(w, 0, 1));
    world_free(w);
}

static void s44_a_replayed_beacon_is_no_sign_of_life(void **state)
{
    (void)state;
    struct world *w = world_of(11, 1);
    uint8_t buf[BEACON_BYTES_MAX];
    size_t n = forged(w, buf, "old", true);
    world_inject(w, 0, buf, n);
    world_run(w, world_now(w) + SECOND);
    world_run(w, world_now(w) + MINUTE);
    const struct answer *a = ok(w, 0, row_new("peers"));
    assert_string_equal(row_get_text(answer_row(a, "peer", 0), "state", ""), "known");
    world_inject(w, 0, buf, n);
    world_run(w, world_now(w) + SECOND);
    a = ok(w, 0, row_new("peers"));
    assert_string_equal(row_get_text(answer_row(a, "peer", 0), "state", ""), "known");
    world_free(w);
}

/* ---- trust */

static void trust_comes_by_a_ticket_that_works_once(void **state)
{
    (void)state;
    struct world *w = world_of(12, 3);
    world_run(w, world_now(w) + SECOND);
    char ticket[300];
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(ok(w, 0, row_new("invite")), "ticket", 0), "ticket", ""));
    assert_int_equal(strncmp(ticket, "weft1", 5), 0);
    ok(w, 1, request("join", "ticket", ticket));
    assert_true(peers_find(world_core(w, 0)->peers, world_id(w, 1))->trusted);
    assert_true(peers_find(world_core(w, 1)->peers, world_id(w, 0))->trusted);
    assert_string_equal(refused(w, 2, request("join", "ticket", ticket)), "refused");
    assert_false(peers_find(world_core(w, 0)->peers, world_id(w, 2))->trusted);
    ticket[20] = ticket[20] == 'a' ? 'b' : 'a';
    assert_string_equal(refused(w, 2, request("join", "ticket", ticket)), "usage");
    world_free(w);
}

static void an_expired_ticket_is_refused(void **state)
{
    (void)state;
    struct world *w = world_of(13, 2);
    struct row *invite = row_new("invite");
    row_int(invite, "expire_s", 5);
    char ticket[300];
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(ok(w, 0, invite), "ticket", 0), "ticket", ""));
    world_run(w, world_now(w) + 6 * SECOND);
    assert_string_equal(refused(w, 1, request("join", "ticket", ticket)), "refused");
    world_free(w);
}

static void trust_survives_a_restart(void **state)
{
    (void)state;
    struct world *w = world_of(14, 2);
    join(w, 0, 1);
    world_run(w, world_now(w) + SECOND);
    world_crash(w, 0);
    world_start(w, 0);
    world_run(w, world_now(w) + 5 * SECOND);
    assert_true(peers_find(world_core(w, 0)->peers, world_id(w, 1))->trusted);
    world_free(w);
}

static void a_known_name_with_another_key_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(15);
    size_t a = world_add(w, "anna"), b = world_add(w, "bob"), fake = world_add(w, "bob");
    world_start(w, a);
    world_start(w, b);
    world_run(w, world_now(w) + SECOND);
    join(w, a, b);
    world_stop(w, b);
    world_start(w, fake);
    world_run(w, world_now(w) + 10 * SECOND);
    assert_false(linked(w, a, fake));
    const struct answer *peers = ok(w, a, row_new("peers"));
    bool seen_refused = false;
    for (size_t i = 0; i < answer_count(peers, "peer"); i++)
        seen_refused = seen_refused || strcmp(row_get_text(answer_row(peers, "peer", i), "state", ""), "refused") == 0;
    assert_true(seen_refused);
    uint64_t before = world_messages(w);
    world_run(w, world_now(w) + 10 * SECOND);
    assert_true(world_messages(w) - before < 10); /* it does not try again and again */
    assert_string_equal(refused(w, a, request("ls", "target", "bob")), "unreachable");
    world_free(w);
}

/* ---- shares */

static void strangers_see_public_shares_only(void **state)
{
    (void)state;
    struct world *w = world_of(16, 3);
    world_run(w, world_now(w) + SECOND);
    join(w, 0, 1);
    share_public(w, 0, "/srv/open");
    ok(w, 0, request("share", "path", "/srv/closed"));
    struct row *named = request("share", "path", "/srv/named");
    row_text(named, "to", "n2");
    ok(w, 0, named);
    assert_int_equal(answer_count(ok(w, 1, request("ls", "target", "n0")), "share"), 2); /* open, closed */
    assert_int_equal(answer_count(ok(w, 2, request("ls", "target", "n0")), "share"), 2); /* open, named */
    assert_string_equal(refused(w, 2, request("ls", "target", "n0:closed")), "not-found");
    assert_string_equal(refused(w, 2, get_of("n0:closed")), "not-found");
    assert_string_equal(refused(w, 1, get_of("n0:named")), "not-found");
    ok(w, 2, get_of("n0:named"));
    ok(w, 0, request("unshare", "name", "open"));
    assert_string_equal(refused(w, 2, request("ls", "target", "n0:open")), "not-found");
    world_free(w);
}

static void shares_survive_a_restart(void **state)
{
    (void)state;
    struct world *w = world_of(17, 2);
    share_public(w, 0, "/srv/open");
    world_run(w, world_now(w) + SECOND);
    world_crash(w, 0);
    world_start(w, 0);
    world_run(w, world_now(w) + 3 * SECOND);
    ok(w, 1, get_of("n0:open"));
    world_free(w);
}

static void unknown_peers_and_bad_words_are_told(void **state)
{
    (void)state;
    struct world *w = world_of(18, 2);
    world_run(w, world_now(w) + SECOND);
    assert_string_equal(refused(w, 0, get_of("nobody:x")), "not-found");
    assert_string_equal(refused(w, 0, get_of("n1:../etc")), "usage");
    assert_string_equal(refused(w, 0, get_of("n1")), "usage");
    assert_string_equal(refused(w, 0, request("frobnicate", NULL, NULL)), "unsupported");
    assert_string_equal(refused(w, 0, request("join", "ticket", "weft1zzz")), "usage");
    world_free(w);
}

static void p38_a_peer_gone_in_the_middle_is_told(void **state)
{
    (void)state;
    struct world *w = world_of(19, 2);
    world_run(w, world_now(w) + SECOND);
    share_public(w, 1, "/srv/open");
    world_crash(w, 1);
    assert_string_equal(refused(w, 0, request("ls", "target", "n1:open")), "timeout");
    world_run(w, world_now(w) + 20 * SECOND);
    assert_string_equal(refused(w, 0, request("ls", "target", "n1:open")), "unreachable");
    world_free(w);
}

/* ---- pipes */

static void pipe_2_to_4_and_6_the_holder_answers_and_the_asker_binds(void **state)
{
    (void)state;
    struct world *w = world_of(20, 2);
    world_run(w, world_now(w) + SECOND);
    const struct answer *a = ok(w, 0, request("pipe-resolve", "pipe", "n1:files"));
    const struct row *pipe = answer_row(a, "pipe", 0);
    assert_string_equal(row_get_text(pipe, "answered_by", ""), "n1");
    assert_false(row_get_bool(pipe, "cached", true));
    assert_string_equal(row_get_text(pipe, "endpoint", ""), "tcp://10.0.0.1:7000");
    assert_string_equal(row_get_text(pipe, "iface", ""), "sim0");
    uint64_t before = world_messages(w);
    a = ok(w, 0, request("pipe-resolve", "pipe", "n1:files"));
    assert_true(row_get_bool(answer_row(a, "pipe", 0), "cached", false));
    assert_int_equal(world_messages(w), before); /* a cached answer costs no message */
    assert_string_equal(refused(w, 0, request("pipe-resolve", "pipe", "n1:nothing")), "not-found");
    world_free(w);
}

/* n0 hears of n2 only through n1, cannot dial it, but is dialled by it: the answer comes over n1, the binding over n2's own
 * link. */
static void pipe_5_a_third_node_obtains_the_endpoint(void **state)
{
    (void)state;
    struct world *w = world_new(21);
    for (size_t i = 0; i < 3; i++)
        add_named(w, "n", i);
    world_cut(w, 0, 2, true);
    for (size_t i = 0; i < 3; i++)
        world_start(w, i);
    world_run(w, world_now(w) + 3 * SECOND);
    assert_true(linked(w, 0, 1) && linked(w, 1, 2) && !linked(w, 0, 2));
    struct binding_counts counts;
    binding_counts(world_core(w, 1)->binding, &counts);
    assert_int_equal(counts.forwarded, 0);
    assert_string_equal(refused(w, 0, request("pipe-resolve", "pipe", "n2:files")), "unreachable"); /* found, but cut off */
    binding_counts(world_core(w, 1)->binding, &counts);
    assert_int_equal(counts.forwarded, 1);
    binding_counts(world_core(w, 0)->binding, &counts);
    assert_int_equal(counts.answers_refused, 0);
    world_cut(w, 0, 2, false);
    const struct answer *a = ok(w, 0, request("pipe-resolve", "pipe", "n2:files"));
    assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "endpoint", ""), "tcp://10.0.0.2:7000");
    world_free(w);
}

static void pipe_6_a_holder_nobody_can_dial_is_used_over_its_own_link(void **state)
{
    (void)state;
    struct world *w = world_new(22);
    add_named(w, "n", 0);
    add_named(w, "n", 1);
    world_firewall(w, 1, true);
    world_start(w, 0);
    world_start(w, 1);
    assert_true(world_run_until(w, first_pair_linked, NULL, world_now(w) + 10 * SECOND));
    share_public(w, 1, "/srv/open");
    assert_int_equal(answer_count(ok(w, 0, request("ls", "target", "n1:open")), "entry"), 5);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_link_within_a_second_and_once),
        cmocka_unit_test(lost_datagrams_only_delay),
        cmocka_unit_test(p5_200_nodes_twice_from_one_seed_give_one_trace),
        cmocka_unit_test(a_crashed_peer_is_noticed_and_linked_again_when_it_returns),
        cmocka_unit_test(a_goodbye_is_believed_at_once),
        cmocka_unit_test(a_peer_that_comes_and_goes_is_damped),
        cmocka_unit_test(records_travel_over_links_to_nodes_that_hear_no_beacon),
        cmocka_unit_test(a_seed_without_id_is_asked_by_datagram),
        cmocka_unit_test(s45_100000_forged_beacons_do_no_harm),
        cmocka_unit_test(s44_many_true_identities_are_capped_and_cost_few_dials),
        cmocka_unit_test(s44_a_replayed_beacon_is_no_sign_of_life),
        cmocka_unit_test(trust_comes_by_a_ticket_that_works_once),
        cmocka_unit_test(an_expired_ticket_is_refused),
        cmocka_unit_test(trust_survives_a_restart),
        cmocka_unit_test(a_known_name_with_another_key_is_refused),
        cmocka_unit_test(strangers_see_public_shares_only),
        cmocka_unit_test(shares_survive_a_restart),
        cmocka_unit_test(unknown_peers_and_bad_words_are_told),
        cmocka_unit_test(p38_a_peer_gone_in_the_middle_is_told),
        cmocka_unit_test(pipe_2_to_4_and_6_the_holder_answers_and_the_asker_binds),
        cmocka_unit_test(pipe_5_a_third_node_obtains_the_endpoint),
        cmocka_unit_test(pipe_6_a_holder_nobody_can_dial_is_used_over_its_own_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

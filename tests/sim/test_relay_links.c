/* Links through relays in the simulated world: nodes that cannot dial each other, and one or more that both can. */
#include "core_internal.h"
#include "pipe_programs.h"
#include "session.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HUB, ANNA, BOB, HARBOUR, NODES };
static const char *const names[NODES] = {"hub", "anna", "bob", "harbour"};

/* ---- the world: anna and bob are cut off from each other, and each is linked with the relays */

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

static struct peer *known(struct world *w, size_t at, size_t of)
{
    struct peer *peer = peers_find(world_core(w, at)->peers, world_id(w, of));
    assert_non_null(peer);
    return peer;
}

static void trust(struct world *w, size_t at, size_t of)
{
    assert_true(world_call(w, at, request("trust", "peer", id_text(world_id(w, of)).s))->done);
}

static void soon(struct world *w)
{
    world_run(w, world_now(w) + SECOND);
}

/* Bob offers a folder at the hub, and at the other relay when there is one. */
static void share(struct world *w, const char *name, size_t relays)
{
    static const size_t relay[] = {HUB, HARBOUR};
    struct share_row row = {.kind = RESOURCE_DIR, .path = "/bob"};
    snprintf(row.name, sizeof row.name, "%s", name);
    for (size_t i = 0; i < relays; i++)
        row.via[row.via_count++] = *world_id(w, relay[i]);
    assert_int_equal(share_put(world_core(w, BOB), &row, NULL), 0);
    reservations_changed(world_core(w, BOB));
    soon(w);
}

static struct world *relay_world(uint64_t seed, size_t relays)
{
    struct world *w = world_new(seed);
    size_t nodes = relays > 1 ? NODES : HARBOUR;
    for (size_t i = 0; i < nodes; i++) {
        world_add(w, names[i]);
        world_roles(w, i, i == HUB || i == HARBOUR ? ROLE_RELAY : 0);
    }
    world_cut(w, ANNA, BOB, true);
    for (size_t i = 0; i < nodes; i++)
        world_start(w, i);
    for (size_t i = 0; i < nodes; i++)
        for (size_t k = 0; k < nodes; k++)
            if (i != k)
                trust(w, i, k);
    world_run(w, world_now(w) + 2 * SECOND);
    share(w, "photos", relays);
    return w;
}

static bool is_relayed(struct world *w, void *arg)
{
    (void)arg;
    return known(w, ANNA, BOB)->up > known(w, ANNA, BOB)->connected;
}

static bool is_connected(struct world *w, void *arg)
{
    (void)arg;
    return known(w, ANNA, BOB)->connected > 0;
}

static const char *route(struct world *w)
{
    static char text[ROUTE_TEXT];
    struct link *link = link_to(world_core(w, ANNA), known(w, ANNA, BOB));
    assert_non_null(link);
    link_route(link, text);
    return text;
}

/* How long it takes, in virtual time. */
static uint64_t time_of(struct world *w, struct row *row)
{
    uint64_t before = world_now(w);
    assert_true(world_call(w, ANNA, row)->done);
    return world_now(w) - before;
}

static unsigned sessions_of(struct world *w, size_t node)
{
    unsigned n = 0;
    for (const struct link *l = world_core(w, node)->links; l; l = l->next)
        n += l->relayed;
    return n;
}

/* Anna pings bob some times a second. */
static void keep_talking(struct world *w, uint64_t until)
{
    while (world_now(w) < until) {
        world_call(w, ANNA, request("ping", "peer", "bob"));
        world_run(w, world_now(w) + 200 * MILLISECOND);
    }
}

/* ---- requests */

static void relay_1_what_is_behind_a_relay_is_listed_as_by_a_link(void **state)
{
    (void)state;
    struct world *w = relay_world(1, 1);
    const struct answer *a = world_call(w, ANNA, request("ls", "target", "bob:photos"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "entry"), 5);
    assert_true(is_relayed(w, NULL));
    assert_string_equal(route(w), "relay:hub");
    a = world_call(w, ANNA, request("ls", "target", "bob"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "share"), 1);
    world_free(w);
}

static void relay_1_ping_and_peers_say_the_route(void **state)
{
    (void)state;
    struct world *w = relay_world(2, 1);
    const struct answer *a = world_call(w, ANNA, request("ping", "peer", "bob"));
    assert_true(a->done);
    assert_string_equal(row_get_text(answer_row(a, "pong", 0), "route", ""), "relay:hub");
    assert_string_equal(row_get_text(answer_row(a, "pong", 0), "transport", ""), "relay");
    a = world_call(w, ANNA, request("ping", "peer", "hub"));
    assert_string_equal(row_get_text(answer_row(a, "pong", 0), "route", ""), "direct");
    a = world_call(w, ANNA, request("peers", NULL, NULL));
    for (size_t i = 0; i < answer_count(a, "peer"); i++) {
        const struct row *row = answer_row(a, "peer", i);
        bool is_bob = strcmp(row_get_text(row, "name", ""), "bob") == 0;
        assert_string_equal(row_get_text(row, "state", ""), "linked");
        assert_string_equal(row_get_text(row, "route", ""), is_bob ? "relay:hub" : "direct");
    }
    a = world_call(w, BOB, request("peers", NULL, NULL)); /* whose end of it is inbound */
    for (size_t i = 0; i < answer_count(a, "peer"); i++) {
        const struct row *row = answer_row(a, "peer", i);
        if (strcmp(row_get_text(row, "name", ""), "anna") == 0)
            assert_string_equal(row_get_text(row, "route", ""), "relay:hub");
    }
    world_free(w);
}

/* Of the first one the endpoints of bob that do not answer are dialled before the relay; a session that is there is taken. */
static void nobody_waits_long_for_a_relay_and_not_at_all_for_a_session(void **state)
{
    (void)state;
    struct world *w = relay_world(3, 1);
    uint64_t hop = MILLISECOND / 2; /* there and back */
    assert_in_range(time_of(w, request("ls", "target", "bob:photos")), 0, 250 * MILLISECOND);
    uint64_t before = world_messages(w);
    assert_in_range(time_of(w, request("ls", "target", "bob:photos")), 0, 2 * hop + MILLISECOND);
    assert_in_range(world_messages(w) - before, 1, 12); /* no question who has it bound, and no handshake */
    assert_int_equal(sessions_of(w, ANNA), 1);
    assert_int_equal(sessions_of(w, BOB), 1);
    assert_in_range(time_of(w, request("ls", "target", "bob")), 0, 20 * hop); /* another session: his endpoints were tried */
    world_free(w);
}

static void who_is_near_is_reached_directly(void **state)
{
    (void)state;
    struct world *w = relay_world(4, 1);
    world_cut(w, ANNA, BOB, false);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    assert_true(is_connected(w, NULL));
    assert_int_equal(sessions_of(w, ANNA), 0);
    assert_string_equal(route(w), "direct");
    world_free(w);
}

static void each_share_has_a_session_of_its_own(void **state)
{
    (void)state;
    struct world *w = relay_world(5, 1);
    share(w, "music", 1);
    for (int i = 0; i < 2; i++) {
        assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
        assert_true(world_call(w, ANNA, request("ls", "target", "bob:music"))->done);
        assert_true(world_call(w, ANNA, request("ping", "peer", "bob"))->done);
    }
    assert_int_equal(sessions_of(w, ANNA), 3);
    world_free(w);
}

/* The relay lets her have two; when a third one is wanted, one that rests makes room for it, or will in a moment. */
static void relay_7_sessions_that_rest_make_room(void **state)
{
    (void)state;
    static const char *const wanted[] = {"bob:photos", "bob:music", "bob:films", "bob:photos"};
    struct world *w = relay_world(9, 1);
    world_core(w, HUB)->config.quota.sessions = 2;
    share(w, "music", 1);
    share(w, "films", 1);
    for (size_t i = 0; i < 8; i++) {
        if (i < 4)
            soon(w);
        assert_true(world_call(w, ANNA, request("ls", "target", wanted[i % 4]))->done);
        assert_in_range(sessions_of(w, ANNA), 1, 2);
    }
    link_no used[2] = {0};
    for (size_t i = 0; i < 2; i++) { /* both are needed now */
        struct tag handle = handle_of(world_id(w, BOB), i ? "films" : "photos");
        link_use(world_core(w, ANNA), &used[i], link_for(world_core(w, ANNA), known(w, ANNA, BOB), &handle)->no);
    }
    soon(w);
    assert_string_equal(world_call(w, ANNA, request("ls", "target", "bob:music"))->code, "full");
    assert_int_equal(sessions_of(w, ANNA), 2);
    world_free(w);
}

/* ---- what is refused */

static void a_relay_that_knows_no_such_share_says_so_and_soon(void **state)
{
    (void)state;
    struct world *w = relay_world(6, 1);
    uint64_t before = world_now(w);
    const struct answer *a = world_call(w, ANNA, request("ls", "target", "bob:diary"));
    assert_string_equal(a->code, "not-found");
    assert_non_null(
        strstr(row_get_text(answer_row(a, "error", 0), "text", ""), "bob:diary cannot be reached through a relay: hub: "));
    assert_in_range(world_now(w) - before, 0, 1500 * MILLISECOND);
    assert_int_equal(sessions_of(w, ANNA), 0);
    world_free(w);
}

/* Bob's own word, whether or not a direct way to him is being looked for just then. */
static void a_pipe_that_nobody_has_is_not_found_over_a_relay(void **state)
{
    (void)state;
    struct world *w = relay_world(12, 1);
    for (int i = 0; i < 12; i++) {
        assert_true(world_call(w, ANNA, request("ping", "peer", "bob"))->done);
        const struct answer *a = world_call(w, ANNA, request("pipe-resolve", "pipe", "bob:nobody"));
        assert_string_equal(a->code, "not-found");
        world_run(w, world_now(w) + 130 * MILLISECOND);
    }
    world_free(w);
}

static void s20_over_a_relay_nothing_is_said_for_others(void **state)
{
    (void)state;
    static const enum msg_type never[] = {MSG_REGISTER,     MSG_SPREAD,  MSG_SPREAD_HAVE, MSG_SPREAD_WANT,
                                          MSG_SPREAD_PRUNE, MSG_RESERVE, MSG_OFFER,       MSG_HANDLES,
                                          MSG_USE,          MSG_NEXT,    MSG_NEXT_OK,     MSG_BRIDGE};
    struct world *w = relay_world(7, 1);
    assert_true(world_call(w, ANNA, request("ping", "peer", "bob"))->done);
    struct link *link = link_to(world_core(w, ANNA), known(w, ANNA, BOB)), *other = link_direct(known(w, ANNA, HUB));
    struct msg *m = calloc(1, sizeof *m);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        m->type = never[i];
        assert_false(link_carries(link, m));
        assert_true(link_carries(other, m));
    }
    m->type = MSG_QUERY;
    assert_true(link_carries(link, m));
    m->query.hops = 1;
    assert_false(link_carries(link, m));
    memset(m, 0, sizeof *m); /* and what is said all the same is refused, and does no harm */
    m->type = MSG_RECORDS;
    m->records.count = 1;
    m->records.record[0] = known(w, ANNA, HUB)->signed_record;
    uint64_t refused = world_core(w, BOB)->refused_messages;
    assert_int_equal(link_send(link, m), 0);
    memset(m, 0, sizeof *m);
    m->type = MSG_HANDLES;
    m->request = 77;
    assert_int_equal(link_send(link, m), 0);
    soon(w);
    assert_int_equal(world_core(w, BOB)->refused_messages, refused + 2);
    free(m);
    world_free(w);
}

/* Company is kept by connections: a peer behind a relay is left alone unless somebody wants something of it, and the wish for a
 * connection stays. */
static void company_is_not_kept_over_relays_nor_is_a_session_company(void **state)
{
    (void)state;
    struct world *w = relay_world(8, 1);
    world_run(w, world_now(w) + 120 * SECOND);
    assert_int_equal(sessions_of(w, ANNA) + sessions_of(w, BOB), 0);
    assert_true(known(w, ANNA, BOB)->has_record);
    assert_true(world_call(w, ANNA, request("ping", "peer", "bob"))->done);
    world_run(w, world_now(w) + 60 * SECOND);
    assert_int_equal(sessions_of(w, ANNA), 1); /* kept for a while */
    world_cut(w, ANNA, BOB, false);
    world_run(w, world_now(w) + 60 * SECOND);
    assert_true(is_connected(w, NULL));
    world_free(w);
}

/* ---- from a relay to a connection and back */

static void relay_7_a_session_in_use_moves_to_a_connection_within_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct world *w = relay_world(seed, 1);
        keep_talking(w, world_now(w) + 3 * SECOND + world_random(w) % SECOND);
        assert_true(is_relayed(w, NULL));
        assert_false(is_connected(w, NULL));
        world_cut(w, ANNA, BOB, false);
        assert_true(world_run_until(w, is_connected, NULL, world_now(w) + SECOND));
        assert_string_equal(route(w), "direct");
        const struct answer *a = world_call(w, ANNA, request("ping", "peer", "bob"));
        assert_string_equal(row_get_text(answer_row(a, "pong", 0), "route", ""), "direct");
        world_run(w, world_now(w) + 6 * SECOND);
        assert_int_equal(sessions_of(w, ANNA) + sessions_of(w, BOB), 0); /* nobody needs it any more */
        assert_true(is_connected(w, NULL));
        world_free(w);
    }
}

/* It is enough that one of them can be dialled, whoever began the session. */
static void relay_7_either_end_may_be_the_one_that_can_dial(void **state)
{
    (void)state;
    for (size_t open = ANNA; open <= BOB; open++) {
        struct world *w = relay_world(20 + open, 1);
        world_firewall(w, ANNA + BOB - open, true);
        keep_talking(w, world_now(w) + 2 * SECOND);
        world_cut(w, ANNA, BOB, false);
        assert_true(world_run_until(w, is_connected, NULL, world_now(w) + SECOND));
        soon(w);
        uint64_t hop = MILLISECOND / 2;
        assert_in_range(time_of(w, request("ping", "peer", "bob")), 0, 2 * hop);
        assert_string_equal(route(w), "direct");
        world_free(w);
    }
}

static void sessions_that_rest_cause_no_dials(void **state)
{
    (void)state;
    struct world *w = relay_world(30, 1);
    size_t peers, attempts;
    keep_talking(w, world_now(w) + SECOND);
    upgrades_count(world_core(w, ANNA), &peers, &attempts);
    assert_int_equal(peers, 1);
    assert_in_range(attempts, 1, 5);
    world_run(w, world_now(w) + 15 * SECOND);
    upgrades_count(world_core(w, ANNA), &peers, &attempts);
    assert_int_equal(peers, 1);
    assert_int_equal(attempts, 0);
    world_run(w, world_now(w) + 200 * SECOND); /* and it ends, for it is not used */
    upgrades_count(world_core(w, ANNA), &peers, &attempts);
    assert_int_equal(peers, 0);
    assert_int_equal(sessions_of(w, ANNA) + sessions_of(w, BOB), 0);
    world_free(w);
}

/* What goes through a bridge leaves no trace in the session beside it. */
static void relay_7_a_session_that_a_transfer_goes_beside_is_in_use(void **state)
{
    (void)state;
    for (size_t end = ANNA; end <= BOB; end++) { /* each end for itself */
        struct world *w = relay_world(32, 1);
        link_no used = 0;
        keep_talking(w, world_now(w) + SECOND);
        world_firewall(w, end, true); /* so the other one cannot */
        link_use(world_core(w, end), &used, link_to(world_core(w, end), known(w, end, ANNA + BOB - end))->no);
        world_run(w, world_now(w) + 60 * SECOND);
        assert_true(is_relayed(w, NULL));
        world_run(w, world_now(w) + world_random(w) % SECOND);
        world_cut(w, ANNA, BOB, false);
        assert_true(world_run_until(w, is_connected, NULL, world_now(w) + SECOND));
        soon(w);
        link_use(world_core(w, end), &used, 0);
        world_run(w, world_now(w) + 10 * SECOND);
        assert_int_equal(sessions_of(w, ANNA) + sessions_of(w, BOB), 0);
        world_free(w);
    }
}

/* A record may name anybody's addresses. */
static void s26_who_is_not_trusted_makes_a_node_dial_little(void **state)
{
    (void)state;
    for (int trusted = 0; trusted <= 1; trusted++) {
        struct world *w = relay_world(33, 1);
        struct record *r = &known(w, BOB, ANNA)->record;
        assert_true(world_call(w, ANNA, request("ping", "peer", "bob"))->done);
        known(w, BOB, ANNA)->trusted = trusted;
        for (r->endpoint_count = 1; r->endpoint_count < RECORD_ENDPOINTS_MAX; r->endpoint_count++)
            r->endpoint[r->endpoint_count] = r->endpoint[0];
        uint64_t before = world_core(w, BOB)->next_link;
        keep_talking(w, world_now(w) + 10 * SECOND);
        uint64_t dials = world_core(w, BOB)->next_link - before;
        if (trusted)
            assert_in_range(dials, 200, 330);
        else
            assert_in_range(dials, 1, 10 * DIALS_PER_S + DIALS_BURST + 3 * RECORD_ENDPOINTS_MAX); /* and some for company */
        world_free(w);
    }
}

static void relay_7_when_the_connection_dies_the_relay_is_taken_again(void **state)
{
    (void)state;
    struct world *w = relay_world(31, 1);
    world_cut(w, ANNA, BOB, false);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    world_cut(w, ANNA, BOB, true);
    world_run(w, world_now(w) + LINK_DEAD_AFTER + 2 * SECOND);
    assert_false(is_connected(w, NULL));
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    assert_string_equal(route(w), "relay:hub");
    world_free(w);
}

/* ---- relays that end, and others */

static void relay_7_of_several_relays_another_one_does(void **state)
{
    (void)state;
    struct world *w = relay_world(40, 2);
    world_crash(w, HUB);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    assert_string_equal(route(w), "relay:harbour");
    world_start(w, HUB);
    world_run(w, world_now(w) + 15 * SECOND);
    world_stop(w, HARBOUR);
    soon(w);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    assert_string_equal(route(w), "relay:hub");
    world_free(w);
}

static void a_holder_that_is_back_is_reached_and_not_its_earlier_life(void **state)
{
    (void)state;
    struct world *w = relay_world(41, 1);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    world_crash(w, BOB);
    world_run(w, world_now(w) + 500 * MILLISECOND);
    world_start(w, BOB);
    share(w, "photos", 1);
    world_run(w, world_now(w) + 2 * SECOND);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    assert_int_equal(known(w, ANNA, BOB)->incarnation, 2);
    world_free(w);
}

/* Nobody whom she is linked with could tell her anything; his record does. */
static void a_record_alone_says_by_which_relay(void **state)
{
    (void)state;
    struct world *w = relay_world(42, 1);
    world_firewall(w, HUB, true);
    world_cut(w, ANNA, HUB, true);
    world_run(w, world_now(w) + 10 * SECOND);
    assert_int_equal(known(w, ANNA, HUB)->up + known(w, ANNA, BOB)->up, 0);
    world_cut(w, ANNA, HUB, false);
    world_firewall(w, HUB, false);
    assert_true(world_call(w, ANNA, request("ls", "target", "bob:photos"))->done);
    world_free(w);
}

/* ---- trust and pipes */

static void a_ticket_is_good_through_a_relay(void **state)
{
    (void)state;
    struct world *w = relay_world(50, 1);
    char ticket[300];
    assert_true(world_call(w, ANNA, request("untrust", "peer", "bob"))->done);
    assert_true(world_call(w, BOB, request("untrust", "peer", "anna"))->done);
    snprintf(ticket, sizeof ticket, "%s",
             row_get_text(answer_row(world_call(w, BOB, request("invite", NULL, NULL)), "ticket", 0), "ticket", ""));
    assert_true(world_call(w, ANNA, request("join", "ticket", ticket))->done);
    assert_true(known(w, ANNA, BOB)->trusted);
    assert_true(known(w, BOB, ANNA)->trusted);
    world_free(w);
}

static void messages_of_a_pipe_go_through_a_relay_and_on_over_the_connection(void **state)
{
    (void)state;
    struct world *w = relay_world(51, 1);
    struct reader r = {.idle = false};
    struct writer s = {.total = 40000, .size = 1000};
    reader_start(&r, w, BOB, listen_on("logs"));
    soon(w);
    writer_start(&s, w, ANNA, send_to("bob:logs"));
    world_run(w, world_now(w) + 500 * MILLISECOND);
    assert_in_range(r.messages, 1, 39999);
    assert_int_equal(sessions_of(w, ANNA), 1);
    world_cut(w, ANNA, BOB, false);
    assert_true(world_run_until(w, is_connected, NULL, world_now(w) + SECOND));
    assert_in_range(r.messages, 1, 39999);
    soon(w);
    assert_int_equal(s.rebound, 1);
    world_run(w, world_now(w) + 20 * SECOND);
    assert_int_equal(r.messages, 40000);
    assert_int_equal(r.disorder, 0);
    assert_true(s.done);
    writer_leave(&s);
    reader_leave(&r);
    world_free(w);
}

static void hear_nothing(void *arg, const struct row *row)
{
    (void)arg, (void)row;
}

/* The relay knows that name as a share's, and leads there; the node knows better what is asked for. */
static void a_pipe_may_have_the_name_of_a_share(void **state)
{
    (void)state;
    struct world *w = relay_world(52, 1);
    struct reader r = {.idle = false};
    struct writer s = {.total = 10, .size = 100};
    reader_start(&r, w, BOB, listen_on("photos"));
    soon(w);
    writer_start(&s, w, ANNA, send_to("bob:photos"));
    soon(w);
    assert_int_equal(r.messages, 10);
    struct program *caller = world_program(w, ANNA, hear_nothing, NULL);
    program_send(caller, request("pipe-connect", "pipe", "bob:photos"));
    soon(w);
    assert_int_equal(r.offers, 1);
    program_leave(caller);
    writer_leave(&s);
    reader_leave(&r);
    world_free(w);
}

static void what_happens_is_the_same_from_the_same_seed(void **state)
{
    (void)state;
    uint64_t trace[2];
    for (int i = 0; i < 2; i++) {
        struct world *w = relay_world(60, 2);
        keep_talking(w, world_now(w) + 2 * SECOND);
        world_cut(w, ANNA, BOB, false);
        keep_talking(w, world_now(w) + 2 * SECOND);
        trace[i] = world_trace(w);
        world_free(w);
    }
    assert_int_equal(trace[0], trace[1]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_1_what_is_behind_a_relay_is_listed_as_by_a_link),
        cmocka_unit_test(relay_1_ping_and_peers_say_the_route),
        cmocka_unit_test(nobody_waits_long_for_a_relay_and_not_at_all_for_a_session),
        cmocka_unit_test(who_is_near_is_reached_directly),
        cmocka_unit_test(each_share_has_a_session_of_its_own),
        cmocka_unit_test(relay_7_sessions_that_rest_make_room),
        cmocka_unit_test(a_pipe_that_nobody_has_is_not_found_over_a_relay),
        cmocka_unit_test(a_relay_that_knows_no_such_share_says_so_and_soon),
        cmocka_unit_test(s20_over_a_relay_nothing_is_said_for_others),
        cmocka_unit_test(company_is_not_kept_over_relays_nor_is_a_session_company),
        cmocka_unit_test(relay_7_a_session_in_use_moves_to_a_connection_within_a_second),
        cmocka_unit_test(relay_7_either_end_may_be_the_one_that_can_dial),
        cmocka_unit_test(sessions_that_rest_cause_no_dials),
        cmocka_unit_test(relay_7_a_session_that_a_transfer_goes_beside_is_in_use),
        cmocka_unit_test(s26_who_is_not_trusted_makes_a_node_dial_little),
        cmocka_unit_test(relay_7_when_the_connection_dies_the_relay_is_taken_again),
        cmocka_unit_test(relay_7_of_several_relays_another_one_does),
        cmocka_unit_test(a_holder_that_is_back_is_reached_and_not_its_earlier_life),
        cmocka_unit_test(a_record_alone_says_by_which_relay),
        cmocka_unit_test(a_ticket_is_good_through_a_relay),
        cmocka_unit_test(messages_of_a_pipe_go_through_a_relay_and_on_over_the_connection),
        cmocka_unit_test(a_pipe_may_have_the_name_of_a_share),
        cmocka_unit_test(what_happens_is_the_same_from_the_same_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

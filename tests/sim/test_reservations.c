/* Reservations of a node whose shares name relays, through what may happen to relays, shares and links. */
#include "relayed_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t relays_in_record(struct world *w)
{
    const struct record *r = &world_core(w, HUGO)->record;
    size_t n = 0;
    for (size_t i = 0; i < r->endpoint_count; i++)
        n += r->endpoint[i].transport == TRANSPORT_RELAY;
    return n;
}

static void unshare(struct world *w, const char *name)
{
    struct core *core = world_core(w, HUGO);
    struct share **at = &core->shares;
    while (strcmp((*at)->row.name, name) != 0)
        at = &(*at)->next;
    struct share *share = *at;
    *at = share->next;
    core->share_count--;
    free(share);
    reservations_changed(core);
}

/* What the relay itself says that it has. */
static int64_t reserved_at(struct world *w, size_t relay)
{
    const struct answer *a = world_call(w, relay, row_for("status", NULL, NULL));
    return row_get_int(answer_row(a, "status", 0), "relay_reservations", -1);
}

static void relay_7_a_share_that_names_a_relay_is_offered_there(void **state)
{
    (void)state;
    struct world *w = relayed_world(1, 2);
    assert_true(is_held(w, SARA) && is_held(w, RITA));
    assert_int_equal(relays_in_record(w), 2);
    assert_int_equal(reserved_at(w, SARA), 1);
    assert_int_equal(handles_at(w, SARA), 1);
    offer(w, "more", 1);
    run(w, SECOND);
    assert_int_equal(handles_at(w, SARA), 2);
    assert_int_equal(handles_at(w, RITA), 1);
    world_free(w);
}

static void relay_7_a_share_that_is_dropped_is_withdrawn(void **state)
{
    (void)state;
    struct world *w = relayed_world(2, 1);
    offer(w, "more", 1);
    run(w, SECOND);
    unshare(w, "docs");
    run(w, SECOND);
    assert_int_equal(handles_at(w, SARA), 1);
    assert_true(is_held(w, SARA));
    unshare(w, "more");
    run(w, SECOND);
    assert_int_equal(handles_at(w, SARA), 0);
    assert_null(reservation_with(w, SARA)); /* no share wants it, and its relay was told */
    assert_int_equal(reserved_at(w, SARA), 0);
    assert_int_equal(relays_in_record(w), 0);
    assert_false(ping(w)->done);
    world_free(w);
}

static void relay_7_many_shares_are_all_offered_and_again_after_a_restart(void **state)
{
    (void)state;
    struct world *w = relayed_world(3, 1);
    for (unsigned i = 0; i < 100; i++) {
        char name[] = {'s', (char)('a' + i / 10), (char)('a' + i % 10), 0};
        offer(w, name, 1);
    }
    run(w, SECOND);
    assert_int_equal(handles_at(w, SARA), 101);
    world_crash(w, SARA);
    run(w, 20 * SECOND);
    assert_false(is_held(w, SARA));
    assert_int_equal(relays_in_record(w), 0);
    world_start(w, SARA);
    run(w, 70 * SECOND);
    assert_true(is_held(w, SARA));
    assert_int_equal(handles_at(w, SARA), 101);
    assert_true(ping(w)->done);
    world_free(w);
}

static void relay_7_a_reservation_is_renewed_for_as_long_as_it_is_wanted(void **state)
{
    (void)state;
    struct world *w = relayed_world(4, 1);
    for (unsigned i = 0; i < 30; i++) {
        run(w, RELAY_LIFE_MAX_S * SECOND / 10);
        assert_true(is_held(w, SARA));
        assert_int_equal(relays_in_record(w), 1);
    }
    assert_int_equal(handles_at(w, SARA), 1);
    assert_true(ping(w)->done);
    world_free(w);
}

static void relay_7_a_relay_that_trusts_its_client_no_more_lets_it_go_at_once(void **state)
{
    (void)state;
    struct world *w = relayed_world(5, 1);
    assert_true(ping(w)->done);
    assert_int_equal(sessions_at(w, HUGO), 1);
    assert_true(world_call(w, SARA, row_for("untrust", "peer", "hugo"))->done);
    run(w, SECOND);
    assert_int_equal(reserved_at(w, SARA), 0);
    assert_int_equal(handles_at(w, SARA), 0);
    assert_int_equal(sessions_at(w, HUGO), 0);
    assert_false(ping(w)->done);
    world_free(w);
}

/* Not trusted, it is refused: asked again ever more rarely, and had once it may be. */
static void s26_a_refused_reservation_is_not_asked_for_without_pause(void **state)
{
    (void)state;
    struct world *w = strange_world(5, 1);
    trust(w, ANNA, HUGO);
    offer(w, "docs", 1);
    run(w, SECOND);
    assert_int_equal(reservation_with(w, SARA)->fault.code, ERR_REFUSED);
    run(w, 300 * SECOND);
    uint64_t before = world_core(w, HUGO)->next_request;
    run(w, 300 * SECOND);
    assert_true(world_core(w, HUGO)->next_request - before < 100);
    assert_false(is_held(w, SARA));
    trust(w, HUGO, SARA);
    run(w, 100 * SECOND);
    assert_true(is_held(w, SARA));
    world_free(w);
}

static void relay_7_a_relay_that_was_cut_off_is_used_again(void **state)
{
    (void)state;
    struct world *w = relayed_world(6, 1);
    world_cut(w, HUGO, SARA, true);
    run(w, 30 * SECOND);
    assert_false(is_held(w, SARA));
    world_cut(w, HUGO, SARA, false);
    run(w, 100 * SECOND);
    assert_true(is_held(w, SARA));
    assert_true(ping(w)->done);
    world_free(w);
}

/* A relay that is stopped in order says so first: who shares through another one too is still found. */
static void relay_7_when_a_relay_stops_the_other_one_serves(void **state)
{
    (void)state;
    struct world *w = relayed_world(7, 2);
    assert_true(ping(w)->done);
    world_stop(w, SARA);
    run(w, SECOND);
    assert_int_equal(relays_in_record(w), 1);
    assert_false(is_held(w, SARA));
    assert_true(ping(w)->done);
    assert_int_equal(sessions_via(w, ANNA, SARA), 0);
    assert_true(sessions_via(w, ANNA, RITA) > 0);
    world_free(w);
}

static void s31_when_a_relay_is_killed_the_other_one_serves(void **state)
{
    (void)state;
    struct world *w = relayed_world(8, 2);
    assert_true(ping(w)->done);
    world_crash(w, SARA);
    run(w, LINK_DEAD_AFTER + 3 * SECOND);
    assert_true(ping(w)->done);
    assert_int_equal(sessions_via(w, ANNA, SARA), 0);
    assert_true(sessions_via(w, ANNA, RITA) > 0);
    world_free(w);
}

/* The holder is killed in the middle, and comes back. */
static void s31_a_holder_that_returns_is_found_again(void **state)
{
    (void)state;
    struct world *w = relayed_world(9, 1);
    assert_true(ping(w)->done);
    world_crash(w, HUGO);
    run(w, LINK_DEAD_AFTER + 3 * SECOND);
    assert_int_equal(sessions_at(w, ANNA), 0);
    world_start(w, HUGO);
    offer(w, "docs", 1);
    run(w, 10 * SECOND);
    assert_true(ping(w)->done);
    world_free(w);
}

/* What a session for one share may ask for: that share, when it goes through this relay, and nothing else. */
static void p46_a_session_reaches_only_what_it_was_opened_for(void **state)
{
    (void)state;
    struct world *w = relayed_world(10, 2);
    offer(w, "other", 2);
    offer(w, "home", 0);
    run(w, SECOND);
    assert_true(ping(w)->done);
    struct session *s = relayed_at(w, HUGO)->sessions;
    struct core *hugo = world_core(w, HUGO);
    struct share_row *docs = &share_find(hugo, "docs")->row;
    assert_true(s->link && s->link->inbound);
    assert_false(link_reaches_share(s->link, docs)); /* it is for the node itself */
    s->link->handle = handle_of(world_id(w, HUGO), "docs");
    assert_true(link_reaches_share(s->link, docs));
    assert_false(link_reaches_share(s->link, &share_find(hugo, "other")->row));
    s->link->handle = handle_of(world_id(w, HUGO), "home");
    assert_false(link_reaches_share(s->link, &share_find(hugo, "home")->row)); /* offered at no relay */
    s->link->handle = handle_of(world_id(w, HUGO), "docs");
    docs->via[0] = docs->via[1] = *world_id(w, ANNA);
    assert_false(link_reaches_share(s->link, docs)); /* offered at others only */
    world_free(w);
}

static void s26_at_most_so_many_relays_are_asked(void **state)
{
    (void)state;
    struct world *w = relayed_world(11, 1);
    struct core *hugo = world_core(w, HUGO);
    struct share_row row = {.kind = RESOURCE_DIR, .is_public = true, .via_count = 1};
    size_t count = 0;
    for (uint8_t i = 0; i < 20; i++) {
        memset(row.via[0].b, i + 1, NODE_ID_BYTES);
        row.name[0] = (char)('a' + i);
        assert_int_equal(share_put(hugo, &row, NULL), 0);
    }
    reservations_changed(hugo);
    for (const struct reservation *r = hugo->relayed->reservations; r; r = r->next)
        count += r->wanted;
    assert_int_equal(count, RELAYS_PER_NODE_MAX);
    run(w, 20 * SECOND);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_7_a_share_that_names_a_relay_is_offered_there),
        cmocka_unit_test(relay_7_a_share_that_is_dropped_is_withdrawn),
        cmocka_unit_test(relay_7_many_shares_are_all_offered_and_again_after_a_restart),
        cmocka_unit_test(relay_7_a_reservation_is_renewed_for_as_long_as_it_is_wanted),
        cmocka_unit_test(relay_7_a_relay_that_trusts_its_client_no_more_lets_it_go_at_once),
        cmocka_unit_test(s26_a_refused_reservation_is_not_asked_for_without_pause),
        cmocka_unit_test(relay_7_a_relay_that_was_cut_off_is_used_again),
        cmocka_unit_test(relay_7_when_a_relay_stops_the_other_one_serves),
        cmocka_unit_test(s31_when_a_relay_is_killed_the_other_one_serves),
        cmocka_unit_test(s31_a_holder_that_returns_is_found_again),
        cmocka_unit_test(p46_a_session_reaches_only_what_it_was_opened_for),
        cmocka_unit_test(s26_at_most_so_many_relays_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A network too large for everybody to be linked to everybody: what a node spends on it, and that it hangs together. */
#include "world.h"

#include "core_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef WORLD_IS_SLOW
#define NODES 200
#else
#define NODES 1000
#endif
#define RELAYS 12

static struct world *large_world(size_t nodes, size_t relays)
{
    struct world *w = world_new(5);
    for (size_t i = 0; i < nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu", i);
        world_roles(w, world_add(w, name), i < relays ? ROLE_RELAY : 0);
        world_start(w, i);
        world_run(w, world_now(w) + 5 * MILLISECOND);
    }
    world_run(w, world_now(w) + 20 * SECOND);
    return w;
}

static bool linked(struct world *w, size_t a, size_t b)
{
    struct peer *peer = peers_find(world_core(w, a)->peers, world_id(w, b));
    return peer && peer->up > 0;
}

/* How many steps over links from `from` to the node that is farthest; NODES when one cannot be reached. */
static size_t farthest(struct world *w, size_t from)
{
    size_t queue[NODES] = {from}, steps[NODES] = {0}, n = 1;
    bool seen[NODES] = {false};
    seen[from] = true;
    for (size_t at = 0; at < n; at++)
        for (size_t b = 0; b < NODES; b++)
            if (!seen[b] && linked(w, queue[at], b)) {
                seen[b] = true;
                steps[b] = steps[queue[at]] + 1;
                queue[n++] = b;
            }
    return n < NODES ? NODES : steps[queue[n - 1]];
}

static void a_large_network_hangs_together_by_few_links(void **state)
{
    (void)state;
    struct world *w = large_world(NODES, 0);
    size_t links = 0, most = 0;
    uint64_t latest = 0;
    for (size_t i = 0; i < NODES; i++) {
        size_t n = world_core(w, i)->link_count;
        uint64_t next = world_core(w, i)->beacon_timer.at - world_now(w);
        latest = next > latest ? next : latest;
        links += n;
        most = n > most ? n : most;
    }
    uint64_t before = world_messages(w), from = world_now(w);
    world_run(w, from + 10 * SECOND);
    double rate = (double)(world_messages(w) - before) / 10 / NODES;
    size_t steps = farthest(w, 0);
    print_message("%d nodes: %.1f links each, %zu at most, %.1f messages a second each, %zu steps\n", NODES,
                  (double)links / NODES, most, rate, steps);
    assert_true(links / NODES <= 2 * COMPANY_MAX);
    assert_true(most <= 4 * COMPANY_MAX);
    assert_true(steps <= 4);
    assert_true(latest > NODES / BEACONS_PER_S * SECOND / 2); /* so they all beacon at BEACONS_PER_S or not much above */
    world_free(w);
}

static void every_node_is_linked_to_relays_and_they_to_each_other(void **state)
{
    (void)state;
    enum { SOME = NODES / 2 };
    struct world *w = large_world(SOME, RELAYS);
    size_t least = RELAYS, least_of_relays = RELAYS, most = 0;
    for (size_t i = 0; i < SOME; i++) {
        size_t relays = 0, links = world_core(w, i)->link_count;
        for (size_t r = 0; r < RELAYS; r++)
            relays += i != r && linked(w, i, r);
        size_t *at = i < RELAYS ? &least_of_relays : &least;
        *at = relays < *at ? relays : *at;
        most = links > most ? links : most;
    }
    print_message("%d nodes, %d relays: %zu of them linked at least, %zu links at most\n", SOME, RELAYS, least, most);
    assert_int_equal(least_of_relays, RELAYS - 1);
    assert_true(least >= COMPANY_RELAYS / 2); /* who came last hears of the last of them by a beacon */
    assert_true(most < LINKS_MAX - LINKS_RESERVED);
    world_free(w);
}

/* What a node lets lapse is forgotten; what it renews is not, however long nobody hears its beacons. */
static void records_are_renewed_in_time_and_forgotten_after_it(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu", i);
        world_start(w, world_add(w, name));
    }
    world_run(w, world_now(w) + 10 * SECOND);
    uint64_t seq = peers_find(world_core(w, 0)->peers, world_id(w, 1))->seq;
    world_crash(w, 2);
    world_run(w, world_now(w) + 60 * SECOND);
    assert_non_null(peers_find(world_core(w, 0)->peers, world_id(w, 2)));
    world_run(w, world_now(w) + 2 * RECORD_LIFE_MAX_S * SECOND);
    assert_null(peers_find(world_core(w, 0)->peers, world_id(w, 2)));
    assert_true(linked(w, 0, 1));
    assert_true(peers_find(world_core(w, 0)->peers, world_id(w, 1))->seq > seq);
    world_free(w);
}

/* Keys cost nothing, but the last links are for peers that are trusted. */
static void s44_strangers_with_many_keys_leave_room_for_trusted_peers(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    world_start(w, world_add(w, "n0"));
    size_t friend = world_add(w, "friend");
    struct core *core = world_core(w, 0);
    struct peer *peer;
    uint8_t curve[CURVE_KEY_BYTES];
    assert_int_equal(peers_add(core->peers, world_id(w, friend), &peer), 0);
    peer->trusted = true;
    for (uint32_t i = 0; i < 2 * LINKS_MAX; i++) {
        memset(curve, 0, sizeof curve);
        memcpy(curve, &i, sizeof i);
        core_accepted(core, LINK_INBOUND | (1000000 + i), curve);
    }
    assert_int_equal(core->link_count, LINKS_MAX - LINKS_RESERVED);
    assert_int_equal(id_curve_key(world_id(w, friend), curve), 0);
    core_accepted(core, LINK_INBOUND | 5000000, curve);
    assert_int_equal(core->link_count, LINKS_MAX - LINKS_RESERVED + 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_network_hangs_together_by_few_links),
        cmocka_unit_test(records_are_renewed_in_time_and_forgotten_after_it),
        cmocka_unit_test(s44_strangers_with_many_keys_leave_room_for_trusted_peers),
        cmocka_unit_test(every_node_is_linked_to_relays_and_they_to_each_other),
    };
    return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}

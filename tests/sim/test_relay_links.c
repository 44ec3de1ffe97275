/* Links through relays in the simulated world: nodes that cannot dial each other, and one or more that both can. */
#include "core_internal.h"
#include "session.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

/* Goes on with the test once a condition holds. */
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
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_1_what_is_behind_a_relay_is_listed_as_by_a_link),
    };
    (void)is_connected;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

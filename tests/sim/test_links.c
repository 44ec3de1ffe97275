/* Links in the simulated world: what becomes of them when nodes end, return and are cut off, without any beacon to tell. */
#include "world.h"

#include "core_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

/* Two nodes that trust each other, and from now on hear no datagram. */
static struct world *trusting_pair(uint64_t seed)
{
    struct world *w = world_new(seed);
    char ticket[300];
    for (size_t i = 0; i < 2; i++)
        world_start(w, world_add(w, i ? "bob" : "anna"));
    world_run(w, world_now(w) + SECOND);
    const struct answer *a = world_call(w, 0, request("invite", NULL, NULL));
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(a, "ticket", 0), "ticket", ""));
    assert_true(world_call(w, 1, request("join", "ticket", ticket))->done);
    world_run(w, world_now(w) + SECOND);
    world_loss(w, 1000);
    return w;
}

static const struct peer *bob(struct world *w)
{
    return peers_find(world_core(w, 0)->peers, world_id(w, 1));
}

/* Bob dies and is back before anna has noticed: his HELLO says that the link she has is of an earlier life. */
static void a_peer_that_is_back_is_used_at_once_and_not_its_earlier_life(void **state)
{
    (void)state;
    struct world *w = trusting_pair(1);
    world_crash(w, 1);
    world_run(w, world_now(w) + 500 * MILLISECOND);
    assert_int_equal(bob(w)->up, 1);
    world_start(w, 1);
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(bob(w)->up, 1);
    assert_int_equal(bob(w)->incarnation, 2);
    assert_true(world_call(w, 0, request("ls", "target", "bob"))->done);
    world_free(w);
}

static void a_link_that_is_cut_is_given_up_and_made_anew(void **state)
{
    (void)state;
    struct world *w = trusting_pair(2);
    world_cut(w, 0, 1, true);
    world_run(w, world_now(w) + LINK_DEAD_AFTER - SECOND);
    assert_int_equal(bob(w)->up, 1);
    world_run(w, world_now(w) + 3 * SECOND);
    assert_int_equal(bob(w)->up, 0);
    world_cut(w, 0, 1, false);
    world_run(w, world_now(w) + 60 * SECOND);
    assert_int_equal(bob(w)->up, 1);
    assert_int_equal(world_core(w, 0)->link_count, 1);
    world_free(w);
}

static void an_idle_link_lives_on_pings_alone(void **state)
{
    (void)state;
    struct world *w = trusting_pair(3);
    uint64_t before = world_messages(w);
    world_run(w, world_now(w) + 600 * SECOND);
    assert_int_equal(bob(w)->up, 1);
    assert_in_range(world_messages(w) - before, 300, 1300); /* a PING and a PONG every two or three seconds */
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_is_back_is_used_at_once_and_not_its_earlier_life),
        cmocka_unit_test(a_link_that_is_cut_is_given_up_and_made_anew),
        cmocka_unit_test(an_idle_link_lives_on_pings_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Registering, in the simulated world: who is told of what is bound, of changes, and what becomes of it when nodes go. */
#include "registrar.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RELAYS 3
#define NODES 6 /* the others are ordinary ones */
#define ANNA RELAYS
#define SERVICES 2 /* pipes that every node has bound: files, pipes */
#define MINUTE (60 * SECOND)

static struct binding *binding_of(struct world *w, size_t node)
{
    return world_core(w, node)->binding;
}

static struct world *net(uint64_t seed)
{
    struct world *w = world_new(seed);
    for (size_t i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i);
        world_add(w, name);
        world_roles(w, i, i < RELAYS ? ROLE_RELAY : 0);
        world_start(w, i);
    }
    world_run(w, world_now(w) + 3 * SECOND);
    return w;
}

/* Leases of anna's pipes at a rendezvous: that pipe, registered by herself, or passed on. */
static size_t leases(struct world *w, size_t relay, const struct tag *pipe, bool own)
{
    size_t n = 0;
    const struct registered *p = rendezvous_first(binding_index(binding_of(w, relay)), pipe);
    for (; p; p = rendezvous_next(p))
        n += id_equal(&p->lease->holder, world_id(w, ANNA)) && id_equal(&p->lease->via, world_id(w, ANNA)) == own;
    return n;
}

static size_t all_leases(struct world *w, const struct tag *pipe)
{
    size_t n = 0;
    for (size_t i = 0; i < RELAYS; i++)
        n += world_core(w, i) ? leases(w, i, pipe, true) + leases(w, i, pipe, false) : 0;
    return n;
}

/* The rendezvous nearest to an id of `n` bytes; `but` is none of it. */
static size_t nearest(struct world *w, const uint8_t *to, size_t n, size_t but)
{
    size_t best = RELAYS;
    for (size_t i = 0; i < RELAYS; i++)
        if (i != but && (best == RELAYS || xor_nearer(to, world_id(w, i), world_id(w, best), n)))
            best = i;
    return best;
}

static struct tag bind_at(struct world *w, size_t node, const char *name)
{
    struct tag pipe = pipe_owned(world_id(w, node), name);
    assert_int_equal(binding_bind(binding_of(w, node), &pipe, PIPE_UNICAST, TRANSPORT_ANY, 3), 0);
    return pipe;
}

/* One of anna's pipes that belongs to the rendezvous which she does not register with. */
static struct tag bind_far_pipe(struct world *w)
{
    size_t first = nearest(w, world_id(w, ANNA)->b, NODE_ID_BYTES, RELAYS);
    size_t second = nearest(w, world_id(w, ANNA)->b, NODE_ID_BYTES, first);
    for (int i = 0;; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        struct tag pipe = pipe_owned(world_id(w, ANNA), name);
        size_t at = nearest(w, pipe.b, TAG_BYTES, RELAYS);
        if (at != first && at != second)
            return bind_at(w, ANNA, name);
    }
}

static void two_are_told_at_once_and_pass_it_on_to_the_nearest(void **state)
{
    (void)state;
    struct world *w = net(1);
    struct tag pipe = bind_far_pipe(w);
    size_t far = nearest(w, pipe.b, TAG_BYTES, RELAYS);
    world_run(w, world_now(w) + 2 * REGISTRAR_GATHER + 5 * MILLISECOND);
    for (size_t i = 0; i < RELAYS; i++) {
        assert_int_equal(leases(w, i, &pipe, true), i != far);
        assert_int_equal(leases(w, i, &pipe, false), i == far ? 2 : 0);
    }
    assert_int_equal(rendezvous_first(binding_index(binding_of(w, far)), &pipe)->pipe.rank, 3);
    binding_unbind(binding_of(w, ANNA), &pipe);
    world_run(w, world_now(w) + REGISTRAR_GATHER + 5 * MILLISECOND);
    assert_int_equal(all_leases(w, &pipe), 0);
    world_free(w);
}

static void leases_are_renewed_for_as_long_as_the_pipe_is_bound(void **state)
{
    (void)state;
    struct world *w = net(2);
    struct tag pipe = bind_far_pipe(w);
    world_run(w, world_now(w) + 60 * MINUTE);
    assert_int_equal(all_leases(w, &pipe), 4);
    world_free(w);
}

static void a_thousand_pipes_are_told_in_a_few_messages(void **state)
{
    (void)state;
    struct world *w = net(3);
    uint64_t before = world_messages(w);
    struct tag last = {.b = {0}};
    for (int i = SERVICES; i < LOCAL_PIPES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        last = bind_at(w, ANNA, name);
    }
    world_run(w, world_now(w) + SECOND);
    assert_true(all_leases(w, &last) >= 2);
    assert_in_range(world_messages(w) - before, 16, 150); /* four for each of two, with answers, passed on, and pings */
    for (size_t i = 0; i < RELAYS; i++) {
        struct lease *lease = rendezvous_lease_of(binding_index(binding_of(w, i)), world_id(w, ANNA), world_id(w, ANNA));
        assert_true(!lease || lease->count == LOCAL_PIPES_MAX);
    }
    world_free(w);
}

static void who_said_goodbye_is_forgotten_soon_and_who_vanished_a_little_later(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct world *w = net(4);
        struct tag pipe = bind_far_pipe(w);
        world_run(w, world_now(w) + SECOND);
        if (crash)
            world_crash(w, ANNA);
        else
            world_stop(w, ANNA);
        world_run(w, world_now(w) + (crash ? LINK_DEAD_AFTER + REGISTRAR_LOST + SECOND : 0) + 12 * SECOND);
        assert_int_equal(all_leases(w, &pipe), 0);
        world_free(w);
    }
}

static void a_later_life_of_the_holder_has_bound_what_it_says_and_nothing_else(void **state)
{
    (void)state;
    struct world *w = net(5);
    struct tag old = bind_far_pipe(w);
    world_run(w, world_now(w) + SECOND);
    world_crash(w, ANNA);
    world_start(w, ANNA);
    struct tag new = bind_at(w, ANNA, "new");
    world_run(w, world_now(w) + 13 * SECOND); /* it answers nothing from the start, and is swept out now and then */
    assert_int_equal(all_leases(w, &old), 0);
    assert_true(all_leases(w, &new) >= 2);
    world_free(w);
}

static void when_a_rendezvous_dies_another_is_told_and_when_it_is_back_so_is_it(void **state)
{
    (void)state;
    struct world *w = net(6);
    size_t first = nearest(w, world_id(w, ANNA)->b, NODE_ID_BYTES, RELAYS);
    struct tag pipe = bind_far_pipe(w);
    size_t third = nearest(w, pipe.b, TAG_BYTES, RELAYS);
    world_run(w, world_now(w) + SECOND);
    world_crash(w, first);
    world_run(w, world_now(w) + LINK_DEAD_AFTER + 3 * SECOND);
    assert_int_equal(leases(w, third, &pipe, true), 1);
    world_start(w, first);
    world_run(w, world_now(w) + MINUTE);
    assert_int_equal(leases(w, first, &pipe, true), 1);
    world_free(w);
}

static void without_a_rendezvous_nothing_is_sent(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    for (size_t i = 0; i < 2; i++)
        world_start(w, world_add(w, i ? "bob" : "anna"));
    world_run(w, world_now(w) + SECOND);
    uint64_t before = world_messages(w);
    bind_at(w, 0, "logs");
    world_run(w, world_now(w) + 500 * MILLISECOND);
    assert_in_range(world_messages(w) - before, 0, 4); /* a ping, perhaps */
    assert_null(binding_index(binding_of(w, 0)));
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_are_told_at_once_and_pass_it_on_to_the_nearest),
        cmocka_unit_test(leases_are_renewed_for_as_long_as_the_pipe_is_bound),
        cmocka_unit_test(a_thousand_pipes_are_told_in_a_few_messages),
        cmocka_unit_test(who_said_goodbye_is_forgotten_soon_and_who_vanished_a_little_later),
        cmocka_unit_test(a_later_life_of_the_holder_has_bound_what_it_says_and_nothing_else),
        cmocka_unit_test(when_a_rendezvous_dies_another_is_told_and_when_it_is_back_so_is_it),
        cmocka_unit_test(without_a_rendezvous_nothing_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

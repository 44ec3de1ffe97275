/* The index of a rendezvous: what is found, who may alter what, and that it stays in its bounds. */
#include "rendezvous.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFE (300 * SECOND)

static int index_new(void **state)
{
    static const uint8_t key[RENDEZVOUS_KEY_BYTES] = {1, 2, 3};
    return rendezvous_new(key, (struct rendezvous **)state);
}

static int index_free(void **state)
{
    rendezvous_free(*state);
    return 0;
}

static struct node_id node_no(size_t n)
{
    struct node_id id = {.b = {(uint8_t)(n * 31), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return id;
}

static struct registered_pipe pipe_no(size_t n)
{
    struct registered_pipe p = {.pipe = {.b = {(uint8_t)(n * 7), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}},
                                .rank = (uint8_t)n};
    return p;
}

static struct registration of(size_t holder, size_t via)
{
    return (struct registration){
        .holder = node_no(holder), .via = node_no(via), .incarnation = 5, .expires = LIFE, .now = SECOND};
}

/* Registers the pipes from `first` on; how many the lease has then. */
static uint32_t put(struct rendezvous *r, const struct registration *whose, size_t first, size_t count)
{
    struct registration reg = *whose;
    struct registered_pipe *pipe = calloc(count + 1, sizeof *pipe);
    uint32_t kept;
    assert_non_null(pipe);
    for (size_t i = 0; i < count; i++)
        pipe[i] = pipe_no(first + i);
    reg.pipe = pipe;
    reg.count = count;
    assert_int_equal(rendezvous_register(r, &reg, &kept), 0);
    free(pipe);
    return kept;
}

static size_t holders(const struct rendezvous *r, size_t pipe)
{
    struct registered_pipe p = pipe_no(pipe);
    size_t n = 0;
    for (const struct registered *at = rendezvous_first(r, &p.pipe); at; at = rendezvous_next(at)) {
        assert_true(tag_equal(&at->pipe.pipe, &p.pipe));
        n++;
    }
    return n;
}

static struct rendezvous_counts counts(const struct rendezvous *r)
{
    struct rendezvous_counts c;
    rendezvous_counts(r, &c);
    return c;
}

static void what_is_registered_is_found_and_what_is_withdrawn_is_not(void **state)
{
    struct rendezvous *r = *state;
    for (size_t h = 0; h < 50; h++) {
        struct registration reg = of(h, h);
        assert_int_equal(put(r, &reg, h, 40), 40); /* each pipe at up to 40 holders */
        assert_int_equal(put(r, &reg, h, 40), 40); /* once more: nothing new */
    }
    assert_int_equal(counts(r).pipes, 50 * 40);
    for (size_t p = 0; p < 89; p++)
        assert_int_equal(holders(r, p), p < 40 ? p + 1 : p < 50 ? 40 : 89 - p);
    for (size_t i = 1; i < counts(r).leases; i++)
        assert_true(id_compare(&rendezvous_lease(r, i - 1)->holder, &rendezvous_lease(r, i)->holder) < 0);
    struct node_id id = node_no(7);
    struct lease *lease = rendezvous_lease_of(r, &id, &id);
    struct registered_pipe gone[2] = {pipe_no(10), pipe_no(1000)};
    rendezvous_withdraw(r, lease, gone, 2);
    assert_int_equal(holders(r, 10), 10);
    assert_int_equal(lease->count, 39);
    for (size_t p = 7; p < 47; p++) {
        gone[0] = pipe_no(p);
        lease = rendezvous_lease_of(r, &id, &id);
        if (lease)
            rendezvous_withdraw(r, lease, gone, 1);
    }
    assert_null(rendezvous_lease_of(r, &id, &id)); /* without pipes it has ended */
    assert_int_equal(counts(r).leases, 49);
}

static void a_changed_rank_is_taken_and_is_news_to_others(void **state)
{
    struct rendezvous *r = *state;
    struct registration reg = of(1, 1);
    struct registered_pipe p = pipe_no(1);
    uint32_t kept;
    reg.pipe = &p;
    reg.count = 1;
    assert_int_equal(rendezvous_register(r, &reg, &kept), 0);
    struct lease *lease = rendezvous_lease_of(r, &reg.holder, &reg.via);
    lease->passed_on = lease->pipes->passed_on = true;
    rendezvous_register(r, &reg, &kept);
    assert_true(lease->passed_on && lease->pipes->passed_on);
    p.rank = 9;
    rendezvous_register(r, &reg, &kept);
    assert_int_equal(rendezvous_first(r, &p.pipe)->pipe.rank, 9);
    assert_false(lease->passed_on || lease->pipes->passed_on);
    assert_int_equal(kept, 1);
}

static void a_lease_ends_with_its_time_unless_renewed(void **state)
{
    struct rendezvous *r = *state;
    struct registration early = of(1, 1), late = of(2, 2);
    put(r, &early, 0, 10);
    put(r, &late, 0, 10);
    late.expires = 2 * LIFE;
    assert_int_equal(put(r, &late, 0, 0), 10);
    rendezvous_expire(r, LIFE - 1);
    assert_int_equal(counts(r).leases, 2);
    rendezvous_expire(r, LIFE);
    assert_int_equal(counts(r).leases, 1);
    assert_int_equal(holders(r, 3), 1);
    assert_int_equal(put(r, &early, 0, 0), 0); /* nothing is left to renew */
    assert_int_equal(counts(r).leases, 1);
}

static void a_later_life_of_the_holder_begins_anew(void **state)
{
    struct rendezvous *r = *state;
    struct registration reg = of(1, 1), passed = of(1, 9), other = of(2, 2);
    uint32_t kept;
    put(r, &reg, 0, 10);
    put(r, &passed, 0, 10);
    put(r, &other, 0, 10);
    reg.incarnation = 4;
    assert_int_equal(rendezvous_register(r, &reg, &kept), ERR_STATE);
    assert_int_equal(counts(r).pipes, 30);
    reg.incarnation = 6;
    assert_int_equal(put(r, &reg, 20, 1), 1); /* what was passed on of the earlier life is gone too */
    assert_int_equal(counts(r).pipes, 11);
    rendezvous_outlive(r, &other.holder, 6);
    assert_int_equal(counts(r).pipes, 1);
}

/* The holder's own registration and those of two nodes that pass it on do not touch each other. */
static void s20_nobody_alters_the_lease_of_another(void **state)
{
    struct rendezvous *r = *state;
    struct registration own = of(1, 1), by_8 = of(1, 8), by_9 = of(1, 9);
    put(r, &own, 0, 3);
    put(r, &by_8, 0, 3);
    put(r, &by_9, 2, 3);
    assert_int_equal(holders(r, 2), 3);
    rendezvous_end(r, rendezvous_lease_of(r, &by_8.holder, &by_8.via));
    assert_int_equal(holders(r, 0), 1);
    assert_int_equal(holders(r, 2), 2);
}

/* 200,000 names from one peer. */
static void p45_one_peer_registers_no_more_than_it_may(void **state)
{
    struct rendezvous *r = *state;
    struct registration greedy = of(1, 1), modest = of(2, 2);
    for (size_t i = 0; i < 200000; i += REGISTER_PIPES_MAX)
        assert_in_range(put(r, &greedy, i, REGISTER_PIPES_MAX), 1, LOCAL_PIPES_MAX);
    assert_int_equal(counts(r).pipes, LOCAL_PIPES_MAX);
    assert_int_equal(put(r, &modest, 0, 10), 10);
    assert_in_range(counts(r).bytes, 1, 128 * 1024);
}

/* Leases of strangers, without end; then somebody comes who is trusted. */
static void p45_leases_are_bounded_and_the_trusted_find_room(void **state)
{
    struct rendezvous *r = *state;
    uint32_t kept;
    for (size_t i = 0; i < LEASES_MAX; i++) {
        struct registration reg = of(i, i);
        reg.expires = i == 77 ? LIFE / 2 : LIFE;
        put(r, &reg, i, 1);
    }
    struct registered_pipe pipe = pipe_no(1);
    struct registration late = of(LEASES_MAX, LEASES_MAX);
    late.pipe = &pipe;
    late.count = 1;
    assert_int_equal(rendezvous_register(r, &late, &kept), ERR_FULL);
    assert_int_equal(holders(r, 77), 1);
    late.trusted = true;
    assert_int_equal(rendezvous_register(r, &late, &kept), 0);
    assert_int_equal(holders(r, 77), 0); /* it was to end first */
    assert_int_equal(counts(r).leases, LEASES_MAX);
    late = of(LEASES_MAX + 1, LEASES_MAX + 1);
    late.pipe = &pipe;
    late.count = 1;
    late.now = LIFE; /* by now they have all ended */
    late.expires = 2 * LIFE;
    assert_int_equal(rendezvous_register(r, &late, &kept), 0);
    assert_int_equal(counts(r).leases, 1);
}

static void p45_one_rendezvous_passes_on_a_quarter_at_most(void **state)
{
    struct rendezvous *r = *state;
    struct registered_pipe pipe = pipe_no(1);
    uint32_t kept;
    for (size_t i = 0; i < LEASES_MAX; i++) {
        struct registration reg = of(i, 9000);
        reg.pipe = &pipe;
        reg.count = 1;
        assert_int_equal(rendezvous_register(r, &reg, &kept), i < LEASES_MAX / 4 ? 0 : ERR_FULL);
    }
    struct registration own = of(9000, 9000), other = of(1, 9001);
    assert_int_equal(put(r, &own, 0, 1), 1);
    assert_int_equal(put(r, &other, 0, 1), 1);
}

static void p45_strangers_leave_half_of_the_room(void **state)
{
    struct rendezvous *r = *state;
    for (size_t h = 0; h < REGISTERED_MAX / LOCAL_PIPES_MAX; h++) {
        struct registration reg = of(h, h);
        put(r, &reg, h * LOCAL_PIPES_MAX, LOCAL_PIPES_MAX);
    }
    assert_int_equal(counts(r).pipes, REGISTERED_MAX / 2);
    struct registration trusted = of(9000, 9000);
    trusted.trusted = true;
    assert_int_equal(put(r, &trusted, 0, LOCAL_PIPES_MAX), LOCAL_PIPES_MAX);
    assert_int_equal(holders(r, 5), 2);
}

static void memory_is_linear_in_pipes(void **state)
{
    struct rendezvous *r = *state;
    size_t before = counts(r).bytes;
    for (size_t h = 0; h < 100; h++) {
        struct registration reg = of(h, h);
        put(r, &reg, h * 1000, 1000);
        struct rendezvous_counts c = counts(r);
        if (h % 33 == 0)
            printf("%zu pipes of %zu holders: %zu bytes, %zu a pipe\n", c.pipes, c.leases, c.bytes, c.bytes / c.pipes);
        assert_in_range(c.bytes, c.pipes * sizeof(struct registered), before + c.pipes * 96 + c.leases * 256);
    }
}

static void nearer_is_by_xor(void **state)
{
    (void)state;
    struct node_id a = {.b = {0x10, 0xff}}, b = {.b = {0x20, 0x00}}, c = {.b = {0x10, 0xfe}};
    const uint8_t to_a[2] = {0x1f, 0}, to_b[2] = {0x2f, 0}, to_c[2] = {0x10, 0xfc};
    assert_true(xor_nearer(to_a, &a, &b, 2) && !xor_nearer(to_a, &b, &a, 2));
    assert_true(xor_nearer(to_b, &b, &a, 2) && !xor_nearer(to_b, &a, &b, 2));
    assert_true(xor_nearer(to_c, &c, &a, 2) && !xor_nearer(to_c, &a, &c, 2));
    assert_false(xor_nearer(to_a, &a, &a, 2));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, index_new, index_free)
    const struct CMUnitTest tests[] = {
        TEST(what_is_registered_is_found_and_what_is_withdrawn_is_not),
        TEST(a_changed_rank_is_taken_and_is_news_to_others),
        TEST(a_lease_ends_with_its_time_unless_renewed),
        TEST(a_later_life_of_the_holder_begins_anew),
        TEST(s20_nobody_alters_the_lease_of_another),
        TEST(p45_one_peer_registers_no_more_than_it_may),
        TEST(p45_leases_are_bounded_and_the_trusted_find_room),
        TEST(p45_one_rendezvous_passes_on_a_quarter_at_most),
        TEST(p45_strangers_leave_half_of_the_room),
        TEST(memory_is_linear_in_pipes),
        cmocka_unit_test(nearer_is_by_xor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

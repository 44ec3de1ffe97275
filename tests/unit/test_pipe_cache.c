/* The cache of pipe answers: what is found, what replaces what, and who makes room. */
#include "pipe_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct tag pipe_no(size_t n)
{
    struct tag t = {.b = {(uint8_t)(n * 7), (uint8_t)(n >> 8), (uint8_t)n}};
    return t;
}

static struct pipe_entry entry_of(size_t pipe, uint8_t holder, uint64_t expires)
{
    struct pipe_entry e = {.pipe = pipe_no(pipe), .expires = expires, .count = 1};
    e.holder.id.b[0] = holder;
    e.holder.incarnation = 5;
    return e;
}

static void put(struct pipe_cache *cache, struct pipe_entry e)
{
    assert_int_equal(pipe_cache_put(cache, &e), 0);
}

static size_t holders(const struct pipe_cache *cache, size_t pipe)
{
    struct tag t = pipe_no(pipe);
    size_t count;
    pipe_cache_of(cache, &t, &count);
    return count;
}

/* The i-th holder of a pipe. */
static const struct pipe_entry *entry(const struct pipe_cache *cache, size_t pipe, size_t i)
{
    struct tag t = pipe_no(pipe);
    size_t count;
    struct pipe_entry *const *found = pipe_cache_of(cache, &t, &count);
    assert_true(i < count);
    return found[i];
}

static void entries_are_in_order_and_found_by_pipe(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    for (size_t i = 0; i < 100; i++)
        for (uint8_t h = 3; h > 0; h--)
            put(&cache, entry_of(i * 37 % 100, h, 1000 + i));
    assert_int_equal(cache.count, 300);
    for (size_t i = 1; i < cache.count; i++)
        assert_true(memcmp(cache.entry[i - 1]->pipe.b, cache.entry[i]->pipe.b, TAG_BYTES) <= 0);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(holders(&cache, i), 3);
        for (uint8_t h = 0; h < 3; h++)
            assert_int_equal(entry(&cache, i, h)->holder.id.b[0], h + 1);
    }
    assert_int_equal(holders(&cache, 100), 0);
    pipe_cache_fini(&cache);
}

static void a_holder_or_all_of_them_are_forgotten(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    struct pipe_entry by_tcp = entry_of(1, 2, 1000);
    by_tcp.transport = TRANSPORT_TCP;
    put(&cache, by_tcp);
    for (uint8_t h = 1; h <= 3; h++) {
        put(&cache, entry_of(1, h, 1000));
        put(&cache, entry_of(2, h, 1000));
    }
    struct tag t = pipe_no(1);
    struct node_id two = {.b = {2}};
    pipe_cache_drop(&cache, &t, &two); /* whatever the transport */
    assert_int_equal(holders(&cache, 1), 2);
    assert_int_equal(entry(&cache, 1, 1)->holder.id.b[0], 3);
    pipe_cache_drop(&cache, &t, &two);
    assert_int_equal(holders(&cache, 1), 2);
    pipe_cache_drop(&cache, &t, NULL);
    assert_int_equal(holders(&cache, 1), 0);
    assert_int_equal(holders(&cache, 2), 3);
    pipe_cache_fini(&cache);
}

static void pipe_3_answers_for_different_transports_stand_side_by_side(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    struct pipe_entry e = entry_of(1, 1, 1000);
    for (int t = TRANSPORT_COUNT - 1; t >= 0; t--) {
        e.transport = (enum transport)t;
        put(&cache, e);
        put(&cache, e);
    }
    assert_int_equal(cache.count, TRANSPORT_COUNT);
    for (size_t t = 0; t < TRANSPORT_COUNT; t++)
        assert_int_equal(entry(&cache, 1, t)->transport, t);
    pipe_cache_fini(&cache);
}

static void an_answer_from_an_earlier_life_loses(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    struct pipe_entry e = entry_of(1, 1, 1000);
    put(&cache, e);
    e.holder.incarnation = 4;
    e.expires = 2000;
    assert_int_equal(pipe_cache_put(&cache, &e), ERR_STATE);
    assert_int_equal(entry(&cache, 1, 0)->expires, 1000);
    e.holder.incarnation = 6;
    put(&cache, e);
    assert_int_equal(entry(&cache, 1, 0)->holder.incarnation, 6);
    e = entry_of(1, 2, 3000); /* another holder: incarnations are not compared between nodes */
    e.holder.incarnation = 1;
    put(&cache, e);
    assert_int_equal(holders(&cache, 1), 2);
    pipe_cache_fini(&cache);
}

static void p45_what_expires_first_makes_room(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    for (size_t i = 0; i < PIPE_CACHE_MAX; i++)
        put(&cache, entry_of(i, 1, i == 77 ? 10 : 1000));
    put(&cache, entry_of(77, 1, 11)); /* replaced, not added: nobody has to go */
    assert_int_equal(cache.count, PIPE_CACHE_MAX);
    put(&cache, entry_of(PIPE_CACHE_MAX, 1, 1000));
    assert_int_equal(cache.count, PIPE_CACHE_MAX);
    assert_int_equal(holders(&cache, 77), 0);
    assert_int_equal(holders(&cache, PIPE_CACHE_MAX), 1);
    pipe_cache_fini(&cache);
}

static void p45_one_pipe_has_a_part_of_the_room(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    put(&cache, entry_of(2, 1, 1));
    for (uint8_t h = 1; h <= 200; h++)
        put(&cache, entry_of(1, h, h == 3 ? 10 : 1000u + h));
    assert_int_equal(holders(&cache, 1), PIPE_HOLDERS_MAX);
    for (size_t i = 0; i < PIPE_HOLDERS_MAX; i++)
        assert_true(entry(&cache, 1, i)->holder.id.b[0] > 200 - PIPE_HOLDERS_MAX);
    assert_int_equal(holders(&cache, 2), 1);
    pipe_cache_fini(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_in_order_and_found_by_pipe),
        cmocka_unit_test(a_holder_or_all_of_them_are_forgotten),
        cmocka_unit_test(pipe_3_answers_for_different_transports_stand_side_by_side),
        cmocka_unit_test(an_answer_from_an_earlier_life_loses),
        cmocka_unit_test(p45_what_expires_first_makes_room),
        cmocka_unit_test(p45_one_pipe_has_a_part_of_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

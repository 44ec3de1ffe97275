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

static struct pipe_entry entry_of(size_t pipe, uint64_t expires)
{
    struct pipe_entry e = {.pipe = pipe_no(pipe), .expires = expires, .count = 1};
    e.holder.id.b[0] = 1;
    e.holder.incarnation = 5;
    return e;
}

static void put(struct pipe_cache *cache, const struct pipe_entry *e)
{
    assert_int_equal(pipe_cache_put(cache, e), 0);
}

static const struct pipe_entry *find(const struct pipe_cache *cache, size_t pipe, uint64_t now)
{
    struct tag t = pipe_no(pipe);
    return pipe_cache_find(cache, &t, now);
}

static void an_answer_is_found_until_it_expires(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    for (size_t i = 0; i < 100; i++) {
        struct pipe_entry e = entry_of(i * 37 % 100, 1000 + i);
        put(&cache, &e);
    }
    assert_int_equal(cache.count, 100);
    for (size_t i = 1; i < cache.count; i++)
        assert_true(memcmp(cache.entry[i - 1]->pipe.b, cache.entry[i]->pipe.b, TAG_BYTES) < 0);
    for (size_t i = 0; i < 100; i++) {
        assert_non_null(find(&cache, i * 37 % 100, 999 + i));
        assert_null(find(&cache, i * 37 % 100, 1000 + i));
    }
    assert_null(find(&cache, 100, 0));
    struct tag t = pipe_no(50);
    pipe_cache_drop(&cache, &t);
    pipe_cache_drop(&cache, &t);
    assert_null(find(&cache, 50, 0));
    assert_int_equal(cache.count, 99);
    pipe_cache_fini(&cache);
}

static void an_answer_from_an_earlier_life_loses(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    struct pipe_entry e = entry_of(1, 1000);
    put(&cache, &e);
    e.holder.incarnation = 4;
    e.expires = 2000;
    assert_int_equal(pipe_cache_put(&cache, &e), ERR_STATE);
    assert_int_equal(find(&cache, 1, 0)->expires, 1000);
    e.holder.incarnation = 6;
    put(&cache, &e);
    assert_int_equal(find(&cache, 1, 0)->holder.incarnation, 6);
    e = entry_of(1, 3000); /* another holder: incarnations are not compared between nodes */
    e.holder.id.b[0] = 2;
    e.holder.incarnation = 1;
    put(&cache, &e);
    assert_int_equal(find(&cache, 1, 0)->holder.id.b[0], 2);
    assert_int_equal(cache.count, 1);
    pipe_cache_fini(&cache);
}

static void p45_what_expires_first_makes_room(void **state)
{
    (void)state;
    struct pipe_cache cache;
    pipe_cache_init(&cache);
    for (size_t i = 0; i < PIPE_CACHE_MAX; i++) {
        struct pipe_entry e = entry_of(i, i == 77 ? 10 : 1000);
        put(&cache, &e);
    }
    struct pipe_entry e = entry_of(77, 11); /* replaced, not added: nobody has to go */
    put(&cache, &e);
    assert_int_equal(cache.count, PIPE_CACHE_MAX);
    e = entry_of(PIPE_CACHE_MAX, 1000);
    put(&cache, &e);
    assert_int_equal(cache.count, PIPE_CACHE_MAX);
    assert_null(find(&cache, 77, 0));
    assert_non_null(find(&cache, PIPE_CACHE_MAX, 0));
    pipe_cache_fini(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_found_until_it_expires),
        cmocka_unit_test(an_answer_from_an_earlier_life_loses),
        cmocka_unit_test(p45_what_expires_first_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is kept of a byte stream: shown again from any place that is kept, across the ring's edge, and from no other. */
#include "bulk_ring.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 0x9e3779b1u >> 11);
}

static size_t add(struct ring *r, size_t want)
{
    size_t done = 0;
    while (done < want) {
        uint8_t *at;
        size_t n = ring_room(r, want - done, &at);
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++)
            at[i] = byte_at(r->to + i);
        ring_add(r, n);
        done += n;
    }
    return done;
}

static void expect_from(const struct ring *r, uint64_t at)
{
    while (at < r->to) {
        const uint8_t *b;
        size_t n = ring_show(r, at, 100000, &b);
        assert_true(n > 0 && n <= 100000);
        for (size_t i = 0; i < n; i++)
            if (b[i] != byte_at(at + i))
                fail_msg("byte %llu is another one", (unsigned long long)(at + i));
        at += n;
    }
    const uint8_t *b;
    assert_int_equal(ring_show(r, at, 1, &b), 0);
}

static void bytes_are_shown_again_across_the_edge(void **state)
{
    struct ring r;
    (void)state;
    assert_int_equal(ring_init(&r), 0);
    for (unsigned i = 0; i < 40; i++) {
        size_t n = add(&r, 777777 + i);
        assert_true(n == 777777 + i || r.to - r.from == STREAM_KEPT_BYTES);
        expect_from(&r, r.from);
        expect_from(&r, r.from + (r.to - r.from) / 2);
        assert_int_equal(ring_drop(&r, r.to - (r.to - r.from) / 3), 0);
    }
    ring_fini(&r);
}

static void a_full_ring_takes_no_more(void **state)
{
    struct ring r;
    uint8_t *at;
    (void)state;
    assert_int_equal(ring_init(&r), 0);
    assert_int_equal(add(&r, 3 * STREAM_KEPT_BYTES), STREAM_KEPT_BYTES);
    assert_int_equal(ring_room(&r, 1, &at), 0);
    expect_from(&r, 0);
    assert_int_equal(ring_drop(&r, 1), 0);
    assert_int_equal(add(&r, 10), 1);
    expect_from(&r, 1);
    ring_fini(&r);
}

static void only_what_is_kept_can_be_dropped(void **state)
{
    struct ring r;
    (void)state;
    assert_int_equal(ring_init(&r), 0);
    add(&r, 1000);
    assert_int_equal(ring_drop(&r, 1001), ERR_MALFORMED);
    assert_int_equal(ring_drop(&r, 400), 0);
    assert_int_equal(ring_drop(&r, 400), 0);
    assert_int_equal(ring_drop(&r, 399), ERR_MALFORMED);
    assert_int_equal(ring_drop(&r, UINT64_MAX), ERR_MALFORMED);
    assert_int_equal(ring_drop(&r, 1000), 0);
    ring_fini(&r);
    ring_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_shown_again_across_the_edge),
        cmocka_unit_test(a_full_ring_takes_no_more),
        cmocka_unit_test(only_what_is_kept_can_be_dropped),
    };
    return cmocka_run_group_tests_name("bulk ring", tests, NULL, NULL);
}

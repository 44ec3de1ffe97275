/* A backlog: order, bounds, memory. */
#include "backlog.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void is_first(const struct backlog *b, const void *bytes, size_t n)
{
    size_t have;
    const uint8_t *first = backlog_first(b, &have);
    assert_int_equal(have, n);
    assert_memory_equal(first, bytes, n);
}

static void pieces_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct backlog b = {.bytes = NULL};
    assert_int_equal(backlog_put(&b, "one", 3), 0);
    assert_int_equal(backlog_put(&b, NULL, 0), 0);
    assert_int_equal(backlog_put(&b, "three", 5), 0);
    assert_int_equal(b.count, 3);
    is_first(&b, "one", 3);
    backlog_drop_first(&b);
    is_first(&b, "", 0);
    backlog_drop_first(&b);
    is_first(&b, "three", 5);
    backlog_drop_first(&b);
    assert_int_equal(b.count, 0);
    assert_null(b.bytes);
}

/* A queue that never gets empty keeps its order and its size while far more than that goes through it. */
static void the_front_is_used_again(void **state)
{
    (void)state;
    struct backlog b = {.bytes = NULL};
    uint8_t piece[1000];
    for (unsigned i = 0; i < 200; i++) {
        memset(piece, (int)i, sizeof piece);
        assert_int_equal(backlog_put(&b, piece, sizeof piece - i), 0);
        if (i < 3)
            continue;
        memset(piece, (int)(i - 3), sizeof piece);
        is_first(&b, piece, sizeof piece - (i - 3));
        backlog_drop_first(&b);
    }
    assert_int_equal(b.count, 3);
    assert_true(b.cap <= 8192);
    backlog_clear(&b);
    assert_null(b.bytes);
}

static void p45_it_holds_so_much_and_no_more(void **state)
{
    (void)state;
    struct backlog b = {.bytes = NULL};
    static uint8_t all[BACKLOG_MAX + 1];
    assert_int_equal(backlog_put(&b, all, sizeof all), ERR_LIMIT);
    assert_int_equal(backlog_put(&b, all, BACKLOG_MAX), ERR_LIMIT);
    assert_int_equal(backlog_put(&b, all, BACKLOG_MAX - BACKLOG_HEAD), 0);
    assert_int_equal(backlog_put(&b, all, 0), ERR_LIMIT);
    assert_true(b.cap <= BACKLOG_MAX);
    backlog_drop_first(&b);
    unsigned count = 0;
    while (backlog_put(&b, all, 0) == 0)
        count++;
    assert_int_equal(count, BACKLOG_MAX / BACKLOG_HEAD);
    assert_true(b.cap <= BACKLOG_MAX);
    backlog_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_come_out_as_they_went_in),
                                       cmocka_unit_test(the_front_is_used_again),
                                       cmocka_unit_test(p45_it_holds_so_much_and_no_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

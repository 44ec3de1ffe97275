/* What a reader was given and has not taken. */
#include "handout.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct tag anna = {{1}}, bob = {{2}};

static void s26_what_is_out_is_counted_until_it_is_taken(void **state)
{
    (void)state;
    struct handout h = {0};
    assert_int_equal(handout_add(&h, &anna, 4, 100), 0);
    assert_int_equal(handout_add(&h, &bob, 2, 10), 0);
    assert_int_equal(handout_add(&h, &anna, 9, 200), 0);
    assert_int_equal(h.cost, 310);
    assert_int_equal(handout_taken(&h, &anna, 4), 0);
    assert_int_equal(h.cost, 210);
    assert_int_equal(handout_taken(&h, &anna, 8), 0); /* a part of a batch */
    assert_int_equal(h.cost, 210);
    assert_int_equal(handout_taken(&h, &anna, 9), 0);
    assert_int_equal(handout_taken(&h, &bob, 2), 0);
    assert_int_equal(h.cost, 0);
    assert_null(h.channels);
    handout_fini(&h);
}

static void p44_nothing_is_taken_that_was_not_given(void **state)
{
    (void)state;
    struct handout h = {0};
    assert_int_equal(handout_taken(&h, &anna, 1), ERR_NOT_FOUND);
    assert_int_equal(handout_add(&h, &anna, 4, 100), 0);
    assert_int_equal(handout_taken(&h, &anna, 5), ERR_USAGE);
    assert_int_equal(handout_taken(&h, &anna, UINT64_MAX), ERR_USAGE);
    assert_int_equal(handout_taken(&h, &bob, 1), ERR_NOT_FOUND);
    assert_int_equal(h.cost, 100);
    assert_int_equal(handout_taken(&h, &anna, 1), 0); /* nothing new, and no error */
    assert_int_equal(h.cost, 100);
    handout_fini(&h);
    assert_int_equal(h.cost, 0);
}

static void a_forgotten_channel_begins_anew(void **state)
{
    (void)state;
    struct handout h = {0};
    handout_forget(&h, &anna);
    assert_int_equal(handout_add(&h, &anna, 1000, 100), 0);
    assert_int_equal(handout_add(&h, &bob, 7, 50), 0);
    handout_forget(&h, &anna);
    assert_int_equal(h.cost, 50);
    assert_int_equal(handout_add(&h, &anna, 3, 100), 0);
    assert_int_equal(handout_taken(&h, &anna, 4), ERR_USAGE);
    assert_int_equal(handout_taken(&h, &anna, 3), 0);
    handout_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s26_what_is_out_is_counted_until_it_is_taken),
        cmocka_unit_test(p44_nothing_is_taken_that_was_not_given),
        cmocka_unit_test(a_forgotten_channel_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

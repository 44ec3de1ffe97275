/* Replays of spread messages: what was here is never taken again, whatever else has come since. */
#include "err.h"
#include "limits.h"
#include "spread_origins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spread_name name_of(uint32_t origin, uint64_t incarnation, uint64_t number)
{
    struct spread_name name = {.incarnation = incarnation, .number = number};
    memcpy(name.origin.b, &origin, sizeof origin);
    return name;
}

static bool fresh(const struct origins *o, uint32_t origin, uint64_t incarnation, uint64_t number)
{
    const struct spread_name name = name_of(origin, incarnation, number);
    return origins_fresh(o, &name);
}

static int mark(struct origins *o, uint32_t origin, uint64_t incarnation, uint64_t number, bool trusted)
{
    const struct spread_name name = name_of(origin, incarnation, number);
    return origins_mark(o, &name, trusted);
}

static int set_up(void **state)
{
    return (*state = origins_new()) ? 0 : -1;
}

static int tear_down(void **state)
{
    origins_free(*state);
    return 0;
}

static void s44_a_message_is_fresh_once(void **state)
{
    struct origins *o = *state;
    for (uint64_t n = 1; n <= 3 * ORIGIN_WINDOW; n++) {
        assert_true(fresh(o, 1, 5, n));
        assert_int_equal(mark(o, 1, 5, n, true), 0);
        assert_false(fresh(o, 1, 5, n));
    }
    for (uint64_t n = 0; n <= 3 * ORIGIN_WINDOW; n++)
        assert_false(fresh(o, 1, 5, n));
    assert_true(fresh(o, 2, 5, 1));
}

static void messages_may_overtake_each_other_within_the_window(void **state)
{
    struct origins *o = *state;
    mark(o, 1, 1, 10, true);
    assert_true(fresh(o, 1, 1, 3));
    mark(o, 1, 1, 3, true);
    assert_false(fresh(o, 1, 1, 3));
    mark(o, 1, 1, 10 + ORIGIN_WINDOW - 1, true);
    assert_false(fresh(o, 1, 1, 10)); /* the last place of the window */
    assert_false(fresh(o, 1, 1, 9));  /* never here, but too late */
    assert_true(fresh(o, 1, 1, 11));
    assert_false(fresh(o, 1, 1, 3));
}

/* Every jump clears just what it passes over: compared with a table of all numbers. */
static void the_window_is_right_for_any_order(void **state)
{
    struct origins *o = *state;
    static bool here[200000];
    uint64_t rng = 88172645463325252ull, top = 0;
    for (size_t i = 0; i < 20000; i++) {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        uint64_t number = 1 + (top > 1500 ? top - 1500 : 0) + rng % (i % 50 == 0 ? 4000 : 1510);
        if (number >= sizeof here)
            break;
        bool expected = number > top || (top - number < ORIGIN_WINDOW && !here[number]);
        assert_int_equal(fresh(o, 1, 1, number), expected);
        if (!expected)
            continue;
        assert_int_equal(mark(o, 1, 1, number, true), 0);
        here[number] = true;
        top = number > top ? number : top;
    }
    assert_true(top > 10000);
}

static void s44_a_message_of_an_earlier_life_is_never_fresh(void **state)
{
    struct origins *o = *state;
    mark(o, 1, 7, 100, true);
    assert_false(fresh(o, 1, 6, 101));
    assert_true(fresh(o, 1, 8, 1));
    mark(o, 1, 8, 1, true);
    assert_false(fresh(o, 1, 7, 101));
    assert_false(fresh(o, 1, 8, 1));
    assert_true(fresh(o, 1, 8, 100));
}

static void counters_at_their_maximum_are_numbers_like_others(void **state)
{
    struct origins *o = *state;
    mark(o, 1, INT64_MAX, 1, true);
    mark(o, 1, INT64_MAX, INT64_MAX, true);
    assert_false(fresh(o, 1, INT64_MAX, INT64_MAX));
    assert_true(fresh(o, 1, INT64_MAX, INT64_MAX - 1));
    assert_false(fresh(o, 1, INT64_MAX, 1));
    assert_false(fresh(o, 1, INT64_MAX, 0));
}

static void p45_origins_are_bounded_and_made_up_ones_drive_no_trusted_one_out(void **state)
{
    struct origins *o = *state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(mark(o, i, 1, 1, true), 0);
    for (uint32_t i = 1000; i < 1000 + 2 * ORIGINS_MAX; i++)
        assert_int_equal(mark(o, i, 1, 1, false), 0);
    assert_int_equal(origins_count(o), ORIGINS_MAX);
    for (uint32_t i = 0; i < 100; i++)
        assert_false(fresh(o, i, 1, 1));
    assert_false(fresh(o, 1000 + 2 * ORIGINS_MAX - 1, 1, 1)); /* of the others the newest are left */
    assert_true(fresh(o, 1000, 1, 1));
}

static void a_table_of_trusted_origins_has_no_room_for_others(void **state)
{
    struct origins *o = *state;
    for (uint32_t i = 0; i < ORIGINS_MAX; i++)
        assert_int_equal(mark(o, i, 1, 1, true), 0);
    assert_int_equal(mark(o, ORIGINS_MAX, 1, 1, false), ERR_FULL);
    assert_int_equal(mark(o, ORIGINS_MAX, 1, 1, true), 0);
    assert_true(fresh(o, 0, 1, 1)); /* the least recent one went */
    assert_int_equal(origins_count(o), ORIGINS_MAX);
}

static void an_id_names_origin_life_and_number(void **state)
{
    (void)state;
    const struct spread_name names[] = {name_of(1, 1, 1), name_of(2, 1, 1), name_of(1, 2, 1), name_of(1, 1, 2)};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            struct tag a = spread_id(&names[i]), b = spread_id(&names[k]);
            assert_int_equal(tag_equal(&a, &b), i == k);
        }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(s44_a_message_is_fresh_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_may_overtake_each_other_within_the_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_window_is_right_for_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(s44_a_message_of_an_earlier_life_is_never_fresh, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counters_at_their_maximum_are_numbers_like_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(p45_origins_are_bounded_and_made_up_ones_drive_no_trusted_one_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_of_trusted_origins_has_no_room_for_others, set_up, tear_down),
        cmocka_unit_test(an_id_names_origin_life_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Progress: half-lives, honesty about what is not known, and lines that fit. */
#include "progress.h"
#include "width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB UINT64_C(1048576)
#define QUARTER UINT64_C(250000000)

/* Feeds `seconds` at a steady rate, four samples a second. */
static void feed(struct progress *p, uint64_t *at, uint64_t *moved, unsigned seconds, uint64_t rate)
{
    for (unsigned i = 0; i < 4 * seconds; i++) {
        *at += QUARTER;
        *moved += rate / 4;
        progress_sample(p, *at, *moved);
    }
}

static void a_steady_rate_is_shown_from_the_first_quarter_second(void **state)
{
    (void)state;
    struct progress p = {0};
    uint64_t at = 5, moved = 100 * MIB; /* what was there before the first sample does not count */

    progress_sample(&p, at, moved);
    assert_int_equal((uint64_t)progress_rate(&p), 0);
    assert_true(progress_left(&p, 1) == UINT64_MAX);
    at += QUARTER;
    progress_sample(&p, at, moved += 2 * MIB);
    assert_in_range((uint64_t)progress_rate(&p), 8 * MIB - 9, 8 * MIB + 9);
    assert_int_equal(progress_left(&p, 80 * MIB), 10);
}

static void the_rate_halves_its_distance_in_a_second(void **state)
{
    (void)state;
    struct progress p = {0};
    uint64_t at = 0, moved = 0;

    progress_sample(&p, at, moved);
    feed(&p, &at, &moved, 60, 8 * MIB);
    feed(&p, &at, &moved, 1, 0);
    assert_in_range((uint64_t)progress_rate(&p), 4 * MIB - MIB / 64, 4 * MIB + MIB / 64);
}

static void the_time_left_is_ten_times_as_calm(void **state)
{
    (void)state;
    struct progress p = {0};
    uint64_t at = 0, moved = 0;

    progress_sample(&p, at, moved);
    feed(&p, &at, &moved, 200, 8 * MIB);
    feed(&p, &at, &moved, 10, 0);
    uint64_t left = progress_left(&p, 40 * MIB);
    assert_in_range(left, 9, 11); /* half of 8 MiB/s is left after ten seconds */
}

static void a_stall_has_no_time_left(void **state)
{
    (void)state;
    struct progress p = {0};
    uint64_t at = 0, moved = 0;

    progress_sample(&p, at, moved);
    feed(&p, &at, &moved, 10, 0);
    assert_true(progress_left(&p, 1) == UINT64_MAX);
}

static void time_or_bytes_that_go_back_do_no_harm(void **state)
{
    (void)state;
    struct progress p = {0};

    progress_sample(&p, 1000 * QUARTER, 50 * MIB);
    progress_sample(&p, 900 * QUARTER, 60 * MIB);
    progress_sample(&p, 1004 * QUARTER, 40 * MIB);
    assert_int_equal((uint64_t)progress_rate(&p), 0);
}

static struct progress_view view(void)
{
    return (struct progress_view){VIEW_DATA, "film.mkv", 0, 1, 412 * MIB, 1454 * MIB};
}

static void the_line_has_it_all(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    uint64_t at = 0, moved = 0;
    char out[512];

    progress_sample(&p, at, moved);
    feed(&p, &at, &moved, 4, 692 * MIB);
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  412 MiB / 1.42 GiB  28%  692 MiB/s  ETA 0:02");
    v.files_done = 3;
    v.files_total = 120;
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out),
                        "[3/120] film.mkv  412 MiB / 1.42 GiB  28%  692 MiB/s  ETA 0:02");
}

static void hundred_percent_is_all_of_it(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    char out[512];

    v.bytes_done = v.bytes_total - 1;
    assert_non_null(strstr(progress_line(&p, &v, 80, out, sizeof out), "  99%"));
    v.bytes_done = v.bytes_total;
    assert_non_null(strstr(progress_line(&p, &v, 80, out, sizeof out), "  100%, making it safe"));
    v.bytes_done = v.bytes_total = 0;
    assert_null(strchr(progress_line(&p, &v, 80, out, sizeof out), '%'));
}

static void a_wait_has_a_reason(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    char out[512];

    v.phase = progress_phase("connecting");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  connecting");
    v.phase = progress_phase("listing");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  listing: 1 files, 1.42 GiB so far");
    v.phase = progress_phase("finishing");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  1.42 GiB  100%, making it safe on disk");
}

static void a_put_tells_what_goes_on(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    uint64_t at = 0, moved = 0;
    char out[512];

    progress_sample(&p, at, moved);
    feed(&p, &at, &moved, 4, 692 * MIB);
    v.phase = progress_phase("index");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  indexing it there  28%  692 MiB/s  ETA 0:02");
    v.phase = progress_phase("fetch");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  fetching the index  28%  692 MiB/s  ETA 0:02");
    v.phase = progress_phase("diff");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  comparing  28%  692 MiB/s  ETA 0:02");
    v.phase = progress_phase("send");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  412 MiB / 1.42 GiB  28%  692 MiB/s  ETA 0:02");
    v.phase = progress_phase("gather");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  building it there  28%  692 MiB/s  ETA 0:02");
    v.phase = progress_phase("finish");
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  1.42 GiB  100%, making it safe on disk");
    v.bytes_total = 0;
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  making it safe on disk");
}

/* All is sent, and still to be built or placed. */
static void what_is_sent_is_not_safe_yet(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    char out[512];

    v.phase = progress_phase("send");
    v.bytes_done = v.bytes_total;
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "film.mkv  1.42 GiB / 1.42 GiB  100%  0 B/s  ETA --:--");
}

static void a_phase_that_nobody_knows_is_a_wait(void **state)
{
    (void)state;
    assert_int_equal(progress_phase("dreaming"), VIEW_WAITING);
    assert_false(progress_flows(progress_phase("dreaming")));
    assert_true(progress_flows(progress_phase("gather")));
}

static void a_stream_has_no_percent(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = {.phase = progress_phase("stream"), .name = "bob:log", .bytes_done = 3 << 20};
    char out[512];

    progress_sample(&p, 0, 0);
    progress_sample(&p, 1000000000, 1 << 20);
    assert_string_equal(progress_line(&p, &v, 80, out, sizeof out), "bob:log  3.00 MiB  1.00 MiB/s");
}

static void it_fits_any_width(void **state)
{
    (void)state;
    struct progress p = {0};
    struct progress_view v = view();
    char name[600], out[2048];

    for (size_t i = 0; i + 3 < sizeof name; i += 3)
        memcpy(name + i, "\xe5\x86\x99", 4);
    v.name = name;
    v.files_total = UINT64_MAX;
    v.files_done = UINT64_MAX;
    v.bytes_total = UINT64_MAX;
    for (size_t columns = 0; columns < 400; columns++)
        if (width_of(progress_line(&p, &v, columns, out, sizeof out)) > columns)
            fail_msg("%zu columns: %s", columns, out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_rate_is_shown_from_the_first_quarter_second),
        cmocka_unit_test(the_rate_halves_its_distance_in_a_second),
        cmocka_unit_test(the_time_left_is_ten_times_as_calm),
        cmocka_unit_test(a_stall_has_no_time_left),
        cmocka_unit_test(time_or_bytes_that_go_back_do_no_harm),
        cmocka_unit_test(the_line_has_it_all),
        cmocka_unit_test(hundred_percent_is_all_of_it),
        cmocka_unit_test(a_wait_has_a_reason),
        cmocka_unit_test(a_put_tells_what_goes_on),
        cmocka_unit_test(what_is_sent_is_not_safe_yet),
        cmocka_unit_test(a_phase_that_nobody_knows_is_a_wait),
        cmocka_unit_test(a_stream_has_no_percent),
        cmocka_unit_test(it_fits_any_width),
    };

    return cmocka_run_group_tests_name("cli_progress", tests, NULL, NULL);
}

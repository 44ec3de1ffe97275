/* The small pure parts of the program: units, widths, targets, suggestions, exit statuses. */
#include "err.h"
#include "exits.h"
#include "fingerprint.h"
#include "suggest.h"
#include "target.h"
#include "units.h"
#include "width.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)

static void sizes_have_three_digits_and_round_into_the_next_unit(void **state)
{
    (void)state;
    assert_string_equal(units_size(0).s, "0 B");
    assert_string_equal(units_size(1023).s, "1023 B");
    assert_string_equal(units_size(KIB).s, "1.00 KiB");
    assert_string_equal(units_size(1524713390).s, "1.42 GiB");
    assert_string_equal(units_size(14 * KIB * KIB).s, "14.0 MiB");
    assert_string_equal(units_size(725614592).s, "692 MiB");
    assert_string_equal(units_size(1023 * KIB).s, "1023 KiB");
    assert_string_equal(units_size(KIB * KIB - 1).s, "1.00 MiB");
    assert_string_equal(units_size(UINT64_MAX).s, "16.0 EiB");
}

static void ratios(void **state)
{
    (void)state;
    assert_string_equal(units_ratio(1 << 30, 402 << 10).s, "2,608:1");
    assert_string_equal(units_ratio(1 << 20, 1 << 20).s, "1.0:1");
    assert_string_equal(units_ratio(9949, 1000).s, "9.9:1");
    assert_string_equal(units_ratio(9951, 1000).s, "10:1");
    assert_string_equal(units_ratio(999, 1).s, "999:1");
    assert_string_equal(units_ratio(1000, 0).s, "1,000:1");
    assert_string_equal(units_ratio(1234567, 1).s, "1,234,567:1");
    assert_string_equal(units_ratio(3, 4).s, "0.8:1");
    assert_string_equal(units_ratio(UINT64_C(1) << 63, 1).s, "9,223,372,036,854,775,808:1");
}

static void durations_and_clocks(void **state)
{
    (void)state;
    assert_string_equal(units_duration(0).s, "0 us");
    assert_string_equal(units_duration(830).s, "830 us");
    assert_string_equal(units_duration(45100).s, "45.1 ms");
    assert_string_equal(units_duration(999960).s, "1.0 s");
    assert_string_equal(units_duration(2100000).s, "2.1 s");
    assert_string_equal(units_duration(200000000).s, "3 min 20 s");
    assert_string_equal(units_duration(UINT64_C(7500000000)).s, "2 h 5 min");
    assert_string_equal(units_duration(UINT64_C(180000000000)).s, "2 d 2 h");
    assert_string_equal(units_clock(7).s, "0:07");
    assert_string_equal(units_clock(750).s, "12:30");
    assert_string_equal(units_clock(7384).s, "2:03:04");
}

static void durations_are_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "m", "10x", "1h ", "-5s", "+5", " 5", "5s5", "0x10", "1.5h", "10m-", "99999999999999999999s", "9007199254740993d"};
    int64_t s = 0;

    assert_true(units_parse_duration("30s", &s) && s == 30);
    assert_true(units_parse_duration("10m", &s) && s == 600);
    assert_true(units_parse_duration("1h30m", &s) && s == 5400);
    assert_true(units_parse_duration("2d", &s) && s == 172800);
    assert_true(units_parse_duration("45", &s) && s == 45);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (units_parse_duration(wrong[i], &s))
            fail_msg("\"%s\" was read as a duration", wrong[i]);
}

static void numbers_keep_their_bounds(void **state)
{
    (void)state;
    int64_t n = 0;

    assert_true(units_parse_int("65535", 1, 65535, &n) && n == 65535);
    assert_false(units_parse_int("65536", 1, 65535, &n));
    assert_false(units_parse_int("0", 1, 65535, &n));
    assert_false(units_parse_int("1a", 1, 65535, &n));
    assert_false(units_parse_int("", 0, 9, &n));
    assert_true(units_parse_int("-3", -5, 5, &n) && n == -3);
}

static void modes_and_times_p36(void **state)
{
    (void)state;
    assert_string_equal(units_mode("dir", 0755).s, "drwxr-xr-x");
    assert_string_equal(units_mode("link", 0777).s, "lrwxrwxrwx");
    assert_string_equal(units_mode("file", 0640).s, "-rw-r-----");
    assert_string_equal(units_mode("other", 0).s, "?---------");
    setenv("TZ", "UTC", 1);
    assert_string_equal(units_time(0).s, "1970-01-01 00:00");
    assert_string_equal(units_time(-86400).s, "1969-12-31 00:00");
    assert_string_equal(units_time(INT64_MAX).s, "9223372036854775807");
}

static void widths_count_columns(void **state)
{
    (void)state;
    char out[64];

    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(width_of("photos"), 6);
    assert_int_equal(width_of("\xc3\xa4rger"), 5);
    assert_int_equal(width_of("\xe5\x86\x99\xe7\x9c\x9f"), 4);
    assert_int_equal(width_of("a\xff"
                              "b"),
                     3);
    assert_int_equal(width_of("a\xe5"), 2);
    assert_string_equal(width_cut("photos", 6, out, sizeof out), "photos");
    assert_string_equal(width_cut("photos", 5, out, sizeof out), "ph...");
    assert_string_equal(width_cut("\xe5\x86\x99\xe7\x9c\x9f"
                                  "abc",
                                  6, out, sizeof out),
                        "\xe5\x86\x99...");
    assert_string_equal(width_cut("photos", 2, out, sizeof out), "");
    assert_string_equal(width_cut("photos", 80, out, 6), "ph...");
}

static void a_target_is_scp_s(void **state)
{
    (void)state;
    assert_true(target_is_remote("bob:x"));
    assert_false(target_is_remote("./bob:x"));
    assert_false(target_is_remote("/a/b:c"));
    assert_false(target_is_remote(":x"));
    assert_false(target_is_remote("file"));
}

static void assert_target(const char *text, const char *whole, const char *name)
{
    struct target t;
    struct fault why = {0};

    assert_int_equal(target_parse(text, &t, &why), 0);
    assert_string_equal(t.text, whole);
    assert_string_equal(t.name, name);
    target_fini(&t);
}

static void assert_no_target(const char *text, const char *said)
{
    struct target t;
    struct fault why = {0};

    assert_int_equal(target_parse(text, &t, &why), ERR_USAGE);
    if (!strstr(why.text, said))
        fail_msg("\"%s\" does not say \"%s\"", why.text, said);
    target_fini(&t);
}

static void targets_are_parsed(void **state)
{
    (void)state;
    assert_target("bob:photos", "bob:photos", "photos");
    assert_target("bob:photos/", "bob:photos", "photos");
    assert_target("bob:photos/a//b/./c/", "bob:photos/a/b/c", "c");
    assert_target("bob:photos/...", "bob:photos/...", "...");
    assert_target("bob:a:b/c:d", "bob:a:b/c:d", "c:d");
    assert_target("bob:x/\xff\xfe", "bob:x/\xff\xfe", "\xff\xfe");
    assert_no_target("/etc/passwd", "path on this machine");
    assert_no_target("photos", "PEER:SHARE/PATH");
    assert_no_target("bob:", "which share?");
    assert_no_target("bob:/photos", "share's name is missing");
    assert_no_target("bob:photos/../x", "\"..\"");
    assert_no_target("bob:photos/..", "\"..\"");
}

static void ls_takes_a_peer_alone(void **state)
{
    (void)state;
    struct target t;
    struct fault why = {0};

    assert_int_equal(target_parse_loose("bob", &t, &why), 0);
    assert_string_equal(t.text, "bob");
    target_fini(&t);
    assert_int_equal(target_parse_loose("bob:", &t, &why), 0);
    assert_string_equal(t.text, "bob");
    target_fini(&t);
    assert_int_equal(target_parse_loose("./x", &t, &why), ERR_USAGE);
    target_fini(&t);
    assert_int_equal(target_parse_loose("", &t, &why), ERR_USAGE);
    target_fini(&t);
}

static void distances(void **state)
{
    (void)state;
    char longest[200];

    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(suggest_distance("get", "get"), 0);
    assert_int_equal(suggest_distance("gte", "get"), 1);
    assert_int_equal(suggest_distance("gt", "get"), 1);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance(longest, "a"), SUGGEST_FAR);
}

static void only_near_words_are_suggested(void **state)
{
    (void)state;
    struct suggest s = {.typed = "bbo"};

    suggest_consider(&s, "anna");
    assert_null(s.best);
    suggest_consider(&s, "bob");
    suggest_consider(&s, "bub");
    assert_string_equal(s.best, "bob");
}

static void every_error_has_its_exit_status(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        int status;
    } own[] = {{ERR_USAGE, 2},   {ERR_UNREACHABLE, 3}, {ERR_REFUSED, 4},    {ERR_DENIED, 4},  {ERR_LOCKED, 1},
               {ERR_PARTIAL, 5}, {ERR_NOT_FOUND, 6},   {ERR_VERIFY, 7},     {ERR_DAMAGED, 7}, {ERR_NOSPACE, 8},
               {ERR_GUARD, 9},   {ERR_TIMEOUT, 10},    {ERR_CANCELLED, 130}};

    for (int code = 1; code < ERR_COUNT; code++) {
        int wanted = 1;
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            wanted = (int)own[i].code == code ? own[i].status : wanted;
        assert_int_equal(exits_of(err_name(code)), wanted);
    }
    assert_int_equal(exits_of("from-the-future"), 1);
    assert_int_equal(exits_of(NULL), 1);
}

static void fingerprints_are_in_groups_of_four(void **state)
{
    (void)state;
    const char *id = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsq";

    assert_string_equal(fingerprint_of(id).s, "abcd efgh ijkl mnop qrst uvwx yz23 4567 abcd efgh ijkl mnop qrsq");
    assert_string_equal(fingerprint_of("").s, "");
    assert_true(fingerprint_is_id(id));
    assert_false(fingerprint_is_id("bob"));
    assert_false(fingerprint_is_id("abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqr!!"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_three_digits_and_round_into_the_next_unit),
        cmocka_unit_test(ratios),
        cmocka_unit_test(durations_and_clocks),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(numbers_keep_their_bounds),
        cmocka_unit_test(modes_and_times_p36),
        cmocka_unit_test(widths_count_columns),
        cmocka_unit_test(a_target_is_scp_s),
        cmocka_unit_test(targets_are_parsed),
        cmocka_unit_test(ls_takes_a_peer_alone),
        cmocka_unit_test(distances),
        cmocka_unit_test(only_near_words_are_suggested),
        cmocka_unit_test(every_error_has_its_exit_status),
        cmocka_unit_test(fingerprints_are_in_groups_of_four),
    };

    return cmocka_run_group_tests_name("cli_text", tests, NULL, NULL);
}

/* Rows: fields in order, getters with fallbacks, bounds, golden bytes, and what is refused. */
#include "err.h"
#include "golden.h"
#include "row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char sample_hex[] = "9e                          # row\n"
                                 "  07                        #   seq\n"
                                 "  a5 65 6e 74 72 79         #   kind: entry\n"
                                 "  a4 6e 61 6d 65            #   name\n"
                                 "  a5 61 2e 6a 70 67         #     a.jpg\n"
                                 "  a4 73 69 7a 65            #   size\n"
                                 "  cd 04 d2                  #     1234\n"
                                 "  a5 6d 74 69 6d 65         #   mtime\n"
                                 "  ff                        #     -1\n"
                                 "  a3 64 69 72               #   dir\n"
                                 "  c3                        #     true\n"
                                 "  a6 74 61 72 67 65 74      #   target\n"
                                 "  c0                        #     nil\n"
                                 "  a3 72 61 77               #   raw\n"
                                 "  c4 02 ff 00               #     two bytes\n";

static struct row *sample(void)
{
    struct row *row = row_new("entry");
    assert_non_null(row);
    row_text(row, "name", "a.jpg");
    row_int(row, "size", 1234);
    row_int(row, "mtime", -1);
    row_bool(row, "dir", true);
    row_text(row, "target", NULL);
    row_data(row, "raw", "\xff", 2);
    return row;
}

static void golden_bytes_hold_both_ways(void **unused)
{
    (void)unused;
    uint8_t golden[128], buf[128];
    uint64_t seq;
    size_t n = golden_parse(sample_hex, golden, sizeof golden), len;
    struct row *row = sample(), *back;
    assert_int_equal(row_encode(row, 7, buf, sizeof buf, &len), 0);
    assert_int_equal(len, n);
    assert_memory_equal(buf, golden, n);
    row_free(row);

    assert_int_equal(row_decode(golden, n, &seq, &back), 0);
    assert_int_equal(seq, 7);
    assert_int_equal(row_encode(back, 7, buf, sizeof buf, &len), 0);
    assert_int_equal(len, n);
    assert_memory_equal(buf, golden, n);
    row_free(back);
}

static void fields_are_kept_in_order(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        enum row_type type;
    } expected[] = {{"name", ROW_TEXT}, {"size", ROW_INT},   {"mtime", ROW_INT},
                    {"dir", ROW_BOOL},  {"target", ROW_NIL}, {"raw", ROW_DATA}};
    struct row *row = sample();
    size_t n;
    assert_string_equal(row_kind(row), "entry");
    assert_int_equal(row_fields(row), sizeof expected / sizeof *expected);
    for (size_t i = 0; i < row_fields(row); i++) {
        assert_string_equal(row_name_at(row, i), expected[i].name);
        assert_int_equal(row_type_at(row, i), expected[i].type);
    }
    assert_string_equal(row_bytes_at(row, 0, &n), "a.jpg");
    assert_int_equal(n, 5);
    assert_int_equal(row_int_at(row, 2), -1);
    assert_true(row_bool_at(row, 3));
    assert_null(row_bytes_at(row, 4, &n));
    assert_int_equal(n, 0);
    row_free(row);
}

static void getters_fall_back_for_what_is_missing_or_of_another_type(void **unused)
{
    (void)unused;
    struct row *row = sample();
    size_t n;
    assert_string_equal(row_get_text(row, "name", "x"), "a.jpg");
    assert_string_equal(row_get_text(row, "nam", "x"), "x");
    assert_string_equal(row_get_text(row, "size", "x"), "x");
    assert_string_equal(row_get_text(row, "target", "x"), "x");
    assert_string_equal(row_get_text(row, "raw", "x"), "x");
    assert_int_equal(row_get_int(row, "size", 9), 1234);
    assert_int_equal(row_get_int(row, "dir", 9), 9);
    assert_int_equal(row_get_int(row, "gone", 9), 9);
    assert_true(row_get_bool(row, "dir", false));
    assert_true(row_get_bool(row, "size", true));
    assert_memory_equal(row_get_bytes(row, "raw", &n), "\xff\0", 3); /* terminated behind its end */
    assert_int_equal(n, 2);
    assert_string_equal(row_get_bytes(row, "name", &n), "a.jpg");
    assert_null(row_get_bytes(row, "size", &n));
    assert_null(row_get_bytes(row, "gone", &n));
    row_free(row);
}

static void a_name_may_stand_more_than_once(void **unused)
{
    (void)unused;
    struct row *row = row_new("get");
    row_text(row, "source", "a");
    row_text(row, "dest", ".");
    row_text(row, "source", "b");
    assert_int_equal(row_count(row, "source"), 2);
    assert_int_equal(row_count(row, "gone"), 0);
    assert_string_equal(row_get_text_at(row, "source", 1, "x"), "b");
    assert_string_equal(row_get_text_at(row, "source", 2, "x"), "x");
    row_free(row);
}

static void no_row_takes_anything(void **unused)
{
    (void)unused;
    row_bool(NULL, "a", true);
    row_int(NULL, "a", 1);
    row_text(NULL, "a", "b");
    row_text(NULL, "a", NULL);
    row_data(NULL, "a", "b", 1);
    row_free(NULL);
}

static void p25_text_that_is_not_utf8_becomes_data(void **unused)
{
    (void)unused;
    struct row *row = row_new("entry");
    size_t n;
    row_text(row, "name", "caf\xe9");
    assert_int_equal(row_type_at(row, 0), ROW_DATA);
    assert_string_equal(row_get_bytes(row, "name", &n), "caf\xe9");
    assert_int_equal(n, 4);
    row_free(row);
}

static void borrowed_data_is_not_copied_until_it_is_encoded(void **unused)
{
    (void)unused;
    static uint8_t big[57344], buf[ROW_BYTES];
    size_t n, len;
    uint64_t seq;
    struct row *row = row_new("batch"), *back;
    memset(big, 'x', sizeof big);
    row_int(row, "before", 1);
    row_data_borrowed(row, "batch", big, sizeof big);
    row_data_borrowed(row, "none", NULL, 0);
    row_data_borrowed(NULL, "batch", big, sizeof big);
    assert_ptr_equal(row_get_bytes(row, "batch", &n), big);
    assert_int_equal(n, sizeof big);
    big[0] = 'a';
    assert_int_equal(row_encode(row, 1, buf, sizeof buf, &len), 0);
    row_free(row);
    assert_int_equal(row_decode(buf, len, &seq, &back), 0);
    assert_memory_equal(row_get_bytes(back, "batch", &n), big, sizeof big);
    assert_int_equal(row_get_bytes(back, "batch", &n)[n], 0);
    row_free(back);
}

/* Borrowed text stays where it is while fields are added. */
static void borrowed_text_does_not_move(void **unused)
{
    (void)unused;
    struct row *row = sample();
    const char *name = row_get_text(row, "name", NULL);
    for (int i = 0; i < 400; i++)
        row_int(row, "n", i);
    assert_ptr_equal(row_get_text(row, "name", NULL), name);
    assert_string_equal(name, "a.jpg");
    row_free(row);
}

static void p45_a_row_is_bounded(void **unused)
{
    (void)unused;
    static uint8_t buf[2 * ROW_BYTES], big[ROW_BYTES + 1];
    size_t len;
    uint64_t seq;
    struct row *row = row_new("many"), *back;
    for (int i = 0; i < ROW_FIELDS; i++)
        row_int(row, "n", INT64_MIN);
    assert_int_equal(row_encode(row, UINT64_MAX, buf, sizeof buf, &len), 0);
    assert_int_equal(row_decode(buf, len, &seq, &back), 0);
    assert_int_equal(row_fields(back), ROW_FIELDS);
    row_free(back);
    row_int(row, "n", 1);
    assert_int_equal(row_encode(row, 1, buf, sizeof buf, &len), ERR_LIMIT);
    assert_int_equal(row_fields(row), ROW_FIELDS);
    row_free(row);

    for (size_t n = ROW_BYTES - 64; n <= ROW_BYTES + 1; n++) {
        row = row_new("big");
        row_data(row, "d", big, n);
        if (row_encode(row, UINT64_MAX, buf, sizeof buf, &len) == 0) {
            assert_true(len <= ROW_BYTES);
            assert_int_equal(row_decode(buf, len, &seq, &back), 0);
            row_free(back);
        } else {
            assert_true(n > ROW_BYTES - 32);
        }
        row_free(row);
    }
}

static void encoding_without_room_fails(void **unused)
{
    (void)unused;
    uint8_t buf[128];
    size_t need, len;
    struct row *row = sample();
    assert_int_equal(row_encode(row, 7, buf, sizeof buf, &need), 0);
    assert_int_equal(row_encode(row, 7, buf, need - 1, &len), ERR_LIMIT);
    assert_int_equal(len, 0);
    row_free(row);
}

static void every_truncation_is_malformed(void **unused)
{
    (void)unused;
    uint8_t golden[128];
    uint64_t seq;
    size_t n = golden_parse(sample_hex, golden, sizeof golden);
    for (size_t cut = 0; cut < n; cut++) {
        struct row *back;
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, golden, cut);
        assert_int_equal(row_decode(exact, cut, &seq, &back), ERR_MALFORMED);
        assert_null(back);
        free(exact);
    }
}

static void wrong_rows_are_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *hex;
        int err;
    } cases[] = {
        {"92 00 a1 61", 0},
        {"94 00 a1 61 a1 62 c0", 0},
        {"90", ERR_MALFORMED}, /* no seq, no kind */
        {"91 00", ERR_MALFORMED},
        {"93 00 a1 61 a1 62", ERR_MALFORMED},    /* a name without a value */
        {"92 ff a1 61", ERR_MALFORMED},          /* negative seq */
        {"92 00 a0", ERR_MALFORMED},             /* no kind */
        {"92 00 a1 41", ERR_MALFORMED},          /* upper case */
        {"92 00 c4 01 61", ERR_MALFORMED},       /* kind as bytes */
        {"94 00 a1 61 a0 c0", ERR_MALFORMED},    /* empty name */
        {"94 00 a1 61 a1 0a c0", ERR_MALFORMED}, /* control character in a name */
        {"94 00 a1 61 01 c0", ERR_MALFORMED},
        {"94 00 a1 61 a1 62 90", ERR_MALFORMED},              /* a list as value */
        {"94 00 a1 61 a1 62 a1 ff", ERR_MALFORMED},           /* text that is no UTF-8 */
        {"94 00 a1 61 a1 62 cf 8000000000000000", ERR_LIMIT}, /* beyond int64 */
        {"92 00 b8 616161616161616161616161616161616161616161616161", ERR_LIMIT},
        {"dd ffffffff", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[64];
        uint64_t seq;
        struct row *row;
        size_t n = golden_parse(cases[i].hex, bytes, sizeof bytes);
        int err = row_decode(bytes, n, &seq, &row);
        if (err != cases[i].err || (err != 0) != (row == NULL))
            fail_msg("%s: %s", cases[i].hex, err_name(err));
        row_free(row);
    }
    static uint8_t big[ROW_BYTES + 1];
    uint64_t seq;
    struct row *row;
    assert_int_equal(row_decode(big, sizeof big, &seq, &row), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(fields_are_kept_in_order),
        cmocka_unit_test(getters_fall_back_for_what_is_missing_or_of_another_type),
        cmocka_unit_test(a_name_may_stand_more_than_once),
        cmocka_unit_test(no_row_takes_anything),
        cmocka_unit_test(p25_text_that_is_not_utf8_becomes_data),
        cmocka_unit_test(borrowed_text_does_not_move),
        cmocka_unit_test(borrowed_data_is_not_copied_until_it_is_encoded),
        cmocka_unit_test(p45_a_row_is_bounded),
        cmocka_unit_test(encoding_without_room_fails),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(wrong_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

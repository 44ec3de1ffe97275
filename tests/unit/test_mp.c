/* The bounded MessagePack writer and reader: what the scan refuses, what the cursor refuses, and that errors stick. */
#include "golden.h"

#include "err.h"
#include "limits.h"
#include "mp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int opened(const void *bytes, size_t n, size_t max_items)
{
    struct mpr r;
    int err = mpr_open(&r, bytes, n, max_items);
    mpr_close(&r);
    return err;
}

struct scan_case {
    const char *hex;
    int err;
};

static void scan_takes_and_refuses(void **unused)
{
    (void)unused;
    static const struct scan_case cases[] = {
        {"c0", 0},
        {"c2", 0},
        {"c3", 0},
        {"00", 0},
        {"7f", 0},
        {"e0", 0},
        {"ff", 0},
        {"90", 0},
        {"a0", 0},
        {"c4 00", 0},
        {"cc 80", 0},
        {"cd 0100", 0},
        {"ce 00010000", 0},
        {"cf 0000000100000000", 0},
        {"d0 80", 0},
        {"d1 8000", 0},
        {"d2 80000000", 0},
        {"d3 8000000000000000", 0},
        {"a1 61", 0},
        {"d9 01 61", 0},
        {"da 0001 61", 0},
        {"db 00000001 61", 0},
        {"c4 01 ff", 0},
        {"c5 0001 ff", 0},
        {"c6 00000001 ff", 0},
        {"92 01 02", 0},
        {"dc 0002 01 02", 0},
        {"dd 00000002 01 02", 0},
        {"92 90 91 90", 0},
        {"", ERR_MALFORMED}, /* nothing */
        {"c0 c0", ERR_MALFORMED},
        {"90 c0", ERR_MALFORMED}, /* left over */
        {"92 01", ERR_MALFORMED},
        {"91", ERR_MALFORMED}, /* too few items */
        {"cc", ERR_MALFORMED},
        {"cd 01", ERR_MALFORMED},
        {"ce 000100", ERR_MALFORMED},
        {"cf 00000001000000", ERR_MALFORMED},
        {"d0", ERR_MALFORMED},
        {"d1 80", ERR_MALFORMED},
        {"d2 800000", ERR_MALFORMED},
        {"d3 80000000000000", ERR_MALFORMED},
        {"a1", ERR_MALFORMED},
        {"a2 61", ERR_MALFORMED},
        {"d9", ERR_MALFORMED},
        {"d9 01", ERR_MALFORMED},
        {"da 00", ERR_MALFORMED},
        {"da 0002 61", ERR_MALFORMED},
        {"db ffffffff 61", ERR_MALFORMED},
        {"c4 02 61", ERR_MALFORMED},
        {"c5 ffff 61", ERR_MALFORMED},
        {"c6 ffffffff 61", ERR_MALFORMED},
        {"dd ffffffff", ERR_MALFORMED}, /* five bytes that claim four billion items */
        {"dd 00000003 01 02", ERR_MALFORMED},
        {"dc ffff 01", ERR_MALFORMED},
        {"91 dd ffffffff", ERR_MALFORMED},
        {"80", ERR_MALFORMED},
        {"81 01 02", ERR_MALFORMED},
        {"de 0000", ERR_MALFORMED},
        {"df 00000000", ERR_MALFORMED},
        {"ca 00000000", ERR_MALFORMED},
        {"cb 0000000000000000", ERR_MALFORMED},
        {"d4 01 00", ERR_MALFORMED},
        {"d5 01 0000", ERR_MALFORMED},
        {"d6 01 00000000", ERR_MALFORMED},
        {"d7 01 0000000000000000", ERR_MALFORMED},
        {"d8 01 00000000000000000000000000000000", ERR_MALFORMED},
        {"c7 00 01", ERR_MALFORMED},
        {"c8 0000 01", ERR_MALFORMED},
        {"c9 00000000 01", ERR_MALFORMED},
        {"c1", ERR_MALFORMED},          /* never used */
        {"91 91 91 91 91 91 91 90", 0}, /* eight deep */
        {"91 91 91 91 91 91 91 91 90", ERR_LIMIT},
        {"91 91 91 91 91 91 91 91 c0", 0},
        {"91 91 91 91 91 91 91 91 91 c0", ERR_LIMIT},
        {"9f 0102030405060708090a0b0c0d0e0f", 0}, /* sixteen values */
        {"dc 0010 0102030405060708090a0b0c0d0e0f10", ERR_LIMIT},
        {"98 01 02 03 04 05 06 07 98 01 02 03 04 05 06 07 08", ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t buf[64];
        size_t n = golden_parse(cases[i].hex, buf, sizeof buf);
        uint8_t *exact = malloc(n ? n : 1); /* so that the sanitizer sees a read behind the end */
        memcpy(exact, buf, n);
        int err = opened(exact, n, 16);
        free(exact);
        if (err != cases[i].err)
            fail_msg("%s: %s instead of %s", cases[i].hex, err_name(err), err_name(cases[i].err));
    }
}

/* The cost of a message is bounded by its own length: no frame of any five first bytes may claim memory. */
static void p45_no_short_frame_opens_big(void **unused)
{
    (void)unused;
    for (unsigned head = 0; head < 256; head++) {
        uint8_t frame[5] = {(uint8_t)head, 0x7f, 0xff, 0xff, 0xff};
        int err = opened(frame, sizeof frame, MSG_ITEMS_MAX);
        assert_true(err == ERR_MALFORMED || head == 0xce || head == 0xd2 || head == 0x94 || head == 0xa4);
    }
}

static size_t sample_write(uint8_t *buf, size_t cap)
{
    struct mpw w;
    size_t n;
    mpw_init(&w, buf, cap);
    mpw_array(&w, 8);
    mpw_uint(&w, UINT64_MAX);
    mpw_int(&w, INT64_MIN);
    mpw_int(&w, INT64_MAX);
    mpw_bool(&w, true);
    mpw_nil(&w);
    mpw_str(&w, "gr\xc3\xbc\xc3\x9f");
    mpw_bin(&w, "\0\xff", 2);
    mpw_array(&w, 0);
    return mpw_finish(&w, &n) == 0 ? n : 0;
}

static void what_was_written_is_read(void **unused)
{
    (void)unused;
    uint8_t buf[64], two[2];
    char text[8];
    struct mpr r;
    size_t n = sample_write(buf, sizeof buf);
    assert_true(n > 0);
    assert_int_equal(mpr_open(&r, buf, n, 9), 0);
    assert_int_equal(mpr_peek(&r), MP_ARRAY);
    mpr_array_of(&r, 8);
    assert_true(mpr_uint(&r, UINT64_MAX) == UINT64_MAX);
    assert_int_equal(mpr_peek(&r), MP_INT);
    assert_true(mpr_int(&r) == INT64_MIN);
    assert_true(mpr_int(&r) == INT64_MAX);
    assert_true(mpr_bool(&r));
    assert_int_equal(mpr_peek(&r), MP_NIL);
    mpr_nil(&r);
    mpr_str(&r, text, sizeof text);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    mpr_bin_of(&r, two, 2);
    assert_memory_equal(two, "\0\xff", 2);
    assert_int_equal(mpr_array(&r, 0), 0);
    mpr_leave(&r);
    assert_int_equal(mpr_peek(&r), MP_NONE);
    mpr_leave(&r);
    assert_int_equal(mpr_close(&r), 0);
}

static void a_writer_without_room_says_so(void **unused)
{
    (void)unused;
    uint8_t buf[64];
    size_t n = sample_write(buf, sizeof buf);
    for (size_t cap = 0; cap < n; cap++) {
        uint8_t *exact = malloc(cap ? cap : 1);
        assert_int_equal(sample_write(exact, cap), 0);
        free(exact);
    }
    assert_int_equal(sample_write(buf, n), n);
}

static void s3_a_writer_zeroes_its_buffer(void **unused)
{
    (void)unused;
    uint8_t buf[256];
    memset(buf, 0xee, sizeof buf);
    size_t n = sample_write(buf, sizeof buf);
    for (size_t i = n; i < sizeof buf; i++)
        assert_int_equal(buf[i], 0);
}

/* ---- the cursor: one wrong read each, of a given value inside an array */

static void read_uint9(struct mpr *r)
{
    mpr_uint(r, 9);
}
static void read_int(struct mpr *r)
{
    mpr_int(r);
}
static void read_bool(struct mpr *r)
{
    mpr_bool(r);
}
static void read_nil(struct mpr *r)
{
    mpr_nil(r);
}
static void read_str4(struct mpr *r)
{
    char text[4];
    mpr_str(r, text, sizeof text);
}
static void read_bin3(struct mpr *r)
{
    size_t n;
    mpr_bin(r, 3, &n);
}
static void read_bin_of3(struct mpr *r)
{
    uint8_t out[3];
    mpr_bin_of(r, out, 3);
}
static void read_array2(struct mpr *r)
{
    size_t n = mpr_array(r, 2);
    while (n--)
        mpr_uint(r, 9);
    mpr_leave(r);
}
static void read_array_of2(struct mpr *r)
{
    mpr_array_of(r, 2);
    mpr_uint(r, 9);
    mpr_uint(r, 9);
    mpr_leave(r);
}
static void read_nothing(struct mpr *r)
{
    (void)r;
}

struct read_case {
    void (*read)(struct mpr *r);
    const char *hex;
    int err;
};

static void the_cursor_takes_one_type_and_range(void **unused)
{
    (void)unused;
    static const struct read_case cases[] = {
        {read_uint9, "00", 0},
        {read_uint9, "09", 0},
        {read_uint9, "cf 0000000000000009", 0},
        {read_uint9, "0a", ERR_LIMIT},
        {read_uint9, "cf ffffffffffffffff", ERR_LIMIT},
        {read_uint9, "ff", ERR_MALFORMED},
        {read_uint9, "a1 31", ERR_MALFORMED},
        {read_uint9, "c0", ERR_MALFORMED},
        {read_uint9, "c3", ERR_MALFORMED},
        {read_int, "d3 8000000000000000", 0},
        {read_int, "cf 7fffffffffffffff", 0},
        {read_int, "d0 05", 0},
        {read_int, "cf 8000000000000000", ERR_LIMIT},
        {read_int, "a0", ERR_MALFORMED},
        {read_bool, "c2", 0},
        {read_bool, "c3", 0},
        {read_bool, "01", ERR_MALFORMED},
        {read_bool, "c0", ERR_MALFORMED},
        {read_nil, "c0", 0},
        {read_nil, "c2", ERR_MALFORMED},
        {read_nil, "90", ERR_MALFORMED},
        {read_str4, "a0", 0},
        {read_str4, "a3 616263", 0},
        {read_str4, "a4 61626364", ERR_LIMIT},
        {read_str4, "a1 00", ERR_MALFORMED},
        {read_str4, "a2 c080", ERR_MALFORMED},
        {read_str4, "c4 01 61", ERR_MALFORMED},
        {read_bin3, "c4 00", 0},
        {read_bin3, "c4 03 000000", 0},
        {read_bin3, "c4 04 00000000", ERR_LIMIT},
        {read_bin3, "a1 61", ERR_MALFORMED},
        {read_bin_of3, "c4 03 000000", 0},
        {read_bin_of3, "c4 02 0000", ERR_MALFORMED},
        {read_bin_of3, "c4 04 00000000", ERR_MALFORMED},
        {read_array2, "90", 0},
        {read_array2, "92 01 02", 0},
        {read_array2, "93 01 02 03", ERR_LIMIT},
        {read_array2, "01", ERR_MALFORMED},
        {read_array_of2, "92 01 02", 0},
        {read_array_of2, "91 01", ERR_MALFORMED},
        {read_array_of2, "93 01 02 03", ERR_MALFORMED},
        {read_nothing, "01", ERR_MALFORMED}, /* unread */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mpr r;
        uint8_t buf[32] = {0x91};
        size_t n = 1 + golden_parse(cases[i].hex, buf + 1, sizeof buf - 1);
        assert_int_equal(mpr_open(&r, buf, n, 16), 0);
        mpr_array_of(&r, 1);
        cases[i].read(&r);
        mpr_leave(&r);
        int err = mpr_close(&r);
        if (err != cases[i].err)
            fail_msg("case %zu, %s: %s instead of %s", i, cases[i].hex, err_name(err), err_name(cases[i].err));
    }
}

static void reading_past_the_end_fails(void **unused)
{
    (void)unused;
    struct mpr r;
    assert_int_equal(mpr_open(&r, "\x91\x05", 2, 2), 0);
    mpr_array_of(&r, 1);
    assert_int_equal(mpr_uint(&r, 9), 5);
    assert_int_equal(mpr_uint(&r, 9), 0);
    assert_int_equal(mpr_close(&r), ERR_MALFORMED);
}

/* What stands unread at any level is an error, also when the codec forgot to leave. */
static void close_notices_what_was_not_read(void **unused)
{
    (void)unused;
    struct mpr r;
    assert_int_equal(mpr_open(&r, "\x05", 1, 1), 0);
    assert_int_equal(mpr_close(&r), ERR_MALFORMED);
    assert_int_equal(mpr_open(&r, "\x92\x05\x05", 3, 3), 0);
    mpr_array_of(&r, 2);
    mpr_uint(&r, 9);
    assert_int_equal(mpr_close(&r), ERR_MALFORMED);
}

static void the_first_error_stays_and_all_reads_are_empty(void **unused)
{
    (void)unused;
    struct mpr r;
    uint8_t buf[64], out[4];
    char text[8] = "before";
    size_t n = sample_write(buf, sizeof buf), len;
    assert_int_equal(mpr_open(&r, buf, n, 9), 0);
    mpr_fail(&r, ERR_VERIFY);
    mpr_fail(&r, ERR_LIMIT);
    memset(out, 0xee, sizeof out);
    assert_int_equal(mpr_array(&r, 9), 0);
    assert_int_equal(mpr_uint(&r, 9), 0);
    assert_int_equal(mpr_int(&r), 0);
    assert_false(mpr_bool(&r));
    mpr_str(&r, text, sizeof text);
    assert_string_equal(text, "");
    assert_non_null(mpr_bin(&r, 9, &len));
    assert_int_equal(len, 0);
    assert_non_null(mpr_str_ref(&r, 9, &len));
    assert_int_equal(len, 0);
    mpr_bin_of(&r, out, sizeof out);
    assert_memory_equal(out, "\0\0\0\0", 4);
    assert_int_equal(mpr_peek(&r), MP_NONE);
    mpr_leave(&r);
    assert_int_equal(mpr_close(&r), ERR_VERIFY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_takes_and_refuses),
        cmocka_unit_test(p45_no_short_frame_opens_big),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_writer_without_room_says_so),
        cmocka_unit_test(s3_a_writer_zeroes_its_buffer),
        cmocka_unit_test(the_cursor_takes_one_type_and_range),
        cmocka_unit_test(reading_past_the_end_fails),
        cmocka_unit_test(close_notices_what_was_not_read),
        cmocka_unit_test(the_first_error_stays_and_all_reads_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

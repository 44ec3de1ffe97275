/* Receipts: golden bytes, every truncation, every byte altered, other keys. */
#include "golden.h"
#include "receipt.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[RECEIPT_KEY_BYTES] = {1, 2, 3};
static const struct receipt sample = {.channel = {.b = {0xc0, 0xff, 0xee}}, .seq = 123456789012};

static void golden_bytes_and_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[RECEIPT_BYTES_MAX], golden[RECEIPT_BYTES_MAX];
    struct receipt back;
    size_t n = receipt_write(&sample, key, bytes);
    assert_int_equal(n, golden_load("receipt/receipt.hex", golden, sizeof golden));
    assert_memory_equal(bytes, golden, n);
    assert_int_equal(receipt_read(bytes, n, &back), 0);
    assert_memory_equal(&back, &sample, sizeof back);
    assert_true(receipt_proves(bytes, n, key));
}

static void s44_a_receipt_that_is_cut_or_altered_proves_nothing(void **state)
{
    (void)state;
    uint8_t bytes[RECEIPT_BYTES_MAX], other[RECEIPT_KEY_BYTES] = {1, 2, 4};
    struct receipt back;
    size_t n = receipt_write(&sample, key, bytes);
    assert_false(receipt_proves(bytes, n, other));
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_not_equal(receipt_read(bytes, cut, &back), 0);
        assert_false(receipt_proves(bytes, cut, key));
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(receipt_proves(bytes, n, key));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(receipt_proves(bytes, n, key));
}

static void s44_numbers_over_the_largest_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[RECEIPT_BYTES_MAX];
    struct receipt back, largest = sample;
    largest.seq = INT64_MAX;
    size_t n = receipt_write(&largest, key, bytes);
    assert_int_equal(receipt_read(bytes, n, &back), 0);
    largest.seq++;
    n = receipt_write(&largest, key, bytes);
    assert_int_equal(receipt_read(bytes, n, &back), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_and_round_trip),
        cmocka_unit_test(s44_a_receipt_that_is_cut_or_altered_proves_nothing),
        cmocka_unit_test(s44_numbers_over_the_largest_are_refused),
    };
    return cmocka_run_group_tests_name("receipt", tests, NULL, NULL);
}

/* The hash of a whole file: the same however it is fed, and as file_hash.h defines it. */
#include "file_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK FILE_HASH_BLOCK

static uint8_t *bytes_of(size_t n)
{
    uint8_t *b = malloc(n);
    assert_non_null(b);
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(i * 31 + i / 977);
    return b;
}

/* As the header says it, in the plainest way. */
static struct hash128 plain(const uint8_t *b, size_t n)
{
    struct hash128 block[8];
    size_t count = 0;
    for (size_t at = 0; at < n; at += BLOCK)
        block[count++] = hash128_of(b + at, n - at < BLOCK ? n - at : BLOCK);
    return hash128_of(block, count * sizeof *block);
}

static struct hash128 fed(const uint8_t *b, size_t n, size_t portion)
{
    struct file_hash h;
    struct hash128 sum;
    assert_int_equal(file_hash_init(&h), 0);
    for (size_t at = 0; at < n; at += portion)
        file_hash_bytes(&h, b + at, n - at < portion ? n - at : portion);
    assert_int_equal(file_hash_sum(&h, &sum), 0);
    file_hash_free(&h);
    return sum;
}

static void is_what_the_header_says_at_every_size(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5};
    (void)state;
    uint8_t *b = bytes_of(2 * BLOCK + 5);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct hash128 want = plain(b, sizes[i]);
        struct hash128 whole = fed(b, sizes[i], 3 * BLOCK), odd = fed(b, sizes[i], 999983);
        assert_true(hash128_equal(&want, &whole));
        assert_true(hash128_equal(&want, &odd));
    }
    free(b);
}

static void parts_made_apart_are_joined(void **state)
{
    struct file_hash first, second;
    struct hash128 sum;
    size_t n = 3 * BLOCK + 77;
    (void)state;
    uint8_t *b = bytes_of(n);
    assert_int_equal(file_hash_init(&first) | file_hash_init(&second), 0);
    file_hash_bytes(&first, b, 2 * BLOCK);
    file_hash_bytes(&second, b + 2 * BLOCK, BLOCK + 50);
    file_hash_fold(&first);
    file_hash_join(&first, &second);
    file_hash_bytes(&first, b + 3 * BLOCK + 50, 20);
    file_hash_fold(&first);
    assert_int_equal(first.count, 0);
    file_hash_bytes(&first, b + 3 * BLOCK + 70, 7);
    assert_int_equal(file_hash_sum(&first, &sum), 0);
    struct hash128 want = plain(b, n);
    assert_true(hash128_equal(&want, &sum));
    file_hash_free(&first);
    file_hash_free(&second);
    free(b);
}

/* P32: a hole costs nothing, but it is in its place. */
static void p32_holes_are_passed_over(void **state)
{
    struct file_hash h;
    struct hash128 sum, block[3];
    (void)state;
    assert_int_equal(file_hash_init(&h), 0);
    file_hash_bytes(&h, "head", 4);
    file_hash_hole(&h, 2 * BLOCK);
    file_hash_bytes(&h, "tail", 4);
    assert_int_equal(file_hash_sum(&h, &sum), 0);
    block[0] = hash128_of("head", 4);
    block[1] = hash128_of("", 0);
    block[2] = hash128_of("tail", 4);
    struct hash128 want = hash128_of(block, sizeof block);
    assert_true(hash128_equal(&want, &sum));
    file_hash_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_the_header_says_at_every_size),
        cmocka_unit_test(parts_made_apart_are_joined),
        cmocka_unit_test(p32_holes_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

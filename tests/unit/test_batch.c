/* Batches: golden bytes, every truncation, every length over its cap, walking, skipping and building. */
#include "batch.h"
#include "err.h"
#include "golden.h"
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {"weft", "", "a pipe"};
#define WORDS (sizeof words / sizeof *words)

/* Reads from memory of exactly that size, so that a read behind its end is seen. */
static int read_exactly(const uint8_t *bytes, size_t n, struct batch *out)
{
    uint8_t *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    int err = batch_read(exact, n, out);
    free(exact);
    return err;
}

/* Asserts that a batch holds the words from `first` on and nothing else. */
static void assert_words(const struct batch *b, size_t first)
{
    const uint8_t *bytes;
    size_t at = 0, n, i = first;
    assert_int_equal(b->count, WORDS - first);
    while (batch_next(b, &at, &bytes, &n)) {
        assert_true(i < WORDS);
        assert_int_equal(n, strlen(words[i]));
        assert_memory_equal(bytes, words[i], n);
        i++;
    }
    assert_int_equal(i, WORDS);
    assert_int_equal(at, b->n);
}

static void golden_bytes_hold_both_ways(void **state)
{
    (void)state;
    uint8_t golden[64], built[64];
    size_t n = golden_load("batch/words.hex", golden, sizeof golden), used = 0;
    for (size_t i = 0; i < WORDS; i++)
        assert_int_equal(batch_add(built, sizeof built, &used, words[i], strlen(words[i])), 0);
    assert_int_equal(used, n);
    assert_memory_equal(built, golden, n);
    struct batch b;
    assert_int_equal(batch_read(golden, n, &b), 0);
    assert_words(&b, 0);
    assert_int_equal(batch_cost(&b), n + WORDS * PIPE_MESSAGE_COST);
}

/* A batch cut short is malformed, unless the cut is between two messages: what is left is then a batch too. */
static void every_truncation_is_malformed_or_between_messages(void **state)
{
    (void)state;
    uint8_t golden[64];
    size_t size = golden_load("batch/words.hex", golden, sizeof golden), whole = 0;
    for (size_t n = 0; n < size; n++) {
        struct batch b;
        bool between = n == 0 || n == 8 || n == 12;
        assert_int_equal(read_exactly(golden, n, &b), between ? 0 : ERR_MALFORMED);
        whole += between;
        assert_int_equal(b.count, n == 0 || !between ? 0 : n == 8 ? 1 : 2);
    }
    assert_int_equal(whole, 3);
}

static void nothing_is_a_batch_without_messages(void **state)
{
    (void)state;
    struct batch b;
    const uint8_t *bytes;
    size_t at = 0, n;
    assert_int_equal(batch_read(NULL, 0, &b), 0);
    assert_int_equal(b.count, 0);
    assert_false(batch_next(&b, &at, &bytes, &n));
    assert_int_equal(batch_cost(&b), 0);
    b = batch_skip(&b, 7);
    assert_int_equal(b.count, 0);
}

static void s22_a_message_ends_at_its_cap(void **state)
{
    (void)state;
    uint8_t *buf = calloc(1, BATCH_HEAD + PIPE_MESSAGE_MAX + 1);
    assert_non_null(buf);
    size_t used = 0;
    struct batch b;
    assert_int_equal(batch_add(buf, SIZE_MAX, &used, buf, PIPE_MESSAGE_MAX + 1), ERR_LIMIT);
    assert_int_equal(used, 0);
    assert_int_equal(batch_add(buf, BATCH_HEAD + PIPE_MESSAGE_MAX, &used, "", 0), 0);
    buf[2] = PIPE_MESSAGE_MAX >> 8;
    buf[3] = PIPE_MESSAGE_MAX & 0xff;
    assert_int_equal(read_exactly(buf, BATCH_HEAD + PIPE_MESSAGE_MAX, &b), 0);
    buf[3] = (PIPE_MESSAGE_MAX & 0xff) + 1;
    assert_int_equal(read_exactly(buf, BATCH_HEAD + PIPE_MESSAGE_MAX + 1, &b), ERR_LIMIT);
    free(buf);
}

static void s22_a_batch_ends_at_its_cap(void **state)
{
    (void)state;
    uint8_t *buf = calloc(1, BATCH_BYTES_MAX + BATCH_HEAD);
    assert_non_null(buf);
    struct batch b;
    assert_int_equal(read_exactly(buf, BATCH_BYTES_MAX, &b), 0);
    assert_int_equal(b.count, BATCH_BYTES_MAX / BATCH_HEAD);
    assert_int_equal(batch_cost(&b), BATCH_BYTES_MAX + (uint64_t)b.count * PIPE_MESSAGE_COST);
    assert_int_equal(read_exactly(buf, BATCH_BYTES_MAX + BATCH_HEAD, &b), ERR_LIMIT);
    assert_int_equal(b.count, 0);
    free(buf);
}

static void s1_lengths_beyond_the_bytes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int err;
    } cases[] = {
        {"00 00 00 01", ERR_MALFORMED},    {"00 00 00 02 61", ERR_MALFORMED},
        {"00 00 00 00 00", ERR_MALFORMED}, {"00 00 00 01 61 00 00 00", ERR_MALFORMED},
        {"00 00 c0 01", ERR_LIMIT},        {"7f ff ff ff 61", ERR_LIMIT},
        {"ff ff ff ff 61", ERR_LIMIT},     {"ff ff ff fc 61 61 61 61", ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[16];
        struct batch b;
        size_t n = golden_parse(cases[i].hex, bytes, sizeof bytes);
        assert_int_equal(read_exactly(bytes, n, &b), cases[i].err);
        assert_int_equal(b.count, 0);
        assert_int_equal(b.n, 0);
    }
}

static void any_number_of_messages_can_be_skipped(void **state)
{
    (void)state;
    uint8_t golden[64];
    struct batch b;
    size_t n = golden_load("batch/words.hex", golden, sizeof golden);
    assert_int_equal(batch_read(golden, n, &b), 0);
    for (uint32_t skip = 0; skip <= WORDS; skip++) {
        struct batch rest = batch_skip(&b, skip), again;
        assert_words(&rest, skip);
        assert_int_equal(batch_read(rest.bytes, rest.n, &again), 0);
        assert_int_equal(again.count, rest.count);
    }
    assert_int_equal(batch_skip(&b, UINT32_MAX).count, 0);
    assert_int_equal(batch_skip(&b, UINT32_MAX).n, 0);
}

static void a_full_buffer_takes_nothing(void **state)
{
    (void)state;
    uint8_t buf[16];
    for (size_t cap = 0; cap < 2 * BATCH_HEAD + 3; cap++) {
        size_t used = 0;
        int first = batch_add(buf, cap, &used, "abc", 3);
        assert_int_equal(first, cap < BATCH_HEAD + 3 ? ERR_FULL : 0);
        assert_int_equal(used, first ? 0 : BATCH_HEAD + 3);
        assert_int_equal(batch_add(buf, used, &used, "", 0), ERR_FULL);
        assert_int_equal(used, first ? 0 : BATCH_HEAD + 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(every_truncation_is_malformed_or_between_messages),
        cmocka_unit_test(nothing_is_a_batch_without_messages),
        cmocka_unit_test(s22_a_message_ends_at_its_cap),
        cmocka_unit_test(s22_a_batch_ends_at_its_cap),
        cmocka_unit_test(s1_lengths_beyond_the_bytes_are_refused),
        cmocka_unit_test(any_number_of_messages_can_be_skipped),
        cmocka_unit_test(a_full_buffer_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

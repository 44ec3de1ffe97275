/* Regions: arrays without gaps, fewer of them where that is cheaper, and their bytes on the wire, each of which is checked. */
#include "err.h"
#include "golden.h"
#include "limits.h"
#include "regions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OFFSET_MAX ((uint64_t)INT64_MAX)
#define MANY UINT32_MAX

static const struct regions_part all = {.length = OFFSET_MAX, .count = GATHER_REGIONS_MAX, .len = GATHER_REGION_BYTES_MAX};

static void add(struct regions *r, enum region_kind kind, uint64_t source, uint64_t length)
{
    assert_int_equal(regions_add(r, kind, source, length, MANY), 0);
}

static void assert_region(const struct regions *r, uint32_t i, const struct region *expected)
{
    assert_true(i < r->count);
    assert_int_equal(r->region[i].kind, expected->kind);
    assert_int_equal(r->region[i].source, expected->source);
    assert_int_equal(r->region[i].destination, expected->destination);
    assert_int_equal(r->region[i].length, expected->length);
}

static void assert_same(const struct regions *a, const struct regions *b)
{
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_region(a, i, &b->region[i]);
    }
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->literals, b->literals);
    assert_int_equal(a->copied, b->copied);
}

/* One of each kind, from the middle of a file on: the golden one. */
static struct regions some(void)
{
    struct regions r;
    regions_init(&r, 1000, 50);
    add(&r, REGION_COPY, 300, 200);
    add(&r, REGION_LITERAL, 0, 10);
    add(&r, REGION_COPY, 500, 1);
    add(&r, REGION_COPY, 0, 4096);
    add(&r, REGION_HOLE, 0, 1ull << 40);
    add(&r, REGION_LITERAL, 0, 32);
    return r;
}

/* ---- arrays */

static void gather_4_neighbours_that_are_one_are_joined(void **state)
{
    (void)state;
    struct regions r;
    regions_init(&r, 0, 0);
    add(&r, REGION_COPY, 10, 5);
    add(&r, REGION_COPY, 15, 5);
    add(&r, REGION_COPY, 19, 5);
    add(&r, REGION_LITERAL, 0, 1);
    add(&r, REGION_LITERAL, 99, 2);
    add(&r, REGION_LITERAL, 0, 0);
    add(&r, REGION_HOLE, 7, 3);
    add(&r, REGION_HOLE, 0, 4);
    add(&r, REGION_LITERAL, 0, 1);
    assert_int_equal(r.count, 5);
    assert_region(&r, 0, &(struct region){REGION_COPY, 10, 0, 10});
    assert_region(&r, 1, &(struct region){REGION_COPY, 19, 10, 5});
    assert_region(&r, 2, &(struct region){REGION_LITERAL, 0, 15, 3});
    assert_region(&r, 3, &(struct region){REGION_HOLE, 0, 18, 7});
    assert_region(&r, 4, &(struct region){REGION_LITERAL, 3, 25, 1});
    assert_true(r.end == 26 && r.literals == 4 && r.copied == 15);
    regions_free(&r);
}

static void what_is_over_a_cap_is_not_added(void **state)
{
    (void)state;
    struct regions r;
    regions_init(&r, 1, 0);
    assert_int_equal(regions_add(&r, REGION_COPY, 0, OFFSET_MAX, MANY), ERR_LIMIT);
    assert_int_equal(regions_add(&r, REGION_COPY, 0, UINT64_MAX, MANY), ERR_LIMIT);
    assert_int_equal(regions_add(&r, REGION_COPY, 2, OFFSET_MAX - 1, MANY), ERR_LIMIT);
    assert_int_equal(regions_add(&r, REGION_COPY, OFFSET_MAX + 1, 1, MANY), ERR_LIMIT);
    assert_int_equal(r.count, 0);
    assert_int_equal(regions_add(&r, REGION_COPY, 1, OFFSET_MAX - 1, 1), 0);
    assert_int_equal(r.end, OFFSET_MAX);
    assert_int_equal(regions_add(&r, REGION_HOLE, 0, 1, MANY), ERR_LIMIT);
    regions_free(&r);
    regions_init(&r, 0, OFFSET_MAX - 1);
    add(&r, REGION_LITERAL, 0, 1);
    assert_int_equal(regions_add(&r, REGION_LITERAL, 0, 1, MANY), ERR_LIMIT);
    assert_int_equal(regions_add(&r, REGION_HOLE, 0, 1, 1), ERR_LIMIT); /* one too many */
    assert_int_equal(r.count, 1);
    regions_free(&r);
}

static void short_copies_become_literals(void **state)
{
    (void)state;
    struct regions r = some(), expected;
    regions_init(&expected, 1000, 50);
    add(&expected, REGION_COPY, 300, 200);
    add(&expected, REGION_LITERAL, 0, 11);
    add(&expected, REGION_COPY, 0, 4096);
    add(&expected, REGION_HOLE, 0, 1ull << 40);
    add(&expected, REGION_LITERAL, 0, 32);
    assert_int_equal(regions_simplify(&r, MANY, 32), 0);
    assert_same(&r, &expected);
    assert_int_equal(regions_simplify(&r, 5, 0), 0); /* no need */
    assert_same(&r, &expected);
    regions_free(&r);
    regions_free(&expected);
}

static void the_shortest_copies_go_first_and_no_more_than_need_be(void **state)
{
    (void)state;
    struct regions r;
    regions_init(&r, 0, 0);
    for (uint64_t i = 0; i < 100; i++) {
        add(&r, REGION_COPY, 100000 * i, 1000 + (i * 37) % 100);
        add(&r, REGION_LITERAL, 0, 5);
    }
    uint64_t end = r.end;
    assert_int_equal(regions_simplify(&r, 100, 1), 0);
    assert_in_range(r.count, 99, 100);
    assert_int_equal(r.end, end);
    assert_int_equal(r.end, r.literals + r.copied);
    for (uint32_t i = 0; i < r.count; i++) {
        assert_true(r.region[i].kind == REGION_LITERAL || r.region[i].length >= 1050);
    }
    assert_int_equal(regions_simplify(&r, 1, 1), 0);
    assert_region(&r, 0, &(struct region){REGION_LITERAL, 0, 0, end});
    add(&r, REGION_HOLE, 0, 1);
    assert_int_equal(regions_simplify(&r, 1, 1), ERR_LIMIT); /* a hole is never turned into bytes */
    assert_int_equal(r.count, 2);
    assert_int_equal(regions_simplify(&r, 0, 1), ERR_LIMIT);
    regions_free(&r);
}

/* ---- on the wire */

static void regions_have_their_golden_bytes(void **state)
{
    (void)state;
    uint8_t expected[64], bytes[64];
    struct regions r = some(), back;
    struct regions_cursor at = {0};
    struct regions_part most = all, part;
    size_t n = golden_load("gather/regions.hex", expected, sizeof expected);
    most.len = sizeof bytes;
    assert_int_equal(regions_encode(&r, &at, &most, bytes, &part), 0);
    assert_int_equal(part.len, n);
    assert_memory_equal(bytes, expected, n);
    assert_int_equal(part.from, 1000);
    assert_int_equal(part.count, r.count);
    assert_int_equal(part.length, r.end - r.start);
    regions_init(&back, 1000, 50);
    assert_int_equal(regions_decode(bytes, n, part.count, part.length, &back), 0);
    assert_same(&r, &back);
    assert_int_equal(regions_encode(&r, &at, &most, bytes, &part), 0);
    assert_true(part.count == 0 && part.len == 0 && part.from == r.end);
    regions_free(&r);
    regions_free(&back);
}

static void p41_every_truncation_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t n = golden_load("gather/regions.hex", bytes, sizeof bytes);
    struct regions whole = some(), r;
    for (size_t k = 0; k <= n; k++) {
        uint8_t *exact = malloc(k ? k : 1); /* so that one byte too far is seen */
        memcpy(exact, bytes, k);
        regions_init(&r, 1000, 50);
        assert_int_equal(regions_decode(exact, k, whole.count, whole.end - 1000, &r), k == n ? 0 : ERR_MALFORMED);
        assert_int_equal(r.count, k == n ? whole.count : 0);
        regions_free(&r);
        free(exact);
    }
    regions_free(&whole);
}

/* Decodes what stands in hex. */
static int decoded(const char *hex, uint32_t count, uint64_t length, uint64_t start, uint64_t literals)
{
    uint8_t bytes[64];
    size_t n = golden_parse(hex, bytes, sizeof bytes);
    struct regions r;
    regions_init(&r, start, literals);
    int rc = regions_decode(bytes, n, count, length, &r);
    assert_true(rc == 0 || (r.count == 0 && r.region == NULL));
    regions_free(&r);
    return rc;
}

static void p41_what_no_file_can_consist_of_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *why;
        uint32_t count;
        uint64_t length, start, literals;
        int rc;
    } cases[] = {
        {"", "nothing", 0, 0, 0, 0, 0},
        {"04", "one literal", 1, 1, 0, 0, 0},
        {"06", "one hole", 1, 1, 0, 0, 0},
        {"05 00", "one copy", 1, 1, 0, 0, 0},
        {"07", "a kind that is none", 1, 1, 0, 0, ERR_MALFORMED},
        {"00", "length 0", 1, 0, 0, 0, ERR_MALFORMED},
        {"01 00", "a copy of length 0", 1, 0, 0, 0, ERR_MALFORMED},
        {"04", "fewer than announced", 2, 1, 0, 0, ERR_MALFORMED},
        {"04 06", "more than announced", 1, 1, 0, 0, ERR_MALFORMED},
        {"04", "bytes though none was announced", 0, 0, 0, 0, ERR_MALFORMED},
        {"04", "shorter than announced", 1, 2, 0, 0, ERR_MALFORMED},
        {"08", "longer than announced", 1, 1, 0, 0, ERR_MALFORMED},
        {"04 04", "two literals that are one", 2, 2, 0, 0, ERR_MALFORMED},
        {"06 06", "two holes that are one", 2, 2, 0, 0, ERR_MALFORMED},
        {"05 02 05 00", "two copies that are one", 2, 2, 0, 0, ERR_MALFORMED},
        {"05 02 05 02", "two copies that are not", 2, 2, 0, 0, 0},
        {"05 02 05 03", "the same byte twice: distance -2", 2, 2, 0, 0, 0},
        {"05 01", "a source below 0", 1, 1, 0, 0, ERR_MALFORMED},
        {"05 02 05 05", "a source below 0 by the distance", 2, 2, 0, 0, ERR_MALFORMED},
        {"05 fe ff ff ff ff ff ff ff ff 01", "a copy that ends beyond 2^63 - 1", 1, 1, 0, 0, ERR_MALFORMED},
        {"05 fc ff ff ff ff ff ff ff ff 01", "one that ends there", 1, 1, 0, 0, 0},
        {"05 ff ff ff ff ff ff ff ff ff 01", "distance -2^63", 1, 1, 0, 0, ERR_MALFORMED},
        {"84 00", "a varint longer than it need be", 1, 1, 0, 0, ERR_MALFORMED},
        {"84 80 80 80 80 80 80 80 80 02", "one of 65 bits", 1, 1, 0, 0, ERR_MALFORMED},
        {"84 80 80 80 80 80 80 80 80 80 00", "one of 11 bytes", 1, 1, 0, 0, ERR_MALFORMED},
        {"04", "beyond 2^63 - 1 in the destination", 1, 1, INT64_MAX, 0, ERR_MALFORMED},
        {"04", "up to it", 1, 1, INT64_MAX - 1, 0, 0},
        {"06", "a start beyond it", 1, 1, UINT64_MAX, 0, ERR_MALFORMED},
        {"04", "beyond it in the literals", 1, 1, 0, INT64_MAX, ERR_MALFORMED},
        {"06 fc ff ff ff ff ff ff ff ff 01", "the longest", 2, (1ull << 62), 0, 0, 0},
        {"06 fc ff ff ff ff ff ff ff ff 01", "a sum of 2^63", 2, (1ull << 62), 1ull << 62, 0, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = decoded(cases[i].hex, cases[i].count, cases[i].length, cases[i].start, cases[i].literals);
        if (rc != cases[i].rc) {
            fail_msg("%s: %d", cases[i].why, rc);
        }
    }
}

static void p41_millions_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    static uint8_t bytes[GATHER_REGION_BYTES_MAX + 1];
    struct regions r;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = i % 2 ? 6 : 4;
    }
    regions_init(&r, 0, 0);
    assert_int_equal(regions_decode(bytes, sizeof bytes, 1, 1, &r), ERR_LIMIT);
    assert_int_equal(regions_decode(bytes, 4, UINT32_MAX, UINT32_MAX, &r), ERR_LIMIT);
    assert_int_equal(regions_decode(bytes, 4, GATHER_REGIONS_MAX, GATHER_REGIONS_MAX, &r), ERR_MALFORMED);
    assert_int_equal(regions_decode(bytes, GATHER_REGIONS_MAX + 1, GATHER_REGIONS_MAX + 1, GATHER_REGIONS_MAX + 1, &r),
                     ERR_LIMIT);
    regions_init(&r, 0, 0);
    assert_int_equal(regions_decode(bytes, GATHER_REGIONS_MAX, GATHER_REGIONS_MAX, GATHER_REGIONS_MAX, &r), 0);
    assert_int_equal(r.count, GATHER_REGIONS_MAX);
    regions_free(&r);
}

/* ---- over several messages */

/* Encodes all of r in parts of at most `most`, decodes them, and puts them together again. */
static uint32_t through_messages(const struct regions *r, const struct regions_part *most, struct regions *whole)
{
    struct regions_cursor at = {0};
    struct regions_part part;
    uint32_t parts = 0;
    uint8_t *buf = malloc(most->len);
    regions_init(whole, r->start, r->from_literal);
    for (;; parts++) {
        struct regions one;
        assert_int_equal(regions_encode(r, &at, most, buf, &part), 0);
        if (part.count == 0) {
            break;
        }
        assert_int_equal(part.from, whole->end);
        assert_true(part.len <= most->len && part.count <= most->count && part.length <= most->length);
        regions_init(&one, part.from, whole->from_literal + whole->literals);
        assert_int_equal(regions_decode(buf, part.len, part.count, part.length, &one), 0);
        for (uint32_t i = 0; i < one.count; i++) {
            add(whole, one.region[i].kind, one.region[i].source, one.region[i].length);
        }
        regions_free(&one);
    }
    free(buf);
    return parts;
}

static void gather_5_an_array_goes_in_as_many_messages_as_it_needs(void **state)
{
    (void)state;
    static const struct regions_part mosts[] = {
        {.length = OFFSET_MAX, .count = GATHER_REGIONS_MAX, .len = GATHER_REGION_BYTES_MAX},
        {.length = 1ull << 39, .count = 3, .len = 4096},
        {.length = 1ull << 40, .count = 1, .len = 20},
        {.length = 7ull << 37, .count = GATHER_REGIONS_MAX, .len = 23},
    };
    struct regions r = some(), back;
    for (uint64_t i = 0; i < 500; i++) {
        add(&r, REGION_COPY, (i * 7919) % 1000 * 4096, 1 + i * i * i);
        add(&r, (i % 3) ? REGION_LITERAL : REGION_HOLE, 0, i + 1);
    }
    for (size_t i = 0; i < sizeof mosts / sizeof mosts[0]; i++) {
        uint32_t parts = through_messages(&r, &mosts[i], &back);
        assert_true(i == 0 ? parts == 1 : parts > 100);
        assert_same(&r, &back);
        regions_free(&back);
    }
    regions_free(&r);
}

static void a_region_longer_than_a_message_can_say_is_split(void **state)
{
    (void)state;
    struct regions r, back;
    regions_init(&r, 0, 0);
    add(&r, REGION_HOLE, 0, OFFSET_MAX);
    assert_int_equal(through_messages(&r, &all, &back), 3); /* 2^62 - 1, as many again, and 1 */
    assert_same(&r, &back);
    regions_free(&r);
    regions_free(&back);
}

static void what_does_not_fit_at_all_is_told(void **state)
{
    (void)state;
    static const struct regions_part mosts[] = {{.length = 1, .count = 1}, {.count = 1, .len = 9}, {.length = 1, .len = 9}};
    struct regions r = some();
    uint8_t buf[9];
    for (size_t i = 0; i < sizeof mosts / sizeof mosts[0]; i++) {
        struct regions_cursor at = {0};
        struct regions_part part;
        assert_int_equal(regions_encode(&r, &at, &mosts[i], buf, &part), ERR_LIMIT);
        assert_true(at.next == 0 && at.done == 0);
    }
    regions_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_4_neighbours_that_are_one_are_joined),
        cmocka_unit_test(what_is_over_a_cap_is_not_added),
        cmocka_unit_test(short_copies_become_literals),
        cmocka_unit_test(the_shortest_copies_go_first_and_no_more_than_need_be),
        cmocka_unit_test(regions_have_their_golden_bytes),
        cmocka_unit_test(p41_every_truncation_is_refused),
        cmocka_unit_test(p41_what_no_file_can_consist_of_is_refused),
        cmocka_unit_test(p41_millions_are_refused_before_memory_is_taken),
        cmocka_unit_test(gather_5_an_array_goes_in_as_many_messages_as_it_needs),
        cmocka_unit_test(a_region_longer_than_a_message_can_say_is_split),
        cmocka_unit_test(what_does_not_fit_at_all_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

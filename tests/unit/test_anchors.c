/* Content indexes: the same bytes have the same segments, wherever they stand and however they were fed; and a file that says
 * it is an index is one, or refused. */
#include "anchors.h"
#include "chance.h"
#include "golden.h"
#include "hash128.h"
#include "limits.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED 7
#define BYTES 300000

static uint8_t *noise(size_t n, uint64_t seed)
{
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(random_next(&seed) >> 32);
    }
    return bytes;
}

static struct anchors *empty(uint64_t seed)
{
    struct anchors *a;
    assert_int_equal(anchors_new(seed, &a), 0);
    return a;
}

static struct anchors *indexed(const void *bytes, size_t n)
{
    struct anchors *a = empty(SEED);
    assert_int_equal(anchors_feed(a, bytes, n), 0);
    assert_int_equal(anchors_finish(a), 0);
    return a;
}

static void assert_same(const struct anchors *a, const struct anchors *b)
{
    assert_int_equal(anchors_size(a), anchors_size(b));
    assert_int_equal(anchors_count(a), anchors_count(b));
    for (uint64_t i = 0; i < anchors_count(a); i++) {
        struct segment s = anchors_segment(a, i), t = anchors_segment(b, i);
        assert_true(s.number == i && s.offset == t.offset && s.length == t.length && s.hash == t.hash && s.hole == t.hole);
    }
}

/* ---- making one */

static void segments_are_as_long_as_was_promised(void **state)
{
    (void)state;
    size_t n = 4 << 20;
    uint8_t *bytes = noise(n, 1);
    struct anchors *a = indexed(bytes, n);
    uint64_t count = anchors_count(a), end = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct segment s = anchors_segment(a, i);
        assert_int_equal(s.offset, end);
        assert_true(s.length <= SEGMENT_MAX && (s.length >= SEGMENT_MIN || i + 1 == count));
        assert_int_equal(s.hash, anchors_hash(a, bytes + s.offset, s.length));
        end += s.length;
    }
    assert_int_equal(end, n);
    assert_in_range(n / count, SEGMENT_MEAN - 20, SEGMENT_MEAN + 20);
    assert_in_range(anchors_memory(a), count * 10, count * 30);
    anchors_free(a);
    free(bytes);
}

static void portions_of_any_size_make_the_same_index(void **state)
{
    (void)state;
    static const size_t portions[] = {1, 2, 63, 255, 256, 257, 4095, 4096, 4097, 65536};
    uint8_t *bytes = noise(BYTES, 2);
    memset(bytes + 100000, 0, 50000); /* and segments that end because they are long enough */
    struct anchors *whole = indexed(bytes, BYTES);
    for (size_t i = 0; i < sizeof portions / sizeof portions[0]; i++) {
        struct anchors *a = empty(SEED);
        for (size_t at = 0; at < BYTES; at += portions[i]) {
            assert_int_equal(anchors_feed(a, bytes + at, portions[i] < BYTES - at ? portions[i] : BYTES - at), 0);
        }
        assert_int_equal(anchors_finish(a), 0);
        assert_same(a, whole);
        anchors_free(a);
    }
    anchors_free(whole);
    free(bytes);
}

static void tiny_files_have_indexes_too(void **state)
{
    (void)state;
    uint8_t *bytes = noise(5000, 3);
    for (size_t n = 0; n <= 300; n++) {
        struct anchors *a = indexed(bytes, n);
        assert_int_equal(anchors_count(a), n == 0 ? 0 : n <= SEGMENT_MIN ? 1 : anchors_count(a));
        assert_int_equal(anchors_size(a), n);
        for (uint64_t at = 0; at < n; at++) {
            struct segment s = anchors_at(a, at);
            assert_true(s.offset <= at && at - s.offset < s.length);
        }
        anchors_free(a);
    }
    free(bytes);
}

static void another_seed_has_other_anchors(void **state)
{
    (void)state;
    uint8_t *bytes = noise(BYTES, 4);
    struct anchors *a = indexed(bytes, BYTES), *b = empty(SEED + 1);
    assert_int_equal(anchors_feed(b, bytes, BYTES), 0);
    assert_int_equal(anchors_finish(b), 0);
    assert_int_equal(anchors_seed(b), SEED + 1);
    assert_true(anchors_segment(a, 0).hash != anchors_segment(b, 0).hash);
    assert_true(anchors_segment(a, 9).offset != anchors_segment(b, 9).offset);
    anchors_free(a);
    anchors_free(b);
    free(bytes);
}

static void p32_holes_cost_nothing(void **state)
{
    (void)state;
    uint8_t *bytes = noise(10000, 5);
    struct anchors *a = empty(SEED);
    struct segment s;
    assert_int_equal(anchors_feed_hole(a, 0), 0);
    assert_int_equal(anchors_feed_hole(a, 1ull << 40), 0);
    assert_int_equal(anchors_feed_hole(a, 1ull << 40), 0);
    assert_int_equal(anchors_count(a), 1);
    assert_int_equal(anchors_feed(a, bytes, 10000), 0);
    assert_int_equal(anchors_feed_hole(a, 5), 0);
    assert_int_equal(anchors_feed(a, bytes, 1), 0);
    assert_int_equal(anchors_finish(a), 0);
    assert_int_equal(anchors_size(a), (2ull << 40) + 10006);
    s = anchors_at(a, (2ull << 40) - 1);
    assert_true(s.hole && s.offset == 0 && s.length == 2ull << 40);
    assert_true(anchors_next(a, &s) && !s.hole && s.offset == 2ull << 40);
    s = anchors_at(a, (2ull << 40) + 10004);
    assert_true(s.hole && s.offset == (2ull << 40) + 10000 && s.length == 5);
    assert_true(anchors_next(a, &s) && !s.hole && s.length == 1);
    assert_false(anchors_next(a, &s));
    assert_int_equal(anchors_feed_hole(a, INT64_MAX), ERR_LIMIT);
    anchors_free(a);
    free(bytes);
}

/* ---- segments again */

/* How many segments of b are in a too. */
static uint64_t shared(const struct anchors *a, const struct anchors *b)
{
    struct finder *f;
    uint64_t n = 0, number;
    assert_int_equal(finder_new(a, &f), 0);
    for (uint64_t i = 0; i < anchors_count(b); i++) {
        struct segment s = anchors_segment(b, i);
        n += finder_find(f, &s, 0, &number, 1);
    }
    finder_free(f);
    return n;
}

static void what_moved_is_found_again(void **state)
{
    (void)state;
    uint8_t *bytes = noise(BYTES, 6);
    struct anchors *old = indexed(bytes, BYTES), *fresh = indexed(bytes + 12345, BYTES - 12345);
    assert_in_range(anchors_count(fresh) - shared(old, fresh), 0, 10);
    uint64_t number;
    struct finder *f;
    assert_int_equal(finder_new(old, &f), 0);
    struct segment s = anchors_segment(fresh, anchors_count(fresh) / 2);
    assert_int_equal(finder_find(f, &s, 0, &number, 1), 1);
    assert_int_equal(anchors_segment(old, number).offset, s.offset + 12345);
    s.length++; /* the hash alone is not enough */
    assert_int_equal(finder_find(f, &s, 0, &number, 1), 0);
    finder_free(f);
    anchors_free(old);
    anchors_free(fresh);
    free(bytes);
}

static void the_nearest_comes_first(void **state)
{
    (void)state;
    uint8_t *bytes = noise(20000, 7);
    struct anchors *a = empty(SEED);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(anchors_feed(a, bytes, 20000), 0);
        assert_int_equal(anchors_feed_hole(a, 1000), 0); /* so that all ten are the same segments */
    }
    assert_int_equal(anchors_finish(a), 0);
    struct finder *f;
    struct segment s = anchors_segment(a, 5);
    uint64_t number[20];
    assert_int_equal(finder_new(a, &f), 0);
    assert_int_equal(finder_find(f, &s, 0, number, 20), 10);
    assert_int_equal(number[0], 5);
    assert_int_equal(finder_find(f, &s, 21000 * 4 + s.offset + 100, number, 3), 3);
    assert_int_equal(anchors_segment(a, number[0]).offset, 21000 * 4 + s.offset);
    assert_int_equal(anchors_segment(a, number[1]).offset, 21000 * 5 + s.offset);
    assert_int_equal(anchors_segment(a, number[2]).offset, 21000 * 3 + s.offset);
    finder_free(f);
    anchors_free(a);
    free(bytes);
}

static void of_equal_ones_in_a_row_the_first_is_found(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, 1 << 20);
    struct anchors *a = indexed(bytes, 1 << 20);
    struct finder *f;
    uint64_t number[4];
    struct segment s = anchors_segment(a, 100);
    assert_int_equal(finder_new(a, &f), 0);
    assert_int_equal(finder_find(f, &s, 1 << 19, number, 4), 1);
    assert_int_equal(number[0], 0);
    finder_free(f);
    anchors_free(a);
    free(bytes);
}

static void nothing_is_found_in_nothing(void **state)
{
    (void)state;
    struct anchors *a = indexed("", 0);
    struct finder *f;
    uint64_t number, sketch[SKETCH_HASHES];
    assert_int_equal(finder_new(a, &f), 0);
    assert_int_equal(finder_find(f, &(struct segment){.length = 256}, 0, &number, 1), 0);
    assert_int_equal(anchors_sketch(a, sketch), 0);
    finder_free(f);
    finder_free(NULL);
    anchors_free(a);
    anchors_free(NULL);
}

/* Feeds what a list of pieces of the old bytes makes, as known where it is. */
static void assert_known_makes_the_same(const uint8_t *old, const struct anchors *index, const size_t (*piece)[2], size_t n,
                                        size_t portion)
{
    static const char between[] = "not of the old file";
    struct anchors *known = empty(SEED), *plain = empty(SEED);
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0, k; at < piece[i][1]; at += k) {
            size_t from = piece[i][0] + at;
            k = portion < piece[i][1] - at ? portion : piece[i][1] - at;
            assert_int_equal(anchors_feed_known(known, index, from, old + from, k), 0);
            assert_int_equal(anchors_feed(plain, old + from, k), 0);
        }
        assert_int_equal(anchors_feed(known, between, i), 0); /* nothing after the first */
        assert_int_equal(anchors_feed(plain, between, i), 0);
    }
    assert_int_equal(anchors_finish(known), 0);
    assert_int_equal(anchors_finish(plain), 0);
    assert_same(known, plain);
    anchors_free(known);
    anchors_free(plain);
}

static void known_bytes_make_the_same_index_as_fresh_ones(void **state)
{
    (void)state;
    static const size_t pieces[][2] = {{0, 100000},    {100000, 5000}, {200000, 100000}, {17, 60000},
                                       {299000, 1000}, {50000, 1},     {60000, 3000},    {0, BYTES}};
    static const size_t portions[] = {1, 100, 511, 4096, 65536, BYTES};
    uint8_t *bytes = noise(BYTES, 8);
    memset(bytes + 220000, 7, 30000);
    struct anchors *index = indexed(bytes, BYTES);
    for (size_t i = 0; i < sizeof portions / sizeof portions[0]; i++) {
        assert_known_makes_the_same(bytes, index, pieces, sizeof pieces / sizeof pieces[0], portions[i]);
    }
    anchors_free(index);
    free(bytes);
}

/* Who says that bytes are known that are others has an index that is of no use, and no more than that. */
static void what_is_known_wrongly_does_no_harm(void **state)
{
    (void)state;
    uint8_t *bytes = noise(BYTES, 9), *others = noise(BYTES, 10);
    struct anchors *index = indexed(bytes, BYTES), *a = empty(SEED);
    for (size_t at = 0; at < BYTES - 1000; at += 700) {
        assert_int_equal(anchors_feed_known(a, index, at, others + at, 650), 0);
        assert_int_equal(anchors_feed(a, others, 50), 0);
    }
    assert_int_equal(anchors_feed_known(a, index, BYTES + 5, others, 1000), 0);
    assert_int_equal(anchors_finish(a), 0);
    uint64_t last = anchors_count(a) - 1;
    struct segment s = anchors_segment(a, last);
    assert_int_equal(s.offset + s.length, anchors_size(a));
    anchors_free(a);
    anchors_free(index);
    free(bytes);
    free(others);
}

static void sketches_are_the_smallest_hashes_each_once(void **state)
{
    (void)state;
    uint8_t *bytes = noise(2 * BYTES, 11);
    memcpy(bytes + BYTES, bytes, BYTES);
    struct anchors *a = indexed(bytes, 2 * BYTES), *b = indexed(bytes + 5000, 2 * BYTES - 5000);
    uint64_t one[SKETCH_HASHES], two[SKETCH_HASHES], below = 0;
    assert_int_equal(anchors_sketch(a, one), SKETCH_HASHES);
    assert_int_equal(anchors_sketch(b, two), SKETCH_HASHES);
    assert_memory_equal(one, two, sizeof one);
    for (size_t i = 1; i < SKETCH_HASHES; i++) {
        assert_true(one[i] > one[i - 1]);
    }
    uint64_t *seen = calloc(anchors_count(a), sizeof *seen), distinct = 0;
    for (uint64_t i = 0; i < anchors_count(a); i++) {
        uint64_t hash = anchors_segment(a, i).hash, k = 0;
        while (k < distinct && seen[k] != hash) {
            k++;
        }
        seen[k] = hash;
        below += k == distinct && hash <= one[SKETCH_HASHES - 1];
        distinct += k == distinct;
    }
    assert_int_equal(below, SKETCH_HASHES);
    free(seen);
    anchors_free(a);
    anchors_free(b);
    free(bytes);
}

/* ---- in a file */

static int file_of(const void *bytes, size_t n)
{
    int fd = memfd_create("index", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    return fd;
}

/* Reads an index of these bytes; NULL and the code when it is refused. */
static struct anchors *read_back(const void *bytes, size_t n, int *rc)
{
    struct anchors *a = NULL;
    struct fault fault;
    int fd = file_of(bytes, n);
    *rc = anchors_read(fd, &a, &fault);
    assert_true((*rc == 0) == (a != NULL));
    assert_true(*rc == 0 || (fault.code == (enum err) * rc && fault.text[0] != '\0'));
    close(fd);
    return a;
}

static size_t written(const struct anchors *a, uint8_t *bytes, size_t cap)
{
    struct fault fault;
    int fd = file_of("", 0);
    assert_int_equal(anchors_write(a, fd, &fault), 0);
    ssize_t n = pread(fd, bytes, cap, 0);
    assert_in_range(n, 1, cap - 1);
    close(fd);
    return (size_t)n;
}

static void an_index_file_has_its_golden_bytes(void **state)
{
    (void)state;
    uint8_t content[700], bytes[256], expected[256];
    struct anchors *a = empty(0x0102030405060708);
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * i);
    }
    assert_int_equal(anchors_feed(a, content, sizeof content), 0);
    assert_int_equal(anchors_feed_hole(a, 1ull << 40), 0);
    assert_int_equal(anchors_feed(a, "end", 3), 0);
    assert_int_equal(anchors_finish(a), 0);
    size_t n = written(a, bytes, sizeof bytes);
    assert_int_equal(golden_load("gather/index.hex", expected, sizeof expected), n);
    assert_memory_equal(bytes, expected, n);
    int rc;
    struct anchors *b = read_back(bytes, n, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(anchors_seed(b), 0x0102030405060708);
    assert_same(a, b);
    anchors_free(a);
    anchors_free(b);
}

static void indexes_of_any_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 300, 5000, 6400 * 512, 4 << 20};
    size_t cap = 1 << 20;
    uint8_t *content = noise(4 << 20, 12), *bytes = malloc(cap);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct anchors *a = indexed(content, sizes[i]);
        int rc;
        struct anchors *b = read_back(bytes, written(a, bytes, cap), &rc);
        assert_int_equal(rc, 0);
        assert_same(a, b);
        anchors_free(a);
        anchors_free(b);
    }
    free(bytes);
    free(content);
}

static void p39_an_index_file_with_one_bit_other_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t n = golden_load("gather/index.hex", bytes, sizeof bytes);
    int rc;
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_null(read_back(bytes, n, &rc));
        assert_true(rc == ERR_DAMAGED || rc == ERR_LIMIT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t k = 0; k < n; k++) {
        assert_null(read_back(bytes, k, &rc));
        assert_int_equal(rc, ERR_DAMAGED);
    }
    assert_null(read_back(bytes, n + 1, &rc));
    assert_int_equal(rc, ERR_DAMAGED);
}

/* An index file of a peer who knows how checksums are made. */
static int forged(const char *size, const char *count, const char *segments)
{
    char hex[512];
    uint8_t bytes[256];
    snprintf(hex, sizeof hex, "77 65 66 74 69 64 78 31  00 00 00 00 00 00 00 07  %s %s %s", size, count, segments);
    size_t n = golden_parse(hex, bytes, sizeof bytes);
    struct hash128 sum = hash128_of(bytes, n);
    memcpy(bytes + n, sum.b, sizeof sum.b);
    int rc;
    anchors_free(read_back(bytes, n + sizeof sum.b, &rc));
    return rc;
}

static void s1_an_index_that_no_file_has_is_refused(void **state)
{
    (void)state;
    static const char one[] = "0000000000000001", two[] = "0000000000000002";
#define HASH "a1a2a3a4a5a6a7a8"
    assert_int_equal(forged("0000000000000000", "0000000000000000", ""), 0);
    assert_int_equal(forged("0000000000001000", one, "1000" HASH), 0);
    assert_int_equal(forged("0000000000001001", one, "1001" HASH), ERR_DAMAGED); /* too long */
    assert_int_equal(forged("0000000000001000", one, "0fff" HASH), ERR_DAMAGED); /* less than the size */
    assert_int_equal(forged("0000000000001000", two, "0fff" HASH "0002" HASH), ERR_DAMAGED);
    assert_int_equal(forged("0000000000000101", two, "0100" HASH "0001" HASH), 0);
    assert_int_equal(forged("0000000000000101", two, "0001" HASH "0100" HASH), ERR_DAMAGED); /* short in the middle */
    assert_int_equal(forged("0000000000000002", two, "0001" HASH "00000000000000000001"), 0);
    assert_int_equal(forged("0000000000000002", two, "00000000000000000001 00000000000000000001"), ERR_DAMAGED);
    assert_int_equal(forged("0000000000000000", one, "00000000000000000000"), ERR_DAMAGED); /* a hole of nothing */
    assert_int_equal(forged("7fffffffffffffff", one, "00007fffffffffffffff"), 0);
    assert_int_equal(forged("8000000000000000", one, "00008000000000000000"), ERR_DAMAGED);           /* beyond 2^63 - 1 */
    assert_int_equal(forged("0000000000000001", two, "0000ffffffffffffffff 0002" HASH), ERR_DAMAGED); /* sums around */
    assert_int_equal(forged("0000000000001000", two, "1000" HASH), ERR_DAMAGED);
    assert_int_equal(forged("0000000000001000", "ffffffffffffffff", "1000" HASH), ERR_LIMIT);
    assert_int_equal(forged("0000000000001000", "0000000007000000", "1000" HASH), ERR_LIMIT);
    assert_int_equal(forged("0000000000001000", "0000000006000000", "1000" HASH), ERR_DAMAGED);
#undef HASH
}

static void p20_a_full_disk_is_told(void **state)
{
    (void)state;
    uint8_t *content = noise(BYTES, 13);
    struct anchors *a = indexed(content, BYTES), *b;
    struct fault fault;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(anchors_write(a, fd, &fault), ERR_NOSPACE);
    assert_int_equal(fault.code, ERR_NOSPACE);
    assert_int_equal(anchors_read(-1, &b, &fault), ERR_IO);
    close(fd);
    anchors_free(a);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_as_long_as_was_promised),
        cmocka_unit_test(portions_of_any_size_make_the_same_index),
        cmocka_unit_test(tiny_files_have_indexes_too),
        cmocka_unit_test(another_seed_has_other_anchors),
        cmocka_unit_test(p32_holes_cost_nothing),
        cmocka_unit_test(what_moved_is_found_again),
        cmocka_unit_test(the_nearest_comes_first),
        cmocka_unit_test(of_equal_ones_in_a_row_the_first_is_found),
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(known_bytes_make_the_same_index_as_fresh_ones),
        cmocka_unit_test(what_is_known_wrongly_does_no_harm),
        cmocka_unit_test(sketches_are_the_smallest_hashes_each_once),
        cmocka_unit_test(an_index_file_has_its_golden_bytes),
        cmocka_unit_test(indexes_of_any_size_come_back),
        cmocka_unit_test(p39_an_index_file_with_one_bit_other_is_refused),
        cmocka_unit_test(s1_an_index_that_no_file_has_is_refused),
        cmocka_unit_test(p20_a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The diff finds what is there to be found, exactly; holes cost it nothing; and no bytes make it work without bound. */
#include "chance.h"
#include "diff_case.h"
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE ((size_t)3 << 20)
#define LITERAL(n)              \
    {                           \
        REGION_LITERAL, 0, 0, n \
    }
#define COPY(from, n)           \
    {                           \
        REGION_COPY, from, 0, n \
    }

/* Takes both. */
static struct diff_case pair(struct bytes old, struct bytes fresh)
{
    return (struct diff_case){.old.bytes = old, .fresh.bytes = fresh};
}

static void end(struct diff_case *c)
{
    diff_case_fini(c);
    free(c->old.bytes.at);
    free(c->fresh.bytes.at);
}

/* The regions, but for where they stand and where literals come from, which diff_case_run has checked. */
static void assert_regions(struct diff_case *c, enum base base, const struct region *expected, uint32_t count)
{
    diff_case_run(c, base);
    const struct regions *r = &c->d.regions;
    assert_int_equal(r->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(r->region[i].kind, expected[i].kind);
        assert_int_equal(r->region[i].length, expected[i].length);
        assert_true(expected[i].kind != REGION_COPY || r->region[i].source == expected[i].source);
    }
    diff_free(&c->d);
}

/* How many literals there are. */
static uint64_t literals(struct diff_case *c, enum base base)
{
    diff_case_run(c, base);
    uint64_t n = c->d.regions.literals;
    diff_free(&c->d);
    return n;
}

/* New bytes of three parts: old up to `from`, something, old from `to` on. */
static struct bytes changed(const struct bytes *old, size_t from, const struct bytes *with, size_t to)
{
    struct bytes parts[] = {bytes_part(old, 0, from), *with, bytes_part(old, to, old->n - to)};
    return bytes_joined(parts, 3);
}

static void set_different(struct bytes *b, size_t at, uint8_t from)
{
    b->at[at] = (uint8_t)(from + 1);
}

/* ---- the least there is */

static void gather_3_what_did_not_change_is_one_copy(void **state)
{
    (void)state;
    struct bytes old = bytes_random(1, SIZE), nothing = {old.at, 0};
    struct diff_case c = pair(old, changed(&old, SIZE, &nothing, SIZE));
    const struct region expected[] = {COPY(0, SIZE)};
    assert_regions(&c, BASE_EXACT, expected, 1);
    assert_regions(&c, BASE_INDEX, expected, 1);
    assert_regions(&c, BASE_BYTES, expected, 1);
    assert_regions(&c, BASE_NONE, &(struct region)LITERAL(SIZE), 1);
    end(&c);
}

static void gather_3_one_byte_in_front_is_one_byte(void **state)
{
    (void)state;
    struct bytes old = bytes_random(2, SIZE), byte = bytes_random(3, 1);
    set_different(&byte, 0, old.at[0]);
    struct diff_case c = pair(old, changed(&old, 0, &byte, 0));
    const struct region expected[] = {LITERAL(1), COPY(0, SIZE)};
    assert_regions(&c, BASE_EXACT, expected, 2);
    assert_regions(&c, BASE_BYTES, expected, 2);
    assert_in_range(literals(&c, BASE_INDEX), 1, 1 + SEGMENT_MAX);
    free(byte.at);
    end(&c);
}

static void gather_3_what_is_appended_is_sent_and_no_more(void **state)
{
    (void)state;
    struct bytes old = bytes_random(4, SIZE), more = bytes_random(5, 1 << 20);
    struct diff_case c = pair(old, changed(&old, SIZE, &more, SIZE));
    const struct region expected[] = {COPY(0, SIZE), LITERAL(1 << 20)};
    assert_regions(&c, BASE_EXACT, expected, 2);
    assert_in_range(literals(&c, BASE_INDEX), 1 << 20, (1 << 20) + SEGMENT_MAX);
    free(more.at);
    end(&c);
}

static void gather_3_halves_swapped_are_two_copies(void **state)
{
    (void)state;
    struct bytes old = bytes_random(6, SIZE);
    struct bytes halves[] = {bytes_part(&old, SIZE / 2, SIZE / 2), bytes_part(&old, 0, SIZE / 2)};
    struct diff_case c = pair(old, bytes_joined(halves, 2));
    set_different(&c.old.bytes, SIZE - 1, old.at[SIZE / 2 - 1]); /* or one more byte fits by chance */
    c.fresh.bytes.at[SIZE / 2 - 1] = c.old.bytes.at[SIZE - 1];
    const struct region expected[] = {COPY(SIZE / 2, SIZE / 2), COPY(0, SIZE / 2)};
    assert_regions(&c, BASE_EXACT, expected, 2);
    assert_in_range(literals(&c, BASE_INDEX), 0, 3 * SEGMENT_MAX);
    end(&c);
}

static void gather_3_what_is_cut_out_costs_nothing(void **state)
{
    (void)state;
    size_t from = SIZE / 10 * 7, n = 512 << 10;
    struct bytes old = bytes_random(7, SIZE), nothing = {old.at, 0};
    set_different(&old, from + n, old.at[from]);
    struct diff_case c = pair(old, changed(&old, from, &nothing, from + n));
    const struct region expected[] = {COPY(0, from), COPY(from + n, SIZE - from - n)};
    assert_regions(&c, BASE_EXACT, expected, 2);
    assert_in_range(literals(&c, BASE_INDEX), 0, 2 * SEGMENT_MAX);
    end(&c);
}

static void gather_3_a_small_change_is_found_at_every_offset(void **state)
{
    (void)state;
    struct bytes old = bytes_random(8, 20000);
    for (size_t cut = 0; cut <= 130; cut += 13) {
        for (size_t insert = 1; insert <= 120; insert += 17) {
            size_t from = 4000 + cut * 50 + insert;
            struct bytes with = bytes_random(9 + insert, insert);
            struct diff_case c = pair(bytes_part(&old, 0, old.n), changed(&old, from, &with, from + cut));
            assert_in_range(literals(&c, BASE_EXACT), 0, insert);
            assert_in_range(literals(&c, BASE_BYTES), 0, cut < 100 ? insert : 20000);
            diff_case_fini(&c);
            free(c.fresh.bytes.at);
            free(with.at);
        }
    }
    free(old.at);
}

/* ---- many changes */

static void many_overwrites_cost_what_was_written(void **state)
{
    (void)state;
    enum { CHANGES = 40, EACH = 4096 };
    struct bytes old = bytes_random(10, SIZE), whole = {old.at, old.n};
    struct diff_case c = pair(old, bytes_joined(&whole, 1));
    uint64_t r = 11;
    for (size_t i = 0; i < CHANGES; i++) {
        random_fill(&r, c.fresh.bytes.at + SIZE / CHANGES * i + random_below(&r, SIZE / CHANGES - EACH), EACH);
    }
    assert_in_range(literals(&c, BASE_EXACT), CHANGES * EACH * 99 / 100, CHANGES * EACH);
    assert_in_range(literals(&c, BASE_BYTES), CHANGES * EACH * 99 / 100, CHANGES * EACH);
    assert_in_range(literals(&c, BASE_INDEX), CHANGES * EACH, CHANGES * (EACH + 800));
    end(&c);
}

static void many_inserts_cost_what_was_inserted(void **state)
{
    (void)state;
    enum { CHANGES = 200, EACH = 10 };
    struct bytes old = bytes_random(12, SIZE), fresh = {malloc(SIZE + CHANGES * EACH), 0};
    uint64_t r = 13;
    for (size_t i = 0, from = 0; i <= CHANGES; i++) {
        size_t to = i == CHANGES ? SIZE : SIZE / CHANGES * i + random_below(&r, SIZE / CHANGES);
        memcpy(fresh.at + fresh.n, old.at + from, to - from);
        fresh.n += to - from;
        random_fill(&r, fresh.at + fresh.n, i < CHANGES ? EACH : 0);
        fresh.n += i < CHANGES ? EACH : 0;
        from = to;
    }
    struct diff_case c = pair(old, fresh);
    assert_in_range(literals(&c, BASE_EXACT), CHANGES * EACH * 9 / 10, CHANGES * EACH);
    assert_in_range(literals(&c, BASE_INDEX), CHANGES * EACH, CHANGES * (EACH + 800));
    end(&c);
}

/* So often that no segment is left whole. */
static void dense_changes_are_found_with_the_old_bytes(void **state)
{
    (void)state;
    struct bytes old = bytes_random(14, 256 << 10), whole = {old.at, old.n};
    struct diff_case c = pair(old, bytes_joined(&whole, 1));
    for (size_t i = 50; i < old.n; i += 100) {
        set_different(&c.fresh.bytes, i, old.at[i]);
    }
    assert_in_range(literals(&c, BASE_EXACT), old.n / 100, old.n / 100 + 100);
    free(c.fresh.bytes.at);
    c.fresh.bytes = (struct bytes){malloc(old.n * 2), 0};
    for (size_t from = 0; from < old.n; from += 300) {
        size_t n = old.n - from < 300 ? old.n - from : 300;
        memcpy(c.fresh.bytes.at + c.fresh.bytes.n, old.at + from, n);
        memcpy(c.fresh.bytes.at + c.fresh.bytes.n + n, "<+>", 3);
        c.fresh.bytes.n += n + 3;
    }
    assert_in_range(literals(&c, BASE_EXACT), 1, old.n / 300 * 3 + 3000);
    end(&c);
}

static void blocks_in_another_order_are_found_without_reading_all_again(void **state)
{
    (void)state;
    enum { BLOCK_SIZE = 8192, BLOCKS = 256 };
    struct bytes old = bytes_random(15, BLOCK_SIZE * BLOCKS), part[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        part[i] = bytes_part(&old, i * 101 % BLOCKS * BLOCK_SIZE, BLOCK_SIZE);
    }
    struct diff_case c = pair(old, bytes_joined(part, BLOCKS));
    assert_in_range(literals(&c, BASE_EXACT), 0, BLOCK_SIZE);
    assert_in_range(c.old.read_bytes, 0, 8 * old.n);
    assert_in_range(literals(&c, BASE_INDEX), 0, BLOCKS * 1200);
    end(&c);
}

/* ---- holes */

static void p32_holes_stay_holes_and_are_never_read(void **state)
{
    (void)state;
    static const uint64_t hole[][2] = {{0, 65536}, {100000, 1 << 20}, {SIZE - 4096, SIZE}};
    struct bytes old = bytes_random(16, SIZE), whole = {old.at, old.n};
    struct diff_case c = pair(old, bytes_joined(&whole, 1));
    c.fresh.hole = hole;
    c.fresh.holes = 3;
    for (size_t i = 0; i < 3; i++) {
        memset(c.fresh.bytes.at + hole[i][0], 0, hole[i][1] - hole[i][0]);
    }
    const struct region expected[] = {{REGION_HOLE, 0, 0, 65536},
                                      COPY(65536, 100000 - 65536),
                                      {REGION_HOLE, 0, 0, (1 << 20) - 100000},
                                      COPY(1 << 20, SIZE - 4096 - (1 << 20)),
                                      {REGION_HOLE, 0, 0, 4096}};
    assert_regions(&c, BASE_EXACT, expected, 5);
    assert_in_range(literals(&c, BASE_INDEX), 0, 4 * SEGMENT_MAX);
    assert_int_equal(literals(&c, BASE_NONE), expected[1].length + expected[3].length);
    end(&c);
}

static int read_never(void *arg, uint64_t offset, void *buf, size_t n)
{
    (void)arg, (void)offset, (void)buf, (void)n;
    return ERR_IO;
}

static int no_data(void *arg, uint64_t offset, uint64_t *data, uint64_t *end)
{
    (void)offset;
    *data = *end = *(const uint64_t *)arg;
    return 0;
}

static void p32_a_sparse_tebibyte_takes_no_time(void **state)
{
    (void)state;
    uint64_t size = 1ull << 40;
    struct diff_file sparse = {read_never, no_data, &size, size};
    struct diff d = {.fresh = &sparse, .old = &sparse, .seed = DIFF_CASE_SEED};
    assert_int_equal(diff_run(&d), 0);
    assert_int_equal(d.regions.count, 1);
    assert_int_equal(d.regions.region[0].kind, REGION_HOLE);
    assert_int_equal(d.regions.end, size);
    assert_int_equal(anchors_size(d.fresh_index), size);
    diff_free(&d);
}

/* ---- old indexes that do not fit */

static void an_index_of_another_file_does_no_harm(void **state)
{
    (void)state;
    struct diff_case c = pair(bytes_random(17, SIZE / 2), bytes_random(18, SIZE / 2));
    c.index = memory_index(&c.fresh); /* so it says: all is there, at these very places */
    assert_in_range(literals(&c, BASE_EXACT), SIZE / 2 - 100, SIZE / 2);
    c.old.bytes.n = 1000; /* and most of it beyond the end */
    assert_in_range(literals(&c, BASE_EXACT), SIZE / 2 - 100, SIZE / 2);
    end(&c);
}

static void an_index_of_another_seed_is_not_used(void **state)
{
    (void)state;
    struct bytes old = bytes_random(19, 100000), whole = {old.at, old.n};
    struct diff_case c = pair(old, bytes_joined(&whole, 1));
    assert_int_equal(anchors_new(DIFF_CASE_SEED + 1, &c.index), 0);
    assert_int_equal(anchors_feed(c.index, old.at, old.n), 0);
    assert_int_equal(anchors_finish(c.index), 0);
    assert_int_equal(literals(&c, BASE_INDEX), old.n);
    assert_int_equal(literals(&c, BASE_EXACT), 0);
    end(&c);
}

/* ---- bytes that repeat themselves */

static void fill_period(struct bytes *b, size_t period)
{
    for (size_t i = period; i < b->n; i++) {
        b->at[i] = b->at[i - period];
    }
}

static void s24_bytes_that_repeat_themselves_are_no_more_work(void **state)
{
    (void)state;
    static const size_t periods[] = {1, 2, 7, 64, 256, 511, 1024, 4096, 5000};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        struct diff_case c = pair(bytes_random(20 + i, SIZE / 4), bytes_random(40 + i, SIZE / 4 + 777));
        fill_period(&c.old.bytes, periods[i]);
        memcpy(c.fresh.bytes.at, c.old.bytes.at, 5000);
        fill_period(&c.fresh.bytes, periods[i]);
        uint64_t r = 50 + i;
        for (size_t at = 0; at + 100 < c.fresh.bytes.n; at += 60 + random_below(&r, 9000)) {
            random_fill(&r, c.fresh.bytes.at + at, random_below(&r, 40)); /* to be lost in it again and again */
        }
        assert_in_range(literals(&c, BASE_EXACT), 0, SIZE / 8);
        assert_in_range(c.old.read_bytes, 0, 16 * SIZE / 4);
        assert_in_range(c.fresh.read_bytes, 0, 3 * SIZE / 4);
        c.fresh.read_bytes = 0;
        literals(&c, BASE_INDEX);
        assert_in_range(c.fresh.read_bytes, 0, 3 * SIZE / 4);
        end(&c);
    }
}

/* An index of one segment a million times, as a peer could make it, and a file that has it everywhere. */
static void s24_many_equal_segments_are_not_searched_one_by_one(void **state)
{
    (void)state;
    struct bytes block = bytes_random(60, 8192), part[400];
    uint64_t r = 61;
    for (size_t i = 0; i < 400; i++) {
        part[i] = i % 2 ? bytes_part(&block, 0, 8192) : bytes_random(62 + i, 100 + random_below(&r, 900));
    }
    struct diff_case c = pair(bytes_joined(part, 400), bytes_joined(part + 100, 300));
    assert_in_range(literals(&c, BASE_EXACT), 0, 1000);
    assert_in_range(c.old.read_bytes, 0, 8 * c.old.bytes.n);
    literals(&c, BASE_INDEX);
    for (size_t i = 0; i < 400; i += 2) {
        free(part[i].at);
    }
    free(block.at);
    end(&c);
}

/* ---- failures */

static void s60_what_a_reader_says_is_told(void **state)
{
    (void)state;
    struct diff_case c = pair(bytes_random(70, 100000), bytes_random(71, 100000));
    struct diff_file old = memory_file(&c.old), fresh = memory_file(&c.fresh);
    struct diff d = {.fresh = &fresh, .old = &old, .seed = DIFF_CASE_SEED};
    c.old.err = ERR_CHANGED;
    assert_int_equal(diff_run(&d), ERR_CHANGED);
    assert_true(d.regions.region == NULL && d.fresh_index == NULL);
    c.old.err = 0;
    c.fresh.err = ERR_IO;
    assert_int_equal(diff_run(&d), ERR_IO);
    end(&c);
}

static int bad_data(void *arg, uint64_t offset, uint64_t *data, uint64_t *end)
{
    const uint64_t *say = arg;
    (void)offset;
    *data = say[0];
    *end = say[1];
    return say[2] ? ERR_IO : 0;
}

static void what_next_data_says_must_lead_on(void **state)
{
    (void)state;
    static const uint64_t says[][3] = {{5, 5, 0}, {5, 3, 0}, {0, 1001, 0}, {1001, 1002, 0}, {0, 1000, 1}};
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        uint64_t say[3];
        memcpy(say, says[i], sizeof say);
        struct diff_file fresh = {read_never, bad_data, say, 1000};
        struct diff d = {.fresh = &fresh, .seed = DIFF_CASE_SEED};
        assert_int_equal(diff_run(&d), say[2] ? ERR_IO : ERR_CHANGED);
    }
}

static void it_can_be_stopped_and_tells_how_far_it_is(void **state)
{
    (void)state;
    struct diff_case c = pair(bytes_random(80, 100000), bytes_random(81, SIZE));
    struct diff_file fresh = memory_file(&c.fresh);
    _Atomic uint64_t done = 0;
    atomic_bool stop = true;
    struct diff d = {.fresh = &fresh, .seed = DIFF_CASE_SEED, .done = &done, .stop = &stop};
    assert_int_equal(diff_run(&d), ERR_CANCELLED);
    assert_in_range(done, 1, SIZE - 1);
    stop = false;
    assert_int_equal(diff_run(&d), 0);
    assert_int_equal(done, SIZE);
    diff_free(&d);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_3_what_did_not_change_is_one_copy),
        cmocka_unit_test(gather_3_one_byte_in_front_is_one_byte),
        cmocka_unit_test(gather_3_what_is_appended_is_sent_and_no_more),
        cmocka_unit_test(gather_3_halves_swapped_are_two_copies),
        cmocka_unit_test(gather_3_what_is_cut_out_costs_nothing),
        cmocka_unit_test(gather_3_a_small_change_is_found_at_every_offset),
        cmocka_unit_test(many_overwrites_cost_what_was_written),
        cmocka_unit_test(many_inserts_cost_what_was_inserted),
        cmocka_unit_test(dense_changes_are_found_with_the_old_bytes),
        cmocka_unit_test(blocks_in_another_order_are_found_without_reading_all_again),
        cmocka_unit_test(p32_holes_stay_holes_and_are_never_read),
        cmocka_unit_test(p32_a_sparse_tebibyte_takes_no_time),
        cmocka_unit_test(an_index_of_another_file_does_no_harm),
        cmocka_unit_test(an_index_of_another_seed_is_not_used),
        cmocka_unit_test(s24_bytes_that_repeat_themselves_are_no_more_work),
        cmocka_unit_test(s24_many_equal_segments_are_not_searched_one_by_one),
        cmocka_unit_test(s60_what_a_reader_says_is_told),
        cmocka_unit_test(what_next_data_says_must_lead_on),
        cmocka_unit_test(it_can_be_stopped_and_tells_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

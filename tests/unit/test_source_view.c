/* Views of a source: every byte of every literal, at every alignment, and nothing else. */
#include "limits.h"
#include "scratch.h"
#include "source.h"
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 2000000u

struct world {
    struct scratch scratch;
    struct root root;
    struct regions regions;
    struct source_view view;
    struct source src;
    uint8_t *file, *literals; /* what is in it, and what the view shall be */
    size_t size, room;
};

static int setup(void **state)
{
    struct fault fault;
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    assert_int_equal(root_open(w->scratch.path, &w->root, &fault), 0);
    regions_init(&w->regions, 0, 0);
    w->src.fd = -1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    source_close(&w->src);
    source_view_fini(&w->view);
    regions_free(&w->regions);
    root_close(&w->root);
    scratch_remove(&w->scratch);
    free(w->file);
    free(w->literals);
    free(w);
    return 0;
}

/* ---- a file, region by region */

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

static void begin(struct world *w, size_t room)
{
    w->room = room;
    w->file = malloc(room);
    w->literals = malloc(room);
    assert_true(w->file != NULL && w->literals != NULL);
}

static void add(struct world *w, enum region_kind kind, size_t n)
{
    assert_true(w->size + n <= w->room);
    for (size_t i = 0; i < n; i++)
        w->file[w->size + i] = byte_at(w->size + i);
    if (kind == REGION_LITERAL)
        memcpy(w->literals + w->regions.literals, w->file + w->size, n);
    assert_int_equal(regions_add(&w->regions, kind, kind == REGION_COPY ? 3 * w->size : 0, n, UINT32_MAX), 0);
    w->size += n;
}

static void see(struct world *w)
{
    struct fault fault;
    scratch_write(&w->scratch, "f", w->file, w->size);
    assert_int_equal(source_view_init(&w->view, &w->regions), 0);
    assert_int_equal(source_open(&w->root, "f", &w->src, &fault), 0);
    source_narrow(&w->src, &w->view);
    assert_int_equal(source_size(&w->src), w->regions.literals);
}

static void assert_read(const struct world *w, uint64_t offset, size_t n)
{
    uint8_t *buf = malloc(n + 1);
    assert_non_null(buf);
    buf[n] = 0x5a;
    assert_int_equal(source_read(&w->src, offset, buf, n), 0);
    if (memcmp(buf, w->literals + offset, n) != 0)
        fail_msg("%zu bytes at %llu are others", n, (unsigned long long)offset);
    assert_int_equal(buf[n], 0x5a);
    free(buf);
}

/* ---- tests */

static void gather_7_every_alignment_of_literals_is_read_as_it_is(void **state)
{
    struct world *w = *state;
    static const size_t lengths[] = {1, 2, 3, 7, 40, 1, 1, 255, 64, 5};
    begin(w, 4096);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        add(w, REGION_LITERAL, lengths[i]);
        add(w, i % 3 == 0 ? REGION_HOLE : REGION_COPY, i + 1);
        if (i % 4 == 0)
            add(w, REGION_COPY, 9);
    }
    see(w);
    for (uint64_t from = 0; from <= w->regions.literals; from++)
        for (uint64_t to = from; to <= w->regions.literals; to++)
            assert_read(w, from, (size_t)(to - from));
}

static void gather_7_literals_larger_than_what_is_read_in_one_go(void **state)
{
    struct world *w = *state;
    static const size_t lengths[] = {16383, 1, 16384, 40000, 3, 16385, 100000, 1};
    begin(w, 1 << 20);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        add(w, REGION_COPY, 1 + i * i * 700); /* from side by side to far apart */
        add(w, REGION_LITERAL, lengths[i]);
    }
    see(w);
    for (uint64_t from = 0; from < w->regions.literals; from += 977)
        for (uint64_t n = 1; from + n <= w->regions.literals; n = n * 3 + 1)
            assert_read(w, from, (size_t)n);
    assert_read(w, 0, (size_t)w->regions.literals);
}

static void gather_7_a_view_of_one_byte(void **state)
{
    struct world *w = *state;
    begin(w, 1 << 20);
    add(w, REGION_COPY, 700001);
    add(w, REGION_LITERAL, 1);
    add(w, REGION_COPY, 5);
    see(w);
    assert_int_equal(source_size(&w->src), 1);
    assert_read(w, 0, 1);
    assert_read(w, 1, 0);
}

static void gather_7_a_view_of_all_of_it_and_of_nothing(void **state)
{
    struct world *w = *state;
    begin(w, 4096);
    see(w);
    assert_int_equal(source_size(&w->src), 0);
    assert_read(w, 0, 0);
    source_close(&w->src);
    source_view_fini(&w->view);
    add(w, REGION_LITERAL, 4096);
    see(w);
    assert_read(w, 0, 4096);
    assert_read(w, 4095, 1);
}

static void gather_7_millions_of_regions_are_read_in_blocks(void **state)
{
    struct world *w = *state;
    struct timespec from, to;
    uint8_t *buf = malloc(BLOCK_BYTES);
    assert_non_null(buf);
    begin(w, MANY * 12);
    for (unsigned i = 0; i < MANY / 2; i++) {
        add(w, REGION_COPY, 1 + i % 17);
        add(w, REGION_LITERAL, 1 + i % 5);
    }
    assert_int_equal(w->regions.count, MANY);
    see(w);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t at = 0; at < w->regions.literals; at += BLOCK_BYTES) {
        uint64_t left = w->regions.literals - at;
        size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        assert_int_equal(source_read(&w->src, at, buf, n), 0);
        assert_memory_equal(buf, w->literals + at, n);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 20);
    free(buf);
}

static void gather_7_a_view_has_no_holes(void **state)
{
    struct world *w = *state;
    uint64_t data, end;
    begin(w, 4096);
    add(w, REGION_LITERAL, 10);
    add(w, REGION_HOLE, 1000);
    add(w, REGION_LITERAL, 10);
    see(w);
    assert_int_equal(source_next_data(&w->src, 5, &data, &end), 0);
    assert_true(data == 5 && end == 20);
    assert_int_equal(source_next_data(&w->src, 20, &data, &end), 0);
    assert_true(data == 20 && end == 20);
}

static void p33_a_file_that_shrinks_under_a_view_is_told(void **state)
{
    struct world *w = *state;
    uint8_t buf[40];
    struct fault fault;
    begin(w, 4096);
    for (unsigned i = 0; i < 4; i++) {
        add(w, REGION_COPY, 100);
        add(w, REGION_LITERAL, 10);
    }
    see(w);
    for (off_t size = 439; size >= 0; size -= 11) {
        assert_int_equal(truncate(scratch_at(&w->scratch, "f").s, size), 0);
        assert_int_equal(source_read(&w->src, 0, buf, 40), ERR_CHANGED);
        assert_int_equal(source_read(&w->src, 39, buf, 1), ERR_CHANGED);
    }
    assert_int_equal(source_changed(&w->src, &fault), ERR_CHANGED);
}

static void gather_7_another_state_or_other_regions_have_another_token(void **state)
{
    struct world *w = *state;
    struct regions other;
    struct source_view view;
    begin(w, 4096);
    add(w, REGION_COPY, 100);
    add(w, REGION_LITERAL, 10);
    add(w, REGION_COPY, 100);
    see(w);
    uint64_t token = source_token(&w->src);
    assert_true(token != tree_token(&w->src.st));
    assert_true(token == source_view_token(&w->view, tree_token(&w->src.st)));
    assert_true(token != source_view_token(&w->view, tree_token(&w->src.st) + 1));
    for (unsigned change = 0; change < 3; change++) { /* length, source, kind */
        regions_init(&other, 0, 0);
        assert_int_equal(regions_add(&other, REGION_COPY, 0, change == 0 ? 99 : 100, 9), 0);
        assert_int_equal(regions_add(&other, REGION_LITERAL, 0, change == 0 ? 11 : 10, 9), 0);
        assert_int_equal(regions_add(&other, change == 2 ? REGION_HOLE : REGION_COPY, change == 1 ? 331 : 330, 100, 9), 0);
        assert_int_equal(source_view_init(&view, &other), 0);
        assert_true(token != source_view_token(&view, tree_token(&w->src.st)));
        source_view_fini(&view);
        regions_free(&other);
    }
    source_narrow(&w->src, NULL);
    assert_int_equal(source_size(&w->src), 210);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_7_every_alignment_of_literals_is_read_as_it_is),
        TEST(gather_7_literals_larger_than_what_is_read_in_one_go),
        TEST(gather_7_a_view_of_one_byte),
        TEST(gather_7_a_view_of_all_of_it_and_of_nothing),
        TEST(gather_7_millions_of_regions_are_read_in_blocks),
        TEST(gather_7_a_view_has_no_holes),
        TEST(p33_a_file_that_shrinks_under_a_view_is_told),
        TEST(gather_7_another_state_or_other_regions_have_another_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Jobs about files that peers have open: what a worker makes of them. */
#include "scratch.h"
#include "work.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER "d/" STAGE_PREFIX "g-key"

struct world {
    struct scratch scratch;
    struct open_job open;
    struct gather_watch watch;
    struct gather_job gather;
    struct index_job index;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "d");
    scratch_dir(&w->scratch, "spool");
    scratch_text(&w->scratch, "d/f", "hello, world");
    w->open.site.dir_fd = w->open.source.fd = -1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    w->gather.job.kind = JOB_CLOSE;
    w->gather.owned_site = &w->open.site;
    w->gather.owned_source = &w->open.source;
    job_work(&w->gather.job);
    assert_int_equal(w->gather.job.fault.code, 0);
    assert_true(w->open.site.dir_fd == -1 && w->open.source.fd == -1 && !w->gather.gather);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static int open_file(struct world *w, const char *path, bool write)
{
    snprintf(w->open.root, sizeof w->open.root, "%s/d", w->scratch.path);
    snprintf(w->open.path, sizeof w->open.path, "%s", path);
    w->open.write = write;
    w->open.job.kind = JOB_OPEN;
    job_work(&w->open.job);
    return (int)w->open.job.fault.code;
}

static int do_gather(struct world *w, enum job_kind kind)
{
    w->gather.job.kind = kind;
    w->gather.job.fault.code = 0;
    w->gather.site = &w->open.site;
    w->gather.key = "key";
    w->gather.watch = &w->watch;
    job_work(&w->gather.job);
    return (int)w->gather.job.fault.code;
}

static int commit(struct world *w, const char *text)
{
    w->gather.size = strlen(text);
    struct hash128 block = hash128_of(text, strlen(text));
    w->gather.hash = hash128_of(&block, *text ? sizeof block : 0); /* of one block, or none: see file_hash.h */
    w->gather.meta = (struct stage_meta){.mode = 0600, .mtime_s = 1};
    return do_gather(w, JOB_COMMIT);
}

static void gather_2_files_are_opened_to_be_read_or_replaced(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_file(w, "f", false), 0);
    assert_int_equal(source_size(&w->open.source), 12);
    assert_int_equal(w->open.site.dir_fd, -1);
    source_close(&w->open.source);
    assert_int_equal(open_file(w, "f", true), 0);
    assert_int_equal(w->open.site.kind, FILE_FILE);
    assert_int_equal(w->open.source.fd, -1);
}

/* Whoever asked is a peer. */
static void assert_no_path(const struct world *w, const struct fault *fault)
{
    assert_null(strstr(fault->text, w->scratch.path));
}

static void what_cannot_be_opened_is_told_and_nothing_is_open(void **state)
{
    struct world *w = *state;
    scratch_link(&w->scratch, "d/link", "f");
    assert_int_equal(open_file(w, "link", true), ERR_REFUSED);
    assert_int_equal(open_file(w, "link", false), ERR_REFUSED);
    assert_int_equal(open_file(w, "no", false), ERR_NOT_FOUND);
    assert_true(w->open.site.dir_fd == -1 && w->open.source.fd == -1);
    snprintf(w->open.root, sizeof w->open.root, "%s/nowhere", w->scratch.path);
    w->open.job.kind = JOB_OPEN;
    job_work(&w->open.job);
    assert_int_equal(w->open.job.fault.code, ERR_NOT_FOUND);
    assert_no_path(w, &w->open.job.fault);
}

static void gather_6_a_file_is_built_in_jobs(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_file(w, "f", true), 0);
    struct site site = w->open.site;
    assert_int_equal(open_file(w, "f", false), 0);
    w->open.site = site;
    w->gather.open_only = true;
    assert_int_equal(do_gather(w, JOB_GATHER), 0);
    w->gather.open_only = false;
    scratch_text(&w->scratch, FOLDER "/" GATHER_LITERALS, "good morning");
    w->gather.source = &w->open.source;
    w->gather.literals = 12;
    regions_init(&w->gather.regions, 0, 0);
    assert_int_equal(regions_add(&w->gather.regions, REGION_LITERAL, 0, 12, 9), 0);
    assert_int_equal(do_gather(w, JOB_GATHER), 0);
    regions_free(&w->gather.regions);
    regions_init(&w->gather.regions, 12, 12);
    assert_int_equal(regions_add(&w->gather.regions, REGION_COPY, 5, 7, 9), 0);
    assert_int_equal(do_gather(w, JOB_GATHER), 0);
    regions_free(&w->gather.regions);
    assert_int_equal(w->watch.done, 19);
    assert_int_equal(commit(w, "good morning, world"), 0);
    assert_int_equal(w->gather.state.size, 19);
    scratch_assert_text(&w->scratch, "d/f", "good morning, world");
}

static void literals_that_have_not_come_end_a_gather(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_file(w, "f", true), 0);
    w->gather.literals = 12;
    assert_int_equal(do_gather(w, JOB_GATHER), ERR_VERIFY);
    w->gather.literals = UINT64_MAX;
    assert_int_equal(do_gather(w, JOB_GATHER), 0); /* of nothing */
    scratch_assert_text(&w->scratch, "d/f", "hello, world");
}

static void an_empty_file_needs_no_gather(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_file(w, "new", true), 0);
    assert_int_equal(commit(w, ""), 0);
    scratch_assert_text(&w->scratch, "d/new", "");
}

static void p38_a_gather_that_is_closed_to_be_kept_keeps_its_literals(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_file(w, "f", true), 0);
    w->gather.open_only = true;
    assert_int_equal(do_gather(w, JOB_GATHER), 0);
    scratch_text(&w->scratch, FOLDER "/" GATHER_LITERALS, "good morning");
    w->gather.keep = true;
    assert_int_equal(do_gather(w, JOB_CLOSE), 0);
    scratch_assert_text(&w->scratch, FOLDER "/" GATHER_LITERALS, "good morning");
    w->gather.keep = false;
    assert_int_equal(do_gather(w, JOB_GATHER), 0);
    assert_int_equal(do_gather(w, JOB_CLOSE), 0);
    assert_int_equal(scratch_count(&w->scratch, "d"), 1);
}

/* ---- indexes */

static int make_index(struct world *w)
{
    snprintf(w->index.dir, sizeof w->index.dir, "%s/spool", w->scratch.path);
    snprintf(w->index.name, sizeof w->index.name, "7");
    w->index.source = &w->open.source;
    w->index.seed = 42;
    w->index.job.kind = JOB_INDEX;
    w->index.job.fault.code = 0;
    job_work(&w->index.job);
    return (int)w->index.job.fault.code;
}

#define MIB (1u << 20)

static const uint8_t *megabyte(void)
{
    static uint8_t bytes[MIB];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

/* A megabyte of noise, one of nothing, and the first one again. */
static void write_file(struct world *w)
{
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(pwrite(fd, megabyte(), MIB, 0), MIB);
    assert_int_equal(pwrite(fd, megabyte(), MIB, 2 * MIB), MIB);
    close(fd);
    assert_int_equal(open_file(w, "f", false), 0);
}

static void assert_same_index(const struct anchors *a, const struct anchors *b)
{
    assert_int_equal(anchors_size(a), anchors_size(b));
    assert_int_equal(anchors_count(a), anchors_count(b));
    assert_int_equal(anchors_seed(a), anchors_seed(b));
    for (uint64_t i = 0; i < anchors_count(a); i++) {
        struct segment one = anchors_segment(a, i), other = anchors_segment(b, i);
        assert_true(one.offset == other.offset && one.hash == other.hash && one.length == other.length);
    }
}

static void the_index_of_a_file_is_made_with_its_holes(void **state)
{
    struct world *w = *state;
    struct anchors *made, *meant;
    struct fault fault;
    struct stat st;
    write_file(w);
    scratch_text(&w->scratch, "spool/7", "of somebody who has gone");
    assert_int_equal(make_index(w), 0);
    assert_int_equal(w->index.done, 3 * MIB);
    assert_int_equal(stat(scratch_at(&w->scratch, "spool/7").s, &st), 0);
    assert_int_equal(w->index.bytes, st.st_size);
    assert_int_equal(st.st_mode & 07777, 0600);
    int fd = open(scratch_at(&w->scratch, "spool/7").s, O_RDONLY | O_CLOEXEC);
    assert_int_equal(anchors_read(fd, &made, &fault), 0);
    close(fd);
    assert_int_equal(anchors_new(42, &meant), 0);
    assert_int_equal(anchors_feed(meant, megabyte(), MIB), 0);
    assert_int_equal(anchors_feed_hole(meant, MIB), 0);
    assert_int_equal(anchors_feed(meant, megabyte(), MIB), 0);
    assert_int_equal(anchors_finish(meant), 0);
    assert_same_index(made, meant);
    anchors_free(made);
    anchors_free(meant);
}

static void an_index_that_is_not_wanted_any_more_is_not_made(void **state)
{
    struct world *w = *state;
    write_file(w);
    w->index.stop = true;
    assert_int_equal(make_index(w), ERR_CANCELLED);
    assert_int_equal(scratch_count(&w->scratch, "spool"), 0);
}

static void p33_the_index_of_a_file_that_changed_is_not_made(void **state)
{
    struct world *w = *state;
    write_file(w);
    scratch_text(&w->scratch, "d/f", "now another");
    assert_int_equal(make_index(w), ERR_CHANGED);
    assert_int_equal(scratch_count(&w->scratch, "spool"), 0);
}

static void an_index_that_has_no_place_is_told(void **state)
{
    struct world *w = *state;
    write_file(w);
    assert_int_equal(rmdir(scratch_at(&w->scratch, "spool").s), 0);
    assert_int_equal(make_index(w), ERR_NOT_FOUND);
    assert_no_path(w, &w->index.job.fault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_2_files_are_opened_to_be_read_or_replaced),
        TEST(what_cannot_be_opened_is_told_and_nothing_is_open),
        TEST(gather_6_a_file_is_built_in_jobs),
        TEST(literals_that_have_not_come_end_a_gather),
        TEST(an_empty_file_needs_no_gather),
        TEST(p38_a_gather_that_is_closed_to_be_kept_keeps_its_literals),
        TEST(the_index_of_a_file_is_made_with_its_holes),
        TEST(an_index_that_is_not_wanted_any_more_is_not_made),
        TEST(p33_the_index_of_a_file_that_changed_is_not_made),
        TEST(an_index_that_has_no_place_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

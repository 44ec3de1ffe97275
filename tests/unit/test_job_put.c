/* Jobs about files that are put: what is there, and what of it is new compared with what is remembered. */
#include "chance.h"
#include "io.h"
#include "scratch.h"
#include "work.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (300u << 10)
#define SEED 4711
#define NUMBER 17

struct rig {
    struct scratch scratch;
    struct survey_job survey;
    struct diff_job diff;
    char bases[512];
    uint8_t bytes[SIZE];
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    uint64_t x = 88172645463325252ull;
    scratch_make(&r->scratch);
    scratch_dir(&r->scratch, "bases");
    snprintf(r->bases, sizeof r->bases, "%s/bases", r->scratch.path);
    random_fill(&x, r->bytes, SIZE);
    *state = r;
    return 0;
}

static void drop_survey(struct rig *r)
{
    for (uint32_t i = 0; i < r->survey.count; i++)
        free(r->survey.file[i].path);
    free(r->survey.file);
    r->survey = (struct survey_job){0};
}

static int teardown(void **state)
{
    struct rig *r = *state;
    drop_survey(r);
    diff_free(&r->diff.diff);
    scratch_remove(&r->scratch);
    free(r);
    return 0;
}

/* ---- survey */

static int survey(struct rig *r, const char *name)
{
    drop_survey(r);
    r->survey = (struct survey_job){.job.kind = JOB_SURVEY, .least = 1000};
    snprintf(r->survey.path, sizeof r->survey.path, "%s/%s", r->scratch.path, name);
    assert_false(job_is_store(&r->survey.job));
    job_work(&r->survey.job);
    return (int)r->survey.job.fault.code;
}

static void a_file_is_told_with_its_state(void **state)
{
    struct rig *r = *state;
    struct stat st;
    scratch_write(&r->scratch, "f", r->bytes, 2000);
    scratch_link(&r->scratch, "link", "f");
    assert_int_equal(survey(r, "link"), 0);
    assert_int_equal(stat(scratch_at(&r->scratch, "f").s, &st), 0);
    assert_int_equal(r->survey.kind, FILE_FILE);
    assert_string_equal(r->survey.real, scratch_at(&r->scratch, "f").s);
    assert_true(r->survey.files == 1 && r->survey.bytes == 2000 && r->survey.count == 0);
    assert_true(r->survey.state.size == 2000 && r->survey.state.mtime_s == st.st_mtim.tv_sec);
    assert_int_equal(r->survey.state.token, tree_token(&st));
}

static void of_a_folder_the_large_files_are_told(void **state)
{
    struct rig *r = *state;
    scratch_dir(&r->scratch, "d");
    scratch_dir(&r->scratch, "d/sub");
    scratch_write(&r->scratch, "d/small", r->bytes, 999);
    scratch_write(&r->scratch, "d/sub/large", r->bytes, 1000);
    scratch_link(&r->scratch, "d/link", "small");
    assert_int_equal(survey(r, "d"), 0);
    assert_int_equal(r->survey.kind, FILE_DIR);
    assert_true(r->survey.files == 2 && r->survey.bytes == 1999);
    assert_int_equal(r->survey.count, 1);
    assert_string_equal(r->survey.file[0].path, "sub/large");
    assert_int_equal(r->survey.file[0].state.size, 1000);
}

static void p29_a_fifo_or_device_is_not_opened(void **state)
{
    struct rig *r = *state;
    assert_int_equal(mkfifo(scratch_at(&r->scratch, "fifo").s, 0600), 0);
    assert_int_equal(survey(r, "fifo"), ERR_REFUSED);
    assert_non_null(strstr(r->survey.job.fault.text, "neither a file nor a folder"));
    assert_int_equal(survey(r, "nothing"), ERR_NOT_FOUND);
    scratch_link(&r->scratch, "null", "/dev/null");
    assert_int_equal(survey(r, "null"), ERR_REFUSED);
}

static void a_survey_ends_when_it_is_told(void **state)
{
    struct rig *r = *state;
    scratch_dir(&r->scratch, "d");
    scratch_write(&r->scratch, "d/f", r->bytes, 2000);
    r->survey = (struct survey_job){.job.kind = JOB_SURVEY, .stop = true};
    snprintf(r->survey.path, sizeof r->survey.path, "%s/d", r->scratch.path);
    job_work(&r->survey.job);
    assert_int_equal(r->survey.job.fault.code, ERR_CANCELLED);
}

/* ---- diff */

static void new_diff(struct rig *r, const char *name)
{
    diff_free(&r->diff.diff);
    r->diff = (struct diff_job){.job.kind = JOB_DIFF,
                                .dir = r->bases,
                                .seed = SEED,
                                .number = NUMBER,
                                .bytes_max = UINT64_MAX,
                                .regions_max = DIFF_REGIONS_MAX};
    snprintf(r->diff.path, sizeof r->diff.path, "%s/%s", r->scratch.path, name);
}

static int diff(struct rig *r)
{
    job_work(&r->diff.job);
    return (int)r->diff.job.fault.code;
}

/* The file f is what bytes[] says; NUMBER is of it. */
static void make_base(struct rig *r)
{
    scratch_write(&r->scratch, "f", r->bytes, SIZE);
    new_diff(r, "f");
    r->diff.sketch_only = true;
    assert_int_equal(diff(r), 0);
    assert_true(r->diff.cost > 0 && r->diff.sketch_count == SKETCH_HASHES);
}

static struct base_row row_of(const struct rig *r)
{
    return (struct base_row){.number = NUMBER,
                             .state = r->diff.state,
                             .bytes = r->diff.bytes,
                             .cost = r->diff.cost,
                             .sketch_count = r->diff.sketch_count};
}

static void edit(struct rig *r)
{
    memset(r->bytes + 100000, 7, 50);
    scratch_write(&r->scratch, "f", r->bytes, SIZE);
}

/* What the regions make of the old bytes is the new file. */
static void assert_rebuilds(const struct rig *r, const uint8_t *old)
{
    const struct regions *g = &r->diff.diff.regions;
    uint64_t at = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        assert_int_equal(g->region[i].destination, at);
        if (g->region[i].kind == REGION_COPY)
            assert_memory_equal(old + g->region[i].source, r->bytes + at, g->region[i].length);
        at += g->region[i].length;
    }
    assert_int_equal(at, SIZE);
}

static void gather_3_only_what_changed_is_new(void **state)
{
    struct rig *r = *state;
    make_base(r);
    struct base_row row = row_of(r);
    uint8_t *old = malloc(SIZE);
    memcpy(old, r->bytes, SIZE);
    edit(r);
    new_diff(r, "f");
    r->diff.has_base = true;
    r->diff.base = row;
    r->diff.number = NUMBER + 1;
    assert_int_equal(diff(r), 0);
    assert_true(r->diff.diff.regions.literals >= 50 && r->diff.diff.regions.literals < 100);
    assert_rebuilds(r, old);
    assert_string_equal(r->diff.read_from, r->diff.path);
    assert_int_equal(r->diff.done, SIZE);
    free(old);
}

static size_t write_index(struct rig *r, const char *name)
{
    char from[PATH_BYTES_MAX + 1];
    static uint8_t buf[SIZE];
    size_t n = 0;
    base_files_path(r->bases, NUMBER, "index", from);
    int fd = open(from, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(io_pread(fd, buf, sizeof buf, 0, &n), 0);
    close(fd);
    scratch_write(&r->scratch, name, buf, n);
    return n;
}

static int diff_with(struct rig *r, const char *index)
{
    new_diff(r, "f");
    r->diff.number = 0;
    r->diff.base.state.size = SIZE;
    snprintf(r->diff.index_path, sizeof r->diff.index_path, "%s/%s", r->scratch.path, index);
    return diff(r);
}

static void with_the_peers_index_too(void **state)
{
    struct rig *r = *state;
    make_base(r);
    uint8_t *old = malloc(SIZE);
    memcpy(old, r->bytes, SIZE);
    write_index(r, "theirs");
    edit(r);
    assert_int_equal(diff_with(r, "theirs"), 0);
    assert_true(r->diff.diff.regions.literals < 2 * SEGMENT_MAX);
    assert_rebuilds(r, old);
    assert_false(scratch_exists(&r->scratch, "theirs"));
    free(old);
}

static void p39_a_damaged_index_is_of_no_use(void **state)
{
    struct rig *r = *state;
    make_base(r);
    size_t n = write_index(r, "theirs");
    assert_int_equal(truncate(scratch_at(&r->scratch, "theirs").s, (off_t)n - 1), 0);
    assert_int_equal(diff_with(r, "theirs"), ERR_DAMAGED);
    assert_false(scratch_exists(&r->scratch, "theirs"));
    assert_int_equal(diff_with(r, "none"), ERR_DAMAGED);

    write_index(r, "theirs");
    new_diff(r, "f");
    r->diff.number = 0;
    r->diff.base.state.size = SIZE + 1; /* it is of another file */
    snprintf(r->diff.index_path, sizeof r->diff.index_path, "%s/theirs", r->scratch.path);
    assert_int_equal(diff(r), ERR_DAMAGED);
    write_index(r, "theirs");
    new_diff(r, "f");
    r->diff.number = 0;
    r->diff.seed = SEED + 1;
    r->diff.base.state.size = SIZE;
    snprintf(r->diff.index_path, sizeof r->diff.index_path, "%s/theirs", r->scratch.path);
    assert_int_equal(diff(r), ERR_DAMAGED);
}

static void a_base_without_files_is_of_no_use_and_nothing_is_left(void **state)
{
    struct rig *r = *state;
    make_base(r);
    struct base_row row = row_of(r);
    base_files_drop(r->bases, NUMBER);
    new_diff(r, "f");
    r->diff.has_base = true;
    r->diff.base = row;
    r->diff.number = NUMBER + 1;
    assert_int_equal(diff(r), ERR_DAMAGED);
    assert_int_equal(scratch_count(&r->scratch, "bases"), 0);
}

static void without_a_number_nothing_is_kept(void **state)
{
    struct rig *r = *state;
    scratch_write(&r->scratch, "f", r->bytes, SIZE);
    new_diff(r, "f");
    r->diff.number = 0;
    r->diff.sketch_only = true;
    assert_int_equal(diff(r), 0);
    assert_int_equal(scratch_count(&r->scratch, "bases"), 0);
    assert_int_equal(r->diff.sketch_count, SKETCH_HASHES);
}

static void p20_where_nothing_can_be_kept_it_is_compared_all_the_same(void **state)
{
    struct rig *r = *state;
    scratch_write(&r->scratch, "f", r->bytes, SIZE);
    new_diff(r, "f");
    r->diff.sketch_only = true;
    strcat(r->bases, "/gone");
    assert_int_equal(diff(r), 0);
    assert_true(r->diff.number == 0 && r->diff.cost == 0);
    assert_true(r->diff.diff.regions.end == SIZE && r->diff.sketch_count > 0);
}

static void p29_what_became_a_fifo_is_refused(void **state)
{
    struct rig *r = *state;
    assert_int_equal(mkfifo(scratch_at(&r->scratch, "f").s, 0600), 0);
    new_diff(r, "f");
    assert_int_equal(diff(r), ERR_REFUSED);
    new_diff(r, "gone");
    assert_int_equal(diff(r), ERR_NOT_FOUND);
}

static void a_comparison_ends_when_it_is_told(void **state)
{
    struct rig *r = *state;
    scratch_write(&r->scratch, "f", r->bytes, SIZE);
    new_diff(r, "f");
    r->diff.stop = true;
    assert_int_equal(diff(r), ERR_CANCELLED);
    assert_int_equal(scratch_count(&r->scratch, "bases"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_told_with_its_state),      TEST(of_a_folder_the_large_files_are_told),
        TEST(p29_a_fifo_or_device_is_not_opened), TEST(a_survey_ends_when_it_is_told),
        TEST(gather_3_only_what_changed_is_new),  TEST(with_the_peers_index_too),
        TEST(p39_a_damaged_index_is_of_no_use),   TEST(a_base_without_files_is_of_no_use_and_nothing_is_left),
        TEST(without_a_number_nothing_is_kept),   TEST(p20_where_nothing_can_be_kept_it_is_compared_all_the_same),
        TEST(p29_what_became_a_fifo_is_refused),  TEST(a_comparison_ends_when_it_is_told),
    };
    return cmocka_run_group_tests_name("job_put", tests, NULL, NULL);
}

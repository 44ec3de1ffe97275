/* Files of bases, and the job that makes them: cloned where the file system can, copied when they are small, told apart from
 * what is left of a kill or a power cut, and made of the state in question or not at all. */
#include "chance.h"
#include "reflinks.h"
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED 42
#define NUMBER 0xabcdef
#define LARGE (3u << 20) /* more than is copied */
#define SMALL 100000u

struct world {
    struct scratch scratch;
    struct scratch_path dir;
    bool mounted;
    struct remember_job job;
    struct anchors *index;
    int bytes;
    struct fault fault;
    uint8_t content[LARGE];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t x = 88172645463325252u;
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "fs");
    w->dir = scratch_at(&w->scratch, "fs/bases");
    w->bytes = -1;
    random_fill(&x, w->content, sizeof w->content);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    anchors_free(w->index);
    if (w->bytes >= 0)
        close(w->bytes);
    if (w->mounted)
        reflinks_unmount(&w->scratch, "fs");
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static void mount_tmpfs(struct world *w, const char *options)
{
    if (mount("weft", scratch_at(&w->scratch, "fs").s, "tmpfs", 0, options) != 0)
        skip();
    w->mounted = true;
}

static void mount_xfs(struct world *w)
{
    rmdir(scratch_at(&w->scratch, "fs").s);
    if (!reflinks_mount(&w->scratch, "fs"))
        skip();
    w->mounted = true;
}

static struct file_state state_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (struct file_state){.token = 9,
                               .size = (uint64_t)st.st_size,
                               .mtime_s = st.st_mtim.tv_sec,
                               .mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
                               .mode = 0644};
}

/* A file as a get has placed it long ago. */
static void place(struct world *w, const char *name, size_t size)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 123456789}};
    struct scratch_path path = scratch_at(&w->scratch, name);
    scratch_write(&w->scratch, name, w->content, size);
    assert_int_equal(utimensat(AT_FDCWD, path.s, times, 0), 0);
    mkdir(w->dir.s, 0700);
    w->job = (struct remember_job){.job.kind = JOB_REMEMBER, .dir = w->dir.s, .seed = SEED, .bytes_max = UINT64_MAX};
    w->job.row.number = NUMBER;
    w->job.row.state = state_of(path.s);
    strcpy(w->job.path, path.s);
}

static void touch(struct world *w)
{
    int fd = open(w->job.path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "edited", 6, 50), 6);
    close(fd);
}

static int remember(struct world *w)
{
    w->job.job.fault = (struct fault){0};
    assert_false(job_is_store(&w->job.job));
    job_work(&w->job.job);
    return (int)w->job.job.fault.code;
}

static int open_files(struct world *w)
{
    anchors_free(w->index);
    if (w->bytes >= 0)
        close(w->bytes);
    return base_files_open(w->dir.s, &w->job.row, &w->index, &w->bytes, &w->fault);
}

static struct scratch_path made(struct world *w, const char *kind)
{
    struct scratch_path path;
    (void)w;
    snprintf(path.s, sizeof path.s, "fs/bases/%016llx.%s", (unsigned long long)NUMBER, kind);
    return path;
}

static void assert_nothing(struct world *w)
{
    assert_int_equal(scratch_count(&w->scratch, "fs/bases"), 0);
}

/* The index is that of the content as it was placed. */
static void assert_index(struct world *w, size_t size)
{
    struct anchors *model;
    uint64_t sketch[SKETCH_HASHES];
    assert_int_equal(anchors_new(SEED, &model), 0);
    assert_int_equal(anchors_feed(model, w->content, size), 0);
    assert_int_equal(anchors_finish(model), 0);
    assert_int_equal(anchors_size(w->index), size);
    assert_int_equal(anchors_count(w->index), anchors_count(model));
    for (uint64_t i = 0; i < anchors_count(model); i++)
        assert_int_equal(anchors_segment(w->index, i).hash, anchors_segment(model, i).hash);
    assert_int_equal(w->job.row.sketch_count, anchors_sketch(model, sketch));
    assert_memory_equal(w->job.row.sketch, sketch, w->job.row.sketch_count * sizeof *sketch);
    anchors_free(model);
}

static void assert_bytes(struct world *w, size_t size)
{
    uint8_t *found = malloc(size + 1);
    assert_true(w->bytes >= 0);
    assert_int_equal(pread(w->bytes, found, size + 1, 0), size);
    assert_memory_equal(found, w->content, size);
    free(found);
}

/* ---- what is made */

static void gather_1_a_large_file_is_cloned_where_that_can_be(void **state)
{
    struct world *w = *state;
    struct stat index;
    mount_xfs(w);
    place(w, "fs/file", LARGE);
    assert_int_equal(remember(w), 0);
    assert_true(w->job.row.bytes);
    assert_int_equal(open_files(w), 0);
    assert_index(w, LARGE);
    assert_bytes(w, LARGE);
    assert_int_equal(stat(scratch_at(&w->scratch, made(w, "index").s).s, &index), 0);
    assert_int_equal(w->job.row.cost, (uint64_t)index.st_size + LARGE);
    touch(w);
    assert_int_equal(open_files(w), 0);
    assert_bytes(w, LARGE); /* the old ones */
}

static void where_nothing_can_be_cloned_the_index_has_to_do(void **state)
{
    struct world *w = *state;
    int bytes;
    mount_tmpfs(w, "");
    place(w, "fs/file", LARGE);
    assert_int_equal(remember(w), 0);
    assert_false(w->job.row.bytes);
    assert_true(w->job.row.cost > 0 && w->job.row.cost < LARGE / 16);
    assert_int_equal(scratch_count(&w->scratch, "fs/bases"), 1);
    assert_int_equal(open_files(w), 0);
    assert_index(w, LARGE);
    assert_int_equal(w->bytes, -1);
    int fd = open(w->job.path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(base_files_clone(w->dir.s, NUMBER, fd, &bytes, &w->fault), ERR_UNSUPPORTED);
    assert_int_equal(bytes, -1);
    close(fd);
    assert_int_equal(scratch_count(&w->scratch, "fs/bases"), 1);
}

static void small_files_are_copied_anyway(void **state)
{
    struct world *w = *state;
    struct stat st;
    mount_tmpfs(w, "");
    place(w, "fs/file", SMALL);
    assert_int_equal(remember(w), 0);
    assert_true(w->job.row.bytes);
    assert_int_equal(open_files(w), 0);
    assert_index(w, SMALL);
    assert_bytes(w, SMALL);
    assert_int_equal(stat(scratch_at(&w->scratch, made(w, "bytes").s).s, &st), 0);
    assert_true(st.st_mtim.tv_sec == 1000 && st.st_mtim.tv_nsec == 123456789);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void files_over_the_limit_are_not_cloned(void **state)
{
    struct world *w = *state;
    place(w, "fs/file", SMALL);
    w->job.bytes_max = SMALL - 1;
    assert_int_equal(remember(w), 0);
    assert_false(w->job.row.bytes);
    assert_int_equal(open_files(w), 0);
}

static void holes_are_no_work_and_no_difference(void **state)
{
    struct world *w = *state;
    mount_tmpfs(w, "");
    place(w, "fs/file", SMALL);
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(truncate(w->job.path, 900000), 0);
    assert_int_equal(utimensat(AT_FDCWD, w->job.path, times, 0), 0);
    w->job.row.state = state_of(w->job.path);
    assert_int_equal(remember(w), 0);
    assert_int_equal(open_files(w), 0);
    assert_int_equal(anchors_size(w->index), 900000);
    assert_true(w->bytes >= 0); /* a copy, in which the hole is none */
}

static void the_clone_may_be_made_before_and_the_index_later(void **state)
{
    struct world *w = *state;
    mount_xfs(w);
    place(w, "fs/file", LARGE);
    w->job.clone_only = true;
    assert_int_equal(remember(w), 0);
    assert_true(w->job.row.bytes);
    assert_int_equal(scratch_count(&w->scratch, "fs/bases"), 1);
    w->job.clone_only = false;
    w->job.cloned = true;
    touch(w); /* in between: the clone is as it was */
    assert_int_equal(remember(w), 0);
    assert_int_equal(open_files(w), 0);
    assert_index(w, LARGE);
    assert_bytes(w, LARGE);
    assert_int_equal(unlink(w->job.path), 0);
    assert_int_equal(remember(w), 0);
}

/* ---- what is not */

static void p40_a_file_that_was_changed_is_not_remembered(void **state)
{
    struct world *w = *state;
    place(w, "fs/file", SMALL);
    touch(w);
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_nothing(w);
    place(w, "fs/file", SMALL);
    w->job.cloned = true; /* but it could not be cloned */
    touch(w);
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_nothing(w);
    place(w, "fs/file", SMALL);
    w->job.row.state.size--;
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_nothing(w);
}

struct editor {
    const char *path;
    int wait;
};

static void *edit(void *arg)
{
    const struct editor *e = arg;
    int fd = open(e->path, O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < e->wait; i++)
        sched_yield();
    for (off_t at = 100; at < (off_t)SMALL; at += 5000)
        if (pwrite(fd, "edited", 6, at) != 6)
            break;
    close(fd);
    return NULL;
}

/* Somebody edits it at any moment. */
static void p40_a_file_that_changes_while_it_is_read_is_remembered_right_or_not_at_all(void **state)
{
    struct world *w = *state;
    int kept = 0;
    for (int round = 0; round < 300; round++) {
        pthread_t thread;
        place(w, "fs/file", SMALL);
        struct editor e = {.path = w->job.path, .wait = round % 30};
        assert_int_equal(pthread_create(&thread, NULL, edit, &e), 0);
        int err = remember(w);
        pthread_join(thread, NULL);
        if (err) {
            assert_int_equal(err, ERR_CHANGED);
            assert_nothing(w);
            continue;
        }
        kept++;
        assert_int_equal(open_files(w), 0);
        assert_index(w, SMALL);
        assert_bytes(w, SMALL);
    }
    print_message("%d of 300 were remembered\n", kept);
}

static void p29_what_is_no_file_any_more_is_not_remembered(void **state)
{
    struct world *w = *state;
    place(w, "fs/file", SMALL);
    struct scratch_path elsewhere = scratch_at(&w->scratch, "fs/elsewhere");
    assert_int_equal(rename(w->job.path, elsewhere.s), 0);
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_int_equal(symlink("elsewhere", w->job.path), 0);
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_int_equal(unlink(w->job.path), 0);
    assert_int_equal(mkfifo(w->job.path, 0600), 0); /* whoever opens it waits for ever */
    assert_int_equal(remember(w), ERR_CHANGED);
    assert_nothing(w);
}

static void one_that_is_stopped_leaves_nothing(void **state)
{
    struct world *w = *state;
    place(w, "fs/file", SMALL);
    atomic_store(&w->job.stop, true);
    assert_int_equal(remember(w), ERR_CANCELLED);
    assert_nothing(w);
}

static void p20_a_full_disk_leaves_nothing(void **state)
{
    struct world *w = *state;
    char options[64];
    mount_tmpfs(w, "");
    place(w, "fs/file", LARGE);
    snprintf(options, sizeof options, "size=%u", LARGE + 2 * 4096);
    assert_int_equal(mount("weft", scratch_at(&w->scratch, "fs").s, "tmpfs", MS_REMOUNT, options), 0);
    assert_int_equal(remember(w), ERR_NOSPACE); /* the index */
    assert_nothing(w);
    place(w, "fs/file2", 4096);
    w->job.row.state.size = 4096;
    assert_int_equal(remember(w), ERR_NOSPACE); /* the copy, or the index */
    assert_nothing(w);
}

/* ---- what is left of a kill or a power cut */

static void damage(struct world *w, const char *kind, off_t at)
{
    uint8_t byte;
    int fd = open(scratch_at(&w->scratch, made(w, kind).s).s, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void p15_a_damaged_index_is_dropped(void **state)
{
    struct world *w = *state;
    struct stat st;
    place(w, "fs/file", SMALL);
    assert_int_equal(remember(w), 0);
    assert_int_equal(stat(scratch_at(&w->scratch, made(w, "index").s).s, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 97) {
        damage(w, "index", at);
        assert_int_equal(open_files(w), ERR_DAMAGED);
        assert_null(w->index);
        assert_nothing(w);
        assert_false(base_files_there(w->dir.s, &w->job.row));
        assert_int_equal(open_files(w), ERR_NOT_FOUND);
        assert_int_equal(remember(w), 0);
    }
    assert_int_equal(truncate(scratch_at(&w->scratch, made(w, "index").s).s, st.st_size - 1), 0);
    assert_int_equal(open_files(w), ERR_DAMAGED);
    assert_int_equal(remember(w), 0);
    w->job.row.state.size++;
    assert_int_equal(open_files(w), ERR_DAMAGED); /* of another file */
}

static void p16_a_copy_that_is_not_whole_is_none(void **state)
{
    struct world *w = *state;
    mount_tmpfs(w, "");
    place(w, "fs/file", SMALL);
    assert_int_equal(remember(w), 0);
    struct scratch_path bytes = scratch_at(&w->scratch, made(w, "bytes").s);
    damage(w, "bytes", SMALL - 1);
    assert_int_equal(open_files(w), 0);
    assert_int_equal(w->bytes, -1);
    assert_int_equal(truncate(bytes.s, 0), 0);
    assert_int_equal(truncate(bytes.s, SMALL), 0); /* as after a power cut */
    assert_int_equal(open_files(w), 0);
    assert_int_equal(w->bytes, -1);
    assert_int_equal(truncate(bytes.s, SMALL - 1), 0);
    struct base_row row = w->job.row;
    assert_true(base_files_there(w->dir.s, &row));
    assert_false(row.bytes);
    assert_int_equal(unlink(bytes.s), 0);
    assert_int_equal(symlink("../file", bytes.s), 0);
    assert_int_equal(open_files(w), 0);
    assert_int_equal(w->bytes, -1);
}

static void what_an_attempt_before_left_is_replaced(void **state)
{
    struct world *w = *state;
    place(w, "fs/file", SMALL);
    scratch_text(&w->scratch, made(w, "index").s, "torn");
    scratch_link(&w->scratch, made(w, "bytes").s, "../../file");
    assert_int_equal(remember(w), 0);
    assert_int_equal(open_files(w), 0);
    assert_index(w, SMALL);
    assert_false(scratch_exists(&w->scratch, "file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_1_a_large_file_is_cloned_where_that_can_be),
        TEST(where_nothing_can_be_cloned_the_index_has_to_do),
        TEST(small_files_are_copied_anyway),
        TEST(files_over_the_limit_are_not_cloned),
        TEST(holes_are_no_work_and_no_difference),
        TEST(the_clone_may_be_made_before_and_the_index_later),
        TEST(p40_a_file_that_was_changed_is_not_remembered),
        TEST(p40_a_file_that_changes_while_it_is_read_is_remembered_right_or_not_at_all),
        TEST(p29_what_is_no_file_any_more_is_not_remembered),
        TEST(one_that_is_stopped_leaves_nothing),
        TEST(p20_a_full_disk_leaves_nothing),
        TEST(p15_a_damaged_index_is_dropped),
        TEST(p16_a_copy_that_is_not_whole_is_none),
        TEST(what_an_attempt_before_left_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

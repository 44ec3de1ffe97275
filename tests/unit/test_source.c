/* Sources: what is read is one state of the file, or is told to be none (p33). */
#include "limits.h"
#include "scratch.h"
#include "source.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    struct root root;
    struct source src;
    struct fault fault;
};

/* ---- system calls that do what rarely happens; the linker prefers these to libc's. */

static struct {
    atomic_int interrupts, shorts, fails_with;
    bool later; /* the clock is a second ahead: what was just written has settled */
} trap;

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    if (trap.interrupts > 0) {
        trap.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (trap.fails_with > 0) {
        errno = trap.fails_with;
        return -1;
    }
    if (trap.shorts > 0 && n > 1) {
        trap.shorts--;
        n /= 2;
    }
    return (ssize_t)syscall(SYS_pread64, fd, buf, n, at);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);
    ts->tv_sec += trap.later && id == CLOCK_REALTIME;
    return rc;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    assert_int_equal(root_open(w->scratch.path, &w->root, &w->fault), 0);
    w->src.fd = -1;
    memset(&trap, 0, sizeof trap);
    trap.later = true;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    memset(&trap, 0, sizeof trap);
    source_close(&w->src);
    root_close(&w->root);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static void open_text(struct world *w, const char *text)
{
    scratch_text(&w->scratch, "f", text);
    assert_int_equal(source_open(&w->root, "f", &w->src, &w->fault), 0);
}

static void a_quiet_file_is_read_whole(void **state)
{
    struct world *w = *state;
    char buf[16];
    open_text(w, "hello, world");
    assert_int_equal(source_size(&w->src), 12);
    assert_int_equal(source_token(&w->src), tree_token(&w->src.st));
    assert_int_equal(source_read(&w->src, 7, buf, 5), 0);
    assert_memory_equal(buf, "world", 5);
    assert_int_equal(source_changed(&w->src, &w->fault), 0);
}

static void p21_short_and_interrupted_reads_do_not_show(void **state)
{
    struct world *w = *state;
    char buf[12];
    open_text(w, "hello, world");
    trap.interrupts = 2;
    trap.shorts = 3;
    assert_int_equal(source_read(&w->src, 0, buf, 12), 0);
    assert_memory_equal(buf, "hello, world", 12);
}

static void p21_failing_reads_are_told(void **state)
{
    struct world *w = *state;
    char buf[12];
    open_text(w, "hello, world");
    trap.fails_with = EIO;
    assert_int_equal(source_read(&w->src, 0, buf, 12), ERR_IO);
    trap.fails_with = ESTALE;
    assert_int_equal(source_read(&w->src, 0, buf, 12), ERR_CHANGED);
}

static void p33_a_file_that_shrinks_is_told(void **state)
{
    struct world *w = *state;
    char buf[12];
    open_text(w, "hello, world");
    assert_int_equal(truncate(scratch_at(&w->scratch, "f").s, 8), 0);
    assert_int_equal(source_read(&w->src, 0, buf, 12), ERR_CHANGED);
    assert_int_equal(source_changed(&w->src, &w->fault), ERR_CHANGED);
}

static void p33_a_file_that_grows_is_told(void **state)
{
    struct world *w = *state;
    open_text(w, "hello");
    scratch_text(&w->scratch, "f", "hello, world");
    assert_int_equal(source_changed(&w->src, &w->fault), ERR_CHANGED);
}

static void p33_a_file_that_is_rewritten_with_its_old_time_is_told(void **state)
{
    struct world *w = *state;
    open_text(w, "hello");
    const struct timespec times[2] = {w->src.st.st_atim, w->src.st.st_mtim};
    struct stat st;
    do { /* until the file system's clock has gone on */
        scratch_text(&w->scratch, "f", "HELLO");
        assert_int_equal(utimensat(AT_FDCWD, scratch_at(&w->scratch, "f").s, times, 0), 0);
        assert_int_equal(stat(scratch_at(&w->scratch, "f").s, &st), 0);
    } while (st.st_ctim.tv_sec == w->src.st.st_ctim.tv_sec && st.st_ctim.tv_nsec == w->src.st.st_ctim.tv_nsec);
    assert_int_equal(source_changed(&w->src, &w->fault), ERR_CHANGED);
}

static void p33_a_file_written_this_moment_is_not_believed(void **state)
{
    struct world *w = *state;
    open_text(w, "hello");
    trap.later = false;
    assert_int_equal(source_changed(&w->src, &w->fault), ERR_CHANGED);
    assert_non_null(strstr(w->fault.text, "this very moment"));
    trap.later = true;
    assert_int_equal(source_changed(&w->src, &w->fault), 0);
}

static void p33_a_replaced_file_is_read_as_it_was(void **state)
{
    struct world *w = *state;
    char buf[5];
    open_text(w, "hello");
    scratch_text(&w->scratch, "g", "HELLO");
    assert_int_equal(rename(scratch_at(&w->scratch, "g").s, scratch_at(&w->scratch, "f").s), 0);
    assert_int_equal(source_read(&w->src, 0, buf, 5), 0);
    assert_memory_equal(buf, "hello", 5); /* one state of it, though no longer the one with the name */
}

static void p32_holes_are_found(void **state)
{
    struct world *w = *state;
    static char block[BLOCK_BYTES];
    uint64_t data, end, tib = 1ull << 40, at = 12345 * (uint64_t)BLOCK_BYTES;
    memset(block, 'x', sizeof block);
    int fd = open(scratch_at(&w->scratch, "f").s, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)tib), 0);
    assert_int_equal(pwrite(fd, block, sizeof block, (off_t)at), sizeof block);
    close(fd);
    assert_int_equal(source_open(&w->root, "f", &w->src, &w->fault), 0);
    assert_int_equal(source_next_data(&w->src, 0, &data, &end), 0);
    assert_int_equal(data, at);
    assert_int_equal(end, at + BLOCK_BYTES);
    assert_int_equal(source_next_data(&w->src, at + 5, &data, &end), 0);
    assert_int_equal(data, at + 5);
    assert_int_equal(source_next_data(&w->src, end, &data, &end), 0);
    assert_true(data == tib && end == tib);
    assert_int_equal(source_next_data(&w->src, tib, &data, &end), 0);
    assert_true(data == tib && end == tib);
    assert_int_equal(source_next_data(&w->src, UINT64_MAX, &data, &end), 0);
    assert_true(data == tib && end == tib);
}

static void p33_an_empty_file_has_no_data(void **state)
{
    struct world *w = *state;
    uint64_t data, end;
    open_text(w, "");
    assert_int_equal(source_next_data(&w->src, 0, &data, &end), 0);
    assert_true(data == 0 && end == 0);
    assert_int_equal(source_changed(&w->src, &w->fault), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quiet_file_is_read_whole),
        TEST(p21_short_and_interrupted_reads_do_not_show),
        TEST(p21_failing_reads_are_told),
        TEST(p33_a_file_that_shrinks_is_told),
        TEST(p33_a_file_that_grows_is_told),
        TEST(p33_a_file_that_is_rewritten_with_its_old_time_is_told),
        TEST(p33_a_file_written_this_moment_is_not_believed),
        TEST(p33_a_replaced_file_is_read_as_it_was),
        TEST(p32_holes_are_found),
        TEST(p33_an_empty_file_has_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

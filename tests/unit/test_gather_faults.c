/* Gathers under a system that fails, cuts short, is killed, or changes files at the worst moment: d/f is the old file or the
 * new one, and whoever changed it meanwhile keeps the change. */
#include "gathering.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- system calls that do what rarely happens; the linker prefers these to libc's. */

enum clones { CLONES_NOT, CLONES_WELL, CLONES_ONCE };
enum meeting { MEETS_NOBODY, MEETS_NEW_FILE, MEETS_EDIT, MEETS_LINK, MEETS_TWO };

static struct {
    struct gathering *w;
    int kill_in;                       /* system calls */
    atomic_int steps;                  /* made so far */
    int interrupts, shorts;            /* of reads and writes */
    int read_fails_in, write_fails_in; /* calls */
    int errnum;                        /* then */
    int fsync_fails_in, reserve_fails;
    bool no_exchange, scarce; /* little room is left */
    off_t reserved;
    void (*_Atomic at_read)(struct gathering *w); /* once, before the next read */
    enum meeting meeting;                         /* just before the exchange */
    enum clones clones; /* what sharing of blocks does; well: it copies, after a check as strict as a file system's */
    int clone_calls;
    uint64_t cloned;
    bool later; /* the clock is a second ahead: what was just written has settled */
} trap;

static void step(void)
{
    if (++trap.steps == trap.kill_in) {
        raise(SIGKILL);
    }
}

static bool is_due(int *calls)
{
    return *calls > 0 && --*calls == 0;
}

/* What reads and writes have in common: fail when it is time, else be interrupted, else be short. */
static int transfer_trap(int *fails_in, size_t *n)
{
    step();
    if (is_due(fails_in)) {
        errno = trap.errnum;
        return -1;
    }
    if (trap.interrupts > 0) {
        trap.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (trap.shorts > 0 && *n > 1) {
        trap.shorts--;
        *n /= 2;
    }
    return 0;
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    void (*meanwhile)(struct gathering * w) = trap.at_read;
    if (meanwhile) {
        trap.at_read = NULL;
        meanwhile(trap.w);
    }
    return transfer_trap(&trap.read_fails_in, &n) ? -1 : (ssize_t)syscall(SYS_pread64, fd, buf, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return transfer_trap(&trap.write_fails_in, &n) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    step();
    trap.reserved += n;
    if (trap.reserve_fails) {
        errno = trap.reserve_fails;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

int fstatvfs(int fd, struct statvfs *fs)
{
    *fs = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_bavail = trap.scarce ? 64 : 1u << 30};
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int fsync(int fd)
{
    step();
    if (is_due(&trap.fsync_fails_in)) {
        errno = EIO;
        return -1;
    }
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0; /* what is durable shows in no test of this kind, and takes time */
}

int ftruncate(int fd, off_t n)
{
    step();
    return (int)syscall(SYS_ftruncate, fd, n);
}

int fchmod(int fd, mode_t mode)
{
    step();
    return (int)syscall(SYS_fchmod, fd, mode);
}

int futimens(int fd, const struct timespec times[2])
{
    step();
    return (int)syscall(SYS_utimensat, fd, NULL, times, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    step();
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    step();
    return (int)syscall(SYS_mkdirat, fd, name, mode);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);
    ts->tv_sec += trap.later && id == CLOCK_REALTIME;
    return rc;
}

/* ---- sharing blocks */

static int clone_range(int fd, const struct file_clone_range *range)
{
    struct stat st;
    uint64_t block = 4096, left = range->src_length;
    static uint8_t buf[65536];
    trap.clone_calls++;
    if (trap.clones == CLONES_NOT || (trap.clones == CLONES_ONCE && trap.clone_calls > 1)) {
        errno = trap.clones == CLONES_NOT ? EOPNOTSUPP : EIO;
        return -1;
    }
    assert_int_equal(range->src_offset % block | range->dest_offset % block | range->src_length % block, 0);
    assert_int_equal(fstat((int)range->src_fd, &st), 0);
    assert_true(range->src_length > 0 && range->src_offset + range->src_length <= (uint64_t)st.st_size);
    for (uint64_t at = 0; left > 0;) {
        size_t n = left < sizeof buf ? (size_t)left : sizeof buf;
        assert_int_equal(syscall(SYS_pread64, range->src_fd, buf, n, range->src_offset + at), n);
        assert_int_equal(syscall(SYS_pwrite64, fd, buf, n, range->dest_offset + at), n);
        at += n;
        left -= n;
    }
    trap.cloned += range->src_length;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    step();
    return request == FICLONERANGE ? clone_range(fd, arg) : (int)syscall(SYS_ioctl, fd, request, arg);
}

/* ---- somebody else */

static void put_another(struct gathering *w, const char *text)
{
    scratch_text(&w->scratch, "another", text);
    assert_int_equal(rename(scratch_at(&w->scratch, "another").s, scratch_at(&w->scratch, "d/f").s), 0);
}

static void meet(struct gathering *w, enum meeting how)
{
    if (how == MEETS_EDIT) {
        scratch_text(&w->scratch, "d/f", "edited in place");
    } else if (how == MEETS_LINK) {
        scratch_link(&w->scratch, "link", "/etc/hostname");
        assert_int_equal(rename(scratch_at(&w->scratch, "link").s, scratch_at(&w->scratch, "d/f").s), 0);
    } else {
        put_another(w, how == MEETS_NEW_FILE ? "edited by another" : "first edit");
    }
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    step();
    if (flags == RENAME_EXCHANGE && trap.no_exchange) {
        errno = EINVAL;
        return -1;
    }
    if (flags == RENAME_EXCHANGE && trap.meeting != MEETS_NOBODY) {
        enum meeting how = trap.meeting;
        trap.meeting = MEETS_NOBODY;
        meet(trap.w, how);
        int rc = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
        if (how == MEETS_TWO) {
            put_another(trap.w, "second edit"); /* over what was exchanged in */
        }
        return rc;
    }
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

/* ---- the world */

static int setup(void **state)
{
    memset(&trap, 0, sizeof trap);
    trap.later = true;
    int rc = gathering_setup(state);
    trap.w = *state;
    return rc;
}

static int teardown(void **state)
{
    memset(&trap, 0, sizeof trap);
    return gathering_teardown(state);
}

/* A new version with everything in it, so that every way of building is gone. */
static void add_all(struct gathering *w)
{
    gathering_literals(w, 5000);
    gathering_add(w, REGION_COPY, 4096, 100000); /* shared: on blocks, but for its end */
    gathering_add(w, REGION_LITERAL, 0, 5000);
    gathering_add(w, REGION_COPY, 100000, 60000); /* not: the offsets differ within a block */
    gathering_add(w, REGION_HOLE, 0, 300);
    gathering_add(w, REGION_COPY, w->model_size + 40960, 90000); /* shared but for both ends */
    gathering_add(w, REGION_COPY, w->model_size + 4096, 9000);   /* not: too short */
}

static void assert_builds(struct gathering *w)
{
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
    gathering_close(w, false);
    gathering_assert_alone(w);
}

/* What has failed is over for good; d/f is as it was. */
static void assert_over(struct gathering *w)
{
    assert_int_equal(gathering_run(w), ERR_STATE);
    assert_int_equal(gathering_commit(w), ERR_STATE);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
}

/* ---- sharing */

static void gather_7_whole_blocks_are_shared_and_edges_copied(void **state)
{
    struct gathering *w = *state;
    trap.clones = CLONES_WELL;
    gathering_open(w);
    add_all(w);
    assert_builds(w);
    assert_int_equal(trap.clone_calls, 3); /* the first one twice: to see whether it can be done */
    assert_int_equal(trap.cloned, 2 * (100000 / 4096 * 4096) + 86016);
    assert_int_equal(trap.reserved, 0); /* where there is plenty of room it is not asked for */
}

static void gather_7_where_blocks_cannot_be_shared_bytes_are_copied(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    assert_builds(w);
    assert_int_equal(trap.clone_calls, 1);
}

static void gather_7_sharing_that_fails_in_the_middle_goes_on_as_a_copy(void **state)
{
    struct gathering *w = *state;
    trap.clones = CLONES_ONCE;
    gathering_open(w);
    add_all(w);
    assert_builds(w);
    assert_int_equal(trap.clone_calls, 2);
}

/* ---- failing calls */

static void p21_short_and_interrupted_calls_do_not_show(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    trap.interrupts = 7;
    trap.shorts = 9;
    assert_builds(w);
}

static void p21_what_cannot_be_read_is_told(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    trap.read_fails_in = 3;
    trap.errnum = EIO;
    assert_int_equal(gathering_run(w), ERR_IO);
    assert_non_null(strstr(w->fault.text, "'f': Input/output error"));
    assert_over(w);
}

static void p20_s58_a_disk_that_fills_in_the_middle_is_told(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    trap.write_fails_in = 3;
    trap.errnum = ENOSPC;
    assert_int_equal(gathering_run(w), ERR_NOSPACE);
    assert_over(w);
    gathering_open(w); /* and goes on when there is space */
    add_all(w);
    assert_builds(w);
}

static void p20_room_is_asked_for_first_where_it_is_scarce(void **state)
{
    struct gathering *w = *state;
    trap.scarce = true;
    trap.reserve_fails = ENOSPC;
    gathering_open(w);
    add_all(w);
    assert_int_equal(gathering_run(w), ERR_NOSPACE);
    assert_int_equal(w->watch.done, 0);
    assert_over(w);
    trap.reserve_fails = EOPNOTSUPP; /* then it is seen when it comes */
    gathering_open(w);
    add_all(w);
    assert_builds(w);
}

static void p20_room_is_asked_for_neither_for_holes_nor_for_shared_blocks(void **state)
{
    struct gathering *w = *state;
    trap.clones = CLONES_WELL;
    trap.scarce = true;
    gathering_open(w);
    gathering_literals(w, 100000);
    gathering_add(w, REGION_COPY, 8192, 99000); /* 98304 of it shared */
    gathering_add(w, REGION_LITERAL, 0, 70000);
    gathering_add(w, REGION_HOLE, 0, 1000000);
    gathering_add(w, REGION_COPY, 1, 80000);
    gathering_add(w, REGION_HOLE, 0, 10);
    gathering_add(w, REGION_LITERAL, 0, 1000); /* too little to ask for */
    assert_builds(w);
    assert_int_equal(trap.reserved, 99000 - 98304 + 70000 + 80000);
}

static void p17_a_file_that_cannot_be_made_durable_is_not_installed(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    assert_int_equal(gathering_run(w), 0);
    trap.fsync_fails_in = 1;
    assert_int_equal(gathering_commit(w), ERR_IO);
    assert_over(w);
}

static void p17_a_folder_that_cannot_be_made_durable_is_told(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    assert_int_equal(gathering_run(w), 0);
    trap.fsync_fails_in = 2;
    assert_int_equal(gathering_commit(w), ERR_IO);
    assert_non_null(strstr(w->fault.text, "cannot be made durable there"));
    gathering_assert_new(w);
}

/* ---- sources that change */

static void shorten(struct gathering *w)
{
    assert_int_equal(truncate(scratch_at(&w->scratch, "d/f").s, 5000), 0);
}

static void edit(struct gathering *w)
{
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_WRONLY | O_CLOEXEC);
    assert_int_equal(syscall(SYS_pwrite64, fd, "x", 1, 299999), 1);
    close(fd);
}

static void meet_source(struct gathering *w, void (*change)(struct gathering *w), const char *text)
{
    gathering_open(w);
    add_all(w);
    trap.at_read = change;
    assert_int_equal(gathering_run(w), ERR_CHANGED);
    assert_non_null(strstr(w->fault.text, text));
    assert_int_equal(gathering_run(w), ERR_STATE);
    gathering_close(w, false);
    gathering_assert_alone(w);
}

static void s57_a_source_that_is_truncated_meanwhile_is_found_out(void **state)
{
    struct gathering *w = *state;
    meet_source(w, shorten, "shorter");
}

static void p33_a_source_that_is_edited_meanwhile_is_found_out(void **state)
{
    struct gathering *w = *state;
    trap.clones = CLONES_WELL;
    meet_source(w, edit, "changed while it was read");
}

static void s57_of_several_threads_one_finds_it_out(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(regions_add(&w->regions, REGION_COPY, i, 250000, UINT32_MAX), 0);
        assert_int_equal(regions_add(&w->regions, REGION_HOLE, 0, 7000001, UINT32_MAX), 0);
    }
    trap.at_read = shorten;
    assert_int_equal(gathering_run(w), ERR_CHANGED);
    assert_non_null(strstr(w->fault.text, "shorter"));
    assert_int_equal(gathering_commit(w), ERR_STATE);
}

static void p40_a_source_that_changed_since_it_was_opened_is_not_read(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    add_all(w);
    edit(w);
    trap.read_fails_in = 1;
    trap.errnum = EIO;
    assert_int_equal(gathering_run(w), ERR_CHANGED);
    assert_int_equal(trap.read_fails_in, 1);
}

static void a_source_made_this_moment_is_waited_for(void **state)
{
    struct gathering *w = *state;
    trap.later = false;
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    gathering_open(w);
    add_all(w);
    assert_builds(w);
}

/* ---- destinations that change */

static void build(struct gathering *w)
{
    gathering_open(w);
    add_all(w);
    assert_int_equal(gathering_run(w), 0);
}

static void assert_given_back(struct gathering *w, enum meeting how, const char *text)
{
    build(w);
    trap.meeting = how;
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    gathering_close(w, false);
    scratch_assert_text(&w->scratch, "d/f", text);
}

static void p40_an_edit_just_before_the_exchange_is_given_back(void **state)
{
    struct gathering *w = *state;
    assert_given_back(w, MEETS_NEW_FILE, "edited by another");
    gathering_assert_alone(w);
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    assert_given_back(w, MEETS_EDIT, "edited in place");
    gathering_assert_alone(w);
}

static void s9_a_link_just_before_the_exchange_is_given_back(void **state)
{
    struct gathering *w = *state;
    char target[64] = "";
    build(w);
    trap.meeting = MEETS_LINK;
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    gathering_close(w, false);
    assert_int_equal(readlink(scratch_at(&w->scratch, "d/f").s, target, sizeof target - 1), 13);
    assert_string_equal(target, "/etc/hostname");
    gathering_assert_alone(w);
}

static void p40_of_two_edits_around_the_exchange_none_is_lost(void **state)
{
    struct gathering *w = *state;
    assert_given_back(w, MEETS_TWO, "first edit"); /* taken out, and back over the second, which then is out */
    assert_int_equal(scratch_count(&w->scratch, "d"), 2);
    scratch_assert_text(&w->scratch, "d/f (2)", "second edit");
}

static void where_nothing_can_be_exchanged_it_is_renamed(void **state)
{
    struct gathering *w = *state;
    build(w);
    trap.no_exchange = true;
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
}

/* ---- kills */

static void put_once(struct gathering *w)
{
    gathering_open(w);
    add_all(w);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_close(w, false);
}

/* Runs a whole update in a process that dies at its n-th system call. False: it was through before. */
static bool put_killed(struct gathering *w, int n)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        trap.steps = 0;
        trap.kill_in = n;
        put_once(w);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) != 0;
}

static bool is_text(struct gathering *w, const uint8_t *bytes, size_t n)
{
    uint8_t *got = malloc(n + 1);
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_RDONLY | O_CLOEXEC);
    bool same = syscall(SYS_pread64, fd, got, n + 1, 0) == (long)n && memcmp(got, bytes, n) == 0;
    close(fd);
    free(got);
    return same;
}

static void p15_killed_at_any_system_call_the_file_is_old_or_new(void **state)
{
    struct gathering *w = *state;
    unsigned olds = 0, news = 0;
    trap.clones = CLONES_WELL;
    gathering_open(w);
    add_all(w); /* for the model */
    gathering_close(w, false);
    size_t model_size = w->model_size;
    uint8_t *model = malloc(model_size);
    memcpy(model, w->model, model_size);
    for (int n = 1; put_killed(w, n); n++) {
        bool old = is_text(w, w->old, w->old_size), new = is_text(w, model, model_size);
        assert_true(old || new);
        olds += old;
        news += new;
        scratch_write(&w->scratch, "d/f", w->old, w->old_size);
        put_once(w); /* p18: what was left is found, and goes */
        assert_true(is_text(w, model, model_size));
        gathering_assert_alone(w);
        scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    }
    assert_true(olds >= 20 && news >= 3);
    free(model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_7_whole_blocks_are_shared_and_edges_copied),
        TEST(gather_7_where_blocks_cannot_be_shared_bytes_are_copied),
        TEST(gather_7_sharing_that_fails_in_the_middle_goes_on_as_a_copy),
        TEST(p21_short_and_interrupted_calls_do_not_show),
        TEST(p21_what_cannot_be_read_is_told),
        TEST(p20_s58_a_disk_that_fills_in_the_middle_is_told),
        TEST(p20_room_is_asked_for_first_where_it_is_scarce),
        TEST(p20_room_is_asked_for_neither_for_holes_nor_for_shared_blocks),
        TEST(p17_a_file_that_cannot_be_made_durable_is_not_installed),
        TEST(p17_a_folder_that_cannot_be_made_durable_is_told),
        TEST(s57_a_source_that_is_truncated_meanwhile_is_found_out),
        TEST(p33_a_source_that_is_edited_meanwhile_is_found_out),
        TEST(s57_of_several_threads_one_finds_it_out),
        TEST(p40_a_source_that_changed_since_it_was_opened_is_not_read),
        TEST(a_source_made_this_moment_is_waited_for),
        TEST(p40_an_edit_just_before_the_exchange_is_given_back),
        TEST(s9_a_link_just_before_the_exchange_is_given_back),
        TEST(p40_of_two_edits_around_the_exchange_none_is_lost),
        TEST(where_nothing_can_be_exchanged_it_is_renamed),
        TEST(p15_killed_at_any_system_call_the_file_is_old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Landlock: a confined thread stays inside even where no path check stands in its way (s61). Each test runs in a child process,
 * because a thread is confined for good. */
#include "landlock.h"
#include "scratch.h"
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_LANDLOCK 77

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    scratch_make(s);
    scratch_dir(s, "in");
    scratch_dir(s, "in/a");
    scratch_dir(s, "out");
    scratch_text(s, "out/f", "outside");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}

static void in_one_child(const struct scratch *s, bool by_path, int (*run)(const struct scratch *s))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct scratch_path in = scratch_at(s, "in");
        const struct landlock_folder folder =
            by_path ? (struct landlock_folder){.path = in.s}
                    : (struct landlock_folder){.fd = open(in.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        struct fault fault;
        int rc = landlock_confine_writes(&folder, 1, &fault);
        _exit(rc == ERR_UNSUPPORTED ? NO_LANDLOCK : rc ? 100 : run(s));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_LANDLOCK) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void in_child(const struct scratch *s, int (*run)(const struct scratch *s))
{
    in_one_child(s, true, run);
}

/* Returns the number of the first thing that was allowed though it must not be; 0 when there is none. */
static int all_outside_is_denied(const struct scratch *s)
{
    struct scratch_path f = scratch_at(s, "out/f"), g = scratch_at(s, "out/g"), in = scratch_at(s, "in/f");
    int ok = open(in.s, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (ok < 0) {
        return 20;
    }
    return open(f.s, O_WRONLY | O_CLOEXEC) >= 0                   ? 1
           : open(g.s, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 2
           : unlink(f.s) == 0                                     ? 3
           : rename(f.s, g.s) == 0                                ? 4
           : rename(in.s, g.s) == 0                               ? 5
           : link(in.s, g.s) == 0                                 ? 6
           : symlink("x", g.s) == 0                               ? 7
           : mkdir(g.s, 0700) == 0                                ? 8
           : rename(f.s, in.s) == 0                               ? 9
           : mkfifo(scratch_at(s, "in/fifo").s, 0600) == 0        ? 10
           : open(f.s, O_RDONLY | O_CLOEXEC) < 0                  ? 21
                                                                  : 0;
}

static void s61_a_confined_thread_cannot_write_outside(void **state)
{
    in_child(*state, all_outside_is_denied);
    scratch_assert_text(*state, "out/f", "outside");
    assert_int_equal(scratch_count(*state, "out"), 1);
}

static void s61_a_folder_that_no_path_leads_to_confines_as_well(void **state)
{
    in_one_child(*state, false, all_outside_is_denied);
    scratch_assert_text(*state, "out/f", "outside");
    assert_int_equal(scratch_count(*state, "out"), 1);
}

static void ignore(void *arg, const char *path, const struct fault *fault)
{
    (void)path;
    (void)fault;
    ++*(int *)arg;
}

static int a_stage_works(const struct scratch *s)
{
    struct stage *stage;
    struct stage_batch *b;
    struct fault fault;
    struct stage_meta meta = {.mode = 0755};
    int refused = 0;
    if (stage_open(scratch_at(s, "in").s, "abc", IF_EXISTS_REFUSE, &stage, &fault) ||
        stage_batch_new(stage, ignore, &refused, &b, &fault)) {
        return 1;
    }
    int rc = stage_dir(stage, "d", &fault) || stage_small(b, "d/f", "x", 1, 1, &meta, &fault) ||
             stage_link(stage, "d/l", "f", &meta, &fault) || stage_batch_commit(b, &fault) || refused ||
             stage_finish_dir(stage, "d", &meta, &fault);
    stage_batch_free(b);
    stage_close(stage, true);
    return rc;
}

static void s61_placing_works_in_a_confined_thread(void **state)
{
    in_child(*state, a_stage_works);
    scratch_assert_text(*state, "in/d/f", "x");
    assert_int_equal(scratch_count(*state, "in"), 2);
}

static void *write_outside(void *arg)
{
    return open(scratch_at(arg, "out/f").s, O_WRONLY | O_CLOEXEC) >= 0 ? arg : NULL;
}

static int started_threads_inherit_it(const struct scratch *s)
{
    pthread_t thread;
    void *wrote = NULL;
    struct scratch copy = *s;
    if (pthread_create(&thread, NULL, write_outside, &copy) || pthread_join(thread, &wrote)) {
        return 1;
    }
    return wrote ? 2 : 0;
}

static void s61_threads_started_by_it_are_confined_too(void **state)
{
    in_child(*state, started_threads_inherit_it);
}

static void a_missing_folder_is_told(void **state)
{
    struct scratch_path gone = scratch_at(*state, "gone");
    const struct landlock_folder folder = {.path = gone.s};
    pid_t pid = fork();
    if (pid == 0) {
        struct fault fault;
        int rc = landlock_confine_writes(&folder, 1, &fault);
        _exit(rc == ERR_UNSUPPORTED || (rc == ERR_NOT_FOUND && strstr(fault.text, "gone")) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s61_a_confined_thread_cannot_write_outside),
        TEST(s61_a_folder_that_no_path_leads_to_confines_as_well),
        TEST(s61_placing_works_in_a_confined_thread),
        TEST(s61_threads_started_by_it_are_confined_too),
        TEST(a_missing_folder_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

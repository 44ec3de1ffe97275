/* What is looked at before it is shared: paths become what they really are, and of commands the program is found. */
#include "scratch.h"
#include "work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    struct inspect_job job;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static int inspect(struct world *w, const char *path)
{
    w->job = (struct inspect_job){.job.kind = JOB_INSPECT};
    assert_true(strlen(path) < sizeof w->job.path);
    strcpy(w->job.path, path);
    assert_false(job_is_store(&w->job.job));
    job_work(&w->job.job);
    return (int)w->job.job.fault.code;
}

static void make_program(struct world *w, const char *name, mode_t mode)
{
    scratch_text(&w->scratch, name, "#!/bin/sh\n");
    assert_int_equal(chmod(scratch_at(&w->scratch, name).s, mode), 0);
}

static void paths_are_told_as_what_they_are(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "file", "12345");
    scratch_dir(&w->scratch, "dir");
    scratch_link(&w->scratch, "link", "dir/../file");
    assert_int_equal(inspect(w, scratch_at(&w->scratch, "link").s), 0);
    assert_string_equal(w->job.real, scratch_at(&w->scratch, "file").s);
    assert_true(w->job.kind == ENTRY_FILE && w->job.size == 5 && !w->job.fifo);
    assert_int_equal(inspect(w, scratch_at(&w->scratch, "dir").s), 0);
    assert_true(w->job.kind == ENTRY_DIR && w->job.size == 0);
    assert_int_equal(inspect(w, scratch_at(&w->scratch, "nothing").s), 0);
    assert_int_equal(w->job.kind, ENTRY_OTHER);
}

static void whoever_only_looks_waits_for_no_whole_file(void **state)
{
    static const enum job_kind looks[] = {JOB_LIST, JOB_INSPECT, JOB_OPEN, JOB_CLOSE, JOB_DISCARD};
    static const enum job_kind reads[] = {JOB_REMEMBER, JOB_SURVEY, JOB_DIFF, JOB_INDEX, JOB_GATHER, JOB_COMMIT};
    (void)state;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        assert_false(job_is_long(&(struct job){.kind = looks[i]}));
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        assert_true(job_is_long(&(struct job){.kind = reads[i]}));
}

static void what_is_discarded_may_be_a_folder(void **state)
{
    struct world *w = *state;
    struct discard_job job = {.job.kind = JOB_DISCARD};
    scratch_dir(&w->scratch, "home");
    scratch_dir(&w->scratch, "home/stage");
    scratch_dir(&w->scratch, "home/stage/b0");
    scratch_text(&w->scratch, "home/stage/b0/some", "of it");
    scratch_text(&w->scratch, "home/file", "x");
    static const char *const names[] = {"home/stage", "home/file", "home/nothing"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct scratch_path path = scratch_at(&w->scratch, names[i]);
        assert_true(strlen(path.s) < sizeof job.path);
        strcpy(job.path, path.s);
        job_work(&job.job);
        assert_int_equal(job.job.fault.code, 0);
    }
    assert_int_equal(scratch_count(&w->scratch, "home"), 0);
}

static void a_peer_that_lists_a_folder_that_is_gone_hears_of_no_path(void **state)
{
    struct world *w = *state;
    struct list_job *list = calloc(1, sizeof *list);
    assert_non_null(list);
    list->job.kind = JOB_LIST;
    strcpy(list->root, scratch_at(&w->scratch, "gone").s);
    job_work(&list->job);
    assert_int_equal(list->job.fault.code, ERR_NOT_FOUND);
    assert_null(strstr(list->job.fault.text, w->scratch.path));
    free(list);
}

static void p29_fifos_and_devices_are_looked_at_and_not_opened(void **state)
{
    struct world *w = *state;
    struct scratch_path fifo = scratch_at(&w->scratch, "fifo");
    assert_int_equal(mkfifo(fifo.s, 0600), 0); /* whoever opens it waits for ever */
    assert_int_equal(inspect(w, fifo.s), 0);
    assert_true(w->job.kind == ENTRY_OTHER && w->job.fifo);
    assert_string_equal(w->job.real, fifo.s);
    assert_int_equal(inspect(w, "/dev/null"), 0);
    assert_true(w->job.kind == ENTRY_OTHER && !w->job.fifo);
}

/* Where it is found first, in folders that are no matter of where this node stands. */
static void s18_a_program_is_found_once_and_for_all(void **state)
{
    struct world *w = *state;
    char path[2048], expected[2048];
    scratch_dir(&w->scratch, "a");
    scratch_dir(&w->scratch, "b c");
    scratch_dir(&w->scratch, "a/tool");
    make_program(w, "a/plain", 0644);
    make_program(w, "b c/plain", 0755);
    make_program(w, "b c/tool", 0755);
    snprintf(path, sizeof path, ".::b c:%s/a:%s/b c:/bin", w->scratch.path, w->scratch.path);
    char *before = strdup(getenv("PATH"));
    setenv("PATH", path, 1);
    assert_int_equal(inspect(w, "cmd:tool x 'y z'"), 0); /* a folder is no program */
    snprintf(expected, sizeof expected, "cmd:'%s/b c/tool' x 'y z'", w->scratch.path);
    assert_string_equal(w->job.real, expected);
    assert_int_equal(inspect(w, "cmd:plain"), 0); /* nor is what may not be run */
    snprintf(expected, sizeof expected, "cmd:'%s/b c/plain'", w->scratch.path);
    assert_string_equal(w->job.real, expected);
    assert_int_equal(inspect(w, "cmd:nowhere"), ERR_NOT_FOUND);
    assert_non_null(strstr(w->job.job.fault.text, "PATH"));
    assert_int_equal(inspect(w, "cmd:./tool"), ERR_NOT_FOUND);
    assert_int_equal(inspect(w, "cmd:a/plain"), ERR_NOT_FOUND);
    unsetenv("PATH");
    assert_int_equal(inspect(w, "cmd:tool"), ERR_NOT_FOUND);
    assert_int_equal(inspect(w, "cmd:/bin/sh -c exit"), 0);
    assert_string_equal(w->job.real, "cmd:/bin/sh -c exit");
    setenv("PATH", before, 1);
    free(before);
}

static void commands_that_cannot_be(void **state)
{
    struct world *w = *state;
    char text[PATH_BYTES_MAX + 1] = "cmd:sh ";
    assert_int_equal(inspect(w, "cmd:/no/such/program"), ERR_NOT_FOUND);
    assert_int_equal(inspect(w, "cmd:/"), ERR_NOT_FOUND);
    assert_int_equal(inspect(w, "cmd:sh | sh"), ERR_USAGE);
    assert_int_equal(inspect(w, "cmd:"), ERR_USAGE);
    memset(text + 7, 'x', sizeof text - 8);
    assert_int_equal(inspect(w, text), ERR_LIMIT); /* it is, but not by the whole path of its program */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(paths_are_told_as_what_they_are),
        TEST(p29_fifos_and_devices_are_looked_at_and_not_opened),
        TEST(s18_a_program_is_found_once_and_for_all),
        TEST(commands_that_cannot_be),
        TEST(whoever_only_looks_waits_for_no_whole_file),
        TEST(what_is_discarded_may_be_a_folder),
        TEST(a_peer_that_lists_a_folder_that_is_gone_hears_of_no_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Byte streams as files: what get does with a source that is one. A libweft without a node plays the stream; the files are
 * real. */
#include "err.h"
#include "fake_weft.h"
#include "scratch.h"

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct fake *fake;
    struct scratch scratch;
    struct scratch_path file; /* "log.txt" in it */
    const char *log;          /* its path */
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    s->fake = fake_new();
    s->fake->pipe.stream = "line one\nline two\n";
    s->fake->pipe.route = "relay:hub";
    scratch_make(&s->scratch);
    s->file = scratch_at(&s->scratch, "log.txt");
    s->log = s->file.s;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    fake_free(s->fake);
    scratch_remove(&s->scratch);
    free(s);
    return 0;
}

static void assert_says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("this does not say \"%s\":\n%s", wanted, text);
}

/* What the node says of a source that is a stream. */
static void answer_stream(struct scene *s, const char *pipe, const char *top)
{
    struct weft_row *row = fake_answer(s->fake, "source");

    weft_row_set_bytes(row, "source", pipe, strlen(pipe));
    weft_row_set_bytes(row, "path", s->scratch.path, strlen(s->scratch.path));
    weft_row_set_bytes(row, "top", top, strlen(top));
    row = fake_answer(s->fake, "stream");
    weft_row_set_bytes(row, "source", pipe, strlen(pipe));
    weft_row_set_text(row, "pipe", pipe);
}

static void answer_end(struct scene *s, int64_t files)
{
    struct weft_row *row = fake_answer(s->fake, "done");

    weft_row_set_int(row, "files", files);
    weft_row_set_int(row, "bytes", 2048 * files);
    weft_row_set_int(row, "bytes_moved", 2048 * files);
    weft_row_set_int(row, "elapsed_us", 1000);
    weft_row_set_text(row, "route", "direct");
}

static void answer_one(struct scene *s)
{
    answer_stream(s, "bob:log", "log.txt");
    answer_end(s, 0);
}

/* ---- */

static void a_stream_becomes_a_file(void **state)
{
    struct scene *s = *state;
    struct stat st;

    answer_one(s);
    umask(027);
    assert_int_equal(RUN(s->fake, "get", "bob:log", s->log), 0);
    umask(022);
    assert_string_equal(s->fake->pipe.name, "bob:log");
    scratch_assert_text(&s->scratch, "log.txt", "line one\nline two\n");
    assert_int_equal(stat(s->log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(scratch_count(&s->scratch, "."), 1);
    assert_says(s->fake->err, "1 file, 18 B in ");
    assert_says(s->fake->err, "/s, relay:hub)\n");
}

static void streams_are_told_in_json(void **state)
{
    struct scene *s = *state;
    char wanted[512];

    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--json", "bob:log", s->log), 0);
    assert_says(s->fake->out, "\"top\":\"log.txt\"}\n{\"row\":\"stream\",\"source\":\"bob:log\",\"pipe\":\"bob:log\"}\n");
    snprintf(
        wanted, sizeof wanted,
        "{\"row\":\"stored\",\"pipe\":\"bob:log\",\"path\":\"%s\",\"top\":\"log.txt\",\"bytes\":18,\"route\":\"relay:hub\"}\n"
        "{\"row\":\"done\",\"files\":1,\"bytes\":18,\"bytes_moved\":18,\"present\":0,\"skipped\":0,\"failed\":0,",
        s->scratch.path);
    assert_says(s->fake->out, wanted);
    assert_says(s->fake->out, "\"route\":\"relay:hub\"}\n");
}

static void files_and_streams_have_one_sum(void **state)
{
    struct scene *s = *state;

    answer_stream(s, "bob:log", "log");
    answer_stream(s, "anna:temp", "temp");
    answer_end(s, 3);
    assert_int_equal(RUN(s->fake, "get", "carol:x", "bob:log", "anna:temp", s->scratch.path), 0);
    scratch_assert_text(&s->scratch, "log", "line one\nline two\n");
    scratch_assert_text(&s->scratch, "temp", "line one\nline two\n");
    assert_says(s->fake->err, "5 files, 6.04 KiB in ");
    assert_says(s->fake->err, "/s, direct, relay:hub)\n");
}

/* ---- what is there already */

static void p2_nothing_is_replaced_that_was_not_meant_to_be(void **state)
{
    struct scene *s = *state;

    scratch_text(&s->scratch, "log.txt", "mine");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "bob:log", s->log), 1);
    assert_says(s->fake->err, "'log.txt' exists already");
    assert_says(s->fake->err, "--if-exists skip, rename or overwrite");
    assert_int_equal(s->fake->pipe.connects, 0); /* nothing was fetched for nothing */
    scratch_assert_text(&s->scratch, "log.txt", "mine");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--if-exists", "skip", "bob:log", s->log), 0);
    assert_says(s->fake->err, "0 files, 0 B in 1.0 ms, 1 skipped\n");
    assert_int_equal(s->fake->pipe.connects, 0);
    scratch_assert_text(&s->scratch, "log.txt", "mine");
    assert_int_equal(scratch_count(&s->scratch, "."), 1);
}

static void it_gets_a_name_beside_what_is_there(void **state)
{
    struct scene *s = *state;

    scratch_text(&s->scratch, "log.txt", "mine");
    scratch_text(&s->scratch, "log (2).txt", "mine too");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--json", "--if-exists", "rename", "bob:log", s->log), 0);
    assert_says(s->fake->out, "\"top\":\"log (3).txt\"");
    scratch_assert_text(&s->scratch, "log (3).txt", "line one\nline two\n");
    scratch_assert_text(&s->scratch, "log.txt", "mine");
    assert_int_equal(scratch_count(&s->scratch, "."), 3);
}

static void it_takes_the_place_of_what_is_there(void **state)
{
    struct scene *s = *state;

    scratch_text(&s->scratch, "log.txt", "mine");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--if-exists", "overwrite", "bob:log", s->log), 0);
    scratch_assert_text(&s->scratch, "log.txt", "line one\nline two\n");
    assert_int_equal(scratch_count(&s->scratch, "."), 1);
    assert_int_equal(unlink(s->log), 0);
    scratch_dir(&s->scratch, "log.txt");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--if-exists", "overwrite", "bob:log", s->scratch.path), 1);
    assert_says(s->fake->err, "is a folder");
    assert_int_equal(scratch_count(&s->scratch, "."), 1);
}

static void somebody_makes_it(void *arg)
{
    struct scene *s = arg;

    scratch_text(&s->scratch, "log.txt", "somebody's");
}

static void p2_what_came_meanwhile_is_kept_too(void **state)
{
    static const struct {
        const char *policy, *text;
        int status, names;
    } table[] = {{"refuse", "somebody's", 1, 1},
                 {"skip", "somebody's", 0, 1},
                 {"rename", "somebody's", 0, 2},
                 {"overwrite", "somebody's", 1, 1}};
    struct scene *s = *state;

    s->fake->pipe.during = somebody_makes_it;
    s->fake->pipe.arg = s;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        answer_one(s);
        assert_int_equal(RUN(s->fake, "get", "--if-exists", table[i].policy, "bob:log", s->log), table[i].status);
        scratch_assert_text(&s->scratch, "log.txt", table[i].text);
        assert_int_equal(scratch_count(&s->scratch, "."), table[i].names);
        unlink(s->log);
        unlink(scratch_at(&s->scratch, "log (2).txt").s);
    }
}

static void somebody_changes_it(void *arg)
{
    struct scene *s = arg;

    scratch_text(&s->scratch, "log.txt", "mine, and changed");
}

static void p2_what_was_changed_meanwhile_is_not_overwritten(void **state)
{
    struct scene *s = *state;

    scratch_text(&s->scratch, "log.txt", "mine");
    s->fake->pipe.during = somebody_changes_it;
    s->fake->pipe.arg = s;
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "--if-exists", "overwrite", "bob:log", s->log), 1);
    assert_says(s->fake->err, "was changed by someone else meanwhile");
    scratch_assert_text(&s->scratch, "log.txt", "mine, and changed");
    assert_int_equal(scratch_count(&s->scratch, "."), 1);
}

static void a_dry_run_makes_nothing(void **state)
{
    struct scene *s = *state;

    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "-n", "bob:log", s->log), 0);
    assert_says(s->fake->err, "would fetch bob:log, a byte stream, as log.txt\n");
    assert_int_equal(s->fake->pipe.connects, 0);
    assert_int_equal(scratch_count(&s->scratch, "."), 0);
    scratch_text(&s->scratch, "log.txt", "mine");
    answer_one(s);
    assert_int_equal(RUN(s->fake, "get", "-n", "bob:log", s->log), 1);
}

/* ---- failures: whatever it was, no part of it stands there */

static void what_failed_there_is_said_and_leaves_nothing(void **state)
{
    static const struct {
        enum err code;
        int status;
    } table[] = {{ERR_IO, 1}, {ERR_UNREACHABLE, 3}, {ERR_REFUSED, 4}, {ERR_TIMEOUT, 10}, {ERR_LIMIT, 1}};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        answer_one(s);
        s->fake->pipe.code = (int)table[i].code;
        s->fake->pipe.text = "the command ended with status 3";
        assert_int_equal(RUN(s->fake, "get", "bob:log", s->log), table[i].status);
        assert_says(s->fake->err, "weft: the command ended with status 3\n");
        assert_int_equal(scratch_count(&s->scratch, "."), 0);
    }
}

static void one_of_several_fails_by_itself(void **state)
{
    struct scene *s = *state;

    s->fake->pipe.code = ERR_IO;
    s->fake->pipe.text = "the page is somewhere else now";
    answer_stream(s, "bob:a\033", "a");
    answer_end(s, 1);
    assert_int_equal(RUN(s->fake, "get", "--json", "bob:a", "carol:x", s->scratch.path), 5);
    assert_says(s->fake->out,
                "{\"row\":\"item\",\"path\":\"bob:a\\u001B\",\"code\":\"io\",\"text\":\"the page is somewhere else now\"}");
    assert_says(s->fake->out, "{\"row\":\"summary\",\"files\":1,");
    assert_says(s->fake->out, "\"failed\":1,");
    assert_says(s->fake->out, "{\"row\":\"error\",\"error\":\"partial\"");
    assert_says(s->fake->err, "weft: bob:a\\x1b: the page is somewhere else now\n");
    assert_says(s->fake->err, ", 1 failed\n");
    assert_int_equal(scratch_count(&s->scratch, "."), 0);
}

static void ctrl_c_leaves_nothing(void **state)
{
    struct scene *s = *state;

    answer_one(s);
    s->fake->pipe.raises = true;
    assert_int_equal(RUN(s->fake, "get", "bob:log", s->log), 130);
    assert_says(s->fake->err, "stopped");
    assert_null(strstr(s->fake->err, "goes on")); /* it begins anew */
    assert_int_equal(s->fake->pipe.connects, 1);
    assert_int_equal(scratch_count(&s->scratch, "."), 0);
    s->fake->raises = true; /* and no stream is begun when it came before */
    assert_int_equal(RUN(s->fake, "get", "bob:log", s->log), 130);
    assert_int_equal(s->fake->pipe.connects, 1);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "../x", "a/b"};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        answer_stream(s, "bob:log", names[i]);
        answer_end(s, 0);
        assert_int_equal(RUN(s->fake, "get", "bob:log", s->scratch.path), 2);
        assert_int_equal(s->fake->pipe.connects, 0);
    }
}

/* In a process of its own, where a file system of 64 KiB stands at the folder. Its status, or 77 where none can be mounted. */
static int get_onto_a_small_disk(struct scene *s)
{
    size_t n = 1 << 20;
    char *much = malloc(n);

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", s->scratch.path, "tmpfs", 0, "size=64k"))
        return 77;
    memset(much, 'x', n - 1);
    much[n - 1] = '\0';
    s->fake->pipe.stream = much;
    s->fake->pipe.text = "no space left on the disk";
    answer_one(s);
    int status = RUN(s->fake, "get", "bob:log", s->log);
    if (scratch_count(&s->scratch, ".") != 0 || !strstr(s->fake->err, "no space left"))
        status = 99;
    free(much);
    return status;
}

static void a_full_disk_leaves_nothing(void **state)
{
    struct scene *s = *state;
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(get_onto_a_small_disk(s));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("# skip: this user may not mount a small disk\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_becomes_a_file),
        TEST(streams_are_told_in_json),
        TEST(files_and_streams_have_one_sum),
        TEST(p2_nothing_is_replaced_that_was_not_meant_to_be),
        TEST(it_gets_a_name_beside_what_is_there),
        TEST(it_takes_the_place_of_what_is_there),
        TEST(p2_what_came_meanwhile_is_kept_too),
        TEST(p2_what_was_changed_meanwhile_is_not_overwritten),
        TEST(a_dry_run_makes_nothing),
        TEST(what_failed_there_is_said_and_leaves_nothing),
        TEST(one_of_several_fails_by_itself),
        TEST(ctrl_c_leaves_nothing),
        TEST(names_that_lead_elsewhere_are_refused),
        TEST(a_full_disk_leaves_nothing),
    };

    return cmocka_run_group_tests_name("cli_streams", tests, NULL, NULL);
}

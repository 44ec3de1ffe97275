/* weft put, and what else has to do with files of peers that are written: what is asked of the node, what is printed where, and
 * the exit status. The fake node answers what the test laid down. */
#include "err.h"
#include "fake_weft.h"
#include "scratch.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct fake *fake;
    struct scratch scratch;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    s->fake = fake_new();
    scratch_make(&s->scratch);
    scratch_text(&s->scratch, "cat.jpg", "cat");
    scratch_text(&s->scratch, "bob:x", "a colon");
    scratch_dir(&s->scratch, "site");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    scratch_remove(&s->scratch);
    fake_free(s->fake);
    free(s);
    return 0;
}

#define AT(scene, name) (scratch_at(&(scene)->scratch, name).s)
#define PUT(scene, ...) fake_run((scene)->fake, "", (const char *const[]){"put", __VA_ARGS__, NULL})

static void assert_says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("this does not say \"%s\":\n%s", wanted, text);
}

static void assert_says_not(const char *text, const char *unwanted)
{
    if (strstr(text, unwanted))
        fail_msg("this says \"%s\":\n%s", unwanted, text);
}

static const char *bytes_of(const struct weft_row *row, const char *name)
{
    size_t n;

    return weft_row_bytes(row, name, &n);
}

/* The i-th value of a field that repeats. */
static const char *value_at(const struct weft_row *row, const char *name, size_t i)
{
    size_t n;

    for (size_t k = 0; k < weft_row_fields(row); k++)
        if (strcmp(weft_row_field_name(row, k), name) == 0 && i-- == 0)
            return weft_row_field_bytes(row, k, &n);
    return NULL;
}

struct sums {
    int64_t files, bytes, sent, reused, wire, present, skipped, failed;
};

static void answer_end(struct scene *s, const char *kind, const struct sums *sums)
{
    struct weft_row *row = fake_answer(s->fake, kind);

    weft_row_set_int(row, "files", sums->files);
    weft_row_set_int(row, "bytes", sums->bytes);
    weft_row_set_int(row, "bytes_sent", sums->sent);
    weft_row_set_int(row, "bytes_reused", sums->reused);
    weft_row_set_int(row, "bytes_wire", sums->wire);
    weft_row_set_int(row, "present", sums->present);
    weft_row_set_int(row, "skipped", sums->skipped);
    weft_row_set_int(row, "failed", sums->failed);
    weft_row_set_int(row, "elapsed_us", 600000);
    weft_row_set_text(row, "route", "direct");
}

/* The issue's own case: 100 edits of 4 KiB in 1 GiB. */
static const struct sums edits = {
    .files = 1, .bytes = 1 << 30, .sent = 400 << 10, .reused = (1 << 30) - (400 << 10), .wire = 402 << 10};

static void answer_error(struct scene *s, int code, const char *text)
{
    struct weft_row *row = fake_answer(s->fake, "error");

    weft_row_set_text(row, "code", err_name(code));
    weft_row_set_text(row, "text", text);
}

static struct weft_row *answer_file(struct scene *s, const char *how, const char *base)
{
    struct weft_row *row = fake_answer(s->fake, "file");

    weft_row_set_text(row, "source", "/home/anna/x.raw");
    weft_row_set_text(row, "target", "bob:photos/x\033[2J.raw");
    weft_row_set_text(row, "how", how);
    weft_row_set_text(row, "base", base);
    weft_row_set_int(row, "bytes", 1 << 30);
    weft_row_set_int(row, "bytes_sent", 400 << 10);
    weft_row_set_int(row, "bytes_reused", (1 << 30) - (400 << 10));
    weft_row_set_int(row, "regions", 199);
    return row;
}

static void answer_whole(struct scene *s, int64_t files, int64_t sent)
{
    struct weft_row *row = fake_answer(s->fake, "file");

    weft_row_set_text(row, "target", "bob:photos/x.raw");
    weft_row_set_text(row, "how", "whole");
    weft_row_set_int(row, "files", files);
    weft_row_set_int(row, "bytes", 3 << 20);
    weft_row_set_int(row, "bytes_sent", sent);
}

/* ---- what is asked */

static void the_request_has_absolute_sources_and_one_target(void **state)
{
    struct scene *s = *state;
    char target[600];

    answer_end(s, "done", &edits);
    assert_int_equal(symlink("cat.jpg", AT(s, "pet.jpg")), 0);
    snprintf(target, sizeof target, "%s/./site/..", s->scratch.path);
    assert_int_equal(PUT(s, AT(s, "pet.jpg"), target, "bob:photos//a/./b/"), 0);
    const struct weft_row *request = s->fake->requests[0];
    assert_string_equal(weft_row_kind(request), "put");
    assert_string_equal(bytes_of(request, "target"), "bob:photos/a/b");
    assert_string_equal(value_at(request, "source", 0), AT(s, "pet.jpg")); /* a link is called by its own name */
    assert_string_equal(value_at(request, "source", 1), s->scratch.path);
    assert_null(value_at(request, "source", 2));
    assert_string_equal(weft_row_text(request, "if_exists", ""), "overwrite");
    assert_false(weft_row_bool(request, "dry_run", true));
}

static void relative_sources_are_made_absolute(void **state)
{
    struct scene *s = *state;
    char before[4096];

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(s->scratch.path), 0);
    answer_end(s, "done", &edits);
    int status = PUT(s, "cat.jpg", "site/", "./bob:x", "bob:photos", "-n", "--if-exists", "skip");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, 0);
    const struct weft_row *request = s->fake->requests[0];
    assert_string_equal(value_at(request, "source", 0), AT(s, "cat.jpg"));
    assert_string_equal(value_at(request, "source", 1), AT(s, "site"));
    assert_string_equal(value_at(request, "source", 2), AT(s, "bob:x"));
    assert_string_equal(weft_row_text(request, "if_exists", ""), "skip");
    assert_true(weft_row_bool(request, "dry_run", false));
}

static void what_makes_no_sense_asks_nothing(void **state)
{
    struct scene *s = *state;
    struct fake *f = s->fake;

    assert_int_equal(RUN(f, "put"), 2);
    assert_says(f->err, "usage: weft put [--if-exists skip|rename|overwrite] [-n] FILE... PEER:SHARE[/PATH]");
    assert_int_equal(PUT(s, "bob:photos"), 2);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), AT(s, "site")), 2);
    assert_says(f->err, "PEER:SHARE[/PATH]");
    assert_int_equal(PUT(s, "bob:photos", AT(s, "site")), 2);
    assert_int_equal(PUT(s, "bob:x", "anna:photos"), 2);
    assert_says(f->err, "./ before it");
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:"), 2);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos/../.."), 2);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos", "--if-exists", "refuse"), 2);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos", "--if-exists", "maybe"), 2);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos", "--dry-rum"), 2);
    assert_says(f->err, "did you mean --dry-run?");
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), AT(s, "dog\033.jpg"), "bob:photos"), 6);
    assert_says(f->err, "dog\\x1b.jpg: No such file");
    assert_int_equal(f->request_count, 0);
}

/* ---- how it ends */

static void the_last_line_says_what_was_sent_and_reused(void **state)
{
    struct scene *s = *state;

    fake_answer(s->fake, "progress");
    answer_file(s, "update", "bytes");
    answer_end(s, "done", &edits);
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->out, "");
    assert_string_equal(s->fake->err, "1 file, 1.00 GiB in 600.0 ms: sent 402 KiB, reused 1.00 GiB (2,608:1, direct)\n");
}

static void what_is_new_has_a_rate(void **state)
{
    struct scene *s = *state;

    answer_end(s, "done", &(struct sums){.files = 3, .bytes = 6 << 20, .sent = 6 << 20, .wire = 6 << 20, .present = 2});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "3 files, 6.00 MiB in 600.0 ms: sent 6.00 MiB (10.0 MiB/s, direct), 2 already there\n");
}

/* 60 of 90 MiB were brought up to date. */
static void the_ratio_leaves_out_what_was_there(void **state)
{
    struct scene *s = *state;

    answer_end(s, "done",
               &(struct sums){.files = 204,
                              .bytes = 90 << 20,
                              .sent = 9 << 10,
                              .reused = (60 << 20) - (9 << 10),
                              .wire = 24 << 10,
                              .present = 200});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "204 files, 90.0 MiB in 600.0 ms: sent 24.0 KiB, reused 60.0 MiB (2,560:1, direct), "
                                      "200 already there\n");
}

static void what_is_there_is_not_sent(void **state)
{
    struct scene *s = *state;

    answer_end(s, "done", &(struct sums){.files = 1, .bytes = 5, .wire = 700, .present = 1});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "nothing to send: up to date\n");
    answer_end(s, "done", &(struct sums){.files = 12, .bytes = 5, .wire = 700, .present = 12, .skipped = 1});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "nothing to send: 12 files are up to date, 1 skipped\n");
    answer_end(s, "done", &(struct sums){.skipped = 2});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "nothing to send: 2 skipped\n");
    answer_end(s, "done", &(struct sums){.files = 2, .bytes = 5, .wire = 700, .present = 1}); /* the other one is empty */
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_says(s->fake->err, "2 files, 5 B in 600.0 ms: sent 700 B (");
}

static void a_dry_run_says_what_would_be_sent(void **state)
{
    struct scene *s = *state;

    answer_file(s, "update", "peer-index");
    answer_end(s, "done", &edits);
    assert_int_equal(PUT(s, "-vn", AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "bob:photos/x\\x1b[2J.raw: would be updated by an index that the peer made, 400 KiB new, "
                                      "1.00 GiB reused in 199 regions\n"
                                      "1 file, 1.00 GiB: would send 400 KiB, reuse 1.00 GiB (2,621:1)\n");
}

static void verbose_says_how_each_file_went(void **state)
{
    struct scene *s = *state;

    answer_file(s, "update", "bytes");
    answer_file(s, "update", "other-file");
    answer_whole(s, 12, 3 << 20);
    answer_whole(s, 13, 9);
    answer_whole(s, 1, 0);
    answer_file(s, "present", "none");
    answer_file(s, "skipped", "none");
    answer_end(s, "done", &edits);
    assert_int_equal(PUT(s, "-v", AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_says(s->fake->err, ".raw: updated by the old bytes kept here, 400 KiB new, 1.00 GiB reused in 199 regions\n");
    assert_says(s->fake->err, ".raw: updated by another file of the peer, ");
    assert_says(s->fake->err, ".raw: sent whole, 12 files, 3.00 MiB\n");
    assert_says(s->fake->err, ".raw: 13 files, 3.00 MiB, of which 9 B had to be sent\n");
    assert_says(s->fake->err, ".raw: up to date, 3.00 MiB\n");
    assert_says(s->fake->err, ".raw: up to date\n");
    assert_says(s->fake->err, ".raw: left as it is\n");
    assert_says_not(s->fake->err, "\033");
}

static void quiet_says_nothing_but_errors(void **state)
{
    struct scene *s = *state;

    answer_file(s, "update", "bytes");
    answer_end(s, "done", &edits);
    assert_int_equal(PUT(s, "-q", AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_string_equal(s->fake->err, "");
}

static void some_that_failed_end_with_5(void **state)
{
    struct scene *s = *state;
    struct weft_row *item = fake_answer(s->fake, "item");

    weft_row_set_text(item, "path", "a\rb");
    weft_row_set_text(item, "code", "locked");
    weft_row_set_text(item, "text", "anna is updating it");
    answer_end(s, "done", &(struct sums){.files = 1, .bytes = 5, .sent = 5, .wire = 800, .failed = 1});
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), AT(s, "site"), "bob:photos"), 5);
    assert_says(s->fake->err, "weft: a\\x0db: anna is updating it\n");
    assert_says(s->fake->err, "), 1 failed\n");
}

static void every_failure_has_its_status(void **state)
{
    static const struct {
        enum err code;
        int status;
    } table[] = {{ERR_UNREACHABLE, 3}, {ERR_REFUSED, 4},  {ERR_LOCKED, 1},  {ERR_DENIED, 4}, {ERR_PARTIAL, 5},  {ERR_VERIFY, 7},
                 {ERR_NOSPACE, 8},     {ERR_TIMEOUT, 10}, {ERR_CHANGED, 1}, {ERR_LIMIT, 1},  {ERR_NOT_FOUND, 6}};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        answer_end(s, "summary", &(struct sums){.failed = 1});
        answer_error(s, (int)table[i].code, "the node's own sentence");
        if (table[i].code == ERR_NOT_FOUND) { /* the peers, and this node, to say who was meant */
            weft_row_set_text(fake_answer(s->fake, "peer"), "name", "bob");
            fake_answer(s->fake, "done");
            fake_answer(s->fake, "done");
        }
        assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bbo:photos"), table[i].status);
        assert_says(s->fake->err, "weft: the node's own sentence\n");
        assert_says_not(s->fake->err, "1 failed");
    }
    assert_says(s->fake->err, "did you mean bob?");
}

static void interrupted_it_goes_on_where_it_was(void **state)
{
    struct scene *s = *state;

    s->fake->raises = true;
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 130);
    assert_string_equal(s->fake->err, "weft: stopped; the same command again goes on from here\n");
}

static void what_went_before_it_was_interrupted_is_told(void **state)
{
    struct scene *s = *state;

    answer_end(s, "summary", &edits);
    answer_error(s, ERR_CANCELLED, "cancelled");
    assert_int_equal(PUT(s, AT(s, "cat.jpg"), "bob:photos"), 130);
    assert_says(s->fake->err, "sent 402 KiB");
    assert_says(s->fake->err, "the same command again goes on from here\n");
}

/* ---- json */

/* Every member of the first line of that row. */
static void assert_members(const char *text, const char *row, const char *const *members)
{
    char start[64];

    snprintf(start, sizeof start, "{\"row\":\"%s\"", row);
    const char *line = strstr(text, start);
    assert_non_null(line);
    json_t *object = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(object);
    for (; *members; members++)
        if (!json_object_get(object, *members))
            fail_msg("%s has no %s", row, *members);
    json_decref(object);
}

static void json_has_every_row(void **state)
{
    static const char *const file[] = {"source",     "target",       "how",     "base", "bytes",
                                       "bytes_sent", "bytes_reused", "regions", NULL};
    static const char *const done[] = {"files",   "bytes",  "bytes_sent", "bytes_reused", "bytes_wire", "present",
                                       "skipped", "failed", "elapsed_us", "route",        NULL};
    struct scene *s = *state;

    fake_answer(s->fake, "progress");
    answer_file(s, "update", "bytes");
    answer_end(s, "done", &edits);
    assert_int_equal(PUT(s, "--json", AT(s, "cat.jpg"), "bob:photos"), 0);
    assert_says(s->fake->out, "{\"row\":\"progress\"");
    assert_members(s->fake->out, "file", file);
    assert_members(s->fake->out, "done", done);
    assert_says(s->fake->out, "\"target\":\"bob:photos/x\\u001B[2J.raw\"");
}

static void json_ends_with_the_error(void **state)
{
    struct scene *s = *state;

    answer_end(s, "summary", &(struct sums){.failed = 1});
    answer_error(s, ERR_REFUSED, "'photos' is not writable for you; its owner can share it with --writable");
    assert_int_equal(PUT(s, "--json", AT(s, "cat.jpg"), "bob:photos"), 4);
    assert_says(s->fake->out, "{\"row\":\"summary\"");
    assert_says(s->fake->out,
                "{\"row\":\"error\",\"error\":\"refused\",\"text\":\"'photos' is not writable for you; its owner can "
                "share it with --writable\",\"exit\":4}\n");
}

/* ---- what is remembered */

static void answer_status(struct scene *s, int64_t limit, int64_t waiting)
{
    struct weft_row *row = fake_answer(s->fake, "status");

    weft_row_set_text(row, "name", "anna");
    weft_row_set_int(row, "base_count", 12);
    weft_row_set_int(row, "base_bytes", (int64_t)3 << 30);
    weft_row_set_int(row, "base_limit", limit);
    weft_row_set_int(row, "base_waiting", waiting);
    weft_row_set_int(row, "pid", 7);
    fake_answer(s->fake, "done");
}

static void status_shows_what_is_remembered(void **state)
{
    struct scene *s = *state;

    answer_status(s, (int64_t)32 << 30, 0);
    assert_int_equal(RUN(s->fake, "status"), 0);
    assert_string_equal(s->fake->out,
                        "name        anna\nremembers   12 files of peers, 3.00 GiB of at most 32.0 GiB\nprocess     7\n");
    answer_status(s, (int64_t)32 << 30, 2);
    assert_int_equal(RUN(s->fake, "status"), 0);
    assert_says(s->fake->out, " of at most 32.0 GiB, 2 more to come\n");
    answer_status(s, 0, 0);
    assert_int_equal(RUN(s->fake, "status"), 0);
    assert_says(s->fake->out, "remembers   nothing of files of peers\n");
    answer_status(s, 5, 1);
    assert_int_equal(RUN(s->fake, "status", "--json"), 0);
    assert_says(s->fake->out, "\"base_count\":12,\"base_bytes\":3221225472,\"base_limit\":5,\"base_waiting\":1");
}

static void status_forgets(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        struct weft_row *row = fake_answer(s->fake, "done");
        weft_row_set_int(row, "bases", 1);
        weft_row_set_int(row, "bytes", 3 << 20);
    }
    assert_int_equal(RUN(s->fake, "status", "--forget"), 0);
    assert_string_equal(weft_row_kind(s->fake->requests[0]), "forget");
    assert_string_equal(s->fake->err, "1 file of peers forgotten, 3.00 MiB freed\n");
    assert_string_equal(s->fake->out, "");
    assert_int_equal(RUN(s->fake, "status", "--forget", "--json"), 0);
    assert_string_equal(s->fake->out, "{\"row\":\"done\",\"bases\":1,\"bytes\":3145728}\n");
}

static void up_says_how_much_may_be_remembered(void **state)
{
    struct scene *s = *state;

    assert_int_equal(RUN(s->fake, "up", "--base-cache", "20G"), 0);
    assert_true(s->fake->started.base_bytes == (uint64_t)20 << 30 && !s->fake->started.no_bases);
    assert_int_equal(RUN(s->fake, "up", "--base-cache", "0"), 0);
    assert_true(s->fake->started.base_bytes == 0 && s->fake->started.no_bases);
    assert_int_equal(RUN(s->fake, "up"), 0);
    assert_true(s->fake->started.base_bytes == 0 && !s->fake->started.no_bases);
    assert_int_equal(RUN(s->fake, "up", "--base-cache", "much"), 2);
    assert_says(s->fake->err, "0 remembers nothing");
}

static void up_tells_what_peers_put(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        struct weft_row *row = fake_answer(s->fake, "transfer");
        weft_row_set_text(row, "direction", "in");
        weft_row_set_text(row, "state", i ? "failed" : "done");
        weft_row_set_text(row, "peer", "anna");
        weft_row_set_bytes(row, "path", "box/\xff", 5);
        weft_row_set_int(row, "bytes", 3 << 20);
        weft_row_set_text(row, "text", i ? "anna went away" : "");
    }
    assert_int_equal(RUN(s->fake, "up"), 0);
    assert_says(s->fake->out, " transfer in done anna box/\\xff 3.00 MiB\n");
    assert_says(s->fake->out, " transfer in failed anna box/\\xff 3.00 MiB: anna went away\n");
}

/* ---- shares that may be written to */

static void answer_share(struct scene *s, const char *name, bool writable)
{
    struct weft_row *row = fake_answer(s->fake, "share");

    weft_row_set_text(row, "peer", "bob");
    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "kind", "dir");
    weft_row_set_bool(row, "writable", writable);
}

static void share_says_that_it_may_be_changed(void **state)
{
    struct scene *s = *state;

    answer_share(s, "photos", true);
    fake_answer(s->fake, "done");
    assert_int_equal(RUN(s->fake, "share", AT(s, "site"), "--writable"), 0);
    assert_string_equal(s->fake->out, "photos  dir  -  trusted rw\n");
    assert_says(s->fake->err, "weft put FILE... bob:photos\n");
    answer_share(s, "photos", false);
    fake_answer(s->fake, "done");
    assert_int_equal(RUN(s->fake, "share", AT(s, "site")), 0);
    assert_says_not(s->fake->err, "weft put");
}

static void completion_offers_what_may_be_written_to(void **state)
{
    struct scene *s = *state;

    answer_share(s, "photos", true);
    answer_share(s, "papers", false);
    answer_share(s, "a\033b", true);
    fake_answer(s->fake, "done");
    assert_int_equal(RUN(s->fake, "completion", "targets"), 0);
    assert_string_equal(s->fake->out, "bob:photos\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_request_has_absolute_sources_and_one_target),
        TEST(relative_sources_are_made_absolute),
        TEST(what_makes_no_sense_asks_nothing),
        TEST(the_last_line_says_what_was_sent_and_reused),
        TEST(what_is_new_has_a_rate),
        TEST(the_ratio_leaves_out_what_was_there),
        TEST(what_is_there_is_not_sent),
        TEST(a_dry_run_says_what_would_be_sent),
        TEST(verbose_says_how_each_file_went),
        TEST(quiet_says_nothing_but_errors),
        TEST(some_that_failed_end_with_5),
        TEST(every_failure_has_its_status),
        TEST(interrupted_it_goes_on_where_it_was),
        TEST(what_went_before_it_was_interrupted_is_told),
        TEST(json_has_every_row),
        TEST(json_ends_with_the_error),
        TEST(status_shows_what_is_remembered),
        TEST(status_forgets),
        TEST(up_tells_what_peers_put),
        TEST(up_says_how_much_may_be_remembered),
        TEST(share_says_that_it_may_be_changed),
        TEST(completion_offers_what_may_be_written_to),
    };

    return cmocka_run_group_tests_name("cli_put", tests, NULL, NULL);
}

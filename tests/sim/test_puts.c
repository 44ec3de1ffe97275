/* Puts between nodes with disks in the simulated world: what changed is gathered, the rest is sent, whatever happens to links
 * and files meanwhile; and what the person is told. */
#include "core_internal.h"
#include "openings.h"
#include "put_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (1u << 20)

/* ---- as it is meant */

static void gather_1_to_7_an_edit_is_sent_and_the_rest_is_copied_there(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 1);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    assert_same(t, "a.bin", "docs/a.bin");

    edit_file(t, ANNA, "a.bin", 500000, 30);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", t->base);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_in_range(told(t, "file", "bytes_sent"), 30, 100);
    assert_in_range(told(t, "file", "bytes_reused"), SIZE - 100, SIZE - 30);
    assert_int_equal(told(t, "file", "regions"), 3);
    assert_int_equal(told(t, "done", "files"), 1);
    assert_int_equal(told(t, "done", "bytes"), SIZE);
    assert_in_range(told(t, "done", "bytes_sent"), 30, 100);

    assert_put(t, "a.bin", "hugo:docs/a.bin", "present", "none");
    assert_int_equal(told(t, "done", "present"), 1);
    assert_int_equal(told(t, "done", "bytes_sent"), 0);
}

static void what_was_fetched_is_known_when_it_is_put_back(void **state)
{
    struct puts *t = *state;
    make_file(t, HUGO, "docs/a.bin", SIZE, 2);
    get(t, "hugo:docs/a.bin");
    edit_file(t, ANNA, "a.bin", 1, 1);
    assert_put(t, "a.bin", "hugo:docs", "update", t->base);
    assert_same(t, "a.bin", "docs/a.bin");
}

static void without_a_base_the_peers_index_is_asked_for(void **state)
{
    struct puts *t = *state;
    make_file(t, HUGO, "docs/a.bin", SIZE, 3);
    make_file(t, ANNA, "a.bin", SIZE, 3);
    edit_file(t, ANNA, "a.bin", 500000, 30);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", "peer-index");
    assert_same(t, "a.bin", "docs/a.bin");
    assert_in_range(told(t, "done", "bytes_sent"), 30, 20000);
}

static void moved_content_is_copied_there(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 4);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    make_file(t, ANNA, "b.bin", SIZE, 4);
    edit_file(t, ANNA, "b.bin", SIZE, 40);
    assert_put(t, "b.bin", "hugo:docs/b.bin", "update", "other-file");
    assert_same(t, "b.bin", "docs/b.bin");
    assert_same(t, "a.bin", "docs/a.bin");
    assert_in_range(told(t, "done", "bytes_sent"), 40, 100);
}

/* No way leads to what it was like: a link is there now. */
static void p35_old_bytes_that_cannot_be_opened_are_done_without(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 4);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    assert_int_equal(unlink(path_at(t, HUGO, "docs/a.bin").s), 0);
    assert_int_equal(symlink("elsewhere", path_at(t, HUGO, "docs/a.bin").s), 0);
    make_file(t, ANNA, "b.bin", SIZE, 4);
    assert_put(t, "b.bin", "hugo:docs/b.bin", "whole", "none");
    assert_same(t, "b.bin", "docs/b.bin");
}

static void what_would_send_nearly_all_goes_as_a_whole(void **state)
{
    struct puts *t = *state;
    make_file(t, HUGO, "docs/a.bin", SIZE, 5);
    make_file(t, ANNA, "a.bin", SIZE, 6);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void small_files_go_as_a_whole(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "s", 100, 7);
    assert_put(t, "s", "hugo:docs", "whole", "none");
    edit_file(t, ANNA, "s", 3, 1);
    assert_put(t, "s", "hugo:docs", "whole", "none");
    assert_same(t, "s", "docs/s");
}

static void more_regions_than_one_message_holds(void **state)
{
    struct puts *t = *state;
    enum { STEP = 100, EDITS = GATHER_REGIONS_MAX / 2 + 1000 };
    make_file(t, ANNA, "a.bin", STEP * EDITS, 8);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "whole", "none");
    for (unsigned i = 0; i < EDITS; i++)
        edit_file(t, ANNA, "a.bin", (uint64_t)i * STEP + 50, 1);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", t->base);
    assert_true(told(t, "file", "regions") > GATHER_REGIONS_MAX);
    assert_same(t, "a.bin", "docs/a.bin");
}

/* ---- folders */

static void a_folder_is_updated_file_by_file_and_then_sent(void **state)
{
    struct puts *t = *state;
    make_folder(t, ANNA, "d");
    make_folder(t, ANNA, "d/sub");
    make_file(t, ANNA, "d/one", SIZE, 9);
    make_file(t, ANNA, "d/sub/two", SIZE, 10);
    make_file(t, ANNA, "d/small", 10, 11);
    put(t, "d", "hugo:docs");
    assert_int_equal(told(t, "done", "files"), 3);
    assert_same(t, "d/one", "docs/d/one");
    assert_same(t, "d/sub/two", "docs/d/sub/two");

    edit_file(t, ANNA, "d/sub/two", 4000, 20);
    edit_file(t, ANNA, "d/small", 1, 1);
    make_file(t, ANNA, "d/new", 20, 12);
    put(t, "d", "hugo:docs");
    assert_same(t, "d/sub/two", "docs/d/sub/two");
    assert_same(t, "d/small", "docs/d/small");
    assert_same(t, "d/new", "docs/d/new");
    assert_int_equal(told(t, "done", "files"), 4);
    assert_true(told(t, "done", "bytes_reused") > SIZE / 2);
}

static void a_folder_gets_a_new_name_where_nothing_is(void **state)
{
    struct puts *t = *state;
    make_folder(t, ANNA, "d");
    make_file(t, ANNA, "d/one", 100, 13);
    put(t, "d", "hugo:docs/e");
    assert_same(t, "d/one", "docs/e/one");
    put(t, "d", "hugo:docs/e");
    assert_same(t, "d/one", "docs/e/d/one");
}

static void several_sources_need_a_folder(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a", 100, 14);
    make_file(t, ANNA, "b", 100, 15);
    make_file(t, HUGO, "docs/file", 100, 16);
    assert_refused(t, put_row(t, "a", "b", "hugo:docs/none"), "not-found", "must be a folder");
    assert_refused(t, put_row(t, "a", "b", "hugo:docs/file"), "exists", "must be a folder");
    assert_done(t, put_row(t, "a", "b", "hugo:docs"));
    assert_same(t, "a", "docs/a");
    assert_same(t, "b", "docs/b");
    assert_refused(t, put_row(t, "a", "gone", "hugo:docs"), "partial", "");
    assert_int_equal(answer_count(t->answer, "item"), 1);
}

static void a_folder_and_a_file_do_not_replace_each_other(void **state)
{
    struct puts *t = *state;
    make_folder(t, ANNA, "x");
    make_file(t, ANNA, "y", 100, 17);
    make_file(t, HUGO, "docs/x", 100, 18);
    make_folder(t, HUGO, "docs/y");
    assert_refused(t, put_row(t, "x", NULL, "hugo:docs"), "exists", "a folder cannot take its place");
    assert_refused(t, put_row(t, "x", NULL, "hugo:docs/x"), "exists", "a folder cannot take its place");
    assert_done(t, put_row(t, "y", NULL, "hugo:docs/y"));
    assert_same(t, "y", "docs/y/y");
    assert_refused(t, put_row(t, "y", NULL, "hugo:docs/none/y"), "not-found", "");
    make_folder(t, HUGO, "docs/z");
    make_folder(t, HUGO, "docs/z/y");
    assert_refused(t, put_row(t, "y", NULL, "hugo:docs/z"), "exists", "a file cannot take its place");
}

/* ---- what the person says */

static void a_dry_run_changes_nothing(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 20);
    struct row *row = put_row(t, "a.bin", NULL, "hugo:docs/a.bin");
    row_bool(row, "dry_run", true);
    assert_done(t, row);
    assert_false(exists(t, HUGO, "docs/a.bin"));

    make_file(t, HUGO, "docs/a.bin", SIZE, 20);
    edit_file(t, ANNA, "a.bin", 500000, 30);
    row = put_row(t, "a.bin", NULL, "hugo:docs/a.bin");
    row_bool(row, "dry_run", true);
    assert_done(t, row);
    assert_differ(t, "a.bin", "docs/a.bin");
    assert_in_range(told(t, "done", "bytes_sent"), 30, 20000);
    assert_string_equal(row_get_text(answer_row(t->answer, "file", 0), "how", ""), "update");
}

static void skip_and_rename(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a", SIZE, 21);
    make_file(t, HUGO, "docs/a", SIZE, 22);
    struct row *row = put_row(t, "a", NULL, "hugo:docs");
    row_text(row, "if_exists", "skip");
    assert_done(t, row);
    assert_int_equal(told(t, "done", "skipped"), 1);
    assert_differ(t, "a", "docs/a");
}

static void bad_requests(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a", 100, 23);
    assert_refused(t, put_row(t, "a", NULL, "hugo"), "usage", "where to put");
    assert_refused(t, put_row(t, "a", NULL, "nobody:docs"), "not-found", "");
    assert_refused(t, put_row(t, "a", NULL, "hugo:none"), "not-found", "");
    assert_refused(t, put_row(t, "none", NULL, "hugo:docs"), "not-found", "");
    assert_refused(t, row_new("put"), "usage", "sources");
    struct row *row = row_new("put");
    row_text(row, "source", "relative");
    row_text(row, "target", "hugo:docs");
    assert_refused(t, row, "usage", "absolute");
    row = put_row(t, "a", NULL, "hugo:docs");
    row_text(row, "if_exists", "maybe");
    assert_refused(t, row, "usage", "if-exists");
}

static void a_share_must_be_writable(void **state)
{
    struct puts *t = *state;
    make_folder(t, HUGO, "fixed");
    assert_true(world_call(t->w, HUGO, share_row(t, "fixed"))->done);
    make_file(t, ANNA, "a", 100, 24);
    assert_refused(t, put_row(t, "a", NULL, "hugo:fixed"), "refused", "not writable");
    assert_false(exists(t, HUGO, "fixed/a"));
}

static void p29_fifos_are_refused(void **state)
{
    struct puts *t = *state;
    assert_int_equal(mkfifo(path_at(t, ANNA, "fifo").s, 0600), 0);
    assert_refused(t, put_row(t, "fifo", NULL, "hugo:docs"), "refused", "neither a file nor a folder");
}

/* ---- what changes meanwhile */

/* Does something once, when a message of a type first goes to this node. */
struct meanwhile {
    struct puts *t;
    enum msg_type type;
    size_t to;
    void (*happens)(struct puts *t);
    unsigned seen;
};

static void watch(void *arg, struct world_message *m)
{
    struct meanwhile *w = arg;
    struct msg *msg = calloc(1, sizeof *msg);
    assert_non_null(msg);
    if (m->to == w->to && msg_decode(m->bytes, m->n, msg) == 0 && msg->type == w->type && w->seen++ == 0)
        w->happens(w->t);
    free(msg);
}

static void hugo_edits(struct puts *t)
{
    edit_file(t, HUGO, "docs/a.bin", 10, 5);
}

static void edit_is_put_right(struct puts *t, enum msg_type type, void (*happens)(struct puts *t))
{
    struct meanwhile w = {t, type, HUGO, happens, 0};
    make_file(t, ANNA, "a.bin", SIZE, 30);
    put(t, "a.bin", "hugo:docs/a.bin");
    edit_file(t, ANNA, "a.bin", 500000, 30);
    world_tap(t->w, watch, &w);
    put(t, "a.bin", "hugo:docs/a.bin");
    world_tap(t->w, NULL, NULL);
    assert_true(w.seen > 0);
    assert_same(t, "a.bin", "docs/a.bin");
}

static void p40_a_base_that_changed_before_falls_back(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 31);
    put(t, "a.bin", "hugo:docs/a.bin");
    hugo_edits(t);
    edit_file(t, ANNA, "a.bin", 500000, 30);
    assert_put(t, "a.bin", "hugo:docs/a.bin", "update", "peer-index");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void p40_a_base_that_changes_before_the_gather_falls_back(void **state)
{
    edit_is_put_right(*state, MSG_GATHER, hugo_edits);
}

static void p40_a_base_that_changes_before_the_commit_falls_back(void **state)
{
    edit_is_put_right(*state, MSG_COMMIT, hugo_edits);
}

static void hugo_removes(struct puts *t)
{
    assert_int_equal(unlink(path_at(t, HUGO, "docs/a.bin").s), 0);
}

static void a_file_that_goes_away_meanwhile_is_sent(void **state)
{
    edit_is_put_right(*state, MSG_GATHER, hugo_removes);
}

static void anna_edits(struct puts *t)
{
    edit_file(t, ANNA, "a.bin", 500010, 9);
}

static void p33_a_source_that_changes_before_its_literals_go(void **state)
{
    edit_is_put_right(*state, MSG_LITERALS, anna_edits);
}

/* ---- links that are lost */

static void cut(struct puts *t)
{
    world_cut(t->w, ANNA, HUGO, true);
}

static void until_back(struct puts *t)
{
    run_for(t, 10 * SECOND);
    world_cut(t->w, ANNA, HUGO, false);
}

/* The link is cut when a message of this type goes, and comes back a little later. */
static void edit_outlives(struct puts *t, enum msg_type type)
{
    struct meanwhile w = {t, type, HUGO, cut, 0};
    make_file(t, ANNA, "a.bin", SIZE, 40);
    put(t, "a.bin", "hugo:docs/a.bin");
    edit_file(t, ANNA, "a.bin", 500000, 30);
    world_tap(t->w, watch, &w);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_back(t);
    until_put_over(t, 40 * SECOND);
    world_tap(t->w, NULL, NULL);
    assert_true(w.seen > 0);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
}

static void p38_a_link_lost_at_any_step_is_found_again(void **state)
{
    static const enum msg_type steps[] = {MSG_FILE, MSG_LITERALS, MSG_FETCH_OK, MSG_GATHER, MSG_COMMIT};
    struct puts *t = *state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        edit_outlives(t, steps[i]);
}

static void p38_a_whole_file_resumes(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", 4 * SIZE, 41);
    world_rate(t->w, SIZE);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, 3 * SECOND);
    cut(t);
    until_back(t);
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(t->sent < 5 * SIZE);
}

static void what_is_sent_and_not_safe_yet_is_told(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", 2 * SIZE, 43);
    world_rate(t->w, SIZE);
    world_slow_disks(t->w, 5 * SECOND);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, SECOND);
    assert_string_equal(t->phase, "send");
    run_for(t, 3 * SECOND);
    assert_string_equal(t->phase, "finish");
    until_put_over(t, 10 * SECOND);
    assert_went_well(t);
}

static void a_peer_that_stays_away_is_told_and_what_came_resumes(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", 4 * SIZE, 42);
    world_rate(t->w, SIZE);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, 3 * SECOND);
    cut(t);
    until_put_over(t, 120 * SECOND);
    assert_string_not_equal(t->code, "");
    assert_non_null(strstr(t->text, "same command"));
    world_cut(t->w, ANNA, HUGO, false);
    run_for(t, 10 * SECOND);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(t->sent < 3 * SIZE);
}

static void start_large(struct puts *t)
{
    make_file(t, ANNA, "a.bin", 4 * SIZE, 45);
    world_rate(t->w, SIZE);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, 2 * SECOND);
    assert_false(t->over);
}

static void p38_a_peer_that_crashes_and_comes_back(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_crash(t->w, HUGO);
    run_for(t, 3 * SECOND);
    world_start(t->w, HUGO);
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(t->sent < 5 * SIZE);
}

static void p38_its_own_node_crashes_and_the_same_command_resumes(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_crash(t->w, ANNA);
    t->program = NULL; /* ended with its node */
    run_for(t, SECOND);
    world_start(t->w, ANNA);
    run_for(t, 5 * SECOND);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(t->sent < 4 * SIZE);
}

static void a_node_that_stops_ends_its_puts(void **state)
{
    struct puts *t = *state;
    start_large(t);
    world_stop(t->w, ANNA);
    t->program = NULL;
    run_for(t, 10 * SECOND);
    assert_int_equal(openings_count(world_core(t->w, HUGO)), 0);
    assert_false(exists(t, HUGO, "docs/a.bin"));
}

static void cancelled_it_leaves_nothing_behind_and_resumes(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", 4 * SIZE, 43);
    world_rate(t->w, SIZE);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, 3 * SECOND);
    program_send(t->program, row_new("cancel"));
    until_put_over(t, SECOND);
    assert_string_equal(t->code, "cancelled");
    run_for(t, 10 * SECOND);
    assert_quiet(t);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_put_over(t, 60 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
    assert_true(t->sent < 3 * SIZE);
}

static void it_may_be_cancelled_at_any_time(void **state)
{
    struct puts *t = *state;
    world_rate(t->w, 4 * SIZE);
    for (uint64_t ms = 1; ms < 3000; ms += ms / 3 + 7) {
        make_file(t, ANNA, "a.bin", SIZE, 44);
        edit_file(t, ANNA, "a.bin", ms * 10, 300000);
        start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
        run_for(t, ms * MILLISECOND);
        program_leave(t->program);
        t->program = NULL;
        run_for(t, 5 * SECOND);
        assert_quiet(t);
    }
}

/* ---- two at once */

static void two_clients_at_once_one_wins_and_the_other_is_told(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 50);
    put(t, "a.bin", "hugo:docs/a.bin");
    edit_file(t, ANNA, "a.bin", 0, 300000);
    make_file(t, SARA, "a.bin", SIZE, 51);
    world_rate(t->w, 100000);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    run_for(t, SECOND);
    const char *code = put_of(t, SARA, "a.bin", "hugo:docs/a.bin");
    assert_non_null(code);
    assert_string_equal(code, "locked");
    assert_non_null(strstr(t->text, "being updated by anna"));
    until_put_over(t, 20 * SECOND);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");

    world_rate(t->w, SIZE);
    assert_null(put_of(t, SARA, "a.bin", "hugo:docs/a.bin"));
    assert_differ(t, "a.bin", "docs/a.bin");
    edit_file(t, ANNA, "a.bin", 5, 5); /* what anna remembers is not there any more */
    put(t, "a.bin", "hugo:docs/a.bin");
    assert_same(t, "a.bin", "docs/a.bin");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, puts_setup, puts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(gather_1_to_7_an_edit_is_sent_and_the_rest_is_copied_there),
        TEST(what_was_fetched_is_known_when_it_is_put_back),
        TEST(without_a_base_the_peers_index_is_asked_for),
        TEST(moved_content_is_copied_there),
        TEST(p35_old_bytes_that_cannot_be_opened_are_done_without),
        TEST(what_would_send_nearly_all_goes_as_a_whole),
        TEST(small_files_go_as_a_whole),
        TEST(more_regions_than_one_message_holds),
        TEST(a_folder_is_updated_file_by_file_and_then_sent),
        TEST(a_folder_gets_a_new_name_where_nothing_is),
        TEST(several_sources_need_a_folder),
        TEST(a_folder_and_a_file_do_not_replace_each_other),
        TEST(a_dry_run_changes_nothing),
        TEST(skip_and_rename),
        TEST(bad_requests),
        TEST(a_share_must_be_writable),
        TEST(p29_fifos_are_refused),
        TEST(p40_a_base_that_changed_before_falls_back),
        TEST(p40_a_base_that_changes_before_the_gather_falls_back),
        TEST(p40_a_base_that_changes_before_the_commit_falls_back),
        TEST(a_file_that_goes_away_meanwhile_is_sent),
        TEST(p33_a_source_that_changes_before_its_literals_go),
        TEST(p38_a_link_lost_at_any_step_is_found_again),
        TEST(p38_a_whole_file_resumes),
        TEST(what_is_sent_and_not_safe_yet_is_told),
        TEST(a_peer_that_stays_away_is_told_and_what_came_resumes),
        TEST(p38_a_peer_that_crashes_and_comes_back),
        TEST(p38_its_own_node_crashes_and_the_same_command_resumes),
        TEST(a_node_that_stops_ends_its_puts),
        TEST(cancelled_it_leaves_nothing_behind_and_resumes),
        TEST(it_may_be_cancelled_at_any_time),
        cmocka_unit_test_setup_teardown(two_clients_at_once_one_wins_and_the_other_is_told, puts_three_setup, puts_teardown),
    };
    return cmocka_run_group_tests_name("sim_puts", tests, NULL, NULL);
}

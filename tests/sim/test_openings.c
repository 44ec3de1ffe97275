/* Files that peers have open at anna's: what each request does, in which order, and how what is open ends. */
#include "parcels.h"
#include "putter.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OLD "the quick brown fox jumps over the lazy dog"

static size_t open_count(struct world *w)
{
    return openings_count(anna(w));
}

static uint64_t token_of(struct putter *p, const char *path)
{
    const struct msg *m = putter_ask_for(p, file_of(p, "in", path, true), MSG_FILE_OK);
    uint64_t token = m->file_ok.state.token;
    putter_say(p, closing(m->file_ok.handle));
    soon(p->w);
    return token;
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- how it goes */

static void gather_2_a_file_is_opened_and_its_state_told(void **state)
{
    (void)state;
    struct world *w = putters_world(1);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    const struct msg *m = putter_ask_for(p, file_of(p, "in", "a", true), MSG_FILE_OK);
    uint64_t token = m->file_ok.state.token, handle = m->file_ok.handle;
    assert_int_equal(m->file_ok.kind, FILE_FILE);
    assert_int_equal(m->file_ok.state.size, strlen(OLD));
    assert_int_equal(m->file_ok.state.mtime_s, 1000);
    assert_int_equal(m->file_ok.limits.bytes, GATHER_BYTES_MAX);
    assert_int_equal(m->file_ok.limits.regions, GATHER_REGIONS_MAX);
    assert_int_equal(m->file_ok.limits.size, GATHER_SIZE_MAX);
    assert_int_equal(m->file_ok.limits.budget, GATHER_BUDGET);
    assert_int_equal(m->file_ok.limits.wait_ms, 0);
    m = putter_ask_for(p, file_of(p, "in", "a", false), MSG_FILE_OK);
    assert_int_equal(m->file_ok.state.token, token);
    assert_int_not_equal(m->file_ok.handle, handle);
    m = putter_ask_for(p, file_of(p, "in", "new", true), MSG_FILE_OK);
    assert_int_equal(m->file_ok.kind, FILE_NOTHING);
    assert_int_equal(m->file_ok.state.token, 0);
    m = putter_ask_for(p, file_of(p, "in", "", true), MSG_FILE_OK);
    assert_int_equal(m->file_ok.kind, FILE_DIR);
    putter_refused(p, file_of(p, "in", "no/folder", true), ERR_NOT_FOUND);
    putter_refused(p, file_of(p, "in", "new", false), ERR_NOT_FOUND);
    assert_int_equal(open_count(w), 4);
    putter_say(p, closing(handle));
    soon(w);
    assert_int_equal(open_count(w), 3);
    putter_free(p);
    world_free(w);
}

static void gather_6_a_file_is_built_from_pieces_of_the_old_one(void **state)
{
    (void)state;
    struct world *w = putters_world(2);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    struct regions regions;
    regions_init(&regions, 0, 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, 40, 3, 8), 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, 0, 9, 8), 0);
    const struct msg *m = putter_ask_for(p, gather_from(p, d, s, token, &regions), MSG_GATHER_OK);
    assert_true(m->gather_ok.taken);
    assert_int_equal(m->gather_ok.end, 12);
    regions_init(&regions, 12, 0); /* a second part */
    assert_int_equal(regions_add(&regions, REGION_COPY, 3, 6, 8), 0);
    m = putter_ask_for(p, gather_from(p, d, s, token, &regions), MSG_GATHER_OK);
    assert_int_equal(m->gather_ok.end, 18);
    assert_file(w, ANNA, "a", OLD);
    m = putter_ask_for(p, commit_of(d, "dogthe quick quick"), MSG_COMMIT_OK);
    assert_file(w, ANNA, "a", "dogthe quick quick");
    assert_int_equal(m->commit_ok.state.size, 18);
    assert_int_equal(m->commit_ok.state.mtime_s, 2000);
    uint64_t new_token = m->commit_ok.state.token;
    putter_refused(p, gather_copy(p, d, s, token, 0, 1), ERR_STATE); /* nothing follows */
    putter_refused(p, commit_of(d, "dogthe quick quick"), ERR_STATE);
    putter_say(p, closing(d));
    putter_say(p, closing(s));
    soon(w);
    assert_int_equal(open_count(w), 0);
    assert_int_equal(count_names(w, ANNA, ""), 1);
    assert_int_equal(token_of(p, "a"), new_token);
    putter_free(p);
    world_free(w);
}

static void gather_7_new_bytes_come_by_the_bulk_plane(void **state)
{
    (void)state;
    struct world *w = putters_world(3);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    write_file(w, MALLORY, "new bytes", "red");
    strcpy(p->ready, "new bytes");
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    const struct msg *m = putter_ask_for(p, literals_for(d, 3), MSG_LITERALS_OK);
    assert_int_equal(m->literals.bytes, 3);
    struct regions regions;
    regions_init(&regions, 0, 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, 0, 10, 8), 0);
    assert_int_equal(regions_add(&regions, REGION_LITERAL, 0, 1, 8), 0);
    putter_ask_for(p, gather_from(p, d, s, token, &regions), MSG_GATHER_OK);
    regions_init(&regions, 11, 1);
    assert_int_equal(regions_add(&regions, REGION_LITERAL, 0, 2, 8), 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, 15, 4, 8), 0);
    putter_ask_for(p, gather_from(p, d, s, token, &regions), MSG_GATHER_OK);
    putter_ask_for(p, commit_of(d, "the quick red fox"), MSG_COMMIT_OK);
    putter_say(p, closing(d));
    soon(w);
    assert_file(w, ANNA, "a", "the quick red fox");
    assert_int_equal(count_names(w, ANNA, ""), 1);
    putter_free(p);
    world_free(w);
}

static void gather_7_any_file_that_may_be_read_is_a_source(void **state)
{
    (void)state;
    struct world *w = putters_world(4);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "copy", true), s = putter_open(p, "a", false);
    putter_ask_for(p, gather_copy(p, d, s, token, 0, strlen(OLD)), MSG_GATHER_OK);
    putter_ask_for(p, commit_of(d, OLD), MSG_COMMIT_OK);
    assert_file(w, ANNA, "copy", OLD);
    putter_free(p);
    world_free(w);
}

static void a_peer_is_told_what_a_file_consists_of(void **state)
{
    (void)state;
    struct world *w = putters_world(5);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), s = putter_open(p, "a", false);
    const struct msg *m = putter_ask_for(p, index_of(s), MSG_INDEX_OK);
    assert_int_equal(m->index_ok.token, token);
    assert_true(m->index_ok.bytes > 0);
    assert_non_null(parcel_find(anna(w), known(w, MALLORY), &m->index_ok.parcel));
    assert_int_equal(count_names(w, ANNA, "../.spool"), 1);
    putter_say(p, closing(s));
    soon(w);
    assert_int_equal(count_names(w, ANNA, "../.spool"), 0);
    assert_int_equal(open_count(w), 0);
    putter_free(p);
    world_free(w);
}

static void what_is_put_is_fetched_to_its_place(void **state)
{
    (void)state;
    struct world *w = putters_world(6);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    uint64_t d = putter_open(p, "a", true), folder = putter_open(p, "", true);
    const struct msg *m = putter_ask_for(p, put_into(d, ""), MSG_PUT_OK);
    assert_int_equal(m->put_ok.files, 1);
    assert_int_equal(m->put_ok.failed, 0);
    uint64_t token = m->put_ok.token;
    assert_file(w, ANNA, "a", "hello");
    putter_say(p, closing(d));
    soon(w);
    assert_int_equal(token_of(p, "a"), token);
    putter_ask_for(p, put_into(folder, "b"), MSG_PUT_OK);
    assert_file(w, ANNA, "b", "hello");
    p->ready[0] = '\0';
    putter_refused(p, put_into(folder, "c"), ERR_NOT_FOUND);
    assert_int_equal(count_names(w, ANNA, ""), 2);
    putter_free(p);
    world_free(w);
}

/* ---- at the same time */

static void s59_two_at_once_and_one_is_told_who_has_the_file(void **state)
{
    (void)state;
    struct world *w = putters_world(7);
    struct putter *p = putter_new(w, MALLORY), *e = putter_new(w, EVE);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true);
    const struct msg *m = putter_ask_for(e, file_of(e, "in", "a", true), MSG_ERROR);
    assert_int_equal(m->error.code, ERR_LOCKED);
    assert_non_null(strstr(m->error.text, "mallory"));
    putter_refused(p, file_of(p, "in", "a", true), ERR_LOCKED);
    uint64_t folder = putter_open(e, "", true), s = putter_open(e, "a", false); /* to read is another thing, */
    putter_refused(e, put_into(folder, "a"), ERR_LOCKED);                       /* and so is what stands beside it */
    write_file(w, EVE, "x", "eve's");
    strcpy(e->ready, "x");
    putter_ask_for(e, put_into(folder, "b"), MSG_PUT_OK);
    assert_file(w, ANNA, "b", "eve's");
    uint64_t own = putter_open(p, "a", false);
    putter_ask_for(p, gather_copy(p, d, own, token, 0, 9), MSG_GATHER_OK);
    putter_ask_for(p, commit_of(d, "the quick"), MSG_COMMIT_OK);
    putter_say(p, closing(d));
    soon(w);
    putter_open(e, "a", true);
    putter_say(e, closing(s));
    assert_file(w, ANNA, "a", "the quick");
    putter_free(p);
    putter_free(e);
    world_free(w);
}

static void s59_who_comes_back_over_another_link_gets_its_file_again(void **state)
{
    (void)state;
    struct world *w = putters_world(8);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    putter_ask_for(p, gather_copy(p, d, s, token, 0, 9), MSG_GATHER_OK);
    unsigned before = descriptors();
    struct putter *again = putter_new(w, MALLORY);
    uint64_t e = putter_open(again, "a", true), t = putter_open(again, "a", false);
    putter_refused(p, gather_copy(p, d, s, token, 0, 9), ERR_NOT_FOUND);
    putter_ask_for(again, gather_copy(again, e, t, token, 4, 5), MSG_GATHER_OK);
    putter_ask_for(again, commit_of(e, "quick"), MSG_COMMIT_OK);
    assert_file(w, ANNA, "a", "quick");
    assert_true(descriptors() <= before + 1); /* once more to read, and the gather's */
    putter_free(p);
    putter_free(again);
    world_free(w);
}

static void s59_who_comes_back_over_another_link_puts_again(void **state)
{
    (void)state;
    struct world *w = putters_world(20);
    struct putter *p = putter_new(w, MALLORY), *again;
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    uint64_t number = putter_say(p, put_into(putter_open(p, "", true), "b"));
    soon(w);
    again = putter_new(w, MALLORY);
    strcpy(again->ready, "mine");
    putter_ask_for(again, put_into(putter_open(again, "", true), "b"), MSG_PUT_OK);
    assert_int_equal(putter_heard(p, number)->error.code, ERR_LOCKED);
    assert_file(w, ANNA, "b", "hello");
    assert_int_equal(anna(w)->transfers, 0);
    putter_free(p);
    putter_free(again);
    world_free(w);
}

static void one_request_at_a_time_is_done_for_a_file(void **state)
{
    (void)state;
    struct world *w = putters_world(9);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    uint64_t folder = putter_open(p, "", true), number = putter_say(p, put_into(folder, "b"));
    soon(w);
    putter_refused(p, put_into(folder, "c"), ERR_STATE);
    assert_null(putter_heard(p, number));
    putter_free(p);
    world_free(w);
}

static void s60_gathers_take_turns_between_peers(void **state)
{
    (void)state;
    struct world *w = putters_world(10);
    struct putter *p = putter_new(w, MALLORY), *e = putter_new(w, EVE);
    uint64_t d[GATHERS_WAIT_PER_PEER_MAX], number[GATHERS_WAIT_PER_PEER_MAX], eves = 0;
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), s = putter_open(p, "a", false), t = putter_open(e, "a", false);
    uint64_t x = putter_open(e, "x", true);
    for (unsigned i = 0; i < GATHERS_WAIT_PER_PEER_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        d[i] = putter_open(p, name, true);
    }
    world_freeze(w, ANNA, true); /* so that all wait */
    for (unsigned i = 0; i < GATHERS_WAIT_PER_PEER_MAX; i++)
        number[i] = putter_say(p, gather_copy(p, d[i], s, token, 0, 9));
    soon(w);
    eves = putter_say(e, gather_copy(e, x, t, token, 0, 9));
    soon(w);
    world_freeze(w, ANNA, false);
    unsigned before = 0;
    for (unsigned steps = 0; !putter_heard(e, eves) && steps < 1000; steps++) {
        world_run(w, world_now(w) + 10000);
        before = 0;
        for (unsigned i = 0; i < GATHERS_WAIT_PER_PEER_MAX; i++)
            before += putter_heard(p, number[i]) != NULL;
    }
    assert_true(before <= GATHERS_MAX);
    soon(w);
    for (unsigned i = 0; i < GATHERS_WAIT_PER_PEER_MAX; i++)
        assert_true(putter_heard(p, number[i])->gather_ok.taken);
    putter_free(p);
    putter_free(e);
    world_free(w);
}

/* ---- while it lasts */

static void progress_is_told_and_cancel_ends_it(void **state)
{
    (void)state;
    struct world *w = putters_world(11);
    struct putter *p = putter_new(w, MALLORY);
    struct msg_progress last;
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    uint64_t d = putter_open(p, "a", true), number = putter_say(p, put_into(d, ""));
    world_run(w, world_now(w) + 2 * SECOND);
    size_t told = putter_progress(p, number, &last);
    assert_in_range(told, 1000 / PROGRESS_EVERY_MS, 2000 / PROGRESS_EVERY_MS + 1);
    assert_int_equal(last.phase, PROGRESS_SEND);
    struct msg *cancel = message(MSG_CANCEL, 0);
    cancel->cancel.request = number;
    putter_say(p, cancel);
    soon(w);
    assert_int_equal(putter_heard(p, number)->error.code, ERR_CANCELLED);
    assert_int_equal(open_count(w), 1);
    p->stalls = false;
    putter_ask_for(p, put_into(d, ""), MSG_PUT_OK); /* the handle is still good */
    assert_int_equal(anna(w)->transfers, 0);
    putter_free(p);
    world_free(w);
}

static void a_gather_is_cancelled_and_nothing_of_it_stays(void **state)
{
    (void)state;
    struct world *w = putters_world(12);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    uint64_t number = putter_say(p, gather_copy(p, d, s, token, 0, 9));
    struct msg *cancel = message(MSG_CANCEL, 0);
    cancel->cancel.request = number;
    putter_say(p, cancel);
    soon(w);
    assert_int_equal(putter_heard(p, number)->error.code, ERR_CANCELLED);
    putter_say(p, closing(d));
    putter_say(p, closing(s));
    soon(w);
    assert_int_equal(open_count(w), 0);
    assert_file(w, ANNA, "a", OLD);
    assert_int_equal(count_names(w, ANNA, ""), 1);
    putter_free(p);
    world_free(w);
}

static bool is_at_work(struct world *w, void *arg)
{
    const struct demand *d = anna(w)->openings->demands;
    (void)arg;
    return d && d->wait == WAIT_NOT;
}

/* A hole is built before anybody could look whether it is still wanted. */
static void a_cancel_that_comes_too_late_stops_nothing_else(void **state)
{
    (void)state;
    static const struct fault why = {.code = ERR_CANCELLED, .text = "stopped as you wished"};
    struct world *w = putters_world(22);
    struct putter *p = putter_new(w, MALLORY);
    struct regions part;
    write_file(w, ANNA, "a", OLD);
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    regions_init(&part, 0, 0);
    assert_int_equal(regions_add(&part, REGION_HOLE, 0, 4096, 1), 0);
    uint64_t number = putter_say(p, gather_from(p, d, 0, 0, &part));
    assert_true(world_run_until(w, is_at_work, NULL, world_now(w) + SECOND));
    demand_stop(anna(w)->openings->demands, &why);
    soon(w);
    assert_int_equal(putter_heard(p, number)->type, MSG_GATHER_OK);
    regions_init(&part, 4096, 0);
    assert_int_equal(regions_add(&part, REGION_COPY, 4, 5, 1), 0);
    assert_int_equal(putter_ask_for(p, gather_from(p, d, s, token, &part), MSG_GATHER_OK)->gather_ok.end, 4096 + 5);
    putter_free(p);
    world_free(w);
}

/* ---- ends */

static void handles_end_with_their_link(void **state)
{
    (void)state;
    struct world *w = putters_world(13);
    struct putter *p = putter_new(w, MALLORY);
    unsigned before = descriptors();
    write_file(w, ANNA, "a", OLD);
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    uint64_t token = token_of(p, "a"), d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    putter_open(p, "b", true);
    putter_say(p, literals_for(putter_open(p, "c", true), 5));
    putter_say(p, put_into(putter_open(p, "", true), "d"));
    soon(w);
    putter_say(p, gather_copy(p, d, s, token, 0, 9));
    putter_say(p, file_of(p, "in", "e", true));
    world_run(w, world_now(w) + 250000); /* they have arrived, and are in work */
    say_new(w, MALLORY, p->link, message(MSG_BYE, 0));
    soon(w);
    assert_int_equal(open_count(w), 0);
    assert_int_equal(anna(w)->jobs + anna(w)->transfers, 0);
    assert_null(anna(w)->openings->demands);
    assert_int_equal(descriptors(), before);
    assert_file(w, ANNA, "a", OLD);
    putter_free(p);
    world_free(w);
}

static void s45_what_is_open_and_idle_is_closed(void **state)
{
    (void)state;
    struct world *w = putters_world(14);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, ANNA, "a", OLD);
    uint64_t d = putter_open(p, "a", true), s = putter_open(p, "a", false);
    world_run(w, world_now(w) + OPENING_IDLE / 2);
    putter_ask_for(p, index_of(s), MSG_INDEX_OK);
    world_run(w, world_now(w) + OPENING_IDLE / 2 + SECOND);
    assert_int_equal(open_count(w), 1);
    putter_refused(p, commit_of(d, OLD), ERR_NOT_FOUND);
    world_run(w, world_now(w) + OPENING_IDLE);
    assert_int_equal(open_count(w), 0);
    assert_true(is_up(w, MALLORY));
    putter_free(p);
    world_free(w);
}

static void a_share_that_is_withdrawn_ends_what_is_open_of_it(void **state)
{
    (void)state;
    struct world *w = putters_world(15);
    struct putter *p = putter_new(w, MALLORY);
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    uint64_t d = putter_open(p, "a", true), number = putter_say(p, put_into(putter_open(p, "", true), "b"));
    soon(w);
    ok(w, ANNA, request("unshare", "name", "in"));
    soon(w);
    assert_int_equal(putter_heard(p, number)->error.code, ERR_NOT_FOUND);
    putter_refused(p, put_into(d, ""), ERR_NOT_FOUND);
    assert_int_equal(open_count(w), 0);
    assert_int_equal(anna(w)->transfers, 0);
    putter_free(p);
    world_free(w);
}

static void a_share_that_is_not_writable_any_more_is_only_read(void **state)
{
    (void)state;
    struct world *w = putters_world(16);
    struct putter *p = putter_new(w, MALLORY);
    char path[512];
    write_file(w, ANNA, "a", OLD);
    putter_open(p, "a", true);
    uint64_t s = putter_open(p, "a", false);
    snprintf(path, sizeof path, "%s/in", world_disk(w, ANNA));
    struct row *r = request("share", "path", path);
    row_bool(r, "public", true);
    ok(w, ANNA, r);
    soon(w);
    assert_int_equal(open_count(w), 1);
    putter_ask_for(p, index_of(s), MSG_INDEX_OK);
    putter_free(p);
    world_free(w);
}

static void who_is_not_trusted_any_more_has_nothing_open(void **state)
{
    (void)state;
    struct world *w = putters_world(17);
    struct putter *p = putter_new(w, MALLORY);
    char path[512];
    snprintf(path, sizeof path, "%s/in", world_disk(w, ANNA));
    ok(w, ANNA, request("trust", "peer", id_text(world_id(w, MALLORY)).s));
    struct row *r = request("share", "path", path);
    row_bool(r, "writable", true);
    ok(w, ANNA, r);
    uint64_t d = putter_open(p, "a", true);
    ok(w, ANNA, request("untrust", "peer", id_text(world_id(w, MALLORY)).s));
    soon(w);
    assert_int_equal(open_count(w), 0);
    putter_refused(p, put_into(d, ""), ERR_NOT_FOUND);
    putter_free(p);
    world_free(w);
}

/* A fetch of literals and a put that stand still, an index that stands ready, and `a` open to be replaced and to be read. */
struct much {
    uint64_t token, d, s;
};

static struct much much_in_work(struct world *w, struct putter *p)
{
    write_file(w, ANNA, "a", OLD);
    write_file(w, MALLORY, "mine", "hello");
    strcpy(p->ready, "mine");
    p->stalls = true;
    struct much m = {.token = token_of(p, "a"), .d = putter_open(p, "a", true), .s = putter_open(p, "a", false)};
    putter_say(p, literals_for(putter_open(p, "c", true), 5));
    putter_say(p, put_into(putter_open(p, "", true), "d"));
    putter_ask_for(p, index_of(m.s), MSG_INDEX_OK);
    return m;
}

static void p20_a_node_that_stops_closes_all(void **state)
{
    (void)state;
    struct world *w = putters_world(18);
    struct putter *p = putter_new(w, MALLORY);
    struct much m = much_in_work(w, p);
    putter_say(p, gather_copy(p, m.d, m.s, m.token, 0, 9));
    world_run(w, world_now(w) + 250000);
    core_stop(anna(w));
    assert_false(core_idle(anna(w)));
    soon(w);
    assert_true(core_idle(anna(w)));
    assert_int_equal(open_count(w), 0);
    assert_int_equal(count_names(w, ANNA, "../.spool"), 0);
    putter_free(p);
    world_free(w);
}

static void a_node_that_is_killed_leaves_nothing_in_memory(void **state)
{
    (void)state;
    struct world *w = putters_world(19);
    struct putter *p = putter_new(w, MALLORY);
    struct much m = much_in_work(w, p);
    putter_ask_for(p, gather_copy(p, m.d, m.s, m.token, 0, 9), MSG_GATHER_OK);
    putter_say(p, commit_of(m.d, "the quick"));
    putter_say(p, file_of(p, "in", "e", true));
    world_run(w, world_now(w) + 250000);
    world_crash(w, ANNA);
    putter_free(p);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_2_a_file_is_opened_and_its_state_told),
        cmocka_unit_test(gather_6_a_file_is_built_from_pieces_of_the_old_one),
        cmocka_unit_test(gather_7_new_bytes_come_by_the_bulk_plane),
        cmocka_unit_test(gather_7_any_file_that_may_be_read_is_a_source),
        cmocka_unit_test(a_peer_is_told_what_a_file_consists_of),
        cmocka_unit_test(what_is_put_is_fetched_to_its_place),
        cmocka_unit_test(s59_two_at_once_and_one_is_told_who_has_the_file),
        cmocka_unit_test(s59_who_comes_back_over_another_link_gets_its_file_again),
        cmocka_unit_test(s59_who_comes_back_over_another_link_puts_again),
        cmocka_unit_test(one_request_at_a_time_is_done_for_a_file),
        cmocka_unit_test(s60_gathers_take_turns_between_peers),
        cmocka_unit_test(progress_is_told_and_cancel_ends_it),
        cmocka_unit_test(a_gather_is_cancelled_and_nothing_of_it_stays),
        cmocka_unit_test(a_cancel_that_comes_too_late_stops_nothing_else),
        cmocka_unit_test(handles_end_with_their_link),
        cmocka_unit_test(s45_what_is_open_and_idle_is_closed),
        cmocka_unit_test(a_share_that_is_withdrawn_ends_what_is_open_of_it),
        cmocka_unit_test(a_share_that_is_not_writable_any_more_is_only_read),
        cmocka_unit_test(who_is_not_trusted_any_more_has_nothing_open),
        cmocka_unit_test(p20_a_node_that_stops_closes_all),
        cmocka_unit_test(a_node_that_is_killed_leaves_nothing_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

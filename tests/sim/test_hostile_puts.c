/* A hostile peer that opens, builds and puts files at anna's: handles of others, steps out of order, arrays that reach beyond
 * what there is, floods, and answers that nobody asked for. Whatever it says, no file of hers is but old or new, nothing stays
 * open or on disk, and others are served. */
#include "putter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OLD "the quick brown fox jumps over the lazy dog"

/* The file "a" at anna's, and what a peer has opened of it. */
struct scene {
    struct world *w;
    struct putter *p;
    uint64_t d, s, token; /* to be built; to be read */
};

static struct scene scene(uint64_t seed)
{
    struct scene x = {.w = putters_world(seed)};
    x.p = putter_new(x.w, MALLORY);
    write_file(x.w, ANNA, "a", OLD);
    x.s = putter_open(x.p, "a", false);
    const struct msg *m = putter_ask_for(x.p, file_of(x.p, "in", "a", true), MSG_FILE_OK);
    x.d = m->file_ok.handle;
    x.token = m->file_ok.state.token;
    return x;
}

static void nothing_happened(const struct scene *x)
{
    assert_int_equal(anna(x->w)->jobs + anna(x->w)->transfers, 0);
    assert_file(x->w, ANNA, "a", OLD);
    assert_int_equal(count_names(x->w, ANNA, ""), 1);
}

static void end(struct scene *x)
{
    world_run(x->w, world_now(x->w) + 2 * OPENING_IDLE);
    assert_int_equal(openings_count(anna(x->w)), 0);
    putter_free(x->p);
    world_free(x->w);
}

static void limits_are_kept(struct putter *p, struct msg *m)
{
    const struct msg *answer = putter_ask_for(p, m, MSG_GATHER_OK);
    assert_false(answer->gather_ok.taken);
    assert_int_equal(answer->gather_ok.limits.wait_ms, 0);
    assert_int_equal(answer->gather_ok.limits.bytes, GATHER_BYTES_MAX);
    assert_int_equal(answer->gather_ok.limits.size, GATHER_SIZE_MAX);
    assert_int_equal(answer->gather_ok.limits.regions, GATHER_REGIONS_MAX);
}

/* ---- handles */

static void all_are_refused(struct scene *x, struct putter *p, uint64_t handle)
{
    putter_refused(p, index_of(handle), ERR_NOT_FOUND);
    putter_refused(p, put_into(handle, ""), ERR_NOT_FOUND);
    putter_refused(p, literals_for(handle, 1), ERR_NOT_FOUND);
    putter_refused(p, gather_copy(p, handle, 0, 0, 0, 1), ERR_NOT_FOUND);
    putter_refused(p, commit_of(handle, "x"), ERR_NOT_FOUND);
    putter_say(p, closing(handle));
    soon(x->w);
    nothing_happened(x);
}

static void s55_handles_are_of_one_peer_and_one_link(void **state)
{
    (void)state;
    struct scene x = scene(1);
    struct putter *e = putter_new(x.w, EVE), *other = putter_new(x.w, MALLORY);
    all_are_refused(&x, e, x.d);
    all_are_refused(&x, e, x.s);
    all_are_refused(&x, other, x.d);
    all_are_refused(&x, x.p, 0x7fffffff);
    assert_int_equal(openings_count(anna(x.w)), 2);
    putter_say(x.p, closing(x.s));
    soon(x.w);
    all_are_refused(&x, x.p, x.s);
    putter_free(e);
    putter_free(other);
    end(&x);
}

static void s55_a_source_is_open_to_read_by_who_asks(void **state)
{
    (void)state;
    struct scene x = scene(2);
    struct putter *e = putter_new(x.w, EVE);
    uint64_t eves = putter_open(e, "a", false), other = putter_open(x.p, "b", true);
    putter_refused(x.p, gather_copy(x.p, x.d, x.d, x.token, 0, 9), ERR_STATE);
    putter_refused(x.p, gather_copy(x.p, x.d, other, x.token, 0, 9), ERR_STATE);
    putter_refused(x.p, gather_copy(x.p, x.d, eves, x.token, 0, 9), ERR_STATE);
    putter_refused(x.p, gather_copy(x.p, x.d, 999, x.token, 0, 9), ERR_STATE);
    putter_refused(x.p, gather_copy(x.p, x.d, 0, x.token, 0, 9), ERR_MALFORMED);
    putter_refused(x.p, gather_copy(x.p, x.s, x.s, x.token, 0, 9), ERR_STATE);
    nothing_happened(&x);
    putter_free(e);
    end(&x);
}

/* ---- order */

static void steps_out_of_order_are_refused(void **state)
{
    (void)state;
    struct scene x = scene(3);
    struct regions regions;
    uint64_t folder = putter_open(x.p, "", true);
    putter_refused(x.p, commit_of(x.d, OLD), ERR_STATE);
    regions_init(&regions, 9, 0);
    assert_int_equal(regions_add(&regions, REGION_COPY, 0, 9, 8), 0);
    putter_refused(x.p, gather_from(x.p, x.d, x.s, x.token, &regions), ERR_STATE);
    putter_refused(x.p, index_of(x.d), ERR_STATE);
    putter_refused(x.p, put_into(x.s, ""), ERR_STATE);
    putter_refused(x.p, put_into(x.d, "b"), ERR_STATE);
    putter_refused(x.p, put_into(folder, ""), ERR_STATE);
    uint64_t wrong[] = {x.s, folder};
    for (size_t i = 0; i < 2; i++) {
        putter_refused(x.p, literals_for(wrong[i], 3), ERR_STATE);
        putter_refused(x.p, commit_of(wrong[i], OLD), ERR_STATE);
        putter_refused(x.p, gather_copy(x.p, wrong[i], x.s, x.token, 0, 9), ERR_STATE);
    }
    nothing_happened(&x);
    putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), MSG_GATHER_OK);
    putter_refused(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), ERR_STATE); /* the same part again */
    putter_refused(x.p, literals_for(x.d, 3), ERR_STATE);
    putter_refused(x.p, put_into(x.d, ""), ERR_STATE);
    putter_refused(x.p, commit_of(x.d, OLD), ERR_STATE); /* of another size */
    putter_ask_for(x.p, commit_of(x.d, "the quick"), MSG_COMMIT_OK);
    putter_refused(x.p, commit_of(x.d, "the quick"), ERR_STATE);
    end(&x);
}

static void literals_come_once_and_are_as_many_as_was_said(void **state)
{
    (void)state;
    struct scene x = scene(4);
    write_file(x.w, MALLORY, "new", "12345");
    putter_refused(x.p, literals_for(x.d, GATHER_SIZE_MAX + 1), ERR_LIMIT);
    putter_refused(x.p, literals_for(x.d, 5), ERR_NOT_FOUND); /* nothing is ready */
    strcpy(x.p->ready, "new");
    putter_refused(x.p, literals_for(x.d, 6), ERR_VERIFY);
    putter_ask_for(x.p, literals_for(x.d, 5), MSG_LITERALS_OK);
    putter_refused(x.p, literals_for(x.d, 5), ERR_STATE);
    assert_file(x.w, ANNA, "a", OLD);
    end(&x);
}

/* ---- arrays */

static void refused_piece(struct scene *x, enum region_kind kind, uint64_t source, uint64_t length)
{
    struct regions regions;
    regions_init(&regions, 0, 0);
    assert_int_equal(regions_add(&regions, kind, source, length, 8), 0);
    putter_refused(x->p, gather_from(x->p, x->d, x->s, x->token, &regions), ERR_MALFORMED);
    nothing_happened(x);
}

static void p41_pieces_lie_in_what_they_are_taken_from(void **state)
{
    (void)state;
    struct scene x = scene(5);
    uint64_t size = strlen(OLD);
    refused_piece(&x, REGION_COPY, 0, size + 1);
    refused_piece(&x, REGION_COPY, size, 1);
    refused_piece(&x, REGION_COPY, 1, size);
    refused_piece(&x, REGION_COPY, (1ull << 62), 1);
    refused_piece(&x, REGION_COPY, (1ull << 62), GATHER_BYTES_MAX);
    refused_piece(&x, REGION_COPY, INT64_MAX - 8, 8);
    refused_piece(&x, REGION_LITERAL, 0, 1);
    putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, size), MSG_GATHER_OK); /* it is as it was */
    end(&x);
}

/* A good message, in which one thing was changed. */
static void refused_array(struct scene *x, void (*spoil)(struct msg_gather *g))
{
    struct msg *m = gather_copy(x->p, x->d, x->s, x->token, 0, 9);
    spoil(&m->gather);
    const struct msg *answer = putter_ask_for(x->p, m, MSG_ERROR);
    assert_true(answer->error.code == ERR_MALFORMED || answer->error.code == ERR_LIMIT);
    nothing_happened(x);
}

static void longer(struct msg_gather *g)
{
    g->length++;
}

static void shorter(struct msg_gather *g)
{
    g->length--;
}

static void more_regions(struct msg_gather *g)
{
    g->count++;
}

static void bytes_are_missing(struct msg_gather *g)
{
    g->len--;
}

static void no_such_kind(struct msg_gather *g)
{
    *(uint8_t *)(uintptr_t)g->bytes |= 3;
}

static void p41_arrays_that_are_none_are_refused(void **state)
{
    (void)state;
    struct scene x = scene(6);
    refused_array(&x, longer);
    refused_array(&x, shorter);
    refused_array(&x, more_regions);
    refused_array(&x, bytes_are_missing);
    refused_array(&x, no_such_kind);
    end(&x);
}

/* ---- limits */

static struct msg *hole(struct scene *x, uint64_t from, uint64_t length)
{
    struct regions regions;
    regions_init(&regions, from, 0);
    assert_int_equal(regions_add(&regions, REGION_HOLE, 0, length, 8), 0);
    return gather_from(x->p, x->d, 0, 0, &regions);
}

static void s53_gather_limits_before_io(void **state)
{
    (void)state;
    struct scene x = scene(7);
    limits_are_kept(x.p, hole(&x, 0, GATHER_BYTES_MAX + 1));
    limits_are_kept(x.p, hole(&x, 0, INT64_MAX));
    nothing_happened(&x);
    putter_ask_for(x.p, hole(&x, 0, GATHER_BYTES_MAX), MSG_GATHER_OK); /* just as much as may be */
    for (struct opening *o = anna(x.w)->openings->first; o; o = o->next)
        o->end = o->write ? GATHER_SIZE_MAX - 5 : 0;
    limits_are_kept(x.p, hole(&x, GATHER_SIZE_MAX - 5, 6));
    end(&x);
}

static struct account *account(struct scene *x)
{
    return account_of(anna(x->w)->openings, world_id(x->w, MALLORY));
}

static void s54_what_is_built_is_budgeted_per_peer(void **state)
{
    (void)state;
    struct scene x = scene(8);
    account(&x)->budget.level = 0;
    account(&x)->budget.rate = 2 * GATHER_REGION_COST; /* so that it takes half a second */
    const struct msg *m = putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), MSG_GATHER_OK);
    assert_false(m->gather_ok.taken);
    assert_in_range(m->gather_ok.limits.wait_ms, 450, 501);
    assert_in_range(m->gather_ok.limits.budget, 0, GATHER_REGION_COST / 10);
    nothing_happened(&x);
    struct putter *again = putter_new(x.w, MALLORY); /* to come back is of no use */
    m = putter_ask_for(again, file_of(again, "in", "b", true), MSG_FILE_OK);
    assert_in_range(m->file_ok.limits.budget, 0, GATHER_REGION_COST);
    world_run(x.w, world_now(x.w) + SECOND / 2);
    m = putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), MSG_GATHER_OK);
    assert_true(m->gather_ok.taken);
    putter_free(again);
    end(&x);
}

static void s54_each_region_counts_as_a_page(void **state)
{
    (void)state;
    struct scene x = scene(9);
    struct regions regions;
    account(&x)->budget.level = 2.5 * GATHER_REGION_COST;
    account(&x)->budget.rate = 1;
    regions_init(&regions, 0, 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(regions_add(&regions, REGION_COPY, 2 * i, 1, 8), 0);
    const struct msg *m = putter_ask_for(x.p, gather_from(x.p, x.d, x.s, x.token, &regions), MSG_GATHER_OK);
    assert_false(m->gather_ok.taken);
    regions_init(&regions, 0, 0);
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal(regions_add(&regions, REGION_COPY, 2 * i, 1, 8), 0);
    assert_int_equal(regions_add(&regions, REGION_HOLE, 0, 1 << 20, 8), 0); /* which is free */
    m = putter_ask_for(x.p, gather_from(x.p, x.d, x.s, x.token, &regions), MSG_GATHER_OK);
    assert_true(m->gather_ok.taken);
    end(&x);
}

static void s54_literals_buy_what_may_be_built(void **state)
{
    (void)state;
    struct scene x = scene(10);
    write_file(x.w, MALLORY, "new", "12345");
    strcpy(x.p->ready, "new");
    account(&x)->budget.level = 0;
    account(&x)->budget.rate = 0;
    putter_ask_for(x.p, literals_for(x.d, 5), MSG_LITERALS_OK);
    assert_int_equal(account(&x)->budget.level, 5 * GATHER_BUDGET_PER_BYTE);
    account(&x)->budget.rate = (double)GATHER_BUDGET_PER_S;
    end(&x);
}

static void s54_accounts_are_forgotten_when_they_say_nothing(void **state)
{
    (void)state;
    struct scene x = scene(11);
    struct openings *os = anna(x.w)->openings;
    for (unsigned i = 0; i < 2 * ACCOUNTS_MAX; i++) {
        struct node_id id = {.b = {(uint8_t)(i >> 8), (uint8_t)i}};
        assert_non_null(account_of(os, &id));
    }
    unsigned n = 0;
    for (struct account *a = os->accounts; a; a = a->next) {
        a->budget.level = 0; /* now they say something */
        n++;
    }
    assert_true(n <= 2);
    end(&x);
}

/* ---- what has changed meanwhile */

static void p40_a_source_that_is_another_one_is_refused(void **state)
{
    (void)state;
    struct scene x = scene(12);
    putter_refused(x.p, gather_copy(x.p, x.d, x.s, x.token + 1, 0, 9), ERR_CHANGED);
    nothing_happened(&x);
    write_file(x.w, ANNA, "a", "THE QUICK BROWN FOX");
    putter_refused(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), ERR_CHANGED);
    assert_file(x.w, ANNA, "a", "THE QUICK BROWN FOX");
    putter_refused(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), ERR_STATE); /* nothing follows a failure */
    putter_say(x.p, closing(x.d));
    soon(x.w);
    assert_int_equal(count_names(x.w, ANNA, ""), 1);
    end(&x);
}

static void p2_what_was_written_meanwhile_is_not_replaced(void **state)
{
    (void)state;
    struct scene x = scene(13);
    putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), MSG_GATHER_OK);
    write_file(x.w, ANNA, "a", "written here");
    putter_refused(x.p, commit_of(x.d, "the quick"), ERR_CHANGED);
    assert_file(x.w, ANNA, "a", "written here");
    putter_say(x.p, closing(x.d));
    soon(x.w);
    assert_int_equal(count_names(x.w, ANNA, ""), 1);
    end(&x);
}

static void p39_what_is_not_what_was_meant_is_never_placed(void **state)
{
    (void)state;
    struct scene x = scene(14);
    putter_ask_for(x.p, gather_copy(x.p, x.d, x.s, x.token, 0, 9), MSG_GATHER_OK);
    putter_refused(x.p, commit_of(x.d, "THE quick"), ERR_VERIFY);
    putter_refused(x.p, commit_of(x.d, "the quick"), ERR_STATE);
    putter_say(x.p, closing(x.d));
    soon(x.w);
    nothing_happened(&x);
    end(&x);
}

/* ---- rights */

static void s8_only_what_is_writable_is_opened_to_write(void **state)
{
    (void)state;
    struct scene x = scene(15);
    char path[512];
    putter_refused(x.p, file_of(x.p, "out", "a", true), ERR_REFUSED);
    putter_refused(x.p, file_of(x.p, "nothing", "a", true), ERR_NOT_FOUND);
    putter_refused(x.p, file_of(x.p, "in", ".weft-stage-abc/x", true), ERR_REFUSED);
    putter_refused(x.p, file_of(x.p, "in", ".weft-stage-abc/x", false), ERR_REFUSED);
    struct share_row ssh = {.name = "ssh", .path = "tcp:localhost:22", .kind = RESOURCE_TCP, .is_public = true};
    assert_int_equal(share_put(anna(x.w), &ssh, NULL), 0);
    putter_refused(x.p, file_of(x.p, "ssh", "", false), ERR_UNSUPPORTED);
    snprintf(path, sizeof path, "%s/in", world_disk(x.w, ANNA));
    struct row *r = request("share", "path", path);
    row_text(r, "name", "friends");
    row_bool(r, "writable", true);
    ok(x.w, ANNA, r);
    putter_refused(x.p, file_of(x.p, "friends", "a", false), ERR_NOT_FOUND); /* as one that is not there */
    struct msg *m = file_of(x.p, "in", "b", true);
    m->file.pipe = pipe_owned(world_id(x.w, BOB), "files");
    putter_refused(x.p, m, ERR_STATE);
    nothing_happened(&x);
    end(&x);
}

static void p29_only_files_and_folders_are_opened(void **state)
{
    (void)state;
    struct scene x = scene(16);
    char path[512];
    snprintf(path, sizeof path, "%s/in/fifo", world_disk(x.w, ANNA));
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/in/link", world_disk(x.w, ANNA));
    assert_int_equal(symlink("a", path), 0);
    snprintf(path, sizeof path, "%s/in/way out", world_disk(x.w, ANNA));
    assert_int_equal(symlink("/tmp", path), 0);
    for (int write = 0; write < 2; write++) {
        putter_refused(x.p, file_of(x.p, "in", "fifo", write), ERR_REFUSED);
        putter_refused(x.p, file_of(x.p, "in", "link", write), ERR_REFUSED);
        putter_refused(x.p, file_of(x.p, "in", "way out/x", write), ERR_REFUSED);
    }
    assert_int_equal(openings_count(anna(x.w)), 2);
    end(&x);
}

static void nothing_is_put_beside_a_share_that_is_one_file(void **state)
{
    (void)state;
    struct scene x = scene(17);
    char path[512];
    snprintf(path, sizeof path, "%s/in/a", world_disk(x.w, ANNA));
    struct share_row one = {.name = "one", .kind = RESOURCE_FILE, .is_public = true, .writable = true};
    memcpy(one.path, path, strlen(path));
    assert_int_equal(share_put(anna(x.w), &one, NULL), 0);
    putter_say(x.p, closing(x.d));
    soon(x.w);
    putter_refused(x.p, file_of(x.p, "one", "b", true), ERR_NOT_FOUND);
    const struct msg *m = putter_ask_for(x.p, file_of(x.p, "one", "", true), MSG_FILE_OK);
    uint64_t d = m->file_ok.handle;
    write_file(x.w, MALLORY, "new", "12345");
    strcpy(x.p->ready, "new");
    struct msg *put = put_into(d, "");
    put->put.policy = IF_EXISTS_RENAME;
    putter_refused(x.p, put, ERR_STATE);
    putter_ask_for(x.p, put_into(d, ""), MSG_PUT_OK);
    assert_file(x.w, ANNA, "a", "12345");
    assert_int_equal(count_names(x.w, ANNA, ""), 1);
    end(&x);
}

/* ---- floods */

static size_t refusals(struct putter *p, uint64_t first, uint64_t last, enum err code)
{
    size_t n = 0;
    for (uint64_t i = first; i <= last; i++) {
        const struct msg *m = putter_heard(p, i);
        n += m && m->type == MSG_ERROR && m->error.code == code;
    }
    return n;
}

static void p45_only_so_many_are_open(void **state)
{
    (void)state;
    struct scene x = scene(18);
    struct putter *e = putter_new(x.w, EVE);
    uint64_t first = x.p->number + 1;
    for (unsigned i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "new %u", i);
        putter_say(x.p, file_of(x.p, "in", name, i % 2));
    }
    world_run(x.w, world_now(x.w) + SECOND);
    assert_int_equal(openings_count(anna(x.w)), 2 + OPENINGS_PER_PEER_MAX / 2 - 1);
    assert_true(refusals(x.p, first, x.p->number, ERR_FULL) > 300);
    putter_open(e, "eve's", true);
    anna_still_serves_bob(x.w);
    assert_int_equal(count_names(x.w, ANNA, ""), 1);
    putter_free(e);
    end(&x);
}

static void s60_only_so_many_gathers_wait(void **state)
{
    (void)state;
    struct scene x = scene(19);
    enum { MANY = GATHERS_WAIT_PER_PEER_MAX + 5 };
    uint64_t d[MANY], number[MANY];
    unsigned taken = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "new %u", i);
        d[i] = putter_open(x.p, name, true);
    }
    world_freeze(x.w, ANNA, true); /* so that all come at once */
    for (unsigned i = 0; i < MANY; i++)
        number[i] = putter_say(x.p, gather_copy(x.p, d[i], x.s, x.token, 0, 9));
    soon(x.w);
    world_freeze(x.w, ANNA, false);
    soon(x.w);
    for (unsigned i = 0; i < MANY; i++) {
        const struct msg *m = putter_heard(x.p, number[i]);
        assert_non_null(m);
        assert_int_equal(m->type, MSG_GATHER_OK);
        taken += m->gather_ok.taken;
        assert_true(m->gather_ok.taken || m->gather_ok.limits.wait_ms > 0);
    }
    assert_int_equal(taken, GATHERS_WAIT_PER_PEER_MAX);
    end(&x);
}

static void p45_only_so_many_puts_run_and_indexes_stand(void **state)
{
    (void)state;
    struct scene x = scene(20);
    uint64_t folder[PUTS_PER_PEER_MAX + 2], number[PUTS_PER_PEER_MAX + 2];
    strcpy(x.p->ready, "new");
    x.p->stalls = true;
    for (unsigned i = 0; i < PUTS_PER_PEER_MAX + 2; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        folder[i] = putter_open(x.p, "", true);
        number[i] = putter_say(x.p, put_into(folder[i], name));
    }
    soon(x.w);
    for (unsigned i = 0; i < PUTS_PER_PEER_MAX; i++)
        assert_null(putter_heard(x.p, number[i]));
    assert_int_equal(putter_heard(x.p, number[PUTS_PER_PEER_MAX])->error.code, ERR_FULL);
    assert_int_equal(putter_heard(x.p, number[PUTS_PER_PEER_MAX + 1])->error.code, ERR_FULL);
    assert_int_equal(anna(x.w)->transfers, PUTS_PER_PEER_MAX);
    for (unsigned i = 0; i < INDEXES_PER_PEER_MAX; i++)
        putter_ask_for(x.p, index_of(putter_open(x.p, "a", false)), MSG_INDEX_OK);
    putter_refused(x.p, index_of(x.s), ERR_FULL);
    assert_int_equal(count_names(x.w, ANNA, "../.spool"), INDEXES_PER_PEER_MAX);
    end(&x);
}

static void one_file_has_one_index_that_is_made_anew(void **state)
{
    (void)state;
    struct scene x = scene(21);
    for (unsigned i = 0; i < 3 * INDEXES_PER_PEER_MAX; i++) {
        putter_ask_for(x.p, index_of(x.s), MSG_INDEX_OK);
        soon(x.w);
        assert_int_equal(count_names(x.w, ANNA, "../.spool"), 1);
    }
    end(&x);
}

static void s54_what_is_read_for_indexes_is_budgeted_too(void **state)
{
    (void)state;
    struct scene x = scene(23);
    account(&x)->budget.level = account(&x)->budget.rate = 1;
    putter_refused(x.p, index_of(x.s), ERR_LIMIT);
    assert_int_equal(count_names(x.w, ANNA, "../.spool"), 0);
    account(&x)->budget.level = sizeof OLD;
    putter_ask_for(x.p, index_of(x.s), MSG_INDEX_OK);
    putter_refused(x.p, index_of(x.s), ERR_LIMIT);
    account(&x)->budget.rate = (double)GATHER_BUDGET_PER_S;
    end(&x);
}

/* ---- what nobody asked for */

static void s8_answers_that_nobody_asked_for_change_nothing(void **state)
{
    (void)state;
    struct scene x = scene(22);
    static const enum msg_type types[] = {MSG_INDEX_OK,  MSG_PUT_OK,    MSG_LITERALS_OK,
                                          MSG_GATHER_OK, MSG_COMMIT_OK, MSG_PROGRESS};
    uint64_t before = anna(x.w)->refused_messages;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        putter_say(x.p, message(types[i], 0));
    soon(x.w);
    assert_int_equal(anna(x.w)->refused_messages - before, sizeof types / sizeof types[0]);
    putter_say(x.p, message(MSG_FILE_OK, 0)); /* maybe a late one: it is closed */
    soon(x.w);
    nothing_happened(&x);
    anna_still_serves_bob(x.w);
    end(&x);
}

static void s8_a_request_is_cancelled_only_by_the_link_that_made_it(void **state)
{
    (void)state;
    struct scene x = scene(23);
    struct putter *other = putter_new(x.w, MALLORY), *e = putter_new(x.w, EVE);
    strcpy(other->ready, "new");
    other->stalls = true;
    write_file(x.w, MALLORY, "new", "12345");
    uint64_t number = putter_say(other, put_into(putter_open(other, "b", true), ""));
    soon(x.w);
    for (uint64_t i = 0; i < 10; i++) {
        struct msg *cancel = message(MSG_CANCEL, 0);
        cancel->cancel.request = i;
        say(x.w, MALLORY, x.p->link, cancel);
        say_new(x.w, EVE, e->link, cancel);
    }
    soon(x.w);
    assert_null(putter_heard(other, number));
    assert_int_equal(anna(x.w)->transfers, 1);
    putter_free(e);
    putter_free(other);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s55_handles_are_of_one_peer_and_one_link),
        cmocka_unit_test(s55_a_source_is_open_to_read_by_who_asks),
        cmocka_unit_test(steps_out_of_order_are_refused),
        cmocka_unit_test(literals_come_once_and_are_as_many_as_was_said),
        cmocka_unit_test(p41_pieces_lie_in_what_they_are_taken_from),
        cmocka_unit_test(p41_arrays_that_are_none_are_refused),
        cmocka_unit_test(s53_gather_limits_before_io),
        cmocka_unit_test(s54_what_is_built_is_budgeted_per_peer),
        cmocka_unit_test(s54_each_region_counts_as_a_page),
        cmocka_unit_test(s54_literals_buy_what_may_be_built),
        cmocka_unit_test(s54_accounts_are_forgotten_when_they_say_nothing),
        cmocka_unit_test(p40_a_source_that_is_another_one_is_refused),
        cmocka_unit_test(p2_what_was_written_meanwhile_is_not_replaced),
        cmocka_unit_test(p39_what_is_not_what_was_meant_is_never_placed),
        cmocka_unit_test(s8_only_what_is_writable_is_opened_to_write),
        cmocka_unit_test(p29_only_files_and_folders_are_opened),
        cmocka_unit_test(nothing_is_put_beside_a_share_that_is_one_file),
        cmocka_unit_test(p45_only_so_many_are_open),
        cmocka_unit_test(s60_only_so_many_gathers_wait),
        cmocka_unit_test(p45_only_so_many_puts_run_and_indexes_stand),
        cmocka_unit_test(one_file_has_one_index_that_is_made_anew),
        cmocka_unit_test(s54_what_is_read_for_indexes_is_budgeted_too),
        cmocka_unit_test(s8_answers_that_nobody_asked_for_change_nothing),
        cmocka_unit_test(s8_a_request_is_cancelled_only_by_the_link_that_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

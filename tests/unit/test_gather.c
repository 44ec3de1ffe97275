/* Gathers: what is built is what the regions say, or nothing stands there. What the system may do to one is in
 * test_gather_faults.c, and what disks may be in test_gather_disks.c. */
#include "gathering.h"
#include "limits.h"
#include "tree.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct stat look(struct gathering *w, const char *name)
{
    struct stat st;
    assert_int_equal(lstat(scratch_at(&w->scratch, name).s, &st), 0);
    return st;
}

/* ---- what is built */

static void gather_6_a_new_version_is_built_from_the_old_one(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_literals(w, 5000);
    gathering_add(w, REGION_COPY, 0, 100000);
    gathering_add(w, REGION_LITERAL, 0, 3);
    gathering_add(w, REGION_COPY, 200001, 50000);
    gathering_add(w, REGION_COPY, 7, 1);
    gathering_add(w, REGION_HOLE, 0, 70000);
    gathering_add(w, REGION_LITERAL, 0, 4997);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gather_end(w->g), w->model_size);
    assert_int_equal(w->watch.done, w->model_size);
    gathering_assert_old(w);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
    gathering_close(w, false);
    gathering_assert_alone(w);
}

/* The file that is replaced is the one that is copied from: what is written does not show in what is read. */
static void s56_a_file_is_built_from_itself(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    assert_true(w->source.st.st_ino == w->site.st.st_ino && w->source.st.st_dev == w->site.st.st_dev);
    gathering_add(w, REGION_COPY, w->old_size / 2, w->old_size / 2);
    gathering_add(w, REGION_COPY, 0, w->old_size / 2);
    gathering_add(w, REGION_COPY, 0, w->old_size / 2);
    assert_int_equal(gathering_run(w), 0);
    gathering_assert_old(w);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
}

static void gather_6_the_state_given_is_that_of_the_new_file(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_add(w, REGION_COPY, 1000, 2000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_close(w, false);
    struct stat st = look(w, "d/f");
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, w->meta.mtime_s);
    assert_int_equal(st.st_mtim.tv_nsec, w->meta.mtime_ns);
    assert_int_equal(w->state.token, tree_token(&st));
    assert_int_equal(w->state.size, 2000);
    assert_int_equal(w->state.mode, 0640);
    assert_int_equal(w->state.mtime_s, w->meta.mtime_s);
    assert_int_equal(w->state.mtime_ns, w->meta.mtime_ns);
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), 0);
    assert_int_equal(site_state(&w->site).token, w->state.token);
}

static void gather_7_parts_may_come_one_after_the_other(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_literals(w, 3000);
    for (unsigned i = 0; i < 30; i++) {
        gathering_add(w, i % 2 ? REGION_LITERAL : REGION_COPY, i * 9000, i % 2 ? 200 : 7000 + i);
        if (i % 4 == 3) {
            assert_int_equal(gathering_run(w), 0);
        }
    }
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
}

static void gather_7_moved_content_comes_from_another_file(void **state)
{
    struct gathering *w = *state;
    assert_int_equal(rename(scratch_at(&w->scratch, "d/f").s, scratch_at(&w->scratch, "d/g").s), 0);
    gathering_open(w);
    assert_int_equal(w->site.kind, FILE_NOTHING);
    assert_int_equal(site_state(&w->site).token, 0);
    assert_int_equal(source_open(&w->root, "g", &w->source, &w->fault), 0);
    gathering_add(w, REGION_COPY, 0, 300000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
    gathering_close(w, false);
    assert_int_equal(scratch_count(&w->scratch, "d"), 2);
}

static void a_file_of_nothing_is_one_too(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    assert_int_equal(gathering_run(w), 0); /* no regions */
    assert_int_equal(gathering_commit(w), 0);
    assert_int_equal(w->state.size, 0);
    gathering_assert_new(w);
}

static void p32_holes_stay_holes(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_literals(w, 10);
    gathering_add(w, REGION_HOLE, 0, 1u << 20);
    gathering_add(w, REGION_LITERAL, 0, 10);
    gathering_add(w, REGION_HOLE, 0, 1u << 20);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
    assert_in_range(look(w, "d/f").st_blocks, 1, 128);
}

static void p32_a_tebibyte_of_nothing_takes_no_time(void **state)
{
    struct gathering *w = *state;
    uint64_t tib = 1ull << 40;
    gathering_open(w);
    file_hash_hole(&w->hash, tib);
    struct hash128 nothing = gathering_hash(w);
    assert_int_equal(regions_add(&w->regions, REGION_HOLE, 0, tib, 1), 0);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gather_commit(w->g, tib, &nothing, &w->meta, &w->state, &w->fault), 0);
    struct stat st = look(w, "d/f");
    assert_int_equal(st.st_size, tib);
    assert_in_range(st.st_blocks, 0, 128);
}

/* One region of any kind and any place. */
static void add_any(struct gathering *w, uint64_t *seed)
{
    uint64_t length = 1 + dice(seed) % (dice(seed) % 3 ? 5000 : 60000), at = dice(seed) % w->old_size;
    uint64_t left = w->literals_size - w->regions.from_literal - w->regions.literals;
    switch (dice(seed) % 3) {
    case 0: gathering_add(w, REGION_LITERAL, 0, length < left ? length : left); break;
    case 1: gathering_add(w, REGION_COPY, at, length < w->old_size - at ? length : w->old_size - at); break;
    default: gathering_add(w, REGION_HOLE, 0, length);
    }
}

static void any_regions_in_any_parts_make_what_they_say(void **state)
{
    struct gathering *w = *state;
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round * 77777;
        noise(w->old, w->old_size, round);
        scratch_write(&w->scratch, "d/f", w->old, w->old_size);
        gathering_open(w);
        gathering_literals(w, 100000);
        for (uint64_t n = dice(&seed) % 60; n > 0; n--) {
            add_any(w, &seed);
            if (dice(&seed) % 8 == 0) {
                assert_int_equal(gathering_run(w), 0);
            }
        }
        assert_int_equal(gathering_run(w), 0);
        assert_int_equal(gathering_commit(w), 0);
        gathering_assert_new(w);
        gathering_close(w, false);
    }
    gathering_assert_alone(w);
}

/* ---- by several threads */

/* ---- what is refused */

/* Refused, and with no byte built: after that the gather is of no more use, and d/f is as it was. */
static void assert_refused(struct gathering *w, struct region *region, uint32_t count, uint64_t end, int code)
{
    struct regions r = {.region = region, .count = count, .end = end};
    gathering_open(w);
    gathering_literals(w, 1000);
    w->watch.done = 0;
    assert_int_equal(gather_run(w->g, &w->source, &r, &w->watch, &w->fault), code);
    assert_int_equal(w->watch.done, 0);
    assert_int_equal(look(w, GATHERING_FOLDER "/new").st_size, 0);
    assert_int_equal(gathering_run(w), ERR_STATE);
    assert_int_equal(gathering_commit(w), ERR_STATE);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
}

static void p41_s53_wrong_regions_are_refused_before_any_byte(void **state)
{
    struct gathering *w = *state;
    static const uint64_t eib = 1ull << 63;
    struct {
        struct region region[2];
        uint64_t end;
    } bad[] = {
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 9, 10}}, 20},                  /* overlap */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 9, 10}}, 19},                  /* overlap */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 11, 10}}, 20},                 /* gap */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 11, 10}}, 21},                 /* gap */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 10, 0}}, 10},                  /* nothing */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 0, 10, 10}}, 21},                 /* another end */
        {{{REGION_COPY, 0, 1, 10}, {REGION_COPY, 0, 11, 10}}, 21},                 /* another beginning */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 300000, 10, 1}}, 11},             /* beyond the source */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, 299999, 10, 2}}, 12},             /* one byte beyond it */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, eib, 10, 1}}, 11},                /* 8 EiB */
        {{{REGION_COPY, 0, 0, 10}, {REGION_COPY, UINT64_MAX, 10, 1}}, 11},         /* a sum that overflows */
        {{{REGION_COPY, 0, 0, 10}, {REGION_LITERAL, 999, 10, 2}}, 12},             /* beyond the literals */
        {{{REGION_COPY, 0, 0, 10}, {REGION_LITERAL, UINT64_MAX - 1, 10, 10}}, 20}, /* far beyond them */
        {{{REGION_COPY, 0, 0, 10}, {REGION_KIND_COUNT, 0, 10, 10}}, 20},           /* of no kind */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refused(w, bad[i].region, 2, bad[i].end, ERR_MALFORMED);
    }
}

static void s59_results_of_eight_exbibytes_are_refused(void **state)
{
    struct gathering *w = *state;
    struct region hole[2] = {{REGION_HOLE, 0, 0, INT64_MAX}, {REGION_HOLE, 0, INT64_MAX, INT64_MAX}};
    assert_refused(w, hole, 1, INT64_MAX, ERR_LIMIT);
    hole[0].length = 10;
    hole[1] = (struct region){REGION_HOLE, 0, 10, UINT64_MAX - 5};
    assert_refused(w, hole, 2, 4, ERR_LIMIT); /* their sum is small when it overflows */
    hole[0].length = GATHER_SIZE_MAX + 1;
    assert_refused(w, hole, 1, GATHER_SIZE_MAX + 1, ERR_LIMIT);
}

static void p41_copies_need_a_source_and_literals_their_bytes(void **state)
{
    struct gathering *w = *state;
    struct region copy = {REGION_COPY, 0, 0, 1}, literal = {REGION_LITERAL, 0, 0, 1};
    struct regions r = {.region = &copy, .count = 1, .end = 1};
    gathering_open(w);
    assert_int_equal(gather_run(w->g, NULL, &r, &w->watch, &w->fault), ERR_MALFORMED);
    gathering_close(w, false);
    r.region = &literal;
    gathering_open(w);
    assert_int_equal(gather_run(w->g, &w->source, &r, &w->watch, &w->fault), ERR_MALFORMED);
}

static void p39_another_hash_or_size_installs_nothing(void **state)
{
    struct gathering *w = *state;
    struct hash128 hash;
    for (int i = 0; i < 2; i++) {
        gathering_open(w);
        gathering_add(w, REGION_COPY, 5, 20000);
        assert_int_equal(gathering_run(w), 0);
        hash = gathering_hash(w);
        hash.b[15] ^= i == 0;
        assert_int_equal(gather_commit(w->g, 20000 + (uint64_t)i, &hash, &w->meta, &w->state, &w->fault), ERR_VERIFY);
        gathering_assert_old(w);
        hash = gathering_hash(w); /* nor is a second try believed */
        assert_int_equal(gather_commit(w->g, 20000, &hash, &w->meta, &w->state, &w->fault), ERR_STATE);
        gathering_close(w, false);
        gathering_assert_old(w);
        gathering_assert_alone(w);
    }
}

static void p39_a_base_with_another_byte_is_found_out(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 300000);
    w->old[123456] ^= 1;
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    gathering_close(w, false);
    w->old[123456] ^= 1; /* the asker thinks so still */
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 300000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), ERR_VERIFY);
}

static void p39_literals_with_another_byte_are_found_out(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_literals(w, 1000);
    gathering_add(w, REGION_LITERAL, 0, 1000);
    w->literals[999] ^= 0x80;
    scratch_write(&w->scratch, GATHERING_FOLDER "/" GATHER_LITERALS, w->literals, 1000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), ERR_VERIFY);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
}

static void p30_setuid_is_dropped(void **state)
{
    struct gathering *w = *state;
    mode_t umask_before = umask(077);
    w->meta.mode = 07755;
    gathering_open(w);
    assert_int_equal(gathering_commit(w), 0);
    umask(umask_before);
    assert_int_equal(look(w, "d/f").st_mode & 07777, 0755);
}

static void p36_a_time_that_is_none_is_refused(void **state)
{
    struct gathering *w = *state;
    w->meta.mtime_ns = 1000000000;
    gathering_open(w);
    assert_int_equal(gathering_commit(w), ERR_MALFORMED);
    gathering_assert_old(w);
}

/* ---- literals */

static void literals_must_be_there_whole(void **state)
{
    struct gathering *w = *state;
    const char *name = GATHERING_FOLDER "/" GATHER_LITERALS;
    gathering_open(w);
    assert_int_equal(gather_literals(w->g, 5, &w->fault), ERR_VERIFY);
    scratch_link(&w->scratch, name, "../f");
    assert_int_equal(gather_literals(w->g, 300000, &w->fault), ERR_VERIFY);
    assert_int_equal(unlink(scratch_at(&w->scratch, name).s), 0);
    assert_int_equal(mkfifo(scratch_at(&w->scratch, name).s, 0600), 0); /* p29: is not waited for */
    assert_int_equal(gather_literals(w->g, 0, &w->fault), ERR_VERIFY);
    assert_int_equal(unlink(scratch_at(&w->scratch, name).s), 0);
    gathering_close(w, false);
    gathering_open(w);
    scratch_text(&w->scratch, name, "hello");
    assert_int_equal(gather_literals(w->g, 4, &w->fault), ERR_VERIFY);
    assert_int_equal(gather_literals(w->g, 5, &w->fault), 0);
    assert_int_equal(gather_literals(w->g, 5, &w->fault), 0);
}

static void p38_literals_survive_for_the_next_attempt(void **state)
{
    struct gathering *w = *state;
    struct stage *stage;
    gathering_open(w);
    gathering_literals(w, 100);
    gathering_close(w, true);
    assert_int_equal(scratch_count(&w->scratch, GATHERING_FOLDER), 1);
    gathering_open(w);
    assert_int_equal(gather_literals(w->g, 100, &w->fault), 0);
    assert_int_equal(stage_open_at(gather_dir(w->g), "the new bytes", "xyz", IF_EXISTS_REFUSE, &stage, &w->fault), 0);
    scratch_text(&w->scratch, GATHERING_FOLDER "/" STAGE_PREFIX "xyz/half", "half of them"); /* and so do those half received */
    stage_close(stage, false);
    gathering_close(w, true);
    assert_int_equal(scratch_count(&w->scratch, GATHERING_FOLDER), 2);
    gathering_open(w);
    gathering_close(w, false);
    gathering_assert_alone(w);
}

static void p18_whatever_is_in_the_folder_goes_with_it(void **state)
{
    struct gathering *w = *state;
    char command[6000];
    gathering_open(w);
    snprintf(command, sizeof command,
             "cd '%s' && mkdir -p a/b/c gone-0/x gone-1 m/o && touch a/b/c/f gone-0/x/y m/n m/o/p && ln -s /etc a/link && "
             "chmod 0 m/o m a/b && p=deep && for i in $(seq 500); do p=$p/deep; done && mkdir -p $p",
             scratch_at(&w->scratch, GATHERING_FOLDER).s);
    assert_int_equal(system(command), 0);
    gathering_close(w, false);
    gathering_assert_alone(w);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* ---- one at a time */

static void s60_two_gathers_of_one_key_do_not_mix(void **state)
{
    struct gathering *w = *state;
    struct gather *other;
    gathering_open(w);
    assert_int_equal(gather_open(&w->site, GATHERING_KEY, &other, &w->fault), ERR_LOCKED);
    assert_int_equal(gather_open(&w->site, "not a key", &other, &w->fault), ERR_USAGE);
    gathering_add(w, REGION_COPY, 0, 1000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
}

static void p40_the_second_of_two_gathers_is_told(void **state)
{
    struct gathering *w = *state;
    struct site site;
    struct gather *other;
    struct hash128 nothing = hash128_of("", 0);
    gathering_open(w);
    assert_int_equal(site_open(&w->root, "f", &site, &w->fault), 0);
    assert_true(site_same(&site, &w->site));
    assert_int_equal(gather_open(&site, "other", &other, &w->fault), 0);
    gathering_add(w, REGION_COPY, 0, 1000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    assert_int_equal(gather_commit(other, 0, &nothing, &w->meta, &w->state, &w->fault), ERR_CHANGED);
    gather_close(other, false);
    site_close(&site);
    gathering_assert_new(w);
}

static void p40_a_destination_that_changed_is_kept(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 1000);
    assert_int_equal(gathering_run(w), 0);
    scratch_text(&w->scratch, "d/f", "edited meanwhile");
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    assert_non_null(strstr(w->fault.text, "'f' was changed"));
    gathering_close(w, false);
    scratch_assert_text(&w->scratch, "d/f", "edited meanwhile");
    gathering_assert_alone(w);
}

static void p40_a_destination_that_went_or_came_is_left_so(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    assert_int_equal(unlink(scratch_at(&w->scratch, "d/f").s), 0);
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    gathering_close(w, false);
    assert_int_equal(scratch_count(&w->scratch, "d"), 0);
    gathering_open(w);
    scratch_text(&w->scratch, "d/f", "came meanwhile");
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    gathering_close(w, false);
    scratch_assert_text(&w->scratch, "d/f", "came meanwhile");
}

static void a_gather_that_is_cancelled_leaves_nothing(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 1000);
    w->watch.stop = true;
    assert_int_equal(gathering_run(w), ERR_CANCELLED);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
}

/* ---- places */

static int open_site(struct gathering *w, const char *path)
{
    site_close(&w->site);
    return site_open(&w->root, path, &w->site, &w->fault);
}

static void gather_2_a_place_says_what_stands_there(void **state)
{
    struct gathering *w = *state;
    struct gather *g;
    scratch_dir(&w->scratch, "d/sub");
    assert_int_equal(open_site(w, "f"), 0);
    assert_int_equal(w->site.kind, FILE_FILE);
    assert_int_equal(site_state(&w->site).size, 300000);
    assert_int_equal(open_site(w, "sub/new"), 0);
    assert_int_equal(w->site.kind, FILE_NOTHING);
    assert_string_equal(w->site.leaf, "new");
    const char *folders[] = {"sub", ""};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_site(w, folders[i]), 0);
        assert_int_equal(w->site.kind, FILE_DIR);
        assert_string_equal(w->site.leaf, "");
        assert_int_equal(w->site.dir.st_ino, look(w, i ? "d" : "d/sub").st_ino);
        assert_int_equal(gather_open(&w->site, GATHERING_KEY, &g, &w->fault), ERR_STATE);
    }
    assert_int_equal(open_site(w, "no/new"), ERR_NOT_FOUND);
    assert_int_equal(w->site.dir_fd, -1);
    assert_int_equal(open_site(w, "f/new"), ERR_NOT_FOUND);
}

static void p29_what_is_no_file_is_refused_and_not_opened(void **state)
{
    struct gathering *w = *state;
    scratch_link(&w->scratch, "d/link", "f");
    scratch_link(&w->scratch, "d/dangling", "nowhere");
    assert_int_equal(mkfifo(scratch_at(&w->scratch, "d/fifo").s, 0600), 0); /* to open it would wait for a reader */
    assert_int_equal(open_site(w, "link"), ERR_REFUSED);
    assert_int_equal(open_site(w, "dangling"), ERR_REFUSED);
    assert_int_equal(open_site(w, "fifo"), ERR_REFUSED);
    assert_int_equal(w->site.dir_fd, -1);
    if (mknod(scratch_at(&w->scratch, "d/null").s, S_IFCHR | 0600, 0) == 0) {
        assert_int_equal(open_site(w, "null"), ERR_REFUSED);
    }
}

static void p26_p27_places_outside_and_our_own_are_refused(void **state)
{
    struct gathering *w = *state;
    const char *bad[] = {"..", "../x", "/f", "a//b", "sub/../f", "."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_site(w, bad[i]), ERR_MALFORMED);
    }
    gathering_open(w);
    assert_int_equal(open_site(w, STAGE_PREFIX "g-" GATHERING_KEY "/new"), ERR_REFUSED);
    assert_int_equal(open_site(w, STAGE_PREFIX "g-" GATHERING_KEY), ERR_REFUSED);
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), 0); /* for the gather to be closed beside */
}

/* Runs `test` as somebody who owns nothing here. */
static void as_nobody(struct gathering *w, void (*test)(struct gathering *w))
{
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
    assert_int_equal(chmod(w->scratch.path, 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    test(w);
    assert_int_equal(seteuid(0), 0);
}

static void try_without_rights(struct gathering *w)
{
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), ERR_DENIED);
    assert_non_null(strstr(w->fault.text, "'f': Permission denied"));
}

static void p35_a_folder_without_rights_is_told_at_once(void **state)
{
    as_nobody(*state, try_without_rights);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, gathering_setup, gathering_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_6_a_new_version_is_built_from_the_old_one),
        TEST(s56_a_file_is_built_from_itself),
        TEST(gather_6_the_state_given_is_that_of_the_new_file),
        TEST(gather_7_parts_may_come_one_after_the_other),
        TEST(gather_7_moved_content_comes_from_another_file),
        TEST(a_file_of_nothing_is_one_too),
        TEST(p32_holes_stay_holes),
        TEST(p32_a_tebibyte_of_nothing_takes_no_time),
        TEST(any_regions_in_any_parts_make_what_they_say),
        TEST(p41_s53_wrong_regions_are_refused_before_any_byte),
        TEST(s59_results_of_eight_exbibytes_are_refused),
        TEST(p41_copies_need_a_source_and_literals_their_bytes),
        TEST(p39_another_hash_or_size_installs_nothing),
        TEST(p39_a_base_with_another_byte_is_found_out),
        TEST(p39_literals_with_another_byte_are_found_out),
        TEST(p30_setuid_is_dropped),
        TEST(p36_a_time_that_is_none_is_refused),
        TEST(literals_must_be_there_whole),
        TEST(p38_literals_survive_for_the_next_attempt),
        TEST(p18_whatever_is_in_the_folder_goes_with_it),
        TEST(s60_two_gathers_of_one_key_do_not_mix),
        TEST(p40_the_second_of_two_gathers_is_told),
        TEST(p40_a_destination_that_changed_is_kept),
        TEST(p40_a_destination_that_went_or_came_is_left_so),
        TEST(a_gather_that_is_cancelled_leaves_nothing),
        TEST(gather_2_a_place_says_what_stands_there),
        TEST(p29_what_is_no_file_is_refused_and_not_opened),
        TEST(p26_p27_places_outside_and_our_own_are_refused),
        TEST(p35_a_folder_without_rights_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

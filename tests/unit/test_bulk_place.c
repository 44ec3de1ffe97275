/* Where a receive places things, and what it tells of that: a folder that only a descriptor leads to, files that stand in their
 * place, and the token of a single one. */
#include "bulk_pair.h"
#include "tree.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK ((size_t)BLOCK_BYTES)
#define TOLD_MAX 64

struct placed {
    struct pair p; /* first */
    struct proxy proxy;
    unsigned told;
    struct {
        char path[256];
        struct file_state state;
    } file[TOLD_MAX];
};

static void on_placed(struct receive *r, const char *path, const struct file_state *state)
{
    struct placed *x = r->owner;
    assert_true(x->told < TOLD_MAX);
    snprintf(x->file[x->told].path, sizeof x->file[0].path, "%s", path);
    x->file[x->told++].state = *state;
}

static void reset(struct placed *x)
{
    pair_reset(&x->p);
    x->p.r.placed = on_placed;
    x->told = 0;
}

static void placed_make_with(struct placed *x, uint8_t streams)
{
    memset(x, 0, sizeof *x);
    pair_make(&x->p, &(struct pair_options){.streams = streams});
    reset(x);
}

static void placed_make(struct placed *x)
{
    placed_make_with(x, 2);
}

/* Is this file told, once, as the sender has it? */
static void assert_told(const struct placed *x, const char *below)
{
    char path[512];
    struct stat st;
    unsigned hits = 0;
    snprintf(path, sizeof path, "src/%s", below);
    assert_int_equal(lstat(scratch_at(&x->p.scratch, path).s, &st), 0);
    snprintf(path, sizeof path, "top/%s", below);
    for (unsigned i = 0; i < x->told; i++) {
        const struct file_state *s = &x->file[i].state;
        if (strcmp(x->file[i].path, path) != 0)
            continue;
        hits++;
        assert_true(s->token == tree_token(&st) && s->size == (uint64_t)st.st_size);
        assert_true(s->mtime_s == st.st_mtim.tv_sec && s->mtime_ns == (uint32_t)st.st_mtim.tv_nsec);
        assert_int_equal(s->mode, st.st_mode & 0777);
    }
    if (hits != 1)
        fail_msg("%s is told %u times", below, hits);
}

static uint64_t token_of(const struct placed *x, const char *name)
{
    struct stat st;
    assert_int_equal(lstat(scratch_at(&x->p.scratch, name).s, &st), 0);
    return tree_token(&st);
}

static void fine(struct placed *x)
{
    pair_run(&x->p);
    if (x->p.r.fault.code != 0)
        fail_msg("%s", x->p.r.fault.text);
}

/* ---- a folder by its descriptor */

static int open_dst(const struct placed *x)
{
    int fd = open(x->p.dst.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Takes the folder's name away and puts a link there: whoever still went by the path would write outside. */
static void p28_swap_the_folder(struct pair *p)
{
    scratch_dir(&p->scratch, "outside");
    assert_int_equal(rename(p->dst.s, scratch_at(&p->scratch, "moved").s), 0);
    scratch_link(&p->scratch, "dst", "outside");
    pair_start_send(p);
}

static void p28_a_folder_by_its_descriptor_is_that_folder(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    pair_write_big(&x.p, "big", 5 * BLOCK + 1);
    pair_write_tree(&x.p, "tree", 3, 4);
    x.p.r.at_fd = true;
    x.p.r.dest_fd = open_dst(&x);
    x.p.r.dest = "photos/2024";
    x.p.on_ready = p28_swap_the_folder;
    fine(&x);
    assert_true(x.p.r.reception.limit > 5 * BLOCK && x.p.r.reception.limit < INT64_MAX);
    assert_int_equal(scratch_count(&x.p.scratch, "outside"), 0);
    assert_int_equal(scratch_count(&x.p.scratch, "moved"), 1); /* and nothing of the stage is left */
    assert_true(scratch_exists(&x.p.scratch, "moved/top/tree/folder-002/file-003"));
    assert_told(&x, "big");
    close(x.p.r.dest_fd);
    pair_free(&x.p);
}

static void through_proxy(struct pair *p)
{
    struct placed *x = (struct placed *)p;
    proxy_start(&x->proxy, &p->r.reception.addr[0]);
    p->s.reception.addr[0] = x->proxy.addr;
    p->s.reception.addr_count = 1;
    pair_start_send(p);
}

static void p38_what_is_in_a_folder_by_its_descriptor_resumes(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    int fd = open_dst(&x);
    pair_write_big(&x.p, "big", 200 * BLOCK);
    for (int again = 0; again < 2; again++) {
        x.p.r.at_fd = true;
        x.p.r.dest_fd = fd;
        x.p.r.dest = "photos";
        x.proxy.cut_at = again ? -1 : (int64_t)(150 * BLOCK); /* of which what waits in sockets is lost */
        x.proxy.corrupt_at = -1;
        x.p.on_ready = through_proxy;
        pair_run(&x.p);
        proxy_stop(&x.proxy);
        if (again)
            break;
        assert_int_not_equal(x.p.r.fault.code, 0);
        assert_non_null(strstr(x.p.r.fault.text, "is kept: the same command resumes"));
        assert_null(strstr(x.p.r.fault.text, x.p.scratch.path)); /* no path of this machine is told */
        assert_int_equal(x.told, 0);
        reset(&x);
    }
    assert_int_equal(x.p.r.fault.code, 0);
    assert_true(x.p.r.progress.bytes_moved < 150 * BLOCK);
    assert_told(&x, "big");
    pair_assert_same(&x.p);
    close(fd);
    pair_free(&x.p);
}

static void s61_a_folder_that_is_no_more_takes_nothing(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    int fd = open_dst(&x);
    pair_write_big(&x.p, "big", 1000);
    assert_int_equal(rmdir(x.p.dst.s), 0);
    x.p.r.at_fd = true;
    x.p.r.dest_fd = fd;
    pair_run(&x.p);
    assert_int_equal(x.p.r.fault.code, ERR_NOT_FOUND);
    close(fd);
    pair_free(&x.p);
}

/* ---- what stands in its place */

static void write_sizes(const struct placed *x)
{
    pair_write_big(&x->p, "too small", BASE_MIN_BYTES - 1);
    pair_write_big(&x->p, "smallest", BASE_MIN_BYTES);
    pair_write_big(&x->p, "a block", BLOCK);
    pair_write_big(&x->p, "large", 3 * BLOCK + 5);
    pair_write_tree(&x->p, "tree", 3, 50);
    pair_write_big(&x->p, "tree/folder-001/in it", 2 * BASE_MIN_BYTES);
    assert_int_equal(chmod(scratch_at(&x->p.scratch, "src/large").s, 0640), 0);
}

static void assert_sizes(const struct placed *x)
{
    assert_int_equal(x->told, 4);
    assert_told(x, "smallest");
    assert_told(x, "a block");
    assert_told(x, "large");
    assert_told(x, "tree/folder-001/in it");
}

static void files_worth_it_are_told_once_they_stand_there(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    write_sizes(&x);
    x.p.r.dry_run = true;
    fine(&x);
    assert_int_equal(x.told, 0);
    reset(&x);
    fine(&x);
    assert_sizes(&x);
    assert_true(x.p.r.token == 0); /* of many there is none */
    reset(&x);
    fine(&x);
    assert_true(x.p.r.progress.bytes_moved == 0);
    assert_sizes(&x); /* they were there */
    reset(&x);
    x.p.r.dry_run = true;
    fine(&x);
    assert_int_equal(x.told, 0);
    pair_free(&x.p);
}

static void more_than_a_batch_holds(void **state)
{
    struct placed x;
    char name[64];
    (void)state;
    placed_make_with(&x, 1);
    pair_write_tree(&x.p, "tree", 30, 50); /* many that are not told, and in between files of both kinds that are */
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "tree/folder-%03u/file", i);
        pair_write_big(&x.p, name, i % 3 == 0 ? 3 * BLOCK + i : BASE_MIN_BYTES + i);
    }
    fine(&x);
    assert_int_equal(x.told, 30);
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "tree/folder-%03u/file", i);
        assert_told(&x, name);
    }
    pair_free(&x.p);
}

static void what_an_earlier_attempt_left_is_told_too(void **state)
{
    struct placed x;
    char name[64];
    (void)state;
    placed_make(&x);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "file %02u", i);
        pair_write_big(&x.p, name, BASE_MIN_BYTES + i);
    }
    x.proxy.cut_at = 20 * BASE_MIN_BYTES;
    x.proxy.corrupt_at = -1;
    x.p.on_ready = through_proxy;
    pair_run(&x.p);
    proxy_stop(&x.proxy);
    assert_int_not_equal(x.p.r.fault.code, 0);
    bool begun = scratch_exists(&x.p.scratch, "dst/top");
    assert_int_equal(x.told, begun ? scratch_count(&x.p.scratch, "dst/top") : 0); /* the others are staged only */
    reset(&x);
    x.p.on_ready = NULL;
    fine(&x);
    assert_true(x.p.r.progress.bytes_moved < 40ull * BASE_MIN_BYTES);
    assert_int_equal(x.told, 40);
    pair_free(&x.p);
}

static void what_could_not_be_placed_is_not_told(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    write_sizes(&x);
    scratch_dir(&x.p.scratch, "dst/top");
    scratch_text(&x.p.scratch, "dst/top/large", "something else");
    scratch_text(&x.p.scratch, "dst/top/smallest", "something else");
    pair_run(&x.p);
    assert_int_equal(x.p.r.fault.code, ERR_PARTIAL);
    assert_int_equal(x.told, 2);
    reset(&x);
    x.p.r.policy = IF_EXISTS_SKIP;
    fine(&x);
    assert_int_equal(x.told, 2);
    reset(&x);
    x.p.r.policy = IF_EXISTS_OVERWRITE;
    fine(&x);
    assert_sizes(&x);
    pair_free(&x.p);
}

/* Whoever wants a file is not given a folder, whatever is in it. */
static void s8_a_folder_is_not_taken_for_a_file(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    write_sizes(&x);
    x.p.r.file_only = true;
    pair_run(&x.p);
    assert_int_equal(x.p.r.fault.code, ERR_VERIFY);
    assert_int_equal(x.told, 0);
    assert_int_equal(scratch_count(&x.p.scratch, "dst"), 0);
    pair_free(&x.p);
}

/* Something stands there only when the batch comes to it: that is refused late, and the next in line are told all the same. */
static void get_in_the_way(struct pair *p)
{
    bulk_receive_confirm(p->receiver, &p->r, &p->answer);
    bulk_send_go(p->sender, &p->s);
    while (p->r.progress.bytes_done == 0 && p->r.progress.phase != TRANSFER_ENDED)
        sched_yield();
    scratch_text(&p->scratch, "dst/top/0 first", "in the way");
}

static void what_is_refused_late_is_not_told(void **state)
{
    struct placed x;
    (void)state;
    placed_make(&x);
    pair_write_big(&x.p, "0 first", BLOCK);
    pair_write_big(&x.p, "1 second", BLOCK);
    pair_write_big(&x.p, "2 large", 200 * BLOCK); /* time enough */
    x.p.on_connected = get_in_the_way;
    pair_run(&x.p);
    if (x.p.r.fault.code == 0) { /* it was there already */
        assert_int_equal(x.told, 3);
    } else {
        assert_int_equal(x.p.r.fault.code, ERR_PARTIAL);
        assert_int_equal(x.told, 2);
    }
    assert_told(&x, "1 second");
    assert_told(&x, "2 large");
    pair_free(&x.p);
}

/* ---- the token of a single file */

static void the_token_of_a_single_file_is_what_this_machine_says(void **state)
{
    static const size_t sizes[] = {0, 5, BASE_MIN_BYTES, BLOCK + 1, 9 * BLOCK};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct placed x;
        placed_make(&x);
        pair_write_big(&x.p, "one", sizes[i]);
        x.p.s.path = "one";
        fine(&x);
        assert_true(x.p.r.token == token_of(&x, "dst/top") && x.p.r.token != token_of(&x, "src/one"));
        assert_int_equal(x.told, sizes[i] >= BASE_MIN_BYTES);
        reset(&x);
        x.p.s.path = "one";
        fine(&x);
        assert_true(x.p.r.token == token_of(&x, "dst/top")); /* and also when it was there */
        assert_int_equal(x.p.r.progress.present, 1);
        pair_free(&x.p);
    }
}

static void no_token_of_what_is_not_in_its_place(void **state)
{
    static const enum if_exists policies[] = {IF_EXISTS_REFUSE, IF_EXISTS_SKIP, IF_EXISTS_RENAME};
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        struct placed x;
        placed_make(&x);
        pair_write_big(&x.p, "one", BLOCK);
        scratch_text(&x.p.scratch, "dst/top", "something else");
        x.p.s.path = "one";
        x.p.r.policy = policies[i];
        pair_run(&x.p);
        assert_true(x.p.r.token == 0);
        scratch_assert_text(&x.p.scratch, "dst/top", "something else");
        pair_free(&x.p);
    }
    struct placed x;
    placed_make(&x);
    scratch_link(&x.p.scratch, "src/link", "nowhere");
    x.p.s.path = "link";
    fine(&x);
    assert_true(x.p.r.token == 0 && x.told == 0);
    pair_free(&x.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p28_a_folder_by_its_descriptor_is_that_folder),
        cmocka_unit_test(p38_what_is_in_a_folder_by_its_descriptor_resumes),
        cmocka_unit_test(s61_a_folder_that_is_no_more_takes_nothing),
        cmocka_unit_test(files_worth_it_are_told_once_they_stand_there),
        cmocka_unit_test(more_than_a_batch_holds),
        cmocka_unit_test(what_an_earlier_attempt_left_is_told_too),
        cmocka_unit_test(what_could_not_be_placed_is_not_told),
        cmocka_unit_test(s8_a_folder_is_not_taken_for_a_file),
        cmocka_unit_test(what_is_refused_late_is_not_told),
        cmocka_unit_test(the_token_of_a_single_file_is_what_this_machine_says),
        cmocka_unit_test(no_token_of_what_is_not_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

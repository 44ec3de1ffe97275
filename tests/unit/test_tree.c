/* Reading trees: pages that fit, walks in order, nothing followed, bounded descriptors. */
#include "limits.h"
#include "scratch.h"
#include "source.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    struct root root;
    struct fault fault;
    struct tree_page page;
    char told[65536]; /* what a walk told, a line an item */
    uint32_t items, deepest;
    int fds; /* the most that were open */
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    assert_int_equal(root_open(w->scratch.path, &w->root, &w->fault), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    root_close(&w->root);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

/* ---- walks */

static int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

static int tell(void *arg, const struct tree_item *item)
{
    static const char kinds[] = "fdlo";
    struct world *w = arg;
    size_t n = strlen(w->told);
    if (n < sizeof w->told - 300) {
        snprintf(w->told + n, sizeof w->told - n, "%u%c %s%s%.*s%s\n", item->depth, kinds[item->entry.kind], item->path,
                 item->entry.target_len ? "->" : "", (int)item->entry.target_len, item->entry.target, item->err ? " !" : "");
    }
    w->items++;
    w->deepest = item->depth > w->deepest ? item->depth : w->deepest;
    int fds = w->items % 50 == 0 ? open_fds() : 0;
    w->fds = fds > w->fds ? fds : w->fds;
    return 0;
}

static int walk(struct world *w, const char *path)
{
    w->told[0] = '\0';
    w->items = w->deepest = 0;
    return tree_walk(&w->root, path, tell, w, &w->fault);
}

static void a_walk_tells_folders_first_and_names_in_byte_order(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "b");
    scratch_dir(&w->scratch, "b/z");
    scratch_text(&w->scratch, "b/Z", "x");
    scratch_text(&w->scratch, "b/z/y", "x");
    scratch_text(&w->scratch, "b-c", "x");
    scratch_text(&w->scratch, "\xff", "x");
    scratch_dir(&w->scratch, "empty");
    scratch_link(&w->scratch, "link", "b");
    scratch_link(&w->scratch, "loop", ".");
    assert_int_equal(mkfifo(scratch_at(&w->scratch, "pipe").s, 0600), 0);
    assert_int_equal(walk(w, ""), 0);
    assert_string_equal(w->told, "0d \n"
                                 "1d b\n"
                                 "2f b/Z\n"
                                 "2d b/z\n"
                                 "3f b/z/y\n"
                                 "1f b-c\n"
                                 "1d empty\n"
                                 "1l link->b\n"
                                 "1l loop->.\n"
                                 "1o pipe\n"
                                 "1f \xff\n");
    assert_int_equal(walk(w, "b/z"), 0);
    assert_string_equal(w->told, "0d b/z\n1f b/z/y\n");
    assert_int_equal(walk(w, "b/Z"), 0);
    assert_string_equal(w->told, "0f b/Z\n");
    assert_int_equal(walk(w, "link"), 0);
    assert_string_equal(w->told, "0l link->b\n");
}

static void p28_walks_do_not_follow_links(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "d");
    scratch_link(&w->scratch, "l", "d");
    assert_int_equal(walk(w, "l/x"), ERR_REFUSED);
    assert_int_equal(walk(w, "../x"), ERR_MALFORMED);
    assert_int_equal(walk(w, "nowhere"), ERR_NOT_FOUND);
    assert_int_equal(w->items, 0);
}

static void p18_staging_folders_are_hidden(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, STAGE_PREFIX "abc");
    scratch_text(&w->scratch, STAGE_PREFIX "abc/f", "x");
    scratch_text(&w->scratch, ".weft", "x");
    assert_int_equal(walk(w, ""), 0);
    assert_string_equal(w->told, "0d \n1f .weft\n");
    assert_int_equal(walk(w, STAGE_PREFIX "abc"), ERR_NOT_FOUND);
    assert_int_equal(walk(w, STAGE_PREFIX "abc/f"), ERR_NOT_FOUND);
    assert_int_equal(tree_page(&w->root, STAGE_PREFIX "abc", 0, &w->page, &w->fault), ERR_NOT_FOUND);
    assert_int_equal(tree_page(&w->root, "", 0, &w->page, &w->fault), 0);
    assert_int_equal(w->page.count, 1);
    struct source src;
    assert_int_equal(source_open(&w->root, STAGE_PREFIX "abc/f", &src, &w->fault), ERR_NOT_FOUND);
    assert_true(tree_hidden("a/" STAGE_PREFIX "x/b"));
    assert_false(tree_hidden("a/x" STAGE_PREFIX));
    assert_false(tree_hidden(""));
}

static void p35_an_unreadable_folder_is_named_and_the_walk_goes_on(void **state)
{
    struct world *w = *state;
    uid_t user = geteuid();
    scratch_dir(&w->scratch, "closed");
    scratch_text(&w->scratch, "open", "x");
    assert_int_equal(chmod(scratch_at(&w->scratch, "closed").s, 0), 0);
    assert_int_equal(chmod(w->scratch.path, 0755), 0);
    if (user == 0) {
        assert_int_equal(seteuid(65534), 0); /* root could read it */
    }
    int rc = walk(w, "");
    if (user == 0) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(rc, 0);
    assert_string_equal(w->told, "0d \n1d closed !\n1f open\n");
}

static int stop_at_third(void *arg, const struct tree_item *item)
{
    (void)item;
    return ++*(int *)arg == 3 ? ERR_CANCELLED : 0;
}

static void a_walk_ends_when_it_is_told_to(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "a");
    scratch_dir(&w->scratch, "a/b");
    scratch_dir(&w->scratch, "a/b/c");
    int n = 0;
    int before = open_fds();
    assert_int_equal(tree_walk(&w->root, "", stop_at_third, &n, &w->fault), ERR_CANCELLED);
    assert_int_equal(n, 3);
    assert_int_equal(open_fds(), before);
}

static int remove_rest(void *arg, const struct tree_item *item)
{
    struct world *w = arg;
    if (strcmp(item->path, "d/a") == 0) {
        assert_int_equal(unlink(scratch_at(&w->scratch, "d/b").s), 0);
        assert_int_equal(unlink(scratch_at(&w->scratch, "d/a").s), 0);
        assert_int_equal(rmdir(scratch_at(&w->scratch, "d").s), 0);
    }
    return tell(w, item);
}

static void what_vanishes_during_a_walk_is_left_out(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "d");
    scratch_text(&w->scratch, "d/a", "x");
    scratch_text(&w->scratch, "d/b", "x");
    scratch_text(&w->scratch, "e", "x");
    assert_int_equal(tree_walk(&w->root, "", remove_rest, w, &w->fault), 0);
    assert_string_equal(w->told, "0d \n1d d\n2f d/a\n1f e\n");
}

/* Makes folders below each other until `depth`, each with a file that is told after the folder, and goes back. */
static void make_deep(struct world *w, unsigned depth)
{
    int fd = open(w->scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int f = openat(fd, "z", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(f >= 0);
        close(f);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
}

/* nftw cannot: the paths are too long. */
static void remove_all(struct world *w)
{
    char command[700];
    snprintf(command, sizeof command, "rm -rf '%s/'*", w->scratch.path);
    assert_int_equal(system(command), 0);
}

static void p26_a_deep_tree_takes_few_descriptors(void **state)
{
    struct world *w = *state;
    int before = open_fds();
    make_deep(w, 1000);
    assert_int_equal(walk(w, ""), 0);
    assert_int_equal(w->items, 1 + 2 * 1000);
    assert_int_equal(w->deepest, 1000);
    assert_in_range(w->fds, before, before + 40);
    assert_int_equal(open_fds(), before);
    remove_all(w);
}

static void p26_too_deep_is_told_at_the_last_folder(void **state)
{
    struct world *w = *state;
    make_deep(w, DEPTH_MAX + 3);
    assert_int_equal(walk(w, ""), 0);
    assert_int_equal(w->deepest, DEPTH_MAX);
    assert_int_equal(w->items, 1 + 2 * DEPTH_MAX);
    remove_all(w);
}

static void p26_too_long_is_told_at_the_folder(void **state)
{
    struct world *w = *state;
    char name[ENTRY_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    name[ENTRY_NAME_MAX] = '\0';
    int fd = open(w->scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 17; i++) { /* 16 fit: 16 * 255 + 15 = 4095 */
        assert_int_equal(mkdirat(fd, name, 0700), 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(walk(w, ""), 0);
    assert_int_equal(w->items, 1 + 16);
    assert_non_null(strstr(w->told, " !"));
    remove_all(w);
}

/* ---- pages */

static void p34_pages_cover_a_large_folder_once(void **state)
{
    struct world *w = *state;
    enum { FILES = 3 * LIST_ENTRIES_MAX + 7 };
    static bool seen[FILES];
    memset(seen, 0, sizeof seen);
    char name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d", i);
        scratch_text(&w->scratch, name, name);
    }
    uint64_t cursor = 0;
    int pages = 0;
    do {
        assert_int_equal(tree_page(&w->root, "", cursor, &w->page, &w->fault), 0);
        assert_in_range(w->page.count, 1, LIST_ENTRIES_MAX);
        for (int i = 0; i < w->page.count; i++) {
            const struct entry *e = &w->page.entry[i];
            snprintf(name, sizeof name, "%.*s", (int)e->name_len, e->name);
            int n = atoi(name);
            assert_in_range(n, 0, FILES - 1);
            assert_false(seen[n]);
            assert_int_equal(e->kind, ENTRY_FILE);
            assert_int_equal(e->size, strlen(name));
            seen[n] = true;
        }
        cursor = w->page.cursor;
        pages++;
    } while (w->page.more);
    assert_in_range(pages, 4, 5);
    for (int i = 0; i < FILES; i++) {
        assert_true(seen[i]);
    }
}

static void pages_of_long_names_and_targets_fit(void **state)
{
    struct world *w = *state;
    char name[ENTRY_NAME_MAX + 1], target[LINK_TARGET_MAX + 1];
    memset(target, 't', sizeof target);
    target[LINK_TARGET_MAX] = '\0';
    for (int i = 0; i < 40; i++) {
        memset(name, 'n', sizeof name);
        name[ENTRY_NAME_MAX] = '\0';
        name[0] = (char)('A' + i);
        if (symlink(target, scratch_at(&w->scratch, name).s)) {
            skip(); /* this file system keeps no targets of that length */
        }
    }
    uint64_t cursor = 0;
    int entries = 0;
    do {
        assert_int_equal(tree_page(&w->root, "", cursor, &w->page, &w->fault), 0);
        assert_true(w->page.names_len <= sizeof w->page.names);
        for (int i = 0; i < w->page.count; i++) {
            assert_int_equal(w->page.entry[i].name_len, ENTRY_NAME_MAX);
            assert_int_equal(w->page.entry[i].target_len, LINK_TARGET_MAX);
            assert_memory_equal(w->page.entry[i].target, target, LINK_TARGET_MAX);
        }
        entries += w->page.count;
        cursor = w->page.cursor;
    } while (w->page.more);
    assert_int_equal(entries, 40);
}

static void cursors_of_peers_are_harmless(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "d");
    scratch_text(&w->scratch, "d/a", "x");
    scratch_text(&w->scratch, "d/b", "x");
    static const uint64_t odd[] = {1, 2, 3, 1000, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        int rc = tree_page(&w->root, "d", odd[i], &w->page, &w->fault);
        assert_true(rc == 0 || rc == ERR_MALFORMED || rc == ERR_IO);
        assert_true(w->page.count <= 2);
    }
    assert_int_equal(tree_page(&w->root, "d", UINT64_MAX, &w->page, &w->fault), ERR_MALFORMED);
}

static void a_page_of_one_file_is_that_file(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "d");
    scratch_text(&w->scratch, "d/a", "12345");
    assert_int_equal(chmod(scratch_at(&w->scratch, "d/a").s, 04755), 0);
    assert_int_equal(tree_page(&w->root, "d/a", 0, &w->page, &w->fault), 0);
    assert_int_equal(w->page.count, 1);
    assert_false(w->page.more);
    assert_int_equal(w->page.entry[0].size, 5);
    assert_int_equal(w->page.entry[0].mode, 04755);
    assert_int_equal(w->page.entry[0].name_len, 1);
    assert_memory_equal(w->page.entry[0].name, "a", 1);
    assert_int_equal(tree_page(&w->root, "d/a/b", 0, &w->page, &w->fault), ERR_NOT_FOUND);
    scratch_dir(&w->scratch, "empty");
    assert_int_equal(tree_page(&w->root, "empty", 0, &w->page, &w->fault), 0);
    assert_int_equal(w->page.count, 0);
    assert_false(w->page.more);
}

/* ---- tokens */

static void tokens_change_with_the_file(void **state)
{
    (void)state;
    struct stat st = {.st_ino = 1, .st_size = 2};
    uint64_t token = tree_token(&st);
    assert_int_equal(tree_token(&st), token);
    st.st_dev = 7;
    assert_int_equal(tree_token(&st), token);
    struct stat other[6] = {st, st, st, st, st, st};
    other[0].st_ino++;
    other[1].st_size++;
    other[2].st_mtim.tv_sec++;
    other[3].st_mtim.tv_nsec++;
    other[4].st_ctim.tv_sec++;
    other[5].st_ctim.tv_nsec++;
    for (int i = 0; i < 6; i++) {
        assert_int_not_equal(tree_token(&other[i]), token);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_walk_tells_folders_first_and_names_in_byte_order),
        TEST(p28_walks_do_not_follow_links),
        TEST(p18_staging_folders_are_hidden),
        TEST(p35_an_unreadable_folder_is_named_and_the_walk_goes_on),
        TEST(a_walk_ends_when_it_is_told_to),
        TEST(what_vanishes_during_a_walk_is_left_out),
        TEST(p26_a_deep_tree_takes_few_descriptors),
        TEST(p26_too_deep_is_told_at_the_last_folder),
        TEST(p26_too_long_is_told_at_the_folder),
        TEST(p34_pages_cover_a_large_folder_once),
        TEST(pages_of_long_names_and_targets_fit),
        TEST(cursors_of_peers_are_harmless),
        TEST(a_page_of_one_file_is_that_file),
        TEST(tokens_change_with_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Manifests: what is added comes back, what is no tree is refused whole, and memory does not grow. */
#include "limits.h"
#include "manifest.h"
#include "scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    struct manifest *m;
    struct fault fault;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    assert_int_equal(manifest_new(w->scratch.path, &w->m, &w->fault), 0);
    assert_int_equal(scratch_count(&w->scratch, ""), 0); /* its files have no names */
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    manifest_free(w->m);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static struct entry named(enum entry_kind kind, const char *name)
{
    return (struct entry){.kind = kind, .mode = 0644, .name = name, .name_len = (uint16_t)strlen(name), .target = ""};
}

static int add(struct world *w, enum entry_kind kind, uint32_t depth, const char *name)
{
    struct entry e = named(kind, name);
    return manifest_add(w->m, &e, depth, 1, 0);
}

static int add_dir(struct world *w, uint32_t depth, const char *name)
{
    return add(w, ENTRY_DIR, depth, name);
}

static int add_file(struct world *w, uint32_t depth, const char *name)
{
    return add(w, ENTRY_FILE, depth, name);
}

static void assert_path(struct manifest *m, uint32_t i, const char *expected)
{
    char path[PATH_BYTES_MAX + 1];
    assert_int_equal(manifest_path(m, i, path), 0);
    assert_string_equal(path, expected);
}

static void entries_come_back_as_they_went_in(void **state)
{
    struct world *w = *state;
    struct entry link = {.kind = ENTRY_LINK,
                         .mode = 0777,
                         .mtime_s = -5,
                         .mtime_ns = 999999999,
                         .name = "l\n\xff",
                         .name_len = 3,
                         .target = "../t",
                         .target_len = 4};
    struct entry file = {
        .kind = ENTRY_FILE, .mode = 06755, .size = INT64_MAX, .mtime_s = INT64_MAX, .name = "m", .name_len = 1, .target = NULL};
    struct manifest_entry e;
    struct manifest_sums sums;
    assert_int_equal(manifest_get(w->m, 0, &e), ERR_NOT_FOUND);
    assert_int_equal(add_dir(w, 0, "top"), 0);
    assert_int_equal(manifest_add(w->m, &link, 1, 77, 0), 0);
    assert_int_equal(manifest_add(w->m, &file, 1, UINT64_MAX, 0), 0);
    assert_int_equal(manifest_add(w->m, &(struct entry){.name = "n", .name_len = 1, .size = 5}, 1, 0, ERR_DENIED), 0);
    assert_int_equal(manifest_add(w->m, &(struct entry){.kind = ENTRY_OTHER, .name = "o", .name_len = 1}, 1, 0, 0), 0);
    assert_int_equal(manifest_count(w->m), 5);
    assert_int_equal(manifest_get(w->m, 1, &e), 0);
    assert_int_equal(e.entry.kind, ENTRY_LINK);
    assert_int_equal(e.entry.mode, 0777);
    assert_int_equal(e.entry.mtime_s, -5);
    assert_int_equal(e.entry.mtime_ns, 999999999);
    assert_int_equal(e.entry.name_len, 3);
    assert_memory_equal(e.entry.name, "l\n\xff", 3);
    assert_int_equal(e.entry.target_len, 4);
    assert_memory_equal(e.entry.target, "../t", 4);
    assert_int_equal(e.token, 77);
    assert_int_equal(e.depth, 1);
    assert_int_equal(e.parent, 0);
    assert_int_equal(manifest_get(w->m, 2, &e), 0);
    assert_true(e.entry.size == INT64_MAX && e.entry.mtime_s == INT64_MAX && e.token == UINT64_MAX);
    assert_int_equal(manifest_get(w->m, 3, &e), 0);
    assert_int_equal(e.err, ERR_DENIED);
    assert_int_equal(manifest_get(w->m, 5, &e), ERR_NOT_FOUND);
    manifest_sums(w->m, &sums);
    assert_true(sums.bytes == INT64_MAX);
    assert_int_equal(sums.files, 1);
    assert_int_equal(sums.dirs, 1);
    assert_int_equal(sums.links, 1);
    assert_int_equal(sums.others, 1);
    assert_int_equal(sums.failed, 1);
}

static void parents_and_paths_follow_from_depths(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_dir(w, 0, "top"), 0);
    assert_int_equal(add_dir(w, 1, "a"), 0);
    assert_int_equal(add_dir(w, 2, "b"), 0);
    assert_int_equal(add_file(w, 3, "c"), 0);
    assert_int_equal(add_file(w, 2, "d"), 0);
    assert_int_equal(add_dir(w, 1, "e"), 0);
    assert_int_equal(add_file(w, 2, "f"), 0);
    static const char *const paths[] = {"", "a", "a/b", "a/b/c", "a/d", "e", "e/f"};
    static const uint32_t parents[] = {0, 0, 1, 2, 1, 0, 5};
    for (uint32_t i = 0; i < 7; i++) {
        struct manifest_entry e;
        assert_path(w->m, i, paths[i]);
        assert_path(w->m, 6 - i, paths[6 - i]);
        assert_int_equal(manifest_get(w->m, i, &e), 0);
        assert_int_equal(e.parent, parents[i]);
    }
    char path[PATH_BYTES_MAX + 1];
    assert_int_equal(manifest_path(w->m, 7, path), ERR_NOT_FOUND);
    assert_path(w->m, 3, "a/b/c"); /* asking for paths does not disturb adding */
    assert_int_equal(add_file(w, 2, "g"), 0);
    assert_path(w->m, 7, "e/g");
}

static void a_single_file_is_a_manifest(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_file(w, 0, "f"), 0);
    assert_path(w->m, 0, "");
    assert_int_equal(add_file(w, 1, "g"), ERR_MALFORMED);
    assert_int_equal(manifest_count(w->m), 1);
}

static void s35_lists_that_are_no_tree_are_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_dir(w, 1, "x"), ERR_MALFORMED);
    assert_int_equal(add_dir(w, 0, "top"), 0);
    assert_int_equal(add_dir(w, 0, "top"), ERR_MALFORMED);
    assert_int_equal(add_dir(w, 2, "x"), ERR_MALFORMED);
    assert_int_equal(add_file(w, 1, "f"), 0);
    assert_int_equal(add_file(w, 2, "in a file"), ERR_MALFORMED);
    assert_int_equal(add(w, ENTRY_LINK, 1, "without a target"), ERR_MALFORMED);
    assert_int_equal(add_file(w, UINT32_MAX, "x"), ERR_LIMIT);
    struct entry dir = named(ENTRY_DIR, "unread");
    assert_int_equal(manifest_add(w->m, &dir, 1, 0, ERR_DENIED), 0);
    assert_int_equal(add_file(w, 2, "in an unread folder"), ERR_MALFORMED);
    assert_int_equal(manifest_count(w->m), 3);
}

static void s37_a_name_comes_once_and_in_order(void **state)
{
    struct world *w = *state;
    assert_int_equal(add_dir(w, 0, "top"), 0);
    assert_int_equal(add_dir(w, 1, "b"), 0);
    assert_int_equal(add_file(w, 2, "z"), 0);
    assert_int_equal(add_file(w, 1, "b"), ERR_MALFORMED);
    assert_int_equal(add_file(w, 1, "a"), ERR_MALFORMED);
    assert_int_equal(add_file(w, 2, "z"), ERR_MALFORMED);
    assert_int_equal(add_file(w, 2, "z\x01"), 0);
    assert_int_equal(add_file(w, 1, "b-"), 0);
    assert_int_equal(add_file(w, 1, "b\xff"), 0);
    assert_int_equal(add_file(w, 1, "b0"), ERR_MALFORMED);
}

static void p26_bad_names_and_fields_are_refused(void **state)
{
    struct world *w = *state;
    char long_name[ENTRY_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    long_name[ENTRY_NAME_MAX + 1] = '\0';
    assert_int_equal(add_dir(w, 0, "top"), 0);
    static const char *const bad[] = {"", ".", "..", "a/b", "/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(add_file(w, 1, bad[i]), ERR_MALFORMED);
    }
    assert_int_equal(add_file(w, 1, long_name), ERR_MALFORMED);
    struct entry good = named(ENTRY_FILE, "f"), e = good;
    e.name = "a\0b";
    e.name_len = 3;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e = good;
    e.mode = 010000;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e = good;
    e.mtime_ns = 1000000000;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e = good;
    e.size = (uint64_t)INT64_MAX + 1;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e = good;
    e.kind = (enum entry_kind)ENTRY_KIND_COUNT;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e = good;
    e.target = "t";
    e.target_len = 1;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e.kind = ENTRY_LINK;
    e.target = "\0";
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    e.target_len = LINK_TARGET_MAX + 1;
    assert_int_equal(manifest_add(w->m, &e, 1, 0, 0), ERR_MALFORMED);
    assert_int_equal(manifest_add(w->m, &good, 1, 0, -1), ERR_MALFORMED);
    assert_int_equal(manifest_add(w->m, &good, 1, 0, ERR_COUNT), ERR_MALFORMED);
    long_name[ENTRY_NAME_MAX] = '\0';
    assert_int_equal(add_file(w, 1, long_name), 0);
    assert_int_equal(manifest_count(w->m), 2);
}

static void p26_paths_end_at_the_limit(void **state)
{
    struct world *w = *state;
    char name[ENTRY_NAME_MAX + 1], path[PATH_BYTES_MAX + 1];
    memset(name, 'n', sizeof name);
    name[ENTRY_NAME_MAX] = '\0';
    assert_int_equal(add_dir(w, 0, name), 0);
    for (uint32_t d = 1; d <= 15; d++) {
        assert_int_equal(add_dir(w, d, name), 0);
    }
    assert_int_equal(add_dir(w, 16, name), 0); /* 16 * 255 + 15 = 4095 */
    assert_int_equal(manifest_path(w->m, 16, path), 0);
    assert_int_equal(strlen(path), PATH_BYTES_MAX);
    assert_int_equal(add_file(w, 17, "x"), ERR_LIMIT);
    assert_int_equal(add_file(w, 16, "x"), 0);
    assert_path(w->m, 0, "");
}

static void p26_depth_ends_at_the_limit(void **state)
{
    struct world *w = *state;
    for (uint32_t d = 0; d <= DEPTH_MAX; d++) {
        assert_int_equal(add_dir(w, d, "d"), 0);
    }
    assert_int_equal(add_file(w, DEPTH_MAX + 1, "x"), ERR_LIMIT);
    char path[PATH_BYTES_MAX + 1];
    assert_int_equal(manifest_path(w->m, DEPTH_MAX, path), 0);
    assert_int_equal(strlen(path), 2 * DEPTH_MAX - 1);
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident;
}

static void p34_a_million_entries_take_no_more_memory(void **state)
{
    struct world *w = *state;
    enum { DIRS = 1000, FILES = 1000 };
    char name[64], expected[128], path[PATH_BYTES_MAX + 1];
    long before = resident_pages();
    assert_int_equal(add_dir(w, 0, "top"), 0);
    for (int d = 0; d < DIRS; d++) {
        snprintf(name, sizeof name, "folder-%06d", d);
        assert_int_equal(add_dir(w, 1, name), 0);
        for (int f = 0; f < FILES; f++) {
            snprintf(name, sizeof name, "a file of some name-%06d", f);
            assert_int_equal(add_file(w, 2, name), 0);
        }
    }
    struct manifest *reader;
    assert_int_equal(manifest_reader(w->m, &reader, &w->fault), 0);
    assert_int_equal(manifest_count(reader), 1 + DIRS * (1 + FILES));
    for (uint32_t i = manifest_count(reader); i-- > 1;) { /* backwards, as folders are finished */
        struct manifest_entry e;
        uint32_t d = (i - 1) / (1 + FILES), f = (i - 1) % (1 + FILES);
        assert_int_equal(manifest_get(reader, i, &e), 0);
        assert_int_equal(e.parent, f > 0 ? i - f : 0);
        snprintf(expected, sizeof expected, f > 0 ? "folder-%06u/a file of some name-%06u" : "folder-%06u", d, f - 1);
        assert_int_equal(manifest_path(reader, i, path), 0);
        assert_string_equal(path, expected);
    }
    manifest_free(reader);
    assert_true(resident_pages() - before < (4 << 20) / 4096);
}

static void readers_see_the_same_on_their_own(void **state)
{
    struct world *w = *state;
    struct manifest *a, *b;
    struct entry e = named(ENTRY_FILE, "zz");
    assert_int_equal(add_dir(w, 0, "top"), 0);
    assert_int_equal(add_file(w, 1, "f"), 0);
    assert_int_equal(manifest_reader(w->m, &a, &w->fault), 0);
    assert_int_equal(manifest_reader(w->m, &b, &w->fault), 0);
    assert_int_equal(manifest_add(a, &e, 1, 0, 0), ERR_STATE);
    assert_path(a, 1, "f");
    manifest_free(a);
    assert_path(b, 1, "f");
    assert_path(w->m, 1, "f");
    manifest_free(b);
    manifest_free(NULL);
}

static void p20_a_short_list_needs_no_room(void **state)
{
    struct world *w = *state;
    struct manifest *reader;
    struct rlimit none = {0}, before;
    add_dir(w, 0, "top");
    add_file(w, 1, "a");
    add_file(w, 1, "b");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int err = manifest_reader(w->m, &reader, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, 0);
    assert_path(reader, 2, "b");
    assert_path(reader, 1, "a");
    manifest_free(reader);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
    struct world *w = *state;
    struct manifest *m;
    assert_int_not_equal(manifest_new(scratch_at(&w->scratch, "nowhere").s, &m, &w->fault), 0);
    assert_non_null(strstr(w->fault.text, "nowhere"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_come_back_as_they_went_in),
        TEST(parents_and_paths_follow_from_depths),
        TEST(a_single_file_is_a_manifest),
        TEST(s35_lists_that_are_no_tree_are_refused),
        TEST(s37_a_name_comes_once_and_in_order),
        TEST(p26_bad_names_and_fields_are_refused),
        TEST(p26_paths_end_at_the_limit),
        TEST(p26_depth_ends_at_the_limit),
        TEST(p34_a_million_entries_take_no_more_memory),
        TEST(readers_see_the_same_on_their_own),
        TEST(p20_a_short_list_needs_no_room),
        TEST(a_folder_that_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

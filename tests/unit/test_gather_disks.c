/* Gathers on real disks: one that shares blocks, a full one, a read-only one, and folders that are swapped for links all the
 * while. What needs root and is run without says so. */
#include "gathering.h"
#include "reflinks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1ull << 20)

/* ---- disks */

#define SKIP_UNLESS(there, what)                                \
    if (!(there)) {                                             \
        print_message("SKIPPED, since there is no %s\n", what); \
        skip();                                                 \
    }

/* From now on d is this disk, with the same d/f. */
static void enter_disk(struct gathering *w)
{
    root_close(&w->root);
    assert_int_equal(root_open(scratch_at(&w->scratch, "d").s, &w->root, &w->fault), 0);
}

static bool mount_tmpfs(struct gathering *w, const char *options)
{
    if (mount("weft", scratch_at(&w->scratch, "d").s, "tmpfs", 0, options)) {
        return false;
    }
    enter_disk(w);
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    return true;
}

static bool mount_xfs(struct gathering *w)
{
    assert_int_equal(unlink(scratch_at(&w->scratch, "d/f").s) || rmdir(scratch_at(&w->scratch, "d").s), 0);
    bool mounted = reflinks_mount(&w->scratch, "d");
    enter_disk(w);
    return mounted;
}

static int teardown(void **state)
{
    struct gathering *w = *state;
    gathering_close(w, false);
    root_close(&w->root);
    umount2(scratch_at(&w->scratch, "d").s, MNT_DETACH); /* if there is a disk */
    return gathering_teardown(state);
}

static void p20_s58_a_full_disk_is_told_before_the_first_byte(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_tmpfs(w, "size=1m"), "right to mount");
    gathering_open(w);
    for (unsigned i = 0; i < 4; i++) {
        gathering_add(w, REGION_COPY, i, 299990);
    }
    assert_int_equal(gathering_run(w), ERR_NOSPACE);
    assert_non_null(strstr(w->fault.text, "no room to build 'f'"));
    assert_int_equal(w->watch.done, 0);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
    gathering_open(w); /* what fits does */
    gathering_add(w, REGION_COPY, 0, 300000);
    gathering_add(w, REGION_COPY, 0, 100000);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
}

static void p20_s58_a_disk_that_fills_up_in_small_pieces_is_told(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_tmpfs(w, "size=1m"), "right to mount");
    gathering_open(w);
    for (unsigned i = 0; i < 60; i++) {
        gathering_add(w, REGION_COPY, i * 3, 30000);
        gathering_add(w, REGION_HOLE, 0, 5000);
    }
    assert_int_equal(gathering_run(w), ERR_NOSPACE);
    assert_non_null(strstr(w->fault.text, "No space left"));
    assert_true(w->watch.done > 0);
    gathering_close(w, false);
    gathering_assert_old(w);
    gathering_assert_alone(w);
}

static void p35_a_read_only_disk_is_told_at_once(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_tmpfs(w, "size=1m"), "right to mount");
    assert_int_equal(mount("weft", scratch_at(&w->scratch, "d").s, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), ERR_DENIED);
    assert_non_null(strstr(w->fault.text, "Read-only file system"));
}

static void p35_an_immutable_file_is_told_at_once(void **state)
{
    struct gathering *w = *state;
    int flags, fd = open(scratch_at(&w->scratch, "d/f").s, O_RDONLY | O_CLOEXEC);
    bool can = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
    int immutable = flags | FS_IMMUTABLE_FL;
    can = can && ioctl(fd, FS_IOC_SETFLAGS, &immutable) == 0;
    if (can) {
        assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), ERR_DENIED);
        assert_non_null(strstr(w->fault.text, "immutable"));
        assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
    }
    close(fd);
    SKIP_UNLESS(can, "right or file system for immutable files");
}

/* ---- shared blocks */

/* Bytes of d/f that share their blocks with another file. */
static uint64_t shared_bytes(struct gathering *w)
{
    const unsigned most = 256;
    struct fiemap *map = calloc(1, sizeof *map + most * sizeof map->fm_extents[0]);
    uint64_t shared = 0;
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_RDONLY | O_CLOEXEC);
    assert_non_null(map);
    *map = (struct fiemap){.fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = most};
    assert_int_equal(ioctl(fd, FS_IOC_FIEMAP, map), 0);
    close(fd);
    for (unsigned i = 0; i < map->fm_mapped_extents; i++) {
        shared += map->fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED ? map->fm_extents[i].fe_length : 0;
    }
    free(map);
    return shared;
}

static uint64_t used_bytes(struct gathering *w)
{
    struct statvfs fs;
    int fd = open(scratch_at(&w->scratch, "d").s, O_RDONLY | O_CLOEXEC);
    assert_int_equal(syncfs(fd), 0);
    assert_int_equal(fstatvfs(fd, &fs), 0);
    close(fd);
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
}

static void large_old(struct gathering *w)
{
    w->old_size = 3 * MIB;
    w->old = realloc(w->old, w->old_size);
    noise(w->old, w->old_size, 5);
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    assert_int_equal(link(scratch_at(&w->scratch, "d/f").s, scratch_at(&w->scratch, "d/kept").s), 0);
}

static void gather_7_on_xfs_blocks_are_shared_and_edges_copied(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_xfs(w), "xfs (root, mkfs.xfs and a loop device are needed)");
    large_old(w);
    uint64_t used = used_bytes(w);
    gathering_open(w);
    gathering_literals(w, 9000);
    gathering_add(w, REGION_COPY, 0, MIB + 100);
    gathering_add(w, REGION_LITERAL, 0, 4096);
    gathering_add(w, REGION_COPY, MIB + 4196, MIB - 8196);
    gathering_add(w, REGION_HOLE, 0, 200000);
    gathering_add(w, REGION_COPY, 77, 65536);
    gathering_add(w, REGION_LITERAL, 0, 100);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_assert_new(w);
    gathering_close(w, false);
    assert_int_equal(shared_bytes(w), 2 * MIB - 3 * 4096);
    assert_in_range(used_bytes(w), used, used + MIB / 2); /* of 2.1 MiB */
}

static void gather_7_what_is_shared_is_each_ones_own(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_xfs(w), "xfs (root, mkfs.xfs and a loop device are needed)");
    large_old(w);
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 2 * MIB);
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(gathering_commit(w), 0);
    gathering_close(w, false);
    int fd = open(scratch_at(&w->scratch, "d/kept").s, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "scribbled", 9, 5000), 9);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    gathering_assert_new(w);
    assert_int_equal(shared_bytes(w), 2 * MIB - 4096);
}

/* Copies of everything, and behind each a hole of a size that no block has. */
#define LARGE_COPIES 40
#define LARGE_HOLE (7ull * 1000 * 1000)

static void add_large(struct gathering *w)
{
    for (unsigned i = 0; i < LARGE_COPIES; i++) {
        file_hash_bytes(&w->hash, w->old + i, w->old_size - i);
        file_hash_hole(&w->hash, LARGE_HOLE - i);
        assert_int_equal(regions_add(&w->regions, REGION_COPY, i, w->old_size - i, UINT32_MAX), 0);
        assert_int_equal(regions_add(&w->regions, REGION_HOLE, 0, LARGE_HOLE - i, UINT32_MAX), 0);
    }
}

static void gather_6_a_large_file_is_the_same_by_however_many_threads(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_xfs(w), "xfs (root, mkfs.xfs and a loop device are needed)");
    uint8_t *got = malloc(w->old_size);
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    gathering_open(w);
    add_large(w);
    add_large(w);
    w->model_size = w->regions.end; /* some 580 MB */
    assert_int_equal(gathering_run(w), 0);
    assert_int_equal(w->watch.done, w->model_size);
    assert_int_equal(gathering_commit(w), 0); /* which compares the hash of this thread with theirs */
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_RDONLY | O_CLOEXEC);
    for (unsigned i = 0, at = 0; i < 2 * LARGE_COPIES; i++) {
        unsigned from = i % LARGE_COPIES;
        assert_int_equal(pread(fd, got, w->old_size - from, at), w->old_size - from);
        assert_memory_equal(got, w->old + from, w->old_size - from);
        at += (unsigned)(w->old_size - from + LARGE_HOLE - from);
    }
    close(fd);
    free(got);
}

static void p41_on_xfs_any_regions_make_what_they_say(void **state)
{
    struct gathering *w = *state;
    SKIP_UNLESS(mount_xfs(w), "xfs (root, mkfs.xfs and a loop device are needed)");
    large_old(w);
    for (uint64_t seed = 1, round = 0; round < 20; round++) {
        gathering_open(w);
        for (unsigned i = 0; i < 12; i++) {
            uint64_t unit = dice(&seed) % 2 ? 4096 : 1; /* half of them on blocks */
            uint64_t at = dice(&seed) % MIB / unit * unit, n = dice(&seed) % 200000 / unit * unit;
            gathering_add(w, dice(&seed) % 4 ? REGION_COPY : REGION_HOLE, at, n);
        }
        gathering_add(w, REGION_COPY, 0, 2 * MIB - w->model_size % 4096);
        assert_int_equal(gathering_run(w), 0);
        assert_int_equal(gathering_commit(w), 0);
        gathering_assert_new(w);
        gathering_close(w, false);
        w->old_size = w->model_size; /* which is what is copied from next */
        w->old = realloc(w->old, w->old_size);
        memcpy(w->old, w->model, w->old_size);
    }
}

/* ---- swapped folders and files (s9, s14) */

static void s14_a_link_in_the_path_is_refused(void **state)
{
    struct gathering *w = *state;
    scratch_dir(&w->scratch, "out");
    scratch_link(&w->scratch, "d/sub", "../out");
    assert_int_equal(site_open(&w->root, "sub/f", &w->site, &w->fault), ERR_REFUSED);
    assert_int_equal(site_open(&w->root, "sub", &w->site, &w->fault), ERR_REFUSED);
    assert_int_equal(scratch_count(&w->scratch, "out"), 0);
}

static void s14_a_folder_swapped_for_a_link_takes_its_file_with_it(void **state)
{
    struct gathering *w = *state;
    struct hash128 nothing = hash128_of("", 0);
    scratch_dir(&w->scratch, "out");
    scratch_dir(&w->scratch, "d/sub");
    assert_int_equal(site_open(&w->root, "sub/new", &w->site, &w->fault), 0);
    assert_int_equal(rename(scratch_at(&w->scratch, "d/sub").s, scratch_at(&w->scratch, "d/moved").s), 0);
    scratch_link(&w->scratch, "d/sub", "../out");
    assert_int_equal(gather_open(&w->site, GATHERING_KEY, &w->g, &w->fault), 0);
    assert_int_equal(gather_commit(w->g, 0, &nothing, &w->meta, &w->state, &w->fault), 0);
    scratch_assert_text(&w->scratch, "d/moved/new", "");
    assert_int_equal(scratch_count(&w->scratch, "out"), 0);
}

static void s9_a_file_swapped_for_a_link_is_left_and_not_followed(void **state)
{
    struct gathering *w = *state;
    gathering_open(w);
    gathering_add(w, REGION_COPY, 0, 1000);
    assert_int_equal(gathering_run(w), 0);
    scratch_text(&w->scratch, "out", "not ours");
    assert_int_equal(unlink(scratch_at(&w->scratch, "d/f").s), 0);
    scratch_link(&w->scratch, "d/f", "../out");
    assert_int_equal(gathering_commit(w), ERR_CHANGED);
    gathering_close(w, false);
    scratch_assert_text(&w->scratch, "out", "not ours");
}

/* The hidden folder's name was taken by somebody: by a link, or by a folder that others may write to. */
static void s15_a_hidden_folder_that_is_not_ours_is_not_used(void **state)
{
    struct gathering *w = *state;
    struct gather *g;
    scratch_dir(&w->scratch, "out");
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), 0);
    scratch_link(&w->scratch, GATHERING_FOLDER, "../out");
    assert_int_not_equal(gather_open(&w->site, GATHERING_KEY, &g, &w->fault), 0);
    assert_int_equal(unlink(scratch_at(&w->scratch, GATHERING_FOLDER).s), 0);
    scratch_dir(&w->scratch, GATHERING_FOLDER);
    assert_int_equal(chmod(scratch_at(&w->scratch, GATHERING_FOLDER).s, 0777), 0);
    assert_int_equal(gather_open(&w->site, GATHERING_KEY, &g, &w->fault), ERR_REFUSED);
    assert_int_equal(scratch_count(&w->scratch, "out"), 0);
}

struct swapper {
    struct gathering *w;
    const char *name;
    atomic_bool stop;
    _Atomic unsigned turns;
};

/* Exchanges NAME with the link NAME.link, on and on. */
static void *swap_names(void *arg)
{
    struct swapper *s = arg;
    char name[64];
    snprintf(name, sizeof name, "%s.link", s->name);
    struct scratch_path one = scratch_at(&s->w->scratch, s->name), other = scratch_at(&s->w->scratch, name);
    while (!atomic_load(&s->stop)) {
        s->turns += renameat2(AT_FDCWD, one.s, AT_FDCWD, other.s, RENAME_EXCHANGE) == 0;
    }
    return NULL;
}

/* Updates `path` while `name` is swapped for a link: how many came through. */
static unsigned race(struct gathering *w, const char *name, const char *path)
{
    struct swapper s = {.w = w, .name = name};
    struct hash128 nothing = hash128_of("", 0);
    pthread_t thread;
    unsigned done = 0;
    assert_int_equal(pthread_create(&thread, NULL, swap_names, &s), 0);
    for (unsigned i = 0; i < 400 || (s.turns < 400 && i < 100000); i++) {
        if (site_open(&w->root, path, &w->site, &w->fault) == 0 && w->site.kind != FILE_DIR &&
            gather_open(&w->site, GATHERING_KEY, &w->g, &w->fault) == 0) {
            done += gather_commit(w->g, 0, &nothing, &w->meta, &w->state, &w->fault) == 0;
        }
        gathering_close(w, false);
    }
    s.stop = true;
    pthread_join(thread, NULL);
    return done;
}

static void s14_raced_folders_lead_nowhere_else(void **state)
{
    struct gathering *w = *state;
    scratch_dir(&w->scratch, "out");
    scratch_text(&w->scratch, "out/f", "not ours");
    scratch_dir(&w->scratch, "d/sub");
    scratch_link(&w->scratch, "d/sub.link", "../out");
    assert_true(race(w, "d/sub", "sub/f") > 0);
    scratch_assert_text(&w->scratch, "out/f", "not ours");
    assert_int_equal(scratch_count(&w->scratch, "out"), 1);
}

/* Links in a folder, under whatever name. */
static unsigned links_in(struct gathering *w, const char *folder)
{
    unsigned n = 0;
    DIR *dir = opendir(scratch_at(&w->scratch, folder).s);
    assert_non_null(dir);
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        n += d->d_type == DT_LNK;
    }
    closedir(dir);
    return n;
}

static void s9_raced_files_are_not_followed_and_links_not_lost(void **state)
{
    struct gathering *w = *state;
    scratch_text(&w->scratch, "out", "not ours");
    scratch_link(&w->scratch, "d/f.link", "../out");
    race(w, "d/f", "f");
    scratch_assert_text(&w->scratch, "out", "not ours");
    assert_int_equal(links_in(w, "d"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, gathering_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(p20_s58_a_full_disk_is_told_before_the_first_byte),
        TEST(p20_s58_a_disk_that_fills_up_in_small_pieces_is_told),
        TEST(p35_a_read_only_disk_is_told_at_once),
        TEST(p35_an_immutable_file_is_told_at_once),
        TEST(gather_7_on_xfs_blocks_are_shared_and_edges_copied),
        TEST(gather_7_what_is_shared_is_each_ones_own),
        TEST(gather_6_a_large_file_is_the_same_by_however_many_threads),
        TEST(p41_on_xfs_any_regions_make_what_they_say),
        TEST(s14_a_link_in_the_path_is_refused),
        TEST(s14_a_folder_swapped_for_a_link_takes_its_file_with_it),
        TEST(s9_a_file_swapped_for_a_link_is_left_and_not_followed),
        TEST(s15_a_hidden_folder_that_is_not_ours_is_not_used),
        TEST(s14_raced_folders_lead_nowhere_else),
        TEST(s9_raced_files_are_not_followed_and_links_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Stages: what is received stands under its name whole or not at all, and nothing of a user's is lost.
 *
 * A kill is played by closing the descriptors of a stage without any of its ends: see `killed`. */
#include "limits.h"
#include "scratch.h"
#include "stage.h"
#include "stage_internal.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "abc234"

static const struct stage_meta plain = {.mode = 0640, .mtime_s = 1000000000, .mtime_ns = 123456789};

struct world {
    struct scratch scratch;
    struct stage *stage;
    struct stage_batch *batch;
    struct fault fault;
    int refused;            /* calls of `failed` */
    char refused_path[256]; /* of the last one */
    struct fault refused_why;
};

/* ---- system calls that fail when told to; the linker prefers these to libc's. */

static struct {
    atomic_int syncfs_fails, fsync_fails, write_fails, write_is_short, exchange_meets;
    const struct scratch *scratch;
} trap;

int syncfs(int fd)
{
    if (trap.syncfs_fails > 0) {
        trap.syncfs_fails--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_syncfs, fd);
}

int fsync(int fd)
{
    if (trap.fsync_fails > 0) {
        trap.fsync_fails--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

/* What pwrite and write do: first say EINTR, then write half, then say ENOSPC. */
static int trap_write(size_t *n)
{
    if (trap.write_fails > 0) {
        trap.write_fails--;
        errno = ENOSPC;
        return -1;
    }
    if (trap.write_is_short > 0) {
        if (trap.write_is_short-- % 2 == 0) {
            errno = EINTR;
            return -1;
        }
        *n = *n > 1 ? *n / 2 : *n;
    }
    return 0;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return trap_write(&n) ? -1 : (ssize_t)syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return trap_write(&n) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

/* Someone changes the file just before it is exchanged: 1 replaces it, 2 edits it in place; 3: there is no exchange here. */
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (flags == RENAME_EXCHANGE && trap.exchange_meets > 0) {
        int how = atomic_exchange(&trap.exchange_meets, 0);
        if (how == 3) {
            errno = EINVAL;
            return -1;
        }
        if (how == 1) {
            scratch_text(trap.scratch, "dest/new", "edited by another");
            assert_int_equal(rename(scratch_at(trap.scratch, "dest/new").s, scratch_at(trap.scratch, "dest/f").s), 0);
        } else {
            scratch_text(trap.scratch, "dest/f", "edited in place");
        }
    }
    if (flags == RENAME_NOREPLACE && trap.exchange_meets == 4) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

/* ---- the world */

static void failed(void *arg, const char *path, const struct fault *fault)
{
    struct world *w = arg;
    w->refused++;
    snprintf(w->refused_path, sizeof w->refused_path, "%s", path);
    w->refused_why = *fault;
}

static void open_stage(struct world *w, enum if_exists policy)
{
    assert_int_equal(stage_open(scratch_at(&w->scratch, "dest").s, KEY, policy, &w->stage, &w->fault), 0);
    assert_int_equal(stage_batch_new(w->stage, failed, w, &w->batch, &w->fault), 0);
}

static void close_stage(struct world *w, bool done)
{
    stage_batch_free(w->batch);
    stage_close(w->stage, done);
    w->batch = NULL;
    w->stage = NULL;
}

/* The process dies: its descriptors close and its memory is gone, but nothing is finished, removed or written any more. The
 * names stay as they are because a copy of the whole folder takes the place of what closing would tidy away. */
static void killed(struct world *w)
{
    char command[1200];
    snprintf(command, sizeof command, "cp -a --sparse=always '%s/dest' '%s/kept'", w->scratch.path, w->scratch.path);
    assert_int_equal(system(command), 0);
    close_stage(w, false);
    snprintf(command, sizeof command, "rm -rf '%s/dest' && mv '%s/kept' '%s/dest'", w->scratch.path, w->scratch.path,
             w->scratch.path);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "dest");
    memset(&trap, 0, sizeof trap);
    trap.scratch = &w->scratch;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    memset(&trap, 0, sizeof trap);
    close_stage(w, true);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static int small(struct world *w, const char *path, const char *text)
{
    return stage_small(w->batch, path, text, strlen(text), 7, &plain, &w->fault);
}

static int commit(struct world *w)
{
    return stage_batch_commit(w->batch, &w->fault);
}

static enum stage_verdict check(struct world *w, const char *path, enum entry_kind kind, uint64_t size)
{
    struct entry e = {.kind = kind, .size = size, .mtime_s = plain.mtime_s, .mtime_ns = plain.mtime_ns, .target = ""};
    enum stage_verdict verdict = STAGE_CONFLICT;
    assert_int_equal(stage_check(w->stage, path, &e, &verdict, &w->fault), 0);
    return verdict;
}

static struct stat look(struct world *w, const char *name)
{
    struct stat st;
    assert_int_equal(lstat(scratch_at(&w->scratch, name).s, &st), 0);
    return st;
}

/* ---- small files */

static void files_stand_only_after_commit_with_mode_and_time(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(stage_dir(w->stage, "d", &w->fault), 0);
    assert_int_equal(small(w, "d/f", "hello"), 0);
    assert_int_equal(small(w, "g", ""), 0);
    assert_false(scratch_exists(&w->scratch, "dest/d/f"));
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
    scratch_assert_text(&w->scratch, "dest/d/f", "hello");
    scratch_assert_text(&w->scratch, "dest/g", "");
    struct stat st = look(w, "dest/d/f");
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, plain.mtime_s);
    assert_int_equal(st.st_mtim.tv_nsec, plain.mtime_ns);
    struct stage_meta meta = {.mode = 0550, .mtime_s = -1, .mtime_ns = 0};
    assert_int_equal(stage_finish_dir(w->stage, "d", &meta, &w->fault), 0);
    st = look(w, "dest/d");
    assert_int_equal(st.st_mode & 07777, 0550);
    assert_int_equal(st.st_mtim.tv_sec, -1);
    close_stage(w, true);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 2);
}

static void s14_a_stage_in_an_open_folder_goes_with_it(void **state)
{
    struct world *w = *state;
    int fd = open(scratch_at(&w->scratch, "dest").s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(rename(scratch_at(&w->scratch, "dest").s, scratch_at(&w->scratch, "moved").s), 0);
    scratch_dir(&w->scratch, "out");
    scratch_link(&w->scratch, "dest", "out");
    assert_int_equal(stage_open_at(fd, "docs", KEY, IF_EXISTS_REFUSE, &w->stage, &w->fault), 0);
    assert_string_equal(stage_path(w->stage), "docs/" STAGE_PREFIX KEY);
    assert_int_equal(stage_batch_new(w->stage, failed, w, &w->batch, &w->fault), 0);
    close(fd); /* the stage has its own */
    assert_int_equal(small(w, "f", "hello"), 0);
    assert_int_equal(commit(w), 0);
    close_stage(w, true);
    scratch_assert_text(&w->scratch, "moved/f", "hello");
    assert_int_equal(scratch_count(&w->scratch, "moved"), 1);
    assert_int_equal(scratch_count(&w->scratch, "out"), 0);
}

static void an_unfinished_stage_without_content_goes_too(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    close_stage(w, false);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 0);
}

static void p30_setuid_is_dropped_and_odd_umasks_do_not_matter(void **state)
{
    struct world *w = *state;
    mode_t old = umask(077);
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_meta meta = {.mode = 06755 | 01000};
    assert_int_equal(stage_small(w->batch, "s", "x", 1, 1, &meta, &w->fault), 0);
    meta.mode = 0;
    assert_int_equal(stage_small(w->batch, "z", "x", 1, 1, &meta, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    umask(old);
    assert_int_equal(look(w, "dest/s").st_mode & 07777, 0755);
    assert_int_equal(look(w, "dest/z").st_mode & 07777, 0);
}

static void p36_times_beyond_reason_do_no_harm(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_meta meta = {.mode = 0600, .mtime_s = INT64_MAX, .mtime_ns = 999999999};
    assert_int_equal(stage_small(w->batch, "late", "x", 1, 1, &meta, &w->fault), 0);
    meta.mtime_s = INT64_MIN;
    assert_int_equal(stage_small(w->batch, "early", "x", 1, 1, &meta, &w->fault), 0);
    meta.mtime_ns = 1000000000;
    assert_int_equal(stage_small(w->batch, "none", "x", 1, 1, &meta, &w->fault), ERR_MALFORMED);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
}

static void p26_bad_paths_and_p27_our_names_are_refused(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    static const char *const bad[] = {"", "..", "../x", "/x", "a//b", "a/", "."};
    uint64_t have;
    struct stage_file *f;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(small(w, bad[i], "x"), ERR_MALFORMED);
        assert_int_equal(stage_dir(w->stage, bad[i], &w->fault), ERR_MALFORMED);
        assert_int_equal(stage_link(w->stage, bad[i], "t", &plain, &w->fault), ERR_MALFORMED);
        assert_int_equal(stage_file_open(w->stage, bad[i], 1, 1, &f, &have, &w->fault), ERR_MALFORMED);
        assert_int_equal(stage_finish_dir(w->stage, bad[i], &plain, &w->fault), ERR_MALFORMED);
    }
    static const char *const ours[] = {STAGE_PREFIX KEY "/b0/x", STAGE_PREFIX "zzz", "d/" STAGE_PREFIX "zzz/x"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_int_equal(small(w, ours[i], "x"), ERR_REFUSED);
        assert_int_equal(stage_dir(w->stage, ours[i], &w->fault), ERR_REFUSED);
    }
}

static void a_link_in_the_place_of_a_folder_is_not_followed(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "out");
    scratch_link(&w->scratch, "dest/d", "../out");
    open_stage(w, IF_EXISTS_OVERWRITE);
    assert_int_equal(stage_dir(w->stage, "d", &w->fault), ERR_EXISTS);
    assert_int_equal(small(w, "d/f", "x"), 0);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 1);
    assert_int_equal(w->refused_why.code, ERR_REFUSED);
    assert_string_equal(w->refused_path, "d/f");
    assert_int_equal(scratch_count(&w->scratch, "out"), 0);
}

static void a_full_batch_commits_by_itself(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    char path[32];
    for (int i = 0; i < 1025; i++) {
        snprintf(path, sizeof path, "f%04d", i);
        assert_int_equal(small(w, path, path), 0);
    }
    assert_true(scratch_exists(&w->scratch, "dest/f1023"));
    assert_false(scratch_exists(&w->scratch, "dest/f1024"));
    assert_int_equal(commit(w), 0);
    assert_true(scratch_exists(&w->scratch, "dest/f1024"));
}

static void a_batch_takes_long_paths(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    char path[PATH_BYTES_MAX + 1];
    memset(path, 'x', sizeof path);
    for (size_t i = 200; i < PATH_BYTES_MAX - 1; i += 200) {
        path[i] = '/';
        path[i + 1] = '\0';
        path[i] = '\0';
        assert_int_equal(stage_dir(w->stage, path, &w->fault), 0);
        path[i] = '/';
        path[i + 1] = 'x';
    }
    path[PATH_BYTES_MAX] = '\0';
    for (int i = 0; i < 200; i++) { /* more than the text of one batch holds */
        path[PATH_BYTES_MAX - 2] = (char)('a' + i / 26);
        path[PATH_BYTES_MAX - 1] = (char)('a' + i % 26);
        assert_int_equal(small(w, path, "x"), 0);
    }
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
}

/* ---- what is there already */

static void verdicts_follow_the_policy(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "dest/f", "12345");
    scratch_text(&w->scratch, "dest/same", "12345");
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = plain.mtime_s, .tv_nsec = plain.mtime_ns}};
    assert_int_equal(utimensat(AT_FDCWD, scratch_at(&w->scratch, "dest/same").s, times, 0), 0);
    scratch_dir(&w->scratch, "dest/d");
    static const enum stage_verdict other[IF_EXISTS_COUNT] = {STAGE_CONFLICT, STAGE_SKIP, STAGE_FETCH, STAGE_FETCH};
    static const enum stage_verdict file_for_dir[IF_EXISTS_COUNT] = {STAGE_CONFLICT, STAGE_SKIP, STAGE_FETCH, STAGE_CONFLICT};
    static const enum stage_verdict dir_for_file[IF_EXISTS_COUNT] = {STAGE_CONFLICT, STAGE_SKIP, STAGE_CONFLICT,
                                                                     STAGE_CONFLICT};
    for (int p = 0; p < IF_EXISTS_COUNT; p++) {
        open_stage(w, (enum if_exists)p);
        assert_int_equal(check(w, "new", ENTRY_FILE, 5), STAGE_FETCH);
        assert_int_equal(check(w, "no/where", ENTRY_FILE, 5), STAGE_FETCH);
        assert_int_equal(check(w, "same", ENTRY_FILE, 5), STAGE_HAVE);
        assert_int_equal(check(w, "same", ENTRY_FILE, 6), other[p]);
        assert_int_equal(check(w, "f", ENTRY_FILE, 5), other[p]);
        assert_int_equal(check(w, "d", ENTRY_DIR, 0), STAGE_HAVE);
        assert_int_equal(check(w, "d", ENTRY_FILE, 5), file_for_dir[p]);
        assert_int_equal(check(w, "f", ENTRY_DIR, 0), dir_for_file[p]);
        close_stage(w, true);
    }
}

static void an_existing_file_is_refused_at_commit_too(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "f", "new"), 0);
    assert_int_equal(small(w, "g", "new"), 0);
    scratch_text(&w->scratch, "dest/f", "someone else's");
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 1);
    assert_int_equal(w->refused_why.code, ERR_EXISTS);
    scratch_assert_text(&w->scratch, "dest/f", "someone else's");
    scratch_assert_text(&w->scratch, "dest/g", "new");
    close_stage(w, false);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 2); /* what was refused is not kept */
}

static void rename_finds_a_free_name_once(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "dest/f.txt", "old");
    for (int i = 0; i < 2; i++) {
        open_stage(w, IF_EXISTS_RENAME);
        assert_int_equal(check(w, "f.txt", ENTRY_FILE, 5), i == 0 ? STAGE_FETCH : STAGE_HAVE);
        if (i == 0) {
            assert_int_equal(small(w, "f.txt", "12345"), 0);
            assert_int_equal(commit(w), 0);
        }
        close_stage(w, true);
    }
    scratch_assert_text(&w->scratch, "dest/f.txt", "old");
    scratch_assert_text(&w->scratch, "dest/f (2).txt", "12345");
    assert_int_equal(scratch_count(&w->scratch, "dest"), 2);
}

static void free_names_keep_the_extension_and_fit(void **state)
{
    (void)state;
    char out[ENTRY_NAME_MAX + 1], name[ENTRY_NAME_MAX + 1];
    stage_free_name("a.txt", 2, out);
    assert_string_equal(out, "a (2).txt");
    stage_free_name(".profile", 12, out);
    assert_string_equal(out, ".profile (12)");
    stage_free_name("README", 3, out);
    assert_string_equal(out, "README (3)");
    for (size_t i = 0; i + 1 < sizeof name; i += 2) { /* of two-byte characters */
        memcpy(name + i, "\xc3\xa9", 2);
    }
    name[254] = 'x';
    name[255] = '\0';
    stage_free_name(name, 2, out);
    assert_true(strlen(out) <= ENTRY_NAME_MAX);
    assert_string_equal(out + strlen(out) - 4, " (2)");
    assert_int_equal((strlen(out) - 4) % 2, 0);
}

static void overwrite_replaces_what_the_plan_saw(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "dest/f", "old");
    scratch_link(&w->scratch, "dest/l", "f");
    open_stage(w, IF_EXISTS_OVERWRITE);
    assert_int_equal(check(w, "f", ENTRY_FILE, 5), STAGE_FETCH);
    assert_int_equal(check(w, "l", ENTRY_FILE, 5), STAGE_FETCH);
    assert_int_equal(small(w, "f", "12345"), 0);
    assert_int_equal(small(w, "l", "67890"), 0);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
    scratch_assert_text(&w->scratch, "dest/f", "12345");
    scratch_assert_text(&w->scratch, "dest/l", "67890");
    assert_true(S_ISREG(look(w, "dest/l").st_mode));
    close_stage(w, true);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 2);
}

static void overwrite(struct world *w, int meets)
{
    scratch_text(&w->scratch, "dest/f", "old");
    open_stage(w, IF_EXISTS_OVERWRITE);
    assert_int_equal(check(w, "f", ENTRY_FILE, 5), STAGE_FETCH);
    assert_int_equal(small(w, "f", "12345"), 0);
    trap.exchange_meets = meets;
    assert_int_equal(commit(w), 0);
    trap.exchange_meets = 0;
}

static void p2_a_file_changed_since_the_plan_is_kept(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "dest/f", "old");
    open_stage(w, IF_EXISTS_OVERWRITE);
    assert_int_equal(check(w, "f", ENTRY_FILE, 5), STAGE_FETCH);
    assert_int_equal(small(w, "f", "12345"), 0);
    scratch_text(&w->scratch, "dest/f", "edited");
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 1);
    assert_int_equal(w->refused_why.code, ERR_CHANGED);
    scratch_assert_text(&w->scratch, "dest/f", "edited");
}

static void p2_a_file_replaced_during_the_exchange_is_given_back(void **state)
{
    struct world *w = *state;
    overwrite(w, 1);
    assert_int_equal(w->refused_why.code, ERR_CHANGED);
    scratch_assert_text(&w->scratch, "dest/f", "edited by another");
    close_stage(w, true);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 1);
}

static void p2_a_file_edited_during_the_exchange_is_given_back(void **state)
{
    struct world *w = *state;
    overwrite(w, 2);
    assert_int_equal(w->refused_why.code, ERR_CHANGED);
    scratch_assert_text(&w->scratch, "dest/f", "edited in place");
}

static void p2_a_file_that_appears_after_the_plan_is_kept(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_OVERWRITE);
    assert_int_equal(check(w, "f", ENTRY_FILE, 5), STAGE_FETCH);
    assert_int_equal(small(w, "f", "12345"), 0);
    scratch_text(&w->scratch, "dest/f", "appeared");
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused_why.code, ERR_CHANGED);
    scratch_assert_text(&w->scratch, "dest/f", "appeared");
}

static void without_exchange_or_noreplace_files_are_placed_too(void **state)
{
    struct world *w = *state;
    overwrite(w, 3);
    assert_int_equal(w->refused, 0);
    scratch_assert_text(&w->scratch, "dest/f", "12345");
    trap.exchange_meets = 4;
    assert_int_equal(small(w, "g", "linked"), 0);
    assert_int_equal(small(w, "f", "refused"), 0);
    assert_int_equal(commit(w), 0);
    trap.exchange_meets = 0;
    scratch_assert_text(&w->scratch, "dest/g", "linked");
    scratch_assert_text(&w->scratch, "dest/f", "12345");
    assert_int_equal(w->refused, 1);
    assert_int_equal(look(w, "dest/g").st_nlink, 1);
}

static void links_are_placed_as_links(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(stage_link(w->stage, "l", "/etc/passwd", &plain, &w->fault), 0);
    assert_int_equal(stage_link(w->stage, "l", "other", &plain, &w->fault), ERR_EXISTS);
    assert_int_equal(stage_link(w->stage, "m", "", &plain, &w->fault), ERR_NOT_FOUND);
    char target[64] = "";
    assert_int_equal(readlink(scratch_at(&w->scratch, "dest/l").s, target, sizeof target - 1), 11);
    assert_string_equal(target, "/etc/passwd");
    assert_int_equal(look(w, "dest/l").st_mtim.tv_sec, plain.mtime_s);
    struct entry e = {.kind = ENTRY_LINK, .target = "/etc/passwd", .target_len = 11};
    enum stage_verdict verdict;
    assert_int_equal(stage_check(w->stage, "l", &e, &verdict, &w->fault), 0);
    assert_int_equal(verdict, STAGE_HAVE);
}

/* ---- the staging folder */

static void stages_are_locked(void **state)
{
    struct world *w = *state;
    struct stage *other;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(stage_open(scratch_at(&w->scratch, "dest").s, KEY, IF_EXISTS_REFUSE, &other, &w->fault), ERR_LOCKED);
    assert_int_equal(stage_open(scratch_at(&w->scratch, "dest").s, "other", IF_EXISTS_REFUSE, &other, &w->fault), 0);
    stage_close(other, true);
    close_stage(w, true);
    open_stage(w, IF_EXISTS_REFUSE);
}

static void keys_are_checked(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "", "../x", "A", "a b", "0", "a/b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(stage_open(scratch_at(&w->scratch, "dest").s, bad[i], IF_EXISTS_REFUSE, &w->stage, &w->fault),
                         ERR_USAGE);
    }
}

static void s15_a_staging_folder_that_is_not_ours_alone_is_refused(void **state)
{
    struct world *w = *state;
    struct stage *s;
    struct scratch_path dest = scratch_at(&w->scratch, "dest");
    scratch_dir(&w->scratch, "elsewhere");
    scratch_link(&w->scratch, "dest/" STAGE_PREFIX KEY, "../elsewhere");
    assert_int_not_equal(stage_open(dest.s, KEY, IF_EXISTS_REFUSE, &s, &w->fault), 0);
    assert_int_equal(scratch_count(&w->scratch, "elsewhere"), 0);
    assert_int_equal(unlink(scratch_at(&w->scratch, "dest/" STAGE_PREFIX KEY).s), 0);
    scratch_dir(&w->scratch, "dest/" STAGE_PREFIX KEY);
    assert_int_equal(chmod(scratch_at(&w->scratch, "dest/" STAGE_PREFIX KEY).s, 0755), 0);
    assert_int_equal(stage_open(dest.s, KEY, IF_EXISTS_REFUSE, &s, &w->fault), ERR_REFUSED);
    assert_int_equal(chmod(scratch_at(&w->scratch, "dest/" STAGE_PREFIX KEY).s, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(scratch_at(&w->scratch, "dest/" STAGE_PREFIX KEY).s, 65534, 65534), 0);
        assert_int_equal(stage_open(dest.s, KEY, IF_EXISTS_REFUSE, &s, &w->fault), ERR_REFUSED);
    }
}

/* ---- resume */

static bool again(struct world *w, const char *path, const char *text)
{
    bool found;
    assert_int_equal(stage_small_again(w->batch, path, strlen(text), 7, &plain, &found, &w->fault), 0);
    return found;
}

static void p15_p38_small_files_of_a_killed_attempt_are_found(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "a", "first"), 0);
    assert_int_equal(small(w, "b", "second"), 0);
    killed(w);
    assert_false(scratch_exists(&w->scratch, "dest/a"));
    open_stage(w, IF_EXISTS_REFUSE);
    assert_true(again(w, "a", "first"));
    assert_false(again(w, "b", "other size"));
    assert_false(again(w, "c", "second"));
    bool found;
    assert_int_equal(stage_small_again(w->batch, "b", 6, 8, &plain, &found, &w->fault), 0);
    assert_false(found); /* another token: the source has changed */
    assert_int_equal(small(w, "b", "second"), 0);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
    scratch_assert_text(&w->scratch, "dest/a", "first");
    scratch_assert_text(&w->scratch, "dest/b", "second");
    assert_int_equal(look(w, "dest/a").st_mode & 07777, 0640);
    close_stage(w, true);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 2);
}

/* Calls `each` with the path of every staged file whose name ends so. */
static void staged_files(struct world *w, const char *ending, void (*each)(const char *path))
{
    char command[700], path[1024];
    snprintf(command, sizeof command, "find '%s/dest/%s%s' -type f -name '*%s'", w->scratch.path, STAGE_PREFIX, KEY, ending);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    int n = 0;
    while (fgets(path, sizeof path, p)) {
        path[strcspn(path, "\n")] = '\0';
        if (!strstr(path, "/lock")) {
            each(path);
            n++;
        }
    }
    pclose(p);
    assert_true(n > 0);
}

static void flip_first_byte(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char c;
    assert_int_equal(pread(fd, &c, 1, 0), 1);
    c = (char)~c;
    assert_int_equal(pwrite(fd, &c, 1, 0), 1);
    close(fd);
}

static void p39_a_corrupted_small_file_is_not_found(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "a", "first"), 0);
    killed(w);
    staged_files(w, "", flip_first_byte);
    open_stage(w, IF_EXISTS_REFUSE);
    assert_false(again(w, "a", "first"));
    assert_int_equal(commit(w), 0);
    assert_false(scratch_exists(&w->scratch, "dest/a"));
}

static void staged_names_of_other_forms_are_left_alone(void **state)
{
    (void)state;
    struct hash128 key, content, k, c;
    memset(&key, 0x5a, sizeof key);
    memset(&content, 0xff, sizeof content);
    struct stage_name name = stage_small_name(&key, &content);
    assert_string_equal(name.s, "ljnfuws2ljnfuws2ljnfuws2li-77777777777777777777777774");
    assert_int_equal(stage_small_parse(name.s, &k, &c), 0);
    assert_true(hash128_equal(&k, &key) && hash128_equal(&c, &content));
    for (size_t i = 0; i < strlen(name.s); i++) {
        struct stage_name bad = name;
        bad.s[i] = '!';
        assert_int_equal(stage_small_parse(bad.s, &k, &c), ERR_MALFORMED);
        bad.s[i] = '\0';
        assert_int_equal(stage_small_parse(bad.s, &k, &c), ERR_MALFORMED);
    }
    assert_int_equal(stage_small_parse("", &k, &c), ERR_MALFORMED);
    assert_int_equal(stage_small_parse("lock", &k, &c), ERR_MALFORMED);
}

/* ---- large files */

#define BLOCKS 5
#define LARGE_SIZE (BLOCKS * (uint64_t)BLOCK_BYTES - 100)

static void make_block(uint64_t i, uint8_t *buf)
{
    for (size_t k = 0; k < BLOCK_BYTES; k++) {
        buf[k] = (uint8_t)(k * 31 + i * 7 + k / 251 + 1);
    }
}

static int put(struct world *w, struct stage_file *f, uint64_t i)
{
    static uint8_t buf[BLOCK_BYTES];
    make_block(i, buf);
    size_t n = i == BLOCKS - 1 ? BLOCK_BYTES - 100 : BLOCK_BYTES;
    struct hash128 hash = hash128_of(buf, n);
    return stage_file_write(f, i, buf, n, &hash, &w->fault);
}

static void assert_large(struct world *w, const char *name)
{
    static uint8_t expected[BLOCK_BYTES], found[BLOCK_BYTES];
    int fd = open(scratch_at(&w->scratch, name).s, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        size_t n = i == BLOCKS - 1 ? BLOCK_BYTES - 100 : BLOCK_BYTES;
        make_block(i, expected);
        assert_int_equal(read(fd, found, BLOCK_BYTES), n);
        assert_memory_equal(found, expected, n);
    }
    close(fd);
}

static struct stage_file *open_large(struct world *w, uint64_t have_expected)
{
    struct stage_file *f;
    uint64_t have;
    assert_int_equal(stage_file_open(w->stage, "big", LARGE_SIZE, 9, &f, &have, &w->fault), 0);
    assert_int_equal(have, have_expected);
    assert_int_equal(stage_file_missing(f), BLOCKS - have);
    return f;
}

static void a_large_file_is_filled_in_any_order(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 0);
    static const uint64_t order[] = {4, 0, 2, 3, 2};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        assert_int_equal(put(w, f, order[i]), 0);
        assert_true(stage_file_has(f, order[i]));
    }
    assert_false(stage_file_has(f, 1));
    assert_false(stage_file_has(f, BLOCKS));
    assert_int_equal(stage_file_missing(f), 1);
    assert_int_equal(put(w, f, 1), 0);
    assert_int_equal(put(w, f, BLOCKS), ERR_USAGE);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_false(scratch_exists(&w->scratch, "dest/big"));
    assert_int_equal(commit(w), 0);
    assert_large(w, "dest/big");
    struct stat st = look(w, "dest/big");
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_nsec, plain.mtime_ns);
    close_stage(w, false);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 1); /* no map is left */
}

static void an_unfinished_large_file_is_not_placed(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 0);
    assert_int_equal(put(w, f, 0), 0);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), ERR_STATE);
    assert_int_equal(commit(w), 0);
    assert_false(scratch_exists(&w->scratch, "dest/big"));
    f = open_large(w, 1);
    stage_file_drop(f, false);
    f = open_large(w, 0);
    stage_file_drop(f, true);
}

static void half_fill(struct world *w)
{
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 0);
    assert_int_equal(put(w, f, 0), 0);
    assert_int_equal(put(w, f, 2), 0);
    assert_int_equal(put(w, f, 4), 0);
    stage_file_drop(f, true);
    killed(w);
}

static void finish_rest(struct world *w, uint64_t have_expected)
{
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, have_expected);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        if (!stage_file_has(f, i)) {
            assert_int_equal(put(w, f, i), 0);
        }
    }
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
    assert_large(w, "dest/big");
}

static void p38_a_large_file_of_a_killed_attempt_goes_on(void **state)
{
    struct world *w = *state;
    half_fill(w);
    finish_rest(w, 3);
}

static void p39_corrupted_blocks_are_fetched_again(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".data", flip_first_byte);
    finish_rest(w, 2);
}

static void p39_a_corrupted_map_header_begins_again(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".map", flip_first_byte);
    finish_rest(w, 0);
}

static void cut_map(const char *path)
{
    assert_int_equal(truncate(path, STAGE_MAP_HEADER + 2 * STAGE_MAP_SLOT + 5), 0);
}

static void cut_data(const char *path)
{
    assert_int_equal(truncate(path, 1000), 0);
}

static void p39_cut_maps_and_data_are_not_believed(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".map", cut_map);
    finish_rest(w, 1);
    close_stage(w, true);
    assert_int_equal(unlink(scratch_at(&w->scratch, "dest/big").s), 0);
    half_fill(w);
    staged_files(w, ".data", cut_data);
    finish_rest(w, 0);
}

static void make_link_of(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
}

static void s15_links_in_the_stage_are_replaced(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".data", make_link_of);
    finish_rest(w, 0);
}

static void read_only_now(const char *path)
{
    assert_int_equal(chmod(path, 0400), 0);
}

static void a_finished_file_that_was_not_placed_is_found(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".data", read_only_now);
    finish_rest(w, 3);
}

static void p32_holes_stay_holes(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f;
    uint64_t have, tib = 1ull << 40, blocks = tib / BLOCK_BYTES;
    assert_int_equal(stage_file_open(w->stage, "sparse", tib, 1, &f, &have, &w->fault), 0);
    static uint8_t buf[BLOCK_BYTES];
    memset(buf, 'x', sizeof buf);
    struct hash128 hash = hash128_of(buf, sizeof buf);
    assert_int_equal(stage_file_write(f, 12345, buf, sizeof buf, &hash, &w->fault), 0);
    assert_int_equal(stage_file_hole(f, 0, 12345, &w->fault), 0);
    assert_int_equal(stage_file_hole(f, 12346, blocks - 12346, &w->fault), 0);
    assert_int_equal(stage_file_missing(f), 0);
    assert_int_equal(stage_file_hole(f, 1, blocks, &w->fault), ERR_USAGE);
    assert_int_equal(stage_file_hole(f, UINT64_MAX, 2, &w->fault), ERR_USAGE);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    struct stat st = look(w, "dest/sparse");
    assert_int_equal(st.st_size, tib);
    assert_in_range(st.st_blocks, 1, 2 * BLOCK_BYTES / 512);
}

static void p32_a_hole_over_bytes_that_were_not_believed_reads_as_zeros(void **state)
{
    struct world *w = *state;
    half_fill(w);
    staged_files(w, ".data", flip_first_byte);
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 2);
    assert_int_equal(stage_file_hole(f, 0, BLOCKS, &w->fault), 0);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    int fd = open(scratch_at(&w->scratch, "dest/big").s, O_RDONLY | O_CLOEXEC);
    static uint8_t found[BLOCK_BYTES], expected[BLOCK_BYTES];
    assert_int_equal(read(fd, found, sizeof found), BLOCK_BYTES);
    memset(expected, 0, sizeof expected);
    assert_memory_equal(found, expected, sizeof found); /* block 0 was corrupted, and is a hole now */
    assert_int_equal(pread(fd, found, sizeof found, 2 * BLOCK_BYTES), BLOCK_BYTES);
    make_block(2, expected);
    assert_memory_equal(found, expected, sizeof found); /* block 2 was there */
    close(fd);
}

static void sizes_at_the_limits(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f;
    uint64_t have;
    assert_int_equal(stage_file_open(w->stage, "x", STAGE_FILE_BYTES_MAX + 1, 1, &f, &have, &w->fault), ERR_LIMIT);
    assert_int_equal(stage_file_open(w->stage, "x", UINT64_MAX, 1, &f, &have, &w->fault), ERR_LIMIT);
    assert_int_equal(stage_file_open(w->stage, "empty", 0, 1, &f, &have, &w->fault), 0);
    assert_int_equal(stage_file_missing(f), 0);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    static uint8_t buf[BLOCK_BYTES + 1];
    assert_int_equal(stage_small(w->batch, "block", buf, BLOCK_BYTES, 1, &plain, &w->fault), 0);
    assert_int_equal(stage_small(w->batch, "over", buf, BLOCK_BYTES + 1, 1, &plain, &w->fault), ERR_USAGE);
    assert_int_equal(commit(w), 0);
    assert_int_equal(look(w, "dest/empty").st_size, 0);
    assert_int_equal(look(w, "dest/block").st_size, BLOCK_BYTES);
}

/* ---- streams at once */

struct stream {
    struct world *w;
    struct stage_file *f;
    int number;
};

static void *fill(void *arg)
{
    struct stream *s = arg;
    uint8_t *buf = malloc(BLOCK_BYTES);
    struct fault fault;
    struct stage_batch *b;
    assert_int_equal(stage_batch_new(s->w->stage, failed, s->w, &b, &fault), 0);
    for (uint64_t i = (uint64_t)s->number; i < 64; i += 4) {
        memset(buf, (int)i, BLOCK_BYTES);
        struct hash128 hash = hash128_of(buf, BLOCK_BYTES);
        assert_int_equal(stage_file_write(s->f, i, buf, BLOCK_BYTES, &hash, &fault), 0);
    }
    for (int i = 0; i < 300; i++) {
        char path[64];
        snprintf(path, sizeof path, "d%d/f%d-%d", i % 7, s->number, i);
        assert_int_equal(stage_small(b, path, path, strlen(path), 1, &plain, &fault), 0);
    }
    assert_int_equal(stage_batch_commit(b, &fault), 0);
    stage_batch_free(b);
    free(buf);
    return NULL;
}

static void streams_fill_one_stage_at_once(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stream stream[4];
    pthread_t thread[4];
    struct stage_file *f;
    uint64_t have;
    for (int i = 0; i < 7; i++) {
        char name[24];
        snprintf(name, sizeof name, "d%d", i);
        assert_int_equal(stage_dir(w->stage, name, &w->fault), 0);
    }
    assert_int_equal(stage_file_open(w->stage, "big", 64ull * BLOCK_BYTES, 1, &f, &have, &w->fault), 0);
    for (int i = 0; i < 4; i++) {
        stream[i] = (struct stream){.w = w, .f = f, .number = i};
        assert_int_equal(pthread_create(&thread[i], NULL, fill, &stream[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    assert_int_equal(stage_file_missing(f), 0);
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    assert_int_equal(w->refused, 0);
    int files = 0;
    for (int i = 0; i < 7; i++) {
        char name[24];
        snprintf(name, sizeof name, "dest/d%d", i);
        files += scratch_count(&w->scratch, name);
    }
    assert_int_equal(files, 1200);
    scratch_assert_text(&w->scratch, "dest/d3/f2-24", "d3/f2-24");
}

/* ---- faults */

static void p17_a_failed_sync_fails_the_batch_for_good(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "f", "hello"), 0);
    trap.syncfs_fails = 1;
    assert_int_equal(commit(w), ERR_IO);
    assert_int_equal(commit(w), ERR_IO);
    assert_int_equal(small(w, "g", "hello"), ERR_IO);
    assert_false(scratch_exists(&w->scratch, "dest/f"));
    close_stage(w, false);
    open_stage(w, IF_EXISTS_REFUSE);
    assert_false(again(w, "f", "hello")); /* what could not be synced is not believed at the next attempt */
}

static void p17_a_failed_sync_spoils_large_files_too(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 0);
    assert_int_equal(put(w, f, 0), 0);
    stage_file_drop(f, true);
    assert_int_equal(small(w, "f", "hello"), 0);
    trap.syncfs_fails = 1;
    assert_int_equal(commit(w), ERR_IO);
    close_stage(w, false);
    open_stage(w, IF_EXISTS_REFUSE);
    stage_file_drop(open_large(w, 0), true);
}

static void p17_an_error_one_batch_heard_of_stops_the_others(void **state)
{
    struct world *w = *state;
    struct stage_batch *other;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(stage_batch_new(w->stage, failed, w, &other, &w->fault), 0);
    assert_int_equal(stage_small(other, "f", "x", 1, 1, &plain, &w->fault), 0);
    assert_int_equal(small(w, "g", "x"), 0);
    trap.syncfs_fails = 1;
    assert_int_equal(commit(w), ERR_IO);
    assert_int_equal(stage_batch_commit(other, &w->fault), ERR_IO);
    stage_batch_free(other);
    assert_int_equal(scratch_count(&w->scratch, "dest"), 1); /* the stage alone */
}

static void p17_a_folder_that_cannot_be_synced_is_told(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "f", "hello"), 0);
    trap.fsync_fails = 1;
    assert_int_equal(commit(w), ERR_IO);
    assert_int_equal(commit(w), ERR_IO);
}

static void p20_a_full_disk_loses_nothing(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    assert_int_equal(small(w, "a", "hello"), 0);
    trap.write_fails = 1;
    assert_int_equal(small(w, "b", "hello"), ERR_NOSPACE);
    struct stage_file *f = open_large(w, 0);
    assert_int_equal(put(w, f, 1), 0);
    trap.write_fails = 1;
    assert_int_equal(put(w, f, 2), ERR_NOSPACE);
    assert_false(stage_file_has(f, 2));
    assert_int_equal(put(w, f, 2), 0);
    stage_file_drop(f, true);
    assert_int_equal(commit(w), 0);
    scratch_assert_text(&w->scratch, "dest/a", "hello");
    assert_false(scratch_exists(&w->scratch, "dest/b"));
    close_stage(w, false);
    open_stage(w, IF_EXISTS_REFUSE);
    stage_file_drop(open_large(w, 2), true);
}

static void p20_a_full_file_system(void **state)
{
    struct world *w = *state;
    if (mount("weft", scratch_at(&w->scratch, "dest").s, "tmpfs", 0, "size=1m") != 0) {
        skip(); /* needs root */
    }
    open_stage(w, IF_EXISTS_REFUSE);
    struct stage_file *f = open_large(w, 0);
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < BLOCKS; i++) {
        rc = put(w, f, i);
    }
    assert_int_equal(rc, ERR_NOSPACE);
    assert_non_null(strstr(w->fault.text, "big"));
    uint64_t there = BLOCKS - stage_file_missing(f);
    stage_file_drop(f, true);
    close_stage(w, false);
    open_stage(w, IF_EXISTS_REFUSE);
    stage_file_drop(open_large(w, there), true);
    close_stage(w, true);
    assert_int_equal(umount(scratch_at(&w->scratch, "dest").s), 0);
}

static void p21_short_and_interrupted_writes_do_not_show(void **state)
{
    struct world *w = *state;
    open_stage(w, IF_EXISTS_REFUSE);
    trap.write_is_short = 6;
    assert_int_equal(small(w, "a", "hello, world"), 0);
    struct stage_file *f = open_large(w, 0);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        trap.write_is_short = 6;
        assert_int_equal(put(w, f, i), 0);
    }
    assert_int_equal(stage_file_finish(w->batch, f, &plain, &w->fault), 0);
    assert_int_equal(commit(w), 0);
    scratch_assert_text(&w->scratch, "dest/a", "hello, world");
    assert_large(w, "dest/big");
}

/* ---- maps */

struct seen {
    int n;
    uint64_t last;
    struct hash128 hash;
};

static int see(void *arg, uint64_t block, const struct hash128 *hash)
{
    struct seen *s = arg;
    s->n++;
    s->last = block;
    s->hash = *hash;
    return 0;
}

static void maps_have_the_documented_form(void **state)
{
    (void)state;
    int fd = memfd_create("map", MFD_CLOEXEC);
    struct hash128 key, hash;
    memset(&key, 0x11, sizeof key);
    memset(&hash, 0x22, sizeof hash);
    uint64_t size = 3 * BLOCK_BYTES + 1;
    assert_int_equal(stage_map_begin(fd, &key, size), 0);
    assert_int_equal(stage_map_put(fd, 3, &hash), 0);
    uint8_t golden[STAGE_MAP_HEADER + 4 * STAGE_MAP_SLOT] = {'w', 'e', 'f', 't', 'm', 'a', 'p', '1'}, found[256];
    memset(golden + 8, 0x11, 16);
    golden[29] = 0x0c; /* 3 * 256 Ki + 1 = 0x0c0001 */
    golden[31] = 0x01;
    golden[33] = 0x04; /* 256 Ki = 0x00040000 */
    memset(golden + STAGE_MAP_HEADER + 3 * STAGE_MAP_SLOT, 0x22, 16);
    assert_int_equal(pread(fd, found, sizeof found, 0), sizeof golden);
    assert_memory_equal(found, golden, sizeof golden);
    struct seen s = {0};
    assert_int_equal(stage_map_read(fd, &key, size, see, &s), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.last, 3);
    assert_true(hash128_equal(&s.hash, &hash));
    assert_int_equal(stage_map_read(fd, &key, size + 1, see, &s), ERR_DAMAGED);
    assert_int_equal(stage_map_read(fd, &hash, size, see, &s), ERR_DAMAGED);
    for (off_t n = 0; n < (off_t)sizeof golden; n++) { /* every truncation */
        int cut = memfd_create("cut", MFD_CLOEXEC);
        assert_int_equal(pwrite(cut, golden, (size_t)n, 0), n);
        s.n = 0;
        assert_int_equal(stage_map_read(cut, &key, size, see, &s), n < STAGE_MAP_HEADER ? ERR_DAMAGED : 0);
        assert_int_equal(s.n, 0);
        close(cut);
    }
    uint8_t more[64 * STAGE_MAP_SLOT]; /* slots behind the last block are none */
    memset(more, 0x33, sizeof more);
    assert_int_equal(pwrite(fd, more, sizeof more, sizeof golden), sizeof more);
    s.n = 0;
    assert_int_equal(stage_map_read(fd, &key, size, see, &s), 0);
    assert_int_equal(s.n, 1);
    close(fd);
}

static void what_the_plan_saw_is_capped(void **state)
{
    (void)state;
    struct stage_seen seen;
    stage_seen_init(&seen);
    char path[32];
    uint64_t token;
    for (unsigned i = 0; i < STAGE_SEEN_MAX; i++) {
        snprintf(path, sizeof path, "%u", i);
        assert_int_equal(stage_seen_put(&seen, path, i), 0);
    }
    assert_int_equal(stage_seen_put(&seen, "one more", 1), ERR_LIMIT);
    assert_false(stage_seen_get(&seen, "one more", &token));
    for (unsigned i = 0; i < STAGE_SEEN_MAX; i += 1001) {
        snprintf(path, sizeof path, "%u", i);
        assert_true(stage_seen_get(&seen, path, &token));
        assert_int_equal(token, i);
    }
    stage_seen_fini(&seen);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_stand_only_after_commit_with_mode_and_time),
        TEST(s14_a_stage_in_an_open_folder_goes_with_it),
        TEST(an_unfinished_stage_without_content_goes_too),
        TEST(p30_setuid_is_dropped_and_odd_umasks_do_not_matter),
        TEST(p36_times_beyond_reason_do_no_harm),
        TEST(p26_bad_paths_and_p27_our_names_are_refused),
        TEST(a_link_in_the_place_of_a_folder_is_not_followed),
        TEST(a_full_batch_commits_by_itself),
        TEST(a_batch_takes_long_paths),
        TEST(verdicts_follow_the_policy),
        TEST(an_existing_file_is_refused_at_commit_too),
        TEST(rename_finds_a_free_name_once),
        TEST(free_names_keep_the_extension_and_fit),
        TEST(overwrite_replaces_what_the_plan_saw),
        TEST(p2_a_file_changed_since_the_plan_is_kept),
        TEST(p2_a_file_replaced_during_the_exchange_is_given_back),
        TEST(p2_a_file_edited_during_the_exchange_is_given_back),
        TEST(p2_a_file_that_appears_after_the_plan_is_kept),
        TEST(without_exchange_or_noreplace_files_are_placed_too),
        TEST(links_are_placed_as_links),
        TEST(stages_are_locked),
        TEST(keys_are_checked),
        TEST(s15_a_staging_folder_that_is_not_ours_alone_is_refused),
        TEST(p15_p38_small_files_of_a_killed_attempt_are_found),
        TEST(p39_a_corrupted_small_file_is_not_found),
        TEST(staged_names_of_other_forms_are_left_alone),
        TEST(a_large_file_is_filled_in_any_order),
        TEST(an_unfinished_large_file_is_not_placed),
        TEST(p38_a_large_file_of_a_killed_attempt_goes_on),
        TEST(p39_corrupted_blocks_are_fetched_again),
        TEST(p39_a_corrupted_map_header_begins_again),
        TEST(p39_cut_maps_and_data_are_not_believed),
        TEST(s15_links_in_the_stage_are_replaced),
        TEST(a_finished_file_that_was_not_placed_is_found),
        TEST(p32_holes_stay_holes),
        TEST(p32_a_hole_over_bytes_that_were_not_believed_reads_as_zeros),
        TEST(sizes_at_the_limits),
        TEST(streams_fill_one_stage_at_once),
        TEST(p17_a_failed_sync_fails_the_batch_for_good),
        TEST(p17_a_failed_sync_spoils_large_files_too),
        TEST(p17_an_error_one_batch_heard_of_stops_the_others),
        TEST(p17_a_folder_that_cannot_be_synced_is_told),
        TEST(p20_a_full_disk_loses_nothing),
        TEST(p20_a_full_file_system),
        TEST(p21_short_and_interrupted_writes_do_not_show),
        TEST(maps_have_the_documented_form),
        TEST(what_the_plan_saw_is_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

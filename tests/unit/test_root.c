/* Roots: nothing outside is reached, whatever a path says and whoever swaps what is on the way. */
#include "limits.h"
#include "root.h"
#include "scratch.h"

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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* When armed, two names are swapped right after the next look at a file; the linker prefers this fstatat to libc's. */
static struct {
    bool armed;
    struct scratch_path from, to;
} trap;

int fstatat(int fd, const char *path, struct stat *st, int flags)
{
    int rc = (int)syscall(SYS_newfstatat, fd, path, st, flags);
    if (trap.armed) {
        trap.armed = false;
        assert_int_equal(renameat2(AT_FDCWD, trap.from.s, AT_FDCWD, trap.to.s, RENAME_EXCHANGE), 0);
    }
    return rc;
}

/* in/ is the root, out/ what must not be reached. */
struct world {
    struct scratch scratch;
    struct root root;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fault fault;
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "in");
    scratch_dir(&w->scratch, "out");
    scratch_text(&w->scratch, "out/secret", "secret");
    assert_int_equal(root_open(scratch_at(&w->scratch, "in").s, &w->root, &fault), 0);
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

static int open_file(struct world *w, const char *path)
{
    int fd = -1;
    struct stat st;
    struct fault fault;
    int rc = root_open_file(&w->root, path, &fd, &st, &fault);
    if (rc == 0) {
        close(fd);
    } else {
        assert_int_equal(fault.code, rc);
        assert_true(fault.text[0] != '\0');
    }
    return rc;
}

static void files_and_folders_are_made_and_found(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct stat st;
    assert_int_equal(root_mkdir(&w->root, "a/b/c", false, &fault), ERR_NOT_FOUND);
    assert_int_equal(root_mkdir(&w->root, "a/b/c", true, &fault), 0);
    assert_int_equal(root_mkdir(&w->root, "a/b/c", false, &fault), 0);
    assert_int_equal(root_mkdir(&w->root, "", false, &fault), 0);
    assert_int_equal(root_stat(&w->root, "a/b", &st, &fault), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(root_stat(&w->root, "", &st, &fault), 0);
    assert_true(S_ISDIR(st.st_mode));
    scratch_text(&w->scratch, "in/a/b/f", "x");
    assert_int_equal(open_file(w, "a/b/f"), 0);
    assert_int_equal(open_file(w, "a/b/g"), ERR_NOT_FOUND);
    assert_int_equal(open_file(w, "a/b/f/g"), ERR_NOT_FOUND);
    assert_int_equal(root_mkdir(&w->root, "a/b/f", false, &fault), ERR_EXISTS);
    assert_int_equal(root_remove(&w->root, "a/b/f", false, &fault), 0);
    assert_int_equal(root_remove(&w->root, "a/b/f", false, &fault), 0);
    assert_int_equal(root_remove(&w->root, "x/y/z", false, &fault), 0);
    assert_int_equal(root_remove(&w->root, "a/b/c", true, &fault), 0);
    assert_false(scratch_exists(&w->scratch, "in/a/b/c"));
}

static void a_removed_folder_is_made_again(void **state)
{
    struct world *w = *state;
    struct fault fault;
    assert_int_equal(root_mkdir(&w->root, "a/b", true, &fault), 0);
    assert_int_equal(rmdir(scratch_at(&w->scratch, "in/a/b").s), 0);
    assert_int_equal(rmdir(scratch_at(&w->scratch, "in/a").s), 0);
    assert_int_equal(root_mkdir(&w->root, "a/b", true, &fault), 0);
    assert_true(scratch_exists(&w->scratch, "in/a/b"));
}

static void p26_paths_that_are_none_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {"..", "../out/secret", "a/../../out", "/etc/passwd", "a//b", "a/", "/",
                                      ".",  "./a",           "a/.",         "a/./b",       "a/..", "/a", "//"};
    struct fault fault;
    struct stat st;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd;
        assert_int_equal(root_open_file(&w->root, bad[i], &fd, &st, &fault), ERR_MALFORMED);
        assert_int_equal(root_open_dir(&w->root, bad[i], &fd, &fault), ERR_MALFORMED);
        assert_int_equal(root_stat(&w->root, bad[i], &st, &fault), ERR_MALFORMED);
        assert_int_equal(root_mkdir(&w->root, bad[i], true, &fault), ERR_MALFORMED);
        assert_int_equal(root_remove(&w->root, bad[i], false, &fault), ERR_MALFORMED);
    }
    char longest[PATH_BYTES_MAX + 2];
    for (size_t i = 0; i < sizeof longest; i++) {
        longest[i] = i % 2 ? '/' : 'a';
    }
    longest[PATH_BYTES_MAX] = '\0';
    assert_int_equal(root_stat(&w->root, longest, &st, &fault), ERR_NOT_FOUND);
    longest[PATH_BYTES_MAX] = 'a';
    longest[PATH_BYTES_MAX + 1] = '\0';
    assert_int_equal(root_stat(&w->root, longest, &st, &fault), ERR_MALFORMED);
}

static void p26_odd_names_are_names(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct stat st;
    char long_name[ENTRY_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    long_name[ENTRY_NAME_MAX] = '\0';
    const char *const odd[] = {"new\nline", "\033[31mred", "-rf", "dot.", "back\\slash",
                               "\xff\xfe",  " ",           "...", "..x",  long_name};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(root_mkdir(&w->root, odd[i], false, &fault), 0);
        assert_int_equal(root_stat(&w->root, odd[i], &st, &fault), 0);
        assert_int_equal(root_mkdir(&w->root, odd[i], false, &fault), 0);
    }
    long_name[ENTRY_NAME_MAX] = 'n';
    long_name[ENTRY_NAME_MAX + 1] = '\0';
    assert_int_equal(root_mkdir(&w->root, long_name, false, &fault), ERR_MALFORMED);
    assert_int_equal(root_stat(&w->root, "no\033such", &st, &fault), ERR_NOT_FOUND);
    assert_null(strchr(fault.text, '\033'));
}

static void p26_a_thousand_folders_deep(void **state)
{
    struct world *w = *state;
    char path[2 * 1000];
    for (size_t i = 0; i < sizeof path; i++) {
        path[i] = i % 2 ? '/' : 'd';
    }
    path[sizeof path - 1] = '\0';
    struct fault fault;
    struct stat st;
    assert_int_equal(root_mkdir(&w->root, path, true, &fault), 0);
    assert_int_equal(root_stat(&w->root, path, &st, &fault), 0);
}

static void p28_links_lead_nowhere(void **state)
{
    struct world *w = *state;
    scratch_link(&w->scratch, "in/abs", "/etc");
    scratch_link(&w->scratch, "in/up", "../out");
    scratch_link(&w->scratch, "in/file", "../out/secret");
    scratch_link(&w->scratch, "in/chain", "up");
    scratch_link(&w->scratch, "in/dangling", "nowhere");
    scratch_dir(&w->scratch, "in/real");
    scratch_text(&w->scratch, "in/real/f", "x");
    scratch_link(&w->scratch, "in/inner", "real"); /* even one that stays inside */
    static const char *const through[] = {"abs/passwd", "up/secret", "chain/secret", "dangling/x", "inner/f"};
    struct fault fault;
    struct stat st;
    int fd;
    for (size_t i = 0; i < sizeof through / sizeof through[0]; i++) {
        assert_int_equal(open_file(w, through[i]), ERR_REFUSED);
        assert_int_equal(root_stat(&w->root, through[i], &st, &fault), ERR_REFUSED);
        assert_int_equal(root_mkdir(&w->root, through[i], true, &fault), ERR_REFUSED);
        assert_int_equal(root_remove(&w->root, through[i], false, &fault), ERR_REFUSED);
    }
    static const char *const at[] = {"abs", "up", "file", "chain", "dangling", "inner"};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        assert_int_equal(open_file(w, at[i]), ERR_REFUSED);
        assert_int_not_equal(root_open_dir(&w->root, at[i], &fd, &fault), 0);
        assert_int_equal(root_stat(&w->root, at[i], &st, &fault), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(root_mkdir(&w->root, at[i], false, &fault), ERR_EXISTS);
        assert_int_equal(root_remove(&w->root, at[i], false, &fault), 0);
    }
    scratch_assert_text(&w->scratch, "out/secret", "secret");
    assert_true(scratch_exists(&w->scratch, "in/real/f"));
}

static void p29_fifos_sockets_and_devices_are_not_opened(void **state)
{
    struct world *w = *state;
    assert_int_equal(mkfifo(scratch_at(&w->scratch, "in/fifo").s, 0600), 0);
    assert_int_equal(open_file(w, "fifo"), ERR_REFUSED); /* and did not wait for a writer */
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%.90s/in/sock", w->scratch.path);
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(open_file(w, "sock"), ERR_REFUSED);
    close(sock);
    if (mknod(scratch_at(&w->scratch, "in/null").s, S_IFCHR | 0600, 0x103) == 0) {
        assert_int_equal(open_file(w, "null"), ERR_REFUSED);
    }
    assert_int_equal(open_file(w, ""), ERR_USAGE);
    scratch_dir(&w->scratch, "in/dir");
    assert_int_equal(open_file(w, "dir"), ERR_REFUSED);
}

/* ---- races: while each operation runs, someone swaps the leaf or its parent between a folder (or file) and a link outside. */

struct swapper {
    struct scratch_path real, link;
    const char *target;
    bool file; /* what the real thing is, else a folder */
    atomic_bool stop;
};

static void remove_any(const char *path)
{
    if (unlink(path)) {
        rmdir(path);
    }
}

/* Whatever an operation has removed or made instead, begin again with the real thing and the link. */
static void mend(struct swapper *s)
{
    remove_any(s->real.s);
    remove_any(s->link.s);
    int fd = s->file ? open(s->real.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : mkdir(s->real.s, 0700);
    if (s->file && fd >= 0) {
        close(fd);
    }
    (void)!symlink(s->target, s->link.s);
}

static void *swap(void *arg)
{
    struct swapper *s = arg;
    for (unsigned i = 1; !s->stop; i++) {
        if (renameat2(AT_FDCWD, s->real.s, AT_FDCWD, s->link.s, RENAME_EXCHANGE) || (s->file && i % 64 == 0)) {
            mend(s);
        }
    }
    return NULL;
}

enum operation { OPEN_FILE, OPEN_DIR, STAT, MKDIR, REMOVE, OPERATIONS };

static void run(struct world *w, enum operation op, const char *path, ino_t secret)
{
    struct fault fault;
    struct stat st;
    int fd = -1;
    int rc = 0;
    switch (op) {
    case OPEN_FILE: rc = root_open_file(&w->root, path, &fd, &st, &fault); break;
    case OPEN_DIR: rc = root_open_dir(&w->root, path, &fd, &fault); break;
    case STAT: rc = root_stat(&w->root, path, &st, &fault); break;
    case MKDIR: rc = root_mkdir(&w->root, path, true, &fault); break;
    default: rc = root_remove(&w->root, path, false, &fault);
    }
    if (rc == 0 && fd >= 0) {
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_not_equal(st.st_ino, secret);
        close(fd);
    }
    if (rc == 0 && op == STAT) {
        assert_int_not_equal(st.st_ino, secret);
    }
}

/* `name` in in/ is swapped with a link to `target` while operations on `path` run. */
static void race(struct world *w, const char *name, bool file, const char *target, const char *path)
{
    struct scratch_path in = scratch_at(&w->scratch, "in");
    struct swapper s = {.link = scratch_at(&w->scratch, "in/link"), .target = target, .file = file};
    struct stat secret;
    pthread_t thread;
    snprintf(s.real.s, sizeof s.real.s, "%.300s/%s", in.s, name);
    mend(&s);
    assert_int_equal(stat(scratch_at(&w->scratch, "out/secret").s, &secret), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
    for (int i = 0; i < 3000; i++) {
        root_close(&w->root); /* no help from the cache */
        struct fault fault;
        assert_int_equal(root_open(in.s, &w->root, &fault), 0);
        run(w, (enum operation)(i % OPERATIONS), path, secret.st_ino);
    }
    s.stop = true;
    pthread_join(thread, NULL);
    scratch_assert_text(&w->scratch, "out/secret", "secret");
    assert_int_equal(scratch_count(&w->scratch, "out"), 1);
}

static void s9_raced_parents_lead_nowhere(void **state)
{
    race(*state, "p", false, "../out", "p/secret");
}

static void s14_raced_grandparents_lead_nowhere(void **state)
{
    race(*state, "p", false, "..", "p/out/made");
}

static void s14_raced_leaves_are_not_followed(void **state)
{
    race(*state, "leaf", true, "../out/secret", "leaf");
}

static void s14_a_leaf_swapped_between_look_and_open_is_not_followed(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "in/leaf", "mine");
    scratch_link(&w->scratch, "in/link", "../out/secret");
    trap.from = scratch_at(&w->scratch, "in/leaf");
    trap.to = scratch_at(&w->scratch, "in/link");
    trap.armed = true;
    assert_int_equal(open_file(w, "leaf"), ERR_REFUSED);
    assert_false(trap.armed);
    trap.armed = true; /* the other way round: a link was seen, now it is a file */
    assert_int_equal(open_file(w, "leaf"), ERR_REFUSED);
    assert_int_equal(open_file(w, "leaf"), 0);
}

static void p29_a_leaf_swapped_for_a_fifo_is_not_waited_for(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "in/leaf", "mine");
    assert_int_equal(mkfifo(scratch_at(&w->scratch, "in/fifo").s, 0600), 0);
    trap.from = scratch_at(&w->scratch, "in/leaf");
    trap.to = scratch_at(&w->scratch, "in/fifo");
    trap.armed = true;
    assert_int_equal(open_file(w, "leaf"), ERR_REFUSED);
}

static void a_missing_root_is_told(void **state)
{
    struct world *w = *state;
    struct root root;
    struct fault fault;
    assert_int_equal(root_open(scratch_at(&w->scratch, "nowhere").s, &root, &fault), ERR_NOT_FOUND);
    assert_non_null(strstr(fault.text, "nowhere"));
    assert_int_not_equal(root_open(scratch_at(&w->scratch, "out/secret").s, &root, &fault), 0);
}

static void a_copy_lives_on_its_own(void **state)
{
    struct world *w = *state;
    struct root copy;
    struct fault fault;
    struct stat st;
    assert_int_equal(root_mkdir(&w->root, "a/b", true, &fault), 0);
    assert_int_equal(root_copy(&w->root, &copy, &fault), 0);
    root_close(&w->root);
    assert_int_equal(root_stat(&copy, "a/b", &st, &fault), 0);
    w->root = copy;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_and_folders_are_made_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_folder_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(p26_paths_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(p26_odd_names_are_names, setup, teardown),
        cmocka_unit_test_setup_teardown(p26_a_thousand_folders_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(p28_links_lead_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(p29_fifos_sockets_and_devices_are_not_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(s9_raced_parents_lead_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(s14_raced_grandparents_lead_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(s14_raced_leaves_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(s14_a_leaf_swapped_between_look_and_open_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(p29_a_leaf_swapped_for_a_fifo_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_root_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_lives_on_its_own, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The state folder: where it is, whose it must be, one holder at a time; the key and the name in it. */
#include "home.h"
#include "scratch.h"

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

struct world {
    struct scratch scratch;
    struct home home;
    struct fault fault;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    assert_int_equal(home_open(scratch_at(&w->scratch, "a/b/home").s, true, &w->home, &w->fault), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    home_close(&w->home);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static struct stat stat_of(const struct home *home, const char *file)
{
    struct stat st;
    assert_int_equal(fstatat(home->fd, file, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void where_follows_xdg(void **state)
{
    (void)state;
    char path[HOME_PATH];
    struct fault fault;
    setenv("HOME", "/home/u", 1);
    unsetenv("WEFT_HOME");
    unsetenv("XDG_STATE_HOME");
    assert_int_equal(home_where(NULL, path, sizeof path, &fault), 0);
    assert_string_equal(path, "/home/u/.local/state/weft");
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_int_equal(home_where(NULL, path, sizeof path, &fault), 0);
    assert_string_equal(path, "/home/u/.local/state/weft");
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_int_equal(home_where(NULL, path, sizeof path, &fault), 0);
    assert_string_equal(path, "/state/weft");
    setenv("WEFT_HOME", "/w", 1);
    assert_int_equal(home_where("", path, sizeof path, &fault), 0);
    assert_string_equal(path, "/w");
    assert_int_equal(home_where("given", path, sizeof path, &fault), 0);
    assert_string_equal(path, "given");
    assert_int_equal(home_where("given", path, 5, &fault), ERR_LIMIT);
}

static void folders_are_made_for_us_alone(void **state)
{
    struct world *w = *state;
    assert_int_equal(stat_of(&w->home, ".").st_mode & 07777, 0700);
    assert_int_equal(stat_of(&w->home, "..").st_mode & 07777, 0700);
    assert_int_equal(w->home.path[0], '/');
}

static void a_home_is_not_made_by_looking(void **state)
{
    struct world *w = *state;
    struct home none;
    assert_int_equal(home_open(scratch_at(&w->scratch, "none").s, false, &none, &w->fault), ERR_NOT_FOUND);
    assert_false(scratch_exists(&w->scratch, "none"));
}

static void s15_a_home_that_others_may_write_is_refused(void **state)
{
    struct world *w = *state;
    struct home again;
    const int bad[] = {0720, 0702, 0777, 01777};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fchmod(w->home.fd, (mode_t)bad[i]);
        assert_int_equal(home_open(w->home.path, true, &again, &w->fault), ERR_DENIED);
        assert_non_null(strstr(w->fault.text, "chmod go-w"));
    }
    fchmod(w->home.fd, 0755); /* to be looked into is its user's choice */
    assert_int_equal(home_open(w->home.path, true, &again, &w->fault), 0);
    home_close(&again);
}

static void a_long_path_is_refused(void **state)
{
    struct world *w = *state;
    struct home long_one;
    char path[HOME_PATH + 10];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(home_open(path, true, &long_one, &w->fault), ERR_LIMIT);
}

/* ---- the lock */

static void a_home_is_held_once(void **state)
{
    struct world *w = *state;
    struct home other;
    assert_int_equal(home_lock(&w->home, &w->fault), 0);
    assert_int_equal(home_open(w->home.path, true, &other, &w->fault), 0);
    assert_int_equal(home_lock(&other, &w->fault), ERR_LOCKED);
    assert_non_null(strstr(w->fault.text, w->home.path));
    home_close(&other);
    home_close(&w->home);
    assert_int_equal(home_open(scratch_at(&w->scratch, "a/b/home").s, true, &w->home, &w->fault), 0);
    assert_int_equal(home_lock(&w->home, &w->fault), 0);
}

static void a_lock_ends_with_its_process(void **state)
{
    struct world *w = *state;
    pid_t child = fork();
    if (child == 0)
        _exit(home_lock(&w->home, &w->fault) == 0 ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(home_lock(&w->home, &w->fault), 0);
}

static void s15_a_lock_that_is_a_link_is_refused(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "elsewhere", "");
    assert_int_equal(symlinkat("../../../elsewhere", w->home.fd, "lock"), 0);
    assert_int_not_equal(home_lock(&w->home, &w->fault), 0);
}

/* ---- the key */

static void a_key_is_made_once(void **state)
{
    struct world *w = *state;
    uint8_t first[SEED_BYTES], again[SEED_BYTES];
    assert_int_equal(home_seed(&w->home, first, &w->fault), 0);
    struct stat st = stat_of(&w->home, "key");
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, SEED_BYTES);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(home_seed(&w->home, again, &w->fault), 0);
    assert_memory_equal(first, again, SEED_BYTES);
    assert_int_equal(home_check_key(&w->home, &w->fault), 0);
}

static void keys_differ(void **state)
{
    struct world *w = *state;
    struct home other;
    uint8_t one[SEED_BYTES], two[SEED_BYTES];
    assert_int_equal(home_open(scratch_at(&w->scratch, "other").s, true, &other, &w->fault), 0);
    assert_int_equal(home_seed(&w->home, one, &w->fault), 0);
    assert_int_equal(home_seed(&other, two, &w->fault), 0);
    assert_memory_not_equal(one, two, SEED_BYTES);
    home_close(&other);
}

/* Both places that read the key must refuse it, and leave it as it is. */
static void assert_refused(struct world *w, int code, const char *words)
{
    uint8_t seed[SEED_BYTES];
    struct stat before = stat_of(&w->home, "key");
    assert_int_equal(home_seed(&w->home, seed, &w->fault), code);
    assert_non_null(strstr(w->fault.text, words));
    assert_int_equal(home_check_key(&w->home, &w->fault), code);
    struct stat after = stat_of(&w->home, "key");
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_size, after.st_size);
}

static void s15_a_key_open_to_others_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t seed[SEED_BYTES];
    assert_int_equal(home_seed(&w->home, seed, &w->fault), 0);
    for (unsigned bit = 1; bit < 0100; bit <<= 1) {
        fchmodat(w->home.fd, "key", 0600 | bit, 0);
        assert_refused(w, ERR_DENIED, "chmod 600");
    }
}

static void s15_a_key_that_is_a_link_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t seed[SEED_BYTES];
    assert_int_equal(home_seed(&w->home, seed, &w->fault), 0);
    assert_int_equal(linkat(w->home.fd, "key", w->home.fd, "second", 0), 0);
    assert_refused(w, ERR_DENIED, "second name");
    unlinkat(w->home.fd, "key", 0);
    assert_int_equal(symlinkat("second", w->home.fd, "key"), 0);
    assert_refused(w, ERR_DENIED, "is a link");
    unlinkat(w->home.fd, "key", 0);
    assert_int_equal(symlinkat("nowhere", w->home.fd, "key"), 0);
    assert_refused(w, ERR_DENIED, "is a link");
}

static void p29_a_key_that_is_no_file_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(mkfifoat(w->home.fd, "key", 0600), 0); /* and is not waited for */
    assert_refused(w, ERR_DENIED, "no plain file");
    unlinkat(w->home.fd, "key", 0);
    assert_int_equal(mkdirat(w->home.fd, "key", 0700), 0);
    assert_refused(w, ERR_DENIED, "no plain file");
}

static void a_key_of_another_length_is_damage(void **state)
{
    struct world *w = *state;
    char bytes[SEED_BYTES + 1] = {0};
    for (size_t n = 0; n <= sizeof bytes; n++) {
        if (n == SEED_BYTES)
            continue;
        scratch_write(&w->scratch, "a/b/home/key", bytes, n);
        fchmodat(w->home.fd, "key", 0600, 0);
        assert_refused(w, ERR_DAMAGED, "damaged");
    }
}

static void s15_a_key_of_another_user_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t seed[SEED_BYTES];
    assert_int_equal(home_seed(&w->home, seed, &w->fault), 0);
    if (fchownat(w->home.fd, "key", 12345, (gid_t)-1, 0) != 0)
        skip(); /* only root can give files away */
    assert_refused(w, ERR_DENIED, "another user");
}

/* ---- the name, and other small texts */

static void texts_are_kept(void **state)
{
    struct world *w = *state;
    char text[16];
    assert_int_equal(home_read(&w->home, "port", text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(home_write(&w->home, "port", "49160", &w->fault), 0);
    assert_int_equal(home_write(&w->home, "port", "49161", &w->fault), 0);
    assert_int_equal(home_read(&w->home, "port", text, sizeof text), 0);
    assert_string_equal(text, "49161");
    scratch_text(&w->scratch, "a/b/home/port", "a text that is much longer than the buffer");
    assert_int_equal(home_read(&w->home, "port", text, sizeof text), 0);
    assert_int_equal(strlen(text), sizeof text - 1);
}

static void a_name_is_remembered(void **state)
{
    struct world *w = *state;
    char name[NAME_MAX_BYTES + 1], again[NAME_MAX_BYTES + 1];
    assert_int_equal(home_name(&w->home, NULL, name, &w->fault), 0);
    assert_true(strlen(name) > 0);
    assert_int_equal(home_name(&w->home, "anna", name, &w->fault), 0);
    assert_int_equal(home_name(&w->home, NULL, again, &w->fault), 0);
    assert_string_equal(again, "anna");
    assert_int_equal(home_name(&w->home, "a/b", name, &w->fault), ERR_USAGE);
    assert_int_equal(home_name(&w->home, "a\nb", name, &w->fault), ERR_USAGE);
    assert_int_equal(home_name(&w->home, NULL, again, &w->fault), 0);
    assert_string_equal(again, "anna");
}

static void a_spoilt_name_is_made_anew(void **state)
{
    struct world *w = *state;
    char name[NAME_MAX_BYTES + 1];
    const char *const bad[] = {"", "../x", "-x", "\xff\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scratch_text(&w->scratch, "a/b/home/name", bad[i]);
        assert_int_equal(home_name(&w->home, NULL, name, &w->fault), 0);
        assert_string_not_equal(name, bad[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_follows_xdg),
        TEST(folders_are_made_for_us_alone),
        TEST(a_home_is_not_made_by_looking),
        TEST(s15_a_home_that_others_may_write_is_refused),
        TEST(a_long_path_is_refused),
        TEST(a_home_is_held_once),
        TEST(a_lock_ends_with_its_process),
        TEST(s15_a_lock_that_is_a_link_is_refused),
        TEST(a_key_is_made_once),
        TEST(keys_differ),
        TEST(s15_a_key_open_to_others_is_refused),
        TEST(s15_a_key_that_is_a_link_is_refused),
        TEST(p29_a_key_that_is_no_file_is_refused),
        TEST(a_key_of_another_length_is_damage),
        TEST(s15_a_key_of_another_user_is_refused),
        TEST(texts_are_kept),
        TEST(a_name_is_remembered),
        TEST(a_spoilt_name_is_made_anew),
    };
    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}

/* Paths of this machine as people type them: what is meant, and what it is called. */
#include "local.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    char real[4096];

    scratch_make(s);
    assert_non_null(realpath(s->path, real));
    assert_true(strlen(real) < sizeof s->path);
    memcpy(s->path, real, strlen(real) + 1);
    scratch_dir(s, "photos");
    scratch_text(s, "photos/cat.jpg", "cat");
    scratch_link(s, "newest", "photos/cat.jpg");
    scratch_link(s, "pictures", "photos");
    scratch_link(s, "nowhere", "gone");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}

/* `path` and `real` are below the scratch folder; "" is that itself. */
static void assert_means(const struct scratch *s, const char *typed, const char *path, const char *real, const char *name)
{
    char whole[600];
    struct local local;
    struct fault why = {0};

    snprintf(whole, sizeof whole, "%s%s%s", s->path, *typed ? "/" : "", typed);
    assert_int_equal(local_find(whole, &local, &why), 0);
    snprintf(whole, sizeof whole, "%s%s%s", s->path, *path ? "/" : "", path);
    assert_string_equal(local.path, whole);
    snprintf(whole, sizeof whole, "%s%s%s", s->path, *real ? "/" : "", real);
    assert_string_equal(local.real, whole);
    assert_string_equal(local.name, name);
    local_fini(&local);
}

static void a_link_is_called_by_its_own_name(void **state)
{
    const struct scratch *s = *state;

    assert_means(s, "photos/cat.jpg", "photos/cat.jpg", "photos/cat.jpg", "cat.jpg");
    assert_means(s, "newest", "newest", "photos/cat.jpg", "newest");
    assert_means(s, "pictures//", "pictures", "photos", "pictures");
    assert_means(s, "pictures/cat.jpg", "photos/cat.jpg", "photos/cat.jpg", "cat.jpg");
}

static void what_says_nothing_is_called_by_its_real_name(void **state)
{
    const struct scratch *s = *state;
    struct local local;
    struct fault why = {0};

    assert_means(s, "photos/.", "photos", "photos", "photos");
    assert_means(s, "photos/../pictures/./", "photos", "photos", "photos");
    assert_means(s, "photos/..", "", "", strrchr(s->path, '/') + 1);
    assert_int_equal(local_find("/", &local, &why), 0);
    assert_string_equal(local.path, "/");
    assert_string_equal(local.name, "");
    local_fini(&local);
}

static void relative_paths_begin_here(void **state)
{
    const struct scratch *s = *state;
    char before[4096];
    struct local local;
    struct fault why = {0};

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch_at(s, "photos").s), 0);
    int bare = local_find("cat.jpg", &local, &why);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(bare, 0);
    assert_string_equal(local.path, scratch_at(s, "photos/cat.jpg").s);
    local_fini(&local);
}

static void what_is_not_there_is_named(void **state)
{
    static const char *const wrong[] = {"dog\033.jpg", "nowhere", "gone/cat.jpg", "photos/cat.jpg/", "photos/cat.jpg/x"};
    const struct scratch *s = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct local local;
        struct fault why = {0};
        assert_true(local_find(scratch_at(s, wrong[i]).s, &local, &why) != 0);
        assert_true(why.code != 0);
        assert_null(strchr(why.text, '\033'));
        local_fini(&local);
    }
}

static void nothing_is_no_path(void **state)
{
    struct local local;
    struct fault why = {0};
    (void)state;

    assert_int_equal(local_find("", &local, &why), ERR_NOT_FOUND);
    local_fini(&local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_link_is_called_by_its_own_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_says_nothing_is_called_by_its_real_name, setup, teardown),
        cmocka_unit_test_setup_teardown(relative_paths_begin_here, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_named, setup, teardown),
        cmocka_unit_test(nothing_is_no_path),
    };

    return cmocka_run_group_tests_name("cli_local", tests, NULL, NULL);
}

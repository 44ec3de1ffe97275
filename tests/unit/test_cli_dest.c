/* Where get puts things, rule by rule, in real folders. */
#include "dest.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    char before[4096];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char *real;

    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "folder");
    scratch_text(&w->scratch, "file", "here before");
    scratch_link(&w->scratch, "to-folder", "folder");
    scratch_link(&w->scratch, "to-nothing", "nowhere");
    assert_non_null(getcwd(w->before, sizeof w->before));
    assert_int_equal(chdir(w->scratch.path), 0);
    real = realpath(".", NULL);
    assert_true(strlen(real) < sizeof w->scratch.path);
    strcpy(w->scratch.path, real);
    free(real);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    assert_int_equal(chdir(w->before), 0);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static void assert_dest(const struct world *w, const char *text, const char *folder, const char *name)
{
    struct dest dest;
    struct fault why = {0};

    if (dest_find(text, true, &dest, &why))
        fail_msg("%s: %s", text, why.text);
    assert_string_equal(dest.folder, *folder ? scratch_at(&w->scratch, folder).s : w->scratch.path);
    if (name)
        assert_string_equal(dest.name, name);
    else
        assert_null(dest.name);
    dest_fini(&dest);
}

static void assert_no_dest(const char *text, bool one, int code, const char *said)
{
    struct dest dest;
    struct fault why = {0};

    assert_int_equal(dest_find(text, one, &dest, &why), code);
    if (!strstr(why.text, said))
        fail_msg("\"%s\" does not say \"%s\"", why.text, said);
    dest_fini(&dest);
}

static void left_out_it_is_here(void **state)
{
    assert_dest(*state, NULL, "", NULL);
    assert_dest(*state, ".", "", NULL);
    assert_dest(*state, "folder/..", "", NULL);
}

static void an_existing_folder_takes_it_in(void **state)
{
    assert_dest(*state, "folder", "folder", NULL);
    assert_dest(*state, "folder/", "folder", NULL);
    assert_dest(*state, "folder///", "folder", NULL);
    assert_dest(*state, "to-folder", "folder", NULL);
    assert_dest(*state, "to-folder/", "folder", NULL);
}

static void what_is_not_there_is_the_new_name(void **state)
{
    struct world *w = *state;

    assert_dest(w, "new", "", "new");
    assert_dest(w, "./new", "", "new");
    assert_dest(w, "folder/new", "folder", "new");
    assert_dest(w, "to-folder//new", "folder", "new");
    assert_dest(w, scratch_at(&w->scratch, "folder/new").s, "folder", "new");
}

static void an_existing_file_is_the_name(void **state)
{
    assert_dest(*state, "file", "", "file");
}

static void the_root_folder(void **state)
{
    (void)state;
    struct dest dest;
    struct fault why;

    assert_int_equal(dest_find("/", true, &dest, &why), 0);
    assert_string_equal(dest.folder, "/");
    dest_fini(&dest);
    assert_int_equal(dest_find("/weft-no-such-name", true, &dest, &why), 0);
    assert_string_equal(dest.folder, "/");
    assert_string_equal(dest.name, "weft-no-such-name");
    dest_fini(&dest);
}

static void errors_say_what_to_do(void **state)
{
    (void)state;
    assert_no_dest("no/such", true, ERR_NOT_FOUND, "mkdir -p");
    assert_no_dest("new/", true, ERR_NOT_FOUND, "leave out the slash");
    assert_no_dest("file/", true, ERR_USAGE, "no such folder");
    assert_no_dest("to-nothing", true, ERR_NOT_FOUND, "link to nothing");
    assert_no_dest("new", false, ERR_USAGE, "several sources");
    assert_no_dest("file", false, ERR_USAGE, "several sources");
    assert_no_dest("", true, ERR_USAGE, "empty");
    assert_no_dest("file/new", true, ERR_NOT_FOUND, "file/new");
    assert_no_dest("no\033[2J/such", true, ERR_NOT_FOUND, "\\x1b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(left_out_it_is_here, setup, teardown),
        cmocka_unit_test_setup_teardown(an_existing_folder_takes_it_in, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_the_new_name, setup, teardown),
        cmocka_unit_test_setup_teardown(an_existing_file_is_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(the_root_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_say_what_to_do, setup, teardown),
    };

    return cmocka_run_group_tests_name("cli_dest", tests, NULL, NULL);
}

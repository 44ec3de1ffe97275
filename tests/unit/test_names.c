/* Which names and paths are acceptable. */
#include "limits.h"
#include "names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_of_nodes_and_shares(void **unused)
{
    (void)unused;
    static const char *const good[] = {"a",  "alice", "my photos", "a.b-c_d", "gr\xc3\xbc\xc3\x9f", "\xe5\x86\x99\xe7\x9c\x9f",
                                       "a~", "1"};
    static const char *const bad[] = {"",
                                      " a",
                                      "a ",
                                      " ",
                                      "-a",
                                      ".a",
                                      ".",
                                      "..",
                                      "a/b",
                                      "a:b",
                                      "a@b",
                                      "a\\b",
                                      "a\nb",
                                      "a\x1b",
                                      "a\x7f",
                                      "a\xc2\x9b",
                                      "a\xe2\x80\xae!",
                                      "a\xff",
                                      "a\xc3",
                                      "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(name_valid(bad[i]));
    char longest[NAME_MAX_BYTES + 2];
    memset(longest, 'a', sizeof longest);
    longest[NAME_MAX_BYTES] = 0;
    assert_true(name_valid(longest));
    longest[NAME_MAX_BYTES] = 'a';
    longest[NAME_MAX_BYTES + 1] = 0;
    assert_false(name_valid(longest));
}

static void p26_entry_names_are_any_bytes_but_those_that_lead_elsewhere(void **unused)
{
    (void)unused;
    static const char *const good[] = {"a",        "...",  "..a", ".a", "-rf", "a\nb", "\x1b[2J",
                                       "\xff\xfe", "a\\b", " ",   "a.", "CON", "~",    "*"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(entry_name_valid(good[i], strlen(good[i])));
    static const char *const bad[] = {"", ".", "..", "/", "a/", "/a", "a/b", "../a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(entry_name_valid(bad[i], strlen(bad[i])));
    assert_false(entry_name_valid("a\0b", 3));
    assert_false(entry_name_valid("..\0", 3));
    char longest[ENTRY_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(entry_name_valid(longest, ENTRY_NAME_MAX));
    assert_false(entry_name_valid(longest, ENTRY_NAME_MAX + 1));
}

static void p26_paths_are_entry_names_joined_by_single_slashes(void **unused)
{
    (void)unused;
    static const char *const good[] = {"", "a", "a/b", "a/.../b", "\xff/\n", "a b/c"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(share_path_valid(good[i], strlen(good[i])));
    static const char *const bad[] = {"/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/..", "a/../b", "a/./b", "//"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(share_path_valid(bad[i], strlen(bad[i])));
    assert_false(share_path_valid("a\0b", 3));
}

static void p26_paths_end_at_their_limits(void **unused)
{
    (void)unused;
    char path[PATH_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 2 ? '/' : 'a';
    assert_true(share_path_valid(path, PATH_BYTES_MAX)); /* 2047 slashes */
    assert_false(share_path_valid(path, PATH_BYTES_MAX + 1));
    memset(path, 'a', sizeof path);
    for (size_t i = ENTRY_NAME_MAX; i < sizeof path; i += ENTRY_NAME_MAX + 1)
        path[i] = '/';
    assert_true(share_path_valid(path, PATH_BYTES_MAX));
    path[ENTRY_NAME_MAX] = 'a';
    assert_false(share_path_valid(path, PATH_BYTES_MAX));
}

static void names_of_staging_folders_are_hidden(void **unused)
{
    (void)unused;
    assert_true(entry_name_hidden(STAGE_PREFIX "x"));
    assert_true(entry_name_hidden(STAGE_PREFIX));
    assert_false(entry_name_hidden(".weft-stage"));
    assert_false(entry_name_hidden("x" STAGE_PREFIX));
    assert_false(entry_name_hidden(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_nodes_and_shares),
        cmocka_unit_test(p26_entry_names_are_any_bytes_but_those_that_lead_elsewhere),
        cmocka_unit_test(p26_paths_are_entry_names_joined_by_single_slashes),
        cmocka_unit_test(p26_paths_end_at_their_limits),
        cmocka_unit_test(names_of_staging_folders_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Error codes and faults. */
#include "err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_a_name_of_its_own(void **unused)
{
    (void)unused;
    for (int code = 0; code < ERR_COUNT; code++) {
        assert_non_null(err_name(code));
        assert_true(strlen(err_text(code)) > 0);
        assert_int_equal(err_from_name(err_name(code)), code);
    }
}

static void unknown_codes_and_names_are_harmless(void **unused)
{
    (void)unused;
    assert_string_equal(err_name(-1), "unknown");
    assert_string_equal(err_name(ERR_COUNT), "unknown");
    assert_string_equal(err_text(1000), "unknown error");
    assert_int_equal(err_from_name("unknown"), ERR_MALFORMED);
    assert_int_equal(err_from_name(""), ERR_MALFORMED);
}

static void errno_values_fall_into_kinds(void **unused)
{
    (void)unused;
    static const struct {
        int errnum, code;
    } cases[] = {
        {ENOSPC, ERR_NOSPACE},
        {EDQUOT, ERR_NOSPACE},
        {EACCES, ERR_DENIED},
        {EPERM, ERR_DENIED},
        {ENOENT, ERR_NOT_FOUND},
        {EEXIST, ERR_EXISTS},
        {ENOMEM, ERR_NOMEM},
        {EMFILE, ERR_FULL},
        {ECONNREFUSED, ERR_UNREACHABLE},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EIO, ERR_IO},
        {EOPNOTSUPP, ERR_UNSUPPORTED},
        {0, ERR_IO},
        {-1, ERR_IO},
        {99999, ERR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(err_from_errno(cases[i].errnum), cases[i].code);
}

static void a_fault_carries_code_and_sentence(void **unused)
{
    (void)unused;
    struct fault f;
    assert_int_equal(fault_set(&f, ERR_NOT_FOUND, "no share '%s' at %s", "x", "alice"), ERR_NOT_FOUND);
    assert_int_equal(f.code, ERR_NOT_FOUND);
    assert_string_equal(f.text, "no share 'x' at alice");
    assert_int_equal(fault_errno(&f, ENOSPC, "cannot write '%s'", "a"), ERR_NOSPACE);
    assert_string_equal(f.text, "cannot write 'a': No space left on device");
    assert_int_equal(fault_set(NULL, ERR_IO, "unheard"), ERR_IO);
    assert_int_equal(fault_errno(NULL, EACCES, "unheard"), ERR_DENIED);
}

static void s32_a_fault_is_one_safe_line(void **unused)
{
    (void)unused;
    struct fault f;
    fault_set(&f, ERR_IO, "%s", "a\nb\x1b[31m\xff \\x0a");
    assert_string_equal(f.text, "a\\x0ab\\x1b[31m\\xff \\x0a"); /* the part that was escaped before stays */
}

static void a_long_sentence_is_cut_at_a_character(void **unused)
{
    (void)unused;
    struct fault f;
    char text[4 * FAULT_TEXT + 1];
    for (size_t start = 0; start < 2; start++) {
        memset(text, 'a', sizeof text);
        for (size_t i = start; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xbc", 2);
        text[sizeof text - 1] = 0;
        fault_set(&f, ERR_IO, "%s", text);
        assert_true(strlen(f.text) < FAULT_TEXT && strlen(f.text) > FAULT_TEXT - 6);
        assert_string_equal(f.text + strlen(f.text) - 5, "\xc3\xbc...");
        fault_errno(&f, EIO, "%s", text);
        assert_true(strlen(f.text) < FAULT_TEXT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_of_its_own), cmocka_unit_test(unknown_codes_and_names_are_harmless),
        cmocka_unit_test(errno_values_fall_into_kinds),     cmocka_unit_test(a_fault_carries_code_and_sentence),
        cmocka_unit_test(s32_a_fault_is_one_safe_line),     cmocka_unit_test(a_long_sentence_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

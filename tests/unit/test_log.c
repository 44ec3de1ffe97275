/* The log and escaping. */
#include "log.h"
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void s33_what_a_terminal_would_act_on_is_escaped(void **unused)
{
    (void)unused;
    static const struct {
        const char *raw, *shown;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\tb\r\n", "a\\x09b\\x0d\\x0a"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\u{009b}31m"},
        {"\xe2\x80\xae"
         "gpj.exe",
         "\\u{202e}gpj.exe"},
        {"\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c", "\\u{2066}\\u{2028}\\u{061c}"},
        {"back\\slash", "back\\\\slash"},
        {"\xff", "\\xff"},
        {"\xc3", "\\xc3"},
        {"\xc3(", "\\xc3("},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128];
        assert_string_equal(escape(cases[i].raw, strlen(cases[i].raw), out, sizeof out), cases[i].shown);
    }
    char out[32];
    assert_string_equal(escape("a\0b", 3, out, sizeof out), "a\\x00b");
}

static void escaping_a_line_twice_changes_nothing(void **unused)
{
    (void)unused;
    char once[128], twice[128];
    escape_line("a\nb\\ \xff \xe2\x80\xae", 10, once, sizeof once);
    assert_string_equal(once, "a\\x0ab\\ \\xff \\u{202e}");
    assert_string_equal(escape_line(once, strlen(once), twice, sizeof twice), once);
}

/* At every size the result fits, is valid, and is either whole or ends in dots; no character and no escape is cut in two. */
static void escape_cuts_at_whole_characters(void **unused)
{
    (void)unused;
    static const char raw[] = "a\xc3\xbc\xe2\x82\xac\x1b\xe2\x80\xae\xff\\z";
    static const uint8_t ends[] = {0, 1, 3, 6, 10, 18, 22, 24}; /* of its characters, once escaped */
    char whole[128];
    escape(raw, sizeof raw - 1, whole, sizeof whole);
    for (size_t cap = 1; cap <= strlen(whole) + 1; cap++) {
        char *out = malloc(cap);
        escape(raw, sizeof raw - 1, out, cap);
        size_t n = strlen(out);
        assert_true(n < cap && utf8_valid(out, n));
        if (cap == strlen(whole) + 1) {
            assert_string_equal(out, whole);
        } else if (cap > 3) {
            assert_string_equal(out + n - 3, "...");
            assert_memory_equal(out, whole, n - 3);
            assert_non_null(memchr(ends, (int)n - 3, sizeof ends));
        }
        free(out);
    }
    char none = 'x';
    escape("abc", 3, &none, 0);
    assert_int_equal(none, 'x');
}

static void utf8_is_shortest_form_without_surrogates(void **unused)
{
    (void)unused;
    static const char *const valid[] = {"",
                                        "a",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {
        "\x80",     "\xbf",         "\xc0\x80",     "\xc1\xbf",         "\xc2",         "\xc2\x7f",         "\xe0\x9f\xbf",
        "\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xfe",     "\xff",         "a\xe2\x82",    "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        assert_true(utf8_valid(valid[i], strlen(valid[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(utf8_valid(wrong[i], strlen(wrong[i])));
    assert_false(utf8_valid("a\0b", 3));
}

struct heard {
    int lines;
    char line[2048];
};

static void hear(void *arg, enum log_level level, const char *module, const char *line)
{
    struct heard *heard = arg;
    heard->lines++;
    snprintf(heard->line, sizeof heard->line, "%s %s %s", log_level_name(level), module, line);
}

static void lines_above_the_level_are_not_made(void **unused)
{
    (void)unused;
    struct heard heard = {0};
    struct log log = {LOG_WARN, hear, &heard};
    log_write(&log, LOG_INFO, "link", "quiet");
    assert_int_equal(heard.lines, 0);
    log_write(&log, LOG_WARN, "link", "%d lost", 3);
    assert_string_equal(heard.line, "warn link 3 lost");
    log_write(NULL, LOG_ERROR, "link", "nobody");
    log_write(&(struct log){LOG_DEBUG, NULL, NULL}, LOG_ERROR, "link", "nobody");
    assert_int_equal(heard.lines, 1);
}

static void s32_a_log_line_is_one_line(void **unused)
{
    (void)unused;
    struct heard heard = {0};
    struct log log = {LOG_DEBUG, hear, &heard};
    log_write(&log, LOG_ERROR, "m", "%s", "x\nerror m: forged");
    assert_string_equal(heard.line, "error m x\\x0aerror m: forged");
    char longer[5000];
    memset(longer, '\n', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    log_write(&log, LOG_ERROR, "m", "%s", longer);
    assert_true(strlen(heard.line) < 1100);
    assert_string_equal(heard.line + strlen(heard.line) - 3, "...");
}

static void a_file_sink_writes_lines(void **unused)
{
    (void)unused;
    char *text = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&text, &n);
    struct log log = {LOG_DEBUG, log_to_file, file};
    log_write(&log, LOG_INFO, "core", "started");
    log_write(&log, LOG_DEBUG, "core", "%s", "more");
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "info core: started\ndebug core: more\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s33_what_a_terminal_would_act_on_is_escaped),
        cmocka_unit_test(escaping_a_line_twice_changes_nothing),
        cmocka_unit_test(escape_cuts_at_whole_characters),
        cmocka_unit_test(utf8_is_shortest_form_without_surrogates),
        cmocka_unit_test(lines_above_the_level_are_not_made),
        cmocka_unit_test(s32_a_log_line_is_one_line),
        cmocka_unit_test(a_file_sink_writes_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

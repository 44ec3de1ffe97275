/* The man pages: every verb has one, every template expands, and mandoc has nothing against any of them. */
#include "err.h"
#include "man.h"
#include "scratch.h"
#include "verbs.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEMPLATES TESTS_DIR "/../cli/man/"

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);

    scratch_make(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}

/* "weft-pipe-resolve.1" for "pipe resolve". */
static void page_name(const char *verb, char *out, size_t cap)
{
    snprintf(out, cap, "weft-%s.1", verb);
    for (; *out; out++)
        if (*out == ' ')
            *out = '-';
}

static void expand(const struct scratch *s, const char *page, const struct verb *verb)
{
    char path[512];

    snprintf(path, sizeof path, "%s%s.in", TEMPLATES, page);
    FILE *template = fopen(path, "r"), *out = fopen(scratch_at(s, page).s, "w");
    if (!template)
        fail_msg("there is no %s", path);
    assert_non_null(out);
    assert_int_equal(man_expand(template, verb, out), 0);
    fclose(template);
    assert_int_equal(fclose(out), 0);
}

static void assert_lint(const struct scratch *s)
{
    char command[512], line[512];

    snprintf(command, sizeof command, "cd %s && mandoc -T lint -W warning *.[157] 2>&1", s->path);
    FILE *lint = popen(command, "r");
    assert_non_null(lint);
    while (fgets(line, sizeof line, lint))
        print_message("%s", line);
    assert_int_equal(pclose(lint), 0);
}

static void every_page_is_clean(void **state)
{
    struct scratch *s = *state;
    char page[64];

    for (size_t i = 0; verbs_at(i); i++) {
        page_name(verbs_at(i)->name, page, sizeof page);
        expand(s, page, verbs_at(i));
    }
    expand(s, "weft.1", NULL);
    expand(s, "weft-json.5", NULL);
    expand(s, "weft-relay.7", NULL);
    assert_lint(s);
}

static void every_template_has_its_verb(void **state)
{
    glob_t found;
    size_t verbs = 0;
    (void)state;

    while (verbs_at(verbs))
        verbs++;
    assert_int_equal(glob(TEMPLATES "*.in", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, verbs + 3);
    globfree(&found);
}

static char *expand_text(const char *text, const struct verb *verb, int *code)
{
    char *made = NULL;
    size_t n;
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r"), *out = open_memstream(&made, &n);

    *code = man_expand(in, verb, out);
    fclose(in);
    fclose(out);
    return made;
}

static void an_unknown_part_is_an_error(void **state)
{
    static const char *const wrong[] = {"@nonsense\n", "@head\n", "@options\n", "@\n"};
    int code;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        free(expand_text(wrong[i], NULL, &code));
        assert_int_equal(code, ERR_MALFORMED);
    }
}

static void parts_come_from_the_table(void **state)
{
    int code;
    char *made = expand_text("@head\nprose @home\n@exit-status 0 5\n", verbs_find("ls"), &code);
    (void)state;

    assert_int_equal(code, 0);
    assert_non_null(strstr(made, ".Dt WEFT-LS 1\n"));
    assert_non_null(strstr(made, ".Op Fl l\n.Op Fl R\n.Op Ar PEER[:SHARE[/PATH]]\n"));
    assert_non_null(strstr(made, "prose @home\n"));
    assert_non_null(strstr(made, ".It 5\n"));
    assert_null(strstr(made, ".It 6\n"));
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_page_is_clean, setup, teardown),
        cmocka_unit_test(every_template_has_its_verb),
        cmocka_unit_test(an_unknown_part_is_an_error),
        cmocka_unit_test(parts_come_from_the_table),
    };

    return cmocka_run_group_tests_name("cli_pages", tests, NULL, NULL);
}

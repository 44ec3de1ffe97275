/* The command line: options in every place and form, and what is said about those that do not exist. */
#include "args.h"
#include "verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct parsed {
    struct args args;
    struct fault why;
    int code;
};

static struct parsed parse(const char *const *words)
{
    struct parsed p = {.why = {.text = ""}};
    char *argv[24] = {(char *)(uintptr_t) "weft"};
    int argc = 1;

    while (words[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    p.code = args_parse(&p.args, argc, argv, &p.why);
    return p;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void assert_wrong(struct parsed p, const char *said)
{
    assert_int_equal(p.code, ERR_USAGE);
    if (!strstr(p.why.text, said))
        fail_msg("\"%s\" does not say \"%s\"", p.why.text, said);
    args_fini(&p.args);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct parsed p = PARSE("--home", "/h", "get", "-n", "bob:x", "--json", "--if-exists=skip", "there", "-q");

    assert_int_equal(p.code, 0);
    assert_string_equal(p.args.verb->name, "get");
    assert_string_equal(args_value(&p.args, "home", ""), "/h");
    assert_string_equal(args_value(&p.args, "if-exists", ""), "skip");
    assert_true(args_has(&p.args, "json") && args_has(&p.args, "dry-run") && args_has(&p.args, "quiet"));
    assert_int_equal(p.args.word_count, 2);
    assert_string_equal(args_word(&p.args, 0), "bob:x");
    assert_string_equal(args_word(&p.args, 1), "there");
    assert_null(args_word(&p.args, 2));
    args_fini(&p.args);
}

static void short_flags_are_joined(void **state)
{
    (void)state;
    struct parsed p = PARSE("ls", "-lRvv");

    assert_int_equal(p.code, 0);
    assert_true(args_has(&p.args, "long") && args_has(&p.args, "recursive"));
    assert_int_equal(args_count(&p.args, "verbose"), 2);
    args_fini(&p.args);
    p = PARSE("ping", "-qc3", "bob");
    assert_int_equal(p.code, 0);
    assert_string_equal(args_value(&p.args, "count", ""), "3");
    args_fini(&p.args);
    p = PARSE("ping", "-c", "3", "bob");
    assert_string_equal(args_value(&p.args, "count", ""), "3");
    args_fini(&p.args);
}

static void values_repeat_in_order_and_the_last_counts(void **state)
{
    (void)state;
    struct parsed p = PARSE("up", "--peer", "a", "--peer=b", "--name", "x", "--name", "y");
    const char **peers = args_values(&p.args, "peer");

    assert_int_equal(p.code, 0);
    assert_string_equal(peers[0], "a");
    assert_string_equal(peers[1], "b");
    assert_null(peers[2]);
    assert_string_equal(args_value(&p.args, "name", ""), "y");
    assert_null(args_values(&p.args, "listen"));
    free(peers);
    args_fini(&p.args);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    struct parsed p = PARSE("share", "--", "--public");

    assert_int_equal(p.code, 0);
    assert_false(args_has(&p.args, "public"));
    assert_string_equal(args_word(&p.args, 0), "--public");
    args_fini(&p.args);
    p = PARSE("join", "-");
    assert_string_equal(args_word(&p.args, 0), "-");
    args_fini(&p.args);
}

static void a_verb_of_two_words(void **state)
{
    (void)state;
    struct parsed p = PARSE("pipe", "--json", "resolve", "bob:files");

    assert_int_equal(p.code, 0);
    assert_string_equal(p.args.verb->name, "pipe resolve");
    assert_string_equal(args_word(&p.args, 0), "bob:files");
    args_fini(&p.args);
    assert_wrong(PARSE("pipe", "resolv", "bob:files"), "did you mean pipe resolve?");
    assert_wrong(PARSE("pipe", "zzzzzz"), "no verb pipe zzzzzz");
    assert_wrong(PARSE("pipe"), "second word");
}

static void what_is_mistyped_is_named(void **state)
{
    (void)state;
    assert_wrong(PARSE("gte", "bob:x"), "did you mean get?");
    assert_wrong(PARSE("shrae", "x"), "did you mean share?");
    assert_wrong(PARSE("frobnicate"), "no verb frobnicate");
    assert_wrong(PARSE("get", "--if-exist", "skip", "bob:x"), "did you mean --if-exists?");
    assert_wrong(PARSE("get", "--jsno", "bob:x"), "did you mean --json?");
    assert_wrong(PARSE("get", "--zzzzzzzz", "bob:x"), "no option --zzzzzzzz for get");
    assert_wrong(PARSE("get", "-Z", "bob:x"), "no option -Z for get");
    assert_wrong(PARSE("-n", "get", "bob:x"), "before the verb");
    assert_wrong(PARSE("get", "--\033[2Jx", "bob:x"), "\\x1b");
}

static void values_and_words_are_counted(void **state)
{
    (void)state;
    assert_wrong(PARSE("get"), "get needs PEER:SHARE");
    assert_wrong(PARSE("ping", "a", "b"), "b is one word too many for ping");
    assert_wrong(PARSE("ping", "a", "--count"), "--count needs a value");
    assert_wrong(PARSE("ping", "a", "-c"), "--count needs a value");
    assert_wrong(PARSE("get", "bob:x", "--dry-run=yes"), "takes no value");
    struct parsed p = PARSE("get", "--help");
    assert_int_equal(p.code, 0);
    args_fini(&p.args);
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct args args;
    struct fault why;
    char *argv[] = {NULL};

    assert_int_equal(args_parse(&args, 0, argv, &why), 0);
    assert_null(args.verb);
    args_fini(&args);
}

/* The table itself: what the other parts rely on. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; verbs_at(i); i++) {
        const struct verb *v = verbs_at(i);
        assert_ptr_equal(verbs_find(v->name), v);
        assert_non_null(v->run);
        assert_true(v->words_max >= v->words_min && strlen(v->summary) > 5);
        for (const struct option *o = v->options; o->name; o++)
            for (const struct option *g = verbs_globals(); g->name; g++) {
                assert_string_not_equal(o->name, g->name);
                assert_true(!o->letter || o->letter != g->letter);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(short_flags_are_joined),
        cmocka_unit_test(values_repeat_in_order_and_the_last_counts),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_verb_of_two_words),
        cmocka_unit_test(what_is_mistyped_is_named),
        cmocka_unit_test(values_and_words_are_counted),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(the_table_is_sound),
    };

    return cmocka_run_group_tests_name("cli_args", tests, NULL, NULL);
}

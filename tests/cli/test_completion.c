/* The completion scripts: bash really completes, in a process of its own with a `weft` that answers like one; fish too, and
 * zsh reads the script without complaint, where they are installed. */
#include "complete.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void write_script(const struct scratch *s, const char *name, void (*put)(FILE *out))
{
    FILE *out = fopen(scratch_at(s, name).s, "w");

    assert_non_null(out);
    put(out);
    assert_int_equal(fclose(out), 0);
}

/* What a shell command prints, all of it; its status must be 0. */
static void run(const struct scratch *s, const char *command, char *out, size_t cap)
{
    char whole[4096];

    snprintf(whole, sizeof whole, "cd %s && export HOME=$PWD && %s 2>&1", s->path, command);
    FILE *pipe = popen(whole, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, cap - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    if (status)
        fail_msg("%s\nended with %d and said: %s", command, status, out);
}

/* Completes a line in bash: the offers, with a bar after each. */
static void offers(const struct scratch *s, const char *line, char *out, size_t cap)
{
    static const char driver[] =
        "weft() { case $2 in peers) printf '%s\\n' anna bob '$(touch HIT)' '`touch HIT`';;"
        " shares) echo mine;; pipes) printf '%s\\n' log bob:log bob:in;; sources) printf '%s\\n' "
        "bob:photos bob:papers 'bob:a b' anna:x;; targets) printf '%s\\n' bob:www 'bob:$(touch HIT)';; esac; }\n"
        "source ./weft.bash\n"
        "COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \\t\\n\"'\"'\"'><=;|&(:'\n"
        "_weft\n"
        "printf '%s|' \"${COMPREPLY[@]}\"\n";
    char command[256];

    scratch_text(s, "driver", driver);
    snprintf(command, sizeof command, "bash ./driver '%s'", line);
    run(s, command, out, cap);
}

static void assert_offers(const struct scratch *s, const char *line, const char *wanted)
{
    char out[4096];

    offers(s, line, out, sizeof out);
    if (strcmp(out, wanted) != 0)
        fail_msg("\"%s\" offers %s\nand not  %s", line, out, wanted);
}

static void bash_completes(void **state)
{
    struct scratch *s = *state;

    write_script(s, "weft.bash", complete_bash);
    assert_offers(s, "weft sh", "share|");
    assert_offers(s, "weft --home /x st", "status|");
    assert_offers(s, "weft pi", "ping|pipe|");
    assert_offers(s, "weft pipe ", "listen|send|connect|ls|resolve|");
    assert_offers(s, "weft pipe send --w", "--wait|");
    assert_offers(s, "weft pipe send lo", "log|");
    assert_offers(s, "weft pipe listen --transport w", "ws|");
    assert_offers(s, "weft get --i", "--if-exists|");
    assert_offers(s, "weft get --if-exists ", "refuse|skip|rename|overwrite|");
    assert_offers(s, "weft --color a", "auto|always|");
    assert_offers(s, "weft completion z", "zsh|");
    assert_offers(s, "weft ping a", "anna|");
    assert_offers(s, "weft unshare ", "mine|");
    assert_offers(s, "weft share --to b", "bob|");
    assert_offers(s, "weft help ver", "version|");
}

static void bash_completes_behind_a_colon(void **state)
{
    struct scratch *s = *state;

    write_script(s, "weft.bash", complete_bash);
    assert_offers(s, "weft get bo", "bob:photos|bob:papers|bob:a\\ b|");
    assert_offers(s, "weft get bob:p", "photos|papers|");
    assert_offers(s, "weft pipe connect bob:", "log|in|");
}

static void bash_completes_files_and_folders(void **state)
{
    struct scratch *s = *state;

    write_script(s, "weft.bash", complete_bash);
    scratch_text(s, "one file", "");
    scratch_dir(s, "one folder");
    assert_offers(s, "weft get bob:x one", "one file|one folder|");
    assert_offers(s, "weft --home one", "one folder|");
}

/* First what is put, then where to. */
static void bash_completes_a_put(void **state)
{
    struct scratch *s = *state;
    char out[4096];

    write_script(s, "weft.bash", complete_bash);
    scratch_text(s, "cat.jpg", "");
    offers(s, "weft put ", out, sizeof out);
    assert_non_null(strstr(out, "cat.jpg|"));
    assert_null(strstr(out, "bob:"));
    assert_offers(s, "weft put c", "cat.jpg|");
    assert_offers(s, "weft put cat.jpg ", "bob:www|bob:\\$\\(touch\\ HIT\\)|");
    assert_offers(s, "weft put cat.jpg bob:w", "www|");
    assert_offers(s, "weft put --if-exists ", "skip|rename|overwrite|");
    assert_false(scratch_exists(s, "HIT"));
}

/* A peer chooses its name; nothing in it may run, neither now nor when the line is entered. */
static void s32_no_name_is_ever_expanded(void **state)
{
    struct scratch *s = *state;

    write_script(s, "weft.bash", complete_bash);
    assert_offers(s, "weft ping ", "anna|bob|\\$\\(touch\\ HIT\\)|\\`touch\\ HIT\\`|");
    assert_false(scratch_exists(s, "HIT"));
}

static void the_scripts_are_well_formed(void **state)
{
    struct scratch *s = *state;
    char out[4096];

    write_script(s, "weft.bash", complete_bash);
    write_script(s, "_weft", complete_zsh);
    write_script(s, "weft.fish", complete_fish);
    run(s, "bash -n weft.bash", out, sizeof out);
    run(s, "! command -v zsh >/dev/null || zsh -n _weft", out, sizeof out);
    run(s, "! command -v fish >/dev/null || fish -n weft.fish", out, sizeof out);
    assert_string_equal(out, "");
}

static void fish_completes(void **state)
{
    struct scratch *s = *state;
    char out[4096];

    write_script(s, "weft.fish", complete_fish);
    run(s,
        "! command -v fish >/dev/null || fish -c 'function weft; echo bob; end; source weft.fish; complete -C \"weft sha\";"
        " complete -C \"weft completion f\"; complete -C \"weft pipe re\"; complete -C \"weft pipe ls re\";"
        " complete -C \"weft pipe ls --r\"; complete -C \"weft pipe listen --rank=1 --o\"; complete -C \"weft ping b\"'",
        out, sizeof out);
    if (*out)
        assert_string_equal(
            out, "share\toffer a file, a folder or a service\nfish\nresolve\tfind out who has a pipe bound, and where\n"
                 "--once\tEnd when the first sender has sent all\nbob\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bash_completes, setup, teardown),
        cmocka_unit_test_setup_teardown(bash_completes_behind_a_colon, setup, teardown),
        cmocka_unit_test_setup_teardown(bash_completes_files_and_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(bash_completes_a_put, setup, teardown),
        cmocka_unit_test_setup_teardown(s32_no_name_is_ever_expanded, setup, teardown),
        cmocka_unit_test_setup_teardown(the_scripts_are_well_formed, setup, teardown),
        cmocka_unit_test_setup_teardown(fish_completes, setup, teardown),
    };

    return cmocka_run_group_tests_name("cli_completion", tests, NULL, NULL);
}

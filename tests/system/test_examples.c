/* The examples do with real nodes what examples/README.md says of them. */
#include "files.h"
#include "harness.h"
#include "putting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID 4096

/* Runs examples/NAME against the node of `home`, with words in a shell's syntax: its output, and what it complained of. */
static void example(struct rig *rig, const char *home, const char *command, char said[SAID])
{
    char line[3 * RIG_PATH];

    snprintf(line, sizeof line, "WEFT_HOME='%s' '%.*s'/../examples/%s 2>&1", rig_path(rig, "%s", home),
             (int)(strrchr(WEFT_PROGRAM, '/') - WEFT_PROGRAM), WEFT_PROGRAM, command);
    FILE *pipe = popen(line, "re");
    assert_non_null(pipe);
    size_t n = fread(said, 1, SAID - 1, pipe);
    said[n] = '\0';
    if (pclose(pipe) != 0)
        fail_msg("%s\n%s", line, said);
}

static void assert_said(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("this does not say \"%s\":\n%s", text, said);
}

static void peers_lists_who_is_here(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;
    char said[SAID];

    node_pair(rig, &bob, &anna);
    example(rig, "anna", "peers", said);
    assert_said(said, "bob");
}

static void fetch_and_publish_bring_a_file_there_and_back(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    char said[SAID], command[2 * RIG_PATH];

    putting_start(rig, &p, 4 * MIB);
    putting_edit(&p, 3, 7);
    snprintf(command, sizeof command, "publish '%s' bob:box", p.mine);
    example(rig, "anna", command, said);
    assert_said(said, "bob:box/file: update\n");
    assert_said(said, "4194304 bytes: sent ");
    assert_same_file(p.mine, p.theirs);

    folder_make(rig_path(rig, "again"));
    snprintf(command, sizeof command, "fetch bob:box/file '%s'", rig_path(rig, "again"));
    example(rig, "anna", command, said);
    assert_said(said, "1 files, 4194304 bytes\n");
    assert_same_file(rig_path(rig, "again/file"), p.theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(peers_lists_who_is_here, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(fetch_and_publish_bring_a_file_there_and_back, rig_setup, rig_teardown),
    };

    return cmocka_run_group_tests_name("system_examples", tests, NULL, NULL);
}

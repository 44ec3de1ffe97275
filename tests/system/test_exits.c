/* Every exit status of the program that a node and a fetch can lead to, each with a sentence that says what to do. Statuses
 * 5, 7, 8 and 130 are in test_get.c, test_home.c and test_resume.c; 9 and 11 belong to sync. */
#include "files.h"
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(struct rig *rig, int status, const char *says)
{
    assert_status(rig_last(rig), status);
    assert_says(rig_last(rig), says);
}

static void exit_0_done(void **state)
{
    struct rig *rig = *state;

    weft(rig, "bob", "version", NULL);
    expect(rig, 0, "weft ");
    weft(rig, "bob", "help", NULL);
    expect(rig, 0, "get");
}

static void exit_1_no_node_says_how_to_start_one(void **state)
{
    struct rig *rig = *state;

    weft(rig, "bob", "peers", NULL);
    expect(rig, 1, "weft up");
    weft(rig, "bob", "get", "anna:x", NULL);
    expect(rig, 1, "weft up");
}

static void exit_2_usage_says_what_was_meant(void **state)
{
    struct rig *rig = *state;

    weft(rig, "bob", "gte", "anna:x", NULL);
    expect(rig, 2, "get");
    weft(rig, "bob", "get", "--if-exist", "skip", "anna:x", NULL);
    expect(rig, 2, "--if-exists");
    weft(rig, "bob", "get", NULL);
    expect(rig, 2, "usage:");
}

static void exit_3_unreachable_names_the_peer(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    node_befriend(rig, "bob", "anna");
    process_kill(bob, SIGTERM);
    assert_status(bob, 0);
    weft(rig, "anna", "get", "bob:x", rig->dir, NULL);
    expect(rig, 3, "bob");
    weft(rig, "anna", "ping", "bob", NULL);
    expect(rig, 3, "bob");
}

static void exit_4_refused_for_a_used_ticket(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    weft(rig, "bob", "invite", NULL);
    assert_status(rig_last(rig), 0);
    char *ticket = stdout_of(rig_last(rig));
    ticket[strcspn(ticket, "\n")] = 0;
    weft(rig, "anna", "join", ticket, NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "anna", "join", ticket, NULL);
    expect(rig, 4, "ask for a new one");
    free(ticket);
}

static void exit_6_not_found_says_what_there_is(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    folder_make(rig_path(rig, "folder"));
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "folder"), "--public", NULL), 0);
    weft(rig, "anna", "get", "bbo:folder", rig->dir, NULL);
    expect(rig, 6, "did you mean");
    weft(rig, "anna", "get", "bob:flder", rig->dir, NULL);
    expect(rig, 6, "flder");
    weft(rig, "anna", "get", "bob:folder/nothing", rig->dir, NULL);
    expect(rig, 6, "nothing");
    weft(rig, "anna", "ls", "bob:folder/nothing", NULL);
    expect(rig, 6, "nothing");
    weft(rig, "bob", "unshare", "flder", NULL);
    expect(rig, 6, "flder");
    weft(rig, "anna", "get", "bob:folder", rig_path(rig, "no/such/place"), NULL);
    expect(rig, 6, "no/such");
}

/* A peer that is frozen, and so does not even refuse. */
static void exit_3_or_10_a_frozen_peer_does_not_hang_anyone(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    process_kill(bob, SIGSTOP);
    weft(rig, "anna", "get", "bob:x", rig->dir, NULL);
    int status = rig_last(rig)->status;
    process_kill(bob, SIGCONT);
    assert_true(status == 3 || status == 10);
    assert_says(rig_last(rig), "bob");
}

static void errors_are_json_too(void **state)
{
    struct rig *rig = *state;

    node_start(rig, "bob");
    weft(rig, "bob", "--json", "get", "nobody:x", rig->dir, NULL);
    expect(rig, 6, "\"error\":\"not-found\"");
    assert_int_equal(json_last(rig_last(rig), "exit"), 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(exit_0_done),
        TEST(exit_1_no_node_says_how_to_start_one),
        TEST(exit_2_usage_says_what_was_meant),
        TEST(exit_3_unreachable_names_the_peer),
        TEST(exit_4_refused_for_a_used_ticket),
        TEST(exit_6_not_found_says_what_there_is),
        TEST(exit_3_or_10_a_frozen_peer_does_not_hang_anyone),
        TEST(errors_are_json_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

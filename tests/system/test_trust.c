/* Who may read what: tickets, fingerprints, audiences, and names that belong to keys. */
#include "files.h"
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct process *bob, *anna;

static int begin(void **state)
{
    if (rig_setup(state) != 0)
        return -1;
    node_pair(*state, &bob, &anna);
    return 0;
}

/* A ticket of this node, in memory of the caller's. */
static char *ticket_of(struct rig *rig, const char *home, const char *expire)
{
    weft(rig, home, "invite", "--expire", expire, NULL);
    assert_status(rig_last(rig), 0);
    char *ticket = stdout_of(rig_last(rig));
    assert_memory_equal(ticket, "weft1", 5);
    ticket[strcspn(ticket, "\n")] = 0;
    assert_null(strchr(ticket, ' '));
    return ticket;
}

static void share(struct rig *rig, const char *audience, const char *who)
{
    file_make(rig_path(rig, "thing"), 1000, 1);
    weft(rig, "bob", "share", rig_path(rig, "thing"), audience, who, NULL);
    assert_status(rig_last(rig), 0);
}

static void a_ticket_makes_both_trust_each_other(void **state)
{
    struct rig *rig = *state;

    share(rig, NULL, NULL);
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 6);
    node_befriend(rig, "bob", "anna");
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 0);
    file_make(rig_path(rig, "other"), 1000, 2);
    assert_int_equal(weft(rig, "anna", "share", rig_path(rig, "other"), NULL), 0);
    weft(rig, "bob", "get", "anna:other", rig_path(rig, "copy2"), NULL);
    assert_status(rig_last(rig), 0);
}

static void a_ticket_works_once(void **state)
{
    struct rig *rig = *state;
    char *ticket = ticket_of(rig, "bob", "10m");

    node_start(rig, "carol");
    node_meets(rig, "carol", "bob");
    weft(rig, "anna", "join", ticket, NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "carol", "join", ticket, NULL);
    assert_status(rig_last(rig), 4);
    assert_says(rig_last(rig), "ticket");
    free(ticket);
}

static bool is_past(void *arg)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > *(time_t *)arg;
}

static void an_expired_ticket_is_refused(void **state)
{
    struct rig *rig = *state;
    struct timespec now;
    char *ticket = ticket_of(rig, "bob", "1s");

    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + 1;
    wait_until(is_past, &end, "the ticket to expire");
    weft(rig, "anna", "join", ticket, NULL);
    assert_status(rig_last(rig), 4);
    assert_says(rig_last(rig), "expired");
    free(ticket);
}

static void a_mistyped_ticket_is_refused(void **state)
{
    struct rig *rig = *state;
    char *ticket = ticket_of(rig, "bob", "10m");

    char *last = ticket + strlen(ticket) - 1;
    *last = *last == 'a' ? 'b' : 'a';
    weft(rig, "anna", "join", ticket, NULL);
    assert_true(process_wait(rig_last(rig)) == 2 || rig_last(rig)->status == 4);
    assert_says(rig_last(rig), "ticket");
    *last = 0;
    weft(rig, "anna", "join", ticket, NULL);
    assert_true(process_wait(rig_last(rig)) == 2 || rig_last(rig)->status == 4);
    weft(rig, "anna", "join", "weft1", NULL);
    assert_true(process_wait(rig_last(rig)) == 2 || rig_last(rig)->status == 4);
    free(ticket);
}

static void unknown_peers_see_what_is_public_only(void **state)
{
    struct rig *rig = *state;

    share(rig, NULL, NULL);
    folder_make(rig_path(rig, "open"));
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "open"), "--public", NULL), 0);
    weft(rig, "anna", "ls", "bob", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "open");
    assert_never_says(rig_last(rig), "thing");
}

static void a_share_for_one_peer_is_for_no_other(void **state)
{
    struct rig *rig = *state;

    node_start(rig, "carol");
    node_meets(rig, "carol", "bob");
    node_befriend(rig, "bob", "anna");
    node_befriend(rig, "bob", "carol");
    share(rig, "--to", "anna");
    weft(rig, "carol", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 6);
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 0);
}

static void untrusted_again_reads_nothing(void **state)
{
    struct rig *rig = *state;

    share(rig, NULL, NULL);
    node_befriend(rig, "bob", "anna");
    weft(rig, "bob", "untrust", "anna", NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 6);
    assert_false(file_there(rig_path(rig, "copy")));
}

static void trust_by_fingerprint_wants_a_yes(void **state)
{
    struct rig *rig = *state;

    weft(rig, "bob", "trust", "anna", NULL); /* stdin is no terminal: never a prompt */
    assert_true(process_wait(rig_last(rig)) != 0);
    assert_says(rig_last(rig), "--yes");
    weft(rig, "bob", "trust", "--yes", "anna", NULL);
    assert_status(rig_last(rig), 0);
    share(rig, NULL, NULL);
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 0);
}

/* Another node takes the name of one that is known. */
static void s25_another_key_under_a_known_name_is_refused_loudly(void **state)
{
    struct rig *rig = *state;
    char port[12];

    node_befriend(rig, "bob", "anna");
    process_kill(bob, SIGTERM);
    assert_status(bob, 0);
    snprintf(port, sizeof port, "%u", rig->beacon_port);
    struct process *impostor = weft_start(rig, "impostor", "up", "--name", "bob", "--json", "--beacon-port", port, NULL);
    wait_for_output(impostor, "\"ready\"");
    wait_for_output(anna, "\"warning\"");
    assert_int_equal(weft(rig, "impostor", "share", rig->dir, "--as", "thing", "--public", NULL), 0);
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "copy"), NULL);
    assert_true(process_wait(rig_last(rig)) == 4 || rig_last(rig)->status == 3);
    assert_false(file_there(rig_path(rig, "copy")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_ticket_makes_both_trust_each_other),
        TEST(a_ticket_works_once),
        TEST(an_expired_ticket_is_refused),
        TEST(a_mistyped_ticket_is_refused),
        TEST(unknown_peers_see_what_is_public_only),
        TEST(a_share_for_one_peer_is_for_no_other),
        TEST(untrusted_again_reads_nothing),
        TEST(trust_by_fingerprint_wants_a_yes),
        TEST(s25_another_key_under_a_known_name_is_refused_loudly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

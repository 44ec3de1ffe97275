/* A node's home: one node at a time, a key that is nobody else's to read, state that survives, damage that is said. */
#include "files.h"
#include "harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Starts a node that is expected not to come up: its exit status. */
static int failing_start(struct rig *rig, const char *home)
{
    char port[12];

    snprintf(port, sizeof port, "%u", rig->beacon_port);
    return weft(rig, home, "up", "--name", "other", "--beacon-port", port, NULL);
}

static void stop(struct process *node, int signal, int status)
{
    process_kill(node, signal);
    assert_status(node, status);
}

static void a_home_has_one_node(void **state)
{
    struct rig *rig = *state;

    node_start(rig, "bob");
    assert_int_equal(failing_start(rig, "bob"), 1);
    assert_says(rig_last(rig), "bob");                     /* which home */
    assert_int_equal(weft(rig, "bob", "status", NULL), 0); /* the first one is none the worse */
}

static void a_home_is_its_owners_alone(void **state)
{
    struct rig *rig = *state;
    struct dirent **list = NULL;
    struct stat st;

    node_start(rig, "bob");
    assert_int_equal(stat(rig_path(rig, "bob"), &st), 0);
    assert_int_equal(st.st_mode & 0077, 0);
    int n = scandir(rig_path(rig, "bob"), &list, NULL, alphasort);
    assert_true(n > 3);
    while (n-- > 0) {
        assert_int_equal(lstat(rig_path(rig, "bob/%s", list[n]->d_name), &st), 0);
        if (S_ISREG(st.st_mode) && (st.st_mode & 0077) != 0)
            fail_msg("%s can be used by others: mode %o", list[n]->d_name, st.st_mode & 0777);
        free(list[n]);
    }
    free(list);
}

/* The one file of 0600 that holds the key, found by what it is: every other name may change. */
static void a_key_that_others_can_read_is_refused(void **state)
{
    struct rig *rig = *state;
    struct process *bob = node_start(rig, "bob");

    stop(bob, SIGTERM, 0);
    assert_int_equal(chmod(rig_path(rig, "bob/key"), 0644), 0);
    assert_true(failing_start(rig, "bob") != 0);
    assert_says(rig_last(rig), "chmod 600");
}

static void a_signal_ends_it_well(void **state)
{
    struct rig *rig = *state;

    stop(node_start(rig, "bob"), SIGTERM, 0);
    stop(node_start(rig, "bob"), SIGINT, 0);
    struct process *bob = node_start(rig, "bob");
    assert_int_equal(weft(rig, "bob", "down", NULL), 0);
    assert_status(bob, 0);
    assert_int_equal(weft(rig, "bob", "status", NULL), 1);
    assert_says(rig_last(rig), "weft up");
}

/* Goodbyes are sent: the other side knows at once, without waiting for silence. */
static bool anna_sees_no_link(void *arg)
{
    struct rig *rig = arg;
    unsigned count = rig->count;

    assert_int_equal(weft(rig, "anna", "peers", "--json", NULL), 0);
    char *out = stdout_of(rig_last(rig));
    bool linked = strstr(out, "\"linked\"");
    free(out);
    rig->count = count;
    return !linked;
}

static void goodbyes_are_sent(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    stop(bob, SIGTERM, 0);
    wait_until(anna_sees_no_link, rig, "anna to see that bob has gone");
}

static void shares_and_trust_survive_a_kill(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    node_befriend(rig, "bob", "anna");
    file_make(rig_path(rig, "file"), 1000, 1);
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "file"), "--as", "thing", NULL), 0);
    stop(bob, SIGKILL, 128 + SIGKILL);
    stop(anna, SIGKILL, 128 + SIGKILL);
    node_start(rig, "bob");
    node_start(rig, "anna");
    node_meets(rig, "anna", "bob");
    weft(rig, "anna", "get", "bob:thing", rig_path(rig, "again"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "file"), rig_path(rig, "again")));
}

/* Fills the database with something else. */
static void spoil_state(struct rig *rig, const void *bytes, size_t n)
{
    stop(node_start(rig, "bob"), SIGTERM, 0);
    assert_true(file_there(rig_path(rig, "bob/state.db")));
    file_save(rig_path(rig, "bob/state.db"), bytes, n);
}

static void a_damaged_database_is_said_and_kept(void **state)
{
    struct rig *rig = *state;
    char garbage[20000];

    memset(garbage, 0x5a, sizeof garbage);
    spoil_state(rig, garbage, sizeof garbage);
    assert_int_equal(failing_start(rig, "bob"), 7);
    assert_says(rig_last(rig), "state.db");
    assert_int_equal(file_size(rig_path(rig, "bob/state.db")), sizeof garbage); /* not thrown away behind the person's back */
}

static void a_torn_database_is_said(void **state)
{
    struct rig *rig = *state;

    stop(node_start(rig, "bob"), SIGTERM, 0);
    assert_int_equal(truncate(rig_path(rig, "bob/state.db"), 5000), 0);
    assert_int_equal(failing_start(rig, "bob"), 7);
    assert_says(rig_last(rig), "state.db");
}

static void a_home_that_cannot_be_written_is_said(void **state)
{
    struct rig *rig = *state;

    file_save(rig_path(rig, "bob"), "a file", 6);
    assert_true(failing_start(rig, "bob") != 0);
    assert_says(rig_last(rig), "bob");
}

static struct process *start_on_disk(struct rig *rig)
{
    struct process *node = weft_start(rig, "disk/home", "up", "--name", "bob", "--json", "--no-beacon", NULL);

    wait_for_output(node, "\"ready\"");
    return node;
}

/* The disk under the home is full: what cannot be remembered is refused, and what was remembered stays. */
static void p20_a_full_disk_under_the_home(void **state)
{
    struct rig *rig = *state;

    if (geteuid() != 0 || !small_disk(rig_path(rig, "disk"), 1 << 20))
        skip_because("needs root, to mount a small disk");
    file_make(rig_path(rig, "file"), 1000, 1);
    struct process *node = start_on_disk(rig);
    assert_int_equal(weft(rig, "disk/home", "share", rig_path(rig, "file"), "--as", "first", NULL), 0);
    file_fill_disk(rig_path(rig, "disk/filler"));
    int status = 0;
    for (int i = 0; i < 40 && status == 0; i++) /* the database may have some room of its own */
        status = weft(rig, "disk/home", "share", rig_path(rig, "file"), "--as", rig_path(rig, "s%d", i) + strlen(rig->dir) + 1,
                      NULL);
    assert_status(rig_last(rig), 8);
    assert_int_equal(unlink(rig_path(rig, "disk/filler")), 0);
    assert_int_equal(weft(rig, "disk/home", "share", rig_path(rig, "file"), "--as", "last", NULL),
                     0); /* there is space again */
    stop(node, SIGTERM, 0);
    start_on_disk(rig);
    assert_int_equal(weft(rig, "disk/home", "ls", "--json", NULL), 0);
    assert_says(rig_last(rig), "\"first\"");
    assert_says(rig_last(rig), "\"last\"");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_home_has_one_node),
        TEST(a_home_is_its_owners_alone),
        TEST(a_key_that_others_can_read_is_refused),
        TEST(a_signal_ends_it_well),
        TEST(goodbyes_are_sent),
        TEST(shares_and_trust_survive_a_kill),
        TEST(a_damaged_database_is_said_and_kept),
        TEST(a_torn_database_is_said),
        TEST(a_home_that_cannot_be_written_is_said),
        TEST(p20_a_full_disk_under_the_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

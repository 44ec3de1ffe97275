/* P38, P18, P19: kill anything at any point; the same command goes on, and hardly a byte is sent twice. */
#include "files.h"
#include "harness.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)
#define BIG (512 * MIB)
#define ENOUGH (24 * MIB) /* moved before the kill */

static struct process *bob, *anna;

static int begin(void **state)
{
    if (rig_setup(state) != 0)
        return -1;
    struct rig *rig = *state;
    folder_make(rig_path(rig, "inbox"));
    file_make(rig_path(rig, "big"), (uint64_t)BIG, 1);
    node_pair(rig, &bob, &anna);
    weft(rig, "bob", "share", rig_path(rig, "big"), "--public", NULL);
    assert_status(rig_last(rig), 0);
    return 0;
}

static bool enough_moved(void *arg)
{
    return json_last(arg, "bytes_moved") >= ENOUGH;
}

/* A get of the big file that has moved some and not all. */
static struct process *half_a_get(struct rig *rig)
{
    struct process *get = weft_start(rig, "anna", "get", "--json", "bob:big", rig_path(rig, "inbox"), NULL);

    wait_until(enough_moved, get, "some of the big file to arrive");
    return get;
}

/* The same command again: it ends well, and both runs together moved the file once. */
static void goes_on(struct rig *rig, const struct process *before)
{
    int64_t moved = json_last(before, "bytes_moved");

    assert_false(file_there(rig_path(rig, "inbox/big")));
    node_meets(rig, "anna", "bob");
    weft(rig, "anna", "get", "--json", "bob:big", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_in_range(moved + json_last(rig_last(rig), "bytes_moved"), moved, BIG + MIB);
    assert_true(tree_same(rig_path(rig, "big"), rig_path(rig, "inbox/big")));
    files_remove(rig_path(rig, "inbox/big"));
    assert_int_equal(rmdir(rig_path(rig, "inbox")), 0); /* no temporary folder is left */
}

static void p38_receiver_killed(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(anna, SIGKILL);
    assert_int_equal(process_wait(anna), 128 + SIGKILL);
    assert_true(process_wait(get) != 0);
    node_start(rig, "anna");
    goes_on(rig, get);
}

static void p38_sender_killed(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(bob, SIGKILL);
    assert_int_equal(process_wait(bob), 128 + SIGKILL);
    assert_status(get, 3);
    assert_says(get, "bob");
    node_start(rig, "bob");
    goes_on(rig, get);
}

static void p38_both_killed(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(anna, SIGKILL);
    process_kill(bob, SIGKILL);
    process_wait(anna);
    process_wait(bob);
    assert_true(process_wait(get) != 0);
    node_start(rig, "bob");
    node_start(rig, "anna");
    goes_on(rig, get);
}

static void interrupted_says_how_to_go_on(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(get, SIGINT);
    assert_status(get, 130);
    assert_says(get, "same command");
    goes_on(rig, get);
}

/* Has the node noticed, and let go of what the transfer held? */
static bool no_transfer_runs(void *arg)
{
    struct rig *rig = arg;
    unsigned count = rig->count;

    assert_int_equal(weft(rig, "anna", "status", "--json", NULL), 0);
    bool none = json_last(rig_last(rig), "transfers") == 0;
    rig->count = count;
    return none;
}

/* A program that goes away without a word leaves the node, which stops fetching for it and keeps what it has. */
static void p38_program_killed(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(get, SIGKILL);
    process_wait(get);
    wait_until(no_transfer_runs, rig, "the node to stop fetching");
    goes_on(rig, get);
}

static void node_stopped_in_the_middle(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(anna, SIGTERM);
    assert_status(anna, 0);
    assert_true(process_wait(get) != 0);
    node_start(rig, "anna");
    goes_on(rig, get);
}

/* P38: what was staged is verified by its hash, not believed by its length. */
static void p38_staged_bytes_are_verified(void **state)
{
    struct rig *rig = *state;
    struct process *get = half_a_get(rig);

    process_kill(anna, SIGKILL);
    process_wait(anna);
    process_wait(get);
    spoil_largest(rig_path(rig, "inbox"), rig_path(rig, "big"), (uint64_t)MIB);
    node_start(rig, "anna");
    node_meets(rig, "anna", "bob");
    weft(rig, "anna", "get", "bob:big", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "big"), rig_path(rig, "inbox/big")));
}

/* Bytes of blocks that the maps in a folder's stage vouch for (store/FORMAT.md). */
static int64_t staged_bytes(const char *folder)
{
    static const unsigned char none[16];
    char pattern[512];
    glob_t maps = {0};
    int64_t bytes = 0;

    snprintf(pattern, sizeof pattern, "%s/.weft-stage-*/*.map", folder);
    glob(pattern, 0, NULL, &maps);
    for (size_t i = 0; i < maps.gl_pathc; i++) {
        unsigned char slot[16];
        FILE *map = fopen(maps.gl_pathv[i], "rb");
        assert_non_null(map);
        fseek(map, 64, SEEK_SET);
        while (fread(slot, sizeof slot, 1, map) == 1)
            bytes += memcmp(slot, none, sizeof none) != 0 ? 256 * 1024 : 0;
        fclose(map);
    }
    globfree(&maps);
    return bytes;
}

/* Killed again and again, it keeps every block that it has written, and asks for no such block another time. */
static void p19_a_restart_loop_sends_no_finished_block_again(void **state)
{
    struct rig *rig = *state;
    int64_t staged = 0;

    for (int i = 0; i < 3; i++) {
        struct process *get = half_a_get(rig);
        process_kill(anna, SIGKILL);
        process_wait(anna);
        process_wait(get);
        assert_true(staged_bytes(rig_path(rig, "inbox")) >= staged + ENOUGH - 2 * MIB);
        staged = staged_bytes(rig_path(rig, "inbox"));
        anna = node_start(rig, "anna");
        node_meets(rig, "anna", "bob");
    }
    weft(rig, "anna", "get", "--json", "bob:big", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(json_last(rig_last(rig), "bytes_moved"), BIG - staged);
    assert_true(tree_same(rig_path(rig, "big"), rig_path(rig, "inbox/big")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(p38_receiver_killed),
        TEST(p38_sender_killed),
        TEST(p38_both_killed),
        TEST(interrupted_says_how_to_go_on),
        TEST(p38_program_killed),
        TEST(node_stopped_in_the_middle),
        TEST(p38_staged_bytes_are_verified),
        TEST(p19_a_restart_loop_sends_no_finished_block_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

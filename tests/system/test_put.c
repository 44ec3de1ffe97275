/* weft put between real nodes: the method (claims GATHER-1 to GATHER-7), what people do with it, and what must be refused. */
#include "files.h"
#include "putting.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (64 * MIB)

static void gather_1_to_7_an_edit_costs_its_own_bytes(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    putting_edit(&p, 10, 2);
    assert_status(putting_put(rig, &p), 0);
    assert_same_file(p.mine, p.theirs);
    assert_in_range(json_last(rig_last(rig), "bytes_sent"), 10 * 4096, 10 * 8192);
    assert_in_range(json_last(rig_last(rig), "bytes_reused"), SIZE - 10 * 8192, SIZE);
    assert_in_range(json_last(rig_last(rig), "bytes_wire"), 10 * 4096, 10 * 8192 + 40 * 1024);
}

/* What was put is the base of the next put. */
static void gather_1_each_put_is_remembered(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    for (unsigned i = 0; i < 3; i++) {
        putting_edit(&p, 3, 10 + i);
        assert_status(putting_put(rig, &p), 0);
        assert_says(rig_last(rig), "\"update\"");
        assert_in_range(json_last(rig_last(rig), "bytes_sent"), 1, 3 * 8192);
        assert_same_file(p.mine, p.theirs);
    }
    assert_status(putting_put(rig, &p), 0); /* nothing has changed */
    assert_int_equal(json_last(rig_last(rig), "bytes_sent"), 0);
    assert_int_equal(json_last(rig_last(rig), "present"), 1);
}

/* The base is not what is there any more: the peer's index is asked for, and only what differs from that travels. */
static void p40_a_stale_base_falls_back(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    putting_edit(&p, 5, 3);
    struct putting theirs = p;
    strcpy(theirs.mine, p.theirs);
    putting_edit(&theirs, 7, 4);
    assert_status(putting_put(rig, &p), 0);
    assert_same_file(p.mine, p.theirs);
    assert_says(rig_last(rig), "peer-index");
    assert_in_range(json_last(rig_last(rig), "bytes_sent"), 5 * 4096, 12 * 8192);
}

static void a_file_nobody_fetched_is_updated_by_the_peers_index(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    weft(rig, "anna", "status", "--forget", NULL);
    assert_status(rig_last(rig), 0);
    putting_edit(&p, 5, 3);
    assert_status(putting_put(rig, &p), 0);
    assert_same_file(p.mine, p.theirs);
    assert_says(rig_last(rig), "peer-index");
}

static void new_files_and_folders_are_put(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, MIB);
    tree_make(rig_path(rig, "mine/tree"), 300);
    file_make(rig_path(rig, "mine/new"), 3 * (uint64_t)MIB, 9);
    weft(rig, "anna", "put", rig_path(rig, "mine/tree"), rig_path(rig, "mine/new"), "bob:box", NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "mine/tree"), rig_path(rig, "box/tree")));
    assert_same_file(rig_path(rig, "mine/new"), rig_path(rig, "box/new"));
    weft(rig, "anna", "put", rig_path(rig, "mine/new"), "bob:box/under another name", NULL);
    assert_status(rig_last(rig), 0);
    assert_same_file(rig_path(rig, "mine/new"), rig_path(rig, "box/under another name"));
    weft(rig, "anna", "put", "--json", rig_path(rig, "mine/tree"), "bob:box", NULL); /* all of it is there */
    assert_status(rig_last(rig), 0);
    assert_int_equal(json_last(rig_last(rig), "bytes_sent"), 0);
}

/* GATHER-7: the source may be any file that the peer may read. */
static void gather_7_a_copy_under_another_name_costs_nothing(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    weft(rig, "anna", "put", "--json", p.mine, "bob:box/copy", NULL);
    assert_status(rig_last(rig), 0);
    assert_same_file(p.mine, rig_path(rig, "box/copy"));
    assert_in_range(json_last(rig_last(rig), "bytes_sent"), 0, 8192);
}

static void a_shared_file_is_replaced(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    weft(rig, "bob", "share", p.theirs, "--as", "single", "--writable", NULL);
    assert_status(rig_last(rig), 0);
    putting_edit(&p, 4, 5);
    weft(rig, "anna", "put", p.mine, "bob:single", NULL);
    assert_status(rig_last(rig), 0);
    assert_same_file(p.mine, p.theirs);
}

static void p32_holes_stay_holes(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    struct stat st;
    putting_start(rig, &p, SIZE);
    assert_int_equal(truncate(p.mine, (off_t)1 << 40), 0);
    assert_status(putting_put(rig, &p), 0);
    assert_int_equal(stat(p.theirs, &st), 0);
    assert_int_equal(st.st_size, (off_t)1 << 40);
    assert_in_range(st.st_blocks * 512, 0, 2 * SIZE);
}

static void a_dry_run_changes_nothing(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    putting_edit(&p, 4, 5);
    file_make(rig_path(rig, "before"), (uint64_t)SIZE, 1);
    weft(rig, "anna", "put", "-n", "--json", p.mine, "bob:box", NULL);
    assert_status(rig_last(rig), 0);
    assert_in_range(json_last(rig_last(rig), "bytes_sent"), 4 * 4096, 4 * 8192);
    assert_int_equal(file_size(p.theirs), SIZE);
    char command[3 * RIG_PATH];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", rig_path(rig, "before"), p.theirs);
    assert_int_equal(system(command), 0);
    weft(rig, "anna", "put", "-n", rig_path(rig, "mine"), "bob:box", NULL);
    assert_status(rig_last(rig), 0);
    assert_false(file_there(rig_path(rig, "box/mine")));
}

static void if_exists_is_obeyed(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, SIZE);
    putting_edit(&p, 4, 5);
    weft(rig, "anna", "put", "--if-exists", "skip", "--json", p.mine, "bob:box", NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(json_last(rig_last(rig), "skipped"), 1);
    weft(rig, "anna", "put", "--if-exists", "rename", p.mine, "bob:box", NULL);
    assert_status(rig_last(rig), 0);
    assert_same_file(p.mine, rig_path(rig, "box/file (2)"));
}

/* ---- what is refused, and says why */

static void a_share_that_is_not_writable(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, MIB);
    weft(rig, "bob", "share", p.box, NULL); /* once more, without --writable */
    assert_status(rig_last(rig), 0);
    putting_edit(&p, 2, 3);
    assert_status(putting_put(rig, &p), 4);
    assert_says(rig_last(rig), "writable");
    weft(rig, "anna", "put", rig_path(rig, "mine"), "bob:box", NULL);
    assert_status(rig_last(rig), 4);
    weft(rig, "anna", "put", p.mine, "bob:nosuch", NULL);
    assert_status(rig_last(rig), 6);
}

static void strangers_may_not_write(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;
    folder_make(rig_path(rig, "box"));
    file_make(rig_path(rig, "file"), (uint64_t)MIB, 1);
    node_pair(rig, &bob, &anna);
    weft(rig, "bob", "share", rig_path(rig, "box"), "--writable", NULL);
    assert_status(rig_last(rig), 0);
    weft(rig, "anna", "put", rig_path(rig, "file"), "bob:box", NULL); /* bob has never trusted her */
    assert_true(rig_last(rig)->status == 6 || rig_last(rig)->status == 4);
    assert_false(file_there(rig_path(rig, "box/file")));
}

static void p29_what_is_no_file_is_not_put(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, MIB);
    const char *fifo = rig_path(rig, "mine/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    weft(rig, "anna", "put", fifo, "bob:box", NULL);
    assert_true(rig_last(rig)->status != 0);
    weft(rig, "anna", "put", "/dev/null", "bob:box", NULL);
    assert_true(rig_last(rig)->status != 0);
    weft(rig, "anna", "put", rig_path(rig, "mine/nothing"), "bob:box", NULL);
    assert_status(rig_last(rig), 6);
    assert_int_equal(mkfifo(rig_path(rig, "box/pipe"), 0600), 0);
    weft(rig, "anna", "put", p.mine, "bob:box/pipe", NULL); /* the target is one */
    assert_true(rig_last(rig)->status != 0);
}

static void p28_a_link_at_the_peer_leads_nowhere(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, MIB);
    folder_make(rig_path(rig, "outside"));
    file_make(rig_path(rig, "outside/secret"), 100000, 7);
    assert_int_equal(symlink("../outside", rig_path(rig, "box/way")), 0);
    assert_int_equal(symlink("../outside/secret", rig_path(rig, "box/leaf")), 0);
    weft(rig, "anna", "put", p.mine, "bob:box/way/secret", NULL);
    assert_true(rig_last(rig)->status != 0);
    weft(rig, "anna", "put", p.mine, "bob:box/way", NULL);
    weft(rig, "anna", "put", p.mine, "bob:box/leaf", NULL);
    assert_int_equal(file_size(rig_path(rig, "outside/secret")), 100000);
    assert_false(file_there(rig_path(rig, "outside/file")));
}

static void a_folder_is_not_put_onto_a_file(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    putting_start(rig, &p, MIB);
    folder_make(rig_path(rig, "mine/dir"));
    weft(rig, "anna", "put", rig_path(rig, "mine/dir"), "bob:box/file", NULL);
    assert_true(rig_last(rig)->status != 0);
    assert_int_equal(file_size(p.theirs), MIB);
    folder_make(rig_path(rig, "box/name"));
    file_make(rig_path(rig, "box/name/kept"), 10, 1);
    file_make(rig_path(rig, "mine/name"), 100, 1);
    weft(rig, "anna", "put", rig_path(rig, "mine/name"), "bob:box", NULL); /* there is a folder of that name */
    assert_true(rig_last(rig)->status != 0);
    assert_true(file_there(rig_path(rig, "box/name/kept")));
    weft(rig, "anna", "put", p.mine, "bob:box/no/such/folder", NULL);
    assert_status(rig_last(rig), 6);
}

static void p20_a_full_disk_keeps_the_old_file(void **state)
{
    struct rig *rig = *state;
    struct putting p;
    if (!small_disk(rig_path(rig, "box"), 96 << 20))
        skip_because("this user may not mount a small disk");
    putting_start(rig, &p, SIZE);
    file_make(rig_path(rig, "before"), (uint64_t)SIZE, 1);
    putting_edit(&p, 4, 5);
    assert_status(putting_put(rig, &p), 8);
    char command[3 * RIG_PATH];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", rig_path(rig, "before"), p.theirs);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gather_1_to_7_an_edit_costs_its_own_bytes, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(gather_1_each_put_is_remembered, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(p40_a_stale_base_falls_back, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_file_nobody_fetched_is_updated_by_the_peers_index, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(new_files_and_folders_are_put, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(gather_7_a_copy_under_another_name_costs_nothing, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_shared_file_is_replaced, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(p32_holes_stay_holes, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_changes_nothing, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(if_exists_is_obeyed, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_share_that_is_not_writable, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(strangers_may_not_write, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(p29_what_is_no_file_is_not_put, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(p28_a_link_at_the_peer_leads_nowhere, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_not_put_onto_a_file, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(p20_a_full_disk_keeps_the_old_file, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

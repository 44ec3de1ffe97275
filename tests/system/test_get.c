/* weft get between two real nodes: what arrives, where, and what happens to what cannot. */
#include "files.h"
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* Bob shares this path with everyone, under its own name. */
static void bob_shares(struct rig *rig, const char *path)
{
    weft(rig, "bob", "share", path, "--public", NULL);
    assert_status(rig_last(rig), 0);
}

/* A pair of nodes, and a folder "inbox" to receive in. */
static void begin(struct rig *rig)
{
    struct process *bob, *anna;

    folder_make(rig_path(rig, "inbox"));
    node_pair(rig, &bob, &anna);
}

static void assert_get(struct rig *rig, const char *source, const char *dest, int status)
{
    weft(rig, "anna", "get", source, dest, "--json", NULL);
    assert_status(rig_last(rig), status);
}

/* ---- what arrives */

static void get_brings_a_tree_just_as_it_is(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    tree_make(rig_path(rig, "tree"), 300);
    bob_shares(rig, rig_path(rig, "tree"));
    weft(rig, "anna", "get", "bob:tree", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "311 files, ");
    assert_true(tree_same(rig_path(rig, "tree"), rig_path(rig, "inbox/tree")));
    assert_int_equal(rmdir(rig_path(rig, "inbox")), -1);
    files_remove(rig_path(rig, "inbox/tree"));
    assert_int_equal(rmdir(rig_path(rig, "inbox")), 0); /* no temporary folder is left */
}

static void get_again_moves_nothing(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    tree_make(rig_path(rig, "tree"), 100);
    bob_shares(rig, rig_path(rig, "tree"));
    assert_get(rig, "bob:tree", rig_path(rig, "inbox"), 0);
    assert_true(json_last(rig_last(rig), "bytes_moved") > 0);
    assert_get(rig, "bob:tree", rig_path(rig, "inbox"), 0);
    assert_int_equal(json_last(rig_last(rig), "bytes_moved"), 0);
    assert_int_equal(json_last(rig_last(rig), "present"), 111); /* links too */
}

static void get_takes_a_part_of_a_share_and_gives_it_a_name(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    tree_make(rig_path(rig, "tree"), 100);
    bob_shares(rig, rig_path(rig, "tree"));
    assert_get(rig, "bob:tree/folder 1", rig_path(rig, "inbox"), 0);
    assert_true(tree_same(rig_path(rig, "tree/folder 1"), rig_path(rig, "inbox/folder 1")));
    assert_get(rig, "bob:tree/folder 1/60", rig_path(rig, "inbox/sixty"), 0);
    assert_true(tree_same(rig_path(rig, "tree/folder 1/60"), rig_path(rig, "inbox/sixty")));
}

static void get_takes_several_sources(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    file_make(rig_path(rig, "one"), 3 * MIB + 1, 1);
    file_make(rig_path(rig, "two"), 0, 2);
    bob_shares(rig, rig_path(rig, "one"));
    bob_shares(rig, rig_path(rig, "two"));
    weft(rig, "anna", "get", "bob:one", "bob:two", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "one"), rig_path(rig, "inbox/one")));
    assert_true(tree_same(rig_path(rig, "two"), rig_path(rig, "inbox/two")));
}

static void p34_sizes_around_a_block_arrive_whole(void **state)
{
    struct rig *rig = *state;
    static const uint64_t sizes[] = {1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1};

    begin(rig);
    folder_make(rig_path(rig, "sizes"));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        file_make(rig_path(rig, "sizes/%zu", i), sizes[i], i);
    bob_shares(rig, rig_path(rig, "sizes"));
    assert_get(rig, "bob:sizes", rig_path(rig, "inbox"), 0);
    assert_true(tree_same(rig_path(rig, "sizes"), rig_path(rig, "inbox/sizes")));
}

static void p32_holes_stay_holes(void **state)
{
    struct rig *rig = *state;
    struct stat st;

    begin(rig);
    int fd = open(rig_path(rig, "holes"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, (off_t)(4096 * MIB)), 0);
    assert_int_equal(pwrite(fd, "middle", 6, (off_t)(2048 * MIB + 5)), 6);
    close(fd);
    bob_shares(rig, rig_path(rig, "holes"));
    assert_get(rig, "bob:holes", rig_path(rig, "inbox"), 0);
    assert_int_equal(stat(rig_path(rig, "inbox/holes"), &st), 0);
    assert_int_equal(st.st_size, 4096 * MIB);
    assert_true((uint64_t)st.st_blocks * 512 < 4 * MIB);
    assert_true(json_last(rig_last(rig), "bytes_moved") <= (int64_t)MIB);
    char text[6];
    fd = open(rig_path(rig, "inbox/holes"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, text, 6, (off_t)(2048 * MIB + 5)), 6);
    close(fd);
    assert_memory_equal(text, "middle", 6);
}

static void p30_and_p36_modes_and_times(void **state)
{
    struct rig *rig = *state;
    const struct timespec old[2] = {{.tv_sec = -86400, .tv_nsec = 1}, {.tv_sec = -86400, .tv_nsec = 1}};
    const struct timespec late[2] = {{.tv_sec = 4102444800, .tv_nsec = 999999999},
                                     {.tv_sec = 4102444800, .tv_nsec = 999999999}};
    struct stat st;

    begin(rig);
    folder_make(rig_path(rig, "tree"));
    file_make(rig_path(rig, "tree/old"), 10, 1);
    file_make(rig_path(rig, "tree/late"), 10, 2);
    file_make(rig_path(rig, "tree/setuid"), 10, 3);
    assert_int_equal(link(rig_path(rig, "tree/old"), rig_path(rig, "tree/second name")), 0);
    assert_int_equal(chmod(rig_path(rig, "tree/setuid"), 06755), 0);
    assert_int_equal(utimensat(AT_FDCWD, rig_path(rig, "tree/old"), old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, rig_path(rig, "tree/late"), late, 0), 0);
    bob_shares(rig, rig_path(rig, "tree"));
    assert_get(rig, "bob:tree", rig_path(rig, "inbox"), 0);
    assert_true(tree_same(rig_path(rig, "tree"), rig_path(rig, "inbox/tree")));
    assert_int_equal(stat(rig_path(rig, "inbox/tree/setuid"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
}

/* 1000 folders in folders, and a path as long as Linux allows. */
static void p26_deep_and_long(void **state)
{
    struct rig *rig = *state;
    char path[4096] = "", deep[4096], name[201] = {0};

    begin(rig);
    folder_make(rig_path(rig, "tree"));
    int fd = open(rig_path(rig, "tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 1000; i++) {
        strcat(path, i ? "/d" : "d");
        assert_int_equal(mkdirat(fd, path, 0755), 0);
    }
    strcpy(deep, path);
    memset(name, 'n', 200);
    *path = 0;
    while (strlen(path) + 201 < 3600) { /* less than 4096, for the folders that the share stands in */
        strcat(strcat(path, *path ? "/" : ""), name);
        assert_int_equal(mkdirat(fd, path, 0755), 0);
    }
    int file = openat(fd, strcat(path, "/end"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(file, "end", 3), 3);
    close(file);
    close(fd);
    bob_shares(rig, rig_path(rig, "tree"));
    assert_get(rig, "bob:tree", rig_path(rig, "inbox"), 0);
    fd = open(rig_path(rig, "inbox/tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstatat(fd, deep, &st, 0), 0);
    assert_int_equal(fstatat(fd, path, &st, 0), 0);
    assert_int_equal(st.st_size, 3);
    close(fd);
}

/* A large fetch is under way, and a small one does not wait for it. */
static void p46_a_large_file_does_not_delay_a_small_one(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    file_make(rig_path(rig, "large"), 512 * MIB, 1);
    file_make(rig_path(rig, "small"), 1000, 2);
    bob_shares(rig, rig_path(rig, "large"));
    bob_shares(rig, rig_path(rig, "small"));
    struct process *large = weft_start(rig, "anna", "get", "--json", "bob:large", rig_path(rig, "inbox"), NULL);
    wait_for_output(large, "\"data\"");
    assert_get(rig, "bob:small", rig_path(rig, "inbox"), 0);
    assert_true(file_there(rig_path(rig, "inbox/small")));
    assert_false(file_there(rig_path(rig, "inbox/large")));
    assert_status(large, 0);
    assert_true(tree_same(rig_path(rig, "large"), rig_path(rig, "inbox/large")));
}

static void get_dry_run_writes_nothing(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    tree_make(rig_path(rig, "tree"), 60);
    bob_shares(rig, rig_path(rig, "tree"));
    weft(rig, "anna", "get", "--dry-run", "bob:tree", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "71 files");
    assert_int_equal(rmdir(rig_path(rig, "inbox")), 0);
}

/* ---- what stands in the way */

static void get_overwrites_only_when_told(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    file_make(rig_path(rig, "note"), 1000, 1);
    bob_shares(rig, rig_path(rig, "note"));
    file_save(rig_path(rig, "inbox/note"), "mine", 4);

    weft(rig, "anna", "get", "bob:note", rig_path(rig, "inbox"), NULL);
    assert_true(process_wait(rig_last(rig)) != 0);
    assert_says(rig_last(rig), "note");
    assert_says(rig_last(rig), "--if-exists");
    assert_int_equal(file_size(rig_path(rig, "inbox/note")), 4);

    weft(rig, "anna", "get", "--if-exists", "skip", "bob:note", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(file_size(rig_path(rig, "inbox/note")), 4);

    weft(rig, "anna", "get", "--if-exists", "rename", "bob:note", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(file_size(rig_path(rig, "inbox/note")), 4);
    assert_true(rmdir(rig_path(rig, "inbox")) == -1);

    weft(rig, "anna", "get", "--if-exists", "overwrite", "bob:note", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "note"), rig_path(rig, "inbox/note")));
}

static void p28_get_never_writes_through_a_link(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    tree_make(rig_path(rig, "tree"), 60);
    bob_shares(rig, rig_path(rig, "tree"));
    folder_make(rig_path(rig, "outside"));
    assert_int_equal(symlink(rig_path(rig, "outside"), rig_path(rig, "inbox/tree")), 0);
    weft(rig, "anna", "get", "--if-exists", "overwrite", "bob:tree", rig_path(rig, "inbox"), NULL);
    process_wait(rig_last(rig));
    assert_int_equal(rmdir(rig_path(rig, "outside")), 0); /* still empty, whatever get thought of it */
}

/* ---- what cannot be read */

/* Permissions mean nothing to root: then the nodes run as somebody else. */
/* May anybody enter all folders above `path`? */
static bool others_reach(const char *path)
{
    char part[4096];
    struct stat st;
    for (size_t n = 1; path[n - 1] != '\0'; n++) {
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        if (path[n - 1] == '/' && (stat(part, &st) != 0 || !(st.st_mode & S_IXOTH)))
            return false;
    }
    return true;
}

static void become_someone(struct rig *rig)
{
    if (geteuid() != 0)
        return;
    if (!others_reach(TESTS_DIR "/"))
        skip_because("other users cannot reach this checkout, and root may read everything");
    rig->run_as = 65534;
    assert_int_equal(chown(rig->dir, 65534, 65534), 0);
}

static void p35_unreadable_files_fail_alone(void **state)
{
    struct rig *rig = *state;

    become_someone(rig);
    begin(rig);
    assert_int_equal(chmod(rig_path(rig, "inbox"), 0777), 0);
    folder_make(rig_path(rig, "tree"));
    folder_make(rig_path(rig, "tree/locked"));
    file_make(rig_path(rig, "tree/open"), 70000, 1);
    file_make(rig_path(rig, "tree/secret"), 70000, 2);
    file_make(rig_path(rig, "tree/locked/inside"), 10, 3);
    assert_int_equal(chmod(rig_path(rig, "tree/secret"), 0), 0);
    assert_int_equal(chmod(rig_path(rig, "tree/locked"), 0), 0);
    bob_shares(rig, rig_path(rig, "tree"));
    weft(rig, "anna", "get", "bob:tree", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 5);
    assert_says(rig_last(rig), "secret");
    assert_says(rig_last(rig), "locked");
    assert_true(tree_same(rig_path(rig, "tree/open"), rig_path(rig, "inbox/tree/open")));
    assert_false(file_there(rig_path(rig, "inbox/tree/secret")));
}

/* P31: names of one file are fetched as files of their own, each whole. */
static void p31_hard_links_are_fetched_as_files(void **state)
{
    struct rig *rig = *state;
    struct stat a, b;

    begin(rig);
    folder_make(rig_path(rig, "tree"));
    file_make(rig_path(rig, "tree/one"), 300000, 1);
    assert_int_equal(link(rig_path(rig, "tree/one"), rig_path(rig, "tree/two")), 0);
    bob_shares(rig, rig_path(rig, "tree"));
    weft(rig, "anna", "get", "bob:tree", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "tree"), rig_path(rig, "inbox/tree")));
    assert_int_equal(stat(rig_path(rig, "inbox/tree/one"), &a), 0);
    assert_int_equal(stat(rig_path(rig, "inbox/tree/two"), &b), 0);
    assert_true(a.st_ino != b.st_ino);
}

static void p29_fifos_and_sockets_are_never_opened(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    folder_make(rig_path(rig, "tree"));
    file_make(rig_path(rig, "tree/file"), 5, 1);
    assert_int_equal(mkfifo(rig_path(rig, "tree/fifo"), 0644), 0);
    bob_shares(rig, rig_path(rig, "tree"));
    weft(rig, "anna", "get", "bob:tree", rig_path(rig, "inbox"), NULL);
    process_wait(rig_last(rig)); /* an end at all is the point: nobody ever writes to the fifo */
    assert_true(file_there(rig_path(rig, "inbox/tree/file")));
    assert_false(file_there(rig_path(rig, "inbox/tree/fifo")));
}

/* ---- a disk that is full */

static void p20_no_space_says_so_and_loses_nothing(void **state)
{
    struct rig *rig = *state;

    if (geteuid() != 0 || !small_disk(rig_path(rig, "disk"), 16 * MIB))
        skip_because("needs root, to mount a small disk");
    begin(rig);
    file_make(rig_path(rig, "big"), 40 * MIB, 1);
    tree_make(rig_path(rig, "tree"), 60);
    bob_shares(rig, rig_path(rig, "big"));
    bob_shares(rig, rig_path(rig, "tree"));
    file_save(rig_path(rig, "disk/kept"), "kept", 4);
    weft(rig, "anna", "get", "bob:big", rig_path(rig, "disk"), NULL);
    assert_status(rig_last(rig), 8);
    assert_false(file_there(rig_path(rig, "disk/big")));
    assert_int_equal(file_size(rig_path(rig, "disk/kept")), 4);
    assert_get(rig, "bob:tree", rig_path(rig, "disk"), 0); /* what fits goes on working */
    assert_true(tree_same(rig_path(rig, "tree"), rig_path(rig, "disk/tree")));
}

/* ---- files that change meanwhile */

#define VERSION_BYTES (48 * MIB)

/* Overwrites a file for ever, each time with bytes of one value. In a process of its own. */
static void keep_changing(const char *path)
{
    static char bytes[MIB];
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    for (int version = 1;; version = version % 255 + 1) {
        memset(bytes, version, MIB);
        for (uint64_t at = 0; at < VERSION_BYTES; at += MIB)
            if (pwrite(fd, bytes, MIB, (off_t)at) != (ssize_t)MIB)
                _exit(1);
    }
}

static void p33_a_file_that_changes_is_never_a_mix(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    char *bytes = calloc(1, VERSION_BYTES);
    file_save(rig_path(rig, "changing"), bytes, VERSION_BYTES);
    bob_shares(rig, rig_path(rig, "changing"));
    const char *path = rig_path(rig, "changing");
    pid_t writer = fork();
    if (writer == 0)
        keep_changing(path);
    weft(rig, "anna", "get", "bob:changing", rig_path(rig, "inbox"), NULL);
    process_wait(rig_last(rig));
    kill(writer, SIGKILL);
    free(bytes);
    if (!file_there(rig_path(rig, "inbox/changing"))) {
        assert_true(process_wait(rig_last(rig)) != 0);
        assert_says(rig_last(rig), "while it was read");
        return;
    }
    char *text = file_text(rig_path(rig, "inbox/changing"));
    for (uint64_t i = 1; i < VERSION_BYTES; i++)
        if (text[i] != text[0])
            fail_msg("a mix: byte %llu is of another version", (unsigned long long)i);
    free(text);
}

/* It shrinks as soon as some of it has been read: what was promised is no longer there. */
static void p33_a_file_that_shrinks_is_told(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    file_make(rig_path(rig, "shrinking"), 256 * MIB, 1);
    bob_shares(rig, rig_path(rig, "shrinking"));
    struct process *get = weft_start(rig, "anna", "get", "--json", "bob:shrinking", rig_path(rig, "inbox"), NULL);
    wait_for_output(get, "\"data\"");
    assert_int_equal(truncate(rig_path(rig, "shrinking"), (off_t)MIB), 0);
    process_wait(get);
    weft(rig, "anna", "get", "--if-exists", "overwrite", "bob:shrinking", rig_path(rig, "inbox"), NULL);
    assert_status(rig_last(rig), 0);
    assert_int_equal(file_size(rig_path(rig, "inbox/shrinking")), MIB);
    if (get->status == 0) /* it was read again, and what it had become was fetched */
        assert_true(tree_same(rig_path(rig, "shrinking"), rig_path(rig, "inbox/shrinking")));
    else
        assert_says(get, "shrinking");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(get_brings_a_tree_just_as_it_is),
        TEST(get_again_moves_nothing),
        TEST(get_takes_a_part_of_a_share_and_gives_it_a_name),
        TEST(get_takes_several_sources),
        TEST(p34_sizes_around_a_block_arrive_whole),
        TEST(p32_holes_stay_holes),
        TEST(p30_and_p36_modes_and_times),
        TEST(p26_deep_and_long),
        TEST(p46_a_large_file_does_not_delay_a_small_one),
        TEST(get_dry_run_writes_nothing),
        TEST(get_overwrites_only_when_told),
        TEST(p28_get_never_writes_through_a_link),
        TEST(p35_unreadable_files_fail_alone),
        TEST(p29_fifos_and_sockets_are_never_opened),
        TEST(p31_hard_links_are_fetched_as_files),
        TEST(p20_no_space_says_so_and_loses_nothing),
        TEST(p33_a_file_that_changes_is_never_a_mix),
        TEST(p33_a_file_that_shrinks_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

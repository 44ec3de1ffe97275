/* Bytes of any kind on the ports of a running node, and words of others on a terminal. Afterwards the node works as before. */
#include "files.h"
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct process *bob, *anna;

static int begin(void **state)
{
    if (rig_setup(state) != 0)
        return -1;
    node_pair(*state, &bob, &anna);
    return 0;
}

/* Links are made and files fetched as if nothing had happened. */
static void assert_well(struct rig *rig)
{
    tree_make(rig_path(rig, "tree"), 60);
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "tree"), "--public", NULL), 0);
    weft(rig, "anna", "get", "bob:tree", rig_path(rig, "copy"), NULL);
    assert_status(rig_last(rig), 0);
    assert_true(tree_same(rig_path(rig, "tree"), rig_path(rig, "copy")));
    assert_int_equal(weft(rig, "bob", "ping", "-q", "--count", "1", "anna", NULL), 0);
}

/* The port of the first tcp endpoint in the ready event. */
static unsigned tcp_port(const struct process *node)
{
    char *out = stdout_of(node);
    const char *at = strstr(out, "tcp://127.0.0.1:");
    unsigned port = 0;

    if (at)
        port = (unsigned)strtoul(at + strlen("tcp://127.0.0.1:"), NULL, 10);
    free(out);
    assert_true(port > 0);
    return port;
}

static int dial(int type, unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void fill(char *bytes, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)rand_r(&seed);
}

static void garbage_on_the_link_port(void **state)
{
    static const char greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE";
    unsigned port = tcp_port(bob);
    char bytes[4096];

    for (unsigned i = 0; i < 200; i++) {
        int fd = dial(SOCK_STREAM, port);
        fill(bytes, sizeof bytes, i);
        if (i % 2) /* a good greeting first, then garbage for a handshake */
            (void)!send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
        (void)!send(fd, bytes, i * 20 + 1, MSG_NOSIGNAL);
        close(fd);
    }
    assert_well(*state);
}

static void connections_that_say_nothing(void **state)
{
    unsigned port = tcp_port(bob);
    int fds[400];

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        fds[i] = dial(SOCK_STREAM, port);
    assert_well(*state);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
}

static void garbage_on_the_beacon_port(void **state)
{
    struct rig *rig = *state;
    char bytes[2048];
    int fd = dial(SOCK_DGRAM, rig->beacon_port);

    for (unsigned i = 0; i < 20000; i++) {
        if (i % 1000 == 0)
            fill(bytes, sizeof bytes, i);
        (void)!send(fd, bytes + i % 700, i % 1300, MSG_DONTWAIT);
    }
    close(fd);
    assert_well(rig);
}

/* Requests of our own user that make no sense get a clear no. */
static void senseless_requests(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(weft(rig, "bob", "ping", "--count", "-5", "anna", NULL), 2);
    assert_int_equal(weft(rig, "bob", "get", "\xff:\xfe/\x01", rig->dir, NULL) == 0, 0);
    assert_int_equal(weft(rig, "bob", "ls", "anna:../../etc", NULL) == 0, 0);
    assert_int_equal(weft(rig, "bob", "share", "/dev/null", NULL) == 0, 0);
    assert_well(rig);
}

static void s32_names_of_others_are_escaped(void **state)
{
    struct rig *rig = *state;

    folder_make(rig_path(rig, "odd"));
    file_save(rig_path(rig, "odd/red\x1b[31m\rname\x9b"), "", 0);
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "odd"), "--public", NULL), 0);
    weft(rig, "anna", "ls", "-l", "bob:odd", "--color", "never", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "red");
    assert_never_says(rig_last(rig), "\x1b");
    assert_never_says(rig_last(rig), "\r");
    weft(rig, "anna", "ls", "--json", "bob:odd", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "_b64");
    assert_never_says(rig_last(rig), "\x1b");
    weft(rig, "anna", "get", "bob:odd/red\x1b[31m\rno", rig->dir, NULL);
    assert_status(rig_last(rig), 6);
    assert_never_says(rig_last(rig), "\x1b");
}

static void p26_paths_that_leave_the_share_are_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const paths[] = {"bob:odd/..", "bob:odd/../secret", "bob:odd/link/secret", "bob:../secret"};

    folder_make(rig_path(rig, "odd"));
    file_save(rig_path(rig, "secret"), "secret", 6);
    assert_int_equal(symlink("..", rig_path(rig, "odd/link")), 0);
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "odd"), "--public", NULL), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        weft(rig, "anna", "get", paths[i], rig_path(rig, "copy"), NULL);
        assert_true(process_wait(rig_last(rig)) != 0);
        assert_false(file_there(rig_path(rig, "copy")));
    }
}

static void a_name_that_is_no_name_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const names[] = {"a/b", ".hidden", "\x1b[2J", "a:b", "../x", "\xff\xfe"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        weft(rig, "other", "up", "--no-beacon", "--name", names[i], NULL);
        assert_status(rig_last(rig), 2);
        assert_never_says(rig_last(rig), "\x1b");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(garbage_on_the_link_port),          TEST(connections_that_say_nothing),
        TEST(garbage_on_the_beacon_port),        TEST(senseless_requests),
        TEST(s32_names_of_others_are_escaped),   TEST(p26_paths_that_leave_the_share_are_refused),
        TEST(a_name_that_is_no_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

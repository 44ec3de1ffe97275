/* Interfaces that come and go under running nodes. Both live in network namespaces of this test's own, joined by veth pairs. */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Two machines: what runs on the first, and what on the second, sees its own interfaces only. */
static int here = -1, there = -1;

static void file_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static bool run(const char *fmt, ...)
{
    char command[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    return system(command) == 0; /* NOLINT(cert-env33-c): the words are this test's own */
}

static int namespace_new(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        return -1;
    return run("ip link set lo up 2>/dev/null") ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
}

/* Before any thread is started. */
static bool machines_make(void)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();
    if (unshare(CLONE_NEWUSER) != 0)
        return false;
    file_put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    file_put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    file_put("/proc/self/gid_map", map);
    there = namespace_new();
    here = namespace_new();
    return there >= 0 && here >= 0;
}

static bool can(void)
{
    if (here >= 0 && there >= 0)
        return true;
    print_message("# skip: this system lets nobody make network namespaces\n");
    return false;
}

static void go(int namespace)
{
    assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

/* A cable between the two, by which 10.77.N.1 here and 10.77.N.2 there see each other. */
static void plug(const struct process *bob, int n)
{
    run("ip link del v%d 2>/dev/null", n); /* of the test before */
    assert_true(run("ip link add v%d type veth peer name v%d netns %d", n, n, (int)bob->pid));
    assert_true(run("ip addr add 10.77.%d.1/24 dev v%d && ip link set v%d up", n, n, n));
    go(there);
    assert_true(run("ip addr add 10.77.%d.2/24 dev v%d && ip link set v%d up", n, n, n));
    go(here);
}

struct wish {
    struct rig *rig;
    const char *text;
    bool there;
};

/* Does anna know bob by this address? */
static bool is_known(void *arg)
{
    const struct wish *wish = arg;
    if (weft(wish->rig, "anna", "pipe", "resolve", "bob:files", "--json", NULL) != 0)
        return false;
    char *out = stdout_of(rig_last(wish->rig));
    bool known = strstr(out, wish->text) != NULL;
    free(out);
    wish->rig->count--; /* it is asked often */
    return known == wish->there;
}

/* Without ipc: the two see the same files, as machines do not. */
static struct process *start(struct rig *rig, const char *name)
{
    char port[12];
    snprintf(port, sizeof port, "%u", rig->beacon_port);
    struct process *node = weft_start(rig, name, "up", "--name", name, "--json", "--beacon-port", port, "--listen", "tcp://*:*",
                                      "--listen", "ws://*:*", NULL);
    wait_for_output(node, "\"ready\"");
    return node;
}

static struct process *bob_there(struct rig *rig)
{
    go(there);
    struct process *bob = start(rig, "bob");
    go(here);
    return bob;
}

static void pipe_1_an_interface_that_comes_is_announced(void **state)
{
    struct rig *rig = *state;
    if (!can())
        skip();
    struct process *bob = bob_there(rig);
    start(rig, "anna");
    plug(bob, 1);
    node_meets(rig, "anna", "bob"); /* neither was told of the other but by beacons over the new cable */
    plug(bob, 2);
    struct wish second = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &second, "bob's second address to be known");
    struct wish ws = {rig, "ws://10.77.1.2:", true};
    wait_until(is_known, &ws, "bob's ws address to be known");
}

static void pipe_1_an_address_that_goes_is_taken_back(void **state)
{
    struct rig *rig = *state;
    if (!can())
        skip();
    struct process *bob = bob_there(rig);
    start(rig, "anna");
    plug(bob, 1);
    plug(bob, 2);
    node_meets(rig, "anna", "bob");
    struct wish wish = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &wish, "bob's second address to be known");
    go(there);
    assert_true(run("ip addr del 10.77.2.2/24 dev v2"));
    go(here);
    wish.there = false;
    wait_until(is_known, &wish, "bob's second address to be forgotten");
}

/* Does anna reach bob? Over a link whose cable is gone the answer does not come. */
static bool is_reached(void *arg)
{
    struct rig *rig = arg;
    bool reached = weft(rig, "anna", "ping", "bob", "--count", "1", NULL) == 0;
    rig->count--; /* it is asked often */
    return reached;
}

/* The first link went by the first cable, since there was no other. Asking where bob is may have made one by the second. */
static void pipe_7_a_link_over_a_lost_interface_ends_and_another_is_made(void **state)
{
    struct rig *rig = *state;
    struct timespec from, to;
    if (!can())
        skip();
    struct process *bob = bob_there(rig);
    start(rig, "anna");
    plug(bob, 1);
    node_meets(rig, "anna", "bob");
    plug(bob, 2);
    struct wish second = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &second, "bob's second address to be known");

    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_true(run("ip link del v1"));
    wait_until(is_reached, rig, "bob to be reached by the second cable");
    clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("reached again after %.1f s\n",
                  (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    node_meets(rig, "bob", "anna");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipe_1_an_interface_that_comes_is_announced),
        TEST(pipe_1_an_address_that_goes_is_taken_back),
        TEST(pipe_7_a_link_over_a_lost_interface_ends_and_another_is_made),
    };
    machines_make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

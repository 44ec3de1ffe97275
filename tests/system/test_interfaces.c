/* Interfaces that come and go under running nodes. Both live in network namespaces of this test's own, joined by veth pairs. */
#include "harness.h"
#include "machines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HERE, THERE }; /* anna is here, as 10.77.N.1, and bob there, as 10.77.N.2 */

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
static void start(struct rig *rig, const char *name)
{
    char port[12];
    snprintf(port, sizeof port, "%u", rig->beacon_port);
    struct process *node = weft_start(rig, name, "up", "--name", name, "--json", "--beacon-port", port, "--listen", "tcp://*:*",
                                      "--listen", "ws://*:*", NULL);
    wait_for_output(node, "\"ready\"");
}

static void bob_there(struct rig *rig)
{
    machine_go(THERE);
    start(rig, "bob");
    machine_go(HERE);
}

static void pipe_1_an_interface_that_comes_is_announced(void **state)
{
    struct rig *rig = *state;
    if (!machines_there())
        skip();
    bob_there(rig);
    start(rig, "anna");
    machines_plug(HERE, THERE, 1);
    node_meets(rig, "anna", "bob"); /* neither was told of the other but by beacons over the new cable */
    machines_plug(HERE, THERE, 2);
    struct wish second = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &second, "bob's second address to be known");
    struct wish ws = {rig, "ws://10.77.1.2:", true};
    wait_until(is_known, &ws, "bob's ws address to be known");
}

static void pipe_1_an_address_that_goes_is_taken_back(void **state)
{
    struct rig *rig = *state;
    if (!machines_there())
        skip();
    bob_there(rig);
    start(rig, "anna");
    machines_plug(HERE, THERE, 1);
    machines_plug(HERE, THERE, 2);
    node_meets(rig, "anna", "bob");
    struct wish wish = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &wish, "bob's second address to be known");
    machine_go(THERE);
    assert_true(machine_run("ip addr del 10.77.2.2/24 dev v2"));
    machine_go(HERE);
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
    if (!machines_there())
        skip();
    bob_there(rig);
    start(rig, "anna");
    machines_plug(HERE, THERE, 1);
    node_meets(rig, "anna", "bob");
    machines_plug(HERE, THERE, 2);
    struct wish second = {rig, "tcp://10.77.2.2:", true};
    wait_until(is_known, &second, "bob's second address to be known");

    clock_gettime(CLOCK_MONOTONIC, &from);
    machines_unplug(1);
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
    machines_make(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

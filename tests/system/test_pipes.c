/* The pipe binding protocol and the bulk plane between real processes (claims PIPE and OOB). */
#include "files.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the text stands in what the process wrote to stdout. */
static unsigned count_of(const struct process *process, const char *text)
{
    char *out = stdout_of(process);
    unsigned count = 0;

    for (const char *at = strstr(out, text); at; at = strstr(at + 1, text))
        count++;
    free(out);
    return count;
}

static void pipe_1_tcp_ipc_and_ws_are_bound_at_once(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    weft(rig, "anna", "pipe", "resolve", "bob:files", "--json", NULL);
    assert_status(rig_last(rig), 0);
    assert_true(count_of(rig_last(rig), "\"row\":\"endpoint\",\"transport\":\"tcp\"") >= 2);
    assert_int_equal(count_of(rig_last(rig), "\"row\":\"endpoint\",\"transport\":\"ipc\""), 1);
    assert_true(count_of(rig_last(rig), "\"row\":\"endpoint\",\"transport\":\"ws\"") >= 1);
    assert_int_equal(count_of(rig_last(rig), "\"chosen\":true"), 1);
}

static void pipe_3_a_query_for_one_transport_is_answered_with_that(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;
    static const char *const transports[] = {"tcp", "ipc", "ws"};

    node_pair(rig, &bob, &anna);
    for (size_t i = 0; i < 3; i++) {
        weft(rig, "anna", "pipe", "resolve", "bob:files", "--transport", transports[i], "--json", NULL);
        assert_status(rig_last(rig), 0);
        unsigned endpoints = count_of(rig_last(rig), "\"row\":\"endpoint\"");
        const char *these = rig_path(rig, "\"row\":\"endpoint\",\"transport\":\"%s\"", transports[i]) + strlen(rig->dir) + 1;
        assert_true(endpoints >= 1);
        assert_int_equal(count_of(rig_last(rig), these), endpoints);
    }
}

static void pipe_6_resolve_tells_what_is_bound_where(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    weft(rig, "anna", "pipe", "resolve", "bob:files", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "transport   ipc"); /* the nearest of all the endpoints, on one machine */
    assert_says(rig_last(rig), "held by     bob");
    weft(rig, "anna", "pipe", "resolve", "bob:nothing", NULL);
    assert_status(rig_last(rig), 6);
}

#define NODES 4

/* Each node serves all the others and fetches from all the others, all at the same time. */
static void oob_1_many_clients_and_servers_at_once(void **state)
{
    struct rig *rig = *state;
    static const char *const names[NODES] = {"anna", "bob", "carol", "dave"};
    struct process *gets[NODES][NODES] = {{NULL}};

    for (int i = 0; i < NODES; i++)
        node_start(rig, names[i]);
    for (int i = 0; i < NODES; i++) {
        file_make(rig_path(rig, "of-%s", names[i]), 5000000 + (uint64_t)i, (uint64_t)i);
        weft(rig, names[i], "share", rig_path(rig, "of-%s", names[i]), "--as", "file", "--public", NULL);
        assert_status(rig_last(rig), 0);
        for (int j = 0; j < NODES; j++)
            if (j != i)
                node_meets(rig, names[i], names[j]);
    }
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++)
            if (i != j) {
                const char *source = rig_path(rig, "%s:file", names[j]) + strlen(rig->dir) + 1;
                gets[i][j] = weft_start(rig, names[i], "get", source, rig_path(rig, "%d-%d", i, j), NULL);
            }
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++)
            if (i != j) {
                assert_status(gets[i][j], 0);
                assert_true(tree_same(rig_path(rig, "of-%s", names[j]), rig_path(rig, "%d-%d", i, j)));
            }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipe_1_tcp_ipc_and_ws_are_bound_at_once),
        TEST(pipe_3_a_query_for_one_transport_is_answered_with_that),
        TEST(pipe_6_resolve_tells_what_is_bound_where),
        TEST(oob_1_many_clients_and_servers_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

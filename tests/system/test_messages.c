/* Messages through pipes, between real nodes and by the program as people use it (claim PIPE, P44, P45). */
#include "files.h"
#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1u << 20)

/* Two nodes that trust each other. */
static void friends(struct rig *rig, struct process **bob, struct process **anna)
{
    node_pair(rig, bob, anna);
    node_befriend(rig, "bob", "anna");
}

static struct process *listen_once(struct rig *rig, const char *home, const char *name)
{
    struct process *listener = weft_start(rig, home, "pipe", "listen", "--once", name, NULL);
    wait_for_output(listener, "is bound");
    return listener;
}

/* Anna sends a file through a pipe. */
static struct process *send_file(struct rig *rig, const char *path, const char *pipe)
{
    rig->input = path;
    return weft_start(rig, "anna", "pipe", "send", "--wait", "20s", pipe, NULL);
}

/* ---- numbered lines */

#define LINE 9

static void lines_make(const char *path, unsigned count)
{
    char *text = malloc((size_t)count * LINE), line[16];

    assert_non_null(text);
    for (unsigned i = 0; i < count; i++) {
        snprintf(line, sizeof line, "%08u\n", i);
        memcpy(text + (size_t)i * LINE, line, LINE);
    }
    file_save(path, text, (size_t)count * LINE);
    free(text);
}

/* Counts which lines are in a file; they must go up. A last one that was cut off in the writing does not count. */
static void lines_count(const char *path, uint8_t *seen, unsigned count)
{
    char *text = file_text(path);
    size_t n = strlen(text) / LINE;
    long last = -1;

    for (size_t i = 0; i < n; i++) {
        char digits[LINE] = "";
        memcpy(digits, text + i * LINE, LINE - 1);
        long line = strtol(digits, NULL, 10);
        assert_true(line > last && line < (long)count);
        seen[line]++;
        last = line;
    }
    free(text);
}

/* What both have printed is all there is. */
static void assert_none_lost(const struct process *first, const struct process *second, unsigned count)
{
    uint8_t *seen = calloc(count, 1);

    assert_non_null(seen);
    lines_count(first->out, seen, count);
    lines_count(second->out, seen, count);
    for (unsigned i = 0; i < count; i++)
        if (seen[i] == 0)
            fail_msg("line %u is lost", i);
    free(seen);
}

/* ---- all is well */

static void pipe_4_words_and_files_arrive_byte_for_byte(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    struct process *listener = listen_once(rig, "bob", "log");
    weft(rig, "anna", "pipe", "send", "bob:log", "one", "two words", "", NULL);
    assert_status(rig_last(rig), 0);
    assert_status(listener, 0);
    char *said = stdout_of(listener);
    assert_string_equal(said, "one\ntwo words\n\n");
    free(said);

    file_make(rig_path(rig, "backup"), 24 * MIB + 1, 7); /* as `tar c d | weft pipe send bob:backup` */
    listener = listen_once(rig, "bob", "backup");
    assert_status(send_file(rig, rig_path(rig, "backup"), "bob:backup"), 0);
    assert_status(listener, 0);
    assert_int_equal(file_size(listener->out), 24 * MIB + 1);
    char *sent = file_text(rig_path(rig, "backup")), *got = stdout_of(listener);
    assert_memory_equal(sent, got, 24 * MIB + 1);
    free(sent);
    free(got);
}

static void pipe_4_a_shared_pipe_is_found_by_its_name(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    struct process *listener = weft_start(rig, "bob", "pipe", "listen", "--shared", "--once", "jobs", NULL);
    wait_for_output(listener, "is bound");
    weft(rig, "anna", "pipe", "resolve", "jobs", NULL);
    assert_status(rig_last(rig), 0);
    assert_says(rig_last(rig), "bob");
    weft(rig, "anna", "pipe", "ls", "bob", NULL);
    assert_says(rig_last(rig), "jobs");
    weft(rig, "anna", "pipe", "send", "jobs", "one", NULL);
    assert_status(rig_last(rig), 0);
    assert_status(listener, 0);
}

static void pipe_7_a_propagate_pipe_reaches_everyone(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna, *listener[2];
    static const char *const homes[2] = {"bob", "anna"};

    friends(rig, &bob, &anna);
    for (int i = 0; i < 2; i++) {
        listener[i] = weft_start(rig, homes[i], "pipe", "listen", "--shared", "--propagate", "news", NULL);
        wait_for_output(listener[i], "is bound");
    }
    weft(rig, "anna", "pipe", "send", "--propagate", "news", "hear ye", NULL);
    assert_status(rig_last(rig), 0);
    for (int i = 0; i < 2; i++)
        wait_for_output(listener[i], "hear ye\n");
    for (int i = 0; i < 2; i++) {
        process_kill(listener[i], SIGINT);
        assert_status(listener[i], 130);
    }
}

/* ---- bad input */

static void pipe_6_what_cannot_be_sent_says_why(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    struct process *listener = weft_start(rig, "bob", "pipe", "listen", "--transport", "tcp", "log", NULL);
    wait_for_output(listener, "is bound");
    weft(rig, "anna", "pipe", "send", "--wait", "1s", "bob:nothing", "one", NULL);
    assert_status(rig_last(rig), 6);
    assert_says(rig_last(rig), "nobody has this pipe bound");
    weft(rig, "anna", "pipe", "send", "--wait", "1s", "nothing", "one", NULL);
    assert_status(rig_last(rig), 6);
    weft(rig, "anna", "pipe", "send", "--wait", "1s", "--transport", "ws", "bob:log", "one", NULL);
    assert_status(rig_last(rig), 6);
    assert_says(rig_last(rig), "only by tcp");
    weft(rig, "anna", "pipe", "send", "--wait", "1s", "--propagate", "bob:log", "one", NULL);
    weft(rig, "anna", "pipe", "send", "bob:log", "one", NULL);
    assert_status(rig_last(rig), 4);
    assert_says(rig_last(rig), "may not");
    weft(rig, "bob", "pipe", "listen", "log", NULL);
    assert_status(rig_last(rig), 1);
    assert_says(rig_last(rig), "already");
    weft(rig, "bob", "pipe", "listen", "files", NULL);
    assert_status(rig_last(rig), 2);
    weft(rig, "bob", "pipe", "listen", "a\033[31mb", NULL);
    assert_status(rig_last(rig), 2);
    assert_never_says(rig_last(rig), "\033");
    weft(rig, "anna", "pipe", "send", "bob:0123456789012345678901234567890123456789012345678901234567890123", "one", NULL);
    assert_status(rig_last(rig), 2);
    process_kill(listener, SIGINT);
    assert_status(listener, 130);
}

/* ---- listeners that die */

struct growing {
    const struct process *process;
    uint64_t size;
};

static bool has_printed(void *arg)
{
    const struct growing *g = arg;
    return file_size(g->process->out) >= g->size;
}

static void p44_a_listener_killed_without_another_is_told(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    lines_make(rig_path(rig, "lines"), 2000000);
    struct process *listener = listen_once(rig, "bob", "log");
    rig->input = rig_path(rig, "lines");
    struct process *sender = weft_start(rig, "anna", "pipe", "send", "--wait", "1s", "bob:log", NULL);
    wait_until(has_printed, &(struct growing){listener, MIB}, "the listener to print");
    process_kill(listener, SIGKILL);
    assert_status(listener, 128 + SIGKILL);
    assert_status(sender, 6);
    assert_says(sender, "messages had been taken");
}

static void p44_another_listener_goes_on_and_nothing_is_lost(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;
    const unsigned count = 1000000;

    friends(rig, &bob, &anna);
    lines_make(rig_path(rig, "lines"), count);
    struct process *first = listen_once(rig, "bob", "log");
    struct process *sender = send_file(rig, rig_path(rig, "lines"), "bob:log");
    wait_until(has_printed, &(struct growing){first, MIB}, "the listener to print");
    process_kill(first, SIGKILL);
    assert_status(first, 128 + SIGKILL);
    struct process *second = listen_once(rig, "bob", "log");
    assert_status(sender, 0);
    assert_status(second, 0);
    assert_none_lost(first, second, count);
}

static bool either_has_printed(void *arg)
{
    struct growing *g = arg;
    return has_printed(&g[0]) || has_printed(&g[1]);
}

/* Which of the two is bound to first is for ranks and round trips to say, and on a busy machine for chance. */
static void p44_a_node_killed_hands_over_to_another_and_nothing_is_lost(void **state)
{
    struct rig *rig = *state;
    struct process *anna, *node[2], *listener[2];
    static const char *const homes[2] = {"bob", "carol"};
    const unsigned count = 2000000;

    friends(rig, &node[0], &anna);
    node[1] = node_start(rig, "carol");
    node_meets(rig, "anna", "carol");
    node_befriend(rig, "carol", "anna");
    lines_make(rig_path(rig, "lines"), count);
    for (int i = 0; i < 2; i++) {
        listener[i] = weft_start(rig, homes[i], "pipe", "listen", "--shared", "--once", "--rank", i ? "9" : "1", "log", NULL);
        wait_for_output(listener[i], "is bound");
    }
    struct process *sender = send_file(rig, rig_path(rig, "lines"), "log");
    struct growing growing[2] = {{listener[0], MIB}, {listener[1], MIB}};
    wait_until(either_has_printed, growing, "a listener to print");
    int first = has_printed(&growing[0]) ? 0 : 1;
    process_kill(node[first], SIGKILL);
    assert_status(node[first], 128 + SIGKILL);
    assert_status(sender, 0);
    assert_status(listener[!first], 0);
    process_wait(listener[first]);
    assert_none_lost(listener[0], listener[1], count);
}

/* ---- a listener that never reads */

static uint64_t field_of(const struct process *process, const char *file, const char *name)
{
    char path[64], text[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process->pid, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    const char *at = strstr(text, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

/* Has the sender read no further in its input than when it was looked at before, again and again? */
struct stalled {
    const struct process *sender;
    uint64_t at;
    unsigned times;
};

static bool has_stalled(void *arg)
{
    struct stalled *s = arg;
    uint64_t at = field_of(s->sender, "fdinfo/0", "pos:");

    s->times = at == s->at && at > 0 ? s->times + 1 : 0;
    s->at = at;
    return s->times > 100;
}

static void p45_a_listener_that_never_reads_holds_the_sender_up_in_bounded_memory(void **state)
{
    struct rig *rig = *state;
    struct process *node[2];
    uint64_t before[2];
    const uint64_t size = 96 * MIB;

    friends(rig, &node[0], &node[1]);
    file_make(rig_path(rig, "backup"), size, 3);
    struct process *listener = listen_once(rig, "bob", "backup");
    process_kill(listener, SIGSTOP);
    for (int i = 0; i < 2; i++)
        before[i] = field_of(node[i], "status", "VmRSS:");
    struct process *sender = send_file(rig, rig_path(rig, "backup"), "bob:backup");
    struct stalled stalled = {.sender = sender};
    wait_until(has_stalled, &stalled, "the sender to be held up");
    assert_true(stalled.at < 40 * MIB);
    for (int i = 0; i < 2; i++)
        assert_true(field_of(node[i], "status", "VmRSS:") - before[i] < 64 * 1024);
    process_kill(listener, SIGCONT);
    assert_status(sender, 0);
    assert_status(listener, 0);
    assert_int_equal(file_size(listener->out), size);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipe_4_words_and_files_arrive_byte_for_byte),
        TEST(pipe_4_a_shared_pipe_is_found_by_its_name),
        TEST(pipe_7_a_propagate_pipe_reaches_everyone),
        TEST(pipe_6_what_cannot_be_sent_says_why),
        TEST(p44_a_listener_killed_without_another_is_told),
        TEST(p44_another_listener_goes_on_and_nothing_is_lost),
        TEST(p44_a_node_killed_hands_over_to_another_and_nothing_is_lost),
        TEST(p45_a_listener_that_never_reads_holds_the_sender_up_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

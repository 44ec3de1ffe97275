/* Byte streams through pipes, between real nodes and by the program as people use it: like netcat over the overlay. */
#include "files.h"
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

/* Two nodes that trust each other. */
static void friends(struct rig *rig, struct process **bob, struct process **anna)
{
    node_pair(rig, bob, anna);
    node_befriend(rig, "bob", "anna");
}

/* A way to type into a process that is started next: what is written here comes on its stdin. */
static int keyboard(struct rig *rig, const char *name)
{
    const char *path = rig_path(rig, "%s", name);

    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC); /* both, so that nobody waits for the other */
    assert_true(fd >= 0);
    rig->input = path;
    return fd;
}

static void type(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static struct process *listen_as(struct rig *rig, const char *home, const char *name)
{
    struct process *listener = weft_start(rig, home, "pipe", "listen", name, NULL);
    wait_for_output(listener, "is bound");
    return listener;
}

static void assert_wrote(const struct process *process, const char *path)
{
    assert_int_equal(file_size(process->out), file_size(path));
    char *sent = file_text(path), *got = stdout_of(process);
    assert_memory_equal(sent, got, file_size(path));
    free(sent);
    free(got);
}

/* ---- all is well */

static void pipe_6_a_file_each_way_byte_for_byte(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    file_make(rig_path(rig, "there"), 48 * MIB + 1, 1);
    file_make(rig_path(rig, "back"), 32 * MIB + 5, 2);
    rig->input = rig_path(rig, "back");
    struct process *listener = listen_as(rig, "bob", "chat");
    rig->input = rig_path(rig, "there");
    struct process *caller = weft_start(rig, "anna", "pipe", "connect", "bob:chat", NULL);
    assert_status(caller, 0);
    assert_status(listener, 0);
    assert_wrote(listener, rig_path(rig, "there"));
    assert_wrote(caller, rig_path(rig, "back"));
    assert_says(listener, "anna is connected");
}

/* One side has said all, and hears the other to the end. */
static void pipe_6_half_close_and_a_chat(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    int his = keyboard(rig, "his");
    struct process *listener = listen_as(rig, "bob", "chat");
    int hers = keyboard(rig, "hers");
    struct process *caller = weft_start(rig, "anna", "pipe", "connect", "bob:chat", NULL);
    type(hers, "hello\n");
    wait_for_output(listener, "hello\n");
    type(his, "who is it?\n");
    wait_for_output(caller, "who is it?\n");
    type(hers, "anna, and goodbye\n");
    close(hers);
    wait_for_output(listener, "anna, and goodbye\n");
    type(his, "already?\n");
    wait_for_output(caller, "already?\n");
    close(his);
    assert_status(caller, 0);
    assert_status(listener, 0);
}

static void pipe_6_between_programs_of_one_node(void **state)
{
    struct rig *rig = *state;

    node_start(rig, "bob");
    file_make(rig_path(rig, "there"), MIB, 3);
    struct process *listener = listen_as(rig, "bob", "chat");
    rig->input = rig_path(rig, "there");
    weft(rig, "bob", "pipe", "connect", "bob:chat", NULL);
    assert_status(rig_last(rig), 0);
    assert_status(listener, 0);
    assert_wrote(listener, rig_path(rig, "there"));
}

/* The listener was given one that goes on: a second caller is served after the first. */
static void pipe_6_one_caller_after_the_other(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    struct process *listener = weft_start(rig, "bob", "pipe", "listen", "--keep", "chat", NULL);
    wait_for_output(listener, "is bound");
    file_save(rig_path(rig, "text"), "line\n", 5);
    for (int i = 0; i < 3; i++) {
        rig->input = rig_path(rig, "text");
        weft(rig, "anna", "pipe", "connect", "bob:chat", NULL);
        assert_status(rig_last(rig), 0);
    }
    process_kill(listener, SIGINT);
    assert_status(listener, 130);
    char *got = stdout_of(listener);
    assert_string_equal(got, "line\nline\nline\n");
    free(got);
}

/* ---- who is not there, and who may not */

static void pipe_6_nobody_listens(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    weft(rig, "anna", "pipe", "connect", "--wait", "1s", "bob:chat", NULL);
    assert_status(rig_last(rig), 6);
    assert_says(rig_last(rig), "bob");
}

static void s62_a_stranger_gets_no_stream(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    node_pair(rig, &bob, &anna);
    struct process *listener = listen_as(rig, "bob", "chat");
    weft(rig, "anna", "pipe", "connect", "--wait", "1s", "bob:chat", NULL);
    assert_int_not_equal(process_wait(rig_last(rig)), 0);
    process_kill(listener, SIGINT);
    assert_status(listener, 130);
    assert_never_says(listener, "connected");
}

static void pipe_6_a_busy_listener_says_so(void **state)
{
    struct rig *rig = *state;
    struct process *bob, *anna;

    friends(rig, &bob, &anna);
    struct process *listener = listen_as(rig, "bob", "chat");
    int hers = keyboard(rig, "hers");
    struct process *caller = weft_start(rig, "anna", "pipe", "connect", "bob:chat", NULL);
    type(hers, "hello\n");
    wait_for_output(listener, "hello\n");
    weft(rig, "anna", "pipe", "connect", "bob:chat", NULL);
    assert_status(rig_last(rig), 1);
    assert_says(rig_last(rig), "somebody else");
    close(hers);
    assert_status(caller, 0);
    assert_status(listener, 0);
}

/* ---- ends out of order */

struct stream {
    struct process *bob, *anna, *listener, *caller;
    int his, hers;
};

static struct stream talk(struct rig *rig)
{
    struct stream s;

    friends(rig, &s.bob, &s.anna);
    s.his = keyboard(rig, "his");
    s.listener = listen_as(rig, "bob", "chat");
    s.hers = keyboard(rig, "hers");
    s.caller = weft_start(rig, "anna", "pipe", "connect", "bob:chat", NULL);
    type(s.hers, "hello\n");
    type(s.his, "good day\n");
    wait_for_output(s.listener, "hello\n");
    wait_for_output(s.caller, "good day\n");
    return s;
}

static void hang_up(struct stream *s)
{
    close(s->his);
    close(s->hers);
}

static void p43_the_callers_program_is_killed(void **state)
{
    struct stream s = talk(*state);

    process_kill(s.caller, SIGKILL);
    process_wait(s.caller);
    assert_status(s.listener, 3);
    assert_says(s.listener, "9 bytes had been sent and 6 received");
    hang_up(&s);
}

static void p43_the_listening_program_is_killed(void **state)
{
    struct stream s = talk(*state);

    process_kill(s.listener, SIGKILL);
    process_wait(s.listener);
    assert_status(s.caller, 3);
    assert_says(s.caller, "6 bytes had been sent and 9 received");
    hang_up(&s);
}

static void p43_the_callees_node_is_killed(void **state)
{
    struct stream s = talk(*state);

    process_kill(s.bob, SIGKILL);
    process_wait(s.bob);
    assert_status(s.caller, 3);
    assert_int_not_equal(process_wait(s.listener), 0);
    hang_up(&s);
}

static void p43_the_callers_node_stops(void **state)
{
    struct rig *rig = *state;
    struct stream s = talk(rig);

    weft(rig, "anna", "down", NULL);
    assert_status(s.anna, 0);
    assert_status(s.listener, 3);
    assert_int_not_equal(process_wait(s.caller), 0);
    hang_up(&s);
}

static void pipe_6_interrupted_at_either_end(void **state)
{
    struct stream s = talk(*state);

    process_kill(s.caller, SIGINT);
    assert_status(s.caller, 130);
    assert_status(s.listener, 3);
    hang_up(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipe_6_a_file_each_way_byte_for_byte),
        TEST(pipe_6_half_close_and_a_chat),
        TEST(pipe_6_between_programs_of_one_node),
        TEST(pipe_6_one_caller_after_the_other),
        TEST(pipe_6_nobody_listens),
        TEST(s62_a_stranger_gets_no_stream),
        TEST(pipe_6_a_busy_listener_says_so),
        TEST(p43_the_callers_program_is_killed),
        TEST(p43_the_listening_program_is_killed),
        TEST(p43_the_callees_node_is_killed),
        TEST(p43_the_callers_node_stops),
        TEST(pipe_6_interrupted_at_either_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

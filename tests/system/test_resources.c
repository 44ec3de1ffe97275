/* Shares that are no files, between real nodes and by the program as people use it: a service, URLs, commands and a FIFO, each
 * reached by `weft pipe connect PEER:NAME`. */
#include "files.h"
#include "harness.h"
#include "web.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

/* Two nodes that trust each other. */
static void friends(struct rig *rig, struct process **bob)
{
    struct process *anna;
    node_pair(rig, bob, &anna);
    node_befriend(rig, "bob", "anna");
}

static void share(struct rig *rig, const char *what, const char *name)
{
    weft(rig, "bob", "share", what, "--as", name, NULL);
    assert_status(rig_last(rig), 0);
}

/* Anna's connection to it, with nothing to say, has come to its end: with this status. */
static struct process *fetch(struct rig *rig, const char *pipe, int status)
{
    weft(rig, "anna", "pipe", "connect", pipe, NULL);
    assert_status(rig_last(rig), status);
    return rig_last(rig);
}

static void assert_wrote(const struct process *process, const char *text)
{
    char *out = stdout_of(process);
    assert_string_equal(out, text);
    free(out);
}

/* ---- a service */

struct service {
    pthread_t thread;
    int listener;
    unsigned port;
};

/* Says back what it hears, one connection after the other. */
static void *echo(void *arg)
{
    struct service *s = arg;
    char bytes[65536];
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0; close(fd))
        for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
            if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
                break;
    return NULL;
}

static void service_start(struct service *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &n), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, echo, s), 0);
}

static void service_stop(struct service *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static void relay_2_a_tcp_service_both_ways(void **state)
{
    struct rig *rig = *state;
    struct process *bob;
    struct service service;
    char target[64];

    friends(rig, &bob);
    service_start(&service);
    snprintf(target, sizeof target, "tcp:localhost:%u", service.port);
    share(rig, target, "echo");
    file_make(rig_path(rig, "much"), 24 * MIB + 3, 1);
    for (int i = 0; i < 2; i++) {
        rig->input = rig_path(rig, "much");
        struct process *caller = fetch(rig, "bob:echo", 0);
        char *sent = file_text(rig_path(rig, "much")), *got = stdout_of(caller);
        assert_int_equal(file_size(caller->out), 24 * MIB + 3);
        assert_memory_equal(sent, got, 24 * MIB + 3);
        free(sent);
        free(got);
    }
    weft(rig, "anna", "ls", "-l", "bob", NULL);
    assert_says(rig_last(rig), "tcp");
    service_stop(&service);
    assert_says(fetch(rig, "bob:echo", 3), "cannot be reached");
    assert_never_says(rig_last(rig), target); /* where it leads is bob's affair */
}

/* ---- URLs */

static void relay_2_a_url_by_its_holder(void **state)
{
    struct rig *rig = *state;
    struct process *bob;
    struct web *web = web_new();
    static const char *const paths[] = {"/ok", "/404", "/302", "/short", "/chunked"};
    char url[64];

    friends(rig, &bob);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", web_port(web), paths[i]);
        share(rig, url, paths[i] + 1);
    }
    assert_wrote(fetch(rig, "bob:ok", 0), "hello");
    assert_wrote(fetch(rig, "bob:chunked", 0), "hello");
    assert_wrote(fetch(rig, "bob:404", 6), "");
    assert_says(rig_last(rig), "answers 404");
    assert_wrote(fetch(rig, "bob:302", 4), "");
    assert_says(rig_last(rig), "leads elsewhere");
    assert_int_equal(web_asked(web, "/ok"), 1);
    weft(rig, "anna", "pipe", "connect", "bob:short", NULL); /* it broke off: that is no end */
    assert_status(rig_last(rig), 1);
    assert_says(rig_last(rig), "not whole");
    web_free(web);
}

/* ---- commands */

static void relay_2_what_a_command_says(void **state)
{
    struct rig *rig = *state;
    struct process *bob;

    friends(rig, &bob);
    share(rig, "cmd:printf '%s|' a 'b c' '$HOME' \\;", "words");
    assert_says(rig_last(rig), "/printf"); /* found in the PATH, once and for all */
    assert_wrote(fetch(rig, "bob:words", 0), "a|b c|$HOME|;|");
    assert_wrote(fetch(rig, "bob:words", 0), "a|b c|$HOME|;|");
    share(rig, "cmd:head -c 20000000 /dev/zero", "much");
    assert_int_equal(file_size(fetch(rig, "bob:much", 0)->out), 20000000);
    file_save(rig_path(rig, "input"), "ls /\n", 5);
    share(rig, "cmd:cat", "cat");
    rig->input = rig_path(rig, "input"); /* nothing of it reaches the command */
    assert_wrote(fetch(rig, "bob:cat", 0), "");
}

static void s33_a_command_that_fails_late(void **state)
{
    struct rig *rig = *state;
    struct process *bob;

    friends(rig, &bob);
    share(rig, "cmd:sh -c 'echo part; echo secret >&2; exit 7'", "late");
    assert_wrote(fetch(rig, "bob:late", 1), "part\n");
    assert_says(rig_last(rig), "ended with status 7");
    assert_never_says(rig_last(rig), "secret");
    assert_never_says(bob, "secret");
}

/* Or dead, and not waited for by whoever has it now. */
static bool is_gone(void *arg)
{
    char path[64], state = 'Z';

    snprintf(path, sizeof path, "/proc/%d/stat", (int)*(pid_t *)arg);
    FILE *f = fopen(path, "re");
    if (!f)
        return true;
    if (fscanf(f, "%*d %*s %c", &state) != 1)
        state = 'Z';
    fclose(f);
    return state == 'Z' || state == 'X';
}

static void p38_a_command_ends_with_its_reader_or_its_node(void **state)
{
    struct rig *rig = *state;
    struct process *bob;

    friends(rig, &bob);
    share(rig, "cmd:sh -c 'trap \"\" TERM; echo $$ is it; while :; do sleep 1; done'", "stubborn");
    for (int i = 0; i < 2; i++) {
        struct process *caller = weft_start(rig, "anna", "pipe", "connect", "bob:stubborn", NULL);
        wait_for_output(caller, "is it");
        char *out = stdout_of(caller);
        pid_t pid = (pid_t)strtol(out, NULL, 10);
        free(out);
        assert_false(is_gone(&pid));
        if (i == 0)
            process_kill(caller, SIGKILL);
        else
            weft(rig, "bob", "down", NULL);
        process_wait(caller);
        wait_until(is_gone, &pid, "the end of a command");
    }
    assert_status(bob, 0);
}

/* ---- FIFOs, and what is none */

static void relay_2_what_is_written_into_a_fifo(void **state)
{
    struct rig *rig = *state;
    struct process *bob;
    const char *path = rig_path(rig, "fifo");

    friends(rig, &bob);
    assert_int_equal(mkfifo(path, 0600), 0);
    share(rig, path, "drip");
    struct process *caller = weft_start(rig, "anna", "pipe", "connect", "bob:drip", NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* waits for the reader */
    assert_int_equal(write(fd, "one ", 4), 4);
    wait_for_output(caller, "one ");
    weft(rig, "anna", "pipe", "connect", "bob:drip", NULL); /* a second one would get a part */
    assert_int_not_equal(process_wait(rig_last(rig)), 0);
    assert_int_equal(write(fd, "two", 3), 3);
    close(fd);
    assert_status(caller, 0);
    assert_wrote(caller, "one two");
}

static void p29_sockets_and_devices_are_not_shared(void **state)
{
    struct rig *rig = *state;

    node_start(rig, "bob");
    assert_int_equal(weft(rig, "bob", "share", "/dev/null", "--as", "a", NULL), 2);
    assert_says(rig_last(rig), "FIFOs");
    assert_int_equal(weft(rig, "bob", "share", "/dev/tty", "--as", "a", NULL), 2);
    assert_int_equal(weft(rig, "bob", "share", rig_path(rig, "bob/control"), "--as", "a", NULL) == 0, 0);
    weft(rig, "bob", "ls", "bob", NULL);
    assert_never_says(rig_last(rig), "bob:a");
}

/* ---- what may not be, and what stays */

static void s18_what_only_a_shell_could_do_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {"cmd:ls | wc", "cmd:echo $HOME", "cmd:no-such-program", "cmd:./a",
                                      "cmd:'a",      "tcp:host",       "http://u:p@h/",       "http://h/#a"};

    node_start(rig, "bob");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(weft(rig, "bob", "share", bad[i], "--as", "a", NULL), 0);
    assert_int_equal(weft(rig, "bob", "share", "tcp:h:1", NULL), 2);
    assert_says(rig_last(rig), "--as");
    assert_int_equal(weft(rig, "bob", "share", "tcp:h:1", "--as", "a", "--writable", NULL), 2);
}

static void shares_are_there_after_a_restart(void **state)
{
    struct rig *rig = *state;
    struct process *bob;

    friends(rig, &bob);
    share(rig, "cmd:echo here", "here");
    weft(rig, "bob", "down", NULL);
    assert_status(bob, 0);
    node_start(rig, "bob");
    node_meets(rig, "anna", "bob");
    assert_wrote(fetch(rig, "bob:here", 0), "here\n");
    assert_int_equal(weft(rig, "bob", "unshare", "here", NULL), 0);
    fetch(rig, "bob:here", 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_2_a_tcp_service_both_ways),
        TEST(relay_2_a_url_by_its_holder),
        TEST(relay_2_what_a_command_says),
        TEST(s33_a_command_that_fails_late),
        TEST(p38_a_command_ends_with_its_reader_or_its_node),
        TEST(relay_2_what_is_written_into_a_fifo),
        TEST(p29_sockets_and_devices_are_not_shared),
        TEST(s18_what_only_a_shell_could_do_is_refused),
        TEST(shares_are_there_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

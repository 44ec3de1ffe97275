/* Commands and FIFOs as resources, opened for real, and resources of every kind closed at every moment: nothing is left behind
 * (resource_rig.h). */
#include "resource_rig.h"
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static const struct supply_limits impatient = {
    .connect = PATIENCE, .silence = SHORT, .grace = SHORT, .bytes = RESOURCE_BYTES_MAX};

/* Whether it runs: what is dead but not waited for does not. */
static bool runs(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    assert_int_equal(fscanf(f, "%*d %*s %c", &state), 1);
    fclose(f);
    return state != 'Z' && state != 'X';
}

static void assert_ends(pid_t pid)
{
    for (int i = 0; runs(pid); i++) {
        if (i == 4000)
            fail_msg("process %d still runs", (int)pid);
        poll(NULL, 0, 5);
    }
}

/* The number that it writes first: a process. */
static pid_t read_pid(struct world *w)
{
    struct text line = read_line(w);
    long pid = strtol(line.bytes, NULL, 10);
    free(line.bytes);
    assert_true(pid > 1);
    return (pid_t)pid;
}

/* ---- commands */

static void relay_2_what_a_command_says(void **state)
{
    struct world *w = *state;
    assert_brings_all(w, "cmd:/bin/echo 'a  b' \"c'd\" \\*\\$", "a  b c'd *$\n");
    assert_brings_all(w, "cmd:/bin/true", "");
    assert_brings_all(w, "cmd:/bin/pwd", "/\n");
    assert_int_equal(open_now(w, "cmd:/bin/cat"), 0); /* what the reader says does not reach it */
    assert_int_equal(write(w->fd[1], "hello", 5), 5);
    assert_int_equal(assert_brings(w, ""), 0);
}

static void s18_no_shell_reads_it(void **state)
{
    struct world *w = *state;
    assert_brings_all(w, "cmd:/bin/echo '$(id)' '; id' '`id`' '|' id", "$(id) ; id `id` | id\n");
}

/* Neither a descriptor of ours nor a signal that we block or ignore. */
static void s16_it_gets_nothing_of_ours(void **state)
{
    struct world *w = *state;
    struct sigaction before, ignore = {.sa_handler = SIG_IGN};
    sigset_t some, mask;
    sigaction(SIGPIPE, &ignore, &before);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &some, &mask);
    assert_int_equal(dup2(STDIN_FILENO, 50), 50);                      /* without O_CLOEXEC */
    assert_brings_all(w, "cmd:/bin/ls /proc/self/fd", "0\n1\n2\n3\n"); /* 3 is the folder that it lists */
    /* but for 32 and 33, which are the C library's own */
    assert_brings_all(w, "cmd:/bin/grep -cE '^Sig(Blk|Ign):.[0-9a-f]{8}[08]0{7}$' /proc/self/status", "2\n");
    close(50);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGPIPE, &before, NULL);
}

static void a_program_that_cannot_be_started(void **state)
{
    struct world *w = *state;
    assert_fails(w, "cmd:/no/such/program", ERR_NOT_FOUND, "cannot be started");
    assert_fails(w, "cmd:/etc/passwd", ERR_DENIED, "cannot be started");
}

static void s33_a_command_that_fails_late(void **state)
{
    struct world *w = *state;
    assert_ends_badly(w, "cmd:/bin/false", "", ERR_IO, "status 1");
    assert_ends_badly(w, "cmd:/bin/sh -c 'echo secret; exit 7'", "secret\n", ERR_IO, "status 7");
    assert_null(strstr(w->fault.text, "secret"));
    assert_ends_badly(w, "cmd:/bin/sh -c 'echo a; kill -9 $$'", "a\n", ERR_IO, "signal 9");
}

static void s31_a_command_that_hangs(void **state)
{
    struct world *w = *state;
    restart_with(w, &impatient);
    assert_ends_badly(w, "cmd:/bin/sh -c 'echo a; exec sleep 1000'", "a\n", ERR_TIMEOUT, "silent");
    assert_ends_badly(w, "cmd:/bin/sh -c 'exec >/dev/null; exec sleep 1000'", "", ERR_TIMEOUT, "silent");
}

/* It may talk for longer than it may be silent. */
static void a_command_that_talks_slowly(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = PATIENCE, .silence = 7 * SHORT, .grace = SHORT, .bytes = MIB};
    restart_with(w, &limits);
    assert_brings_all(w, "cmd:/bin/sh -c 'for i in 1 2 3 4; do echo $i; sleep 0.5; done'", "1\n2\n3\n4\n");
}

static void p45_a_command_without_end_is_bounded(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = PATIENCE, .silence = PATIENCE, .grace = SECOND, .bytes = 3 * MIB};
    restart_with(w, &limits);
    assert_int_equal(open_now(w, "cmd:/usr/bin/yes"), 0);
    struct text t = read_up_to(w, 8 * MIB);
    assert_true(t.n > 2 * MIB && t.n <= 3 * MIB);
    free(t.bytes);
    assert_int_equal(resource_verdict(&w->r, &w->fault), ERR_LIMIT);
    close_now(w);
}

static void all_of_much_comes(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_now(w, "cmd:/usr/bin/head -c 20000000 /dev/zero"), 0);
    struct text t = read_up_to(w, 32 * MIB);
    assert_int_equal(t.n, 20000000);
    free(t.bytes);
    assert_int_equal(resource_verdict(&w->r, &w->fault), 0);
    close_now(w);
}

/* Nobody reads any more: it ends, also when it does not want to. */
static void p38_a_command_ends_with_its_stream(void **state)
{
    struct world *w = *state;
    static const char *const targets[] = {
        "cmd:/bin/sh -c 'echo $$; exec sleep 1000'",
        "cmd:/bin/sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done'",
        "cmd:/bin/sh -c 'sleep 1000 & echo $!; wait'",
    };
    restart_with(w, &impatient);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(open_now(w, targets[i]), 0);
        pid_t pid = read_pid(w);
        assert_true(runs(pid));
        close_now(w);
        assert_ends(pid);
    }
}

/* It has ended, and what it left running ends too, whether it holds on to the stream or not. */
static void p38_grandchildren_end_with_the_command(void **state)
{
    struct world *w = *state;
    static const char *const targets[] = {
        "cmd:/bin/sh -c 'sleep 1000 & echo $!'",
        "cmd:/bin/sh -c 'sleep 1000 >/dev/null & echo $!'",
        "cmd:/bin/sh -c 'trap \"\" TERM; sleep 1000 & echo $!'",
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(open_now(w, targets[i]), 0);
        pid_t pid = read_pid(w);
        assert_int_equal(assert_brings(w, ""), 0);
        assert_ends(pid);
    }
}

/* One that would go on saying something for ever has no more time than what it said by then takes. */
static void p45_grandchildren_do_not_go_on_talking(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = PATIENCE, .silence = PATIENCE, .grace = SHORT, .bytes = 2048ull * MIB};
    size_t n;
    restart_with(w, &limits);
    assert_int_equal(open_now(w, "cmd:/bin/sh -c 'yes & exec sleep 0.1'"), 0);
    do {
        struct text t = read_up_to(w, MIB);
        n = t.n;
        free(t.bytes);
    } while (n == MIB);
    assert_int_equal(resource_verdict(&w->r, &w->fault), 0);
    close_now(w);
}

/* One that has left the session cannot be found, but the stream does not wait for it. */
static void one_that_slips_away_holds_nobody_up(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_now(w, "cmd:/bin/sh -c 'setsid sleep 1000 & echo $!; sleep 0.2'"), 0);
    pid_t pid = read_pid(w);
    assert_int_equal(assert_brings(w, ""), 0);
    kill(pid, SIGKILL);
    assert_ends(pid);
}

/* ---- FIFOs */

static struct scratch_path fifo(struct world *w)
{
    struct scratch_path path = scratch_at(&w->scratch, "fifo");
    assert_int_equal(mkfifo(path.s, 0600), 0);
    return path;
}

static void relay_2_what_is_written_into_a_fifo(void **state)
{
    struct world *w = *state;
    struct scratch_path path = fifo(w);
    restart_with(w, &impatient);
    for (int i = 0; i < 2; i++) { /* it is there again for the next one */
        assert_int_equal(open_now(w, path.s), 0);
        run_for(w, 2 * SHORT); /* nobody writes: that is no end, and no silence */
        int a = open(path.s, O_WRONLY | O_NONBLOCK | O_CLOEXEC), b = open(path.s, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(a >= 0 && b >= 0);
        assert_int_equal(write(a, "one ", 4), 4);
        close(a);
        struct text t = read_up_to(w, 4);
        assert_string_equal(t.bytes, "one ");
        free(t.bytes);
        run_for(w, 2 * SHORT);
        assert_int_equal(write(b, "two", 3), 3);
        close(b);
        assert_int_equal(assert_brings(w, "two"), 0);
    }
    assert_int_equal(open_now(w, path.s), 0); /* a writer that comes and goes without a word */
    close(open(path.s, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    assert_int_equal(assert_brings(w, ""), 0);
    assert_int_equal(open_now(w, path.s), 0);
    close_now(w); /* nobody ever wrote */
}

static void p29_what_is_no_fifo_is_not_opened(void **state)
{
    struct world *w = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct scratch_path path = fifo(w), socket_path = scratch_at(&w->scratch, "socket");
    scratch_text(&w->scratch, "file", "secret");
    scratch_link(&w->scratch, "link", path.s);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(strlen(socket_path.s) < sizeof address.sun_path);
    strcpy(address.sun_path, socket_path.s);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    assert_fails(w, scratch_at(&w->scratch, "file").s, ERR_CHANGED, "no FIFO any more");
    assert_fails(w, scratch_at(&w->scratch, "link").s, ERR_CHANGED, "no FIFO any more");
    assert_fails(w, socket_path.s, ERR_CHANGED, "no FIFO any more");
    assert_fails(w, "/dev/tty", ERR_CHANGED, "no FIFO any more");
    assert_fails(w, w->scratch.path, ERR_CHANGED, "no FIFO any more");
    assert_fails(w, scratch_at(&w->scratch, "nothing").s, ERR_NOT_FOUND, "cannot be opened");
    close(s);
}

/* ---- all kinds */

#define KINDS 5

static void all_kinds(struct world *w, struct web *web, char target[KINDS][512])
{
    snprintf(target[0], 512, "tcp:127.0.0.1:%u", web_port(web));
    snprintf(target[1], 512, "http://127.0.0.1:%u/endless", web_port(web));
    snprintf(target[2], 512, "http://localhost:%u/stall", web_port(web));
    snprintf(target[3], 512, "cmd:/bin/sh -c 'echo $$; trap \"\" TERM; while :; do sleep 1; done'");
    struct scratch_path path = fifo(w);
    assert_true(strlen(path.s) < 512);
    strcpy(target[4], path.s);
}

static void p38_closed_at_any_moment(void **state)
{
    struct world *w = *state;
    struct web *web = web_new();
    char target[KINDS][512];
    restart_with(w, &impatient);
    all_kinds(w, web, target);
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (uint64_t i = 0; i < 6; i++) { /* before it is open */
            begin(w, target[kind]);
            run_for(w, i * i * i * 10000);
            close_now(w);
        }
        assert_int_equal(open_now(w, target[kind]), 0);
        close_now(w);
        begin(w, target[kind]); /* open, told, and never taken */
        while (!w->opened)
            loop_run(w->loop);
        close_now(w);
        assert_int_equal(open_now(w, target[kind]), 0);
        close(w->fd[0]); /* the reader went first */
        w->fd[0] = -1;
        run_for(w, SHORT);
        close_now(w);
    }
    supplies_free(w->supplies); /* right after: what it began is over when this returns */
    w->supplies = NULL;
    web_free(web);
}

/* The verdict is asked for by the thread that reads. */
static void *read_to_the_end(void *arg)
{
    struct world *w = arg;
    struct text t = read_up_to(w, MIB);
    assert_string_equal(t.bytes, "a\nb\n");
    free(t.bytes);
    assert_int_equal(resource_verdict(&w->r, &w->fault), ERR_IO);
    return NULL;
}

static void the_verdict_is_for_any_thread(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 20; i++) {
        pthread_t reader;
        assert_int_equal(open_now(w, "cmd:/bin/sh -c 'echo a; echo b; exit 3'"), 0);
        assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, w), 0);
        pthread_join(reader, NULL);
        close_now(w);
    }
}

/* However few descriptors there are: it is open, or says why not. */
static void p21_without_descriptors(void **state)
{
    struct world *w = *state;
    struct web *web = web_new();
    char target[KINDS][512];
    struct rlimit before, few;
    const struct supply_limits limits = {.connect = SHORT, .silence = SHORT, .grace = SHORT, .bytes = MIB};
    all_kinds(w, web, target);
    restart_with(w, &limits);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int top = dup(STDIN_FILENO), failed = 0;
    close(top);
    for (size_t kind = 0; kind < KINDS; kind++)
        for (int spare = 0; spare < 8; spare++) {
            few = before;
            few.rlim_cur = (rlim_t)(top + spare);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
            int err = open_now(w, target[kind]);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
            failed += err != 0;
            close_now(w);
            restart_with(w, &limits); /* so that each begins with the same */
        }
    assert_true(failed >= (int)KINDS);
    web_free(web);
}

/* Those that wind down count, until they are gone. */
static void s31_as_many_as_may_be_at_once(void **state)
{
    struct world *w = *state;
    restart_with(w, &impatient);
    for (size_t i = 0; i < 3 * RESOURCES_MAX; i++) {
        begin(w, "cmd:/bin/true");
        close_now(w);
    }
    int err = open_now(w, "cmd:/bin/true");
    assert_true(err == 0 || err == ERR_FULL);
    close_now(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_2_what_a_command_says),
        TEST(s18_no_shell_reads_it),
        TEST(s16_it_gets_nothing_of_ours),
        TEST(a_program_that_cannot_be_started),
        TEST(s33_a_command_that_fails_late),
        TEST(s31_a_command_that_hangs),
        TEST(a_command_that_talks_slowly),
        TEST(p45_a_command_without_end_is_bounded),
        TEST(all_of_much_comes),
        TEST(p38_a_command_ends_with_its_stream),
        TEST(p38_grandchildren_end_with_the_command),
        TEST(p45_grandchildren_do_not_go_on_talking),
        TEST(one_that_slips_away_holds_nobody_up),
        TEST(relay_2_what_is_written_into_a_fifo),
        TEST(p29_what_is_no_fifo_is_not_opened),
        TEST(p38_closed_at_any_moment),
        TEST(the_verdict_is_for_any_thread),
        TEST(p21_without_descriptors),
        TEST(s31_as_many_as_may_be_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

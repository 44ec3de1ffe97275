/* Descriptors of other programs: each kind is read and written without blocking, and without a change that its owner sees. */
#include "conduit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

static struct conduit opened(int fd, bool writes)
{
    struct fault fault = {0};
    struct conduit c;

    if (conduit_open(&c, fd, writes, &fault) != 0)
        fail_msg("%s", fault.text);
    return c;
}

static void assert_refused(int fd, bool writes, int code)
{
    struct fault fault = {0};
    struct conduit c;

    assert_int_equal(conduit_open(&c, fd, writes, &fault), code);
    assert_int_equal(c.fd, -1);
    assert_true(fcntl(fd, F_GETFD) < 0); /* it was taken */
    conduit_close(&c);
}

static void assert_nothing_to_read(const struct conduit *c)
{
    char byte;
    errno = 0;
    assert_int_equal(conduit_read(c, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

static void assert_reads(const struct conduit *c, const char *text)
{
    char buf[64];
    assert_int_equal(conduit_read(c, buf, sizeof buf), strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

/* Until it takes no more: how much it took. */
static size_t fill(const struct conduit *c)
{
    static const char zeros[1 << 16];
    size_t all = 0;
    ssize_t n;
    while ((n = conduit_write(c, zeros, sizeof zeros)) > 0)
        all += (size_t)n;
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);
    return all;
}

/* ---- kinds */

static void a_pipe_is_opened_anew(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    int kept = dup(fd[0]), flags = fcntl(kept, F_GETFL);
    struct conduit c = opened(fd[0], false);
    assert_nothing_to_read(&c);
    assert_int_equal(write(fd[1], "abc", 3), 3);
    assert_reads(&c, "abc");
    assert_int_equal(fcntl(kept, F_GETFL), flags);
    assert_true(fcntl(c.fd, F_GETFL) & O_NONBLOCK);
    close(fd[1]);
    char byte;
    assert_int_equal(conduit_read(&c, &byte, 1), 0);
    conduit_close(&c);
    conduit_close(&c);
    close(kept);
}

static void a_pipe_that_nobody_reads_fills_up_and_waits(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    int kept = dup(fd[1]), flags = fcntl(kept, F_GETFL);
    struct conduit c = opened(fd[1], true);
    assert_true(fill(&c) >= PIPE_BUF);
    assert_int_equal(fcntl(kept, F_GETFL), flags);
    close(fd[0]);
    assert_int_equal(conduit_write(&c, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    conduit_close(&c);
    close(kept);
}

/* What breaks off must not look like an end to whoever reads the program's socket. */
static void a_socket_that_is_only_closed_says_no_end(void **state)
{
    int fd[2];
    char byte;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    int kept = dup(fd[1]);
    struct conduit out = opened(fd[1], true);
    conduit_close(&out);
    assert_int_equal(recv(fd[0], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(write(kept, "x", 1), 1);
    assert_int_equal(recv(fd[0], &byte, 1, MSG_DONTWAIT), 1);
    close(kept);
    close(fd[0]);
}

/* The far end sees the half-close, though the program keeps its descriptor. */
static void a_socket_is_asked_call_by_call(void **state)
{
    int fd[2];
    char byte;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    int kept = dup(fd[1]), flags = fcntl(kept, F_GETFL);
    struct conduit in = opened(dup(fd[1]), false), out = opened(fd[1], true);
    assert_nothing_to_read(&in);
    assert_int_equal(write(fd[0], "question", 8), 8);
    assert_reads(&in, "question");
    assert_int_equal(conduit_write(&out, "answer", 6), 6);
    assert_int_equal(fcntl(kept, F_GETFL), flags);
    conduit_end(&out);
    char buf[16];
    assert_int_equal(read(fd[0], buf, sizeof buf), 6);
    assert_int_equal(read(fd[0], &byte, 1), 0);
    assert_int_equal(write(fd[0], "more", 4), 4); /* the other direction goes on */
    assert_reads(&in, "more");
    conduit_close(&in);
    close(kept);
    close(fd[0]);
}

static void terminal(int *master, int *slave)
{
    struct termios t;
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(*master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0);
    *slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    assert_true(*slave >= 0);
    assert_int_equal(tcgetattr(*slave, &t), 0);
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_oflag &= ~(tcflag_t)OPOST;
    assert_int_equal(tcsetattr(*slave, TCSANOW, &t), 0);
}

static void a_terminal_is_opened_anew_and_never_blocks(void **state)
{
    int master, slave;
    (void)state;
    terminal(&master, &slave);
    int flags = fcntl(slave, F_GETFL);
    struct conduit in = opened(dup(slave), false), out = opened(dup(slave), true);
    assert_nothing_to_read(&in);
    assert_int_equal(write(master, "typed", 5), 5);
    struct pollfd p = {.fd = in.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_reads(&in, "typed");
    assert_true(fill(&out) > 0);
    assert_int_equal(fcntl(slave, F_GETFL), flags);
    conduit_close(&in);
    conduit_close(&out);
    close(slave);
    close(master);
}

/* /dev/ptmx opened anew would be another terminal: this one must stay the one it is. */
static void the_master_of_a_terminal_stays_itself(void **state)
{
    int master, slave;
    (void)state;
    terminal(&master, &slave);
    struct conduit in = opened(dup(master), false), out = opened(dup(master), true);
    assert_nothing_to_read(&in);
    assert_int_equal(write(slave, "shown", 5), 5);
    assert_reads(&in, "shown");
    assert_int_equal(conduit_write(&out, "typed", 5), 5);
    char buf[8];
    assert_int_equal(read(slave, buf, sizeof buf), 5);
    conduit_close(&in);
    conduit_close(&out);
    close(slave);
    close(master);
}

/* What is written goes where the program's own description stands, with its O_APPEND. */
static void a_file_keeps_its_place_and_flags(void **state)
{
    char path[] = "/tmp/weft-conduit-XXXXXX", buf[16];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    struct conduit in = opened(dup(fd), false);
    assert_int_equal(conduit_read(&in, buf, 3), 3);
    assert_memory_equal(buf, "456", 3);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 7); /* the program's place, too */
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
    struct conduit out = opened(dup(fd), true);
    assert_int_equal(conduit_write(&out, "ab", 2), 2);
    assert_int_equal(pread(fd, buf, 4, 8), 4);
    assert_memory_equal(buf, "89ab", 4);
    conduit_close(&in);
    conduit_close(&out);
    close(fd);
}

static void devices_are_used_as_they_are(void **state)
{
    char byte = 1;
    (void)state;
    struct conduit null = opened(open("/dev/null", O_WRONLY), true), zero = opened(open("/dev/zero", O_RDONLY), false);
    assert_int_equal(conduit_write(&null, "x", 1), 1);
    assert_int_equal(conduit_read(&zero, &byte, 1), 1);
    assert_int_equal(byte, 0);
    conduit_close(&null);
    conduit_close(&zero);
    struct conduit full = opened(open("/dev/full", O_WRONLY), true);
    assert_int_equal(conduit_write(&full, "x", 1), -1);
    assert_int_equal(errno, ENOSPC);
    conduit_close(&full);
}

/* ---- what is no such thing */

static void s62_what_cannot_be_used_is_refused(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_refused(fd[0], true, ERR_USAGE);
    assert_refused(fd[1], false, ERR_USAGE);
    assert_refused(open("/tmp", O_PATH), false, ERR_USAGE);
    assert_refused(-1, false, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_opened_anew),
        cmocka_unit_test(a_pipe_that_nobody_reads_fills_up_and_waits),
        cmocka_unit_test(a_socket_is_asked_call_by_call),
        cmocka_unit_test(a_socket_that_is_only_closed_says_no_end),
        cmocka_unit_test(a_terminal_is_opened_anew_and_never_blocks),
        cmocka_unit_test(the_master_of_a_terminal_stays_itself),
        cmocka_unit_test(a_file_keeps_its_place_and_flags),
        cmocka_unit_test(devices_are_used_as_they_are),
        cmocka_unit_test(s62_what_cannot_be_used_is_refused),
    };
    signal(SIGPIPE, SIG_IGN); /* as in the threads of the bulk plane */
    return cmocka_run_group_tests_name("conduit", tests, NULL, NULL);
}

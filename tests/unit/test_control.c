/* The control socket: rows both ways, garbage, clients that do not read, too many clients, long paths, other users. */
#include "control.h"
#include "packet.h"
#include "scratch.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

struct world {
    struct scratch scratch;
    struct home home;
    struct control *control;
    struct fault fault;
    int requests, gone;
    uint64_t client;
    char kind[ROW_NAME + 1];
    bool echo; /* every request is answered by a row of the same kind */
};

static void request(void *arg, uint64_t client, const struct row *row)
{
    struct world *w = arg;
    w->requests++;
    w->client = client;
    snprintf(w->kind, sizeof w->kind, "%s", row_kind(row));
    if (w->echo)
        control_send(w->control, client, row);
}

static void gone(void *arg, uint64_t client)
{
    struct world *w = arg;
    w->gone++;
    assert_true(client != 0);
}

static void open_control(struct world *w, const char *folder)
{
    const struct control_config config = {.home = &w->home, .request = request, .gone = gone, .arg = w};
    assert_int_equal(home_open(scratch_at(&w->scratch, folder).s, true, &w->home, &w->fault), 0);
    assert_int_equal(control_new(&config, &w->control, &w->fault), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    open_control(w, "home");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    control_free(w->control);
    home_close(&w->home);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

/* Waits for something to do, and does it. */
static void step(struct world *w)
{
    struct pollfd p = {.fd = control_fd(w->control), .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    control_step(w->control);
}

static int dial(struct world *w)
{
    int fd = control_connect(&w->home, &w->fault);
    assert_true(fd >= 0);
    return fd;
}

static void say(int fd, const char *kind, uint64_t seq)
{
    uint8_t buf[256];
    size_t n;
    struct row *row = row_new(kind);
    assert_int_equal(row_encode(row, seq, buf, sizeof buf, &n), 0);
    assert_int_equal(send(fd, buf, n, MSG_NOSIGNAL), n);
    row_free(row);
}

/* The next row from the node; NULL at the end. */
static struct row *next_row(int fd, uint64_t *seq)
{
    static uint8_t buf[ROW_BYTES];
    struct row *row;
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n <= 0)
        return NULL;
    assert_int_equal(row_decode(buf, (size_t)n, seq, &row), 0);
    return row;
}

static void rows_go_both_ways(void **state)
{
    struct world *w = *state;
    w->echo = true;
    int fd = dial(w);
    uint64_t seq;
    for (uint64_t i = 1; i < 4; i++) {
        int before = w->requests;
        say(fd, "status", i);
        while (w->requests == before)
            step(w);
        struct row *row = next_row(fd, &seq);
        assert_string_equal(row_kind(row), "status");
        assert_int_equal(seq, i);
        row_free(row);
    }
    close(fd);
    while (w->gone == 0)
        step(w);
    assert_int_equal(w->gone, 1);
}

/* A row with number 0 is about the request that runs: answers keep that one's number. */
static void a_cancel_has_no_number(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    uint64_t seq;
    say(fd, "get", 7);
    say(fd, "cancel", 0);
    while (w->requests < 2)
        step(w);
    assert_string_equal(w->kind, "cancel");
    struct row *row = row_new("error");
    control_send(w->control, w->client, row);
    row_free(row);
    row = next_row(fd, &seq);
    assert_int_equal(seq, 7);
    row_free(row);
    close(fd);
}

static void garbage_ends_its_client_alone(void **state)
{
    struct world *w = *state;
    static uint8_t big[ROW_BYTES + 1000];
    const struct {
        const void *bytes;
        size_t n;
    } bad[] = {{"hello", 5}, {"\xdd\xff\xff\xff\xff", 5}, {"\x90", 1}, {big, sizeof big}, {"GET / HTTP/1.1\r\n\r\n", 18}};
    int good = dial(w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t seq;
        int fd = dial(w);
        assert_int_equal(send(fd, bad[i].bytes, bad[i].n, MSG_NOSIGNAL), bad[i].n);
        while (w->gone < (int)i + 1)
            step(w);
        assert_null(next_row(fd, &seq));
        close(fd);
    }
    assert_int_equal(w->requests, 0);
    say(good, "status", 1);
    while (w->requests == 0)
        step(w);
    close(good);
}

/* What it does not read waits, but not without end. */
static void p45_a_client_that_does_not_read_is_dropped(void **state)
{
    struct world *w = *state;
    static const char filling[8000];
    int fd = dial(w);
    say(fd, "ls", 1);
    while (w->requests == 0)
        step(w);
    struct row *row = row_new("entry");
    row_data(row, "name", filling, sizeof filling);
    size_t sent = 0, most = CLIENT_QUEUE_BYTES + (4u << 20); /* and what the kernel takes */
    while (w->gone == 0 && sent < most) {
        control_send(w->control, w->client, row);
        sent += sizeof filling;
        struct pollfd p = {.fd = control_fd(w->control), .events = POLLIN};
        if (poll(&p, 1, 0) > 0)
            control_step(w->control);
    }
    assert_int_equal(w->gone, 1);
    assert_true(sent > CLIENT_QUEUE_BYTES);
    control_send(w->control, w->client, row); /* to one who is gone */
    row_free(row);
    close(fd);
}

/* One that reads late gets all of it, in order. */
static void what_waits_is_not_lost(void **state)
{
    struct world *w = *state;
    static const char filling[2000];
    int fd = dial(w);
    say(fd, "ls", 1);
    while (w->requests == 0)
        step(w);
    for (int i = 0; i < 1000; i++) {
        struct row *row = row_new("entry");
        row_int(row, "i", i);
        row_data(row, "name", filling, sizeof filling);
        control_send(w->control, w->client, row);
        row_free(row);
    }
    assert_true(control_waiting(w->control));
    for (int i = 0; i < 1000; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t seq;
        while (poll(&p, 1, 0) == 0)
            step(w);
        struct row *row = next_row(fd, &seq);
        assert_non_null(row);
        assert_int_equal(row_get_int(row, "i", -1), i);
        row_free(row);
    }
    control_step(w->control);
    assert_false(control_waiting(w->control));
    close(fd);
}

static void too_many_clients_are_turned_away(void **state)
{
    struct world *w = *state;
    int fd[CLIENTS_MAX + 1];
    uint64_t seq;
    for (int i = 0; i <= CLIENTS_MAX; i++) {
        fd[i] = dial(w);
        step(w);
    }
    assert_null(next_row(fd[CLIENTS_MAX], &seq));
    say(fd[0], "status", 1);
    while (w->requests == 0)
        step(w);
    close(fd[1]); /* makes room */
    while (w->gone == 0)
        step(w);
    close(fd[CLIENTS_MAX]);
    fd[1] = dial(w);
    say(fd[1], "peers", 1);
    while (w->requests < 2)
        step(w);
    for (int i = 0; i < CLIENTS_MAX; i++)
        close(fd[i]);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct world *w = *state;
    control_free(w->control);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0); /* as a node that was killed leaves it */
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control", w->home.fd);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
    assert_int_equal(control_connect(&w->home, &w->fault), -1);
    assert_int_equal(w->fault.code, ERR_NO_NODE);
    home_close(&w->home);
    open_control(w, "home");
    close(dial(w));
}

static void the_socket_is_ours_alone_and_goes_with_the_node(void **state)
{
    struct world *w = *state;
    struct stat st;
    assert_int_equal(fstatat(w->home.fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    int fd = dial(w);
    say(fd, "down", 1);
    while (w->requests == 0)
        step(w);
    control_shut(w->control);
    assert_int_equal(fstatat(w->home.fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW), -1);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0); /* who is there stays until the end */
    control_free(w->control);
    w->control = NULL;
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    close(fd);
    assert_int_equal(control_connect(&w->home, &w->fault), -1);
    assert_int_equal(w->fault.code, ERR_NO_NODE);
}

/* Longer than a socket's address can be. */
static void a_long_path_is_no_hindrance(void **state)
{
    struct world *w = *state;
    char name[220];
    control_free(w->control);
    home_close(&w->home);
    memset(name, 'h', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    open_control(w, name);
    int fd = dial(w);
    say(fd, "status", 1);
    while (w->requests == 0)
        step(w);
    close(fd);
}

/* Even when the folder lets them reach the socket. */
static void another_user_is_refused(void **state)
{
    struct world *w = *state;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (geteuid() != 0 || home_file(&w->home, CONTROL_SOCKET, sa.sun_path, sizeof sa.sun_path) != 0) {
        print_message("# skip: only root can become somebody else\n");
        skip();
    }
    chmod(w->scratch.path, 0755);
    chmod(w->home.path, 0755);
    fchmodat(w->home.fd, CONTROL_SOCKET, 0666, 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (setresuid(12345, 12345, 12345) != 0)
            _exit(2);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
            _exit(3);
        _exit(recv(fd, &byte, 1, 0) <= 0 ? 0 : 1);
    }
    int status;
    step(w);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(w->requests, 0);
}

/* ---- descriptors */

/* A row with the first `count` of these, and its arrival. */
static void say_with(struct world *w, int fd, const char *kind, const int *pass, unsigned count)
{
    uint8_t buf[256];
    size_t n;
    struct row *row = row_new(kind);
    int before = w->requests;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } rights = {.head = {.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    assert_int_equal(row_encode(row, 1, buf, sizeof buf, &n), 0);
    row_free(row);
    memcpy(CMSG_DATA(&rights.head), pass, count * sizeof(int));
    struct iovec content = {.iov_base = buf, .iov_len = n};
    struct msghdr m = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), n);
    while (w->requests == before)
        step(w);
}

/* Two pipes whose inner ends are for passing: what becomes of those shows at the outer ones. */
struct plumbing {
    int pass[2], feed, drain;
};

static struct plumbing plumb(void)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    return (struct plumbing){.pass = {in[0], out[1]}, .feed = in[1], .drain = out[0]};
}

/* Are the inner ends closed everywhere? */
static bool is_dry(const struct plumbing *p)
{
    struct pollfd feed = {.fd = p->feed, .events = POLLOUT}, drain = {.fd = p->drain, .events = POLLIN};
    poll(&feed, 1, 0);
    poll(&drain, 1, 0);
    return (feed.revents & POLLERR) != 0 && (drain.revents & POLLHUP) != 0;
}

static void dismantle(struct plumbing *p)
{
    close(p->feed);
    close(p->drain);
}

static void pipe_descriptors_come_with_the_rows_that_may_bring_them(void **state)
{
    struct world *w = *state;
    int fd = dial(w), got[2];
    char byte = 0;
    const char *const may[] = {"pipe-connect", "accept"};
    for (int i = 0; i < 2; i++) {
        struct plumbing p = plumb();
        say_with(w, fd, may[i], p.pass, 2);
        packet_close(p.pass);
        assert_false(is_dry(&p));
        assert_true(control_brought(w->control, w->client));
        assert_true(control_take(w->control, w->client, got));
        assert_false(control_brought(w->control, w->client));
        assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(got[1], F_GETFD), FD_CLOEXEC);
        assert_int_equal(write(p.feed, "x", 1), 1);
        assert_int_equal(read(got[0], &byte, 1), 1);
        packet_close(got);
        assert_true(is_dry(&p));
        dismantle(&p);
    }
    assert_false(control_take(w->control, w->client, got)); /* taken is taken */
    assert_int_equal(got[0], -1);
    assert_false(control_take(w->control, 12345, got));
    close(fd);
}

static void s62_descriptors_of_other_rows_are_closed_at_once(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    const char *const kinds[] = {"status", "batch", "cancel", "pipe-listen"};
    for (int i = 0; i < 4; i++) {
        struct plumbing p = plumb();
        say_with(w, fd, kinds[i], p.pass, 2);
        packet_close(p.pass);
        assert_true(is_dry(&p));
        assert_false(control_brought(w->control, w->client));
        dismantle(&p);
    }
    close(fd);
}

/* One, three or many are no pair, and none of them stays. */
static void s62_no_more_than_a_pair_is_taken(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    const unsigned counts[] = {1, 3, 8};
    for (int i = 0; i < 3; i++) {
        struct plumbing p = plumb(), q = plumb();
        const int pass[8] = {p.pass[0], p.pass[1], q.pass[0], q.pass[1], p.pass[0], p.pass[1], q.pass[0], q.pass[1]};
        say_with(w, fd, "pipe-connect", pass, counts[i]);
        packet_close(p.pass);
        packet_close(q.pass);
        assert_true(is_dry(&p) && is_dry(&q));
        assert_false(control_brought(w->control, w->client));
        dismantle(&p);
        dismantle(&q);
    }
    close(fd);
}

static void s62_descriptors_that_nobody_takes_are_closed(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    struct plumbing first = plumb(), second = plumb(), third = plumb();
    say_with(w, fd, "accept", first.pass, 2);
    packet_close(first.pass);
    say_with(w, fd, "accept", second.pass, 2);
    packet_close(second.pass);
    assert_true(is_dry(&first));
    assert_false(is_dry(&second));
    close(fd);
    while (w->gone == 0)
        step(w);
    assert_true(is_dry(&second));
    fd = dial(w);
    say_with(w, fd, "accept", third.pass, 2);
    packet_close(third.pass);
    control_free(w->control);
    w->control = NULL;
    assert_true(is_dry(&third));
    close(fd);
    dismantle(&first);
    dismantle(&second);
    dismantle(&third);
}

static void s62_descriptors_of_garbage_are_closed(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    struct plumbing p = plumb();
    assert_int_equal(packet_send(fd, "garbage", 7, p.pass, 0), 7);
    packet_close(p.pass);
    while (w->gone == 0)
        step(w);
    assert_true(is_dry(&p));
    dismantle(&p);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_go_both_ways),
        TEST(a_cancel_has_no_number),
        TEST(garbage_ends_its_client_alone),
        TEST(p45_a_client_that_does_not_read_is_dropped),
        TEST(what_waits_is_not_lost),
        TEST(too_many_clients_are_turned_away),
        TEST(a_stale_socket_is_replaced),
        TEST(the_socket_is_ours_alone_and_goes_with_the_node),
        TEST(a_long_path_is_no_hindrance),
        TEST(another_user_is_refused),
        TEST(pipe_descriptors_come_with_the_rows_that_may_bring_them),
        TEST(s62_descriptors_of_other_rows_are_closed_at_once),
        TEST(s62_no_more_than_a_pair_is_taken),
        TEST(s62_descriptors_that_nobody_takes_are_closed),
        TEST(s62_descriptors_of_garbage_are_closed),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

/* weft pipe connect --listen: the program listens in a thread of this process, the test is whoever connects. Sockets are real;
 * a libweft without a node is the other end, and sends back what it gets, in capitals. */
#include "err.h"
#include "fake_weft.h"
#include "limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000
#define MOST CONNECTS_PER_PEER_MAX /* streams at once: of more the node would refuse some */
#define MANY 40

struct scene {
    struct fake *fake;
    pthread_t thread;
    const char *words[8];
    FILE *streams[3]; /* the program's */
    int said;         /* what it says, on err or in JSON on out */
    struct sockaddr_in at;
    int status;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    s->fake = fake_new();
    s->fake->pipe.echoes = true;
    s->fake->pipe.route = "relay:hub";
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    fake_free(s->fake);
    free(s);
    return 0;
}

static void *run(void *arg)
{
    struct scene *s = arg;

    s->status = fake_run_on(s->fake, s->streams, s->words);
    for (int i = 0; i < 3; i++)
        fclose(s->streams[i]);
    return NULL;
}

/* A line of what the program says, without its end. */
static void read_line(const struct scene *s, char *line, size_t cap)
{
    size_t n = 0;
    struct pollfd p = {.fd = s->said, .events = POLLIN};

    while (n + 1 < cap && poll(&p, 1, PATIENCE_MS) == 1 && read(s->said, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
}

static void assert_line(const struct scene *s, const char *wanted)
{
    char line[512];

    read_line(s, line, sizeof line);
    if (!strstr(line, wanted))
        fail_msg("this does not say \"%s\": %s", wanted, line);
}

/* Starts it, and learns where it listens. */
static void start(struct scene *s, const char *option)
{
    static const char json[] = "--json";
    const char *words[] = {"pipe", "connect", "bob:ssh", "--listen", "127.0.0.1:0", option, NULL};
    bool is_json = option && strcmp(option, json) == 0;
    char line[256], *colon;
    int fds[2];

    memcpy(s->words, words, sizeof words);
    assert_int_equal(pipe(fds), 0);
    s->said = fds[0];
    s->streams[0] = fopen("/dev/null", "r");
    s->streams[1] = is_json ? fdopen(fds[1], "w") : fopen("/dev/null", "w");
    s->streams[2] = is_json ? fopen("/dev/null", "w") : fdopen(fds[1], "w");
    setvbuf(s->streams[2], NULL, _IONBF, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    read_line(s, line, sizeof line);
    colon = strstr(line, "127.0.0.1:");
    if (!colon)
        fail_msg("it says where it listens with: %s", line);
    s->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 10))};
    s->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_non_null(strstr(line, "bob:ssh"));
}

static void assert_ends(struct scene *s, int status)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    assert_int_equal(s->status, status);
    close(s->said);
}

static int dial(const struct scene *s)
{
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->at, sizeof s->at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_comes(int fd, const char *text)
{
    char got[64];
    size_t n = strlen(text);

    assert_int_equal(recv(fd, got, n, MSG_WAITALL), n);
    assert_memory_equal(got, text, n);
}

static void assert_over(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

static void assert_broken(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

/* ---- */

static void a_port_leads_to_the_pipe(void **state)
{
    struct scene *s = *state;

    start(s, NULL);
    int fd = dial(s);
    put(fd, "hello");
    assert_comes(fd, "HELLO");
    put(fd, " there");
    shutdown(fd, SHUT_WR); /* and what is still under way comes all the same */
    assert_comes(fd, " THERE");
    assert_over(fd);
    assert_line(s, "11 B sent, 11 B received in ");
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
    assert_string_equal(s->fake->pipe.name, "bob:ssh");
}

static void the_far_end_may_end_first(void **state)
{
    struct scene *s = *state;

    s->fake->pipe.echoes = false;
    s->fake->pipe.stream = "a banner, and goodbye";
    start(s, NULL);
    int fd = dial(s);
    assert_comes(fd, "a banner, and goodbye");
    assert_over(fd);
    assert_line(s, "21 B received");
    kill(getpid(), SIGTERM);
    assert_ends(s, 130);
}

static void streams_do_not_wait_for_each_other(void **state)
{
    struct scene *s = *state;

    start(s, NULL);
    int a = dial(s), b = dial(s);
    put(a, "a1");
    put(b, "b1");
    assert_comes(b, "B1");
    assert_comes(a, "A1");
    put(a, "a2");
    assert_comes(a, "A2");
    shutdown(a, SHUT_WR);
    assert_over(a);
    put(b, "b2");
    assert_comes(b, "B2");
    shutdown(b, SHUT_WR);
    assert_over(b);
    assert_int_equal(s->fake->pipe.connects, 2);
    assert_int_equal(s->fake->pipe.most_up, 2);
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
}

static void only_so_many_are_up_at_once(void **state)
{
    struct scene *s = *state;
    int fd[MANY];

    start(s, NULL);
    for (int i = 0; i < MANY; i++) {
        fd[i] = dial(s);
        put(fd[i], "x");
    }
    for (int i = 0; i < MOST; i++)
        assert_comes(fd[i], "X");
    assert_int_equal(s->fake->pipe.connects, MOST);
    for (int i = 0; i < MANY; i++) {
        if (i >= MOST) /* its turn has come */
            assert_comes(fd[i], "X");
        shutdown(fd[i], SHUT_WR);
        assert_over(fd[i]);
    }
    assert_int_equal(s->fake->pipe.connects, MANY);
    assert_int_equal(s->fake->pipe.most_up, MOST);
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
}

static void ctrl_c_ends_what_is_up(void **state)
{
    struct scene *s = *state;

    start(s, NULL);
    int a = dial(s), b = dial(s);
    put(a, "x");
    assert_comes(a, "X");
    put(b, "x");
    assert_comes(b, "X");
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
    assert_broken(a);
    assert_broken(b);
    assert_int_equal(s->fake->pipe.open, 0);
}

static void what_failed_does_not_look_like_an_end(void **state)
{
    struct scene *s = *state;

    s->fake->pipe.echoes = false;
    s->fake->pipe.stream = "half of it";
    s->fake->pipe.code = ERR_UNREACHABLE;
    s->fake->pipe.text = "the service does not answer";
    start(s, NULL);
    for (int i = 0; i < 2; i++) { /* and it goes on listening */
        int fd = dial(s);
        char got[64];
        ssize_t n;
        while ((n = read(fd, got, sizeof got)) > 0)
            continue;
        assert_int_equal(n, -1);
        assert_int_equal(errno, ECONNRESET);
        close(fd);
        assert_line(s, "10 B received");
        assert_line(s, "the service does not answer");
    }
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
}

static void once_is_one_connection(void **state)
{
    struct scene *s = *state;

    start(s, "--once");
    int fd = dial(s);
    put(fd, "x");
    assert_comes(fd, "X");
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(other, (const struct sockaddr *)&s->at, sizeof s->at), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(other);
    shutdown(fd, SHUT_WR);
    assert_over(fd);
    assert_ends(s, 0);
    s->fake->pipe.echoes = false;
    s->fake->pipe.code = ERR_REFUSED;
    start(s, "--once");
    assert_broken(dial(s));
    assert_ends(s, 4);
}

static void events_are_json(void **state)
{
    struct scene *s = *state;

    start(s, "--json");
    int fd = dial(s);
    shutdown(fd, SHUT_WR);
    assert_over(fd);
    assert_line(s, "{\"event\":\"connected\",\"from\":\"127.0.0.1:");
    assert_line(s, "\"bytes_in\":0,\"bytes_out\":0,\"elapsed_us\":");
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
    s->fake->pipe.code = ERR_TIMEOUT;
    s->fake->pipe.echoes = false;
    s->fake->pipe.text = "nobody \"answers\"";
    start(s, "--json");
    assert_broken(dial(s));
    assert_line(s, "{\"event\":\"connected\",\"from\":\"127.0.0.1:");
    assert_line(s, "\"route\":\"relay:hub\",\"error\":\"timeout\",\"text\":\"nobody \\\"answers\\\"\"}");
    kill(getpid(), SIGINT);
    assert_ends(s, 130);
}

static void assert_says(const struct fake *f, const char *wanted)
{
    if (!strstr(f->err, wanted))
        fail_msg("this does not say \"%s\":\n%s", wanted, f->err);
}

static void a_port_in_use_is_said(void **state)
{
    struct scene *s = *state;
    char address[32];
    socklen_t n = sizeof s->at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    s->at = (struct sockaddr_in){.sin_family = AF_INET};
    s->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&s->at, sizeof s->at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&s->at, &n), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(s->at.sin_port));
    assert_int_equal(RUN(s->fake, "pipe", "connect", "bob:ssh", "--listen", address), 1);
    assert_says(s->fake, "another program listens at 127.0.0.1:");
    close(fd);
}

static void addresses_are_numbers_of_this_machine(void **state)
{
    static const char *const wrong[] = {"",           "host:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "-1",
                                        "::1:80",     "[::1]",   "localhost", "*:80",       "127.0.0.1:80x",   "localhost:x",
                                        "256.0.0.1:1"};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(RUN(s->fake, "pipe", "connect", "bob:ssh", "--listen", wrong[i]), 2);
    assert_int_equal(RUN(s->fake, "pipe", "connect", "bob:ssh", "--listen", "192.0.2.1:0"), 1); /* not ours */
    assert_says(s->fake, "cannot listen at 192.0.2.1:0");
    assert_int_equal(RUN(s->fake, "pipe", "connect", "bob:ssh", "--once"), 2);
    s->fake->no_node = true;
    assert_int_equal(RUN(s->fake, "pipe", "connect", "bob:ssh", "--listen", "0"), 1);
    assert_says(s->fake, "weft up");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_port_leads_to_the_pipe),
        TEST(the_far_end_may_end_first),
        TEST(streams_do_not_wait_for_each_other),
        TEST(only_so_many_are_up_at_once),
        TEST(ctrl_c_ends_what_is_up),
        TEST(what_failed_does_not_look_like_an_end),
        TEST(once_is_one_connection),
        TEST(events_are_json),
        TEST(a_port_in_use_is_said),
        TEST(addresses_are_numbers_of_this_machine),
    };
    sigset_t set;

    sigemptyset(&set); /* the program's thread takes them */
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return cmocka_run_group_tests_name("cli_forward", tests, NULL, NULL);
}

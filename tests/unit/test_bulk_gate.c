/* The bulk port against those who only want to keep others out, and the expiry of passes. */
#include "bulk_dial.h"
#include "bulk_gate.h"
#include "bulk_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOOD 10000

struct hall { /* a gate, one pass, and what has come through */
    struct gate *gate;
    struct gate_pass pass;
    struct addr addr;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned arrived, impostors;
};

static void arrive(void *arg, uint8_t index, struct tls_link *link)
{
    struct hall *h = arg;
    (void)index;
    pthread_mutex_lock(&h->lock);
    if (link != NULL)
        h->arrived++;
    else
        h->impostors++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    tls_link_free(link);
}

static void secrets(struct gate_pass *pass)
{
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        memset(pass->secret[i].identity, 0x5a, TLS_IDENTITY_BYTES);
        pass->secret[i].identity[TLS_IDENTITY_BYTES - 1] = (uint8_t)i;
        memset(pass->secret[i].psk, (int)i, TLS_PSK_BYTES);
    }
}

static void hall_open(struct hall *h, uint64_t life)
{
    struct fault fault;
    uint16_t port;

    *h = (struct hall){0};
    pthread_mutex_init(&h->lock, NULL);
    cond_init(&h->changed);
    assert_int_equal(gate_new(NULL, &h->gate, &fault), 0);
    h->pass = (struct gate_pass){.streams = 2, .deadline = now_ns() + life, .arrive = arrive, .arg = h};
    secrets(&h->pass);
    assert_int_equal(gate_open(h->gate, &h->pass, &port, &fault), 0);
    assert_int_equal(addr_parse("127.0.0.1:1", &h->addr), 0);
    h->addr.port = port;
}

static void hall_close(struct hall *h)
{
    gate_close(h->gate, &h->pass);
    gate_free(h->gate);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
}

static int dial(struct hall *h, const struct tls_secret *secret)
{
    struct tls_link *link = NULL;
    struct fault fault;
    unsigned won;
    struct tls *tls;
    assert_int_equal(gate_tls(h->gate, &tls, &fault), 0);
    struct dial d = {
        .tls = tls, .secret = secret, .addr = &h->addr, .addrs = 1, .deadline = now_ns() + 10 * SECOND, .stop_fd = -1};
    int err = dial_race(&d, &link, &won, &fault);
    if (err == 0)
        tls_link_free(link);
    return err;
}

static void wait_for(struct hall *h, unsigned arrived, unsigned impostors)
{
    uint64_t until = now_ns() + 10 * SECOND;
    bool in_time = true;
    pthread_mutex_lock(&h->lock);
    while ((h->arrived < arrived || h->impostors < impostors) && in_time)
        in_time = cond_wait_until(&h->changed, &h->lock, until);
    assert_int_equal(h->arrived, arrived);
    assert_int_equal(h->impostors, impostors);
    pthread_mutex_unlock(&h->lock);
}

static int silent(const struct addr *addr)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(addr, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static struct tls_secret copy_of(const struct hall *h, unsigned i)
{
    return h->pass.secret[i];
}

/* Room for `n` silent connections of ours; returns for how many there is. */
static unsigned room_for(unsigned n)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur > n + 400 ? n : (unsigned)limit.rlim_cur - 400;
}

static void p45_ten_thousand_half_open_connections(void **state)
{
    struct hall h;
    unsigned keep = room_for(FLOOD), n = 0;
    int *fd = malloc(keep * sizeof *fd);
    (void)state;

    hall_open(&h, 60 * SECOND);
    struct tls_secret secret = copy_of(&h, 0);
    for (unsigned i = 0; i < FLOOD; i++) { /* where descriptors are few the oldest of ours go */
        if (i >= keep)
            close(fd[i % keep]);
        else
            n++;
        fd[i % keep] = silent(&h.addr);
    }
    assert_int_equal(dial(&h, &secret), 0);
    wait_for(&h, 1, 0);
    uint32_t passes;
    uint64_t refused;
    gate_counts(h.gate, &passes, &refused);
    assert_true(refused >= FLOOD - HALF_OPEN_MAX - 1); /* those that were pushed out */
    for (unsigned i = 0; i < n; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    free(fd);
    hall_close(&h);
}

static void s31_silent_connections_are_dropped_in_time(void **state)
{
    struct hall h;
    char b;
    (void)state;

    hall_open(&h, 60 * SECOND);
    uint64_t begin = now_ns();
    int quiet = silent(&h.addr), slow = silent(&h.addr);
    assert_int_equal(send(slow, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3); /* the beginning of a ClientHello, and never its end */
    assert_int_equal(recv(quiet, &b, 1, 0) <= 0, 1);
    while (recv(slow, &b, 1, 0) > 0)
        ;
    assert_true(now_ns() - begin < 2 * HANDSHAKE_DEADLINE);
    close(quiet);
    close(slow);
    hall_close(&h);
}

static void garbage_is_dropped_at_once(void **state)
{
    struct hall h;
    char b[256];
    (void)state;

    hall_open(&h, 60 * SECOND);
    uint64_t begin = now_ns();
    int fd = silent(&h.addr);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    while (recv(fd, b, sizeof b, 0) > 0)
        ;
    assert_true(now_ns() - begin < HANDSHAKE_DEADLINE);
    close(fd);
    hall_close(&h);
}

static void s62_an_identity_is_valid_once(void **state)
{
    struct hall h;
    (void)state;

    hall_open(&h, 60 * SECOND);
    struct tls_secret zero = copy_of(&h, 0), one = copy_of(&h, 1), two = copy_of(&h, 2);
    assert_int_equal(dial(&h, &zero), 0);
    wait_for(&h, 1, 0);
    assert_int_equal(dial(&h, &zero), ERR_REFUSED);
    assert_int_equal(dial(&h, &two), ERR_REFUSED); /* this pass is for two streams */
    struct tls_secret thief = one;
    thief.psk[0] ^= 1;
    assert_int_equal(dial(&h, &thief), ERR_REFUSED);
    wait_for(&h, 1, 1);
    assert_int_equal(dial(&h, &one), ERR_REFUSED); /* burnt: its owner is told, and asks for a new object */
    wait_for(&h, 1, 1);
    hall_close(&h);
}

static void oob_6_expired_pass_is_refused(void **state)
{
    struct hall h;
    (void)state;

    hall_open(&h, 0);
    struct tls_secret secret = copy_of(&h, 0);
    assert_int_equal(dial(&h, &secret), ERR_REFUSED);
    wait_for(&h, 0, 0);
    hall_close(&h);
}

static void oob_6_closed_pass_is_refused_and_wiped(void **state)
{
    static const uint8_t zeros[sizeof((struct gate_pass *)0)->secret];
    struct hall h;
    struct gate_pass other = {.streams = 1, .deadline = UINT64_MAX, .arrive = arrive};
    struct fault fault;
    uint16_t port;
    (void)state;

    hall_open(&h, 60 * SECOND);
    struct tls_secret secret = copy_of(&h, 0);
    assert_int_equal(gate_open(h.gate, &other, &port, &fault), 0); /* keeps the port open */
    assert_int_equal(port, h.addr.port);
    gate_close(h.gate, &h.pass);
    assert_memory_equal(h.pass.secret, zeros, sizeof zeros);
    assert_int_equal(dial(&h, &secret), ERR_REFUSED);
    gate_close(h.gate, &other);
    assert_int_equal(dial(&h, &secret), ERR_UNREACHABLE);
    hall_close(&h);
}

static void p45_passes_are_capped(void **state)
{
    struct hall h;
    struct fault fault;
    struct gate_pass *pass = calloc(RECEPTIONS_MAX, sizeof *pass);
    uint16_t port;
    (void)state;

    hall_open(&h, 60 * SECOND);
    for (unsigned i = 0; i < RECEPTIONS_MAX - 1; i++)
        assert_int_equal(gate_open(h.gate, &pass[i], &port, &fault), 0);
    assert_int_equal(gate_open(h.gate, &pass[RECEPTIONS_MAX - 1], &port, &fault), ERR_FULL);
    for (unsigned i = 0; i < RECEPTIONS_MAX; i++)
        gate_close(h.gate, &pass[i]);
    free(pass);
    hall_close(&h);
}

/* P21: without descriptors accepting pauses instead of spinning, and goes on when there are some. */
static void p21_emfile_on_accept_does_not_spin(void **state)
{
    struct hall h;
    struct rlimit limit, low;
    struct rusage before, after;
    int last;
    (void)state;

    hall_open(&h, 60 * SECOND);
    struct tls_secret secret = copy_of(&h, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&h.addr, &ss);
    assert_true(fd >= 0);
    last = dup(fd);
    close(last);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)last; /* not one more */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    getrusage(RUSAGE_SELF, &before);
    struct timeval half = {.tv_usec = 500000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &half, sizeof half);
    char b;
    assert_int_equal(recv(fd, &b, 1, 0), -1); /* half a second in which a spinning thread would burn a core */
    getrusage(RUSAGE_SELF, &after);
    long burnt = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                 after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    assert_true(burnt < 200000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(dial(&h, &secret), 0);
    wait_for(&h, 1, 0);
    close(fd);
    hall_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p45_ten_thousand_half_open_connections),
        cmocka_unit_test(s31_silent_connections_are_dropped_in_time),
        cmocka_unit_test(garbage_is_dropped_at_once),
        cmocka_unit_test(s62_an_identity_is_valid_once),
        cmocka_unit_test(oob_6_expired_pass_is_refused),
        cmocka_unit_test(oob_6_closed_pass_is_refused_and_wiped),
        cmocka_unit_test(p45_passes_are_capped),
        cmocka_unit_test(p21_emfile_on_accept_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

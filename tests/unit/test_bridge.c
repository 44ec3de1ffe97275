/* Bridges: bytes both ways, and those who are to be kept out; quota, rate, silence, ends. */
#include "bridge_internal.h"

#include "bulk_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOOD 10000

/* ---- a relay with a queue instead of a loop */

struct town {
    struct bridges *bridges;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    struct {
        void (*fn)(void *data);
        void *data;
    } post[BRIDGES_MAX + 8];
    unsigned done;
};

static void post(void *arg, void (*fn)(void *data), void *data)
{
    struct town *t = arg;

    pthread_mutex_lock(&t->lock);
    assert_true(t->count < sizeof t->post / sizeof t->post[0]);
    t->post[t->count].fn = fn;
    t->post[t->count++].data = data;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static size_t addresses(void *arg, struct addr *out, size_t max)
{
    (void)arg;
    assert_true(max > 0);
    assert_int_equal(addr_parse("127.0.0.1:1", out), 0);
    return 1;
}

static bool turn(struct town *t, uint64_t until)
{
    bool in_time = true;

    pthread_mutex_lock(&t->lock);
    while (t->count == 0 && in_time)
        in_time = cond_wait_until(&t->changed, &t->lock, until);
    if (t->count == 0) {
        pthread_mutex_unlock(&t->lock);
        return false;
    }
    void (*fn)(void *) = t->post[0].fn;
    void *data = t->post[0].data;
    memmove(&t->post[0], &t->post[1], --t->count * sizeof t->post[0]);
    pthread_mutex_unlock(&t->lock);
    fn(data);
    return true;
}

static void town_open(struct town *t)
{
    struct fault fault;
    const struct bulk_config config = {.addresses = addresses, .post = post, .arg = t};

    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->changed);
    assert_int_equal(bridges_new(&config, &t->bridges, &fault), 0);
}

static void town_close(struct town *t)
{
    bridges_free(t->bridges);
    while (turn(t, 0))
        ;
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
}

static void on_done(struct bridge *b)
{
    struct town *t = b->owner;
    assert_null(b->port_data);
    t->done++;
}

static struct bridge bridge_of(struct town *t, uint8_t streams)
{
    return (struct bridge){.streams = streams, .deadline_s = 10, .limit = INT64_MAX, .owner = t, .done = on_done};
}

static void open_one(struct town *t, struct bridge *b, uint8_t streams)
{
    *b = bridge_of(t, streams);
    assert_int_equal(bridge_open(t->bridges, b), 0);
}

static void until_done(struct town *t, unsigned n)
{
    uint64_t until = now_ns() + 30 * SECOND;
    while (t->done < n)
        if (!turn(t, until))
            fail_msg("%s", "no end comes");
    assert_int_equal(t->done, n);
}

static uint64_t refused(struct town *t)
{
    struct bridge_counts counts;
    bridge_counts(t->bridges, &counts);
    return counts.refused;
}

/* ---- its clients */

static int dial(const struct addr *addr)
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

static void say(int fd, const void *bytes, size_t n)
{
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static int dial_way(const struct relay_way *way, uint8_t index)
{
    uint8_t b[HELLO_BYTES];
    int fd = dial(&way->addr[0]);

    assert_true(fd >= 0);
    hello_encode(b, way, index);
    say(fd, b, sizeof b);
    return fd;
}

static void hear(int fd, const void *bytes, size_t n)
{
    uint8_t *got = malloc(n);
    assert_non_null(got);
    assert_int_equal(recv(fd, got, n, MSG_WAITALL), (ssize_t)n);
    assert_memory_equal(got, bytes, n);
    free(got);
}

/* It was closed without a word, within `ns`. */
static void assert_closed(int fd, uint64_t ns)
{
    char b;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, (int)(ns / MILLISECOND)), 1);
    assert_true(recv(fd, &b, 1, 0) <= 0);
    close(fd);
}

static uint8_t *noise_of(size_t n)
{
    uint8_t *b = malloc(n);
    assert_non_null(b);
    randombytes_buf(b, n);
    return b;
}

struct mover { /* one end of a stream: writes all of out, then says that it ends, and reads all of in */
    int fd;
    const uint8_t *out, *in;
    size_t n;
    _Atomic bool same;
    pthread_t writer, reader;
};

static void *write_all(void *arg)
{
    struct mover *m = arg;
    for (size_t at = 0; at < m->n;) {
        ssize_t put = send(m->fd, m->out + at, m->n - at, MSG_NOSIGNAL);
        if (put <= 0)
            return NULL;
        at += (size_t)put;
    }
    shutdown(m->fd, SHUT_WR);
    return NULL;
}

static void *read_all(void *arg)
{
    struct mover *m = arg;
    uint8_t b[65536];
    size_t at = 0;
    ssize_t n;

    while ((n = recv(m->fd, b, sizeof b, 0)) > 0 && at + (size_t)n <= m->n && memcmp(b, m->in + at, (size_t)n) == 0)
        at += (size_t)n;
    m->same = n == 0 && at == m->n;
    return NULL;
}

static void mover_start(struct mover *m, int fd, const uint8_t *out, const uint8_t *in, size_t n)
{
    *m = (struct mover){.fd = fd, .out = out, .in = in, .n = n};
    assert_int_equal(bulk_thread(&m->writer, write_all, m), 0);
    assert_int_equal(bulk_thread(&m->reader, read_all, m), 0);
}

static void mover_end(struct mover *m)
{
    pthread_join(m->writer, NULL);
    pthread_join(m->reader, NULL);
    assert_true(m->same);
    close(m->fd);
}

/* ---- bytes */

static void oob_5_bytes_pass_both_ways_and_so_do_ends(void **state)
{
    enum { N = 24 << 20 };
    struct town t;
    struct bridge b;
    struct mover m[2 * STREAMS_MAX];
    uint8_t *one = noise_of(N), *two = noise_of(N);
    (void)state;

    town_open(&t);
    open_one(&t, &b, 3);
    for (uint8_t i = 0; i < 3; i++) {
        size_t n = i == 0 ? N : i == 1 ? 1000 : 0; /* a long one, a short one, an empty one */
        mover_start(&m[2 * i], dial_way(&b.way[0], i), one, two, n);
        mover_start(&m[2 * i + 1], dial_way(&b.way[1], i), two, one, n);
    }
    for (unsigned i = 0; i < 6; i++)
        mover_end(&m[i]);
    until_done(&t, 1);
    assert_int_equal(b.fault.code, 0);
    assert_int_equal(b.moved, 2 * (N + 1000));
    town_close(&t);
    free(one);
    free(two);
}

/* What comes with the hello in one piece, or long before the other side, is the other side's all the same. */
static void the_hello_takes_no_byte_of_the_stream(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t hello[HELLO_BYTES + 5];
    (void)state;

    town_open(&t);
    open_one(&t, &b, 1);
    hello_encode(hello, &b.way[0], 0);
    memcpy(hello + HELLO_BYTES, "first", 5);
    int one = dial(&b.way[0].addr[0]);
    for (size_t i = 0; i < 40; i++)
        say(one, hello + i, 1);
    say(one, hello + 40, sizeof hello - 40);
    int two = dial_way(&b.way[1], 0);
    hear(two, "first", 5);
    say(two, "second", 6);
    hear(one, "second", 6);
    close(one);
    close(two);
    until_done(&t, 1);
    town_close(&t);
}

static void p42_two_bridges_never_cross(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    open_one(&t, &a, 2);
    open_one(&t, &b, 2);
    int fd[2][2][2];
    for (uint8_t i = 0; i < 2; i++)
        for (unsigned w = 0; w < 2; w++) {
            fd[0][w][i] = dial_way(&a.way[w], i);
            fd[1][w][i] = dial_way(&b.way[w], i);
        }
    for (unsigned k = 0; k < 8; k++) {
        char text[2] = {'a', (char)('0' + k)};
        say(fd[k & 1][k >> 1 & 1][k >> 2], text, 2);
    }
    for (unsigned k = 0; k < 8; k++) {
        char text[2] = {'a', (char)('0' + k)};
        hear(fd[k & 1][1 - (k >> 1 & 1)][k >> 2], text, 2);
    }
    for (unsigned k = 0; k < 8; k++)
        close(fd[k & 1][k >> 1 & 1][k >> 2]);
    until_done(&t, 2);
    town_close(&t);
}

/* ---- who is kept out */

static void s62_ways_are_of_128_bits_and_share_nothing(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    open_one(&t, &a, 1);
    open_one(&t, &b, 1);
    const struct relay_way *way[] = {&a.way[0], &a.way[1], &b.way[0], &b.way[1]};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < i; k++) {
            assert_memory_not_equal(way[i]->id.b, way[k]->id.b, TAG_BYTES);
            assert_memory_not_equal(way[i]->key, way[k]->key, sizeof way[i]->key);
        }
    town_close(&t);
}

static void p43_wrong_reused_guessed_and_anothers_are_refused(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    open_one(&t, &a, 2);
    open_one(&t, &b, 2);
    struct relay_way wrong = a.way[0], guessed = a.way[0], mixed = a.way[0];
    wrong.key[31] ^= 1;
    guessed.id.b[0] ^= 1;
    memcpy(mixed.key, b.way[0].key, sizeof mixed.key);
    assert_closed(dial_way(&wrong, 0), SECOND);
    assert_closed(dial_way(&guessed, 0), SECOND);
    assert_closed(dial_way(&mixed, 0), SECOND);
    assert_closed(dial_way(&a.way[0], 2), SECOND); /* of two streams */
    assert_int_equal(refused(&t), 4);
    int one = dial_way(&a.way[0], 0), two = dial_way(&a.way[1], 0);
    say(one, "x", 1);
    hear(two, "x", 1);
    assert_closed(dial_way(&a.way[0], 0), SECOND); /* once a stream and side */
    assert_closed(dial_way(&a.way[1], 0), SECOND);
    assert_int_equal(refused(&t), 6);
    say(two, "y", 1); /* which has disturbed nobody */
    hear(one, "y", 1);
    close(one);
    close(two);
    town_close(&t);
}

static void oob_6_expired_and_closed_ways_are_refused(void **state)
{
    struct town t;
    struct bridge a, b, c;
    (void)state;

    town_open(&t);
    open_one(&t, &a, 1);
    b = bridge_of(&t, 1);
    b.deadline_s = 0;
    assert_int_equal(bridge_open(t.bridges, &b), 0);
    assert_closed(dial_way(&b.way[0], 0), SECOND);
    until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_TIMEOUT);
    open_one(&t, &c, 1);
    bridge_close(t.bridges, &c, ERR_CANCELLED);
    until_done(&t, 2);
    assert_int_equal(c.fault.code, ERR_CANCELLED);
    assert_closed(dial_way(&c.way[0], 0), SECOND);
    bridge_close(t.bridges, &a, ERR_CANCELLED);
    until_done(&t, 3);
    assert_int_equal(dial(&a.way[0].addr[0]), -1); /* the last bridge shuts the port */
    open_one(&t, &a, 1);
    int again = dial_way(&a.way[0], 0);
    int other = dial_way(&a.way[1], 0);
    say(again, "z", 1);
    hear(other, "z", 1);
    close(again);
    close(other);
    town_close(&t);
}

static void s31_late_and_slow_hellos_are_dropped(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t hello[HELLO_BYTES];
    (void)state;

    town_open(&t);
    open_one(&t, &b, 1);
    uint64_t begin = now_ns();
    int quiet = dial(&b.way[0].addr[0]), slow = dial(&b.way[0].addr[0]);
    hello_encode(hello, &b.way[0], 0);
    say(slow, hello, HELLO_BYTES - 1);
    assert_closed(quiet, 2 * HANDSHAKE_DEADLINE);
    assert_closed(slow, HANDSHAKE_DEADLINE);
    assert_true(now_ns() - begin >= HANDSHAKE_DEADLINE - SECOND && now_ns() - begin < 2 * HANDSHAKE_DEADLINE);
    assert_int_equal(refused(&t), 2);
    town_close(&t);
}

static void garbage_is_dropped_at_once(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t zeros[HELLO_BYTES] = {0};
    (void)state;

    town_open(&t);
    open_one(&t, &b, 1);
    int fd = dial(&b.way[0].addr[0]);
    say(fd, zeros, sizeof zeros);
    assert_closed(fd, SECOND);
    assert_int_equal(refused(&t), 1);
    town_close(&t);
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
    struct town t;
    struct bridge b;
    unsigned keep = room_for(FLOOD);
    int *fd = malloc(keep * sizeof *fd);
    (void)state;

    assert_non_null(fd);
    town_open(&t);
    open_one(&t, &b, 1);
    for (unsigned i = 0; i < FLOOD; i++) { /* where descriptors are few the oldest of ours go */
        if (i >= keep)
            close(fd[i % keep]);
        fd[i % keep] = dial(&b.way[0].addr[0]);
    }
    int one = dial_way(&b.way[0], 0), two = dial_way(&b.way[1], 0);
    say(one, "through", 7);
    hear(two, "through", 7);
    assert_true(refused(&t) >= FLOOD - HALF_OPEN_MAX);
    close(one);
    close(two);
    until_done(&t, 1);
    for (unsigned i = 0; i < keep; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    free(fd);
    town_close(&t);
}

/* P21: without descriptors accepting pauses instead of spinning, and goes on when there are some. */
static void p21_emfile_on_accept_does_not_spin(void **state)
{
    struct town t;
    struct bridge b;
    struct rlimit limit, low;
    struct rusage before, after;
    uint8_t hello[HELLO_BYTES];
    (void)state;

    town_open(&t);
    open_one(&t, &b, 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&b.way[0].addr[0], &ss);
    assert_true(fd >= 0);
    int last = dup(fd);
    close(last);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)last; /* not one more */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    getrusage(RUSAGE_SELF, &before);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 500), 0); /* half a second in which a spinning thread would burn a core */
    getrusage(RUSAGE_SELF, &after);
    long burnt = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                 after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    assert_true(burnt < 200000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    hello_encode(hello, &b.way[0], 0);
    say(fd, hello, sizeof hello);
    int other = dial_way(&b.way[1], 0);
    say(other, "on", 2);
    hear(fd, "on", 2);
    close(fd);
    close(other);
    town_close(&t);
}

static void p45_bridges_are_capped(void **state)
{
    struct town t;
    struct bridge *b = calloc(BRIDGES_MAX + 1, sizeof *b), none = {.streams = 0}, many = {.streams = STREAMS_MAX + 1};
    (void)state;

    assert_non_null(b);
    town_open(&t);
    assert_int_equal(bridge_open(t.bridges, &none), ERR_USAGE);
    assert_int_equal(bridge_open(t.bridges, &many), ERR_USAGE);
    for (unsigned i = 0; i < BRIDGES_MAX; i++)
        open_one(&t, &b[i], STREAMS_MAX);
    b[BRIDGES_MAX] = bridge_of(&t, 1);
    assert_int_equal(bridge_open(t.bridges, &b[BRIDGES_MAX]), ERR_FULL);
    for (unsigned i = 0; i < BRIDGES_MAX; i++)
        bridge_close(t.bridges, &b[i], ERR_CANCELLED);
    until_done(&t, BRIDGES_MAX);
    town_close(&t);
    free(b);
}

/* ---- limits */

static void relay_7_quota_ends_a_bridge_and_not_a_byte_earlier(void **state)
{
    struct town t;
    struct bridge b;
    (void)state;

    town_open(&t);
    for (int over = 0; over < 2; over++) {
        b = bridge_of(&t, 1);
        b.limit = 1000;
        assert_int_equal(bridge_open(t.bridges, &b), 0);
        int one = dial_way(&b.way[0], 0), two = dial_way(&b.way[1], 0);
        uint8_t bytes[500] = {1};
        say(one, bytes, 500);
        hear(two, bytes, 500);
        say(two, bytes, 500);
        hear(one, bytes, 500);
        if (over)
            say(one, bytes, 1);
        else
            shutdown(one, SHUT_WR);
        assert_closed(two, SECOND);
        close(one);
        until_done(&t, (unsigned)over + 1);
        assert_int_equal(b.fault.code, over ? ERR_FULL : 0);
        if (over)
            assert_string_equal(b.fault.text, "quota");
        assert_int_equal(b.moved, 1000);
    }
    town_close(&t);
}

/* Two bridges of one account share its rate; one of another's is as fast as ever meanwhile. */
static void relay_7_rate_is_an_accounts_and_delays_nobody_else(void **state)
{
    enum { N = 1 << 20, RATE = 4 << 20 };
    struct town t;
    struct bridge b[3];
    struct mover m[6];
    uint8_t *bytes = noise_of(N);
    (void)state;

    town_open(&t);
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < 3; i++) {
        b[i] = bridge_of(&t, 1);
        b[i].account = i < 2 ? 7 : 8;
        b[i].rate = i < 2 ? RATE : 0;
        assert_int_equal(bridge_open(t.bridges, &b[i]), 0);
        mover_start(&m[2 * i], dial_way(&b[i].way[0], 0), bytes, bytes, N);
        mover_start(&m[2 * i + 1], dial_way(&b[i].way[1], 0), bytes, bytes, N);
    }
    mover_end(&m[4]);
    mover_end(&m[5]);
    uint64_t free_one = now_ns() - begin;
    for (unsigned i = 0; i < 4; i++)
        mover_end(&m[i]);
    uint64_t all = now_ns() - begin; /* 4 MB at 4 MB/s, but for a burst */
    assert_true(all > 800 * MILLISECOND && all < 5 * SECOND);
    assert_true(free_one < all / 2);
    until_done(&t, 3);
    town_close(&t);
    free(bytes);
}

/* P46: a stream whose reader stands still, and one that has no end, hold up no other. */
static void p46_a_stalled_and_an_endless_stream_delay_no_other(void **state)
{
    enum { N = 64 << 20 };
    struct town t;
    struct bridge stalled, endless, small;
    struct mover m[2];
    uint8_t *bytes = noise_of(N);
    (void)state;

    town_open(&t);
    open_one(&t, &stalled, 1);
    open_one(&t, &endless, 1);
    open_one(&t, &small, 1);
    int one = dial_way(&stalled.way[0], 0), two = dial_way(&stalled.way[1], 0);
    fcntl(one, F_SETFL, O_NONBLOCK);
    for (uint64_t until = now_ns() + 200 * MILLISECOND; now_ns() < until;) /* until it is full, nobody reads */
        if (send(one, bytes, N, MSG_NOSIGNAL) < 0 && errno == EAGAIN)
            poll(NULL, 0, 1);
    mover_start(&m[0], dial_way(&endless.way[0], 0), bytes, bytes, N);
    mover_start(&m[1], dial_way(&endless.way[1], 0), bytes, bytes, N);
    int from = dial_way(&small.way[0], 0), to = dial_way(&small.way[1], 0);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t begin = now_ns();
        say(from, "ping", 4);
        hear(to, "ping", 4);
        assert_true(now_ns() - begin < SECOND);
    }
    mover_end(&m[0]);
    mover_end(&m[1]);
    close(from);
    close(to);
    close(one);
    close(two);
    until_done(&t, 3);
    town_close(&t);
    free(bytes);
}

/* ---- ends */

static void p42_streams_that_do_not_come_in_time_end_the_bridge(void **state)
{
    struct town t;
    struct bridge b;
    (void)state;

    town_open(&t);
    b = bridge_of(&t, 2);
    b.deadline_s = 1;
    assert_int_equal(bridge_open(t.bridges, &b), 0);
    int one = dial_way(&b.way[0], 0), two = dial_way(&b.way[1], 0), alone = dial_way(&b.way[0], 1);
    until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_TIMEOUT);
    assert_closed(one, SECOND);
    assert_closed(two, SECOND);
    assert_closed(alone, SECOND);
    town_close(&t);
}

static void p38_an_end_that_breaks_ends_its_stream_and_no_other(void **state)
{
    struct town t;
    struct bridge b;
    const struct linger reset = {.l_onoff = 1};
    (void)state;

    town_open(&t);
    open_one(&t, &b, 2);
    int one = dial_way(&b.way[0], 0), two = dial_way(&b.way[1], 0);
    int three = dial_way(&b.way[0], 1), four = dial_way(&b.way[1], 1);
    say(one, "x", 1);
    hear(two, "x", 1);
    setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(one);
    assert_closed(two, SECOND);
    say(three, "still", 5);
    hear(four, "still", 5);
    close(three);
    close(four);
    until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_UNREACHABLE);
    town_close(&t);
}

static void one_that_leaves_before_the_other_comes(void **state)
{
    struct town t;
    struct bridge b;
    const struct linger reset = {.l_onoff = 1};
    (void)state;

    town_open(&t);
    open_one(&t, &b, 1);
    int one = dial_way(&b.way[0], 0);
    say(one, "last words", 10);
    close(one);
    int two = dial_way(&b.way[1], 0);
    hear(two, "last words", 10);
    assert_closed(two, SECOND);
    until_done(&t, 1);
    open_one(&t, &b, 2);
    one = dial_way(&b.way[0], 0), two = dial_way(&b.way[1], 1);
    say(one, "unheard", 7);
    setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(one);
    setsockopt(two, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(two);
    until_done(&t, 2);
    assert_int_equal(b.fault.code, ERR_UNREACHABLE);
    town_close(&t);
}

static void silence_ends_a_bridge_but_waiting_bytes_are_none(void **state)
{
    struct town t;
    struct bridge quiet, full;
    uint8_t *bytes = calloc(1, 1 << 20);
    (void)state;

    assert_non_null(bytes);
    town_open(&t);
    t.bridges->silence = 700 * MILLISECOND;
    open_one(&t, &full, 1);
    open_one(&t, &quiet, 1);
    int in = dial_way(&full.way[0], 0), out = dial_way(&full.way[1], 0);
    fcntl(in, F_SETFL, O_NONBLOCK);
    for (uint64_t until = now_ns() + 200 * MILLISECOND; now_ns() < until;)
        if (send(in, bytes, 1 << 20, MSG_NOSIGNAL) < 0 && errno == EAGAIN)
            poll(NULL, 0, 1);
    int one = dial_way(&quiet.way[0], 0), two = dial_way(&quiet.way[1], 0);
    until_done(&t, 1);
    assert_int_equal(quiet.fault.code, ERR_TIMEOUT);
    assert_closed(one, SECOND);
    assert_closed(two, SECOND);
    hear(out, bytes, 1 << 20);
    assert_non_null(full.port_data);
    close(in);
    close(out);
    town_close(&t);
    free(bytes);
}

static void free_in_the_middle_says_nothing_more(void **state)
{
    struct town t;
    struct bridge b[4];
    (void)state;

    town_open(&t);
    for (unsigned i = 0; i < 4; i++)
        open_one(&t, &b[i], 1);
    int half = dial(&b[0].way[0].addr[0]), alone = dial_way(&b[1].way[0], 0);
    int one = dial_way(&b[2].way[0], 0), two = dial_way(&b[2].way[1], 0);
    say(one, "x", 1);
    hear(two, "x", 1);
    bridge_close(t.bridges, &b[3], ERR_CANCELLED); /* its end may be on its way */
    town_close(&t);
    assert_int_equal(t.done, 0);
    assert_closed(half, SECOND);
    assert_closed(alone, SECOND);
    assert_closed(one, SECOND);
    assert_closed(two, SECOND);
}

/* ---- the hello's bytes */

static void hello_golden_and_every_change(void **state)
{
    static const uint8_t begin[] = {'w',  'r',  '1',  5,    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,
                                    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    struct relay_way way;
    uint8_t b[HELLO_BYTES], proof[32];
    struct hello hello;
    (void)state;

    memset(&way, 0, sizeof way);
    for (unsigned i = 0; i < sizeof way.key; i++)
        way.key[i] = (uint8_t)i;
    for (unsigned i = 0; i < TAG_BYTES; i++)
        way.id.b[i] = (uint8_t)(0xa0 + i);
    hello_encode(b, &way, 5);
    assert_memory_equal(b, begin, sizeof begin);
    crypto_generichash(proof, 32, begin, sizeof begin, way.key, 32);
    assert_memory_equal(b + sizeof begin, proof, 32);
    assert_int_equal(hello_decode(b, &hello), 0);
    assert_int_equal(hello.index, 5);
    assert_true(tag_equal(&hello.id, &way.id));
    assert_true(hello_proves(b, way.key));
    for (unsigned bit = 0; bit < 8 * HELLO_BYTES; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(hello_decode(b, &hello) != 0 || !hello_proves(b, way.key));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    hello_encode(b, &way, STREAMS_MAX);
    assert_int_equal(hello_decode(b, &hello), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oob_5_bytes_pass_both_ways_and_so_do_ends),
        cmocka_unit_test(the_hello_takes_no_byte_of_the_stream),
        cmocka_unit_test(p42_two_bridges_never_cross),
        cmocka_unit_test(s62_ways_are_of_128_bits_and_share_nothing),
        cmocka_unit_test(p43_wrong_reused_guessed_and_anothers_are_refused),
        cmocka_unit_test(oob_6_expired_and_closed_ways_are_refused),
        cmocka_unit_test(s31_late_and_slow_hellos_are_dropped),
        cmocka_unit_test(garbage_is_dropped_at_once),
        cmocka_unit_test(p45_ten_thousand_half_open_connections),
        cmocka_unit_test(p21_emfile_on_accept_does_not_spin),
        cmocka_unit_test(p45_bridges_are_capped),
        cmocka_unit_test(relay_7_quota_ends_a_bridge_and_not_a_byte_earlier),
        cmocka_unit_test(relay_7_rate_is_an_accounts_and_delays_nobody_else),
        cmocka_unit_test(p46_a_stalled_and_an_endless_stream_delay_no_other),
        cmocka_unit_test(p42_streams_that_do_not_come_in_time_end_the_bridge),
        cmocka_unit_test(p38_an_end_that_breaks_ends_its_stream_and_no_other),
        cmocka_unit_test(one_that_leaves_before_the_other_comes),
        cmocka_unit_test(silence_ends_a_bridge_but_waiting_bytes_are_none),
        cmocka_unit_test(free_in_the_middle_says_nothing_more),
        cmocka_unit_test(hello_golden_and_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* See bridge_town.h. */
#include "bridge_town.h"

#include "bulk_thread.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a relay with a queue instead of a loop */

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

void town_open(struct town *t)
{
    struct fault fault;
    const struct bulk_config config = {.addresses = addresses, .post = post, .arg = t};

    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->changed);
    assert_int_equal(bridges_new(&config, &t->bridges, &fault), 0);
}

void town_close(struct town *t)
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

struct bridge town_bridge_of(struct town *t, uint8_t streams)
{
    return (struct bridge){.streams = streams, .deadline_s = 10, .limit = INT64_MAX, .owner = t, .done = on_done};
}

void town_bridge(struct town *t, struct bridge *b, uint8_t streams)
{
    *b = town_bridge_of(t, streams);
    assert_int_equal(bridge_open(t->bridges, b), 0);
}

void town_until_done(struct town *t, unsigned n)
{
    uint64_t until = now_ns() + 30 * SECOND;
    while (t->done < n)
        if (!turn(t, until))
            fail_msg("%s", "no end comes");
    assert_int_equal(t->done, n);
}

uint64_t town_refused(struct town *t)
{
    struct bridge_counts counts;
    bridge_counts(t->bridges, &counts);
    return counts.refused;
}

/* ---- its clients */

int town_dial(const struct addr *addr)
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

void town_say(int fd, const void *bytes, size_t n)
{
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

int town_dial_way(const struct relay_way *way, uint8_t index)
{
    uint8_t b[HELLO_BYTES];
    int fd = town_dial(&way->addr[0]);

    assert_true(fd >= 0);
    hello_encode(b, way, index);
    town_say(fd, b, sizeof b);
    return fd;
}

void town_hear(int fd, const void *bytes, size_t n)
{
    uint8_t *got = malloc(n);
    assert_non_null(got);
    assert_int_equal(recv(fd, got, n, MSG_WAITALL), (ssize_t)n);
    assert_memory_equal(got, bytes, n);
    free(got);
}

void town_assert_closed(int fd, uint64_t ns)
{
    char b;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, (int)(ns / MILLISECOND)), 1);
    assert_true(recv(fd, &b, 1, 0) <= 0);
    close(fd);
}

void town_fill(int fd)
{
    static const uint8_t zeros[65536];
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    while (poll(&p, 1, 300) == 1) {
        ssize_t n = send(fd, zeros, sizeof zeros, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
    }
}

uint8_t *town_noise(size_t n)
{
    uint8_t *b = malloc(n);
    assert_non_null(b);
    randombytes_buf(b, n);
    return b;
}

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

void mover_start(struct mover *m, int fd, const uint8_t *out, const uint8_t *in, size_t n)
{
    *m = (struct mover){.fd = fd, .out = out, .in = in, .n = n};
    assert_int_equal(bulk_thread(&m->writer, write_all, m), 0);
    assert_int_equal(bulk_thread(&m->reader, read_all, m), 0);
}

void mover_end(struct mover *m)
{
    pthread_join(m->writer, NULL);
    pthread_join(m->reader, NULL);
    assert_true(m->same);
    close(m->fd);
}

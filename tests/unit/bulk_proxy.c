/* A proxy that cuts or corrupts: one thread, one poll, blocking writes (both ends always drain). */
#include "bulk_pair.h"
#include "bulk_thread.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUTES 64

struct routes {
    unsigned count;
    int dialler[ROUTES], listener[ROUTES]; /* -1 when closed */
};

static int connect_to(const struct addr *to)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(to, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void route_close(struct routes *r, unsigned i)
{
    if (r->dialler[i] >= 0)
        close(r->dialler[i]);
    if (r->listener[i] >= 0)
        close(r->listener[i]);
    r->dialler[i] = r->listener[i] = -1;
}

static void route_add(struct proxy *x, struct routes *r)
{
    int fd = accept4(x->fd, NULL, NULL, SOCK_CLOEXEC);
    unsigned i = r->count;

    if (fd < 0 || i == ROUTES || x->cut_at == 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    r->count++;
    r->dialler[i] = fd;
    r->listener[i] = connect_to(&x->to);
    if (r->listener[i] < 0)
        route_close(r, i);
}

/* One gulp. False when the connection is over. */
static bool pass(struct proxy *x, int from, int to, bool counted)
{
    static _Thread_local uint8_t b[65536];
    ssize_t n = recv(from, b, sizeof b, 0);

    if (n <= 0)
        return false;
    if (!counted)
        atomic_fetch_add(&x->returned, n);
    if (counted) {
        int64_t before = atomic_fetch_add(&x->passed, n);
        if (x->corrupt_at >= before && x->corrupt_at < before + n)
            b[x->corrupt_at - before] ^= 0x10;
        if (x->cut_at >= 0 && before + n >= x->cut_at) {
            x->cut_at = 0;
            return false;
        }
    }
    for (ssize_t at = 0; at < n;) {
        ssize_t put = send(to, b + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        at += put;
    }
    return true;
}

static void *run(void *arg)
{
    struct proxy *x = arg;
    struct routes r = {0};

    while (!x->stop) {
        struct pollfd p[1 + 2 * ROUTES] = {{.fd = x->fd, .events = POLLIN}};
        for (unsigned i = 0; i < r.count; i++) {
            p[1 + 2 * i] = (struct pollfd){.fd = r.dialler[i], .events = POLLIN};
            p[2 + 2 * i] = (struct pollfd){.fd = r.listener[i], .events = POLLIN};
        }
        unsigned known = r.count;
        if (poll(p, 1 + 2 * known, 50) <= 0)
            continue;
        for (unsigned i = 0; i < known; i++)
            if ((p[1 + 2 * i].revents != 0 && !pass(x, r.dialler[i], r.listener[i], true)) ||
                (p[2 + 2 * i].revents != 0 && !pass(x, r.listener[i], r.dialler[i], false)))
                route_close(&r, i);
        if (x->cut_at == 0)
            for (unsigned i = 0; i < known; i++)
                route_close(&r, i);
        if (p[0].revents != 0)
            route_add(x, &r);
    }
    for (unsigned i = 0; i < r.count; i++)
        route_close(&r, i);
    return NULL;
}

void proxy_start(struct proxy *x, const struct addr *to)
{
    struct sockaddr_storage ss;
    socklen_t len;

    assert_int_equal(addr_parse("127.0.0.1:1", &x->addr), 0);
    x->addr.port = 0;
    x->to = *to;
    x->passed = x->returned = 0;
    x->stop = false;
    len = addr_to_sockaddr(&x->addr, &ss);
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(x->fd >= 0);
    assert_int_equal(bind(x->fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(listen(x->fd, 64), 0);
    assert_int_equal(getsockname(x->fd, (struct sockaddr *)&ss, &len), 0);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &x->addr), 0);
    assert_int_equal(bulk_thread(&x->thread, run, x), 0);
}

void proxy_stop(struct proxy *x)
{
    x->stop = true;
    shutdown(x->fd, SHUT_RDWR); /* it waits no longer */
    pthread_join(x->thread, NULL);
    close(x->fd);
}

/* A TCP service as a resource: connected to, then the stream's ends are the connection's.
 *
 * Its addresses are tried as "happy eyeballs" has it (RFC 8305), but in the order that the system gives: the next one when the
 * one before has failed, or has not answered after a moment; the first to answer wins. */
#include "addr.h"
#include "bulk_thread.h"
#include "io.h"
#include "resource_work.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER (250 * MILLISECOND)

struct attempts {
    struct addr address[LOOKUP_ADDRESSES];
    size_t count, next;       /* those before `next` were begun */
    int fd[LOOKUP_ADDRESSES]; /* -1: failed */
    size_t pending;
    uint64_t next_at, until;
    int errnum; /* of the last that failed */
};

static void failed(struct attempts *a, size_t i, int errnum)
{
    io_close(a->fd[i]);
    a->fd[i] = -1;
    a->errnum = errnum;
    a->next_at = 0;
}

static void begin_next(struct attempts *a)
{
    struct sockaddr_storage ss;
    size_t i = a->next++;
    socklen_t n = addr_to_sockaddr(&a->address[i], &ss);
    int yes = 1;
    a->next_at = now_ns() + STAGGER;
    a->fd[i] = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd[i] < 0) {
        failed(a, i, errno);
        return;
    }
    setsockopt(a->fd[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(a->fd[i], SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    if (connect(a->fd[i], (struct sockaddr *)&ss, n) != 0 && errno != EINPROGRESS)
        failed(a, i, errno);
    else
        a->pending++;
}

/* Looks at one that has come to something: is it connected? */
static bool connected(struct attempts *a, size_t i)
{
    int errnum = 0;
    socklen_t n = sizeof errnum;
    if (getsockopt(a->fd[i], SOL_SOCKET, SO_ERROR, &errnum, &n) != 0)
        errnum = errno;
    if (errnum == 0)
        return true;
    a->pending--;
    failed(a, i, errnum);
    return false;
}

/* Waits for one of them, or until the next may be begun. Gives the connected one, if any. */
static int await(const struct supply *s, struct attempts *a, int *fd, struct fault *fault)
{
    struct pollfd wait[LOOKUP_ADDRESSES + 1];
    uint64_t until = a->next < a->count && a->next_at < a->until ? a->next_at : a->until;
    for (size_t i = 0; i < a->next; i++)
        wait[i] = (struct pollfd){.fd = a->fd[i], .events = POLLOUT};
    wait[a->next] = (struct pollfd){.fd = s->stop_fd, .events = POLLIN};
    int n = poll(wait, a->next + 1, supply_wait_ms(until));
    if (wait[a->next].revents != 0)
        return fault_set(fault, ERR_CANCELLED, "nobody wants it any more");
    if (n == 0 && now_ns() >= a->until)
        return fault_set(fault, ERR_TIMEOUT, "the service behind this share does not answer");
    for (size_t i = 0; n > 0 && i < a->next; i++) {
        if (wait[i].revents == 0 || !connected(a, i))
            continue;
        *fd = a->fd[i];
        a->fd[i] = -1;
        return 0;
    }
    return 0;
}

static int connect_any(const struct supply *s, struct attempts *a, int *fd, struct fault *fault)
{
    int err = 0;
    *fd = -1;
    while (!err && *fd < 0) {
        if (a->next < a->count && (a->pending == 0 || now_ns() >= a->next_at))
            begin_next(a);
        else if (a->pending == 0)
            err = fault_set(fault, ERR_UNREACHABLE, "the service behind this share cannot be reached: %s",
                            strerrordesc_np(a->errnum));
        else
            err = await(s, a, fd, fault);
    }
    for (size_t i = 0; i < a->next; i++)
        io_close(a->fd[i]);
    return err;
}

int supply_tcp(struct supply *s, struct fault *fault)
{
    struct attempts a = {.until = now_ns() + s->limits.connect};
    int fd[2];
    int err = lookup(s, a.until, a.address, &a.count, fault);
    if (!err)
        err = connect_any(s, &a, &fd[0], fault);
    if (err)
        return err;
    fd[1] = fcntl(fd[0], F_DUPFD_CLOEXEC, 0);
    if (fd[1] < 0) {
        fault_errno(fault, errno, "no descriptor for the service behind this share");
        close(fd[0]);
        return (int)fault->code;
    }
    supply_opened(s, fd);
    return 0;
}

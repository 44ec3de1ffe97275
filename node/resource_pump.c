/* How bytes get into the stream of a resource that only gives: through a pipe, at the pace of its reader.
 *
 * Time in which the reader makes us wait counts for nobody's silence. */
#include "bulk_thread.h"
#include "io.h"
#include "resource_work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PUMP_BYTES (64 * 1024)

int supply_wait_ms(uint64_t until)
{
    uint64_t now = now_ns();
    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)((until - now + MILLISECOND - 1) / MILLISECOND);
}

int supply_open_pipe(struct supply *s, struct fault *fault)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return fault_errno(fault, errno, "no pipe for what is behind this share");
    int fd[2] = {p[0], open("/dev/null", O_WRONLY | O_CLOEXEC)};
    if (fd[1] < 0 || fcntl(p[1], F_SETFL, O_NONBLOCK) != 0) {
        fault_errno(fault, errno, "no pipe for what is behind this share");
        io_close(fd[1]);
        close(p[0]);
        close(p[1]);
        return (int)fault->code;
    }
    s->out = p[1];
    supply_opened(s, fd);
    return 0;
}

/* Until the reader has read something, is gone, or the supply is stopped. */
static int await_reader(const struct supply *s)
{
    struct pollfd p[] = {{.fd = s->out, .events = POLLOUT}, {.fd = s->stop_fd, .events = POLLIN}};
    poll(p, 2, -1);
    return p[1].revents != 0 ? ERR_CANCELLED : 0;
}

int supply_write(struct supply *s, const void *bytes, size_t n, struct fault *fault)
{
    const char *at = bytes;
    s->bytes += n;
    if (s->bytes > s->limits.bytes)
        return fault_set(fault, ERR_LIMIT, "what is behind this share brings more than %llu bytes, and has no end in sight",
                         (unsigned long long)s->limits.bytes);
    while (n > 0) {
        ssize_t put = write(s->out, at, n);
        int err = 0;
        if (put > 0) {
            at += put;
            n -= (size_t)put;
        } else if (errno == EAGAIN) {
            err = await_reader(s);
        } else if (errno != EINTR) {
            err = ERR_CANCELLED;
        }
        if (err)
            return fault_set(fault, err, "nobody reads it any more");
    }
    return 0;
}

/* ---- pumps */

/* Waits until there is something to do: how long is since when it was last so. */
static int pump_wait(struct supply *s, struct pump *p, uint64_t until, bool *ended, struct fault *fault)
{
    struct pollfd wait[] = {{.fd = p->in, .events = POLLIN},
                            {.fd = s->stop_fd, .events = POLLIN},
                            {.fd = p->ended_fd, .events = POLLIN},
                            {.fd = s->out}};
    int n = poll(wait, 4, supply_wait_ms(until));
    if (wait[1].revents != 0 || wait[3].revents != 0)
        return fault_set(fault, ERR_CANCELLED, "nobody reads it any more");
    if (n == 0 && until <= now_ns())
        return fault_set(fault, ERR_TIMEOUT, "what is behind this share was silent for %llu seconds, and was ended",
                         (unsigned long long)((p->silence + SECOND - 1) / SECOND));
    *ended = n > 0 && wait[2].revents != 0;
    return 0;
}

/* Moves some of what is there, if anything is. */
static int pump_some(struct supply *s, struct pump *p, void *buffer, bool *empty, struct fault *fault)
{
    ssize_t n;
    do
        n = p->in >= 0 ? read(p->in, buffer, PUMP_BYTES) : 0;
    while (n < 0 && errno == EINTR);
    *empty = n <= 0;
    if (n > 0)
        return supply_write(s, buffer, (size_t)n, fault);
    if (n < 0)
        return errno == EAGAIN ? 0 : fault_errno(fault, errno, "what is behind this share cannot be read");
    io_close(p->in);
    p->in = -1;
    return 0;
}

static int pump_run(struct supply *s, struct pump *p, void *buffer, struct fault *fault)
{
    bool ended = false, empty = false;
    uint64_t heard = now_ns();
    int err = 0;
    while (!err && (p->in >= 0 || p->ended_fd >= 0) && !(ended && empty)) {
        if (!ended) {
            err = pump_wait(s, p, p->silence ? heard + p->silence : UINT64_MAX, &ended, fault);
            if (ended && p->ending)
                p->ending(p->arg);
        }
        if (!err)
            err = pump_some(s, p, buffer, &empty, fault);
        if (!empty)
            heard = now_ns();
    }
    return err;
}

int supply_pump(struct supply *s, struct pump *p, struct fault *fault)
{
    void *buffer = malloc(PUMP_BYTES);
    int err = buffer ? pump_run(s, p, buffer, fault) : fault_set(fault, ERR_NOMEM, "out of memory");
    free(buffer);
    io_close(p->in);
    p->in = -1;
    return err;
}

#include "conduit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PIPE_BYTES (1024 * 1024) /* what we ask a pipe to hold: a program that is not scheduled stops nobody at once */
#define TTY_BYTES 256            /* room that a terminal has when it polls writable */
#define TTY_MAJOR_OTHERS 5       /* /dev/tty, /dev/console, /dev/ptmx: opened anew, each is another one */

static bool is_terminal(const struct stat *st, int fd)
{
    return S_ISCHR(st->st_mode) && isatty(fd) == 1;
}

/* Pipes and terminals can be opened again: a description of our own, of the same thing. */
static int open_anew(const struct conduit *c, const struct stat *st)
{
    char path[64];

    if (!S_ISFIFO(st->st_mode) && (!is_terminal(st, c->fd) || major(st->st_rdev) == TTY_MAJOR_OTHERS)) {
        errno = ENOTSUP;
        return -1;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", c->fd);
    return open(path, (c->writes ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int conduit_open(struct conduit *c, int fd, bool writes, struct fault *fault)
{
    struct stat st;
    int mode = fcntl(fd, F_GETFL);

    *c = (struct conduit){.fd = fd, .writes = writes, .way = CONDUIT_SHARED, .at_once = SIZE_MAX};
    if (mode < 0 || (mode & O_PATH) != 0 || (mode & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY) || fstat(fd, &st) != 0) {
        conduit_close(c);
        return fault_set(fault, ERR_USAGE, "a descriptor that was passed cannot be %s", writes ? "written" : "read");
    }
    if (S_ISSOCK(st.st_mode)) {
        c->way = CONDUIT_SOCKET;
        return 0;
    }
    int ours = open_anew(c, &st);
    if (ours < 0 && errno == ENXIO) {
        conduit_close(c);
        return fault_set(fault, ERR_IO, "nobody reads the pipe that the stream is to be written to");
    }
    if (ours >= 0) {
        close(c->fd);
        c->fd = ours;
        c->way = CONDUIT_OURS;
    }
    if (S_ISFIFO(st.st_mode)) {
        fcntl(c->fd, F_SETPIPE_SZ, PIPE_BYTES); /* more than the user may have: then it stays as it is */
        c->at_once = ours >= 0 ? SIZE_MAX : PIPE_BUF;
    } else if (is_terminal(&st, c->fd)) {
        c->at_once = TTY_BYTES;
    }
    return 0;
}

void conduit_end(struct conduit *c)
{
    if (c->fd >= 0 && c->way == CONDUIT_SOCKET && c->writes)
        shutdown(c->fd, SHUT_WR);
    conduit_close(c);
}

void conduit_close(struct conduit *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static bool ready(const struct conduit *c, short events)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    if (poll(&p, 1, 0) == 1)
        return true;
    errno = EAGAIN;
    return false;
}

ssize_t conduit_read(const struct conduit *c, void *buf, size_t n)
{
    if (c->way == CONDUIT_SOCKET)
        return recv(c->fd, buf, n, MSG_DONTWAIT);
    if (c->way == CONDUIT_SHARED && !ready(c, POLLIN))
        return -1;
    return read(c->fd, buf, n);
}

ssize_t conduit_write(const struct conduit *c, const void *buf, size_t n)
{
    if (n > c->at_once)
        n = c->at_once;
    if (c->way == CONDUIT_SOCKET)
        return send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (c->way == CONDUIT_SHARED && !ready(c, POLLOUT))
        return -1;
    return write(c->fd, buf, n);
}

/* Pipes for programs: what sending and receiving have in common. See weft.h and client_pipe.h.
 *
 * The socket never blocks; whoever must wait does so in client_pipe_wait, which weft_pipe_interrupt ends. Invariants:
 *   1. `interrupted` is set before `wake` becomes readable, so a wait that sees `wake` alone has only an old wake to clear;
 *   2. nothing is read from the socket once `over` is set. */
#include "client_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_BYTES (1 << 20) /* asked for; the kernel gives what net.core.wmem_max allows */

uint64_t client_pipe_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

uint64_t client_pipe_deadline(int timeout_ms)
{
    if (timeout_ms < 0)
        return NEVER;
    uint64_t ms = (uint64_t)timeout_ms;
    return client_pipe_now() + ms * MILLISECOND;
}

int client_pipe_result(struct weft_pipe *pipe, int err, struct weft_error *error)
{
    return err ? error_of(&pipe->fault, error) : 0;
}

/* ---- rows */

static int over(struct weft_pipe *pipe)
{
    pipe->fault = pipe->end;
    return (int)pipe->end.code;
}

/* What a row says about the end of the call, if it is its last. */
static void note_end(struct weft_pipe *pipe, const struct row *row)
{
    if (strcmp(row_kind(row), "error") == 0)
        client_error(row, &pipe->end);
    else if (strcmp(row_kind(row), "done") == 0)
        fault_set(&pipe->end, ERR_STATE, "the pipe has been finished");
    else
        return;
    pipe->over = true;
}

int client_pipe_row(struct weft_pipe *pipe, struct row **row)
{
    uint64_t seq;
    ssize_t n;
    *row = NULL;
    if (pipe->over)
        return over(pipe);
    do
        n = recv(pipe->fd, pipe->buf, sizeof pipe->buf, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n > 0 && (size_t)n <= ROW_BYTES && row_decode(pipe->buf, (size_t)n, &seq, row) == 0) {
        note_end(pipe, *row);
        if (!pipe->over || strcmp(row_kind(*row), "done") == 0)
            return 0;
        row_free(*row);
        *row = NULL;
        return over(pipe);
    }
    pipe->over = true;
    if (n > 0)
        fault_set(&pipe->end, ERR_MALFORMED, "the node's answer cannot be read; is it of another version?");
    else
        client_lost(&pipe->end);
    return over(pipe);
}

/* The node hung up: what it said before tells why. */
static int hung_up(struct weft_pipe *pipe)
{
    struct row *row;
    while (client_pipe_row(pipe, &row) == 0 && row)
        row_free(row);
    pipe->over = true;
    if (!pipe->end.code)
        client_lost(&pipe->end);
    return over(pipe);
}

/* ---- waiting */

int client_pipe_interrupted(struct weft_pipe *pipe)
{
    uint64_t count;
    if (!atomic_load_explicit(&pipe->interrupted, memory_order_relaxed))
        return 0;
    while (read(pipe->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
    atomic_store(&pipe->interrupted, false);
    return fault_set(&pipe->fault, ERR_CANCELLED, "interrupted");
}

/* For poll: rounded up, so that it does not spin through the last millisecond. */
static int milliseconds_to(uint64_t deadline)
{
    uint64_t t = client_pipe_now();
    if (deadline == NEVER)
        return -1;
    if (deadline <= t)
        return 0;
    uint64_t ms = (deadline - t + MILLISECOND - 1) / MILLISECOND;
    return ms > 1 << 30 ? 1 << 30 : (int)ms;
}

int client_pipe_wait(struct weft_pipe *pipe, short events, uint64_t deadline)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = pipe->fd, .events = events}, {.fd = pipe->wake, .events = POLLIN}};
        uint64_t count;
        int ms = milliseconds_to(deadline);
        int n = poll(ready, 2, ms);
        int err = client_pipe_interrupted(pipe);
        if (err)
            return err;
        if (n > 0 && ready[0].revents)
            return 0;
        if (n > 0 && read(pipe->wake, &count, sizeof count) > 0)
            continue;
        if (n == 0 && ms == 0)
            return fault_set(&pipe->fault, ERR_TIMEOUT, "nothing came in time");
    }
}

int client_pipe_put(struct weft_pipe *pipe, struct row *row, const int *fds, bool wait)
{
    if (!row)
        return fault_set(&pipe->fault, ERR_NOMEM, "out of memory");
    int err = client_send(pipe->fd, row, 0, fds, &pipe->fault);
    while (err == ERR_FULL && wait && (err = client_pipe_wait(pipe, POLLOUT, NEVER)) == 0)
        err = client_send(pipe->fd, row, 0, fds, &pipe->fault);
    row_free(row);
    return err == ERR_NO_NODE ? hung_up(pipe) : err;
}

void weft_pipe_interrupt(struct weft_pipe *pipe)
{
    const uint64_t one = 1;
    int kept = errno; /* may be in a signal handler */
    atomic_store(&pipe->interrupted, true);
    while (write(pipe->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = kept;
}

int weft_pipe_fd(const struct weft_pipe *pipe)
{
    return pipe->poll;
}

/* ---- life */

/* All of it at once: the three descriptors that a pipe has beside the connection. */
static int make_pollable(struct weft_pipe *pipe)
{
    const int size = SOCKET_BYTES;
    struct epoll_event e = {.events = EPOLLIN};
    setsockopt(pipe->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    pipe->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pipe->poll = epoll_create1(EPOLL_CLOEXEC);
    if (fcntl(pipe->fd, F_SETFL, O_NONBLOCK) != 0 || pipe->wake < 0 || pipe->poll < 0 ||
        epoll_ctl(pipe->poll, EPOLL_CTL_ADD, pipe->fd, &e) != 0 || epoll_ctl(pipe->poll, EPOLL_CTL_ADD, pipe->wake, &e) != 0)
        return fault_errno(&pipe->fault, errno, "cannot open a pipe");
    return 0;
}

/* The first row of the answer: the node has understood what is wanted. */
static int await_answer(struct weft_pipe *pipe)
{
    struct row *row = NULL;
    int err = client_pipe_row(pipe, &row);
    while (!err && !row) {
        err = client_pipe_wait(pipe, POLLIN, NEVER);
        if (!err)
            err = client_pipe_row(pipe, &row);
    }
    if (err)
        return err;
    const char *name = row_get_text(row, "pipe", NULL);
    if (name && strlen(name) < sizeof pipe->name)
        memcpy(pipe->name, name, strlen(name) + 1);
    if (!pipe->listening)
        client_pipe_sending_row(pipe, row);
    row_free(row);
    return 0;
}

/* Connects and sends the request (takes it). */
static int begin(struct weft_pipe *pipe, const char *home, struct row *request)
{
    int err = ERR_NOMEM;
    pipe->fd = request ? client_dial(home, &pipe->fault) : -1;
    if (!request)
        fault_set(&pipe->fault, err, "out of memory");
    else if (pipe->fd < 0)
        err = (int)pipe->fault.code;
    else
        err = make_pollable(pipe);
    if (!err)
        err = client_send(pipe->fd, request, 1, NULL, &pipe->fault);
    row_free(request);
    return err ? err : await_answer(pipe);
}

static struct row *request_for(const char *verb, const char *name, const struct weft_pipe_options *options)
{
    struct row *row = row_new(verb);
    row_text(row, "pipe", name);
    row_bool(row, "propagate", options->propagate);
    if (options->transport)
        row_text(row, "transport", options->transport);
    return row;
}

static struct weft_pipe *pipe_new(struct weft_error *error)
{
    struct weft_pipe *pipe = calloc(1, sizeof *pipe);
    struct fault fault = {0};
    if (pipe) {
        pipe->fd = pipe->wake = pipe->poll = -1;
        pipe->in.receipts[0] = pipe->in.receipts[1] = -1;
    } else {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        error_of(&fault, error);
    }
    return pipe;
}

static struct weft_pipe *opened(struct weft_pipe *pipe, int err, struct weft_error *error)
{
    if (!err)
        return pipe;
    client_pipe_result(pipe, err, error);
    weft_pipe_close(pipe);
    return NULL;
}

struct weft_pipe *weft_pipe_listen(const char *home, const char *name, const struct weft_pipe_options *options,
                                   struct weft_error *error)
{
    static const struct weft_pipe_options defaults;
    struct weft_pipe *pipe = pipe_new(error);
    if (!pipe)
        return NULL;
    options = options ? options : &defaults;
    struct row *request = request_for("pipe-listen", name, options);
    row_bool(request, "shared", options->shared);
    for (size_t i = 0; options->allow && options->allow[i]; i++)
        row_text(request, "to", options->allow[i]);
    row_bool(request, "public", options->is_public);
    row_int(request, "rank", options->rank);
    pipe->listening = true;
    pipe->in.hold = options->hold;
    return opened(pipe, begin(pipe, home, request), error);
}

struct weft_pipe *weft_pipe_open(const char *home, const char *name, const struct weft_pipe_options *options,
                                 struct weft_error *error)
{
    static const struct weft_pipe_options defaults;
    struct weft_pipe *pipe = pipe_new(error);
    if (!pipe)
        return NULL;
    options = options ? options : &defaults;
    int err = client_pipe_sending(pipe, options);
    if (err)
        return opened(pipe, err, error);
    struct row *request = request_for("pipe-send", name, options);
    if (options->wait_ms > 0)
        row_int(request, "wait_ms", options->wait_ms);
    return opened(pipe, begin(pipe, home, request), error);
}

void weft_pipe_close(struct weft_pipe *pipe)
{
    if (!pipe)
        return;
    client_pipe_sending_fini(pipe);
    client_pipe_receiving_fini(pipe);
    if (pipe->poll >= 0)
        close(pipe->poll);
    if (pipe->wake >= 0)
        close(pipe->wake);
    if (pipe->fd >= 0)
        close(pipe->fd);
    free(pipe);
}

void weft_pipe_status(const struct weft_pipe *pipe, struct weft_pipe_status *status)
{
    *status = (struct weft_pipe_status){.name = pipe->name,
                                        .peer = pipe->out.peer,
                                        .state = pipe->listening ? "bound" : pipe->out.state,
                                        .sent = pipe->out.sent,
                                        .taken = pipe->out.taken,
                                        .rebound = pipe->out.rebound};
}

/* The control socket. See control.h.
 *
 * An epoll descriptor stands for all sockets, so that the loop polls one. Invariants: (1) a slot is in use when its fd is
 * not -1; (2) EPOLLOUT is asked for just while a queue is not empty; (3) a client is let go of in control_step only, never
 * inside control_send: the core may be in the middle of its answer. */
#include "control.h"

#include "packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS 16
#define REQUESTS_AT_ONCE 8

struct packet {
    struct packet *next;
    size_t n;
    uint8_t bytes[];
};

struct client {
    int fd;
    uint64_t number;
    uint64_t seq; /* of its latest request */
    struct packet *first, *last;
    size_t queued;
    int passed[2]; /* passed along with its latest row that may bring any; -1: none, or taken */
    bool doomed;
};

struct control {
    struct control_config config;
    int listener, epoll;
    int spare;   /* given up for a moment when descriptors run out, to turn clients away instead of spinning */
    bool doomed; /* some client is */
    uint64_t next;
    struct client client[CLIENTS_MAX];
    uint8_t buf[ROW_BYTES + 1];
};

/* ---- clients */

static void drop_queue(struct client *c)
{
    while (c->first) {
        struct packet *p = c->first;
        c->first = p->next;
        free(p);
    }
    c->queued = 0;
}

static void client_close(struct control *control, struct client *c)
{
    drop_queue(c);
    packet_close(c->passed);
    close(c->fd);
    c->fd = -1;
    control->config.gone(control->config.arg, c->number);
}

static void doom(struct control *control, struct client *c)
{
    c->doomed = control->doomed = true;
    drop_queue(c);
    shutdown(c->fd, SHUT_RDWR); /* which epoll reports, so that control_step is called */
}

static void bury_doomed(struct control *control)
{
    control->doomed = false;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0 && control->client[i].doomed)
            client_close(control, &control->client[i]);
}

static int poll_for(struct control *control, struct client *c, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    return epoll_ctl(control->epoll, op, c ? c->fd : control->listener, &e);
}

static bool is_ours(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && cred.uid == geteuid();
}

static void turn_away(struct control *control)
{
    close(control->spare);
    int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void client_accept(struct control *control)
{
    int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        turn_away(control);
    if (fd < 0)
        return;
    struct client *c = NULL;
    for (size_t i = 0; i < CLIENTS_MAX && !c; i++)
        if (control->client[i].fd < 0)
            c = &control->client[i];
    if (!is_ours(fd) || !c) {
        log_write(control->config.log, LOG_WARN, "control", c ? "another user's process refused" : "too many clients");
        close(fd);
        return;
    }
    *c = (struct client){.fd = fd, .number = ++control->next, .passed = {-1, -1}};
    if (poll_for(control, c, EPOLL_CTL_ADD, EPOLLIN) != 0) {
        close(fd);
        c->fd = -1;
    }
}

/* ---- rows in */

/* Which rows may bring descriptors: those that join two of them to a byte stream. */
static bool joins(const struct row *row)
{
    return strcmp(row_kind(row), "pipe-connect") == 0 || strcmp(row_kind(row), "accept") == 0;
}

/* One request, with the descriptors that came along (takes). A packet that is no row ends the client: it is another program,
 * or another weft. */
static void take(struct control *control, struct client *c, size_t n, int fd[2])
{
    struct row *row;
    uint64_t seq;
    if (n > ROW_BYTES || row_decode(control->buf, n, &seq, &row) != 0) {
        log_write(control->config.log, LOG_WARN, "control", "a client that sends no rows is dropped");
        packet_close(fd);
        doom(control, c);
        return;
    }
    if (seq != 0) /* 0: about the request that runs, such as "cancel" */
        c->seq = seq;
    if (joins(row)) {
        packet_close(c->passed);
        memcpy(c->passed, fd, sizeof c->passed);
    } else {
        packet_close(fd);
    }
    control->config.request(control->config.arg, c->number, row);
    row_free(row);
}

static void client_read(struct control *control, struct client *c)
{
    for (int i = 0; i < REQUESTS_AT_ONCE && !c->doomed; i++) {
        int fd[2];
        ssize_t n = packet_receive(c->fd, control->buf, sizeof control->buf, fd, MSG_DONTWAIT);
        if (n > 0) {
            take(control, c, (size_t)n, fd);
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else {
            packet_close(fd);
            doom(control, c);
        }
    }
}

/* ---- rows out */

/* 0; ERR_FULL when the socket takes no more now; ERR_IO. */
static int try_send(int fd, const void *bytes, size_t n)
{
    if (packet_send(fd, bytes, n, NULL, MSG_DONTWAIT) >= 0)
        return 0;
    return errno == EAGAIN || errno == ENOBUFS ? ERR_FULL : ERR_IO;
}

static void client_write(struct control *control, struct client *c)
{
    while (c->first) {
        struct packet *p = c->first;
        int err = try_send(c->fd, p->bytes, p->n);
        if (err == ERR_FULL)
            return;
        if (err) {
            doom(control, c);
            return;
        }
        c->first = p->next;
        c->queued -= p->n;
        free(p);
    }
    poll_for(control, c, EPOLL_CTL_MOD, EPOLLIN);
}

static void enqueue(struct control *control, struct client *c, const void *bytes, size_t n)
{
    struct packet *p = c->queued + n <= CLIENT_QUEUE_BYTES ? malloc(sizeof *p + n) : NULL;
    if (!p) {
        log_write(control->config.log, LOG_WARN, "control", "a client that does not read is dropped");
        doom(control, c);
        return;
    }
    p->next = NULL;
    p->n = n;
    memcpy(p->bytes, bytes, n);
    if (c->first) {
        c->last->next = p;
    } else {
        c->first = p;
        poll_for(control, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    c->last = p;
    c->queued += n;
}

static struct client *client_find(struct control *control, uint64_t number)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0 && control->client[i].number == number)
            return &control->client[i];
    return NULL;
}

void control_send(struct control *control, uint64_t number, const struct row *row)
{
    uint8_t buf[ROW_BYTES];
    size_t n;
    struct client *c = client_find(control, number);
    if (!c || c->doomed)
        return;
    int err = row_encode(row, c->seq, buf, sizeof buf, &n);
    if (err) {
        log_write(control->config.log, LOG_ERROR, "control", "a row \"%s\" is too large to send", row_kind(row));
        doom(control, c);
        return;
    }
    err = c->first ? ERR_FULL : try_send(c->fd, buf, n);
    if (err == ERR_FULL)
        enqueue(control, c, buf, n);
    else if (err)
        doom(control, c);
}

size_t control_unread(struct control *control, uint64_t number)
{
    const struct client *c = client_find(control, number);
    return c ? c->queued : 0;
}

bool control_brought(struct control *control, uint64_t number)
{
    const struct client *c = client_find(control, number);
    return c && c->passed[0] >= 0;
}

bool control_take(struct control *control, uint64_t number, int fd[2])
{
    struct client *c = client_find(control, number);
    fd[0] = fd[1] = -1;
    if (!c || c->passed[0] < 0)
        return false;
    memcpy(fd, c->passed, sizeof c->passed);
    c->passed[0] = c->passed[1] = -1;
    return true;
}

bool control_waiting(const struct control *control)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0 && control->client[i].first)
            return true;
    return false;
}

/* ---- life */

int control_fd(const struct control *control)
{
    return control->epoll;
}

void control_step(struct control *control)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(control->epoll, event, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        struct client *c = event[i].data.ptr;
        if (!c)
            client_accept(control);
        else if (c->fd >= 0 && !c->doomed && (event[i].events & EPOLLOUT))
            client_write(control, c);
        if (c && c->fd >= 0 && !c->doomed && (event[i].events & ~(uint32_t)EPOLLOUT))
            client_read(control, c);
    }
    if (control->doomed)
        bury_doomed(control);
}

/* The socket's address; by way of the folder's descriptor when the path is longer than an address can be. */
static int address(const struct home *home, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (home_file(home, CONTROL_SOCKET, sa->sun_path, sizeof sa->sun_path) == 0)
        return 0;
    int n = snprintf(sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/" CONTROL_SOCKET, home->fd);
    return n < 0 || (size_t)n >= sizeof sa->sun_path ? ERR_LIMIT : 0;
}

/* What stands there already was left by a node that was killed: we hold the lock. */
static int listen_here(struct control *control, struct fault *fault)
{
    struct sockaddr_un sa;
    struct epoll_event e = {.events = EPOLLIN};
    int err = address(control->config.home, &sa);
    if (err)
        return fault_set(fault, err, "the path of the home is too long for a socket");
    unlinkat(control->config.home->fd, CONTROL_SOCKET, 0);
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->epoll < 0 || control->listener < 0 || fchmod(control->listener, 0600) != 0 ||
        bind(control->listener, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(control->listener, CLIENTS_MAX) != 0 ||
        epoll_ctl(control->epoll, EPOLL_CTL_ADD, control->listener, &e) != 0)
        return fault_errno(fault, errno, "cannot listen at '%s/" CONTROL_SOCKET "'", control->config.home->path);
    return 0;
}

int control_new(const struct control_config *config, struct control **out, struct fault *fault)
{
    struct control *control = calloc(1, sizeof *control);
    *out = NULL;
    if (!control)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    control->config = *config;
    control->listener = control->epoll = -1;
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        control->client[i].fd = -1;
    int err = listen_here(control, fault);
    if (err)
        control_free(control);
    else
        *out = control;
    return err;
}

void control_shut(struct control *control)
{
    if (control->listener < 0)
        return;
    close(control->listener);
    unlinkat(control->config.home->fd, CONTROL_SOCKET, 0);
    control->listener = -1;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    control_shut(control);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0) {
            drop_queue(&control->client[i]);
            packet_close(control->client[i].passed);
            close(control->client[i].fd);
        }
    if (control->epoll >= 0)
        close(control->epoll);
    if (control->spare >= 0)
        close(control->spare);
    free(control);
}

int control_connect(const struct home *home, struct fault *fault)
{
    struct sockaddr_un sa;
    int err = address(home, &sa);
    if (err) {
        fault_set(fault, err, "the path of the home is too long for a socket");
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int kept = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        kept = errno;
    else if (is_ours(fd))
        return fd;
    else
        kept = EPERM;
    if (fd >= 0)
        close(fd);
    if (kept == ENOENT || kept == ECONNREFUSED)
        fault_set(fault, ERR_NO_NODE, "no node is running on the home '%s'", home->path);
    else
        fault_errno(fault, kept, "cannot reach the node of '%s'", home->path);
    return -1;
}

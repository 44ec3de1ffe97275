/* The main thread accepts, and reports; each stream has a thread that waits in weft_pipe_connect, with a connection of its own
 * to the node.
 *
 * Invariants: (1) only the main thread opens and closes descriptors and connections, and only it writes; a stream's thread
 * touches nothing but its slot until it sets `over`; (2) a stream that failed ends in a reset of its connection, so that
 * whoever reads there does not take it for an end. */
#include "forward.h"

#include "call.h"
#include "err.h"
#include "exits.h"
#include "interrupt.h"
#include "json.h"
#include "log.h"
#include "pipe_verb.h"
#include "routes.h"
#include "units.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
#define SHOWN 256

struct desk;

struct stream {
    struct desk *desk;
    struct weft *weft; /* NULL: the slot is free */
    int fd;
    pthread_t thread;
    char from[ADDR_TEXT];
    uint64_t began, moved[2];
    struct routes routes;
    int code;
    struct weft_error error;
    atomic_bool over; /* the thread is done */
};

struct desk {
    struct cli *cli;
    const struct forward *forward;
    int listener, wake; /* wake: an eventfd, for the interrupt and streams that are over */
    atomic_bool stop;
    bool closed; /* no more are accepted */
    int status;
    unsigned up;
    struct stream stream[FORWARD_STREAMS_MAX];
};

/* ---- where it listens */

bool forward_parse(const char *text, struct addr *at)
{
    static const char local[] = "localhost:";
    char whole[ADDR_TEXT];
    const char *port = strncmp(text, local, strlen(local)) == 0 ? text + strlen(local) : text;
    int64_t number;

    if (!units_parse_int(port, 0, UINT16_MAX, &number))
        return addr_parse(text, at) == 0;
    snprintf(whole, sizeof whole, "127.0.0.1:%d", (int)number);
    return addr_parse(whole, at) == 0;
}

static int fail_listen(struct cli *cli, const struct addr *at, int errnum)
{
    char text[ADDR_TEXT];

    addr_text(at, text);
    if (errnum == EADDRINUSE)
        return cli_fail(cli, ERR_IO, "another program listens at %s; with port 0 a free one is taken", text);
    if (errnum == EACCES)
        return cli_fail(cli, ERR_DENIED, "%s cannot be had: ports below 1024 are for root", text);
    return cli_fail(cli, err_from_errno(errnum), "cannot listen at %s: %s", text, strerror(errnum));
}

/* Returns the exit status. *at becomes what it really is. */
static int open_listener(struct cli *cli, struct addr *at, int *listener)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(at, &ss), room = sizeof ss;
    int on = 1, fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fail_listen(cli, at, errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ss.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&ss, n) || listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&ss, &room)) {
        int status = fail_listen(cli, at, errno);
        close(fd);
        return status;
    }
    addr_from_sockaddr((struct sockaddr *)&ss, at);
    *listener = fd;
    return EXITS_DONE;
}

/* ---- what it says */

static void say_listening(const struct desk *d, const struct addr *at)
{
    struct cli *cli = d->cli;
    const char *pipe = d->forward->pipe;
    char text[ADDR_TEXT], name[SHOWN];

    addr_text(at, text);
    if (cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s, s:s, s:s}", "event", "listening", "address", text, "pipe", pipe)));
    cli_say(cli, "%s leads to %s%s\n", text, escape(pipe, strlen(pipe), name, sizeof name),
            d->forward->once ? ", once" : "; Ctrl-C ends that");
    if (!addr_is_loopback(at))
        cli_say(cli, "weft: whoever reaches %s gets there too, and is not asked who he is\n", text);
}

static void say_accepted(const struct stream *s)
{
    struct cli *cli = s->desk->cli;

    if (cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s, s:s}", "event", "connected", "from", s->from)));
}

static void put_ended(const struct stream *s, uint64_t us)
{
    json_t *event = cli_need(json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "event", "ended", "from", s->from, "bytes_in",
                                       (json_int_t)s->moved[0], "bytes_out", (json_int_t)s->moved[1], "elapsed_us",
                                       (json_int_t)us, "route", s->routes.s));

    if (s->code) {
        json_object_set_new(event, "error", json_string(err_name(s->code)));
        json_object_set_new(event, "text", json_string(s->error.text));
    }
    json_print(s->desk->cli->out, event);
}

static void say_ended(const struct stream *s)
{
    struct cli *cli = s->desk->cli;
    uint64_t us = pipe_verb_clock() - s->began;

    if (cli->json) {
        put_ended(s, us);
    } else if (s->code == 0 || s->moved[0] + s->moved[1] > 0) {
        cli_say(cli, "%s: ", s->from);
        pipe_verb_say_moved(cli, s->moved, us, &s->routes);
    }
    if (s->code && s->code != ERR_CANCELLED && !s->desk->forward->once)
        cli_say(cli, "weft: %s: %s\n", s->from, s->error.text);
}

/* ---- streams */

static void *carry(void *arg)
{
    struct stream *s = arg;
    struct weft_pipe_options options = *s->desk->forward->options;

    options.on_row = routes_watch;
    options.arg = &s->routes;
    s->code = weft_pipe_connect(s->weft, s->desk->forward->pipe, &options, s->fd, s->fd, s->moved, &s->error);
    atomic_store(&s->over, true);
    eventfd_write(s->desk->wake, 1);
    return NULL;
}

static void stop_accepting(struct desk *d)
{
    if (!d->closed)
        close(d->listener);
    d->closed = true;
}

static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* Takes the connection. */
static void begin(struct desk *d, int fd, const struct addr *from)
{
    struct stream *s = d->stream;
    int on = 1;

    while (s->weft)
        s++;
    *s = (struct stream){.desk = d, .fd = fd, .began = pipe_verb_clock()};
    addr_text(from, s->from);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->weft = weft_open(d->cli->home, &s->error);
    if (!s->weft) { /* without a node nothing will ever come of it */
        reset(fd);
        stop_accepting(d);
        d->status = cli_fail_open(d->cli, &s->error);
        return;
    }
    d->up++;
    say_accepted(s);
    if (pthread_create(&s->thread, NULL, carry, s) == 0)
        return;
    weft_close(s->weft);
    s->weft = NULL;
    d->up--;
    reset(fd);
    cli_say(d->cli, "weft: %s: there are too many threads to begin another stream\n", s->from);
}

static void finish(struct stream *s)
{
    struct desk *d = s->desk;

    pthread_join(s->thread, NULL);
    weft_close(s->weft);
    s->weft = NULL;
    d->up--;
    if (s->code)
        reset(s->fd);
    else
        close(s->fd);
    say_ended(s);
    if (d->forward->once && s->code && s->code != ERR_CANCELLED)
        d->status = pipe_verb_fail(d->cli, d->forward->pipe, &s->error);
}

/* ---- the loop */

static void accept_one(struct desk *d)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    struct addr from = {.family = 0};
    int fd = accept4(d->listener, (struct sockaddr *)&ss, &n, SOCK_CLOEXEC);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        stop_accepting(d);
        d->status = cli_fail(d->cli, err_from_errno(errno), "cannot accept any more: %s", strerror(errno));
    }
    if (fd < 0)
        return; /* it went away by itself */
    addr_from_sockaddr((struct sockaddr *)&ss, &from);
    if (d->forward->once)
        stop_accepting(d);
    begin(d, fd, &from);
}

static void cancel_all(struct desk *d)
{
    stop_accepting(d);
    d->status = EXITS_INTERRUPTED;
    for (size_t i = 0; i < FORWARD_STREAMS_MAX; i++)
        if (d->stream[i].weft)
            weft_cancel(d->stream[i].weft);
}

static void woken(struct desk *d)
{
    eventfd_t count;

    eventfd_read(d->wake, &count);
    if (atomic_exchange(&d->stop, false))
        cancel_all(d);
    for (size_t i = 0; i < FORWARD_STREAMS_MAX; i++)
        if (d->stream[i].weft && atomic_load(&d->stream[i].over))
            finish(&d->stream[i]);
}

static void serve(struct desk *d)
{
    while (!d->closed || d->up > 0) {
        bool takes = !d->closed && d->up < FORWARD_STREAMS_MAX;
        struct pollfd p[] = {{.fd = d->wake, .events = POLLIN}, {.fd = takes ? d->listener : -1, .events = POLLIN}};
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[0].revents)
            woken(d);
        if (p[1].revents && !d->closed)
            accept_one(d);
    }
}

static void interrupted(void *arg)
{
    struct desk *d = arg;

    atomic_store(&d->stop, true);
    eventfd_write(d->wake, 1);
}

static int run(struct desk *d)
{
    struct interrupt interrupt = {.stop = interrupted, .arg = d};

    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = d->wake < 0 ? err_from_errno(errno) : interrupt_start(&interrupt);
    if (code) {
        d->status = cli_fail(d->cli, code, "cannot watch for signals");
    } else {
        serve(d);
        interrupt_finish(&interrupt);
    }
    stop_accepting(d);
    if (d->wake >= 0)
        close(d->wake);
    return d->status;
}

int forward_run(struct cli *cli, const struct forward *forward)
{
    struct addr at = forward->at;
    struct desk *d = cli_need(calloc(1, sizeof *d));

    d->cli = cli;
    d->forward = forward;
    d->status = EXITS_DONE;
    int status = open_listener(cli, &at, &d->listener);
    if (status == EXITS_DONE) {
        say_listening(d, &at);
        status = run(d);
    }
    free(d);
    return status;
}

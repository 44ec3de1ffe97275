/* libweft as fake_weft.h tells. Rows are the real ones of base/. */
#include "fake_weft.h"

#include "cli.h"
#include "err.h"
#include "row.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* libweft has no place for a test's context: this is it. */
static struct fake *current;

struct weft {
    atomic_bool cancelled;
};

struct weft_node {
    int unused;
};

static struct row *inner(const struct weft_row *row)
{
    return (struct row *)(uintptr_t)row;
}

struct weft_row *weft_row_new(const char *kind)
{
    return (struct weft_row *)row_new(kind);
}

void weft_row_free(struct weft_row *row)
{
    row_free(inner(row));
}

void weft_row_set_text(struct weft_row *row, const char *name, const char *text)
{
    row_text(inner(row), name, text);
}

void weft_row_set_bytes(struct weft_row *row, const char *name, const void *bytes, size_t n)
{
    row_data(inner(row), name, bytes, n);
}

void weft_row_set_int(struct weft_row *row, const char *name, int64_t value)
{
    row_int(inner(row), name, value);
}

void weft_row_set_bool(struct weft_row *row, const char *name, bool value)
{
    row_bool(inner(row), name, value);
}

const char *weft_row_kind(const struct weft_row *row)
{
    return row_kind(inner(row));
}

const char *weft_row_text(const struct weft_row *row, const char *name, const char *fallback)
{
    return row_get_text(inner(row), name, fallback);
}

const char *weft_row_bytes(const struct weft_row *row, const char *name, size_t *n)
{
    return row_get_bytes(inner(row), name, n);
}

int64_t weft_row_int(const struct weft_row *row, const char *name, int64_t fallback)
{
    return row_get_int(inner(row), name, fallback);
}

bool weft_row_bool(const struct weft_row *row, const char *name, bool fallback)
{
    return row_get_bool(inner(row), name, fallback);
}

size_t weft_row_fields(const struct weft_row *row)
{
    return row_fields(inner(row));
}

const char *weft_row_field_name(const struct weft_row *row, size_t i)
{
    return row_name_at(inner(row), i);
}

char weft_row_field_type(const struct weft_row *row, size_t i)
{
    return "nbitd"[row_type_at(inner(row), i)];
}

int64_t weft_row_field_int(const struct weft_row *row, size_t i)
{
    enum row_type type = row_type_at(inner(row), i);

    if (type == ROW_BOOL)
        return row_bool_at(inner(row), i);
    return type == ROW_INT ? row_int_at(inner(row), i) : 0;
}

const char *weft_row_field_bytes(const struct weft_row *row, size_t i, size_t *n)
{
    enum row_type type = row_type_at(inner(row), i);

    return type == ROW_TEXT || type == ROW_DATA ? row_bytes_at(inner(row), i, n) : NULL;
}

int weft_home(const char *given, char *path, size_t cap, struct weft_error *error)
{
    (void)error;
    snprintf(path, cap, "%s", given ? given : "/nowhere");
    return 0;
}

int weft_id(const char *home, char *id, size_t cap, struct weft_error *error)
{
    (void)home, (void)error;
    snprintf(id, cap, "%s", "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst");
    return 0;
}

struct weft *weft_open(const char *home, struct weft_error *error)
{
    (void)home;
    if (!current->no_node)
        return calloc(1, sizeof(struct weft));
    *error = (struct weft_error){ERR_NO_NODE, err_name(ERR_NO_NODE), "no node is running for /nowhere"};
    return NULL;
}

void weft_close(struct weft *weft)
{
    free(weft);
}

static int end_with(struct weft_error *error, int code, const char *name, const char *text)
{
    if (error) {
        *error = (struct weft_error){.code = code, .name = name};
        snprintf(error->text, sizeof error->text, "%s", text);
    }
    return code;
}

int weft_call(struct weft *weft, const struct weft_row *request, weft_on_row *on_row, void *arg, struct weft_error *error)
{
    struct fake *f = current;
    uint8_t bytes[ROW_BYTES];
    uint64_t seq;
    size_t n;
    struct row *copy;

    if (row_encode(inner(request), 0, bytes, sizeof bytes, &n) || row_decode(bytes, n, &seq, &copy))
        return end_with(error, ERR_MALFORMED, "malformed", "the request cannot be sent");
    f->requests[f->request_count++] = (struct weft_row *)copy;
    if (f->raises) {
        kill(getpid(), SIGINT);
        while (!atomic_load(&weft->cancelled))
            continue;
    }
    while (f->answer_next < f->answer_count && !atomic_load(&weft->cancelled)) {
        const struct weft_row *row = f->answers[f->answer_next++];
        if (strcmp(weft_row_kind(row), "error") == 0)
            return end_with(error, err_from_name(weft_row_text(row, "code", "")), weft_row_text(row, "code", ""),
                            weft_row_text(row, "text", ""));
        if (on_row)
            on_row(arg, row);
        if (strcmp(weft_row_kind(row), "done") == 0)
            return 0;
    }
    if (atomic_load(&weft->cancelled))
        return end_with(error, ERR_CANCELLED, "cancelled", "cancelled");
    return end_with(error, ERR_STATE, "wrong-state", "the test laid down no more answers");
}

void weft_cancel(struct weft *weft)
{
    atomic_store(&weft->cancelled, true);
}

/* ---- pipes: one at a time */

struct weft_pipe {
    atomic_bool interrupted;
    struct weft_pipe_status status;
};

static struct weft_pipe *open_pipe(const char *name, const struct weft_pipe_options *options, struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;

    snprintf(p->name, sizeof p->name, "%s", name);
    p->options = *options;
    p->allow[0] = '\0';
    for (const char *const *peer = options->allow; peer && *peer; peer++)
        snprintf(p->allow + strlen(p->allow), sizeof p->allow - strlen(p->allow), "%s,", *peer);
    p->options.allow = NULL;
    if (current->no_node) {
        end_with(error, ERR_NO_NODE, err_name(ERR_NO_NODE), "no node is running for /nowhere");
        return NULL;
    }
    struct weft_pipe *pipe = calloc(1, sizeof *pipe);
    pipe->status = (struct weft_pipe_status){.name = "me:in", .peer = "bob", .state = "bound"};
    return pipe;
}

struct weft_pipe *weft_pipe_listen(const char *home, const char *name, const struct weft_pipe_options *options,
                                   struct weft_error *error)
{
    (void)home;
    return open_pipe(name, options, error);
}

struct weft_pipe *weft_pipe_open(const char *home, const char *name, const struct weft_pipe_options *options,
                                 struct weft_error *error)
{
    (void)home;
    return open_pipe(name, options, error);
}

void weft_pipe_close(struct weft_pipe *pipe)
{
    free(pipe);
}

int weft_pipe_fd(const struct weft_pipe *pipe)
{
    (void)pipe;
    return -1;
}

void weft_pipe_status(const struct weft_pipe *pipe, struct weft_pipe_status *status)
{
    *status = pipe->status;
}

void weft_pipe_interrupt(struct weft_pipe *pipe)
{
    atomic_store(&pipe->interrupted, true);
}

/* How what waits ends: as the test said, or by the signal that it raises. */
static int end_of_pipe(struct weft_pipe *pipe, struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;

    if (current->raises)
        kill(getpid(), SIGINT);
    while (current->raises && !atomic_load(&pipe->interrupted))
        continue;
    int code = atomic_load(&pipe->interrupted) ? ERR_CANCELLED : p->code;
    return code ? end_with(error, code, err_name(code), p->text ? p->text : "as the test said") : 0;
}

int weft_pipe_send(struct weft_pipe *pipe, const void *bytes, size_t n, int timeout_ms, struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;
    (void)timeout_ms, (void)error;

    p->sent = realloc(p->sent, p->sent_bytes + n + 1);
    memcpy(p->sent + p->sent_bytes, bytes, n);
    p->sent_bytes += n;
    p->sent[p->sent_bytes] = '\0';
    if (p->sent_count < 64)
        p->sizes[p->sent_count] = n;
    p->sent_count++;
    pipe->status.sent++;
    return 0;
}

int weft_pipe_flush(struct weft_pipe *pipe, struct weft_error *error)
{
    (void)pipe, (void)error;
    current->pipe.flushes++;
    return 0;
}

int weft_pipe_finish(struct weft_pipe *pipe, struct weft_error *error)
{
    int code = end_of_pipe(pipe, error);

    pipe->status.taken = code ? 1 : pipe->status.sent;
    return code;
}

int weft_pipe_receive(struct weft_pipe *pipe, struct weft_event *event, int timeout_ms, struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;

    if (p->event_next < p->event_count) {
        *event = p->events[p->event_next++];
        return 0;
    }
    if (timeout_ms == 0)
        return end_with(error, ERR_TIMEOUT, "timeout", "nothing");
    return end_of_pipe(pipe, error);
}

int weft_pipe_take(struct weft_pipe *pipe, const char *channel, struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;
    (void)pipe, (void)error;

    p->take_channel = channel ? "some" : NULL;
    p->taken_at[p->takes++] = p->event_next;
    return 0;
}

int weft_pipe_accept(struct weft_pipe *pipe, int in, int out, uint64_t moved[2], struct weft_error *error)
{
    (void)in, (void)out;
    current->pipe.accepted++;
    memcpy(moved, current->pipe.moved, sizeof current->pipe.moved);
    return current->pipe.code == ERR_CANCELLED ? 0 : end_of_pipe(pipe, error);
}

int weft_pipe_refuse(struct weft_pipe *pipe, const char *why, struct weft_error *error)
{
    (void)pipe, (void)why, (void)error;
    current->pipe.refused++;
    return 0;
}

/* ---- streams: one or more at a time */

static void tell_route(const struct weft_pipe_options *options, const char *kind)
{
    struct weft_row *row = weft_row_new(kind);

    if (current->pipe.route)
        weft_row_set_text(row, "route", current->pipe.route);
    if (options->on_row)
        options->on_row(options->arg, row);
    weft_row_free(row);
}

static int put_all(int fd, const char *bytes, size_t n, uint64_t *moved)
{
    for (ssize_t k; n > 0; n -= (size_t)k, bytes += k, *moved += (uint64_t)k)
        if ((k = write(fd, bytes, n)) <= 0)
            return err_from_errno(errno);
    return 0;
}

/* Until `in` ends, or the call is cancelled. */
static int echo(struct weft *weft, int in, int out, uint64_t moved[2])
{
    char buf[4096];
    struct pollfd p = {.fd = in, .events = POLLIN};

    for (;;) {
        if (atomic_load(&weft->cancelled))
            return ERR_CANCELLED;
        if (poll(&p, 1, 5) == 0)
            continue;
        ssize_t n = read(in, buf, sizeof buf);
        if (n <= 0)
            return n < 0 ? ERR_IO : 0;
        moved[0] += (uint64_t)n;
        for (ssize_t i = 0; i < n; i++)
            buf[i] = (char)toupper((unsigned char)buf[i]);
        if (put_all(out, buf, (size_t)n, &moved[1]))
            return ERR_IO;
    }
}

static void count(int up)
{
    struct fake_pipe *p = &current->pipe;

    pthread_mutex_lock(&current->lock);
    p->connects += up > 0;
    p->open += up;
    p->most_up = p->open > p->most_up ? p->open : p->most_up;
    pthread_mutex_unlock(&current->lock);
}

static int stream(struct weft *weft, const int fd[2], uint64_t moved[2])
{
    struct fake_pipe *p = &current->pipe;
    int code = 0;

    if (p->during)
        p->during(p->arg);
    if (p->stream)
        code = put_all(fd[1], p->stream, strlen(p->stream), &moved[1]);
    if (p->echoes && !code)
        code = echo(weft, fd[0], fd[1], moved);
    if (p->raises)
        kill(getpid(), SIGINT);
    while (p->raises && !atomic_load(&weft->cancelled))
        continue;
    return code ? code : atomic_load(&weft->cancelled) ? ERR_CANCELLED : p->code;
}

int weft_pipe_connect(struct weft *weft, const char *name, const struct weft_pipe_options *options, int in, int out,
                      uint64_t moved[2], struct weft_error *error)
{
    struct fake_pipe *p = &current->pipe;
    struct stat st;

    pthread_mutex_lock(&current->lock);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->options = *options;
    pthread_mutex_unlock(&current->lock);
    memcpy(moved, p->moved, sizeof p->moved);
    count(1);
    tell_route(options, "connected");
    int code = stream(weft, (const int[2]){in, out}, moved);
    tell_route(options, code ? "summary" : "done");
    count(-1);
    if (fstat(out, &st) == 0 && S_ISSOCK(st.st_mode) && !code)
        shutdown(out, SHUT_WR);
    atomic_store(&weft->cancelled, false);
    return code ? end_with(error, code, err_name(code), p->text ? p->text : "as the test said") : 0;
}

/* A node that comes up, tells its events, and has stopped by the time it is waited for. */
struct weft_node *weft_node_start(const struct weft_options *options, struct weft_error *error)
{
    struct fake *f = current;

    f->started = *options;
    if (f->no_node) {
        end_with(error, ERR_LOCKED, "locked", "a node is running for this home already");
        return NULL;
    }
    while (f->answer_next < f->answer_count)
        options->event(options->arg, f->answers[f->answer_next++]);
    return calloc(1, sizeof(struct weft_node));
}

void weft_node_stop(struct weft_node *node)
{
    (void)node;
}

int weft_node_wait(struct weft_node *node, struct weft_error *error)
{
    (void)node, (void)error;
    return 0;
}

void weft_node_free(struct weft_node *node)
{
    free(node);
}

/* ---- the test's side */

struct fake *fake_new(void)
{
    current = calloc(1, sizeof *current);
    pthread_mutex_init(&current->lock, NULL);
    return current;
}

void fake_free(struct fake *f)
{
    for (size_t i = 0; i < f->answer_count; i++)
        weft_row_free(f->answers[i]);
    for (size_t i = 0; i < f->request_count; i++)
        weft_row_free(f->requests[i]);
    free(f->pipe.sent);
    free(f->out);
    free(f->err);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

struct weft_row *fake_answer(struct fake *f, const char *kind)
{
    struct weft_row *row = weft_row_new(kind);

    f->answers[f->answer_count++] = row;
    return row;
}

struct weft_event *fake_event(struct fake *f, enum weft_event_kind kind)
{
    struct weft_event *event = &f->pipe.events[f->pipe.event_count++];

    *event = (struct weft_event){.kind = kind, .from = "anna", .id = "zzzz", .channel = "c1"};
    return event;
}

struct weft_event *fake_message(struct fake *f, const char *text)
{
    struct weft_event *event = fake_event(f, WEFT_PIPE_MESSAGE);

    event->bytes = text;
    event->n = strlen(text);
    event->seq = f->pipe.event_count;
    return event;
}

int fake_run_on(struct fake *f, FILE *const streams[3], const char *const *words)
{
    char *argv[32] = {(char *)(uintptr_t) "weft"};
    int argc = 1;

    while (words[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    f->status = cli_run(argc, argv, streams);
    return f->status;
}

int fake_run(struct fake *f, const char *input, const char *const *words)
{
    size_t out_n, err_n;

    free(f->out);
    free(f->err);
    FILE *streams[3] = {tmpfile(), open_memstream(&f->out, &out_n), open_memstream(&f->err, &err_n)};
    fputs(input, streams[0]);
    rewind(streams[0]);
    fake_run_on(f, streams, words);
    for (size_t i = 0; i < 3; i++)
        fclose(streams[i]);
    return f->status;
}

/* A byte stream both ways, once its two TLS streams are up: index 0 carries bytes from caller to callee, index 1 back.
 *
 * One thread each way at each end reads straight into the stream's buffer, or writes straight out of it; when there is much,
 * a second one writes while the first decrypts what comes next (bulk_writer.h). What neither the other side nor its program takes
 * waits in TCP, and then in the program that writes. Who has read to the end says FLOW_END with the count of bytes and waits
 * for DONE, which comes when all of them have been written: so a stream that ended well at one side did so at the other. Who
 * cannot go on says STOP, and both directions end. */
#include "bulk_thread.h"
#include "bulk_transfer.h"
#include "bulk_writer.h"
#include "conduit.h"
#include "fetch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KEEP_MS ((int)(KEEP_INTERVAL / MILLISECOND))
#define READ_LEAST (64 * 1024) /* less room than that in the buffer: it leaves first */

struct way {
    struct transfer *t;
    struct stream *s;
    struct conduit c;
    struct writer writer;     /* of what comes */
    struct fault fault;       /* what went wrong at this end, but for the stream itself */
    struct fault write_fault; /* the writer's: ours to read once it has told that it failed */
};

/* Until the descriptor is ready (0), or the time has passed (ERR_TIMEOUT), or somebody stops us, or something comes to or from
 * the other side of the stream (ERR_STATE). */
static int wait_ready(const struct way *w, short events, short of_stream)
{
    struct pollfd p[] = {{.fd = w->c.fd, .events = events},
                         {.fd = w->t->stop_fd, .events = POLLIN},
                         {.fd = tls_fd(w->s->link), .events = of_stream}};

    int n = poll(p, 3, KEEP_MS);
    if (p[1].revents != 0 || transfer_stopped(w->t))
        return ERR_CANCELLED;
    if (n == 0)
        return ERR_TIMEOUT;
    return p[2].revents != 0 ? ERR_STATE : 0;
}

/* ---- from the program to the other side */

/* The other side says STOP, out of turn, or has gone. A fault that was only the loss of the connection makes room for what it
 * may have said before. */
static int last_words(struct way *w)
{
    struct frame_head head;
    const uint8_t *body;

    if (w->s->fault.code == ERR_UNREACHABLE)
        w->s->fault = (struct fault){0};
    w->s->out_len = 0;
    int err = fetch_next(w->s, &head, &body);
    return err != 0 ? err : fetch_wrong(w->s, "a frame that was not due");
}

static int say_end(struct way *w, uint64_t bytes)
{
    const uint8_t *body;
    size_t n;
    uint8_t *b = stream_room(w->s, FRAME_HEAD + FLOW_COUNT_BYTES);

    if (b == NULL)
        return (int)w->s->fault.code;
    stream_put(w->s, flow_count_encode(b, FRAME_FLOW_END, bytes));
    conduit_close(&w->c);
    return fetch_expect(w->s, FRAME_DONE, &body, &n);
}

static int read_failed(struct way *w)
{
    int why = errno;
    if (why == EIO && isatty(w->c.fd) == 1)
        return fault_set(&w->fault, ERR_IO, "the node may not read this terminal; 'cat | weft pipe ...' reads it for the node");
    return fault_errno(&w->fault, why, "cannot read what the stream is to carry");
}

/* Nothing to read at the moment: what was gathered leaves, then something will come. */
static int await_input(struct way *w)
{
    if (stream_flush(w->s) != 0)
        return (int)w->s->fault.code;
    switch (wait_ready(w, POLLIN, POLLIN | POLLRDHUP)) {
    case 0: return 0;
    case ERR_TIMEOUT: return fetch_keep(w->s);
    case ERR_STATE: return last_words(w);
    default: return ERR_CANCELLED;
    }
}

static int carry(struct way *w, _Atomic uint64_t *moved)
{
    for (;;) {
        size_t room = STREAM_BUFFER - FRAME_HEAD - w->s->out_len;
        if (room < READ_LEAST || room > FLOW_BYTES_MAX)
            room = FLOW_BYTES_MAX;
        uint8_t *b = stream_room(w->s, FRAME_HEAD + room);
        if (b == NULL)
            return (int)w->s->fault.code;
        ssize_t n = conduit_read(&w->c, b + FRAME_HEAD, room);
        int err = 0;
        if (n > 0) {
            frame_head_encode(b, FRAME_FLOW, (size_t)n);
            stream_put(w->s, FRAME_HEAD + (size_t)n);
            atomic_fetch_add(moved, (uint64_t)n);
        } else if (n == 0) {
            return say_end(w, atomic_load(moved));
        } else {
            err = errno == EAGAIN ? await_input(w) : read_failed(w);
        }
        if (err != 0)
            return err;
    }
}

/* ---- from the other side to the program */

static int write_failed(struct way *w)
{
    if (errno == EPIPE || errno == ECONNRESET)
        return fault_set(&w->write_fault, ERR_IO, "the program that the stream is written to does not read any more");
    return fault_errno(&w->write_fault, errno, "cannot write what the stream brought");
}

/* The program does not read at the moment. Meanwhile the other side may go: with it goes the rest, since nobody would be left
 * to be told. */
static int await_room(struct way *w)
{
    switch (wait_ready(w, POLLOUT, POLLRDHUP)) {
    case ERR_STATE: return fault_set(&w->write_fault, ERR_UNREACHABLE, "the connection to the other side was lost");
    case ERR_CANCELLED: return ERR_CANCELLED;
    default: return 0;
    }
}

/* For the writer. */
static int write_all(void *arg, const uint8_t *b, size_t n)
{
    struct way *w = arg;

    while (n > 0) {
        ssize_t put = conduit_write(&w->c, b, n);
        int err = put >= 0 ? 0 : errno == EAGAIN ? await_room(w) : write_failed(w);
        if (err != 0)
            return err;
        if (put > 0) {
            atomic_fetch_add(&w->t->d->bytes_out, (uint64_t)put);
            b += put;
            n -= (size_t)put;
        }
    }
    return 0;
}

/* For the writer, on its thread. */
static void write_ended(void *arg)
{
    struct way *w = arg;
    transfer_fail(w->t, &w->write_fault);
}

/* What the writer told: its fault is ours. */
static int told(struct way *w, int err)
{
    if (err != 0)
        w->fault = w->write_fault;
    return err;
}

static int deliver_end(struct way *w, const uint8_t *body)
{
    uint64_t bytes;
    int err = told(w, writer_drain(&w->writer));

    if (err != 0)
        return err;
    if (flow_count_decode(body, &bytes) != 0 || bytes != atomic_load(&w->t->d->bytes_out))
        return fetch_wrong(w->s, "the end of a stream that had another length");
    conduit_close(&w->c);
    return fetch_done(w->s);
}

static int deliver(struct way *w)
{
    struct frame_head head;
    const uint8_t *body;

    for (;;) {
        int err = fetch_next(w->s, &head, &body);
        if (err != 0)
            return err;
        if (head.type == FRAME_FLOW_END)
            return deliver_end(w, body);
        if (head.type != FRAME_FLOW)
            return fetch_wrong(w->s, "a frame of a transfer");
        err = told(w, writer_put(&w->writer, body, head.len));
        if (err == 0 && stream_swap(w->s) != 0)
            err = told(w, writer_drain(&w->writer)); /* without another buffer: one after the other */
        if (err != 0)
            return err;
    }
}

/* ---- both */

static void run_way(void *arg, unsigned index)
{
    struct transfer *t = arg;
    struct way w = {
        .t = t, .s = &t->stream[index], .c = {.fd = -1}, .writer = {.write = write_all, .failed = write_ended, .arg = &w}};
    bool reads = t->d->calling == (index == 0);
    int fd = t->fd[reads ? 0 : 1];

    t->fd[reads ? 0 : 1] = -1;
    writer_init(&w.writer);
    int err = conduit_open(&w.c, fd, !reads, &w.fault);
    if (err == 0 && reads) {
        stream_bear(w.s);
        err = carry(&w, &t->d->bytes_in);
        if (err == ERR_CANCELLED || (err != 0 && w.s->fault.code == ERR_UNREACHABLE))
            last_words(&w); /* the other stream may have ended first, by what was said on this one */
    } else if (err == 0) {
        err = deliver(&w);
    }
    if (err != 0)
        fetch_give_up(t, w.s, &w.fault); /* which stops the writer too */
    writer_fini(&w.writer);
    conduit_close(&w.c);
}

void flow(struct transfer *t)
{
    transfer_run(t, run_way, t);
}

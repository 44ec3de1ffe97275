/* A byte stream both ways, once its two TLS streams are up: index 0 carries bytes from caller to callee, index 1 back.
 *
 * One thread each way at each end reads straight into the stream's buffer, or writes straight out of it; when there is much, a
 * second one writes while the first decrypts what comes next (bulk_writer.h). What neither the other side nor its program
 * takes waits in TCP, and then in the program that writes. Who has read to the end says FLOW_END with the count of bytes and
 * waits for DONE, which comes when all of them have been written: so a stream that ended well at one side did so at the other.
 * Who cannot go on says STOP, and both directions end.
 *
 * What is said here ends with the connections. Streams that last are bulk_last.c's. */
#include "bulk_way.h"
#include "fetch.h"

#include <errno.h>

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
    int err = way_read_ended(w);
    uint8_t *b = err == 0 ? stream_room(w->s, FRAME_HEAD + FLOW_COUNT_BYTES) : NULL;

    if (b == NULL)
        return err != 0 ? err : (int)w->s->fault.code;
    stream_put(w->s, flow_count_encode(b, FRAME_FLOW_END, bytes));
    conduit_close(w->c);
    return fetch_expect(w->s, FRAME_DONE, &body, &n);
}

/* Nothing to read at the moment: what was gathered leaves, then something will come. */
static int await_input(struct way *w)
{
    if (stream_flush(w->s) != 0)
        return (int)w->s->fault.code;
    switch (way_wait(w, POLLIN, POLLIN | POLLRDHUP)) {
    case 0: return 0;
    case ERR_TIMEOUT: return fetch_keep(w->s);
    case ERR_STATE: return last_words(w);
    default: return ERR_CANCELLED;
    }
}

static int carry(struct way *w, _Atomic uint64_t *moved)
{
    for (;;) {
        size_t room = way_room(w);
        uint8_t *b = stream_room(w->s, FRAME_HEAD + room);
        if (b == NULL)
            return (int)w->s->fault.code;
        ssize_t n = conduit_read(w->c, b + FRAME_HEAD, room);
        int err = 0;
        if (n > 0) {
            frame_head_encode(b, FRAME_FLOW, (size_t)n);
            stream_put(w->s, FRAME_HEAD + (size_t)n);
            atomic_fetch_add(moved, (uint64_t)n);
        } else if (n == 0) {
            return say_end(w, atomic_load(moved));
        } else {
            err = errno == EAGAIN ? await_input(w) : way_read_failed(w);
        }
        if (err != 0)
            return err;
    }
}

/* ---- from the other side to the program */

static int deliver_end(struct way *w, const uint8_t *body)
{
    uint64_t bytes;
    int err = way_told(w, writer_drain(&w->writer));

    if (err != 0)
        return err;
    if (flow_count_decode(body, &bytes) != 0 || bytes != atomic_load(&w->t->d->bytes_out))
        return fetch_wrong(w->s, "the end of a stream that had another length");
    conduit_end(w->c);
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
        err = way_put(w, body, head.len);
        if (err != 0)
            return err;
    }
}

/* ---- both */

static void run_way(void *arg, unsigned index)
{
    struct transfer *t = arg;
    struct conduit c = {.fd = -1};
    struct way w = {.t = t, .s = &t->stream[index], .c = &c};
    bool reads = t->d->calling == (index == 0);
    int fd = t->fd[reads ? 0 : 1];

    t->fd[reads ? 0 : 1] = -1;
    way_writer(&w);
    int err = conduit_open(w.c, fd, !reads, &w.fault);
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
    conduit_close(w.c);
}

void flow(struct transfer *t)
{
    t->d->carried = true;
    if (t->kept != NULL)
        flow_on(t);
    else
        transfer_run(t, run_way, t);
}

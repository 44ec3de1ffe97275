#include "bulk_way.h"

#include "resource.h"

#include <errno.h>
#include <unistd.h>

#define KEEP_MS ((int)(KEEP_INTERVAL / MILLISECOND))

int way_wait(const struct way *w, short events, short of_stream)
{
    struct pollfd p[] = {{.fd = events != 0 ? w->c->fd : -1, .events = events},
                         {.fd = w->t->stop_fd, .events = POLLIN},
                         {.fd = tls_fd(w->s->link), .events = of_stream}};

    int n = poll(p, 3, KEEP_MS);
    if (p[1].revents != 0 || transfer_stopped(w->t))
        return ERR_CANCELLED;
    if (n == 0)
        return ERR_TIMEOUT;
    return p[2].revents != 0 ? ERR_STATE : 0;
}

size_t way_room(const struct way *w)
{
    size_t room = STREAM_BUFFER - FRAME_HEAD - w->s->out_len;
    return room < WAY_READ_LEAST || room > FLOW_BYTES_MAX ? FLOW_BYTES_MAX : room;
}

/* ---- from the program */

int way_read_failed(struct way *w)
{
    int why = errno;
    if (why == EIO && isatty(w->c->fd) == 1)
        return fault_set(&w->fault, ERR_IO, "the node may not read this terminal; 'cat | weft pipe ...' reads it for the node");
    return fault_errno(&w->fault, why, "cannot read what the stream is to carry");
}

int way_read_ended(struct way *w)
{
    struct resource *resource = w->t->d->resource;
    return resource != NULL ? resource_verdict(resource, &w->fault) : 0;
}

/* ---- to the program */

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
    switch (way_wait(w, POLLOUT, POLLRDHUP)) {
    case ERR_STATE:
        w->write_lost = true;
        return fault_set(&w->write_fault, ERR_UNREACHABLE, "the connection to the other side was lost");
    case ERR_CANCELLED: return ERR_CANCELLED;
    default: return 0;
    }
}

static int write_all(void *arg, const uint8_t *b, size_t n)
{
    struct way *w = arg;

    while (n > 0) {
        ssize_t put = conduit_write(w->c, b, n);
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

/* On the writer's thread. One that was only stopped has nothing to tell. */
static void write_ended(void *arg)
{
    struct way *w = arg;
    if (w->write_fault.code != 0)
        transfer_fail(w->t, &w->write_fault);
}

void way_writer(struct way *w)
{
    w->writer = (struct writer){.write = write_all, .failed = write_ended, .arg = w};
    writer_init(&w->writer);
}

int way_told(struct way *w, int err)
{
    if (err != 0) {
        w->fault = w->write_fault;
        w->lost = w->write_lost;
    }
    return err;
}

int way_put(struct way *w, const uint8_t *body, size_t n)
{
    int err = way_told(w, writer_put(&w->writer, body, n));
    if (err == 0 && stream_swap(w->s) != 0)
        err = way_told(w, writer_drain(&w->writer)); /* without another buffer: one after the other */
    return err;
}

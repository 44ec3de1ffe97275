/* A byte stream that lasts: it goes on, byte for byte, on other connections when those that it has are lost.
 *
 * Who reads from a program keeps all bytes until the other side has confirmed that they were written (bulk_kept.h); when there
 * are new connections, that side first says how far it came, and gets the rest. An end, and its DONE, are said again too. So
 * what either side believes of the other is only ever behind the truth, and being told again does no harm.
 *
 * Who says DONE last cannot know that it was heard. That is the caller, always: it waits for a DONE in return, and so has
 * ended only when the callee has; a callee that ended while the caller did not hear it can still tell it so (connect_in.c).
 *
 * Invariants: (1) ring.from <= what the other side has written <= ring.to; (2) a fault of a program, a STOP or a broken rule
 * ends the stream for good, the loss of a connection never; (3) only one thread touches each half of `kept`. */
#include "bulk_way.h"
#include "fetch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONFIRM_EVERY (256 * 1024)

struct lasting {
    struct way w;
    struct kept *kept;
    bool again;    /* there were connections before */
    uint64_t at;   /* from the program: the next byte to be sent; to it: what was confirmed last */
    bool sends;    /* it is known from where on */
    bool said_end; /* on these connections */
    bool told_why; /* the other side said STOP */
    bool torn;     /* the latest frame came in part */
    bool done;
};

/* The next frame. STOP is the other side's last word on the stream, not only on this connection. */
static int next(struct lasting *l, struct frame_head *head, const uint8_t **body)
{
    *head = (struct frame_head){0};
    int err = fetch_next(l->w.s, head, body);
    l->told_why |= head->type == FRAME_STOP;
    l->torn = err != 0 && head->type != 0;
    return err;
}

static int say_count(struct lasting *l, enum frame_type type, uint64_t bytes)
{
    uint8_t *b = stream_room(l->w.s, FRAME_HEAD + FLOW_COUNT_BYTES);
    if (b == NULL)
        return (int)l->w.s->fault.code;
    stream_put(l->w.s, flow_count_encode(b, type, bytes));
    return stream_flush(l->w.s);
}

static int expect_done(struct lasting *l)
{
    struct frame_head head;
    const uint8_t *body;
    int err = next(l, &head, &body);
    return err != 0 || head.type == FRAME_DONE ? err : fetch_wrong(l->w.s, "a frame that was not due");
}

/* ---- from the program to the other side */

/* So much has been written there. */
static int take_count(struct lasting *l, const uint8_t *body)
{
    uint64_t bytes;
    if (flow_count_decode(body, &bytes) != 0 || ring_drop(&l->kept->ring, bytes) != 0)
        return fetch_wrong(l->w.s, "it has received what was never sent, or forgot what it had confirmed");
    return 0;
}

static int take_at(struct lasting *l)
{
    struct frame_head head;
    const uint8_t *body;
    int err = next(l, &head, &body);
    if (err != 0)
        return err;
    if (head.type != FRAME_FLOW_AT)
        return fetch_wrong(l->w.s, "it does not say how far it came");
    err = take_count(l, body);
    l->at = l->kept->ring.from;
    return err;
}

static int take_answer(struct lasting *l)
{
    struct frame_head head;
    const uint8_t *body;
    int err = next(l, &head, &body);
    if (err != 0)
        return err;
    if (head.type == FRAME_FLOW_ACK)
        return take_count(l, body);
    if (head.type != FRAME_DONE || !l->said_end)
        return fetch_wrong(l->w.s, "a frame that was not due");
    l->done = true;
    return ring_drop(&l->kept->ring, l->kept->ring.to);
}

/* What the program has written goes into the ring. ERR_STATE: there is nothing at the moment, or no room. */
static int fill(struct lasting *l)
{
    uint8_t *at;
    size_t room = ring_room(&l->kept->ring, FLOW_BYTES_MAX, &at);
    if (l->kept->ended || room == 0)
        return ERR_STATE;
    ssize_t n = conduit_read(l->w.c, at, room);
    if (n < 0)
        return errno == EAGAIN ? ERR_STATE : way_read_failed(&l->w);
    if (n > 0) {
        ring_add(&l->kept->ring, (size_t)n);
        atomic_fetch_add(&l->w.t->d->bytes_in, (uint64_t)n);
        return 0;
    }
    int err = way_read_ended(&l->w);
    l->kept->ended = err == 0;
    conduit_close(l->w.c);
    return err;
}

/* What the ring holds and the other side has not been sent on these connections. */
static int send_some(struct lasting *l)
{
    const uint8_t *bytes;
    size_t n = ring_show(&l->kept->ring, l->at, way_room(&l->w), &bytes);
    uint8_t *b = stream_room(l->w.s, FRAME_HEAD + n);
    if (b == NULL)
        return (int)l->w.s->fault.code;
    frame_head_encode(b, FRAME_FLOW, n);
    memcpy(b + FRAME_HEAD, bytes, n);
    stream_put(l->w.s, FRAME_HEAD + n);
    l->at += n;
    return 0;
}

/* There is nothing to send: what was gathered leaves, then something will come, from the program or the other side. */
static int await_more(struct lasting *l)
{
    uint8_t *at;
    bool reads = !l->kept->ended && ring_room(&l->kept->ring, 1, &at) > 0;
    if (stream_flush(l->w.s) != 0)
        return (int)l->w.s->fault.code;
    switch (way_wait(&l->w, reads ? POLLIN : 0, POLLIN | POLLRDHUP)) {
    case ERR_TIMEOUT: return fetch_keep(l->w.s);
    case ERR_CANCELLED: return ERR_CANCELLED;
    default: return 0;
    }
}

static int send_step(struct lasting *l)
{
    if (l->at < l->kept->ring.to)
        return send_some(l);
    int err = fill(l);
    if (err != ERR_STATE)
        return err;
    if (!l->kept->ended || l->said_end)
        return await_more(l);
    l->said_end = true;
    return say_count(l, FRAME_FLOW_END, l->kept->ring.to);
}

static int carry(struct lasting *l)
{
    stream_bear(l->w.s);
    int err = l->again ? take_at(l) : 0;
    l->sends = err == 0;
    while (err == 0 && !l->done)
        err = stream_waiting(l->w.s) ? take_answer(l) : send_step(l);
    return err == 0 && !l->w.t->d->calling ? fetch_done(l->w.s) : err;
}

/* ---- from the other side to the program */

/* When there is nothing to read it is waited for the program, so that all is confirmed that can be. */
static int confirm(struct lasting *l)
{
    bool idle = !stream_waiting(l->w.s);
    int err = idle ? way_told(&l->w, writer_drain(&l->w.writer)) : 0;
    uint64_t given = atomic_load(&l->w.t->d->bytes_out);

    if (err != 0 || given - l->at < (idle ? 1 : CONFIRM_EVERY))
        return err;
    l->at = given;
    return say_count(l, FRAME_FLOW_ACK, given);
}

static int deliver_end(struct lasting *l, const uint8_t *body)
{
    uint64_t bytes;
    int err = way_told(&l->w, writer_drain(&l->w.writer));

    if (err != 0)
        return err;
    if (flow_count_decode(body, &bytes) != 0 || bytes != atomic_load(&l->w.t->d->bytes_out))
        return fetch_wrong(l->w.s, "the end of a stream that had another length");
    conduit_end(l->w.c);
    l->kept->closed = true;
    err = fetch_done(l->w.s);
    if (err == 0 && l->w.t->d->calling)
        err = expect_done(l);
    l->done = err == 0;
    return err;
}

static int deliver(struct lasting *l)
{
    struct frame_head head;
    const uint8_t *body;

    l->at = atomic_load(&l->w.t->d->bytes_out);
    int err = l->again ? say_count(l, FRAME_FLOW_AT, l->at) : 0;
    while (err == 0) {
        err = confirm(l);
        if (err == 0)
            err = next(l, &head, &body);
        if (err != 0)
            break;
        if (head.type == FRAME_FLOW_END)
            return deliver_end(l, body);
        if (head.type != FRAME_FLOW || l->kept->closed)
            return fetch_wrong(l->w.s, "a frame that was not due");
        err = way_put(&l->w, body, head.len);
    }
    return err;
}

/* ---- both */

/* Why the stream is over, as far as this way knows: NULL when only its connection is. */
static const struct fault *reason(const struct lasting *l)
{
    const struct fault *said = &l->w.s->fault;

    if (l->w.fault.code != 0 && !l->w.lost)
        return &l->w.fault;
    return said->code == 0 || (!l->told_why && (said->code == ERR_UNREACHABLE || said->code == ERR_TIMEOUT)) ? NULL : said;
}

/* The connection is broken, or we have given up: what came before may say why, and what need not be kept. It does not wait. */
static void last_words(struct lasting *l)
{
    struct frame_head head;
    const uint8_t *body;
    int err = l->torn ? ERR_UNREACHABLE : 0;

    if (err == 0)
        l->w.s->fault = (struct fault){0};
    l->w.s->out_len = 0;
    while (err == 0 && !l->done)
        err = l->sends ? take_answer(l) : next(l, &head, &body);
}

static void give_up(struct lasting *l)
{
    struct way *w = &l->w;
    static const struct fault lost = {.code = ERR_UNREACHABLE, .text = "the connection to the other side was lost"};
    const struct fault *why = reason(l);

    if (why != NULL && why != &w->s->fault)
        fetch_tell_stop(w->s, why);
    transfer_fail(w->t, why != NULL ? why : w->s->fault.code != 0 ? &w->s->fault : &lost);
    if (why == NULL)
        last_words(l);
}

static void run_way(void *arg, unsigned index)
{
    struct lasting *l = (struct lasting *)arg + index;
    bool reads = l->w.t->d->calling == (index == 0);

    way_writer(&l->w);
    if ((reads ? carry(l) : deliver(l)) != 0)
        give_up(l); /* which stops the writer too */
    writer_fini(&l->w.writer);
    if (l->w.fault.code == 0)
        way_told(&l->w, l->w.writer.err); /* it may have failed while we waited for the other side */
}

/* The program's descriptors become the stream's, once. */
static bool open_conduits(struct transfer *t)
{
    struct kept *kept = t->kept;
    struct fault fault;

    if (kept->fd[0] < 0)
        return true;
    int err = conduit_open(&kept->in, kept->fd[0], false, &fault);
    if (err == 0)
        err = conduit_open(&kept->out, kept->fd[1], true, &fault);
    else
        close(kept->fd[1]);
    kept->fd[0] = kept->fd[1] = -1;
    kept->over = err != 0;
    if (err != 0)
        fetch_give_up(t, &t->stream[0], &fault);
    return err == 0;
}

/* What ended it for good, at either way, goes before the loss of a connection. */
static void conclude(struct transfer *t, const struct lasting l[DUPLEX_STREAMS])
{
    const struct fault *why = reason(&l[0]) != NULL ? reason(&l[0]) : reason(&l[1]);
    bool done = l[0].done && l[1].done;

    pthread_mutex_lock(&t->lock);
    if (done)
        t->fault = (struct fault){0};
    else if (why != NULL)
        t->fault = *why;
    pthread_mutex_unlock(&t->lock);
    t->kept->over = done || why != NULL;
}

void flow_on(struct transfer *t)
{
    struct lasting l[DUPLEX_STREAMS];

    if (!open_conduits(t))
        return;
    for (unsigned i = 0; i < DUPLEX_STREAMS; i++) {
        bool reads = t->d->calling == (i == 0);
        l[i] = (struct lasting){.kept = t->kept, .again = t->d->again};
        l[i].w = (struct way){.t = t, .s = &t->stream[i], .c = reads ? &t->kept->in : &t->kept->out};
    }
    transfer_run(t, run_way, l);
    conclude(t, l);
}

/* Sending through a pipe: messages are gathered into batches, and a batch goes to the node in one row. See weft.h.
 *
 * A message costs a copy into the batch that is being filled and no system call; a full batch costs one send and one look for
 * what the node has said meanwhile. Invariants:
 *   1. cost <= room: the node is never given more than it said it takes;
 *   2. first <= last < first + batches, and only batch `last` may be empty. */
#include "client_pipe.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES (1 << 20)
#define BATCHES_MIN 2

static struct outgoing *batch_at(const struct weft_pipe *pipe, uint64_t i)
{
    return pipe->out.batch[i % pipe->out.batches];
}

static void batch_clear(struct outgoing *b)
{
    b->used = 0;
    b->count = 0;
}

/* Makes an empty batch to be filled. */
static int batch_make(struct weft_pipe *pipe)
{
    struct outgoing **b = &pipe->out.batch[pipe->out.last % pipe->out.batches];
    if (!*b)
        *b = malloc(sizeof **b);
    if (!*b)
        return fault_set(&pipe->fault, ERR_NOMEM, "out of memory");
    batch_clear(*b);
    return 0;
}

int client_pipe_sending(struct weft_pipe *pipe, const struct weft_pipe_options *options)
{
    struct sending *out = &pipe->out;
    size_t bytes = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
    size_t batches = bytes / BATCH_BYTES_MAX + (bytes % BATCH_BYTES_MAX != 0);
    out->batches = batches < BATCHES_MIN ? BATCHES_MIN : batches;
    out->message_max = options->propagate ? SPREAD_BYTES_MAX : PIPE_MESSAGE_MAX;
    out->batch = calloc(out->batches, sizeof(struct outgoing *));
    return out->batch ? batch_make(pipe) : fault_set(&pipe->fault, ERR_NOMEM, "out of memory");
}

void client_pipe_sending_fini(struct weft_pipe *pipe)
{
    for (size_t i = 0; pipe->out.batch && i < pipe->out.batches; i++)
        free(pipe->out.batch[i]);
    free(pipe->out.batch);
}

/* ---- what the node says */

static uint64_t number(const struct row *row, const char *name, uint64_t fallback)
{
    int64_t value = row_get_int(row, name, -1);
    return value < 0 ? fallback : (uint64_t)value;
}

static void text(const struct row *row, const char *name, char *out, size_t cap)
{
    const char *value = row_get_text(row, name, NULL);
    if (value && strlen(value) < cap)
        memcpy(out, value, strlen(value) + 1);
}

void client_pipe_sending_row(struct weft_pipe *pipe, const struct row *row)
{
    struct sending *out = &pipe->out;
    bool done = strcmp(row_kind(row), "done") == 0;
    out->done = out->done || done;
    uint64_t room = number(row, "room", 0);
    out->room = room > out->room ? room : out->room;
    out->taken = number(row, done || strcmp(row_kind(row), "summary") == 0 ? "messages" : "taken", out->taken);
    out->rebound = (uint32_t)number(row, "rebound", out->rebound);
    text(row, "state", out->state, sizeof out->state);
    if (strcmp(row_kind(row), "channel") == 0)
        out->peer[0] = '\0'; /* nil while it is bound to nobody */
    text(row, "peer", out->peer, sizeof out->peer);
}

/* Takes in all that the node has said. The code of its end, if that is an error. */
static int hear(struct weft_pipe *pipe)
{
    struct row *row;
    int err;
    while ((err = client_pipe_row(pipe, &row)) == 0 && row) {
        client_pipe_sending_row(pipe, row);
        row_free(row);
    }
    return err;
}

/* ---- giving it to the node */

static bool empty(const struct weft_pipe *pipe)
{
    return pipe->out.first == pipe->out.last && batch_at(pipe, pipe->out.last)->count == 0;
}

/* Gives the node the oldest batch. ERR_FULL when it, or the socket, has no room for that. */
static int push(struct weft_pipe *pipe)
{
    struct sending *out = &pipe->out;
    struct outgoing *oldest = batch_at(pipe, out->first);
    const struct batch batch = {.bytes = oldest->bytes, .n = oldest->used, .count = oldest->count};
    if (batch_cost(&batch) > out->room - out->cost)
        return fault_set(&pipe->fault, ERR_FULL, "what was sent before has not been taken yet");
    struct row *row = row_new("batch");
    row_data_borrowed(row, "batch", batch.bytes, batch.n);
    int err = client_pipe_put(pipe, row, NULL, false);
    out->clogged = err == ERR_FULL;
    if (err)
        return err;
    out->cost += batch_cost(&batch);
    if (out->first < out->last)
        out->first++;
    else
        batch_clear(oldest);
    return 0;
}

/* Gives the node what it has room for. ERR_FULL when something stays here. */
static int pump(struct weft_pipe *pipe)
{
    int err = hear(pipe);
    while (!err && !empty(pipe))
        err = push(pipe);
    return err;
}

static int await_room(struct weft_pipe *pipe, uint64_t deadline)
{
    short events = pipe->out.clogged ? POLLIN | POLLOUT : POLLIN;
    int err = client_pipe_wait(pipe, events, deadline);
    return err == ERR_TIMEOUT ? fault_set(&pipe->fault, ERR_FULL, "what was sent before has not been taken yet") : err;
}

/* ---- the public face */

/* The batch that is being filled is full: begins another. ERR_FULL when all wait for the node. */
static int next_batch(struct weft_pipe *pipe)
{
    struct sending *out = &pipe->out;
    int err = pump(pipe);
    if (err != ERR_FULL || pipe->over || out->last + 1 - out->first == out->batches)
        return err;
    out->last++;
    return batch_make(pipe);
}

static int add(struct weft_pipe *pipe, const void *bytes, size_t n)
{
    struct outgoing *b = batch_at(pipe, pipe->out.last);
    int err = batch_add(b->bytes, sizeof b->bytes, &b->used, bytes, n);
    if (err == ERR_FULL && (err = next_batch(pipe)) == 0) {
        b = batch_at(pipe, pipe->out.last);
        err = batch_add(b->bytes, sizeof b->bytes, &b->used, bytes, n);
    }
    if (err)
        return err;
    b->count++;
    pipe->out.sent++;
    return 0;
}

static int check(struct weft_pipe *pipe, size_t n)
{
    if (pipe->listening)
        return fault_set(&pipe->fault, ERR_STATE, "this pipe was opened for listening");
    if (pipe->over) {
        pipe->fault = pipe->end;
        return (int)pipe->end.code;
    }
    if (pipe->out.finished)
        return fault_set(&pipe->fault, ERR_STATE, "the pipe has been finished");
    if (n > pipe->out.message_max)
        return fault_set(&pipe->fault, ERR_LIMIT, "a message has at most %zu bytes, this one has %zu", pipe->out.message_max,
                         n);
    return client_pipe_interrupted(pipe);
}

int weft_pipe_send(struct weft_pipe *pipe, const void *bytes, size_t n, int timeout_ms, struct weft_error *error)
{
    int err = check(pipe, n);
    if (!err)
        err = add(pipe, bytes, n);
    if (err == ERR_FULL) {
        uint64_t deadline = client_pipe_deadline(timeout_ms);
        while (err == ERR_FULL && !pipe->over && (err = await_room(pipe, deadline)) == 0)
            err = add(pipe, bytes, n); /* a time-out is ERR_FULL too, and ends this */
    }
    return client_pipe_result(pipe, err, error);
}

int weft_pipe_flush(struct weft_pipe *pipe, struct weft_error *error)
{
    int err = check(pipe, 0);
    return client_pipe_result(pipe, err ? err : pump(pipe), error);
}

/* Until all is with the node, which is then told that no more comes. */
static int end_input(struct weft_pipe *pipe)
{
    int err;
    while ((err = pump(pipe)) == ERR_FULL && !pipe->over && (err = await_room(pipe, NEVER)) == 0)
        ;
    if (!err)
        err = client_pipe_put(pipe, row_new("finish"), NULL, true);
    pipe->out.finished = !err;
    return err;
}

int weft_pipe_finish(struct weft_pipe *pipe, struct weft_error *error)
{
    int err = pipe->out.finished ? 0 : check(pipe, 0);
    if (!err && !pipe->out.finished)
        err = end_input(pipe);
    while (!err && !pipe->out.done)
        if ((err = hear(pipe)) == 0)
            err = client_pipe_wait(pipe, POLLIN, NEVER);
    return client_pipe_result(pipe, pipe->out.done ? 0 : err, error);
}

/* See pipe_programs.h. */
#include "pipe_programs.h"

#include "batch.h"
#include "limits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_text(const struct row *row, const char *name, char *out, size_t cap)
{
    snprintf(out, cap, "%s", row_get_text(row, name, ""));
}

static uint64_t number(const struct row *row, const char *name)
{
    return (uint64_t)row_get_int(row, name, 0);
}

struct row *listen_on(const char *pipe)
{
    struct row *row = row_new("pipe-listen");
    row_text(row, "pipe", pipe);
    return row;
}

struct row *send_to(const char *pipe)
{
    struct row *row = row_new("pipe-send");
    row_text(row, "pipe", pipe);
    return row;
}

/* ---- reading */

static size_t channel_of(struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->channels; i++)
        if (strcmp(r->channel[i].name, name) == 0)
            return i;
    assert(r->channels < READER_CHANNELS);
    snprintf(r->channel[r->channels].name, CHANNEL_TEXT, "%s", name);
    return r->channels++;
}

static void take(struct reader *r, size_t i)
{
    struct row *row = row_new("taken");
    row_text(row, "channel", r->channel[i].name);
    row_int(row, "seq", r->channel[i].seq);
    program_send(r->program, row);
    r->held = 0;
}

static void on_messages(struct reader *r, const struct row *row)
{
    struct batch batch;
    size_t n, at = 0;
    const uint8_t *bytes;
    size_t i = channel_of(r, row_get_text(row, "channel", ""));
    const char *data = row_get_bytes(row, "batch", &n);
    int err = data ? batch_read(data, n, &batch) : ERR_MALFORMED;
    assert(!err && batch.count == number(row, "count"));
    (void)err;
    while (batch_next(&batch, &at, &bytes, &n)) {
        uint64_t message = 0;
        memcpy(&message, bytes, n < sizeof message ? n : sizeof message);
        r->disorder += message != r->channel[i].next;
        r->channel[i].next = message + 1;
        r->messages++;
        r->bytes += n;
    }
    r->held += batch_cost(&batch);
    r->most_held = r->held > r->most_held ? r->held : r->most_held;
    r->channel[i].seq = row_get_int(row, "seq", 0) + batch.count;
    copy_text(row, "from", r->from, sizeof r->from);
    if (!r->idle)
        take(r, i);
}

static void on_sender(struct reader *r, const struct row *row)
{
    const char *state = row_get_text(row, "state", "");
    r->began += strcmp(state, "began") == 0;
    r->ended += strcmp(state, "ended") == 0;
    r->lost += strcmp(state, "lost") == 0;
}

static void reader_row(void *arg, const struct row *row)
{
    struct reader *r = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "messages") == 0) {
        on_messages(r, row);
    } else if (strcmp(kind, "sender") == 0) {
        on_sender(r, row);
    } else if (strcmp(kind, "bound") == 0) {
        r->bound = true;
        copy_text(row, "pipe", r->pipe, sizeof r->pipe);
    } else if (strcmp(kind, "dropped") == 0) {
        r->dropped = number(row, "messages");
    } else if (strcmp(kind, "offer") == 0) {
        r->offers++;
        r->offered = number(row, "number");
    } else if (strcmp(kind, "error") == 0) {
        copy_text(row, "code", r->code, sizeof r->code);
        copy_text(row, "text", r->text, sizeof r->text);
    }
}

void reader_start(struct reader *r, struct world *w, size_t node, struct row *request)
{
    r->program = world_program(w, node, reader_row, r);
    program_send(r->program, request);
}

void reader_go(struct reader *r)
{
    r->idle = false;
    for (size_t i = 0; i < r->channels; i++)
        take(r, i);
}

void reader_leave(struct reader *r)
{
    program_leave(r->program);
    r->program = NULL;
}

/* ---- sending */

static void push(struct writer *s)
{
    uint8_t buf[BATCH_BYTES_MAX], message[PIPE_MESSAGE_MAX] = {0};
    struct batch batch;
    size_t used = 0;
    uint64_t cost = s->size + BATCH_HEAD + PIPE_MESSAGE_COST, begun = s->cost;
    while (s->pushed < s->total && s->cost + cost <= s->room && s->cost - begun < BATCH_BYTES_MAX) {
        memcpy(message, &s->pushed, sizeof s->pushed);
        if (batch_add(buf, sizeof buf, &used, message, s->size) != 0)
            break;
        s->pushed++;
        s->cost += cost;
    }
    int err = batch_read(buf, used, &batch);
    assert(!err && batch_cost(&batch) == s->cost - begun);
    (void)err;
    if (used == 0)
        return;
    struct row *row = row_new("batch");
    row_data(row, "batch", buf, used);
    program_send(s->program, row);
}

static void push_all(struct writer *s)
{
    uint64_t before;
    do {
        before = s->pushed;
        push(s);
    } while (s->pushed > before);
    if (s->pushed < s->total || s->open || s->finished)
        return;
    s->finished = true;
    program_send(s->program, row_new("finish"));
}

static void note_result(struct writer *s, const struct row *row)
{
    s->messages = number(row, "messages");
    s->bytes = number(row, "bytes");
    s->rebound = number(row, "rebound");
    copy_text(row, "peer", s->peer, sizeof s->peer);
}

static void writer_row(void *arg, const struct row *row)
{
    struct writer *s = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "channel") == 0 && !s->deaf) {
        assert(number(row, "room") >= s->room);
        s->room = number(row, "room");
        s->taken = number(row, "taken");
        s->rebound = number(row, "rebound");
        copy_text(row, "state", s->state, sizeof s->state);
        copy_text(row, "peer", s->peer, sizeof s->peer);
        push_all(s);
    } else if (strcmp(kind, "done") == 0) {
        s->done = true;
        note_result(s, row);
    } else if (strcmp(kind, "summary") == 0) {
        s->summed = true;
        note_result(s, row);
    } else if (strcmp(kind, "error") == 0) {
        copy_text(row, "code", s->code, sizeof s->code);
        copy_text(row, "text", s->text, sizeof s->text);
    }
}

void writer_start(struct writer *s, struct world *w, size_t node, struct row *request)
{
    s->program = world_program(w, node, writer_row, s);
    program_send(s->program, request);
}

void writer_leave(struct writer *s)
{
    program_leave(s->program);
    s->program = NULL;
}

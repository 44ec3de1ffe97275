/* See channel_world.h. */
#include "channel_world.h"

#include "batch.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    if (key)
        row_text(row, key, value);
    return row;
}

struct scene *scene_new(uint64_t seed, size_t nodes)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->w = world_new(seed);
    s->size = 64;
    for (size_t i = 0; i < nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "node%zu", i);
        world_start(s->w, world_add(s->w, name));
        s->ear[i] = (struct ear){.world = s->w, .oracle = &s->oracle, .node = i};
        s->ear[i].end = &s->ear[i].first;
    }
    world_run(s->w, world_now(s->w) + SECOND);
    for (size_t i = 1; i < nodes; i++) {
        char ticket[300];
        const struct answer *a = world_call(s->w, 0, request("invite", NULL, NULL));
        snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(a, "ticket", 0), "ticket", ""));
        assert_true(world_call(s->w, i, request("join", "ticket", ticket))->done);
    }
    world_run(s->w, world_now(s->w) + SECOND);
    return s;
}

/* ---- readers */

static void forget_kept(struct ear *e)
{
    while (e->first) {
        struct kept *k = e->first;
        e->first = k->next;
        row_free(k->row);
        free(k);
    }
    e->end = &e->first;
    e->held = 0;
}

static void handle_one(struct ear *e, uint64_t number, bool again)
{
    struct oracle *o = e->oracle;
    uint64_t now = world_now(e->world);
    assert_true(number < MESSAGES_MAX);
    e->handled++;
    if (o->count[number]++ > 0) {
        o->doubles++;
        o->unflagged += !again;
        return;
    }
    o->disorder += number != o->next;
    o->next = number + 1;
    o->handled++;
    if (o->last_at > 0 && now - o->last_at > o->longest_gap)
        o->longest_gap = now - o->last_at;
    o->last_at = now;
}

/* The world only notes that a datagram is on its way: it may be told in the middle of an event. */
static void send_receipt(struct ear *e, uint64_t seq)
{
    struct receipt receipt = {.channel = e->channel, .seq = seq};
    uint8_t bytes[RECEIPT_BYTES_MAX];
    if (e->can_prove && !e->no_receipts)
        world_inject(e->world, 0, bytes, receipt_write(&receipt, e->key, bytes));
}

static void note_way(struct ear *e, const struct row *row)
{
    size_t n = 0, k = 0;
    const char *tag = row_get_bytes(row, "tag", &n), *key = row_get_bytes(row, "key", &k);
    assert_true(n == sizeof e->channel && k == sizeof e->key);
    memcpy(e->channel.b, tag, n);
    memcpy(e->key, key, k);
    e->can_prove = true;
}

static void handle(struct ear *e, const struct row *row)
{
    struct batch batch;
    size_t n = 0, at = 0;
    const uint8_t *bytes;
    const char *data = row_get_bytes(row, "batch", &n);
    assert_int_equal(batch_read(data, n, &batch), 0);
    assert_int_equal(batch.count, row_get_int(row, "count", 0));
    while (batch_next(&batch, &at, &bytes, &n)) {
        uint64_t number;
        memcpy(&number, bytes, sizeof number);
        handle_one(e, number, row_get_bool(row, "again", false));
    }
    if (e->mute)
        return;
    send_receipt(e, (uint64_t)row_get_int(row, "seq", 0) + batch.count);
    struct row *taken = row_new("taken");
    row_text(taken, "channel", row_get_text(row, "channel", ""));
    row_int(taken, "seq", row_get_int(row, "seq", 0) + batch.count);
    program_send(e->program, taken);
}

static bool may_handle(const struct ear *e)
{
    return !e->idle && (e->until == 0 || world_now(e->world) < e->until);
}

static void keep(struct ear *e, const struct row *row)
{
    uint8_t buf[ROW_BYTES];
    size_t n = 0;
    uint64_t seq;
    struct kept *k = calloc(1, sizeof *k);
    assert_non_null(k);
    row_get_bytes(row, "batch", &k->n);
    e->held += k->n;
    e->most_held = e->held > e->most_held ? e->held : e->most_held;
    assert_int_equal(row_encode(row, 1, buf, sizeof buf, &n), 0);
    assert_int_equal(row_decode(buf, n, &seq, &k->row), 0);
    *e->end = k;
    e->end = &k->next;
}

static void handle_kept(struct ear *e)
{
    while (e->first && may_handle(e)) {
        struct kept *k = e->first;
        handle(e, k->row);
        e->held -= k->n;
        e->first = k->next;
        if (!e->first)
            e->end = &e->first;
        row_free(k->row);
        free(k);
    }
}

static void on_sender(struct ear *e, const char *state)
{
    bool over = strcmp(state, "began") != 0;
    e->began += !over;
    e->ended += strcmp(state, "ended") == 0;
    e->lost += strcmp(state, "lost") == 0;
    if (over && e->until > 0)
        forget_kept(e);
}

static void ear_row(void *arg, const struct row *row)
{
    struct ear *e = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "bound") == 0) {
        e->bound = true;
    } else if (strcmp(kind, "messages") == 0) {
        e->until = (uint64_t)row_get_int(row, "until", 0);
        keep(e, row);
        handle_kept(e);
    } else if (strcmp(kind, "lease") == 0) {
        e->until = (uint64_t)row_get_int(row, "until", 0);
        handle_kept(e);
    } else if (strcmp(kind, "void") == 0) {
        e->voided++;
        forget_kept(e);
    } else if (strcmp(kind, "receipt") == 0) {
        note_way(e, row);
    } else if (strcmp(kind, "sender") == 0) {
        on_sender(e, row_get_text(row, "state", ""));
    }
}

void listen_at(struct scene *s, size_t node, const char *pipe, bool shared)
{
    struct ear *e = &s->ear[node];
    struct row *row = request("pipe-listen", "pipe", pipe);
    row_bool(row, "shared", shared);
    row_int(row, "rank", (int64_t)node);
    e->bound = e->can_prove = false;
    e->program = world_program(s->w, node, ear_row, e);
    program_send(e->program, row);
    world_run(s->w, world_now(s->w) + MS);
    assert_true(e->bound);
}

void leave(struct scene *s, size_t node)
{
    struct ear *e = &s->ear[node];
    if (e->program)
        program_leave(e->program);
    e->program = NULL;
    forget_kept(e);
}

void crash(struct scene *s, size_t node)
{
    world_crash(s->w, node);
    s->ear[node].program = NULL;
    forget_kept(&s->ear[node]);
}

void scene_free(struct scene *s)
{
    for (size_t i = 0; i < EARS_MAX; i++)
        forget_kept(&s->ear[i]);
    world_free(s->w);
    free(s);
}

/* ---- the sender */

static void voice_row(void *arg, const struct row *row)
{
    struct voice *v = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "channel") == 0) {
        v->room = (uint64_t)row_get_int(row, "room", 0);
        v->taken = (uint64_t)row_get_int(row, "taken", 0);
        snprintf(v->state, sizeof v->state, "%s", row_get_text(row, "state", ""));
        snprintf(v->peer, sizeof v->peer, "%s", row_get_text(row, "peer", ""));
    } else if (strcmp(kind, "done") == 0) {
        v->done = true;
    } else if (strcmp(kind, "error") == 0) {
        snprintf(v->code, sizeof v->code, "%s", row_get_text(row, "code", ""));
        snprintf(v->text, sizeof v->text, "%s", row_get_text(row, "text", ""));
    }
    if (strcmp(kind, "error") != 0)
        v->rebound = (uint64_t)row_get_int(row, "rebound", 0);
}

void speak_at(struct scene *s, size_t node, const char *pipe, int64_t wait_ms)
{
    struct row *row = request("pipe-send", "pipe", pipe);
    row_int(row, "wait_ms", wait_ms);
    s->voice = (struct voice){.world = s->w};
    s->voice.program = world_program(s->w, node, voice_row, &s->voice);
    program_send(s->voice.program, row);
    world_run(s->w, world_now(s->w) + MS);
}

void push(struct scene *s, uint64_t count)
{
    struct voice *v = &s->voice;
    uint8_t buf[BATCH_BYTES_MAX], message[PIPE_MESSAGE_MAX] = {0};
    size_t used = 0;
    uint64_t cost = s->size + BATCH_HEAD + PIPE_MESSAGE_COST;
    for (; count > 0 && v->cost + cost <= v->room && v->pushed < MESSAGES_MAX && !v->code[0]; count--) {
        memcpy(message, &v->pushed, sizeof v->pushed);
        if (batch_add(buf, sizeof buf, &used, message, s->size) != 0)
            break;
        v->pushed++;
        v->cost += cost;
    }
    if (used == 0)
        return;
    struct row *row = row_new("batch");
    row_data(row, "batch", buf, used);
    program_send(v->program, row);
}

void flow(struct scene *s, uint64_t ms, uint64_t rate)
{
    for (uint64_t i = 0; i < ms; i++) {
        push(s, rate);
        world_run(s->w, world_now(s->w) + MS);
    }
}

static bool over(struct world *w, void *arg)
{
    const struct voice *v = arg;
    (void)w;
    return v->done || v->code[0];
}

bool finish(struct scene *s, uint64_t ms)
{
    program_send(s->voice.program, row_new("finish"));
    return world_run_until(s->w, over, &s->voice, world_now(s->w) + ms * MS) && s->voice.done;
}

void check_all(const struct scene *s)
{
    assert_int_equal(s->oracle.handled, s->voice.pushed);
    assert_int_equal(s->oracle.disorder, 0);
    assert_int_equal(s->oracle.unflagged, 0);
}

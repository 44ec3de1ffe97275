/* See stream_programs.h. */
#include "stream_programs.h"

#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- rows */

static void note_end(struct party *p, const struct row *row)
{
    p->in = row_get_int(row, "bytes_in", -1);
    p->out = row_get_int(row, "bytes_out", -1);
    snprintf(p->code, sizeof p->code, "%s", row_get_text(row, "code", ""));
    snprintf(p->text, sizeof p->text, "%s", row_get_text(row, "text", ""));
}

static void answer_offer(struct party *p, const struct row *row)
{
    p->offers++;
    p->number = row_get_int(row, "number", 0);
    snprintf(p->from, sizeof p->from, "%s", row_get_text(row, "from", ""));
    if (p->manner == IGNORES)
        return;
    struct row *answer = row_new(p->manner == ACCEPTS ? "accept" : "refuse");
    row_int(answer, "number", p->number);
    if (p->manner == REFUSES)
        row_text(answer, "text", "not today");
    program_send(p->program, answer);
}

static void on_stream(struct party *p, const struct row *row)
{
    const char *state = row_get_text(row, "state", "");
    assert_int_equal(row_get_int(row, "number", 0), p->number);
    p->joined += strcmp(state, "joined") == 0;
    p->done += strcmp(state, "done") == 0;
    p->failed += strcmp(state, "failed") == 0;
    if (strcmp(state, "joined") != 0)
        note_end(p, row);
}

static void listener_row(void *arg, const struct row *row)
{
    struct party *p = arg;
    if (strcmp(row_kind(row), "bound") == 0)
        p->bound++;
    else if (strcmp(row_kind(row), "offer") == 0)
        answer_offer(p, row);
    else if (strcmp(row_kind(row), "stream") == 0)
        on_stream(p, row);
    else
        note_end(p, row);
}

static void caller_row(void *arg, const struct row *row)
{
    struct party *p = arg;
    if (strcmp(row_kind(row), "connected") == 0) {
        p->connected++;
        snprintf(p->peer, sizeof p->peer, "%s", row_get_text(row, "peer", ""));
        snprintf(p->route, sizeof p->route, "%s", row_get_text(row, "route", ""));
    } else if (strcmp(row_kind(row), "moved") == 0) {
        p->moved++;
        snprintf(p->route, sizeof p->route, "%s", row_get_text(row, "route", ""));
    } else if (strcmp(row_kind(row), "summary") == 0) {
        p->summaries++;
        note_end(p, row);
    } else if (strcmp(row_kind(row), "done") == 0) {
        p->done++;
        note_end(p, row);
        snprintf(p->route, sizeof p->route, "%s", row_get_text(row, "route", ""));
    } else {
        p->failed++;
        snprintf(p->code, sizeof p->code, "%s", row_get_text(row, "code", ""));
        snprintf(p->text, sizeof p->text, "%s", row_get_text(row, "text", ""));
    }
}

/* ---- calls */

void listen_as(struct world *w, struct party *p, size_t node, struct row *row)
{
    enum manner manner = p->manner;
    *p = (struct party){.program = world_program(w, node, listener_row, p)};
    p->manner = manner;
    program_send(p->program, row);
    world_run(w, world_now(w) + 20 * MILLISECOND);
    if (!p->bound)
        fail_msg("%s: %s", p->code, p->text);
}

void connect_as(struct world *w, struct party *p, size_t node, struct row *row)
{
    *p = (struct party){.program = world_program(w, node, caller_row, p)};
    program_send(p->program, row);
}

struct row *call_for(const char *pipe, int wait_ms)
{
    struct row *row = row_new("pipe-connect");
    row_text(row, "pipe", pipe);
    row_int(row, "wait_ms", wait_ms);
    return row;
}

/* ---- waiting */

bool is_party_over(const struct party *p)
{
    return p->done || p->failed;
}

static bool is_over(struct world *w, void *arg)
{
    (void)w;
    return is_party_over(arg);
}

static bool is_connected(struct world *w, void *arg)
{
    return ((const struct party *)arg)->connected || is_over(w, arg);
}

static bool is_joined(struct world *w, void *arg)
{
    return ((const struct party *)arg)->joined || is_over(w, arg);
}

static void await(struct world *w, bool (*check)(struct world *w, void *arg), struct party *p)
{
    if (!world_run_until(w, check, p, world_now(w) + 60 * SECOND))
        fail_msg("%s", "nothing comes of it");
}

void until_connected(struct world *w, struct party *p)
{
    await(w, is_connected, p);
}

void until_joined(struct world *w, struct party *p)
{
    await(w, is_joined, p);
}

void until_over(struct world *w, struct party *p)
{
    await(w, is_over, p);
}

struct moves {
    const struct party *p;
    int times;
};

static bool has_moved(struct world *w, void *arg)
{
    const struct moves *m = arg;
    (void)w;
    return m->p->moved >= m->times || is_party_over(m->p);
}

void until_moved(struct world *w, struct party *p, int times)
{
    struct moves m = {.p = p, .times = times};
    if (!world_run_until(w, has_moved, &m, world_now(w) + 60 * SECOND))
        fail_msg("it has moved %d times, not %d", p->moved, times);
}

/* ---- bytes and ends */

void party_say(const struct party *p, const char *text)
{
    program_write(p->program, text, strlen(text));
}

void assert_came(const struct party *p, const char *text, bool end)
{
    size_t n;
    bool ended;
    const uint8_t *b = program_read(p->program, &n, &ended);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(b, text, n);
    assert_int_equal(ended, end);
}

void assert_error(struct world *w, struct party *p, const char *code, const char *text)
{
    until_over(w, p);
    if (strcmp(p->code, code) != 0 || !strstr(p->text, text))
        fail_msg("'%s: %s' is not '%s: %s'", p->code, p->text, code, text);
}

/* See hostile_tap.h. */
#include "hostile_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void tap(void *arg, struct world_message *message)
{
    struct tamper *t = arg;
    bool over = t->times > 0 && t->done >= t->times;
    if (message->from != SARA || message->to != t->victim || over || message->n > sizeof t->bytes)
        return;
    memcpy(t->bytes, message->bytes, message->n);
    if (msg_decode(t->bytes, message->n, t->m) != 0 || (t->m->type != MSG_NEXT_OK && t->m->type != MSG_USE_OK))
        return;
    if (!t->change(t, t->m))
        message->times = 0;
    else
        assert_int_equal(msg_encode(t->m, message->bytes, message->n + MSG_BYTES_MAX, &message->n), 0);
}

struct tamper *tamper_new(struct world *w, size_t victim, tamper_kind *change)
{
    struct tamper *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->w = w;
    t->victim = victim;
    t->change = change;
    t->m = calloc(1, sizeof *t->m);
    t->kept = calloc(1, sizeof *t->kept);
    assert_true(t->m && t->kept);
    world_tap(w, tap, t);
    return t;
}

void tamper_free(struct tamper *t)
{
    world_tap(t->w, NULL, NULL);
    free(t->m);
    free(t->kept);
    free(t);
}

/* Is it a part with bytes, whose turn it is? */
static bool is_due(struct tamper *t, const struct msg *m)
{
    if (m->type != MSG_NEXT_OK || m->part.kind != PART_DATA || m->part.len == 0 || t->skip > 0) {
        t->skip -= m->type == MSG_NEXT_OK && m->part.kind == PART_DATA && m->part.len > 0 && t->skip > 0;
        return false;
    }
    if (t->every > 0 && ++t->seen % t->every != 0)
        return false;
    t->done++;
    return true;
}

static uint8_t *bytes_of(struct tamper *t, struct msg *m)
{
    return t->bytes + (m->part.bytes - t->bytes);
}

bool tamper_changes(struct tamper *t, struct msg *m)
{
    if (is_due(t, m))
        bytes_of(t, m)[m->part.len / 2] ^= 1;
    return true;
}

bool tamper_shortens(struct tamper *t, struct msg *m)
{
    if (is_due(t, m))
        m->part.len--;
    return true;
}

bool tamper_drops(struct tamper *t, struct msg *m)
{
    if (is_due(t, m))
        m->part.len = 0;
    return true;
}

static void keep(struct tamper *t, const struct msg *m)
{
    t->kept->part = m->part;
    memcpy(t->kept_bytes, m->part.bytes, m->part.len);
    t->kept->part.bytes = t->kept_bytes;
}

/* The one before comes once more instead. */
bool tamper_repeats(struct tamper *t, struct msg *m)
{
    if (m->type != MSG_NEXT_OK || m->part.kind != PART_DATA || m->part.len == 0)
        return true;
    if (t->kept->part.len == 0) {
        keep(t, m);
    } else {
        m->part = t->kept->part;
        t->done++;
    }
    return true;
}

bool tamper_withholds(struct tamper *t, struct msg *m)
{
    return !is_due(t, m);
}

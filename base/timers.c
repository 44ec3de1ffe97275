/* Timers in a binary heap ordered by (at, seq). See timers.h.
 *
 * Invariants:
 *   1. heap[i]->slot == i for all i < count; a timer outside has slot TIMER_IDLE.
 *   2. no timer is due before its parent, heap[(i - 1) / 2].
 *   3. what is set during a run at `now` is due at `now` or later and has a higher seq, so it stands behind all that the run
 *      has still to fire. */
#include "timers.h"

#include <stdlib.h>

void timers_init(struct timers *ts)
{
    *ts = (struct timers){0};
}

void timers_fini(struct timers *ts)
{
    for (size_t i = 0; i < ts->count; i++)
        ts->heap[i]->slot = TIMER_IDLE;
    free(ts->heap);
    timers_init(ts);
}

void timer_init(struct timer *t, void (*fire)(void *arg), void *arg)
{
    *t = (struct timer){.fire = fire, .arg = arg, .slot = TIMER_IDLE};
}

static bool before(const struct timer *a, const struct timer *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(struct timers *ts, size_t slot, struct timer *t)
{
    ts->heap[slot] = t;
    t->slot = slot;
}

/* Finds the place for `t` at or above `slot`, which is free. */
static void sift_up(struct timers *ts, size_t slot, struct timer *t)
{
    while (slot > 0 && before(t, ts->heap[(slot - 1) / 2])) {
        place(ts, slot, ts->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    place(ts, slot, t);
}

/* Finds the place for `t` at or below `slot`, which is free. */
static void sift_down(struct timers *ts, size_t slot, struct timer *t)
{
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child + 1 < ts->count && before(ts->heap[child + 1], ts->heap[child]))
            child++;
        if (child >= ts->count || before(t, ts->heap[child]))
            break;
        place(ts, slot, ts->heap[child]);
        slot = child;
    }
    place(ts, slot, t);
}

static void timers_grow(struct timers *ts)
{
    size_t cap = ts->cap ? 2 * ts->cap : 16;
    struct timer **heap = reallocarray(ts->heap, cap, sizeof(struct timer *));
    if (!heap)
        abort();
    ts->heap = heap;
    ts->cap = cap;
}

void timers_set(struct timers *ts, struct timer *t, uint64_t at)
{
    timers_cancel(ts, t);
    if (ts->count == ts->cap)
        timers_grow(ts);
    t->at = at > ts->ran ? at : ts->ran;
    t->seq = ts->seq++;
    sift_up(ts, ts->count++, t);
}

void timers_cancel(struct timers *ts, struct timer *t)
{
    if (t->slot == TIMER_IDLE)
        return;
    size_t slot = t->slot;
    t->slot = TIMER_IDLE;
    struct timer *last = ts->heap[--ts->count];
    if (last == t)
        return;
    if (before(last, t))
        sift_up(ts, slot, last);
    else
        sift_down(ts, slot, last);
}

uint64_t timers_next(const struct timers *ts)
{
    return ts->count ? ts->heap[0]->at : TIMER_NEVER;
}

void timers_run(struct timers *ts, uint64_t now)
{
    uint64_t end = ts->seq;
    if (now > ts->ran)
        ts->ran = now;
    while (ts->count && ts->heap[0]->at <= now && ts->heap[0]->seq < end) {
        struct timer *t = ts->heap[0];
        timers_cancel(ts, t);
        t->fire(t->arg);
    }
}

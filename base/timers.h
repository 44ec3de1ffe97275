/* Timers as a binary heap, the same in every port.
 *
 * A timer belongs to whoever embeds it; the heap only points at it. Timers due at the same instant fire in the order in which
 * they were set. Invariant: timer.slot is its place in the heap, or TIMER_IDLE. */
#ifndef WEFT_BASE_TIMERS_H
#define WEFT_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_IDLE SIZE_MAX
#define TIMER_NEVER UINT64_MAX

struct timer {
    void (*fire)(void *arg);
    void *arg;
    uint64_t at;  /* ns on the port's clock */
    uint64_t seq; /* order among equals */
    size_t slot;
};

struct timers {
    struct timer **heap;
    size_t count, cap;
    uint64_t seq;
    uint64_t ran; /* time of the latest run: nothing is due before it */
};

void timers_init(struct timers *ts);
/* Frees the heap; timers still in it become idle. */
void timers_fini(struct timers *ts);
/* Before first use of a timer. */
void timer_init(struct timer *t, void (*fire)(void *arg), void *arg);
/* Sets or moves a timer. Aborts the process when out of memory (a timer that cannot be set has no honest fallback). */
void timers_set(struct timers *ts, struct timer *t, uint64_t at);
void timers_cancel(struct timers *ts, struct timer *t);
/* When the next one is due, or TIMER_NEVER. */
uint64_t timers_next(const struct timers *ts);
/* Fires all that are due at `now`. A handler may set and cancel any timer, its own included; what it sets for now or earlier
 * fires in the next run, so that a run ends. */
void timers_run(struct timers *ts, uint64_t now);

#endif

/* The loop. See loop.h.
 *
 * Invariants: (1) the timerfd is set to `armed`, which is never later than the earliest deadline; it may be earlier, and
 * then the loop wakes once for nothing and sets it right; (2) `posted` and its length are touched under `mutex` only; (3) a
 * watch that has ended is freed in a later turn, since zloop may still hold it in this one: timers run first in a turn, and
 * what is set in a run of them fires in the next one. */
#include "loop.h"

#include <czmq.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct call {
    void (*fn)(void *data);
    void *data;
};

struct loop {
    zloop_t *zloop;
    int timer_fd, wake_fd;
    struct watch *timer_watch, *wake_watch;
    struct timers timers;
    uint64_t armed;
    struct watch *ended;
    struct timer bury;
    _Atomic bool stopping;
    pthread_mutex_t mutex;
    struct call *posted;
    size_t count, cap;
};

struct watch {
    struct loop *loop;
    zmq_pollitem_t item;
    void (*ready)(void *arg); /* NULL once ended */
    void *arg;
    struct watch *next; /* among the ended */
};

/* ---- timers */

uint64_t loop_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void arm(struct loop *loop, uint64_t at)
{
    struct itimerspec when = {.it_value = {0}};
    if (at != TIMER_NEVER) {
        uint64_t ns = at > 0 ? at : 1; /* zero would disarm it */
        when.it_value = (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    loop->armed = at;
}

static void timers_ready(void *arg)
{
    struct loop *loop = arg;
    uint64_t expirations;
    if (read(loop->timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
        return;
    timers_run(&loop->timers, loop_now());
    arm(loop, timers_next(&loop->timers));
}

void loop_timer_set(struct loop *loop, struct timer *t, uint64_t at)
{
    timers_set(&loop->timers, t, at);
    if (at < loop->armed)
        arm(loop, at);
}

void loop_timer_cancel(struct loop *loop, struct timer *t)
{
    timers_cancel(&loop->timers, t);
}

/* ---- calls from other threads */

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    int kept = errno; /* may be in a signal handler */
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = kept;
}

void loop_post(struct loop *loop, void (*fn)(void *data), void *data)
{
    pthread_mutex_lock(&loop->mutex);
    if (loop->count == loop->cap) {
        size_t cap = loop->cap ? loop->cap * 2 : 16;
        struct call *more = realloc(loop->posted, cap * sizeof *more);
        if (!more)
            abort();
        loop->posted = more;
        loop->cap = cap;
    }
    loop->posted[loop->count++] = (struct call){fn, data};
    bool first = loop->count == 1;
    pthread_mutex_unlock(&loop->mutex);
    if (first)
        wake(loop);
}

/* Takes all calls and runs them. Were there any? */
static bool run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct call *calls = loop->posted;
    size_t n = loop->count;
    loop->posted = NULL;
    loop->count = loop->cap = 0;
    pthread_mutex_unlock(&loop->mutex);
    for (size_t i = 0; i < n; i++)
        calls[i].fn(calls[i].data);
    free(calls);
    return n > 0;
}

static void woken(void *arg)
{
    struct loop *loop = arg;
    uint64_t count;
    if (read(loop->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    run_posted(loop);
}

void loop_drain(struct loop *loop)
{
    while (run_posted(loop))
        ;
}

/* ---- watches */

static int on_item(zloop_t *zloop, zmq_pollitem_t *item, void *arg)
{
    (void)zloop;
    (void)item;
    struct watch *watch = arg;
    struct loop *loop = watch->loop;
    if (watch->ready)
        watch->ready(watch->arg);
    return atomic_load(&loop->stopping) ? -1 : 0;
}

static void bury(void *arg)
{
    struct loop *loop = arg;
    while (loop->ended) {
        struct watch *watch = loop->ended;
        loop->ended = watch->next;
        free(watch);
    }
}

static struct watch *watch_item(struct loop *loop, zmq_pollitem_t item, void (*ready)(void *arg), void *arg)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    *watch = (struct watch){.loop = loop, .item = item, .ready = ready, .arg = arg};
    if (zloop_poller(loop->zloop, &watch->item, on_item, watch) != 0) {
        free(watch);
        return NULL;
    }
    zloop_poller_set_tolerant(loop->zloop, &watch->item);
    return watch;
}

struct watch *loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *arg), void *arg)
{
    return watch_item(loop, (zmq_pollitem_t){.fd = fd, .events = ZMQ_POLLIN}, ready, arg);
}

struct watch *loop_watch_socket(struct loop *loop, void *socket, void (*ready)(void *arg), void *arg)
{
    return watch_item(loop, (zmq_pollitem_t){.socket = socket, .events = ZMQ_POLLIN}, ready, arg);
}

void loop_unwatch(struct watch *watch)
{
    if (!watch)
        return;
    struct loop *loop = watch->loop;
    zloop_poller_end(loop->zloop, &watch->item);
    watch->ready = NULL;
    watch->next = loop->ended;
    loop->ended = watch;
    loop_timer_set(loop, &loop->bury, 0);
}

/* ---- life */

static int loop_open(struct loop *loop)
{
    loop->zloop = zloop_new();
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!loop->zloop || loop->timer_fd < 0 || loop->wake_fd < 0)
        return loop->zloop ? err_from_errno(errno) : ERR_NOMEM;
    zloop_set_nonstop(loop->zloop, true); /* signals are the program's */
    loop->timer_watch = loop_watch_fd(loop, loop->timer_fd, timers_ready, loop);
    loop->wake_watch = loop_watch_fd(loop, loop->wake_fd, woken, loop);
    return loop->timer_watch && loop->wake_watch ? 0 : ERR_NOMEM;
}

int loop_new(struct loop **out, struct fault *fault)
{
    struct loop *loop = calloc(1, sizeof *loop);
    *out = NULL;
    if (!loop)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    loop->armed = TIMER_NEVER;
    loop->timer_fd = loop->wake_fd = -1;
    timers_init(&loop->timers);
    timer_init(&loop->bury, bury, loop);
    pthread_mutex_init(&loop->mutex, NULL);
    int err = loop_open(loop);
    if (err) {
        fault_set(fault, err, "cannot make the node's loop: %s", err_text(err));
        loop_free(loop);
        return err;
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_unwatch(loop->timer_watch);
    loop_unwatch(loop->wake_watch);
    zloop_destroy(&loop->zloop);
    bury(loop);
    timers_fini(&loop->timers);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop->posted);
    free(loop);
}

/* zloop also returns when the system interrupts its wait: then it goes on. */
void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping))
        zloop_start(loop->zloop);
    atomic_store(&loop->stopping, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

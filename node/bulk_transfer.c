#include "bulk_transfer.h"

#include "bulk_thread.h"
#include "packet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

int transfer_init(struct transfer *t, struct fault *fault)
{
    t->fd[0] = t->fd[1] = -1;
    t->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->stop_fd < 0)
        return fault_errno(fault, errno, "cannot begin a transfer");
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->changed);
    return 0;
}

/* What a connection that is about to be closed has moved. */
static void count(struct transfer *t, const struct tls_link *link)
{
    uint64_t in, out;

    if (t->progress == NULL || link == NULL)
        return;
    tls_moved(link, &in, &out);
    atomic_fetch_add(&t->progress->wire_in, in);
    atomic_fetch_add(&t->progress->wire_out, out);
}

void transfer_fini(struct transfer *t)
{
    transfer_close_streams(t);
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        count(t, t->arrived[i]);
        tls_link_free(t->arrived[i]);
    }
    packet_close(t->fd);
    kept_free(t->kept);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    close(t->stop_fd);
}

/* ---- faults */

void transfer_fail(struct transfer *t, const struct fault *fault)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&t->lock);
    if (t->fault.code == 0 || (t->fault.code == ERR_UNREACHABLE && fault->code != ERR_UNREACHABLE))
        t->fault = *fault;
    if (!atomic_exchange(&t->stopped, true)) {
        ssize_t n = write(t->stop_fd, &one, sizeof one);
        (void)n;
        for (unsigned i = 0; i < t->streams; i++)
            stream_break(&t->stream[i]);
        if (t->plan != NULL)
            plan_stop(t->plan);
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
}

void transfer_failf(struct transfer *t, int code, const char *fmt, ...)
{
    char text[FAULT_TEXT];
    struct fault fault;
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fault_set(&fault, code, "%s", text);
    transfer_fail(t, &fault);
}

bool transfer_stopped(struct transfer *t)
{
    return atomic_load(&t->stopped);
}

void transfer_set_plan(struct transfer *t, struct plan *plan)
{
    pthread_mutex_lock(&t->lock);
    t->plan = plan;
    if (plan != NULL && transfer_stopped(t))
        plan_stop(plan);
    pthread_mutex_unlock(&t->lock);
}

void transfer_go(struct transfer *t, const struct msg_fetch_ok *answer)
{
    pthread_mutex_lock(&t->lock);
    t->go = true;
    if (answer != NULL)
        t->answer = *answer;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- waiting */

static const char *const impostor_text = "someone used this transfer's id without knowing its key";

bool transfer_wait_go(struct transfer *t)
{
    bool in_time = true;

    pthread_mutex_lock(&t->lock);
    while (!t->go && !t->impostor && !transfer_stopped(t) && in_time)
        in_time = cond_wait_until(&t->changed, &t->lock, t->deadline);
    bool go = t->go, impostor = t->impostor;
    pthread_mutex_unlock(&t->lock);
    if (impostor)
        transfer_failf(t, ERR_REFUSED, "%s", impostor_text);
    else if (!go)
        transfer_failf(t, ERR_TIMEOUT, "no confirmation that the other side is connected came in time");
    return go && !transfer_stopped(t);
}

static unsigned arrived(const struct transfer *t, unsigned n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++)
        count += t->arrived[i] != NULL;
    return count;
}

bool transfer_wait_streams(struct transfer *t, unsigned n)
{
    bool in_time = true;

    pthread_mutex_lock(&t->lock);
    while (arrived(t, n) < n && !t->impostor && !transfer_stopped(t) && in_time)
        in_time = cond_wait_until(&t->changed, &t->lock, t->deadline);
    unsigned count = arrived(t, n);
    bool impostor = t->impostor;
    pthread_mutex_unlock(&t->lock);
    if (count == n)
        return !transfer_stopped(t);
    if (impostor)
        transfer_failf(t, ERR_REFUSED, "%s", impostor_text);
    else
        transfer_failf(t, ERR_TIMEOUT, "%u of %u bulk connections came in time; is a firewall in the way?", count, n);
    return false;
}

void transfer_arrive(void *arg, uint8_t index, struct tls_link *link)
{
    struct transfer *t = arg;

    pthread_mutex_lock(&t->lock);
    if (link == NULL)
        t->impostor = true;
    else
        t->arrived[index] = link;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- streams */

bool transfer_open_streams(struct transfer *t, unsigned n, int patience_s)
{
    struct fault fault = {0};

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < n && fault.code == 0; i++) {
        struct tls_link *link = t->arrived[i];
        t->arrived[i] = NULL;
        if (stream_init(&t->stream[i], link, patience_s, &fault) == 0)
            t->streams++;
    }
    pthread_mutex_unlock(&t->lock);
    if (fault.code != 0)
        transfer_fail(t, &fault);
    return !transfer_stopped(t);
}

void transfer_close_streams(struct transfer *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->streams;
    t->streams = 0; /* nobody breaks them any more; closing may take a moment, which the loop thread must not wait for */
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        stream_end(&t->stream[i]);
        count(t, t->stream[i].link);
        stream_fini(&t->stream[i]);
    }
}

unsigned transfer_streams(struct transfer *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->streams;
    pthread_mutex_unlock(&t->lock);
    return n;
}

struct runner {
    pthread_t thread;
    void (*run)(void *arg, unsigned index);
    void *arg;
    unsigned index;
};

static void *runner(void *arg)
{
    struct runner *r = arg;
    char name[16];

    snprintf(name, sizeof name, "weft-bulk-%u", r->index);
    pthread_setname_np(pthread_self(), name);
    r->run(r->arg, r->index);
    return NULL;
}

void transfer_run(struct transfer *t, void (*run)(void *arg, unsigned index), void *arg)
{
    struct runner r[STREAMS_MAX];
    unsigned started = 1;

    for (; started < t->streams; started++) {
        r[started] = (struct runner){.run = run, .arg = arg, .index = started};
        int err = bulk_thread(&r[started].thread, runner, &r[started]);
        if (err != 0) {
            transfer_failf(t, ERR_NOMEM, "cannot start a thread for a stream");
            break;
        }
    }
    run(arg, 0);
    for (unsigned i = 1; i < started; i++)
        pthread_join(r[i].thread, NULL);
}

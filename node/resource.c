/* Resources that are no files: their life, and what all kinds have in common. See resource.h.
 *
 * Invariants: (1) a supply is in `all` from its beginning until its thread has been joined, which is only after its resource
 * was closed; (2) `opened`, `over`, `told`, `fault` and `fd` are touched under the lock only; (3) the verdict is kept before
 * the stream's last descriptor is closed; (4) what was told over `told_fd` is dealt with on the loop's thread. */
#include "bulk_thread.h"
#include "io.h"
#include "resource_work.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GRACE (2 * SECOND)
#define SUPPLIES_MAX (2 * RESOURCES_MAX) /* those that are winding down included */

struct supplies {
    struct supply_limits limits;
    struct lookups *lookups;
    int told_fd;
    struct watch *watch;
    struct supply *all; /* the loop's */
    size_t count;
    struct resource *refused[RESOURCES_MAX]; /* that never began, and have not been told */
    size_t refused_count;
    pthread_mutex_t lock;
    pthread_cond_t over; /* of some supply */
};

static void signal_fd(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- for the threads */

struct lookups *supply_lookups(const struct supply *s)
{
    return s->of->lookups;
}

bool supply_stopped(const struct supply *s)
{
    struct pollfd p = {.fd = s->stop_fd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

void supply_opened(struct supply *s, const int fd[2])
{
    pthread_mutex_lock(&s->of->lock);
    s->fd[0] = fd[0];
    s->fd[1] = fd[1];
    s->opened = true;
    pthread_mutex_unlock(&s->of->lock);
    signal_fd(s->of->told_fd);
}

/* ---- a thread's life */

static int work(struct supply *s, struct fault *fault)
{
    switch (s->kind) {
    case RESOURCE_TCP: return supply_tcp(s, fault);
    case RESOURCE_HTTP: return supply_http(s, fault);
    case RESOURCE_COMMAND: return supply_command(s, fault);
    case RESOURCE_FIFO: return supply_fifo(s, fault);
    default: return fault_set(fault, ERR_UNSUPPORTED, "this share is no byte stream");
    }
}

static void *run(void *arg)
{
    struct supply *s = arg;
    struct supplies *of = s->of;
    struct fault fault = {0};
    work(s, &fault);
    int out = s->out;
    pthread_mutex_lock(&of->lock);
    s->fault = fault;
    io_close(out);
    s->over = true; /* from now on it may be gone */
    pthread_cond_broadcast(&of->over);
    signal_fd(of->told_fd);
    pthread_mutex_unlock(&of->lock);
    return NULL;
}

/* ---- on the loop's thread */

static void supply_free(struct supply *s)
{
    io_close(s->stop_fd);
    io_close(s->fd[0]);
    io_close(s->fd[1]);
    free(s);
}

/* Joins and frees one that is closed and over. Was there any? */
static bool bury_one(struct supplies *of)
{
    struct supply **at = &of->all;
    pthread_mutex_lock(&of->lock);
    while (*at && ((*at)->r || !(*at)->over))
        at = &(*at)->next;
    struct supply *s = *at;
    if (s)
        *at = s->next;
    pthread_mutex_unlock(&of->lock);
    if (!s)
        return false;
    of->count--;
    pthread_join(s->thread, NULL);
    supply_free(s);
    return true;
}

/* One that is open, or could not be opened, and whose owner does not know yet. */
static struct resource *next_news(struct supplies *of)
{
    struct resource *r = NULL;
    pthread_mutex_lock(&of->lock);
    for (struct supply *s = of->all; s && !r; s = s->next) {
        if (!s->r || s->told || (!s->opened && !s->over))
            continue;
        s->told = true;
        r = s->r;
        r->fault = s->opened ? (struct fault){0} : s->fault;
        if (!s->opened && r->fault.code == 0)
            fault_set(&r->fault, ERR_IO, "what is behind this share ended before it began");
    }
    pthread_mutex_unlock(&of->lock);
    if (!r && of->refused_count > 0)
        r = of->refused[--of->refused_count];
    return r;
}

static void news(void *arg)
{
    struct supplies *of = arg;
    struct resource *r;
    uint64_t count;
    if (read(of->told_fd, &count, sizeof count) < 0)
        return;
    while (bury_one(of))
        ;
    while ((r = next_news(of)))
        r->opened(r);
}

static int read_target(struct supply *s, const char *target, struct fault *fault)
{
    if (strlen(target) > PATH_BYTES_MAX)
        return fault_set(fault, ERR_LIMIT, "what is behind this share has too long a name");
    strcpy(s->target, target);
    if (s->kind == RESOURCE_FIFO)
        return 0;
    int err = locator_parse(s->target, &s->locator, fault);
    if (!err && s->locator.kind != s->kind)
        err = fault_set(fault, ERR_USAGE, "what is behind this share is of another kind than it says");
    return err;
}

/* With a thread that is at work; NULL: the fault says why not. */
static struct supply *supply_new(struct supplies *of, struct resource *r, struct fault *fault)
{
    struct supply *s = of->count < SUPPLIES_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        fault_set(fault, ERR_FULL, "as many resources as this node allows are in use; try again later");
        return NULL;
    }
    s->of = of;
    s->r = r;
    s->kind = r->kind;
    s->limits = of->limits;
    s->fd[0] = s->fd[1] = s->out = -1;
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    int errnum = s->stop_fd < 0 ? errno : 0;
    int err = read_target(s, r->target, fault);
    if (!err && !errnum)
        errnum = bulk_thread(&s->thread, run, s);
    if (!err && !errnum)
        return s;
    if (!err)
        fault_errno(fault, errnum, "no thread for what is behind this share");
    supply_free(s);
    return NULL;
}

void resource_open(struct supplies *of, struct resource *r)
{
    r->fault = (struct fault){0};
    struct supply *s = supply_new(of, r, &r->fault);
    r->port_data = s;
    if (s) {
        s->next = of->all;
        of->all = s;
        of->count++;
        return;
    }
    assert(of->refused_count < RESOURCES_MAX); /* which is as many as the core opens */
    of->refused[of->refused_count++] = r;
    signal_fd(of->told_fd);
}

static void forget_refused(struct supplies *of, const struct resource *r)
{
    for (size_t i = 0; i < of->refused_count; i++)
        if (of->refused[i] == r)
            of->refused[i--] = of->refused[--of->refused_count];
}

void resource_close(struct supplies *of, struct resource *r)
{
    struct supply *s = r->port_data;
    int fd[2];
    r->port_data = NULL;
    if (!s) {
        forget_refused(of, r);
        return;
    }
    pthread_mutex_lock(&of->lock);
    fd[0] = s->fd[0];
    fd[1] = s->fd[1];
    s->fd[0] = s->fd[1] = -1;
    s->r = NULL;
    pthread_mutex_unlock(&of->lock);
    io_close(fd[0]);
    io_close(fd[1]);
    signal_fd(s->stop_fd);
    signal_fd(of->told_fd); /* it may be over */
}

void resource_take(struct resource *r, int fd[2])
{
    struct supply *s = r->port_data;
    fd[0] = fd[1] = -1;
    if (!s)
        return;
    pthread_mutex_lock(&s->of->lock);
    for (int i = 0; i < 2; i++) {
        fd[i] = s->fd[i];
        s->fd[i] = -1;
    }
    pthread_mutex_unlock(&s->of->lock);
}

int resource_verdict(struct resource *r, struct fault *fault)
{
    struct supply *s = r->port_data;
    if (!s)
        return fault_set(fault, (int)r->fault.code, "%s", r->fault.text);
    uint64_t until = now_ns() + s->limits.silence + s->limits.grace;
    pthread_mutex_lock(&s->of->lock);
    while (!s->over && cond_wait_until(&s->of->over, &s->of->lock, until))
        ;
    struct fault verdict = s->fault;
    if (!s->over)
        fault_set(&verdict, ERR_TIMEOUT, "what is behind this share does not end");
    pthread_mutex_unlock(&s->of->lock);
    return verdict.code ? fault_set(fault, (int)verdict.code, "%s", verdict.text) : 0;
}

/* ---- all of them */

int supplies_new(struct loop *loop, const struct supply_limits *limits, struct supplies **out, struct fault *fault)
{
    struct supplies *of = calloc(1, sizeof *of);
    *out = NULL;
    if (!of)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    of->limits = limits ? *limits
                        : (struct supply_limits){.connect = RESOURCE_CONNECT_S * SECOND,
                                                 .silence = RESOURCE_SILENCE_S * SECOND,
                                                 .grace = GRACE,
                                                 .bytes = RESOURCE_BYTES_MAX};
    pthread_mutex_init(&of->lock, NULL);
    cond_init(&of->over);
    of->told_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    of->lookups = lookups_new(RESOURCES_MAX);
    of->watch = of->told_fd >= 0 && of->lookups ? loop_watch_fd(loop, of->told_fd, news, of) : NULL;
    if (!of->watch) {
        supplies_free(of);
        return fault_set(fault, ERR_NOMEM, "out of memory or descriptors");
    }
    *out = of;
    return 0;
}

void supplies_free(struct supplies *of)
{
    if (!of)
        return;
    pthread_mutex_lock(&of->lock);
    for (struct supply *s = of->all; s; s = s->next)
        while (!s->over)
            pthread_cond_wait(&of->over, &of->lock);
    pthread_mutex_unlock(&of->lock);
    while (bury_one(of))
        ;
    loop_unwatch(of->watch);
    io_close(of->told_fd);
    lookups_drop(of->lookups);
    pthread_cond_destroy(&of->over);
    pthread_mutex_destroy(&of->lock);
    free(of);
}

/* Bridges as the loop thread sees them: opens and closes them, and brings their end. bridge_run.c is their thread. */
#include "bridge_internal.h"

#include "bulk_port.h"
#include "bulk_thread.h"
#include "bulk_transfer.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SILENCE (SEND_PATIENCE_S * SECOND) /* as long as an end bears it; a host that is gone is noticed much earlier */

/* ---- the port */

/* Under the lock. */
static int open_port(struct bridges *bridges)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &bridges->listener};
    int fd = port_listen(&bridges->port);

    if (fd < 0)
        return err_from_errno(errno);
    if (epoll_ctl(bridges->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return ERR_NOMEM;
    }
    bridges->listener = fd;
    return 0;
}

static void close_port(struct bridges *bridges)
{
    pthread_mutex_lock(&bridges->lock);
    if (bridges->listener >= 0)
        close(bridges->listener);
    bridges->listener = -1;
    pthread_mutex_unlock(&bridges->lock);
    bridge_thread_wake(bridges); /* what is half open goes too */
}

/* ---- bridges */

/* Two ways, to the same addresses: which of them a connection wants to go it says itself. */
static int make_ways(struct bridges *bridges, struct bridge *b)
{
    struct addr addr[RECEPTION_ENDPOINTS_MAX];
    size_t n = bridges->addresses(bridges->arg, addr, RECEPTION_ENDPOINTS_MAX);

    if (n == 0)
        return ERR_UNREACHABLE;
    for (unsigned i = 0; i < 2; i++) {
        struct relay_way *way = &b->way[i];
        *way = (struct relay_way){.addr_count = (uint8_t)n};
        randombytes_buf(way->id.b, sizeof way->id.b);
        randombytes_buf(way->key, sizeof way->key);
        memcpy(way->addr, addr, n * sizeof addr[0]);
        for (size_t k = 0; k < n; k++)
            way->addr[k].port = bridges->port;
    }
    return 0;
}

static struct span *span_new(struct bridges *bridges, struct bridge *b)
{
    struct span *span = calloc(1, sizeof *span);

    if (span == NULL)
        return NULL;
    span->bridges = bridges;
    span->b = b;
    span->limit = b->limit;
    span->rate = b->rate;
    span->streams = b->streams;
    span->deadline = now_ns() + b->deadline_s * SECOND;
    for (unsigned i = 0; i < 2; i++) {
        span->id[i] = b->way[i].id;
        memcpy(span->key[i], b->way[i].key, sizeof span->key[i]);
    }
    for (unsigned i = 0; i < span->streams; i++) {
        span->joint[i].span = span;
        pump_init(&span->joint[i].pump[0]);
        pump_init(&span->joint[i].pump[1]);
    }
    return span;
}

static void span_free(struct span *span)
{
    sodium_memzero(span->key, sizeof span->key);
    free(span);
}

int bridge_open(struct bridges *bridges, struct bridge *b)
{
    struct span *span = NULL;

    if (b->streams == 0 || b->streams > STREAMS_MAX)
        return ERR_USAGE;
    if (bridges->count == BRIDGES_MAX)
        return ERR_FULL;
    pthread_mutex_lock(&bridges->lock);
    int err = bridges->listener >= 0 ? 0 : open_port(bridges);
    if (err == 0)
        err = make_ways(bridges, b);
    if (err == 0 && (span = span_new(bridges, b)) == NULL)
        err = ERR_NOMEM;
    if (err == 0)
        STAILQ_INSERT_TAIL(&bridges->inbox, span, inbox);
    pthread_mutex_unlock(&bridges->lock);
    if (err != 0) {
        if (bridges->count == 0)
            close_port(bridges);
        return err;
    }
    b->port_data = span;
    LIST_INSERT_HEAD(&bridges->all, span, all);
    bridges->count++;
    bridge_thread_wake(bridges);
    return 0;
}

void bridge_close(struct bridges *bridges, struct bridge *b, int code)
{
    struct span *span = b->port_data;

    if (span == NULL)
        return;
    pthread_mutex_lock(&bridges->lock);
    span->close_code = code != 0 ? code : ERR_CANCELLED;
    bridges->closing = true;
    pthread_mutex_unlock(&bridges->lock);
    bridge_thread_wake(bridges);
}

void span_delivered(void *data)
{
    struct span *span = data;
    struct bridges *bridges = span->bridges;
    struct bridge *b = span->b;

    if (!span->orphan) {
        LIST_REMOVE(span, all);
        if (--bridges->count == 0)
            close_port(bridges);
        b->fault = span->fault;
        b->port_data = NULL;
    }
    bool orphan = span->orphan;
    span_free(span);
    if (!orphan)
        b->done(b);
}

/* ---- life */

void bridge_counts(struct bridges *bridges, struct bridge_counts *out)
{
    out->open = bridges->count;
    out->refused = atomic_load(&bridges->refused);
}

int bridges_new(const struct bulk_config *config, struct bridges **out, struct fault *fault)
{
    struct bridges *new = sodium_init() < 0 ? NULL : calloc(1, sizeof *new);

    if (new == NULL)
        return fault_set(fault, ERR_NOMEM, "out of memory for bridges");
    new->log = config->log;
    new->addresses = config->addresses;
    new->post = config->post;
    new->arg = config->arg;
    new->silence = SILENCE;
    new->listener = new->epoll = new->wake = -1;
    pthread_mutex_init(&new->lock, NULL);
    STAILQ_INIT(&new->inbox);
    TAILQ_INIT(&new->halves);
    TAILQ_INIT(&new->closed);
    TAILQ_INIT(&new->queue);
    pipe_pool_init(&new->pool);
    int err = bridge_thread_start(new, fault);
    if (err != 0) {
        bridges_free(new);
        return err;
    }
    *out = new;
    return 0;
}

void bridges_free(struct bridges *bridges)
{
    struct span *span;

    if (bridges == NULL)
        return;
    bridge_thread_stop(bridges);
    if (bridges->listener >= 0)
        close(bridges->listener);
    while ((span = LIST_FIRST(&bridges->all)) != NULL) {
        LIST_REMOVE(span, all);
        span->b->port_data = NULL;
        span->orphan = true;
        if (!span->posted)
            span_free(span);
    }
    pthread_mutex_destroy(&bridges->lock);
    free(bridges);
}

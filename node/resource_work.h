/* What the files of resource*.c share. Nothing else includes this. See resource.h. */
#ifndef WEFT_NODE_RESOURCE_WORK_H
#define WEFT_NODE_RESOURCE_WORK_H

#include "locator.h"
#include "resource.h"

#include <pthread.h>
#include <stdbool.h>

/* One resource, as the thread that works for it sees it. What is not marked is set before the thread begins and only read. */
struct supply {
    struct supply *next; /* the loop's */
    struct supplies *of;
    struct resource *r; /* the loop's; NULL once it is closed */
    enum resource_kind kind;
    struct supply_limits limits;
    struct locator locator; /* TCP, HTTP, COMMAND */
    char target[PATH_BYTES_MAX + 1];
    int stop_fd; /* can be read once the resource is closed */
    pthread_t thread;
    /* of supplies->lock */
    bool opened, over; /* in this order, or over alone: then it could not be opened */
    bool told;         /* r->opened was called */
    struct fault fault;
    int fd[2];
    /* the thread's */
    int out; /* the end of the pipe that is written */
    uint64_t bytes;
};

/* ---- the four kinds: they work until the end, calling supply_opened on the way. The result is the verdict. */
int supply_tcp(struct supply *s, struct fault *fault);
int supply_http(struct supply *s, struct fault *fault);
int supply_command(struct supply *s, struct fault *fault);
int supply_fifo(struct supply *s, struct fault *fault);

/* ---- what they use (resource.c, resource_pump.c) */

/* The stream is there: these descriptors (takes them), or a pipe that supply_write fills. */
void supply_opened(struct supply *s, const int fd[2]);
int supply_open_pipe(struct supply *s, struct fault *fault);
bool supply_stopped(const struct supply *s);
/* Writes all of it, waiting for the reader as long as it takes. ERR_CANCELLED: nobody wants it any more; ERR_LIMIT. */
int supply_write(struct supply *s, const void *bytes, size_t n, struct fault *fault);

struct pump {
    int in;           /* to be read, non-blocking; closed at its end, and at the pump's */
    int ended_fd;     /* can be read when there is no more to come than is there by now; -1: the end of `in` says so */
    uint64_t silence; /* ns; 0: as long as it takes */
    /* Called before the rest is read, once ended_fd says so. */
    void (*ending)(void *arg);
    void *arg;
};
/* From `in` to the stream. 0 at the end, ERR_TIMEOUT, ERR_CANCELLED, ... */
int supply_pump(struct supply *s, struct pump *pump, struct fault *fault);

/* Milliseconds until `until` for poll, rounded up; -1 for UINT64_MAX. */
int supply_wait_ms(uint64_t until);

/* ---- names (resource_lookup.c) */

#define LOOKUP_ADDRESSES 8

struct lookups; /* those of one node */

/* So many at once; NULL: out of memory. What is still being looked up when they are dropped comes to nothing. */
struct lookups *lookups_new(unsigned max);
void lookups_drop(struct lookups *lookups); /* NULL is fine */
/* The addresses of s->locator, at least one. By `until`, or ERR_TIMEOUT; ERR_CANCELLED when the supply is stopped. */
int lookup(struct supply *s, uint64_t until, struct addr address[LOOKUP_ADDRESSES], size_t *n, struct fault *fault);

struct lookups *supply_lookups(const struct supply *s);

#endif

/* Looking up names, which the system does in its own time and cannot be stopped at.
 *
 * So each look-up has a thread of its own, which is left to itself when its result is not wanted any more; there are never more
 * than the cap. What it works on belongs to both, and goes with the last one. Addresses are not looked up. */
#include "addr.h"
#include "bulk_thread.h"
#include "io.h"
#include "resource_work.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookups {
    _Atomic unsigned owners; /* the node, and every look-up */
    _Atomic unsigned running;
    unsigned max;
};

struct question {
    struct lookups *of;
    _Atomic unsigned owners;
    char host[LOCATOR_HOST_MAX + 1], port[8];
    int done_fd;       /* can be read once it is done */
    _Atomic bool done; /* then the rest is the asker's again */
    int code;          /* of getaddrinfo */
    size_t n;
    struct addr address[LOOKUP_ADDRESSES];
};

struct lookups *lookups_new(unsigned max)
{
    struct lookups *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    atomic_init(&l->owners, 1);
    l->max = max;
    return l;
}

void lookups_drop(struct lookups *l)
{
    if (l && atomic_fetch_sub(&l->owners, 1) == 1)
        free(l);
}

static void question_drop(struct question *q)
{
    if (atomic_fetch_sub(&q->owners, 1) != 1)
        return;
    lookups_drop(q->of);
    io_close(q->done_fd);
    free(q);
}

static void ask(struct question *q, int flags)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    q->code = getaddrinfo(q->host, q->port, &hints, &list);
    for (const struct addrinfo *a = q->code == 0 ? list : NULL; a && q->n < LOOKUP_ADDRESSES; a = a->ai_next)
        if (addr_from_sockaddr(a->ai_addr, &q->address[q->n]) == 0)
            q->n++;
    if (q->code == 0)
        freeaddrinfo(list);
}

static void *run(void *arg)
{
    struct question *q = arg;
    uint64_t one = 1;
    ask(q, AI_ADDRCONFIG);
    atomic_fetch_sub(&q->of->running, 1);
    atomic_store(&q->done, true);
    while (write(q->done_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    question_drop(q);
    return NULL;
}

static struct question *question_new(struct lookups *of, const struct locator *locator)
{
    struct question *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->of = of;
    atomic_fetch_add(&of->owners, 1);
    atomic_init(&q->owners, 1);
    memcpy(q->host, locator->host, sizeof q->host);
    snprintf(q->port, sizeof q->port, "%u", locator->port);
    q->done_fd = eventfd(0, EFD_CLOEXEC);
    return q;
}

/* On a thread of its own. */
static int begin(struct question *q, struct fault *fault)
{
    pthread_t thread;
    if (q->done_fd < 0)
        return fault_errno(fault, errno, "no descriptor to look up a name");
    if (atomic_fetch_add(&q->of->running, 1) >= q->of->max) {
        atomic_fetch_sub(&q->of->running, 1);
        return fault_set(fault, ERR_FULL, "too many names are being looked up; try again later");
    }
    atomic_fetch_add(&q->owners, 1);
    int errnum = bulk_thread(&thread, run, q);
    if (errnum == 0) {
        pthread_detach(thread);
        return 0;
    }
    atomic_fetch_sub(&q->owners, 1);
    atomic_fetch_sub(&q->of->running, 1);
    return fault_errno(fault, errnum, "no thread to look up a name");
}

static int await(const struct supply *s, const struct question *q, uint64_t until, struct fault *fault)
{
    struct pollfd wait[] = {{.fd = q->done_fd, .events = POLLIN}, {.fd = s->stop_fd, .events = POLLIN}};
    if (poll(wait, 2, supply_wait_ms(until)) <= 0)
        return fault_set(fault, ERR_TIMEOUT, "the name of the service behind this share is not found in time");
    return atomic_load(&q->done) ? 0 : fault_set(fault, ERR_CANCELLED, "nobody wants it any more");
}

static int take(const struct question *q, struct addr *address, size_t *n, struct fault *fault)
{
    if (q->n == 0)
        return fault_set(fault, ERR_UNREACHABLE, "the name of the service behind this share is not found: %s",
                         q->code ? gai_strerror(q->code) : "it has no address");
    memcpy(address, q->address, q->n * sizeof *address);
    *n = q->n;
    return 0;
}

/* What is no address is looked up; from its beginning to its end, `q` is the other thread's. */
static int look_up(const struct supply *s, struct question *q, uint64_t until, struct fault *fault)
{
    int err = begin(q, fault);
    return err ? err : await(s, q, until, fault);
}

int lookup(struct supply *s, uint64_t until, struct addr address[LOOKUP_ADDRESSES], size_t *n, struct fault *fault)
{
    struct question *q = question_new(supply_lookups(s), &s->locator);
    *n = 0;
    if (!q)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    ask(q, AI_NUMERICHOST);
    int err = q->n > 0 ? 0 : look_up(s, q, until, fault);
    if (!err)
        err = take(q, address, n, fault);
    question_drop(q);
    return err;
}

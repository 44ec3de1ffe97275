/* Resources that are no files, opened for real: a TCP service is connected to, a URL fetched, a command run, a FIFO read. Each
 * is a pair of descriptors for a byte stream. Part of the runtime: resources.h is the core's side.
 *
 * Each has a thread of its own (resource_tcp.c, resource_http.c, resource_command.c, resource_fifo.c), since all of this may
 * take long; it ends, and what it began with it, when its resource is closed or has come to its end. But for a TCP service a
 * resource only gives: its bytes come through a pipe, and what is written to it goes to /dev/null.
 *
 * A command or a URL that failed must not look like one that ended: the verdict is known before the stream's end can be
 * read. */
#ifndef WEFT_NODE_RESOURCE_H
#define WEFT_NODE_RESOURCE_H

#include "loop.h"
#include "transfer.h"

struct supplies;

struct supply_limits {
    uint64_t connect; /* ns: for a service or a URL to answer */
    uint64_t silence; /* ns: of a command or a URL; time that the reader takes does not count */
    uint64_t grace;   /* ns: for a command to end when it is asked to */
    uint64_t bytes;   /* that a command or a URL may bring */
};

/* NULL: the limits of limits.h. */
int supplies_new(struct loop *loop, const struct supply_limits *limits, struct supplies **out, struct fault *fault);
/* When all are closed: waits for the last threads and commands. NULL is fine. */
void supplies_free(struct supplies *supplies);

/* Ends by r->opened on the loop's thread, unless it is closed before. The target's text is copied. */
void resource_open(struct supplies *supplies, struct resource *r);
/* Once for each that was opened, however that ended; at any time; returns at once. */
void resource_close(struct supplies *supplies, struct resource *r);
/* Gives the descriptors, once: [0] is read, [1] is written. They are then closed by whoever took them; -1: there is none. */
void resource_take(struct resource *r, int fd[2]);
/* Did it end as it should? To be asked at the end of what was read; waits for it, at most as long as a command may be silent.
 * Any thread, between opened() and resource_close. The text says nothing of the target, and may be told to the peer. */
int resource_verdict(struct resource *r, struct fault *fault);

#endif

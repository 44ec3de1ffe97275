/* Bytes from one socket to another without coming through this process: splice(2) into a pipe and out of it again.
 *
 * Sockets are non-blocking and watched edge by edge: a side is ready until a call on it would have blocked. A pump borrows a
 * pipe from a pool only while bytes are on their way, so that idle streams cost no descriptors. One thread. */
#ifndef WEFT_NODE_SPLICE_H
#define WEFT_NODE_SPLICE_H

#include <stdbool.h>
#include <stddef.h>

#define PIPE_BYTES (1u << 20) /* on their way in one pump at most */
#define PIPES_IDLE_MAX 64

struct pipe_pair {
    int fd[2]; /* out of it, into it */
};

struct pipe_pool {
    unsigned idle;
    struct pipe_pair pipe[PIPES_IDLE_MAX]; /* empty ones */
};

void pipe_pool_init(struct pipe_pool *pool);
void pipe_pool_fini(struct pipe_pool *pool);

struct side { /* of a pump: a socket */
    int fd;
    bool readable, writable;
};

struct pump {
    struct pipe_pair pipe; /* fd[0] is -1 while it needs none */
    size_t held;           /* bytes in the pipe */
    bool clogged;          /* the pipe takes no more before some has left it */
    bool ended;            /* the source has come to its end */
    bool shut;             /* and the sink was told so, after all bytes */
};

void pump_init(struct pump *p);
/* Drops what it holds. A pump that was cut off moves nothing any more. */
void pump_cut(struct pump *p, struct pipe_pool *pool);
void pump_fini(struct pump *p, struct pipe_pool *pool);

enum pump_fault {
    PUMP_OK,
    PUMP_SOURCE, /* it broke */
    PUMP_SINK,
    PUMP_PIPE /* there are no more descriptors: try again later */
};
/* Moves what it can, of which at most *left new bytes from the source; *left goes down by these. */
enum pump_fault pump_run(struct pump *p, struct pipe_pool *pool, struct side *from, struct side *to, size_t *left);
/* Could it do something now, were it allowed more from its source? */
bool pump_ready(const struct pump *p, const struct side *from, const struct side *to);

#endif

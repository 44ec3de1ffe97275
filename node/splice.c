#include "splice.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- pipes */

void pipe_pool_init(struct pipe_pool *pool)
{
    pool->idle = 0;
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    while (pool->idle > 0) {
        const struct pipe_pair *pipe = &pool->pipe[--pool->idle];
        close(pipe->fd[0]);
        close(pipe->fd[1]);
    }
}

/* A larger pipe means fewer calls; a user may have only so many of them, and then a small one has to do. */
static bool pipe_take(struct pipe_pool *pool, struct pipe_pair *out)
{
    if (pool->idle > 0) {
        *out = pool->pipe[--pool->idle];
        return true;
    }
    if (pipe2(out->fd, O_NONBLOCK | O_CLOEXEC) != 0) {
        out->fd[0] = out->fd[1] = -1;
        return false;
    }
    for (unsigned n = PIPE_BYTES; n >= PIPE_BYTES / 8 && fcntl(out->fd[1], F_SETPIPE_SZ, (int)n) < 0; n /= 2)
        ;
    return true;
}

static void pipe_give(struct pipe_pool *pool, struct pipe_pair *pipe, bool empty)
{
    if (pipe->fd[0] < 0)
        return;
    if (empty && pool->idle < PIPES_IDLE_MAX) {
        pool->pipe[pool->idle++] = *pipe;
    } else {
        close(pipe->fd[0]);
        close(pipe->fd[1]);
    }
    pipe->fd[0] = pipe->fd[1] = -1;
}

/* ---- pumps */

void pump_init(struct pump *p)
{
    *p = (struct pump){.pipe = {.fd = {-1, -1}}};
}

void pump_fini(struct pump *p, struct pipe_pool *pool)
{
    pipe_give(pool, &p->pipe, p->held == 0);
    p->held = 0;
}

void pump_cut(struct pump *p, struct pipe_pool *pool)
{
    p->ended = p->shut = true;
    pump_fini(p, pool);
}

static bool may_draw(const struct pump *p, const struct side *from)
{
    return from->readable && !p->ended && !p->clogged && p->held < PIPE_BYTES;
}

static bool may_pour(const struct pump *p, const struct side *to)
{
    return p->held > 0 && to->writable;
}

bool pump_ready(const struct pump *p, const struct side *from, const struct side *to)
{
    return may_draw(p, from) || may_pour(p, to) || (p->ended && p->held == 0 && !p->shut);
}

/* "Would block" may come from a dry socket or from a full pipe: only with an empty pipe is it surely the socket. */
static enum pump_fault draw(struct pump *p, struct pipe_pool *pool, struct side *from, size_t *left)
{
    size_t room = PIPE_BYTES - p->held;

    if (p->pipe.fd[0] < 0 && !pipe_take(pool, &p->pipe))
        return PUMP_PIPE;
    ssize_t n = splice(from->fd, NULL, p->pipe.fd[1], NULL, *left < room ? *left : room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        p->held += (size_t)n;
        *left -= (size_t)n;
    } else if (n == 0) {
        p->ended = true;
    } else if (errno == EAGAIN && p->held > 0) {
        p->clogged = true;
    } else if (errno == EAGAIN) {
        from->readable = false;
    } else if (errno != EINTR) {
        return PUMP_SOURCE;
    }
    return PUMP_OK;
}

static enum pump_fault pour(struct pump *p, struct side *to)
{
    ssize_t n = splice(p->pipe.fd[0], NULL, to->fd, NULL, p->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n > 0) {
        p->held -= (size_t)n;
        p->clogged = false;
    } else if (n < 0 && errno == EAGAIN) {
        to->writable = false;
    } else if (n == 0 || errno != EINTR) {
        return PUMP_SINK;
    }
    return PUMP_OK;
}

enum pump_fault pump_run(struct pump *p, struct pipe_pool *pool, struct side *from, struct side *to, size_t *left)
{
    enum pump_fault fault = PUMP_OK;

    while (fault == PUMP_OK && ((*left > 0 && may_draw(p, from)) || may_pour(p, to))) {
        if (*left > 0 && may_draw(p, from))
            fault = draw(p, pool, from, left);
        if (fault == PUMP_OK && may_pour(p, to))
            fault = pour(p, to);
    }
    if (p->held == 0)
        pipe_give(pool, &p->pipe, true);
    if (fault == PUMP_OK && p->ended && p->held == 0 && !p->shut) {
        shutdown(to->fd, SHUT_WR);
        p->shut = true;
    }
    return fault;
}

/* Shares that are byte streams. See resources.h.
 *
 * Invariants: (1) a share has a pipe just while it is in the table and is a byte stream, unless that could not be bound; (2) of
 * what was opened all is in core->opened until it is closed, RESOURCES_MAX at most; (3) the port is told of a close once. */
#include "resources.h"

#include <stdlib.h>
#include <string.h>

struct opened {
    struct opened *next;
    struct core *core;
    struct tag pipe; /* that it was opened for: may be unbound by now */
    uint64_t number; /* of the stream */
    struct resource resource;
    char target[PATH_BYTES_MAX + 1];
};

/* ---- shares and their pipes */

static void pipe_fill(struct pipe *pipe, struct core *core, const char *name)
{
    *pipe = (struct pipe){.core = core, .type = PIPE_UNICAST, .transport = TRANSPORT_ANY};
    memcpy(pipe->name, name, sizeof pipe->name);
}

static bool is_stream(const struct share_row *row)
{
    return row->kind != RESOURCE_FILE && row->kind != RESOURCE_DIR;
}

int resources_share_may(struct core *core, const struct share_row *row, struct fault *fault)
{
    const struct share *same = share_find(core, row->name);
    struct pipe pipe;
    if (!is_stream(row) || (same && same->pipe))
        return 0;
    pipe_fill(&pipe, core, row->name);
    return pipe_may_bind(&pipe, fault);
}

int resources_share_put(struct core *core, struct share *share)
{
    if (!is_stream(&share->row))
        return 0;
    struct pipe *pipe = malloc(sizeof *pipe);
    if (!pipe)
        return ERR_NOMEM;
    pipe_fill(pipe, core, share->row.name);
    pipe->share = share;
    int err = pipe_bind(pipe, NULL);
    if (err)
        free(pipe);
    else
        share->pipe = pipe;
    return err;
}

void resources_share_dropped(struct core *core, struct share *share)
{
    (void)core;
    if (!share->pipe)
        return;
    pipe_unbind(share->pipe); /* which ends its streams, and those close what was opened for them */
    free(share->pipe);
    share->pipe = NULL;
}

/* ---- what is opened for streams */

static void opened(struct resource *r)
{
    struct opened *o = r->owner;
    struct core *core = o->core;
    uint64_t number = o->number;
    struct fault fault = r->fault;
    if (fault.code == 0) {
        connect_opened(core, number, r);
        return;
    }
    connect_refused(core, number, 0, &fault);
    resources_close(core, number);
}

/* May one more be opened for it? */
static bool has_room(const struct pipe *pipe)
{
    size_t all = 0, same = 0;
    for (const struct opened *o = pipe->core->opened; o; o = o->next) {
        all++;
        same += tag_equal(&o->pipe, &pipe->tag);
    }
    return all < RESOURCES_MAX && (same == 0 || pipe->share->row.kind != RESOURCE_FIFO);
}

int resources_offer(struct pipe *pipe, uint64_t number)
{
    struct core *core = pipe->core;
    if (!has_room(pipe))
        return ERR_FULL;
    struct opened *o = calloc(1, sizeof *o);
    if (!o)
        return ERR_NOMEM;
    o->core = core;
    o->pipe = pipe->tag;
    o->number = number;
    memcpy(o->target, pipe->share->row.path, sizeof o->target);
    o->resource = (struct resource){.kind = pipe->share->row.kind, .target = o->target, .owner = o, .opened = opened};
    o->next = core->opened;
    core->opened = o;
    core->port->resource_open(core->port->self, &o->resource);
    return 0;
}

void resources_close(struct core *core, uint64_t number)
{
    struct opened **at = &core->opened;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    struct opened *o = *at;
    if (!o)
        return;
    *at = o->next;
    core->port->resource_close(core->port->self, &o->resource);
    free(o);
}

void resources_free(struct core *core)
{
    while (core->opened)
        resources_close(core, core->opened->number);
    for (struct share *s = core->shares; s; s = s->next) {
        free(s->pipe);
        s->pipe = NULL;
    }
    core->pipes = NULL; /* those of programs went with their calls */
}

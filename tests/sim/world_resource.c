/* Resources of the simulated world: a service that echoes, and things that say what they have to say and end. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_resource {
    struct sim_resource *next; /* of the node's */
    struct resource *r;        /* NULL: it is not wanted any more */
    bool open;
    struct program end; /* in no table of programs */
};

struct program *resource_program(struct resource *r)
{
    return &((struct sim_resource *)r->port_data)->end;
}

static void queue_copy(struct sim_queue *q, const uint8_t *bytes, size_t n)
{
    q->bytes = realloc(q->bytes, q->n + n + 1);
    assert(q->bytes);
    memcpy(q->bytes + q->n, bytes, n);
    q->n += n;
}

void resource_serve(struct resource *r)
{
    struct program *p = resource_program(r);
    if (r->kind != RESOURCE_TCP)
        return;
    if (p->in.at < p->in.n)
        queue_copy(&p->out, p->in.bytes + p->in.at, p->in.n - p->in.at);
    p->in.at = p->in.n;
    p->out.ended = p->in.ended;
}

int resource_fate(const struct resource *r, struct fault *why)
{
    return strstr(r->target, "failing") ? fault_set(why, ERR_IO, "'%s' failed", r->target) : 0;
}

static void forget(struct sim_resource *s)
{
    struct sim_resource **at = &s->end.node->resources;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    free(s->end.in.bytes);
    free(s->end.out.bytes);
    free(s);
}

static void opened(void *data)
{
    struct sim_resource *s = data;
    if (!s->r) {
        forget(s);
        return;
    }
    s->open = true;
    if (strstr(s->r->target, "missing"))
        fault_set(&s->r->fault, ERR_UNREACHABLE, "'%s' is not there", s->r->target);
    s->r->opened(s->r);
}

void sim_resource_open(void *self, struct resource *r)
{
    struct sim_node *node = self;
    struct sim_resource *s = calloc(1, sizeof *s);
    assert(s);
    s->r = r;
    s->end.node = node;
    s->next = node->resources;
    node->resources = s;
    if (r->kind != RESOURCE_TCP) {
        queue_copy(&s->end.out, (const uint8_t *)r->target, strlen(r->target));
        s->end.out.ended = true;
    }
    r->port_data = s;
    struct event *e = event_new(node->world, EVENT_CALL, node, WORLD_DELAY, NULL, 0);
    e->call = opened;
    e->data = s;
    world_push(node->world, e);
}

/* One whose opening is still to come is freed then. */
void sim_resource_close(void *self, struct resource *r)
{
    struct sim_resource *s = r->port_data;
    (void)self;
    if (!s)
        return;
    r->port_data = NULL;
    s->r = NULL;
    if (s->open)
        forget(s);
}

void resources_end(struct sim_node *node)
{
    while (node->resources) {
        if (node->resources->r)
            node->resources->r->port_data = NULL; /* its core closes it later */
        forget(node->resources);
    }
}

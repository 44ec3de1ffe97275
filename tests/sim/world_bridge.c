/* Relays of the simulated world: bridges carry what transfers and byte streams move, while both their ends reach the relay. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_bridge {
    struct sim_bridge *next; /* of the relay's */
    struct sim_node *node;
    struct bridge *b;
    uint64_t opened_at;
    bool used, ending;
};

static void is_done(void *data)
{
    struct sim_bridge *s = data;
    struct bridge *b = s->b;
    struct sim_bridge **at = &s->node->bridges;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    free(s);
    b->port_data = NULL;
    b->done(b);
}

static void later(struct sim_bridge *s, uint64_t after, void (*call)(void *data))
{
    struct event *e = event_new(s->node->world, EVENT_CALL, s->node, after, NULL, 0);
    e->call = call;
    e->data = s;
    world_push(s->node->world, e);
}

static void ends(struct sim_bridge *s, int code, const char *text)
{
    if (s->ending)
        return;
    s->ending = true;
    if (code)
        fault_set(&s->b->fault, code, "%s", text);
    later(s, WORLD_DELAY, is_done);
}

static bool same_way(const struct relay_way *a, const struct relay_way *b)
{
    return tag_equal(&a->id, &b->id) && memcmp(a->key, b->key, sizeof a->key) == 0;
}

static struct sim_bridge *bridge_of(struct world *w, const struct relay_way *way, size_t *side)
{
    for (size_t i = 0; i < w->node_count; i++)
        for (struct sim_bridge *s = w->nodes[i]->bridges; s; s = s->next)
            for (*side = 0; *side < 2; (*side)++)
                if (same_way(&s->b->way[*side], way))
                    return s;
    return NULL;
}

bool bridge_carries(struct world *w, const struct relay_way *a, const struct relay_way *b, size_t node_a, size_t node_b)
{
    size_t side;
    struct sim_bridge *s = bridge_of(w, a, &side);
    if (!s || s->ending || s->node->closed || !same_way(&s->b->way[1 - side], b))
        return false;
    s->used = true;
    return !world_is_cut(w, s->node->number, node_a) && !world_is_cut(w, s->node->number, node_b);
}

void bridge_moved(struct world *w, const struct relay_way *way, uint64_t n)
{
    size_t side;
    struct sim_bridge *s = bridge_of(w, way, &side);
    if (!s)
        return;
    s->b->moved += n;
    if (s->b->moved >= s->b->limit)
        ends(s, ERR_FULL, "the quota is used up");
}

void bridge_unused(struct world *w, const struct relay_way *way)
{
    size_t side;
    struct sim_bridge *s = bridge_of(w, way, &side);
    if (s)
        ends(s, 0, "");
}

/* Those of a node whose streams have not come in time. */
static void look_for_unused(void *data)
{
    struct sim_node *node = data;
    for (struct sim_bridge *s = node->bridges; s; s = s->next)
        if (!s->used && node->world->now >= s->opened_at + s->b->deadline_s * SECOND)
            ends(s, ERR_TIMEOUT, "its streams did not come");
}

int sim_bridge_open(void *self, struct bridge *b)
{
    struct sim_node *node = self;
    struct sim_bridge *s = calloc(1, sizeof *s);
    assert(s);
    *s = (struct sim_bridge){.next = node->bridges, .node = node, .b = b, .opened_at = node->world->now};
    node->bridges = s;
    b->port_data = s;
    for (size_t i = 0; i < 2; i++) {
        b->way[i] = (struct relay_way){.addr_count = 1};
        node->port.random(node, b->way[i].id.b, TAG_BYTES);
        node->port.random(node, b->way[i].key, sizeof b->way[i].key);
        b->way[i].addr[0] =
            (struct addr){.family = AF_INET, .ip = {10, 0, (uint8_t)(node->number >> 8), (uint8_t)node->number}, .port = 7003};
    }
    struct event *e = event_new(node->world, EVENT_CALL, node, b->deadline_s * SECOND, NULL, 0);
    e->call = look_for_unused;
    e->data = node;
    world_push(node->world, e);
    return 0;
}

void sim_bridge_close(void *self, struct bridge *b, int code)
{
    (void)self;
    if (b->port_data)
        ends(b->port_data, code, "closed");
}

void bridges_end(struct sim_node *node)
{
    while (node->bridges) {
        struct sim_bridge *s = node->bridges;
        node->bridges = s->next;
        s->b->port_data = NULL; /* its core may still close it */
        free(s);
    }
}

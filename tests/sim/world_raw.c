/* Raw nodes. See world_raw.h. */
#include "world_raw.h"

#include "world_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raw {
    link_no next_dial;
    struct heard *heard;
    size_t count, cap;
    struct receive receive[16];
    size_t receives;
    raw_answer *answer;
    void *arg;
};

static struct sim_node *node_of(struct world *w, size_t raw)
{
    assert(raw < w->node_count && w->nodes[raw]->raw);
    return w->nodes[raw];
}

size_t world_add_raw(struct world *w, const char *name)
{
    size_t raw = world_add(w, name);
    w->nodes[raw]->raw = calloc(1, sizeof(struct raw));
    assert(w->nodes[raw]->raw);
    return raw;
}

const struct identity *raw_identity(struct world *w, size_t raw)
{
    return &node_of(w, raw)->identity;
}

link_no raw_dial(struct world *w, size_t raw, size_t to)
{
    struct sim_node *node = node_of(w, raw);
    char endpoint[ENDPOINT_TEXT];
    link_no link = ++node->raw->next_dial;
    snprintf(endpoint, sizeof endpoint, "tcp://10.0.%zu.%zu:7000", to >> 8, to & 255);
    int err = node->port.dial(node, link, world_id(w, to), endpoint);
    assert(!err);
    return link;
}

void raw_say(struct world *w, size_t raw, link_no link, const void *bytes, size_t n)
{
    struct sim_node *node = node_of(w, raw);
    node->port.send(node, link, bytes, n);
}

void raw_hangup(struct world *w, size_t raw, link_no link)
{
    struct sim_node *node = node_of(w, raw);
    node->port.hangup(node, link);
}

size_t raw_heard_count(struct world *w, size_t raw)
{
    return node_of(w, raw)->raw->count;
}

const struct heard *raw_heard(struct world *w, size_t raw, size_t i)
{
    struct raw *r = node_of(w, raw)->raw;
    assert(i < r->count);
    return &r->heard[i];
}

void raw_forget(struct world *w, size_t raw)
{
    struct raw *r = node_of(w, raw)->raw;
    while (r->count > 0)
        free(r->heard[--r->count].bytes);
}

void raw_answers(struct world *w, size_t raw, raw_answer *answer, void *arg)
{
    node_of(w, raw)->raw->answer = answer;
    node_of(w, raw)->raw->arg = arg;
}

void raw_receives(struct world *w, size_t raw, size_t sender, struct reception_info *out)
{
    struct sim_node *node = node_of(w, raw);
    assert(node->raw->receives < sizeof node->raw->receive / sizeof node->raw->receive[0]);
    struct receive *r = &node->raw->receive[node->raw->receives];
    node->receives[node->raw->receives++] = r;
    r->peer = *world_id(w, sender);
    node->port.random(node, r->reception.id.b, TAG_BYTES);
    r->reception.streams = 1;
    r->reception.limit = INT64_MAX;
    r->reception.deadline_s = RECEPTION_DEADLINE_S;
    r->reception.addr_count = 1;
    r->reception.addr[0] = (struct addr){.family = AF_INET, .ip = {10, 0, (uint8_t)(raw >> 8), (uint8_t)raw}, .port = 7001};
    *out = r->reception;
}

void raw_happen(struct sim_node *node, const struct event *e)
{
    struct raw *r = node->raw;
    if (e->kind == EVENT_CALL)
        e->call(e->data); /* what its port has in work */
    if (e->kind != EVENT_ACCEPT && !(e->kind == EVENT_MESSAGE && wire_find(node, e->link)))
        return;
    if (r->count == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->heard = realloc(r->heard, r->cap * sizeof *r->heard);
        assert(r->heard);
    }
    struct heard *h = &r->heard[r->count++];
    *h = (struct heard){.link = e->link, .opened = e->kind == EVENT_ACCEPT, .n = e->n, .bytes = malloc(e->n + 1)};
    assert(h->bytes);
    memcpy(h->bytes, e->bytes, e->n);
    if (r->answer)
        r->answer(node->world, node->number, h, r->arg);
}

void raw_free(struct sim_node *node)
{
    if (node->raw) {
        raw_forget(node->world, node->number);
        free(node->raw->heard);
    }
    free(node->raw);
}

/* See spread_net.h. */
#include "spread_net.h"

#include "err.h"
#include "identity.h"
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DELAY_MIN (100 * 1000ull)
#define DELAY_SPAN (2 * MILLISECOND)

/* What a message is made of here. */
struct body {
    uint32_t number, hops;
};

struct event {
    struct timer timer;
    struct net *net;
    size_t from, to;
    int what; /* enum spread_tell, or PUSH */
    struct body body;
    size_t count;
    struct tag ids[SPREAD_IDS_MAX];
};
#define PUSH (-1)

struct node {
    struct net *net;
    struct node_id id;
    bool alive, full;
    struct port port;
    struct spread_tree *tree;
    uint8_t got[NET_MESSAGES_MAX], sent[NET_MESSAGES_MAX];
};

struct net {
    uint64_t now, rng;
    struct timers timers; /* of the trees, and arrivals */
    size_t count, messages, words;
    size_t hops[NET_MESSAGES_MAX];
    struct node node[NET_NODES_MAX];
    bool linked[NET_NODES_MAX][NET_NODES_MAX];
    uint64_t last[NET_NODES_MAX][NET_NODES_MAX]; /* arrival on this link, so that it keeps the order */
};

uint64_t net_random(struct net *net, uint64_t below)
{
    net->rng ^= net->rng << 13;
    net->rng ^= net->rng >> 7;
    net->rng ^= net->rng << 17;
    return net->rng % below;
}

/* ---- the host of a tree */

static uint64_t port_now(void *self)
{
    return ((struct node *)self)->net->now;
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct node *)self)->net->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct node *)self)->net->timers, t);
}

static size_t find_node(const struct net *net, const struct node_id *id)
{
    size_t i = 0;
    while (i < net->count && !id_equal(&net->node[i].id, id))
        i++;
    assert_true(i < net->count);
    return i;
}

static void arrive(void *arg);

static struct event *post(struct node *from, const struct node_id *to, int what)
{
    struct net *net = from->net;
    size_t f = (size_t)(from - net->node), t = find_node(net, to);
    struct event *e = calloc(1, sizeof *e);
    uint64_t at = net->now + DELAY_MIN + net_random(net, DELAY_SPAN);
    assert_non_null(e);
    net->last[f][t] = at > net->last[f][t] ? at : net->last[f][t];
    *e = (struct event){.net = net, .from = f, .to = t, .what = what};
    timer_init(&e->timer, arrive, e);
    timers_set(&net->timers, &e->timer, net->last[f][t]);
    return e;
}

static int host_push(void *arg, const struct node_id *to, const uint8_t *bytes, size_t n)
{
    struct node *node = arg;
    struct event *e = node->alive && !node->full ? post(node, to, PUSH) : NULL;
    if (!e)
        return node->full ? ERR_FULL : ERR_UNREACHABLE;
    assert_int_equal(n, sizeof e->body);
    memcpy(&e->body, bytes, n);
    node->sent[e->body.number]++;
    return 0;
}

static void host_tell(void *arg, const struct node_id *to, enum spread_tell what, const struct tag *ids, size_t count)
{
    struct node *node = arg;
    struct event *e = node->alive ? post(node, to, (int)what) : NULL;
    assert_true(count <= SPREAD_IDS_MAX);
    if (!e)
        return;
    e->count = count;
    if (count > 0)
        memcpy(e->ids, ids, count * sizeof *ids);
    node->net->words++;
}

/* ---- what arrives */

struct tag net_id(size_t message)
{
    return tag_derive("test", &message, sizeof message, NULL, 0);
}

static void take(struct node *node, const struct node_id *from, struct body body)
{
    struct spread_take m = {.id = net_id(body.number), .from = from, .bytes = (const uint8_t *)&body, .n = sizeof body};
    node->got[body.number]++;
    if (body.hops > node->net->hops[body.number])
        node->net->hops[body.number] = body.hops;
    body.hops++;
    assert_int_equal(spread_tree_take(node->tree, &m), 0);
}

static void act(struct node *node, const struct node_id *from, const struct event *e)
{
    struct tag id = net_id(e->body.number);
    switch (e->what) {
    case PUSH:
        if (!spread_tree_again(node->tree, from, &id))
            take(node, from, e->body);
        break;
    case TELL_HAVE: spread_tree_on_have(node->tree, from, e->ids, e->count); break;
    case TELL_WANT: spread_tree_on_want(node->tree, from, e->ids, e->count); break;
    default: spread_tree_on_prune(node->tree, from, e->what == TELL_PRUNE); break;
    }
}

static void arrive(void *arg)
{
    struct event *e = arg;
    struct net *net = e->net;
    if (net->node[e->to].alive && net->linked[e->from][e->to])
        act(&net->node[e->to], &net->node[e->from].id, e);
    free(e);
}

/* ---- the network */

struct net *net_new(uint64_t seed, size_t nodes)
{
    struct net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    assert_true(nodes <= NET_NODES_MAX);
    net->rng = seed * 0x9e3779b97f4a7c15ull + 1;
    net->count = nodes;
    timers_init(&net->timers);
    for (size_t i = 0; i < nodes; i++) {
        struct node *node = &net->node[i];
        uint64_t name[4];
        for (size_t k = 0; k < 4; k++)
            name[k] = net_random(net, UINT64_MAX);
        memcpy(node->id.b, name, sizeof node->id.b);
        node->net = net;
        node->alive = true;
        node->port =
            (struct port){.self = node, .now = port_now, .timer_set = port_timer_set, .timer_cancel = port_timer_cancel};
        struct spread_host host = {.arg = node, .port = &node->port, .self = node->id, .push = host_push, .tell = host_tell};
        assert_int_equal(spread_tree_new(&host, &node->tree), 0);
    }
    return net;
}

void net_free(struct net *net)
{
    for (size_t i = 0; i < net->count; i++)
        spread_tree_free(net->node[i].tree);
    for (size_t i = 0; i < net->timers.count; i++)
        free(net->timers.heap[i]->arg); /* on their way */
    free(net->timers.heap);
    free(net);
}

bool net_linked(const struct net *net, size_t a, size_t b)
{
    return net->linked[a][b];
}

static void learn(struct net *net, size_t node, size_t other, bool linked)
{
    if (net->node[node].alive && linked)
        spread_tree_link(net->node[node].tree, &net->node[other].id, 1, true);
    else if (net->node[node].alive)
        spread_tree_unlink(net->node[node].tree, &net->node[other].id);
}

void net_link(struct net *net, size_t a, size_t b, bool linked)
{
    if (a == b || net->linked[a][b] == linked)
        return;
    net->linked[a][b] = net->linked[b][a] = linked;
    learn(net, a, b, linked);
    learn(net, b, a, linked);
}

void net_link_all(struct net *net)
{
    for (size_t a = 0; a < net->count; a++)
        for (size_t b = 0; b < a; b++)
            net_link(net, a, b, true);
}

void net_crash(struct net *net, size_t node)
{
    net->node[node].alive = false;
}

void net_notice(struct net *net, size_t node)
{
    for (size_t i = 0; i < net->count; i++)
        net_link(net, node, i, false);
}

bool net_alive(const struct net *net, size_t node)
{
    return net->node[node].alive;
}

void net_full(struct net *net, size_t node, bool full)
{
    net->node[node].full = full;
}

size_t net_send(struct net *net, size_t node)
{
    struct body body = {.number = (uint32_t)net->messages};
    assert_true(net->messages < NET_MESSAGES_MAX);
    take(&net->node[node], NULL, body);
    return net->messages++;
}

void net_run(struct net *net, uint64_t duration)
{
    uint64_t until = net->now + duration;
    while (timers_next(&net->timers) <= until) {
        net->now = timers_next(&net->timers) > net->now ? timers_next(&net->timers) : net->now;
        timers_run(&net->timers, net->now);
    }
    net->now = until;
}

/* ---- counts */

size_t net_without(const struct net *net, size_t message)
{
    size_t n = 0;
    for (size_t i = 0; i < net->count; i++) {
        assert_true(net->node[i].got[message] <= 1);
        n += net->node[i].alive && net->node[i].got[message] == 0;
    }
    return n;
}

size_t net_copies_max(const struct net *net, size_t message)
{
    size_t max = 0;
    for (size_t i = 0; i < net->count; i++)
        max = net->node[i].sent[message] > max ? net->node[i].sent[message] : max;
    return max;
}

size_t net_copies(const struct net *net, size_t message)
{
    size_t n = 0;
    for (size_t i = 0; i < net->count; i++)
        n += net->node[i].sent[message];
    return n;
}

size_t net_hops(const struct net *net, size_t message)
{
    return net->hops[message];
}

size_t net_words(const struct net *net)
{
    return net->words;
}

struct spread_tree *net_tree(struct net *net, size_t node)
{
    return net->node[node].tree;
}

const struct node_id *net_node_id(struct net *net, size_t node)
{
    return &net->node[node].id;
}

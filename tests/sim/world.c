/* The simulated world: events in order of (time, sequence), nodes and their lives. The port of a node is in world_port.c. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert(w);
    w->rng = seed * 0x9e3779b97f4a7c15u + 1;
    w->trace = 0xcbf29ce484222325u;
    w->now = SECOND;
    w->rate = SIM_RATE;
    w->cut = calloc(WORLD_NODES_MAX, WORLD_NODES_MAX / 8);
    assert(w->cut);
    return w;
}

uint64_t world_random(struct world *w)
{
    uint64_t z = w->rng += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void trace_add(struct world *w, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        w->trace = (w->trace ^ b[i]) * 0x100000001b3u; /* FNV-1a */
}

uint64_t world_now(const struct world *w)
{
    return w->now;
}

uint64_t world_trace(const struct world *w)
{
    return w->trace;
}

uint64_t world_events(const struct world *w)
{
    return w->events;
}

uint64_t world_messages(const struct world *w)
{
    return w->messages;
}

/* ---- the heap of events */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void world_push(struct world *w, struct event *e)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 1024;
        w->heap = realloc(w->heap, w->cap * sizeof *w->heap);
        assert(w->heap);
    }
    e->seq = ++w->seq;
    size_t i = w->count++;
    for (; i > 0 && before(e, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

static struct event *pop(struct world *w)
{
    struct event *first = w->heap[0], *last = w->heap[--w->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->count)
            break;
        if (child + 1 < w->count && before(w->heap[child + 1], w->heap[child]))
            child++;
        if (!before(w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

struct event *event_new(struct world *w, enum event_kind kind, struct sim_node *to, uint64_t after, const void *bytes, size_t n)
{
    struct event *e = calloc(1, sizeof *e + n);
    assert(e);
    e->kind = kind;
    e->node = to->number;
    e->life = to->life;
    e->at = w->now + after;
    e->n = n;
    if (n > 0)
        memcpy(e->bytes, bytes, n);
    return e;
}

/* ---- nodes */

size_t world_add(struct world *w, const char *name)
{
    assert(w->node_count < WORLD_NODES_MAX);
    struct sim_node *node = calloc(1, sizeof *node);
    assert(node);
    uint8_t seed[SEED_BYTES];
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)world_random(w);
    node->world = w;
    node->number = w->node_count;
    identity_from_seed(seed, &node->identity);
    strncpy(node->name, name, NAME_MAX_BYTES);
    w->nodes[w->node_count++] = node;
    return node->number;
}

struct core *world_core(struct world *w, size_t node)
{
    return w->nodes[node]->core;
}

const struct node_id *world_id(struct world *w, size_t node)
{
    return &w->nodes[node]->identity.id;
}

void world_roles(struct world *w, size_t node, uint32_t roles)
{
    w->nodes[node]->roles = roles;
}

void world_start(struct world *w, size_t number)
{
    struct sim_node *node = w->nodes[number];
    assert(!node->up);
    struct core_config config = {.identity = &node->identity, .roles = node->roles, .incarnation = ++node->incarnation};
    memcpy(config.name, node->name, sizeof config.name);
    config.bases = node->disk[0] ? node->bases : NULL;
    config.base_limit = BASE_CACHE_BYTES;
    config.spool = node->disk[0] ? node->spool : "/tmp";
    node->life++;
    node->up = true;
    node->wake = TIMER_NEVER;
    wires_clear(node);
    timers_init(&node->timers);
    node->port = sim_port(node);
    if (node->raw)
        return;
    int err = core_new(&config, &node->port, &node->core);
    assert(!err);
    for (size_t i = 0; i < node->peer_count; i++)
        core_load_peer(node->core, &node->peers[i]);
    for (size_t i = 0; i < node->share_count; i++)
        core_load_share(node->core, &node->shares[i]);
    core_start(node->core);
}

/* What the other ends of its connections notice depends on them: nothing tells them. */
void world_crash(struct world *w, size_t number)
{
    struct sim_node *node = w->nodes[number];
    struct core *core = node->core;
    if (!node->up)
        return;
    node->up = false;
    node->life++;
    node->core = NULL;
    wires_clear(node);
    programs_end(node);
    duplexes_end(node);
    transfers_end(node);
    bridges_end(node);
    world_freeze(w, number, false);
    core_free(core);
    timers_fini(&node->timers);
}

static bool is_idle(struct world *w, void *arg)
{
    const struct sim_node *node = arg;
    (void)w;
    return core_idle(node->core);
}

void world_stop(struct world *w, size_t number)
{
    core_stop(w->nodes[number]->core);
    world_run(w, w->now + 10 * MILLISECOND);
    world_run_until(w, is_idle, w->nodes[number], w->now + 10 * SECOND);
    world_crash(w, number);
}

void world_freeze(struct world *w, size_t number, bool frozen)
{
    struct sim_node *node = w->nodes[number];
    node->frozen = frozen;
    if (frozen)
        return;
    for (size_t i = 0; i < node->held_count; i++) {
        bool timers = node->held[i]->kind == EVENT_TIMERS;
        node->held[i]->at = w->now;
        if (timers && node->held[i]->life == node->life)
            node->wake = w->now;
        world_push(w, node->held[i]);
    }
    free(node->held);
    node->held = NULL;
    node->held_count = 0;
}

static void hold(struct sim_node *node, struct event *e)
{
    node->held = realloc(node->held, (node->held_count + 1) * sizeof(struct event *));
    assert(node->held);
    node->held[node->held_count++] = e;
}

void world_cut(struct world *w, size_t a, size_t b, bool cut)
{
    size_t bits[2] = {a * WORLD_NODES_MAX + b, b * WORLD_NODES_MAX + a};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bit = (uint8_t)(1u << (bits[i] % 8));
        w->cut[bits[i] / 8] = cut ? w->cut[bits[i] / 8] | bit : (uint8_t)(w->cut[bits[i] / 8] & ~bit);
    }
}

void world_cuts_silently(struct world *w)
{
    w->silent_cuts = true;
}

bool world_is_cut(const struct world *w, size_t a, size_t b)
{
    size_t bit = a * WORLD_NODES_MAX + b;
    return w->cut[bit / 8] >> (bit % 8) & 1;
}

void world_firewall(struct world *w, size_t node, bool closed)
{
    w->nodes[node]->closed = closed;
}

void world_tap(struct world *w, world_tapper *tap, void *arg)
{
    w->tap = tap;
    w->tap_arg = arg;
}

void world_loss(struct world *w, unsigned thousandths)
{
    w->loss = thousandths;
}

void world_inject(struct world *w, size_t node, const void *bytes, size_t n)
{
    struct event *e = event_new(w, EVENT_DATAGRAM, w->nodes[node], WORLD_DELAY, bytes, n);
    e->from = node;
    world_push(w, e);
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->node_count; i++)
        world_crash(w, i); /* what ends there may end something at any other */
    for (size_t i = 0; i < w->node_count; i++) {
        for (size_t k = 0; k < w->nodes[i]->answer.count; k++)
            row_free(w->nodes[i]->answer.row[k]);
        free(w->nodes[i]->answer.row);
        free(w->nodes[i]->wires);
        free(w->nodes[i]->peers);
        stages_free(w->nodes[i]);
        disk_free(w->nodes[i]);
        raw_free(w->nodes[i]);
        free(w->nodes[i]);
    }
    while (w->count > 0) {
        struct event *e = pop(w);
        if (e->kind == EVENT_JOB)
            free(e->data);
        free(e);
    }
    free(w->heap);
    free(w->cut);
    free(w);
}

/* ---- running */

static struct addr node_addr(size_t number)
{
    struct addr a = {.family = AF_INET, .ip = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}, .port = 7000};
    return a;
}

static void happen(struct world *w, struct sim_node *node, struct event *e)
{
    struct addr from = node_addr(e->from);
    if (node->raw) {
        raw_happen(node, e);
        return;
    }
    switch (e->kind) {
    case EVENT_TIMERS:
        node->wake = TIMER_NEVER;
        timers_run(&node->timers, w->now);
        break;
    case EVENT_DATAGRAM: core_datagram(node->core, &from, e->bytes, e->n); break;
    case EVENT_ACCEPT: core_accepted(node->core, e->link, w->nodes[e->from]->identity.curve_public); break;
    case EVENT_MESSAGE:
        if (wire_find(node, e->link))
            core_message(node->core, e->link, e->bytes, e->n);
        break;
    case EVENT_LOST: core_link_lost(node->core, e->link); break;
    case EVENT_JOB: sim_run_job(node, e->data); break;
    case EVENT_CALL: e->call(e->data); break;
    case EVENT_ROW: program_arrived(node, e); break;
    }
    /* Its next timer, when none that is on its way comes early enough. */
    uint64_t next = node->up ? timers_next(&node->timers) : TIMER_NEVER;
    if (next < node->wake) {
        struct event *wake = event_new(w, EVENT_TIMERS, node, next > w->now ? next - w->now : 0, NULL, 0);
        node->wake = next;
        world_push(w, wake);
    }
}

static void step(struct world *w)
{
    struct event *e = pop(w);
    struct sim_node *node = w->nodes[e->node];
    w->now = e->at;
    if (node->frozen && e->life == node->life) {
        hold(node, e);
        return;
    }
    bool stale = e->life != node->life || !node->up || (e->kind == EVENT_TIMERS && node->wake != e->at);
    if (!stale) {
        uint64_t head[4] = {e->at, e->kind, e->node, e->link};
        trace_add(w, head, sizeof head);
        trace_add(w, e->bytes, e->n);
        w->events++;
        happen(w, node, e);
    } else if (e->kind == EVENT_JOB) {
        free(e->data);
    }
    free(e);
}

/* Nodes that were started or called between events may have set timers. */
static void wake_all(struct world *w)
{
    for (size_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = w->nodes[i];
        uint64_t next = node->up ? timers_next(&node->timers) : TIMER_NEVER;
        if (next < node->wake) {
            node->wake = next > w->now ? next : w->now;
            world_push(w, event_new(w, EVENT_TIMERS, node, node->wake - w->now, NULL, 0));
        }
    }
}

void world_run(struct world *w, uint64_t until)
{
    wake_all(w);
    while (w->count > 0 && w->heap[0]->at <= until)
        step(w);
    w->now = until;
}

bool world_run_until(struct world *w, bool (*check)(struct world *w, void *arg), void *arg, uint64_t deadline)
{
    wake_all(w);
    while (!check(w, arg)) {
        if (w->count == 0 || w->heap[0]->at > deadline)
            return false;
        step(w);
    }
    return true;
}

/* ---- control requests */

static bool answered(struct world *w, void *arg)
{
    struct sim_node *node = arg;
    (void)w;
    return !node->waiting || !node->up;
}

const struct answer *world_call(struct world *w, size_t number, struct row *request)
{
    struct sim_node *node = w->nodes[number];
    for (size_t i = 0; i < node->answer.count; i++)
        row_free(node->answer.row[i]);
    free(node->answer.row);
    memset(&node->answer, 0, sizeof node->answer);
    node->waiting = true;
    core_request(node->core, 1, request);
    row_free(request);
    world_run_until(w, answered, node, w->now + 120 * SECOND);
    return &node->answer;
}

size_t answer_count(const struct answer *a, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        n += strcmp(row_kind(a->row[i]), kind) == 0;
    return n;
}

const struct row *answer_row(const struct answer *a, const char *kind, size_t i)
{
    for (size_t k = 0; k < a->count; k++)
        if (strcmp(row_kind(a->row[k]), kind) == 0 && i-- == 0)
            return a->row[k];
    return NULL;
}

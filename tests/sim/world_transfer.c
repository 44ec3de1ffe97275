/* Transfers of the simulated world. A shared thing is SIM_FILES files of SIM_FILE_BYTES (or a real one: world_disk.c); a
 * transfer moves them at world_rate, a tick at a time, while its way is open: directly, where the side that is dialled is
 * behind no firewall, or through a bridge. What has come stays in the receiving node's stage, so that the next receive with
 * the same key goes on from there.
 *
 * A transfer has at most one event on its way; what goes wrong meanwhile is only noted. The receiver's ticks move both. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TICK (5 * MILLISECOND)
#define TICKS_PER_S (SECOND / TICK)
#define SETTING_UP (4 * WORLD_DELAY)
#define TOTAL ((uint64_t)SIM_FILES * SIM_FILE_BYTES)

struct sim_transfer {
    struct sim_transfer *next; /* of the node's */
    struct sim_node *node;
    struct receive *r; /* one of the two */
    struct send *s;
    struct sim_transfer *other; /* NULL: not met, or gone */
    bool met;                   /* it had one */
    bool to_raw;                /* the receiver is a raw node, which takes everything */
    bool pending;               /* its event is on the way */
    bool go;
    uint64_t *staged; /* receiver: what has come so far, also before */
    uint64_t total;   /* and will have come in all */
};

/* ---- what is kept of interrupted receives */

static uint64_t *stage_of(struct sim_node *node, const char *key)
{
    struct sim_stage *s = node->stages;
    while (s && strcmp(s->key, key) != 0)
        s = s->next;
    if (!s) {
        s = calloc(1, sizeof *s);
        assert(s && strlen(key) < sizeof s->key);
        strcpy(s->key, key);
        s->next = node->stages;
        node->stages = s;
    }
    return &s->done;
}

void stages_free(struct sim_node *node)
{
    while (node->stages) {
        struct sim_stage *s = node->stages;
        node->stages = s->next;
        free(s);
    }
}

/* ---- ends */

static struct fault *fault_of(struct sim_transfer *t)
{
    return t->r ? &t->r->fault : &t->s->fault;
}

static void later(struct sim_transfer *t, uint64_t after, void (*call)(void *data))
{
    struct event *e = event_new(t->node->world, EVENT_CALL, t->node, after, NULL, 0);
    assert(!t->pending);
    t->pending = true;
    e->call = call;
    e->data = t;
    world_push(t->node->world, e);
}

static void forget(struct sim_transfer *t)
{
    struct sim_transfer **at = &t->node->transfers;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->other)
        t->other->other = NULL;
    if (t->r && t->r->way.addr_count > 0)
        bridge_unused(t->node->world, &t->r->way);
    free(t);
}

static void is_done(void *data)
{
    struct sim_transfer *t = data;
    struct receive *r = t->r;
    struct send *s = t->s;
    forget(t);
    if (r) {
        r->progress.wire_in += r->progress.bytes_moved; /* content, no more */
        r->port_data = NULL;
        r->done(r);
    } else {
        s->progress.wire_out += s->progress.bytes_moved;
        s->port_data = NULL;
        s->done(s);
    }
}

static void fails(struct sim_transfer *t, int code, const char *text)
{
    if (fault_of(t)->code)
        return;
    fault_set(fault_of(t), code, "%s", text);
    if (!t->pending)
        later(t, 0, is_done);
}

static void lost(struct sim_transfer *t)
{
    if (t)
        fails(t, ERR_UNREACHABLE, "the connection to the other side was lost");
}

void transfers_end(struct sim_node *node)
{
    while (node->transfers) {
        struct sim_transfer *t = node->transfers;
        lost(t->other);
        *(t->r ? &t->r->port_data : &t->s->port_data) = NULL; /* its core may still cancel it */
        forget(t);
    }
}

/* ---- ways */

static bool way_is_open(const struct sim_transfer *rx)
{
    const struct sim_transfer *tx = rx->other;
    struct world *w = rx->node->world;
    if (!tx)
        return false;
    if (rx->r->way.addr_count > 0)
        return bridge_carries(w, &rx->r->way, &tx->s->reception.way, rx->node->number, tx->node->number);
    return !world_is_cut(w, rx->node->number, tx->node->number);
}

static bool may_be_reached(const struct sim_transfer *rx, const struct send *s, size_t sender)
{
    const struct receive *r = rx->r;
    if (r->way.addr_count > 0)
        return bridge_carries(rx->node->world, &r->way, &s->reception.way, rx->node->number, sender);
    return s->reception.way.addr_count == 0 && !world_is_cut(rx->node->world, rx->node->number, sender) &&
           (s->reception.addr_count == 0 || !rx->node->closed);
}

/* The receive whose reception object this is, if this sender is the one it is for. */
static struct sim_transfer *receive_of(struct sim_node *node, const struct send *s)
{
    struct world *w = node->world;
    for (size_t i = 0; i < w->node_count; i++)
        for (struct sim_transfer *t = w->nodes[i]->transfers; t; t = t->next)
            if (t->r && !t->r->fault.code && !t->met && tag_equal(&t->r->reception.id, &s->reception.id) &&
                memcmp(t->r->reception.key, s->reception.key, sizeof s->reception.key) == 0 &&
                id_equal(&t->r->peer, &node->identity.id))
                return t;
    return NULL;
}

static bool raw_takes(struct sim_node *node, const struct send *s)
{
    struct world *w = node->world;
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t k = 0; w->nodes[i]->raw && k < sizeof w->nodes[i]->receives / sizeof w->nodes[i]->receives[0]; k++) {
            const struct receive *r = w->nodes[i]->receives[k];
            if (r && tag_equal(&r->reception.id, &s->reception.id) && id_equal(&r->peer, &node->identity.id))
                return !world_is_cut(w, node->number, i);
        }
    return false;
}

/* ---- bytes */

void world_rate(struct world *w, uint64_t bytes_per_s)
{
    w->rate = bytes_per_s;
}

void world_slow_disks(struct world *w, uint64_t ns)
{
    w->placing = ns;
}

static void finish(struct sim_transfer *t)
{
    if (!t->pending)
        later(t, WORLD_DELAY + (t->r ? t->node->world->placing : 0), is_done);
}

static void tick(void *data)
{
    struct sim_transfer *rx = data, *tx = rx->other;
    const struct world *w = rx->node->world;
    struct transfer_progress *p = &rx->r->progress;
    rx->pending = false;
    if (rx->r->fault.code) {
        lost(tx);
        is_done(rx);
        return;
    }
    if (!way_is_open(rx) && tx && w->silent_cuts && world_is_cut(w, rx->node->number, tx->node->number)) {
        later(rx, TICK, tick);
        return;
    }
    if (!way_is_open(rx)) {
        lost(tx);
        lost(rx);
        return;
    }
    uint64_t left = rx->total - *rx->staged, most = rx->node->world->rate / TICKS_PER_S;
    uint64_t n = rx->node->frozen || tx->node->frozen ? 0 : left < most ? left : most;
    *rx->staged += n;
    p->bytes_moved += n;
    p->bytes_done = *rx->staged;
    p->files_done = disk_sends(tx->node, tx->s) ? 0 : (uint32_t)(*rx->staged / SIM_FILE_BYTES);
    tx->s->progress.bytes_moved += n;
    if (rx->r->way.addr_count > 0)
        bridge_moved(rx->node->world, &rx->r->way, n);
    if (*rx->staged < rx->total) {
        later(rx, TICK, tick);
        return;
    }
    *rx->staged = 0; /* all has its name: the stage is gone */
    if (disk_sends(tx->node, tx->s))
        disk_place(rx->r, tx->s);
    finish(rx);
    finish(tx);
}

static void run(struct sim_transfer *rx)
{
    if (rx->other && rx->go && rx->other->go && !rx->pending && !rx->r->fault.code) {
        bool real = disk_sends(rx->other->node, rx->other->s);
        rx->total = real ? disk_bytes(rx->other->s) : TOTAL;
        *rx->staged = *rx->staged < rx->total ? *rx->staged : 0;
        rx->r->progress.phase = TRANSFER_DATA;
        rx->r->progress.files_total = real ? 1 : SIM_FILES;
        rx->r->progress.bytes_total = rx->total;
        later(rx, TICK, tick);
    }
}

/* ---- the port: receives */

static void is_ready(void *data)
{
    struct sim_transfer *t = data;
    t->pending = false;
    t->r->progress.phase = TRANSFER_LISTING;
    if (t->r->fault.code)
        is_done(t);
    else
        t->r->ready(t->r);
}

static struct sim_transfer *transfer_new(struct sim_node *node)
{
    struct sim_transfer *t = calloc(1, sizeof *t);
    assert(t);
    *t = (struct sim_transfer){.next = node->transfers, .node = node};
    node->transfers = t;
    return t;
}

static struct addr address_of(const struct sim_node *node)
{
    return (struct addr){.family = AF_INET, .ip = {10, 0, (uint8_t)(node->number >> 8), (uint8_t)node->number}, .port = 7001};
}

void sim_receive_start(void *self, struct receive *r)
{
    struct sim_node *node = self;
    struct sim_transfer *t = transfer_new(node);
    t->r = r;
    t->staged = stage_of(node, r->key);
    r->port_data = t;
    node->port.random(node, r->reception.id.b, TAG_BYTES);
    node->port.random(node, r->reception.key, sizeof r->reception.key);
    r->reception.streams = 1;
    r->reception.limit = TOTAL;
    r->reception.deadline_s = RECEPTION_DEADLINE_S;
    r->reception.way = r->other;
    r->reception.addr_count = r->listen && r->way.addr_count == 0;
    r->reception.addr[0] = address_of(node);
    later(t, 20000, is_ready);
}

/* When the sender listens, we dial now. */
void sim_receive_confirm(void *self, struct receive *r, const struct msg_fetch_ok *answer)
{
    struct sim_transfer *t = r->port_data;
    (void)self;
    if (!t || r->fault.code)
        return;
    t->go = true;
    if (!t->other) {
        lost(t);
    } else if (answer->addr_count > 0 && t->other->node->closed) {
        lost(t->other);
        fails(t, ERR_UNREACHABLE, "no bulk connection to the other side");
    } else {
        run(t);
    }
}

static void cancel(struct sim_transfer *t, int code)
{
    if (!t)
        return;
    if (!t->r || !t->pending)
        lost(t->other);
    fails(t, code, "stopped");
}

void sim_receive_cancel(void *self, struct receive *r, int code)
{
    (void)self;
    cancel(r->port_data, code);
}

/* ---- the port: sends */

static void is_connected(void *data)
{
    struct sim_transfer *t = data, *rx = t->to_raw ? NULL : receive_of(t->node, t->s);
    t->pending = false;
    if (!t->s->fault.code && !t->to_raw && (!rx || !may_be_reached(rx, t->s, t->node->number)))
        fault_set(&t->s->fault, ERR_UNREACHABLE, "the reception object cannot be reached");
    if (t->s->fault.code) {
        is_done(t);
        return;
    }
    t->other = rx;
    if (rx) {
        rx->other = t;
        rx->met = true;
    }
    t->s->connected(t->s);
}

void sim_send_start(void *self, struct send *s)
{
    struct sim_node *node = self;
    struct sim_transfer *t = transfer_new(node);
    t->s = s;
    t->to_raw = raw_takes(node, s);
    s->port_data = t;
    s->answer.streams = 1;
    s->answer.addr_count = s->reception.addr_count == 0 && s->reception.way.addr_count == 0;
    s->answer.addr[0] = address_of(node);
    later(t, SETTING_UP, is_connected);
}

void sim_send_go(void *self, struct send *s)
{
    struct sim_transfer *t = s->port_data;
    (void)self;
    if (!t || s->fault.code)
        return;
    t->go = true;
    if (t->to_raw) {
        s->progress.bytes_moved = TOTAL;
        later(t, TOTAL * SECOND / t->node->world->rate, is_done);
    } else if (t->other) {
        run(t->other);
    } else {
        lost(t);
    }
}

void sim_send_cancel(void *self, struct send *s, int code)
{
    (void)self;
    cancel(s->port_data, code);
}

/* Byte streams of the simulated world: a caller's and a callee's duplex that have found each other, directly or through a
 * bridge, and the queues of the two programs (or of a resource) at their ends. What one writes the other has a little later; a
 * cut, a crash or a cancel ends both, or parks those that last.
 *
 * A duplex has at most one event on its way: before it is up that of its setting up, then (the caller's) that of moving bytes,
 * at last that of its end. What goes wrong meanwhile is only noted. */
#include "world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOVE_BYTES 65536 /* in one step, each way */
#define MOVE_EVERY WORLD_DELAY
#define SETTING_UP (4 * WORLD_DELAY)
#define WATCH_EVERY (100 * MILLISECOND) /* a bridge that is gone is noticed without a byte to move */

/* What is left of one that lasts, without connections. */
struct sim_kept {
    struct sim_kept *next; /* of the node's */
    struct tag name;
    uint64_t in, out;
    bool ended;
};

struct sim_duplex {
    struct sim_duplex *next; /* of the node's */
    struct sim_node *node;
    struct duplex *d;
    struct sim_duplex *other; /* NULL: not met, or gone */
    bool pending;             /* its event is on the way */
    bool go;                  /* the core has said so */
    bool ended;               /* what its program wrote has all arrived, and so has its end */
    bool begun;               /* bytes may have been moved, now or earlier */
    bool discard;             /* it is not to be kept */
};

/* ---- queues */

static void queue_add(struct sim_queue *q, const uint8_t *bytes, size_t n)
{
    q->bytes = realloc(q->bytes, q->n + n + 1);
    assert(q->bytes);
    if (n > 0)
        memcpy(q->bytes + q->n, bytes, n);
    q->n += n;
}

/* What the program at this end may still be sent from, or to; NULL when it is gone. */
static struct program *program_of(const struct sim_duplex *s)
{
    return s->d->resource ? resource_program(s->d->resource) : program_find(s->node, s->d->client);
}

/* ---- what is kept */

static struct sim_kept **kept_at(struct sim_node *node, const struct tag *name)
{
    struct sim_kept **at = &node->kept;
    while (*at && !tag_equal(&(*at)->name, name))
        at = &(*at)->next;
    return at;
}

static void park(struct sim_duplex *s)
{
    struct sim_kept *kept = calloc(1, sizeof *kept);
    assert(kept);
    *kept = (struct sim_kept){.next = s->node->kept, .name = s->d->stream, .ended = s->ended};
    kept->in = s->d->bytes_in;
    kept->out = s->d->bytes_out;
    s->node->kept = kept;
    s->d->parked = true;
}

void sim_duplex_drop(void *self, const struct tag *stream)
{
    struct sim_kept **at = kept_at(self, stream), *kept = *at;
    if (!kept)
        return;
    *at = kept->next;
    free(kept);
}

static void take_up(struct sim_duplex *s)
{
    const struct sim_kept *kept = *kept_at(s->node, &s->d->stream);
    if (!kept) {
        fault_set(&s->d->fault, ERR_NOT_FOUND, "nothing is kept of this stream");
        return;
    }
    s->begun = true;
    s->ended = kept->ended;
    s->d->bytes_in = kept->in;
    s->d->bytes_out = kept->out;
    sim_duplex_drop(s->node, &s->d->stream);
}

/* ---- ends */

static void later(struct sim_duplex *s, uint64_t after, void (*call)(void *data))
{
    struct event *e = event_new(s->node->world, EVENT_CALL, s->node, after, NULL, 0);
    assert(!s->pending);
    s->pending = true;
    e->call = call;
    e->data = s;
    world_push(s->node->world, e);
}

static void forget(struct sim_duplex *s)
{
    struct sim_duplex **at = &s->node->duplexes;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (s->other)
        s->other->other = NULL;
    if (s->d->calling && s->d->way.addr_count > 0)
        bridge_unused(s->node->world, &s->d->way);
    s->d->port_data = NULL;
    free(s);
}

static void is_done(void *data)
{
    struct sim_duplex *s = data;
    struct duplex *d = s->d;
    if (d->lasting && s->begun && d->fault.code && !s->discard)
        park(s);
    forget(s);
    d->done(d);
}

static void fails(struct sim_duplex *s, int code, const char *text)
{
    if (s->d->fault.code)
        return;
    fault_set(&s->d->fault, code, "%s", text);
    if (!s->pending)
        later(s, 0, is_done);
}

static void other_fails(struct sim_duplex *s)
{
    if (s->other)
        fails(s->other, ERR_UNREACHABLE, "the connection to the other side was lost");
}

/* ---- ways */

static bool way_is_open(const struct sim_duplex *caller, const struct sim_duplex *callee)
{
    struct world *w = caller->node->world;
    const struct relay_way *way = &caller->d->way, *other = &callee->d->reception.way;
    if (way->addr_count > 0)
        return bridge_carries(w, way, other, caller->node->number, callee->node->number);
    return other->addr_count == 0 && !world_is_cut(w, caller->node->number, callee->node->number);
}

/* ---- bytes */

static void move_way(struct sim_duplex *from, struct sim_duplex *to)
{
    struct program *writer = program_of(from), *reader = program_of(to);
    struct sim_queue *q = writer ? &writer->out : NULL;
    if (!q || !reader || reader->stalled || from->ended)
        return;
    size_t n = q->n - q->at < MOVE_BYTES ? q->n - q->at : MOVE_BYTES;
    if (n > 0)
        queue_add(&reader->in, q->bytes + q->at, n);
    q->at += n;
    from->d->bytes_in += n;
    to->d->bytes_out += n;
    from->ended = q->ended && q->at == q->n;
    reader->in.ended = from->ended;
    if (from->d->calling ? from->d->way.addr_count > 0 : to->d->way.addr_count > 0)
        bridge_moved(from->node->world, from->d->calling ? &from->d->way : &to->d->way, n);
    if (to->d->resource)
        resource_serve(to->d->resource);
}

/* A resource has come to its end: it may have failed, which then ends the stream. */
static bool is_ruined(struct sim_duplex *s)
{
    struct fault why;
    if (!s->d->resource || !s->ended || resource_fate(s->d->resource, &why) == 0)
        return false;
    s->discard = s->other->discard = true;
    fails(s->other, (int)why.code, why.text);
    fails(s, (int)why.code, why.text);
    return true;
}

static bool has_to_move(const struct sim_duplex *from, const struct sim_duplex *to)
{
    const struct program *writer = program_of(from), *reader = program_of(to);
    return writer && reader && !reader->stalled && !from->ended && (writer->out.at < writer->out.n || writer->out.ended);
}

static void move(void *data)
{
    struct sim_duplex *a = data, *b = a->other;
    a->pending = false;
    if (a->d->fault.code) {
        is_done(a);
        return;
    }
    if (!b || !way_is_open(a, b)) {
        other_fails(a);
        fails(a, ERR_UNREACHABLE, "the connection to the other side was lost");
        return;
    }
    if (!b->node->frozen) {
        move_way(a, b);
        move_way(b, a);
    }
    if (is_ruined(b))
        return;
    if (a->ended && b->ended) {
        later(a, WORLD_DELAY, is_done);
        later(b, WORLD_DELAY, is_done);
    } else if (has_to_move(a, b) || has_to_move(b, a)) {
        later(a, MOVE_EVERY, move);
    } else if (a->d->way.addr_count > 0) {
        later(a, WATCH_EVERY, move);
    }
}

/* Something may be moved now, or found out to be impossible. */
static void kick(struct sim_duplex *s)
{
    struct sim_duplex *caller = s->d->calling ? s : s->other;
    if (caller && caller->other && caller->go && caller->other->go && !caller->pending && !caller->d->fault.code)
        later(caller, MOVE_EVERY, move);
}

static void kick_program(struct program *p)
{
    for (struct sim_duplex *s = p->node->duplexes; s; s = s->next)
        if (s->d->client == p->client && !s->d->resource)
            kick(s);
}

void program_write(struct program *p, const void *bytes, size_t n)
{
    queue_add(&p->out, bytes, n);
    kick_program(p);
}

void program_shut(struct program *p)
{
    p->out.ended = true;
    kick_program(p);
}

void program_stall(struct program *p, bool stalled)
{
    p->stalled = stalled;
    kick_program(p);
}

const uint8_t *program_read(const struct program *p, size_t *n, bool *ended)
{
    *n = p->in.n;
    *ended = p->in.ended;
    return p->in.bytes;
}

/* ---- the port */

static struct sim_duplex *duplex_new(struct sim_node *node, struct duplex *d)
{
    struct sim_duplex *s = calloc(1, sizeof *s);
    assert(s);
    *s = (struct sim_duplex){.next = node->duplexes, .node = node, .d = d};
    node->duplexes = s;
    d->port_data = s;
    return s;
}

/* The caller whose reception object this is, if this node is the one it is for. */
static struct sim_duplex *caller_of(struct sim_node *node, const struct duplex *d)
{
    struct world *w = node->world;
    for (size_t i = 0; i < w->node_count; i++)
        for (struct sim_duplex *s = w->nodes[i]->duplexes; s; s = s->next)
            if (s->d->calling && tag_equal(&s->d->reception.id, &d->reception.id) && !s->d->fault.code &&
                memcmp(s->d->reception.key, d->reception.key, sizeof d->reception.key) == 0 &&
                id_equal(&s->d->peer, &node->identity.id))
                return s;
    return NULL;
}

static void is_ready(void *data)
{
    struct sim_duplex *s = data;
    s->pending = false;
    if (s->d->fault.code)
        is_done(s);
    else
        s->d->ready(s->d);
}

static void is_connected(void *data)
{
    struct sim_duplex *s = data, *caller = caller_of(s->node, s->d);
    s->pending = false;
    if (!s->d->fault.code &&
        (!caller || caller->other || !way_is_open(caller, s) || (s->d->reception.addr_count > 0 && caller->node->closed)))
        fault_set(&s->d->fault, ERR_UNREACHABLE, "the reception object cannot be reached");
    if (s->d->fault.code) {
        is_done(s);
        return;
    }
    s->other = caller;
    caller->other = s;
    s->d->connected(s->d);
}

static struct addr address_of(const struct sim_node *node)
{
    return (struct addr){.family = AF_INET, .ip = {10, 0, (uint8_t)(node->number >> 8), (uint8_t)node->number}, .port = 7002};
}

void sim_duplex_start(void *self, struct duplex *d)
{
    struct sim_node *node = self;
    struct sim_duplex *s = duplex_new(node, d);
    if (d->again)
        take_up(s);
    if (!d->calling) {
        d->answer.streams = DUPLEX_STREAMS;
        d->answer.addr_count = d->reception.addr_count == 0 && d->reception.way.addr_count == 0;
        d->answer.addr[0] = address_of(node);
        later(s, SETTING_UP, is_connected);
        return;
    }
    for (size_t i = 0; i < TAG_BYTES; i++)
        d->reception.id.b[i] = (uint8_t)world_random(node->world);
    for (size_t i = 0; i < sizeof d->reception.key; i++)
        d->reception.key[i] = (uint8_t)world_random(node->world);
    d->reception.streams = DUPLEX_STREAMS;
    d->reception.limit = INT64_MAX;
    d->reception.deadline_s = RECEPTION_DEADLINE_S;
    d->reception.way = d->other;
    d->reception.addr_count = d->listen && d->way.addr_count == 0;
    d->reception.addr[0] = address_of(node);
    later(s, WORLD_DELAY / 10, is_ready);
}

static void go(struct duplex *d)
{
    struct sim_duplex *s = d->port_data;
    if (!s || d->fault.code)
        return;
    s->go = s->begun = true;
    d->carried = s->other != NULL;
    if (!s->other)
        fails(s, ERR_UNREACHABLE, "the connection to the other side was lost");
    else
        kick(s);
}

/* When the callee listens, the caller dials now. */
void sim_duplex_confirm(void *self, struct duplex *d, const struct msg_fetch_ok *answer)
{
    struct sim_duplex *s = d->port_data;
    (void)self;
    if (s && s->other && answer->addr_count > 0 && s->other->node->closed) {
        s->begun = true;
        other_fails(s);
        fails(s, ERR_UNREACHABLE, "no bulk connection to the other side");
        return;
    }
    go(d);
}

void sim_duplex_go(void *self, struct duplex *d)
{
    (void)self;
    go(d);
}

void sim_duplex_cancel(void *self, struct duplex *d, int code)
{
    struct sim_duplex *s = d->port_data;
    (void)self;
    if (!s)
        return;
    s->discard |= code != ERR_CHANGED;
    other_fails(s);
    fails(s, code, "stopped");
}

void duplexes_end(struct sim_node *node)
{
    while (node->duplexes) {
        other_fails(node->duplexes);
        forget(node->duplexes);
    }
    resources_end(node);
    while (node->kept)
        sim_duplex_drop(node, &node->kept->name);
}

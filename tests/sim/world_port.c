/* A simulated node's port: the network and the jobs of the simulated world.
 *
 * CURVE is modelled by its effect: a connection to an endpoint comes about only when the node that stands there has the id
 * that was dialled, and the accepting side is told the dialler's true key. */
#include "work.h"
#include "world_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now(void *self)
{
    return ((struct sim_node *)self)->world->now;
}

static void randomness(void *self, void *buf, size_t n)
{
    struct sim_node *node = self;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)world_random(node->world);
}

static void timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct sim_node *)self)->timers, t, at);
}

static void timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct sim_node *)self)->timers, t);
}

/* ---- datagrams */

static void datagram_to(struct sim_node *from, struct sim_node *to, const void *bytes, size_t n)
{
    struct world *w = from->world;
    if (!to->up || world_is_cut(w, from->number, to->number) || world_random(w) % 1000 < w->loss)
        return;
    struct event *e = event_new(w, EVENT_DATAGRAM, to, WORLD_DELAY + world_random(w) % WORLD_DELAY, bytes, n);
    e->from = from->number;
    world_push(w, e);
}

static struct sim_node *node_at(struct world *w, const struct addr *a)
{
    size_t number = (size_t)a->ip[2] << 8 | a->ip[3];
    return a->family == AF_INET && a->ip[0] == 10 && number < w->node_count ? w->nodes[number] : NULL;
}

static void datagram(void *self, const struct addr *to, const void *bytes, size_t n)
{
    struct sim_node *node = self;
    if (to) {
        struct sim_node *peer = node_at(node->world, to);
        if (peer)
            datagram_to(node, peer, bytes, n);
        return;
    }
    for (size_t i = 0; i < node->world->node_count; i++)
        if (i != node->number)
            datagram_to(node, node->world->nodes[i], bytes, n);
}

/* ---- links */

static size_t *bucket_of(struct sim_node *node, link_no no)
{
    return &node->bucket[no % WIRE_BUCKETS];
}

void wires_clear(struct sim_node *node)
{
    node->wire_count = 0;
    for (size_t i = 0; i < WIRE_BUCKETS; i++)
        node->bucket[i] = SIZE_MAX;
}

struct wire *wire_find(struct sim_node *node, link_no no)
{
    for (size_t i = *bucket_of(node, no); i != SIZE_MAX; i = node->wires[i].next)
        if (node->wires[i].own == no)
            return &node->wires[i];
    return NULL;
}

/* An open wire; `wire` is copied. */
static struct wire *wire_add(struct sim_node *node, const struct wire *wire)
{
    size_t i = 0, *bucket = bucket_of(node, wire->own);
    while (i < node->wire_count && node->wires[i].open)
        i++;
    if (i == node->wire_count) {
        assert(node->wire_count < WIRES_MAX);
        node->wires = realloc(node->wires, (i + 1) * sizeof *node->wires);
        assert(node->wires);
        node->wire_count++;
    }
    node->wires[i] = *wire;
    node->wires[i].open = true;
    node->wires[i].next = *bucket;
    *bucket = i;
    return &node->wires[i];
}

static void wire_drop(struct sim_node *node, struct wire *wire)
{
    size_t *at = bucket_of(node, wire->own);
    while (&node->wires[*at] != wire)
        at = &node->wires[*at].next;
    *at = wire->next;
    wire->open = false;
}

static int dial(void *self, link_no link, const struct node_id *id, const char *endpoint)
{
    struct sim_node *node = self, *peer;
    struct world *w = node->world;
    struct addr addr;
    if (endpoint_addr(endpoint, &addr) != 0)
        return ERR_MALFORMED;
    peer = node_at(w, &addr);
    bool reached =
        peer && peer->up && !peer->closed && !world_is_cut(w, node->number, peer->number) && id_equal(&peer->identity.id, id);
    struct wire own = {.own = link, .peer = SIZE_MAX};
    if (reached)
        own = (struct wire){.own = link,
                            .peer = peer->number,
                            .peer_life = peer->life,
                            .other = LINK_INBOUND | ++peer->next_inbound,
                            .free_at = w->now + WORLD_DELAY};
    wire_add(node, &own);
    if (!reached)
        return 0; /* nothing tells: as the port says */
    struct wire other = {.own = own.other, .other = link, .peer = node->number, .peer_life = node->life};
    wire_add(peer, &other);
    struct event *e = event_new(w, EVENT_ACCEPT, peer, WORLD_DELAY, NULL, 0);
    e->link = other.own;
    e->from = node->number;
    world_push(w, e);
    return 0;
}

static void deliver(struct world *w, struct wire *wire, const void *bytes, size_t n)
{
    uint64_t at = w->now + WORLD_DELAY;
    wire->free_at = at > wire->free_at ? at : wire->free_at + 1;
    struct event *e = event_new(w, EVENT_MESSAGE, w->nodes[wire->peer], wire->free_at - w->now, bytes, n);
    e->life = wire->peer_life;
    e->link = wire->other;
    world_push(w, e);
}

static void pass_tap(struct sim_node *node, struct wire *wire, const void *bytes, size_t n)
{
    struct world *w = node->world;
    struct world_message m = {.from = node->number, .to = wire->peer, .bytes = malloc(MSG_BYTES_MAX + n), .n = n, .times = 1};
    assert(m.bytes);
    memcpy(m.bytes, bytes, n);
    w->tap(w->tap_arg, &m);
    for (unsigned i = 0; i < m.times; i++)
        deliver(w, wire, m.bytes, m.n);
    free(m.bytes);
}

bool world_forge(struct world *w, size_t from, size_t to, const void *bytes, size_t n)
{
    struct sim_node *node = w->nodes[from];
    for (size_t i = 0; i < node->wire_count; i++)
        if (node->wires[i].open && node->wires[i].peer == to) {
            deliver(w, &node->wires[i], bytes, n);
            return true;
        }
    return false;
}

static int send_message(void *self, link_no link, const void *bytes, size_t n)
{
    struct sim_node *node = self;
    struct world *w = node->world;
    struct wire *wire = wire_find(node, link);
    if (!wire)
        return ERR_UNREACHABLE;
    w->messages++;
    if (wire->peer == SIZE_MAX || world_is_cut(w, node->number, wire->peer))
        return 0; /* into the void: silence tells */
    if (w->tap)
        pass_tap(node, wire, bytes, n);
    else
        deliver(w, wire, bytes, n);
    return 0;
}

static void hangup(void *self, link_no link)
{
    struct wire *wire = wire_find(self, link);
    if (wire)
        wire_drop(self, wire);
}

/* ---- jobs */

static void page_of(struct list_job *j)
{
    struct tree_page *page = &j->page;
    for (unsigned i = 0; i < SIM_FILES; i++) {
        char *name = page->names + page->names_len;
        size_t n = (size_t)snprintf(name, 32, "file-%u", i);
        page->names_len += n;
        page->entry[page->count++] = (struct entry){
            .kind = ENTRY_FILE, .mode = 0644, .size = SIM_FILE_BYTES, .name = name, .name_len = (uint16_t)n, .target = ""};
    }
}

static void save_share(struct sim_node *node, const struct share_row *row, bool keep)
{
    size_t i = 0;
    while (i < node->share_count && strcmp(node->shares[i].name, row->name) != 0)
        i++;
    if (keep && i < sizeof node->shares / sizeof node->shares[0]) {
        node->shares[i] = *row;
        node->share_count += i == node->share_count;
    } else if (!keep && i < node->share_count) {
        node->shares[i] = node->shares[--node->share_count];
    }
}

static void save_peer(struct sim_node *node, const struct peer_row *row)
{
    size_t i = 0;
    while (i < node->peer_count && !id_equal(&node->peers[i].id, &row->id))
        i++;
    if (i == node->peer_count) {
        node->peers = realloc(node->peers, (i + 1) * sizeof *node->peers);
        assert(node->peers);
        node->peer_count++;
    }
    node->peers[i] = *row;
}

void sim_run_job(struct sim_node *node, struct job *job)
{
    if (job->kind >= JOB_BASE_FIND && job->kind <= JOB_BASE_SUMS) {
        disk_base(node, (struct base_job *)job);
        job->done(job);
        return;
    }
    if (disk_does(node, job)) {
        job_work(job);
        job->done(job);
        return;
    }
    switch (job->kind) {
    case JOB_LIST: page_of((struct list_job *)job); break;
    case JOB_INSPECT: {
        struct inspect_job *j = (struct inspect_job *)job;
        j->kind = ENTRY_DIR;
        memcpy(j->real, j->path, sizeof j->real);
        break;
    }
    case JOB_PUT_SHARE:
    case JOB_DROP_SHARE: save_share(node, &((struct share_job *)job)->row, job->kind == JOB_PUT_SHARE); break;
    case JOB_PUT_PEER: save_peer(node, &((struct peer_job *)job)->row); break;
    default: break;
    }
    job->done(job);
}

static void take_job(void *self, struct job *job)
{
    struct sim_node *node = self;
    struct event *e = event_new(node->world, EVENT_JOB, node, 50000 + world_random(node->world) % 100000, NULL, 0);
    e->data = job;
    world_push(node->world, e);
}

/* ---- the rest */

static void reply(void *self, uint64_t client, const struct row *row)
{
    struct sim_node *node = self;
    uint8_t buf[ROW_BYTES];
    uint64_t seq;
    size_t n;
    if (client != 1)
        program_reply(node, client, row);
    if (client != 1 || !node->waiting)
        return;
    struct answer *a = &node->answer;
    a->row = realloc(a->row, (a->count + 1) * sizeof(struct row *));
    assert(a->row);
    int err = row_encode(row, 1, buf, sizeof buf, &n);
    assert(!err);
    err = row_decode(buf, n, &seq, &a->row[a->count]);
    assert(!err);
    const struct row *kept = a->row[a->count++];
    a->done = strcmp(row_kind(kept), "done") == 0;
    if (strcmp(row_kind(kept), "error") == 0)
        a->code = row_get_text(kept, "code", "?");
    node->waiting = !a->done && !a->code;
}

static size_t unread(void *self, uint64_t client)
{
    (void)self;
    (void)client;
    return 0;
}

static void describe(void *self, struct row *status)
{
    row_int(status, "node", (int64_t)((struct sim_node *)self)->number);
}

static void check(void *self, uint64_t client)
{
    (void)self;
    (void)client;
}

static void stop(void *self)
{
    (void)self;
}

static size_t endpoints(void *self, struct endpoint *out, size_t max)
{
    struct sim_node *node = self;
    assert(max > 0);
    memset(out, 0, sizeof *out);
    out->transport = TRANSPORT_TCP;
    snprintf(out->text, sizeof out->text, "tcp://10.0.%zu.%zu:7000", node->number >> 8, node->number & 255);
    strcpy(out->iface, "sim0");
    return 1;
}

static bool in_scope(void *self, uint64_t scope)
{
    (void)self;
    return scope == 0;
}

struct port sim_port(struct sim_node *node)
{
    return (struct port){.self = node,
                         .now = now,
                         .random = randomness,
                         .timer_set = timer_set,
                         .timer_cancel = timer_cancel,
                         .datagram = datagram,
                         .dial = dial,
                         .send = send_message,
                         .hangup = hangup,
                         .job = take_job,
                         .receive_start = sim_receive_start,
                         .receive_confirm = sim_receive_confirm,
                         .receive_cancel = sim_receive_cancel,
                         .send_start = sim_send_start,
                         .send_go = sim_send_go,
                         .send_cancel = sim_send_cancel,
                         .duplex_start = sim_duplex_start,
                         .duplex_confirm = sim_duplex_confirm,
                         .duplex_go = sim_duplex_go,
                         .duplex_cancel = sim_duplex_cancel,
                         .duplex_drop = sim_duplex_drop,
                         .resource_open = sim_resource_open,
                         .resource_close = sim_resource_close,
                         .bridge_open = sim_bridge_open,
                         .bridge_close = sim_bridge_close,
                         .reply = reply,
                         .unread = unread,
                         .describe = describe,
                         .check = check,
                         .stop = stop,
                         .endpoints = endpoints,
                         .in_scope = in_scope};
}

/* See relay_node.h. */
#include "relay_node.h"

#include "identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct said {
    struct said *next;
    size_t n;
    uint8_t bytes[];
};

struct client {
    struct identity identity;
    char name[NAME_MAX_BYTES + 1];
    link_no link;
    bool open, full;
    struct said *first, **last;
};

struct relay_node {
    uint64_t now, rng;
    struct timers timers;
    struct identity identity;
    struct log log;
    struct port port;
    struct core *core;
    struct client client[NODE_CLIENTS_MAX];
    size_t clients;
    uint64_t number;
    struct bridge *bridge[NODE_BRIDGES_MAX];
    size_t bridges;
    int bridge_fails;
    struct msg out, in, sent;
    struct said *heard;
    uint8_t buf[MSG_BYTES_MAX];
};

/* ---- the port */

static uint64_t port_now(void *self)
{
    return ((struct relay_node *)self)->now;
}

static void port_random(void *self, void *buf, size_t size)
{
    struct relay_node *n = self;
    for (size_t i = 0; i < size; i++) {
        n->rng = n->rng * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)buf)[i] = (uint8_t)(n->rng >> 56);
    }
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct relay_node *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct relay_node *)self)->timers, t);
}

static int port_dial(void *self, link_no link, const struct node_id *peer, const char *endpoint)
{
    (void)self, (void)link, (void)peer, (void)endpoint;
    return ERR_FULL;
}

static struct client *client_at(struct relay_node *n, link_no link)
{
    for (size_t i = 0; i < n->clients; i++)
        if (n->client[i].link == link && n->client[i].open)
            return &n->client[i];
    return NULL;
}

static bool is_of_interest(enum msg_type type)
{
    return type == MSG_ERROR || type == MSG_BYE || (type >= MSG_RESERVE && type <= MSG_BRIDGE_OK);
}

static int port_send(void *self, link_no link, const void *bytes, size_t size)
{
    struct relay_node *n = self;
    struct client *c = client_at(n, link);
    if (!c || c->full)
        return c ? ERR_FULL : ERR_UNREACHABLE;
    assert_int_equal(msg_decode(bytes, size, &n->sent), 0);
    if (!is_of_interest(n->sent.type))
        return 0;
    struct said *said = malloc(sizeof *said + size);
    assert_non_null(said);
    *said = (struct said){.n = size};
    memcpy(said->bytes, bytes, size);
    *c->last = said;
    c->last = &said->next;
    return 0;
}

static void port_hangup(void *self, link_no link)
{
    struct client *c = client_at(self, link);
    if (c)
        c->open = false;
}

static int port_bridge_open(void *self, struct bridge *b)
{
    struct relay_node *n = self;
    if (n->bridge_fails)
        return n->bridge_fails;
    for (size_t i = 0; i < 2; i++) {
        b->way[i] = (struct relay_way){.addr_count = 1, .addr = {{.family = AF_INET, .ip = {10, 0, 0, 1}, .port = 7003}}};
        port_random(n, b->way[i].id.b, TAG_BYTES);
        port_random(n, b->way[i].key, sizeof b->way[i].key);
    }
    assert_true(n->bridges < NODE_BRIDGES_MAX);
    n->bridge[n->bridges++] = b;
    return 0;
}

/* done() comes later: in node_wait. */
static void port_bridge_close(void *self, struct bridge *b, int code)
{
    (void)self;
    if (!b->port_data)
        fault_set(&b->fault, code, "closed");
    b->port_data = b;
}

static void port_reply(void *self, uint64_t client, const struct row *row)
{
    (void)self, (void)client, (void)row;
}

static size_t port_endpoints(void *self, struct endpoint *out, size_t max)
{
    (void)self, (void)out, (void)max;
    return 0;
}

static void port_datagram(void *self, const struct addr *to, const void *bytes, size_t size)
{
    (void)self, (void)to, (void)bytes, (void)size;
}

static bool port_in_scope(void *self, uint64_t scope)
{
    (void)self;
    return scope == 0;
}

/* ---- life */

struct relay_node *node_new(const struct relay_quota *quota)
{
    struct relay_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    n->now = SECOND;
    timers_init(&n->timers);
    identity_from_seed((const uint8_t[SEED_BYTES]){1}, &n->identity);
    n->port = (struct port){.self = n,
                            .log = &n->log,
                            .now = port_now,
                            .random = port_random,
                            .timer_set = port_timer_set,
                            .timer_cancel = port_timer_cancel,
                            .datagram = port_datagram,
                            .dial = port_dial,
                            .send = port_send,
                            .hangup = port_hangup,
                            .bridge_open = port_bridge_open,
                            .bridge_close = port_bridge_close,
                            .reply = port_reply,
                            .endpoints = port_endpoints,
                            .in_scope = port_in_scope};
    struct core_config config = {
        .identity = &n->identity, .name = "relay", .roles = ROLE_RELAY, .incarnation = 1, .no_beacon = true};
    if (quota)
        config.quota = *quota;
    assert_int_equal(core_new(&config, &n->port, &n->core), 0);
    core_start(n->core);
    return n;
}

static void forget_heard(struct relay_node *n)
{
    free(n->heard);
    n->heard = NULL;
}

void node_free(struct relay_node *n)
{
    core_free(n->core);
    forget_heard(n);
    for (size_t i = 0; i < n->clients; i++)
        while (n->client[i].first) {
            struct said *said = n->client[i].first;
            n->client[i].first = said->next;
            free(said);
        }
    timers_fini(&n->timers);
    free(n);
}

struct core *node_core(struct relay_node *n)
{
    return n->core;
}

const struct relay *node_relay(struct relay_node *n)
{
    return n->core->relay;
}

const struct node_id *node_self(struct relay_node *n)
{
    return &n->identity.id;
}

size_t node_links(const struct relay_node *n)
{
    return n->core->link_count;
}

static void end_bridges(struct relay_node *n)
{
    for (size_t i = n->bridges; i-- > 0;)
        if (n->bridge[i]->port_data)
            node_bridge_ends(n, i);
}

static void ping_all(struct relay_node *n)
{
    const struct msg ping = {.type = MSG_PING};
    for (size_t i = 0; i < n->clients; i++)
        if (n->client[i].open)
            node_say(n, i, &ping);
}

void node_wait(struct relay_node *n, uint64_t duration)
{
    uint64_t until = n->now + duration, ping_at = n->now + SECOND;
    while (n->now < until) {
        uint64_t next = timers_next(&n->timers);
        next = next < ping_at ? next : ping_at;
        n->now = next < n->now ? n->now : next < until ? next : until;
        timers_run(&n->timers, n->now);
        end_bridges(n);
        if (n->now == ping_at) {
            ping_all(n);
            ping_at += SECOND;
        }
    }
}

/* ---- clients */

static size_t connect_as(struct relay_node *n, const struct identity *identity, const char *name)
{
    assert_true(n->clients < NODE_CLIENTS_MAX);
    size_t i = n->clients++;
    struct client *c = &n->client[i];
    *c = (struct client){.identity = *identity, .link = LINK_INBOUND | (i + 1), .open = true};
    c->last = &c->first;
    snprintf(c->name, sizeof c->name, "%s", name);
    struct record r = {.id = identity->id, .incarnation = 1, .seq = 1, .life_s = 3600};
    memcpy(r.name, c->name, sizeof r.name);
    struct msg *m = node_msg(n, MSG_HELLO, 0);
    m->hello.version = PROTOCOL_VERSION;
    assert_int_equal(record_sign(&r, identity, &m->hello.record), 0);
    core_accepted(n->core, c->link, identity->curve_public);
    node_say(n, i, m);
    assert_non_null(node_peer(n, i));
    return i;
}

size_t node_join(struct relay_node *n, const char *name, bool trusted)
{
    uint8_t seed[SEED_BYTES] = {2, (uint8_t)n->clients, (uint8_t)(n->clients >> 8)};
    struct identity identity;
    identity_from_seed(seed, &identity);
    size_t i = connect_as(n, &identity, name);
    node_peer(n, i)->trusted = trusted;
    return i;
}

size_t node_join_again(struct relay_node *n, size_t client)
{
    return connect_as(n, &n->client[client].identity, n->client[client].name);
}

void node_lose(struct relay_node *n, size_t client)
{
    n->client[client].open = false;
    core_link_lost(n->core, n->client[client].link);
}

const struct node_id *node_id_of(struct relay_node *n, size_t client)
{
    return &n->client[client].identity.id;
}

struct peer *node_peer(struct relay_node *n, size_t client)
{
    return peers_find(n->core->peers, node_id_of(n, client));
}

void node_stuff(struct relay_node *n, size_t client, bool full)
{
    n->client[client].full = full;
}

bool node_parted(const struct relay_node *n, size_t client)
{
    return !n->client[client].open;
}

/* ---- talking */

uint64_t node_number(struct relay_node *n)
{
    return ++n->number;
}

struct msg *node_msg(struct relay_node *n, enum msg_type type, uint64_t request)
{
    memset(&n->out, 0, sizeof n->out);
    n->out.type = type;
    n->out.request = request;
    return &n->out;
}

void node_say(struct relay_node *n, size_t client, const struct msg *m)
{
    size_t size;
    assert_int_equal(msg_encode(m, n->buf, sizeof n->buf, &size), 0);
    core_message(n->core, n->client[client].link, n->buf, size);
}

const struct msg *node_hear(struct relay_node *n, size_t client)
{
    struct client *c = &n->client[client];
    struct said *said = c->first;
    forget_heard(n);
    if (!said)
        return NULL;
    c->first = said->next;
    if (!c->first)
        c->last = &c->first;
    n->heard = said;
    assert_int_equal(msg_decode(said->bytes, said->n, &n->in), 0);
    return &n->in;
}

const struct msg *node_hear_a(struct relay_node *n, size_t client, enum msg_type type)
{
    const struct msg *m = node_hear(n, client);
    assert_non_null(m);
    assert_string_equal(msg_name(m->type), msg_name(type));
    return m;
}

void node_refused(struct relay_node *n, size_t client, enum err code)
{
    const struct msg *m = node_hear_a(n, client, MSG_ERROR);
    assert_string_equal(err_name((int)m->error.code), err_name((int)code));
    assert_true(m->error.text[0] != '\0');
}

void node_silent(struct relay_node *n, size_t client)
{
    const struct msg *m = node_hear(n, client);
    if (m)
        fail_msg("client %zu hears %s", client, msg_name(m->type));
}

/* ---- bridges */

struct bridge *node_bridge(struct relay_node *n, size_t i)
{
    assert_true(i < n->bridges);
    return n->bridge[i];
}

size_t node_bridges(const struct relay_node *n)
{
    return n->bridges;
}

void node_bridge_fails(struct relay_node *n, int code)
{
    n->bridge_fails = code;
}

void node_bridge_ends(struct relay_node *n, size_t i)
{
    struct bridge *b = node_bridge(n, i);
    memmove(&n->bridge[i], &n->bridge[i + 1], (--n->bridges - i) * sizeof n->bridge[0]);
    b->done(b);
}

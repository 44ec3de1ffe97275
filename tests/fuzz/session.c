/* The client's side of relayed sessions: any parts from a relay that it reserved at, in answers to its NEXTs; some of them such
 * as an honest other end would seal. No crash, and no queue or table over its cap.
 *
 * The input is a list of steps: one byte says what, one which session, two how long what follows is. */
#include "reservation_internal.h"

#include <stdlib.h>
#include <string.h>

enum { RAW_DATA, SEALED_DATA, CLOSE, USE, DRAIN, NONE, MESSAGE, WAIT, SEND, SHARE, STEPS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    struct identity identity, relay, other;
    struct port port;
    struct timers timers;
    uint64_t now, randoms;
    struct core *core;
    struct link *link;
    struct noise channel; /* the other end of session 1 */
    uint64_t next, asked; /* the latest NEXT, and the latest other request */
    enum msg_type asked_type;
    struct msg said;
    uint8_t sealed[RELAY_PART_MAX];
};

static void check(bool right)
{
    if (!right)
        abort();
}

static uint64_t port_now(void *self)
{
    return ((struct client *)self)->now;
}

static void port_random(void *self, void *buf, size_t n)
{
    memset(buf, (int)(++((struct client *)self)->randoms & 0xff), n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct client *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct client *)self)->timers, t);
}

static void port_datagram(void *self, const struct addr *to, const void *bytes, size_t n)
{
    (void)self, (void)to, (void)bytes, (void)n;
}

static int port_dial(void *self, link_no link, const struct node_id *peer, const char *endpoint)
{
    (void)self, (void)link, (void)peer, (void)endpoint;
    return ERR_FULL;
}

static int port_send(void *self, link_no link, const void *bytes, size_t n)
{
    struct client *c = self;
    check(msg_decode(bytes, n, &c->said) == 0);
    if (c->link && link == c->link->no && c->said.type == MSG_NEXT) {
        c->next = c->said.request;
    } else if (c->said.request) {
        c->asked = c->said.request;
        c->asked_type = c->said.type;
    }
    return 0;
}

static void port_hangup(void *self, link_no link)
{
    (void)self, (void)link;
}

static void port_reply(void *self, uint64_t to, const struct row *row)
{
    (void)self, (void)to, (void)row;
}

static size_t port_endpoints(void *self, struct endpoint *out, size_t max)
{
    (void)self, (void)out, (void)max;
    return 0;
}

static void key(struct identity *identity, uint8_t byte)
{
    uint8_t seed[SEED_BYTES];
    memset(seed, byte, sizeof seed);
    identity_from_seed(seed, identity);
}

static void hear(struct client *c, const struct msg *m)
{
    uint8_t buf[MSG_BYTES_MAX];
    size_t n;
    if (c->core->links && msg_encode(m, buf, sizeof buf, &n) == 0)
        core_message(c->core, c->link->no, buf, n);
}

static void turn(struct client *c, uint64_t ns)
{
    c->now += ns;
    timers_run(&c->timers, c->now);
}

/* A link to the relay, and the reservation and the share that it is asked for. */
static void reserve(struct client *c, struct msg *m)
{
    struct share_row row = {.kind = RESOURCE_DIR, .name = "docs", .via_count = 1, .via = {c->relay.id}};
    struct peer *relay;
    check(peers_add(c->core->peers, &c->relay.id, &relay) == 0);
    c->link = link_new(c->core, ++c->core->next_link, relay, true);
    check(c->link != NULL);
    state_move(&c->link->state, LINK_UP, NULL);
    relay->up = relay->connected = 1;
    check(share_put(c->core, &row, NULL) == 0);
    c->core->started = true;
    reservations_changed(c->core);
    c->core->relayed->carriers->link = c->link;
    turn(c, 1);
    check(c->asked_type == MSG_RESERVE);
    m->type = MSG_RESERVE_OK;
    m->request = c->asked;
    m->reserve_ok = (struct msg_reserve_ok){.life_s = RELAY_LIFE_MAX_S, .sessions = 64, .nexts = RELAY_NEXTS_MAX};
    hear(c, m);
    turn(c, 1);
}

/* What asks for a session as another node would, and what makes its end of it. */
static void genuine_use(struct client *c, struct relay_part *part, const char *name)
{
    uint8_t prologue[92];
    struct noise_purpose purpose = {.prologue = prologue, .prologue_n = sizeof prologue};
    part->handle = handle_of(&c->identity.id, name);
    memcpy(prologue, "weft relay 1", 12);
    memcpy(prologue + 12, c->relay.id.b, NODE_ID_BYTES);
    memcpy(prologue + 44, part->handle.b, TAG_BYTES);
    memcpy(prologue + 60, c->identity.id.b, NODE_ID_BYTES);
    memset(purpose.ephemeral, (int)part->session, sizeof purpose.ephemeral);
    check(noise_start(&c->channel, &c->other, c->identity.curve_public, &purpose, part->noise) == 0);
}

static struct session *session_of(struct client *c, uint64_t number)
{
    struct session *s = c->core->relayed->sessions;
    while (s && s->number != number)
        s = s->next;
    return s;
}

/* A session that is accepted: what ACCEPT said lets the other end open its channel too. */
static void finish(struct client *c, uint64_t number)
{
    struct session *s = session_of(c, number);
    if (s && s->state.now == SESSION_PROVING)
        noise_finish(&c->channel, &c->other, s->second);
}

/* As the other end of the session would seal it, or as it is. */
static void fill_data(struct client *c, struct relay_part *part, const uint8_t *body, size_t n, bool seal)
{
    n = n > RELAY_PART_MAX - NOISE_TAG_BYTES ? RELAY_PART_MAX - NOISE_TAG_BYTES : n;
    part->kind = PART_DATA;
    part->len = (uint16_t)n;
    part->bytes = body;
    if (seal && noise_seal(&c->channel, body, n, c->sealed) == 0) {
        part->len = (uint16_t)(n + NOISE_TAG_BYTES);
        part->bytes = c->sealed;
    }
}

static void fill_use(struct client *c, struct relay_part *part, uint8_t flags, const uint8_t *body, size_t n)
{
    part->kind = PART_USE;
    genuine_use(c, part, flags & 4 ? "docs" : "");
    for (size_t i = 0; i < n && i < NOISE_FIRST_BYTES; i++)
        part->noise[i] ^= body[i];
}

/* A part from the relay; false: it is another kind of step. */
static bool part_step(struct client *c, struct msg *m, const uint8_t *data, size_t n)
{
    struct relay_part *part = &m->part;
    *part = (struct relay_part){.session = 1 + data[1] % 3, .credit = (uint64_t)data[1] << 8};
    switch (data[0] % STEPS) {
    case RAW_DATA:
    case SEALED_DATA: fill_data(c, part, data + 4, n, data[0] % STEPS == SEALED_DATA); break;
    case CLOSE: *part = (struct relay_part){.kind = PART_CLOSE, .session = part->session, .code = data[1] % ERR_COUNT}; break;
    case USE: fill_use(c, part, data[1], data + 4, n); break;
    case DRAIN: *part = (struct relay_part){.kind = PART_DRAIN}; break;
    case NONE: *part = (struct relay_part){.kind = PART_NONE}; break;
    default: return false;
    }
    uint64_t number = part->kind == PART_USE ? part->session : 0;
    m->type = MSG_NEXT_OK;
    m->request = c->next;
    hear(c, m);
    turn(c, 0);
    if (number)
        finish(c, number);
    return true;
}

static void step(struct client *c, struct msg *m, const uint8_t *data, size_t n)
{
    struct session *s = session_of(c, 1 + data[1] % 3);
    if (part_step(c, m, data, n))
        turn(c, MILLISECOND);
    else if (data[0] % STEPS == MESSAGE)
        core_message(c->core, c->link->no, data + 4, n);
    else if (data[0] % STEPS == SEND && s)
        session_send(s, data + 4, n);
    else if (data[0] % STEPS == SHARE)
        reservations_changed(c->core);
    else
        turn(c, (uint64_t)data[1] * SECOND / 16);
    turn(c, 0);
}

static void check_bounds(const struct core *core)
{
    const struct relayed *r = core->relayed;
    size_t sessions = 0;
    for (const struct session *s = r->sessions; s; s = s->next) {
        sessions++;
        check(s->out.sealed.bytes <= SESSION_QUEUE_BYTES + MSG_BYTES_MAX && s->in.whole.bytes <= RELAY_WINDOW + MSG_BYTES_MAX);
        check(!s->in.partial || s->in.partial->n <= MSG_BYTES_MAX);
        check(s->in.got <= s->in.told && s->out.sent <= s->out.limit);
    }
    check(sessions <= RELAY_SESSIONS_PER_CLIENT);
    for (const struct carrier *c = r->carriers; c; c = c->next)
        check(c->out_count <= NEXTS_OUT_MAX);
    check(core->link_count <= 1 + RELAY_SESSIONS_PER_CLIENT);
}

static void client_new(struct client *c)
{
    struct core_config config = {.identity = &c->identity, .name = "client", .incarnation = 1, .no_beacon = true};
    key(&c->identity, 1);
    key(&c->relay, 2);
    key(&c->other, 3);
    timers_init(&c->timers);
    c->now = SECOND;
    c->port = (struct port){.self = c,
                            .now = port_now,
                            .random = port_random,
                            .timer_set = port_timer_set,
                            .timer_cancel = port_timer_cancel,
                            .datagram = port_datagram,
                            .dial = port_dial,
                            .send = port_send,
                            .hangup = port_hangup,
                            .reply = port_reply,
                            .endpoints = port_endpoints};
    check(core_new(&config, &c->port, &c->core) == 0);
}

/* The link to the relay must be there: who is struck too often is hung up. */
static bool is_linked(const struct client *c)
{
    for (const struct link *l = c->core->links; l; l = l->next)
        if (l == c->link)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client *c = calloc(1, sizeof *c);
    struct msg *m = calloc(1, sizeof *m);
    check(c && m);
    client_new(c);
    reserve(c, m);
    for (unsigned steps = 0; size >= 4 && steps < 200 && is_linked(c); steps++) {
        size_t n = (size_t)data[2] << 8 | data[3];
        n = n < size - 4 ? n : size - 4;
        step(c, m, data, n);
        check_bounds(c->core);
        data += 4 + n;
        size -= 4 + n;
    }
    core_free(c->core);
    timers_fini(&c->timers);
    free(m);
    free(c);
    return 0;
}

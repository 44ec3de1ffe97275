/* A node played by hand. See binding_node.h. */
#include "binding_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the node around it */

static uint64_t port_now(void *self)
{
    return ((struct node *)self)->now;
}

static void port_random(void *self, void *buf, size_t n)
{
    memset(buf, (int)(++((struct node *)self)->random & 0xff), n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct node *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct node *)self)->timers, t);
}

int peer_number(const struct node *n, const struct node_id *id)
{
    for (int i = 0; i < PEERS; i++)
        if (id_equal(&n->peer[i].identity.id, id))
            return i;
    return -1;
}

static int host_send(void *arg, const struct node_id *to, const struct msg *m)
{
    struct node *n = arg;
    int i = peer_number(n, to);
    if (i < 0 || !n->linked[i])
        return ERR_UNREACHABLE;
    assert_true(n->sent_count < SENT_MAX);
    struct sent *s = n->sent[n->sent_count++] = malloc(sizeof *s);
    assert_non_null(s);
    s->to = *to;
    s->m = *m;
    return 0;
}

static size_t host_linked(void *arg, struct node_id *out, size_t max)
{
    struct node *n = arg;
    size_t count = 0;
    for (size_t i = 0; i < PEERS && count < max; i++)
        if (n->linked[i])
            out[count++] = n->peer[i].identity.id;
    return count;
}

static size_t host_relays(void *arg, struct node_id *out, size_t max)
{
    struct node *n = arg;
    size_t count = 0;
    for (size_t i = 0; i < PEERS && count < max; i++)
        if (n->linked[i] && n->relay[i])
            out[count++] = n->peer[i].identity.id;
    return count;
}

static const struct record_bytes *host_own_record(void *arg, struct record *decoded)
{
    struct node *n = arg;
    *decoded = n->self.record;
    return &n->self.bytes;
}

static int host_take_record(void *arg, const struct record_bytes *bytes, struct record *decoded)
{
    struct node *n = arg;
    int err = record_decode(bytes, decoded);
    if (!err)
        err = record_verify(bytes, decoded);
    int i = err ? -1 : peer_number(n, &decoded->id);
    if (i >= 0 && decoded->incarnation < n->newest[i])
        err = ERR_STATE;
    else if (i >= 0)
        n->newest[i] = decoded->incarnation;
    return err;
}

static const struct record_bytes *host_record_of(void *arg, const struct node_id *id, struct record *decoded)
{
    struct node *n = arg;
    int i = peer_number(n, id);
    if (i < 0 || n->newest[i] == 0)
        return NULL;
    *decoded = n->peer[i].record;
    return &n->peer[i].bytes;
}

static uint64_t host_incarnation(void *arg, const struct node_id *id)
{
    struct node *n = arg;
    int i = peer_number(n, id);
    return i < 0 ? 0 : n->newest[i];
}

static bool host_trusted(void *arg, const struct node_id *id)
{
    struct node *n = arg;
    int i = peer_number(n, id);
    return i >= 0 && n->trusted[i];
}

static uint64_t host_rtt(void *arg, const struct node_id *id)
{
    struct node *n = arg;
    int i = peer_number(n, id);
    return i < 0 ? 0 : n->rtt[i];
}

static void host_changed(void *arg, const struct tag *pipe, bool bound)
{
    struct node *n = arg;
    assert_int_equal(binding_bound(n->b, pipe), bound);
    n->changes++;
}

static int node_new(void **state, bool rendezvous)
{
    struct node *n = *state = calloc(1, sizeof *n);
    assert_non_null(n);
    n->now = T0;
    timers_init(&n->timers);
    n->port = (struct port){
        .self = n, .now = port_now, .random = port_random, .timer_set = port_timer_set, .timer_cancel = port_timer_cancel};
    someone_make(&n->self, 99, "self");
    for (int i = 0; i < PEERS; i++)
        someone_make(&n->peer[i], i + 1, "peer");
    struct binding_host host = {.arg = n,
                                .port = &n->port,
                                .self = n->self.identity.id,
                                .rendezvous = rendezvous,
                                .send = host_send,
                                .linked = host_linked,
                                .relays = host_relays,
                                .own_record = host_own_record,
                                .take_record = host_take_record,
                                .record_of = host_record_of,
                                .incarnation = host_incarnation,
                                .trusted = host_trusted,
                                .rtt = host_rtt,
                                .changed = host_changed};
    return binding_new(&host, &n->b);
}

int binding_node_new(void **state)
{
    return node_new(state, false);
}

int binding_rendezvous_new(void **state)
{
    return node_new(state, true);
}

int binding_node_free(void **state)
{
    struct node *n = *state;
    binding_free(n->b);
    assert_int_equal(timers_next(&n->timers), TIMER_NEVER); /* nothing is left that could fire */
    timers_fini(&n->timers);
    for (size_t i = 0; i < n->sent_count; i++)
        free(n->sent[i]);
    free(n);
    return 0;
}

void run(struct node *n, uint64_t until)
{
    while (timers_next(&n->timers) <= until) {
        n->now = timers_next(&n->timers) > n->now ? timers_next(&n->timers) : n->now;
        timers_run(&n->timers, n->now);
    }
    n->now = until;
}

/* ---- what tests say in one line */

void link_to_peers(struct node *n, int first, int last)
{
    for (int i = first; i <= last; i++)
        n->linked[i] = true;
}

struct binding_want files_of(const struct someone *s)
{
    return (struct binding_want){.pipe = pipe_owned(&s->identity.id, "files"), .owned = true, .owner = s->identity.id};
}

struct binding_want shared_logs(void)
{
    return (struct binding_want){.pipe = pipe_shared("logs")};
}

void register_pipe(struct node *n, int peer, const struct binding_want *want, uint8_t rank, uint64_t life)
{
    uint32_t kept;
    const struct record *record = &n->peer[peer].record;
    struct registered_pipe pipe = {.pipe = want->pipe, .type = want->type, .transport = want->transport, .rank = rank};
    struct registration reg = {.holder = record->id,
                               .via = record->id,
                               .incarnation = record->incarnation,
                               .now = n->now,
                               .expires = n->now + life,
                               .trusted = n->trusted[peer],
                               .count = 1,
                               .pipe = &pipe};
    if (n->newest[peer] < record->incarnation)
        n->newest[peer] = record->incarnation;
    assert_int_equal(rendezvous_register(binding_index(n->b), &reg, &kept), 0);
}

void resolved(void *arg, const struct binding_result *result)
{
    struct node *n = arg;
    n->results++;
    n->result = *result;
}

void resolve(struct node *n, const struct binding_want *want)
{
    unsigned before = n->results;
    assert_int_equal(binding_resolve(n->b, want, resolved, n), 0);
    assert_int_equal(n->results, before); /* never from inside the call */
    run(n, n->now);
}

const struct msg *sent(const struct node *n, size_t i, enum msg_type type, int peer)
{
    assert_true(i < n->sent_count);
    assert_int_equal(n->sent[i]->m.type, type);
    if (peer >= 0)
        assert_int_equal(peer_number(n, &n->sent[i]->to), peer);
    return &n->sent[i]->m;
}

struct msg *yes(const struct node *n, size_t i, const struct someone *holder)
{
    const struct msg_query *q = &sent(n, i, MSG_QUERY, -1)->query;
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_ANSWER;
    m->answer.query = q->query;
    m->answer.pipe = q->pipe;
    m->answer.type = q->type;
    also(m, holder, 0);
    return m;
}

void also(struct msg *m, const struct someone *holder, uint8_t rank)
{
    struct pipe_holder *h = &m->answer.holder[m->answer.holder_count++];
    h->rank = rank;
    h->incarnation = holder->record.incarnation;
    h->life_s = 60;
    h->record = holder->bytes;
    h->endpoint_count = holder->record.endpoint_count;
    memcpy(h->endpoint, holder->record.endpoint, sizeof h->endpoint);
}

struct msg *no(const struct node *n, size_t i)
{
    struct msg *m = yes(n, i, &n->self);
    m->answer.holder_count = 0;
    return m;
}

void answer(struct node *n, int from, struct msg *m)
{
    binding_on_answer(n->b, &n->peer[from].identity.id, m);
    free(m);
}

bool result_is(const struct node *n, size_t i, const struct someone *holder)
{
    return i < n->result.count && id_equal(&n->result.holder[i].record.id, &holder->identity.id);
}

bool answer_is(const struct msg_answer *a, size_t i, const struct someone *holder)
{
    return i < a->holder_count && memcmp(&a->holder[i].record, &holder->bytes, sizeof holder->bytes) == 0;
}

size_t queries(const struct node *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->sent_count; i++)
        count += n->sent[i]->m.type == MSG_QUERY;
    return count;
}

uint64_t refused(const struct node *n)
{
    struct binding_counts counts;
    binding_counts(n->b, &counts);
    return counts.answers_refused;
}

struct msg *query_of(const struct binding_want *want, int number, const struct someone *asker, uint8_t hops)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_QUERY;
    memset(m->query.query.b, number, TAG_BYTES);
    m->query.query.b[0] = (uint8_t)(number >> 8);
    m->query.pipe = want->pipe;
    m->query.type = want->type;
    m->query.transport = want->transport;
    m->query.hops = hops;
    m->query.asker = asker->identity.id;
    m->query.wanted_count = want->owned ? 1 : 0;
    m->query.wanted[0] = want->owner;
    m->query.visited_count = 1;
    m->query.visited[0] = asker->identity.id;
    return m;
}

void query(struct node *n, int from, struct msg *m)
{
    binding_on_query(n->b, &n->peer[from].identity.id, m);
    free(m);
}

/* The pipe binding protocol. See binding.h.
 *
 * Two tables: resolves (questions of ours) and forwards (questions of others that we passed on, so that the answers find their
 * way back). Both are bounded by QUERIES_MAX and every entry has a timer. Invariants: (1) an answer is taken only for an entry of
 * one of the tables and only from a peer that the entry's query was sent to; (2) a query is handled once: a second copy finds our id
 * among the visited or its number among the forwards. */
#include "binding.h"

#include "pipe_cache.h"

#include <stdlib.h>
#include <string.h>

#define FAN_OUT 8                           /* peers that one question goes to at once */
#define DIRECTED_WAIT (500 * MILLISECOND)   /* for the wanted peer itself, before others are asked */
#define ANSWER_LIFE_S 300
#define LOCAL_MAX 1024                      /* pipes bound at one node */

struct local_pipe {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport;
};

struct asked { /* whom a query went to, and who of them has said no */
    struct node_id peer[FAN_OUT + 1];
    bool refused[FAN_OUT + 1];
    uint8_t count;
};

struct resolve {
    struct resolve *next;
    struct binding *b;
    struct tag query;
    struct binding_want want;
    struct asked asked;
    bool wide; /* others than the wanted peer have been asked */
    uint64_t started, deadline;
    struct timer timer;
    binding_done *done;
    void *arg;
};

struct forward {
    struct forward *next;
    struct binding *b;
    struct tag query, pipe;
    struct binding_want want;
    struct node_id origin; /* the linked peer that the query came from */
    struct asked asked;
    struct timer timer;
};

struct binding {
    struct binding_host host;
    struct pipe_cache cache;
    struct local_pipe *local;
    size_t local_count;
    struct resolve *resolves;
    struct forward *forwards;
    uint32_t outstanding;
    struct binding_counts counts;
};

int binding_new(const struct binding_host *host, struct binding **b)
{
    *b = calloc(1, sizeof **b);
    if (!*b)
        return ERR_NOMEM;
    (*b)->host = *host;
    pipe_cache_init(&(*b)->cache);
    return 0;
}

static uint64_t now_of(const struct binding *b)
{
    return b->host.port->now(b->host.port->self);
}

static void timer_at(struct binding *b, struct timer *t, uint64_t at)
{
    b->host.port->timer_set(b->host.port->self, t, at);
}

static void resolve_drop(struct resolve *r)
{
    struct binding *b = r->b;
    b->host.port->timer_cancel(b->host.port->self, &r->timer);
    struct resolve **at = &b->resolves;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    b->outstanding--;
    free(r);
}

static void forward_drop(struct forward *f)
{
    struct binding *b = f->b;
    b->host.port->timer_cancel(b->host.port->self, &f->timer);
    struct forward **at = &b->forwards;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    b->outstanding--;
    free(f);
}

void binding_free(struct binding *b)
{
    if (!b)
        return;
    while (b->resolves)
        resolve_drop(b->resolves);
    while (b->forwards)
        forward_drop(b->forwards);
    pipe_cache_fini(&b->cache);
    free(b->local);
    free(b);
}

/* ---- pipes bound here */

struct tag pipe_owned(const struct node_id *owner, const char *name)
{
    return tag_derive("weft owned pipe 1", owner->b, NODE_ID_BYTES, name, strlen(name));
}

struct tag pipe_shared(const char *name)
{
    return tag_derive("weft shared pipe 1", name, strlen(name), NULL, 0);
}

static struct local_pipe *local_find(const struct binding *b, const struct tag *pipe)
{
    for (size_t i = 0; i < b->local_count; i++)
        if (tag_equal(&b->local[i].pipe, pipe))
            return &b->local[i];
    return NULL;
}

int binding_bind(struct binding *b, const struct tag *pipe, enum pipe_type type, enum transport transport)
{
    if (local_find(b, pipe))
        return ERR_EXISTS;
    if (b->local_count >= LOCAL_MAX)
        return ERR_FULL;
    struct local_pipe *more = realloc(b->local, (b->local_count + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    b->local = more;
    b->local[b->local_count++] = (struct local_pipe){.pipe = *pipe, .type = type, .transport = transport};
    return 0;
}

void binding_unbind(struct binding *b, const struct tag *pipe)
{
    struct local_pipe *p = local_find(b, pipe);
    if (p)
        *p = b->local[--b->local_count];
}

bool binding_bound(const struct binding *b, const struct tag *pipe)
{
    return local_find(b, pipe) != NULL;
}

void binding_forget(struct binding *b, const struct tag *pipe)
{
    pipe_cache_drop(&b->cache, pipe);
}

/* Copies the endpoints of a record that speak a transport. */
static uint8_t endpoints_for(const struct record *record, enum transport transport, struct endpoint *out)
{
    uint8_t n = 0;
    for (size_t i = 0; i < record->endpoint_count && n < PIPE_ENDPOINTS_MAX; i++)
        if (transport == TRANSPORT_ANY || record->endpoint[i].transport == transport)
            out[n++] = record->endpoint[i];
    return n;
}

/* Our own binding as an entry. False when it is not bound here, or not for this transport. */
static bool local_entry(const struct binding *b, const struct binding_want *want, struct pipe_entry *out)
{
    const struct local_pipe *p = local_find(b, &want->pipe);
    if (!p || p->type != want->type || (want->owned && !id_equal(&want->owner, &b->host.self)))
        return false;
    if (p->transport != TRANSPORT_ANY && want->transport != TRANSPORT_ANY && p->transport != want->transport)
        return false;
    memset(out, 0, sizeof *out);
    out->pipe = want->pipe;
    out->type = want->type;
    out->transport = want->transport;
    out->signed_holder = *b->host.own_record(b->host.arg, &out->holder);
    out->count = endpoints_for(&out->holder, p->transport != TRANSPORT_ANY ? p->transport : want->transport, out->endpoint);
    out->expires = now_of(b) + ANSWER_LIFE_S * SECOND;
    return out->count > 0;
}

/* A live cached answer to this question, or NULL. */
static const struct pipe_entry *cached(const struct binding *b, const struct binding_want *want)
{
    const struct pipe_entry *entry = pipe_cache_find(&b->cache, &want->pipe, now_of(b));
    if (!entry || entry->type != want->type || entry->transport != want->transport)
        return NULL;
    return want->owned && !id_equal(&entry->holder.id, &want->owner) ? NULL : entry;
}

/* ---- asking */

/* Peers to ask: linked, not yet asked, not among the visited. */
static size_t others(struct binding *b, const struct asked *asked, const struct msg_query *q, struct node_id out[FAN_OUT])
{
    struct node_id linked[LINKS_MAX];
    size_t count = b->host.linked(b->host.arg, linked, LINKS_MAX), n = 0;
    uint32_t start = 0;
    if (count > FAN_OUT) /* a different choice each time, so that no one peer is always asked */
        b->host.port->random(b->host.port->self, &start, sizeof start);
    for (size_t i = 0; i < count && n < FAN_OUT; i++) {
        const struct node_id *id = &linked[(start + i) % count];
        bool skip = id_equal(id, &q->asker);
        for (size_t k = 0; k < asked->count && !skip; k++)
            skip = id_equal(id, &asked->peer[k]);
        for (size_t k = 0; k < q->visited_count && !skip; k++)
            skip = id_equal(id, &q->visited[k]);
        if (!skip)
            out[n++] = *id;
    }
    return n;
}

static bool ask(struct binding *b, struct asked *asked, const struct node_id *to, const struct msg *m)
{
    if (asked->count >= FAN_OUT + 1 || b->host.send(b->host.arg, to, m) != 0)
        return false;
    asked->refused[asked->count] = false;
    asked->peer[asked->count++] = *to;
    b->counts.queries_sent++;
    return true;
}

static void query_of(const struct resolve *r, struct msg *m, uint8_t hops)
{
    memset(m, 0, sizeof *m);
    m->type = MSG_QUERY;
    m->query = (struct msg_query){.query = r->query,
                                  .pipe = r->want.pipe,
                                  .type = r->want.type,
                                  .transport = r->want.transport,
                                  .hops = hops,
                                  .asker = r->b->host.self,
                                  .wanted_count = r->want.owned ? 1 : 0,
                                  .visited_count = 1};
    m->query.wanted[0] = r->want.owner;
    m->query.visited[0] = r->b->host.self;
}

static void ask_widely(struct resolve *r)
{
    struct node_id peer[FAN_OUT];
    struct msg *m = malloc(sizeof *m);
    if (!m)
        return; /* the deadline ends it */
    r->wide = true;
    query_of(r, m, 2);
    size_t n = others(r->b, &r->asked, &m->query, peer);
    for (size_t i = 0; i < n; i++)
        ask(r->b, &r->asked, &peer[i], m);
    free(m);
    timer_at(r->b, &r->timer, r->deadline);
}

static void ask_owner(struct resolve *r)
{
    struct msg *m = malloc(sizeof *m);
    bool sent = false;
    if (m && r->want.owned) {
        query_of(r, m, 0);
        sent = ask(r->b, &r->asked, &r->want.owner, m);
    }
    free(m);
    if (sent)
        timer_at(r->b, &r->timer, r->started + DIRECTED_WAIT);
    else
        ask_widely(r);
}

static void finish(struct resolve *r, const struct binding_result *result)
{
    binding_done *done = r->done;
    void *arg = r->arg;
    resolve_drop(r);
    done(arg, result);
}

static void finish_found(struct resolve *r, const struct pipe_entry *entry, const struct node_id *by, bool from_cache)
{
    struct binding_result result = {.holder = entry->holder,
                                    .count = entry->count,
                                    .answered_by = *by,
                                    .cached = from_cache,
                                    .elapsed = now_of(r->b) - r->started,
                                    .expires = entry->expires};
    memcpy(result.endpoint, entry->endpoint, sizeof result.endpoint);
    finish(r, &result);
}

static void finish_error(struct resolve *r, int err)
{
    struct binding_result result = {.err = err, .answered_by = r->b->host.self, .elapsed = now_of(r->b) - r->started};
    finish(r, &result);
}

static bool all_refused(const struct asked *asked)
{
    for (size_t i = 0; i < asked->count; i++)
        if (!asked->refused[i])
            return false;
    return true;
}

/* The resolve's only timer: it starts the question, widens it, and ends it. */
static void resolve_tick(void *arg)
{
    struct resolve *r = arg;
    struct binding *b = r->b;
    struct pipe_entry local;
    if (now_of(b) >= r->deadline) {
        finish_error(r, r->asked.count == 0 ? ERR_UNREACHABLE : all_refused(&r->asked) ? ERR_NOT_FOUND : ERR_TIMEOUT);
    } else if (r->asked.count > 0) {
        ask_widely(r);
    } else if (local_entry(b, &r->want, &local)) {
        finish_found(r, &local, &b->host.self, false);
    } else if (cached(b, &r->want)) {
        finish_found(r, cached(b, &r->want), &b->host.self, true);
    } else {
        ask_owner(r);
        if (r->asked.count == 0)
            finish_error(r, ERR_UNREACHABLE);
    }
}

int binding_resolve(struct binding *b, const struct binding_want *want, binding_done *done, void *arg)
{
    if (b->outstanding >= QUERIES_MAX)
        return ERR_FULL;
    struct resolve *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->b = b;
    r->want = *want;
    r->done = done;
    r->arg = arg;
    r->started = now_of(b);
    r->deadline = r->started + QUERY_TIMEOUT;
    b->host.port->random(b->host.port->self, r->query.b, TAG_BYTES);
    timer_init(&r->timer, resolve_tick, r);
    r->next = b->resolves;
    b->resolves = r;
    b->outstanding++;
    timer_at(b, &r->timer, r->started);
    return 0;
}

void binding_cancel(struct binding *b, void *arg)
{
    struct resolve *r = b->resolves;
    while (r) {
        struct resolve *next = r->next;
        if (r->arg == arg)
            resolve_drop(r);
        r = next;
    }
}

/* ---- answering */

static void answer(struct binding *b, const struct node_id *to, const struct tag *query, const struct binding_want *want,
                   const struct pipe_entry *entry)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return; /* the asker's own deadline covers it */
    m->type = MSG_ANSWER;
    m->answer.query = *query;
    m->answer.pipe = want->pipe;
    m->answer.type = want->type;
    m->answer.found = entry != NULL;
    if (entry) {
        uint64_t now = now_of(b);
        m->answer.incarnation = entry->holder.incarnation;
        m->answer.life_s = entry->expires > now ? (uint32_t)((entry->expires - now) / SECOND) : 0;
        m->answer.holder = entry->signed_holder;
        m->answer.endpoint_count = entry->count;
        memcpy(m->answer.endpoint, entry->endpoint, sizeof entry->endpoint);
    }
    if (b->host.send(b->host.arg, to, m) == 0)
        b->counts.answers_sent++;
    free(m);
}

static struct forward *forward_find(const struct binding *b, const struct tag *query)
{
    for (struct forward *f = b->forwards; f; f = f->next)
        if (tag_equal(&f->query, query))
            return f;
    return NULL;
}

/* Nobody downstream said yes in time. */
static void forward_expire(void *arg)
{
    struct forward *f = arg;
    answer(f->b, &f->origin, &f->query, &f->want, NULL);
    forward_drop(f);
}

static struct forward *forward_new(struct binding *b, const struct node_id *from, const struct msg_query *q,
                                   const struct binding_want *want)
{
    struct forward *f = b->outstanding < QUERIES_MAX ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    f->b = b;
    f->query = q->query;
    f->pipe = q->pipe;
    f->want = *want;
    f->origin = *from;
    timer_init(&f->timer, forward_expire, f);
    f->next = b->forwards;
    b->forwards = f;
    b->outstanding++;
    timer_at(b, &f->timer, now_of(b) + QUERY_TIMEOUT / 2);
    return f;
}

/* Passes a query on: to the wanted peers we are linked to, or to a few others when anyone will do. False: there is nobody. */
static bool pass_on(struct binding *b, const struct node_id *from, const struct msg *m, const struct binding_want *want)
{
    const struct msg_query *q = &m->query;
    if (q->hops == 0 || q->visited_count >= QUERY_VISITED_MAX)
        return false;
    struct forward *f = forward_new(b, from, q, want);
    struct msg *copy = malloc(sizeof *copy);
    if (f && copy) {
        *copy = *m;
        copy->query.hops--;
        copy->query.visited[copy->query.visited_count++] = b->host.self;
        struct node_id peer[FAN_OUT];
        size_t n = 0;
        if (!want->owned || !ask(b, &f->asked, &want->owner, copy))
            n = others(b, &f->asked, &copy->query, peer);
        for (size_t i = 0; i < n; i++)
            if (!id_equal(&peer[i], from))
                ask(b, &f->asked, &peer[i], copy);
        b->counts.forwarded += f->asked.count;
    }
    free(copy);
    if (f && f->asked.count > 0)
        return true;
    if (f)
        forward_drop(f);
    return false;
}

static bool seen_before(const struct binding *b, const struct msg_query *q)
{
    for (size_t i = 0; i < q->visited_count; i++)
        if (id_equal(&q->visited[i], &b->host.self))
            return true;
    return forward_find(b, &q->query) != NULL;
}

void binding_on_query(struct binding *b, const struct node_id *from, const struct msg *m)
{
    const struct msg_query *q = &m->query;
    b->counts.queries_heard++;
    if (seen_before(b, q))
        return;
    struct binding_want want = {
        .pipe = q->pipe, .type = q->type, .transport = q->transport, .owned = q->wanted_count > 0, .owner = q->wanted[0]};
    struct pipe_entry local;
    if (local_entry(b, &want, &local))
        answer(b, from, &q->query, &want, &local);
    else if (!pass_on(b, from, m, &want))
        answer(b, from, &q->query, &want, cached(b, &want));
}

/* ---- answers */

static bool endpoint_in(const struct endpoint *e, const struct record *record)
{
    for (size_t i = 0; i < record->endpoint_count; i++)
        if (record->endpoint[i].scope == e->scope && strcmp(record->endpoint[i].text, e->text) == 0)
            return true;
    return false;
}

/* Checks a positive answer to a question and turns it into an entry. */
static int entry_from(struct binding *b, const struct binding_want *want, const struct msg_answer *a, struct pipe_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    int err = b->host.take_record(b->host.arg, &a->holder, &entry->holder);
    if (err)
        return err;
    if (want->owned && !id_equal(&entry->holder.id, &want->owner))
        return ERR_VERIFY;
    if (entry->holder.incarnation != a->incarnation || a->endpoint_count == 0 || a->type != want->type)
        return ERR_VERIFY;
    for (size_t i = 0; i < a->endpoint_count; i++) {
        const struct endpoint *e = &a->endpoint[i];
        if (!endpoint_in(e, &entry->holder) || (want->transport != TRANSPORT_ANY && e->transport != want->transport))
            return ERR_VERIFY;
        entry->endpoint[i] = *e;
    }
    entry->pipe = want->pipe;
    entry->type = want->type;
    entry->transport = want->transport;
    entry->signed_holder = a->holder;
    entry->count = a->endpoint_count;
    entry->expires = now_of(b) + a->life_s * SECOND;
    return 0;
}

/* Notes a "no". False when this peer was not asked. */
static bool note_refusal(struct asked *asked, const struct node_id *from, bool refused)
{
    for (size_t i = 0; i < asked->count; i++)
        if (id_equal(&asked->peer[i], from)) {
            asked->refused[i] = refused;
            return true;
        }
    return false;
}

static void answer_to_us(struct resolve *r, const struct node_id *from, const struct msg_answer *a)
{
    struct binding *b = r->b;
    struct pipe_entry entry;
    if (!note_refusal(&r->asked, from, true) || (a->found && entry_from(b, &r->want, a, &entry) != 0)) {
        b->counts.answers_refused++;
        return;
    }
    if (a->found) {
        pipe_cache_put(&b->cache, &entry);
        finish_found(r, &entry, from, false);
        return;
    }
    pipe_cache_drop(&b->cache, &r->want.pipe);
    if (!all_refused(&r->asked))
        return;
    bool asked_owner = r->want.owned && id_equal(from, &r->want.owner);
    size_t before = r->asked.count;
    if (!r->wide && !asked_owner)
        ask_widely(r);
    if (r->asked.count == before)
        finish_error(r, ERR_NOT_FOUND); /* the owner itself, or everyone we could ask, says no */
}

static void answer_to_pass(struct forward *f, const struct node_id *from, const struct msg_answer *a)
{
    struct binding *b = f->b;
    struct pipe_entry entry;
    if (!note_refusal(&f->asked, from, true) || (a->found && entry_from(b, &f->want, a, &entry) != 0)) {
        b->counts.answers_refused++;
        return;
    }
    if (a->found)
        pipe_cache_put(&b->cache, &entry);
    else if (!all_refused(&f->asked))
        return;
    answer(b, &f->origin, &f->query, &f->want, a->found ? &entry : NULL);
    forward_drop(f);
}

void binding_on_answer(struct binding *b, const struct node_id *from, const struct msg *m)
{
    const struct msg_answer *a = &m->answer;
    for (struct resolve *r = b->resolves; r; r = r->next)
        if (tag_equal(&r->query, &a->query) && tag_equal(&r->want.pipe, &a->pipe)) {
            answer_to_us(r, from, a);
            return;
        }
    struct forward *f = forward_find(b, &a->query);
    if (f && tag_equal(&f->pipe, &a->pipe))
        answer_to_pass(f, from, a);
    else
        b->counts.answers_refused++; /* late, or never asked */
}

void binding_counts(const struct binding *b, struct binding_counts *out)
{
    *out = b->counts;
    out->cached = (uint32_t)b->cache.count;
}

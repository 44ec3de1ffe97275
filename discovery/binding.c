/* The pipe binding protocol: pipes bound here, and questions of ours. See binding.h.
 *
 * Two tables: resolves (questions of ours) and forwards (questions of others that were passed on, binding_answer.c). Both
 * together are bounded by QUERIES_MAX and every entry has a timer. Invariant: an answer is taken only for an entry of one of
 * the tables, and only from a peer that its query was sent to. */
#include "binding_internal.h"

#include <stdlib.h>
#include <string.h>

int binding_new(const struct binding_host *host, struct binding **b)
{
    *b = calloc(1, sizeof **b);
    if (!*b)
        return ERR_NOMEM;
    (*b)->host = *host;
    pipe_cache_init(&(*b)->cache);
    return 0;
}

uint64_t binding_now(const struct binding *b)
{
    return b->host.port->now(b->host.port->self);
}

void binding_timer(struct binding *b, struct timer *t, uint64_t at)
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

void forward_drop(struct forward *f)
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

int binding_bind(struct binding *b, const struct tag *pipe, enum pipe_type type, enum transport transport,
                 uint8_t rank)
{
    if (local_find(b, pipe))
        return ERR_EXISTS;
    if (b->local_count >= LOCAL_PIPES_MAX)
        return ERR_FULL;
    struct local_pipe *more = realloc(b->local, (b->local_count + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    b->local = more;
    b->local[b->local_count++] = (struct local_pipe){.pipe = *pipe, .type = type, .transport = transport, .rank = rank};
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

void binding_forget(struct binding *b, const struct tag *pipe, const struct node_id *holder)
{
    const struct pipe_entry *entry = pipe_cache_find(&b->cache, pipe, binding_now(b));
    if (entry && id_equal(&entry->holder.id, holder))
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

bool binding_local(const struct binding *b, const struct binding_want *want, struct pipe_entry *out)
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
    out->rank = p->rank;
    out->signed_holder = *b->host.own_record(b->host.arg, &out->holder);
    out->count = endpoints_for(&out->holder, p->transport != TRANSPORT_ANY ? p->transport : want->transport, out->endpoint);
    out->expires = binding_now(b) + ANSWER_LIFE_S * SECOND;
    return out->count > 0;
}

const struct pipe_entry *binding_cached(const struct binding *b, const struct binding_want *want)
{
    const struct pipe_entry *entry = pipe_cache_find(&b->cache, &want->pipe, binding_now(b));
    if (!entry || entry->type != want->type || entry->transport != want->transport)
        return NULL;
    return want->owned && !id_equal(&entry->holder.id, &want->owner) ? NULL : entry;
}

/* ---- asking */

size_t binding_others(struct binding *b, const struct asked *asked, const struct msg_query *q, struct node_id out[FAN_OUT])
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

bool binding_ask(struct binding *b, struct asked *asked, const struct node_id *to, const struct msg *m)
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

void resolve_widen(struct resolve *r)
{
    struct node_id peer[FAN_OUT];
    struct msg *m = malloc(sizeof *m);
    if (!m)
        return; /* the deadline ends it */
    r->wide = true;
    query_of(r, m, 2);
    size_t n = binding_others(r->b, &r->asked, &m->query, peer);
    for (size_t i = 0; i < n; i++)
        binding_ask(r->b, &r->asked, &peer[i], m);
    free(m);
    binding_timer(r->b, &r->timer, r->deadline);
}

static void ask_owner(struct resolve *r)
{
    struct msg *m = malloc(sizeof *m);
    bool sent = false;
    if (m && r->want.owned) {
        query_of(r, m, 0);
        sent = binding_ask(r->b, &r->asked, &r->want.owner, m);
    }
    free(m);
    if (sent)
        binding_timer(r->b, &r->timer, r->started + DIRECTED_WAIT);
    else
        resolve_widen(r);
}

static void finish(struct resolve *r, const struct binding_result *result)
{
    binding_done *done = r->done;
    void *arg = r->arg;
    resolve_drop(r);
    done(arg, result);
}

void resolve_found(struct resolve *r, const struct pipe_entry *entry, const struct node_id *by, bool from_cache)
{
    struct binding_result result = {
        .count = 1, .cached = from_cache, .asked = r->asked.count, .elapsed = binding_now(r->b) - r->started};
    struct binding_holder *h = &result.holder[0];
    h->record = entry->holder;
    h->rank = entry->rank;
    h->count = entry->count;
    memcpy(h->endpoint, entry->endpoint, sizeof h->endpoint);
    h->answered_by = *by;
    h->expires = entry->expires;
    finish(r, &result);
}

void resolve_failed(struct resolve *r, int err)
{
    struct binding_result result = {.err = err, .asked = r->asked.count, .elapsed = binding_now(r->b) - r->started};
    finish(r, &result);
}

bool asked_all_refused(const struct asked *asked)
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
    if (binding_now(b) >= r->deadline) {
        resolve_failed(r, r->asked.count == 0 ? ERR_UNREACHABLE : asked_all_refused(&r->asked) ? ERR_NOT_FOUND : ERR_TIMEOUT);
    } else if (r->asked.count > 0) {
        resolve_widen(r);
    } else if (binding_local(b, &r->want, &local)) {
        resolve_found(r, &local, &b->host.self, false);
    } else if (binding_cached(b, &r->want)) {
        resolve_found(r, binding_cached(b, &r->want), &b->host.self, true);
    } else {
        ask_owner(r);
        if (r->asked.count == 0)
            resolve_failed(r, ERR_UNREACHABLE);
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
    r->started = binding_now(b);
    r->deadline = r->started + QUERY_TIMEOUT;
    b->host.port->random(b->host.port->self, r->query.b, TAG_BYTES);
    timer_init(&r->timer, resolve_tick, r);
    r->next = b->resolves;
    b->resolves = r;
    b->outstanding++;
    binding_timer(b, &r->timer, r->started);
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

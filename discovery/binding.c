/* The pipe binding protocol: what is known here, by binding, registration and answers, and whom one can ask. See binding.h.
 *
 * Two tables of questions: resolves (ours, binding_ask.c) and forwards (of others, passed on, binding_answer.c). Both
 * together are bounded by QUERIES_MAX and every entry has a timer. Invariant: an answer is taken only for an entry of one of
 * the tables, and only from a peer that its query was sent to. */
#include "binding_internal.h"

#include <stdlib.h>
#include <string.h>

int binding_new(const struct binding_host *host, struct binding **out)
{
    uint8_t key[RENDEZVOUS_KEY_BYTES];
    struct binding *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_NOMEM;
    b->host = *host;
    pipe_cache_init(&b->cache);
    host->port->random(host->port->self, key, sizeof key);
    int err = host->rendezvous ? rendezvous_new(key, &b->index) : 0;
    if (err)
        free(b);
    else
        *out = b;
    return err;
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
    rendezvous_free(b->index);
    free(b->local);
    free(b);
}

uint64_t binding_now(const struct binding *b)
{
    return b->host.port->now(b->host.port->self);
}

void binding_timer(struct binding *b, struct timer *t, uint64_t at)
{
    b->host.port->timer_set(b->host.port->self, t, at);
}

struct rendezvous *binding_index(const struct binding *b)
{
    return b->index;
}

void binding_counts(const struct binding *b, struct binding_counts *out)
{
    *out = b->counts;
    out->cached = (uint32_t)b->cache.count;
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
        if (tag_equal(&b->local[i].pipe.pipe, pipe))
            return &b->local[i];
    return NULL;
}

static void changed(struct binding *b, const struct tag *pipe, bool bound)
{
    if (b->host.changed)
        b->host.changed(b->host.arg, pipe, bound);
}

int binding_bind(struct binding *b, const struct tag *pipe, enum pipe_type type, enum transport transport, uint8_t rank)
{
    if (local_find(b, pipe))
        return ERR_EXISTS;
    if (b->local_count >= LOCAL_PIPES_MAX)
        return ERR_FULL;
    struct local_pipe *more = realloc(b->local, (b->local_count + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    b->local = more;
    b->local[b->local_count++] = (struct local_pipe){
        .number = ++b->local_number, .pipe = {.pipe = *pipe, .type = type, .transport = transport, .rank = rank}};
    changed(b, pipe, true);
    return 0;
}

void binding_unbind(struct binding *b, const struct tag *pipe)
{
    struct local_pipe *p = local_find(b, pipe);
    if (!p)
        return;
    struct tag gone = *pipe; /* it may be the caller's, or lie in the list */
    memmove(p, p + 1, (size_t)(&b->local[b->local_count] - (p + 1)) * sizeof *p);
    b->local_count--;
    changed(b, &gone, false);
}

bool binding_bound(const struct binding *b, const struct tag *pipe)
{
    return local_find(b, pipe) != NULL;
}

size_t binding_bound_count(const struct binding *b)
{
    return b->local_count;
}

size_t binding_list(const struct binding *b, uint64_t *after, struct registered_pipe *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < b->local_count && n < max; i++)
        if (b->local[i].number > *after) {
            *after = b->local[i].number;
            out[n++] = b->local[i].pipe;
        }
    return n;
}

/* ---- entries */

/* Copies the endpoints of a record that speak a transport. */
static uint8_t endpoints_for(const struct record *record, enum transport transport, struct endpoint *out)
{
    uint8_t n = 0;
    for (size_t i = 0; i < record->endpoint_count && n < PIPE_ENDPOINTS_MAX; i++)
        if (transport == TRANSPORT_ANY || record->endpoint[i].transport == transport)
            out[n++] = record->endpoint[i];
    return n;
}

/* Can a pipe that is bound so be what is wanted, by whoever it is? */
static bool suits(const struct registered_pipe *p, const struct binding_want *want)
{
    return p->type == want->type &&
           (p->transport == TRANSPORT_ANY || want->transport == TRANSPORT_ANY || p->transport == want->transport);
}

/* Makes an entry of a binding whose holder's record is in it. False when the holder has no endpoint for it. */
static bool entry_make(const struct registered_pipe *p, const struct binding_want *want, struct pipe_entry *out)
{
    out->pipe = want->pipe;
    out->type = want->type;
    out->transport = want->transport;
    out->rank = p->rank;
    out->count = endpoints_for(&out->holder, p->transport != TRANSPORT_ANY ? p->transport : want->transport, out->endpoint);
    return out->count > 0;
}

bool binding_local(const struct binding *b, const struct binding_want *want, struct pipe_entry *out)
{
    const struct local_pipe *p = local_find(b, &want->pipe);
    if (!p || !suits(&p->pipe, want) || (want->owned && !id_equal(&want->owner, &b->host.self)))
        return false;
    memset(out, 0, sizeof *out);
    out->signed_holder = *b->host.own_record(b->host.arg, &out->holder);
    out->told_by = b->host.self;
    out->heard_at = binding_now(b);
    out->expires = out->heard_at + ANSWER_LIFE_S * SECOND;
    return entry_make(&p->pipe, want, out);
}

bool binding_fits(const struct binding *b, const struct binding_want *want, const struct pipe_entry *entry)
{
    if (entry->type != want->type || entry->transport != want->transport)
        return false;
    if (want->owned && !id_equal(&entry->holder.id, &want->owner))
        return false;
    return b->host.incarnation(b->host.arg, &entry->holder.id) <= entry->holder.incarnation; /* a later life: not any more */
}

void binding_forget(struct binding *b, const struct tag *pipe, const struct node_id *holder)
{
    pipe_cache_drop(&b->cache, pipe, holder);
}

void binding_renewed(struct binding *b, const struct record *holder)
{
    for (size_t i = 0; i < b->cache.count; i++) {
        struct pipe_entry *e = b->cache.entry[i];
        if (id_equal(&e->holder.id, &holder->id) && record_compare(&e->holder, holder) < 0)
            e->expires = 0;
    }
}

/* ---- choosing */

/* Binders that we trust, then by rank, by round trip (one that is not known last), by id. */
static bool better(const struct binding *b, const struct pipe_entry *x, const struct pipe_entry *y)
{
    const struct binding_host *h = &b->host;
    bool x_trusted = id_equal(&x->holder.id, &h->self) || h->trusted(h->arg, &x->holder.id);
    bool y_trusted = id_equal(&y->holder.id, &h->self) || h->trusted(h->arg, &y->holder.id);
    if (x_trusted != y_trusted)
        return x_trusted;
    if (x->rank != y->rank)
        return x->rank < y->rank;
    uint64_t x_rtt = h->rtt(h->arg, &x->holder.id) - 1, y_rtt = h->rtt(h->arg, &y->holder.id) - 1; /* 0 becomes the greatest */
    return x_rtt != y_rtt ? x_rtt < y_rtt : id_compare(&x->holder.id, &y->holder.id) < 0;
}

void chosen_add(const struct binding *b, struct chosen *chosen, const struct pipe_entry *entry)
{
    size_t at = chosen->count;
    while (at > 0 && better(b, entry, chosen->entry[at - 1]))
        at--;
    if (at == ANSWER_HOLDERS_MAX)
        return;
    if (chosen->count < ANSWER_HOLDERS_MAX)
        chosen->count++;
    memmove(&chosen->entry[at + 1], &chosen->entry[at], (chosen->count - at - 1) * sizeof entry);
    chosen->entry[at] = entry;
}

void binding_choose(const struct binding *b, const struct question *q, entry_is *good, struct chosen *out)
{
    size_t count;
    struct pipe_entry *const *entry = pipe_cache_of(&b->cache, &q->want.pipe, &count);
    out->count = 0;
    for (size_t i = 0; i < count; i++)
        if (binding_fits(b, &q->want, entry[i]) && good(b, q, entry[i]))
            chosen_add(b, out, entry[i]);
}

/* ---- the index */

/* The best of those who have registered a pipe: trusted, by rank, by id. */
struct hits {
    size_t count;
    const struct registered *hit[ANSWER_HOLDERS_MAX];
};

static bool better_hit(const struct registered *x, const struct registered *y)
{
    if (x->lease->trusted != y->lease->trusted)
        return x->lease->trusted;
    if (x->pipe.rank != y->pipe.rank)
        return x->pipe.rank < y->pipe.rank;
    return id_compare(&x->lease->holder, &y->lease->holder) < 0;
}

static void add_hit(struct hits *hits, const struct registered *p)
{
    size_t at = hits->count;
    for (size_t i = 0; i < hits->count; i++)
        if (id_equal(&hits->hit[i]->lease->holder, &p->lease->holder))
            return; /* registered by two ways */
    while (at > 0 && better_hit(p, hits->hit[at - 1]))
        at--;
    if (at == ANSWER_HOLDERS_MAX)
        return;
    if (hits->count < ANSWER_HOLDERS_MAX)
        hits->count++;
    memmove(&hits->hit[at + 1], &hits->hit[at], (hits->count - at - 1) * sizeof p);
    hits->hit[at] = p;
}

/* Is just this already in the cache? Then it stays as it was told. */
static bool is_cached(const struct binding *b, const struct binding_want *want, const struct registered *p)
{
    size_t count;
    struct pipe_entry *const *entry = pipe_cache_of(&b->cache, &want->pipe, &count);
    for (size_t i = 0; i < count; i++)
        if (entry[i]->transport == want->transport && id_equal(&entry[i]->holder.id, &p->lease->holder))
            return entry[i]->expires > binding_now(b) && entry[i]->rank == p->pipe.rank &&
                   entry[i]->holder.incarnation == p->lease->incarnation;
    return false;
}

static void cache_hit(struct binding *b, const struct binding_want *want, const struct registered *p)
{
    struct pipe_entry entry = {.told_by = b->host.self, .expires = p->lease->expires};
    const struct record_bytes *bytes = b->host.record_of(b->host.arg, &p->lease->holder, &entry.holder);
    if (!bytes || entry.holder.incarnation != p->lease->incarnation)
        return;
    entry.signed_holder = *bytes;
    if (entry_make(&p->pipe, want, &entry))
        pipe_cache_put(&b->cache, &entry);
}

void binding_look_up(struct binding *b, const struct binding_want *want)
{
    struct hits hits = {.count = 0};
    uint64_t now = binding_now(b);
    const struct registered *p = b->index ? rendezvous_first(b->index, &want->pipe) : NULL;
    for (; p; p = rendezvous_next(p))
        if (p->lease->expires > now && suits(&p->pipe, want) && !(want->owned && !id_equal(&p->lease->holder, &want->owner)))
            add_hit(&hits, p);
    for (size_t i = 0; i < hits.count; i++)
        if (!is_cached(b, want, hits.hit[i]))
            cache_hit(b, want, hits.hit[i]);
}

/* ---- whom to ask */

bool was_asked(const struct asked *asked, const struct node_id *peer)
{
    for (size_t i = 0; i < asked->count; i++)
        if (id_equal(&asked->peer[i], peer))
            return true;
    return false;
}

bool binding_may_ask(const struct binding *b, const struct pick *pick, const struct node_id *id)
{
    if (id_equal(id, &pick->q->asker) || (pick->from && id_equal(id, pick->from)) || was_asked(pick->asked, id))
        return false;
    for (size_t k = 0; k < pick->q->visited_count; k++)
        if (id_equal(id, &pick->q->visited[k]))
            return false;
    return !pick->trusted || b->host.trusted(b->host.arg, id);
}

size_t binding_pick(struct binding *b, const struct pick *pick, struct node_id *out, size_t max)
{
    struct node_id linked[LINKS_MAX];
    size_t count = b->host.linked(b->host.arg, linked, LINKS_MAX), n = 0;
    uint32_t start = 0;
    if (count > max) /* a different choice each time, so that no one peer is always asked */
        b->host.port->random(b->host.port->self, &start, sizeof start);
    for (size_t i = 0; i < count && n < max; i++) {
        const struct node_id *id = &linked[(start + i) % count];
        if (binding_may_ask(b, pick, id))
            out[n++] = *id;
    }
    return n;
}

size_t binding_pick_relays(struct binding *b, const struct pick *pick, struct node_id *out, size_t max)
{
    struct node_id relay[LINKS_MAX];
    const uint8_t *pipe = pick->q->pipe.b;
    size_t count = b->host.relays(b->host.arg, relay, LINKS_MAX), n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!binding_may_ask(b, pick, &relay[i]))
            continue;
        size_t at = n;
        while (at > 0 && xor_nearer(pipe, &relay[i], &out[at - 1], TAG_BYTES))
            at--;
        if (at == max)
            continue;
        n += n < max;
        memmove(&out[at + 1], &out[at], (n - at - 1) * sizeof *out);
        out[at] = relay[i];
    }
    return n;
}

bool binding_ask(struct binding *b, struct asked *asked, const struct node_id *to, const struct msg *m)
{
    if (asked->count >= ASKED_MAX || b->host.send(b->host.arg, to, m) != 0)
        return false;
    asked->answered[asked->count] = false;
    asked->peer[asked->count++] = *to;
    b->counts.queries_sent++;
    return true;
}

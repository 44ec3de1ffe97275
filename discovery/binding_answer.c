/* The pipe binding protocol: questions of others, and all answers. See binding.h.
 *
 * Invariants: (1) a query is handled once: a second copy finds our id among the visited or its number among the forwards;
 * (2) no answer is believed, kept or passed on before entry_from has checked it against the holder's signature. */
#include "binding_internal.h"

#include <stdlib.h>
#include <string.h>

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
    if (entry) {
        uint64_t now = binding_now(b);
        struct pipe_holder *h = &m->answer.holder[m->answer.holder_count++];
        h->rank = entry->rank;
        h->incarnation = entry->holder.incarnation;
        h->life_s = entry->expires > now ? (uint32_t)((entry->expires - now) / SECOND) : 0;
        h->record = entry->signed_holder;
        h->endpoint_count = entry->count;
        memcpy(h->endpoint, entry->endpoint, sizeof entry->endpoint);
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

/* Others may take half of the table, so that we can always ask ourselves, and one peer a small part of it. */
static bool has_room(const struct binding *b, const struct node_id *from)
{
    size_t all = 0, of_this_peer = 0;
    for (const struct forward *f = b->forwards; f; f = f->next) {
        all++;
        of_this_peer += id_equal(&f->origin, from);
    }
    return all < QUERIES_MAX / 2 && of_this_peer < FORWARDS_PER_PEER_MAX && b->outstanding < QUERIES_MAX;
}

static struct forward *forward_new(struct binding *b, const struct node_id *from, const struct msg_query *q,
                                   const struct binding_want *want)
{
    struct forward *f = has_room(b, from) ? calloc(1, sizeof *f) : NULL;
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
    binding_timer(b, &f->timer, binding_now(b) + QUERY_TIMEOUT / 2);
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
        if (!want->owned || !binding_ask(b, &f->asked, &want->owner, copy))
            n = binding_others(b, &f->asked, &copy->query, peer);
        for (size_t i = 0; i < n; i++)
            if (!id_equal(&peer[i], from))
                binding_ask(b, &f->asked, &peer[i], copy);
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

/* Of several wanted peers any will do: ourselves, else one that we are linked to, else the first. */
static const struct node_id *choose_wanted(struct binding *b, const struct msg_query *q)
{
    struct node_id linked[LINKS_MAX];
    size_t count = q->wanted_count > 1 ? b->host.linked(b->host.arg, linked, LINKS_MAX) : 0;
    for (size_t i = 0; i < q->wanted_count; i++)
        if (id_equal(&q->wanted[i], &b->host.self))
            return &q->wanted[i];
    for (size_t i = 0; i < q->wanted_count; i++)
        for (size_t k = 0; k < count; k++)
            if (id_equal(&q->wanted[i], &linked[k]))
                return &q->wanted[i];
    return &q->wanted[0];
}

void binding_on_query(struct binding *b, const struct node_id *from, const struct msg *m)
{
    const struct msg_query *q = &m->query;
    b->counts.queries_heard++;
    if (seen_before(b, q))
        return;
    struct binding_want want = {.pipe = q->pipe,
                                .type = q->type,
                                .transport = q->transport,
                                .owned = q->wanted_count > 0,
                                .owner = *choose_wanted(b, q)};
    struct pipe_entry local;
    if (binding_local(b, &want, &local))
        answer(b, from, &q->query, &want, &local);
    else if (!pass_on(b, from, m, &want))
        answer(b, from, &q->query, &want, binding_cached(b, &want));
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
    const struct pipe_holder *h = &a->holder[0];
    memset(entry, 0, sizeof *entry);
    int err = b->host.take_record(b->host.arg, &h->record, &entry->holder);
    if (err)
        return err;
    if (id_equal(&entry->holder.id, &b->host.self) || (want->owned && !id_equal(&entry->holder.id, &want->owner)))
        return ERR_VERIFY; /* what is bound here we know ourselves */
    if (entry->holder.incarnation != h->incarnation || h->endpoint_count == 0 || a->type != want->type)
        return ERR_VERIFY;
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct endpoint *e = &h->endpoint[i];
        if (!endpoint_in(e, &entry->holder) || (want->transport != TRANSPORT_ANY && e->transport != want->transport))
            return ERR_VERIFY;
        entry->endpoint[i] = *e;
    }
    entry->pipe = want->pipe;
    entry->type = want->type;
    entry->transport = want->transport;
    entry->rank = h->rank;
    entry->signed_holder = h->record;
    entry->count = h->endpoint_count;
    entry->expires = binding_now(b) + h->life_s * SECOND;
    return 0;
}

/* Notes an answer, as a "no" until it has proved to be more. False when this peer was not asked, or has answered before: an
 * answer costs a signature check, so everybody has one. */
static bool note_answer(struct asked *asked, const struct node_id *from)
{
    for (size_t i = 0; i < asked->count; i++)
        if (id_equal(&asked->peer[i], from) && !asked->refused[i])
            return asked->refused[i] = true;
    return false;
}

static void answer_to_us(struct resolve *r, const struct node_id *from, const struct msg_answer *a)
{
    struct binding *b = r->b;
    struct pipe_entry entry;
    if (!note_answer(&r->asked, from) || (a->holder_count > 0 && entry_from(b, &r->want, a, &entry) != 0)) {
        b->counts.answers_refused++;
        return;
    }
    if (a->holder_count > 0) {
        pipe_cache_put(&b->cache, &entry);
        resolve_found(r, &entry, from, false);
        return;
    }
    pipe_cache_drop(&b->cache, &r->want.pipe);
    if (!asked_all_refused(&r->asked))
        return;
    bool asked_owner = r->want.owned && id_equal(from, &r->want.owner);
    size_t before = r->asked.count;
    if (!r->wide && !asked_owner)
        resolve_widen(r);
    if (r->asked.count == before)
        resolve_failed(r, ERR_NOT_FOUND); /* the owner itself, or everyone we could ask, says no */
}

static void answer_to_pass(struct forward *f, const struct node_id *from, const struct msg_answer *a)
{
    struct binding *b = f->b;
    struct pipe_entry entry;
    if (!note_answer(&f->asked, from) || (a->holder_count > 0 && entry_from(b, &f->want, a, &entry) != 0)) {
        b->counts.answers_refused++;
        return;
    }
    if (a->holder_count > 0)
        pipe_cache_put(&b->cache, &entry);
    else if (!asked_all_refused(&f->asked))
        return;
    answer(b, &f->origin, &f->query, &f->want, a->holder_count > 0 ? &entry : NULL);
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

/* The pipe binding protocol: questions of others. See binding.h.
 *
 * Who is asked answers for itself. Else it asks those who are believed to have the pipe bound, when it is linked to them,
 * rather than answer for them; else it answers from its index and its cache; else it asks the rendezvous nearest to the pipe;
 * and when there is none and hops are left, a few others.
 *
 * Invariants: (1) a query is handled once at a time: a second copy finds our id among the visited or its number among the
 * forwards; (2) from rendezvous to rendezvous it only comes nearer to its pipe; (3) what is sent back has passed
 * binding_believe, or was registered here. */
#include "binding_internal.h"

#include <stdlib.h>
#include <string.h>

static void holder_of(const struct binding *b, const struct pipe_entry *entry, struct pipe_holder *h)
{
    uint64_t now = binding_now(b);
    h->rank = entry->rank;
    h->incarnation = entry->holder.incarnation;
    h->life_s = entry->expires > now ? (uint32_t)((entry->expires - now) / SECOND) : 0;
    h->record = entry->signed_holder;
    h->endpoint_count = entry->count;
    memcpy(h->endpoint, entry->endpoint, entry->count * sizeof *entry->endpoint);
}

static void answer(struct binding *b, const struct node_id *to, const struct question *q, const struct chosen *chosen)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return; /* the asker's own deadline covers it */
    m->type = MSG_ANSWER;
    m->answer.query = q->query;
    m->answer.pipe = q->want.pipe;
    m->answer.type = q->want.type;
    for (size_t i = 0; i < chosen->count; i++)
        holder_of(b, chosen->entry[i], &m->answer.holder[m->answer.holder_count++]);
    if (b->host.send(b->host.arg, to, m) == 0)
        b->counts.answers_sent++;
    free(m);
}

static bool live(const struct binding *b, const struct question *q, const struct pipe_entry *entry)
{
    (void)q;
    return entry->expires > binding_now(b);
}

/* Told since the question began, or of somebody who cannot be asked. */
static bool best_known(const struct binding *b, const struct question *q, const struct pipe_entry *entry)
{
    return entry->heard_at >= q->started || (live(b, q, entry) && !was_asked(&q->asked, &entry->holder.id));
}

/* ---- questions that were passed on */

static struct forward *forward_find(const struct binding *b, const struct tag *query)
{
    for (struct forward *f = b->forwards; f; f = f->next)
        if (tag_equal(&f->q.query, query))
            return f;
    return NULL;
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

/* Ends with the best that is known by now; those who were asked and are silent are named only for want of better. */
static void forward_end(void *arg)
{
    struct forward *f = arg;
    struct chosen chosen;
    binding_choose(f->b, &f->q, best_known, &chosen);
    if (chosen.count == 0)
        binding_choose(f->b, &f->q, live, &chosen);
    answer(f->b, &f->origin, &f->q, &chosen);
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

static struct forward *forward_new(struct binding *b, const struct node_id *from, const struct question *q)
{
    struct forward *f = has_room(b, from) ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    f->b = b;
    f->q = *q;
    f->origin = *from;
    timer_init(&f->timer, forward_end, f);
    f->next = b->forwards;
    b->forwards = f;
    b->outstanding++;
    return f;
}

/* The owner, or those who are known to have a shared pipe bound. */
static void ask_believed(struct forward *f, const struct pick *pick, const struct msg *m)
{
    struct chosen chosen;
    if (f->q.want.owned && binding_may_ask(f->b, pick, &f->q.want.owner))
        binding_ask(f->b, &f->q.asked, &f->q.want.owner, m);
    if (f->q.want.owned)
        return;
    binding_choose(f->b, &f->q, live, &chosen);
    for (size_t i = 0; i < chosen.count && f->q.asked.count < BELIEVED_ASKED; i++)
        if (binding_may_ask(f->b, pick, &chosen.entry[i]->holder.id))
            binding_ask(f->b, &f->q.asked, &chosen.entry[i]->holder.id, m);
}

/* The rendezvous nearest to the pipe; when we are one ourselves, only if it is nearer. */
static void ask_relay(struct forward *f, const struct pick *pick, const struct msg *m)
{
    struct node_id relay;
    const struct node_id *self = &f->b->host.self;
    if (binding_pick_relays(f->b, pick, &relay, 1) == 1 &&
        (!f->b->index || xor_nearer(f->q.want.pipe.b, &relay, self, TAG_BYTES)))
        binding_ask(f->b, &f->q.asked, &relay, m);
}

static void ask_others(struct forward *f, const struct pick *pick, const struct msg *m)
{
    struct node_id peer[FAN_OUT];
    size_t n = binding_pick(f->b, pick, peer, FAN_OUT);
    for (size_t i = 0; i < n; i++)
        binding_ask(f->b, &f->q.asked, &peer[i], m);
}

/* Passes a query on to whom it is worth it. `is_known`: there is something to answer even if they are silent. */
static bool pass_on(struct forward *f, struct msg *m, bool is_known)
{
    uint8_t hops = m->query.hops--;
    m->query.visited[m->query.visited_count++] = f->b->host.self;
    struct pick pick = {.asked = &f->q.asked, .q = &m->query, .from = &f->origin};
    ask_believed(f, &pick, m);
    bool enough = f->q.asked.count > 0 || is_known;
    if (f->b->index ? !(enough && f->q.want.owned) : !enough && hops > 1)
        ask_relay(f, &pick, m); /* of a shared pipe that one knows all binders */
    if (f->q.asked.count == 0 && !is_known && !f->b->index && hops > 1)
        ask_others(f, &pick, m);
    f->b->counts.forwarded += f->q.asked.count;
    binding_timer(f->b, &f->timer, binding_now(f->b) + (is_known ? STALE_WAIT : QUERY_TIMEOUT / 2));
    return f->q.asked.count > 0;
}

/* ---- questions as they come */

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

/* Is it bound here? Then we name ourselves, and for a shared pipe others that we know of. */
static bool answer_for_us(struct binding *b, const struct node_id *from, const struct question *q)
{
    struct pipe_entry local;
    struct chosen chosen = {.count = 0};
    if (!binding_local(b, &q->want, &local))
        return false;
    if (!q->want.owned)
        binding_choose(b, q, live, &chosen);
    chosen_add(b, &chosen, &local);
    answer(b, from, q, &chosen);
    return true;
}

void binding_on_query(struct binding *b, const struct node_id *from, const struct msg *m)
{
    b->counts.queries_heard++;
    if (seen_before(b, &m->query))
        return;
    struct question q = {.query = m->query.query,
                         .want = {.pipe = m->query.pipe,
                                  .type = m->query.type,
                                  .transport = m->query.transport,
                                  .owned = m->query.wanted_count > 0,
                                  .owner = *choose_wanted(b, &m->query)},
                         .started = binding_now(b)};
    binding_look_up(b, &q.want);
    if (answer_for_us(b, from, &q))
        return;
    struct chosen known;
    binding_choose(b, &q, live, &known);
    bool far = m->query.hops == 0 || m->query.visited_count >= QUERY_VISITED_MAX;
    struct forward *f = far ? NULL : forward_new(b, from, &q);
    struct msg *copy = f ? malloc(sizeof *copy) : NULL;
    if (copy)
        *copy = *m;
    bool passed_on = copy && pass_on(f, copy, known.count > 0);
    free(copy);
    if (passed_on)
        return;
    answer(b, from, &q, &known);
    if (f)
        forward_drop(f);
}

/* ---- answers */

static void forward_answered(struct forward *f, const struct node_id *from, const struct msg_answer *a)
{
    struct binding *b = f->b;
    bool first = !f->q.found;
    enum verdict verdict = binding_believe(b, &f->q, false, from, a);
    if (verdict != VERDICT_YES && verdict != VERDICT_NO)
        return;
    if (f->q.asked.answers == f->q.asked.count || (verdict == VERDICT_YES && f->q.want.owned))
        forward_end(f);
    else if (verdict == VERDICT_YES && first)
        binding_timer(b, &f->timer, binding_now(b) + GATHER_BETWEEN);
}

void binding_on_answer(struct binding *b, const struct node_id *from, const struct msg *m)
{
    const struct msg_answer *a = &m->answer;
    for (struct resolve *r = b->resolves; r; r = r->next)
        if (tag_equal(&r->q.query, &a->query)) {
            resolve_answered(r, from, a);
            return;
        }
    struct forward *f = forward_find(b, &a->query);
    if (f)
        forward_answered(f, from, a);
    else
        b->counts.answers_refused++; /* late, or never asked */
}

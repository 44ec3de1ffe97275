/* The pipe binding protocol: questions of ours. See binding.h.
 *
 * A question goes to the owner of the pipe first, when it has one that is linked. Else, or when that is silent, it goes wide:
 * to those who were once known to have the pipe, to rendezvous nodes, for a shared pipe to peers that we trust (nobody else
 * would be believed), and where there is no rendezvous to a few others. When these say no or nothing, further ones are asked.
 * The first answer ends the question for an owned pipe; for a shared one further answers are waited for a moment.
 *
 * Invariants: (1) a question ends by QUERY_TIMEOUT; (2) no peer is asked twice; (3) where there are rendezvous nodes, at most
 * ASKED_WITH_RELAYS are asked in all. */
#include "binding_internal.h"

#include <stdlib.h>
#include <string.h>

enum { HOPS_NONE = 0, HOPS_TO_HOLDER = 1, HOPS_WIDE = 2 };

void resolve_drop(struct resolve *r)
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

/* ---- ends */

static void finish(struct resolve *r, struct binding_result *result)
{
    binding_done *done = r->done;
    void *arg = r->arg;
    result->asked = r->q.asked.count;
    result->elapsed = binding_now(r->b) - r->q.started;
    resolve_drop(r);
    done(arg, result);
}

static void fail(struct resolve *r, int err)
{
    struct binding_result result = {.err = err};
    if (err == ERR_NOT_FOUND)
        pipe_cache_drop(&r->b->cache, &r->q.want.pipe, NULL);
    finish(r, &result);
}

static void succeed(struct resolve *r, const struct chosen *chosen, bool cached)
{
    struct binding_result result = {.count = (uint8_t)chosen->count, .cached = cached};
    for (size_t i = 0; i < chosen->count; i++) {
        const struct pipe_entry *entry = chosen->entry[i];
        struct binding_holder *h = &result.holder[i];
        h->record = entry->holder;
        h->rank = entry->rank;
        h->count = entry->count;
        memcpy(h->endpoint, entry->endpoint, sizeof h->endpoint);
        h->answered_by = entry->told_by;
        h->expires = entry->expires;
    }
    finish(r, &result);
}

static bool ours(const struct binding *b, const struct question *q, const struct pipe_entry *entry)
{
    return q->want.owned || b->host.trusted(b->host.arg, &entry->holder.id);
}

static bool live(const struct binding *b, const struct question *q, const struct pipe_entry *entry)
{
    return entry->expires > binding_now(b) && ours(b, q, entry);
}

static bool told(const struct binding *b, const struct question *q, const struct pipe_entry *entry)
{
    return entry->heard_at >= q->started && ours(b, q, entry);
}

/* Ends with what was told since the question began. */
static void conclude(struct resolve *r)
{
    struct chosen chosen;
    const struct asked *asked = &r->q.asked;
    binding_choose(r->b, &r->q, told, &chosen);
    if (chosen.count > 0)
        succeed(r, &chosen, false);
    else if (asked->count == 0)
        fail(r, ERR_UNREACHABLE);
    else
        fail(r, asked->answers == asked->count ? ERR_NOT_FOUND : ERR_TIMEOUT);
}

/* Is it known here? Then it costs no message. */
static bool known(struct resolve *r)
{
    struct binding *b = r->b;
    struct pipe_entry local;
    struct chosen chosen = {.count = 1, .entry = {&local}};
    bool here = binding_local(b, &r->q.want, &local);
    if (!here) {
        binding_look_up(b, &r->q.want);
        binding_choose(b, &r->q, live, &chosen);
    }
    if (chosen.count > 0)
        succeed(r, &chosen, !here);
    return chosen.count > 0;
}

/* ---- asking */

static struct msg *query_of(const struct resolve *r)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return NULL; /* the deadline ends it */
    m->type = MSG_QUERY;
    m->query = (struct msg_query){.query = r->q.query,
                                  .pipe = r->q.want.pipe,
                                  .type = r->q.want.type,
                                  .transport = r->q.want.transport,
                                  .asker = r->b->host.self,
                                  .wanted_count = r->q.want.owned ? 1 : 0,
                                  .visited_count = 1};
    m->query.wanted[0] = r->q.want.owner;
    m->query.visited[0] = r->b->host.self;
    return m;
}

static size_t ask_all(struct resolve *r, struct msg *m, const struct node_id *peer, size_t count, uint8_t hops)
{
    size_t asked = 0;
    m->query.hops = hops;
    for (size_t i = 0; i < count; i++)
        asked += binding_ask(r->b, &r->q.asked, &peer[i], m);
    return asked;
}

/* How many more may be asked, of `most`, at once. */
static size_t room(const struct resolve *r, size_t most)
{
    size_t asked = r->q.asked.count, left = asked < most ? most - asked : 0;
    return left < FAN_OUT ? left : FAN_OUT;
}

static void ask_relays(struct resolve *r, struct msg *m, size_t max)
{
    struct node_id relay[RELAYS_ASKED];
    struct pick pick = {.asked = &r->q.asked, .q = &m->query};
    size_t count = binding_pick_relays(r->b, &pick, relay, max);
    r->relays = (uint8_t)(r->relays + ask_all(r, m, relay, count, HOPS_TO_HOLDER));
}

/* Those who had it bound when we last knew, and may still have it. */
static void ask_believed(struct resolve *r, struct msg *m)
{
    size_t count;
    struct pipe_entry *const *entry = pipe_cache_of(&r->b->cache, &r->q.want.pipe, &count);
    for (size_t i = 0; i < count && r->q.asked.count < ANSWER_HOLDERS_MAX; i++)
        if (ours(r->b, &r->q, entry[i]) && !was_asked(&r->q.asked, &entry[i]->holder.id))
            ask_all(r, m, &entry[i]->holder.id, 1, HOPS_NONE);
}

/* Up to `max` peers that have not been asked; for a shared pipe those first that we trust. */
static void ask_peers(struct resolve *r, struct msg *m, bool any, size_t max)
{
    struct node_id peer[FAN_OUT];
    struct pick pick = {.asked = &r->q.asked, .q = &m->query, .trusted = true};
    uint8_t hops = m->query.hops;
    if (!r->q.want.owned)
        max -= ask_all(r, m, peer, binding_pick(r->b, &pick, peer, max), hops);
    pick.trusted = false;
    if (any && max > 0)
        ask_all(r, m, peer, binding_pick(r->b, &pick, peer, max), hops);
}

static void go_wide(struct resolve *r)
{
    struct msg *m = query_of(r);
    r->wide = true;
    if (m) {
        ask_relays(r, m, r->q.want.owned ? RELAYS_ASKED : 1);
        ask_believed(r, m);
        m->query.hops = r->relays > 0 ? HOPS_NONE : HOPS_WIDE;
        ask_peers(r, m, r->relays == 0, room(r, r->relays > 0 ? SHARED_AT_ONCE : ASKED_MAX));
    }
    free(m);
    binding_timer(r->b, &r->timer, binding_now(r->b) + ROUND_WAIT);
}

/* Those who were asked have said no, or nothing: another rendezvous is asked, or when there is none, other peers. */
static void go_on(struct resolve *r)
{
    struct msg *m = query_of(r);
    size_t before = r->q.asked.count;
    uint64_t next = binding_now(r->b) + ROUND_WAIT;
    if (m && r->relays > 0 && r->relays < RELAYS_ASKED)
        ask_relays(r, m, 1);
    if (m && r->q.asked.count == before) {
        m->query.hops = HOPS_TO_HOLDER;
        ask_peers(r, m, true, room(r, r->relays > 0 ? ASKED_WITH_RELAYS : ASKED_MAX));
    }
    free(m);
    bool more = r->q.asked.count > before;
    if (!more && r->q.asked.answers == r->q.asked.count)
        conclude(r);
    else
        binding_timer(r->b, &r->timer, more && next < r->deadline ? next : r->deadline);
}

static void begin(struct resolve *r)
{
    struct msg *m = r->q.want.owned ? query_of(r) : NULL;
    bool sent = m && ask_all(r, m, &r->q.want.owner, 1, HOPS_NONE) == 1;
    free(m);
    if (sent)
        binding_timer(r->b, &r->timer, r->q.started + DIRECTED_WAIT);
    else
        go_wide(r);
    if (r->q.asked.count == 0)
        conclude(r);
}

/* The question's only timer: it starts it, widens it, and ends it. */
static void resolve_tick(void *arg)
{
    struct resolve *r = arg;
    if (binding_now(r->b) >= r->deadline || r->q.found)
        conclude(r);
    else if (r->wide)
        go_on(r);
    else if (r->q.asked.count > 0)
        go_wide(r);
    else if (!known(r))
        begin(r);
}

/* ---- answers */

static void answered_yes(struct resolve *r, bool first)
{
    bool all = r->q.asked.answers == r->q.asked.count;
    if (r->q.want.owned || all)
        conclude(r);
    else if (first) {
        uint64_t at = binding_now(r->b) + GATHER_WAIT;
        binding_timer(r->b, &r->timer, at < r->deadline ? at : r->deadline);
    }
}

static void answered_no(struct resolve *r, const struct node_id *from)
{
    bool all = r->q.asked.answers == r->q.asked.count;
    if (r->q.want.owned && id_equal(from, &r->q.want.owner))
        fail(r, ERR_NOT_FOUND); /* it must know */
    else if (all && r->q.found)
        conclude(r);
    else if (all && r->wide)
        go_on(r);
    else if (all)
        go_wide(r);
}

void resolve_answered(struct resolve *r, const struct node_id *from, const struct msg_answer *a)
{
    bool first = !r->q.found;
    switch (binding_believe(r->b, &r->q, true, from, a)) {
    case VERDICT_YES: answered_yes(r, first); break;
    case VERDICT_NO: answered_no(r, from); break;
    case VERDICT_IGNORED:
    case VERDICT_LIE: break; /* the timer goes on without it */
    }
}

/* ---- questions */

int binding_resolve(struct binding *b, const struct binding_want *want, binding_done *done, void *arg)
{
    if (b->outstanding >= QUERIES_MAX)
        return ERR_FULL;
    struct resolve *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->b = b;
    r->q.want = *want;
    r->q.started = binding_now(b);
    r->done = done;
    r->arg = arg;
    r->deadline = r->q.started + QUERY_TIMEOUT;
    b->host.port->random(b->host.port->self, r->q.query.b, TAG_BYTES);
    timer_init(&r->timer, resolve_tick, r);
    r->next = b->resolves;
    b->resolves = r;
    b->outstanding++;
    binding_timer(b, &r->timer, r->q.started);
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

/* Registering: what is bound here is made known to the rendezvous nodes nearest to us, so that others can find it.
 *
 * Near is by XOR of ids: so every node can tell which of the rendezvous nodes that it knows is meant. For each of two there is
 * a struct target, which is told of everything that is bound, and then of changes, one REGISTER at a time.
 *
 * Invariants: (1) one request to a target is out at once; (2) a target that is not told of something has next_at, or is not
 * linked: then it is told when the link comes up; (3) after a failure it is told everything anew, not sooner than
 * REGISTRAR_WAIT. */
#include "registrar.h"

#include <stdlib.h>
#include <string.h>

size_t links_relays(struct core *core, struct node_id *out, size_t max)
{
    size_t n = 0;
    for (struct link *l = core->links; l && n < max; l = l->next) {
        if (l->state.now != LINK_UP || l->relayed || !(l->peer->record.roles & ROLE_RELAY))
            continue;
        size_t i = l->peer->connected > 1 ? 0 : n; /* it may be there already */
        while (i < n && !id_equal(&out[i], &l->peer->id))
            i++;
        if (i == n)
            out[n++] = l->peer->id;
    }
    return n;
}

const struct node_id *registrar_nearest(const uint8_t *to, size_t n, const struct node_id *ids, size_t count)
{
    const struct node_id *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (!best || xor_nearer(to, &ids[i], best, n))
            best = &ids[i];
    return best;
}

static void soon(struct core *core, uint64_t after)
{
    struct timer *t = &core->registrar->timer;
    uint64_t at = core_now(core) + after;
    if (t->slot == TIMER_IDLE || t->at > at)
        core->port->timer_set(core->port->self, t, at);
}

/* ---- telling a target */

static void start_afresh(struct target *t, uint64_t at)
{
    t->afresh = true;
    t->told = 0;
    t->gone_count = 0;
    t->next_at = at;
}

static bool all_told(const struct target *t)
{
    struct registered_pipe one;
    uint64_t after = t->told;
    return !t->afresh && t->gone_count == 0 && binding_list(t->core->binding, &after, &one, 1) == 0;
}

/* It granted less than was asked for, or has lost something: it is told anew when it is time to renew. */
static void told(struct target *t, const struct msg_register_ok *ok)
{
    uint64_t now = core_now(t->core);
    t->next_at = now + (ok->life_s > 1 ? ok->life_s : 1) * SECOND / 2;
    if (t->afresh)
        t->afresh = false;
    else if (all_told(t) && ok->kept != binding_bound_count(t->core->binding))
        start_afresh(t, ok->kept == 0 ? now + REGISTRAR_WAIT : t->next_at);
}

static void target_done(void *arg, const struct msg *m, const struct fault *fault)
{
    struct target *t = arg;
    t->asking = false;
    if (m) {
        told(t, &m->registered_ok);
    } else {
        log_write(t->core->log, LOG_DEBUG, "registrar", "%s does not register: %s", id_short(&t->relay).s, fault->text);
        start_afresh(t, core_now(t->core) + REGISTRAR_WAIT);
    }
    soon(t->core, 0);
}

/* The next thing that it has to be told; false when there is none. */
static bool next_message(struct target *t, struct msg_register *reg)
{
    uint64_t now = core_now(t->core);
    bool waiting = t->next_at > now;
    if (t->afresh)
        return !waiting; /* forget all */
    if (t->gone_count > 0) {
        memcpy(reg->pipe, t->gone, t->gone_count * sizeof *t->gone);
        reg->count = (uint16_t)t->gone_count;
        t->gone_count = 0;
        return true;
    }
    reg->life_s = LEASE_LIFE_MAX_S;
    reg->count = (uint16_t)binding_list(t->core->binding, &t->told, reg->pipe, REGISTER_PIPES_MAX);
    return reg->count > 0 || (!waiting && t->told > 0);
}

static void tell(struct target *t)
{
    struct peer *peer = peers_find(t->core->peers, &t->relay);
    struct link *link = peer ? link_direct(peer) : NULL;
    struct msg *m = link && !t->asking ? calloc(1, sizeof *m) : NULL;
    if (m)
        m->type = MSG_REGISTER;
    if (m && next_message(t, &m->registered)) {
        t->asking = ask(link, m, MSG_REGISTER_OK, REGISTRAR_TIMEOUT, target_done, t) == 0;
        if (!t->asking)
            start_afresh(t, core_now(t->core) + REGISTRAR_WAIT);
    }
    free(m);
}

/* ---- choosing targets */

static struct target *target_of(struct registrar *g, const struct node_id *relay)
{
    for (size_t i = 0; i < REGISTERED_WITH; i++)
        if (g->target[i].used && id_equal(&g->target[i].relay, relay))
            return &g->target[i];
    return NULL;
}

static void target_drop(struct target *t)
{
    ask_cancel(t->core, t);
    memset(t, 0, sizeof *t);
}

/* The nearest ones that are linked. */
static size_t nearest_linked(struct core *core, struct node_id chosen[REGISTERED_WITH])
{
    struct node_id relay[LINKS_MAX];
    const struct node_id *best;
    const uint8_t *self = core->config.identity->id.b;
    size_t count = links_relays(core, relay, LINKS_MAX), n = 0;
    while (n < REGISTERED_WITH && (best = registrar_nearest(self, NODE_ID_BYTES, relay, count))) {
        chosen[n++] = *best;
        relay[best - relay] = relay[--count];
    }
    return n;
}

static bool is_among(const struct node_id *id, const struct node_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (id_equal(&ids[i], id))
            return true;
    return false;
}

/* Who is a target no longer forgets us when the lease ends. */
static void choose_targets(struct core *core)
{
    struct registrar *g = core->registrar;
    struct node_id chosen[REGISTERED_WITH];
    size_t n = nearest_linked(core, chosen);
    for (size_t i = 0; i < REGISTERED_WITH; i++)
        if (g->target[i].used && !is_among(&g->target[i].relay, chosen, n))
            target_drop(&g->target[i]);
    for (size_t k = 0; k < n; k++) {
        struct target *t = target_of(g, &chosen[k]) ? NULL : g->target[0].used ? &g->target[1] : &g->target[0];
        if (!t)
            continue;
        *t = (struct target){.core = core, .used = true, .relay = chosen[k]};
        start_afresh(t, 0);
    }
}

static void tick(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core), next = TIMER_NEVER;
    if (core->stopping)
        return;
    choose_targets(core);
    for (size_t i = 0; i < REGISTERED_WITH; i++) {
        struct target *t = &core->registrar->target[i];
        if (t->used)
            tell(t);
        if (t->used && !t->asking && t->next_at > now && t->next_at < next)
            next = t->next_at;
    }
    if (next != TIMER_NEVER)
        soon(core, next - now);
}

/* ---- events */

void registrar_pipe_changed(struct core *core, const struct tag *pipe, bool bound)
{
    struct registrar *g = core->registrar;
    if (!g || core->stopping)
        return;
    for (size_t i = 0; i < REGISTERED_WITH && !bound; i++) {
        struct target *t = &g->target[i];
        if (!t->used || t->afresh)
            continue;
        if (t->gone_count < REGISTER_PIPES_MAX)
            t->gone[t->gone_count++].pipe = *pipe;
        else
            start_afresh(t, 0);
    }
    soon(core, REGISTRAR_GATHER);
}

void registrar_link_changed(struct core *core, const struct peer *peer)
{
    if (!core->registrar || core->stopping)
        return;
    if (peer->connected == 0)
        registrar_index_client_lost(core, peer);
    if (!(peer->record.roles & ROLE_RELAY))
        return;
    soon(core, REGISTRAR_GATHER);
    registrar_index_relay_changed(core, &peer->id);
}

int registrar_new(struct core *core)
{
    core->registrar = calloc(1, sizeof *core->registrar);
    if (!core->registrar)
        return ERR_NOMEM;
    timer_init(&core->registrar->timer, tick, core);
    registrar_index_new(core);
    return 0;
}

void registrar_free(struct core *core)
{
    if (!core->registrar)
        return;
    for (size_t i = 0; i < REGISTERED_WITH; i++)
        if (core->registrar->target[i].used)
            target_drop(&core->registrar->target[i]);
    core_cancel(core, &core->registrar->timer);
    registrar_index_free(core);
    free(core->registrar);
    core->registrar = NULL;
}

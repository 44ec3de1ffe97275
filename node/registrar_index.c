/* A rendezvous: what others have bound is kept in the index, and passed on to the rendezvous nearest to each pipe, where a
 * question for it comes too. See registrar.h and discovery/rendezvous.h.
 *
 * A node registers its own pipes over its own link, which proves who it is. A rendezvous passes on what was registered so, and
 * nothing else, with the holder's signed record: a registration travels one hop.
 *
 * Invariants: (1) a pipe is passed on when passed_on is false, by pass_timer; (2) one turn of it sends at most PASS_MAX
 * messages; (3) signature checks on records that are passed on have a budget of their own. */
#include "registrar.h"

#include <stdlib.h>
#include <string.h>

#define PASS_MAX 64
#define SWEEP (10 * SECOND)

static void soon(struct core *core, uint64_t after)
{
    struct timer *t = &core->registrar->pass_timer;
    uint64_t at = core_now(core) + after;
    if (t->slot == TIMER_IDLE || t->at > at)
        core->port->timer_set(core->port->self, t, at);
}

/* ---- passing on */

/* The rendezvous that a pipe belongs to: the nearest, or NULL when that is this node. */
static const struct node_id *place_for(const struct core *core, const struct tag *pipe, const struct node_id *relay,
                                       size_t count)
{
    const struct node_id *best = registrar_nearest(pipe->b, TAG_BYTES, relay, count);
    return best && xor_nearer(pipe->b, best, &core->config.identity->id, TAG_BYTES) ? best : NULL;
}

/* A REGISTER under way; it outlives the lease that it tells of. */
struct pass {
    struct core *core;
    struct node_id holder;
};

/* All of it is to be passed on, once more. */
static void lease_pass_on(struct lease *lease)
{
    for (struct registered *p = lease->pipes; p; p = p->next)
        p->passed_on = false;
    lease->passed_on = false;
}

static void pass_again(struct core *core, const struct node_id *holder)
{
    struct lease *lease = rendezvous_lease_of(binding_index(core->binding), holder, holder);
    if (lease)
        lease_pass_on(lease);
    soon(core, REGISTRAR_RETRY);
}

static void pass_done(void *arg, const struct msg *m, const struct fault *fault)
{
    struct pass *pass = arg;
    bool later = !m && (fault->code == ERR_LIMIT || fault->code == ERR_TIMEOUT); /* else when it is renewed */
    if (later && !pass->core->stopping)
        pass_again(pass->core, &pass->holder);
    free(pass);
}

/* Its holder, when its newest record is of the life that registered: only that may travel with these pipes. */
static const struct peer *holder_now(struct core *core, const struct lease *lease)
{
    const struct peer *peer = peers_find(core->peers, &lease->holder);
    return peer && peer->has_record && peer->record.incarnation == lease->incarnation ? peer : NULL;
}

static bool pass_send(struct core *core, const struct node_id *to, const struct lease *lease, struct msg *m)
{
    struct peer *peer = peers_find(core->peers, to);
    const struct peer *holder = holder_now(core, lease);
    struct link *link = peer ? link_direct(peer) : NULL;
    struct pass *pass = link && holder ? calloc(1, sizeof *pass) : NULL;
    if (!pass)
        return false;
    *pass = (struct pass){.core = core, .holder = lease->holder};
    m->type = MSG_REGISTER;
    m->registered.holder = holder->signed_record;
    bool sent = ask(link, m, MSG_REGISTER_OK, REGISTRAR_TIMEOUT, pass_done, pass) == 0;
    if (!sent)
        free(pass);
    return sent;
}

/* Gathers a lease's pipes that are to go where the first of them goes. NULL when there are none. */
static const struct node_id *gather(struct core *core, struct lease *lease, const struct node_id *relay, size_t count,
                                    struct msg_register *reg)
{
    const struct node_id *to = NULL;
    reg->count = 0;
    for (struct registered *p = lease->pipes; p && reg->count < REGISTER_PIPES_MAX; p = p->next) {
        const struct node_id *place = p->passed_on ? NULL : place_for(core, &p->pipe.pipe, relay, count);
        if (place && id_equal(place, &lease->holder))
            place = NULL; /* it knows */
        p->passed_on = p->passed_on || !place || place == to;
        if (!to && place) {
            to = place;
            p->passed_on = true;
        }
        if (place && place == to)
            reg->pipe[reg->count++] = p->pipe;
    }
    return to;
}

/* One turn of passing on. */
struct turn {
    struct core *core;
    struct node_id relay[LINKS_MAX];
    size_t count;
    size_t sent;
    struct msg m;
};

static void pass_lease(struct turn *t, struct lease *lease, uint64_t now)
{
    const struct node_id *to = NULL;
    uint64_t left = (lease->expires - now) / SECOND;
    t->m.registered.life_s = (uint32_t)(left > 0 ? left : 1);
    while (t->sent < PASS_MAX && (to = gather(t->core, lease, t->relay, t->count, &t->m.registered))) {
        if (!pass_send(t->core, to, lease, &t->m)) {
            pass_again(t->core, &lease->holder);
            return;
        }
        t->sent++;
    }
    lease->passed_on = to == NULL;
}

/* A record that is gone, or of a later life, ends the lease. */
static void sweep(struct core *core, struct rendezvous *index, uint64_t now)
{
    struct rendezvous_counts counts;
    rendezvous_expire(index, now);
    rendezvous_counts(index, &counts);
    for (size_t i = counts.leases; i-- > 0;) {
        struct lease *lease = rendezvous_lease(index, i);
        if (!holder_now(core, lease))
            rendezvous_end(index, lease);
    }
    core->registrar->sweep_at = now + SWEEP;
}

static bool pass_leases(struct core *core, struct rendezvous *index, uint64_t now)
{
    struct rendezvous_counts counts;
    struct turn *t = calloc(1, sizeof *t);
    if (!t)
        return false;
    t->core = core;
    t->count = links_relays(core, t->relay, LINKS_MAX);
    rendezvous_counts(index, &counts);
    for (size_t i = 0; i < counts.leases; i++) {
        struct lease *lease = rendezvous_lease(index, i);
        bool due = !lease->passed_on && lease->expires > now && id_equal(&lease->holder, &lease->via);
        if (due && t->sent < PASS_MAX && holder_now(core, lease))
            pass_lease(t, lease, now);
    }
    bool all = t->sent < PASS_MAX;
    free(t);
    return all;
}

static void pass_tick(void *arg)
{
    struct core *core = arg;
    struct rendezvous *index = binding_index(core->binding);
    uint64_t now = core_now(core);
    if (core->stopping)
        return;
    if (now >= core->registrar->sweep_at)
        sweep(core, index, now);
    soon(core, pass_leases(core, index, now) ? SWEEP : REGISTRAR_GATHER);
}

/* Pipes that belong to this rendezvous, or did. */
void registrar_index_relay_changed(struct core *core, const struct node_id *relay)
{
    struct rendezvous *index = binding_index(core->binding);
    struct rendezvous_counts counts = {.leases = 0};
    if (index)
        rendezvous_counts(index, &counts);
    for (size_t i = 0; i < counts.leases; i++) {
        struct lease *lease = rendezvous_lease(index, i);
        for (struct registered *p = lease->pipes; p; p = p->next)
            if (xor_nearer(p->pipe.pipe.b, relay, &core->config.identity->id, TAG_BYTES))
                p->passed_on = lease->passed_on = false;
    }
    if (index)
        soon(core, REGISTRAR_GATHER);
}

/* It may be back in a moment, and registers anew then; when it said goodbye it will not. That is passed on too. */
void registrar_index_client_lost(struct core *core, const struct peer *peer)
{
    struct rendezvous *index = binding_index(core->binding);
    struct rendezvous_counts counts = {.leases = 0};
    uint64_t end = core_now(core) + (peer->gone ? SECOND : REGISTRAR_LOST);
    if (index)
        rendezvous_counts(index, &counts);
    for (size_t i = 0; i < counts.leases; i++) {
        struct lease *lease = rendezvous_lease(index, i);
        if (!id_equal(&lease->via, &peer->id) || lease->expires <= end)
            continue;
        lease->expires = end;
        lease_pass_on(lease);
        soon(core, REGISTRAR_GATHER);
    }
}

/* ---- taking */

static int fault_of(struct link *link, const struct msg *m, int err, const char *text)
{
    link_error(link, m->request, err, text);
    return err;
}

/* Is it a record that was verified before? */
static bool is_known(struct core *core, const struct record_bytes *bytes)
{
    struct record record;
    const struct peer *peer = record_decode(bytes, &record) == 0 ? peers_find(core->peers, &record.id) : NULL;
    return peer && peer_has_record(peer, bytes);
}

/* Whose pipes are they, and of which life? */
static int holder_of(struct link *link, const struct msg *m, struct registration *reg)
{
    struct core *core = link->core;
    struct record record = link->peer->record;
    if (m->registered.holder.len > 0) {
        if (!(link->peer->record.roles & ROLE_RELAY))
            return fault_of(link, m, ERR_REFUSED, "only a rendezvous passes on what others have bound");
        if (!is_known(core, &m->registered.holder) && !bucket_take(&core->registrar->checks, core_now(core)))
            return fault_of(link, m, ERR_LIMIT, "too many records at once; try again in a moment");
        if (core_take_record(core, &m->registered.holder, &record) != 0)
            return fault_of(link, m, ERR_VERIFY, "the holder's record is not signed, or an older one");
    }
    const struct peer *peer = peers_find(core->peers, &record.id);
    reg->holder = record.id;
    reg->via = link->peer->id;
    reg->incarnation = record.incarnation;
    reg->trusted = peer && peer->trusted;
    return 0;
}

/* Tells the rendezvous nodes nearest to pipes that they are not bound any more. What is not told ends with the lease. */
static void pass_withdrawal(struct core *core, struct lease *lease, const struct msg_register *gone)
{
    struct node_id relay[LINKS_MAX];
    size_t count = links_relays(core, relay, LINKS_MAX);
    struct msg *m = calloc(1, sizeof *m);
    for (size_t r = 0; m && r < count; r++) {
        m->registered.life_s = 0;
        m->registered.count = 0;
        for (size_t i = 0; i < gone->count; i++)
            if (place_for(core, &gone->pipe[i].pipe, relay, count) == &relay[r])
                m->registered.pipe[m->registered.count++] = gone->pipe[i];
        if (m->registered.count > 0)
            pass_send(core, &relay[r], lease, m);
    }
    free(m);
}

/* The first of a lease's pipes. */
static void first_pipes(const struct lease *lease, struct msg_register *out)
{
    out->count = 0;
    for (const struct registered *p = lease->pipes; p && out->count < REGISTER_PIPES_MAX; p = p->next)
        out->pipe[out->count++] = p->pipe;
}

static void withdraw_these(struct core *core, struct lease *lease, const struct msg_register *gone)
{
    if (id_equal(&lease->holder, &lease->via))
        pass_withdrawal(core, lease, gone);
    for (size_t i = 0; i < gone->count; i++)
        binding_forget(core->binding, &gone->pipe[i].pipe, &lease->holder);
    rendezvous_withdraw(binding_index(core->binding), lease, gone->pipe, gone->count);
}

/* These pipes, or all. How many are left. */
static uint32_t withdraw(struct core *core, const struct registration *reg, const struct msg_register *what)
{
    struct rendezvous *index = binding_index(core->binding);
    struct lease *lease = rendezvous_lease_of(index, &reg->holder, &reg->via);
    struct msg_register *all = what->count == 0 ? calloc(1, sizeof *all) : NULL;
    while (all && lease) {
        first_pipes(lease, all);
        withdraw_these(core, lease, all);
        lease = rendezvous_lease_of(index, &reg->holder, &reg->via);
    }
    free(all);
    if (lease)
        withdraw_these(core, lease, what);
    lease = rendezvous_lease_of(index, &reg->holder, &reg->via);
    return lease ? lease->count : 0;
}

void registrar_on_register(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    struct rendezvous *index = binding_index(core->binding);
    struct registration reg = {.now = core_now(core), .count = m->registered.count, .pipe = m->registered.pipe};
    struct msg ok = {.type = MSG_REGISTER_OK, .request = m->request, .registered_ok = {.life_s = m->registered.life_s}};
    int err = 0;
    if (!bucket_take(&link->queries, reg.now))
        err = fault_of(link, m, ERR_LIMIT, "too many registrations at once; try again in a moment");
    else if (!index)
        err = fault_of(link, m, ERR_UNSUPPORTED, "this node is no rendezvous");
    if (err || holder_of(link, m, &reg) != 0)
        return;
    reg.expires = reg.now + m->registered.life_s * SECOND;
    if (m->registered.life_s == 0)
        ok.registered_ok.kept = withdraw(core, &reg, &m->registered);
    else
        err = rendezvous_register(index, &reg, &ok.registered_ok.kept);
    if (err) {
        fault_of(link, m, err, "this rendezvous cannot keep more");
        return;
    }
    struct lease *lease = reg.count == 0 ? rendezvous_lease_of(index, &reg.holder, &reg.via) : NULL;
    if (lease && m->registered.life_s > 0)
        lease_pass_on(lease); /* renewed here, so to be renewed there */
    soon(core, REGISTRAR_GATHER);
    link_send(link, &ok);
}

void registrar_index_new(struct core *core)
{
    timer_init(&core->registrar->pass_timer, pass_tick, core);
    bucket_init(&core->registrar->checks, BEACON_CHECKS_PER_S, 2 * BEACON_CHECKS_PER_S, core_now(core));
}

void registrar_index_free(struct core *core)
{
    core_cancel(core, &core->registrar->pass_timer);
}

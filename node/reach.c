/* From a pipe to a link that it is bound to.
 *
 * The way that everything between two nodes goes: ask who has the pipe bound (a query of the binding protocol, over any
 * link), then bind to one of the endpoints in the answer: one that we are connected to already, else the winner of a race
 * between all of them, else, when none can be dialled from here, a connection that the holder made to us. Of several holders
 * the best one that can be linked is taken.
 *
 * Endpoints may be relays. What goes through one is opened for a handle: that of the share that is wanted; for a pipe the
 * one of its name, in case that is a share; for all else the node's. When nobody can be asked who has an owned pipe bound, its
 * owner's record says through which relays the owner can be reached: it is tried there.
 *
 * Invariants: (1) `done` is called once, never from inside reach_pipe; (2) a reach waits for the owner's link, for the query
 * or for a race, and its timer bounds them all together; (3) the pipe of a relay is never reached through a relay. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

#define REACH_DEADLINE (8 * SECOND)
#define REACH_INBOUND_AFTER (300 * MILLISECOND) /* a race is given this long before the holder's own link to us will do */

struct reach {
    struct reach *next;
    struct core *core;
    struct peer *owner; /* NULL: a shared pipe, or one of a node that we have never heard of */
    struct peer *peer;  /* the holder in hand */
    struct binding_want want;
    bool begun;       /* the first turn is over */
    bool asked;       /* the query is out */
    bool racing;      /* the endpoints of the holder in hand are being dialled */
    bool connected;   /* relays will not do */
    bool is_share;    /* want.name is a share's, for certain */
    struct fault why; /* what relays said */
    bool avoiding;
    struct node_id avoid;
    struct binding_result binding;
    uint8_t turn; /* holders that were tried */
    uint64_t deadline;
    struct timer timer;
    reach_done *done;
    void *arg;
};

static void hold(struct peer **at, struct peer *peer)
{
    if (*at)
        (*at)->busy--;
    *at = peer;
    if (peer)
        peer->busy++;
}

/* Ends all that it waits for, and leaves the list. */
static void reach_unlink(struct reach *r)
{
    struct core *core = r->core;
    core_cancel(core, &r->timer);
    binding_cancel(core->binding, r);
    race_cancel(core, r);
    struct reach **at = &core->reaches;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    hold(&r->owner, NULL);
    hold(&r->peer, NULL);
}

/* `done` may reach and cancel anew, and reads the binding meanwhile. */
static void reach_end(struct reach *r, struct reached *result)
{
    reach_unlink(r);
    result->binding = &r->binding;
    r->done(r->arg, result);
    free(r);
}

static void reach_found(struct reach *r, struct link *link)
{
    struct reached result = {.link = link, .holder = &r->binding.holder[r->turn - 1]};
    link->used_at = core_now(r->core);
    reach_end(r, &result);
}

/* What a relay said, and of whom. */
static void refused_by_relay(const struct reach *r, const char *label, struct fault *fault)
{
    fault_set(fault, (int)r->why.code, "%s%s%s cannot be reached through a relay: %.*s", label, r->is_share ? ":" : "",
              r->is_share ? r->want.name : "", FAULT_TEXT - 256, r->why.text);
}

static void reach_failed(struct reach *r, int code)
{
    struct reached result = {.link = NULL};
    struct peer *whom = r->owner ? r->owner : r->peer;
    char label[NAME_MAX_BYTES + 1] = "its holder";
    if (whom)
        peer_label(whom, label);
    if (code == ERR_NOT_FOUND && r->owner)
        fault_set(&result.fault, code, "%s says that nobody has this pipe bound", label);
    else if (code == ERR_NOT_FOUND)
        fault_set(&result.fault, code, "nobody has this pipe bound: all %u peers that were asked say so", r->binding.asked);
    else if (code == ERR_FULL || code == ERR_NOMEM)
        fault_set(&result.fault, code, "this node has too much in work to ask for a pipe: %s", err_text(code));
    else if (r->why.code)
        refused_by_relay(r, label, &result.fault);
    else if (whom)
        fault_set(&result.fault, code, "%s cannot be reached: no endpoint of it answered; is it up? See 'weft doctor %s'",
                  label, label);
    else if (code == ERR_TIMEOUT)
        fault_set(&result.fault, code, "nobody answered who has this pipe bound: %u peers were asked", r->binding.asked);
    else
        fault_set(&result.fault, code, "there is nobody to ask for this pipe: no peer is linked; see 'weft doctor'");
    reach_end(r, &result);
}

/* ---- binding to an endpoint */

static struct tag handle_for(const struct reach *r)
{
    return handle_of(&r->peer->id, r->want.owned ? r->want.name : "");
}

/* A link to the holder in hand that was not dialled for this. Which transport an inbound one came by is not known here. For the
 * node as such even a session will do that the holder began. */
static struct link *link_of_holder(const struct reach *r)
{
    struct tag handle = handle_for(r);
    if (r->want.transport != TRANSPORT_ANY)
        return NULL;
    if (r->connected)
        return link_direct(r->peer);
    return r->is_share ? link_for(r->core, r->peer, &handle) : link_to(r->core, r->peer);
}

/* The same after a race that was not won: that its endpoints do not answer is remembered. */
static struct link *link_by_holder(struct reach *r)
{
    struct link *link = link_of_holder(r);
    if (link && link->inbound && !link->relayed)
        peer_is_shut(r->core, r->peer);
    return link;
}

/* One that need not be made: to one of these endpoints, or else the very session that would be begun. */
static struct link *link_at_once(const struct reach *r, const struct endpoint *usable, size_t n)
{
    struct link *link = link_direct(r->peer);
    struct tag handle = handle_for(r);
    if (!link)
        return r->want.transport != TRANSPORT_ANY || r->connected ? NULL : link_for(r->core, r->peer, &handle);
    for (size_t i = 0; i < n; i++) {
        struct link *there = link_at(r->core, r->peer, usable[i].text);
        if (there)
            return there;
    }
    return core_now(r->core) < r->peer->shut_until ? link_of_holder(r) : NULL;
}

/* The endpoints of a holder that can be tried: relays only where there is no connection. */
static size_t endpoints_for(const struct reach *r, const struct binding_holder *holder, struct endpoint *out)
{
    bool relays = !r->connected && r->peer->connected == 0;
    size_t n = 0;
    for (size_t i = 0; i < holder->count; i++) {
        const struct endpoint *e = &holder->endpoint[i];
        if (endpoint_usable(r->core, &r->peer->id, e) && (relays || e->transport != TRANSPORT_RELAY))
            out[n++] = *e;
    }
    return n;
}

static void raced(void *arg, struct link *link, const struct fault *why);

static bool race_for(struct reach *r, const struct endpoint *usable, size_t n)
{
    struct core *core = r->core;
    if (n == 0 || race_start(core, r->peer, usable, n, false, raced, r) != 0)
        return false;
    race_use(core, r, r->want.owned ? r->want.name : "", r->want.owned && r->want.name[0] && !r->is_share);
    r->racing = true;
    core_timer(core, &r->timer, link_of_holder(r) ? REACH_INBOUND_AFTER : r->deadline - core_now(core));
    return true;
}

/* Binds to an endpoint of a holder. False: it is not to be linked. */
static bool try_holder(struct reach *r, const struct binding_holder *holder)
{
    struct core *core = r->core;
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    struct peer *peer;
    struct link *link;
    if (id_equal(&holder->record.id, &core->config.identity->id)) {
        link = link_here(core);
        if (link)
            reach_found(r, link);
        return link != NULL;
    }
    if (peers_add(core->peers, &holder->record.id, &peer) != 0)
        return false;
    hold(&r->peer, peer);
    size_t n = endpoints_for(r, holder, usable);
    link = link_at_once(r, usable, n);
    if (!link && race_for(r, usable, n))
        return true;
    if (!link)
        link = link_of_holder(r); /* none can be dialled from here, but it reached us */
    if (link)
        reach_found(r, link);
    return link != NULL;
}

static void next_holder(struct reach *r)
{
    while (r->turn < r->binding.count) {
        const struct binding_holder *holder = &r->binding.holder[r->turn++];
        if (try_holder(r, holder))
            return;
        binding_forget(r->core->binding, &r->want.pipe, &holder->record.id);
    }
    reach_failed(r, ERR_UNREACHABLE);
}

static void raced(void *arg, struct link *link, const struct fault *why)
{
    struct reach *r = arg;
    r->racing = false;
    if (!link)
        link = link_by_holder(r);
    if (link) {
        reach_found(r, link);
        return;
    }
    r->why = *why;
    binding_forget(r->core->binding, &r->want.pipe, &r->binding.holder[r->turn - 1].record.id);
    next_holder(r);
}

/* The holder that is to be avoided goes behind the others. */
static void avoid_last(struct reach *r)
{
    struct binding_result *b = &r->binding;
    for (uint8_t i = 0; r->avoiding && i + 1 < b->count; i++)
        if (id_equal(&b->holder[i].record.id, &r->avoid)) {
            struct binding_holder avoided = b->holder[i];
            memmove(&b->holder[i], &b->holder[i + 1], (size_t)(b->count - i - 1) * sizeof avoided);
            b->holder[b->count - 1] = avoided;
            return;
        }
}

/* Then it was asked itself; that it is dialled all the same is for a better way. */
static bool owner_linked(const struct reach *r)
{
    return (r->connected ? r->owner->connected : r->owner->up) > 0;
}

/* Nobody can say where the pipe is bound. But its owner may be behind a relay: it has what is bound there by its own word. */
static bool bound_by_record(struct reach *r)
{
    const struct peer *owner = r->owner;
    struct binding_holder *holder = &r->binding.holder[0];
    bool relays = false;
    if (!owner || !owner->has_record || owner->up > 0 || r->connected || r->want.transport != TRANSPORT_ANY)
        return false;
    *holder = (struct binding_holder){.record = owner->record, .answered_by = owner->id};
    for (size_t i = 0; i < owner->record.endpoint_count; i++) {
        holder->endpoint[holder->count++] = owner->record.endpoint[i];
        relays = relays || (owner->record.endpoint[i].transport == TRANSPORT_RELAY &&
                            endpoint_usable(r->core, &owner->id, &owner->record.endpoint[i]));
    }
    r->binding.count = relays;
    r->binding.err = relays ? 0 : r->binding.err;
    return relays;
}

static void bound(void *arg, const struct binding_result *result)
{
    struct reach *r = arg;
    r->asked = false;
    r->binding = *result;
    if (result->err && bound_by_record(r)) {
        next_holder(r);
        return;
    }
    if (result->err && r->owner && r->owner->dialling && !owner_linked(r))
        return; /* nobody else knows; the owner itself may, once it is linked */
    if (result->err) {
        reach_failed(r, result->err);
        return;
    }
    avoid_last(r);
    next_holder(r);
}

static int ask_for_pipe(struct reach *r)
{
    int err = binding_resolve(r->core->binding, &r->want, bound, r);
    r->asked = !err;
    return err;
}

/* The owner is dialled when it is not linked, and others are asked meanwhile. */
static void reach_begin(struct reach *r)
{
    struct core *core = r->core;
    r->begun = true;
    r->deadline = core_now(core) + REACH_DEADLINE;
    core_timer(core, &r->timer, REACH_DEADLINE);
    bool dialling = r->owner && !owner_linked(r) && links_dial(core, r->owner);
    int err = ask_for_pipe(r);
    if (err && !dialling)
        reach_failed(r, err);
}

static void reach_tick(void *arg)
{
    struct reach *r = arg;
    struct core *core = r->core;
    uint64_t now = core_now(core);
    struct link *link = r->racing ? link_by_holder(r) : NULL;
    if (!r->begun)
        reach_begin(r);
    else if (link)
        reach_found(r, link);
    else if (now >= r->deadline)
        reach_failed(r, ERR_UNREACHABLE);
    else
        core_timer(core, &r->timer, r->deadline - now);
}

/* What it says itself is better than what others may say later. */
void reach_link_up(struct core *core, struct peer *peer)
{
    for (struct reach *r = core->reaches; r; r = r->next)
        if (r->owner == peer && r->begun && !r->racing) {
            binding_cancel(core->binding, r);
            ask_for_pipe(r);
        }
}

/* Those that wait for nothing else have failed; they end in the next turn, for an end may change the list. */
void reach_dial_failed(struct core *core, struct peer *peer)
{
    for (struct reach *r = core->reaches; r; r = r->next)
        if (r->owner == peer && r->begun && !r->asked && !r->racing && !peer->dialling) {
            r->deadline = core_now(core);
            core_timer(core, &r->timer, 0);
        }
}

static struct reach *reach_new(struct core *core, const struct binding_want *want, reach_done *done, void *arg)
{
    struct reach *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->core = core;
    r->want = *want;
    r->done = done;
    r->arg = arg;
    hold(&r->owner, want->owned ? peers_find(core->peers, &want->owner) : NULL);
    timer_init(&r->timer, reach_tick, r);
    r->next = core->reaches;
    core->reaches = r;
    core_timer(core, &r->timer, 0);
    return r;
}

int reach_pipe(struct core *core, const struct binding_want *want, const struct node_id *avoid, reach_done *done, void *arg)
{
    struct reach *r = reach_new(core, want, done, arg);
    if (!r)
        return ERR_NOMEM;
    r->avoiding = avoid != NULL;
    if (avoid)
        r->avoid = *avoid;
    return 0;
}

static struct binding_want service_of(const struct peer *peer, const char *pipe, enum transport transport)
{
    return (struct binding_want){
        .pipe = pipe_owned(&peer->id, pipe), .type = PIPE_UNICAST, .transport = transport, .owned = true, .owner = peer->id};
}

int reach(struct core *core, struct peer *peer, const char *pipe, enum transport transport, reach_done *done, void *arg)
{
    struct binding_want want = service_of(peer, pipe, transport);
    struct reach *r = reach_new(core, &want, done, arg);
    if (r)
        r->connected = strcmp(pipe, "relay") == 0;
    return r ? 0 : ERR_NOMEM;
}

int reach_share(struct core *core, struct peer *peer, const char *share, reach_done *done, void *arg)
{
    struct binding_want want = service_of(peer, "files", TRANSPORT_ANY);
    snprintf(want.name, sizeof want.name, "%s", share);
    struct reach *r = reach_new(core, &want, done, arg);
    if (r)
        r->is_share = share[0] != '\0';
    return r ? 0 : ERR_NOMEM;
}

void reach_cancel(struct core *core, void *arg)
{
    struct reach *r = core->reaches;
    while (r) {
        struct reach *next = r->next;
        if (r->arg == arg) {
            reach_unlink(r);
            free(r);
        }
        r = next;
    }
}

/* From a pipe to a link that it is bound to.
 *
 * The way that everything between two nodes goes: ask who has the pipe bound (a query of the binding protocol, over any
 * link), then bind to one of the endpoints in the answer: one that we are connected to already, else the winner of a race
 * between all of them, else, when none can be dialled from here, a connection that the holder made to us. Of several holders
 * the best one that can be linked is taken.
 *
 * Invariants: (1) `done` is called once, never from inside reach_pipe; (2) a reach waits for the owner's link, for the query
 * or for a race, and its timer bounds them all together. */
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
    bool begun;  /* the first turn is over */
    bool asked;  /* the query is out */
    bool racing; /* the endpoints of the holder in hand are being dialled */
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
    else if (whom)
        fault_set(&result.fault, code, "%s cannot be reached: no endpoint of it answered; is it up? See 'weft doctor %s'",
                  label, label);
    else if (code == ERR_TIMEOUT)
        fault_set(&result.fault, code, "nobody answered who has this pipe bound: %u peers were asked", r->binding.asked);
    else
        fault_set(&result.fault, code, "there is nobody to ask for this pipe: no peer is linked; see 'weft doctor'");
    reach_end(r, &result);
}

/* A link to the holder in hand that was not dialled for this. Which transport an inbound one came by is not known here. */
static struct link *link_of_holder(const struct reach *r)
{
    return r->want.transport == TRANSPORT_ANY ? link_to(r->core, r->peer) : NULL;
}

static void raced(void *arg, struct link *link);

/* Binds to an endpoint of a holder. False: it is not to be linked. */
static bool try_holder(struct reach *r, const struct binding_holder *holder)
{
    struct core *core = r->core;
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    struct peer *peer;
    struct link *link = NULL;
    size_t n = 0;
    if (id_equal(&holder->record.id, &core->config.identity->id)) {
        link = link_here(core);
        if (link)
            reach_found(r, link);
        return link != NULL;
    }
    if (peers_add(core->peers, &holder->record.id, &peer) != 0)
        return false;
    hold(&r->peer, peer);
    for (size_t i = 0; i < holder->count; i++)
        if (holder->endpoint[i].scope == 0 || core->port->in_scope(core->port->self, holder->endpoint[i].scope))
            usable[n++] = holder->endpoint[i];
    for (size_t i = 0; i < n && !link; i++)
        link = link_at(core, peer, usable[i].text);
    if (!link && n > 0 && race_start(core, peer, usable, n, false, raced, r) == 0) {
        r->racing = true;
        core_timer(core, &r->timer, link_of_holder(r) ? REACH_INBOUND_AFTER : r->deadline - core_now(core));
        return true;
    }
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

static void raced(void *arg, struct link *link)
{
    struct reach *r = arg;
    r->racing = false;
    if (!link)
        link = link_of_holder(r);
    if (link) {
        reach_found(r, link);
        return;
    }
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

static void bound(void *arg, const struct binding_result *result)
{
    struct reach *r = arg;
    r->asked = false;
    r->binding = *result;
    if (result->err && r->owner && r->owner->dialling)
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
    bool dialling = r->owner && !link_to(core, r->owner) && links_dial(core, r->owner);
    int err = ask_for_pipe(r);
    if (err && !dialling)
        reach_failed(r, err);
}

static void reach_tick(void *arg)
{
    struct reach *r = arg;
    struct core *core = r->core;
    uint64_t now = core_now(core);
    struct link *link = r->racing ? link_of_holder(r) : NULL;
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

int reach_pipe(struct core *core, const struct binding_want *want, const struct node_id *avoid, reach_done *done, void *arg)
{
    struct reach *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->core = core;
    r->want = *want;
    r->avoiding = avoid != NULL;
    if (avoid)
        r->avoid = *avoid;
    r->done = done;
    r->arg = arg;
    hold(&r->owner, want->owned ? peers_find(core->peers, &want->owner) : NULL);
    timer_init(&r->timer, reach_tick, r);
    r->next = core->reaches;
    core->reaches = r;
    core_timer(core, &r->timer, 0);
    return 0;
}

int reach(struct core *core, struct peer *peer, const char *pipe, enum transport transport, reach_done *done, void *arg)
{
    struct binding_want want = {
        .pipe = pipe_owned(&peer->id, pipe), .type = PIPE_UNICAST, .transport = transport, .owned = true, .owner = peer->id};
    return reach_pipe(core, &want, NULL, done, arg);
}

int reach_share(struct core *core, struct peer *peer, const char *share, reach_done *done, void *arg)
{
    (void)share;
    return reach(core, peer, "files", TRANSPORT_ANY, done, arg);
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

/* From a peer to a link that its pipe is bound to.
 *
 * The way that everything between two nodes goes: ask who has the peer's pipe bound (a query of the binding protocol, over
 * any link), then bind to one of the endpoints in the answer: one that we are connected to already, else the winner of a
 * race between all of them, else, when none can be dialled from here, a connection that the holder made to us. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

#define REACH_DEADLINE (8 * SECOND)

struct reach {
    struct reach *next;
    struct core *core;
    struct peer *peer;
    struct binding_want want;
    bool begun;  /* the first turn is over */
    bool asked;  /* the query is out */
    bool racing; /* the endpoints of the answer are being dialled */
    struct binding_result binding;
    struct timer timer;
    reach_done *done;
    void *arg;
};

static void reach_drop(struct reach *r)
{
    struct core *core = r->core;
    core_cancel(core, &r->timer);
    binding_cancel(core->binding, r);
    race_cancel(core, r);
    struct reach **at = &core->reaches;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->peer->busy--;
    free(r);
}

static void reach_end(struct reach *r, struct reached *result)
{
    reach_done *done = r->done;
    void *arg = r->arg;
    result->binding = r->binding;
    reach_drop(r);
    done(arg, result);
}

static void reach_found(struct reach *r, struct link *link)
{
    struct reached result = {.link = link};
    link->used_at = core_now(r->core);
    reach_end(r, &result);
}

static void reach_failed(struct reach *r, int code)
{
    struct reached result = {.link = NULL};
    char label[NAME_MAX_BYTES + 1];
    peer_label(r->peer, label);
    if (code == ERR_NOT_FOUND)
        fault_set(&result.fault, code, "%s says that nobody has this pipe bound", label);
    else
        fault_set(&result.fault, code, "%s cannot be reached: no endpoint of it answered; is it up? See 'weft doctor %s'",
                  label, label);
    reach_end(r, &result);
}

static void raced(void *arg, struct link *link)
{
    struct reach *r = arg;
    r->racing = false;
    if (!link)
        link = link_to(r->core, r->peer); /* none can be dialled from here, but it reached us */
    if (link) {
        reach_found(r, link);
        return;
    }
    binding_forget(r->core->binding, &r->want.pipe);
    reach_failed(r, ERR_UNREACHABLE);
}

/* Binds to an endpoint of the answer. */
static void bound(void *arg, const struct binding_result *result)
{
    struct reach *r = arg;
    struct endpoint usable[PIPE_ENDPOINTS_MAX];
    size_t n = 0;
    r->asked = false;
    r->binding = *result;
    if (result->err && r->peer->dialling)
        return; /* nobody else knows; the peer itself may, once it is linked */
    if (result->err) {
        reach_failed(r, result->err);
        return;
    }
    for (size_t i = 0; i < result->count; i++) {
        const struct endpoint *e = &result->endpoint[i];
        if (e->scope == 0 || r->core->port->in_scope(r->core->port->self, e->scope))
            usable[n++] = *e;
    }
    struct link *link = NULL;
    for (size_t i = 0; i < n && !link; i++)
        link = link_at(r->core, r->peer, usable[i].text);
    if (link)
        reach_found(r, link);
    else if (race_start(r->core, r->peer, usable, n, false, raced, r) != 0)
        reach_failed(r, ERR_NOMEM);
    else
        r->racing = true;
}

static void ask_for_pipe(struct reach *r)
{
    if (binding_resolve(r->core->binding, &r->want, bound, r) == 0)
        r->asked = true;
}

/* First turn: ask the peer when it is linked, else dial it and ask others meanwhile. Second turn: give up. */
static void reach_tick(void *arg)
{
    struct reach *r = arg;
    struct core *core = r->core;
    if (r->begun) {
        reach_failed(r, ERR_UNREACHABLE);
        return;
    }
    r->begun = true;
    core_timer(core, &r->timer, REACH_DEADLINE);
    if (link_to(core, r->peer)) {
        ask_for_pipe(r);
        return;
    }
    bool dialling = links_dial(core, r->peer);
    if (core->links)
        ask_for_pipe(r); /* a third node may know */
    if (!dialling && !r->asked)
        reach_failed(r, ERR_UNREACHABLE);
}

void reach_link_up(struct core *core, struct peer *peer)
{
    for (struct reach *r = core->reaches; r; r = r->next)
        if (r->peer == peer && !r->asked && !r->racing)
            ask_for_pipe(r);
}

/* Those that wait for nothing else have failed; each end may change the list. */
void reach_dial_failed(struct core *core, struct peer *peer)
{
    struct reach *r = core->reaches;
    while (r) {
        if (r->peer == peer && r->begun && !r->asked && !r->racing && !peer->dialling) {
            reach_failed(r, ERR_UNREACHABLE);
            r = core->reaches;
        } else {
            r = r->next;
        }
    }
}

int reach(struct core *core, struct peer *peer, const char *pipe, enum transport transport, reach_done *done, void *arg)
{
    struct reach *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->core = core;
    r->peer = peer;
    r->want = (struct binding_want){
        .pipe = pipe_owned(&peer->id, pipe), .type = PIPE_UNICAST, .transport = transport, .owned = true, .owner = peer->id};
    r->done = done;
    r->arg = arg;
    timer_init(&r->timer, reach_tick, r);
    r->next = core->reaches;
    core->reaches = r;
    peer->busy++;
    core_timer(core, &r->timer, 0);
    return 0;
}

void reach_cancel(struct core *core, void *arg)
{
    struct reach *r = core->reaches;
    while (r) {
        struct reach *next = r->next;
        if (r->arg == arg)
            reach_drop(r);
        r = next;
    }
}

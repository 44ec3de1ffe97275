/* Taking: fetches what the peer at the other end of a link has ready. See take.h.
 *
 * A bridge when the link is relayed; a reception object; FETCH with the parcel's name; and the rest is the port's (transfer.h).
 *
 * Invariants: (1) done() comes in a turn of its own, and nothing of the port's is under way then; (2) `running`: the port has
 * t->receive; (3) `fetching`: FETCH is out and has no answer. */
#include "take.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define FETCH_TIMEOUT ((RECEPTION_DEADLINE_S + 5) * SECOND)
#define FEW_BYTES (4u << 20)       /* which more streams than one only delay: each has its handshake */
#define BRIDGE_STREAMS 3           /* as a get's */
#define LOCK_PATIENCE (5 * SECOND) /* for what fills the same stage and is about to end */
#define LOCK_AGAIN (100 * MILLISECOND)

/* ---- the end */

static void over(struct take *t, const struct fault *fault)
{
    t->fault = *fault;
    t->ended = true;
    link_use(t->core, &t->held, 0);
    t->done(t);
}

/* ---- the transfer */

static int start_receive(struct take *t, const struct msg_bridge_ok *bridge);
static int ask_bridge(struct take *t, struct link *link);

static struct link *link_of(const struct take *t)
{
    struct link *link = link_find(t->core, t->link);
    return link && link->state.now == LINK_UP ? link : NULL;
}

/* The same once more: over another bridge when one was used. */
static int begin(struct take *t)
{
    struct link *link = link_of(t);
    if (!link)
        return ERR_UNREACHABLE;
    return t->relayed ? ask_bridge(t, link) : start_receive(t, NULL);
}

static void begin_again(struct take *t)
{
    struct fault fault;
    int err = begin(t);
    if (err) {
        fault_set(&fault, err, "the link by which it was to be fetched is gone");
        over(t, &fault);
    }
}

static bool may_swap(const struct take *t)
{
    return !t->cancelled && !t->relayed && !t->swapped && t->remote.code == ERR_UNREACHABLE;
}

/* Another transfer into the same place may be the last attempt of this, which has still to notice that it is dead. */
static bool may_wait(struct take *t, const struct fault *fault)
{
    uint64_t now = core_now(t->core);
    if (fault->code != ERR_LOCKED || t->cancelled || t->core->stopping || !link_of(t))
        return false;
    if (t->locked_from == 0)
        t->locked_from = now;
    return now - t->locked_from < LOCK_PATIENCE;
}

static void received(struct receive *r)
{
    struct take *t = r->owner;
    bool remote = t->cancelled || (r->fault.code && t->remote.code);
    struct fault fault = remote ? t->remote : r->fault;
    t->running = t->fetching = false;
    t->fetch = 0;
    t->core->transfers--;
    ask_cancel(t->core, t);
    if (may_swap(t)) {
        t->swapped = true;
        begin_again(t);
    } else if (may_wait(t, &fault)) {
        core_timer(t->core, &t->soon, LOCK_AGAIN);
    } else {
        over(t, &fault);
    }
}

static void stop_receive(struct take *t, const struct fault *why)
{
    t->remote = *why;
    t->core->port->receive_cancel(t->core->port->self, t->receive, (int)why->code);
}

static void fetch_answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct take *t = arg;
    t->fetching = false;
    if (m)
        t->core->port->receive_confirm(t->core->port->self, t->receive, &m->fetch_ok);
    else
        stop_receive(t, fault);
}

static int ask_fetch(struct take *t, struct link *link)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->type = MSG_FETCH;
    m->fetch.pipe = pipe_owned(&t->peer->id, "files");
    m->fetch.parcel = t->parcel;
    m->fetch.reception = t->receive->reception;
    int err = ask(link, m, MSG_FETCH_OK, FETCH_TIMEOUT, fetch_answered, t);
    free(m);
    return err;
}

static void reception_ready(struct receive *r)
{
    struct take *t = r->owner;
    struct link *link = link_of(t);
    struct fault fault;
    int err = t->cancelled ? 0 : link ? ask_fetch(t, link) : ERR_UNREACHABLE;
    if (err) {
        fault_set(&fault, err, "the link by which it was to be fetched is gone");
        stop_receive(t, &fault);
        return;
    }
    t->fetch = ask_number(t->core, t);
    t->fetching = t->fetch != 0;
}

static void item_failed(struct receive *r, const char *path, const struct fault *fault)
{
    struct take *t = r->owner;
    if (t->item)
        t->item(t, path, fault);
}

static uint8_t streams_for(const struct take *t, uint8_t usual)
{
    return t->limit > 0 && t->limit <= FEW_BYTES ? 1 : usual;
}

static void fill_in(struct take *t, struct receive *r)
{
    r->streams = streams_for(t, t->relayed ? BRIDGE_STREAMS : 0);
    r->peer = t->peer->id;
    r->dest = t->dest;
    r->at_fd = t->at_fd;
    r->dest_fd = t->dest_fd;
    r->top = t->top;
    r->key = t->key;
    r->policy = t->policy;
    r->dry_run = t->dry_run;
    r->file_only = t->file_only;
    r->limit = t->limit;
    r->listen = !t->swapped;
    r->owner = t;
    r->ready = reception_ready;
    r->item = item_failed;
    r->done = received;
}

/* What an earlier attempt has cost stays counted. */
static int start_receive(struct take *t, const struct msg_bridge_ok *bridge)
{
    struct receive *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    fill_in(t, r);
    if (bridge) {
        r->way = bridge->own;
        r->other = bridge->other;
    }
    if (t->receive) {
        r->progress.wire_in = t->receive->progress.wire_in;
        r->progress.wire_out = t->receive->progress.wire_out;
    }
    free(t->receive);
    t->receive = r;
    t->remote = (struct fault){0};
    t->running = true;
    t->core->transfers++;
    t->core->port->receive_start(t->core->port->self, r);
    return 0;
}

static void bridged(void *arg, const struct msg_bridge_ok *ok, const struct fault *fault)
{
    struct take *t = arg;
    struct fault why = fault ? *fault : (struct fault){0};
    int err = ok ? start_receive(t, ok) : (int)why.code;
    if (ok && err)
        fault_set(&why, err, "out of memory for a transfer");
    if (err)
        over(t, &why);
}

static int ask_bridge(struct take *t, struct link *link)
{
    return link->session ? session_bridge(link->session, streams_for(t, BRIDGE_STREAMS), bridged, t) : ERR_UNREACHABLE;
}

/* ---- for its owner */

static void soon(void *arg)
{
    struct take *t = arg;
    if (t->cancelled)
        over(t, &t->remote);
    else
        begin_again(t);
}

/* What is left of an earlier attempt at the same. */
static void make_way(const struct take *t)
{
    for (struct take *old = t->core->takes; old; old = old->next)
        if (!old->ended && old->peer == t->peer && strcmp(old->key, t->key) == 0 && !link_of(old))
            take_cancel(old, ERR_CHANGED);
}

int take_start(struct take *t, struct link *link)
{
    t->core = link->core;
    t->peer = link->peer;
    t->link = link->no;
    t->relayed = link->relayed;
    timer_init(&t->soon, soon, t);
    int err = begin(t);
    if (err)
        return err;
    make_way(t);
    link_use(t->core, &t->held, t->link);
    t->peer->busy++;
    t->next = t->core->takes;
    t->core->takes = t;
    return 0;
}

void take_cancel(struct take *t, int code)
{
    if (t->cancelled || t->ended)
        return;
    t->cancelled = true;
    fault_set(&t->remote, code, "%s", code == ERR_CANCELLED ? "stopped" : err_text(code));
    ask_withdraw(t->core, t);
    session_bridge_cancel(t->core, t);
    t->fetching = false;
    if (t->running)
        t->core->port->receive_cancel(t->core->port->self, t->receive, code);
    else
        core_timer(t->core, &t->soon, 0);
}

void take_free(struct take *t)
{
    if (!t)
        return;
    struct take **at = &t->core->takes;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    core_cancel(t->core, &t->soon);
    session_bridge_cancel(t->core, t);
    ask_cancel(t->core, t);
    link_use(t->core, &t->held, 0);
    t->peer->busy--;
    free(t->receive);
    free(t);
}

void takes_free(struct core *core)
{
    while (core->takes)
        take_free(core->takes);
}

/* That its streams were lost is known here, too. */
bool takes_on_error(struct link *link, const struct msg *m)
{
    for (struct take *t = link->core->takes; t; t = t->next) {
        if (t->peer != link->peer || !t->running || t->fetching || t->fetch == 0 || t->fetch != m->request)
            continue;
        char label[NAME_MAX_BYTES + 1], text[ERROR_TEXT_MAX * 4 + 1];
        struct fault why;
        peer_label(link->peer, label);
        fault_set(&why, (int)m->error.code, "%s: %s", label, escape(m->error.text, strlen(m->error.text), text, sizeof text));
        if (why.code != ERR_UNREACHABLE && why.code != ERR_TIMEOUT && !t->cancelled)
            stop_receive(t, &why);
        return true;
    }
    return false;
}

/* An outgoing channel and its binders: finding one, opening the channel there, losing it, and what binders say. See
 * channel_out_internal.h and, for what must hold, channel_out.c. */
#include "channel_out_internal.h"
#include "receipt.h"

#include <string.h>

#define OPEN_TIMEOUT SECOND
#define RECEIPT_WAY (20 * MILLISECOND) /* of the last receipts, behind the end of a lease */

static void opened(void *arg, const struct msg *m, const struct fault *fault);

void channel_hold(struct channel_out *c, struct link *link)
{
    if (c->peer)
        c->peer->busy--;
    c->link = link;
    c->peer = link ? link->peer : NULL;
    if (c->peer)
        c->peer->busy++;
}

/* ---- losing a binder */

/* While there is a binder its ACKs say more. */
static void use_receipt(struct channel_out *c)
{
    if (c->receipted > c->flow.taken)
        outflow_taken(&c->flow, c->receipted);
}

static void unbind(struct channel_out *c, const struct fault *why)
{
    if (channel_is_bound(c))
        c->unbound_at = core_now(c->core);
    else if (c->link != c->binder.link)
        channel_close_at(c, c->link, CLOSE_CANCELLED); /* it may have heard us after all */
    log_write(c->core->log, LOG_INFO, "channel", "left %s: %s", id_short(&c->peer->id).s, why->text);
    c->why = *why;
    c->avoiding = true;
    c->avoid = c->peer->id;
    binding_forget(c->core->binding, &c->config.want.pipe, &c->avoid);
    channel_hold(c, NULL);
    state_move(&c->state, CHANNEL_SEEKING, c->core->log);
    use_receipt(c);
    if (channel_complete(c)) {
        channel_end(c, NULL);
        return;
    }
    channel_retry(c);
    c->config.events->moved(c->config.arg);
}

void channel_unbind(struct channel_out *c, int code, const char *what)
{
    char label[NAME_MAX_BYTES + 1];
    struct fault fault;
    peer_label(c->peer, label);
    fault_set(&fault, code, "%s %s", label, what);
    unbind(c, &fault);
}

/* ---- finding a binder */

static void reached(void *arg, const struct reached *r)
{
    struct channel_out *c = arg;
    if (!r->link) {
        c->why = r->fault;
        c->avoiding = false;
        channel_retry(c);
        return;
    }
    channel_hold(c, r->link);
    channel_approach(c);
}

void channel_seek(struct channel_out *c)
{
    int err = reach_pipe(c->core, &c->config.want, c->avoiding ? &c->avoid : NULL, reached, c);
    if (err)
        channel_retry(c);
    else
        channel_plan(c);
}

static bool same_life(const struct channel_out *c)
{
    const struct binder *b = &c->binder;
    return b->known && id_equal(&b->id, &c->peer->id) && b->incarnation == c->link->incarnation;
}

/* May the binder of before still hand on what another one is about to get? */
static bool fenced(const struct channel_out *c)
{
    return c->binder.known && !same_life(c) && core_now(c->core) < c->binder.fence && c->flow.reach > c->flow.taken;
}

void channel_approach(struct channel_out *c)
{
    if (fenced(c)) {
        c->retry_at = c->binder.fence;
        channel_plan(c);
        return;
    }
    struct msg m;
    state_move(&c->state, CHANNEL_OPENING, c->core->log);
    m.type = MSG_OPEN;
    m.open = (struct msg_open){.pipe = c->config.want.pipe, .channel = c->tag, .seq = c->flow.taken};
    if (same_life(c))
        memcpy(c->next_key, c->key, sizeof c->key);
    else
        core_random(c->core, c->next_key, sizeof c->next_key);
    memcpy(m.open.key, c->next_key, sizeof c->next_key);
    c->asked = c->flow.taken;
    if (ask(c->link, &m, MSG_OPEN_OK, OPEN_TIMEOUT, opened, c) != 0)
        channel_unbind(c, ERR_UNREACHABLE, "cannot be sent to");
    else
        channel_plan(c);
}

/* The one before is told that nothing more comes to it: a frozen one hears it when it thaws. */
static void leave_former(struct channel_out *c)
{
    struct binder *b = &c->binder,
                  now = {.known = true, .id = c->peer->id, .incarnation = c->link->incarnation, .link = c->link};
    if (same_life(c))
        now.fence = b->fence;
    else if (b->known)
        channel_close_at(c, b->link, CLOSE_CANCELLED);
    c->rebound += b->known;
    *b = now;
    memcpy(c->key, c->next_key, sizeof c->key);
}

/* Something was taken, or credit has come, or there is something new to send. */
static void go_on(struct channel_out *c)
{
    if (channel_complete(c)) {
        channel_end(c, NULL);
        return;
    }
    channel_send_soon(c);
    channel_echo(c);
    c->config.events->moved(c->config.arg);
}

static void bound(struct channel_out *c, const struct msg_open_ok *ok)
{
    leave_former(c);
    c->lease = ok->lease_ms * MILLISECOND;
    c->stamp = c->stamp_at = c->echoed = c->echoed_at = 0;
    c->quiet = 0;
    state_move(&c->state, CHANNEL_BOUND, c->core->log);
    if (c->finishing)
        state_move(&c->state, CHANNEL_ENDING, c->core->log);
    channel_send_all(c);
    channel_plan(c);
    go_on(c);
}

static void open_anew(struct channel_out *c)
{
    state_move(&c->state, CHANNEL_SEEKING, c->core->log);
    channel_retry(c);
}

/* One that the channel comes to from another begins where it was told to; only the one of before may go on further. */
static int agree(struct channel_out *c, const struct msg_open_ok *ok)
{
    if (ok->seq > c->asked && !same_life(c))
        return ERR_MALFORMED;
    return outflow_open(&c->flow, c->asked, ok->seq, ok->credit);
}

static void opened(void *arg, const struct msg *m, const struct fault *fault)
{
    struct channel_out *c = arg;
    int err = m ? agree(c, &m->open_ok) : 0;
    if (!m && fault->code == ERR_REFUSED) {
        channel_end(c, fault);
    } else if (!m) {
        unbind(c, fault);
    } else if (err == ERR_STATE) { /* more has been taken meanwhile, as the former binder says */
        open_anew(c);
    } else if (err) {
        c->link->strikes++;
        channel_unbind(c, ERR_MALFORMED, "wants messages that it cannot want");
    } else {
        bound(c, &m->open_ok);
    }
}

/* ---- what binders say */

static void acked(struct channel_out *c, const struct msg_ack *ack)
{
    bool progress = ack->seq > c->flow.taken;
    if (outflow_ack(&c->flow, ack->seq, ack->credit) != 0) {
        c->core->refused_messages++;
        c->link->strikes++;
        channel_unbind(c, ERR_MALFORMED, "acknowledges what it was not sent");
        return;
    }
    c->quiet = 0;
    if (progress)
        c->backoff = 0;
    if (ack->stamp > c->stamp) {
        c->stamp = ack->stamp;
        c->stamp_at = core_now(c->core);
        c->binder.fence = core_now(c->core) + c->lease + (c->lease ? RECEIPT_WAY : 0);
    }
    go_on(c);
}

/* A word of the binder of before is as true as ever: what it says was taken need not be sent to another. */
static bool from_former(const struct channel_out *c, const struct link *link)
{
    return !channel_is_bound(c) && c->binder.known && id_equal(&c->binder.id, &link->peer->id);
}

void channel_out_on_ack(struct link *link, const struct msg *m)
{
    struct channel_out *c = channel_find(link->core, &m->ack.channel);
    if (c && channel_is_bound(c) && c->link == link)
        acked(c, &m->ack);
    else if (c && from_former(c, link))
        outflow_taken(&c->flow, m->ack.seq);
}

void channel_out_on_receipt(struct core *core, const struct receipt *receipt, const void *bytes, size_t n)
{
    struct channel_out *c = channel_find(core, &receipt->channel);
    if (!c || receipt->seq > c->flow.reach || !receipt_proves(bytes, n, c->key)) {
        core->refused_messages++;
        return;
    }
    if (receipt->seq <= c->receipted)
        return;
    c->receipted = receipt->seq;
    if (channel_is_bound(c))
        return;
    use_receipt(c);
    if (channel_complete(c))
        channel_end(c, NULL);
}

/* Its reader is gone, and so is the fence. */
static void released(struct channel_out *c, const struct link *link, uint64_t seq)
{
    bool bound_to_it = channel_is_bound(c) && c->link == link;
    if (!bound_to_it && !from_former(c, link))
        return;
    outflow_taken(&c->flow, seq);
    c->binder.fence = 0;
    if (bound_to_it) {
        channel_unbind(c, ERR_NOT_FOUND, "has nobody who listens any more");
    } else if (c->state.now == CHANNEL_SEEKING && c->link) {
        c->retry_at = core_now(c->core);
        channel_plan(c);
    }
}

/* It has lost track of us, or we of it: both begin at what was taken. */
static void reopen(struct channel_out *c)
{
    c->unbound_at = core_now(c->core);
    fault_set(&c->why, ERR_STATE, "the channel is being opened again");
    open_anew(c);
}

void channel_out_upgrade(struct core *core, const struct peer *peer)
{
    for (struct channel_out *c = core->outs; c; c = c->next)
        if (c->peer == peer && c->link->relayed && channel_is_bound(c)) {
            channel_hold(c, NULL);
            reopen(c);
        }
}

void channel_out_on_close(struct link *link, const struct msg *m)
{
    struct channel_out *c = channel_find(link->core, &m->close.channel);
    if (!c)
        return;
    if (m->close.reason == CLOSE_RELEASED)
        released(c, link, m->close.seq);
    else if (m->close.reason == CLOSE_UNKNOWN && channel_is_bound(c) && c->link == link)
        reopen(c);
}

/* A handler may end its channel, so the search begins anew after each. */
void channel_out_link_lost(struct core *core, struct link *link)
{
    for (struct channel_out *c = core->outs; c; c = c->next)
        if (c->binder.link == link)
            c->binder.link = NULL;
    struct channel_out *c = core->outs;
    while (c) {
        if (c->link != link) {
            c = c->next;
            continue;
        }
        if (c->state.now == CHANNEL_SEEKING) {
            channel_hold(c, NULL);
            c->retry_at = core_now(core);
            channel_plan(c);
        } else {
            channel_unbind(c, ERR_UNREACHABLE, "is not linked any more");
        }
        c = core->outs;
    }
}

/* Channels of this node's programs into pipes: from the pipe to a binder, and from binder to binder. See pipes.h.
 *
 * A channel seeks a binder (reach.c), opens itself there, and sends what its outflow gives. When the link is lost, when the
 * binder says that its reader is gone, or when a binder that must show signs of life shows none, it seeks again, another one
 * first, and sends anew all that was not taken.
 *
 * Invariants: (1) `link` is set in OPENING, BOUND and ENDING, and in SEEKING while a fence is waited for; (2) messages that a
 * binder under a lease may still hand on are sent to no other one before that lease must have ended: a lease ends its length
 * after a stamp was made, thus at the latest its length after the stamp was heard here; (3) while there is no binder the tick
 * bounds how long. */
#include "outflow.h"
#include "pipes.h"
#include "receipt.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_TIMEOUT SECOND
#define GATHER (MILLISECOND / 2)       /* small batches wait this long for others */
#define FLOW_AGAIN MILLISECOND         /* after the link was full */
#define LOOK_EVERY (200 * MILLISECOND) /* is the binder alive? */
#define QUIET_MAX 4                    /* looks without an ACK; counted, for our own sleep is not its silence */
#define IDLE_LOOK (30 * SECOND)        /* keeps the link from counting as idle */
#define RECEIPT_WAY (20 * MILLISECOND) /* of the last receipts, behind the end of a lease */
#define BACKOFF_MIN (50 * MILLISECOND)
#define BACKOFF_MAX SECOND

static const char *const state_names[] = {"seeking", "opening", "bound", "ending", "ended"};
#define ANY_TIME (STATE_BIT(CHANNEL_SEEKING) | STATE_BIT(CHANNEL_ENDED))
static const uint32_t state_moves[] = {
    [CHANNEL_SEEKING] = STATE_BIT(CHANNEL_OPENING) | STATE_BIT(CHANNEL_ENDED),
    [CHANNEL_OPENING] = STATE_BIT(CHANNEL_BOUND) | ANY_TIME,
    [CHANNEL_BOUND] = STATE_BIT(CHANNEL_ENDING) | ANY_TIME,
    [CHANNEL_ENDING] = ANY_TIME,
    [CHANNEL_ENDED] = 0,
};
static const struct state_table channel_table = {
    .what = "channel", .names = state_names, .allowed = state_moves, .count = CHANNEL_STATES};

/* The binder of now or, when there is none, of before. */
struct binder {
    bool known;
    struct node_id id;
    uint64_t incarnation;
    struct link *link; /* NULL: lost */
    uint64_t fence;    /* others get nothing before; 0: it hands on nothing more */
};

struct channel_out {
    struct channel_out *next;
    struct core *core;
    struct channel_out_config config;
    struct tag tag;
    uint8_t key[32];
    struct state state;
    struct outflow flow;
    struct link *link;
    struct peer *peer; /* at the far end of `link` */
    struct binder binder;
    bool finishing;
    uint64_t asked;      /* number in the latest OPEN */
    uint64_t receipted;  /* all below has been taken, as receipts say */
    uint64_t unbound_at; /* since when there is no binder */
    uint64_t retry_at;   /* SEEKING: when to go on; 0: something else is waited for */
    uint64_t backoff;
    uint64_t lease, stamp, echoed, echoed_at; /* of the binder: length, newest stamp heard, and sent back */
    unsigned quiet;
    bool avoiding;
    struct node_id avoid;
    uint32_t rebound;
    struct fault why; /* it has no binder */
    uint64_t sent_at;
    struct timer tick, flush;
};

static void seek(struct channel_out *c);
static void approach(struct channel_out *c);
static void opened(void *arg, const struct msg *m, const struct fault *fault);

static bool is_bound(const struct channel_out *c)
{
    return c->state.now == CHANNEL_BOUND || c->state.now == CHANNEL_ENDING;
}

static void hold_link(struct channel_out *c, struct link *link)
{
    if (c->peer)
        c->peer->busy--;
    c->link = link;
    c->peer = link ? link->peer : NULL;
    if (c->peer)
        c->peer->busy++;
}

/* ---- the end */

static void channel_free(struct channel_out *c)
{
    struct core *core = c->core;
    struct channel_out **at = &core->outs;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core_cancel(core, &c->tick);
    core_cancel(core, &c->flush);
    reach_cancel(core, c);
    ask_cancel(core, c);
    hold_link(c, NULL);
    outflow_fini(&c->flow);
    free(c);
}

static void close_at(struct channel_out *c, struct link *link, enum close_reason reason)
{
    struct msg m;
    m.type = MSG_CLOSE;
    m.request = 0;
    m.close = (struct msg_close){.channel = c->tag, .seq = c->flow.taken, .reason = reason};
    if (link)
        link_send(link, &m);
}

/* To the binder, and to the one that is being asked to be it. */
static void close_all(struct channel_out *c, enum close_reason reason)
{
    close_at(c, c->binder.link, reason);
    if (c->state.now == CHANNEL_OPENING && c->link != c->binder.link)
        close_at(c, c->link, reason);
}

/* fault NULL: all is well. */
static void channel_end(struct channel_out *c, const struct fault *fault)
{
    static const struct fault none;
    close_all(c, fault ? CLOSE_CANCELLED : CLOSE_ENDED);
    state_move(&c->state, CHANNEL_ENDED, c->core->log);
    c->config.events->ended(c->config.arg, fault ? fault : &none);
    channel_free(c);
}

/* Nothing is left to do: it has been bound, so the pipe is real, and all has been taken. */
static bool complete(const struct channel_out *c)
{
    return c->finishing && c->binder.known && outflow_empty(&c->flow);
}

static void give_up(struct channel_out *c)
{
    struct fault fault;
    double waited = (double)(core_now(c->core) - c->unbound_at) / (double)SECOND;
    fault_set(&fault, c->why.code ? (int)c->why.code : ERR_TIMEOUT, "%.1f s without anybody to take the messages: %s", waited,
              c->why.code ? c->why.text : "nobody has answered who has the pipe bound");
    channel_end(c, &fault);
}

/* ---- timers */

static void plan(struct channel_out *c)
{
    uint64_t now = core_now(c->core), at = c->unbound_at + c->config.wait;
    if (is_bound(c))
        at = now + (c->lease > 0 && outflow_outstanding(&c->flow) ? LOOK_EVERY : IDLE_LOOK);
    else if (c->state.now == CHANNEL_SEEKING && c->retry_at > 0 && c->retry_at < at)
        at = c->retry_at;
    c->core->port->timer_set(c->core->port->self, &c->tick, at);
}

/* After failing again and again, ever more slowly. */
static void retry_later(struct channel_out *c)
{
    c->retry_at = core_now(c->core) + c->backoff;
    c->backoff = c->backoff == 0 ? BACKOFF_MIN : c->backoff < BACKOFF_MAX / 2 ? 2 * c->backoff : BACKOFF_MAX;
    plan(c);
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
    if (is_bound(c))
        c->unbound_at = core_now(c->core);
    else if (c->link != c->binder.link)
        close_at(c, c->link, CLOSE_CANCELLED); /* it may have heard us after all */
    log_write(c->core->log, LOG_INFO, "channel", "left %s: %s", id_short(&c->peer->id).s, why->text);
    c->why = *why;
    c->avoiding = true;
    c->avoid = c->peer->id;
    binding_forget(c->core->binding, &c->config.want.pipe, &c->avoid);
    hold_link(c, NULL);
    state_move(&c->state, CHANNEL_SEEKING, c->core->log);
    use_receipt(c);
    if (complete(c)) {
        channel_end(c, NULL);
        return;
    }
    retry_later(c);
    c->config.events->moved(c->config.arg);
}

static void unbind_for(struct channel_out *c, int code, const char *what)
{
    char label[NAME_MAX_BYTES + 1];
    struct fault fault;
    peer_label(c->peer, label);
    fault_set(&fault, code, "%s %s", label, what);
    unbind(c, &fault);
}

/* ---- sending */

static bool send_data(struct channel_out *c, const struct outflow_part *part)
{
    struct msg m;
    if (!link_may_flow(c->link))
        return false;
    m.type = MSG_DATA;
    m.request = 0;
    m.data =
        (struct msg_data){.channel = c->tag, .seq = part->seq, .stamp = c->stamp, .again = part->again, .batch = part->batch};
    if (link_send(c->link, &m) != 0)
        return false;
    c->echoed = c->stamp;
    c->echoed_at = c->sent_at = c->link->used_at = core_now(c->core);
    return true;
}

static void send_all(struct channel_out *c)
{
    struct outflow_part part;
    bool waiting = outflow_outstanding(&c->flow);
    while (outflow_next(&c->flow, &part)) {
        if (!send_data(c, &part)) {
            core_timer(c->core, &c->flush, FLOW_AGAIN);
            break;
        }
        outflow_sent(&c->flow, &part);
    }
    if (!waiting && outflow_outstanding(&c->flow)) { /* from now on its silence means something */
        c->quiet = 0;
        plan(c);
    }
}

/* What fills a DATA leaves at once, and so does what comes after a pause; the rest waits a little for company. */
static void send_soon(struct channel_out *c)
{
    uint64_t now = core_now(c->core);
    if (outflow_ready(&c->flow) >= BATCH_BYTES_MAX / 2 || now - c->sent_at >= GATHER)
        send_all(c);
    else if (c->flow.at && c->flush.slot == TIMER_IDLE)
        c->core->port->timer_set(c->core->port->self, &c->flush, c->sent_at + GATHER);
}

/* Tells the binder that we are still bound to it, when no DATA has done so for a while. */
static void echo(struct channel_out *c)
{
    struct outflow_part empty = {.seq = c->flow.next};
    bool stale = c->echoed_at == 0 || core_now(c->core) - c->echoed_at >= c->lease / 4;
    if (c->lease > 0 && c->stamp != c->echoed && stale && outflow_outstanding(&c->flow))
        send_data(c, &empty);
}

/* Something was taken, or credit has come, or there is something new to send. */
static void go_on(struct channel_out *c)
{
    if (complete(c)) {
        channel_end(c, NULL);
        return;
    }
    send_soon(c);
    echo(c);
    c->config.events->moved(c->config.arg);
}

static void flush_tick(void *arg)
{
    struct channel_out *c = arg;
    if (complete(c))
        channel_end(c, NULL);
    else if (is_bound(c))
        send_all(c);
}

static void look_at_binder(struct channel_out *c)
{
    bool must_speak = c->lease > 0 && outflow_outstanding(&c->flow);
    c->link->used_at = core_now(c->core);
    if (must_speak && ++c->quiet >= QUIET_MAX) {
        unbind_for(c, ERR_TIMEOUT, "has stopped answering");
        return;
    }
    echo(c);
    plan(c);
}

static void channel_tick(void *arg)
{
    struct channel_out *c = arg;
    uint64_t now = core_now(c->core);
    if (is_bound(c)) {
        look_at_binder(c);
    } else if (now >= c->unbound_at + c->config.wait) {
        give_up(c);
    } else if (c->state.now == CHANNEL_SEEKING && c->retry_at > 0 && now >= c->retry_at) {
        c->retry_at = 0;
        if (c->link)
            approach(c);
        else
            seek(c);
    } else {
        plan(c);
    }
}

/* ---- finding a binder */

static void reached(void *arg, const struct reached *r)
{
    struct channel_out *c = arg;
    if (!r->link) {
        c->why = r->fault;
        c->avoiding = false;
        retry_later(c);
        return;
    }
    hold_link(c, r->link);
    approach(c);
}

static void seek(struct channel_out *c)
{
    int err = reach_pipe(c->core, &c->config.want, c->avoiding ? &c->avoid : NULL, reached, c);
    if (err)
        retry_later(c);
    else
        plan(c);
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

static void approach(struct channel_out *c)
{
    if (fenced(c)) {
        c->retry_at = c->binder.fence;
        plan(c);
        return;
    }
    struct msg m;
    state_move(&c->state, CHANNEL_OPENING, c->core->log);
    m.type = MSG_OPEN;
    m.open = (struct msg_open){.pipe = c->config.want.pipe, .channel = c->tag, .seq = c->flow.taken};
    memcpy(m.open.key, c->key, sizeof c->key);
    c->asked = c->flow.taken;
    if (ask(c->link, &m, MSG_OPEN_OK, OPEN_TIMEOUT, opened, c) != 0)
        unbind_for(c, ERR_UNREACHABLE, "cannot be sent to");
    else
        plan(c);
}

/* The one before is told that nothing more comes to it: a frozen one hears it when it thaws. */
static void leave_former(struct channel_out *c)
{
    struct binder *b = &c->binder,
                  now = {.known = true, .id = c->peer->id, .incarnation = c->link->incarnation, .link = c->link};
    if (same_life(c))
        now.fence = b->fence;
    else if (b->known)
        close_at(c, b->link, CLOSE_CANCELLED);
    c->rebound += b->known;
    *b = now;
}

static void bound(struct channel_out *c, const struct msg_open_ok *ok)
{
    leave_former(c);
    c->lease = ok->lease_ms * MILLISECOND;
    c->stamp = c->echoed = c->echoed_at = 0;
    c->quiet = 0;
    state_move(&c->state, CHANNEL_BOUND, c->core->log);
    if (c->finishing)
        state_move(&c->state, CHANNEL_ENDING, c->core->log);
    send_all(c);
    plan(c);
    go_on(c);
}

static void open_anew(struct channel_out *c)
{
    state_move(&c->state, CHANNEL_SEEKING, c->core->log);
    retry_later(c);
}

static void opened(void *arg, const struct msg *m, const struct fault *fault)
{
    struct channel_out *c = arg;
    bool stale = m && m->open_ok.seq > c->asked && c->binder.known && !same_life(c);
    int err = m && !stale ? outflow_open(&c->flow, c->asked, m->open_ok.seq, m->open_ok.credit) : 0;
    if (!m && fault->code == ERR_REFUSED) {
        channel_end(c, fault);
    } else if (!m) {
        unbind(c, fault);
    } else if (stale) { /* it would go on with what the other one that we come from may have handed on since */
        close_at(c, c->link, CLOSE_CANCELLED);
        open_anew(c);
    } else if (err == ERR_STATE) { /* more has been taken meanwhile, as the former binder says */
        open_anew(c);
    } else if (err) {
        c->link->strikes++;
        unbind_for(c, ERR_MALFORMED, "wants messages that it cannot want");
    } else {
        bound(c, &m->open_ok);
    }
}

/* ---- what binders say */

static struct channel_out *channel_find(struct core *core, const struct tag *tag)
{
    struct channel_out *c = core->outs;
    while (c && !tag_equal(&c->tag, tag))
        c = c->next;
    return c;
}

static void acked(struct channel_out *c, const struct msg_ack *ack)
{
    bool progress = ack->seq > c->flow.taken;
    if (outflow_ack(&c->flow, ack->seq, ack->credit) != 0) {
        c->core->refused_messages++;
        c->link->strikes++;
        unbind_for(c, ERR_MALFORMED, "acknowledges what it was not sent");
        return;
    }
    c->quiet = 0;
    if (progress)
        c->backoff = 0;
    if (ack->stamp > c->stamp) {
        c->stamp = ack->stamp;
        c->binder.fence = core_now(c->core) + c->lease + (c->lease ? RECEIPT_WAY : 0);
    }
    go_on(c);
}

/* A word of the binder of before is as true as ever: what it says was taken need not be sent to another. */
static bool from_former(const struct channel_out *c, const struct link *link)
{
    return !is_bound(c) && c->binder.known && id_equal(&c->binder.id, &link->peer->id);
}

void channel_out_on_ack(struct link *link, const struct msg *m)
{
    struct channel_out *c = channel_find(link->core, &m->ack.channel);
    if (c && is_bound(c) && c->link == link)
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
    if (is_bound(c))
        return;
    use_receipt(c);
    if (complete(c))
        channel_end(c, NULL);
}

/* Its reader is gone, and so is the fence. */
static void released(struct channel_out *c, const struct link *link, uint64_t seq)
{
    bool bound_to_it = is_bound(c) && c->link == link;
    if (!bound_to_it && !from_former(c, link))
        return;
    outflow_taken(&c->flow, seq);
    c->binder.fence = 0;
    if (bound_to_it) {
        unbind_for(c, ERR_NOT_FOUND, "has nobody who listens any more");
    } else if (c->state.now == CHANNEL_SEEKING && c->link) {
        c->retry_at = core_now(c->core);
        plan(c);
    }
}

/* It has lost track of us, or we of it: both begin at what was taken. */
static void reopen(struct channel_out *c)
{
    c->unbound_at = core_now(c->core);
    fault_set(&c->why, ERR_STATE, "the channel was lost on the way");
    open_anew(c);
}

void channel_out_on_close(struct link *link, const struct msg *m)
{
    struct channel_out *c = channel_find(link->core, &m->close.channel);
    if (!c)
        return;
    if (m->close.reason == CLOSE_RELEASED)
        released(c, link, m->close.seq);
    else if (m->close.reason == CLOSE_UNKNOWN && is_bound(c) && c->link == link)
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
            hold_link(c, NULL);
            c->retry_at = core_now(core);
            plan(c);
        } else {
            unbind_for(c, ERR_UNREACHABLE, "is not linked any more");
        }
        c = core->outs;
    }
}

/* ---- the program */

int channel_out_new(struct core *core, const struct channel_out_config *config, struct channel_out **out)
{
    struct channel_out *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->core = core;
    c->config = *config;
    core_random(core, c->tag.b, sizeof c->tag.b);
    core_random(core, c->key, sizeof c->key);
    state_init(&c->state, &channel_table, CHANNEL_SEEKING);
    outflow_init(&c->flow);
    c->unbound_at = c->retry_at = core_now(core);
    timer_init(&c->tick, channel_tick, c);
    timer_init(&c->flush, flush_tick, c);
    c->next = core->outs;
    core->outs = c;
    plan(c);
    *out = c;
    return 0;
}

int channel_out_push(struct channel_out *c, const struct batch *batch)
{
    int err = outflow_push(&c->flow, batch);
    if (!err && is_bound(c))
        send_soon(c);
    return err;
}

/* The end is never told from inside this call. */
void channel_out_finish(struct channel_out *c)
{
    c->finishing = true;
    if (c->state.now == CHANNEL_BOUND)
        state_move(&c->state, CHANNEL_ENDING, c->core->log);
    core_timer(c->core, &c->flush, 0);
}

void channel_out_cancel(struct channel_out *c)
{
    close_all(c, CLOSE_CANCELLED);
    channel_free(c);
}

void channel_out_status(const struct channel_out *c, struct channel_out_status *out)
{
    *out = (struct channel_out_status){.state = (enum channel_state)c->state.now,
                                       .peer = is_bound(c) ? c->peer : NULL,
                                       .pushed = c->flow.pushed - 1,
                                       .taken = c->flow.taken - 1,
                                       .room = outflow_room(&c->flow),
                                       .rebound = c->rebound};
}

void channel_out_free(struct core *core)
{
    while (core->outs)
        channel_free(core->outs);
}

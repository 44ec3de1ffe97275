/* Channels of this node's programs into pipes: from the pipe to a binder, and from binder to binder. See pipes.h.
 *
 * A channel seeks a binder (reach.c), opens itself there, and sends what its outflow gives. When the link is lost, when the
 * binder says that its reader is gone, or when a binder that must show signs of life shows none, it seeks again, another one
 * first, and sends anew all that was not taken. Here are its life, its timers, and what its program says; the rest is in
 * channel_bind.c and channel_send.c.
 *
 * Invariants: (1) `link` is set in OPENING, BOUND and ENDING, and in SEEKING while a fence is waited for; (2) messages that a
 * binder under a lease may still hand on are sent to no other one before that lease must have ended: a lease ends its length
 * after a stamp was made, thus at the latest its length after the stamp was heard here; (3) while there is no binder the tick
 * bounds how long. */
#include "channel_out_internal.h"

#include <stdlib.h>

#define LOOK_EVERY (200 * MILLISECOND) /* is the binder alive? */
#define QUIET_MAX 4                    /* looks without an ACK; counted, for our own sleep is not its silence */
#define IDLE_LOOK (30 * SECOND)        /* keeps the link from counting as idle */
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

struct channel_out *channel_find(struct core *core, const struct tag *tag)
{
    struct channel_out *c = core->outs;
    while (c && !tag_equal(&c->tag, tag))
        c = c->next;
    return c;
}

bool channel_is_bound(const struct channel_out *c)
{
    return c->state.now == CHANNEL_BOUND || c->state.now == CHANNEL_ENDING;
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
    channel_hold(c, NULL);
    outflow_fini(&c->flow);
    free(c);
}

void channel_close_at(struct channel_out *c, struct link *link, enum close_reason reason)
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
    channel_close_at(c, c->binder.link, reason);
    if (c->state.now == CHANNEL_OPENING && c->link != c->binder.link)
        channel_close_at(c, c->link, reason);
}

void channel_end(struct channel_out *c, const struct fault *fault)
{
    static const struct fault none;
    close_all(c, fault ? CLOSE_CANCELLED : CLOSE_ENDED);
    state_move(&c->state, CHANNEL_ENDED, c->core->log);
    c->config.events->ended(c->config.arg, fault ? fault : &none);
    channel_free(c);
}

bool channel_complete(const struct channel_out *c)
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

void channel_plan(struct channel_out *c)
{
    uint64_t now = core_now(c->core), at = c->unbound_at + c->config.wait;
    if (channel_is_bound(c))
        at = now + (c->lease > 0 && outflow_outstanding(&c->flow) ? LOOK_EVERY : IDLE_LOOK);
    else if (c->state.now == CHANNEL_SEEKING && c->retry_at > 0 && c->retry_at < at)
        at = c->retry_at;
    c->core->port->timer_set(c->core->port->self, &c->tick, at);
}

void channel_retry(struct channel_out *c)
{
    c->retry_at = core_now(c->core) + c->backoff;
    c->backoff = c->backoff == 0 ? BACKOFF_MIN : c->backoff < BACKOFF_MAX / 2 ? 2 * c->backoff : BACKOFF_MAX;
    channel_plan(c);
}

static void flush_tick(void *arg)
{
    struct channel_out *c = arg;
    if (channel_complete(c))
        channel_end(c, NULL);
    else if (channel_is_bound(c))
        channel_send_all(c);
}

static void look_at_binder(struct channel_out *c)
{
    bool must_speak = c->lease > 0 && outflow_outstanding(&c->flow);
    c->link->used_at = core_now(c->core);
    if (must_speak && ++c->quiet >= QUIET_MAX) {
        channel_unbind(c, ERR_TIMEOUT, "has stopped answering");
        return;
    }
    channel_echo(c);
    channel_plan(c);
}

static void channel_tick(void *arg)
{
    struct channel_out *c = arg;
    uint64_t now = core_now(c->core);
    if (channel_is_bound(c)) {
        look_at_binder(c);
    } else if (now >= c->unbound_at + c->config.wait) {
        give_up(c);
    } else if (c->state.now == CHANNEL_SEEKING && c->retry_at > 0 && now >= c->retry_at) {
        c->retry_at = 0;
        if (c->link)
            channel_approach(c);
        else
            channel_seek(c);
    } else {
        channel_plan(c);
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
    state_init(&c->state, &channel_table, CHANNEL_SEEKING);
    outflow_init(&c->flow);
    c->unbound_at = c->retry_at = core_now(core);
    timer_init(&c->tick, channel_tick, c);
    timer_init(&c->flush, flush_tick, c);
    c->next = core->outs;
    core->outs = c;
    channel_plan(c);
    *out = c;
    return 0;
}

int channel_out_push(struct channel_out *c, const struct batch *batch)
{
    int err = outflow_push(&c->flow, batch);
    if (!err && channel_is_bound(c))
        channel_send_soon(c);
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
                                       .peer = channel_is_bound(c) ? c->peer : NULL,
                                       .pushed = c->flow.pushed - 1,
                                       .taken = c->flow.taken - 1,
                                       .room = outflow_room(&c->flow),
                                       .rebound = c->rebound};
}

void channel_out_free(struct core *core)
{
    for (struct channel_out *c = core->outs, *next; c; c = next) {
        next = c->next;
        channel_free(c);
    }
}

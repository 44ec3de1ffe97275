/* Channels from senders' programs into pipes that are bound here: rights, credit, leases, acknowledgements. See pipes.h.
 *
 * What has come and what the reader has is for inflow.c to know. A channel is named by its sender and the tag that the sender
 * gave it, so that no other peer can touch it; its id, made of both, is what the reader knows it by. When its link is lost a
 * channel waits for its sender to come back, and then goes on where it was.
 *
 * Invariants: (1) a channel's pipe is bound and has a reader; (2) messages are taken only over the link that the latest OPEN
 * came by; (3) each channel may hold BASE_WINDOW, and what all hold or may yet be sent beside that is `pooled`, at most POOL:
 * together CHANNEL_BYTES_MAX; (4) a channel without a link is dropped after CHANNEL_KEEP. */
#include "inflow.h"
#include "pipes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256
#define BASE_WINDOW ((uint64_t)PIPE_MESSAGE_MAX + BATCH_HEAD + PIPE_MESSAGE_COST) /* one message must always fit */
#define POOL (CHANNEL_BYTES_MAX - CHANNELS_MAX * BASE_WINDOW)
#define ACK_EVERY MILLISECOND

struct channel_in {
    struct channel_in *next; /* of its bucket */
    struct core *core;
    struct tag id;
    struct receipt_way way; /* its sender's name for it, and our key: another when it comes back from another binder */
    struct peer *peer;
    struct pipe *pipe;
    struct link *link; /* NULL: lost */
    uint64_t lost_at;  /* then */
    struct inflow flow;
    uint64_t extra; /* its part of what is pooled */
    uint64_t acked, acked_at;
    uint64_t told_until; /* end of the lease that the reader knows of */
    struct timer timer;
};

struct channels_in {
    struct channel_in *bucket[BUCKETS];
    size_t count;
    uint64_t pooled;
};

/* ---- the table */

static struct tag channel_id(const struct peer *peer, const struct tag *tag)
{
    return tag_derive("weft channel 1", peer->id.b, NODE_ID_BYTES, tag->b, TAG_BYTES);
}

static struct channel_in *channel_find(struct core *core, const struct tag *id)
{
    struct channel_in *c = core->ins->bucket[id->b[0]];
    while (c && !tag_equal(&c->id, id))
        c = c->next;
    return c;
}

static struct channel_in *channel_of(const struct link *link, const struct tag *tag)
{
    struct tag id = channel_id(link->peer, tag);
    return channel_find(link->core, &id);
}

/* Its part of the pool follows what it was promised. */
static void account(struct channel_in *c)
{
    uint64_t promised = inflow_promised(&c->flow);
    uint64_t extra = promised > BASE_WINDOW ? promised - BASE_WINDOW : 0;
    c->core->ins->pooled += extra - c->extra;
    c->extra = extra;
}

static void channel_drop(struct channel_in *c)
{
    struct core *core = c->core;
    struct channel_in **at = &core->ins->bucket[c->id.b[0]];
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    core->ins->count--;
    core->ins->pooled -= c->extra;
    core_cancel(core, &c->timer);
    c->peer->busy--;
    inflow_fini(&c->flow);
    free(c);
}

/* The sender will not be heard of again. What the reader has of a shared pipe may be another binder's by now. */
static void channel_over(struct channel_in *c, const char *state)
{
    if (c->flow.lease > 0 && c->flow.handed > c->flow.taken)
        pipe_void(c->pipe, &c->id);
    pipe_sender(c->pipe, &c->id, c->peer, state);
    channel_drop(c);
}

/* Calls for each channel; `visit` may drop the one it is given. */
static void each_channel(struct core *core, void (*visit)(struct channel_in *c, void *arg), void *arg)
{
    for (size_t i = 0; core->ins && i < BUCKETS; i++)
        for (struct channel_in *c = core->ins->bucket[i], *next; c; c = next) {
            next = c->next;
            visit(c, arg);
        }
}

/* ---- acknowledgements */

/* What may be promised: its base, what it has of the pool, or half of what is left there. */
static uint64_t window_of(const struct channel_in *c)
{
    uint64_t half = (POOL - c->core->ins->pooled) / 2;
    uint64_t extra = half > c->extra ? half : c->extra;
    return BASE_WINDOW + extra < PIPE_CREDIT_BYTES ? BASE_WINDOW + extra : PIPE_CREDIT_BYTES;
}

static void close_channel(struct link *link, const struct tag *tag, uint64_t seq, enum close_reason reason)
{
    struct msg m;
    m.type = MSG_CLOSE;
    m.request = 0;
    m.close = (struct msg_close){.channel = *tag, .seq = seq, .reason = reason};
    link_send(link, &m);
}

static bool ack_send(struct channel_in *c, uint64_t now)
{
    struct msg m;
    if (!link_may_flow(c->link))
        return false;
    inflow_grant(&c->flow, window_of(c));
    account(c);
    m.type = MSG_ACK;
    m.request = 0;
    m.ack = (struct msg_ack){
        .channel = c->way.tag, .seq = c->flow.taken, .credit = c->flow.credit, .stamp = inflow_stamp(&c->flow, now)};
    if (link_send(c->link, &m) != 0)
        return false;
    c->acked = c->flow.taken;
    c->acked_at = now;
    return true;
}

/* When the next ACK is due: soon for news, but together; at once when the sender may be waiting for credit. */
static uint64_t ack_due(const struct channel_in *c)
{
    uint64_t due = inflow_stamp_due(&c->flow), soon = c->acked_at + ACK_EVERY;
    uint64_t window = window_of(c), promised = inflow_promised(&c->flow), left = c->flow.credit - c->flow.came;
    bool worth_it = window > promised && window - promised >= window / 4;
    if (worth_it && left < window / 4)
        return 0;
    return (c->flow.taken > c->acked || worth_it) && soon < due ? soon : due;
}

static void settle(struct channel_in *c)
{
    struct core *core = c->core;
    uint64_t now = core_now(core), due = c->link ? ack_due(c) : c->lost_at + CHANNEL_KEEP;
    if (c->link && due <= now)
        due = ack_send(c, now) ? ack_due(c) : now + ACK_EVERY;
    if (due == UINT64_MAX)
        core_cancel(core, &c->timer);
    else
        core->port->timer_set(core->port->self, &c->timer, due > now ? due : now + ACK_EVERY);
}

static void channel_tick(void *arg)
{
    struct channel_in *c = arg;
    if (!c->link && core_now(c->core) >= c->lost_at + CHANNEL_KEEP)
        channel_over(c, "lost");
    else
        settle(c);
}

static void detach(struct channel_in *c)
{
    c->link = NULL;
    c->lost_at = core_now(c->core);
    settle(c);
}

/* ---- OPEN */

struct census {
    const struct peer *peer;
    size_t count;
    struct channel_in *oldest; /* of those that have lost their link */
};

static void count_one(struct channel_in *c, void *arg)
{
    struct census *census = arg;
    if (c->peer != census->peer)
        return;
    census->count++;
    if (!c->link && (!census->oldest || c->lost_at < census->oldest->lost_at))
        census->oldest = c;
}

/* A peer's own channels make room for its new ones, when they have lost their links. */
static bool room_for(struct core *core, const struct peer *peer)
{
    struct census census = {.peer = peer};
    each_channel(core, count_one, &census);
    if (census.oldest && (census.count >= CHANNELS_PER_PEER_MAX || core->ins->count >= CHANNELS_MAX)) {
        channel_over(census.oldest, "lost");
        census.count--;
    }
    return census.count < CHANNELS_PER_PEER_MAX && core->ins->count < CHANNELS_MAX;
}

static struct channel_in *channel_new(struct link *link, struct pipe *pipe, const struct msg_open *open)
{
    struct core *core = link->core;
    struct channel_in *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->core = core;
    c->way.tag = open->channel;
    memcpy(c->way.key, open->key, sizeof c->way.key);
    c->id = channel_id(link->peer, &open->channel);
    c->peer = link->peer;
    c->peer->busy++;
    c->pipe = pipe;
    inflow_init(&c->flow, open->seq, pipe->shared ? PIPE_LEASE_MS * MILLISECOND : 0, core_now(core));
    timer_init(&c->timer, channel_tick, c);
    c->next = core->ins->bucket[c->id.b[0]];
    core->ins->bucket[c->id.b[0]] = c;
    core->ins->count++;
    pipe_sender(pipe, &c->id, c->peer, "began");
    receipts_offer(pipe, &c->id, c->peer, &c->way);
    return c;
}

/* May this peer send into this pipe? Gives the pipe. */
static int may_open(struct link *link, const struct msg_open *open, struct pipe **pipe, struct fault *fault)
{
    struct core *core = link->core;
    *pipe = pipe_find(core, &open->pipe);
    if (!*pipe || (*pipe)->type != PIPE_UNICAST || !(*pipe)->reader)
        return fault_set(fault, ERR_NOT_FOUND, "nobody listens on this pipe here");
    if (!pipe_allows(*pipe, link->peer))
        return fault_set(fault, ERR_REFUSED, "you may not send into this pipe");
    return 0;
}

static void open_ok(struct channel_in *c, uint64_t request)
{
    struct msg m;
    inflow_grant(&c->flow, window_of(c));
    account(c);
    m.type = MSG_OPEN_OK;
    m.request = request;
    m.open_ok = (struct msg_open_ok){
        .seq = c->flow.expected, .credit = c->flow.credit, .lease_ms = (uint32_t)(c->flow.lease / MILLISECOND)};
    if (link_send(c->link, &m) != 0)
        detach(c);                                                  /* it will ask again */
    else if (c->flow.lease == 0 || !ack_send(c, core_now(c->core))) /* the lease begins with a stamp */
        settle(c);
}

void channel_in_on_open(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    struct pipe *pipe;
    struct fault fault;
    if (may_open(link, &m->open, &pipe, &fault) != 0) {
        core_send_error(link, m->request, &fault);
        return;
    }
    struct channel_in *c = channel_of(link, &m->open.channel);
    if (c && c->pipe != pipe) {
        link_error(link, m->request, ERR_STATE, "this channel goes into another pipe");
        return;
    }
    if (c && sodium_memcmp(c->way.key, m->open.key, sizeof c->way.key) != 0) { /* it was bound to another since */
        channel_over(c, "lost");
        c = NULL;
    }
    if (c && inflow_open(&c->flow, m->open.seq, core_now(core)))
        pipe_void(pipe, &c->id);
    if (!c && room_for(core, link->peer))
        c = channel_new(link, pipe, &m->open);
    if (!c) {
        link_error(link, m->request, ERR_FULL, "too many programs send to this node; try again later");
        return;
    }
    c->link = link;
    c->acked = m->open.seq;
    open_ok(c, m->request);
}

/* ---- DATA */

static bool hand_over(struct channel_in *c, bool again, const struct batch *batch)
{
    if (!inflow_leased(&c->flow, core_now(c->core)))
        return false;
    if (!pipe_deliver(c->pipe, &c->id, c->peer, c->flow.handed, again, c->flow.until, batch))
        return false;
    c->told_until = c->flow.until;
    return true;
}

static void hand_over_held(struct channel_in *c)
{
    struct batch batch;
    bool again;
    while (inflow_first(&c->flow, &batch, &again) && hand_over(c, again, &batch))
        inflow_handed_first(&c->flow);
}

static int take_in(struct channel_in *c, const struct msg_data *data)
{
    struct batch fresh;
    int err = inflow_data(&c->flow, data->seq, &data->batch, &fresh);
    if (err || fresh.count == 0)
        return err;
    if (c->flow.first || !hand_over(c, data->again, &fresh))
        return inflow_hold(&c->flow, data->again, &fresh);
    inflow_handed(&c->flow, &fresh);
    return 0;
}

/* The sender is still bound to us: what waited for that can go on, and the reader is told before the end it knows of. */
static void confirmed(struct channel_in *c)
{
    hand_over_held(c);
    bool waiting = c->flow.handed > c->flow.taken;
    if (waiting && c->flow.until - c->told_until >= c->flow.lease / 4) {
        pipe_lease(c->pipe, &c->id, c->flow.until);
        c->told_until = c->flow.until;
    }
}

void channel_in_on_data(struct link *link, const struct msg *m)
{
    struct channel_in *c = channel_of(link, &m->data.channel);
    if (!c || c->link != link) {
        close_channel(link, &m->data.channel, m->data.seq, CLOSE_UNKNOWN);
        return;
    }
    link->used_at = link->heard_at;
    bool longer = inflow_confirm(&c->flow, m->data.stamp);
    int err = take_in(c, &m->data);
    account(c);
    if (err) { /* more than it was granted is no accident */
        link->core->refused_messages++;
        link->strikes += err == ERR_LIMIT;
        close_channel(link, &c->way.tag, c->flow.taken, CLOSE_UNKNOWN);
        detach(c);
        return;
    }
    if (longer)
        confirmed(c);
    account(c);
    settle(c);
}

void channel_in_on_close(struct link *link, const struct msg *m)
{
    struct channel_in *c = channel_of(link, &m->close.channel);
    if (!c)
        return;
    if (m->close.reason == CLOSE_ENDED)
        channel_over(c, c->flow.handed >= m->close.seq ? "ended" : "lost");
    else if (m->close.reason == CLOSE_CANCELLED)
        channel_over(c, "lost");
}

/* ---- the reader */

int channel_in_taken(struct core *core, const struct tag *channel, uint64_t seq)
{
    struct channel_in *c = channel_find(core, channel);
    if (!c)
        return 0;
    int err = inflow_taken(&c->flow, seq);
    if (!err)
        settle(c);
    return err;
}

static void resume_one(struct channel_in *c, void *arg)
{
    if (c->pipe != arg || !c->flow.first)
        return;
    hand_over_held(c);
    account(c);
    settle(c);
}

void channel_in_resume(struct pipe *pipe)
{
    each_channel(pipe->core, resume_one, pipe);
}

static void release_one(struct channel_in *c, void *arg)
{
    if (c->pipe != arg)
        return;
    if (c->link)
        close_channel(c->link, &c->way.tag, c->flow.taken, CLOSE_RELEASED);
    channel_drop(c);
}

void channel_in_release(struct pipe *pipe)
{
    each_channel(pipe->core, release_one, pipe);
}

/* ---- links, and the end */

static void lose_one(struct channel_in *c, void *arg)
{
    if (c->link == arg)
        detach(c);
}

void channel_in_link_lost(struct core *core, struct link *link)
{
    each_channel(core, lose_one, link);
}

static void drop_one(struct channel_in *c, void *arg)
{
    (void)arg;
    channel_drop(c);
}

int channel_in_init(struct core *core)
{
    core->ins = calloc(1, sizeof *core->ins);
    return core->ins ? 0 : ERR_NOMEM;
}

void channel_in_free(struct core *core)
{
    each_channel(core, drop_one, NULL);
    free(core->ins);
    core->ins = NULL;
}

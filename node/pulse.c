/* The pulse of links: is whoever is at the far end still there, and is the link still wanted?
 *
 * Silent ones are asked (PING), and closed when they stay silent; so are those that have not come up in time, and those that
 * were dialled for a pipe and are used no more. Invariant: while there is a link, the heartbeat runs. */
#include "core_internal.h"

#define HEARTBEAT (1 * SECOND) /* how often links are looked at */
#define PIPE_LINK_IDLE (120 * SECOND)

static void ping(struct link *link, uint64_t now)
{
    struct msg m = {.type = MSG_PING};
    core_random(link->core, &link->ping_nonce, sizeof link->ping_nonce);
    link->ping_nonce >>= 1; /* wire integers are at most INT64_MAX */
    m.ping.nonce = link->ping_nonce;
    link->pinged_at = now;
    link_send(link, &m);
}

void links_doubt(struct core *core, struct peer *peer)
{
    uint64_t now = core_now(core);
    for (struct link *l = peer->links; l; l = l->same_peer)
        if (l->state.now == LINK_UP && l->heard_at < now) {
            l->doubted_at = now;
            ping(l, now);
        }
}

static bool link_overdue(const struct link *link, uint64_t now)
{
    if (link->state.now != LINK_UP)
        return now - link->opened_at > LINK_HELLO_DEADLINE;
    if (link->doubted_at > link->heard_at && now - link->doubted_at >= LINK_DOUBT)
        return true;
    bool idle_pipe = !link->inbound && !link->plain && link->users == 0 && now - link->used_at > PIPE_LINK_IDLE;
    return now - link->heard_at > LINK_DEAD_AFTER || idle_pipe;
}

/* Closing one link may end others, so the search begins anew each time. */
static void close_overdue(struct core *core, uint64_t now)
{
    struct link *l = core->links;
    while (l) {
        bool overdue = link_overdue(l, now);
        if (overdue)
            link_close(l, BYE_DUPLICATE);
        l = overdue ? core->links : l->next;
    }
}

static void heartbeat(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core);
    close_overdue(core, now);
    for (struct link *l = core->links; l; l = l->next)
        if (l->state.now == LINK_UP && now - l->heard_at >= LINK_PING_AFTER && now - l->pinged_at >= LINK_PING_AFTER)
            ping(l, now);
    if (core->links)
        core_timer(core, &core->heartbeat, HEARTBEAT);
}

void links_watch(struct core *core)
{
    if (core->heartbeat.slot == TIMER_IDLE)
        core_timer(core, &core->heartbeat, HEARTBEAT);
}

void links_init(struct core *core)
{
    timer_init(&core->heartbeat, heartbeat, core);
}

void links_fini(struct core *core)
{
    links_close_all(core, BYE_STOPPING);
    core_cancel(core, &core->heartbeat);
}

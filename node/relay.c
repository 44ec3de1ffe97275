/* The relay: its life, what is asked of it, and how it stops. See relay.h; relay_internal.h says which file does what. */
#include "relay_internal.h"

#include <stdlib.h>

/* ---- requests */

/* The pipe that a request came through, NULL for those that belong to what another one has begun. */
static const struct tag *pipe_of(const struct msg *m)
{
    switch (m->type) {
    case MSG_RESERVE: return &m->reserve.pipe;
    case MSG_HANDLES: return &m->handles.pipe;
    case MSG_USE: return &m->use.pipe;
    default: return NULL;
    }
}

static void dispatch(struct relay_line *line, const struct msg *m)
{
    switch (m->type) {
    case MSG_RESERVE: relay_on_reserve(line, m); break;
    case MSG_OFFER: relay_on_offer(line, m); break;
    case MSG_USE: relay_on_use(line, m); break;
    case MSG_NEXT: relay_on_next(line, m); break;
    case MSG_BRIDGE: relay_on_bridge(line, m); break;
    default: break;
    }
}

/* Sessions in sessions of other relays, or of this one with itself, could go round in a circle. */
static bool is_no_client(const struct link *link)
{
    return link->relayed || link_is_here(link);
}

void relay_on_request(struct link *link, const struct msg *m)
{
    struct relay *relay = link->core->relay;
    const struct tag *pipe = pipe_of(m);
    struct relay_line *line;
    link->used_at = core_now(link->core);
    if (!relay)
        link_error(link, m->request, ERR_UNSUPPORTED, "this node is no relay");
    else if (pipe && !tag_equal(pipe, &relay->pipe))
        link_error(link, m->request, ERR_STATE, "this pipe is not bound here");
    else if (m->type == MSG_HANDLES)
        relay_on_handles(link, m);
    else if (is_no_client(link))
        link_error(link, m->request, ERR_REFUSED, "a relay is used over a connection of one's own, not through another relay");
    else if (!(line = relay_line_for(link)))
        link_error(link, m->request, ERR_NOMEM, "this relay is out of memory");
    else
        dispatch(line, m);
}

void relay_link_lost(struct core *core, struct link *link)
{
    struct relay_line *line = core->relay ? relay_line_of(core->relay, link) : NULL;
    if (!line)
        return;
    relay_sessions_line_lost(core->relay, line);
    relay_bridges_line_lost(core->relay, line);
    relay_line_free(line);
}

/* ---- stopping */

static void drained(void *arg)
{
    struct relay *relay = arg;
    relay->drained = true;
    core_cancel(relay->core, &relay->drain_timer);
    links_close_all(relay->core, BYE_STOPPING);
}

static bool is_idle(const struct relay *relay)
{
    return relay->session_count == 0 && relay->bridge_count == 0;
}

/* Links are closed in a turn of its own: who just ended something may still hold one. */
void relay_look_whether_idle(struct relay *relay)
{
    if (relay->draining && !relay->drained && is_idle(relay))
        core_timer(relay->core, &relay->drain_timer, 0);
}

void relay_drain(struct core *core)
{
    struct relay *relay = core->relay;
    relay->draining = true;
    for (size_t i = 0; i < relay->client_count; i++)
        for (struct relay_line *line = relay->client[i]->lines; line; line = line->next) {
            line->drain = true;
            relay_line_serve(line);
        }
    if (is_idle(relay))
        drained(relay);
    else
        core_timer(core, &relay->drain_timer, RELAY_DRAIN);
}

bool relay_idle(const struct core *core)
{
    return !core->relay || core->relay->drained || is_idle(core->relay);
}

/* ---- life */

int relay_new(struct core *core)
{
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay)
        return ERR_NOMEM;
    relay->core = core;
    relay->pipe = pipe_owned(&core->config.identity->id, "relay");
    timer_init(&relay->drain_timer, drained, relay);
    relay_bridges_init(relay);
    core->relay = relay;
    return 0;
}

/* Its links are closed already, and so its sessions. */
static void client_free(struct relay_client *c)
{
    relay_offers_drop(c);
    core_cancel(c->relay->core, &c->lapse);
    c->peer->busy--;
    free(c);
}

void relay_free(struct core *core)
{
    struct relay *relay = core->relay;
    if (!relay)
        return;
    relay_bridges_free(relay);
    for (size_t i = 0; i < relay->client_count; i++)
        client_free(relay->client[i]);
    core_cancel(core, &relay->drain_timer);
    free(relay);
    core->relay = NULL;
}

void relay_start(struct core *core)
{
    if (core->relay)
        binding_bind(core->binding, &core->relay->pipe, PIPE_UNICAST, TRANSPORT_ANY, 0);
}

void relay_describe(const struct core *core, struct row *status)
{
    const struct relay *relay = core->relay;
    if (!relay)
        return;
    row_int(status, "relay_reservations", relay->reservations);
    row_int(status, "relay_handles", relay->offers);
    row_int(status, "relay_sessions", relay->session_count);
    row_int(status, "relay_bridges", relay->bridge_count);
    row_int(status, "relay_bytes", (int64_t)relay->bytes);
}

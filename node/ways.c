/* Ways: which of the links to a peer is taken, and what may travel on it.
 *
 * A link is carried by a connection, or by a session through a relay (session.h). To whoever holds it they are the same; here
 * is where they differ. A connection is always preferred. A session stands for one handle of the node that it leads to: what
 * is asked through it is held against that. And it serves its two ends alone: no gossip of others, no rendezvous, no
 * spreading, and above all no relay, so that no session ever goes through a session. */
#include "core_internal.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* ---- finding */

/* Of two links of one kind: one we dialled before an inbound one, then the oldest. They are looked at newest first. */
static bool no_worse(const struct link *link, const struct link *best)
{
    return !best || best->inbound || !link->inbound;
}

struct link *link_direct(const struct peer *peer)
{
    struct link *best = NULL;
    for (struct link *l = peer->connected > 0 ? peer->links : NULL; l; l = l->same_peer)
        if (l->state.now == LINK_UP && !l->relayed && no_worse(l, best))
            best = l;
    return best;
}

struct link *link_at(struct core *core, const struct peer *peer, const char *endpoint)
{
    (void)core;
    for (struct link *l = peer->links; l; l = l->same_peer)
        if (l->state.now == LINK_UP && !l->inbound && !l->relayed && strcmp(l->endpoint.text, endpoint) == 0)
            return l;
    return NULL;
}

/* The oldest session of ours to the peer for a handle. */
static struct link *session_for(const struct peer *peer, const struct tag *handle)
{
    struct link *best = NULL;
    for (struct link *l = peer->links; l; l = l->same_peer)
        if (l->state.now == LINK_UP && l->relayed && !l->inbound && tag_equal(&l->handle, handle))
            best = l;
    return best;
}

struct link *link_for(struct core *core, const struct peer *peer, const struct tag *handle)
{
    struct link *direct = link_direct(peer);
    (void)core;
    return direct || peer->up == 0 ? direct : session_for(peer, handle);
}

struct link *link_resting(struct core *core, const struct node_id *relay, uint64_t least)
{
    struct link *best = NULL;
    uint64_t longest = least;
    for (struct link *l = core->links; l; l = l->next) {
        bool ours = l->session && !l->inbound && l->state.now == LINK_UP && id_equal(session_relay(l->session), relay);
        if (ours && session_idle(l->session) >= longest && l->users == 0 && !ask_waits(core, l)) {
            best = l;
            longest = session_idle(l->session);
        }
    }
    return best;
}

struct link *link_to(struct core *core, const struct peer *peer)
{
    struct link *best = link_direct(peer);
    (void)core;
    if (best || peer->up == 0)
        return best;
    struct tag node = handle_of(&peer->id, "");
    best = session_for(peer, &node);
    for (struct link *l = best ? NULL : peer->links; l; l = l->same_peer)
        if (l->state.now == LINK_UP && (!best || !best->inbound || l->inbound))
            best = l;
    return best;
}

static int compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

size_t links_peers(struct core *core, struct node_id *out, size_t max)
{
    size_t n = 0, kept = 0;
    for (struct link *l = core->links; l && n < max; l = l->next)
        if (l->state.now == LINK_UP && !l->relayed)
            out[n++] = l->peer->id;
    qsort(out, n, sizeof *out, compare_ids);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !id_equal(&out[kept - 1], &out[i]))
            out[kept++] = out[i];
    return kept;
}

void link_route(const struct link *link, char out[ROUTE_TEXT])
{
    char label[NAME_MAX_BYTES + 1] = "another node";
    const struct peer *relay = link->session ? peers_find(link->core->peers, session_relay(link->session)) : NULL;
    if (relay)
        peer_label(relay, label);
    snprintf(out, ROUTE_TEXT, "%s%s", link->relayed ? "relay:" : "direct", link->relayed ? label : "");
}

#define SHUT_FOR (60 * SECOND)

void peer_is_shut(struct core *core, struct peer *peer)
{
    peer->shut_until = core_now(core) + SHUT_FOR;
}

/* ---- carrying */

int link_carry(struct link *link, const void *bytes, size_t n)
{
    const struct port *port = link->core->port;
    if (link_is_here(link))
        return here_send(link->core, bytes, n);
    if (!link->relayed)
        return port->send(port->self, link->no, bytes, n);
    return link->session ? session_send(link->session, bytes, n) : ERR_UNREACHABLE;
}

void link_drop(struct link *link)
{
    const struct port *port = link->core->port;
    struct session *session = link->session;
    link->session = NULL;
    if (session)
        session_hangup(session);
    else if (!link->relayed)
        port->hangup(port->self, link->no);
}

void link_use(struct core *core, link_no *used, link_no now)
{
    struct link *before = *used ? link_find(core, *used) : NULL, *link = now ? link_find(core, now) : NULL;
    if (before)
        before->users--;
    if (link)
        link->users++;
    *used = link ? now : 0;
}

bool link_carries(const struct link *link, const struct msg *m)
{
    if (!link->relayed)
        return true;
    switch (m->type) {
    case MSG_QUERY: return m->query.hops == 0;
    case MSG_REGISTER:
    case MSG_SPREAD:
    case MSG_SPREAD_HAVE:
    case MSG_SPREAD_WANT:
    case MSG_SPREAD_PRUNE:
    case MSG_RESERVE:
    case MSG_OFFER:
    case MSG_HANDLES:
    case MSG_USE:
    case MSG_NEXT:
    case MSG_NEXT_OK:
    case MSG_BRIDGE: return false;
    default: return true;
    }
}

/* What the binding protocol needs of the node around it: links, records, trust. See discovery/binding.h. */
#include "core_internal.h"

/* Through a relay go our own questions to whom they are about, and answers. */
static int host_send(void *arg, const struct node_id *to, const struct msg *m)
{
    struct core *core = arg;
    struct peer *peer = peers_find(core->peers, to);
    bool passed_on = m->type == MSG_QUERY && (m->query.hops > 0 || !id_equal(&m->query.asker, &core->config.identity->id));
    struct link *link = !peer ? NULL : passed_on ? link_direct(peer) : link_to(core, peer);
    return link ? link_send(link, m) : ERR_UNREACHABLE;
}

static size_t host_linked(void *arg, struct node_id *out, size_t max)
{
    return links_peers(arg, out, max);
}

static size_t host_relays(void *arg, struct node_id *out, size_t max)
{
    return links_relays(arg, out, max);
}

static const struct record_bytes *host_own_record(void *arg, struct record *decoded)
{
    struct core *core = arg;
    *decoded = core->record;
    return &core->signed_record;
}

static int host_take_record(void *arg, const struct record_bytes *bytes, struct record *decoded)
{
    return core_take_record(arg, bytes, decoded);
}

static const struct record_bytes *host_record_of(void *arg, const struct node_id *id, struct record *decoded)
{
    struct core *core = arg;
    const struct peer *peer = peers_find(core->peers, id);
    if (!peer || !peer->has_record)
        return NULL;
    *decoded = peer->record;
    return &peer->signed_record;
}

static uint64_t host_incarnation(void *arg, const struct node_id *id)
{
    struct core *core = arg;
    const struct peer *peer = peers_find(core->peers, id);
    return peer ? peer->incarnation : 0;
}

static bool host_trusted(void *arg, const struct node_id *id)
{
    struct core *core = arg;
    const struct peer *peer = peers_find(core->peers, id);
    return peer && peer->trusted;
}

static uint64_t host_rtt(void *arg, const struct node_id *id)
{
    struct core *core = arg;
    const struct peer *peer = peers_find(core->peers, id);
    const struct link *link = peer ? link_to(core, peer) : NULL;
    return link ? link->rtt : 0;
}

static void host_changed(void *arg, const struct tag *pipe, bool bound)
{
    registrar_pipe_changed(arg, pipe, bound);
}

/* A record that is no news has not been looked at by peers_take_record: then only the very bytes that were verified before
 * are good. */
int core_take_record(struct core *core, const struct record_bytes *bytes, struct record *decoded)
{
    struct peer *peer;
    enum peer_news news;
    int err = peers_take_record(core->peers, bytes, false, core_now(core), &peer, &news);
    if (!err)
        err = record_decode(bytes, decoded);
    if (err || !peer)
        return err ? err : ERR_VERIFY; /* we know ourselves better than others do */
    if (peer_has_record(peer, bytes))
        return 0;
    return record_compare(decoded, &peer->record) < 0 ? ERR_STATE : ERR_VERIFY; /* from an earlier life, or forged */
}

int binding_start(struct core *core)
{
    struct binding_host host = {.arg = core,
                                .port = core->port,
                                .self = core->config.identity->id,
                                .rendezvous = (core->config.roles & ROLE_RELAY) != 0,
                                .send = host_send,
                                .linked = host_linked,
                                .relays = host_relays,
                                .own_record = host_own_record,
                                .take_record = host_take_record,
                                .record_of = host_record_of,
                                .incarnation = host_incarnation,
                                .trusted = host_trusted,
                                .rtt = host_rtt,
                                .changed = host_changed};
    int err = binding_new(&host, &core->binding);
    return err ? err : registrar_new(core);
}

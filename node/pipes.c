/* The table of pipes that programs of this node have bound, who may use them, and how a pipe is named.
 *
 * A pipe is bound for as long as its reader, a pipe-listen call, lasts; one that is a share, for as long as that. Services
 * (`files`, `pipes`) are bound without a reader and are not in the table: nobody sends messages into them.
 *
 * Invariants: (1) the table is in order of name, an owned pipe before a shared one of that name; (2) what is in the table is
 * bound in the binding protocol too, and the other way round but for services; (3) a pipe has one reader, or is a share. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

/* Owned pipes of these names are services, of this version or of one to come. */
static const char *const service_names[] = {"files", "pipes", "sync", "relay", "gather", "history"};

static bool is_service(const char *name)
{
    for (size_t i = 0; i < sizeof service_names / sizeof service_names[0]; i++)
        if (strcmp(service_names[i], name) == 0)
            return true;
    return false;
}

/* ---- the table */

struct pipe *pipe_find(struct core *core, const struct tag *tag)
{
    struct pipe *p = core->pipes;
    while (p && !tag_equal(&p->tag, tag))
        p = p->next;
    return p;
}

bool pipe_allows(const struct pipe *pipe, const struct peer *peer)
{
    if (id_equal(&peer->id, &pipe->core->config.identity->id))
        return true; /* programs of one node are one user's */
    if (pipe->share)
        return share_allows(pipe->share, peer);
    switch (pipe->audience) {
    case AUDIENCE_PUBLIC: return true;
    case AUDIENCE_TRUSTED: return peer->trusted;
    case AUDIENCE_NAMED: break;
    }
    for (size_t i = 0; i < pipe->allowed_count; i++)
        if (id_equal(&pipe->allowed[i], &peer->id))
            return true;
    return false;
}

/* Can this node be reached by that transport at all? */
static bool speaks(struct core *core, enum transport transport)
{
    struct endpoint endpoint[RECORD_ENDPOINTS_MAX];
    if (transport == TRANSPORT_ANY)
        return true;
    size_t n = core->port->endpoints(core->port->self, endpoint, RECORD_ENDPOINTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (endpoint[i].transport == transport)
            return true;
    return false;
}

int pipe_may_bind(struct pipe *p, struct fault *fault)
{
    p->tag = p->shared ? pipe_shared(p->name) : pipe_owned(&p->core->config.identity->id, p->name);
    if (!p->shared && is_service(p->name))
        return fault_set(fault, ERR_USAGE, "'%s' is the name of a service of this node; take another one", p->name);
    const struct pipe *other = pipe_find(p->core, &p->tag);
    if (other && other->share)
        return fault_set(fault, ERR_EXISTS, "'%s' is a share of this node; 'weft unshare %s' first, or take another name",
                         p->name, p->name);
    if (other)
        return fault_set(fault, ERR_EXISTS,
                         "a program of this node listens on '%s' already; end that one first, or take another name", p->name);
    if (!speaks(p->core, p->transport))
        return fault_set(fault, ERR_UNSUPPORTED,
                         "this node cannot be reached by %s; start it with 'weft up --listen %s://...', or name another "
                         "transport",
                         transport_name(p->transport), transport_name(p->transport));
    return 0;
}

static bool comes_before(const struct pipe *a, const struct pipe *b)
{
    int order = strcmp(a->name, b->name);
    return order ? order < 0 : a->shared < b->shared;
}

int pipe_bind(struct pipe *p, struct fault *fault)
{
    struct core *core = p->core;
    int err = pipe_may_bind(p, fault);
    if (err)
        return err;
    err = binding_bind(core->binding, &p->tag, p->type, p->transport, p->rank);
    if (err)
        return fault_set(fault, err, "'%s' cannot be bound: %s; at most %d pipes are bound at one node", p->name, err_text(err),
                         LOCAL_PIPES_MAX);
    struct pipe **at = &core->pipes;
    while (*at && comes_before(*at, p))
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    return 0;
}

void pipe_unbind(struct pipe *p)
{
    struct pipe **at = &p->core->pipes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    binding_unbind(p->core->binding, &p->tag);
    channel_in_release(p);
    connect_release(p->core, p);
}

void pipes_count(const struct core *core, struct pipe_counts *out)
{
    *out = (struct pipe_counts){.channels = pipes_sending(core)};
    for (const struct pipe *p = core->pipes; p; p = p->next) {
        out->bound++;
        out->channels += pipe_senders(p);
    }
}

/* ---- names */

void pipe_node_label(struct core *core, const struct node_id *id, char label[NAME_MAX_BYTES + 1])
{
    const struct peer *peer = peers_find(core->peers, id);
    bool self = id_equal(id, &core->config.identity->id);
    if (peer)
        peer_label(peer, label);
    else
        snprintf(label, NAME_MAX_BYTES + 1, "%s", self ? core->config.name : id_short(id).s);
}

const char *pipe_type_name(enum pipe_type type)
{
    return type == PIPE_PROPAGATE ? "propagate" : "unicast";
}

void pipe_full_name(const struct pipe *p, char out[PIPE_NAME_TEXT])
{
    snprintf(out, PIPE_NAME_TEXT, "%s%s%s", p->shared ? "" : p->core->config.name, p->shared ? "" : ":", p->name);
}

int pipe_transport(const struct row *request, enum transport *transport, struct fault *fault)
{
    const char *name = row_get_text(request, "transport", "any");
    if (transport_parse(name, transport) == 0)
        return 0;
    return fault_set(fault, ERR_USAGE, "'%s' is no transport; there are any, tcp, ipc and ws", name);
}

static bool is_self(const struct core *core, const char *peer)
{
    return strcmp(peer, core->config.name) == 0 || strcmp(peer, id_text(&core->config.identity->id).s) == 0;
}

/* The owner by the name a person gave: ourselves, a peer, or the whole id of a node that may be heard of one day. */
static int owner_of(struct core *core, const char *name, struct node_id *owner, struct peer **peer, struct fault *fault)
{
    if (is_self(core, name)) {
        *owner = core->config.identity->id;
        return 0;
    }
    int err = core_peer(core, name, peer, fault);
    if (!err)
        *owner = (*peer)->id;
    else if (err == ERR_NOT_FOUND && id_parse(name, owner) == 0)
        err = 0;
    return err;
}

int pipe_want(struct core *core, const char *text, enum pipe_type type, enum transport transport, struct binding_want *want,
              struct peer **peer, struct fault *fault)
{
    char owner[NODE_ID_TEXT + NAME_MAX_BYTES + 1];
    const char *colon = strchr(text, ':'), *name = colon ? colon + 1 : text;
    *want = (struct binding_want){.type = type, .transport = transport, .owned = colon != NULL};
    *peer = NULL;
    if (!name_valid(name) || (colon && (colon == text || (size_t)(colon - text) >= sizeof owner)))
        return fault_set(fault, ERR_USAGE,
                         "'%s' names no pipe: it is PEER:NAME, or NAME alone for a shared one; a name has 1 to %d bytes, none "
                         "of /:@\\ and no control characters",
                         text, NAME_MAX_BYTES);
    if (colon && type == PIPE_PROPAGATE)
        return fault_set(fault, ERR_USAGE, "a propagate pipe has no owner, it reaches everyone who listens: say '%s'", name);
    if (!colon) {
        want->pipe = pipe_shared(name);
        return 0;
    }
    snprintf(owner, sizeof owner, "%.*s", (int)(colon - text), text);
    int err = owner_of(core, owner, &want->owner, peer, fault);
    if (err)
        return err;
    want->pipe = pipe_owned(&want->owner, name);
    snprintf(want->name, sizeof want->name, "%s", name);
    return 0;
}

int pipe_here(struct core *core, const char *text, bool shared, const char **name, struct fault *fault)
{
    const char *colon = strchr(text, ':');
    char owner[NODE_ID_TEXT + 1];
    *name = colon ? colon + 1 : text;
    if (colon) {
        snprintf(owner, sizeof owner, "%.*s", (int)(colon - text), text);
        if (shared || (size_t)(colon - text) >= sizeof owner || !is_self(core, owner))
            return fault_set(fault, ERR_USAGE, "only pipes of this node's own, and shared ones, can be bound here: say '%s'",
                             *name);
    }
    if (!name_valid(*name))
        return fault_set(fault, ERR_USAGE,
                         "'%s' cannot name a pipe: a name has 1 to %d bytes, none of /:@\\ and no control characters", *name,
                         NAME_MAX_BYTES);
    return 0;
}

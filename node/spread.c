/* Propagate pipes: messages that reach everyone who has a pipe bound, over a tree of links.
 *
 * What is here: signatures, rights, budgets, and what a message is to a pipe. Along which links messages go, and how lost ones
 * are got again, is for spread_tree.c; which of them are replays, for spread_origins.c.
 *
 * Invariants: (1) a message is passed on or delivered only once its origin's signature has been checked; (2) who sent it is
 * what the signature proves, whatever link it came by; (3) nothing is taken from, or sent to, a peer that is not trusted;
 * (4) a message is delivered at most once in a life of this node, and never one of an origin's earlier lives. */
#include "pipes.h"
#include "spread_origins.h"
#include "spread_tree.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_CONTEXT "weft spread 1"
#define DIGEST_BYTES 32
#define ALL_LINKS 2 /* links' worth of signature checks that all of them together get */

struct spread {
    struct spread_tree *tree;
    struct origins *origins;
    struct bucket checks, sends;
    uint64_t number; /* of our latest message */
    uint64_t sent;   /* copies of messages, ours and others' */
    struct msg out;  /* being sent: too large for a stack */
};

/* ---- what the tree needs of us */

static struct link *link_of(struct core *core, const struct node_id *id)
{
    struct peer *peer = peers_find(core->peers, id);
    return peer ? link_direct(peer) : NULL;
}

static int host_push(void *arg, const struct node_id *to, const uint8_t *bytes, size_t n)
{
    struct core *core = arg;
    struct link *link = link_of(core, to);
    if (!link || !link_may_flow(link))
        return link ? ERR_FULL : ERR_UNREACHABLE;
    int err = link_carry(link, bytes, n);
    core->spread->sent += !err;
    return err;
}

static void host_tell(void *arg, const struct node_id *to, enum spread_tell what, const struct tag *ids, size_t count)
{
    static const enum msg_type types[] = {
        [TELL_HAVE] = MSG_SPREAD_HAVE,
        [TELL_WANT] = MSG_SPREAD_WANT,
        [TELL_PRUNE] = MSG_SPREAD_PRUNE,
        [TELL_LEAVE] = MSG_SPREAD_PRUNE,
    };
    struct core *core = arg;
    struct link *link = link_of(core, to);
    struct msg *m = &core->spread->out;
    m->type = types[what];
    m->request = 0;
    if (m->type == MSG_SPREAD_PRUNE) {
        m->spread_prune.ids = what == TELL_PRUNE;
    } else {
        m->spread_ids.count = (uint8_t)count;
        if (count > 0)
            memcpy(m->spread_ids.id, ids, count * sizeof *ids);
    }
    if (link)
        link_send(link, m);
}

/* ---- life */

int spread_init(struct core *core)
{
    struct spread *s = core->spread = calloc(1, sizeof *s);
    struct spread_host host = {
        .arg = core, .port = core->port, .self = core->config.identity->id, .push = host_push, .tell = host_tell};
    if (!s)
        return ERR_NOMEM;
    bucket_init(&s->checks, ALL_LINKS * SPREAD_CHECKS_PER_S, 2 * ALL_LINKS * SPREAD_CHECKS_PER_S, core_now(core));
    bucket_init(&s->sends, SPREAD_SENDS_PER_S, 2 * SPREAD_SENDS_PER_S, core_now(core));
    s->origins = origins_new();
    return s->origins ? spread_tree_new(&host, &s->tree) : ERR_NOMEM;
}

void spread_free(struct core *core)
{
    struct spread *s = core->spread;
    if (!s)
        return;
    spread_tree_free(s->tree);
    origins_free(s->origins);
    free(s);
    core->spread = NULL;
}

void spread_link_up(struct link *link)
{
    const struct peer *peer = link->peer;
    spread_tree_link(link->core->spread->tree, &peer->id, link->incarnation, peer->trusted);
}

void spread_link_lost(struct core *core, const struct link *link)
{
    if (link->state.now == LINK_UP && !link->relayed && link->peer->connected == 1 && !core->stopping)
        spread_tree_unlink(core->spread->tree, &link->peer->id);
}

void spread_trust(struct core *core, const struct peer *peer)
{
    const struct link *link = link_direct(peer);
    if (link)
        spread_tree_link(core->spread->tree, &peer->id, link->incarnation, peer->trusted);
}

void spread_describe(const struct core *core, struct row *status)
{
    row_int(status, "spread_sent", (int64_t)core->spread->sent);
}

/* ---- signatures */

struct statement {
    uint8_t pipe[TAG_BYTES];
    uint8_t incarnation[8], number[8]; /* big-endian */
    uint8_t digest[DIGEST_BYTES];      /* BLAKE2b of the bytes */
};

static void put64(uint8_t at[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}

static struct statement statement_of(const struct msg_spread *m)
{
    struct statement st;
    memcpy(st.pipe, m->pipe.b, sizeof st.pipe);
    put64(st.incarnation, m->incarnation);
    put64(st.number, m->number);
    crypto_generichash(st.digest, sizeof st.digest, m->bytes, m->len, NULL, 0);
    return st;
}

static void sign(const struct core *core, struct msg_spread *m)
{
    const struct statement st = statement_of(m);
    identity_sign(core->config.identity, SPREAD_CONTEXT, &st, sizeof st, m->signature);
}

static int check(struct link *link, const struct msg_spread *m)
{
    struct core *core = link->core;
    uint64_t now = core_now(core);
    if (!bucket_take(&link->spread, now) || !bucket_take(&core->spread->checks, now))
        return ERR_LIMIT;
    const struct statement st = statement_of(m);
    return identity_check(&m->origin, SPREAD_CONTEXT, &st, sizeof st, m->signature);
}

/* ---- sending and passing on */

static struct spread_name name_of(const struct msg_spread *m)
{
    return (struct spread_name){.origin = m->origin, .incarnation = m->incarnation, .number = m->number};
}

static struct tag id_of(const struct msg_spread *m)
{
    const struct spread_name name = name_of(m);
    return spread_id(&name);
}

/* Takes the message in s->out, from a link or ours, as it is to go on. */
static int take(struct core *core, const struct tag *id, const struct node_id *from, bool goes_on)
{
    struct spread *s = core->spread;
    const struct msg_spread *m = &s->out.spread;
    struct spread_take t = {.id = *id, .from = from, .visited = m->visited, .visited_count = m->visited_count};
    if (goes_on) {
        int err = msg_encode(&s->out, core->outgoing, sizeof core->outgoing, &t.n);
        if (err)
            return err;
        t.bytes = core->outgoing;
    }
    return spread_tree_take(s->tree, &t);
}

static void add_self(const struct core *core, struct msg_spread *m)
{
    if (m->visited_count < QUERY_VISITED_MAX)
        m->visited[m->visited_count++] = core->config.identity->id;
}

static struct pipe *listening(struct core *core, const struct tag *tag)
{
    struct pipe *pipe = pipe_find(core, tag);
    return pipe && pipe->type == PIPE_PROPAGATE ? pipe : NULL;
}

int spread_send(struct core *core, const struct tag *tag, const void *bytes, size_t n)
{
    struct spread *s = core->spread;
    struct pipe *pipe = listening(core, tag);
    if (n > SPREAD_BYTES_MAX)
        return ERR_LIMIT;
    if (!pipe && spread_tree_linked(s->tree) == 0)
        return ERR_UNREACHABLE;
    if (!bucket_take(&s->sends, core_now(core)))
        return ERR_FULL;
    s->out.type = MSG_SPREAD;
    s->out.request = 0;
    s->out.spread = (struct msg_spread){.pipe = *tag,
                                        .origin = core->config.identity->id,
                                        .incarnation = core->config.incarnation,
                                        .number = ++s->number,
                                        .hops = SPREAD_HOPS_MAX,
                                        .len = (uint16_t)n,
                                        .bytes = bytes};
    sign(core, &s->out.spread);
    add_self(core, &s->out.spread);
    const struct tag id = id_of(&s->out.spread);
    int err = take(core, &id, NULL, true);
    const struct link *here = !err && pipe ? link_here(core) : NULL;
    if (here)
        pipe_heard(pipe, here->peer, &id, bytes, n);
    return err;
}

/* ---- receiving */

/* From an earlier life of its origin, or one that was here before the filter of duplicates began; or our own, come back. */
static bool is_replay(struct core *core, const struct msg_spread *m)
{
    const struct spread_name name = name_of(m);
    const struct peer *origin = peers_find(core->peers, &m->origin);
    return id_equal(&m->origin, &core->config.identity->id) || (origin && m->incarnation < origin->incarnation) ||
           !origins_fresh(core->spread->origins, &name);
}

static void deliver(struct core *core, const struct msg_spread *m, const struct tag *id)
{
    struct pipe *pipe = listening(core, &m->pipe);
    const struct peer *origin = peers_find(core->peers, &m->origin);
    if (pipe && origin && pipe_allows(pipe, origin))
        pipe_heard(pipe, origin, id, m->bytes, m->len);
}

/* A message that is not here yet. ERR_VERIFY: whoever passed it on has not checked it. */
static int on_new(struct link *link, const struct msg *m, const struct tag *id)
{
    struct core *core = link->core;
    struct spread *s = core->spread;
    const struct spread_name name = name_of(&m->spread);
    const struct peer *origin = peers_find(core->peers, &m->spread.origin);
    int err = is_replay(core, &m->spread) ? ERR_STATE : check(link, &m->spread);
    if (!err)
        err = origins_mark(s->origins, &name, origin && origin->trusted);
    if (err)
        return err;
    bool goes_on = m->spread.hops > 0;
    s->out.type = MSG_SPREAD;
    s->out.request = 0;
    s->out.spread = m->spread;
    s->out.spread.hops -= goes_on;
    add_self(core, &s->out.spread);
    err = take(core, id, &link->peer->id, goes_on);
    if (!err)
        deliver(core, &m->spread, id);
    return err;
}

static void on_spread(struct link *link, const struct msg *m)
{
    const struct tag id = id_of(&m->spread);
    if (spread_tree_again(link->core->spread->tree, &link->peer->id, &id))
        return;
    int err = on_new(link, m, &id);
    if (!err)
        return;
    link->core->refused_messages++;
    link->strikes += err == ERR_VERIFY;
    log_write(link->core->log, LOG_DEBUG, "spread", "message from %s refused: %s", id_short(&link->peer->id).s, err_text(err));
}

/* How many of the ids asked for are answered. */
static size_t answered(struct link *link, size_t count)
{
    size_t n = 0;
    while (n < count && bucket_take(&link->spread, core_now(link->core)))
        n++;
    return n;
}

void spread_on_message(struct link *link, const struct msg *m)
{
    struct spread_tree *tree = link->core->spread->tree;
    const struct node_id *from = &link->peer->id;
    size_t count = m->spread_ids.count;
    bool trusted = link->peer->trusted;
    if (m->type == MSG_SPREAD_PRUNE)
        spread_tree_on_prune(tree, from, m->spread_prune.ids);
    else if (m->type == MSG_SPREAD_WANT && (count == 0 || (trusted && (count = answered(link, count)) > 0)))
        spread_tree_on_want(tree, from, m->spread_ids.id, count);
    else if (m->type == MSG_SPREAD_HAVE && trusted)
        spread_tree_on_have(tree, from, m->spread_ids.id, count);
    else if (m->type == MSG_SPREAD && trusted)
        on_spread(link, m);
    else
        link->core->refused_messages++;
}

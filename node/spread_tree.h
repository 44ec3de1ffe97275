/* The tree of links along which messages of propagate pipes spread, after Plumtree: J. Leitao, J. Pereira, L. Rodrigues,
 * "Epidemic Broadcast Trees", SRDS 2007.
 *
 * A node has a few neighbours among the peers it is linked to. To those in the tree it sends a new message at once, to the
 * others only its id, a little later. Who gets a message twice takes that link out of the tree (PRUNE). Who hears of an id and
 * does not get the message in time asks for it, and so takes the link into the tree (WANT). There is one tree for all pipes.
 *
 * Neighbours: seen from each node, its trusted linked peers and itself stand on a ring in order of id, and it chooses eight of
 * them at fixed distances both ways. Where all are linked with all, they choose each other. Elsewhere a link that one side has
 * chosen is a neighbour's for both, and each time ids are told one more of the remaining peers hears them too: if it wants
 * any, it holds on to that link. So two groups that only one link joins find it, though nobody had it on its ring.
 *
 * This is the pure part: ids, bytes nobody looks into, and time. It knows neither pipes nor signatures; what it is given to
 * pass on has been checked. */
#ifndef WEFT_NODE_SPREAD_TREE_H
#define WEFT_NODE_SPREAD_TREE_H

#include "id.h"
#include "port.h"

struct spread_tree;

enum spread_tell { TELL_HAVE, TELL_WANT, TELL_PRUNE, TELL_LEAVE }; /* LEAVE: a PRUNE that wants no ids either */

struct spread_host {
    void *arg;
    const struct port *port;
    struct node_id self;
    /* What it cannot send now is told of, and asked for. */
    int (*push)(void *arg, const struct node_id *to, const uint8_t *bytes, size_t n);
    void (*tell)(void *arg, const struct node_id *to, enum spread_tell what, const struct tag *ids, size_t count);
};

int spread_tree_new(const struct spread_host *host, struct spread_tree **out);
void spread_tree_free(struct spread_tree *t);

/* A link to this peer is up, or what is known of it has changed. `life` tells its lives apart. Only trusted ones carry
 * messages; that others have chosen us is remembered for the day when they are trusted. */
void spread_tree_link(struct spread_tree *t, const struct node_id *id, uint64_t life, bool trusted);
void spread_tree_unlink(struct spread_tree *t, const struct node_id *id);
/* How many trusted peers are linked. */
size_t spread_tree_linked(const struct spread_tree *t);

/* A message has come over a link. Is it here already? Then that is dealt with. */
bool spread_tree_again(struct spread_tree *t, const struct node_id *from, const struct tag *id);

struct spread_take {
    struct tag id;
    const struct node_id *from; /* NULL: it is ours */
    const uint8_t *bytes;       /* as it is to be passed on, or NULL when it is not (borrows) */
    size_t n;
    const struct node_id *visited; /* need not get it */
    size_t visited_count;
};
/* Takes a message that is not here yet, and sends it on. ERR_NOMEM. */
int spread_tree_take(struct spread_tree *t, const struct spread_take *m);

void spread_tree_on_have(struct spread_tree *t, const struct node_id *from, const struct tag *ids, size_t count);
/* The caller limits how many are answered. */
void spread_tree_on_want(struct spread_tree *t, const struct node_id *from, const struct tag *ids, size_t count);
void spread_tree_on_prune(struct spread_tree *t, const struct node_id *from, bool ids);

/* For tests and the curious. */
struct spread_tree_status {
    size_t neighbours, in_tree; /* links */
    size_t here, missing;       /* ids */
    size_t kept_bytes;
};
void spread_tree_status(const struct spread_tree *t, struct spread_tree_status *out);

#endif

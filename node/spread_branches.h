/* The links of a spread tree: which peers are linked, and which of them are neighbours. See spread_tree.h.
 *
 * Pure state. Invariants: (1) branches are in order of id; (2) a branch that is not trusted is nobody's choice of ours;
 * (3) `mine` here is `yours` at the far end, once what was told has arrived. */
#ifndef WEFT_NODE_SPREAD_BRANCHES_H
#define WEFT_NODE_SPREAD_BRANCHES_H

#include "id.h"
#include "limits.h"

struct branch {
    struct node_id id;
    uint64_t life;
    bool trusted;
    bool mine;    /* we have chosen it */
    bool yours;   /* it has chosen us */
    bool held;    /* chosen whatever the ring says: it had what nobody else told us of */
    bool in_tree; /* it is sent messages, not ids */
    uint64_t held_at;
    uint64_t told;      /* it has got or been told all that arrived here up to this number */
    uint64_t pruned_at; /* when it was last told PRUNE */
    unsigned owes;      /* missing messages that it was the first to announce */
};

struct branches {
    struct branch *branch;
    size_t count, cap;
};

void branches_fini(struct branches *bs);
struct branch *branch_find(const struct branches *bs, const struct node_id *id);
/* Finds or adds; adding moves the others. NULL: out of memory. */
struct branch *branch_add(struct branches *bs, const struct node_id *id);
void branch_drop(struct branches *bs, const struct node_id *id);

/* A neighbour: chosen by either side. */
bool branch_near(const struct branch *b);
/* The first branch that is trusted and no neighbour, in order of id behind `after`, then from the beginning; or NULL. */
struct branch *branch_stray(const struct branches *bs, const struct node_id *after);
size_t branches_trusted(const struct branches *bs);

/* Chooses from the ring of `self` and the trusted branches. Gives their places; returns how many. */
size_t branches_choose(const struct branches *bs, const struct node_id *self, size_t out[SPREAD_BRANCHES]);

#endif

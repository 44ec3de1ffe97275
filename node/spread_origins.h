/* Which messages of which origins have been here: none is taken twice, however late it comes again.
 *
 * An origin numbers its messages from 1 in each of its lives. Of each origin the newest life is remembered, its highest
 * number, and which of the ORIGIN_WINDOW numbers below were here; what is older than that is a replay (the window of IPsec,
 * RFC 4303, 3.4.3). Pure state, bounded by ORIGINS_MAX. */
#ifndef WEFT_NODE_SPREAD_ORIGINS_H
#define WEFT_NODE_SPREAD_ORIGINS_H

#include "id.h"

#define ORIGIN_WINDOW 1024 /* messages of one origin may overtake each other by that many */

struct origins;

/* What names a message: see struct msg_spread. */
struct spread_name {
    struct node_id origin;
    uint64_t incarnation, number;
};

struct tag spread_id(const struct spread_name *name);

struct origins *origins_new(void); /* NULL: out of memory */
void origins_free(struct origins *o);

/* Can it be new? */
bool origins_fresh(const struct origins *o, const struct spread_name *name);
/* It is here now; its signature must have been checked. The least recent origin makes room for another, but a trusted one
 * never for one that is not: ERR_FULL. ERR_NOMEM. */
int origins_mark(struct origins *o, const struct spread_name *name, bool trusted);
size_t origins_count(const struct origins *o);

#endif

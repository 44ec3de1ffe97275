/* What a byte stream that lasts is, apart from its connections: the descriptors of its program, how far either direction has
 * come, and what would have to be sent again.
 *
 * While there are connections it belongs to their transfer; in between the bulk plane keeps it, parked, by its name. */
#ifndef WEFT_NODE_BULK_KEPT_H
#define WEFT_NODE_BULK_KEPT_H

#include "bulk_ring.h"
#include "conduit.h"
#include "id.h"

#include <sys/queue.h>

struct kept {
    LIST_ENTRY(kept) link; /* while it is parked */
    struct tag name;
    int fd[2];              /* the program's, until they are opened: */
    struct conduit in, out; /* from the program, and to it */
    struct ring ring;       /* read from the program, and not confirmed to have been written by the other side */
    uint64_t given;         /* bytes that were written to the program */
    bool begun;             /* it has got them: both sides believe that it was joined */
    bool ended;             /* the program has said all that it will */
    bool closed;            /* so has the other one, and all of it was written */
    bool over;              /* nothing can or need be taken up again */
};

struct kept *kept_new(const struct tag *name); /* NULL: out of memory */
void kept_free(struct kept *kept);             /* NULL is fine */

#endif

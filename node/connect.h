/* What the two sides of a byte stream have in common, beside what pipes.h says. Inside the core only. */
#ifndef WEFT_NODE_CONNECT_H
#define WEFT_NODE_CONNECT_H

#include "core_internal.h"

/* How many bytes went each way: from this side's program, and to it. */
struct moved {
    uint64_t in, out;
};
/* What a duplex says of it; `before` when there is none (NULL), for counts do not go back. */
struct moved connect_moved(const struct duplex *d, struct moved before);
/* As fields of a row, and at the end of a fault's sentence. */
void connect_show_moved(struct row *row, struct moved moved);
void connect_failed(struct fault *fault, struct moved moved);

/* Requests that came by this link cannot be answered any more; streams that are up go on, or go another way. */
void connect_link_lost(struct core *core, const struct link *link);
void callers_link_lost(struct core *core, const struct link *link);
/* The node stops: ends what peers began. What its own programs began ends with their calls. */
void connects_stop(struct core *core);
void callers_free(struct core *core);

#endif

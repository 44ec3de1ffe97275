/* What the two sides of a byte stream have in common, beside what pipes.h says. Inside the core only. */
#ifndef WEFT_NODE_CONNECT_H
#define WEFT_NODE_CONNECT_H

#include "core_internal.h"

/* How many bytes went each way: fields of a row (d NULL: none), and at the end of a fault's sentence. */
void connect_moved(struct row *row, const struct duplex *d);
void connect_failed(struct fault *fault, const struct duplex *d);

/* Requests that came by this link cannot be answered any more; streams that are up go on. */
void connect_link_lost(struct core *core, const struct link *link);
/* The node stops: ends what peers began. What its own programs began ends with their calls. */
void connects_stop(struct core *core);
void callers_free(struct core *core);

#endif

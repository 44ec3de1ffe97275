/* Shares that are byte streams: each is a pipe of this node's that no program reads. Part of the core: a pipe whose `share` is
 * set is offered a stream by opening the resource, once for each stream; any number may be open, up to RESOURCES_MAX, but a
 * FIFO for one stream at a time: two readers would each get a part.
 *
 * The port's side is resource.h. */
#ifndef WEFT_NODE_RESOURCES_H
#define WEFT_NODE_RESOURCES_H

#include "pipes.h"

/* Could a new share of this row be offered, or is its name a pipe's already? Files and folders are no pipes. */
int resources_share_may(struct core *core, const struct share_row *row, struct fault *fault);
/* A share was put: binds its pipe when it is a byte stream. The errors of pipe_bind. */
int resources_share_put(struct core *core, struct share *share);
/* It is dropped, before it is freed, or is about to be replaced: streams into it end, its pipe is unbound. */
void resources_share_dropped(struct core *core, struct share *share);

/* connect_in.c: a stream is wanted under this number. Ends by connect_opened or connect_refused (client 0), later, unless it is
 * closed before. ERR_FULL, ERR_NOMEM. */
int resources_offer(struct pipe *pipe, uint64_t number);
/* connect_in.c: what it was given is not needed any more (also before it was given, and when it was refused). */
void resources_close(struct core *core, uint64_t number);
void resources_free(struct core *core);

#endif

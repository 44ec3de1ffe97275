/* Shares that are byte streams: each is a pipe of this node's that no program reads. Part of the core: a pipe whose `share` is
 * set is offered a stream by opening the resource, once for each stream; any number may be open, up to RESOURCES_MAX. */
#ifndef WEFT_NODE_RESOURCES_H
#define WEFT_NODE_RESOURCES_H

#include "pipes.h"

/* A share was put, or is dropped (before it is freed): its pipe is bound or unbound, streams into it end. */
void resources_share_put(struct core *core, struct share *share);
void resources_share_dropped(struct core *core, struct share *share);
/* connect_in.c: a stream is wanted under this number. Ends by connect_opened or connect_refused (client 0), later. */
int resources_offer(struct pipe *pipe, uint64_t number);
/* connect_in.c: what it was given is not needed any more (also before it was given). */
void resources_close(struct core *core, uint64_t number);
void resources_free(struct core *core);

#endif

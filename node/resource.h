/* Resources that are no files, opened for real: a TCP service is connected to, a URL fetched, a command run, a FIFO read. Each is
 * one descriptor for a byte stream. Part of the runtime: resources.h is the core's side.
 *
 * A command or a URL that failed must not look like one that ended: who has read to the end asks for the verdict. */
#ifndef WEFT_NODE_RESOURCE_H
#define WEFT_NODE_RESOURCE_H

#include "loop.h"
#include "transfer.h"

/* Ends by r->opened on the loop thread. */
void resource_open(struct loop *loop, struct resource *r);
void resource_close(struct resource *r);
/* Gives the descriptors, in and out, once (they are then closed by whoever took them); -1 when there is none. */
void resource_take(struct resource *r, int fd[2]);
/* Did it end as it should? Waits for its end, at most RESOURCE_SILENCE_S. Any thread. */
int resource_verdict(struct resource *r, struct fault *fault);

#endif

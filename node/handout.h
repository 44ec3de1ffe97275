/* What the reader of a pipe was given and has not said to have handled. A value of its own: no clock, no rows, no channels.
 *
 * It counts what that costs, so that a reader which is slow, or stops, is not given more; and it knows up to where each channel
 * was handed out, so that a reader cannot take what it never got. */
#ifndef WEFT_NODE_HANDOUT_H
#define WEFT_NODE_HANDOUT_H

#include "id.h"

struct handout_channel;

struct handout {
    uint64_t cost; /* of all that is out */
    struct handout_channel *channels;
};

void handout_fini(struct handout *h);
/* Messages of a channel go out: the next one after them has number `next`. ERR_NOMEM: nothing was noted. */
int handout_add(struct handout *h, const struct tag *channel, uint64_t next, uint64_t cost);
/* All below `next` is handled. ERR_NOT_FOUND: nothing of that channel is out. ERR_USAGE: that was never handed out. */
int handout_taken(struct handout *h, const struct tag *channel, uint64_t next);
/* Forgets what is out of a channel. */
void handout_forget(struct handout *h, const struct tag *channel);

#endif

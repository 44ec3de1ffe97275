/* Messages of a propagate pipe that wait for its reader. Bounded: a new one drives out the oldest, which is counted.
 *
 * Messages are numbered from 1 as they are heard, so a reader sees from the numbers too where some are missing. */
#ifndef WEFT_NODE_HEARD_H
#define WEFT_NODE_HEARD_H

#include "id.h"

#include <stddef.h>

struct heard_message {
    struct heard_message *next;
    struct node_id origin;
    struct tag id;
    uint64_t number;
    size_t n;        /* of the batch */
    uint8_t batch[]; /* of this one message */
};

struct heard {
    struct heard_message *oldest, *newest;
    size_t bytes;   /* that wait, with their overhead */
    uint64_t count; /* heard in all */
    uint64_t dropped;
};

void heard_fini(struct heard *q);
/* ERR_LIMIT: too long for a message. ERR_NOMEM: it counts as dropped. */
int heard_add(struct heard *q, const struct node_id *origin, const struct tag *id, const void *bytes, size_t n);
void heard_drop_oldest(struct heard *q);

#endif

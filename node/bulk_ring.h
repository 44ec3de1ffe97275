/* What a byte stream has sent and the other side has not confirmed yet: the latest bytes of it, by their place in the stream.
 * */
#ifndef WEFT_NODE_BULK_RING_H
#define WEFT_NODE_BULK_RING_H

#include "limits.h"

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *bytes; /* STREAM_KEPT_BYTES of them */
    uint64_t from;  /* counts since the stream began: the first byte that is kept, */
    uint64_t to;    /* and the next one to be added */
};

/* ERR_NOMEM. */
int ring_init(struct ring *r);
/* A zeroed ring is fine. */
void ring_fini(struct ring *r);

/* Where the next bytes may be put: how many, in one piece, at most `max`. 0: it is full. ring_add says how many were. */
size_t ring_room(const struct ring *r, size_t max, uint8_t **at);
void ring_add(struct ring *r, size_t n);
/* Kept bytes from the one counted `at` on, in one piece, at most `max`: how many. 0 at the end. */
size_t ring_show(const struct ring *r, uint64_t at, size_t max, const uint8_t **bytes);
/* Those before `to` are not needed any more. ERR_MALFORMED: they are not kept, or are yet to come. */
int ring_drop(struct ring *r, uint64_t to);

#endif

/* What the parts of an index share (anchors.c, anchors_file.c).
 *
 * Segment i is length[i] and value[i], its hash. A length of 0 is a hole, and its value how long that is. */
#ifndef WEFT_STORE_ANCHORS_INTERNAL_H
#define WEFT_STORE_ANCHORS_INTERNAL_H

#include "anchors.h"
#include "limits.h"

#define SEGMENT_BYTES 10 /* in a file: length and value */
#define SEGMENTS_MAX (INDEX_BYTES_MAX / SEGMENT_BYTES - 16)
#define MARK_EVERY 16 /* segments: from the nearest mark on, offsets are summed up */

struct anchors {
    uint64_t seed;
    uint8_t secret[192]; /* that XXH3 makes of it */
    uint64_t size;       /* of what was fed */
    uint64_t ended;      /* of what is segments already */
    uint64_t count, room;
    uint64_t *value;
    uint16_t *length;
    uint64_t *mark; /* offset of every MARK_EVERYth */
    /* The beginning of the segment at hand, when it was not all of a portion; in its first `scanned` bytes it does not end. */
    size_t carried, scanned;
    /* The other index that bytes are known of, and its segment that they were in last. If they go on at `known_next`, what is
     * carried is this segment's beginning. */
    const struct anchors *known;
    struct segment known_segment;
    uint64_t known_next;
    uint64_t gear[256];
    uint8_t carry[SEGMENT_MAX];
};

/* Appends a segment; of a hole `length` is 0. ERR_LIMIT, ERR_NOMEM. */
int anchors_push(struct anchors *a, uint16_t length, uint64_t value);

#endif

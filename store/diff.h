/* The local diff: which bytes of a new file does the old one have already? (claims GATHER-1 and GATHER-3)
 *
 * Pure over readers. With the old bytes at hand it is exact to the byte: it compares at the running offset, tries small shifts
 * when that ends, then the next anchor that the old file's index knows, and extends what it finds backwards and forwards. With
 * the index only, it is exact to the segment: at the running offset the next segment of the old file is known by its hash
 * alone; where that ends, segments that come next in the old file are expected for a while, and anchors of the new file are
 * looked up. With neither all is new. It reads the new file once, in order and but for its holes, and of the old one what it
 * compares; memory is the index, the regions and two windows. Work is bounded: O(new file), whatever its bytes. */
#ifndef WEFT_STORE_DIFF_H
#define WEFT_STORE_DIFF_H

#include "anchors.h"
#include "regions.h"
#include "stage.h"

#include <stdatomic.h>

/* Bytes to be read at any offset: exactly n, or a code. */
struct diff_file {
    int (*read)(void *arg, uint64_t offset, void *buf, size_t n);
    /* The next data from offset on: [*data, *end). NULL: there are no holes. */
    int (*next_data)(void *arg, uint64_t offset, uint64_t *data, uint64_t *end);
    void *arg;
    uint64_t size;
};

struct diff {
    /* what to do */
    const struct diff_file *fresh;
    const struct diff_file *old; /* NULL: only its index is there */
    const struct anchors *index; /* of the old file, finished; NULL, or one of another seed: not used */
    uint64_t seed;               /* of the new index */
    _Atomic uint64_t *done;      /* bytes of the new file that are through; may be NULL */
    const atomic_bool *stop;     /* may be NULL */
    /* what came of it */
    struct regions regions;
    struct hash128 hash;         /* as COMMIT wants it: see file_hash.h */
    struct anchors *fresh_index; /* of the new file: where it was copied, that of the old one is used again */
};

/* 0; ERR_CANCELLED; what a reader said; ERR_NOMEM, ERR_LIMIT. Nothing is left to be freed then. */
int diff_run(struct diff *d);
void diff_free(struct diff *d); /* what came of it */

#endif

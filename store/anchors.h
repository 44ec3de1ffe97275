/* Content indexes: what a file consists of, so that its segments are known again wherever they stand.
 *
 * An anchor is a place that the bytes before it choose, by a rolling hash (gear, 64 bytes wide): the same bytes have the same
 * anchors in any file at any offset. Between two anchors lies a segment, 512 bytes on average, 256 to 4096, of which the index
 * keeps length and a 64-bit hash (XXH3 with the index's seed). So an index is 10 bytes for each 512 of the file. Segments are
 * trusted as matches: two different ones are taken for the same once in 2^64 comparisons, and what was built from them is hashed
 * as a whole before it counts.
 *
 * In memory an index has one owner; any number of threads may read one that is finished. */
#ifndef WEFT_STORE_ANCHORS_H
#define WEFT_STORE_ANCHORS_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MIN 256
#define SEGMENT_MAX 4096
#define SEGMENT_MEAN 512

struct anchors; /* an index */

/* ---- making one: feed the file from its beginning, in portions of any size. ERR_NOMEM, ERR_LIMIT (INDEX_BYTES_MAX). */
int anchors_new(uint64_t seed, struct anchors **a);
int anchors_feed(struct anchors *a, const void *bytes, size_t n);
/* The next n bytes are a hole: as many zeros, at no cost. */
int anchors_feed_hole(struct anchors *a, uint64_t n);
int anchors_finish(struct anchors *a); /* no more is fed */
void anchors_free(struct anchors *a);

uint64_t anchors_seed(const struct anchors *a);
uint64_t anchors_size(const struct anchors *a);  /* of the file */
uint64_t anchors_count(const struct anchors *a); /* segments */
size_t anchors_memory(const struct anchors *a);

struct segment {
    uint64_t offset, hash;
    uint32_t length;
};
/* The i-th segment; the one that contains an offset below the size. */
struct segment anchors_segment(const struct anchors *a, uint64_t i);
uint64_t anchors_at(const struct anchors *a, uint64_t offset);
/* The segments with this hash and length: up to `max` of their numbers, in order from the one that stands nearest to `near` on.
 * The first search makes a table (8 bytes a segment). */
size_t anchors_find(const struct anchors *a, uint64_t hash, uint32_t length, uint64_t near, uint64_t *number, size_t max);

/* The SKETCH_HASHES smallest hashes of segments, each once: files of one seed that share much share some of these. */
#define SKETCH_HASHES 16
size_t anchors_sketch(const struct anchors *a, uint64_t hash[SKETCH_HASHES]);

/* ---- in a file (store/FORMAT.md). Written with a checksum; read, it is checked whole: lengths, sums, checksum. `fd` at its
 * beginning. ERR_DAMAGED, ERR_LIMIT, ERR_IO, ERR_NOSPACE, ERR_NOMEM. */
int anchors_write(const struct anchors *a, int fd, struct fault *fault);
int anchors_read(int fd, struct anchors **a, struct fault *fault);

#endif

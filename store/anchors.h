/* Content indexes: what a file consists of, so that its segments are known again wherever they stand.
 *
 * An anchor is a place that the bytes before it choose, by a rolling hash (gear, 64 bytes wide, its table made from the index's
 * seed): the same bytes have the same anchors in any file at any offset. Between two anchors lies a segment, 512 bytes on
 * average, 256 to 4096, of which the index keeps length and a 64-bit hash (XXH3-64 with the seed). So an index is 10 bytes for
 * each 512 of the file. Holes stand in it as such; a segment also ends before a hole and at the end, and may be short there.
 *
 * Segments are trusted as matches: two different ones are taken for the same once in 2^64 comparisons, and what was built from
 * them is hashed as a whole before it counts. Who does not know the seed cannot choose bytes that have many anchors, or none.
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

/* ---- making one: feed the file from its beginning, in portions of any size. ERR_NOMEM, ERR_LIMIT (INDEX_BYTES_MAX, or
 * 2^63 - 1 bytes); then only anchors_free is left. */
int anchors_new(uint64_t seed, struct anchors **a);
int anchors_feed(struct anchors *a, const void *bytes, size_t n);
/* The next n bytes are a hole: as many zeros, at no cost. */
int anchors_feed_hole(struct anchors *a, uint64_t n);
/* As anchors_feed, of bytes that are those of `old` (of the same seed) from offset `from` on: its segments are taken as they
 * are as soon as the two are in step. The index becomes the same one. */
int anchors_feed_known(struct anchors *a, const struct anchors *old, uint64_t from, const void *bytes, size_t n);
int anchors_finish(struct anchors *a); /* no more is fed */
void anchors_free(struct anchors *a);

uint64_t anchors_seed(const struct anchors *a);
uint64_t anchors_size(const struct anchors *a);  /* of the file, or of what was fed */
uint64_t anchors_count(const struct anchors *a); /* segments, finished ones while it is made */
size_t anchors_memory(const struct anchors *a);

struct segment {
    uint64_t number, offset, length;
    uint64_t hash; /* 0 for a hole */
    bool hole;
};
/* Segment i, below the count; the one that contains an offset, below the size of what is segments; the one behind a segment,
 * false when it is the last one. */
struct segment anchors_segment(const struct anchors *a, uint64_t i);
struct segment anchors_at(const struct anchors *a, uint64_t offset);
bool anchors_next(const struct anchors *a, struct segment *s);
uint64_t anchors_hash(const struct anchors *a, const void *bytes, size_t n); /* what a segment of these bytes has */

/* Where could a segment end, wherever it begins? The first such place in n bytes behind `from` (at least GEAR_BYTES - 1), or
 * 0. */
#define GEAR_BYTES 64
size_t anchors_place(const struct anchors *a, const uint8_t *bytes, size_t from, size_t n);

/* The SKETCH_HASHES smallest hashes of segments, each once: files of one seed that share much share some of these. */
#define SKETCH_HASHES 16
size_t anchors_sketch(const struct anchors *a, uint64_t hash[SKETCH_HASHES]);

/* ---- segments by their hashes: a table of some 12 bytes a segment over a finished index (borrowed). Its order is secret, so
 * that no index, whoever made it, can have it searched for long. Any number of threads may search. */
struct finder;
int finder_new(const struct anchors *a, struct finder **f); /* ERR_NOMEM */
void finder_free(struct finder *f);
/* Segments with this hash and length: up to `max` of their numbers, the one that stands nearest to `near` first. Of equal ones
 * in a row only the first is known, and of more than FINDER_STEPS equal ones only as many. */
#define FINDER_STEPS 16
size_t finder_find(const struct finder *f, const struct segment *like, uint64_t near, uint64_t *number, size_t max);

/* ---- in a file (store/FORMAT.md). Written with a checksum; read, it is checked whole: lengths, sums, checksum. From the
 * beginning of `fd`. ERR_DAMAGED, ERR_LIMIT, ERR_IO, ERR_NOSPACE, ERR_NOMEM. */
int anchors_write(const struct anchors *a, int fd, struct fault *fault);
int anchors_read(int fd, struct anchors **a, struct fault *fault);

#endif

/* Regions: how a new file is to be put together, and how that travels (claims GATHER-3 and GATHER-4).
 *
 * An array of regions describes a file from its beginning: each says where its bytes come from (an offset in the source, the
 * next literals, or nowhere: a hole), where they stand, and how many they are. Arrays are in order of destination without gaps
 * and overlaps, neighbours that are one are joined, and no region is empty.
 *
 * On the wire a region is one or two varints (LEB128, at most 10 bytes, shortest form): length * 4 + kind; and for a copy the
 * distance of its source from where the copy before it ended (zigzag: 2 d, or -2 d - 1 below zero; from 0 for the first one of
 * a message). Destinations and literal offsets follow from the lengths. So overlaps and gaps cannot be said, and what can be
 * wrong is checked: a kind that is none, length 0, sums beyond 2^63 - 1, a count other than announced, a total other than
 * announced, neighbours that should have been joined, bytes left over. A length is at most 2^62 - 1: a longer region is said
 * in two messages, as one is that does not fit. */
#ifndef WEFT_STORE_REGIONS_H
#define WEFT_STORE_REGIONS_H

#include <stddef.h>
#include <stdint.h>

enum region_kind { REGION_LITERAL, REGION_COPY, REGION_HOLE, REGION_KIND_COUNT };

struct region {
    enum region_kind kind;
    uint64_t source;      /* COPY: offset in the source; LITERAL: in the literals; HOLE: 0 */
    uint64_t destination; /* offset in the new file */
    uint64_t length;      /* bytes, never 0 */
};

struct regions { /* zeroed: empty */
    struct region *region;
    uint32_t count, room;
    uint64_t start;        /* destination of the first one */
    uint64_t end;          /* of the last one */
    uint64_t from_literal; /* what the first LITERAL's source is */
    uint64_t literals;     /* bytes of LITERALs in all */
    uint64_t copied;       /* and of COPYs */
};

/* Empty, in memory that is not initialised yet: the first one will stand at `start`, and take literals from `literals` on. */
void regions_init(struct regions *r, uint64_t start, uint64_t literals);
void regions_free(struct regions *r);
/* Appends `length` bytes at the end, joined to the last one where both are one; `source` is of a COPY. A length of 0 adds
 * nothing. ERR_LIMIT beyond `max` regions or a sum beyond 2^63 - 1, ERR_NOMEM; nothing was added then. */
int regions_add(struct regions *r, enum region_kind kind, uint64_t source, uint64_t length, uint32_t max);
/* Fewer regions: turns the shortest copies into literals until at most `max` are left, and those that are shorter than `least`
 * in any case, since to say them costs more than to send them. Sources of literals are numbered anew. ERR_LIMIT when holes
 * alone make more than `max`: then r is as it was. */
int regions_simplify(struct regions *r, uint32_t max, uint64_t least);

struct regions_cursor { /* zeroed: at the beginning */
    uint32_t next;
    uint64_t done; /* of region `next`, said already */
};
struct regions_part {
    uint64_t from, length; /* in the destination */
    uint32_t count;
    size_t len; /* bytes of encoding */
};
/* Encodes regions from the cursor on, as many as fit into most->len bytes at `buf`, most->count and most->length (of
 * destination; a region that is longer is split). Moves the cursor. *part is what was said: a count of 0 when nothing is left.
 * ERR_LIMIT when not even one fits. */
int regions_encode(const struct regions *r, struct regions_cursor *at, const struct regions_part *most, uint8_t *buf,
                   struct regions_part *part);
/* Decodes a part behind what `out` (regions_init) begins with: exactly `count` regions making exactly `length` bytes.
 * ERR_MALFORMED, ERR_LIMIT (more than GATHER_REGIONS_MAX or GATHER_REGION_BYTES_MAX), ERR_NOMEM; after a failure out is
 * empty. */
int regions_decode(const uint8_t *bytes, size_t n, uint32_t count, uint64_t length, struct regions *out);

#endif

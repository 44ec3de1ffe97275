/* Regions: arrays, and how they travel. See regions.h. */
#include "regions.h"

#include "err.h"
#include "limits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_MAX (UINT64_MAX >> 1) /* 2^63 - 1: what the system's offsets can say */
#define SAID_MAX (UINT64_MAX >> 2)   /* length of a region in a message */
#define VARINT_MAX 10

void regions_init(struct regions *r, uint64_t start, uint64_t literals)
{
    *r = (struct regions){.start = start, .end = start, .from_literal = literals};
}

void regions_free(struct regions *r)
{
    free(r->region);
    *r = (struct regions){0};
}

/* ---- arrays */

/* Would these bytes of the new file and the region before them be one region? */
static bool joins(const struct region *last, enum region_kind kind, uint64_t source)
{
    return last->kind == kind && (kind != REGION_COPY || last->source + last->length == source);
}

/* Is [from, from + length) within what offsets can say? */
static bool in_range(uint64_t from, uint64_t length)
{
    return from <= OFFSET_MAX && length <= OFFSET_MAX - from;
}

static int make_room(struct regions *r)
{
    if (r->count < r->room) {
        return 0;
    }
    uint32_t room = r->room < 16 ? 16 : r->room > UINT32_MAX / 2 ? UINT32_MAX : r->room * 2;
    struct region *more = r->count < room ? reallocarray(r->region, room, sizeof *more) : NULL;
    if (!more) {
        return ERR_NOMEM;
    }
    r->region = more;
    r->room = room;
    return 0;
}

static uint64_t next_literal(const struct regions *r)
{
    return r->from_literal + r->literals;
}

/* The sums that go with a region that has been added. */
static void count_in(struct regions *r, enum region_kind kind, uint64_t length)
{
    r->end += length;
    r->literals += kind == REGION_LITERAL ? length : 0;
    r->copied += kind == REGION_COPY ? length : 0;
}

int regions_add(struct regions *r, enum region_kind kind, uint64_t source, uint64_t length, uint32_t max)
{
    source = kind == REGION_COPY ? source : kind == REGION_LITERAL ? next_literal(r) : 0;
    if (!in_range(r->end, length) || !in_range(source, length)) {
        return ERR_LIMIT;
    }
    if (length == 0) {
        return 0;
    }
    if (r->count > 0 && joins(&r->region[r->count - 1], kind, source)) {
        r->region[r->count - 1].length += length;
    } else {
        int rc = r->count < max ? make_room(r) : ERR_LIMIT;
        if (rc) {
            return rc;
        }
        r->region[r->count++] = (struct region){.kind = kind, .source = source, .destination = r->end, .length = length};
    }
    count_in(r, kind, length);
    return 0;
}

/* What a region is when copies that are shorter than `least` are none. */
static enum region_kind kind_with(const struct region *g, uint64_t least)
{
    return g->kind == REGION_COPY && g->length < least ? REGION_LITERAL : g->kind;
}

/* How many regions there are then. It never grows with `least`: a copy less is at most one run of literals more. */
static uint32_t count_with(const struct regions *r, uint64_t least)
{
    uint32_t count = 0;
    bool literal = false;
    for (uint32_t i = 0; i < r->count; i++) {
        bool was = literal;
        literal = kind_with(&r->region[i], least) == REGION_LITERAL;
        count += !(was && literal);
    }
    return count;
}

/* The smallest bound, from `least` on, that leaves at most `max`; 0 when there is none. */
static uint64_t bound_for(const struct regions *r, uint32_t max, uint64_t least)
{
    uint64_t low = least, high = OFFSET_MAX + 1;
    if (count_with(r, low) <= max) {
        return low;
    }
    if (least > high || count_with(r, high) > max) {
        return 0;
    }
    while (high - low > 1) { /* low leaves too many, high does not */
        uint64_t middle = low + (high - low) / 2;
        if (count_with(r, middle) > max) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

int regions_simplify(struct regions *r, uint32_t max, uint64_t least)
{
    uint64_t bound = bound_for(r, max, least > 0 ? least : 1);
    if (bound == 0) {
        return ERR_LIMIT;
    }
    struct regions kept = *r;
    kept.count = 0;
    kept.end = r->start;
    kept.literals = kept.copied = 0;
    for (uint32_t i = 0; i < r->count; i++) { /* in place: what is written is never ahead of what is read */
        struct region g = r->region[i];
        int rc = regions_add(&kept, kind_with(&g, bound), g.source, g.length, UINT32_MAX);
        if (rc) {
            return rc; /* literals beyond 2^63 - 1: no file has as many */
        }
    }
    *r = kept;
    return 0;
}

/* ---- how they travel */

static size_t put_varint(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        at[n++] = (uint8_t)(v | 0x80);
    }
    at[n++] = (uint8_t)v;
    return n;
}

static uint64_t zigzag(uint64_t from, uint64_t to)
{
    return to >= from ? (to - from) << 1 : ((from - to) << 1) - 1;
}

/* One region, of a length that a message can say; `copied` is where the copy before it ended. Returns its bytes. */
static size_t put_region(uint8_t *at, const struct region *g, uint64_t copied)
{
    size_t n = put_varint(at, g->length << 2 | g->kind);
    return g->kind == REGION_COPY ? n + put_varint(at + n, zigzag(copied, g->source)) : n;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is still to be said of the region at the cursor, cut to what may be said at once. */
static struct region rest_of(const struct regions *r, const struct regions_cursor *at, uint64_t most)
{
    struct region g = r->region[at->next];
    g.source += g.kind == REGION_HOLE ? 0 : at->done;
    g.destination += at->done;
    g.length = least_of(g.length - at->done, least_of(most, SAID_MAX));
    return g;
}

int regions_encode(const struct regions *r, struct regions_cursor *at, const struct regions_part *most, uint8_t *buf,
                   struct regions_part *part)
{
    uint64_t copied = 0;
    *part = (struct regions_part){.from = r->end};
    if (at->next >= r->count) {
        return 0;
    }
    part->from = r->region[at->next].destination + at->done;
    while (at->next < r->count && part->count < most->count && part->length < most->length) {
        uint8_t said[2 * VARINT_MAX];
        struct region g = rest_of(r, at, most->length - part->length);
        size_t n = put_region(said, &g, copied);
        if (n > most->len - part->len) {
            break;
        }
        memcpy(buf + part->len, said, n);
        part->len += n;
        part->length += g.length;
        part->count++;
        copied = g.kind == REGION_COPY ? g.source + g.length : copied;
        at->done += g.length;
        if (at->done < r->region[at->next].length) { /* the rest of it would have to be joined: that is for the next part */
            break;
        }
        *at = (struct regions_cursor){.next = at->next + 1};
    }
    return part->count > 0 ? 0 : ERR_LIMIT;
}

struct input {
    const uint8_t *at, *end;
};

static int take_varint(struct input *in, uint64_t *v)
{
    *v = 0;
    for (unsigned i = 0; i < VARINT_MAX && in->at < in->end; i++) {
        uint8_t byte = *in->at++;
        if ((i > 0 && byte == 0) || (i == VARINT_MAX - 1 && byte > 1)) {
            return ERR_MALFORMED; /* longer than it need be, or more than 64 bits */
        }
        *v |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            return 0;
        }
    }
    return ERR_MALFORMED;
}

static int take_source(struct input *in, uint64_t copied, uint64_t *source)
{
    uint64_t z;
    int rc = take_varint(in, &z);
    if (rc) {
        return rc;
    }
    uint64_t distance = (z >> 1) + (z & 1);
    if (z & 1 ? distance > copied : !in_range(copied, distance)) {
        return ERR_MALFORMED;
    }
    *source = z & 1 ? copied - distance : copied + distance;
    return 0;
}

/* The next region, behind those of `out`, which has room for it by its caller's `count`. */
static int take_region(struct input *in, struct regions *out, uint64_t *copied, uint32_t count)
{
    uint64_t head, source = 0;
    int rc = take_varint(in, &head);
    enum region_kind kind = (enum region_kind)(head & 3);
    uint64_t length = head >> 2;
    if (rc || kind >= REGION_KIND_COUNT || length == 0) {
        return ERR_MALFORMED;
    }
    if (kind == REGION_COPY) {
        rc = take_source(in, *copied, &source);
    }
    if (rc || (out->count > 0 && joins(&out->region[out->count - 1], kind, source))) {
        return ERR_MALFORMED;
    }
    rc = regions_add(out, kind, source, length, count);
    *copied = kind == REGION_COPY ? source + length : *copied;
    return rc == ERR_LIMIT ? ERR_MALFORMED : rc;
}

int regions_decode(const uint8_t *bytes, size_t n, uint32_t count, uint64_t length, struct regions *out)
{
    struct input in = {bytes, bytes + n};
    uint64_t copied = 0, start = out->start;
    int rc = count > GATHER_REGIONS_MAX || n > GATHER_REGION_BYTES_MAX ? ERR_LIMIT : count > n ? ERR_MALFORMED : 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = take_region(&in, out, &copied, count);
    }
    if (rc == 0 && (in.at != in.end || out->end - start != length)) {
        rc = ERR_MALFORMED;
    }
    if (rc) {
        regions_free(out);
    }
    return rc;
}

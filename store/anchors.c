/* Content indexes: making them, and what is in them. See anchors.h.
 *
 * Where a segment ends depends on its own bytes alone: the first 64 bytes that can choose its end are within it. Hence portions
 * of any size give the same index, and so do segments taken over from another index where the bytes are the same. */
#include "anchors_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* for XXH3_generateSecret_fromSeed, which the library has since 0.8.1 */
#ifdef __x86_64__
#include <xxh_x86dispatch.h> /* xxhash.h, with the widest instructions that the processor has */
#else
#include <xxhash.h>
#endif

#define GEAR_BELOW (1ull << 56) /* one place of 256 is an anchor: 256 bytes on average behind SEGMENT_MIN */
#define HOLE_MAX (UINT64_MAX >> 1)
#define LONG_BYTES 240 /* longer ones are hashed by a secret that the seed yields */

_Static_assert(sizeof((struct anchors *)0)->secret == XXH3_SECRET_DEFAULT_SIZE, "room for XXH3's secret");
_Static_assert(SEGMENT_MIN >= GEAR_BYTES, "a segment's end is chosen by its own bytes");
_Static_assert(SEGMENTS_MAX < UINT32_MAX, "the finder numbers segments in 32 bits");

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

int anchors_new(uint64_t seed, struct anchors **out)
{
    struct anchors *a = calloc(1, sizeof *a);
    if (!a) {
        return ERR_NOMEM;
    }
    a->seed = seed;
    XXH3_generateSecret_fromSeed(a->secret, seed);
    for (uint64_t i = 0; i < 256; i++) {
        a->gear[i] = mixed(seed + (i + 1) * 0x9e3779b97f4a7c15);
    }
    *out = a;
    return 0;
}

void anchors_free(struct anchors *a)
{
    if (a) {
        free(a->value);
        free(a->length);
        free(a->mark);
        free(a);
    }
}

/* ---- the array of segments */

/* Resizes the array that `array` points to. */
static bool resized(void *array, size_t n, size_t each)
{
    void *bytes;
    memcpy(&bytes, array, sizeof bytes);
    bytes = reallocarray(bytes, n, each);
    if (!bytes) {
        return false;
    }
    memcpy(array, &bytes, sizeof bytes);
    return true;
}

static int make_room(struct anchors *a)
{
    if (a->count < a->room) {
        return 0;
    }
    if (a->count >= SEGMENTS_MAX) {
        return ERR_LIMIT;
    }
    uint64_t room = a->room < MARK_EVERY ? MARK_EVERY : a->room * 2;
    room = room < SEGMENTS_MAX ? room : SEGMENTS_MAX;
    if (!resized(&a->value, room, sizeof *a->value) || !resized(&a->length, room, sizeof *a->length) ||
        !resized(&a->mark, room / MARK_EVERY + 1, sizeof *a->mark)) {
        return ERR_NOMEM;
    }
    a->room = room;
    return 0;
}

int anchors_push(struct anchors *a, uint16_t length, uint64_t value)
{
    int rc = make_room(a);
    if (rc) {
        return rc;
    }
    if (a->count % MARK_EVERY == 0) {
        a->mark[a->count / MARK_EVERY] = a->ended;
    }
    a->length[a->count] = length;
    a->value[a->count] = value;
    a->count++;
    a->ended += length ? length : value;
    return 0;
}

/* What XXH3_64bits_withSeed says, which would make the secret anew each time. */
uint64_t anchors_hash(const struct anchors *a, const void *bytes, size_t n)
{
    return n > LONG_BYTES ? XXH3_64bits_withSecret(bytes, n, a->secret, sizeof a->secret)
                          : XXH3_64bits_withSeed(bytes, n, a->seed);
}

static int push_bytes(struct anchors *a, const uint8_t *bytes, size_t n)
{
    return anchors_push(a, (uint16_t)n, anchors_hash(a, bytes, n));
}

/* ---- where segments end */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first place in [first, last] that is an anchor, or 0. Both are at least GEAR_BYTES. */
static size_t find_place(const uint64_t *gear, const uint8_t *bytes, size_t first, size_t last)
{
    uint64_t h = 0;
    if (first > last) {
        return 0;
    }
    for (size_t i = first - GEAR_BYTES; i < first; i++) {
        h = (h << 1) + gear[bytes[i]];
    }
    size_t at = first;
    while (h >= GEAR_BELOW) {
        if (at == last) {
            return 0;
        }
        h = (h << 1) + gear[bytes[at++]];
    }
    return at;
}

size_t anchors_place(const struct anchors *a, const uint8_t *bytes, size_t from, size_t n)
{
    return find_place(a->gear, bytes, from + 1, n);
}

/* The length of the segment that begins these n bytes and does not end in the first `scanned`; 0 when it is not over yet. */
static size_t segment_of(const struct anchors *a, const uint8_t *bytes, size_t scanned, size_t n)
{
    size_t found = find_place(a->gear, bytes, larger(scanned + 1, SEGMENT_MIN), smaller(n, SEGMENT_MAX));
    return found > 0 ? found : n >= SEGMENT_MAX ? SEGMENT_MAX : 0;
}

/* ---- feeding */

/* Keeps the beginning of a segment for the next portion. */
static void carry_on(struct anchors *a, const uint8_t *bytes, size_t n, bool scanned)
{
    memcpy(a->carry + a->carried, bytes, n);
    a->carried += n;
    a->scanned = scanned ? a->carried : 0;
}

/* The first segment of what is carried ends: the rest stays carried. */
static int end_carried(struct anchors *a, size_t length)
{
    int rc = push_bytes(a, a->carry, length);
    a->carried -= length;
    a->scanned = 0;
    memmove(a->carry, a->carry + length, a->carried);
    return rc;
}

/* Ends what is carried with the help of new bytes. *used: how many of these are in segments or carried now; less than n only
 * when nothing is carried any more. */
static int feed_carried(struct anchors *a, const uint8_t *bytes, size_t n, size_t *used)
{
    *used = 0;
    while (a->carried > 0) {
        size_t more = smaller(SEGMENT_MAX - a->carried, n - *used);
        size_t scanned = a->scanned;
        carry_on(a, bytes + *used, more, true);
        *used += more;
        size_t length = segment_of(a, a->carry, scanned, a->carried);
        if (length == 0) {
            return 0;
        }
        int rc = end_carried(a, length);
        if (rc) {
            return rc;
        }
        if (a->carried <= more) { /* the rest is all new: it is found in the portion again */
            *used -= a->carried;
            a->carried = 0;
        }
    }
    return 0;
}

static int count_in(struct anchors *a, uint64_t n)
{
    if (n > HOLE_MAX - a->size) {
        return ERR_LIMIT;
    }
    a->size += n;
    return 0;
}

static int feed(struct anchors *a, const uint8_t *bytes, size_t n)
{
    size_t at;
    int rc = feed_carried(a, bytes, n, &at);
    a->known = NULL;
    while (rc == 0 && at < n) {
        size_t length = segment_of(a, bytes + at, 0, n - at);
        if (length == 0) {
            carry_on(a, bytes + at, n - at, true);
            break;
        }
        rc = push_bytes(a, bytes + at, length);
        at += length;
    }
    return rc;
}

int anchors_feed(struct anchors *a, const void *bytes, size_t n)
{
    int rc = count_in(a, n);
    return rc ? rc : feed(a, bytes, n);
}

int anchors_finish(struct anchors *a)
{
    int rc = 0;
    while (rc == 0 && a->carried > 0) { /* once, but for bytes that were said to be known and were not */
        size_t length = segment_of(a, a->carry, a->scanned, a->carried);
        rc = end_carried(a, length ? length : a->carried);
    }
    a->known = NULL;
    return rc;
}

int anchors_feed_hole(struct anchors *a, uint64_t n)
{
    int rc = n > 0 ? anchors_finish(a) : 0;
    rc = rc ? rc : count_in(a, n);
    if (rc || n == 0) {
        return rc;
    }
    if (a->count > 0 && a->length[a->count - 1] == 0) {
        a->value[a->count - 1] += n;
        a->ended += n;
        return 0;
    }
    return anchors_push(a, 0, n);
}

/* Did the segment's own bytes choose its end? Not so before a hole and at the end of a file. */
static bool ends_by_itself(const struct anchors *a, const struct segment *s)
{
    return !s->hole && s->number + 1 < a->count && a->length[s->number + 1] != 0;
}

#define NOWHERE UINT64_MAX

/* The segment of `old` that has this offset: often the one of the bytes before. */
static struct segment known_at(const struct anchors *a, const struct anchors *old, uint64_t offset)
{
    const struct segment *s = &a->known_segment;
    return a->known == old && offset >= s->offset && offset - s->offset < s->length ? *s : anchors_at(old, offset);
}

/* Feeds bytes of a->known_segment, from `from` in the old file on: to its end, or all n. *step: how many. */
static int feed_step(struct anchors *a, uint64_t from, const uint8_t *bytes, size_t n, size_t *step)
{
    const struct segment *s = &a->known_segment;
    const struct anchors *old = a->known;
    bool goes_on = a->carried > 0 && a->known_next == from;
    uint64_t left = s->offset + s->length - from;
    int rc = 0;
    *step = left < n ? (size_t)left : n;
    a->known_next = NOWHERE;
    if (!goes_on && (a->carried > 0 || from != s->offset || !ends_by_itself(old, s))) {
        rc = feed(a, bytes, *step);
        a->known = old;
    } else if (*step < left) {
        carry_on(a, bytes, *step, false);
        a->known_next = from + *step;
    } else {
        rc = anchors_push(a, (uint16_t)s->length, s->hash);
        a->carried = 0;
    }
    return rc;
}

int anchors_feed_known(struct anchors *a, const struct anchors *old, uint64_t from, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    assert(a->seed == old->seed);
    int rc = count_in(a, n);
    bool within = n > 0 && from < old->ended;
    if (within) {
        struct segment s = known_at(a, old, from);
        a->known_next = a->known == old ? a->known_next : NOWHERE;
        a->known = old;
        a->known_segment = s;
    }
    while (rc == 0 && n > 0 && within) {
        size_t step;
        rc = feed_step(a, from, at, n, &step);
        at += step;
        from += step;
        n -= step;
        within = from < a->known_segment.offset + a->known_segment.length || anchors_next(old, &a->known_segment);
    }
    return rc || n == 0 ? rc : feed(a, at, n);
}

/* ---- what is in it */

uint64_t anchors_seed(const struct anchors *a)
{
    return a->seed;
}

uint64_t anchors_size(const struct anchors *a)
{
    return a->size;
}

uint64_t anchors_count(const struct anchors *a)
{
    return a->count;
}

size_t anchors_memory(const struct anchors *a)
{
    return sizeof *a + a->room * (sizeof *a->value + sizeof *a->length) +
           (a->room ? a->room / MARK_EVERY + 1 : 0) * sizeof *a->mark;
}

static struct segment segment_from(const struct anchors *a, uint64_t number, uint64_t offset)
{
    uint64_t length = a->length[number], value = a->value[number];
    return length ? (struct segment){.number = number, .offset = offset, .length = length, .hash = value}
                  : (struct segment){.number = number, .offset = offset, .length = value, .hole = true};
}

bool anchors_next(const struct anchors *a, struct segment *s)
{
    uint64_t number = s->number + 1;
    if (number >= a->count) {
        return false;
    }
    uint64_t length = a->length[number], value = a->value[number];
    s->number = number;
    s->offset += s->length;
    s->hole = length == 0;
    s->length = length ? length : value;
    s->hash = length ? value : 0;
    return true;
}

struct segment anchors_segment(const struct anchors *a, uint64_t i)
{
    struct segment s = segment_from(a, i - i % MARK_EVERY, a->mark[i / MARK_EVERY]);
    while (s.number < i) {
        anchors_next(a, &s);
    }
    return s;
}

struct segment anchors_at(const struct anchors *a, uint64_t offset)
{
    uint64_t low = 0, high = (a->count + MARK_EVERY - 1) / MARK_EVERY; /* mark[low] <= offset < mark[high] */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (a->mark[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    struct segment s = segment_from(a, low * MARK_EVERY, a->mark[low]);
    while (offset - s.offset >= s.length && anchors_next(a, &s)) {}
    return s;
}

/* Puts `hash` into n sorted ones, unless it is there; the largest falls out at the end. */
static size_t keep_smallest(uint64_t *kept, size_t n, uint64_t hash)
{
    size_t at = n;
    while (at > 0 && kept[at - 1] > hash) {
        at--;
    }
    if (at == SKETCH_HASHES || (at > 0 && kept[at - 1] == hash)) {
        return n;
    }
    n = smaller(n + 1, SKETCH_HASHES);
    memmove(kept + at + 1, kept + at, (n - at - 1) * sizeof *kept);
    kept[at] = hash;
    return n;
}

size_t anchors_sketch(const struct anchors *a, uint64_t hash[SKETCH_HASHES])
{
    size_t n = 0;
    for (uint64_t i = 0; i < a->count; i++) {
        if (a->length[i] != 0 && (n < SKETCH_HASHES || a->value[i] < hash[n - 1])) {
            n = keep_smallest(hash, n, a->value[i]);
        }
    }
    return n;
}

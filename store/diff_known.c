/* The diff with an index of the old file only: what it says is the same has the same hashes. See diff_internal.h.
 *
 * In step no anchor is looked for: the old segments say where the new ones end. */
#include "diff_internal.h"

#define LOYAL_BYTES (64 * 1024) /* so long after a loss, what came next in the old file is expected */
#define EXPECTED 8              /* segments of it */
#define PLACES_MAX 32           /* tried in SEARCH_STEP bytes: four times what is usual */

/* The old segment that begins at this offset: w->next. */
static bool next_at(struct walk *w, uint64_t offset)
{
    if (offset >= anchors_size(w->index)) {
        return false;
    }
    if (w->next.length == 0 || w->next.offset != offset) {
        w->next = anchors_at(w->index, offset);
    }
    return w->next.offset == offset;
}

/* Are these bytes, of which there are `have`, that segment? */
static bool is_segment(const struct walk *w, const struct segment *s, const uint8_t *bytes, size_t have)
{
    return !s->hole && s->length <= have && anchors_hash(w->index, bytes, (size_t)s->length) == s->hash;
}

int known_follow(struct walk *w)
{
    size_t n = 1;
    while (n > 0 && w->at < w->end) {
        const uint8_t *bytes;
        size_t have;
        int rc = walk_look(w, w->at, SEGMENT_MAX, &bytes, &have);
        if (rc) {
            return rc;
        }
        bool more = next_at(w, w->at + w->shift);
        for (n = 0; more && is_segment(w, &w->next, bytes + n, have - n);) {
            n += (size_t)w->next.length;
            more = anchors_next(w->index, &w->next);
        }
        rc = walk_copy(w, bytes, n);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* What comes next in the old file, from the segment on that is at this offset. */
static size_t expect(const struct walk *w, uint64_t offset, struct segment *expected)
{
    if (offset >= anchors_size(w->index)) {
        return 0;
    }
    size_t n = 1;
    expected[0] = anchors_at(w->index, offset);
    while (n < EXPECTED) {
        expected[n] = expected[n - 1];
        if (!anchors_next(w->index, &expected[n])) {
            break;
        }
        n++;
    }
    return n;
}

static bool hit_at(const struct walk *w, size_t i, const struct segment *s, struct hit *hit)
{
    *hit = (struct hit){w->at + i, s->offset - (w->at + i)};
    return true;
}

/* Overwritten: segments behind it begin where they did. */
static bool find_in_place(const struct walk *w, const struct segment *expected, size_t count, const uint8_t *bytes, size_t n,
                          size_t have, struct hit *hit)
{
    for (size_t k = 0; k < count; k++) {
        uint64_t i = expected[k].offset - w->shift - w->at;
        if (i < n && is_segment(w, &expected[k], bytes + i, have - (size_t)i)) {
            return hit_at(w, (size_t)i, &expected[k], hit);
        }
    }
    return false;
}

/* Inserted or taken out: they begin at other places, but at such where a segment could end. */
static bool find_moved(const struct walk *w, const struct segment *expected, size_t count, const uint8_t *bytes, size_t n,
                       size_t have, struct hit *hit)
{
    size_t last = have - n < GEAR_BYTES ? have : n + GEAR_BYTES;
    size_t i = GEAR_BYTES - 1;
    for (unsigned places = 0; places < PLACES_MAX; places++) {
        i = last > i ? anchors_place(w->index, bytes, i, last) : 0;
        if (i == 0) {
            return false;
        }
        for (size_t k = 0; k < count; k++) {
            if (is_segment(w, &expected[k], bytes + i, have - i)) {
                return hit_at(w, i, &expected[k], hit);
            }
        }
    }
    return false;
}

void known_resume(struct walk *w, const uint8_t *bytes, size_t n, size_t have, bool *found, struct hit *hit)
{
    struct segment expected[EXPECTED];
    struct hit moved;
    *found = false;
    if (w->at - w->lost > LOYAL_BYTES) {
        return;
    }
    size_t count = expect(w, w->at + w->shift, expected);
    *found = find_in_place(w, expected, count, bytes, n, have, hit);
    size_t before = *found ? (size_t)(hit->at - w->at) : n;
    if (find_moved(w, expected, count, bytes, before, have, &moved) && (!*found || moved.at < hit->at)) {
        *found = true;
        *hit = moved;
    }
}

int known_extend_back(struct walk *w, struct hit *hit)
{
    uint64_t from = hit->at + hit->shift;
    while (from > 0) {
        const uint8_t *bytes;
        struct segment s = anchors_at(w->index, from - 1);
        if (s.hole || s.length > hit->at - w->said) {
            return 0;
        }
        int rc = view_peek(&w->fresh, hit->at - s.length, (size_t)s.length, w->scratch[0], &bytes);
        if (rc || !is_segment(w, &s, bytes, SEGMENT_MAX)) {
            return rc;
        }
        hit->at -= s.length;
        from -= s.length;
    }
    return 0;
}

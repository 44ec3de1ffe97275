/* The local diff: the walk over the new file. See diff.h and diff_internal.h. */
#include "diff_internal.h"
#include "limits.h"

#define COPY_LEAST 32        /* shorter copies are not worth their region */
#define CANDIDATES 4         /* places of one segment that are compared */
#define PATIENCE (16 * 1024) /* bytes out of step, before a table of segments is made */
#define REGIONS_ROOM (2 * DIFF_REGIONS_MAX)

/* ---- saying what the new file consists of */

static int say(struct walk *w, enum region_kind kind, uint64_t source, uint64_t length)
{
    struct regions *r = &w->d->regions;
    int rc = regions_add(r, kind, source, length, REGIONS_ROOM);
    if (rc == ERR_LIMIT && r->count == REGIONS_ROOM) {
        rc = regions_simplify(r, DIFF_REGIONS_MAX, COPY_LEAST);
        rc = rc ? rc : regions_add(r, kind, source, length, REGIONS_ROOM);
    }
    w->said += rc ? 0 : length;
    return rc;
}

static int say_literals(struct walk *w, uint64_t to)
{
    return say(w, REGION_LITERAL, 0, to - w->said);
}

/* Literals up to w->at, and n bytes copied from there. */
static int say_copy(struct walk *w, uint64_t n)
{
    int rc = say_literals(w, w->at);
    rc = rc ? rc : say(w, REGION_COPY, w->at + w->shift, n);
    w->at += rc ? 0 : n;
    return rc;
}

/* ---- the bytes of the new file */

int walk_look(struct walk *w, uint64_t offset, size_t want, const uint8_t **bytes, size_t *have)
{
    int rc = view_look(&w->fresh, offset, want, w->end, bytes, have);
    uint64_t seen = w->fresh.start + w->fresh.len;
    if (rc || seen <= w->hashed) {
        return rc;
    }
    file_hash_bytes(&w->hash, w->fresh.bytes + (w->hashed - w->fresh.start), (size_t)(seen - w->hashed));
    w->hashed = seen;
    if (w->d->done) {
        atomic_store_explicit(w->d->done, seen, memory_order_relaxed);
    }
    return w->d->stop && atomic_load_explicit(w->d->stop, memory_order_relaxed) ? ERR_CANCELLED : 0;
}

int walk_copy(struct walk *w, const uint8_t *bytes, size_t n)
{
    uint64_t skip = w->indexed - w->at; /* a search has fed them already */
    int rc = 0;
    if (skip < n) {
        struct anchors *a = w->d->fresh_index;
        rc = w->index ? anchors_feed_known(a, w->index, w->indexed + w->shift, bytes + skip, n - (size_t)skip)
                      : anchors_feed(a, bytes + skip, n - (size_t)skip);
        w->indexed = w->at + n;
    }
    w->passed += n;
    return rc || n == 0 ? rc : say_copy(w, n);
}

/* Feeds the new index, from where it is up to offset `to`. */
static int index_to(struct walk *w, uint64_t to)
{
    int rc = 0;
    while (rc == 0 && w->indexed < to) {
        const uint8_t *bytes;
        size_t have;
        rc = walk_look(w, w->indexed, 1, &bytes, &have);
        if (rc == 0) {
            size_t n = to - w->indexed < have ? (size_t)(to - w->indexed) : have;
            rc = anchors_feed(w->d->fresh_index, bytes, n);
            w->indexed += n;
        }
    }
    return rc;
}

/* ---- out of step */

static void jump(struct walk *w, const struct hit *hit)
{
    if (hit->shift != w->shift) {
        w->former = w->shift;
        w->shift = hit->shift;
    }
    w->at = hit->at;
}

/* Is the new segment s the old one of that number? Then goes there, and says so. */
static int try_segment(struct walk *w, const struct segment *s, uint64_t number, bool *found)
{
    uint64_t end = s->offset + s->length;
    struct hit hit = {s->offset, anchors_segment(w->index, number).offset - s->offset};
    int rc = 0;
    *found = true;
    if (w->d->old) {
        hit.at = hit.at > w->said ? hit.at : w->said;
        rc = exact_verify(w, &hit, (size_t)(end - hit.at), found);
        rc = rc || !*found ? rc : exact_extend_back(w, &hit);
    } else if (hit.at >= w->said) {
        rc = known_extend_back(w, &hit);
    } else {
        *found = false;
    }
    if (rc || !*found) {
        return rc;
    }
    jump(w, &hit);
    return say_copy(w, end - hit.at);
}

static int find_segment(struct walk *w, const struct segment *s, bool *found)
{
    uint64_t number[CANDIDATES];
    int rc = w->finder ? 0 : finder_new(w->index, &w->finder);
    size_t n = rc ? 0 : finder_find(w->finder, s, s->offset + w->shift, number, CANDIDATES);
    for (size_t i = 0; rc == 0 && i < n && !*found; i++) {
        rc = try_segment(w, s, number[i], found);
    }
    return rc;
}

/* The first segment of the new index that was not looked up. */
static struct segment next_fresh(const struct walk *w)
{
    struct segment s = w->looked_up;
    if (s.length > 0 && s.number + 1 == w->searched && anchors_next(w->d->fresh_index, &s)) {
        return s;
    }
    return anchors_segment(w->d->fresh_index, w->searched);
}

/* Small changes end without a table to look segments up in: one is only made for others. */
static bool can_wait(const struct walk *w)
{
    return !w->finder && w->indexed - w->lost < PATIENCE && w->indexed < w->end;
}

/* Looks up the segments of the new index that have been finished since. */
static int find_segments(struct walk *w, bool *found)
{
    uint64_t count = !w->index || can_wait(w) ? 0 : anchors_count(w->d->fresh_index);
    int rc = 0;
    *found = false;
    while (rc == 0 && !*found && w->searched < count) {
        struct segment s = next_fresh(w);
        if (!s.hole && s.offset + s.length > w->said) {
            rc = find_segment(w, &s, found);
        }
        w->looked_up = s;
        w->searched++;
    }
    return rc;
}

/* One step of the search: SEARCH_STEP bytes, or up to where it is in step again. */
static int search_step(struct walk *w, bool *found)
{
    const uint8_t *bytes;
    size_t have;
    bool resumed = false;
    struct hit hit;
    int rc = walk_look(w, w->at, SEARCH_STEP + GEAR_BYTES + SEGMENT_MAX, &bytes, &have);
    size_t n = have < SEARCH_STEP ? have : SEARCH_STEP;
    if (rc == 0 && w->d->old) {
        rc = exact_resume(w, bytes, n, &resumed, &hit);
    } else if (rc == 0 && w->index) {
        known_resume(w, bytes, n, have, &resumed, &hit);
    }
    uint64_t to = resumed && hit.at > w->at ? hit.at : resumed ? w->at : w->at + n;
    rc = rc ? rc : index_to(w, to);
    rc = rc ? rc : find_segments(w, found);
    if (rc || *found) {
        return rc;
    }
    w->passed += to - w->at;
    w->at = to;
    if (resumed) {
        jump(w, &hit);
    }
    *found = resumed;
    return 0;
}

static int search(struct walk *w)
{
    bool found = false;
    struct hit hit;
    w->lost = w->at;
    if (w->indexed <= w->at) {
        w->searched = anchors_count(w->d->fresh_index);
    }
    int rc = w->d->old ? exact_probe(w, &found, &hit) : 0;
    if (rc == 0 && found) {
        jump(w, &hit);
        return index_to(w, w->at);
    }
    while (rc == 0 && !found && w->at < w->end) {
        rc = search_step(w, &found);
    }
    return rc;
}

/* ---- the walk */

static int follow(struct walk *w)
{
    return w->d->old ? exact_follow(w) : w->index ? known_follow(w) : 0;
}

static int walk_data(struct walk *w, uint64_t end)
{
    int rc = 0;
    w->end = end;
    w->fresh.floor = w->at;
    while (rc == 0 && w->at < w->end) {
        rc = follow(w);
        rc = rc || w->at == w->end ? rc : search(w);
    }
    return rc ? rc : say_literals(w, end);
}

static int walk_hole(struct walk *w, uint64_t end)
{
    uint64_t n = end - w->at;
    int rc = anchors_feed_hole(w->d->fresh_index, n);
    file_hash_hole(&w->hash, n);
    rc = rc ? rc : say(w, REGION_HOLE, 0, n);
    w->at = w->indexed = w->hashed = end;
    return rc;
}

/* The next data of a file from `at` on, at its end if there is none. */
static int next_data(const struct diff_file *f, uint64_t at, uint64_t *data, uint64_t *end)
{
    *data = at;
    *end = f->size;
    int rc = f->next_data ? f->next_data(f->arg, at, data, end) : 0;
    if (*data < at || *end > f->size || *data > *end || (*data == *end && *data < f->size)) {
        return rc ? rc : ERR_CHANGED;
    }
    return rc;
}

static int walk_all(struct walk *w)
{
    int rc = 0;
    while (rc == 0 && w->at < w->d->fresh->size) {
        uint64_t data, end;
        rc = next_data(w->d->fresh, w->at, &data, &end);
        rc = rc ? rc : walk_hole(w, data);
        rc = rc ? rc : walk_data(w, end);
    }
    rc = rc ? rc : anchors_finish(w->d->fresh_index);
    return rc ? rc : regions_simplify(&w->d->regions, DIFF_REGIONS_MAX, COPY_LEAST);
}

static int walk_init(struct walk *w)
{
    struct diff *d = w->d;
    int rc = file_hash_init(&w->hash);
    rc = rc ? rc : view_init(&w->fresh, d->fresh);
    rc = rc || !d->old ? rc : view_init(&w->old, d->old);
    w->index = d->index && anchors_seed(d->index) == d->seed ? d->index : NULL;
    return rc ? rc : anchors_new(d->seed, &d->fresh_index);
}

static void walk_fini(struct walk *w)
{
    finder_free(w->finder);
    file_hash_free(&w->hash);
    view_fini(&w->fresh);
    view_fini(&w->old);
}

int diff_run(struct diff *d)
{
    struct walk w = {.d = d};
    regions_init(&d->regions, 0, 0);
    d->fresh_index = NULL;
    int rc = walk_init(&w);
    rc = rc ? rc : walk_all(&w);
    rc = rc ? rc : file_hash_sum(&w.hash, &d->hash);
    walk_fini(&w);
    if (rc) {
        diff_free(d);
    }
    return rc;
}

void diff_free(struct diff *d)
{
    regions_free(&d->regions);
    anchors_free(d->fresh_index);
    d->fresh_index = NULL;
}

/* The diff with the old bytes at hand. What it says is the same has been compared byte by byte. See diff_internal.h. */
#include "diff_internal.h"

#include <string.h>

#define LOYAL_BYTES (1 << 20) /* so long after a loss the old shift is still tried */
#define PROBE_BYTES 128       /* small changes are at most so long */
#define PROBE_STEP 32
#define PROBE_EVERY 256 /* bytes there must be for each probe: whoever changes more often is not helped everywhere */
#define PROBES_FREE 256

static uint64_t word(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- in step */

/* How many of the first n bytes are the same. */
static size_t same_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (n - i >= 4096 && memcmp(a + i, b + i, 4096) == 0) {
        i += 4096;
    }
    while (n - i >= 8 && word(a + i) == word(b + i)) {
        i += 8;
    }
    while (i < n && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* Looks at the old bytes that belong to a new offset; *have is 0 when there are none. */
static int look_old(struct walk *w, uint64_t offset, size_t want, const uint8_t **bytes, size_t *have)
{
    return view_look(&w->old, offset, want, w->d->old->size, bytes, have);
}

int exact_follow(struct walk *w)
{
    bool same = true;
    while (same && w->at < w->end) {
        const uint8_t *fresh, *old;
        size_t have, have_old;
        int rc = walk_look(w, w->at, 1, &fresh, &have);
        rc = rc ? rc : look_old(w, w->at + w->shift, 1, &old, &have_old);
        if (rc) {
            return rc;
        }
        size_t n = smaller(have, have_old), k = same_bytes(fresh, old, n);
        same = n > 0 && k == n;
        rc = walk_copy(w, fresh, k);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* ---- a place that was found by its hash */

int exact_verify(struct walk *w, const struct hit *hit, size_t n, bool *same)
{
    const uint8_t *fresh, *old;
    uint64_t from = hit->at + hit->shift, size = w->d->old->size;
    *same = false;
    if (from > size || n > size - from) {
        return 0; /* the index is not of this file */
    }
    int rc = view_peek(&w->fresh, hit->at, n, w->scratch[0], &fresh);
    rc = rc ? rc : view_peek(&w->old, from, n, w->scratch[1], &old);
    *same = rc == 0 && memcmp(fresh, old, n) == 0;
    return rc;
}

/* How many of the last of n bytes are the same. */
static size_t same_at_end(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t k = 0;
    while (k < n && a[n - k - 1] == b[n - k - 1]) {
        k++;
    }
    return k;
}

int exact_extend_back(struct walk *w, struct hit *hit)
{
    size_t n, k;
    do {
        const uint8_t *fresh, *old;
        uint64_t from = hit->at + hit->shift;
        n = smaller((size_t)(hit->at - w->said < SEGMENT_MAX ? hit->at - w->said : SEGMENT_MAX),
                    (size_t)(from < SEGMENT_MAX ? from : SEGMENT_MAX));
        if (n == 0) {
            return 0;
        }
        int rc = view_peek(&w->fresh, hit->at - n, n, w->scratch[0], &fresh);
        rc = rc ? rc : view_peek(&w->old, from - n, n, w->scratch[1], &old);
        if (rc) {
            return rc;
        }
        k = same_at_end(fresh, old, n);
        hit->at -= k;
    } while (k == n);
    return 0;
}

/* ---- overwritten: the same shift goes on behind it */

/* The first place in n bytes where SURE_BYTES are the same, or n. */
static size_t first_sure(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (n - i >= SURE_BYTES && n >= SURE_BYTES) {
        size_t k = same_at_end(a + i, b + i, SURE_BYTES);
        if (k == SURE_BYTES) {
            return i;
        }
        i += SURE_BYTES - k; /* no place up to the last difference will do */
    }
    return n;
}

int exact_resume(struct walk *w, const uint8_t *bytes, size_t n, bool *found, struct hit *hit)
{
    const uint8_t *old;
    size_t have;
    *found = false;
    if (w->at - w->lost > LOYAL_BYTES) {
        return 0;
    }
    int rc = look_old(w, w->at + w->shift, n, &old, &have);
    if (rc) {
        return rc;
    }
    n = smaller(n, have);
    size_t i = first_sure(bytes, old, n);
    if (i < n) {
        *found = true;
        *hit = (struct hit){w->at + i, w->shift};
        return exact_extend_back(w, hit);
    }
    return 0;
}

/* ---- a few bytes inserted, taken out or replaced */

/* Bytes that repeat themselves are at many places: nothing is known by finding them. */
static bool tells_nothing(const uint8_t *bytes)
{
    return memcmp(bytes, bytes + 1, SURE_BYTES - 1) == 0 || memcmp(bytes, bytes + 2, SURE_BYTES - 2) == 0 ||
           memcmp(bytes, bytes + 4, SURE_BYTES - 4) == 0 || memcmp(bytes, bytes + 8, SURE_BYTES - 8) == 0;
}

/* The first place of SURE_BYTES in n bytes, or n. */
static size_t find_sure(const uint8_t *sure, const uint8_t *bytes, size_t n)
{
    uint64_t first = word(sure);
    for (size_t i = 0; i + SURE_BYTES <= n; i++) {
        if (word(bytes + i) == first && memcmp(bytes + i, sure, SURE_BYTES) == 0) {
            return i;
        }
    }
    return n;
}

/* Looks for bytes of each one, from its i-th on, in the other. On success *in_a and *in_b are the same bytes. */
static bool find_either(const uint8_t *a, const uint8_t *b, size_t i, size_t *in_a, size_t *in_b)
{
    size_t n = i + PROBE_BYTES + SURE_BYTES;
    size_t k = tells_nothing(a + i) ? n : find_sure(a + i, b, n);
    if (k < n) {
        *in_a = i;
        *in_b = k;
        return true;
    }
    k = tells_nothing(b + i) ? n : find_sure(b + i, a, n);
    *in_a = k;
    *in_b = i;
    return k < n;
}

/* Is it again as it was before the last jump? */
static bool was_before(struct walk *w, const uint8_t *bytes, int *rc)
{
    const uint8_t *old;
    uint64_t from = w->at + w->former, size = w->d->old->size;
    if (w->former == w->shift || from > size || size - from < SURE_BYTES) {
        return false;
    }
    *rc = view_peek(&w->old, from, SURE_BYTES, w->scratch[1], &old);
    return *rc == 0 && memcmp(bytes, old, SURE_BYTES) == 0;
}

int exact_probe(struct walk *w, bool *found, struct hit *hit)
{
    enum { NEED = 2 * PROBE_BYTES + SURE_BYTES };
    const uint8_t *fresh, *old;
    size_t have, have_old, a = 0, b = 0;
    *found = false;
    if (w->probes > w->passed / PROBE_EVERY + PROBES_FREE) {
        return 0;
    }
    w->probes++;
    int rc = walk_look(w, w->at, NEED, &fresh, &have);
    if (rc == 0 && have >= SURE_BYTES && was_before(w, fresh, &rc)) {
        *found = true;
        *hit = (struct hit){w->at, w->former};
    }
    rc = rc ? rc : look_old(w, w->at + w->shift, NEED, &old, &have_old);
    if (rc || *found || smaller(have, have_old) < NEED) {
        return rc;
    }
    for (size_t i = 0; i < PROBE_BYTES && !*found; i += PROBE_STEP) {
        *found = find_either(fresh, old, i, &a, &b);
    }
    if (*found) {
        *hit = (struct hit){w->at + a, w->shift + b - a};
        return exact_extend_back(w, hit);
    }
    return 0;
}

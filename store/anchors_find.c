/* Segments by their hashes. See anchors.h.
 *
 * Chains in order of the file: head[] by a keyed hash, and next[] by segment. Adding is one step whatever the hashes are, and a
 * search gives up after FINDER_STEPS. */
#include "anchors_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NONE UINT32_MAX
#define AT_ONCE 32

struct finder {
    const struct anchors *a;
    uint64_t key, mask;
    uint32_t *head, *next;
    uint8_t *some; /* a bit for each segment that is there, 8 times as many as segments: tells most of those that are not */
};

static uint64_t keyed(const struct finder *f, uint64_t hash)
{
    return XXH3_64bits_withSeed(&hash, sizeof hash, f->key);
}

/* The bit of a segment, and the byte that it is in: by other bits of its keyed hash than its chain. */
static uint8_t bit_of(uint64_t k)
{
    return (uint8_t)(1 << (k >> 61));
}

static uint8_t *byte_of(const struct finder *f, uint64_t k)
{
    return &f->some[(k >> 29) & f->mask];
}

static bool worth_finding(const struct anchors *a, uint64_t i)
{
    bool again = i > 0 && a->length[i] == a->length[i - 1] && a->value[i] == a->value[i - 1];
    return a->length[i] != 0 && !again; /* of a run the first one leads to the others */
}

static void enter(struct finder *f, uint64_t i, uint64_t k)
{
    uint32_t *head = &f->head[k & f->mask];
    f->next[i] = *head;
    *head = (uint32_t)i;
    *byte_of(f, k) |= bit_of(k);
}

/* Some at a time: what they need of the table is on its way while the keys of others are made. */
static void fill(struct finder *f)
{
    uint64_t k[AT_ONCE];
    memset(f->head, 0xff, (f->mask + 1) * sizeof *f->head);
    for (uint64_t i = f->a->count; i > 0;) {
        uint64_t n = i < AT_ONCE ? i : AT_ONCE;
        for (uint64_t j = 0; j < n; j++) {
            k[j] = keyed(f, f->a->value[i - 1 - j]);
            __builtin_prefetch(&f->head[k[j] & f->mask], 1);
            __builtin_prefetch(byte_of(f, k[j]), 1);
        }
        for (uint64_t j = 0; j < n; j++) {
            if (worth_finding(f->a, i - 1 - j)) {
                enter(f, i - 1 - j, k[j]);
            }
        }
        i -= n;
    }
}

int finder_new(const struct anchors *a, struct finder **out)
{
    struct finder *f = calloc(1, sizeof *f);
    if (!f) {
        return ERR_NOMEM;
    }
    uint64_t slots = 1;
    while (slots < a->count) {
        slots *= 2;
    }
    f->a = a;
    f->mask = slots - 1;
    f->head = calloc(slots, sizeof *f->head);
    f->next = calloc(a->count + 1, sizeof *f->next);
    f->some = calloc(slots, 1);
    if (!f->head || !f->next || !f->some) {
        finder_free(f);
        return ERR_NOMEM;
    }
    randombytes_buf(&f->key, sizeof f->key);
    fill(f);
    *out = f;
    return 0;
}

void finder_free(struct finder *f)
{
    if (f) {
        free(f->head);
        free(f->next);
        free(f->some);
        free(f);
    }
}

struct nearest {
    uint64_t number, distance;
};

/* Puts a candidate among the n nearest found so far. */
static size_t keep_nearest(struct nearest *kept, size_t n, size_t max, struct nearest one)
{
    size_t at = n;
    while (at > 0 && kept[at - 1].distance > one.distance) {
        at--;
    }
    if (at == max) {
        return n;
    }
    n = n < max ? n + 1 : max;
    memmove(kept + at + 1, kept + at, (n - at - 1) * sizeof *kept);
    kept[at] = one;
    return n;
}

size_t finder_find(const struct finder *f, const struct segment *like, uint64_t near, uint64_t *number, size_t max)
{
    struct nearest kept[FINDER_STEPS];
    size_t n = 0;
    unsigned steps = 0;
    uint64_t k = keyed(f, like->hash);
    if (!(*byte_of(f, k) & bit_of(k))) {
        return 0;
    }
    max = max < FINDER_STEPS ? max : FINDER_STEPS;
    for (uint32_t i = f->head[k & f->mask]; i != NONE && steps < FINDER_STEPS; i = f->next[i], steps++) {
        if (f->a->value[i] == like->hash && f->a->length[i] == like->length) {
            uint64_t offset = anchors_segment(f->a, i).offset;
            struct nearest one = {i, offset > near ? offset - near : near - offset};
            n = keep_nearest(kept, n, max, one);
        }
    }
    for (size_t i = 0; i < n; i++) {
        number[i] = kept[i].number;
    }
    return n;
}

/* See spread_branches.h. */
#include "spread_branches.h"

#include <stdlib.h>
#include <string.h>

#define STEPS (SPREAD_BRANCHES / 2) /* distances on the ring, each both ways */
#define SMALL_RING 65

void branches_fini(struct branches *bs)
{
    free(bs->branch);
    memset(bs, 0, sizeof *bs);
}

/* Where the id is, or would be. */
static size_t place_of(const struct branches *bs, const struct node_id *id)
{
    size_t low = 0, high = bs->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (id_compare(&bs->branch[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct branch *branch_find(const struct branches *bs, const struct node_id *id)
{
    size_t at = place_of(bs, id);
    return at < bs->count && id_equal(&bs->branch[at].id, id) ? &bs->branch[at] : NULL;
}

struct branch *branch_add(struct branches *bs, const struct node_id *id)
{
    struct branch *b = branch_find(bs, id);
    if (b)
        return b;
    if (!bs->branch || bs->count == bs->cap) {
        size_t cap = bs->cap ? 2 * bs->cap : SPREAD_BRANCHES;
        struct branch *more = realloc(bs->branch, cap * sizeof *more);
        if (!more)
            return NULL;
        bs->branch = more;
        bs->cap = cap;
    }
    b = &bs->branch[place_of(bs, id)];
    memmove(b + 1, b, (size_t)(bs->branch + bs->count - b) * sizeof *b);
    bs->count++;
    *b = (struct branch){.id = *id};
    return b;
}

void branch_drop(struct branches *bs, const struct node_id *id)
{
    struct branch *b = branch_find(bs, id);
    if (!b)
        return;
    bs->count--;
    memmove(b, b + 1, (size_t)(bs->branch + bs->count - b) * sizeof *b);
}

bool branch_near(const struct branch *b)
{
    return b->trusted && (b->mine || b->yours);
}

struct branch *branch_stray(const struct branches *bs, const struct node_id *after)
{
    size_t from = place_of(bs, after);
    from += from < bs->count && id_equal(&bs->branch[from].id, after);
    for (size_t i = 0; i < bs->count; i++) {
        struct branch *b = &bs->branch[(from + i) % bs->count];
        if (b->trusted && !branch_near(b))
            return b;
    }
    return NULL;
}

size_t branches_trusted(const struct branches *bs)
{
    size_t n = 0;
    for (size_t i = 0; i < bs->count; i++)
        n += bs->branch[i].trusted;
    return n;
}

static bool has(const size_t *places, size_t count, size_t place)
{
    for (size_t i = 0; i < count; i++)
        if (places[i] == place)
            return true;
    return false;
}

/* The place in `bs` of the i-th trusted one. */
static size_t trusted_at(const struct branches *bs, size_t i)
{
    size_t at = 0;
    while (!bs->branch[at].trusted || i-- > 0)
        at++;
    return at;
}

/* The i-th distance. On a large ring they are powers, for who is linked with so many is so with all. On a small one they are
 * parts of it, which is as good for that, and better where links are dense near us and sparse far away (node/company.c). */
static size_t step_of(size_t i, size_t ring)
{
    const size_t half = ring / 2;
    const size_t small[STEPS] = {1, half / 2, half * 3 / 4, half}, large[STEPS] = {1, 4, 16, 64};
    return ring <= SMALL_RING ? small[i] : large[i];
}

size_t branches_choose(const struct branches *bs, const struct node_id *self, size_t out[SPREAD_BRANCHES])
{
    size_t ring = branches_trusted(bs) + 1, own = 0, n = 0;
    for (size_t i = place_of(bs, self); i > 0; i--)
        own += bs->branch[i - 1].trusted;
    for (size_t i = 0; i < SPREAD_BRANCHES; i++) {
        size_t step = step_of(i / 2, ring), place = (own + (i % 2 ? ring - step : step)) % ring;
        if (place == own)
            continue;
        size_t at = trusted_at(bs, place - (place > own)); /* we stand on the ring, and not among the branches */
        if (!has(out, n, at))
            out[n++] = at;
    }
    return n;
}

/* Windows of numbers by origin. See spread_origins.h.
 *
 * Invariants: (1) origins are in order of id; (2) the bit of number n stands at n % ORIGIN_WINDOW, and those of numbers above
 * `top` or below the window are clear. */
#include "spread_origins.h"

#include "err.h"
#include "identity.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64

struct origin {
    struct node_id id;
    bool trusted; /* when it was last heard */
    uint64_t incarnation, top;
    uint64_t used; /* o->clock when it was last heard */
    uint64_t bits[ORIGIN_WINDOW / WORD_BITS];
};

struct origins {
    struct origin *origin[ORIGINS_MAX];
    size_t count;
    uint64_t clock;
};

static void put64(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}

struct tag spread_id(const struct spread_name *name)
{
    uint8_t numbers[16];
    put64(numbers, name->incarnation);
    put64(numbers + 8, name->number);
    return tag_derive("weft spread id", name->origin.b, NODE_ID_BYTES, numbers, sizeof numbers);
}

struct origins *origins_new(void)
{
    return calloc(1, sizeof(struct origins));
}

void origins_free(struct origins *o)
{
    for (size_t i = 0; o && i < o->count; i++)
        free(o->origin[i]);
    free(o);
}

size_t origins_count(const struct origins *o)
{
    return o->count;
}

/* Where the id is, or would be. */
static size_t place_of(const struct origins *o, const struct node_id *id)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (id_compare(&o->origin[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct origin *find(const struct origins *o, const struct node_id *id)
{
    size_t at = place_of(o, id);
    return at < o->count && id_equal(&o->origin[at]->id, id) ? o->origin[at] : NULL;
}

/* ---- one window */

static uint64_t *word_of(struct origin *origin, uint64_t number)
{
    return &origin->bits[number % ORIGIN_WINDOW / WORD_BITS];
}

static uint64_t bit_of(uint64_t number)
{
    return 1ull << number % WORD_BITS;
}

static void window_reach(struct origin *origin, uint64_t number)
{
    if (number - origin->top >= ORIGIN_WINDOW)
        memset(origin->bits, 0, sizeof origin->bits);
    else
        for (uint64_t n = origin->top + 1; n <= number; n++)
            *word_of(origin, n) &= ~bit_of(n);
    origin->top = number;
}

bool origins_fresh(const struct origins *o, const struct spread_name *name)
{
    struct origin *origin = find(o, &name->origin);
    if (name->number == 0)
        return false;
    if (!origin || name->incarnation != origin->incarnation)
        return !origin || name->incarnation > origin->incarnation;
    if (name->number > origin->top)
        return true;
    return origin->top - name->number < ORIGIN_WINDOW && !(*word_of(origin, name->number) & bit_of(name->number));
}

/* ---- making room */

static void drop(struct origins *o, struct origin *origin)
{
    size_t at = place_of(o, &origin->id);
    o->count--;
    memmove(&o->origin[at], &o->origin[at + 1], (o->count - at) * sizeof *o->origin);
    free(origin);
}

static bool goes_before(const struct origin *a, const struct origin *b)
{
    return a->trusted != b->trusted ? b->trusted : a->used < b->used;
}

static bool make_room(struct origins *o, bool trusted)
{
    struct origin *first = NULL;
    if (o->count < ORIGINS_MAX)
        return true;
    for (size_t i = 0; i < o->count; i++)
        if (!first || goes_before(o->origin[i], first))
            first = o->origin[i];
    if (!first || (first->trusted && !trusted))
        return false;
    drop(o, first);
    return true;
}

static int add(struct origins *o, const struct node_id *id, bool trusted, struct origin **out)
{
    if (!make_room(o, trusted))
        return ERR_FULL;
    struct origin *origin = calloc(1, sizeof *origin);
    if (!origin)
        return ERR_NOMEM;
    size_t at = place_of(o, id);
    memmove(&o->origin[at + 1], &o->origin[at], (o->count - at) * sizeof *o->origin);
    o->origin[at] = origin;
    o->count++;
    origin->id = *id;
    *out = origin;
    return 0;
}

int origins_mark(struct origins *o, const struct spread_name *name, bool trusted)
{
    struct origin *origin = find(o, &name->origin);
    int err = origin ? 0 : add(o, &name->origin, trusted, &origin);
    if (err)
        return err;
    if (name->incarnation > origin->incarnation) {
        origin->incarnation = name->incarnation;
        origin->top = 0;
        memset(origin->bits, 0, sizeof origin->bits);
    }
    if (name->number > origin->top)
        window_reach(origin, name->number);
    *word_of(origin, name->number) |= bit_of(name->number);
    origin->trusted = trusted;
    origin->used = ++o->clock;
    return 0;
}

/* Regions: arrays, and how they travel. See regions.h. */
#include "regions.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

void regions_init(struct regions *r, uint64_t start, uint64_t literals)
{
    (void)literals;
    memset(r, 0, sizeof *r);
    r->start = r->end = start;
}

void regions_free(struct regions *r)
{
    free(r->region);
    memset(r, 0, sizeof *r);
}

int regions_add(struct regions *r, enum region_kind kind, uint64_t source, uint64_t length, uint32_t max)
{
    (void)r, (void)kind, (void)source, (void)length, (void)max;
    return ERR_UNSUPPORTED;
}

int regions_simplify(struct regions *r, uint32_t max, uint64_t least)
{
    (void)r, (void)max, (void)least;
    return ERR_UNSUPPORTED;
}

int regions_encode(const struct regions *r, uint32_t *next, uint64_t *done, const struct regions_part *most, uint8_t *buf,
                   size_t cap, struct regions_part *part)
{
    (void)r, (void)next, (void)done, (void)most, (void)buf, (void)cap, (void)part;
    return ERR_UNSUPPORTED;
}

int regions_decode(const uint8_t *bytes, size_t n, uint32_t count, uint64_t length, struct regions *out)
{
    (void)bytes, (void)n, (void)count, (void)length, (void)out;
    return ERR_UNSUPPORTED;
}

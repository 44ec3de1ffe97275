/* Fuzzes the decoder of regions: what it takes is an array without gaps, and has these very bytes. */
#include "regions.h"
#include "err.h"
#include "limits.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define HEAD 20 /* length (8), start (8), count (4) */

static uint64_t number(const uint8_t *at, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0) {
        v = v << 8 | *at++;
    }
    return v;
}

static void check(const struct regions *r, uint64_t start, uint64_t length)
{
    uint64_t end = start, literals = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct region *g = &r->region[i];
        if (g->destination != end || g->length == 0 || g->length > INT64_MAX - end || g->source > INT64_MAX - g->length ||
            (g->kind == REGION_LITERAL && g->source != literals)) {
            __builtin_trap();
        }
        end += g->length;
        literals += g->kind == REGION_LITERAL ? g->length : 0;
    }
    if (end != r->end || end - start != length || literals != r->literals) {
        __builtin_trap();
    }
}

static void check_again(const struct regions *r, const uint8_t *bytes, size_t n)
{
    static uint8_t again[GATHER_REGION_BYTES_MAX];
    const struct regions_part most = {.length = UINT64_MAX, .count = GATHER_REGIONS_MAX, .len = sizeof again};
    struct regions_cursor at = {0};
    struct regions_part part;
    if (regions_encode(r, &at, &most, again, &part) || part.len != n || (n > 0 && memcmp(again, bytes, n) != 0) ||
        part.count != r->count) {
        __builtin_trap();
    }
}

static void decode(const uint8_t *bytes, size_t n, uint64_t start, uint32_t count, uint64_t length)
{
    struct regions r;
    regions_init(&r, start, 0);
    if (regions_decode(bytes, n, count, length, &r)) {
        if (r.count != 0 || r.region) {
            __builtin_trap();
        }
        return;
    }
    check(&r, start, length);
    check_again(&r, bytes, n);
    regions_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n >= HEAD) {
        decode(bytes + HEAD, n - HEAD, number(bytes + 8, 8), (uint32_t)number(bytes + 16, 4), number(bytes, 8));
    }
    return 0;
}

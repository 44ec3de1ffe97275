/* Messages back to back, each behind its length. See batch.h.
 *
 * Invariant: a struct batch from batch_read or batch_skip holds whole messages, so walking it needs no checks. */
#include "batch.h"

#include "err.h"
#include "limits.h"

#include <assert.h>
#include <string.h>

static size_t length_get(const uint8_t head[BATCH_HEAD])
{
    return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

static void length_put(uint8_t head[BATCH_HEAD], size_t n)
{
    head[0] = (uint8_t)(n >> 24);
    head[1] = (uint8_t)(n >> 16);
    head[2] = (uint8_t)(n >> 8);
    head[3] = (uint8_t)n;
}

int batch_read(const void *bytes, size_t n, struct batch *out)
{
    *out = (struct batch){.bytes = bytes};
    if (n > BATCH_BYTES_MAX)
        return ERR_LIMIT;
    uint32_t count = 0;
    for (size_t at = 0; at < n; count++) {
        if (n - at < BATCH_HEAD)
            return ERR_MALFORMED;
        size_t length = length_get(out->bytes + at);
        at += BATCH_HEAD;
        if (length > PIPE_MESSAGE_MAX)
            return ERR_LIMIT;
        if (length > n - at)
            return ERR_MALFORMED;
        at += length;
    }
    out->n = n;
    out->count = count;
    return 0;
}

bool batch_next(const struct batch *b, size_t *at, const uint8_t **bytes, size_t *n)
{
    if (*at >= b->n)
        return false;
    *n = length_get(b->bytes + *at);
    *bytes = b->bytes + *at + BATCH_HEAD;
    *at += BATCH_HEAD + *n;
    assert(*at <= b->n);
    return true;
}

struct batch batch_skip(const struct batch *b, uint32_t count)
{
    const uint8_t *bytes;
    size_t at = 0, n;
    uint32_t skipped = 0;
    while (skipped < count && batch_next(b, &at, &bytes, &n))
        skipped++;
    return (struct batch){.bytes = at ? b->bytes + at : b->bytes, .n = b->n - at, .count = b->count - skipped};
}

int batch_add(uint8_t *buf, size_t cap, size_t *used, const void *bytes, size_t n)
{
    assert(*used <= cap);
    if (n > PIPE_MESSAGE_MAX)
        return ERR_LIMIT;
    if (cap - *used < BATCH_HEAD + n)
        return ERR_FULL;
    length_put(buf + *used, n);
    if (n)
        memcpy(buf + *used + BATCH_HEAD, bytes, n);
    *used += BATCH_HEAD + n;
    return 0;
}

uint64_t batch_cost(const struct batch *b)
{
    return b->n + (uint64_t)b->count * PIPE_MESSAGE_COST;
}

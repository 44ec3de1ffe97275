#include "bulk_ring.h"

#include "err.h"

#include <sys/mman.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* From the kernel and back to it, page by page as it fills: a chat keeps few bytes. */
int ring_init(struct ring *r)
{
    void *b = mmap(NULL, STREAM_KEPT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *r = (struct ring){.bytes = b == MAP_FAILED ? NULL : b};
    return r->bytes != NULL ? 0 : ERR_NOMEM;
}

void ring_fini(struct ring *r)
{
    if (r->bytes != NULL)
        munmap(r->bytes, STREAM_KEPT_BYTES);
    *r = (struct ring){0};
}

size_t ring_room(const struct ring *r, size_t max, uint8_t **at)
{
    size_t place = (size_t)(r->to % STREAM_KEPT_BYTES), free = STREAM_KEPT_BYTES - (size_t)(r->to - r->from);

    *at = r->bytes + place;
    return least(least(free, STREAM_KEPT_BYTES - place), max);
}

void ring_add(struct ring *r, size_t n)
{
    r->to += n;
}

size_t ring_show(const struct ring *r, uint64_t at, size_t max, const uint8_t **bytes)
{
    size_t place = (size_t)(at % STREAM_KEPT_BYTES);

    *bytes = r->bytes + place;
    return least(least((size_t)(r->to - at), STREAM_KEPT_BYTES - place), max);
}

int ring_drop(struct ring *r, uint64_t to)
{
    if (to < r->from || to > r->to)
        return ERR_MALFORMED;
    r->from = to;
    return 0;
}

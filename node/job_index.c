/* The index of an open file, read from its beginning to its end. See work.h. */
#include "work.h"

#include "limits.h"

#include <stdlib.h>

static int feed_data(const struct reading *r, struct anchors *a, uint64_t at, uint64_t end, void *buf)
{
    int err = 0;
    while (err == 0 && at < end) {
        size_t n = end - at < BLOCK_BYTES ? (size_t)(end - at) : BLOCK_BYTES;
        if (atomic_load_explicit(r->stop, memory_order_relaxed))
            return ERR_CANCELLED;
        err = source_read(r->source, at, buf, n);
        if (err == 0)
            err = anchors_feed(a, buf, n);
        at += n;
        if (r->done)
            atomic_store_explicit(r->done, at, memory_order_relaxed);
    }
    return err;
}

static int feed_all(const struct reading *r, struct anchors *a, void *buf)
{
    uint64_t at = 0, size = source_size(r->source), data, end;
    while (at < size) {
        int err = source_next_data(r->source, at, &data, &end);
        if (err == 0 && end <= at) /* it is being changed */
            err = ERR_CHANGED;
        if (err == 0 && data > at)
            err = anchors_feed_hole(a, data - at);
        if (err == 0)
            err = feed_data(r, a, data, end, buf);
        if (err)
            return err;
        at = end;
    }
    return anchors_finish(a);
}

int job_index(const struct reading *r, uint64_t seed, struct anchors **a)
{
    void *buf = malloc(BLOCK_BYTES);
    int err = buf ? anchors_new(seed, a) : ERR_NOMEM;
    if (err == 0)
        err = feed_all(r, *a, buf);
    free(buf);
    return err;
}

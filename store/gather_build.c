/* Building: the bytes of a new file, from pieces of another one and from literals. See gather.h.
 *
 * Every byte is read once, hashed while it is in the cache, and written from there; where blocks can be shared they are, and
 * the bytes are read for the hash alone. copy_file_range would save no reading, and its copy within the kernel costs what
 * writing from the cache does, so that it is not used.
 *
 * That what is hashed is what is shared: cloning writes back and write-protects the source's pages first, so that whoever
 * changes the source after it, by a mapping too, leaves another time on it, and source_changed tells. */
#include "gather_internal.h"
#include "io.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define CLONE_MIN (16u << 10) /* shorter ones are copied sooner than shared, and leave a file in fewer pieces */

uint64_t build_whole_blocks(const struct build *b, const struct region *r, uint64_t *begin)
{
    uint64_t block = b->g->block;
    if (!b->clones || r->kind != REGION_COPY || r->source % block != r->destination % block) {
        return 0;
    }
    *begin = (block - r->destination % block) % block;
    return r->length >= *begin + CLONE_MIN ? (r->length - *begin) / block * block : 0;
}

bool build_share(struct build *b, const struct region *r, uint64_t begin, uint64_t length)
{
    struct file_clone_range range = {
        .src_fd = b->source->fd,
        .src_offset = r->source + begin,
        .src_length = length,
        .dest_offset = r->destination + begin,
    };
    b->clones = ioctl(b->g->fd, FICLONERANGE, &range) == 0;
    return b->clones;
}

static bool is_stopped(const struct build *b)
{
    return atomic_load_explicit(&b->watch->stop, memory_order_relaxed) || atomic_load_explicit(b->failed, memory_order_relaxed);
}

/* Hashes n bytes of a source, and writes them at `to` unless they stand there already. */
static int copy(struct build *b, const struct source *from, uint64_t offset, uint64_t to, uint64_t n, bool written)
{
    int rc = 0;
    while (rc == 0 && n > 0) {
        size_t k = n < GATHER_BUFFER_BYTES ? (size_t)n : GATHER_BUFFER_BYTES;
        if (is_stopped(b)) {
            return ERR_CANCELLED;
        }
        rc = source_read(from, offset, b->buffer, k);
        if (rc == 0) {
            file_hash_bytes(b->hash, b->buffer, k);
            rc = written ? 0 : io_pwrite(b->g->fd, b->buffer, k, to);
        }
        offset += k;
        to += k;
        n -= k;
        atomic_fetch_add_explicit(&b->watch->done, k, memory_order_relaxed);
    }
    return rc;
}

static int build_copy(struct build *b, const struct region *r)
{
    uint64_t begin = 0, shared = build_whole_blocks(b, r, &begin);
    if (shared == 0 || !build_share(b, r, begin, shared)) {
        return copy(b, b->source, r->source, r->destination, r->length, false);
    }
    uint64_t end = begin + shared;
    int rc = copy(b, b->source, r->source, r->destination, begin, false);
    rc = rc ? rc : copy(b, b->source, r->source + begin, r->destination + begin, shared, true);
    return rc ? rc : copy(b, b->source, r->source + end, r->destination + end, r->length - end, false);
}

static int build_region(struct build *b, const struct region *r)
{
    switch (r->kind) {
    case REGION_COPY: return build_copy(b, r);
    case REGION_LITERAL: return copy(b, &b->g->literals, r->source, r->destination, r->length, false);
    default: /* a gap reads as zeros */
        file_hash_hole(b->hash, r->length);
        atomic_fetch_add_explicit(&b->watch->done, r->length, memory_order_relaxed);
        return 0;
    }
}

/* What of a region lies in the range. */
static struct region cut(const struct build *b, const struct region *r)
{
    uint64_t begin = r->destination > b->from ? r->destination : b->from;
    uint64_t end = r->destination + r->length < b->to ? r->destination + r->length : b->to;
    struct region part = *r;
    if (begin >= end) {
        part.length = 0;
        return part;
    }
    part.source = r->kind == REGION_HOLE ? 0 : r->source + (begin - r->destination);
    part.destination = begin;
    part.length = end - begin;
    return part;
}

int build_range(struct build *b)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < b->regions->count; i++) {
        struct region r = cut(b, &b->regions->region[i]);
        rc = r.length > 0 ? build_region(b, &r) : 0;
    }
    return rc;
}

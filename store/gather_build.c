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

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define CLONE_MIN (16u << 10)   /* shorter ones are copied sooner than shared, and leave a file in fewer pieces */
#define RESERVE_MIN (64u << 10) /* the same for room */
#define PLENTY 4                /* times what may be needed is free: then no room is reserved */

struct build {
    struct gather *g;
    const struct source *source;
    const struct regions *regions;
    struct gather_watch *watch;
    bool clones; /* blocks of the source can be shared, as far as is known */
};

/* ---- before the first byte */

static bool fits(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

static bool region_good(const struct build *b, const struct region *r)
{
    switch (r->kind) {
    case REGION_HOLE: return true;
    case REGION_COPY: return b->source && fits(r->source, r->length, source_size(b->source));
    case REGION_LITERAL: return b->g->literals.fd >= 0 && fits(r->source, r->length, source_size(&b->g->literals));
    default: return false;
    }
}

static int check(const struct build *b, struct fault *fault)
{
    uint64_t at = b->g->end;
    bool good = b->regions->start == at;
    for (uint32_t i = 0; good && i < b->regions->count; i++) {
        const struct region *r = &b->regions->region[i];
        if (r->length > GATHER_SIZE_MAX - at) {
            return fault_set(fault, ERR_LIMIT, "'%s' would be larger than 16 TiB", path_text(b->g->site->leaf).s);
        }
        good = r->length > 0 && r->destination == at && region_good(b, r);
        at += r->length;
    }
    return good && at == b->regions->end
               ? 0
               : fault_set(fault, ERR_MALFORMED, "the regions of '%s' do not fit what it is to be built from",
                           path_text(b->g->site->leaf).s);
}

/* The part of a copy that consists of whole blocks at both ends: where it begins in the region, and how long it is, or 0. */
static uint64_t whole_blocks(const struct build *b, const struct region *r, uint64_t *begin)
{
    uint64_t block = b->g->block;
    if (!b->clones || r->kind != REGION_COPY || r->source % block != r->destination % block) {
        return 0;
    }
    *begin = (block - r->destination % block) % block;
    return r->length >= *begin + CLONE_MIN ? (r->length - *begin) / block * block : 0;
}

static bool share(struct build *b, const struct region *r, uint64_t begin, uint64_t length)
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

/* Can they? The first part that could be shared is; it will be again in its turn, which costs nothing. */
static void try_sharing(struct build *b)
{
    uint64_t begin, length = 0;
    b->clones = b->g->block > 0 && b->source;
    for (uint32_t i = 0; length == 0 && b->clones && i < b->regions->count; i++) {
        const struct region *r = &b->regions->region[i];
        length = whole_blocks(b, r, &begin);
        if (length > 0) {
            share(b, r, begin, length);
        }
    }
}

static int reserve_run(const struct build *b, uint64_t from, uint64_t to)
{
    if (to - from < RESERVE_MIN || fallocate(b->g->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0) {
        return 0;
    }
    return errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG ? errno
                                                                                : 0; /* others: it cannot be done here */
}

/* Is there so much room that it need not be asked for? To reserve costs as much again as a tenth of the writing. */
static bool has_plenty(const struct build *b)
{
    struct statvfs fs;
    return fstatvfs(b->g->fd, &fs) == 0 && fs.f_frsize > 0 &&
           fs.f_bavail / PLENTY > (b->regions->end - b->regions->start) / fs.f_frsize;
}

/* Room for what will be written: neither for holes nor for shared blocks. */
static int reserve(const struct build *b, struct fault *fault)
{
    uint64_t from = b->regions->start; /* of a run of bytes to be written, up to the region in hand */
    int errnum = 0;
    if (has_plenty(b)) {
        return 0;
    }
    for (uint32_t i = 0; errnum == 0 && i < b->regions->count; i++) {
        const struct region *r = &b->regions->region[i];
        uint64_t begin = 0, shared = whole_blocks(b, r, &begin);
        if (r->kind == REGION_HOLE || shared > 0) {
            errnum = reserve_run(b, from, r->destination + begin);
            from = r->destination + (shared > 0 ? begin + shared : r->length);
        }
    }
    errnum = errnum ? errnum : reserve_run(b, from, b->regions->end);
    return errnum ? fault_errno(fault, errnum, "no room to build '%s'", path_text(b->g->site->leaf).s) : 0;
}

/* ---- bytes */

/* Hashes n bytes of a source, and writes them at `to` unless they stand there already. */
static int copy(struct build *b, const struct source *from, uint64_t offset, uint64_t to, uint64_t n, bool written)
{
    struct gather *g = b->g;
    int rc = 0;
    while (rc == 0 && n > 0) {
        size_t k = n < GATHER_BUFFER_BYTES ? (size_t)n : GATHER_BUFFER_BYTES;
        if (atomic_load_explicit(&b->watch->stop, memory_order_relaxed)) {
            return ERR_CANCELLED;
        }
        rc = source_read(from, offset, g->buffer, k);
        if (rc == 0) {
            hasher_feed(g->hasher, g->buffer, k);
            rc = written ? 0 : io_pwrite(g->fd, g->buffer, k, to);
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
    uint64_t begin = 0, shared = whole_blocks(b, r, &begin);
    if (shared == 0 || !share(b, r, begin, shared)) {
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
    default: atomic_fetch_add_explicit(&b->watch->done, r->length, memory_order_relaxed); return 0; /* a gap reads as zeros */
    }
}

static int build_all(struct build *b, struct fault *fault)
{
    const char *leaf = b->g->site->leaf;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < b->regions->count; i++) {
        rc = build_region(b, &b->regions->region[i]);
    }
    switch (rc) {
    case 0: return b->source ? source_changed(b->source, fault) : 0;
    case ERR_CANCELLED: return fault_set(fault, rc, "building '%s' was cancelled", path_text(leaf).s);
    case ERR_CHANGED: return fault_set(fault, rc, "a file that '%s' is built from became shorter", path_text(leaf).s);
    default: return fault_errno(fault, errno, "cannot build '%s'", path_text(leaf).s);
    }
}

int gather_run(struct gather *g, const struct source *source, const struct regions *regions, struct gather_watch *watch,
               struct fault *fault)
{
    struct build b = {.g = g, .source = source, .regions = regions, .watch = watch};
    if (g->broken) {
        return fault_set(fault, ERR_STATE, "building '%s' failed before: begin again", path_text(g->site->leaf).s);
    }
    g->broken = true;
    int rc = check(&b, fault);
    rc = rc || !source ? rc : source_settle(source, fault);
    if (rc) {
        return rc;
    }
    try_sharing(&b);
    rc = reserve(&b, fault);
    rc = rc ? rc : build_all(&b, fault);
    if (rc == 0) {
        g->end = regions->end;
        g->broken = false;
    }
    return rc;
}

/* A part of a gather: checked and given room before its first byte, then built. See gather.h.
 *
 * What shares its blocks is cut where blocks of its hash (file_hash.h) end, and several threads hash a part each: so a large
 * file takes as long as a core needs for a part of it, and its hash is that of one thread. Bytes that are copied are written by
 * one: a file system lets only one at a time write to a file, and others would wait for it at full speed. */
#include "gather_internal.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_MIN (64u << 10) /* shorter runs get no room of their own */
#define PLENTY 4                /* times what may be needed is free: then no room is reserved */
#define THREADS_MAX 4
#define PART_MIN (64ull << 20) /* bytes that a thread of its own is worth */

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

/* Can they? The first part that could be shared is; it will be again in its turn, which costs nothing. */
static void try_sharing(struct build *b)
{
    uint64_t begin, length = 0;
    b->clones = b->g->block > 0 && b->source;
    for (uint32_t i = 0; length == 0 && b->clones && i < b->regions->count; i++) {
        const struct region *r = &b->regions->region[i];
        length = build_whole_blocks(b, r, &begin);
        if (length > 0) {
            build_share(b, r, begin, length);
        }
    }
}

static int reserve_run(const struct build *b, uint64_t from, uint64_t to)
{
    if (to - from < RESERVE_MIN || fallocate(b->g->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0) {
        return 0;
    }
    bool tells = errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG;
    return tells ? errno : 0; /* else it cannot be done here */
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
        uint64_t begin = 0, shared = build_whole_blocks(b, r, &begin);
        if (r->kind == REGION_HOLE || shared > 0) {
            errnum = reserve_run(b, from, r->destination + begin);
            from = r->destination + (shared > 0 ? begin + shared : r->length);
        }
    }
    errnum = errnum ? errnum : reserve_run(b, from, b->regions->end);
    return errnum ? fault_errno(fault, errnum, "no room to build '%s'", path_text(b->g->site->leaf).s) : 0;
}

/* ---- threads */

struct worker {
    struct build b;
    struct file_hash hash; /* of all but the first, which goes on with the gather's */
    pthread_t thread;
    bool runs;
    int rc, errnum;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    bool first = w->b.hash != &w->hash;
    w->b.buffer = aligned_alloc(4096, GATHER_BUFFER_BYTES);
    bool ready = w->b.buffer && (first || file_hash_init(&w->hash) == 0);
    w->rc = ready ? build_range(&w->b) : ERR_NOMEM;
    w->errnum = errno;
    if (w->rc) {
        atomic_store(w->b.failed, true);
    }
    free(w->b.buffer);
    return NULL;
}

static unsigned threads_for(const struct build *b)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t n = b->clones ? (b->regions->end - b->regions->start) / PART_MIN : 1;
    n = n < THREADS_MAX ? n : THREADS_MAX;
    return n <= 1 || cores <= 1 ? 1 : n < (uint64_t)cores ? (unsigned)n : (unsigned)cores;
}

/* The ranges of `n` workers: cut where a block of the hash ends. */
static void share_out(const struct build *b, struct worker *w, unsigned n)
{
    uint64_t from = b->regions->start, step = (b->regions->end - from) / n;
    for (unsigned i = 0; i < n; i++) {
        w[i].b = *b;
        w[i].b.hash = i == 0 ? &b->g->hash : &w[i].hash;
        w[i].b.from = from;
        from = i + 1 == n ? b->regions->end : (from + step) / FILE_HASH_BLOCK * FILE_HASH_BLOCK;
        w[i].b.to = from;
    }
}

/* This thread does the first range, and those for which there was no other thread. */
static void work_all(struct worker *w, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        w[i].runs = pthread_create(&w[i].thread, NULL, work, &w[i]) == 0;
    }
    for (unsigned i = 0; i < n; i++) {
        if (w[i].runs) {
            pthread_join(w[i].thread, NULL);
        } else {
            work(&w[i]);
        }
    }
}

/* Of failures, one that has a reason of its own is the one that counts. */
static int build_by(const struct build *b, struct worker *w, unsigned n)
{
    atomic_bool failed = false;
    const struct worker *worst = &w[0];
    struct build all = *b;
    all.failed = &failed;
    share_out(&all, w, n);
    work_all(w, n);
    for (unsigned i = 1; i < n; i++) {
        if (w[i].rc && (worst->rc == 0 || worst->rc == ERR_CANCELLED)) {
            worst = &w[i];
        }
    }
    for (unsigned i = 1; i < n; i++) {
        if (worst->rc == 0) {
            file_hash_join(&b->g->hash, &w[i].hash);
        }
        file_hash_free(&w[i].hash);
    }
    errno = worst->errnum;
    return worst->rc;
}

static int build_all(const struct build *b, struct fault *fault)
{
    struct worker w[THREADS_MAX] = {0};
    const char *leaf = b->g->site->leaf;
    int rc = build_by(b, w, threads_for(b));
    switch (rc) {
    case 0: return b->source ? source_changed(b->source, fault) : 0;
    case ERR_CANCELLED: return fault_set(fault, rc, "building '%s' was cancelled", path_text(leaf).s);
    case ERR_CHANGED: return fault_set(fault, rc, "a file that '%s' is built from became shorter", path_text(leaf).s);
    case ERR_NOMEM: return fault_set(fault, rc, "no memory to build '%s'", path_text(leaf).s);
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
        file_hash_fold(&g->hash); /* so that its memory is bounded by one part, and not by what holes cost nothing */
        g->end = regions->end;
        g->broken = false;
    }
    return rc;
}

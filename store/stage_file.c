/* Large files: filled block by block by any number of streams, resumed by hash.
 *
 * No room is reserved when a file is opened: its size says nothing about the room it takes, for it may be nearly all holes. A
 * full disk shows at the write that meets it (ext4, xfs, btrfs and tmpfs reserve at write, not at write-back), and what is
 * there by then is kept for the next attempt. */
#include "io.h"
#include "stage_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage_file {
    struct stage *stage;
    int fd, map_fd;
    struct staged staged;
    uint64_t size, blocks;
    atomic_bool dirty; /* missing blocks may hold bytes: of an earlier attempt, or of a write that failed */
    atomic_ullong missing;
    atomic_ullong *there; /* bit i % 64 of word i / 64: block i is there */
    char path[];
};

static size_t block_len(const struct stage_file *f, uint64_t block)
{
    return block + 1 == f->blocks ? (size_t)(f->size - block * BLOCK) : (size_t)BLOCK;
}

static void set_there(struct stage_file *f, uint64_t block)
{
    unsigned long long bit = 1ull << block % 64;
    if ((atomic_fetch_or(&f->there[block / 64], bit) & bit) == 0) {
        atomic_fetch_sub(&f->missing, 1);
    }
}

bool stage_file_has(const struct stage_file *f, uint64_t block)
{
    return block < f->blocks && (atomic_load(&f->there[block / 64]) >> block % 64 & 1) != 0;
}

uint64_t stage_file_missing(const struct stage_file *f)
{
    return atomic_load(&f->missing);
}

/* ---- opening */

/* Opens a file in the staging folder. One that is not ours, or has another name too, is replaced. */
static int open_staged(int folder, const char *name)
{
    for (int i = 0; i < 2; i++) {
        int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1) {
            return fd;
        }
        io_close(fd);
        bool denied = fd < 0 && errno == EACCES; /* it was finished, and has its final mode */
        if (denied ? fchmodat(folder, name, 0600, 0) : unlinkat(folder, name, 0)) {
            return -1;
        }
    }
    return -1;
}

struct verifying {
    struct stage_file *f;
    uint8_t *buf;
};

/* A block is believed when what is there now has the hash that was written with it. */
static int verify_block(void *arg, uint64_t block, const struct hash128 *hash)
{
    struct verifying *v = arg;
    size_t n = block_len(v->f, block), got;
    if (io_pread(v->f->fd, v->buf, n, block * BLOCK, &got) || got != n) {
        return 0; /* unreadable: fetched again */
    }
    struct hash128 found = hash128_of(v->buf, n);
    if (hash128_equal(&found, hash)) {
        set_there(v->f, block);
    }
    return 0;
}

static int resume(struct stage_file *f, const struct hash128 *key)
{
    struct stat st;
    if (fstat(f->fd, &st) || (uint64_t)st.st_size != f->size) {
        return ERR_DAMAGED;
    }
    struct verifying v = {.f = f, .buf = malloc(BLOCK)};
    if (!v.buf) {
        return ERR_NOMEM;
    }
    f->dirty = true;
    int rc = stage_map_read(f->map_fd, key, f->size, verify_block, &v);
    free(v.buf);
    return rc;
}

/* Empties both files and gives the data its size: its end is there even when the file ends in a hole. */
static int begin(struct stage_file *f, const struct hash128 *key)
{
    memset(f->there, 0, (f->blocks / 64 + 1) * sizeof *f->there);
    f->missing = f->blocks;
    f->dirty = false;
    if (ftruncate(f->fd, 0) || ftruncate(f->fd, (off_t)f->size)) {
        return err_from_errno(errno);
    }
    return stage_map_begin(f->map_fd, key, f->size);
}

static int new_file(struct stage *s, const char *path, uint64_t size, struct stage_file **f)
{
    size_t n = strlen(path) + 1;
    struct stage_file *new = calloc(1, sizeof *new + n);
    if (!new) {
        return ERR_NOMEM;
    }
    new->stage = s;
    new->fd = new->map_fd = -1;
    new->size = size;
    new->blocks = stage_blocks(size);
    new->missing = new->blocks;
    new->there = calloc(new->blocks / 64 + 1, sizeof *new->there);
    memcpy(new->path, path, n);
    if (!new->there) {
        free(new);
        return ERR_NOMEM;
    }
    *f = new;
    return 0;
}

static void free_file(struct stage_file *f)
{
    io_close(f->fd);
    io_close(f->map_fd);
    free(f->there);
    free(f);
}

static int fill_in(struct stage_file *f, const struct hash128 *key, struct fault *fault)
{
    f->staged =
        (struct staged){.fd = f->stage->folder.fd, .size = f->size, .map = true, .name = stage_large_name(key, ".data")};
    f->fd = open_staged(f->stage->folder.fd, f->staged.name.s);
    f->map_fd = f->fd < 0 ? -1 : open_staged(f->stage->folder.fd, stage_map_of(&f->staged.name).s);
    if (f->map_fd < 0) {
        return fault_errno(fault, errno, "cannot make a file in '%s'", path_text(f->stage->path).s);
    }
    int rc = resume(f, key);
    if (rc && rc != ERR_NOMEM) {
        rc = begin(f, key);
    }
    return rc ? fault_errno(fault, errno, "cannot make room for '%s'", path_text(f->path).s) : 0;
}

int stage_file_open(struct stage *s, const char *path, uint64_t size, uint64_t token, struct stage_file **f, uint64_t *have,
                    struct fault *fault)
{
    int rc = stage_path_check(path, fault);
    if (rc) {
        return rc;
    }
    if (size > STAGE_FILE_BYTES_MAX) {
        return fault_set(fault, ERR_LIMIT, "'%s' is larger than 16 TiB", path_text(path).s);
    }
    struct stage_file *new;
    rc = new_file(s, path, size, &new);
    if (rc) {
        return fault_set(fault, rc, "no memory to receive '%s'", path_text(path).s);
    }
    struct hash128 key = stage_key(path, size, token);
    rc = fill_in(new, &key, fault);
    if (rc) {
        free_file(new);
        return rc;
    }
    *have = new->blocks - stage_file_missing(new);
    *f = new;
    return 0;
}

/* ---- filling */

int stage_file_write(struct stage_file *f, uint64_t block, const void *bytes, size_t n, const struct hash128 *hash,
                     struct fault *fault)
{
    if (block >= f->blocks || n != block_len(f, block)) {
        return fault_set(fault, ERR_USAGE, "'%s' has no such block", path_text(f->path).s);
    }
    if (stage_file_has(f, block)) {
        return 0;
    }
    int rc = io_pwrite(f->fd, bytes, n, block * BLOCK);
    if (rc) {
        f->dirty = true;
    }
    rc = rc ? rc : stage_map_put(f->map_fd, block, hash);
    if (rc) {
        return fault_errno(fault, errno, "cannot write '%s'", path_text(f->path).s);
    }
    set_there(f, block);
    return 0;
}

/* Makes [from, to) read as zeros without taking room, or, where the file system has no holes, by writing them. */
static int zero(int fd, uint64_t from, uint64_t to)
{
    static const char zeros[65536];
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0) {
        return 0;
    }
    int rc = errno == EOPNOTSUPP ? 0 : err_from_errno(errno);
    while (rc == 0 && from < to) {
        size_t n = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        rc = io_pwrite(fd, zeros, n, from);
        from += n;
    }
    return rc;
}

static int clear(struct stage_file *f, uint64_t first, uint64_t end)
{
    uint64_t to = end == f->blocks ? f->size : end * BLOCK;
    return f->dirty && first < end ? zero(f->fd, first * BLOCK, to) : 0;
}

int stage_file_hole(struct stage_file *f, uint64_t first, uint64_t count, struct fault *fault)
{
    if (first > f->blocks || count > f->blocks - first) {
        return fault_set(fault, ERR_USAGE, "'%s' has no such blocks", path_text(f->path).s);
    }
    uint64_t run = first; /* [run, block) are missing */
    int rc = 0;
    for (uint64_t block = first; rc == 0 && block < first + count; block++) {
        if (stage_file_has(f, block)) {
            rc = clear(f, run, block);
            run = block + 1;
        }
    }
    rc = rc ? rc : clear(f, run, first + count);
    if (rc) {
        return fault_errno(fault, errno, "cannot write '%s'", path_text(f->path).s);
    }
    for (uint64_t block = first; block < first + count; block++) {
        set_there(f, block);
    }
    return 0;
}

/* ---- ending */

void stage_file_drop(struct stage_file *f, bool keep)
{
    if (f) {
        if (!keep) {
            stage_discard(&f->staged);
        }
        free_file(f);
    }
}

int stage_file_finish(struct stage_batch *b, struct stage_file *f, const struct stage_meta *meta, struct fault *fault)
{
    int rc = stage_meta_check(meta, f->path, fault);
    if (rc == 0 && stage_file_missing(f) > 0) {
        rc = fault_set(fault, ERR_STATE, "'%s' is not whole yet", path_text(f->path).s);
    }
    if (rc == 0 && stage_meta_set(f->fd, (int)(meta->mode & 0777), meta)) {
        rc = fault_errno(fault, errno, "cannot set the mode and time of '%s'", path_text(f->path).s);
    }
    rc = rc ? rc : stage_batch_add(b, f->path, &f->staged, fault);
    stage_file_drop(f, true);
    return rc;
}

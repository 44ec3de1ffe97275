/* Batches: small files are staged one by one, and placed together once they are durable.
 *
 * A batch costs one syncfs, one rename a file and one fsync a folder. Per file there is no allocation and no look-up: paths go
 * into the batch's own text, staged files into a folder of the batch's own, so that two streams do not wait for each other.
 *
 * Invariants:
 *  1. An item is renamed only after a syncfs that began after its last write and found no error.
 *  2. After a failed sync nothing in the stage is believed again: the batch's files are removed now, all others when the stage
 *     is closed, for the pages in memory may be right while those on disk are not. */
#include "io.h"
#include "stage_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_FILES 1024
#define BATCH_BYTES (64ull << 20)
#define BATCH_TEXT (256 * 1024) /* paths; the longest fits many times */

struct stage_batch {
    struct stage *stage;
    stage_failed *failed;
    stage_placed *placed; /* may be NULL */
    void *arg;
    struct root root;
    int fd; /* the folder of its slot; opened before the first write, so that its syncfs hears of every error */
    unsigned slot;
    unsigned kept; /* the mode bits that our umask leaves to new files */
    bool broken;   /* a sync failed */
    uint32_t count;
    uint64_t bytes;
    uint32_t text_len;
    struct staged item[BATCH_FILES];
    char text[BATCH_TEXT];
};

/* ---- life */

static int take_slot(struct stage *s, unsigned *slot, struct fault *fault)
{
    pthread_mutex_lock(&s->lock);
    for (*slot = 0; *slot < STAGE_SLOTS && (s->slots >> *slot & 1) != 0;) {
        ++*slot;
    }
    bool found = *slot < STAGE_SLOTS;
    if (found) {
        s->slots |= 1ull << *slot;
    }
    pthread_mutex_unlock(&s->lock);
    return found ? 0 : fault_set(fault, ERR_LIMIT, "too many batches of one transfer");
}

static void give_slot(struct stage *s, unsigned slot)
{
    pthread_mutex_lock(&s->lock);
    s->slots &= ~(1ull << slot);
    pthread_mutex_unlock(&s->lock);
}

/* Makes the slot's folder with all mode bits: those that are missing then, our umask (or an ACL) takes from files too. */
static int open_slot(struct stage_batch *b, struct fault *fault)
{
    struct stage_name name = stage_slot_name(b->slot);
    struct stat st;
    unlinkat(b->stage->folder.fd, name.s, AT_REMOVEDIR); /* an empty one may be of another umask */
    bool made = mkdirat(b->stage->folder.fd, name.s, 0777) == 0;
    b->fd = made || errno == EEXIST ? openat(b->stage->folder.fd, name.s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (b->fd < 0 || fstat(b->fd, &st)) {
        return fault_errno(fault, errno, "cannot make a folder in '%s'", path_text(b->stage->path).s);
    }
    b->kept = made ? st.st_mode & 0777 : 0;
    return 0;
}

int stage_batch_new(struct stage *s, stage_failed *failed, void *arg, struct stage_batch **b, struct fault *fault)
{
    struct stage_batch *new = malloc(sizeof *new);
    if (!new) {
        return fault_set(fault, ERR_NOMEM, "no memory to receive files");
    }
    memset(new, 0, offsetof(struct stage_batch, item));
    new->stage = s;
    new->failed = failed;
    new->arg = arg;
    new->fd = new->root.fd = new->root.parent_fd = -1;
    int rc = take_slot(s, &new->slot, fault);
    if (rc) {
        free(new);
        return rc;
    }
    rc = open_slot(new, fault);
    rc = rc ? rc : root_copy(&s->root, &new->root, fault);
    if (rc) {
        stage_batch_free(new);
        return rc;
    }
    *b = new;
    return 0;
}

void stage_batch_free(struct stage_batch *b)
{
    if (b) {
        give_slot(b->stage, b->slot);
        io_close(b->fd);
        root_close(&b->root);
        free(b);
    }
}

void stage_batch_tell(struct stage_batch *b, stage_placed *placed)
{
    b->placed = placed;
}

void stage_discard(const struct staged *staged)
{
    unlinkat(staged->fd, staged->name.s, 0);
    if (staged->map) {
        unlinkat(staged->fd, stage_map_of(&staged->name).s, 0);
    }
}

/* ---- commit */

static const char *item_path(const struct stage_batch *b, uint32_t i)
{
    return b->text + b->item[i].path_at;
}

/* Forgets the first n items: they are placed, or refused. */
static void forget(struct stage_batch *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        b->bytes -= b->item[i].size;
    }
    b->count -= n;
    memmove(b->item, b->item + n, b->count * sizeof b->item[0]);
    if (b->count == 0) {
        b->text_len = 0;
    }
}

static int break_off(struct stage_batch *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        stage_discard(&b->item[i]);
    }
    forget(b, b->count);
    b->broken = true;
    b->stage->spoiled = true;
    return ERR_IO;
}

/* Are the folders of two items the same? Neighbours mostly are. */
static bool same_folder(const char *a, const char *b)
{
    const char *slash = strrchr(a, '/');
    size_t n = slash ? (size_t)(slash - a) + 1 : 0;
    return strncmp(a, b, n) == 0 && !strchr(b + n, '/');
}

static int sync_folder(struct stage_batch *b, const char *path)
{
    char folder[PATH_BYTES_MAX + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, n);
    folder[n] = '\0';
    int fd;
    if (root_open_dir(&b->root, folder, &fd, NULL)) {
        return syncfs(b->fd); /* it may be entered but not read, or is gone */
    }
    int rc = fsync(fd);
    if (rc && errno == EINVAL) {
        rc = 0; /* this file system has no sync for folders */
    }
    io_close(fd);
    return rc;
}

static int sync_folders(struct stage_batch *b, uint32_t n, struct fault *fault)
{
    for (uint32_t i = 0; i < n; i++) {
        const char *path = item_path(b, i);
        if (i > 0 && same_folder(item_path(b, i - 1), path)) {
            continue;
        }
        if (sync_folder(b, path)) {
            return fault_errno(fault, errno, "cannot make the folder of '%s' durable", path_text(path).s);
        }
    }
    return 0;
}

/* Places one item. Only a full disk ends the batch: whatever else refuses this place may not refuse the next. */
static int place(struct stage_batch *b, uint32_t i, struct fault *fault)
{
    const struct staged *item = &b->item[i];
    struct fault why;
    int rc = stage_place(
        &(struct placing){
            .stage = b->stage, .root = &b->root, .from_fd = item->fd, .from = item->name.s, .path = item_path(b, i)},
        &why);
    if (rc == ERR_NOSPACE) {
        if (fault) {
            *fault = why;
        }
        return rc;
    }
    if (rc) {
        b->failed(b->arg, item_path(b, i), &why);
    } else if (b->placed) {
        b->placed(b->arg, item_path(b, i));
    }
    if ((rc || item->map) && !b->stage->precious) {
        stage_discard(item); /* what is left of it: its map, or all when it was refused */
    }
    return 0;
}

int stage_batch_commit(struct stage_batch *b, struct fault *fault)
{
    if (b->broken) {
        return fault_set(fault, ERR_IO, "an earlier write failed: begin again");
    }
    if (b->count == 0) {
        return 0;
    }
    if (syncfs(b->fd)) {
        fault_errno(fault, errno, "cannot make the received files durable");
        return break_off(b);
    }
    if (b->stage->spoiled) { /* another batch heard of an error that may be about blocks of ours */
        fault_set(fault, ERR_IO, "an earlier write failed: begin again");
        return break_off(b);
    }
    uint32_t n = 0;
    int rc = 0;
    while (rc == 0 && n < b->count) {
        rc = place(b, n, fault);
        n += rc == 0;
    }
    int synced = sync_folders(b, n, rc ? NULL : fault);
    forget(b, n);
    if (synced) {
        break_off(b);
    }
    return rc ? rc : synced;
}

/* ---- adding */

int stage_batch_add(struct stage_batch *b, const char *path, const struct staged *staged, struct fault *fault)
{
    size_t n = strlen(path) + 1;
    bool fits = b->count < BATCH_FILES && n <= sizeof b->text - b->text_len;
    int rc = fits ? 0 : stage_batch_commit(b, fault); /* full: the last commit found no space */
    if (rc) {
        return rc;
    }
    b->item[b->count] = *staged;
    b->item[b->count++].path_at = b->text_len;
    memcpy(b->text + b->text_len, path, n);
    b->text_len += (uint32_t)n;
    b->bytes += staged->size;
    return b->count == BATCH_FILES || b->bytes >= BATCH_BYTES ? stage_batch_commit(b, fault) : 0;
}

/* ---- small files */

/* Makes the staged file, with its final mode where the umask leaves it. An old one of that name is an unfinished attempt. */
static int create(const struct stage_batch *b, const char *name, unsigned mode)
{
    for (int i = 0; i < 2; i++) {
        int fd = openat(b->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
        unlinkat(b->fd, name, 0);
    }
    return -1;
}

static int fill(const struct stage_batch *b, int fd, const void *bytes, size_t n, const struct stage_meta *meta)
{
    unsigned mode = meta->mode & 0777;
    int rc = io_write(fd, bytes, n);
    rc = rc ? rc : stage_meta_set(fd, (mode & ~b->kept) != 0 ? (int)mode : -1, meta);
    if (rc) {
        io_close(fd);
        return rc;
    }
    if (close(fd) && errno != EINTR) { /* NFS tells of a full disk here */
        return err_from_errno(errno);
    }
    return 0;
}

static int check(const struct stage_batch *b, const char *path, const struct stage_meta *meta, struct fault *fault)
{
    if (b->broken) {
        return fault_set(fault, ERR_IO, "an earlier write failed: begin again");
    }
    int rc = stage_path_check(path, fault);
    return rc ? rc : stage_meta_check(meta, path, fault);
}

int stage_small(struct stage_batch *b, const char *path, const void *bytes, size_t n, uint64_t token,
                const struct stage_meta *meta, struct fault *fault)
{
    int rc = check(b, path, meta, fault);
    if (rc || n > BLOCK) {
        return rc ? rc : fault_set(fault, ERR_USAGE, "'%s' is no small file", path_text(path).s);
    }
    struct hash128 key = stage_key(path, n, token);
    struct hash128 content = hash128_of(bytes, n);
    struct staged staged = {.fd = b->fd, .size = n, .name = stage_small_name(&key, &content)};
    int fd = create(b, staged.name.s, meta->mode & 0777);
    if (fd < 0) {
        return fault_errno(fault, errno, "cannot make a file in '%s'", path_text(b->stage->path).s);
    }
    if (fill(b, fd, bytes, n, meta)) {
        rc = fault_errno(fault, errno, "cannot write '%s'", path_text(path).s);
        stage_discard(&staged);
        return rc;
    }
    return stage_batch_add(b, path, &staged, fault);
}

/* Opens a leftover if it is a file of ours, of that size, that has no other name. */
static int open_left(int folder, const char *name, uint64_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 ||
                    (uint64_t)st.st_size != size)) {
        io_close(fd);
        fd = -1;
    }
    return fd;
}

static bool holds(int fd, uint64_t size, const struct hash128 *content)
{
    void *buf = malloc(BLOCK);
    size_t got = 0;
    bool whole = buf && io_pread(fd, buf, (size_t)size, 0, &got) == 0 && got == size;
    struct hash128 hash = whole ? hash128_of(buf, got) : (struct hash128){{0}};
    free(buf);
    return whole && hash128_equal(&hash, content);
}

int stage_small_again(struct stage_batch *b, const char *path, uint64_t size, uint64_t token, const struct stage_meta *meta,
                      bool *found, struct fault *fault)
{
    *found = false;
    int rc = check(b, path, meta, fault);
    if (rc) {
        return rc;
    }
    struct hash128 key = stage_key(path, size, token), content;
    struct staged staged = {.size = size};
    if (size > BLOCK || !stage_left_find(&b->stage->left, &key, &staged.fd, &staged.name, &content)) {
        return 0;
    }
    int fd = open_left(staged.fd, staged.name.s, size);
    *found = fd >= 0 && holds(fd, size, &content) && stage_meta_set(fd, (int)(meta->mode & 0777), meta) == 0;
    io_close(fd);
    if (!*found) {
        stage_discard(&staged);
        return 0;
    }
    return stage_batch_add(b, path, &staged, fault);
}

/* The stage itself: opening and closing, the plan's questions, folders and links.
 *
 * Invariant: stage->root and slots are only used under stage->lock; batches have roots of their own. */
#include "io.h"
#include "stage_internal.h"
#include "tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int stage_path_check(const char *path, struct fault *fault)
{
    if (path[0] == '\0' || !share_path_valid(path, strlen(path))) {
        return fault_set(fault, ERR_MALFORMED, "'%s' is not a path inside a folder", path_text(path).s);
    }
    if (tree_hidden(path)) {
        return fault_set(fault, ERR_REFUSED, "'%s' has a name that only weft itself may use", path_text(path).s);
    }
    return 0;
}

int stage_meta_check(const struct stage_meta *meta, const char *path, struct fault *fault)
{
    if (meta->mtime_ns < SECOND) {
        return 0;
    }
    return fault_set(fault, ERR_MALFORMED, "the time of '%s' is not a time", path_text(path).s);
}

int stage_meta_set(int fd, int mode, const struct stage_meta *meta)
{
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)meta->mtime_s, .tv_nsec = (long)meta->mtime_ns},
    };
    if ((mode >= 0 && fchmod(fd, (mode_t)mode)) || futimens(fd, times)) {
        return err_from_errno(errno);
    }
    return 0;
}

/* ---- opening */

bool stage_key_valid(const char *key)
{
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz234567");
    return n >= 1 && n <= STAGE_KEY_MAX && key[n] == '\0';
}

static int new_stage(const char *dest, const char *key, struct stage **s, struct fault *fault)
{
    if (!stage_key_valid(key)) {
        fault_set(fault, ERR_USAGE, "'%s' is not the key of a stage", path_text(key).s);
        return ERR_USAGE;
    }
    size_t n = strlen(dest) + 1 + strlen(STAGE_PREFIX) + strlen(key) + 1;
    struct stage *new = calloc(1, sizeof *new + n);
    if (!new) {
        fault_set(fault, ERR_NOMEM, "no memory to receive files");
        return ERR_NOMEM;
    }
    new->dest_len = strlen(dest);
    snprintf(new->path, n, "%s/%s%s", dest, STAGE_PREFIX, key);
    new->folder = (struct stage_folder){.fd = -1, .lock_fd = -1, .shown = new->path};
    new->root.fd = new->root.parent_fd = -1;
    stage_left_init(&new->left);
    stage_seen_init(&new->seen);
    pthread_mutex_init(&new->lock, NULL);
    *s = new;
    return 0;
}

static void free_stage(struct stage *s)
{
    stage_seen_fini(&s->seen);
    stage_left_fini(&s->left);
    io_close(s->folder.fd);
    io_close(s->folder.lock_fd);
    root_close(&s->root);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const char *folder_name(const struct stage *s)
{
    return s->path + s->dest_len + 1;
}

/* `root` is open already. Takes it. */
static int open_in(struct stage *s, struct root root, enum if_exists policy, struct fault *fault)
{
    s->policy = policy;
    s->root = root;
    int rc = stage_folder_enter(&s->folder, s->root.fd, folder_name(s), fault);
    return rc == 0 && s->folder.old ? stage_left_read(&s->left, s->folder.fd, fault) : rc;
}

static int opened(struct stage *new, int rc, struct stage **s)
{
    if (rc) {
        free_stage(new);
        return rc;
    }
    *s = new;
    return 0;
}

int stage_open(const char *dest, const char *key, enum if_exists policy, struct stage **s, struct fault *fault)
{
    struct stage *new;
    struct root root;
    int rc = new_stage(dest, key, &new, fault);
    if (rc) {
        return rc;
    }
    rc = root_open(dest, &root, fault);
    return opened(new, rc ? rc : open_in(new, root, policy, fault), s);
}

int stage_open_at(int dir_fd, const char *shown, const char *key, enum if_exists policy, struct stage **s, struct fault *fault)
{
    struct stage *new;
    struct root root;
    int rc = new_stage(shown, key, &new, fault);
    if (rc) {
        return rc;
    }
    rc = root_copy(&(struct root){.fd = dir_fd}, &root, fault);
    return opened(new, rc ? rc : open_in(new, root, policy, fault), s);
}

const char *stage_path(const struct stage *s)
{
    return s->path;
}

/* ---- closing */

void stage_close(struct stage *s, bool done)
{
    if (!s) {
        return;
    }
    if ((done || s->spoiled) && !s->precious) {
        stage_folder_clear(s->folder.fd);
    }
    for (unsigned slot = 0; slot < STAGE_SLOTS; slot++) {
        struct stage_name name = stage_slot_name(slot);
        unlinkat(s->folder.fd, name.s, AT_REMOVEDIR); /* if it is empty */
    }
    stage_folder_leave(&s->folder, s->root.fd, folder_name(s));
    free_stage(s);
}

/* ---- the plan */

static bool same_time(const struct stat *st, const struct entry *e)
{
    static const uint32_t grains[] = {1, 100, 1000, 1000000, SECOND}; /* what file systems keep, in ns */
    for (size_t i = 0; i < sizeof grains / sizeof grains[0]; i++) {
        if ((uint64_t)st->st_mtim.tv_nsec == e->mtime_ns - e->mtime_ns % grains[i]) {
            return st->st_mtim.tv_sec == e->mtime_s;
        }
    }
    return false;
}

static bool same_target(struct root *root, const char *path, const struct entry *e)
{
    char target[LINK_TARGET_MAX + 1];
    int parent;
    const char *leaf;
    if (root_parent(root, path, &parent, &leaf, NULL)) {
        return false;
    }
    ssize_t n = readlinkat(parent, leaf, target, sizeof target);
    return n == e->target_len && memcmp(target, e->target, e->target_len) == 0;
}

static bool same(struct root *root, const char *path, const struct stat *st, const struct entry *e)
{
    if (tree_kind(st) != e->kind) {
        return false;
    }
    switch (e->kind) {
    case ENTRY_FILE: return (uint64_t)st->st_size == e->size && same_time(st, e);
    case ENTRY_LINK: return same_target(root, path, e);
    default: return e->kind == ENTRY_DIR;
    }
}

/* Is what would be fetched there under one of the names that IF_EXISTS_RENAME gave it before? */
static enum stage_verdict check_free_names(struct stage *s, const char *path, const struct entry *e)
{
    char other[PATH_BYTES_MAX + ENTRY_NAME_MAX + 1];
    const char *slash = strrchr(path, '/');
    const char *leaf = slash ? slash + 1 : path;
    size_t above = (size_t)(leaf - path);
    memcpy(other, path, above);
    for (unsigned k = 2; k < 2 + STAGE_FREE_NAMES; k++) {
        struct stat st;
        stage_free_name(leaf, k, other + above);
        if (root_stat(&s->root, other, &st, NULL)) {
            return STAGE_FETCH;
        }
        if (same(&s->root, other, &st, e)) {
            return STAGE_HAVE;
        }
    }
    return STAGE_CONFLICT;
}

static int plan_overwrite(struct stage *s, const char *path, const struct stat *st, enum stage_verdict *verdict,
                          struct fault *fault)
{
    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)) {
        return 0;
    }
    int rc = stage_seen_put(&s->seen, path, tree_token(st));
    if (rc) {
        return fault_set(fault, rc, "too many existing files to overwrite in one transfer: fetch part by part");
    }
    *verdict = STAGE_FETCH;
    return 0;
}

/* Something else stands at the place. */
static int plan_other(struct stage *s, const char *path, const struct stat *st, const struct entry *e,
                      enum stage_verdict *verdict, struct fault *fault)
{
    int rc = 0;
    *verdict = STAGE_CONFLICT;
    if (s->policy == IF_EXISTS_SKIP) {
        *verdict = STAGE_SKIP;
    } else if (s->policy == IF_EXISTS_RENAME && e->kind != ENTRY_DIR) {
        *verdict = check_free_names(s, path, e);
    } else if (s->policy == IF_EXISTS_OVERWRITE && e->kind != ENTRY_DIR) {
        rc = plan_overwrite(s, path, st, verdict, fault);
    }
    if (rc == 0 && *verdict == STAGE_CONFLICT) {
        fault_set(fault, ERR_EXISTS, "'%s' exists already", path_text(path).s);
    }
    return rc;
}

int stage_check(struct stage *s, const char *path, const struct entry *entry, enum stage_verdict *verdict, struct fault *fault)
{
    int rc = stage_path_check(path, fault);
    if (rc) {
        return rc;
    }
    pthread_mutex_lock(&s->lock);
    struct stat st;
    rc = root_stat(&s->root, path, &st, fault);
    if (rc == ERR_NOT_FOUND) {
        *verdict = STAGE_FETCH;
        rc = 0;
    } else if (rc == 0 && same(&s->root, path, &st, entry)) {
        *verdict = STAGE_HAVE;
    } else if (rc == 0) {
        rc = plan_other(s, path, &st, entry, verdict, fault);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int stage_token(struct stage *s, const char *path, const struct entry *entry, uint64_t *token)
{
    struct stat st;
    pthread_mutex_lock(&s->lock);
    int rc = root_stat(&s->root, path, &st, NULL);
    rc = rc == 0 && !same(&s->root, path, &st, entry) ? ERR_CHANGED : rc;
    pthread_mutex_unlock(&s->lock);
    if (rc == 0) {
        *token = tree_token(&st);
    }
    return rc;
}

/* ---- folders and links */

int stage_dir(struct stage *s, const char *path, struct fault *fault)
{
    int rc = stage_path_check(path, fault);
    if (rc == 0) {
        pthread_mutex_lock(&s->lock);
        rc = root_mkdir(&s->root, path, true, fault);
        pthread_mutex_unlock(&s->lock);
    }
    return rc;
}

int stage_finish_dir(struct stage *s, const char *path, const struct stage_meta *meta, struct fault *fault)
{
    int rc = stage_path_check(path, fault);
    rc = rc ? rc : stage_meta_check(meta, path, fault);
    if (rc) {
        return rc;
    }
    int fd;
    pthread_mutex_lock(&s->lock);
    rc = root_open_dir(&s->root, path, &fd, fault);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0) {
        if (stage_meta_set(fd, (int)(meta->mode & 0777), meta)) {
            rc = fault_errno(fault, errno, "cannot set the mode and time of '%s'", path_text(path).s);
        }
        io_close(fd);
    }
    return rc;
}

static int make_link(struct stage *s, const char *name, const char *target, const struct stage_meta *meta)
{
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)meta->mtime_s, .tv_nsec = (long)meta->mtime_ns},
    };
    if (unlinkat(s->folder.fd, name, 0) && errno != ENOENT) {
        return err_from_errno(errno);
    }
    if (symlinkat(target, s->folder.fd, name)) {
        return err_from_errno(errno);
    }
    utimensat(s->folder.fd, name, times, AT_SYMLINK_NOFOLLOW); /* not every file system keeps the times of links */
    return 0;
}

int stage_link(struct stage *s, const char *path, const char *target, const struct stage_meta *meta, struct fault *fault)
{
    int rc = stage_path_check(path, fault);
    rc = rc ? rc : stage_meta_check(meta, path, fault);
    if (rc) {
        return rc;
    }
    struct hash128 key = stage_key(path, 0, 0);
    struct stage_name name = stage_large_name(&key, ".link");
    if (make_link(s, name.s, target, meta)) {
        rc = fault_errno(fault, errno, "cannot make the link '%s'", path_text(path).s);
    } else {
        pthread_mutex_lock(&s->lock);
        rc = stage_place(&(struct placing){.stage = s, .root = &s->root, .from_fd = s->folder.fd, .from = name.s, .path = path},
                         fault);
        pthread_mutex_unlock(&s->lock);
    }
    if (rc && !s->precious) {
        unlinkat(s->folder.fd, name.s, 0);
    }
    return rc;
}

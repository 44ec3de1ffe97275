/* Gathers: their hidden folder, and their end. See gather.h; what is built of what is in gather_build.c.
 *
 * Invariants:
 *  1. The new file is made by us, empty, in a folder that is ours alone and locked: nobody else has it open.
 *  2. It gets its name only after an fsync that found no error, with the size and hash that the asker said.
 *  3. After any failure the gather is broken for good: a write or a sync that failed is never tried again as if it had not. */
#include "gather_internal.h"
#include "io.h"
#include "swap.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NEW_NAME "new" /* the file that grows */

/* ---- opening */

/* The unit in which this file system shares blocks, as far as it tells; 0: none that makes sense. */
static uint64_t clone_unit(int fd)
{
    struct statvfs fs;
    bool known = fstatvfs(fd, &fs) == 0 && fs.f_bsize >= 512 && fs.f_bsize <= GATHER_BUFFER_BYTES;
    return known && (fs.f_bsize & (fs.f_bsize - 1)) == 0 ? fs.f_bsize : 0;
}

/* What is there of that name is of a gather that was killed. */
static int begin(struct gather *g, struct fault *fault)
{
    if (unlinkat(g->folder.fd, NEW_NAME, 0) && errno != ENOENT) {
        return fault_errno(fault, errno, "cannot remove what was begun of '%s'", path_text(g->site->leaf).s);
    }
    g->fd = openat(g->folder.fd, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (g->fd < 0) {
        return fault_errno(fault, errno, "cannot make a file beside '%s'", path_text(g->site->leaf).s);
    }
    g->block = clone_unit(g->fd);
    return 0;
}

static struct gather *new_gather(const struct site *site, const char *key)
{
    struct gather *g = calloc(1, sizeof *g);
    if (!g) {
        return NULL;
    }
    g->site = site;
    g->folder = (struct stage_folder){.fd = -1, .lock_fd = -1, .shown = g->name};
    g->fd = g->literals.fd = -1;
    snprintf(g->name, sizeof g->name, STAGE_PREFIX "g-%s", key);
    if (file_hash_init(&g->hash)) {
        gather_close(g, true);
        return NULL;
    }
    return g;
}

int gather_open(const struct site *site, const char *key, struct gather **g, struct fault *fault)
{
    if (!stage_key_valid(key)) {
        return fault_set(fault, ERR_USAGE, "'%s' is not the key of a gather", path_text(key).s);
    }
    if (site->dir_fd < 0 || site->leaf[0] == '\0') {
        return fault_set(fault, ERR_STATE, "a folder cannot be replaced by a file");
    }
    struct gather *new = new_gather(site, key);
    if (!new) {
        return fault_set(fault, ERR_NOMEM, "no memory to build '%s'", path_text(site->leaf).s);
    }
    int rc = stage_folder_enter(&new->folder, site->dir_fd, new->name, fault);
    rc = rc ? rc : begin(new, fault);
    if (rc) {
        gather_close(new, true);
        return rc;
    }
    *g = new;
    return 0;
}

void gather_close(struct gather *g, bool keep)
{
    if (!g) {
        return;
    }
    bool ours = g->folder.lock_fd >= 0;
    if (ours && !g->precious) {
        unlinkat(g->folder.fd, NEW_NAME, 0);
    }
    if (ours && !g->precious && !keep) {
        stage_folder_clear(g->folder.fd);
    }
    io_close(g->fd);
    io_close(g->literals.fd);
    stage_folder_leave(&g->folder, g->site->dir_fd, g->name);
    file_hash_free(&g->hash);
    free(g);
}

int gather_dir(const struct gather *g)
{
    return g->folder.fd;
}

uint64_t gather_end(const struct gather *g)
{
    return g->end;
}

/* ---- literals */

int gather_literals(struct gather *g, uint64_t bytes, struct fault *fault)
{
    struct source *src = &g->literals;
    if (src->fd < 0) {
        src->fd = openat(g->folder.fd, GATHER_LITERALS, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (src->fd < 0 || fstat(src->fd, &src->st) || !S_ISREG(src->st.st_mode)) {
        return fault_set(fault, ERR_VERIFY, "the new bytes for '%s' have not come", path_text(g->site->leaf).s);
    }
    if ((uint64_t)src->st.st_size != bytes) {
        return fault_set(fault, ERR_VERIFY, "the new bytes for '%s' are %llu, and not %llu", path_text(g->site->leaf).s,
                         (unsigned long long)src->st.st_size, (unsigned long long)bytes);
    }
    return 0;
}

/* ---- the end */

static int check(struct gather *g, uint64_t size, const struct hash128 *hash, const struct stage_meta *meta,
                 struct fault *fault)
{
    struct hash128 built;
    if (g->broken) {
        return fault_set(fault, ERR_STATE, "building '%s' failed before: begin again", path_text(g->site->leaf).s);
    }
    if (file_hash_sum(&g->hash, &built)) {
        return fault_set(fault, ERR_NOMEM, "no memory to check '%s'", path_text(g->site->leaf).s);
    }
    if (size != g->end || !hash128_equal(hash, &built)) {
        return fault_set(fault, ERR_VERIFY, "what was built for '%s' is not what was meant: it is thrown away",
                         path_text(g->site->leaf).s);
    }
    return stage_meta_check(meta, g->site->leaf, fault);
}

/* The size last written may be a hole's; room that was reserved and not used is given back by the same call. */
static int make_durable(struct gather *g, const struct stage_meta *meta, struct fault *fault)
{
    if (ftruncate(g->fd, (off_t)g->end)) {
        return fault_errno(fault, errno, "cannot give '%s' its size", path_text(g->site->leaf).s);
    }
    if (stage_meta_set(g->fd, (int)(meta->mode & 0777), meta)) {
        return fault_errno(fault, errno, "cannot set the mode and time of '%s'", path_text(g->site->leaf).s);
    }
    return fsync(g->fd) ? fault_errno(fault, errno, "cannot make '%s' durable", path_text(g->site->leaf).s) : 0;
}

static int place(struct gather *g, struct fault *fault)
{
    const struct site *site = g->site;
    struct swap s = {
        .from_fd = g->folder.fd,
        .from = NEW_NAME,
        .to_fd = site->dir_fd,
        .to = site->leaf,
        .shown = site->leaf,
        .hidden = g->name,
        .precious = &g->precious,
    };
    struct stat old;
    if (site->kind == FILE_NOTHING) {
        if (swap_new(&s, s.to) == 0) {
            return 0;
        }
        return errno == EEXIST ? swap_changed(&s, fault) : fault_errno(fault, errno, "cannot place '%s'", path_text(s.to).s);
    }
    if (fstatat(s.to_fd, s.to, &old, AT_SYMLINK_NOFOLLOW)) {
        return errno == ENOENT ? swap_changed(&s, fault) : fault_errno(fault, errno, "cannot replace '%s'", path_text(s.to).s);
    }
    return tree_token(&old) == tree_token(&site->st) ? swap_replace(&s, &old, fault) : swap_changed(&s, fault);
}

static int sync_folder(const struct gather *g, struct fault *fault)
{
    if (fsync(g->site->dir_fd) == 0 || errno == EINVAL) { /* EINVAL: this file system has no sync for folders */
        return 0;
    }
    return fault_errno(fault, errno, "'%s' is in its place, but cannot be made durable there", path_text(g->site->leaf).s);
}

int gather_commit(struct gather *g, uint64_t size, const struct hash128 *hash, const struct stage_meta *meta,
                  struct file_state *state, struct fault *fault)
{
    int rc = check(g, size, hash, meta, fault);
    rc = rc ? rc : make_durable(g, meta, fault);
    rc = rc ? rc : place(g, fault);
    rc = rc ? rc : sync_folder(g, fault);
    g->broken = true; /* or done: in either case nothing is to be added */
    struct stat st;
    if (rc == 0 && fstat(g->fd, &st)) {
        rc = fault_errno(fault, errno, "cannot look at '%s'", path_text(g->site->leaf).s);
    }
    if (rc == 0) {
        *state = site_state_of(&st);
    }
    return rc;
}

/* Placing: the rename that makes a staged file stand under its name.
 *
 * What stands there may be a user's, so nothing is replaced that was not looked at before and after: the staged file and the
 * old one are exchanged, and what came out must be what the plan saw. If it is not, the two are exchanged back. Where a
 * file system cannot exchange (NFS, exFAT), what stands there is looked at just before a plain rename: an edit in the
 * microseconds between is lost then. Where it cannot refuse to replace either, a hard link is made instead.
 *
 * The parent folder is reached anew for each place, by root_parent. */
#include "io.h"
#include "stage_internal.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_MAX 16 /* longer than that, what follows the last dot is part of the name */

static bool lacks_flag(int errnum)
{
    return errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP;
}

/* 0, or -1 with errno: EEXIST when anything is there. */
static int rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!lacks_flag(errno) || linkat(from_fd, from, to_fd, to, 0)) {
        return -1;
    }
    return unlinkat(from_fd, from, 0);
}

void stage_free_name(const char *name, unsigned k, char out[ENTRY_NAME_MAX + 1])
{
    char number[16];
    int number_len = snprintf(number, sizeof number, " (%u)", k);
    size_t n = strlen(name);
    const char *dot = strrchr(name, '.');
    size_t ext = dot && dot > name && n - (size_t)(dot - name) <= EXTENSION_MAX ? n - (size_t)(dot - name) : 0;
    size_t stem = n - ext;
    size_t room = ENTRY_NAME_MAX - ext - (size_t)number_len;
    if (stem > room) {
        for (stem = room; stem > 0 && ((unsigned char)name[stem] & 0xc0) == 0x80; stem--) {
        } /* not through the middle of a character */
    }
    memcpy(out, name, stem);
    memcpy(out + stem, number, (size_t)number_len);
    memcpy(out + stem + (size_t)number_len, name + n - ext, ext + 1);
}

/* Renames to the first free one of "name (2)", "name (3)", ... */
static int rename_beside(int from_fd, const char *from, int to_fd, const char *name)
{
    char other[ENTRY_NAME_MAX + 1];
    for (unsigned k = 2; k < 2 + STAGE_FREE_NAMES; k++) {
        stage_free_name(name, k, other);
        if (rename_new(from_fd, from, to_fd, other) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return -1;
        }
    }
    return -1;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int changed(const struct placing *p, struct fault *fault)
{
    return fault_set(fault, ERR_CHANGED, "'%s' was changed by someone else meanwhile: it is kept as it is",
                     path_text(p->path).s);
}

/* An exchange took something out that the plan did not see: puts it back. `ours` is the staged file. */
static int give_back(const struct placing *p, int parent, const char *leaf, const struct stat *ours, struct fault *fault)
{
    struct stat out;
    bool back = renameat2(p->from_fd, p->from, parent, leaf, RENAME_EXCHANGE) == 0;
    if (back && fstatat(p->from_fd, p->from, &out, AT_SYMLINK_NOFOLLOW) == 0 && out.st_ino == ours->st_ino) {
        return changed(p, fault);
    }
    /* The name changed hands once more. What we hold is a user's: it gets a name of its own. */
    if (rename_new(p->from_fd, p->from, parent, leaf) && rename_beside(p->from_fd, p->from, parent, leaf)) {
        p->stage->precious = true;
        return fault_errno(fault, errno, "'%s' was changed by someone else meanwhile, and is now in '%s'", path_text(p->path).s,
                           path_text(p->stage->path).s);
    }
    return changed(p, fault);
}

static int exchange(const struct placing *p, int parent, const char *leaf, const struct stat *old, struct fault *fault)
{
    struct stat ours, out;
    if (fstatat(p->from_fd, p->from, &ours, AT_SYMLINK_NOFOLLOW)) {
        return fault_errno(fault, errno, "cannot look at what was received for '%s'", path_text(p->path).s);
    }
    if (renameat2(p->from_fd, p->from, parent, leaf, RENAME_EXCHANGE) == 0) {
        if (fstatat(p->from_fd, p->from, &out, AT_SYMLINK_NOFOLLOW) || !same_file(old, &out)) {
            return give_back(p, parent, leaf, &ours, fault);
        }
        unlinkat(p->from_fd, p->from, 0);
        return 0;
    }
    if (lacks_flag(errno) && renameat(p->from_fd, p->from, parent, leaf) == 0) {
        return 0;
    }
    return fault_errno(fault, errno, "cannot replace '%s'", path_text(p->path).s);
}

/* Something stands there: replaces it if it is what the plan saw. */
static int replace(const struct placing *p, int parent, const char *leaf, struct fault *fault)
{
    struct stat old;
    uint64_t token;
    if (!stage_seen_get(&p->stage->seen, p->path, &token)) {
        return changed(p, fault);
    }
    if (fstatat(parent, leaf, &old, AT_SYMLINK_NOFOLLOW)) {
        bool placed = errno == ENOENT && rename_new(p->from_fd, p->from, parent, leaf) == 0; /* it has just gone */
        return placed ? 0 : fault_errno(fault, errno, "cannot replace '%s'", path_text(p->path).s);
    }
    return tree_token(&old) == token ? exchange(p, parent, leaf, &old, fault) : changed(p, fault);
}

int stage_place(const struct placing *p, struct fault *fault)
{
    int parent;
    const char *leaf;
    int rc = root_parent(p->root, p->path, &parent, &leaf, fault);
    if (rc || rename_new(p->from_fd, p->from, parent, leaf) == 0) {
        return rc;
    }
    if (errno != EEXIST) {
        return fault_errno(fault, errno, "cannot place '%s'", path_text(p->path).s);
    }
    switch (p->stage->policy) {
    case IF_EXISTS_RENAME:
        if (rename_beside(p->from_fd, p->from, parent, leaf)) {
            return fault_errno(fault, errno, "cannot place '%s' under a free name", path_text(p->path).s);
        }
        return 0;
    case IF_EXISTS_OVERWRITE: return replace(p, parent, leaf, fault);
    default: return fault_set(fault, ERR_EXISTS, "'%s' exists already", path_text(p->path).s);
    }
}

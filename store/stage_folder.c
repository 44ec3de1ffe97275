/* Hidden folders: where a file grows, beside the place where it is to stand. A stage has one, and so has a gather.
 *
 * Invariants:
 *  1. A hidden folder is ours alone (owner, 0700) and was opened without following a link; only who holds the flock of the file
 *     `lock` in it changes what is in it.
 *  2. Clearing never leaves the folder, follows no link, and holds two descriptors whatever the depth of what is in it. */
#include "io.h"
#include "stage_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define OPEN_TRIES 16   /* the folder may be removed, by the transfer that ends, just when we open it */
#define MOVE_TRIES 1000 /* names that an earlier clearing, killed, may have left */
#define STUCK_MAX 16    /* folders that cannot be removed, before clearing gives up */

/* ---- entering */

/* Makes the folder or opens the one that is there. ERR_OK with f->fd -1: it vanished, try again. */
static int open_folder(struct stage_folder *f, int parent_fd, const char *name, struct fault *fault)
{
    f->old = mkdirat(parent_fd, name, 0700) != 0;
    if (f->old && errno != EEXIST) {
        return fault_errno(fault, errno, "cannot make the folder '%s'", path_text(f->shown).s);
    }
    f->fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f->fd < 0) {
        return errno == ENOENT ? 0 : fault_errno(fault, errno, "cannot open the folder '%s'", path_text(f->shown).s);
    }
    struct stat st;
    if (fstat(f->fd, &st)) {
        return fault_errno(fault, errno, "cannot look at the folder '%s'", path_text(f->shown).s);
    }
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        return fault_set(fault, ERR_REFUSED, "the folder '%s' is not ours alone: remove it", path_text(f->shown).s);
    }
    return 0;
}

/* ERR_OK with f->lock_fd -1: the folder or its lock was removed meanwhile, try again. */
static int lock_folder(struct stage_folder *f, struct fault *fault)
{
    f->lock_fd = openat(f->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (f->lock_fd < 0) {
        return errno == ENOENT ? 0 : fault_errno(fault, errno, "cannot make a file in '%s'", path_text(f->shown).s);
    }
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB)) {
        int errnum = errno;
        io_close(f->lock_fd);
        f->lock_fd = -1; /* it is another one's: nothing in the folder is ours to remove */
        return errnum == EWOULDBLOCK ? fault_set(fault, ERR_LOCKED, "another transfer is filling '%s'", path_text(f->shown).s)
                                     : fault_errno(fault, errnum, "cannot lock '%s'", path_text(f->shown).s);
    }
    struct stat st;
    if (fstat(f->lock_fd, &st) || st.st_nlink == 0) {
        io_close(f->lock_fd);
        f->lock_fd = -1;
    }
    return 0;
}

int stage_folder_enter(struct stage_folder *f, int parent_fd, const char *name, struct fault *fault)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int rc = open_folder(f, parent_fd, name, fault);
        if (rc == 0 && f->fd >= 0) {
            rc = lock_folder(f, fault);
        }
        if (rc || f->lock_fd >= 0) {
            return rc;
        }
        io_close(f->fd);
        f->fd = -1;
    }
    return fault_set(fault, ERR_LOCKED, "'%s' is being removed again and again", path_text(f->shown).s);
}

/* ---- leaving */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* An open folder, to be read from its beginning; NULL when that fails. */
static DIR *read_again(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir) {
        rewinddir(dir);
    } else {
        io_close(copy);
    }
    return dir;
}

/* Moves a folder up into `top`, under a name that nothing else has there. */
static void move_up(int top, int fd, const char *from, unsigned *moved)
{
    char name[32];
    for (unsigned i = 0; i < MOVE_TRIES; i++) {
        snprintf(name, sizeof name, "gone-%u", (*moved)++);
        if (renameat(fd, from, top, name) == 0 || (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)) {
            return;
        }
    }
}

/* Removes every name in the open folder `fd` that can be, and moves folders with something in them up into `top`: so the tree
 * is taken down level by level, however deep it is. */
static void remove_names(int top, int fd, unsigned *moved)
{
    DIR *dir = read_again(fd);
    for (const struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
        if (is_dots(d->d_name) || unlinkat(fd, d->d_name, 0) == 0 || unlinkat(fd, d->d_name, AT_REMOVEDIR) == 0) {
            continue;
        }
        fchmodat(fd, d->d_name, 0700, 0); /* a folder, and maybe of a mode that lets nobody in */
        if (fd != top) {
            move_up(top, fd, d->d_name, moved);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

/* The first folder in `top`, opened; -1: there is none that can be. */
static int open_first(int top, char name[ENTRY_NAME_MAX + 1])
{
    int found = -1;
    DIR *dir = read_again(top);
    for (const struct dirent *d = dir ? readdir(dir) : NULL; d && found < 0; d = readdir(dir)) {
        if (!is_dots(d->d_name)) {
            snprintf(name, ENTRY_NAME_MAX + 1, "%s", d->d_name);
            found = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

void stage_folder_clear(int fd)
{
    char name[ENTRY_NAME_MAX + 1];
    unsigned moved = 0, stuck = 0;
    remove_names(fd, fd, &moved);
    while (stuck < STUCK_MAX) {
        int below = open_first(fd, name);
        if (below < 0) {
            return;
        }
        remove_names(fd, below, &moved);
        io_close(below);
        stuck += unlinkat(fd, name, AT_REMOVEDIR) != 0;
    }
}

void stage_folder_leave(struct stage_folder *f, int parent_fd, const char *name)
{
    if (f->lock_fd >= 0) {
        unlinkat(f->fd, LOCK_NAME, 0);
        unlinkat(parent_fd, name, AT_REMOVEDIR); /* only if nothing is left in it */
    }
    io_close(f->fd);
    io_close(f->lock_fd);
    f->fd = f->lock_fd = -1;
}

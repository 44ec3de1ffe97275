/* Roots: the only way to a file whose name came from a peer. One thread at a time.
 *
 * A root is a folder opened once. Every path operation is relative to its descriptor and goes through openat2 with
 * RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS, so that no "..", absolute path, symbolic link in any
 * component or race with someone who swaps a parent leads outside. Nothing here checks a path and then uses it by name: the
 * last step is always an *at call on a descriptor of the parent, which was opened that way.
 *
 * Paths are as struct share_path says: components joined by '/', "" the root itself. Every function checks that with
 * share_path_valid first (ERR_MALFORMED). All return 0 or a code; *fault, where taken, names the path, escaped. */
#ifndef WEFT_STORE_ROOT_H
#define WEFT_STORE_ROOT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct root {
    int fd;            /* folder, O_RDONLY, or O_PATH when it may be entered but not read */
    int parent_fd;     /* cache: the last parent folder that was asked for (O_PATH), or -1 */
    char parent[4096]; /* its path */
};

/* Opens a folder of this machine, named by its user (links in `path` itself are followed: it is the user's word). */
int root_open(const char *path, struct root *root, struct fault *fault);
/* The same for a peer, who hears of no path of this machine: the fault names none. */
int root_open_shared(const char *path, struct root *root, struct fault *fault);
void root_close(struct root *root);
/* The same root for another thread, with a cache of its own. */
int root_copy(const struct root *root, struct root *copy, struct fault *fault);

/* Opens the parent folder of `path` inside the root and points *leaf at the last component (borrows both: the fd stays the
 * root's and is valid until the next root_ call). ERR_NOT_FOUND, ERR_REFUSED when a link or a way out was met. */
int root_parent(struct root *root, const char *path, int *fd, const char **leaf, struct fault *fault);

/* Opens a regular file for reading: looks what it is, opens with O_NOFOLLOW and O_NONBLOCK, looks again. A link, FIFO, socket
 * or device is ERR_REFUSED and is never opened in a way that blocks or has side effects. Gives *fd. */
int root_open_file(struct root *root, const char *path, int *fd, struct stat *st, struct fault *fault);
/* Opens a folder for reading. Gives *fd. */
int root_open_dir(struct root *root, const char *path, int *fd, struct fault *fault);
/* lstat. */
int root_stat(struct root *root, const char *path, struct stat *st, struct fault *fault);
/* Makes a folder (0700 until its mode is set) and, when `parents`, the missing ones above. An existing folder is no error; a
 * link or a file in its place is ERR_EXISTS. */
int root_mkdir(struct root *root, const char *path, bool parents, struct fault *fault);
/* Removes a file or link, or an empty folder. Missing is no error. */
int root_remove(struct root *root, const char *path, bool folder, struct fault *fault);

#endif

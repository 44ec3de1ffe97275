/* Roots: the only way to a file whose name came from a peer.
 *
 * Invariants:
 *  1. Every descriptor that is handed out or used was reached from root->fd by openat2 beneath it, or is root->fd itself.
 *  2. The last component of a path is only ever given to an *at call that does not follow links.
 *  3. parent_fd, when not -1, is the folder that had the path `parent` when it was opened. Who moves that folder away meanwhile
 *     moves also what is placed in it: it was inside the root, and only its owner can do that. */
#include "root.h"

#include "io.h"
#include "msg.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AGAIN_MAX 64 /* openat2 says EAGAIN when it lost a race; nobody may keep us in it */

static int open_beneath(int fd, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC), /* without O_NOFOLLOW, so that a link as last component is ELOOP too */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    for (int i = 0; i < AGAIN_MAX; i++) {
        int got = (int)syscall(SYS_openat2, fd, path, &how, sizeof how);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return got;
        }
    }
    return -1;
}

/* The fault for a failed step on `path`. A link in the way is ELOOP, a way out EXDEV, a file as a folder ENOTDIR. */
static int refuse(struct fault *fault, int errnum, const char *doing, const char *path)
{
    switch (errnum) {
    case ELOOP:
    case EXDEV:
        return fault_set(fault, ERR_REFUSED, "cannot %s '%s': a symbolic link or a way out of the folder is in its path", doing,
                         path_text(path).s);
    case ENOTDIR:
    case ENOENT: return fault_set(fault, ERR_NOT_FOUND, "cannot %s '%s': not found", doing, path_text(path).s);
    case ENOSYS:
        return fault_set(fault, ERR_UNSUPPORTED, "cannot %s '%s': this kernel has no openat2 (Linux 5.6 or newer is needed)",
                         doing, path_text(path).s);
    default: return fault_errno(fault, errnum, "cannot %s '%s'", doing, path_text(path).s);
    }
}

static int check(const char *path, struct fault *fault)
{
    if (share_path_valid(path, strlen(path))) {
        return 0;
    }
    return fault_set(fault, ERR_MALFORMED, "'%s' is not a path inside a folder", path_text(path).s);
}

int root_open(const char *path, struct root *root, struct fault *fault)
{
    root->parent_fd = -1;
    root->parent[0] = '\0';
    root->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0 && errno == EACCES) {
        root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return root->fd < 0 ? fault_errno(fault, errno, "cannot open the folder '%s'", path_text(path).s) : 0;
}

int root_open_shared(const char *path, struct root *root, struct fault *fault)
{
    int rc = root_open(path, root, NULL);
    return rc ? fault_set(fault, rc, "its folder cannot be opened: %s", err_text(rc)) : 0;
}

int root_copy(const struct root *root, struct root *copy, struct fault *fault)
{
    copy->parent_fd = -1;
    copy->parent[0] = '\0';
    copy->fd = fcntl(root->fd, F_DUPFD_CLOEXEC, 0);
    return copy->fd < 0 ? fault_errno(fault, errno, "cannot open the folder again") : 0;
}

static void forget_parent(struct root *root)
{
    io_close(root->parent_fd);
    root->parent_fd = -1;
}

void root_close(struct root *root)
{
    forget_parent(root);
    io_close(root->fd);
    root->fd = -1;
}

int root_parent(struct root *root, const char *path, int *fd, const char **leaf, struct fault *fault)
{
    int rc = check(path, fault);
    if (rc) {
        return rc;
    }
    if (path[0] == '\0') {
        return fault_set(fault, ERR_USAGE, "the folder itself has no place in it");
    }
    const char *slash = strrchr(path, '/');
    *leaf = slash ? slash + 1 : path;
    if (!slash) {
        *fd = root->fd;
        return 0;
    }
    size_t n = (size_t)(slash - path);
    if (root->parent_fd < 0 || strncmp(root->parent, path, n) != 0 || root->parent[n] != '\0') {
        forget_parent(root);
        memcpy(root->parent, path, n);
        root->parent[n] = '\0';
        root->parent_fd = open_beneath(root->fd, root->parent, O_PATH | O_DIRECTORY);
    }
    *fd = root->parent_fd;
    return *fd < 0 ? refuse(fault, errno, "enter the folder of", path) : 0;
}

int root_open_file(struct root *root, const char *path, int *fd, struct stat *st, struct fault *fault)
{
    int parent = -1;
    const char *leaf = "";
    int rc = root_parent(root, path, &parent, &leaf, fault);
    if (rc) {
        return rc;
    }
    *fd = -1;
    if (fstatat(parent, leaf, st, AT_SYMLINK_NOFOLLOW)) {
        return refuse(fault, errno, "open", path);
    }
    if (S_ISREG(st->st_mode)) {
        do {
            *fd = openat(parent, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        } while (*fd < 0 && errno == EINTR);
        if (*fd < 0 || fstat(*fd, st)) {
            int errnum = errno;
            io_close(*fd);
            return refuse(fault, errnum, "open", path);
        }
    }
    if (!S_ISREG(st->st_mode)) {
        io_close(*fd);
        return fault_set(fault, ERR_REFUSED, "'%s' is not a regular file", path_text(path).s);
    }
    return 0;
}

int root_open_dir(struct root *root, const char *path, int *fd, struct fault *fault)
{
    int rc = check(path, fault);
    if (rc) {
        return rc;
    }
    *fd = open_beneath(root->fd, path[0] ? path : ".", O_RDONLY | O_DIRECTORY);
    return *fd < 0 ? refuse(fault, errno, "open the folder", path) : 0;
}

int root_stat(struct root *root, const char *path, struct stat *st, struct fault *fault)
{
    int parent = root->fd;
    const char *leaf = "";
    int rc = path[0] ? root_parent(root, path, &parent, &leaf, fault) : 0;
    if (rc) {
        return rc;
    }
    if (fstatat(parent, leaf, st, AT_SYMLINK_NOFOLLOW | (leaf[0] ? 0 : AT_EMPTY_PATH))) {
        return refuse(fault, errno, "look at", path);
    }
    return 0;
}

static int make_one(struct root *root, const char *path, struct fault *fault)
{
    int parent = -1;
    const char *leaf = "";
    int rc = root_parent(root, path, &parent, &leaf, fault);
    if (rc || mkdirat(parent, leaf, 0700) == 0) {
        return rc;
    }
    int errnum = errno;
    if (errnum == ENOENT) {
        forget_parent(root); /* the cached folder was removed */
    }
    struct stat st;
    if (errnum != EEXIST || fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW)) {
        return refuse(fault, errnum, "make the folder", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return fault_set(fault, ERR_EXISTS, "cannot make the folder '%s': something else has its name", path_text(path).s);
    }
    return 0;
}

int root_mkdir(struct root *root, const char *path, bool parents, struct fault *fault)
{
    if (path[0] == '\0') {
        return 0;
    }
    int rc = make_one(root, path, fault);
    if (rc != ERR_NOT_FOUND || !parents) {
        return rc;
    }
    char above[sizeof root->parent];
    memcpy(above, path, strlen(path) + 1); /* make_one has checked its length */
    for (char *slash = strchr(above, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = make_one(root, above, fault);
        *slash = '/';
        if (rc) {
            return rc;
        }
    }
    return make_one(root, path, fault);
}

int root_remove(struct root *root, const char *path, bool folder, struct fault *fault)
{
    int parent = -1;
    const char *leaf = "";
    int rc = root_parent(root, path, &parent, &leaf, fault);
    if (rc) {
        return rc == ERR_NOT_FOUND ? 0 : rc;
    }
    if (unlinkat(parent, leaf, folder ? AT_REMOVEDIR : 0) && errno != ENOENT) {
        return refuse(fault, errno, "remove", path);
    }
    if (folder) {
        forget_parent(root); /* it may be the one that is gone */
    }
    return 0;
}

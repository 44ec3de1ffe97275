/* Places: where a peer's file is to stand. See gather.h.
 *
 * A place is looked at and never opened itself, so that a FIFO or a device in it does nothing; its folder is reached once,
 * beneath the share's root, and from then on by its descriptor alone. Whoever moves that folder moves the place with it. */
#include "gather.h"
#include "io.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The path of the folder with the last component of `path` in it. */
static void folder_of(const char *path, char folder[PATH_BYTES_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, n);
    folder[n] = '\0';
}

/* What a file in this place would meet only at its end is told at its beginning. */
static int check_writable(const struct site *site, const char *path, struct fault *fault)
{
    struct statx sx = {0};
    if (faccessat(site->dir_fd, ".", W_OK | X_OK, AT_EACCESS)) {
        return fault_errno(fault, errno, "cannot write in the folder of '%s'", path_text(path).s);
    }
    if (site->kind == FILE_FILE && statx(site->dir_fd, site->leaf, AT_SYMLINK_NOFOLLOW, 0, &sx) == 0 &&
        (sx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0) {
        return fault_set(fault, ERR_DENIED, "'%s' is marked as immutable: it cannot be replaced", path_text(path).s);
    }
    return 0;
}

/* What stands at the leaf? */
static int look(struct site *site, const char *path, struct fault *fault)
{
    site->kind = FILE_NOTHING;
    if (fstatat(site->dir_fd, site->leaf, &site->st, AT_SYMLINK_NOFOLLOW)) {
        return errno == ENOENT ? 0 : fault_errno(fault, errno, "cannot look at '%s'", path_text(path).s);
    }
    if (S_ISREG(site->st.st_mode)) {
        site->kind = FILE_FILE;
        return 0;
    }
    site->kind = FILE_DIR;
    return S_ISDIR(site->st.st_mode) ? 0
                                     : fault_set(fault, ERR_REFUSED, "'%s' is a link or no regular file", path_text(path).s);
}

static int enter(struct root *root, const char *folder, struct site *site, struct fault *fault)
{
    io_close(site->dir_fd);
    site->dir_fd = -1;
    int rc = root_open_dir(root, folder, &site->dir_fd, fault);
    if (rc == 0 && fstat(site->dir_fd, &site->dir)) {
        rc = fault_errno(fault, errno, "cannot look at the folder '%s'", path_text(folder).s);
    }
    return rc;
}

static int open_place(struct root *root, const char *path, struct site *site, struct fault *fault)
{
    char folder[PATH_BYTES_MAX + 1];
    folder_of(path, folder);
    int rc = enter(root, folder, site, fault);
    if (rc) {
        return rc;
    }
    const char *leaf = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    memcpy(site->leaf, leaf, strlen(leaf) + 1);
    rc = look(site, path, fault);
    if (rc == 0 && site->kind == FILE_DIR) {
        site->leaf[0] = '\0';
        return enter(root, path, site, fault);
    }
    return rc ? rc : check_writable(site, path, fault);
}

int site_open(struct root *root, const char *path, struct site *site, struct fault *fault)
{
    *site = (struct site){.dir_fd = -1, .kind = FILE_DIR};
    if (!share_path_valid(path, strlen(path))) {
        return fault_set(fault, ERR_MALFORMED, "'%s' is not a path inside a folder", path_text(path).s);
    }
    if (tree_hidden(path)) {
        return fault_set(fault, ERR_REFUSED, "'%s' has a name that only weft itself may use", path_text(path).s);
    }
    int rc = path[0] ? open_place(root, path, site, fault) : enter(root, "", site, fault);
    if (rc) {
        site_close(site);
    }
    return rc;
}

void site_close(struct site *site)
{
    io_close(site->dir_fd);
    site->dir_fd = -1;
}

bool site_same(const struct site *a, const struct site *b)
{
    return a->dir.st_dev == b->dir.st_dev && a->dir.st_ino == b->dir.st_ino && strcmp(a->leaf, b->leaf) == 0;
}

struct file_state site_state(const struct site *site)
{
    return site->kind == FILE_FILE ? site_state_of(&site->st) : (struct file_state){0};
}

struct file_state site_state_of(const struct stat *st)
{
    return (struct file_state){
        .token = tree_token(st),
        .size = (uint64_t)st->st_size,
        .mtime_s = st->st_mtim.tv_sec,
        .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
        .mode = st->st_mode & 07777,
    };
}

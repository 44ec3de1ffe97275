/* Sources: regular files read for a peer, and the proof that what was read is one state of them. */
#include "source.h"

#include "io.h"
#include "limits.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int source_open(struct root *root, const char *path, struct source *src, struct fault *fault)
{
    if (tree_hidden(path)) {
        return fault_set(fault, ERR_NOT_FOUND, "'%s' not found", path_text(path).s);
    }
    src->view = NULL;
    int rc = root_open_file(root, path, &src->fd, &src->st, fault);
    if (rc == 0 && src->st.st_size > (off_t)BLOCK_BYTES) {
        posix_fadvise(src->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return rc;
}

void source_close(struct source *src)
{
    io_close(src->fd);
    src->fd = -1;
}

void source_narrow(struct source *src, const struct source_view *view)
{
    src->view = view;
}

uint64_t source_size(const struct source *src)
{
    return src->view ? source_view_size(src->view) : (uint64_t)src->st.st_size;
}

uint64_t source_token(const struct source *src)
{
    uint64_t token = tree_token(&src->st);
    return src->view ? source_view_token(src->view, token) : token;
}

int source_read(const struct source *src, uint64_t offset, void *buf, size_t n)
{
    size_t got = n;
    int rc = src->view ? source_view_read(src->view, src->fd, offset, buf, n) : io_pread(src->fd, buf, n, offset, &got);
    if (rc) {
        return errno == ESTALE ? ERR_CHANGED : rc;
    }
    return got == n ? 0 : ERR_CHANGED;
}

int source_next_data(const struct source *src, uint64_t offset, uint64_t *data, uint64_t *end)
{
    uint64_t size = source_size(src);
    *data = offset < size ? offset : size;
    *end = size;
    if (offset >= size || src->view) {
        return 0;
    }
    off_t at = lseek(src->fd, (off_t)offset, SEEK_DATA);
    if (at < 0) {
        if (errno == EINVAL || errno == EOPNOTSUPP) {
            return 0;
        }
        *data = size;
        return errno == ENXIO ? 0 : errno == ESTALE ? ERR_CHANGED : err_from_errno(errno);
    }
    off_t hole = lseek(src->fd, at, SEEK_HOLE);
    *data = (uint64_t)at < size ? (uint64_t)at : size; /* beyond it when the file has grown */
    *end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    return 0;
}

/* Was it changed so lately that another change may have left the same time? Either way round, for the clock may have been
 * set. ctime, because nobody can set that. */
static bool unsettled(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t s = now.tv_sec - st->st_ctim.tv_sec;
    if (s < -1 || s > 1) {
        return false;
    }
    int64_t ns = s * (int64_t)SECOND + now.tv_nsec - st->st_ctim.tv_nsec;
    return ns > -(int64_t)SOURCE_SETTLE && ns < (int64_t)SOURCE_SETTLE;
}

int source_changed(const struct source *src, struct fault *fault)
{
    struct stat st;
    if (fstat(src->fd, &st)) {
        int errnum = errno;
        return errnum == ESTALE ? fault_set(fault, ERR_CHANGED, "the file was replaced while it was read")
                                : fault_errno(fault, errnum, "cannot look at the file again");
    }
    if (tree_token(&st) != tree_token(&src->st)) {
        return fault_set(fault, ERR_CHANGED, "the file was changed while it was read");
    }
    return unsettled(&st) ? fault_set(fault, ERR_CHANGED, "the file was changed this very moment") : 0;
}

int source_settle(const struct source *src, struct fault *fault)
{
    const struct timespec settle = {.tv_nsec = SOURCE_SETTLE};
    if (source_changed(src, NULL) == ERR_CHANGED) {
        nanosleep(&settle, NULL);
    }
    return source_changed(src, fault);
}

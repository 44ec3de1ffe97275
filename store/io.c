/* Whole reads and writes on descriptors, and paths in sentences. */
#include "io.h"

#include "err.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int io_write(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t k = write(fd, at, n);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            errno = k == 0 ? EIO : errno;
            return err_from_errno(errno);
        }
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

int io_pwrite(int fd, const void *bytes, size_t n, uint64_t offset)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t k = pwrite(fd, at, n, (off_t)offset);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            errno = k == 0 ? EIO : errno;
            return err_from_errno(errno);
        }
        at += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

int io_pread(int fd, void *buf, size_t n, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < n) {
        ssize_t k = pread(fd, (char *)buf + *got, n - *got, (off_t)(offset + *got));
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return err_from_errno(errno);
        }
        if (k == 0) {
            break;
        }
        *got += (size_t)k;
    }
    return 0;
}

void io_close(int fd)
{
    if (fd >= 0) {
        int kept = errno;
        close(fd);
        errno = kept;
    }
}

/* For file systems without O_TMPFILE: a named file that loses its name at once. */
static int temp_unlinked(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/.weft-tmp-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

int io_temp(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        return temp_unlinked(dir);
    }
    return fd;
}

struct path_text path_text(const char *path)
{
    struct path_text text;
    escape(path, strlen(path), text.s, sizeof text.s);
    return text;
}

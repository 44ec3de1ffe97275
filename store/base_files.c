/* Bases: their files. See bases.h.
 *
 * The folder is the home's and open to nobody else, so what is in it is what this module made, or what is left of that after a
 * kill or a power cut. The latter is why all is checked when it is opened; nobody else is guarded against. */
#include "bases.h"

#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_DIGITS 16
#define SWEEP_DEPTH 4 /* of folders: what a transfer staged in it, and what must not be followed for ever */

/* ---- names */

struct name {
    char s[NAME_DIGITS + sizeof ".index"];
};

static struct name name_of(uint64_t number, const char *kind)
{
    struct name name;
    snprintf(name.s, sizeof name.s, "%0*" PRIx64 ".%s", NAME_DIGITS, number, kind);
    return name;
}

void base_files_path(const char *dir, uint64_t number, const char *kind, char path[PATH_BYTES_MAX + 1])
{
    int n = snprintf(path, PATH_BYTES_MAX + 1, "%s/%s", dir, name_of(number, kind).s);
    if (n < 0 || n > PATH_BYTES_MAX)
        path[0] = '\0'; /* which no call finds */
}

/* The number in the name of one of our files, or 0. */
static uint64_t number_in(const char *name)
{
    if (strlen(name) <= NAME_DIGITS || strspn(name, "0123456789abcdef") != NAME_DIGITS)
        return 0;
    const char *kind = name + NAME_DIGITS;
    return strcmp(kind, ".index") == 0 || strcmp(kind, ".bytes") == 0 ? strtoull(name, NULL, 16) : 0;
}

static int open_file(const char *dir, uint64_t number, const char *kind, int flags)
{
    char path[PATH_BYTES_MAX + 1];
    base_files_path(dir, number, kind, path);
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

static int make_file(const char *dir, uint64_t number, const char *kind, struct fault *fault)
{
    char path[PATH_BYTES_MAX + 1];
    base_files_path(dir, number, kind, path);
    unlink(path); /* what an attempt before left */
    int fd = open_file(dir, number, kind, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        fault_errno(fault, errno, "cannot make a file in '%s'", path_text(dir).s);
    return fd;
}

static void drop(const char *dir, uint64_t number, const char *kind)
{
    char path[PATH_BYTES_MAX + 1];
    base_files_path(dir, number, kind, path);
    unlink(path);
}

void base_files_drop(const char *dir, uint64_t number)
{
    drop(dir, number, "index");
    drop(dir, number, "bytes");
}

/* ---- opening */

static bool is_there(const char *dir, uint64_t number, const char *kind, off_t *size)
{
    char path[PATH_BYTES_MAX + 1];
    struct stat st;
    base_files_path(dir, number, kind, path);
    bool there = lstat(path, &st) == 0 && S_ISREG(st.st_mode);
    *size = there ? st.st_size : 0;
    return there;
}

bool base_files_there(const char *dir, struct base_row *row)
{
    off_t size;
    if (!is_there(dir, row->number, "index", &size) || size == 0)
        return false;
    row->bytes = row->bytes && is_there(dir, row->number, "bytes", &size) && (uint64_t)size == row->state.size;
    return true;
}

static bool is_zero(const uint8_t *bytes, uint64_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)n - 1) == 0);
}

static bool has_segments(const uint8_t *bytes, const struct anchors *index)
{
    bool same = true, more = anchors_count(index) > 0;
    struct segment s = {0};
    if (more)
        s = anchors_segment(index, 0);
    for (; same && more; more = anchors_next(index, &s)) {
        const uint8_t *at = bytes + s.offset;
        same = s.hole ? is_zero(at, s.length) : anchors_hash(index, at, (size_t)s.length) == s.hash;
    }
    return same;
}

/* A small file's bytes may have been copied, and then been lost to a power cut without a word: they are looked at. */
static bool is_copy(int fd, const struct anchors *index)
{
    size_t got = 0, size = (size_t)anchors_size(index);
    uint8_t *buf = malloc(size + 1);
    bool good = buf && io_pread(fd, buf, size, 0, &got) == 0 && got == size && has_segments(buf, index);
    free(buf);
    return good;
}

static int open_bytes(const char *dir, const struct base_row *row, const struct anchors *index)
{
    struct stat st;
    int fd = open_file(dir, row->number, "bytes", O_RDONLY);
    if (fd < 0)
        return -1;
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == row->state.size;
    if (good && (row->state.size > BASE_COPY_BYTES || is_copy(fd, index)))
        return fd;
    close(fd);
    return -1;
}

static int open_index(const char *dir, const struct base_row *row, struct anchors **index, struct fault *fault)
{
    int fd = open_file(dir, row->number, "index", O_RDONLY);
    if (fd < 0)
        return fault_errno(fault, errno, "cannot open what is remembered");
    int err = anchors_read(fd, index, fault);
    close(fd);
    if (!err && anchors_size(*index) != row->state.size) {
        anchors_free(*index);
        *index = NULL;
        err = fault_set(fault, ERR_DAMAGED, "what is remembered is of another file");
    }
    return err;
}

int base_files_open(const char *dir, const struct base_row *row, struct anchors **index, int *bytes, struct fault *fault)
{
    *index = NULL;
    *bytes = -1;
    int err = open_index(dir, row, index, fault);
    if (err == ERR_DAMAGED || err == ERR_LIMIT)
        base_files_drop(dir, row->number);
    if (!err && row->bytes)
        *bytes = open_bytes(dir, row, *index);
    return err;
}

/* ---- making */

static int copy_all(int from, int to, size_t size)
{
    size_t got = 0;
    uint8_t *buf = malloc(size + 1);
    int err = buf ? io_pread(from, buf, size + 1, 0, &got) : ERR_NOMEM;
    if (!err && got != size)
        err = ERR_CHANGED;
    err = err ? err : io_pwrite(to, buf, size, 0);
    free(buf);
    return err;
}

/* Whatever a file system has to say against it, copying is as good. */
static int clone_all(int from, int to, const struct stat *st)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    if (errno == ENOSPC || errno == EDQUOT)
        return ERR_NOSPACE;
    return st->st_size <= (off_t)BASE_COPY_BYTES ? copy_all(from, to, (size_t)st->st_size) : ERR_UNSUPPORTED;
}

static int fill(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_UNSUPPORTED;
    int err = clone_all(from, to, &st);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    if (!err && futimens(to, times) != 0)
        err = err_from_errno(errno);
    return err;
}

int base_files_clone(const char *dir, uint64_t number, int fd, int *bytes, struct fault *fault)
{
    *bytes = -1;
    int to = make_file(dir, number, "bytes", fault);
    if (to < 0)
        return fault ? (int)fault->code : ERR_IO;
    int err = fill(fd, to);
    if (err) {
        close(to);
        drop(dir, number, "bytes");
        return fault_set(fault, err, "the old bytes cannot be kept: %s", err_text(err));
    }
    *bytes = to;
    return 0;
}

int base_files_index(const char *dir, uint64_t number, const struct anchors *index, uint64_t *cost, struct fault *fault)
{
    struct stat st = {0};
    *cost = 0;
    int fd = make_file(dir, number, "index", fault);
    if (fd < 0)
        return fault ? (int)fault->code : ERR_IO;
    int err = anchors_write(index, fd, fault);
    if (!err && fstat(fd, &st) != 0)
        err = fault_errno(fault, errno, "cannot look at what was written in '%s'", path_text(dir).s);
    close(fd);
    if (err)
        drop(dir, number, "index");
    else
        *cost = (uint64_t)st.st_size;
    return err;
}

/* ---- sweeping */

struct sweep {
    bool (*is_known)(void *arg, uint64_t number);
    void *arg;
};

static bool is_kept(const struct sweep *s, const char *name)
{
    uint64_t number = s->is_known ? number_in(name) : 0;
    return number != 0 && s->is_known(s->arg, number);
}

static void sweep_folder(int fd, const struct sweep *s, int depth);

static void remove_one(int folder, const char *name, int depth)
{
    static const struct sweep all = {NULL, NULL};
    if (unlinkat(folder, name, 0) == 0 || depth == 0)
        return;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        sweep_folder(fd, &all, depth - 1);
    unlinkat(folder, name, AT_REMOVEDIR);
}

/* Takes the descriptor. What cannot be removed stays until the next time. */
static void sweep_folder(int fd, const struct sweep *s, int depth)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return;
    }
    for (struct dirent *d; (d = readdir(folder));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && !is_kept(s, d->d_name))
            remove_one(dirfd(folder), d->d_name, depth);
    closedir(folder);
}

void base_files_sweep(const char *dir, bool (*is_known)(void *arg, uint64_t number), void *arg)
{
    const struct sweep s = {is_known, arg};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        sweep_folder(fd, &s, SWEEP_DEPTH);
}

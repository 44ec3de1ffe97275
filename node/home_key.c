/* The key file of a home: 32 random bytes, the whole secret of a node.
 *
 * It is opened without following links and judged by its descriptor, never by its path. It appears under its name only
 * when it is complete and durable, and never replaces another. */
#include "home.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE "key"

static int judge(const struct home *home, const struct stat *st, struct fault *fault)
{
    const struct path_text shown = path_text(home->path);
    const char *path = shown.s;
    if (!S_ISREG(st->st_mode))
        return fault_set(fault, ERR_DENIED, "the key '%s/" KEY_FILE "' is no plain file; it is not used", path);
    if (st->st_uid != geteuid())
        return fault_set(fault, ERR_DENIED, "the key '%s/" KEY_FILE "' belongs to another user; it is not used", path);
    if (st->st_mode & (S_IRWXG | S_IRWXO))
        return fault_set(fault, ERR_DENIED,
                         "the key '%s/" KEY_FILE "' is open to others, who may have copied it; if nobody has, type: chmod 600 "
                         "'%s/" KEY_FILE "'; else remove it and the node becomes a new one",
                         path, path);
    if (st->st_nlink != 1)
        return fault_set(fault, ERR_DENIED, "the key '%s/" KEY_FILE "' has a second name elsewhere; it is not used", path);
    if (st->st_size != SEED_BYTES)
        return fault_set(fault, ERR_DAMAGED,
                         "the key '%s/" KEY_FILE "' is damaged: it should have %d bytes; restore it from a "
                         "backup, or remove it and the node becomes a new one",
                         path, SEED_BYTES);
    return 0;
}

/* Opens the key and judges it. ERR_NOT_FOUND when there is none. */
static int open_key(struct home *home, int *fd, struct fault *fault)
{
    struct stat st;
    *fd = openat(home->fd, KEY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 && errno == ELOOP)
        return fault_set(fault, ERR_DENIED, "the key '%s/" KEY_FILE "' is a link; it is not used", path_text(home->path).s);
    if (*fd < 0)
        return fault_errno(fault, errno, "cannot open the key '%s/" KEY_FILE "'", path_text(home->path).s);
    int err = fstat(*fd, &st) == 0 ? judge(home, &st, fault) : fault_errno(fault, errno, "cannot look at the key");
    if (err) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

/* The file is made whole under another name first; linking it fails when somebody was quicker, and then theirs is used. */
static int make_key(struct home *home, struct fault *fault)
{
    uint8_t seed[SEED_BYTES];
    char temp[32];
    snprintf(temp, sizeof temp, KEY_FILE ".%08x%08x", randombytes_random(), randombytes_random());
    int fd = openat(home->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int err = fd < 0 || fchmod(fd, 0600) != 0 ? err_from_errno(errno) : 0;
    if (!err && getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        err = ERR_IO;
    if (!err)
        err = io_write(fd, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    if (!err && (fsync(fd) != 0 || (linkat(home->fd, temp, home->fd, KEY_FILE, 0) != 0 && errno != EEXIST)))
        err = err_from_errno(errno);
    if (err)
        fault_errno(fault, errno, "cannot make the key '%s/" KEY_FILE "'", path_text(home->path).s);
    io_close(fd);
    unlinkat(home->fd, temp, 0);
    return !err && fsync(home->fd) != 0 ? fault_errno(fault, errno, "cannot make the key durable") : err;
}

int home_seed(struct home *home, uint8_t seed[SEED_BYTES], struct fault *fault)
{
    int fd;
    int err = open_key(home, &fd, fault);
    if (err == ERR_NOT_FOUND) {
        err = make_key(home, fault);
        if (!err)
            err = open_key(home, &fd, fault);
    }
    if (err)
        return err;
    size_t got;
    err = io_pread(fd, seed, SEED_BYTES, 0, &got);
    if (err || got != SEED_BYTES)
        err = fault_errno(fault, err ? errno : EIO, "cannot read the key");
    close(fd);
    return err;
}

int home_check_key(struct home *home, struct fault *fault)
{
    int fd;
    int err = open_key(home, &fd, fault);
    if (!err)
        close(fd);
    return err;
}

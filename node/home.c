/* The state folder: where it is, whose it is, who holds it. See home.h; the key is in home_key.c. */
#include "home.h"

#include "io.h"
#include "msg.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where */

static int put_path(char *path, size_t cap, const char *base, const char *rest, struct fault *fault)
{
    int n = snprintf(path, cap, "%s%s", base, rest);
    if (n < 0 || (size_t)n >= cap)
        return fault_set(fault, ERR_LIMIT, "the path of the home is too long: '%s'", path_text(base).s);
    return 0;
}

static bool is_set(const char *text)
{
    return text && text[0] != '\0';
}

int home_where(const char *given, char *path, size_t cap, struct fault *fault)
{
    const char *weft = getenv("WEFT_HOME"), *xdg = getenv("XDG_STATE_HOME"), *user = getenv("HOME");
    if (is_set(given))
        return put_path(path, cap, given, "", fault);
    if (is_set(weft))
        return put_path(path, cap, weft, "", fault);
    if (is_set(xdg) && xdg[0] == '/') /* the XDG specification ignores relative ones */
        return put_path(path, cap, xdg, "/weft", fault);
    struct passwd entry, *found = NULL;
    char buf[4096];
    if (!is_set(user) && getpwuid_r(geteuid(), &entry, buf, sizeof buf, &found) == 0 && found)
        user = found->pw_dir;
    if (!is_set(user))
        return fault_set(fault, ERR_USAGE, "no home: neither HOME nor WEFT_HOME is set; name the state folder with --home");
    return put_path(path, cap, user, "/.local/state/weft", fault);
}

/* ---- the folder */

static int make_folders(const char *path, struct fault *fault)
{
    char part[HOME_PATH];
    size_t n = strnlen(path, sizeof part);
    if (n == sizeof part)
        return fault_set(fault, ERR_LIMIT, "the path of the home is too long: '%s'", path_text(path).s);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return fault_errno(fault, errno, "cannot make the folder '%s'", path_text(part).s);
    }
    return 0;
}

/* Others may look in, if the user wants that; nobody else may put files there. */
static int check_owner(const struct home *home, struct fault *fault)
{
    struct stat st;
    if (fstat(home->fd, &st) != 0)
        return fault_errno(fault, errno, "cannot look at '%s'", path_text(home->path).s);
    if (st.st_uid != geteuid())
        return fault_set(fault, ERR_DENIED, "the home '%s' belongs to another user; choose one of your own with --home",
                         path_text(home->path).s);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return fault_set(fault, ERR_DENIED, "others may write to the home '%s'; type: chmod go-w '%s'", path_text(home->path).s,
                         path_text(home->path).s);
    return 0;
}

int home_open(const char *path, bool make, struct home *home, struct fault *fault)
{
    *home = (struct home){.fd = -1, .lock = -1};
    int err = make ? make_folders(path, fault) : 0;
    if (err)
        return err;
    char *real = realpath(path, NULL);
    home->fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int kept = errno;
    if (real && strlen(real) < sizeof home->path)
        strcpy(home->path, real);
    free(real);
    if (home->fd < 0)
        return fault_errno(fault, kept, "cannot open the home '%s'", path_text(path).s);
    err = home->path[0] == '\0' ? fault_set(fault, ERR_LIMIT, "the path of the home is too long") : check_owner(home, fault);
    if (err)
        home_close(home);
    return err;
}

void home_close(struct home *home)
{
    io_close(home->lock);
    io_close(home->fd);
    home->fd = home->lock = -1;
}

int home_lock(struct home *home, struct fault *fault)
{
    int fd = openat(home->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return fault_errno(fault, errno, "cannot open '%s/lock'", path_text(home->path).s);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        home->lock = fd;
        return 0;
    }
    int kept = errno;
    close(fd);
    if (kept == EWOULDBLOCK)
        return fault_set(fault, ERR_LOCKED,
                         "a node is running on the home '%s' already; 'weft status' shows it, and another node "
                         "needs a home of its own (--home)",
                         path_text(home->path).s);
    return fault_errno(fault, kept, "cannot lock '%s'", path_text(home->path).s);
}

int home_file(const struct home *home, const char *file, char *path, size_t cap)
{
    int n = snprintf(path, cap, "%s/%s", home->path, file);
    return n < 0 || (size_t)n >= cap ? ERR_LIMIT : 0;
}

int home_folder(const struct home *home, const char *name, char *path, size_t cap, struct fault *fault)
{
    struct stat st;
    if (home_file(home, name, path, cap) != 0)
        return fault_set(fault, ERR_LIMIT, "the path of the home is too long");
    if (mkdirat(home->fd, name, 0700) != 0 && errno != EEXIST)
        return fault_errno(fault, errno, "cannot make the folder '%s'", path_text(path).s);
    if (fstatat(home->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fault_errno(fault, errno, "cannot look at '%s'", path_text(path).s);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return fault_set(fault, ERR_REFUSED, "'%s' is not a folder of this user alone (mode 0700); move it away",
                         path_text(path).s);
    return 0;
}

/* ---- small texts */

int home_read(struct home *home, const char *file, char *text, size_t cap)
{
    size_t got = 0;
    text[0] = '\0';
    int fd = openat(home->fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_from_errno(errno);
    int err = io_pread(fd, text, cap - 1, 0, &got);
    close(fd);
    text[err ? 0 : got] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return err;
}

static int write_durably(int fd, const char *text)
{
    int err = io_write(fd, text, strlen(text));
    if (!err)
        err = io_write(fd, "\n", 1);
    return !err && fsync(fd) != 0 ? err_from_errno(errno) : err;
}

/* Written beside and renamed, so that a stop in between leaves the old text. We hold the lock: nobody else writes. */
int home_write(struct home *home, const char *file, const char *text, struct fault *fault)
{
    char temp[64];
    snprintf(temp, sizeof temp, "%s.new", file);
    unlinkat(home->fd, temp, 0);
    int fd = openat(home->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int err = fd < 0 ? err_from_errno(errno) : write_durably(fd, text);
    io_close(fd);
    if (!err && renameat(home->fd, temp, home->fd, file) != 0)
        err = err_from_errno(errno);
    return err ? fault_errno(fault, errno, "cannot write '%s/%s'", path_text(home->path).s, file) : 0;
}

/* ---- the name */

/* What of the host's name can be part of a node's name. */
static void name_of_host(char name[NAME_MAX_BYTES + 1])
{
    char host[256] = "";
    size_t n = 0;
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    for (const char *c = host; *c && *c != '.' && n < NAME_MAX_BYTES; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || (*c == '-' && n > 0))
            name[n++] = *c;
    name[n] = '\0';
    if (!name_valid(name))
        strcpy(name, "node");
}

int home_name(struct home *home, const char *wanted, char name[NAME_MAX_BYTES + 1], struct fault *fault)
{
    char known[NAME_MAX_BYTES + 2];
    bool remembered = home_read(home, "name", known, sizeof known) == 0 && name_valid(known);
    if (is_set(wanted) && !name_valid(wanted))
        return fault_set(fault, ERR_USAGE,
                         "'%s' cannot be a name: 1 to %d bytes without control characters and / : @ \\, not "
                         "beginning with - or . or a space",
                         path_text(wanted).s, NAME_MAX_BYTES);
    if (is_set(wanted))
        strcpy(name, wanted);
    else if (remembered)
        strcpy(name, known);
    else
        name_of_host(name);
    return remembered && strcmp(name, known) == 0 ? 0 : home_write(home, "name", name, fault);
}

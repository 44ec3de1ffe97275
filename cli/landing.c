/* The names of landing.h. A file without a name gets one by linkat, one with a hidden name by renameat2; both refuse to replace
 * anything. To replace a file a nameless one first gets a hidden name, for only rename can do that in one step; and what it
 * replaces is what was seen before. */
#include "landing.h"

#include "io.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0666 /* less the umask, as the shell makes files */

static void make_hidden_name(char name[LANDING_HIDDEN])
{
    uint64_t number = 0;

    while (getrandom(&number, sizeof number, 0) < 0 && errno == EINTR)
        continue;
    snprintf(name, LANDING_HIDDEN, STAGE_PREFIX "%016" PRIx64, number);
}

static int open_hidden(struct landing *l)
{
    make_hidden_name(l->hidden);
    l->fd = openat(l->folder, l->hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (l->fd < 0)
        l->hidden[0] = '\0';
    return l->fd;
}

int landing_open(const char *folder, const char *name, struct landing *l, struct fault *fault)
{
    *l = (struct landing){.folder = -1, .fd = -1};
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fault_set(fault, ERR_USAGE, "'%s' is not the name of a file", path_text(name).s);
    if (strlen(name) > ENTRY_NAME_MAX)
        return fault_set(fault, ERR_LIMIT, "'%s' is too long for the name of a file", path_text(name).s);
    l->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return l->folder >= 0 ? 0 : fault_errno(fault, errno, "cannot open the folder '%s'", path_text(folder).s);
}

int landing_make(struct landing *l, struct fault *fault)
{
    l->fd = openat(l->folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, MODE);
    if (l->fd >= 0 || ((errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) && open_hidden(l) >= 0))
        return 0;
    return fault_errno(fault, errno, "cannot make a file in the destination folder");
}

static int exists(const char *name, struct fault *fault)
{
    return fault_set(fault, ERR_EXISTS, "'%s' exists already", path_text(name).s);
}

int landing_check(struct landing *l, const char *name, enum if_exists policy, bool *skip, struct fault *fault)
{
    bool there = fstatat(l->folder, name, &l->seen, AT_SYMLINK_NOFOLLOW) == 0;

    *skip = there && policy == IF_EXISTS_SKIP;
    if (there && policy == IF_EXISTS_REFUSE)
        return exists(name, fault);
    if (there && policy == IF_EXISTS_OVERWRITE && S_ISDIR(l->seen.st_mode))
        return fault_set(fault, ERR_EXISTS, "'%s' is a folder: a file cannot take its place", path_text(name).s);
    return 0;
}

/* Gives the file a name that nothing has yet: 0, or -1 with errno. */
static int give_name(struct landing *l, const char *name)
{
    char self[32];
    bool hidden = l->hidden[0] != '\0';
    int rc;

    snprintf(self, sizeof self, "/proc/self/fd/%d", l->fd);
    if (!hidden) {
        rc = linkat(AT_FDCWD, self, l->folder, name, AT_SYMLINK_FOLLOW);
    } else {
        rc = renameat2(l->folder, l->hidden, l->folder, name, RENAME_NOREPLACE);
        if (rc == 0)
            l->hidden[0] = '\0';
        else if (errno == EINVAL || errno == ENOSYS) /* the hidden name goes when the landing is closed */
            rc = linkat(l->folder, l->hidden, l->folder, name, 0);
    }
    return rc;
}

static int give_name_beside(struct landing *l, const char *name, char placed[ENTRY_NAME_MAX + 1])
{
    for (unsigned k = 2; k < 2 + STAGE_FREE_NAMES; k++) {
        stage_free_name(name, k, placed);
        if (give_name(l, placed) == 0)
            return 0;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* An exchange took out what was not to be replaced. If it cannot be put back, it stays under our hidden name. */
static void give_back(struct landing *l, const char *name)
{
    struct stat ours, out;
    bool back = renameat2(l->folder, l->hidden, l->folder, name, RENAME_EXCHANGE) == 0;

    if (!back || fstat(l->fd, &ours) || fstatat(l->folder, l->hidden, &out, AT_SYMLINK_NOFOLLOW) || out.st_ino != ours.st_ino)
        l->hidden[0] = '\0';
}

/* The two change places, and what came out must be what was seen. Where a file system cannot exchange (NFS, exFAT), it is
 * looked at just before a plain rename. */
static int exchange(struct landing *l, const char *name)
{
    struct stat out;
    bool plain = renameat2(l->folder, l->hidden, l->folder, name, RENAME_EXCHANGE) != 0;

    if (plain && errno != EINVAL && errno != ENOSYS)
        return -1;
    if (fstatat(l->folder, plain ? name : l->hidden, &out, AT_SYMLINK_NOFOLLOW))
        return -1;
    if (!same_file(&out, &l->seen)) {
        if (!plain)
            give_back(l, name);
        errno = EBUSY;
        return -1;
    }
    if (!plain)
        return 0; /* the old one goes with its hidden name */
    if (renameat(l->folder, l->hidden, l->folder, name))
        return -1;
    l->hidden[0] = '\0';
    return 0;
}

/* Replaces what landing_check saw, and nothing else. */
static int replace(struct landing *l, const char *name, struct fault *fault)
{
    char hidden[LANDING_HIDDEN];
    int rc = 0;

    if (!l->hidden[0]) {
        make_hidden_name(hidden);
        rc = give_name(l, hidden);
        if (rc == 0)
            memcpy(l->hidden, hidden, sizeof hidden);
    }
    if (rc == 0 && exchange(l, name) == 0)
        return 0;
    if (errno == EBUSY)
        return fault_set(fault, ERR_CHANGED, "'%s' was changed by someone else meanwhile: it is kept as it is",
                         path_text(name).s);
    return fault_errno(fault, errno, "cannot replace '%s'", path_text(name).s);
}

/* Something stands there. */
static int settle(struct landing *l, const char *name, enum if_exists policy, char placed[ENTRY_NAME_MAX + 1],
                  struct fault *fault)
{
    switch (policy) {
    case IF_EXISTS_SKIP: placed[0] = '\0'; return 0;
    case IF_EXISTS_RENAME:
        return give_name_beside(l, name, placed) == 0
                   ? 0
                   : fault_errno(fault, errno, "cannot place '%s' under a free name", path_text(name).s);
    case IF_EXISTS_OVERWRITE: return replace(l, name, fault);
    default: return exists(name, fault);
    }
}

int landing_place(struct landing *l, const char *name, enum if_exists policy, char placed[ENTRY_NAME_MAX + 1],
                  struct fault *fault)
{
    int code = 0;

    snprintf(placed, ENTRY_NAME_MAX + 1, "%s", name);
    if (fsync(l->fd))
        return fault_errno(fault, errno, "cannot make '%s' safe on disk", path_text(name).s);
    if (give_name(l, name))
        code = errno == EEXIST ? settle(l, name, policy, placed, fault)
                               : fault_errno(fault, errno, "cannot place '%s'", path_text(name).s);
    if (code == 0 && fsync(l->folder))
        return fault_errno(fault, errno, "'%s' is there, but its folder cannot be made safe on disk", path_text(name).s);
    return code;
}

void landing_close(struct landing *l)
{
    if (l->hidden[0])
        unlinkat(l->folder, l->hidden, 0);
    l->hidden[0] = '\0';
    io_close(l->fd);
    io_close(l->folder);
    l->fd = l->folder = -1;
}

/* Swapping: the rename that makes a new file stand under its name. See swap.h. */
#include "swap.h"

#include "io.h"
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_MAX 16 /* longer than that, what follows the last dot is part of the name */

static bool lacks_flag(int errnum)
{
    return errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP;
}

int swap_new(const struct swap *s, const char *to)
{
    if (renameat2(s->from_fd, s->from, s->to_fd, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!lacks_flag(errno) || linkat(s->from_fd, s->from, s->to_fd, to, 0)) {
        return -1;
    }
    return unlinkat(s->from_fd, s->from, 0);
}

void stage_free_name(const char *name, unsigned k, char out[ENTRY_NAME_MAX + 1])
{
    char number[16];
    int number_len = snprintf(number, sizeof number, " (%u)", k);
    size_t n = strlen(name);
    const char *dot = strrchr(name, '.');
    size_t ext = dot && dot > name && n - (size_t)(dot - name) <= EXTENSION_MAX ? n - (size_t)(dot - name) : 0;
    size_t stem = n - ext;
    size_t room = ENTRY_NAME_MAX - ext - (size_t)number_len;
    if (stem > room) {
        for (stem = room; stem > 0 && ((unsigned char)name[stem] & 0xc0) == 0x80; stem--) {
        } /* not through the middle of a character */
    }
    memcpy(out, name, stem);
    memcpy(out + stem, number, (size_t)number_len);
    memcpy(out + stem + (size_t)number_len, name + n - ext, ext + 1);
}

int swap_beside(const struct swap *s)
{
    char other[ENTRY_NAME_MAX + 1];
    for (unsigned k = 2; k < 2 + STAGE_FREE_NAMES; k++) {
        stage_free_name(s->to, k, other);
        if (swap_new(s, other) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return -1;
        }
    }
    return -1;
}

int swap_changed(const struct swap *s, struct fault *fault)
{
    return fault_set(fault, ERR_CHANGED, "'%s' was changed by someone else meanwhile: it is kept as it is",
                     path_text(s->shown).s);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* An exchange took out something else than `old`: puts it back. `ours` is the new file. */
static int give_back(const struct swap *s, const struct stat *ours, struct fault *fault)
{
    struct stat out;
    bool back = renameat2(s->from_fd, s->from, s->to_fd, s->to, RENAME_EXCHANGE) == 0;
    if (back && fstatat(s->from_fd, s->from, &out, AT_SYMLINK_NOFOLLOW) == 0 && out.st_ino == ours->st_ino) {
        return swap_changed(s, fault);
    }
    /* The name changed hands once more. What we hold is a user's: it gets a name of its own. */
    if (swap_new(s, s->to) && swap_beside(s)) {
        *s->precious = true;
        return fault_errno(fault, errno, "'%s' was changed by someone else meanwhile, and is now in '%s'",
                           path_text(s->shown).s, path_text(s->hidden).s);
    }
    return swap_changed(s, fault);
}

int swap_replace(const struct swap *s, const struct stat *old, struct fault *fault)
{
    struct stat ours, out;
    if (fstatat(s->from_fd, s->from, &ours, AT_SYMLINK_NOFOLLOW)) {
        return fault_errno(fault, errno, "cannot look at what was received for '%s'", path_text(s->shown).s);
    }
    if (renameat2(s->from_fd, s->from, s->to_fd, s->to, RENAME_EXCHANGE) == 0) {
        if (fstatat(s->from_fd, s->from, &out, AT_SYMLINK_NOFOLLOW) || !same_file(old, &out)) {
            return give_back(s, &ours, fault);
        }
        unlinkat(s->from_fd, s->from, 0);
        return 0;
    }
    if (lacks_flag(errno) && renameat(s->from_fd, s->from, s->to_fd, s->to) == 0) {
        return 0;
    }
    return fault_errno(fault, errno, "cannot replace '%s'", path_text(s->shown).s);
}

/* Reading trees: what one entry is, and one folder by pages. Walking is in tree_walk.c. */
#include "tree.h"

#include "io.h"
#include "tree_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

bool tree_hidden(const char *path)
{
    for (const char *name = path; name; name = strchr(name, '/')) {
        name += *name == '/';
        if (entry_name_hidden(name)) {
            return true;
        }
    }
    return false;
}

/* No device number: it may change at every boot, and a token shall outlive that. */
uint64_t tree_token(const struct stat *st)
{
    int64_t seen[6] = {
        (int64_t)st->st_ino, st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec, st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
    };
    return XXH3_64bits(seen, sizeof seen);
}

enum entry_kind tree_kind(const struct stat *st)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG: return ENTRY_FILE;
    case S_IFDIR: return ENTRY_DIR;
    case S_IFLNK: return ENTRY_LINK;
    default: return ENTRY_OTHER;
    }
}

static int read_target(int fd, const char *name, struct entry *entry, char *target)
{
    ssize_t n = readlinkat(fd, name, target, LINK_TARGET_MAX + 1);
    if (n < 0) {
        return err_from_errno(errno);
    }
    if (n == 0 || n > LINK_TARGET_MAX) {
        return ERR_LIMIT;
    }
    target[n] = '\0';
    entry->target = target;
    entry->target_len = (uint16_t)n;
    return 0;
}

int tree_look(int fd, const char *name, struct stat *st, struct entry *entry, char *target)
{
    *entry = (struct entry){.kind = ENTRY_OTHER, .name = name, .name_len = (uint16_t)strlen(name), .target = ""};
    if (fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return errno == ENOENT ? ERR_NOT_FOUND : err_from_errno(errno);
    }
    entry->kind = tree_kind(st);
    entry->mode = st->st_mode & 07777;
    entry->size = entry->kind == ENTRY_FILE ? (uint64_t)st->st_size : 0;
    entry->mtime_s = st->st_mtim.tv_sec;
    entry->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
    return entry->kind == ENTRY_LINK ? read_target(fd, name, entry, target) : 0;
}

int tree_names(int fd, int (*each)(void *arg, const char *name, uint64_t next), void *arg)
{
    _Alignas(struct dirent64) char buf[32768];
    for (;;) {
        ssize_t n = getdents64(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? err_from_errno(errno) : 0;
        }
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(buf + at);
            at += d->d_reclen;
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 || entry_name_hidden(d->d_name)) {
                continue;
            }
            int rc = each(arg, d->d_name, (uint64_t)d->d_off);
            if (rc) {
                return rc;
            }
        }
    }
}

/* ---- pages */

struct paging {
    struct tree_page *page;
    int fd;
    char target[LINK_TARGET_MAX + 1];
};

static const char *keep(struct tree_page *page, const char *bytes, size_t n)
{
    char *at = page->names + page->names_len;
    memcpy(at, bytes, n);
    page->names_len += n;
    return at;
}

/* ERR_FULL: there is another page, and it begins at page->cursor, which is still this name's place. */
static int page_add(void *arg, const char *name, uint64_t next)
{
    struct paging *p = arg;
    struct tree_page *page = p->page;
    struct stat st;
    struct entry entry;
    if (tree_look(p->fd, name, &st, &entry, p->target) != ERR_NOT_FOUND) {
        size_t room = sizeof page->names - page->names_len;
        if (page->count == LIST_ENTRIES_MAX || room < (size_t)entry.name_len + entry.target_len) {
            return ERR_FULL;
        }
        entry.name = keep(page, entry.name, entry.name_len);
        entry.target = keep(page, entry.target, entry.target_len);
        page->entry[page->count++] = entry;
    }
    page->cursor = next;
    return 0;
}

static int page_fill(struct paging *p, uint64_t cursor, const char *path, struct fault *fault)
{
    if (cursor > INT64_MAX || (cursor > 0 && lseek(p->fd, (off_t)cursor, SEEK_SET) < 0)) {
        return fault_set(fault, ERR_MALFORMED, "no page of '%s' begins there", path_text(path).s);
    }
    p->page->cursor = cursor;
    int rc = tree_names(p->fd, page_add, p);
    if (rc && rc != ERR_FULL) {
        return fault_errno(fault, errno, "cannot read the folder '%s'", path_text(path).s);
    }
    p->page->more = rc == ERR_FULL;
    return 0;
}

int tree_page(struct root *root, const char *path, uint64_t cursor, struct tree_page *page, struct fault *fault)
{
    page->more = false;
    page->count = 0;
    page->cursor = 0;
    page->names_len = 0;
    if (tree_hidden(path)) {
        return fault_set(fault, ERR_NOT_FOUND, "'%s' not found", path_text(path).s);
    }
    struct stat st;
    int rc = root_stat(root, path, &st, fault);
    if (rc) {
        return rc;
    }
    struct paging p = {.page = page};
    if (S_ISDIR(st.st_mode)) {
        rc = root_open_dir(root, path, &p.fd, fault);
        if (rc == 0) {
            rc = page_fill(&p, cursor, path, fault);
            io_close(p.fd);
        }
        return rc;
    }
    const char *leaf;
    rc = root_parent(root, path, &p.fd, &leaf, fault);
    return rc ? rc : page_add(&p, leaf, 0);
}

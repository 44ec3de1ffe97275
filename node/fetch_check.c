/* Comparing the list with the destination, before anything is written there: what is there already, what the policy says to
 * what is in the way, and whether there is room. Where a folder is new nothing can be in it, so what is listed below it is
 * not looked for. */
#include "fetch_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct checking {
    uint32_t new_below; /* entries deeper than this cannot exist yet; UINT32_MAX: none */
    uint64_t to_fetch;  /* content bytes */
};

/* ---- one entry */

static void unreadable(struct list_walk *w)
{
    struct fault fault;

    if (w->e.err == 0)
        fault_set(&fault, ERR_UNSUPPORTED, "it is neither file, folder nor link");
    else
        fault_set(&fault, w->e.err, "the sender cannot read it: %s", err_text(w->e.err));
    list_walk_lose(w, &fault);
}

static void have(struct list_walk *w)
{
    struct transfer_progress *progress = w->rx->t->progress;

    if (w->e.entry.kind == ENTRY_DIR) {
        entry_bit_set(w->rx->dirs, w->i);
        return;
    }
    atomic_fetch_add(&progress->present, 1);
    atomic_fetch_add(&progress->files_done, 1);
    if (w->e.entry.kind != ENTRY_FILE)
        return;
    atomic_fetch_add(&progress->bytes_done, w->e.entry.size);
    if (receive_tells_placed(w->rx, w->e.entry.size))
        receive_placed(w->rx, w->path, &w->e.entry, w->e.token);
}

static void fetch_it(struct list_walk *w, struct checking *c)
{
    entry_bit_set(w->rx->todo, w->i);
    if (w->e.entry.kind == ENTRY_FILE)
        c->to_fetch += w->e.entry.size;
    if (w->e.entry.kind == ENTRY_DIR && c->new_below == UINT32_MAX)
        c->new_below = w->e.depth;
}

static int check_entry(struct list_walk *w, void *arg, struct fault *fault)
{
    struct checking *c = arg;
    enum stage_verdict verdict = STAGE_FETCH;
    int err = 0;

    if (w->e.depth <= c->new_below)
        c->new_below = UINT32_MAX;
    if (w->e.err != 0 || w->e.entry.kind == ENTRY_OTHER) {
        unreadable(w);
        return 0;
    }
    if (c->new_below == UINT32_MAX)
        err = stage_check(w->rx->stage, w->path, &w->e.entry, &verdict, fault);
    if (receive_fatal(err))
        return err;
    if (err != 0 || verdict == STAGE_CONFLICT)
        list_walk_lose(w, fault);
    else if (verdict == STAGE_SKIP)
        list_walk_skip(w);
    else if (verdict == STAGE_HAVE)
        have(w);
    else
        fetch_it(w, c);
    return 0;
}

/* ---- room */

static uint64_t free_bytes(const struct receive *r)
{
    struct statvfs v;
    int failed = r->at_fd ? fstatvfs(r->dest_fd, &v) : statvfs(r->dest, &v);
    return failed != 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

uint64_t fetch_limit(const struct receive *r)
{
    uint64_t room = r->limit != 0 ? r->limit : free_bytes(r);
    return room == 0 ? 1 : room;
}

/* What earlier attempts left takes room already that need not be found again. */
static uint64_t staged_bytes(int at, const char *path, int depth)
{
    uint64_t sum = 0;
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;
    struct stat st;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
            fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_blocks * 512;
        else if (S_ISDIR(st.st_mode) && depth > 0)
            sum += staged_bytes(dirfd(dir), d->d_name, depth - 1);
    }
    closedir(dir);
    return sum;
}

/* Refuses only what is sure not to fit. */
static int check_room(const struct receiving *rx, uint64_t to_fetch, struct fault *fault)
{
    uint64_t need = to_fetch > rx->holes ? to_fetch - rx->holes : 0, room = free_bytes(rx->r);
    const char *stage = stage_path(rx->stage);
    int folder = receive_folder(rx->r, &stage);

    if (need <= room || need - room <= staged_bytes(folder, stage, 1))
        return 0;
    return fault_set(fault, ERR_NOSPACE, "%llu bytes are to be fetched and only %llu are free there; nothing was written",
                     (unsigned long long)need, (unsigned long long)room);
}

bool receive_check(struct receiving *rx)
{
    struct checking c = {.new_below = UINT32_MAX};
    struct fault fault = {0};
    int err = list_walk(rx, check_entry, &c, &fault);

    if (err == 0)
        err = check_room(rx, c.to_fetch, &fault);
    if (err != 0)
        fetch_give_up(rx->t, &rx->t->stream[0], &fault);
    return err == 0;
}

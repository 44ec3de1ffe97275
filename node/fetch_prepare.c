/* Between list and data: what is at the destination already, what the policy says, folders and links; and at the end the folders'
 * metadata.
 *
 * Where a folder is new nothing can be in it, so what is listed below it is not looked for. Where an entry could not be placed,
 * what is listed below it is passed over: one message, all counted. */
#include "fetch.h"

#include "bulk_thread.h"
#include "log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct preparing {
    struct receiving *rx;
    uint32_t skip_below;       /* entries deeper than this are passed over; UINT32_MAX: none */
    _Atomic uint32_t *skip_as; /* and counted here */
    uint32_t new_below;        /* entries deeper than this cannot exist yet; UINT32_MAX: none */
    uint64_t to_fetch;         /* content bytes of files that are planned */
    uint64_t keep_at;          /* when a KEEP is due */
};

/* ---- one entry */

static struct stage_meta meta_of(const struct entry *e)
{
    return (struct stage_meta){.mode = e->mode, .mtime_s = e->mtime_s, .mtime_ns = e->mtime_ns};
}

static void pass_over(struct preparing *p, const struct manifest_entry *e, _Atomic uint32_t *count)
{
    if (e->entry.kind != ENTRY_DIR)
        return;
    p->skip_below = e->depth;
    p->skip_as = count;
}

static void lose(struct preparing *p, const struct manifest_entry *e, const char *path, const struct fault *fault)
{
    receive_item(p->rx, path, fault);
    pass_over(p, e, &p->rx->t->progress->failed);
}

static void unreadable(struct preparing *p, const struct manifest_entry *e, const char *path)
{
    struct fault fault;
    int code = e->err != 0 ? e->err : ERR_UNSUPPORTED;

    if (code == ERR_UNSUPPORTED)
        fault_set(&fault, code, "it is neither file, folder nor link");
    else
        fault_set(&fault, code, "the sender cannot read it: %s", err_text(code));
    lose(p, e, path, &fault);
}

static void have(struct preparing *p, uint32_t i, const struct manifest_entry *e)
{
    struct transfer_progress *progress = p->rx->t->progress;

    if (e->entry.kind == ENTRY_DIR) {
        p->rx->dirs[i / 8] |= (uint8_t)(1u << i % 8);
        return;
    }
    atomic_fetch_add(&progress->present, 1);
    atomic_fetch_add(&progress->files_done, 1);
    if (e->entry.kind == ENTRY_FILE)
        atomic_fetch_add(&progress->bytes_done, e->entry.size);
}

static void skipped(struct preparing *p, const struct manifest_entry *e, const char *path)
{
    struct fault fault;

    fault_set(&fault, ERR_EXISTS, "something else is there and was left as it is");
    atomic_fetch_add(&p->rx->t->progress->skipped, 1);
    receive_tell(p->rx, path, &fault);
    pass_over(p, e, &p->rx->t->progress->skipped);
}

static int make_dir(struct preparing *p, uint32_t i, const struct manifest_entry *e, const char *path, struct fault *fault)
{
    p->rx->dirs[i / 8] |= (uint8_t)(1u << i % 8);
    if (p->new_below == UINT32_MAX)
        p->new_below = e->depth;
    return p->rx->r->dry_run ? 0 : stage_dir(p->rx->stage, path, fault);
}

static int make_link(struct preparing *p, const struct manifest_entry *e, const char *path, struct fault *fault)
{
    char target[LINK_TARGET_MAX + 1];
    struct stage_meta meta = meta_of(&e->entry);

    memcpy(target, e->entry.target, e->entry.target_len);
    target[e->entry.target_len] = '\0';
    int err = p->rx->r->dry_run ? 0 : stage_link(p->rx->stage, path, target, &meta, fault);
    if (err == 0)
        atomic_fetch_add(&p->rx->t->progress->files_done, 1);
    return err;
}

static int fetch_it(struct preparing *p, uint32_t i, const struct manifest_entry *e, const char *path, struct fault *fault)
{
    switch (e->entry.kind) {
    case ENTRY_DIR: return make_dir(p, i, e, path, fault);
    case ENTRY_LINK: return make_link(p, e, path, fault);
    default:
        plan_want(p->rx->plan, i, e->entry.size);
        p->to_fetch += e->entry.size;
        return 0;
    }
}

/* 0 unless the whole transfer must end. */
static int place(struct preparing *p, uint32_t i, const struct manifest_entry *e, const char *path, struct fault *fault)
{
    enum stage_verdict verdict = STAGE_FETCH;
    bool is_new = p->new_below != UINT32_MAX && e->depth > p->new_below;
    int err = is_new ? 0 : stage_check(p->rx->stage, path, &e->entry, &verdict, fault);

    if (err == 0)
        switch (verdict) {
        case STAGE_HAVE: have(p, i, e); return 0;
        case STAGE_SKIP: skipped(p, e, path); return 0;
        case STAGE_CONFLICT: lose(p, e, path, fault); return 0;
        case STAGE_FETCH: err = fetch_it(p, i, e, path, fault); break;
        }
    if (err != 0 && !receive_fatal(err)) {
        lose(p, e, path, fault);
        return 0;
    }
    return err;
}

static int prepare_entry(struct preparing *p, uint32_t i, struct fault *fault)
{
    struct manifest_entry e;
    char path[PATH_BYTES_MAX + 1];

    int err = manifest_get(p->rx->list, i, &e);
    if (err != 0)
        return fault_set(fault, err, "cannot read the list of files back: %s", err_text(err));
    if (p->skip_below != UINT32_MAX && e.depth > p->skip_below) {
        atomic_fetch_add(p->skip_as, 1);
        return 0;
    }
    p->skip_below = UINT32_MAX;
    if (e.depth <= p->new_below)
        p->new_below = UINT32_MAX;
    err = fetch_path(p->rx->r->top, p->rx->list, i, path);
    if (err == ERR_LIMIT) {
        lose(p, &e, p->rx->r->top,
             &(struct fault){.code = ERR_LIMIT, .text = "a path below it is too long for this destination"});
        return 0;
    }
    if (err == 0) /* names and targets are valid until the next call on the list, and that was one */
        err = manifest_get(p->rx->list, i, &e);
    if (err != 0)
        return fault_set(fault, err, "cannot read the list of files back: %s", err_text(err));
    if (e.err != 0 || e.entry.kind == ENTRY_OTHER) {
        unreadable(p, &e, path);
        return 0;
    }
    return place(p, i, &e, path, fault);
}

/* ---- room */

static uint64_t free_bytes(const char *dest)
{
    struct statvfs v;
    return statvfs(dest, &v) != 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

uint64_t fetch_limit(const struct receive *r)
{
    uint64_t room = r->limit != 0 ? r->limit : free_bytes(r->dest);
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
static int check_room(const struct preparing *p, struct fault *fault)
{
    const struct receiving *rx = p->rx;
    uint64_t need = p->to_fetch > rx->holes ? p->to_fetch - rx->holes : 0, room = free_bytes(rx->r->dest);

    if (need <= room || need - room <= staged_bytes(AT_FDCWD, stage_path(rx->stage), 1))
        return 0;
    return fault_set(fault, ERR_NOSPACE, "%llu bytes are to be fetched and only %llu are free there; nothing was written",
                     (unsigned long long)need, (unsigned long long)room);
}

/* ---- all of them */

/* Comparing a million files takes longer than the sender would wait in silence. */
static int keep_alive(struct preparing *p)
{
    if (now_ns() < p->keep_at)
        return 0;
    p->keep_at = now_ns() + KEEP_INTERVAL;
    return fetch_keep(&p->rx->t->stream[0]);
}

bool receive_prepare(struct receiving *rx)
{
    struct preparing p = {.rx = rx, .skip_below = UINT32_MAX, .new_below = UINT32_MAX, .keep_at = now_ns() + KEEP_INTERVAL};
    struct fault fault = {0};
    uint32_t count = manifest_count(rx->list);
    int err = 0;

    for (uint32_t i = 0; i < count && err == 0; i++) {
        err = prepare_entry(&p, i, &fault);
        if (err == 0 && i % 64 == 0)
            err = transfer_stopped(rx->t) ? ERR_CANCELLED : keep_alive(&p);
    }
    if (err == 0 && !rx->r->dry_run)
        err = check_room(&p, &fault);
    if (err != 0)
        fetch_give_up(rx->t, &rx->t->stream[0], &fault);
    atomic_store(&rx->t->progress->phase, TRANSFER_DATA);
    return err == 0;
}

bool receive_finish_dirs(struct receiving *rx)
{
    struct manifest_entry e;
    char path[PATH_BYTES_MAX + 1];

    atomic_store(&rx->t->progress->phase, TRANSFER_FINISHING);
    for (uint32_t i = manifest_count(rx->list); i-- > 0;) {
        struct fault fault = {0};
        if ((rx->dirs[i / 8] >> i % 8 & 1) == 0)
            continue;
        int err = fetch_path(rx->r->top, rx->list, i, path);
        if (err == 0)
            err = manifest_get(rx->list, i, &e);
        if (err != 0) {
            transfer_failf(rx->t, err, "cannot read the list of files back: %s", err_text(err));
            return false;
        }
        struct stage_meta meta = meta_of(&e.entry);
        err = stage_finish_dir(rx->stage, path, &meta, &fault);
        if (err != 0)
            receive_item(rx, path, &fault);
    }
    return true;
}

/* Disks of the simulated world: real folders, for what is put.
 *
 * A node that was given one remembers bases in it; jobs about files below it are the shipped ones, done in one go at their
 * time of the virtual clock, and what transfers bring is really placed. The rest of the world stays a model. Tokens of files
 * come from the machine's clock, so that traces of such worlds differ from run to run. */
#include "tree.h"
#include "work.h"
#include "world_internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *world_disk(struct world *w, size_t number)
{
    struct sim_node *node = w->nodes[number];
    if (node->disk[0])
        return node->disk;
    const char *base = getenv("TMPDIR");
    snprintf(node->disk, sizeof node->disk, "%s/weft-world-XXXXXX", base ? base : "/tmp");
    char *made = mkdtemp(node->disk);
    assert(made);
    snprintf(node->bases, sizeof node->bases, "%s/.bases", node->disk);
    snprintf(node->spool, sizeof node->spool, "%s/.spool", node->disk);
    int err = mkdir(node->bases, 0700) || mkdir(node->spool, 0700);
    assert(!err);
    return node->disk;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void disk_free(struct sim_node *node)
{
    if (node->disk[0])
        nftw(node->disk, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(node->rows);
}

static bool is_below(const struct sim_node *node, const char *path)
{
    size_t n = strlen(node->disk);
    return n > 0 && strncmp(path, node->disk, n) == 0;
}

/* ---- what is remembered: the database as a list */

static struct base_row *row_of(struct sim_node *node, const struct base_key *key)
{
    for (size_t i = 0; i < node->row_count; i++) {
        const struct base_key *k = &node->rows[i].key;
        if (id_equal(&k->peer, &key->peer) && strcmp(k->at.share, key->at.share) == 0 && strcmp(k->at.path, key->at.path) == 0)
            return &node->rows[i];
    }
    return NULL;
}

static unsigned shared(const struct base_row *a, const struct base_row *b)
{
    unsigned n = 0;
    for (size_t i = 0; i < a->sketch_count; i++)
        for (size_t k = 0; k < b->sketch_count; k++)
            n += a->sketch[i] == b->sketch[k];
    return n;
}

static struct base_row *like(struct sim_node *node, const struct base_row *row)
{
    struct base_row *best = NULL;
    for (size_t i = 0; i < node->row_count; i++) {
        struct base_row *r = &node->rows[i];
        if (id_equal(&r->key.peer, &row->key.peer) && shared(r, row) >= (best ? shared(best, row) + 1 : 2))
            best = r;
    }
    return best;
}

static void drop(struct sim_node *node, struct base_row *row)
{
    if (!row)
        return;
    base_files_drop(node->bases, row->number);
    *row = node->rows[--node->row_count];
}

static void keep(struct sim_node *node, const struct base_row *row)
{
    drop(node, row_of(node, &row->key));
    node->rows = realloc(node->rows, (node->row_count + 1) * sizeof *node->rows);
    assert(node->rows);
    node->rows[node->row_count++] = *row;
}

void disk_base(struct sim_node *node, struct base_job *j)
{
    struct base_row *found = NULL;
    j->seed = 77;
    switch (j->job.kind) {
    case JOB_BASE_FIND: found = row_of(node, &j->row.key); break;
    case JOB_BASE_SIMILAR: found = like(node, &j->row); break;
    case JOB_BASE_PUT: keep(node, &j->row); return;
    case JOB_BASE_FORGET: drop(node, row_of(node, &j->row.key)); return;
    case JOB_BASE_CLEAR:
        while (node->row_count > 0)
            drop(node, node->rows);
        return;
    default: j->sums.count = node->row_count; return;
    }
    if (found)
        j->row = *found;
    else
        fault_set(&j->job.fault, ERR_NOT_FOUND, "nothing is remembered of it");
}

bool disk_does(const struct sim_node *node, const struct job *job)
{
    if (job->kind == JOB_LIST)
        return is_below(node, ((const struct list_job *)job)->root);
    if (job->kind == JOB_INSPECT)
        return is_below(node, ((const struct inspect_job *)job)->path);
    return job->kind > JOB_INSPECT;
}

/* ---- transfers */

static int sum_one(const char *path, const struct stat *st, int type, struct FTW *at);
static _Thread_local uint64_t sum; /* nftw passes no argument on */

static int sum_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)at;
    sum += type == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}

static void path_of(const struct send *s, char path[2 * PATH_BYTES_MAX])
{
    snprintf(path, 2 * PATH_BYTES_MAX, "%s%s%s", s->root, s->path[0] ? "/" : "", s->path);
}

bool disk_sends(const struct sim_node *node, const struct send *s)
{
    return is_below(node, s->root);
}

uint64_t disk_bytes(const struct send *s)
{
    char path[2 * PATH_BYTES_MAX];
    path_of(s, path);
    if (s->view)
        return s->view->literals;
    sum = 0;
    nftw(path, sum_one, 16, FTW_PHYS);
    return sum;
}

static void copy_range(int in, int out, uint64_t from, uint64_t n)
{
    char buf[65536];
    while (n > 0) {
        ssize_t got = pread(in, buf, n < sizeof buf ? n : sizeof buf, (off_t)from);
        assert(got > 0 && write(out, buf, (size_t)got) == got);
        from += (uint64_t)got;
        n -= (uint64_t)got;
    }
}

struct placing_at {
    struct receive *r;
    const struct send *s;
    char path[2 * PATH_BYTES_MAX]; /* of what is placed, below the destination */
};

static void placed(struct placing_at *p, int dir, const char *name)
{
    struct stat st;
    int err = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
    assert(!err);
    p->r->token = tree_token(&st);
    p->r->progress.files_done++;
    struct file_state state = {.token = 0,
                               .size = (uint64_t)st.st_size,
                               .mtime_s = st.st_mtim.tv_sec,
                               .mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
                               .mode = st.st_mode & 07777};
    if (p->r->placed && state.size >= BASE_MIN_BYTES)
        p->r->placed(p->r, p->path, &state);
}

static void place_file(struct placing_at *p, int in, int dir, const char *name)
{
    struct stat st, old;
    int err = fstat(in, &st);
    assert(!err);
    p->r->progress.files_total++;
    bool there = fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !p->s->view && old.st_size == st.st_size && old.st_mtim.tv_sec == st.st_mtim.tv_sec &&
        old.st_mtim.tv_nsec == st.st_mtim.tv_nsec) {
        p->r->progress.present++;
        placed(p, dir, name);
        return;
    }
    if (there && p->r->policy == IF_EXISTS_SKIP)
        p->r->progress.skipped++;
    if (p->r->dry_run || (there && p->r->policy == IF_EXISTS_SKIP))
        return;
    int out = openat(dir, ".world-new", O_WRONLY | O_CREAT | O_TRUNC, st.st_mode & 0777);
    assert(out >= 0);
    for (uint32_t i = 0; p->s->view && i < p->s->view->count; i++)
        if (p->s->view->region[i].kind == REGION_LITERAL)
            copy_range(in, out, p->s->view->region[i].destination, p->s->view->region[i].length);
    if (!p->s->view)
        copy_range(in, out, 0, (uint64_t)st.st_size);
    err = futimens(out, (struct timespec[2]){st.st_atim, st.st_mtim}) || renameat(dir, ".world-new", dir, name);
    assert(!err);
    close(out);
    placed(p, dir, name);
}

static void place_any(struct placing_at *p, int from, const char *name, int to, const char *top);

static void place_folder(struct placing_at *p, int fd, int to, const char *top)
{
    mkdirat(to, top, 0755);
    int inner = openat(to, top, O_RDONLY | O_DIRECTORY);
    DIR *list = fdopendir(fd);
    size_t n = strlen(p->path);
    assert(list && (inner >= 0 || p->r->dry_run));
    for (struct dirent *e = readdir(list); e; e = readdir(list)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(p->path + n, sizeof p->path - n, "/%s", e->d_name);
        place_any(p, dirfd(list), e->d_name, inner, e->d_name);
        p->path[n] = '\0';
    }
    closedir(list);
    close(inner);
}

static void place_any(struct placing_at *p, int from, const char *name, int to, const char *top)
{
    struct stat st;
    int fd = openat(from, name, O_RDONLY | O_NOFOLLOW);
    assert(fd >= 0 && fstat(fd, &st) == 0);
    if (S_ISDIR(st.st_mode)) {
        place_folder(p, fd, to, top);
        return;
    }
    place_file(p, fd, to, top);
    close(fd);
}

void disk_place(struct receive *r, const struct send *s)
{
    struct placing_at p = {.r = r, .s = s};
    char from[2 * PATH_BYTES_MAX];
    int to = r->at_fd ? dup(r->dest_fd) : open(r->dest, O_RDONLY | O_DIRECTORY);
    path_of(s, from);
    r->progress.files_total = r->progress.files_done = 0;
    if (to < 0) {
        fault_set(&r->fault, ERR_IO, "cannot open the destination: %s", strerror(errno));
        return;
    }
    snprintf(p.path, sizeof p.path, "%s", r->top);
    if (access(from, R_OK) == 0)
        place_any(&p, AT_FDCWD, from, to, r->top);
    else
        fault_set(&r->fault, ERR_NOT_FOUND, "it is gone");
    close(to);
}

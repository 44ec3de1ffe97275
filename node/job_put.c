/* Jobs about files that are put: what is there, and what of it is new. See job.h.
 *
 * The person may change a file at any time. What a comparison found counts only if the file was in one state all the while; one
 * that never is, is cloned, and the clone compared. The file itself is read first, since of that, not of the clone, the system
 * still has the pages. */
#include "work.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3
#define COPY_LEAST 16 /* bytes: to say that shorter ones are to be copied costs as much as to send them */

/* ---- SURVEY */

static int add_file(struct survey_job *j, const struct tree_item *item)
{
    const struct entry *e = &item->entry;
    j->files++;
    j->bytes += e->size;
    if (e->size < j->least || j->count == SURVEY_FILES_MAX)
        return 0;
    if (!j->file && !(j->file = calloc(SURVEY_FILES_MAX, sizeof *j->file)))
        return ERR_NOMEM;
    struct surveyed *s = &j->file[j->count];
    *s = (struct surveyed){.path = strdup(item->path)};
    s->state = (struct file_state){
        .token = item->token, .size = e->size, .mtime_s = e->mtime_s, .mtime_ns = e->mtime_ns, .mode = e->mode};
    j->count += s->path != NULL;
    return s->path ? 0 : ERR_NOMEM;
}

/* What cannot be read is told when the folder is sent. */
static int survey_item(void *arg, const struct tree_item *item)
{
    struct survey_job *j = arg;
    if (atomic_load_explicit(&j->stop, memory_order_relaxed))
        return ERR_CANCELLED;
    return item->err == 0 && item->entry.kind == ENTRY_FILE ? add_file(j, item) : 0;
}

static int survey_folder(struct survey_job *j)
{
    struct root root;
    int err = root_open(j->real, &root, &j->job.fault);
    if (err)
        return err;
    err = tree_walk(&root, "", survey_item, j, &j->job.fault);
    root_close(&root);
    return err;
}

static int survey(struct survey_job *j)
{
    struct fault *fault = &j->job.fault;
    struct stat st;
    char *real = realpath(j->path, NULL);
    bool fits = real && strlen(real) <= PATH_BYTES_MAX;
    if (!real)
        return fault_errno(fault, errno, "cannot put '%s'", path_text(j->path).s);
    if (fits)
        strcpy(j->real, real);
    free(real);
    if (!fits)
        return fault_set(fault, ERR_LIMIT, "the path of '%s' is too long", path_text(j->path).s);
    if (lstat(j->real, &st) != 0)
        return fault_errno(fault, errno, "cannot put '%s'", path_text(j->path).s);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return fault_set(fault, ERR_REFUSED,
                         "'%s' is neither a file nor a folder: of devices, sockets and FIFOs there is nothing to put",
                         path_text(j->path).s);
    j->kind = S_ISREG(st.st_mode) ? FILE_FILE : FILE_DIR;
    if (j->kind == FILE_DIR)
        return survey_folder(j);
    j->state = site_state_of(&st);
    j->files = 1;
    j->bytes = j->state.size;
    return 0;
}

/* ---- DIFF: what it is compared with */

struct old {
    struct anchors *index; /* NULL: there is none */
    struct source bytes;   /* fd -1: only the index is there */
    struct diff_file file;
};

static int read_at(void *arg, uint64_t offset, void *buf, size_t n)
{
    return source_read(arg, offset, buf, n);
}

static int next_data(void *arg, uint64_t offset, uint64_t *data, uint64_t *end)
{
    return source_next_data(arg, offset, data, end);
}

static struct diff_file file_of(struct source *src)
{
    return (struct diff_file){.read = read_at, .next_data = next_data, .arg = src, .size = source_size(src)};
}

static void old_close(struct old *old)
{
    anchors_free(old->index);
    io_close(old->bytes.fd);
}

/* The peer's index, which may be anything: what is of another seed or size is none. */
static int open_theirs(struct diff_job *j, struct old *old)
{
    int fd = open(j->index_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int err = fd < 0 ? ERR_DAMAGED : anchors_read(fd, &old->index, &j->job.fault);
    io_close(fd);
    unlink(j->index_path);
    if (!err && (anchors_seed(old->index) != j->seed || anchors_size(old->index) != j->base.state.size))
        err = ERR_DAMAGED;
    return err;
}

static int open_base(struct diff_job *j, struct old *old)
{
    int err = base_files_open(j->dir, &j->base, &old->index, &old->bytes.fd, &j->job.fault);
    if (!err && anchors_seed(old->index) != j->seed)
        err = ERR_DAMAGED;
    if (err || old->bytes.fd < 0)
        return err;
    if (fstat(old->bytes.fd, &old->bytes.st) != 0)
        return ERR_DAMAGED;
    old->file = file_of(&old->bytes);
    return 0;
}

static int old_open(struct diff_job *j, struct old *old)
{
    *old = (struct old){.bytes.fd = -1};
    int err = j->has_base ? open_base(j, old) : j->index_path[0] ? open_theirs(j, old) : 0;
    if (err && err != ERR_NOMEM)
        err = fault_set(&j->job.fault, ERR_DAMAGED, "what the file is to be compared with is of no use");
    return err;
}

/* ---- the file */

static int open_file(struct diff_job *j, const char *path, struct source *src)
{
    struct fault *fault = &j->job.fault;
    *src = (struct source){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (src->fd < 0)
        return fault_errno(fault, errno, "cannot open '%s'", path_text(path).s);
    int err = fstat(src->fd, &src->st) == 0 ? 0 : fault_errno(fault, errno, "cannot look at '%s'", path_text(path).s);
    if (!err && !S_ISREG(src->st.st_mode))
        err = fault_set(fault, ERR_REFUSED, "'%s' is no regular file any more", path_text(path).s);
    if (err)
        source_close(src);
    return err;
}

/* As NUMBER.bytes, for the next time. Where that cannot be the index has to do. */
static void clone(struct diff_job *j, const struct source *src)
{
    struct fault ignored;
    int fd = -1;
    j->bytes =
        j->number > 0 && source_size(src) <= j->bytes_max && base_files_clone(j->dir, j->number, src->fd, &fd, &ignored) == 0;
    io_close(fd);
}

static int compare(struct diff_job *j, struct source *src, struct old *old)
{
    struct diff_file fresh = file_of(src);
    j->diff = (struct diff){.fresh = &fresh,
                            .old = old->bytes.fd >= 0 ? &old->file : NULL,
                            .index = old->index,
                            .seed = j->seed,
                            .done = &j->done,
                            .stop = &j->stop};
    int err = diff_run(&j->diff);
    j->diff.fresh = j->diff.old = NULL;
    j->diff.index = NULL;
    return err;
}

static void forget(struct diff_job *j)
{
    diff_free(&j->diff);
    j->diff = (struct diff){0};
}

/* Once through, of the file or of its clone: found only if that is as it was. */
static int attempt(struct diff_job *j, const char *path, struct old *old)
{
    struct source src;
    int err = open_file(j, path, &src);
    if (err)
        return err;
    j->state = site_state_of(&src.st);
    if (path == j->path)
        clone(j, &src);
    err = source_settle(&src, &j->job.fault);
    err = err ? err : compare(j, &src, old);
    if (err)
        fault_set(&j->job.fault, err, "cannot compare '%s': %s", path_text(j->path).s, err_text(err));
    else if ((err = source_changed(&src, &j->job.fault)) != 0)
        forget(j);
    source_close(&src);
    return err;
}

/* The clone of a file that changes all the time. Its mode is its own; whose it is of has the right one. */
static int attempt_clone(struct diff_job *j, struct old *old)
{
    uint32_t mode = j->state.mode;
    base_files_path(j->dir, j->number, "bytes", j->read_from);
    int err = attempt(j, j->read_from, old);
    j->state.mode = mode;
    return err;
}

static int try_all(struct diff_job *j, struct old *old)
{
    const struct timespec settle = {.tv_nsec = SOURCE_SETTLE};
    int err = ERR_CHANGED;
    strcpy(j->read_from, j->path);
    for (unsigned i = 0; err == ERR_CHANGED && i < TRIES; i++) {
        if (i > 0)
            nanosleep(&settle, NULL);
        err = attempt(j, j->path, old);
    }
    return err == ERR_CHANGED && j->bytes && j->state.size > BASE_COPY_BYTES ? attempt_clone(j, old) : err;
}

/* ---- what came of it */

/* Where that cannot be, as on a full disk, nothing is kept this time. A clone that is read instead of the file stays; it is
 * dropped when it is found to have no index. */
static void keep_index(struct diff_job *j)
{
    struct fault ignored;
    if (base_files_index(j->dir, j->number, j->diff.fresh_index, &j->cost, &ignored) == 0) {
        j->cost += j->bytes ? j->state.size : 0;
    } else if (strcmp(j->read_from, j->path) == 0) {
        base_files_drop(j->dir, j->number);
        j->number = 0;
    }
}

static int keep(struct diff_job *j)
{
    int err = regions_simplify(&j->diff.regions, j->regions_max, COPY_LEAST);
    j->sketch_count = anchors_sketch(j->diff.fresh_index, j->sketch);
    if (!err && j->number > 0)
        keep_index(j);
    anchors_free(j->diff.fresh_index);
    j->diff.fresh_index = NULL;
    return err;
}

static int diff(struct diff_job *j)
{
    struct old old;
    int err = old_open(j, &old);
    if (!err)
        err = try_all(j, &old);
    old_close(&old);
    if (!err && (err = keep(j)) != 0)
        forget(j);
    if (err && j->number > 0)
        base_files_drop(j->dir, j->number);
    return err;
}

void job_put(struct job *job)
{
    int err = job->kind == JOB_SURVEY ? survey((struct survey_job *)job) : diff((struct diff_job *)job);
    if (!err)
        job->fault = (struct fault){0};
    job->fault.code = (enum err)err;
}

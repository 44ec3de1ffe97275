/* The job that remembers a file: clones it, and makes its index. See job.h.
 *
 * The person may change the file at any time. What is made counts only if the file was in the state in question both before and
 * after it was read; or else it is made of the clone, which nobody changes. The file itself is read first, since of that, not
 * of the clone, the system still has the pages. */
#include "work.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int changed(struct remember_job *j)
{
    return fault_set(&j->job.fault, ERR_CHANGED, "'%s' is not as it was placed any more", path_text(j->path).s);
}

static bool is_as_placed(const struct remember_job *j, int fd)
{
    const struct file_state *state = &j->row.state;
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == state->size &&
           st.st_mtim.tv_sec == state->mtime_s && st.st_mtim.tv_nsec == state->mtime_ns;
}

/* ---- the index */

static int keep(struct remember_job *j, const struct anchors *index)
{
    int err = base_files_index(j->dir, j->row.number, index, &j->row.cost, &j->job.fault);
    j->row.sketch_count = anchors_sketch(index, j->row.sketch);
    j->row.cost += j->row.bytes ? j->row.state.size : 0;
    return err;
}

/* The index of an open file, which must be in its state at the end, too. */
static int make_index(struct remember_job *j, int fd)
{
    struct anchors *index = NULL;
    struct source src = {.fd = fd};
    const struct reading reading = {.source = &src, .stop = &j->stop};
    int err = fstat(fd, &src.st) == 0 ? job_index(&reading, j->seed, &index) : err_from_errno(errno);
    if (!err && !is_as_placed(j, fd))
        err = ERR_CHANGED;
    if (!err)
        err = keep(j, index);
    else
        fault_set(&j->job.fault, err, "'%s' is not remembered: %s", path_text(j->path).s, err_text(err));
    anchors_free(index);
    return err;
}

static int index_clone(struct remember_job *j)
{
    char path[PATH_BYTES_MAX + 1];
    base_files_path(j->dir, j->row.number, "bytes", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fault_errno(&j->job.fault, errno, "cannot open what is remembered");
    int err = make_index(j, fd);
    close(fd);
    return err;
}

/* ---- the clone */

/* Where there can be none, the index has to do. */
static int make_clone(struct remember_job *j, int fd)
{
    int bytes = -1, err = ERR_UNSUPPORTED;
    if (j->row.state.size <= j->bytes_max)
        err = base_files_clone(j->dir, j->row.number, fd, &bytes, &j->job.fault);
    j->row.bytes = err == 0;
    io_close(bytes);
    if (err == ERR_UNSUPPORTED)
        err = 0;
    return !err && !is_as_placed(j, fd) ? changed(j) : err;
}

static int work(struct remember_job *j, int fd)
{
    int err = 0;
    bool same = fd >= 0 && is_as_placed(j, fd);
    if (!j->cloned)
        err = same ? make_clone(j, fd) : changed(j);
    if (err || j->clone_only)
        return err;
    err = same ? make_index(j, fd) : changed(j);
    return err == ERR_CHANGED && j->row.bytes ? index_clone(j) : err;
}

void job_remember(struct job *job)
{
    struct remember_job *j = (struct remember_job *)job;
    int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int err = work(j, fd);
    io_close(fd);
    if (err)
        base_files_drop(j->dir, j->row.number);
    else
        job->fault = (struct fault){0};
    job->fault.code = (enum err)err;
}

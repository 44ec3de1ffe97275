/* Jobs about files of this node that peers have open: where their gathers and indexes are made. See job.h.
 *
 * What a peer may do was decided by the core; here it is done, by a worker, on descriptors. */
#include "work.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(struct open_job *job)
{
    struct root root;
    struct fault *fault = &job->job.fault;
    job->source.fd = job->site.dir_fd = -1;
    if (!job->write && !job->path[0])
        return fault_set(fault, ERR_REFUSED, "a folder cannot be read as a file");
    int err = root_open_shared(job->root, &root, fault);
    if (err)
        return err;
    err = job->write ? site_open(&root, job->path, &job->site, fault) : source_open(&root, job->path, &job->source, fault);
    root_close(&root);
    if (err)
        job->source.fd = job->site.dir_fd = -1;
    return err;
}

/* ---- indexes */

static int make_index(struct index_job *job, struct anchors **a)
{
    struct fault *fault = &job->job.fault;
    int err = source_settle(job->source, fault);
    if (err)
        return err;
    const struct reading reading = {job->source, &job->done, &job->stop};
    err = job_index(&reading, job->seed, a);
    if (err)
        return fault_set(fault, err, "cannot make the index of the file: %s", err_text(err));
    return source_changed(job->source, fault);
}

/* Begins it anew: whatever has that name is of an asker who has gone. */
static int create(const struct index_job *job, int *dir, struct fault *fault)
{
    *dir = open(job->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir >= 0)
        unlinkat(*dir, job->name, 0);
    int fd = *dir < 0 ? -1 : openat(*dir, job->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        fault_errno(fault, errno, "no index can be kept here"); /* a peer is told, who hears of no path of ours */
    return fd;
}

static int write_index(struct index_job *job, const struct anchors *a)
{
    struct fault *fault = &job->job.fault;
    struct stat st;
    int dir, err, fd = create(job, &dir, fault);
    if (fd < 0) {
        io_close(dir);
        return (int)fault->code;
    }
    err = anchors_write(a, fd, fault);
    if (err == 0 && fstat(fd, &st))
        err = fault_errno(fault, errno, "cannot look at the index");
    if (err)
        unlinkat(dir, job->name, 0);
    else
        job->bytes = (uint64_t)st.st_size;
    io_close(fd);
    io_close(dir);
    return err;
}

static int index_file(struct index_job *job)
{
    struct anchors *a = NULL;
    int err = make_index(job, &a);
    if (err == 0)
        err = write_index(job, a);
    anchors_free(a);
    return err;
}

/* ---- gathers */

static int open_gather(struct gather_job *job)
{
    return job->gather ? 0 : gather_open(job->site, job->key, &job->gather, &job->job.fault);
}

static int gather_part(struct gather_job *job)
{
    struct fault *fault = &job->job.fault;
    int err = open_gather(job);
    if (err || job->open_only)
        return err;
    if (job->literals != UINT64_MAX)
        err = gather_literals(job->gather, job->literals, fault);
    return err ? err : gather_run(job->gather, job->source, &job->regions, job->watch, fault);
}

/* A file of no bytes is committed without anything gathered. */
static int commit(struct gather_job *job)
{
    int err = open_gather(job);
    return err ? err : gather_commit(job->gather, job->size, &job->hash, &job->meta, &job->state, &job->job.fault);
}

static void close_all(struct gather_job *job)
{
    gather_close(job->gather, job->keep);
    job->gather = NULL;
    if (job->owned_site)
        site_close(job->owned_site);
    if (job->owned_source)
        source_close(job->owned_source);
}

void job_gather(struct job *job)
{
    int err = 0;
    switch (job->kind) {
    case JOB_OPEN: err = open_file((struct open_job *)job); break;
    case JOB_INDEX: err = index_file((struct index_job *)job); break;
    case JOB_GATHER: err = gather_part((struct gather_job *)job); break;
    case JOB_COMMIT: err = commit((struct gather_job *)job); break;
    default: close_all((struct gather_job *)job); break;
    }
    job->fault.code = (enum err)err;
}

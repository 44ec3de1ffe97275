/* What each kind of job does. Runs on the store actor (the database) or on a worker (folders); see job.h. */
#include "work.h"

#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool job_is_store(const struct job *job)
{
    return job->kind != JOB_LIST && job->kind != JOB_INSPECT;
}

void job_store(struct db *db, struct job *job)
{
    struct fault *fault = &job->fault;
    int err = 0;
    switch (job->kind) {
    case JOB_PUT_PEER: err = state_db_put_peer(db, &((struct peer_job *)job)->row, fault); break;
    case JOB_DROP_PEER: err = state_db_drop_peer(db, &((struct peer_job *)job)->row.id, fault); break;
    case JOB_PUT_SHARE: err = state_db_put_share(db, &((struct share_job *)job)->row, fault); break;
    case JOB_DROP_SHARE: err = state_db_drop_share(db, ((struct share_job *)job)->row.name, fault); break;
    default: err = fault_set(fault, ERR_UNSUPPORTED, "no such job"); break;
    }
    fault->code = (enum err)err;
}

static int list(struct list_job *job)
{
    struct root root;
    int err = root_open(job->root, &root, &job->job.fault);
    if (err)
        return err;
    err = tree_page(&root, job->path, job->cursor, &job->page, &job->job.fault);
    root_close(&root);
    return err;
}

static int describe(struct inspect_job *job, const char *real)
{
    struct stat st;
    if (lstat(real, &st) != 0)
        return fault_errno(&job->job.fault, errno, "cannot look at '%s'", path_text(job->path).s);
    if (strlen(real) >= sizeof job->real)
        return fault_set(&job->job.fault, ERR_LIMIT, "the path of '%s' is too long", path_text(job->path).s);
    job->kind = tree_kind(&st);
    job->size = job->kind == ENTRY_FILE ? (uint64_t)st.st_size : 0;
    strcpy(job->real, real);
    return 0;
}

static int inspect(struct inspect_job *job)
{
    job->kind = ENTRY_OTHER;
    job->size = 0;
    char *real = realpath(job->path, NULL);
    if (real) {
        int err = describe(job, real);
        free(real);
        return err;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return fault_errno(&job->job.fault, errno, "cannot look at '%s'", path_text(job->path).s);
}

void job_work(struct job *job)
{
    int err = job->kind == JOB_LIST ? list((struct list_job *)job) : inspect((struct inspect_job *)job);
    job->fault.code = (enum err)err;
}

/* What each kind of job does. Runs on the store actor (the database) or on a worker (folders); see job.h. */
#include "work.h"

#include "io.h"
#include "locator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool job_is_store(const struct job *job)
{
    return job->kind < JOB_FIRST_OF_WORKER;
}

bool job_is_long(const struct job *job)
{
    switch (job->kind) {
    case JOB_REMEMBER:
    case JOB_SURVEY:
    case JOB_DIFF:
    case JOB_INDEX:
    case JOB_GATHER:
    case JOB_COMMIT: return true;
    default: return false;
    }
}

bool job_is_quiet(const struct job *job)
{
    return job->kind == JOB_REMEMBER && ((const struct remember_job *)job)->quiet;
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
    default: job_base(db, job); return;
    }
    fault->code = (enum err)err;
}

static int list(struct list_job *job)
{
    struct root root;
    int err = root_open_shared(job->root, &root, &job->job.fault);
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
    job->fifo = S_ISFIFO(st.st_mode);
    job->size = job->kind == ENTRY_FILE ? (uint64_t)st.st_size : 0;
    strcpy(job->real, real);
    return 0;
}

static bool program_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && eaccess(path, X_OK) == 0;
}

/* Of a command's first word: the program that a shell of this node's would run. */
static bool find_program(const char *word, char path[PATH_BYTES_MAX + 1])
{
    const char *folder = getenv("PATH");
    if (word[0] == '/')
        return snprintf(path, PATH_BYTES_MAX + 1, "%s", word) <= PATH_BYTES_MAX && program_there(path);
    for (const char *end; folder && !strchr(word, '/'); folder = *end ? end + 1 : NULL) {
        end = folder + strcspn(folder, ":");
        int n = snprintf(path, PATH_BYTES_MAX + 1, "%.*s/%s", (int)(end - folder), folder, word);
        if (folder[0] == '/' && n <= PATH_BYTES_MAX && program_there(path))
            return true;
    }
    return false;
}

/* The program is found once and for all, so that it does not depend on when and where the command is run. */
static int inspect_command(struct inspect_job *job)
{
    struct fault *fault = &job->job.fault;
    struct locator locator;
    char program[PATH_BYTES_MAX + 1];
    int err = locator_parse(job->path, &locator, fault);
    if (err)
        return err;
    if (!find_program(locator.words, program))
        return fault_set(fault, ERR_NOT_FOUND,
                         "there is no program '%s'; give its path, or one that is found in this node's PATH",
                         path_text(locator.words).s);
    err = locator_command(&locator, program, job->real);
    return err ? fault_set(fault, err, "the command is longer than %d bytes", PATH_BYTES_MAX) : 0;
}

static int inspect(struct inspect_job *job)
{
    job->kind = ENTRY_OTHER;
    job->fifo = false;
    job->size = 0;
    if (locator_is(job->path))
        return inspect_command(job);
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

/* Of a folder all that is in it, too. */
static void discard(const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return;
    base_files_sweep(path, NULL, NULL);
    rmdir(path);
}

void job_work(struct job *job)
{
    switch (job->kind) {
    case JOB_LIST: job->fault.code = (enum err)list((struct list_job *)job); break;
    case JOB_INSPECT: job->fault.code = (enum err)inspect((struct inspect_job *)job); break;
    case JOB_REMEMBER: job_remember(job); break;
    case JOB_SURVEY:
    case JOB_DIFF: job_put(job); break;
    case JOB_DISCARD: discard(((struct discard_job *)job)->path); break;
    default: job_gather(job); break;
    }
}

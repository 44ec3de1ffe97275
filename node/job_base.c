/* Jobs about what is remembered of files of peers: the rows, and the folder that has to be in line with them. See job.h and
 * store/bases.h. All on the store actor, so one after the other. */
#include "work.h"

#define SIMILAR_TRIES 8 /* rows without files that are found, and dropped, before one with files */

static void drop_files(void *arg, uint64_t number)
{
    base_files_drop(arg, number);
}

static void drop_row(struct db *db, const struct base_job *j, const struct base_key *key)
{
    bases_forget(db, key, drop_files, (void *)j->dir, NULL);
}

static int none(struct fault *fault)
{
    return fault_set(fault, ERR_NOT_FOUND, "nothing is remembered of it");
}

/* A base that breaks the rules, or whose files are gone, is none. */
static int find(struct db *db, struct base_job *j)
{
    struct fault *fault = &j->job.fault;
    struct base_key key = j->row.key;
    int err = bases_find(db, &key, &j->row, fault);
    bool lost = err == 0 && !base_files_there(j->dir, &j->row);
    if (!lost && err != ERR_DAMAGED)
        return err;
    drop_row(db, j, &key);
    return none(fault);
}

static int similar(struct db *db, struct base_job *j)
{
    struct fault *fault = &j->job.fault;
    const struct base_row asked = j->row;
    for (int tries = 0; tries < SIMILAR_TRIES; tries++) {
        int err = bases_similar(db, &asked.key, asked.sketch, asked.sketch_count, &j->row, fault);
        if (err || base_files_there(j->dir, &j->row))
            return err;
        drop_row(db, j, &j->row.key);
    }
    return none(fault);
}

static int put(struct db *db, struct base_job *j)
{
    int err = bases_put(db, &j->row, j->limit, drop_files, (void *)j->dir, &j->job.fault);
    if (err)
        base_files_drop(j->dir, j->row.number);
    return err;
}

static int forget(struct db *db, struct base_job *j)
{
    if (j->row.number == 0)
        return bases_forget(db, &j->row.key, drop_files, (void *)j->dir, &j->job.fault);
    base_files_drop(j->dir, j->row.number);
    return 0;
}

/* Files first: on a full disk the database needs their room to write that they are no more. */
static int clear(struct db *db, struct base_job *j)
{
    int err = bases_sums(db, &j->sums, &j->job.fault);
    err = err == ERR_DAMAGED ? 0 : err; /* all the more */
    if (!err)
        base_files_sweep(j->dir, NULL, NULL);
    return err ? err : bases_clear(db, &j->job.fault);
}

static bool is_known(void *arg, uint64_t number)
{
    return bases_known(arg, number);
}

static int start(struct db *db, struct base_job *j)
{
    int err = bases_trim(db, j->limit, drop_files, (void *)j->dir, &j->job.fault);
    base_files_sweep(j->dir, is_known, db);
    return err;
}

static int work(struct db *db, struct base_job *j)
{
    switch (j->job.kind) {
    case JOB_BASE_FIND: return find(db, j);
    case JOB_BASE_SIMILAR: return similar(db, j);
    case JOB_BASE_PUT: return put(db, j);
    case JOB_BASE_FORGET: return forget(db, j);
    case JOB_BASE_CLEAR: return clear(db, j);
    case JOB_BASE_SUMS: return start(db, j);
    default: return ERR_UNSUPPORTED;
    }
}

void job_base(struct db *db, struct job *job)
{
    struct base_job *j = (struct base_job *)job;
    int err = work(db, j);
    bases_seed(db, &j->seed, NULL);
    if (job->kind != JOB_BASE_CLEAR)
        bases_sums(db, &j->sums, NULL);
    job->fault.code = (enum err)err;
}

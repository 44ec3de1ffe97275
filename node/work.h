/* Doing jobs (job.h): which thread does which, and how. Nothing here touches the core. */
#ifndef WEFT_NODE_WORK_H
#define WEFT_NODE_WORK_H

#include "job.h"

/* Is it for the thread that owns the database? */
bool job_is_store(const struct job *job);
/* Is it for the worker that yields to all other work? */
bool job_is_quiet(const struct job *job);
/* May it keep its thread for as long as a whole file, or folder, takes? So that nobody who only wants to look waits for it. */
bool job_is_long(const struct job *job);
/* Does it and sets job->fault. */
void job_store(struct db *db, struct job *job);
void job_work(struct job *job);

/* Their parts: on the store actor what is remembered (job_base.c), and on a worker what makes it (job_remember.c: REMEMBER;
 * job_put.c: SURVEY, DIFF) and what builds files for peers (job_gather.c: OPEN, INDEX, GATHER, COMMIT, CLOSE). */
void job_base(struct db *db, struct job *job);
void job_remember(struct job *job);
void job_put(struct job *job);
void job_gather(struct job *job);

/* What of an open file is read by these. */
struct reading {
    const struct source *source;
    _Atomic uint64_t *done; /* bytes that are through; may be NULL */
    const atomic_bool *stop;
};
/* Makes its index; *a may be there after a failure, too. ERR_CANCELLED, ERR_CHANGED, ERR_NOMEM, ERR_LIMIT, ... */
int job_index(const struct reading *reading, uint64_t seed, struct anchors **a);

#endif

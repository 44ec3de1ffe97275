/* Jobs about files of peers. See job.h. */
#include "work.h"

void job_base(struct db *db, struct job *job)
{
    (void)db;
    job->fault.code = ERR_UNSUPPORTED;
}

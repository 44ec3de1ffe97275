/* Jobs about files of peers. See job.h. */
#include "work.h"

void job_gather(struct job *job)
{
    job->fault.code = ERR_UNSUPPORTED;
}

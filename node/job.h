/* Jobs: work that the core hands to the store actor or a worker because it may block.
 *
 * The core allocates a job, fills its first half, and gives it to port->job. It comes back by job->done on the core's thread
 * with `fault` and the second half filled; the core then frees it. */
#ifndef WEFT_NODE_JOB_H
#define WEFT_NODE_JOB_H

#include "err.h"
#include "state_db.h"
#include "tree.h"

enum job_kind { JOB_PUT_PEER, JOB_DROP_PEER, JOB_PUT_SHARE, JOB_DROP_SHARE, JOB_LIST, JOB_INSPECT, JOB_KIND_COUNT };

struct job {
    enum job_kind kind;
    void (*done)(struct job *job);
    void *owner;
    uint64_t tag; /* the core's, for finding what waits for it */
    struct fault fault;
};

struct peer_job { /* PUT_PEER; DROP_PEER reads row.id */
    struct job job;
    struct peer_row row;
};

struct share_job { /* PUT_SHARE; DROP_SHARE reads row.name */
    struct job job;
    struct share_row row;
};

struct list_job { /* one page of a shared folder */
    struct job job;
    char root[PATH_BYTES_MAX + 1]; /* absolute */
    char path[PATH_BYTES_MAX + 1]; /* in it */
    uint64_t cursor;
    struct tree_page page;
};

struct inspect_job { /* what is this path, or command, of our own user? */
    struct job job;
    char path[PATH_BYTES_MAX + 1]; /* absolute; or a command as in locator.h */
    enum entry_kind kind;          /* FILE, DIR, or OTHER when nothing is there */
    bool fifo;                     /* OTHER: it is a FIFO */
    uint64_t size;
    char real[PATH_BYTES_MAX + 1]; /* resolved, absolute; the command with its program's path */
};

#endif

/* Jobs: work that the core hands to the store actor or a worker because it may block.
 *
 * The core allocates a job, fills its first half, and gives it to port->job. It comes back by job->done on the core's thread
 * with `fault` and the second half filled; the core then frees it. */
#ifndef WEFT_NODE_JOB_H
#define WEFT_NODE_JOB_H

#include "bases.h"
#include "diff.h"
#include "err.h"
#include "gather.h"
#include "state_db.h"
#include "tree.h"

enum job_kind {
    /* on the store actor */
    JOB_PUT_PEER,
    JOB_DROP_PEER,
    JOB_PUT_SHARE,
    JOB_DROP_SHARE,
    JOB_BASE_FIND,
    JOB_BASE_SIMILAR,
    JOB_BASE_PUT,
    JOB_BASE_FORGET,
    JOB_BASE_CLEAR,
    JOB_BASE_SUMS,
    /* on a worker */
    JOB_LIST,
    JOB_INSPECT,
    JOB_REMEMBER,
    JOB_SURVEY,
    JOB_DIFF,
    JOB_OPEN,
    JOB_INDEX,
    JOB_GATHER,
    JOB_COMMIT,
    JOB_CLOSE,
    JOB_DISCARD,
    JOB_KIND_COUNT
};
#define JOB_FIRST_OF_WORKER JOB_LIST

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

/* ---- what is remembered of files of peers (job_base.c) */

/* FIND, SIMILAR: row.key in (and its sketch), row out. PUT: row in. FORGET: the files row.number, or where that is 0 the base
 * row.key. CLEAR: all. SUMS, once at start: brings the folder in line with the rows, and both with the limit. */
struct base_job {
    struct job job;
    const char *dir; /* the home's `bases` */
    uint64_t limit;
    struct base_row row;
    uint64_t seed;          /* out */
    struct bases_sums sums; /* out: afterwards; CLEAR: before */
};

struct remember_job { /* clones and indexes a file, if it is still in the state that row says; else ERR_CHANGED */
    struct job job;
    const char *dir;
    char path[PATH_BYTES_MAX + 1];
    uint64_t seed;
    uint64_t bytes_max;  /* larger files are not cloned */
    bool quiet;          /* nobody waits: it is done by a thread that yields to all others (job_is_quiet) */
    bool cloned;         /* in: that was done before, row.bytes says whether it could be. Only the rest is done now */
    bool clone_only;     /* the rest is not done now */
    struct base_row row; /* key, number, state in; bytes, cost, sketch out. After a failure no file of that number is left */
    atomic_bool stop;
};

/* ---- a file that is put (job_put.c) */

#define SURVEY_FILES_MAX 4096 /* that are looked at one by one; the rest of a folder goes with it as a whole */

struct survey_job { /* what is at this path of our own user, and which files in it are worth an update? */
    struct job job;
    char path[PATH_BYTES_MAX + 1]; /* absolute */
    uint64_t least;                /* bytes of a file that is told */
    atomic_bool stop;
    char real[PATH_BYTES_MAX + 1]; /* out: resolved, for links that the person names are followed */
    enum file_kind kind;           /* out: FILE or DIR; anything else is a fault */
    struct file_state state;       /* of a file */
    uint64_t files, bytes;         /* in all */
    uint32_t count;                /* out, of `file`, in order: owned by whoever has the job; free path and file */
    struct surveyed {
        char *path; /* in the folder */
        struct file_state state;
        bool updated; /* the core's */
    } * file;
};

struct diff_job { /* compares a file of our own user with a base */
    struct job job;
    const char *dir;               /* the home's `bases` */
    char path[PATH_BYTES_MAX + 1]; /* absolute */
    bool has_base;
    struct base_row base;                /* when it has; base.state.size is that of the old file in any case */
    char index_path[PATH_BYTES_MAX + 1]; /* "" or a file with the peer's index, instead of a base; it is removed */
    uint64_t seed, number;               /* of the new index and its files; number 0: nothing of it is kept */
    uint64_t bytes_max;                  /* larger files are not cloned */
    bool sketch_only;                    /* no base: make the new index and its sketch, nothing else */
    uint32_t regions_max;
    _Atomic uint64_t done;
    atomic_bool stop;
    /* out. ERR_DAMAGED: the base, or the peer's index, is of no use. ERR_CHANGED: the file does not stay as it is for long
     * enough. After a failure no file of that number is left */
    struct file_state state;            /* of the file, as it was read; token (tree_token) of `read_from` */
    struct diff diff;                   /* diff_free */
    bool bytes;                         /* NUMBER.bytes was made */
    char read_from[PATH_BYTES_MAX + 1]; /* where literals are: the file; or its clone, since it changes all the time */
    uint64_t cost;
    size_t sketch_count;
    uint64_t sketch[SKETCH_HASHES];
};

/* ---- files of this node that peers have open (job_gather.c) */

struct open_job {
    struct job job;
    char root[PATH_BYTES_MAX + 1], path[PATH_BYTES_MAX + 1]; /* as struct list_job's */
    bool write;
    struct site site;     /* out, when write: site_close */
    struct source source; /* out, when not: source_close */
};

struct index_job { /* makes the index of an open file, as a file NAME in folder `dir` */
    struct job job;
    const struct source *source;
    uint64_t seed;
    char dir[PATH_BYTES_MAX + 1], name[ENTRY_NAME_MAX + 1];
    uint64_t bytes; /* out: of the index */
    _Atomic uint64_t done;
    atomic_bool stop;
};

struct discard_job { /* a file, or a folder, in one of the node's own folders is not needed any more */
    struct job job;
    char path[PATH_BYTES_MAX + ENTRY_NAME_MAX + 2];
};

struct
    gather_job { /* GATHER: opens the gather (and its literals) when it has not been, builds a part. COMMIT. CLOSE: see below */
    struct job job;
    const struct site *site;
    const char *key;
    struct gather *gather; /* in and out */
    const struct source *source;
    struct regions regions;
    uint64_t literals; /* bytes that have arrived; UINT64_MAX: none are expected */
    bool open_only;    /* GATHER: just make the folder, for literals to come to */
    struct gather_watch *watch;
    uint64_t size; /* COMMIT, in */
    struct hash128 hash;
    struct stage_meta meta;
    struct file_state state; /* COMMIT, out */
    bool keep;               /* CLOSE: as gather_close; closes place and source too, which the job owns then */
    struct site *owned_site;
    struct source *owned_source;
};

#endif

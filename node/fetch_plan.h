/* The plan of a receive: what is still to be fetched, and which stream fetches what.
 *
 * Streams take pieces: a run of small files that stand near each other in the manifest, or a slice of a large file. Pieces
 * are large as long as much is left and get smaller towards the end, so that all streams end together. Small files come
 * first: a large one never makes them wait. Knows nothing of the wire; all functions but plan_new and plan_free may be called
 * by any thread.
 *
 * A large file is opened by the stream that takes it first and finished by the one that returns its last piece, so it always
 * has exactly one owner when its state changes. */
#ifndef WEFT_NODE_FETCH_PLAN_H
#define WEFT_NODE_FETCH_PLAN_H

#include "bulk_frame.h"
#include "manifest.h"

#include <pthread.h>

#define PIECE_BYTES (4u << 20) /* of small files in one piece */
#define SLICE_BLOCKS_MIN 16    /* 4 MiB: below that a slice costs more than it balances */
#define CHANGED_TRIES 3        /* how often a large file that changes under our hands is begun again */

struct large {
    uint32_t entry;
    struct file_now now; /* as the sender saw it when it was begun (last) */
    struct stage_file *file;
    enum item_status status; /* not OK: no more of it is asked for */
    struct file_now found;   /* CHANGED: what is there instead */
    bool told;               /* what is wrong with it has been told already */
    unsigned tries;
    /* Writes to one file exclude each other in the kernel, which spins for them; waiting here leaves the core to others. */
    pthread_mutex_t writing;
    /* the plan's */
    uint64_t next; /* first block that was not given out */
    uint64_t blocks;
    unsigned out; /* pieces not returned */
    struct large *link;
};

enum piece_kind {
    PIECE_END,   /* all has been given out and returned */
    PIECE_LATER, /* nothing now; ask again */
    PIECE_FILES,
    PIECE_OPEN, /* begin this large file, then return the piece */
    PIECE_BLOCKS
};

struct piece {
    enum piece_kind kind;
    struct want_files files;   /* FILES */
    struct want_blocks blocks; /* BLOCKS */
    struct large *large;       /* OPEN, BLOCKS */
};

struct plan;

/* A plan over `list` (borrows; the plan reads it, so its owner must not meanwhile). ERR_NOMEM. */
int plan_new(struct manifest *list, unsigned streams, struct plan **plan);
void plan_free(struct plan *plan);
/* Entry i, a file, is to be fetched. Before the first plan_take. */
void plan_want(struct plan *plan, uint32_t i, uint64_t size);

/* The next piece. Waits up to wait_ns for one when there is none now but may be. ERR_IO when the list cannot be read. */
int plan_take(struct plan *plan, uint64_t wait_ns, struct piece *piece);
/* Ends all waits. */
void plan_stop(struct plan *plan);

/* A large file is begun: it has `file` and the metadata in `now`. */
void plan_begun(struct plan *plan, struct large *large, struct stage_file *file);
/* The sender says that something is wrong with it: the first status wins. */
void plan_spoil(struct plan *plan, struct large *large, enum item_status status, const struct file_now *found);
/* It cannot be placed here. True for the first who says so, who is to tell it. */
bool plan_unplaceable(struct plan *plan, struct large *large);
bool plan_spoilt(struct plan *plan, struct large *large);
/* A piece is back. True when it was the last of its file and no more are to come: the caller then owns the large, and the
 * staged file (*file; NULL: it could not be begun), and either begins it again (plan_again, plan_begun, and returns the piece
 * again) or ends it (plan_ended). */
bool plan_return(struct plan *plan, struct large *large, struct stage_file **file);
void plan_again(struct plan *plan, struct large *large);
void plan_ended(struct plan *plan, struct large *large);

#endif

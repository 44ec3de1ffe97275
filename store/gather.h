/* Gathering: a new file is put together from pieces of one that is here and from literals (claims GATHER-6 and GATHER-7).
 *
 * The new file grows in a hidden folder beside its destination, from its beginning to its end: copies by FICLONERANGE where
 * both offsets are on blocks, else by reading and writing, for every byte is read in any case: what is built is hashed on
 * the way, from the very bytes. Holes stay holes. At the end size and hash must be what the asker says; then it is made durable
 * and renamed. Readers see the old file or the new one. What stands there is replaced only when it is still what was seen when
 * the destination was opened.
 *
 * Everything is reached by descriptors; a peer's path was resolved once, beneath its share's root, when it was opened. A kill
 * at any point leaves the old file or the new one, and a folder that the next gather of this key finds and empties.
 *
 * One thread at a time. Works on regular files only. */
#ifndef WEFT_STORE_GATHER_H
#define WEFT_STORE_GATHER_H

#include "msg.h"
#include "regions.h"
#include "source.h"
#include "stage.h"

#include <stdatomic.h>

/* A place for a file, opened beneath a share's root. */
struct site {
    int dir_fd;                    /* its folder, O_RDONLY; -1: none */
    char leaf[ENTRY_NAME_MAX + 1]; /* "" when the place is a folder: dir_fd itself */
    enum file_kind kind;           /* what stood there */
    struct stat st;                /* of a file */
    struct stat dir;               /* of dir_fd: with the leaf, who the place is */
};
/* ERR_NOT_FOUND when its folder is not there; ERR_REFUSED for a link, FIFO, socket or device, and in staging folders;
 * ERR_DENIED when a file could not be placed there in the end (rights, a read-only disk, an immutable file); ERR_MALFORMED,
 * ERR_IO. After a failure nothing is open. */
int site_open(struct root *root, const char *path, struct site *site, struct fault *fault);
void site_close(struct site *site);
bool site_same(const struct site *a, const struct site *b);
/* Of the file in the place when it was opened; zeros when there was none. */
struct file_state site_state(const struct site *site);
/* Of any file, as this machine tells it to peers. */
struct file_state site_state_of(const struct stat *st);

struct gather;

/* Makes (or finds and empties) the hidden folder `key` (1..64 characters of base32, lower case) beside the place, keeping
 * literals that arrived for it. Borrows the site until gather_close. ERR_LOCKED while another gather of this key has it;
 * ERR_STATE when the place is a folder; ERR_DENIED, ERR_NOSPACE, ... */
int gather_open(const struct site *site, const char *key, struct gather **g, struct fault *fault);
/* Removes what is left of it, unless `keep`: then literals stay for the next attempt. NULL is fine. */
void gather_close(struct gather *g, bool keep);
/* The hidden folder, for literals to be received into as the file GATHER_LITERALS. Borrowed. */
#define GATHER_LITERALS "literals"
int gather_dir(const struct gather *g);
/* They are there: opens them. ERR_VERIFY when they are not that many. */
int gather_literals(struct gather *g, uint64_t bytes, struct fault *fault);

struct gather_watch {
    _Atomic uint64_t done; /* bytes built, since gather_open */
    atomic_bool stop;
};
/* Builds the next part; regions.start must be where the one before ended. `source` may be NULL when nothing is copied. Before
 * the first byte: every copy within the source as it was opened, every literal within the literals, ERR_MALFORMED; the source
 * unchanged, ERR_CHANGED; room on the disk, ERR_NOSPACE. After the last: the source still unchanged, ERR_CHANGED. After any
 * failure the gather is of no more use. */
int gather_run(struct gather *g, const struct source *source, const struct regions *regions, struct gather_watch *watch,
               struct fault *fault);
uint64_t gather_end(const struct gather *g); /* of what has been built */
/* Checks size and hash (ERR_VERIFY), sets mode and mtime, makes it durable, puts it in place: ERR_CHANGED when what stands
 * there is not what was opened. Gives the new file's state. */
int gather_commit(struct gather *g, uint64_t size, const struct hash128 *hash, const struct stage_meta *meta,
                  struct file_state *state, struct fault *fault);

#endif

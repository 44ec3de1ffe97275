/* Staging: how received files come to stand under their names, whole or not at all.
 *
 * A stage is a hidden folder (STAGE_PREFIX and a key) in the destination folder. Content is written there first. When a batch
 * is finished, its data is made durable with one syncfs, every file is renamed to its place, and every folder touched is
 * synced once. A name never shows a partial file, and what stood there before is replaced only when the plan allows
 * it and it is still what the plan saw.
 *
 * Resume: a file of at most BLOCK_BYTES is staged under a name that carries its content's hash; a larger one beside a map of
 * the XXH3-128 hashes of its blocks, written after each block. What is found at the next attempt is believed only after
 * its bytes have been hashed again. Hence a kill at any point costs at most the block in hand of each stream. */
#ifndef WEFT_STORE_STAGE_H
#define WEFT_STORE_STAGE_H

#include "err.h"
#include "hash128.h"
#include "limits.h"
#include "msg.h"
#include "root.h"

#include <stdbool.h>
#include <stdint.h>

/* IF_EXISTS_RENAME: "name.ext" as "name (k).ext", at most ENTRY_NAME_MAX bytes. */
void stage_free_name(const char *name, unsigned k, char out[ENTRY_NAME_MAX + 1]);
#define STAGE_FREE_NAMES 1000 /* k from 2 on that are tried */

struct stage;       /* shared by the streams of one transfer */
struct stage_batch; /* one stream's own: finished files that wait for their rename */
struct stage_file;  /* one large file being filled, by several streams */

/* What a place shall look like. */
struct stage_meta {
    uint32_t mode; /* permission bits; set-user-id, set-group-id and sticky are dropped */
    int64_t mtime_s;
    uint32_t mtime_ns;
};

/* Opens (or finds again) the stage `key` (1..64 characters of base32, lower case) in folder `dest`, an existing folder of this
 * machine. The root of all places is `dest`. Stages are locked: ERR_LOCKED when another transfer fills the same one. All
 * functions on a stage may be called by any thread; a batch is one thread's own; a batch and a file must end before their
 * stage. */
int stage_open(const char *dest, const char *key, enum if_exists policy, struct stage **s, struct fault *fault);
/* As stage_open, in the folder that `dir_fd` (borrowed, O_RDONLY) is: it is reached by no path, since a peer chose it. `shown`
 * is what it is called in sentences. */
int stage_open_at(int dir_fd, const char *shown, const char *key, enum if_exists policy, struct stage **s, struct fault *fault);
/* Closes it (NULL is fine); when `done`, also removes the stage folder and whatever is left in it. What is kept otherwise
 * serves the next attempt; a stage without anything in it goes in any case. */
void stage_close(struct stage *s, bool done);
const char *stage_path(const struct stage *s);

/* Is there already, at `path`, just what would be fetched (same kind, for files same size and mtime, for links same target)?
 * Or something else, which the policy then decides: *verdict. CONFLICT: the policy cannot place it; *fault then says why,
 * though 0 is returned. FETCH under IF_EXISTS_OVERWRITE also remembers what stands there now: only that will be replaced. */
enum stage_verdict { STAGE_FETCH, STAGE_HAVE, STAGE_SKIP, STAGE_CONFLICT };
int stage_check(struct stage *s, const char *path, const struct entry *entry, enum stage_verdict *verdict, struct fault *fault);

/* The token (tree.h) of the file that stands at `path` now, when it is just what `entry` says; ERR_CHANGED when it is not. */
int stage_token(struct stage *s, const char *path, const struct entry *entry, uint64_t *token);

/* Folders and links are placed at once. A folder gets its mode and mtime by stage_finish_dir, after what is in it. */
int stage_dir(struct stage *s, const char *path, struct fault *fault);
int stage_finish_dir(struct stage *s, const char *path, const struct stage_meta *meta, struct fault *fault);
int stage_link(struct stage *s, const char *path, const char *target, const struct stage_meta *meta, struct fault *fault);

/* ---- batches. Commit is automatic when a batch is full (files or bytes) and explicit at the end. For each file whose place
 * was refused (exists, changed meanwhile, denied) `failed` is called and the batch goes on. ERR_NOSPACE and ERR_IO end it:
 * nothing that was not durable has been renamed. After ERR_NOSPACE commit may be tried again; after a failed sync what the
 * batch held is thrown away, and the batch only ever says ERR_IO. free leaves what was not committed for the next attempt. */
typedef void stage_failed(void *arg, const char *path, const struct fault *fault);
int stage_batch_new(struct stage *s, stage_failed *failed, void *arg, struct stage_batch **b, struct fault *fault);
void stage_batch_free(struct stage_batch *b);
/* From now on `placed` is called, with the same arg, for each file that stands in its place now, in the order in which they
 * were added. That its folder is durable, too, the end of the commit says. */
typedef void stage_placed(void *arg, const char *path);
void stage_batch_tell(struct stage_batch *b, stage_placed *placed);
int stage_batch_commit(struct stage_batch *b, struct fault *fault);

/* A whole file of at most BLOCK_BYTES in one call. `token` is the source's (tree.h). */
int stage_small(struct stage_batch *b, const char *path, const void *bytes, size_t n, uint64_t token,
                const struct stage_meta *meta, struct fault *fault);
/* Is it staged from an earlier attempt? Then it is checked by its hash, added to the batch, and *found set. */
int stage_small_again(struct stage_batch *b, const char *path, uint64_t size, uint64_t token, const struct stage_meta *meta,
                      bool *found, struct fault *fault);

/* ---- large files. Opens or finds again the staged file; *have tells how many of its blocks are verified already: all that
 * are believed have been read and hashed. Any number of threads may write different blocks. ERR_LIMIT beyond 16 TiB. Gives *f.
 * */
int stage_file_open(struct stage *s, const char *path, uint64_t size, uint64_t token, struct stage_file **f, uint64_t *have,
                    struct fault *fault);
/* Is block i (of BLOCK_BYTES; the last one shorter) there and verified? */
bool stage_file_has(const struct stage_file *f, uint64_t block);
/* Writes one whole block and remembers its hash (the caller has compared it with the sender's). A block that is there already
 * is left as it is. */
int stage_file_write(struct stage_file *f, uint64_t block, const void *bytes, size_t n, const struct hash128 *hash,
                     struct fault *fault);
/* Blocks [first, first + count) are a hole: those missing read as zeros, take no room, and count as there. */
int stage_file_hole(struct stage_file *f, uint64_t first, uint64_t count, struct fault *fault);
/* How many blocks are missing. */
uint64_t stage_file_missing(const struct stage_file *f);
/* All blocks are there: sets metadata and hands the file to the batch (takes f). */
int stage_file_finish(struct stage_batch *b, struct stage_file *f, const struct stage_meta *meta, struct fault *fault);
/* Closes it unfinished (takes f); `keep` leaves it for the next attempt. */
void stage_file_drop(struct stage_file *f, bool keep);

#endif

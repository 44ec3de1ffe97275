/* Remembering: a base (store/bases.h) of every file that was fetched or put, made in the background, one after the other.
 *
 * What was fetched is cloned and indexed by a worker that yields to all other work; when the file is not as it was placed any
 * more, nothing is remembered. Whoever needs the base of a file that is in line waits for it. */
#ifndef WEFT_NODE_REMEMBER_H
#define WEFT_NODE_REMEMBER_H

#include "bases.h"
#include "core_internal.h"

/* A file of this machine is, as it stands there now (size and mtime of `state`), what the peer has as `key`, in that state.
 * Lines up; forgets it when too many wait. `path` is absolute. */
void remember_file(struct core *core, const struct base_key *key, const char *path, const struct file_state *state);
/* A number for files that are to be made, as by a diff: nobody else's. */
uint64_t remember_number(struct core *core);
/* A base whose files were made already (row->number). */
void remember_row(struct core *core, const struct base_row *row);
/* Files of that number are not needed after all. */
void remember_not(struct core *core, uint64_t number);

/* The base of a remote file; for NULL there is none. Comes later, from the loop, after what is in line for that key. With a
 * sketch: of another file of the peer's that is like it. `seed` is of all indexes of this home. */
typedef void base_found(void *arg, const struct base_row *row, uint64_t seed);
int remember_find(struct core *core, const struct base_key *key, base_found *found, void *arg); /* ERR_NOMEM */
int remember_similar(struct core *core, const struct base_key *key, const uint64_t *sketch, size_t count, base_found *found,
                     void *arg);
void remember_cancel(struct core *core, void *arg); /* finds with this arg */

void remember_start(struct core *core);
void remember_stop(struct core *core);
void remember_free(struct core *core);
/* Fields base_count, base_bytes, base_limit, base_waiting of a "status" row. */
void remember_describe(const struct core *core, struct row *status);

#endif

/* Manifests: a list of up to millions of entries of one transfer, in memory that does not grow with it.
 *
 * The entries of a tree in pre-order, each with its depth, so that an entry's folder is the last one before it that is one
 * less deep: a name is a single component and no path can lead out. The list lives in unlinked temporary files and is read
 * through small windows; reading in order is cheap, and so is any single entry by its number. */
#ifndef WEFT_STORE_MANIFEST_H
#define WEFT_STORE_MANIFEST_H

#include "err.h"
#include "msg.h"

#include <stdint.h>

struct manifest; /* one thread at a time; clone it with manifest_reader for another */

struct manifest_entry {
    struct entry entry; /* name and target: into the manifest, valid until the next call on it */
    uint32_t depth;
    uint32_t parent; /* number of its folder; itself for entry 0 */
    uint64_t token;
    int err; /* the sender could not read it: named only */
};

/* A new empty manifest with its temporary files (O_TMPFILE) in folder `dir`. ERR_IO, ERR_NOSPACE. */
int manifest_new(const char *dir, struct manifest **m, struct fault *fault);
void manifest_free(struct manifest *m);
/* Another view of the same, finished list, with windows of its own. Free it before the first. */
int manifest_reader(struct manifest *m, struct manifest **reader, struct fault *fault);

/* Appends. ERR_MALFORMED when the depth is not 0 for the first, or not between 1 and the last folder's + 1 for others, when its
 * would-be parent is no folder (or one with an err), when the name or target is not valid, or when the names of a folder do not
 * come in byte order, each once; ERR_LIMIT beyond MANIFEST_ENTRIES_MAX or MANIFEST_BYTES_MAX (on disk), a depth over DEPTH_MAX
 * or a path over PATH_BYTES_MAX; ERR_IO, ERR_NOSPACE. After a failure nothing was added. parent is computed. */
int manifest_add(struct manifest *m, const struct entry *entry, uint32_t depth, uint64_t token, int err);
uint32_t manifest_count(const struct manifest *m);
/* ERR_NOT_FOUND when there is no entry i. */
int manifest_get(struct manifest *m, uint32_t i, struct manifest_entry *out);
/* The path of entry i below entry 0 ("" for entry 0), terminated. `path` has PATH_BYTES_MAX + 1 bytes. */
int manifest_path(struct manifest *m, uint32_t i, char *path);

/* Sums over all entries with err == 0; `failed` counts those with one. bytes stops at UINT64_MAX. */
struct manifest_sums {
    uint64_t bytes;
    uint32_t files, dirs, links, others, failed;
};
void manifest_sums(const struct manifest *m, struct manifest_sums *out);

#endif

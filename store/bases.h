/* Bases: what a node remembers of files of its peers, as it last saw them (claim GATHER-1).
 *
 * One row in the database for each remote file, PEER:SHARE/PATH: the token of the state that was seen, and the number of what
 * is kept of it in the folder `bases` of the home: an index (NUMBER.index), and where the file system could clone, the old
 * bytes (NUMBER.bytes, whose blocks are shared with the file that they were cloned from, for as long as that is not changed).
 *
 *  1. Files come first, rows second. A row whose files are not there, or damaged, is dropped when it is asked for; files
 *     without a row are swept away at start.
 *  2. The least recently used go when there are too many, or their bytes are too many: by a counter of uses, not by a clock.
 *  3. It is a cache, and none of it is waited for to be durable: what a power cut leaves is checked when it is read (the
 *     index by its checksum, copied bytes by the index, cloned bytes by their size, since a file system makes them grow
 *     only as their blocks are there), and a file that is built from a base is hashed before it counts.
 *
 * The store actor owns the rows; workers make and read the files. */
#ifndef WEFT_STORE_BASES_H
#define WEFT_STORE_BASES_H

#include "anchors.h"
#include "db.h"
#include "msg.h"

struct base_key {
    struct node_id peer;
    struct share_path at;
};

struct base_row {
    struct base_key key;
    uint64_t number;         /* of its files; 0: no row */
    struct file_state state; /* as the peer said; token 0: it did not, then size and mtime stand for it */
    bool bytes;              /* the old bytes are there */
    uint64_t cost;           /* index and bytes together */
    size_t sketch_count;     /* of bases_put; not read again */
    uint64_t sketch[SKETCH_HASHES];
};

struct bases_sums {
    uint64_t count, cost;
};

/* ---- rows. ERR_NOT_FOUND where nothing fits. */

/* The seed of all indexes of this home. */
int bases_seed(struct db *db, uint64_t *seed, struct fault *fault);
/* The base of this file. It counts as used now. */
int bases_find(struct db *db, const struct base_key *key, struct base_row *row, struct fault *fault);
/* Of the peer's other files the one that shares most of this sketch, and at least two hashes of it. */
int bases_similar(struct db *db, const struct base_key *key, const uint64_t *sketch, size_t count, struct base_row *row,
                  struct fault *fault);
/* Inserts or replaces by key. `dropped` is called with the number of each row that is no more: the one it replaced, and those
 * that went to keep within BASES_MAX and `limit` bytes. A row that alone is over the limit is not kept: itself is dropped. */
typedef void base_dropped(void *arg, uint64_t number);
int bases_put(struct db *db, const struct base_row *row, uint64_t limit, base_dropped *dropped, void *arg, struct fault *fault);
/* Drops the least recently used until the rest keeps within BASES_MAX and `limit`, as after a restart with a lower one. */
int bases_trim(struct db *db, uint64_t limit, base_dropped *dropped, void *arg, struct fault *fault);
/* None is no error. */
int bases_forget(struct db *db, const struct base_key *key, base_dropped *dropped, void *arg, struct fault *fault);
bool bases_known(struct db *db, uint64_t number);
int bases_clear(struct db *db, struct fault *fault);
int bases_sums(struct db *db, struct bases_sums *sums, struct fault *fault);

/* ---- files, in `dir`: the folder `bases` of the home */

/* Is there something as the row says? row->bytes is cleared when there is only the index. Nothing is read. */
bool base_files_there(const char *dir, struct base_row *row);
/* Opens and checks; *bytes is -1 when there are none. ERR_NOT_FOUND, ERR_DAMAGED: then the files are removed, so that the row
 * is found to be none the next time. */
int base_files_open(const char *dir, const struct base_row *row, struct anchors **index, int *bytes, struct fault *fault);
/* Clones an open file as NUMBER.bytes (its mtime too), and gives a descriptor for reading it. Where the file system cannot
 * clone but the file is at most BASE_COPY_BYTES, it is copied. ERR_UNSUPPORTED: neither. */
#define BASE_COPY_BYTES (1u << 20)
int base_files_clone(const char *dir, uint64_t number, int fd, int *bytes, struct fault *fault);
/* *cost: bytes of the file that was made. */
int base_files_index(const char *dir, uint64_t number, const struct anchors *index, uint64_t *cost, struct fault *fault);
void base_files_drop(const char *dir, uint64_t number);
void base_files_path(const char *dir, uint64_t number, const char *kind, char path[PATH_BYTES_MAX + 1]); /* "index", "bytes" */
/* Removes all that is in the folder, but files of rows. `is_known` may be NULL: then all. */
void base_files_sweep(const char *dir, bool (*is_known)(void *arg, uint64_t number), void *arg);

#endif

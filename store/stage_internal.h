/* What the parts of a stage share: stage.c (opening, the plan), stage_folder.c (its folder; a gather's is such a one too),
 * stage_seen.c (what the plan saw), stage_left.c (what earlier attempts left), stage_place.c (renames), stage_batch.c (small
 * files, commits), stage_file.c and stage_map.c (large files). */
#ifndef WEFT_STORE_STAGE_INTERNAL_H
#define WEFT_STORE_STAGE_INTERNAL_H

#include "id.h"
#include "limits.h"
#include "stage.h"

#include <pthread.h>
#include <stdatomic.h>

#define STAGE_SLOTS 64                     /* batches of one stage at once, each with a folder of its own */
#define STAGE_LEFT_MAX 65536               /* small files of earlier attempts that are looked at again */
#define STAGE_SEEN_MAX (1u << 20)          /* existing files that one transfer may overwrite */
#define STAGE_FILE_BYTES_MAX (16ull << 40) /* one file: 8 MiB of bits say which blocks are there */
#define STAGE_KEY_MAX 64                   /* characters */
#define STAGE_NAME_MAX 56                  /* a staged file's name */
#define BLOCK ((uint64_t)BLOCK_BYTES)      /* so that products of it have 64 bits */

struct stage_name {
    char s[STAGE_NAME_MAX];
};

/* ---- what the plan saw: tokens of existing files by a hash of their path. For any thread. */

struct stage_seen {
    pthread_mutex_t lock;
    struct seen_file *file;
    uint32_t count, room;
};
void stage_seen_init(struct stage_seen *seen);
void stage_seen_fini(struct stage_seen *seen);
/* ERR_LIMIT, ERR_NOMEM. */
int stage_seen_put(struct stage_seen *seen, const char *path, uint64_t token);
bool stage_seen_get(struct stage_seen *seen, const char *path, uint64_t *token);

/* ---- what earlier attempts left: small files by the key in their names. Read once, then only looked up. */

struct stage_left {
    struct left_file *file;
    uint32_t count, room;
    int fd[STAGE_SLOTS]; /* folders that were there, or -1 */
};
void stage_left_init(struct stage_left *left);
int stage_left_read(struct stage_left *left, int stage_fd, struct fault *fault);
/* Points *fd at the folder with the file of that key, and fills in its name and content hash. */
bool stage_left_find(const struct stage_left *left, const struct hash128 *key, int *fd, struct stage_name *name,
                     struct hash128 *content);
void stage_left_fini(struct stage_left *left);
/* The folder of a slot: "b0" to "b63". */
struct stage_name stage_slot_name(unsigned slot);

/* ---- names of staged files. The key stands for the path, the size and the source's token. */

struct hash128 stage_key(const char *path, uint64_t size, uint64_t token);
struct stage_name stage_small_name(const struct hash128 *key, const struct hash128 *content);
int stage_small_parse(const char *name, struct hash128 *key, struct hash128 *content);
struct stage_name stage_large_name(const struct hash128 *key, const char *suffix); /* ".data", ".map", ".link" */
struct stage_name stage_map_of(const struct stage_name *data);

/* ---- its folder. */

bool stage_key_valid(const char *key);

struct stage_folder { /* at first both descriptors -1 */
    int fd, lock_fd;
    bool old;          /* it was there already */
    const char *shown; /* what it is called in sentences (borrowed) */
};
/* Makes or finds the hidden folder `name` in an open folder, and locks it. ERR_LOCKED, ERR_REFUSED (not ours alone), ...:
 * then lock_fd is -1, and fd the caller's to close. */
int stage_folder_enter(struct stage_folder *f, int parent_fd, const char *name, struct fault *fault);
/* Removes all that is in an open folder, as far as that can be. */
void stage_folder_clear(int fd);
/* Unlocks and closes it, and removes it when it is empty. */
void stage_folder_leave(struct stage_folder *f, int parent_fd, const char *name);

/* ---- the stage. */

struct stage {
    enum if_exists policy;
    struct stage_left left;
    struct stage_seen seen;
    struct stage_folder folder;
    atomic_bool precious; /* something of the user's is in it: it must not be removed */
    atomic_bool spoiled;  /* a sync failed: what is in it may not be what is on disk, and must be removed */
    pthread_mutex_t lock; /* of all that follows */
    struct root root;
    uint64_t slots; /* bit i: slot i is a batch's now */
    size_t dest_len;
    char path[]; /* the folder's; the name of the staging folder begins at dest_len + 1 */
};

/* Is it a path that a peer may have placed? ERR_MALFORMED, ERR_REFUSED. */
int stage_path_check(const char *path, struct fault *fault);
int stage_meta_check(const struct stage_meta *meta, const char *path, struct fault *fault);
/* Sets mode (unless it is -1) and mtime of an open file or folder. 0, or a code with errno. */
int stage_meta_set(int fd, int mode, const struct stage_meta *meta);

/* ---- placing. */

struct placing {
    struct stage *stage;
    struct root *root; /* of the calling thread */
    int from_fd;       /* the folder where it is staged */
    const char *from;
    const char *path;
};
/* Renames a staged file or link to its place as the policy allows. Whatever it returns, nothing of the user's is lost;
 * when it fails the staged file may still be there. */
int stage_place(const struct placing *p, struct fault *fault);

/* ---- batches. */

struct staged {
    int fd; /* the folder where it is staged */
    uint64_t size;
    bool map; /* a large file, with a map beside it */
    struct stage_name name;
    uint32_t path_at; /* in the batch's text */
};
/* Adds a staged file; commits when the batch is full. */
int stage_batch_add(struct stage_batch *b, const char *path, const struct staged *staged, struct fault *fault);
/* Removes a staged file and its map. */
void stage_discard(const struct staged *staged);

/* ---- maps of large files. */

#define STAGE_MAP_HEADER 64u
#define STAGE_MAP_SLOT 16u
/* Empties `fd` and writes the header. */
int stage_map_begin(int fd, const struct hash128 *key, uint64_t size);
int stage_map_put(int fd, uint64_t block, const struct hash128 *hash);
/* Calls `slot` for every block that the map knows of. ERR_DAMAGED when it is not the map of this key and size. */
int stage_map_read(int fd, const struct hash128 *key, uint64_t size,
                   int (*slot)(void *arg, uint64_t block, const struct hash128 *hash), void *arg);

static inline uint64_t stage_blocks(uint64_t size)
{
    return size / BLOCK + (size % BLOCK != 0);
}

#endif

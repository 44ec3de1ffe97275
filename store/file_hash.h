/* The hash of a whole file, made by several threads or in one go: what COMMIT says of a file that was gathered.
 *
 * A file is cut at every multiple of FILE_HASH_BLOCK. Of each block, in order, the XXH3-128 (canonical) of its bytes is taken,
 * without those that are in holes: of a block of holes only, that of no bytes. The file's hash is the XXH3-128 (canonical) of
 * these 16-byte hashes, one after the other; of an empty file, that of no bytes. */
#ifndef WEFT_STORE_FILE_HASH_H
#define WEFT_STORE_FILE_HASH_H

#include "hash128.h"

#include <stdint.h>

#define FILE_HASH_BLOCK (4ull << 20)

/* What has been hashed of a file, from a block's beginning on. 16 bytes of memory for each block that is not folded yet. */
struct file_hash {
    struct hasher *hasher; /* of the block in hand */
    uint64_t in_block;     /* bytes of it that are through, holes too */
    struct hasher *before; /* of the hashes of blocks that are folded, */
    struct hash128 *block; /* and of those behind them, each */
    size_t count, room;
    int err; /* ERR_NOMEM: told at the end */
};

int file_hash_init(struct file_hash *h); /* ERR_NOMEM */
void file_hash_free(struct file_hash *h);
/* The next n bytes; a hole of n bytes. */
void file_hash_bytes(struct file_hash *h, const void *bytes, size_t n);
void file_hash_hole(struct file_hash *h, uint64_t n);
/* What `next` has hashed, and not folded, comes right behind what `h` has: h must be at the end of a block. Empties next. */
void file_hash_join(struct file_hash *h, struct file_hash *next);
/* Blocks that are whole need no memory of their own from now on; what is folded cannot be joined to another one. */
void file_hash_fold(struct file_hash *h);
/* The hash of all of it, at its end. ERR_NOMEM. */
int file_hash_sum(struct file_hash *h, struct hash128 *hash);

#endif

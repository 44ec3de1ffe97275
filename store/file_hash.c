/* The hash of a whole file. See file_hash.h. */
#include "file_hash.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

int file_hash_init(struct file_hash *h)
{
    *h = (struct file_hash){.hasher = hasher_new(), .before = hasher_new()};
    h->err = h->hasher && h->before ? 0 : ERR_NOMEM;
    return h->err;
}

void file_hash_free(struct file_hash *h)
{
    hasher_free(h->hasher);
    hasher_free(h->before);
    free(h->block);
    *h = (struct file_hash){0};
}

static bool has_room(struct file_hash *h, size_t n)
{
    if (h->room - h->count >= n)
        return true;
    size_t room = (h->count + n) * 2;
    struct hash128 *block = h->err ? NULL : realloc(h->block, room * sizeof *block);
    if (!block) {
        h->err = ERR_NOMEM;
        return false;
    }
    h->block = block;
    h->room = room;
    return true;
}

static void end_block(struct file_hash *h)
{
    if (has_room(h, 1))
        h->block[h->count++] = hasher_sum(h->hasher);
    hasher_restart(h->hasher);
    h->in_block = 0;
}

void file_hash_bytes(struct file_hash *h, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        uint64_t left = FILE_HASH_BLOCK - h->in_block;
        size_t part = n < left ? n : (size_t)left;
        hasher_feed(h->hasher, at, part);
        h->in_block += part;
        at += part;
        n -= part;
        if (h->in_block == FILE_HASH_BLOCK)
            end_block(h);
    }
}

void file_hash_hole(struct file_hash *h, uint64_t n)
{
    while (n > 0) {
        uint64_t left = FILE_HASH_BLOCK - h->in_block, part = n < left ? n : left;
        h->in_block += part;
        n -= part;
        if (h->in_block == FILE_HASH_BLOCK)
            end_block(h);
    }
}

void file_hash_join(struct file_hash *h, struct file_hash *next)
{
    if (next->err)
        h->err = next->err;
    else if (next->count > 0 && has_room(h, next->count)) {
        memcpy(h->block + h->count, next->block, next->count * sizeof *next->block);
        h->count += next->count;
    }
    hasher_copy(h->hasher, next->hasher);
    h->in_block = next->in_block;
    next->count = 0;
    next->in_block = 0;
    hasher_restart(next->hasher);
}

void file_hash_fold(struct file_hash *h)
{
    if (h->count > 0)
        hasher_feed(h->before, h->block, h->count * sizeof *h->block);
    h->count = 0;
}

int file_hash_sum(struct file_hash *h, struct hash128 *hash)
{
    if (h->in_block > 0)
        end_block(h);
    file_hash_fold(h);
    if (h->err)
        return h->err;
    *hash = hasher_sum(h->before);
    return 0;
}

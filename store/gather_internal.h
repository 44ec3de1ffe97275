/* What the parts of a gather share: gather.c (its folder, its end), gather_run.c (a part of it, by several threads) and
 * gather_build.c (bytes). */
#ifndef WEFT_STORE_GATHER_INTERNAL_H
#define WEFT_STORE_GATHER_INTERNAL_H

#include "file_hash.h"
#include "gather.h"
#include "stage_internal.h"

#define GATHER_BUFFER_BYTES (128u << 10) /* read, hashed and written at once: it stays in the second-level cache */

struct gather {
    const struct site *site; /* borrowed */
    struct stage_folder folder;
    int fd;                                             /* the new file */
    struct source literals;                             /* fd -1: none are there */
    uint64_t end;                                       /* of what is built */
    uint64_t block;                                     /* what cloning is aligned to; 0: there is none */
    struct file_hash hash;                              /* of that */
    bool broken;                                        /* a step failed, and what is in the file is anything */
    atomic_bool precious;                               /* something of the user's is in the folder */
    char name[sizeof STAGE_PREFIX + 2 + STAGE_KEY_MAX]; /* the folder's */
};

/* What one thread builds: the destinations [from, to). */
struct build {
    struct gather *g;
    const struct source *source;
    const struct regions *regions;
    struct gather_watch *watch;
    uint64_t from, to;
    struct file_hash *hash;
    uint8_t *buffer;
    atomic_bool *failed; /* another one has: there is no sense in going on */
    bool clones;         /* blocks of the source can be shared, as far as is known */
};
/* The part of a copy that consists of whole blocks at both ends: where it begins in the region, and how long it is, or 0. */
uint64_t build_whole_blocks(const struct build *b, const struct region *r, uint64_t *begin);
bool build_share(struct build *b, const struct region *r, uint64_t begin, uint64_t length);
/* 0, or a code with errno; ERR_CANCELLED also when another one has failed. */
int build_range(struct build *b);

#endif

/* What the parts of a gather share: gather.c (its folder, its end) and gather_build.c (what it is built from). */
#ifndef WEFT_STORE_GATHER_INTERNAL_H
#define WEFT_STORE_GATHER_INTERNAL_H

#include "gather.h"
#include "hash128.h"
#include "stage_internal.h"

#define GATHER_BUFFER_BYTES (256u << 10) /* read, hashed and written at once: half of a usual second-level cache */

struct gather {
    const struct site *site; /* borrowed */
    struct stage_folder folder;
    int fd;                 /* the new file */
    struct source literals; /* fd -1: none are there */
    uint64_t end;           /* of what is built */
    uint64_t block;         /* what cloning is aligned to; 0: there is none */
    struct hasher *hasher;  /* over all of it that is no hole */
    bool broken;            /* a step failed, and what is in the file is anything */
    atomic_bool precious;   /* something of the user's is in the folder */
    uint8_t *buffer;
    char name[sizeof STAGE_PREFIX + 2 + STAGE_KEY_MAX]; /* the folder's */
};

#endif

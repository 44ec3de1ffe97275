/* Going through the list at the receiver, twice: to compare it with what is there (fetch_check.c), and to prepare the place
 * (fetch_prepare.c). Both pass over what is below a folder that was lost: one message, all counted. */
#ifndef WEFT_NODE_FETCH_WALK_H
#define WEFT_NODE_FETCH_WALK_H

#include "fetch.h"

struct list_walk {
    struct receiving *rx;
    uint32_t i; /* the entry's number */
    struct manifest_entry e;
    char path[PATH_BYTES_MAX + 1]; /* in the destination */
    uint32_t skip_below;           /* entries deeper than this are passed over; UINT32_MAX: none */
    _Atomic uint32_t *skip_as;     /* and counted here */
    uint64_t keep_at;              /* when a KEEP is due */
};

/* Calls `each` per entry with e and path set, until it returns non-zero. */
int list_walk(struct receiving *rx, int (*each)(struct list_walk *w, void *arg, struct fault *fault), void *arg,
              struct fault *fault);
/* This entry, and what is below it, is not placed: told, and counted as failed. */
void list_walk_lose(struct list_walk *w, const struct fault *fault);
/* As the policy wants it: told, and counted as skipped. */
void list_walk_skip(struct list_walk *w);

/* Bits per entry. */
static inline bool entry_bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> i % 8 & 1) != 0;
}
static inline void entry_bit_set(uint8_t *bits, uint32_t i)
{
    bits[i / 8] |= (uint8_t)(1u << i % 8);
}

static inline struct stage_meta entry_meta(const struct entry *e)
{
    return (struct stage_meta){.mode = e->mode, .mtime_s = e->mtime_s, .mtime_ns = e->mtime_ns};
}

#endif

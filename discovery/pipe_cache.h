/* Answers to pipe queries, kept until they expire.
 *
 * Invariants: in order of pipe id; at most PIPE_CACHE_MAX; the entry that expires first makes room; an entry is only
 * replaced by one whose holder's incarnation is not older. */
#ifndef WEFT_DISCOVERY_PIPE_CACHE_H
#define WEFT_DISCOVERY_PIPE_CACHE_H

#include "record.h"

struct pipe_entry {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport; /* that was asked for */
    uint8_t rank;
    uint64_t expires;
    struct record_bytes signed_holder;
    struct record holder;
    uint8_t count;
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX];
};

struct pipe_cache {
    struct pipe_entry **entry;
    size_t count, cap;
};

void pipe_cache_init(struct pipe_cache *cache);
void pipe_cache_fini(struct pipe_cache *cache);
/* The live entry of a pipe, or NULL. */
const struct pipe_entry *pipe_cache_find(const struct pipe_cache *cache, const struct tag *pipe, uint64_t now);
/* Copies the entry in. ERR_STATE when it is from an earlier life of the holder than what is kept; ERR_NOMEM. */
int pipe_cache_put(struct pipe_cache *cache, const struct pipe_entry *entry);
void pipe_cache_drop(struct pipe_cache *cache, const struct tag *pipe);

#endif

/* Answers to pipe queries: who has a pipe bound, and where.
 *
 * Invariants: (1) entries are in order of pipe, transport asked for, and holder, and no two are equal in these; (2) there are
 * at most PIPE_CACHE_MAX, and at most PIPE_HOLDERS_MAX of one pipe: the one that expires first makes room; (3) an entry is
 * only replaced by one whose holder's record is not older. An entry that has expired stays until its room is needed: it is no
 * answer any more, but says whom to ask. */
#ifndef WEFT_DISCOVERY_PIPE_CACHE_H
#define WEFT_DISCOVERY_PIPE_CACHE_H

#include "record.h"

#define PIPE_HOLDERS_MAX (4 * ANSWER_HOLDERS_MAX)

struct pipe_entry {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport; /* that was asked for */
    uint8_t rank;
    uint64_t expires;
    uint64_t heard_at; /* when it was told, by the holder or for it; 0: it was only registered */
    struct node_id told_by;
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
/* All entries of a pipe, expired ones too: the first of `count` in a row. They move with the next put or drop. */
struct pipe_entry *const *pipe_cache_of(const struct pipe_cache *cache, const struct tag *pipe, size_t *count);
/* Copies the entry in. ERR_STATE when its holder's record is older than in what is kept; ERR_NOMEM. */
int pipe_cache_put(struct pipe_cache *cache, const struct pipe_entry *entry);
/* Forgets a holder of a pipe, whatever the transport; all of them when `holder` is NULL. */
void pipe_cache_drop(struct pipe_cache *cache, const struct tag *pipe, const struct node_id *holder);

#endif

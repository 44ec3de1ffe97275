/* The spread messages that a node knows of: those that are here, and those that others said they have.
 *
 * The first are the filter of duplicates: SPREAD_SEEN_MAX ids for SPREAD_KEEP, and of the younger ones the bytes, so that they
 * can be sent again. Pure state. Invariants: (1) an id is in the store once; (2) both lists are in order of `at`; (3) `no`
 * counts arrivals from 1, without gaps in the list of those that are here, but for its beginning. */
#ifndef WEFT_NODE_SPREAD_STORE_H
#define WEFT_NODE_SPREAD_STORE_H

#include "id.h"

#include <sys/queue.h>

#define SPREAD_ANNOUNCERS 4 /* of a missing message: whom to ask for it */

struct spread_entry {
    TAILQ_ENTRY(spread_entry) list;
    struct spread_entry *chain; /* same bucket */
    struct tag id;
    bool here;
    uint64_t at; /* here: since when. Missing: when to ask for it */
    /* here */
    uint64_t no;
    struct node_id from; /* who was first to send it; ourselves when it is ours */
    uint8_t *bytes;      /* NULL: gone, or not to be passed on */
    size_t n;
    /* missing */
    struct node_id announcer[SPREAD_ANNOUNCERS];
    uint8_t announced; /* how many there are */
    uint8_t waited;    /* how often it was due, and nobody was asked */
    uint8_t asked;     /* which have been asked: bits */
};

TAILQ_HEAD(spread_list, spread_entry);

#define SPREAD_BUCKETS 1024

struct spread_store {
    struct spread_list here, missing;
    struct spread_entry *first_with_bytes; /* all older ones are without; NULL: nobody has any */
    struct spread_entry *bucket[SPREAD_BUCKETS];
    size_t here_count, missing_count, kept_bytes;
    uint64_t newest; /* no of the latest arrival */
};

void spread_store_init(struct spread_store *s);
void spread_store_fini(struct spread_store *s);

struct spread_entry *spread_find(const struct spread_store *s, const struct tag *id);
/* An id that is not here has arrived (copies). bytes NULL: it is not to be passed on. The oldest make room. ERR_NOMEM. */
int spread_arrive(struct spread_store *s, const struct tag *id, const struct node_id *from, const void *bytes, size_t n,
                  uint64_t now, struct spread_entry **out);
/* An id that is not in the store is to be asked for at `due`, which is no earlier than that of any other. NULL: too many. */
struct spread_entry *spread_miss(struct spread_store *s, const struct tag *id, uint64_t due);
/* It is to be asked for once more. */
void spread_miss_again(struct spread_store *s, struct spread_entry *e, uint64_t due);
void spread_forget(struct spread_store *s, struct spread_entry *e);
/* Forgets what has been here for SPREAD_KEEP. */
void spread_expire(struct spread_store *s, uint64_t now);

#endif

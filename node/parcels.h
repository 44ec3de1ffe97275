/* Parcels: what stands ready here for one peer to fetch, under a name that nobody else is told, until its owner takes it back.
 *
 * A put is the other side's fetch: whoever puts has the file or folder ready, says so in PUT, and is asked for it by FETCH,
 * with all that a fetch can do (resume, bridges, streams). Indexes, and literals of a gather, travel the same way. */
#ifndef WEFT_NODE_PARCELS_H
#define WEFT_NODE_PARCELS_H

#include "core_internal.h"

struct parcel {
    struct parcel *next;
    struct core *core;
    struct tag name;                                         /* random */
    struct peer *peer;                                       /* the only one that may fetch it */
    char root[PATH_BYTES_MAX + 1], path[PATH_BYTES_MAX + 1]; /* as struct send's */
    const struct regions *view;                              /* as struct send's; borrowed until the parcel is ended */
    uint64_t token;                                          /* as struct send's */
    void *owner;
    /* While a peer fetches it (may be NULL): how far that is. After ended(): NULL again. */
    struct send *send;
    void (*ended)(struct parcel *parcel); /* a fetch of it came to its end, with send->fault; may be NULL */
    /* its own */
    bool gone, telling;
    void (*free_after)(void *owner);
};

/* NULL: out of memory, too many (PARCELS_MAX), or a path that is too long. */
struct parcel *parcel_make(struct core *core, struct peer *peer, const char *root, const char *path, void *owner);
/* Takes it back: fetches of it are cancelled, and ended() is not called any more. `free_after` (may be NULL) is called with
 * the owner as soon as nothing reads parcel->view any more: at once, or when the cancelled fetch has ended, which parcel->send
 * then still is. Also from inside ended(). NULL is fine. */
void parcel_end(struct parcel *parcel, void (*free_after)(void *owner));
/* The parcel of this name to this peer, or NULL. */
struct parcel *parcel_find(struct core *core, const struct peer *peer, const struct tag *name);
/* A fetch of it begins (one at a time: send is NULL before), and has ended: then its owner is told, and it is freed when it was
 * taken back. */
void parcel_fetch_begun(struct parcel *parcel, struct send *send);
void parcel_fetch_ended(struct parcel *parcel);
void parcels_free(struct core *core);

#endif

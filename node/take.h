/* Taking: fetches what the peer at the other end of a link has ready (parcels.h).
 *
 * One attempt, over the very link on which it was named: when that is relayed, over a bridge; else the peer dials us, and when
 * it cannot we dial it. What comes is placed as by any receive. When the link is lost the streams go on; nobody tries again: the
 * peer does, and the stage's key lets it resume. */
#ifndef WEFT_NODE_TAKE_H
#define WEFT_NODE_TAKE_H

#include "core_internal.h"

struct take {
    struct take *next;
    struct core *core;
    struct peer *peer;
    link_no link;
    struct tag parcel;
    /* what to do: the fields of struct receive of the same names; the texts are borrowed until done() */
    const char *dest, *top, *key;
    bool at_fd;
    int dest_fd;
    enum if_exists policy;
    bool dry_run;
    uint64_t limit;
    void *owner;
    void (*item)(struct take *t, const char *path, const struct fault *fault); /* may be NULL */
    void (*done)(struct take *t); /* once; `fault` says how it went. The take is still there, until take_free */
    /* what came of it */
    struct receive *receive; /* of the attempt in hand or the last one; NULL before */
    struct fault fault;
    /* its own */
    bool swapped, over;
    struct fault remote;
};

/* Begins. done() is never called from inside. ERR_FULL, ERR_NOMEM: then done() does not come. */
int take_start(struct take *t, struct link *link);
/* done() comes with this code. */
void take_cancel(struct take *t, int code);
void take_free(struct take *t); /* after done() */
void takes_free(struct core *core);
/* An ERROR that no request waits for: is it about a FETCH of these that was answered already? */
bool takes_on_error(struct link *link, const struct msg *m);

#endif

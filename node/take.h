/* Taking: fetches what the peer at the other end of a link has ready (parcels.h).
 *
 * Over the very link on which it was named: when that is relayed, over a bridge; else the peer dials us, and when it cannot we
 * dial it. What comes is placed as by any receive. When the link is lost the streams go on; nobody tries again: the peer does,
 * and the stage's key lets it resume. What is left of a take of the same peer and key, whose link is lost, makes way then.
 *
 * A take is made by calloc and filled in as far as "what to do" goes; take_start takes it, take_free frees it. */
#ifndef WEFT_NODE_TAKE_H
#define WEFT_NODE_TAKE_H

#include "core_internal.h"

struct take {
    struct take *next;
    struct core *core; /* these three: set by take_start */
    struct peer *peer;
    link_no link;
    /* what to do; then the fields of struct receive of the same names: texts and folder are borrowed until done() */
    struct tag parcel;
    const char *dest, *top, *key;
    bool at_fd;
    int dest_fd;
    enum if_exists policy;
    bool dry_run;
    bool file_only;
    uint64_t limit;
    void *owner;
    void (*item)(struct take *t, const char *path, const struct fault *fault); /* may be NULL */
    void (*done)(struct take *t); /* once; `fault` says how it went. The take is still there, until take_free */
    /* what came of it */
    struct receive *receive; /* of the attempt in hand or the last one; NULL before */
    struct fault fault;
    /* its own */
    bool relayed, swapped, running, fetching, cancelled, ended;
    uint64_t fetch;       /* number of the FETCH; 0: none */
    uint64_t locked_from; /* since when another transfer fills the same stage; 0: none does */
    link_no held;
    struct timer soon;
    struct fault remote; /* what the peer said, or why it was cancelled */
};

/* Begins, over this link to the peer. done() is never called from inside. ERR_UNREACHABLE, ERR_NOMEM: then done() does not
 * come, and the take is still the caller's. */
int take_start(struct take *t, struct link *link);
/* done() comes with this code, in a turn of its own. A second time, or after done(), nothing happens. */
void take_cancel(struct take *t, int code);
/* After done(), from inside it too. NULL is fine. */
void take_free(struct take *t);
/* Of those that have not ended: done() does not come any more. */
void takes_free(struct core *core);
/* An ERROR that no request waits for: is it about a FETCH of these that was answered already? */
bool takes_on_error(struct link *link, const struct msg *m);

#endif

/* The verb get, as its two files share it: get.c has the request, its sources in turn, and what is told of them; get_carrier.c
 * brings the one in hand, by whatever way there is. */
#ifndef WEFT_NODE_GET_H
#define WEFT_NODE_GET_H

#include "core_internal.h"
#include "session.h"

struct get_sums {
    uint64_t files, bytes, moved, present, skipped, failed;
};

/* What is known of the source in hand, over all attempts at it: it never goes down. */
struct get_seen {
    uint64_t files_total, files_done, bytes_total, bytes_done;
};

#define GET_ROUTES 256 /* characters; what does not fit is not told */

struct get {
    struct get *next_get;
    struct core *core;
    struct call *call; /* NULL once its client is gone */
    struct row *request;
    char dest[PATH_BYTES_MAX + 1], key[BASE32_CHARS(TAG_BYTES) + 1];
    char top[ENTRY_NAME_MAX + 1];
    enum if_exists policy;
    bool dry_run;
    size_t next; /* source */
    uint64_t started;
    char route[GET_ROUTES]; /* that data took, in order of use */
    struct get_sums sum;    /* over the sources that are through; `moved` over all attempts */
    size_t lost;            /* sources that failed as a whole */
    struct fault last;
    struct timer timer; /* tells progress */
    /* the source in hand */
    struct peer *peer;
    struct share_path at;
    struct get_seen seen;
    /* get_carrier.c's */
    struct timer again;
    link_no link; /* that it goes by */
    link_no held; /* a relayed one that is in use for it, or may be again: see link_use */
    bool relayed;
    bool begun;                /* it was reached once */
    bool looked_at;            /* it was asked for its kind */
    uint64_t alive_at;         /* when streams were last up, or it was reached first */
    uint64_t locked_from;      /* another transfer to the same place is stopping; 0: none is */
    unsigned attempts, barren; /* attempts in all, and since something moved */
    bool swapped;              /* the sender listens */
    bool joined;               /* the streams of this attempt are up */
    uint64_t joined_at;
    uint64_t still_from, still_at; /* since when nothing has come over a connection that is lost, and how much had */
    bool moving;                   /* this attempt was stopped for a better way */
    bool settled;                  /* no other way is tried any more: the better one did not do */
    uint64_t fetch;                /* the latest FETCH's number */
    bool fetch_out;                /* it is not answered yet */
    struct fault remote;           /* why the sender refused */
    uint64_t moved;                /* in this attempt, as last seen */
    struct receive *receive;
};

/* ---- get.c */

/* The text of the source in hand; NULL: there are no more. */
const char *get_source_text(const struct get *g, size_t *n);
/* The source in hand is through, and failed unless fault is NULL or its code 0 or ERR_PARTIAL: on to the next. May free. */
void get_source_over(struct get *g, const struct fault *fault);
/* The source in hand is a byte stream: somebody else fetches it. May free. */
void get_is_stream(struct get *g);
/* Takes notice of how far the attempt in hand is; at its last one, what it brought counts. */
void get_observe(struct get *g);
/* To be called now and then: are its streams dead without having said so? */
void get_look(struct get *g);
void get_add_up(struct get *g);
void get_add_route(struct get *g, const char *route);
void get_item_failed(struct receive *r, const char *path, const struct fault *fault);
void get_placed(struct receive *r, const char *path, const struct file_state *state);
/* "started", "done", "failed": to whoever started the node. */
void get_event(struct get *g, const char *state);
/* Leaves the list, cancels all. No receive may be under way. */
void get_free(struct get *g);

/* ---- get_carrier.c */

void get_carrier_init(struct get *g);
/* Seeks the way to the source in hand; ends by get_source_over. */
void get_begin(struct get *g);
/* Whatever waits, but for a receive. */
void get_carrier_drop(struct get *g);
/* The client is gone. Frees, now or when the receive has ended. */
void get_stop(struct get *g, int code);

#endif

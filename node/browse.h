/* The verb ls, as its two files share it: browse.c visits peers and folders, browse_shares.c lists what peers share and what
 * relays are offered. */
#ifndef WEFT_NODE_BROWSE_H
#define WEFT_NODE_BROWSE_H

#include "core_internal.h"

struct visit { /* one peer's shares and handles, or one folder after the other */
    struct visit *next;
    struct browse *browse;
    struct peer *peer;
    link_no link;
    void (*ask)(struct visit *v);   /* for the page in hand, or the next one */
    bool sought_again;              /* its link was lost, once */
    size_t told;                    /* shares, or handles */
    struct node_id after_holder;    /* the last handle told */
    char after[NAME_MAX_BYTES + 1]; /* the last share or handle told */
    struct timer timer;             /* looks again whether the client has read */
    uint64_t cursor;                /* of the next page */
};

struct folder {
    struct folder *next;
    char path[]; /* below the target */
};

struct browse {
    struct call *call;
    struct visit *visits;
    size_t pending; /* visits that have not ended */
    bool one;       /* a single peer was named: its failure is ours */
    bool recursive;
    struct share_path target;
    struct folder *folders; /* still to be read, next first */
    size_t folder_count;
    char path[PATH_BYTES_MAX + 1]; /* of the folder being read, below the target */
};

/* Sends a request on the visit's link. The visit may be gone afterwards. */
void visit_ask(struct visit *v, struct msg *m, enum msg_type answer, ask_done *done);
/* The next page, when the client has read enough of the ones before. */
void visit_ask_in_time(struct visit *v);
/* No answer came: when that is for want of a link, one is sought once more, and the same page asked for again. */
bool visit_seeks_again(struct visit *v, const struct fault *fault);
/* One visit ended. What went wrong at one of many peers is told in its row; the others go on. */
void visit_end(struct visit *v, const struct fault *fault);

void visit_ask_shares(struct visit *v);

#endif

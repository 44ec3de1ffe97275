/* A caller, as connect.c (what its program asks, and is told) and connect_carrier.c (what carries the stream) share it. */
#ifndef WEFT_NODE_CONNECT_CALLER_H
#define WEFT_NODE_CONNECT_CALLER_H

#include "connect.h"
#include "pipes.h"

#define ROUTES_TEXT (4 * ROUTE_TEXT)

struct caller {
    struct caller *next;
    struct core *core;
    struct call *call; /* NULL once its program is gone */
    struct pipe_send_request request;
    uint64_t began, patience; /* at */
    struct timer timer;
    struct pipe_why *asking_why;
    struct node_id busy[ANSWER_HOLDERS_MAX]; /* holders that were */
    unsigned busy_count;
    /* the holder in hand, and the way to it */
    struct peer *peer;
    link_no link, used; /* see link_use */
    bool here;          /* it is this very node */
    bool relayed;       /* through `relay` */
    struct node_id relay;
    bool bridging; /* the relay is asked to join the streams */
    struct relay_way way, other;
    bool swapped;     /* the callee listens */
    uint64_t asked;   /* number of a CONNECT that is not answered yet, or 0 */
    uint64_t number;  /* of the one that joined it last */
    bool joined;      /* bytes may flow */
    struct fault why; /* it refused */
    struct duplex *duplex;
    struct moved moved;
    char route[ROUTES_TEXT]; /* those that were taken, in order */
    /* a stream that lasts */
    bool lasting;
    bool standing; /* it was joined: from now on it is this callee's */
    struct tag stream;
    link_no unfit; /* a connection that was good for messages, but not for the streams */
    uint64_t joined_at, lost_at;
};

/* ---- connect.c */

void caller_free(struct caller *c);
/* The holder in hand is not, any more. */
void caller_let_go(struct caller *c);
/* Both end the call, and free the caller. */
void caller_fail(struct caller *c, const struct fault *fault);
void caller_succeed(struct caller *c);
/* To the program: the stream has been joined, or goes another way now. */
void caller_show(struct caller *c, const char *kind);
/* Asks for a link to a holder: any one, or the one that has the stream. caller_seek_later does it in a moment. */
void caller_seek(struct caller *c);
void caller_seek_later(struct caller *c);
/* The holder has no such pipe bound: `why`. It is sought again while the program is patient. */
void caller_not_found(struct caller *c, const struct fault *why);

/* ---- connect_carrier.c */

/* By the link that was found to the holder in hand. */
void carrier_start(struct caller *c, struct link *link);
/* What was joined holds: the way that it went before is not needed any more. */
void carrier_holds(struct caller *c);
/* No link was found for a stream that stands. */
void carrier_absent(struct caller *c, const struct fault *why);
/* The program is gone: ends what there is, with this code. It frees the caller, now or when the duplex has ended. */
void carrier_cancel(struct caller *c, int code);
/* Tells the callee that it need not wait for the stream to come again. */
void carrier_farewell(struct caller *c);
struct link *carrier_link(const struct caller *c);

#endif

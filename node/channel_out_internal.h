/* What the files of outgoing channels share: channel_out.c (their life), channel_bind.c (finding, opening and losing binders,
 * and what those say), channel_send.c (what goes to them). */
#ifndef WEFT_NODE_CHANNEL_OUT_INTERNAL_H
#define WEFT_NODE_CHANNEL_OUT_INTERNAL_H

#include "outflow.h"
#include "pipes.h"

/* The binder of now or, when there is none, of before. */
struct binder {
    bool known;
    struct node_id id;
    uint64_t incarnation;
    struct link *link; /* NULL: lost */
    uint64_t fence;    /* others get nothing before; 0: it hands on nothing more */
};

struct channel_out {
    struct channel_out *next;
    struct core *core;
    struct channel_out_config config;
    struct tag tag;
    uint8_t key[32]; /* for receipts of the binder's reader; each binder is given another */
    struct state state;
    struct outflow flow;
    struct link *link;
    struct peer *peer; /* at the far end of `link` */
    struct binder binder;
    uint8_t next_key[32]; /* of the binder that is being opened at */
    bool finishing;
    uint64_t asked;      /* number in the latest OPEN */
    uint64_t receipted;  /* all below has been taken, as receipts say */
    uint64_t unbound_at; /* since when there is no binder */
    uint64_t retry_at;   /* SEEKING: when to go on; 0: something else is waited for */
    uint64_t backoff;
    uint64_t lease;             /* of the binder: its length */
    uint64_t stamp, stamp_at;   /* the newest one heard, and when */
    uint64_t echoed, echoed_at; /* the one that was sent back last, and when it was heard: the lease has run since about then */
    unsigned quiet;
    bool avoiding;
    struct node_id avoid;
    uint32_t rebound;
    struct fault why; /* it has no binder */
    uint64_t sent_at;
    struct timer tick, flush;
};

/* ---- channel_out.c */

struct channel_out *channel_find(struct core *core, const struct tag *tag);
bool channel_is_bound(const struct channel_out *c);
/* Is nothing left to do? It has been bound, so the pipe is real, and all has been taken. */
bool channel_complete(const struct channel_out *c);
/* Ends and frees it; fault NULL: all is well. */
void channel_end(struct channel_out *c, const struct fault *fault);
void channel_close_at(struct channel_out *c, struct link *link, enum close_reason reason);
/* Sets the tick to what its state waits for. */
void channel_plan(struct channel_out *c);
/* Goes on soon: at once the first time, then ever more slowly until a binder takes something. */
void channel_retry(struct channel_out *c);

/* ---- channel_bind.c */

/* The link that it is bound or goes over (NULL: none); its peer is kept meanwhile. */
void channel_hold(struct channel_out *c, struct link *link);
void channel_seek(struct channel_out *c);
/* Opens the channel over its link, once no fence forbids it. */
void channel_approach(struct channel_out *c);
/* Leaves the peer of its link, who did what the text says, and seeks another. May end the channel. */
void channel_unbind(struct channel_out *c, int code, const char *what);

/* ---- channel_send.c */

void channel_send_all(struct channel_out *c);
/* Sends now or, when there is little, gathers for a moment. */
void channel_send_soon(struct channel_out *c);
/* Tells the binder that we are still bound to it, when no DATA has done so for a while. */
void channel_echo(struct channel_out *c);

#endif

/* What the two files of the binding protocol share: binding.c asks, binding_answer.c answers and passes on. */
#ifndef WEFT_DISCOVERY_BINDING_INTERNAL_H
#define WEFT_DISCOVERY_BINDING_INTERNAL_H

#include "binding.h"
#include "pipe_cache.h"

#define FAN_OUT 8                         /* peers that one question goes to at once */
#define DIRECTED_WAIT (500 * MILLISECOND) /* for the wanted peer itself, before others are asked */
#define ANSWER_LIFE_S 300

struct local_pipe {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport;
    uint8_t rank;
};

struct asked { /* whom a query went to, and who of them has said no, or what was not believed */
    struct node_id peer[FAN_OUT + 1];
    bool refused[FAN_OUT + 1];
    uint8_t count;
};

struct resolve {
    struct resolve *next;
    struct binding *b;
    struct tag query;
    struct binding_want want;
    struct asked asked;
    bool wide; /* others than the wanted peer have been asked */
    uint64_t started, deadline;
    struct timer timer;
    binding_done *done;
    void *arg;
};

struct forward {
    struct forward *next;
    struct binding *b;
    struct tag query, pipe;
    struct binding_want want;
    struct node_id origin; /* the linked peer that the query came from */
    struct asked asked;
    struct timer timer;
};

struct binding {
    struct binding_host host;
    struct pipe_cache cache;
    struct local_pipe *local;
    size_t local_count;
    struct resolve *resolves;
    struct forward *forwards;
    uint32_t outstanding;
    struct binding_counts counts;
};

uint64_t binding_now(const struct binding *b);
void binding_timer(struct binding *b, struct timer *t, uint64_t at);
/* Our own binding as an entry. False when it is not bound here, or not for this transport. */
bool binding_local(const struct binding *b, const struct binding_want *want, struct pipe_entry *out);
/* A live cached answer to this question, or NULL. */
const struct pipe_entry *binding_cached(const struct binding *b, const struct binding_want *want);

/* Peers to ask: linked, not yet asked, not among the visited. */
size_t binding_others(struct binding *b, const struct asked *asked, const struct msg_query *q, struct node_id out[FAN_OUT]);
/* Sends a query and notes to whom. */
bool binding_ask(struct binding *b, struct asked *asked, const struct node_id *to, const struct msg *m);
/* Have all who were asked said no? */
bool asked_all_refused(const struct asked *asked);

/* How a question of ours ends, widens, or is dropped. */
void resolve_found(struct resolve *r, const struct pipe_entry *entry, const struct node_id *by, bool from_cache);
void resolve_failed(struct resolve *r, int err);
void resolve_widen(struct resolve *r);
void forward_drop(struct forward *f);

#endif

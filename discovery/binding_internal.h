/* What the files of the binding protocol share: binding.c keeps what is known, binding_ask.c asks, binding_answer.c answers
 * and passes on, binding_believe.c says what of an answer is believed. */
#ifndef WEFT_DISCOVERY_BINDING_INTERNAL_H
#define WEFT_DISCOVERY_BINDING_INTERNAL_H

#include "binding.h"
#include "pipe_cache.h"

#define ASKED_MAX 48        /* peers that one question goes to, at most */
#define FAN_OUT 8           /* of these, at once */
#define RELAYS_ASKED 2      /* of these, rendezvous nodes: both at once for an owned pipe */
#define ASKED_WITH_RELAYS 7 /* where there are such: with what they pass on, some 18 messages */
#define SHARED_AT_ONCE 5    /* of these, at once for a shared pipe */
#define BELIEVED_ASKED 2    /* believed binders of a shared pipe that a node between asks; for others it answers */
#define DIRECTED_WAIT (500 * MILLISECOND) /* for the wanted peer itself, before others are asked */
#define ROUND_WAIT (300 * MILLISECOND)    /* for those asked at once, before further ones are */
#define GATHER_WAIT (2 * MILLISECOND)     /* for further binders of a shared pipe, after the first answer */
#define GATHER_BETWEEN (1 * MILLISECOND)  /* the same, at a node that passes on */
#define STALE_WAIT (200 * MILLISECOND)    /* for a believed holder, before it is answered for */
#define ANSWER_LIFE_S 300

struct local_pipe {
    uint64_t number; /* in order of binding, never used again */
    struct registered_pipe pipe;
};

/* Whom a question went to. */
struct asked {
    struct node_id peer[ASKED_MAX];
    bool answered[ASKED_MAX];
    uint8_t count, answers;
};

/* What our own questions and those of others have in common. */
struct question {
    struct tag query;
    struct binding_want want;
    struct asked asked;
    uint64_t started;
    bool found; /* somebody said where */
};

struct resolve {
    struct resolve *next;
    struct binding *b;
    struct question q;
    bool wide;      /* others than the wanted peer have been asked */
    uint8_t relays; /* how many rendezvous nodes among them */
    uint64_t deadline;
    struct timer timer;
    binding_done *done;
    void *arg;
};

struct forward {
    struct forward *next;
    struct binding *b;
    struct question q;
    struct node_id origin; /* the linked peer that the query came from */
    struct timer timer;
};

struct binding {
    struct binding_host host;
    struct pipe_cache cache;
    struct rendezvous *index;
    struct local_pipe *local;
    size_t local_count;
    uint64_t local_number;
    struct resolve *resolves;
    struct forward *forwards;
    uint32_t outstanding;
    struct binding_counts counts;
};

uint64_t binding_now(const struct binding *b);
void binding_timer(struct binding *b, struct timer *t, uint64_t at);

/* ---- what is known */

/* Our own binding as an entry. False when it is not bound here, or not for this transport. */
bool binding_local(const struct binding *b, const struct binding_want *want, struct pipe_entry *out);
/* Puts what the index says of a pipe into the cache. */
void binding_look_up(struct binding *b, const struct binding_want *want);
/* Is the entry an answer to this question? It may be too old. */
bool binding_fits(const struct binding *b, const struct binding_want *want, const struct pipe_entry *entry);
/* Cached entries that fit a question and for which `good` holds, best first. */
struct chosen {
    size_t count;
    const struct pipe_entry *entry[ANSWER_HOLDERS_MAX];
};
typedef bool entry_is(const struct binding *b, const struct question *q, const struct pipe_entry *entry);
void binding_choose(const struct binding *b, const struct question *q, entry_is *good, struct chosen *out);
/* Puts an entry in its place among those chosen. */
void chosen_add(const struct binding *b, struct chosen *chosen, const struct pipe_entry *entry);

/* ---- whom to ask */

struct pick {
    const struct asked *asked;
    const struct msg_query *q;
    const struct node_id *from; /* whom the query came from; NULL */
    bool trusted;               /* only such */
};
/* Not one that was asked, has seen the query, or sent it. */
bool binding_may_ask(const struct binding *b, const struct pick *pick, const struct node_id *id);
/* Linked peers that may be asked. */
size_t binding_pick(struct binding *b, const struct pick *pick, struct node_id *out, size_t max);
/* Of the rendezvous nodes that are linked, the nearest to the pipe. */
size_t binding_pick_relays(struct binding *b, const struct pick *pick, struct node_id *out, size_t max);
/* Sends a query and notes to whom. */
bool binding_ask(struct binding *b, struct asked *asked, const struct node_id *to, const struct msg *m);
bool was_asked(const struct asked *asked, const struct node_id *peer);

/* ---- answers */

enum verdict {
    VERDICT_IGNORED, /* not asked, or answered before: an answer costs signature checks, so everybody has one */
    VERDICT_LIE,     /* not believed */
    VERDICT_NO,
    VERDICT_YES,
};
/* Checks an answer to a question, and keeps what is believed of it in the cache. `for_us`: we are the asker, so that only a
 * holder that we trust will do for a shared pipe. */
enum verdict binding_believe(struct binding *b, struct question *q, bool for_us, const struct node_id *from,
                             const struct msg_answer *a);

void resolve_answered(struct resolve *r, const struct node_id *from, const struct msg_answer *a);
void resolve_drop(struct resolve *r);
void forward_drop(struct forward *f);

#endif

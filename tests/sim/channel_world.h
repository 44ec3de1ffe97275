/* Senders and readers of pipes in the simulated world, and the oracle: each message of a sender handled once, in order.
 *
 * Node 0 sends; it trusts all others, which may listen. A reader handles what it gets at once, as long as the lease of its
 * channel holds, keeps it while that is not so, and forgets it when it is told to: as libweft does. Like that it says itself,
 * by datagram, what it has handled, unless it is told not to. */
#ifndef WEFT_TESTS_SIM_CHANNEL_WORLD_H
#define WEFT_TESTS_SIM_CHANNEL_WORLD_H

#include "core_internal.h"
#include "err.h"
#include "receipt.h"
#include "world.h"

#define MESSAGES_MAX 40000
#define EARS_MAX 8
#define MS MILLISECOND

struct oracle {
    uint64_t handled, doubles, unflagged, disorder;
    uint64_t next;                 /* the first that nobody has handled */
    uint64_t last_at, longest_gap; /* between two that were handled first */
    uint8_t count[MESSAGES_MAX];
};

struct kept {
    struct kept *next;
    struct row *row;
    size_t n;
};

struct ear {
    struct world *world;
    struct oracle *oracle;
    struct program *program; /* NULL: not there */
    size_t node;
    bool bound, idle; /* idle: reads, and handles nothing */
    bool mute;        /* handles, and does not say so */
    bool no_receipts;
    struct tag channel; /* of the sender, and its key */
    uint8_t key[RECEIPT_KEY_BYTES];
    bool can_prove;
    uint64_t handled, began, ended, lost, voided, held, most_held;
    uint64_t until; /* of its only channel */
    struct kept *first, **end;
};

struct voice {
    struct world *world;
    struct program *program;
    uint64_t pushed, cost, room, taken, rebound;
    char state[16], peer[64], code[32], text[512];
    bool done;
};

struct scene {
    struct world *w;
    struct oracle oracle;
    struct ear ear[EARS_MAX]; /* by node */
    struct voice voice;
    size_t size; /* of a message */
};

/* `nodes` of them, linked and trusting the first. */
struct scene *scene_new(uint64_t seed, size_t nodes);
void scene_free(struct scene *s);
void listen_at(struct scene *s, size_t node, const char *pipe, bool shared);
void leave(struct scene *s, size_t node);
/* The node is gone at once, with its reader; or comes back without one. */
void crash(struct scene *s, size_t node);
void speak_at(struct scene *s, size_t node, const char *pipe, int64_t wait_ms);
/* Pushes up to `count` messages, as far as there is room. */
void push(struct scene *s, uint64_t count);
/* Lets time pass, with `rate` messages pushed each millisecond. */
void flow(struct scene *s, uint64_t ms, uint64_t rate);
/* No more is sent: lets time pass until it has ended, at most `ms`. */
bool finish(struct scene *s, uint64_t ms);
/* Asserts that all that was pushed was handled, in order, and what was handled twice was flagged. */
void check_all(const struct scene *s);

#endif

/* What the files of bridges share: bridge.c (the loop thread's side), bridge_door.c (who comes to the port), bridge_run.c (the
 * thread, and the bytes).
 *
 * Invariants: (1) the thread alone touches what is marked so, and a span from its adoption until it is posted; the loop thread
 * alone touches the list of all spans; (2) a span is posted once, and belongs to the loop thread from then on; (3) a connection
 * that was closed is freed only after the events of that turn. */
#ifndef WEFT_NODE_BRIDGE_INTERNAL_H
#define WEFT_NODE_BRIDGE_INTERNAL_H

#include "bridge.h"
#include "bridge_hello.h"
#include "splice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct conn {
    TAILQ_ENTRY(conn) link; /* of the half-open, or of the closed */
    struct side side;       /* fd -1: closed */
    struct joint *joint;    /* NULL: half-open */
    struct addr from;
    uint64_t deadline; /* of the half-open */
    size_t have;
    uint8_t hello[HELLO_BYTES];
};
TAILQ_HEAD(conn_list, conn);

/* One stream: two connections, joined once both are there. */
struct joint {
    TAILQ_ENTRY(joint) link; /* of the queue, or of those who wait for their account */
    enum { JOINT_OPEN, JOINT_JOINED, JOINT_OVER } state;
    enum { REST, QUEUED, WAITING } turn;
    struct span *span;
    uint8_t used; /* bit per way: it has been dialled */
    bool broken;  /* a socket was lost before its time */
    struct conn *end[2];
    struct pump pump[2]; /* [0] from end[0] to end[1], [1] back */
};
TAILQ_HEAD(joint_list, joint);

/* Tokens for bytes, shared by the bridges of one account. */
struct account {
    LIST_ENTRY(account) link;
    uint64_t id, rate, at;
    unsigned spans;
    double level;
    struct joint_list waiting;
};

/* A bridge as the thread knows it. */
struct span {
    LIST_ENTRY(span) all; /* the loop thread's */
    struct bridges *bridges;
    struct bridge *b;
    struct fault fault; /* the first one */
    bool posted, orphan;
    /* constant */
    struct tag id[2];
    uint8_t key[2][32];
    uint64_t limit, rate, deadline;
    uint8_t streams;
    /* under the lock */
    STAILQ_ENTRY(span) inbox;
    int close_code; /* 0: it is not to be closed */
    /* the thread's */
    LIST_ENTRY(span) live;
    struct account *account; /* NULL: no rate */
    struct joint joint[STREAMS_MAX];
    unsigned joined, over;
    uint64_t moved, heard_at;
};

struct bridges {
    const struct log *log;
    size_t (*addresses)(void *arg, struct addr *out, size_t max);
    void (*post)(void *arg, void (*fn)(void *data), void *data);
    void *arg;
    uint64_t silence; /* without a byte: a bridge is dead */
    LIST_HEAD(, span) all;
    unsigned count;
    _Atomic bool stopping;
    _Atomic uint64_t refused;
    int epoll, wake;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    int listener; /* -1: closed */
    uint16_t port;
    STAILQ_HEAD(, span) inbox;
    bool closing; /* some span has a close_code */
    /* the thread's */
    LIST_HEAD(, span) live;
    LIST_HEAD(, account) accounts;
    struct conn_list halves; /* oldest first, hence in order of deadline */
    struct conn_list closed;
    unsigned half_count;
    struct joint_list queue;
    unsigned queued;
    struct pipe_pool pool;
    uint64_t resume;  /* when to accept again after running out of descriptors; 0: accepting */
    uint64_t retry;   /* the same for pipes; 0: there are some */
    uint64_t look_at; /* at deadlines and silence */
};

/* ---- bridge.c, on the loop thread: a span that has ended is back */
void span_delivered(void *data);

/* ---- bridge_door.c */
void bridge_accept(struct bridges *bridges);
void bridge_read_hello(struct bridges *bridges, struct conn *half);
/* Accepts again after a pause; drops who is late. */
void bridge_expire(struct bridges *bridges, uint64_t now);
void bridge_drop_halves(struct bridges *bridges);
/* Closes; it is freed after this turn. */
void conn_close(struct bridges *bridges, struct conn *conn);

/* ---- bridge_run.c */
int bridge_thread_start(struct bridges *bridges, struct fault *fault);
void bridge_thread_stop(struct bridges *bridges);
void bridge_thread_wake(struct bridges *bridges);
/* A connection has proved that it is this end of this stream: takes it. */
void joint_arrived(struct bridges *bridges, struct joint *joint, unsigned way, struct conn *conn);

/* ---- bridge_rate.c */
/* The account of a span that has a rate. ERR_NOMEM. */
int account_take(struct bridges *bridges, struct span *span, uint64_t now);
void account_give(struct span *span);
/* How many bytes may be moved now; and they were. */
size_t account_allows(struct account *account, size_t wanted, uint64_t now);
void account_charge(struct account *account, size_t bytes);
/* When it will have enough again for a turn. */
uint64_t account_due(const struct account *account);

#endif

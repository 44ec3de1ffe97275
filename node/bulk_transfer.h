/* One running transfer or byte stream, as the threads of the bulk plane share it.
 *
 * Its lead thread sets up the streams (bulk_connect.c), then runs stream 0 (fetch_receive.c, fetch_send.c, bulk_flow.c);
 * each further stream has a thread for as long as data flows. The loop thread only says go or stop, and reads counters.
 *
 * The first fault ends all streams. One that is merely a lost connection gives way to a later, better one, such as what the
 * other side had to say on another stream. Lock order: gate, transfer, plan. */
#ifndef WEFT_NODE_BULK_TRANSFER_H
#define WEFT_NODE_BULK_TRANSFER_H

#include "bulk_gate.h"
#include "bulk_kept.h"
#include "fetch_plan.h"
#include "stream.h"
#include "transfer.h"

#include <pthread.h>
#include <stdatomic.h>

enum transfer_event { EVENT_READY, EVENT_CONNECTED, EVENT_DONE };

struct transfer {
    /* constant while the lead runs */
    struct gate *gate;
    const struct log *log;
    const char *spool;
    struct node_id self;
    struct receive *r; /* one of the three */
    struct send *s;
    struct duplex *d;
    struct kept *kept;                  /* of a duplex that lasts; else NULL */
    struct transfer_progress *progress; /* NULL: of a duplex */
    struct reception_info *info;
    uint8_t streams_wanted;
    unsigned addrs; /* of this node, to be offered; their port is not set */
    struct addr addr[RECEPTION_ENDPOINTS_MAX];
    uint32_t deadline_s;
    uint64_t deadline; /* for the streams to be up; CLOCK_MONOTONIC, ns */
    int stop_fd;       /* readable once stopped */
    struct gate_pass pass;
    void *owner; /* of what follows: tells the loop thread */
    void (*tell)(struct transfer *t, enum transfer_event event);
    void (*tell_item)(struct transfer *t, const char *path, const struct fault *fault);
    void (*tell_placed)(struct transfer *t, const char *path, const struct file_state *state);
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool go;
    struct msg_fetch_ok answer; /* a receiver's or caller's, set with go */
    int fd[2];                  /* a duplex's in and out, set with go; -1 once they have been taken */
    struct tls_link *arrived[STREAMS_MAX];
    bool impostor;    /* someone showed an identity of ours and did not know its key */
    unsigned streams; /* up */
    struct stream stream[STREAMS_MAX];
    struct fault fault;
    struct plan *plan;    /* a receiver's, whose waits end too when the transfer stops; NULL: none */
    _Atomic bool stopped; /* a fault is set */
};

/* Initialises lock, condition and stop_fd of a zeroed struct. */
int transfer_init(struct transfer *t, struct fault *fault);
void transfer_fini(struct transfer *t);

/* The first fault, or a better one, becomes the transfer's; all its streams break and all its waits end. Any thread. */
void transfer_fail(struct transfer *t, const struct fault *fault);
void transfer_failf(struct transfer *t, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool transfer_stopped(struct transfer *t);
void transfer_set_plan(struct transfer *t, struct plan *plan);
void transfer_go(struct transfer *t, const struct msg_fetch_ok *answer);

/* ---- the lead's */

/* Until transfer_go, and then until the streams 0 to n - 1 have arrived: true; false when it has failed meanwhile. */
bool transfer_wait_go(struct transfer *t);
bool transfer_wait_streams(struct transfer *t, unsigned n);
/* What a gate's pass calls; arg is the transfer. */
void transfer_arrive(void *arg, uint8_t index, struct tls_link *link);
/* Makes streams of what has arrived. False when it failed. */
bool transfer_open_streams(struct transfer *t, unsigned n, int patience_s);

/* Sets up all streams, in either role; false when that failed. A duplex's caller makes the reception object, as a receiver
 * does, and its callee connects to it, as a sender does. (bulk_connect.c) */
bool transfer_connect_receive(struct transfer *t);
bool transfer_connect_send(struct transfer *t);

/* Calls run(arg, index) for every stream at once, stream 0 on this thread, and returns when all have returned. A run that ends
 * with an error must have called transfer_fail. */
void transfer_run(struct transfer *t, void (*run)(void *arg, unsigned index), void *arg);
/* Closes the streams. */
void transfer_close_streams(struct transfer *t);
unsigned transfer_streams(struct transfer *t); /* open now; any thread */

/* The jobs of a lead, once the streams are up. They report by transfer_fail. */
void fetch_receive(struct transfer *t);
void fetch_send(struct transfer *t);
void flow(struct transfer *t);
void flow_on(struct transfer *t); /* of a stream that lasts (bulk_last.c) */

/* The bytes that a receive may bring at most: its limit, or the room at its destination; at least 1. */
uint64_t fetch_limit(const struct receive *r);

/* How long a sender bears silence: the receiver may be making much durable, or hashing what an earlier attempt left. A host
 * that is gone is noticed much earlier, by keep-alives. */
#define SEND_PATIENCE_S (20 * STREAM_SILENCE_S)
/* A thread that has nothing to say for so long sends a KEEP. */
#define KEEP_INTERVAL (10 * SECOND)

#endif

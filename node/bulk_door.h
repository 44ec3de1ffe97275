/* The gate's inside, shared by bulk_gate.c (passes, port) and bulk_door.c (the thread at the port). */
#ifndef WEFT_NODE_BULK_DOOR_H
#define WEFT_NODE_BULK_DOOR_H

#include "addr.h"
#include "bulk_gate.h"
#include "bulk_thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* A connection that has not shaken hands. */
struct half {
    struct served served; /* first */
    TAILQ_ENTRY(half) link;
    struct gate *gate;
    int fd;
    struct tls_link *tls; /* made at the first byte: until then a connection costs its descriptor only */
    struct addr from;
    uint64_t deadline;
    uint64_t serial; /* of the pass whose identity it has claimed; 0: none yet */
    uint8_t index;
};

TAILQ_HEAD(half_list, half);

struct gate {
    const struct log *log;
    struct tls *tls;
    pthread_mutex_t lock; /* passes and listener */
    unsigned passes;
    struct gate_pass *pass[RECEPTIONS_MAX];
    uint64_t serial;
    int listener; /* -1: closed */
    uint16_t port;
    _Atomic uint64_t refused;
    _Atomic bool stopping;
    /* the thread's own */
    pthread_t thread;
    bool started;
    int epoll, wake;
    struct half_list halves; /* oldest first, hence in order of deadline */
    unsigned unclaimed;
    uint64_t resume; /* when to accept again after running out of descriptors; 0: accepting */
};

int door_start(struct gate *gate, struct fault *fault);
/* Joins the thread. Fine when it never started. */
void door_stop(struct gate *gate);
void door_wake(struct gate *gate);

/* Is it one of the passes'? For struct served of a half-open connection. */
bool gate_claim(struct served *self, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES]);
/* Hands a connection, or with link NULL the news that it failed, to the pass it has claimed. */
void gate_arrived(struct gate *gate, const struct half *half, struct tls_link *link);

#endif

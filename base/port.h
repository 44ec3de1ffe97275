/* The port: all that the pure core may ask of the world.
 *
 * Protocol logic is event in, actions out. It owns no socket, thread, clock, random source or global; what it needs, it asks
 * of a `struct port`. There are two: the running node (node/loop.c: ZeroMQ, UDP, workers) and the simulated world
 * (tests/sim/world.c: virtual time, seeded random). All calls return at once; what they cause comes back as an event of the
 * core (node/core.h), never from inside the call. */
#ifndef WEFT_BASE_PORT_H
#define WEFT_BASE_PORT_H

#include "addr.h"
#include "id.h"
#include "log.h"
#include "timers.h"

/* One connection to one node, as the core names it. Numbers are never used twice in one life of a node. */
typedef uint64_t link_no;

struct job;      /* node/job.h: work for the store actor or a worker */
struct receive;  /* node/transfer.h: a transfer to this node */
struct send;     /* node/transfer.h: a transfer from it */
struct duplex;   /* node/transfer.h: a byte stream both ways */
struct resource; /* node/transfer.h: what it is joined to, when that is no program */
struct bridge;   /* node/transfer.h: streams of others, joined */
struct msg_fetch_ok;
struct row; /* base/row.h: what goes to a client of the control socket */

struct port {
    void *self;
    const struct log *log;

    uint64_t (*now)(void *self); /* monotonic nanoseconds */
    void (*random)(void *self, void *buf, size_t n);
    void (*timer_set)(void *self, struct timer *t, uint64_t at);
    void (*timer_cancel)(void *self, struct timer *t);

    /* A datagram to every interface (`to` NULL) or to one address. Best effort. */
    void (*datagram)(void *self, const struct addr *to, const void *bytes, size_t n);

    /* Starts a connection to `peer` at an endpoint, under the core's number. Nothing tells that it failed: the core sets a
     * deadline for the first answer. ERR_FULL when no more sockets may be made, ERR_MALFORMED for the endpoint. */
    int (*dial)(void *self, link_no link, const struct node_id *peer, const char *endpoint);
    /* Queues one message. ERR_FULL when the link's queue is full, ERR_UNREACHABLE when the link is gone. */
    int (*send)(void *self, link_no link, const void *bytes, size_t n);
    /* Forgets a link, after what is queued has been sent. */
    void (*hangup)(void *self, link_no link);

    /* Hands over a job (takes it). It comes back once, by job->done on the core's thread. */
    void (*job)(void *self, struct job *job);

    /* Transfers: see node/transfer.h for who calls what when. */
    void (*receive_start)(void *self, struct receive *r);
    void (*receive_confirm)(void *self, struct receive *r, const struct msg_fetch_ok *answer);
    void (*receive_cancel)(void *self, struct receive *r, int code);
    void (*send_start)(void *self, struct send *s);
    void (*send_go)(void *self, struct send *s);
    void (*send_cancel)(void *self, struct send *s, int code);
    void (*duplex_start)(void *self, struct duplex *d);
    void (*duplex_confirm)(void *self, struct duplex *d, const struct msg_fetch_ok *answer); /* caller */
    void (*duplex_go)(void *self, struct duplex *d);                                         /* callee */
    void (*duplex_cancel)(void *self, struct duplex *d, int code);
    void (*duplex_drop)(void *self, const struct tag *stream); /* what is parked under that name */
    void (*resource_open)(void *self, struct resource *r);
    void (*resource_close)(void *self, struct resource *r); /* also before opened(), which then does not come */
    int (*bridge_open)(void *self, struct bridge *b);       /* ERR_FULL, ERR_UNREACHABLE: no address to be dialled at */
    void (*bridge_close)(void *self, struct bridge *b, int code);

    /* One row to a client of the control socket (borrows). Rows to a client that went away are dropped. Client 0 is whoever
     * started the node: it is told of "peer", "trust", "transfer" and "warning" events. */
    void (*reply)(void *self, uint64_t client, const struct row *row);
    /* Bytes of rows that wait for a client to read: who has much to tell waits meanwhile. */
    size_t (*unread)(void *self, uint64_t client);
    /* Adds what only the port knows to a "status" row; sends its "check" rows (sockets, interfaces, disk) to a client. */
    void (*describe)(void *self, struct row *status);
    void (*check)(void *self, uint64_t client);
    /* The verb "down": stop this node soon. */
    void (*stop)(void *self);

    /* Where this node can be dialled now, best first. Returns how many, at most `max`. */
    size_t (*endpoints)(void *self, struct endpoint *out, size_t max);
    /* The scopes (addr.h) that this node shares with others on its machine: is `scope` one of them? */
    bool (*in_scope)(void *self, uint64_t scope);
};

#endif

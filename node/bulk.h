/* The bulk plane: out-of-band data after US 5,867,650.
 *
 * Reception objects are made before the RPC that names them. A reception object admits just its peer, who proves by TLS 1.3
 * with the one-time key as external PSK that it read the RPC; each stream index once, until the deadline. The port is open only
 * while one is outstanding, and does nothing for a connection that names none. Streams are blocking sockets with a thread
 * each (bulk pool); accepting and shaking hands is one thread's work with a small table of half-open connections.
 *
 * Everything here may be called from the loop thread only and returns at once. */
#ifndef WEFT_NODE_BULK_H
#define WEFT_NODE_BULK_H

#include "addr.h"
#include "id.h"
#include "log.h"
#include "transfer.h"

struct bulk;

struct bulk_config {
    const struct log *log;
    struct node_id self;
    const char *spool;   /* folder for unlinked temporary files; lives as long as the bulk plane */
    uint8_t streams;     /* of one receive; 0: as many as help on this machine */
    uint32_t deadline_s; /* for the streams of a receive to be up; 0: RECEPTION_DEADLINE_S */
    /* Addresses of this machine on which reception objects may be offered, best first; port is ignored. */
    size_t (*addresses)(void *arg, struct addr *out, size_t max);
    /* Runs fn(data) on the loop thread soon, also after bulk_free (fn then only frees). Callable from any thread. */
    void (*post)(void *arg, void (*fn)(void *data), void *data);
    void *arg;
};

int bulk_new(const struct bulk_config *config, struct bulk **bulk, struct fault *fault);
/* Cancels what runs, joins every thread, runs no more callbacks. NULL is fine. */
void bulk_free(struct bulk *bulk);

/* The port's side of transfer.h. A start that fails at once still ends by done(). */
void bulk_receive_start(struct bulk *bulk, struct receive *r);
void bulk_receive_confirm(struct bulk *bulk, struct receive *r, const struct msg_fetch_ok *answer);
void bulk_receive_cancel(struct bulk *bulk, struct receive *r, int code);
void bulk_send_start(struct bulk *bulk, struct send *s);
void bulk_send_go(struct bulk *bulk, struct send *s);
void bulk_send_cancel(struct bulk *bulk, struct send *s, int code);
void bulk_duplex_start(struct bulk *bulk, struct duplex *d);
/* These take the two descriptors, in and out: they are closed when their direction has ended. A pair of -1 ends the stream,
 * unless it goes on with those it has (`again`). */
void bulk_duplex_confirm(struct bulk *bulk, struct duplex *d, const struct msg_fetch_ok *answer, const int fd[2]);
void bulk_duplex_go(struct bulk *bulk, struct duplex *d, const int fd[2]);
/* ERR_CHANGED only parks one that lasts. */
void bulk_duplex_cancel(struct bulk *bulk, struct duplex *d, int code);
void bulk_duplex_drop(struct bulk *bulk, const struct tag *stream);

/* For status and doctor: streams in use, outstanding reception objects, connections refused since start. */
struct bulk_counts {
    uint32_t streams, receptions;
    uint64_t refused;
};
void bulk_counts(struct bulk *bulk, struct bulk_counts *out);

#endif

/* The gate: the bulk plane's listening port.
 *
 * A pass is a reception object as its listener keeps it: one identity and key a stream, until a deadline. The port is open
 * only while a pass is; a connection that shows none gets nothing but a TLS alert. One thread accepts and shakes hands,
 * without blocking, for a bounded number of connections.
 *
 * Invariants:
 * 1. An identity is claimed at its first look-up and never valid again, however that handshake ends.
 * 2. Identities are compared in constant time, all of them at every look-up.
 * 3. At most HALF_OPEN_MAX connections have shown no valid identity; the oldest of the address that has most of them makes
 *    room. One that has shown its identity is never pushed out.
 * 4. arrive() is called at most once per stream, and not after gate_close has returned. */
#ifndef WEFT_NODE_BULK_GATE_H
#define WEFT_NODE_BULK_GATE_H

#include "log.h"
#include "tls.h"

struct gate;

/* What tls_server is given for a connection begins with this: who is asked whose key an identity's is. At the port that is all
 * passes; on a connection that we have dialled ourselves (bulk_dial.c), one stream. The contract is tls_claim's. */
struct served {
    bool (*claim)(struct served *self, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES]);
};

struct gate_pass {
    /* the owner's, constant while the pass is open */
    uint8_t streams;
    struct tls_secret secret[STREAMS_MAX];
    uint64_t deadline; /* CLOCK_MONOTONIC, ns */
    /* A stream has shaken hands (gives link), or, with link NULL, someone showed its identity without
     * knowing the key. On the gate's thread, under its lock: may not call the gate. */
    void (*arrive)(void *arg, uint8_t index, struct tls_link *link);
    void *arg;
    /* the gate's */
    uint64_t serial;
    uint32_t claimed; /* bit per stream */
};

int gate_new(const struct log *log, struct gate **gate, struct fault *fault);
/* All passes must be closed. NULL is fine. */
void gate_free(struct gate *gate);

/* Opens a pass (borrows until gate_close) and the port if need be; tells its number. ERR_FULL beyond RECEPTIONS_MAX. */
int gate_open(struct gate *gate, struct gate_pass *pass, uint16_t *port, struct fault *fault);
/* Wipes its keys. A pass that is not open is fine. */
void gate_close(struct gate *gate, struct gate_pass *pass);

/* The TLS contexts, for those who dial or accept. Callable from any thread. ERR_UNSUPPORTED, ERR_NOMEM. */
int gate_tls(struct gate *gate, struct tls **tls, struct fault *fault);

void gate_counts(struct gate *gate, uint32_t *passes, uint64_t *refused);

#endif

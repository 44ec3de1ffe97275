/* The wire: every connection between this node and others, as numbered links.
 *
 * One ROUTER for each endpoint that is listened at, one DEALER for each that was dialled (ROUTER to ROUTER loses messages);
 * all with CURVE. Messages are single frames of at most MSG_BYTES_MAX bytes; others are dropped here. What they say is not
 * looked at. Everything belongs to the loop's thread. */
#ifndef WEFT_NODE_WIRE_H
#define WEFT_NODE_WIRE_H

#include "addr.h"
#include "identity.h"
#include "log.h"
#include "loop.h"
#include "port.h"

#define LISTENERS_MAX 16

struct wire;

struct wire_config {
    const struct identity *identity; /* borrows, for the wire's life */
    struct loop *loop;
    const struct log *log;
    /* Somebody dialled us and proved to hold `curve`; told before its first message. */
    void (*accepted)(void *arg, link_no link, const uint8_t curve[CURVE_KEY_BYTES]);
    void (*message)(void *arg, link_no link, const void *bytes, size_t n);
    /* The connection is gone; never after wire_hangup. */
    void (*lost)(void *arg, link_no link);
    void *arg;
};

struct wire_counts {
    unsigned links;     /* in use */
    uint64_t refused;   /* connections: too many of an address, or silent */
    uint64_t malformed; /* messages dropped here */
};

int wire_new(const struct wire_config *config, struct wire **wire, struct fault *fault);
/* Closes everything; waits at most SOCKET_LINGER_MS for what is queued. No more callbacks. NULL is fine. */
void wire_free(struct wire *wire);

/* Listens at tcp://ADDR:PORT (each may be *), ws://ADDR:PORT or ipc://PATH; `bound` gets what became of it. ERR_USAGE,
 * ERR_EXISTS when it is in use, ERR_FULL. */
int wire_listen(struct wire *wire, const char *endpoint, char bound[ENDPOINT_TEXT], struct fault *fault);

/* As the functions of struct port. */
int wire_dial(struct wire *wire, link_no link, const struct node_id *peer, const char *endpoint);
int wire_send(struct wire *wire, link_no link, const void *bytes, size_t n);
void wire_hangup(struct wire *wire, link_no link);

/* Ends the links that stand on an address of this machine which is none of these: it is gone. */
void wire_keep(struct wire *wire, const struct addr *local, size_t count);

void wire_count(const struct wire *wire, struct wire_counts *out);

#endif

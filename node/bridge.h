/* Bridges: bulk streams of two other nodes, joined at a relay. Each of the two dials a reception object here, shows by a keyed
 * hash that it was told of it, and then speaks TLS with the other one, whose key never comes here: the ciphertext goes from one
 * socket to the other inside the kernel (splice). Part of the runtime; one thread with epoll does it all.
 *
 * The port is open only while a bridge is, and does nothing for a connection that shows no valid way. All may be called from
 * the loop thread only, and return at once. */
#ifndef WEFT_NODE_BRIDGE_H
#define WEFT_NODE_BRIDGE_H

#include "bulk.h"

struct bridges;

/* Of `config` log, addresses, post and arg are used. */
int bridges_new(const struct bulk_config *config, struct bridges **out, struct fault *fault);
/* Closes all, joins the thread, runs no more callbacks. NULL is fine. */
void bridges_free(struct bridges *bridges);

/* As struct bridge (transfer.h) says. */
int bridge_open(struct bridges *bridges, struct bridge *b);
void bridge_close(struct bridges *bridges, struct bridge *b, int code);

/* For status and doctor: bridges, and connections refused since start. */
struct bridge_counts {
    uint32_t open;
    uint64_t refused;
};
void bridge_counts(struct bridges *bridges, struct bridge_counts *out);

#endif

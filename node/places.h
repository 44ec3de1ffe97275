/* Where a node can be dialled: from what it listens at and the interfaces it has, the endpoints of its record.
 *
 * Also the two scopes of addr.h: which processes see the same loopback network, and which see the same files. */
#ifndef WEFT_NODE_PLACES_H
#define WEFT_NODE_PLACES_H

#include "addr.h"
#include "udp.h"
#include "wire.h"

struct places {
    uint64_t files_scope, loopback_scope; /* never 0 */
    size_t count;
    char bound[LISTENERS_MAX][ENDPOINT_TEXT];
};

/* Finds out the scopes. */
void places_init(struct places *places);
/* What is listened at, as ZeroMQ tells it. At most LISTENERS_MAX are kept. */
void places_add(struct places *places, const char *bound);

/* The endpoints, best first: ipc, then tcp, then ws; of the latter two an address of each interface, loopback last. A wildcard
 * is every one of the `count` addresses. Where not all fit, all but one of tcp's come before any of ws, which has that one.
 * Link-local IPv6 addresses are left out: the far side's interface is not ours to name. */
size_t places_endpoints(const struct places *places, const struct udp_interface *face, size_t count, struct endpoint *out,
                        size_t max);
/* The same for bulk connections: addresses, loopback last, port 0. */
size_t places_addresses(const struct udp_interface *face, size_t count, struct addr *out, size_t max);
bool places_in_scope(const struct places *places, uint64_t scope);

/* A path for this home's ipc socket, in a folder that is ours alone; made if need be. ERR_LIMIT when there is none that
 * fits. */
int places_ipc(const char *home, char endpoint[ENDPOINT_TEXT]);

#endif

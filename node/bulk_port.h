/* A listening TCP port of this node on all its addresses, for the bulk plane (bulk_gate.c) and for bridges (bridge.c). */
#ifndef WEFT_NODE_BULK_PORT_H
#define WEFT_NODE_BULK_PORT_H

#include "addr.h"

/* Any free port, of both families where the kernel has IPv6. Gives a non-blocking socket, or -1 with errno. */
int port_listen(uint16_t *port);
/* One connection, non-blocking. 0, or an errno value. */
int port_accept(int listener, int *fd, struct addr *from);
/* Has accepting run out of descriptors or memory? Then it is to pause: the port would be ready for ever. */
bool port_exhausted(int why);
/* A host that is gone shows by unanswered keep-alives; small writes leave at once. */
void port_tune(int fd);

#endif

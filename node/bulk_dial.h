/* Dialling one stream: its addresses are raced (happy eyeballs), and the race is won by who proves the key, not by who accepts
 * the connection. Blocks the calling thread, until the deadline or until stop_fd can be read.
 *
 * The addresses may be a relay's: then it is told the way first (bridge_hello.h), and who proves the key is the other end, who
 * dials the relay too. One of the two serves TLS there although it has dialled; its identity is claimed once, whichever of
 * its connections is shown it. */
#ifndef WEFT_NODE_BULK_DIAL_H
#define WEFT_NODE_BULK_DIAL_H

#include "tls.h"

struct dial {
    struct tls *tls;
    const struct tls_secret *secret;
    const struct addr *addr; /* best first */
    unsigned addrs;          /* at most RECEPTION_ENDPOINTS_MAX */
    uint64_t deadline;       /* CLOCK_MONOTONIC, ns */
    int stop_fd;
    const struct relay_way *way; /* the addresses are a relay's, and this is the way to go; NULL: the other side's own */
    uint8_t index;               /* of the stream */
    bool serve;
};

/* Gives *link; *won is the number of its address. ERR_UNREACHABLE when none answered, ERR_REFUSED when who answered did not
 * prove the key, ERR_TIMEOUT, ERR_CANCELLED by stop_fd. */
int dial_race(const struct dial *d, struct tls_link **link, unsigned *won, struct fault *fault);

#endif

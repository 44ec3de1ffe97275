/* Tickets: one word that lets two nodes trust each other.
 *
 * In text "weft1" and base32 of: inviter's id (32), secret (16), count of addresses (1), the addresses (family 1, ip 16,
 * port 2 each), and the first 4 bytes of a hash over all that, which catches typing errors. The secret never travels: each
 * side shows by a keyed hash over both ids that it has it. */
#ifndef WEFT_NODE_TICKET_H
#define WEFT_NODE_TICKET_H

#include "addr.h"
#include "err.h"
#include "id.h"

#define TICKET_PREFIX "weft1"
#define TICKET_ADDRS_MAX 4
#define TICKET_SECRET_BYTES 16
#define TICKET_PROOF_BYTES 32
#define TICKET_TEXT 240 /* with its NUL */

struct ticket_text {
    struct node_id inviter;
    uint8_t secret[TICKET_SECRET_BYTES];
    uint8_t addr_count;
    struct addr addr[TICKET_ADDRS_MAX];
};

void ticket_write(const struct ticket_text *ticket, char out[TICKET_TEXT]);
/* ERR_MALFORMED for anything that ticket_write would not write. */
int ticket_read(const char *text, struct ticket_text *ticket);

/* The public number of a ticket with this secret. */
struct tag ticket_id(const uint8_t secret[TICKET_SECRET_BYTES]);
/* Shows that `prover` knows the secret, to `verifier`. */
void ticket_proof(const uint8_t secret[TICKET_SECRET_BYTES], const struct node_id *prover, const struct node_id *verifier,
                  uint8_t proof[TICKET_PROOF_BYTES]);

#endif

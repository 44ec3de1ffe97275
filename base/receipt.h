/* Receipts: a reading program's own word that it has taken messages of a channel, as a datagram to the sender's node.
 *
 * What was taken is told to the sender by the reader's node, in ACK. When that node is killed or frozen, the last of it would
 * be lost with it, and messages that have been handled would be sent to another binder. The receipt goes past the node: the
 * program sends it as soon as it has handled a message. It is a hint that may be lost; it proves itself by the key that the
 * sender gave in OPEN, and it can say nothing but that more has been taken. On the wire: [body, mac] with
 * body = ["weft receipt", 1, channel, seq] and mac = HMAC-SHA-512-256 over body (libsodium's crypto_auth). */
#ifndef WEFT_BASE_RECEIPT_H
#define WEFT_BASE_RECEIPT_H

#include "id.h"

#include <stdbool.h>

#define RECEIPT_BYTES_MAX 128
#define RECEIPT_KEY_BYTES 32

struct receipt {
    struct tag channel;
    uint64_t seq; /* all below have been taken */
};

/* Encodes into RECEIPT_BYTES_MAX bytes. Returns the length. */
size_t receipt_write(const struct receipt *receipt, const uint8_t key[RECEIPT_KEY_BYTES], uint8_t buf[RECEIPT_BYTES_MAX]);
/* Reads one without checking its mac. ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED. */
int receipt_read(const void *bytes, size_t n, struct receipt *out);
/* Was it, which receipt_read has read, made with this key? */
bool receipt_proves(const void *bytes, size_t n, const uint8_t key[RECEIPT_KEY_BYTES]);

#endif

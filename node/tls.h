/* TLS 1.3 with an external one-time key, and nothing else.
 *
 * One suite (AES-128-GCM with SHA-256), one group (X25519), no certificates, no tickets, no early data, no resumption. Who
 * finishes the handshake knew the key of this stream; it is all that the stream's peer has to prove.
 *
 * Invariants:
 * 1. A client goes on only if the server proved the key: OpenSSL cannot demand that in the handshake (it would accept any
 *    certificate that its trust store accepts), so the trust store is empty and tls_shake looks again afterwards.
 * 2. A server asks tls_claim for every identity it is shown, once per connection. Who answers "yes" must never do so again
 *    for that identity. */
#ifndef WEFT_NODE_TLS_H
#define WEFT_NODE_TLS_H

#include "err.h"
#include "msg.h"

#define TLS_IDENTITY_BYTES (TAG_BYTES + 1) /* reception id, stream index */
#define TLS_PSK_BYTES 32

struct tls_secret { /* of one stream */
    uint8_t identity[TLS_IDENTITY_BYTES];
    uint8_t psk[TLS_PSK_BYTES];
};

/* HKDF-SHA256 over the reception's one-time key, bound to receiver, sender, reception id and stream index: what is learned of
 * one stream's key says nothing about another's. ERR_NOMEM. */
int tls_derive(const struct reception_info *info, const struct node_id *receiver, const struct node_id *sender, uint8_t index,
               struct tls_secret *out);

/* A server's question: whose key is this identity's? Copies the key into `psk` and returns true, or false. `connection` is
 * what tls_server was given. Called in tls_shake, on its thread. */
typedef bool tls_claim(void *connection, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES]);

struct tls;      /* the two contexts of a node; threads may share it */
struct tls_link; /* one connection; one thread at a time */

int tls_new(tls_claim *claim, struct tls **tls, struct fault *fault);
void tls_free(struct tls *tls);

/* A connection on a connected socket (takes fd, also when it fails). `connection` and `secret` are borrowed until the handshake
 * has ended. NULL: out of memory. */
struct tls_link *tls_server(struct tls *tls, int fd, void *connection);
struct tls_link *tls_client(struct tls *tls, int fd, const struct tls_secret *secret);
/* Closes the socket. NULL is fine. */
void tls_link_free(struct tls_link *link);
int tls_fd(const struct tls_link *link);
/* Bytes that its socket has read and written so far, records and handshake included. */
void tls_moved(const struct tls_link *link, uint64_t *in, uint64_t *out);
/* So many were written to it before. */
void tls_written_before(struct tls_link *link, uint64_t n);

/* The calls below set *want to 0, or to POLLIN or POLLOUT when they return 0 because the socket would block (for a blocking
 * socket: because it ran into its timeout). Else they return 0 or
 *   ERR_UNREACHABLE  the connection ended, in order or not,
 *   ERR_REFUSED      the handshake failed, or the other side did not prove the key,
 *   ERR_VERIFY       bytes arrived that the other side did not write. */

/* One step of the handshake; done when it returns 0 with *want == 0. */
int tls_shake(struct tls_link *link, short *want);
/* Reads between 1 and `n` bytes into `buf`. */
int tls_read(struct tls_link *link, void *buf, size_t n, size_t *got, short *want);
/* Has it read bytes from the socket that tls_read has not given yet? Polling would not tell. */
bool tls_pending(const struct tls_link *link);
/* Writes all `n` bytes; after a *want it must be called again with the same ones. */
int tls_write(struct tls_link *link, const void *buf, size_t n, short *want);
/* From now on the records of one tls_write leave together, `n` bytes in a system call: the kernel then makes few large
 * packets of them instead of many of a record each. For blocking sockets, after the handshake. ERR_NOMEM: they go on leaving
 * one by one. */
int tls_gather(struct tls_link *link, size_t n);
/* A new key for what we write from now on. */
int tls_rekey(struct tls_link *link);
/* Says that we shall write no more. Best effort. */
void tls_goodbye(struct tls_link *link);

#endif

/* A node's keys, and signatures made and checked with them.
 *
 * One Ed25519 seed of 32 bytes is the whole secret of a node. Its public key is the node id; the X25519 pair of its CURVE
 * sockets is derived from it with libsodium, so whoever knows an id also knows which CURVE key proves it. */
#ifndef WEFT_BASE_IDENTITY_H
#define WEFT_BASE_IDENTITY_H

#include "id.h"

#define SEED_BYTES 32
#define CURVE_KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define SIGNED_BYTES_MAX 4096 /* one signed statement; beacons and records are far below */
#define CONTEXT_BYTES_MAX 32  /* a context word */

struct identity {
    struct node_id id;
    uint8_t sign_secret[64];
    uint8_t curve_public[CURVE_KEY_BYTES];
    uint8_t curve_secret[CURVE_KEY_BYTES];
};

/* Derives all keys from the seed. Call once per identity; wipe with identity_wipe. */
void identity_from_seed(const uint8_t seed[SEED_BYTES], struct identity *out);
void identity_wipe(struct identity *identity);

/* The CURVE key that belongs to an id. ERR_MALFORMED if the 32 bytes are no valid Ed25519 key. */
int id_curve_key(const struct node_id *id, uint8_t curve_public[CURVE_KEY_BYTES]);

/* Signs or checks `n` bytes under a context word (such as "weft record 1"), so that a signature made for one use is never
 * valid in another: signed is the word, a zero byte, then the bytes (Ed25519, RFC 8032). At most SIGNED_BYTES_MAX bytes. check
 * returns ERR_VERIFY when the signature is not the id's. */
void identity_sign(const struct identity *identity, const char *context, const void *bytes, size_t n,
                   uint8_t signature[SIGNATURE_BYTES]);
int identity_check(const struct node_id *id, const char *context, const void *bytes, size_t n,
                   const uint8_t signature[SIGNATURE_BYTES]);

/* BLAKE2b-128 over a context word and up to two pieces, each behind its length as 8 bytes in network order: how pipe ids are
 * derived. `b` may be NULL when bn is 0. */
struct tag tag_derive(const char *context, const void *a, size_t an, const void *b, size_t bn);

#endif

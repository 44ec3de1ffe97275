/* A channel end to end over bytes that somebody else carries: Noise_IK_25519_ChaChaPoly_SHA256, as the Noise Protocol Framework
 * (revision 34) describes it, with the X25519 keys of node ids as static keys.
 *
 * The initiator knows the responder's key; the responder learns the initiator's, and that it is really there once the first
 * sealed message opens: the first handshake message alone could be an old one, sent again. Sealed messages are numbered, so
 * what is changed, left out, repeated, swapped or from another channel does not open, and the channel is dead from then on.
 * Pure: randomness is the caller's. */
#ifndef WEFT_BASE_NOISE_H
#define WEFT_BASE_NOISE_H

#include "err.h"
#include "identity.h"
#include "limits.h"

#include <stddef.h>

#define NOISE_TAG_BYTES 16 /* a sealed message is that much longer */

struct noise_cipher {
    uint8_t key[32];
    uint64_t n; /* of the next message */
};

/* Zeroed, or wiped, it is no channel: nothing can be sealed or opened. Holds secrets: wipe it. */
struct noise {
    enum noise_state { NOISE_NONE, NOISE_STARTED, NOISE_OPEN } state;
    uint8_t chain[32];
    uint8_t hash[32];            /* of all that was said in the handshake: both sides have the same, and nobody else */
    uint8_t ephemeral[32];       /* until the channel is open: our secret */
    uint8_t far_ephemeral[32];   /* until then: the public one of the other side */
    struct noise_cipher out, in; /* until then `out` is the handshake's */
};

/* Both sides state what the channel is for, byte for byte the same: the prologue. `ephemeral` are 32 random bytes, never used
 * twice; for the caller to wipe. */
struct noise_purpose {
    const void *prologue;
    size_t prologue_n;
    uint8_t ephemeral[32];
};

/* The initiator's first message. ERR_MALFORMED: `remote` is no key of anyone. */
int noise_start(struct noise *n, const struct identity *self, const uint8_t remote[CURVE_KEY_BYTES],
                const struct noise_purpose *purpose, uint8_t first[NOISE_FIRST_BYTES]);
/* The responder: checks it, gives the initiator's key and the second message; then the channel is open. ERR_VERIFY. */
int noise_accept(struct noise *n, const struct identity *self, const struct noise_purpose *purpose,
                 const uint8_t first[NOISE_FIRST_BYTES], uint8_t remote[CURVE_KEY_BYTES], uint8_t second[NOISE_SECOND_BYTES]);
/* The initiator, once: then the channel is open. ERR_VERIFY, and it is none any more. */
int noise_finish(struct noise *n, const struct identity *self, const uint8_t second[NOISE_SECOND_BYTES]);

/* Seals `len` bytes into `len + NOISE_TAG_BYTES`; opens the reverse, nothing of which is in `plain` when it fails. `plain` and
 * `sealed` may begin at the same place. ERR_VERIFY, now and ever after, both ways; ERR_LIMIT when the numbers are used up. */
int noise_seal(struct noise *n, const void *plain, size_t len, uint8_t *sealed);
int noise_open(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *plain);
void noise_wipe(struct noise *n);

#endif

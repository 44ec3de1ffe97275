/* The handshake behind noise.h, with a payload in each message as the specification allows. For noise.c, which sends none, and
 * for the published test vectors, which do.
 *
 * A message is NOISE_FIRST_BYTES or NOISE_SECOND_BYTES longer than its payload. */
#ifndef WEFT_BASE_NOISE_HANDSHAKE_H
#define WEFT_BASE_NOISE_HANDSHAKE_H

#include "noise.h"

struct noise_payload {
    uint8_t *b; /* writing: borrowed; reading: gets `n` bytes */
    size_t n;
};

struct noise_side {
    const struct identity *self;
    const struct noise_purpose *purpose;
};

/* The initiator: NOISE_NONE to NOISE_STARTED. */
int noise_first_write(struct noise *n, const struct noise_side *side, const uint8_t remote[CURVE_KEY_BYTES],
                      const struct noise_payload *payload, uint8_t *first);
/* The responder: one after the other; then the channel is NOISE_OPEN. */
int noise_first_read(struct noise *n, const struct noise_side *side, const uint8_t *first, uint8_t remote[CURVE_KEY_BYTES],
                     const struct noise_payload *payload);
int noise_second_write(struct noise *n, const uint8_t remote[CURVE_KEY_BYTES], const struct noise_payload *payload,
                       uint8_t *second);
/* The initiator: NOISE_STARTED to NOISE_OPEN. */
int noise_second_read(struct noise *n, const struct identity *self, const uint8_t *second, const struct noise_payload *payload);

/* One message under the cipher's next number. `hash`: 32 bytes that it is bound to, or NULL. ERR_LIMIT, ERR_VERIFY. */
int noise_cipher_seal(struct noise_cipher *c, const uint8_t *hash, const void *plain, size_t len, uint8_t *sealed);
int noise_cipher_open(struct noise_cipher *c, const uint8_t *hash, const uint8_t *sealed, size_t len, uint8_t *plain);

#endif

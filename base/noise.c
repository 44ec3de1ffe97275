/* The channel, and its handshake without payloads. See noise.h; the handshake itself is in noise_handshake.c.
 *
 * Invariants: (1) a key seals each number once; (2) what did not end well is wiped: there is nothing left to try again with. */
#include "noise_handshake.h"

#include <sodium.h>

static const struct noise_payload none = {NULL, 0};

/* Ends the channel unless all is well. */
static int kept_if(struct noise *n, int err)
{
    if (err)
        noise_wipe(n);
    return err;
}

int noise_start(struct noise *n, const struct identity *self, const uint8_t remote[CURVE_KEY_BYTES],
                const struct noise_purpose *purpose, uint8_t first[NOISE_FIRST_BYTES])
{
    return kept_if(n, noise_first_write(n, &(struct noise_side){self, purpose}, remote, &none, first) ? ERR_MALFORMED : 0);
}

int noise_accept(struct noise *n, const struct identity *self, const struct noise_purpose *purpose,
                 const uint8_t first[NOISE_FIRST_BYTES], uint8_t remote[CURVE_KEY_BYTES], uint8_t second[NOISE_SECOND_BYTES])
{
    int err = noise_first_read(n, &(struct noise_side){self, purpose}, first, remote, &none);
    if (!err)
        err = noise_second_write(n, remote, &none, second);
    return kept_if(n, err);
}

int noise_finish(struct noise *n, const struct identity *self, const uint8_t second[NOISE_SECOND_BYTES])
{
    return kept_if(n, n->state == NOISE_STARTED ? noise_second_read(n, self, second, &none) : ERR_VERIFY);
}

int noise_seal(struct noise *n, const void *plain, size_t len, uint8_t *sealed)
{
    return kept_if(n, n->state == NOISE_OPEN ? noise_cipher_seal(&n->out, NULL, plain, len, sealed) : ERR_VERIFY);
}

int noise_open(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *plain)
{
    return kept_if(n, n->state == NOISE_OPEN ? noise_cipher_open(&n->in, NULL, sealed, len, plain) : ERR_VERIFY);
}

void noise_wipe(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
}

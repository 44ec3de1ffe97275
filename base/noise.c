#include "noise.h"

#include <sodium.h>

int noise_start(struct noise *n, const struct identity *self, const uint8_t remote[CURVE_KEY_BYTES],
                const struct noise_purpose *purpose, uint8_t first[NOISE_FIRST_BYTES])
{
    (void)n, (void)self, (void)remote, (void)purpose, (void)first;
    return ERR_UNSUPPORTED;
}

int noise_accept(struct noise *n, const struct identity *self, const struct noise_purpose *purpose,
                 const uint8_t first[NOISE_FIRST_BYTES], uint8_t remote[CURVE_KEY_BYTES], uint8_t second[NOISE_SECOND_BYTES])
{
    (void)n, (void)self, (void)purpose, (void)first, (void)remote, (void)second;
    return ERR_UNSUPPORTED;
}

int noise_finish(struct noise *n, const struct identity *self, const uint8_t second[NOISE_SECOND_BYTES])
{
    (void)n, (void)self, (void)second;
    return ERR_UNSUPPORTED;
}

int noise_seal(struct noise *n, const void *plain, size_t len, uint8_t *sealed)
{
    (void)n, (void)plain, (void)len, (void)sealed;
    return ERR_UNSUPPORTED;
}

int noise_open(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *plain)
{
    (void)n, (void)plain, (void)len, (void)sealed;
    return ERR_UNSUPPORTED;
}

void noise_wipe(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
}

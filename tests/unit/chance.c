/* Numbers by chance: xorshift64 (Marsaglia 2003). See chance.h. */
#include "chance.h"

#include <string.h>

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

uint64_t random_below(uint64_t *state, uint64_t n)
{
    return (random_next(state) >> 16) % n;
}

void random_fill(uint64_t *state, uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t r = random_next(state);
        memcpy(at + i, &r, n - i < 8 ? n - i : 8);
    }
}

/* XXH3-128. See hash128.h. */
#include "hash128.h"

#include <string.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h> /* xxhash.h, with the widest instructions that the processor has */
#else
#include <xxhash.h>
#endif

static struct hash128 canonical(XXH128_hash_t value)
{
    XXH128_canonical_t big;
    struct hash128 hash;
    XXH128_canonicalFromHash(&big, value);
    memcpy(hash.b, big.digest, sizeof hash.b);
    return hash;
}

struct hash128 hash128_of(const void *bytes, size_t n)
{
    return canonical(XXH3_128bits(bytes, n));
}

struct hash128 hash128_seeded(const void *bytes, size_t n, uint64_t seed)
{
    return canonical(XXH3_128bits_withSeed(bytes, n, seed));
}

bool hash128_equal(const struct hash128 *a, const struct hash128 *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

/* A hasher is xxhash's state under our name: it has an alignment that only its own functions give. */
static XXH3_state_t *state(struct hasher *h)
{
    return (XXH3_state_t *)(void *)h;
}

struct hasher *hasher_new(void)
{
    XXH3_state_t *s = XXH3_createState();
    if (s) {
        XXH3_128bits_reset(s);
    }
    return (struct hasher *)(void *)s;
}

void hasher_free(struct hasher *h)
{
    XXH3_freeState(state(h));
}

void hasher_restart(struct hasher *h)
{
    XXH3_128bits_reset(state(h));
}

void hasher_copy(struct hasher *h, const struct hasher *from)
{
    XXH3_copyState(state(h), (const XXH3_state_t *)(const void *)from);
}

void hasher_feed(struct hasher *h, const void *bytes, size_t n)
{
    XXH3_128bits_update(state(h), bytes, n);
}

struct hash128 hasher_sum(const struct hasher *h)
{
    return canonical(XXH3_128bits_digest((const XXH3_state_t *)(const void *)h));
}

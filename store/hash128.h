/* XXH3-128: what contents are told apart by. It is no proof against those who look for collisions: peers prove who they are by
 * other means, and what a hash here says of bytes is only believed of what the reader has hashed itself. */
#ifndef WEFT_STORE_HASH128_H
#define WEFT_STORE_HASH128_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint8_t b[16]; /* canonical (big-endian) */
};

struct hash128 hash128_of(const void *bytes, size_t n);
struct hash128 hash128_seeded(const void *bytes, size_t n, uint64_t seed);
bool hash128_equal(const struct hash128 *a, const struct hash128 *b);

/* The hash of what comes piece by piece. new is NULL without memory; free takes NULL; sum may be asked for at any time. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_free(struct hasher *h);
void hasher_restart(struct hasher *h); /* as new */
void hasher_copy(struct hasher *h, const struct hasher *from);
void hasher_feed(struct hasher *h, const void *bytes, size_t n);
struct hash128 hasher_sum(const struct hasher *h);

#endif

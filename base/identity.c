/* Keys and signatures by libsodium. See identity.h.
 *
 * Does not store keys: node/home.c reads and writes the seed. */
#include "identity.h"

#include "err.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void identity_from_seed(const uint8_t seed[SEED_BYTES], struct identity *out)
{
    /* The conversions fail only for keys that do not come from a seed, sodium_init only where there is no randomness at all. */
    if (sodium_init() < 0 || crypto_sign_seed_keypair(out->id.b, out->sign_secret, seed) != 0 ||
        crypto_sign_ed25519_pk_to_curve25519(out->curve_public, out->id.b) != 0 ||
        crypto_sign_ed25519_sk_to_curve25519(out->curve_secret, out->sign_secret) != 0)
        abort();
}

void identity_wipe(struct identity *identity)
{
    sodium_memzero(identity, sizeof *identity);
}

int id_curve_key(const struct node_id *id, uint8_t curve_public[CURVE_KEY_BYTES])
{
    return crypto_sign_ed25519_pk_to_curve25519(curve_public, id->b) == 0 ? 0 : ERR_MALFORMED;
}

/* What is really signed: the context word, a zero byte, the bytes. Returns its length. */
static size_t frame(const char *context, const void *bytes, size_t n, uint8_t out[CONTEXT_BYTES_MAX + 1 + SIGNED_BYTES_MAX])
{
    size_t word = strlen(context) + 1;
    assert(word <= CONTEXT_BYTES_MAX + 1);
    memcpy(out, context, word);
    if (n)
        memcpy(out + word, bytes, n);
    return word + n;
}

void identity_sign(const struct identity *identity, const char *context, const void *bytes, size_t n,
                   uint8_t signature[SIGNATURE_BYTES])
{
    uint8_t framed[CONTEXT_BYTES_MAX + 1 + SIGNED_BYTES_MAX];
    assert(n <= SIGNED_BYTES_MAX);
    size_t len = frame(context, bytes, n, framed);
    crypto_sign_detached(signature, NULL, framed, len, identity->sign_secret);
}

int identity_check(const struct node_id *id, const char *context, const void *bytes, size_t n,
                   const uint8_t signature[SIGNATURE_BYTES])
{
    uint8_t framed[CONTEXT_BYTES_MAX + 1 + SIGNED_BYTES_MAX];
    if (n > SIGNED_BYTES_MAX)
        return ERR_VERIFY;
    size_t len = frame(context, bytes, n, framed);
    return crypto_sign_verify_detached(signature, framed, len, id->b) == 0 ? 0 : ERR_VERIFY;
}

/* Adds one piece behind its length, so that no two lists of pieces give the same bytes. */
static void hash_piece(crypto_generichash_state *hash, const void *bytes, size_t n)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
    crypto_generichash_update(hash, length, sizeof length);
    if (n)
        crypto_generichash_update(hash, bytes, n);
}

struct tag tag_derive(const char *context, const void *a, size_t an, const void *b, size_t bn)
{
    struct tag tag;
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, TAG_BYTES);
    hash_piece(&hash, context, strlen(context));
    hash_piece(&hash, a, an);
    hash_piece(&hash, b, bn);
    crypto_generichash_final(&hash, tag.b, TAG_BYTES);
    return tag;
}

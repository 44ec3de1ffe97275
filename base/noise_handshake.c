/* The two messages of Noise_IK_25519_ChaChaPoly_SHA256. See noise_handshake.h.
 *
 *   <- s
 *   ...
 *   -> e, es, s, ss
 *   <- e, ee, se
 *
 * The names here are those of the specification, section 5: MixHash, MixKey, EncryptAndHash, DecryptAndHash, Split. Its `k` and
 * `n` are n->out while the handshake lasts. A shared secret of zeros, which every key gives with a point of low order, is
 * refused. */
#include "noise_handshake.h"

#include <sodium.h>
#include <string.h>

#define PROTOCOL "Noise_IK_25519_ChaChaPoly_SHA256"
#define SEALED_KEY (CURVE_KEY_BYTES + NOISE_TAG_BYTES)

/* ---- ciphers */

static void nonce_of(uint64_t n, uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(nonce, 0, 4);
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(n >> 8 * i);
}

int noise_cipher_seal(struct noise_cipher *c, const uint8_t *hash, const void *plain, size_t len, uint8_t *sealed)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    if (c->n == UINT64_MAX)
        return ERR_LIMIT;
    nonce_of(c->n++, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, len, hash, hash ? 32 : 0, NULL, nonce, c->key);
    return 0;
}

int noise_cipher_open(struct noise_cipher *c, const uint8_t *hash, const uint8_t *sealed, size_t len, uint8_t *plain)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    if (c->n == UINT64_MAX)
        return ERR_LIMIT;
    nonce_of(c->n, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, len, hash, hash ? 32 : 0, nonce, c->key) != 0)
        return ERR_VERIFY;
    c->n++;
    return 0;
}

/* ---- the symmetric state */

static void mix_hash(struct noise *n, const void *bytes, size_t len)
{
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, n->hash, sizeof n->hash);
    crypto_hash_sha256_update(&hash, bytes, len);
    crypto_hash_sha256_final(&hash, n->hash);
}

/* HKDF with two outputs. `first` may be `chain`. */
static void derive(const uint8_t chain[32], const uint8_t *input, size_t len, uint8_t first[32], uint8_t second[32])
{
    uint8_t key[32], block[33];
    crypto_auth_hmacsha256(key, input, len, chain);
    crypto_auth_hmacsha256(first, (const uint8_t[]){1}, 1, key);
    memcpy(block, first, 32);
    block[32] = 2;
    crypto_auth_hmacsha256(second, block, sizeof block, key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(block, sizeof block);
}

/* MixKey (DH (secret, point)). */
static int mix_key(struct noise *n, const uint8_t secret[32], const uint8_t point[CURVE_KEY_BYTES])
{
    uint8_t shared[32];
    int err = crypto_scalarmult(shared, secret, point) == 0 ? 0 : ERR_VERIFY;
    derive(n->chain, shared, sizeof shared, n->chain, n->out.key);
    n->out.n = 0;
    sodium_memzero(shared, sizeof shared);
    return err;
}

static int seal_and_hash(struct noise *n, const uint8_t *plain, size_t len, uint8_t *sealed)
{
    int err = noise_cipher_seal(&n->out, n->hash, plain, len, sealed);
    mix_hash(n, sealed, len + NOISE_TAG_BYTES);
    return err;
}

static int open_and_hash(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *plain)
{
    int err = noise_cipher_open(&n->out, n->hash, sealed, len, plain);
    mix_hash(n, sealed, len);
    return err;
}

static void split(struct noise *n, bool initiator)
{
    struct noise_cipher forth = {.n = 0}, back = {.n = 0};
    derive(n->chain, NULL, 0, forth.key, back.key);
    n->out = initiator ? forth : back;
    n->in = initiator ? back : forth;
    n->state = NOISE_OPEN;
    sodium_memzero(&forth, sizeof forth);
    sodium_memzero(&back, sizeof back);
    sodium_memzero(n->chain, sizeof n->chain);
    sodium_memzero(n->ephemeral, sizeof n->ephemeral);
    sodium_memzero(n->far_ephemeral, sizeof n->far_ephemeral);
}

/* ---- the messages */

static void begin(struct noise *n, const struct noise_purpose *purpose, const uint8_t responder[CURVE_KEY_BYTES])
{
    _Static_assert(sizeof PROTOCOL - 1 == sizeof n->hash, "a name of another length is hashed, or padded");
    memset(n, 0, sizeof *n);
    memcpy(n->hash, PROTOCOL, sizeof n->hash);
    memcpy(n->chain, n->hash, sizeof n->chain);
    memcpy(n->ephemeral, purpose->ephemeral, sizeof n->ephemeral);
    mix_hash(n, purpose->prologue, purpose->prologue_n);
    mix_hash(n, responder, CURVE_KEY_BYTES);
}

/* `e`, written. */
static void ephemeral_write(struct noise *n, uint8_t e[CURVE_KEY_BYTES])
{
    crypto_scalarmult_base(e, n->ephemeral);
    mix_hash(n, e, CURVE_KEY_BYTES);
}

/* `e`, read. */
static void ephemeral_read(struct noise *n, const uint8_t e[CURVE_KEY_BYTES])
{
    memcpy(n->far_ephemeral, e, CURVE_KEY_BYTES);
    mix_hash(n, e, CURVE_KEY_BYTES);
}

int noise_first_write(struct noise *n, const struct noise_side *side, const uint8_t remote[CURVE_KEY_BYTES],
                      const struct noise_payload *payload, uint8_t *first)
{
    begin(n, side->purpose, remote);
    ephemeral_write(n, first);
    int err = mix_key(n, n->ephemeral, remote);
    if (!err)
        err = seal_and_hash(n, side->self->curve_public, CURVE_KEY_BYTES, first + CURVE_KEY_BYTES);
    if (!err)
        err = mix_key(n, side->self->curve_secret, remote);
    if (!err)
        err = seal_and_hash(n, payload->b, payload->n, first + CURVE_KEY_BYTES + SEALED_KEY);
    n->state = NOISE_STARTED;
    return err;
}

int noise_first_read(struct noise *n, const struct noise_side *side, const uint8_t *first, uint8_t remote[CURVE_KEY_BYTES],
                     const struct noise_payload *payload)
{
    const uint8_t *secret = side->self->curve_secret;
    begin(n, side->purpose, side->self->curve_public);
    ephemeral_read(n, first);
    int err = mix_key(n, secret, n->far_ephemeral);
    if (!err)
        err = open_and_hash(n, first + CURVE_KEY_BYTES, SEALED_KEY, remote);
    if (!err)
        err = mix_key(n, secret, remote);
    if (!err)
        err = open_and_hash(n, first + CURVE_KEY_BYTES + SEALED_KEY, payload->n + NOISE_TAG_BYTES, payload->b);
    return err;
}

int noise_second_write(struct noise *n, const uint8_t remote[CURVE_KEY_BYTES], const struct noise_payload *payload,
                       uint8_t *second)
{
    ephemeral_write(n, second);
    int err = mix_key(n, n->ephemeral, n->far_ephemeral);
    if (!err)
        err = mix_key(n, n->ephemeral, remote);
    if (!err)
        err = seal_and_hash(n, payload->b, payload->n, second + CURVE_KEY_BYTES);
    if (!err)
        split(n, false);
    return err;
}

int noise_second_read(struct noise *n, const struct identity *self, const uint8_t *second, const struct noise_payload *payload)
{
    ephemeral_read(n, second);
    int err = mix_key(n, n->ephemeral, n->far_ephemeral);
    if (!err)
        err = mix_key(n, self->curve_secret, n->far_ephemeral);
    if (!err)
        err = open_and_hash(n, second + CURVE_KEY_BYTES, payload->n + NOISE_TAG_BYTES, payload->b);
    if (!err)
        split(n, true);
    return err;
}

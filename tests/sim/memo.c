/* Signatures of a whole world, each checked once.
 *
 * In a world of a thousand nodes every beacon and every record is checked a thousand times by the same processor, which is
 * nearly all that such a world costs. The checks are functions of their arguments alone, so the linker puts these in their
 * place (see tests/CMakeLists.txt), which remember what came of the true ones. Both outcomes are remembered, under a hash of
 * all arguments: a forged signature is still one. */
#include "identity.h"

#include <sodium.h>
#include <string.h>

#define SLOTS 65536

int __real_identity_check(const struct node_id *id, const char *context, const void *bytes, size_t n,
                          const uint8_t signature[SIGNATURE_BYTES]);
int __wrap_identity_check(const struct node_id *id, const char *context, const void *bytes, size_t n,
                          const uint8_t signature[SIGNATURE_BYTES]);
int __real_id_curve_key(const struct node_id *id, uint8_t curve_public[CURVE_KEY_BYTES]);
int __wrap_id_curve_key(const struct node_id *id, uint8_t curve_public[CURVE_KEY_BYTES]);

struct checked {
    uint8_t key[32];
    bool known;
    int result;
};

struct converted {
    struct node_id id;
    bool known;
    uint8_t curve[CURVE_KEY_BYTES];
};

static size_t slot_of(const uint8_t *random)
{
    uint32_t n;
    memcpy(&n, random, sizeof n);
    return n % SLOTS;
}

int __wrap_identity_check(const struct node_id *id, const char *context, const void *bytes, size_t n,
                          const uint8_t signature[SIGNATURE_BYTES])
{
    static struct checked memo[SLOTS];
    crypto_generichash_state state;
    uint8_t key[32];
    crypto_generichash_init(&state, NULL, 0, sizeof key);
    crypto_generichash_update(&state, id->b, NODE_ID_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)context, strlen(context) + 1);
    crypto_generichash_update(&state, signature, SIGNATURE_BYTES);
    crypto_generichash_update(&state, bytes, n);
    crypto_generichash_final(&state, key, sizeof key);

    struct checked *c = &memo[slot_of(key)];
    if (!c->known || memcmp(c->key, key, sizeof key) != 0) {
        *c = (struct checked){.known = true, .result = __real_identity_check(id, context, bytes, n, signature)};
        memcpy(c->key, key, sizeof key);
    }
    return c->result;
}

int __wrap_id_curve_key(const struct node_id *id, uint8_t curve_public[CURVE_KEY_BYTES])
{
    static struct converted memo[SLOTS];
    struct converted *c = &memo[slot_of(id->b)];
    if (!c->known || !id_equal(&c->id, id)) {
        int err = __real_id_curve_key(id, curve_public);
        if (err)
            return err;
        *c = (struct converted){.id = *id, .known = true};
        memcpy(c->curve, curve_public, CURVE_KEY_BYTES);
    }
    memcpy(curve_public, c->curve, CURVE_KEY_BYTES);
    return 0;
}

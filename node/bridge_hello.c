#include "bridge_hello.h"

#include <sodium.h>
#include <string.h>

#define MAGIC "wr1"
#define INDEX_AT 3
#define ID_AT 4
#define PROOF_AT (ID_AT + TAG_BYTES)
#define PROOF_BYTES 32

_Static_assert(PROOF_AT + PROOF_BYTES == HELLO_BYTES, "the proof is the end of it");

static void prove(const uint8_t b[PROOF_AT], const uint8_t key[32], uint8_t proof[PROOF_BYTES])
{
    crypto_generichash(proof, PROOF_BYTES, b, PROOF_AT, key, 32);
}

void hello_encode(uint8_t b[HELLO_BYTES], const struct relay_way *way, uint8_t index)
{
    memcpy(b, MAGIC, INDEX_AT);
    b[INDEX_AT] = index;
    memcpy(b + ID_AT, way->id.b, TAG_BYTES);
    prove(b, way->key, b + PROOF_AT);
}

int hello_decode(const uint8_t b[HELLO_BYTES], struct hello *hello)
{
    if (memcmp(b, MAGIC, INDEX_AT) != 0 || b[INDEX_AT] >= STREAMS_MAX)
        return ERR_MALFORMED;
    hello->index = b[INDEX_AT];
    memcpy(hello->id.b, b + ID_AT, TAG_BYTES);
    return 0;
}

bool hello_proves(const uint8_t b[HELLO_BYTES], const uint8_t key[32])
{
    uint8_t proof[PROOF_BYTES];

    prove(b, key, proof);
    return sodium_memcmp(proof, b + PROOF_AT, PROOF_BYTES) == 0;
}

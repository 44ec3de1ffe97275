/* Node records: what is decoded can be signed again, and reads the same; nothing but what a key signed is verified. */
#include "record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[SEED_BYTES] = {1};
    struct identity identity;
    struct record_bytes bytes, signed_again;
    struct record first, second;
    if (record_bytes_set(&bytes, data, size) != 0 || record_decode(&bytes, &first) != 0)
        return 0;
    check(name_valid(first.name) && first.endpoint_count <= RECORD_ENDPOINTS_MAX);
    for (size_t i = 0; i < first.endpoint_count; i++)
        check(endpoint_valid(&first.endpoint[i]));
    int err = record_verify(&bytes, &first);
    check(err == 0 || err == ERR_VERIFY);

    identity_from_seed(seed, &identity);
    first.id = identity.id;
    check(record_sign(&first, &identity, &signed_again) == 0);
    check(record_decode(&signed_again, &second) == 0 && record_verify(&signed_again, &second) == 0);
    check(second.endpoint_count <= first.endpoint_count && record_compare(&first, &second) == 0);
    return 0;
}

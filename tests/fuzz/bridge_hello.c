/* The first bytes of a connection to a bridge: any are refused or read within their bounds, and what was read and proved with a
 * key is what that key's owner writes. */
#include "bridge_hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct relay_way way = {.addr_count = 0};
    uint8_t b[HELLO_BYTES], again[HELLO_BYTES];
    struct hello hello;

    if (size < HELLO_BYTES)
        return 0;
    memcpy(b, data, HELLO_BYTES);
    size_t n = size - HELLO_BYTES < sizeof way.key ? size - HELLO_BYTES : sizeof way.key;
    memcpy(way.key, data + HELLO_BYTES, n);
    if (hello_decode(b, &hello) != 0)
        return 0;
    way.id = hello.id;
    hello_encode(again, &way, hello.index);
    if (hello.index >= STREAMS_MAX || hello_proves(b, way.key) != (memcmp(b, again, HELLO_BYTES) == 0))
        abort();
    return 0;
}

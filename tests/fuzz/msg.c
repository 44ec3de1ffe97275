/* Messages between nodes: what is decoded can be encoded, and decodes to what encodes to the same bytes. */
#include "msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

struct buffers {
    struct msg first, second;
    uint8_t once[MSG_BYTES_MAX], twice[MSG_BYTES_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffers *b = malloc(sizeof *b);
    check(b != NULL);
    size_t n, again_n;
    int err = msg_decode(data, size, &b->first);
    check(err != ERR_UNSUPPORTED || b->first.type >= MSG_TYPE_END);
    if (err == 0) {
        check(msg_encode(&b->first, b->once, sizeof b->once, &n) == 0);
        check(n <= size);
        check(msg_decode(b->once, n, &b->second) == 0);
        check(b->second.type == b->first.type && b->second.request == b->first.request);
        check(msg_encode(&b->second, b->twice, sizeof b->twice, &again_n) == 0);
        check(again_n == n && memcmp(b->once, b->twice, n) == 0);
    }
    free(b);
    return 0;
}

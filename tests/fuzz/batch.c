/* Batches: what is read walks to its end, is built again to the same bytes, and may be cut behind any message. */
#include "batch.h"
#include "err.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void build_again(const struct batch *b)
{
    const uint8_t *bytes;
    size_t at = 0, n, used = 0;
    uint8_t *again = malloc(b->n + 1);
    check(again != NULL);
    uint64_t cost = 0;
    while (batch_next(b, &at, &bytes, &n)) {
        check(batch_add(again, b->n, &used, bytes, n) == 0);
        cost += BATCH_HEAD + n + PIPE_MESSAGE_COST;
    }
    check(used == b->n && (used == 0 || memcmp(again, b->bytes, used) == 0));
    check(batch_add(again, used, &used, "", 0) == ERR_FULL);
    check(cost == batch_cost(b));
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch b, rest;
    if (batch_read(data, size, &b) != 0) {
        check(b.n == 0 && b.count == 0);
        return 0;
    }
    build_again(&b);
    uint32_t skip = b.count / 2;
    struct batch half = batch_skip(&b, skip);
    check(half.count == b.count - skip);
    check(batch_read(half.bytes, half.n, &rest) == 0 && rest.count == half.count);
    check(batch_skip(&b, b.count).n == 0);
    return 0;
}

/* See flow_messages.h. */
#include "flow_messages.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const struct batch *numbers_from(struct numbers *n, uint64_t seq, uint32_t count, size_t size)
{
    uint8_t message[PIPE_MESSAGE_MAX] = {0};
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = seq + i;
        memcpy(message, &number, NUMBER_BYTES);
        assert_int_equal(batch_add(n->bytes, sizeof n->bytes, &used, message, size), 0);
    }
    assert_int_equal(batch_read(n->bytes, used, &n->batch), 0);
    return &n->batch;
}

uint64_t numbers_check(const struct batch *batch, uint64_t seq)
{
    const uint8_t *bytes;
    size_t at = 0, n;
    uint64_t number, first = seq;
    while (batch_next(batch, &at, &bytes, &n)) {
        memcpy(&number, bytes, NUMBER_BYTES);
        assert_int_equal(number, seq);
        seq++;
    }
    assert_int_equal(seq - first, batch->count);
    return seq;
}

/* Batches whose messages carry their numbers. */
#ifndef WEFT_TESTS_UNIT_FLOW_MESSAGES_H
#define WEFT_TESTS_UNIT_FLOW_MESSAGES_H

#include "batch.h"
#include "limits.h"

#define NUMBER_BYTES 8

struct numbers {
    uint8_t bytes[BATCH_BYTES_MAX];
    struct batch batch;
};

/* `count` messages of `size` bytes each, numbered from `seq`. */
const struct batch *numbers_from(struct numbers *n, uint64_t seq, uint32_t count, size_t size);
/* Asserts that a batch holds just the numbers from `seq`; the number behind its last. */
uint64_t numbers_check(const struct batch *batch, uint64_t seq);

#endif

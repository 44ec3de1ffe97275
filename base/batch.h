/* A batch: messages of a pipe, back to back, as they travel from the sender's program to the reader's.
 *
 * Each message is its length (4 bytes, big-endian) and its bytes. A batch is never taken apart on the way: what a program
 * writes in one go crosses its node, the link and the other node as one piece, so that a small message costs little more
 * than its bytes. */
#ifndef WEFT_BASE_BATCH_H
#define WEFT_BASE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_HEAD 4

/* A batch to be read: borrows. */
struct batch {
    const uint8_t *bytes;
    size_t n;
    uint32_t count; /* messages in it */
};

/* Checks `n` bytes from outside and counts their messages. ERR_MALFORMED: lengths and bytes do not fit. ERR_LIMIT: a message
 * of more than PIPE_MESSAGE_MAX bytes, or more than BATCH_BYTES_MAX in all. Without messages it is fine. */
int batch_read(const void *bytes, size_t n, struct batch *out);
/* The next message of a batch that batch_read gave, or false at its end. `at` starts at 0 and is moved on. */
bool batch_next(const struct batch *b, size_t *at, const uint8_t **bytes, size_t *n);
/* Without its first `count` messages. */
struct batch batch_skip(const struct batch *b, uint32_t count);

/* Appends a message to a buffer of `cap` bytes that holds `*used`. ERR_FULL when it does not fit, ERR_LIMIT when it is longer
 * than PIPE_MESSAGE_MAX. */
int batch_add(uint8_t *buf, size_t cap, size_t *used, const void *bytes, size_t n);

/* What a batch counts for where bytes are limited (queues, credit): its bytes, and PIPE_MESSAGE_COST for each message, so
 * that a million empty ones are not free. */
uint64_t batch_cost(const struct batch *b);

#endif

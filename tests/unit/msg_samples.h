/* One message of each shape, for the tests of their codecs and of what handles them. */
#ifndef WEFT_TESTS_MSG_SAMPLES_H
#define WEFT_TESTS_MSG_SAMPLES_H

#include "msg.h"

/* A message encoded, and room for another; too large for a stack. */
struct msg_buffers {
    struct msg msg, back;
    struct msg_wire {
        size_t n;
        uint8_t bytes[MSG_BYTES_MAX];
    } wire, other;
};

#define MSG_SAMPLES 81
#define MSG_SAMPLE_LISTS 18 /* lists in all of them together that may have one item less */

/* The name of the i-th: that of its file tests/golden/msg/NAME.hex. */
const char *msg_sample_name(size_t i);

/* Fills `m` with the sample of that name. Names and targets in it are constants. */
void msg_sample(const char *name, struct msg *m);
/* The same, encoded into b->wire. */
void msg_sample_encode(const char *name, struct msg_buffers *b);

/* Decodes from memory of exactly that size, so that a read behind its end is seen. What `m` borrows is gone afterwards. */
int msg_decode_exactly(const struct msg_wire *wire, size_t n, struct msg *m);

/* Group set-up and tear-down: *state is a struct msg_buffers. */
int msg_buffers_new(void **state);
int msg_buffers_free(void **state);

#endif

/* The first bytes of a bulk stream to a relay: which way it wants to go, and that it was told of it. What follows is between
 * the two ends and nothing that the relay knows. Pure. Used by the relay (bridge_door.c) and by who dials it (bulk_dial.c).
 *
 *   3 bytes  "wr1"
 *   1        index of the stream, below STREAMS_MAX
 *   16       id of the way
 *   32       BLAKE2b-256 of the bytes before, with the way's key */
#ifndef WEFT_NODE_BRIDGE_HELLO_H
#define WEFT_NODE_BRIDGE_HELLO_H

#include "msg.h"

#define HELLO_BYTES 52

struct hello {
    uint8_t index;
    struct tag id;
};

void hello_encode(uint8_t b[HELLO_BYTES], const struct relay_way *way, uint8_t index);
/* Reads what it claims; proves nothing. ERR_MALFORMED. */
int hello_decode(const uint8_t b[HELLO_BYTES], struct hello *hello);
/* Was it made by someone who knows this key? In constant time. */
bool hello_proves(const uint8_t b[HELLO_BYTES], const uint8_t key[32]);

#endif

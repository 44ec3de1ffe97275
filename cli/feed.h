/* A stream of bytes cut into messages: a line each, with its newline, and a line that is too long in pieces.
 *
 * Pure: who reads puts bytes in, who sends takes messages out. All messages, one behind the other, are the input again, byte
 * for byte, whatever was in it. */
#ifndef WEFT_CLI_FEED_H
#define WEFT_CLI_FEED_H

#include <stdbool.h>
#include <stddef.h>

#define FEED_BYTES (256 * 1024)

struct feed {
    char *bytes;
    size_t max;      /* bytes of a message */
    size_t from, to; /* what is still to be taken */
    size_t seen;     /* up to here there is no newline */
    bool ended;
};

/* Messages of at most `max` bytes, which is at most half of FEED_BYTES. Memory that runs out ends the program. */
void feed_init(struct feed *feed, size_t max);
void feed_fini(struct feed *feed);

/* Where to put what is read next, and how much there is room for: never nothing, when all messages have been taken. */
char *feed_room(struct feed *feed, size_t *room);
void feed_add(struct feed *feed, size_t n);
/* No more comes: what is left without a newline is a message too. */
void feed_end(struct feed *feed);
/* The next message that is complete, or false. It is good until feed_room. */
bool feed_next(struct feed *feed, const char **bytes, size_t *n);

#endif

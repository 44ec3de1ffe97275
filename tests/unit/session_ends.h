/* Two ends of a relayed session by hand, with the test in the relay's place. */
#ifndef WEFT_TESTS_SESSION_ENDS_H
#define WEFT_TESTS_SESSION_ENDS_H

#include "reservation_internal.h"

/* One end: a core whose port only remembers what it says to its relay, which is linked. */
#define SAID_MAX 512

struct end {
    struct identity identity;
    struct port port;
    struct timers timers;
    uint64_t now, randoms;
    struct core *core;
    struct link *link; /* to the relay */
    struct carrier *carrier;
    struct session *session;
    struct said {
        uint64_t request;
        struct relay_part part; /* without its bytes */
    } said[SAID_MAX];
    size_t count;
    uint64_t request; /* of the latest USE */
    struct msg_use use;
    unsigned hangups, warnings;
};

/* A session of the number 1 that is open at both ends, or would be had they a relay: neither has a link on top. */
struct ends {
    struct end a, b;
};

struct ends *ends_new(void);
void ends_free(struct ends *p);
/* Another session at the same two ends, open too. */
void open_session(struct ends *p, uint64_t number, struct session **sa, struct session **sb);
/* What is due at an end happens. */
void end_turn(struct end *e);

/* A part as the relay holds it. */
struct held {
    struct relay_part part;
    uint8_t bytes[RELAY_PART_MAX];
};

/* The next part that a session says; false: none. */
bool take_part(struct session *s, struct held *h);
/* The parts that a message makes, in order. */
size_t parts_of(struct session *s, const void *bytes, size_t n, struct held *h, size_t max);
/* Says parts of `from` to `to` until there are no more, with the credit that comes back. */
void pass_parts(struct session *from, struct session *to);
/* The message that waits at an end, which the link takes now. */
void assert_message(struct session *s, const void *bytes, size_t n);
/* Bytes that are the test's to free. */
uint8_t *pattern(size_t n, uint8_t seed);

#endif

/* Bridges with a queue instead of a loop, and clients that are plain sockets. */
#ifndef WEFT_TESTS_BRIDGE_TOWN_H
#define WEFT_TESTS_BRIDGE_TOWN_H

#include "bridge_internal.h"

struct town {
    struct bridges *bridges;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    struct {
        void (*fn)(void *data);
        void *data;
    } post[BRIDGES_MAX + 8];
    unsigned done;
};

void town_open(struct town *t);
void town_close(struct town *t);
/* One that is not open yet, and one that is. */
struct bridge town_bridge_of(struct town *t, uint8_t streams);
void town_bridge(struct town *t, struct bridge *b, uint8_t streams);
/* Until n bridges have ended since town_open. */
void town_until_done(struct town *t, unsigned n);
uint64_t town_refused(struct town *t);

/* A connection, -1 when it is refused; and one that has said its hello. */
int town_dial(const struct addr *addr);
int town_dial_way(const struct relay_way *way, uint8_t index);
void town_say(int fd, const void *bytes, size_t n);
void town_hear(int fd, const void *bytes, size_t n);
/* It is closed without a word, within `ns`; closes it too. */
void town_assert_closed(int fd, uint64_t ns);
/* Writes until nothing more goes in: the other side does not read. */
void town_fill(int fd);
/* n random bytes (gives). */
uint8_t *town_noise(size_t n);

struct mover { /* one end of a stream: writes all of out, then says that it ends, and reads all of in */
    int fd;
    const uint8_t *out, *in;
    size_t n;
    _Atomic bool same;
    pthread_t writer, reader;
};
void mover_start(struct mover *m, int fd, const uint8_t *out, const uint8_t *in, size_t n);
void mover_end(struct mover *m);

#endif

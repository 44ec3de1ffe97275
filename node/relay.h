/* Hands bytes to a thread that writes them, so that the next ones can be decrypted meanwhile: one piece at a time.
 *
 * Few bytes are written at once, by whoever hands them over: a chat needs no thread, and gets none. */
#ifndef WEFT_NODE_RELAY_H
#define WEFT_NODE_RELAY_H

#include "limits.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay {
    /* Writes all of it, or fails with a code. Whoever can make it wait for ever must be able to make it return. */
    int (*write)(void *arg, const uint8_t *bytes, size_t n);
    void (*failed)(void *arg); /* it has, on the thread, and nobody came to hear of it within RELAY_PATIENCE */
    void *arg;
    pthread_t thread;
    bool started;
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const uint8_t *bytes;
    size_t n; /* 0: nothing is being written */
    bool over;
    int err; /* the first one; nothing is written after it */
};

#define RELAY_PATIENCE SECOND

/* The caller has filled write, failed and arg of a zeroed struct. */
void relay_init(struct relay *relay);
/* Waits for the thread's end. */
void relay_fini(struct relay *relay);

/* Once the piece before has been written (or was not, and why): this one is next. It must stay where it is until then. */
int relay_put(struct relay *relay, const uint8_t *bytes, size_t n);
/* Until all has been written. */
int relay_drain(struct relay *relay);

#endif

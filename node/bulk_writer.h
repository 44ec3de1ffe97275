/* Hands bytes to a thread that writes them, so that the next ones can be decrypted meanwhile: one piece at a time.
 *
 * Few bytes are written at once, by whoever hands them over: a chat needs no thread, and gets none. */
#ifndef WEFT_NODE_BULK_WRITER_H
#define WEFT_NODE_BULK_WRITER_H

#include "limits.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
    /* Writes all of it, or fails with a code. Whoever can make it wait for ever must be able to make it return. */
    int (*write)(void *arg, const uint8_t *bytes, size_t n);
    void (*failed)(void *arg); /* it has, on the thread, and nobody came to hear of it within WRITER_PATIENCE */
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

#define WRITER_PATIENCE SECOND

/* The caller has filled write, failed and arg of a zeroed struct. */
void writer_init(struct writer *writer);
/* Waits for the thread's end. */
void writer_fini(struct writer *writer);

/* Once the piece before has been written (or was not, and why): this one is next. It must stay where it is until then. */
int writer_put(struct writer *writer, const uint8_t *bytes, size_t n);
/* Until all has been written. */
int writer_drain(struct writer *writer);

#endif

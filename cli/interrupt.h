/* Ctrl-C and SIGTERM while something runs: the first asks it to stop, the second ends the program at once.
 *
 * Both signals are blocked in the caller's thread, and in those it starts from then on, and taken by a thread of their own,
 * so that nothing here needs a global that a handler could find. */
#ifndef WEFT_CLI_INTERRUPT_H
#define WEFT_CLI_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct interrupt {
    void (*stop)(void *arg); /* on the interrupt's thread */
    void *arg;
    atomic_int count; /* signals so far */
    pthread_t thread;
    sigset_t old;
};

/* Zeroed but for stop and arg. A code of err.h. */
int interrupt_start(struct interrupt *interrupt);
/* Ends the watch; from then on the signals do what they did before. */
void interrupt_finish(struct interrupt *interrupt);

#endif

/* Threads of the bulk plane, and their clock. */
#ifndef WEFT_NODE_BULK_THREAD_H
#define WEFT_NODE_BULK_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread that no signal disturbs (so that a write to a closed socket is an error, never SIGPIPE) with a stack fit
 * for walking trees. 0 or an errno value. */
int bulk_thread(pthread_t *thread, void *(*run)(void *arg), void *arg);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* A condition variable whose timed waits are by that clock, and such a wait: false when `until` has passed. */
void cond_init(pthread_cond_t *cond);
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until);

#endif

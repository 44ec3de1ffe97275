/* The loop of a node: one thread that waits for descriptors, ZeroMQ sockets, timers and calls from other threads.
 *
 * A zloop with timers of our own: one timerfd follows the earliest deadline, so that an idle node sleeps until there is
 * something to do. Only loop_post, loop_stop and loop_now may be called from other threads; loop_stop also from signal
 * handlers. */
#ifndef WEFT_NODE_LOOP_H
#define WEFT_NODE_LOOP_H

#include "err.h"
#include "timers.h"

#include <stdbool.h>

struct loop;
struct watch; /* something the loop listens to */

int loop_new(struct loop **loop, struct fault *fault);
/* What was posted and has not run is forgotten: see loop_drain. NULL is fine. */
void loop_free(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Runs what was posted, and what that posts, outside loop_run: after the threads that post have ended. */
void loop_drain(struct loop *loop);

/* Monotonic nanoseconds. */
uint64_t loop_now(void);
void loop_timer_set(struct loop *loop, struct timer *t, uint64_t at);
void loop_timer_cancel(struct loop *loop, struct timer *t);

/* Runs fn(data) on the loop's thread soon, in the order of posting. Aborts the process when out of memory: a lost call
 * would be a transfer that never ends. */
void loop_post(struct loop *loop, void (*fn)(void *data), void *data);

/* Calls ready(arg) whenever the descriptor, or the ZeroMQ socket, can be read. What is not read then is told again. NULL
 * when out of memory. */
struct watch *loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *arg), void *arg);
struct watch *loop_watch_socket(struct loop *loop, void *socket, void (*ready)(void *arg), void *arg);
/* Ends it: ready is not called again, also not later in this turn. Descriptor and socket may be closed when this has
 * returned. NULL is fine. */
void loop_unwatch(struct watch *watch);

#endif

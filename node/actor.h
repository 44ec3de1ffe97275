/* Actors: threads that do the jobs of one mailbox, in order of arrival.
 *
 * One with a single thread is the store actor, which alone touches the database; one with several is a pool of workers. */
#ifndef WEFT_NODE_ACTOR_H
#define WEFT_NODE_ACTOR_H

#include "err.h"

struct actor;
struct job;

#define MAILBOX_MAX 4096 /* jobs that wait; the core's caps on requests keep far below it */
#define ACTOR_THREADS_MAX 8

struct actor_config {
    const char *name;                           /* of the threads, at most 15 characters */
    int threads;                                /* 1 to ACTOR_THREADS_MAX */
    void (*work)(void *arg, struct job *job);   /* does the job, on a thread of the actor */
    void (*finish)(void *arg, struct job *job); /* brings it back; on that thread */
    void *arg;
};

/* Starts the threads, all signals blocked. */
int actor_new(const struct actor_config *config, struct actor **actor, struct fault *fault);
/* Does what waits, ends the threads. NULL is fine. */
void actor_free(struct actor *actor);
/* Hands over a job. ERR_FULL when too many wait: then it is still the caller's. */
int actor_send(struct actor *actor, struct job *job);

#endif

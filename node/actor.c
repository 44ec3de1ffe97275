/* Actors. See actor.h. Invariants: (1) head, count, cap and stopping are touched under `mutex` only; (2) cap is a power of
 * two, or 0 while there has been no job. */
#include "actor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct actor {
    struct actor_config config;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct job **ring;
    size_t head, count, cap;
    bool stopping;
    int running;
    pthread_t thread[ACTOR_THREADS_MAX];
};

/* Waits for the next job; NULL when there will be none. */
static struct job *next_job(struct actor *actor)
{
    struct job *job = NULL;
    pthread_mutex_lock(&actor->mutex);
    while (actor->count == 0 && !actor->stopping)
        pthread_cond_wait(&actor->cond, &actor->mutex);
    if (actor->count > 0) {
        job = actor->ring[actor->head];
        actor->head = (actor->head + 1) & (actor->cap - 1);
        actor->count--;
    }
    pthread_mutex_unlock(&actor->mutex);
    return job;
}

static void *run(void *arg)
{
    struct actor *actor = arg;
    struct job *job;
    while ((job = next_job(actor))) {
        actor->config.work(actor->config.arg, job);
        actor->config.finish(actor->config.arg, job);
    }
    return NULL;
}

static int start_threads(struct actor *actor)
{
    sigset_t all, old;
    int err = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!err && actor->running < actor->config.threads) {
        err = pthread_create(&actor->thread[actor->running], NULL, run, actor);
        if (!err)
            pthread_setname_np(actor->thread[actor->running++], actor->config.name);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err;
}

int actor_new(const struct actor_config *config, struct actor **out, struct fault *fault)
{
    struct actor *actor = calloc(1, sizeof *actor);
    *out = NULL;
    if (!actor)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    actor->config = *config;
    pthread_mutex_init(&actor->mutex, NULL);
    pthread_cond_init(&actor->cond, NULL);
    int errnum = start_threads(actor);
    if (errnum) {
        actor_free(actor);
        return fault_errno(fault, errnum, "cannot start a thread");
    }
    *out = actor;
    return 0;
}

void actor_free(struct actor *actor)
{
    if (!actor)
        return;
    pthread_mutex_lock(&actor->mutex);
    actor->stopping = true;
    pthread_cond_broadcast(&actor->cond);
    pthread_mutex_unlock(&actor->mutex);
    for (int i = 0; i < actor->running; i++)
        pthread_join(actor->thread[i], NULL);
    pthread_cond_destroy(&actor->cond);
    pthread_mutex_destroy(&actor->mutex);
    free(actor->ring);
    free(actor);
}

/* Makes room for one more job, in a ring twice as large. */
static int grow(struct actor *actor)
{
    if (actor->count < actor->cap)
        return 0;
    size_t cap = actor->cap ? actor->cap * 2 : 16;
    struct job **ring = cap <= MAILBOX_MAX ? calloc(cap, sizeof(struct job *)) : NULL;
    if (!ring)
        return ERR_FULL;
    for (size_t i = 0; i < actor->count; i++)
        ring[i] = actor->ring[(actor->head + i) & (actor->cap - 1)];
    free(actor->ring);
    actor->ring = ring;
    actor->head = 0;
    actor->cap = cap;
    return 0;
}

int actor_send(struct actor *actor, struct job *job)
{
    pthread_mutex_lock(&actor->mutex);
    int err = grow(actor);
    if (!err) {
        actor->ring[(actor->head + actor->count++) & (actor->cap - 1)] = job;
        pthread_cond_signal(&actor->cond);
    }
    pthread_mutex_unlock(&actor->mutex);
    return err;
}

/* The watching thread ends by a signal of its own, SIGUSR1, that only interrupt_finish sends to it. */
#include "interrupt.h"

#include "err.h"
#include "exits.h"

#include <unistd.h>

/* A hang-up that nohup made ignored stays so. */
static void fill(sigset_t *set)
{
    struct sigaction hangup;

    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGUSR1);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_DFL)
        sigaddset(set, SIGHUP);
}

static void *watch(void *arg)
{
    struct interrupt *interrupt = arg;
    sigset_t set;
    int number;

    fill(&set);
    while (sigwait(&set, &number) == 0 && number != SIGUSR1) {
        if (atomic_fetch_add(&interrupt->count, 1) > 0)
            _exit(EXITS_INTERRUPTED);
        interrupt->stop(interrupt->arg);
    }
    return NULL;
}

int interrupt_start(struct interrupt *interrupt)
{
    sigset_t set;

    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, &interrupt->old);
    if (pthread_create(&interrupt->thread, NULL, watch, interrupt) == 0)
        return 0;
    pthread_sigmask(SIG_SETMASK, &interrupt->old, NULL);
    return ERR_NOMEM;
}

void interrupt_finish(struct interrupt *interrupt)
{
    pthread_kill(interrupt->thread, SIGUSR1);
    pthread_join(interrupt->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &interrupt->old, NULL);
}

#include "relay.h"

#include "bulk_thread.h"

#define WORTH_A_THREAD (32 * 1024)

void relay_init(struct relay *relay)
{
    pthread_mutex_init(&relay->lock, NULL);
    cond_init(&relay->changed);
}

/* Under the lock. Who hands over the next piece is told then; but there may be none for long. */
static void fail(struct relay *relay, int err)
{
    uint64_t until = now_ns() + RELAY_PATIENCE;
    bool in_time = true;

    relay->err = err;
    pthread_cond_broadcast(&relay->changed);
    while (!relay->over && in_time)
        in_time = cond_wait_until(&relay->changed, &relay->lock, until);
    if (!relay->over)
        relay->failed(relay->arg);
}

static void *writing(void *arg)
{
    struct relay *relay = arg;

    pthread_setname_np(pthread_self(), "weft-relay");
    pthread_mutex_lock(&relay->lock);
    for (;;) {
        while (relay->n == 0 && !relay->over)
            pthread_cond_wait(&relay->changed, &relay->lock);
        if (relay->n == 0)
            break;
        pthread_mutex_unlock(&relay->lock);
        int err = relay->write(relay->arg, relay->bytes, relay->n);
        pthread_mutex_lock(&relay->lock);
        relay->n = 0;
        if (err != 0) {
            fail(relay, err);
            break;
        }
        pthread_cond_broadcast(&relay->changed);
    }
    pthread_mutex_unlock(&relay->lock);
    return NULL;
}

int relay_drain(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    while (relay->n > 0)
        pthread_cond_wait(&relay->changed, &relay->lock);
    int err = relay->err;
    pthread_mutex_unlock(&relay->lock);
    return err;
}

int relay_put(struct relay *relay, const uint8_t *bytes, size_t n)
{
    int err = relay_drain(relay);

    if (err != 0)
        return err;
    if (n >= WORTH_A_THREAD && !relay->started)
        relay->started = bulk_thread(&relay->thread, writing, relay) == 0;
    if (n < WORTH_A_THREAD || !relay->started)
        return relay->write(relay->arg, bytes, n);
    pthread_mutex_lock(&relay->lock);
    relay->bytes = bytes;
    relay->n = n;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    return 0;
}

void relay_fini(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->over = true;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    if (relay->started)
        pthread_join(relay->thread, NULL);
    pthread_mutex_destroy(&relay->lock);
    pthread_cond_destroy(&relay->changed);
}

#include "bulk_writer.h"

#include "bulk_thread.h"

#define WORTH_A_THREAD (32 * 1024)

void writer_init(struct writer *writer)
{
    pthread_mutex_init(&writer->lock, NULL);
    cond_init(&writer->changed);
}

/* Under the lock. Who hands over the next piece is told then; but there may be none for long. */
static void fail(struct writer *writer, int err)
{
    uint64_t until = now_ns() + WRITER_PATIENCE;
    bool in_time = true;

    writer->err = err;
    pthread_cond_broadcast(&writer->changed);
    while (!writer->over && in_time)
        in_time = cond_wait_until(&writer->changed, &writer->lock, until);
    if (!writer->over)
        writer->failed(writer->arg);
}

static void *writing(void *arg)
{
    struct writer *writer = arg;

    pthread_setname_np(pthread_self(), "weft-writer");
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (writer->n == 0 && !writer->over)
            pthread_cond_wait(&writer->changed, &writer->lock);
        if (writer->n == 0)
            break;
        pthread_mutex_unlock(&writer->lock);
        int err = writer->write(writer->arg, writer->bytes, writer->n);
        pthread_mutex_lock(&writer->lock);
        writer->n = 0;
        if (err != 0) {
            fail(writer, err);
            break;
        }
        pthread_cond_broadcast(&writer->changed);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

int writer_drain(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->n > 0)
        pthread_cond_wait(&writer->changed, &writer->lock);
    int err = writer->err;
    pthread_mutex_unlock(&writer->lock);
    return err;
}

int writer_put(struct writer *writer, const uint8_t *bytes, size_t n)
{
    int err = writer_drain(writer);

    if (err != 0)
        return err;
    if (n >= WORTH_A_THREAD && !writer->started)
        writer->started = bulk_thread(&writer->thread, writing, writer) == 0;
    if (n < WORTH_A_THREAD || !writer->started)
        return writer->write(writer->arg, bytes, n);
    pthread_mutex_lock(&writer->lock);
    writer->bytes = bytes;
    writer->n = n;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return 0;
}

void writer_fini(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->over = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    if (writer->started)
        pthread_join(writer->thread, NULL);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->changed);
}

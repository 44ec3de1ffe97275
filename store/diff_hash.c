/* The hash of a large new file, made by a thread of its own while the walk compares. See diff_internal.h.
 *
 * It reads the file once more, which costs less than it saves: of a file that has just been written, or is being compared, the
 * bytes are in memory. If the two see different states of it, the hash fits no regions, and nobody believes either. */
#include "diff_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGE_BYTES (64ull << 20) /* worth a thread */

struct hashing {
    const struct diff *d;
    struct file_hash hash;
    pthread_t thread;
    atomic_bool stop;
    uint8_t *buffer; /* VIEW_BYTES */
    int rc;
};

static bool is_stopped(const struct hashing *h)
{
    const atomic_bool *stop = h->d->stop;
    return atomic_load_explicit(&h->stop, memory_order_relaxed) || (stop && atomic_load_explicit(stop, memory_order_relaxed));
}

static int hash_data(struct hashing *h, uint64_t from, uint64_t to)
{
    const struct diff_file *f = h->d->fresh;
    int rc = 0;
    while (rc == 0 && from < to) {
        size_t n = to - from < VIEW_BYTES ? (size_t)(to - from) : VIEW_BYTES;
        rc = is_stopped(h) ? ERR_CANCELLED : f->read(f->arg, from, h->buffer, n);
        if (rc == 0) {
            file_hash_bytes(&h->hash, h->buffer, n);
        }
        from += n;
    }
    return rc;
}

static void *run(void *arg)
{
    struct hashing *h = arg;
    uint64_t at = 0;
    while (h->rc == 0 && at < h->d->fresh->size) {
        uint64_t data, end;
        h->rc = diff_next_data(h->d->fresh, at, &data, &end);
        if (h->rc == 0) {
            file_hash_hole(&h->hash, data - at);
            h->rc = hash_data(h, data, end);
            at = end;
        }
    }
    return NULL;
}

struct hashing *hashing_begin(const struct diff *d)
{
    if (d->fresh->size < LARGE_BYTES || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        return NULL;
    }
    struct hashing *h = calloc(1, sizeof *h);
    if (!h) {
        return NULL;
    }
    h->d = d;
    h->buffer = aligned_alloc(4096, VIEW_BYTES);
    if (!h->buffer || file_hash_init(&h->hash) || pthread_create(&h->thread, NULL, run, h)) {
        file_hash_free(&h->hash);
        free(h->buffer);
        free(h);
        return NULL;
    }
    return h;
}

int hashing_end(struct hashing *h, bool wanted, struct hash128 *hash)
{
    atomic_store(&h->stop, !wanted);
    pthread_join(h->thread, NULL);
    int rc = h->rc || !wanted ? h->rc : file_hash_sum(&h->hash, hash);
    file_hash_free(&h->hash);
    free(h->buffer);
    free(h);
    return rc;
}

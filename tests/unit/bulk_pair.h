/* Two bulk planes in one process, a queue instead of a loop, and function calls instead of the RPC between them.
 *
 * By default everything goes as it should: ready() starts the send, connected() confirms. A test puts itself in between by
 * the two hooks, by changing `s.reception` or `answer` in them, by a proxy on the way, or by playing one of the two itself (a
 * fake). */
#ifndef WEFT_TESTS_BULK_PAIR_H
#define WEFT_TESTS_BULK_PAIR_H

#include "bulk.h"
#include "scratch.h"
#include "stream.h"

#include <pthread.h>

struct pair_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    struct {
        void (*fn)(void *data);
        void *data;
    } post[64];
};

#define PAIR_ITEMS 16

struct pair {
    struct scratch scratch; /* src, dst, spool */
    struct scratch_path src, dst, spool;
    struct pair_queue queue;
    struct bulk *receiver, *sender;
    struct node_id receiver_id, sender_id;
    struct receive r;
    struct send s;
    struct msg_fetch_ok answer; /* what is confirmed to the receiver */
    bool ready, connected, received, sent;
    void (*on_ready)(struct pair *p);
    void (*on_connected)(struct pair *p);
    unsigned items;
    struct {
        char path[256];
        struct fault fault;
    } item[PAIR_ITEMS];
};

struct pair_options { /* zeroed: defaults */
    uint8_t streams;
    uint32_t deadline_s;
};

void pair_make(struct pair *p, const struct pair_options *options);
void pair_free(struct pair *p);
/* A new receive of the whole of src, with the same key as the last; a new send to come. */
void pair_reset(struct pair *p);
/* For configurations: as the two planes post. */
void pair_post(void *arg, void (*fn)(void *data), void *data);
/* Runs what was posted until cond holds; fails the test when that takes too long. */
void pair_until(struct pair *p, bool (*cond)(const struct pair *p));
bool pair_is_ready(const struct pair *p);
bool pair_is_connected(const struct pair *p);
bool pair_has_received(const struct pair *p);
bool pair_has_sent(const struct pair *p);
bool pair_is_over(const struct pair *p);
void pair_start(struct pair *p);
void pair_start_send(struct pair *p);
/* pair_start and until both are done. */
void pair_run(struct pair *p);
/* Are src and dst/top the same, names, kinds, contents, modes, times? */
void pair_assert_same(const struct pair *p);
const struct fault *pair_item(const struct pair *p, const char *path); /* NULL: not told */

/* Some megabytes of bytes that do not repeat, and a folder of small files. */
void pair_write_big(const struct pair *p, const char *name, size_t n);
void pair_write_tree(const struct pair *p, const char *name, unsigned folders, unsigned files);

/* ---- a proxy between dialler and listener */

struct proxy {
    struct addr addr; /* where it listens */
    struct addr to;
    _Atomic int64_t cut_at;     /* after so many bytes from dialler to listener all connections are cut; -1: never */
    _Atomic int64_t corrupt_at; /* this byte is changed; -1: none */
    _Atomic int64_t passed;     /* bytes that way so far ... */
    _Atomic int64_t returned;   /* ... and the other way */
    _Atomic bool stop;
    pthread_t thread;
    int fd;
};
void proxy_start(struct proxy *x, const struct addr *to);
void proxy_stop(struct proxy *x);

/* ---- playing one side. Needs a pair of one stream, or all streams to be dialled. */

/* Stream 0, made by dialling `addr` with the reception's key, as `receiver` and `sender` are. */
void fake_dial(struct stream *s, const struct reception_info *info, const struct addr *addr, const struct pair *p);
void fake_dial_index(struct stream *s, uint8_t index, const struct reception_info *info, const struct addr *addr,
                     const struct pair *p);
/* A whole frame onto the stream. */
void fake_put(struct stream *s, const uint8_t *frame, size_t n);
/* A list of these entries with its correct end. */
struct list_entry;
void fake_list(struct stream *s, const struct list_entry *e, unsigned n);
/* Waits until the other side has closed, or said STOP. */
void fake_drain(struct stream *s);

#endif

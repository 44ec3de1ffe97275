/* What bulk.c (starts and ends transfers) and bulk_news.c (brings their news) share. */
#ifndef WEFT_NODE_BULK_JOB_H
#define WEFT_NODE_BULK_JOB_H

#include "bulk.h"
#include "bulk_transfer.h"

#include <pthread.h>
#include <sys/queue.h>

struct event {
    STAILQ_ENTRY(event) link;
    struct job_transfer *job;
    enum { NEWS_READY, NEWS_CONNECTED, NEWS_DONE, NEWS_ITEM, NEWS_PLACED } news;
    union {
        struct fault fault;      /* ITEM */
        struct file_state state; /* PLACED */
    };
    char path[]; /* ITEM, PLACED */
};

/* A transfer with what the loop thread needs to know of it. */
struct job_transfer {
    struct transfer t; /* first: tell() gets its address */
    LIST_ENTRY(job_transfer) link;
    struct mailbox *mailbox;
    pthread_t lead;
    bool started;
    bool discard;                  /* a stream that lasts is to end for good */
    struct event event[NEWS_ITEM]; /* one of each that must never fail for want of memory */
};

struct mailbox {
    pthread_mutex_t lock;
    STAILQ_HEAD(, event) events;
    bool posted;
    struct bulk *bulk; /* NULL once that is gone */
    void (*post)(void *arg, void (*fn)(void *data), void *data);
    void *arg;
};

struct bulk {
    struct bulk_config config;
    struct gate *gate;
    struct mailbox *mailbox;
    LIST_HEAD(, job_transfer) transfers;
    LIST_HEAD(, kept) parked; /* streams without connections */
    unsigned parked_count;
};

/* Gives a mailbox of this bulk plane, or NULL. */
struct mailbox *mailbox_new(struct bulk *bulk);
/* Drops what was not delivered; every lead has been joined. */
void mailbox_clear(struct mailbox *m);
/* The bulk plane is no more. The mailbox is freed, now or by the post that is under way. */
void mailbox_close(struct mailbox *m);

/* What a transfer's tell, tell_item and tell_placed call, on its threads. */
void job_tell(struct transfer *t, enum transfer_event what);
void job_tell_item(struct transfer *t, const char *path, const struct fault *fault);
void job_tell_placed(struct transfer *t, const char *path, const struct file_state *state);
/* Joins its lead. */
void job_free(struct job_transfer *job);

/* What a stream's transfer leaves behind is parked (takes), or freed when there is nothing left to go on with: was it kept? */
bool bulk_park(struct bulk *bulk, struct job_transfer *job);

#endif

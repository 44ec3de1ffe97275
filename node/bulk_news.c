/* What the bulk plane's threads have to tell, brought over to the loop thread.
 *
 * A transfer's threads put events into a mailbox; one post to the loop thread is under way as long as it is not empty. The
 * mailbox outlives the bulk plane until that post has run, so that a late one finds nothing instead of freed memory.
 *
 * Invariant: EVENT_DONE is a transfer's last event. The loop thread then joins its lead and frees it before it calls done(). */
#include "bulk_job.h"

#include <stdlib.h>
#include <string.h>

/* ---- the mailbox */

static void deliver(void *data);

static void mailbox_put(struct mailbox *m, struct event *e)
{
    pthread_mutex_lock(&m->lock);
    STAILQ_INSERT_TAIL(&m->events, e, link);
    bool post = !m->posted;
    m->posted = true;
    pthread_mutex_unlock(&m->lock);
    if (post)
        m->post(m->arg, deliver, m);
}

static void mailbox_free(struct mailbox *m)
{
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void job_tell(struct transfer *t, enum transfer_event what)
{
    static const int news[] = {[EVENT_READY] = NEWS_READY, [EVENT_CONNECTED] = NEWS_CONNECTED, [EVENT_DONE] = NEWS_DONE};
    struct job_transfer *job = t->owner;
    struct event *e = &job->event[news[what]];

    e->job = job;
    e->news = (unsigned)news[what];
    mailbox_put(job->mailbox, e);
}

static struct event *path_event(struct transfer *t, const char *path)
{
    size_t n = strlen(path) + 1;
    struct event *e = malloc(sizeof *e + n);

    if (e != NULL) {
        e->job = t->owner;
        memcpy(e->path, path, n);
    }
    return e;
}

void job_tell_item(struct transfer *t, const char *path, const struct fault *fault)
{
    struct event *e = path_event(t, path);

    if (e == NULL)
        return; /* it is counted all the same */
    e->news = NEWS_ITEM;
    e->fault = *fault;
    mailbox_put(e->job->mailbox, e);
}

void job_tell_placed(struct transfer *t, const char *path, const struct file_state *state)
{
    struct event *e = path_event(t, path);

    if (e == NULL)
        return; /* nothing depends on it */
    e->news = NEWS_PLACED;
    e->state = *state;
    mailbox_put(e->job->mailbox, e);
}

/* ---- ends */

void job_free(struct job_transfer *job)
{
    if (job->started)
        pthread_join(job->lead, NULL);
    LIST_REMOVE(job, link);
    transfer_fini(&job->t);
    free(job);
}

static void finish(struct job_transfer *job)
{
    struct receive *r = job->t.r;
    struct send *s = job->t.s;
    struct duplex *d = job->t.d;
    struct fault fault = job->t.fault;
    bool parked = bulk_park(job->mailbox->bulk, job);

    if (job->t.progress != NULL)
        atomic_store(&job->t.progress->phase, TRANSFER_ENDED);
    job_free(job);
    if (r != NULL) {
        r->fault = fault;
        r->port_data = NULL;
        r->done(r);
    } else if (s != NULL) {
        s->fault = fault;
        s->port_data = NULL;
        s->done(s);
    } else {
        d->fault = fault;
        d->parked = parked;
        d->port_data = NULL;
        d->done(d);
    }
}

static void handle(struct event *e)
{
    struct transfer *t = &e->job->t;

    switch (e->news) {
    case NEWS_READY: t->r != NULL ? t->r->ready(t->r) : t->d->ready(t->d); break;
    case NEWS_CONNECTED: t->s != NULL ? t->s->connected(t->s) : t->d->connected(t->d); break;
    case NEWS_DONE: finish(e->job); break;
    case NEWS_ITEM:
        t->r->item(t->r, e->path, &e->fault);
        free(e);
        break;
    case NEWS_PLACED:
        t->r->placed(t->r, e->path, &e->state);
        free(e);
        break;
    }
}

/* On the loop thread. A callback may free the bulk plane. */
static void deliver(void *data)
{
    struct mailbox *m = data;

    for (;;) {
        pthread_mutex_lock(&m->lock);
        struct event *e = m->bulk == NULL ? NULL : STAILQ_FIRST(&m->events);
        if (e == NULL)
            m->posted = false;
        else
            STAILQ_REMOVE_HEAD(&m->events, link);
        bool orphan = m->bulk == NULL;
        pthread_mutex_unlock(&m->lock);
        if (orphan)
            mailbox_free(m);
        if (e == NULL)
            return;
        handle(e);
    }
}

/* ---- the mailbox's life */

struct mailbox *mailbox_new(struct bulk *bulk)
{
    struct mailbox *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    STAILQ_INIT(&m->events);
    m->bulk = bulk;
    m->post = bulk->config.post;
    m->arg = bulk->config.arg;
    return m;
}

/* What has a path owns its memory; the other events are their job's. */
void mailbox_clear(struct mailbox *m)
{
    struct event *e;
    while ((e = STAILQ_FIRST(&m->events)) != NULL) {
        STAILQ_REMOVE_HEAD(&m->events, link);
        if (e->news == NEWS_ITEM || e->news == NEWS_PLACED)
            free(e);
    }
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->bulk = NULL;
    bool posted = m->posted;
    pthread_mutex_unlock(&m->lock);
    if (!posted)
        mailbox_free(m);
}

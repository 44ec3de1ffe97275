/* The bulk plane's face to the loop thread: starts and ends transfers, and brings their news over.
 *
 * A transfer's threads put events into a mailbox; one post to the loop thread is under way as long as it is not empty. The
 * mailbox outlives the bulk plane until that post has run, so that a late one finds nothing instead of freed memory.
 *
 * Invariants:
 * 1. EVENT_DONE is a transfer's last event. The loop thread then joins its lead and frees it before it calls done().
 * 2. Only the loop thread touches the list of transfers. */
#include "bulk.h"

#include "bulk_thread.h"
#include "bulk_transfer.h"
#include "packet.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define STREAMS_DEFAULT 4

struct event {
    STAILQ_ENTRY(event) link;
    struct job_transfer *job;
    enum { NEWS_READY, NEWS_CONNECTED, NEWS_DONE, NEWS_ITEM } news;
    struct fault fault; /* ITEM */
    char path[];        /* ITEM */
};

/* A transfer with what the loop thread needs to know of it. */
struct job_transfer {
    struct transfer t; /* first: tell() gets its address */
    LIST_ENTRY(job_transfer) link;
    struct mailbox *mailbox;
    pthread_t lead;
    bool started;
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
};

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

static void on_tell(struct transfer *t, enum transfer_event what)
{
    static const int news[] = {[EVENT_READY] = NEWS_READY, [EVENT_CONNECTED] = NEWS_CONNECTED, [EVENT_DONE] = NEWS_DONE};
    struct job_transfer *job = t->owner;
    struct event *e = &job->event[news[what]];

    e->job = job;
    e->news = (unsigned)news[what];
    mailbox_put(job->mailbox, e);
}

static void on_item(struct transfer *t, const char *path, const struct fault *fault)
{
    struct job_transfer *job = t->owner;
    size_t n = strlen(path) + 1;
    struct event *e = malloc(sizeof *e + n);

    if (e == NULL)
        return; /* it is counted all the same */
    e->job = job;
    e->news = NEWS_ITEM;
    e->fault = *fault;
    memcpy(e->path, path, n);
    mailbox_put(job->mailbox, e);
}

/* ---- ends */

static void job_free(struct job_transfer *job)
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

/* ---- starts */

static void *lead(void *arg)
{
    struct job_transfer *job = arg;
    struct transfer *t = &job->t;

    bool receives = t->r != NULL || (t->d != NULL && t->d->calling);

    pthread_setname_np(pthread_self(), t->r != NULL ? "weft-receive" : t->s != NULL ? "weft-send" : "weft-flow");
    if (receives ? transfer_connect_receive(t) : transfer_connect_send(t)) {
        if (t->r != NULL)
            fetch_receive(t);
        else if (t->s != NULL)
            fetch_send(t);
        else
            flow(t);
    }
    transfer_close_streams(t);
    on_tell(t, EVENT_DONE);
    return NULL;
}

/* One more than there are cores, since one of them mostly waits for a disk or the wire; beyond four nothing was gained. */
static uint8_t streams_default(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint8_t)(cores < 1 ? 2 : cores >= STREAMS_DEFAULT ? STREAMS_DEFAULT : cores + 1);
}

static struct job_transfer *job_new(struct bulk *bulk, uint32_t deadline_s)
{
    struct job_transfer *job = calloc(1, sizeof *job);
    struct fault fault;

    if (job == NULL || transfer_init(&job->t, &fault) != 0) {
        free(job);
        return NULL;
    }
    struct transfer *t = &job->t;
    t->gate = bulk->gate;
    t->log = bulk->config.log;
    t->spool = bulk->config.spool;
    t->self = bulk->config.self;
    t->streams_wanted = bulk->config.streams != 0 ? bulk->config.streams : streams_default();
    t->addrs = (unsigned)bulk->config.addresses(bulk->config.arg, t->addr, RECEPTION_ENDPOINTS_MAX);
    t->deadline_s = deadline_s < RECEPTION_DEADLINE_S ? deadline_s : RECEPTION_DEADLINE_S;
    t->deadline = now_ns() + t->deadline_s * SECOND;
    t->owner = job;
    t->tell = on_tell;
    t->tell_item = on_item;
    job->mailbox = bulk->mailbox;
    LIST_INSERT_HEAD(&bulk->transfers, job, link);
    return job;
}

static void job_start(struct job_transfer *job)
{
    int err = bulk_thread(&job->lead, lead, job);

    job->started = err == 0;
    if (err != 0) {
        transfer_failf(&job->t, ERR_NOMEM, "cannot start a thread for a transfer");
        on_tell(&job->t, EVENT_DONE);
    }
}

static const struct fault no_memory = {.code = ERR_NOMEM, .text = "out of memory for a transfer"};

/* Without memory for a transfer there is none for an event either: these two come by a post of their own. */
static void receive_stillborn(void *data)
{
    struct receive *r = data;
    r->fault = no_memory;
    r->done(r);
}

static void send_stillborn(void *data)
{
    struct send *s = data;
    s->fault = no_memory;
    s->done(s);
}

static void duplex_stillborn(void *data)
{
    struct duplex *d = data;
    d->fault = no_memory;
    d->done(d);
}

static uint32_t deadline(const struct bulk *bulk)
{
    return bulk->config.deadline_s != 0 ? bulk->config.deadline_s : RECEPTION_DEADLINE_S;
}

void bulk_receive_start(struct bulk *bulk, struct receive *r)
{
    struct job_transfer *job = job_new(bulk, deadline(bulk));

    r->port_data = job;
    if (job == NULL) {
        bulk->config.post(bulk->config.arg, receive_stillborn, r);
        return;
    }
    job->t.r = r;
    job->t.progress = &r->progress;
    job->t.info = &r->reception;
    job_start(job);
}

void bulk_send_start(struct bulk *bulk, struct send *s)
{
    struct job_transfer *job = job_new(bulk, s->reception.deadline_s);

    s->port_data = job;
    if (job == NULL) {
        bulk->config.post(bulk->config.arg, send_stillborn, s);
        return;
    }
    job->t.s = s;
    job->t.progress = &s->progress;
    job->t.info = &s->reception;
    job_start(job);
}

void bulk_duplex_start(struct bulk *bulk, struct duplex *d)
{
    uint32_t dial = d->reception.deadline_s < DUPLEX_DIAL_S ? d->reception.deadline_s : DUPLEX_DIAL_S;
    struct job_transfer *job = job_new(bulk, d->calling ? deadline(bulk) : dial);

    d->port_data = job;
    if (job == NULL) {
        bulk->config.post(bulk->config.arg, duplex_stillborn, d);
        return;
    }
    job->t.d = d;
    job->t.info = &d->reception;
    job->t.streams_wanted = DUPLEX_STREAMS;
    job_start(job);
}

void bulk_receive_confirm(struct bulk *bulk, struct receive *r, const struct msg_fetch_ok *answer)
{
    struct job_transfer *job = r->port_data;
    (void)bulk;
    if (job != NULL)
        transfer_go(&job->t, answer);
}

void bulk_send_go(struct bulk *bulk, struct send *s)
{
    struct job_transfer *job = s->port_data;
    (void)bulk;
    if (job != NULL)
        transfer_go(&job->t, NULL);
}

/* The descriptors stay with the transfer from now on, however it stands. */
static void duplex_go(struct duplex *d, const struct msg_fetch_ok *answer, const int fd[2])
{
    struct job_transfer *job = d->port_data;
    int spare[2] = {fd[0], fd[1]};

    if (job == NULL || fd[0] < 0 || fd[1] < 0) {
        packet_close(spare);
        if (job != NULL)
            transfer_failf(&job->t, ERR_USAGE, "a byte stream needs two descriptors, and the program passed none");
        return;
    }
    pthread_mutex_lock(&job->t.lock);
    memcpy(job->t.fd, fd, sizeof job->t.fd);
    pthread_mutex_unlock(&job->t.lock);
    transfer_go(&job->t, answer);
}

void bulk_duplex_confirm(struct bulk *bulk, struct duplex *d, const struct msg_fetch_ok *answer, const int fd[2])
{
    (void)bulk;
    duplex_go(d, answer, fd);
}

void bulk_duplex_go(struct bulk *bulk, struct duplex *d, const int fd[2])
{
    (void)bulk;
    duplex_go(d, NULL, fd);
}

static void cancel(struct job_transfer *job, int code)
{
    if (job != NULL)
        transfer_failf(&job->t, code, "%s", code == ERR_CANCELLED ? "stopped" : err_text(code));
}

void bulk_receive_cancel(struct bulk *bulk, struct receive *r, int code)
{
    (void)bulk;
    cancel(r->port_data, code);
}

void bulk_send_cancel(struct bulk *bulk, struct send *s, int code)
{
    (void)bulk;
    cancel(s->port_data, code);
}

void bulk_duplex_cancel(struct bulk *bulk, struct duplex *d, int code)
{
    (void)bulk;
    cancel(d->port_data, code);
}

/* ---- life */

void bulk_counts(struct bulk *bulk, struct bulk_counts *out)
{
    struct job_transfer *job;

    *out = (struct bulk_counts){0};
    gate_counts(bulk->gate, &out->receptions, &out->refused);
    LIST_FOREACH(job, &bulk->transfers, link)
    out->streams += transfer_streams(&job->t);
}

static struct mailbox *mailbox_new(struct bulk *bulk)
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

int bulk_new(const struct bulk_config *config, struct bulk **bulk, struct fault *fault)
{
    struct bulk *new = sodium_init() < 0 ? NULL : calloc(1, sizeof *new);
    if (new == NULL)
        return fault_set(fault, ERR_NOMEM, "out of memory for the bulk plane");
    new->config = *config;
    LIST_INIT(&new->transfers);
    int err = gate_new(config->log, &new->gate, fault);
    if (err == 0 && (new->mailbox = mailbox_new(new)) == NULL)
        err = fault_set(fault, ERR_NOMEM, "out of memory for the bulk plane");
    if (err != 0) {
        gate_free(new->gate);
        free(new);
        return err;
    }
    *bulk = new;
    return 0;
}

/* What was not delivered goes; items own their memory. */
static void drop_events(struct mailbox *m)
{
    struct event *e;
    while ((e = STAILQ_FIRST(&m->events)) != NULL) {
        STAILQ_REMOVE_HEAD(&m->events, link);
        if (e->news == NEWS_ITEM)
            free(e);
    }
}

void bulk_free(struct bulk *bulk)
{
    struct job_transfer *job;

    if (bulk == NULL)
        return;
    LIST_FOREACH(job, &bulk->transfers, link)
    cancel(job, ERR_CANCELLED);
    LIST_FOREACH(job, &bulk->transfers, link)
    {
        if (job->started)
            pthread_join(job->lead, NULL);
        job->started = false;
    }
    struct mailbox *m = bulk->mailbox;
    drop_events(m);
    while ((job = LIST_FIRST(&bulk->transfers)) != NULL)
        job_free(job);
    gate_free(bulk->gate);
    pthread_mutex_lock(&m->lock);
    m->bulk = NULL;
    bool posted = m->posted;
    pthread_mutex_unlock(&m->lock);
    if (!posted)
        mailbox_free(m);
    free(bulk);
}

/* The bulk plane's face to the loop thread: starts transfers and byte streams, lets them go on, ends them. bulk_news.c brings
 * their news over.
 *
 * Invariant: only the loop thread touches the list of transfers. */
#include "bulk_job.h"

#include "bulk_thread.h"
#include "packet.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAMS_DEFAULT 4

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
    job_tell(t, EVENT_DONE);
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
    t->tell = job_tell;
    t->tell_item = job_tell_item;
    t->tell_placed = job_tell_placed;
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
        job_tell(&job->t, EVENT_DONE);
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

/* ---- what is kept of streams that last */

static struct kept *parked(struct bulk *bulk, const struct tag *stream)
{
    struct kept *kept;
    LIST_FOREACH(kept, &bulk->parked, link)
    if (tag_equal(&kept->name, stream))
        return kept;
    return NULL;
}

static void unpark(struct bulk *bulk, struct kept *kept)
{
    LIST_REMOVE(kept, link);
    bulk->parked_count--;
}

bool bulk_park(struct bulk *bulk, struct job_transfer *job)
{
    struct kept *kept = job->t.kept;

    if (kept == NULL || !kept->begun || kept->over || job->discard || bulk->parked_count == 2 * CONNECTS_MAX)
        return false; /* it is freed with its transfer */
    job->t.kept = NULL;
    kept->given = atomic_load(&job->t.d->bytes_out);
    LIST_INSERT_HEAD(&bulk->parked, kept, link);
    bulk->parked_count++;
    return true;
}

void bulk_duplex_drop(struct bulk *bulk, const struct tag *stream)
{
    struct kept *kept = parked(bulk, stream);

    if (kept == NULL)
        return;
    unpark(bulk, kept);
    kept_free(kept);
}

/* A stream that lasts begins, or goes on. */
static bool take_kept(struct bulk *bulk, struct job_transfer *job)
{
    struct duplex *d = job->t.d;
    struct kept *kept = d->again ? parked(bulk, &d->stream) : kept_new(&d->stream);

    if (kept == NULL) {
        if (d->again)
            transfer_failf(&job->t, ERR_NOT_FOUND, "nothing is kept of this stream that could go on");
        else
            transfer_fail(&job->t, &no_memory);
        return false;
    }
    if (d->again)
        unpark(bulk, kept);
    job->t.kept = kept;
    d->bytes_in = kept->ring.to;
    d->bytes_out = kept->given;
    return true;
}

/* ---- byte streams */

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
    if (!d->lasting || take_kept(bulk, job))
        job_start(job);
    else
        job_tell(&job->t, EVENT_DONE);
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

    if (job == NULL || (!d->again && (fd[0] < 0 || fd[1] < 0))) {
        packet_close(spare);
        if (job != NULL)
            transfer_failf(&job->t, ERR_USAGE, "a byte stream needs two descriptors, and the program passed none");
        return;
    }
    struct kept *kept = job->t.kept;
    pthread_mutex_lock(&job->t.lock);
    if (kept == NULL)
        memcpy(job->t.fd, fd, sizeof job->t.fd);
    else if (!d->again)
        memcpy(kept->fd, fd, sizeof kept->fd);
    pthread_mutex_unlock(&job->t.lock);
    if (kept != NULL)
        kept->begun = true;
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

static const char *stopped_text(int code)
{
    switch (code) {
    case ERR_CANCELLED: return "stopped";
    case ERR_NOT_FOUND: return "it is not offered any more";
    case ERR_CHANGED: return "stopped for a better way";
    default: return err_text(code);
    }
}

static void cancel(struct job_transfer *job, int code)
{
    if (job != NULL)
        transfer_failf(&job->t, code, "%s", stopped_text(code));
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
    struct job_transfer *job = d->port_data;
    (void)bulk;
    if (job != NULL && code != ERR_CHANGED)
        job->discard = true;
    cancel(job, code);
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

int bulk_new(const struct bulk_config *config, struct bulk **bulk, struct fault *fault)
{
    struct bulk *new = sodium_init() < 0 ? NULL : calloc(1, sizeof *new);
    if (new == NULL)
        return fault_set(fault, ERR_NOMEM, "out of memory for the bulk plane");
    new->config = *config;
    LIST_INIT(&new->transfers);
    LIST_INIT(&new->parked);
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
    mailbox_clear(m);
    while ((job = LIST_FIRST(&bulk->transfers)) != NULL)
        job_free(job);
    while (!LIST_EMPTY(&bulk->parked))
        bulk_duplex_drop(bulk, &LIST_FIRST(&bulk->parked)->name);
    gate_free(bulk->gate);
    mailbox_close(m);
    free(bulk);
}

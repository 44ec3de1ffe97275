/* INDEX: what a file consists of, for a peer that has another version of it. See openings_internal.h.
 *
 * A worker makes the index, in the node's own folder for such things; then it stands ready for the peer as a parcel, until the
 * opening is closed or another one is asked for. So that nobody fills the disk, few may stand for one peer, and in all. */
#include "openings_internal.h"

#include "anchors.h"
#include "parcels.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_EACH 10 /* of a segment, in an index */

/* One that is made, stands, or is still read by whoever was fetching it when it was not wanted any more. */
struct index {
    struct index *next;
    struct core *core;
    struct peer *peer;
    struct parcel *parcel;
    bool taken_back; /* and read on: the parcel tells when it is not */
    char name[KEY_TEXT];
};

struct index_demand {
    struct demand d;
    uint64_t seed;
    struct index *index;
    struct index_job *job; /* NULL: not at work */
};

/* ---- one index */

static struct index *index_new(struct core *core, struct peer *peer)
{
    struct index *x = calloc(1, sizeof *x);
    struct tag name;
    if (!x)
        return NULL;
    core_random(core, name.b, sizeof name.b);
    base32_encode(name.b, TAG_BYTES, x->name);
    x->core = core;
    x->peer = peer;
    peer->busy++;
    x->next = core->openings->indexes;
    core->openings->indexes = x;
    return x;
}

static void index_free(struct index *x)
{
    struct index **at = &x->core->openings->indexes;
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    x->peer->busy--;
    free(x);
}

static void discarded(struct job *job)
{
    struct index *x = job->owner;
    x->core->jobs--;
    free(job);
    index_free(x);
}

/* Nobody reads it any more. Its file goes; at the end of the core, when there are no more jobs, at the next start. */
static void discard(void *owner)
{
    struct index *x = owner;
    x->taken_back = false;
    if (!x->core->openings) {
        free(x);
        return;
    }
    struct discard_job *j = calloc(1, sizeof *j);
    if (!j)
        return; /* it counts as standing */
    j->job = (struct job){.kind = JOB_DISCARD, .done = discarded, .owner = x};
    snprintf(j->path, sizeof j->path, "%s/%s", x->core->config.spool, x->name);
    core_job(x->core, &j->job);
}

void index_end(struct opening *o)
{
    struct index *x = o->index;
    if (!x)
        return;
    o->index = NULL;
    x->taken_back = true;
    parcel_end(x->parcel, discard);
}

/* Those that are still read are freed by their parcel. */
void indexes_free(struct openings *os)
{
    struct index *next;
    for (struct index *x = os->indexes; x; x = next) {
        next = x->next;
        if (!x->taken_back)
            free(x);
    }
    os->indexes = NULL;
}

/* ---- the request */

static int make_ready(struct opening *o, struct index *x, struct fault *fault)
{
    x->parcel = parcel_make(o->core, o->peer, o->core->config.spool, x->name, x);
    if (!x->parcel)
        return fault_set(fault, ERR_FULL, "too much stands ready here; try again later");
    index_end(o);
    o->index = x;
    return 0;
}

static void answer(struct demand *d, uint64_t bytes)
{
    const struct opening *o = d->opening;
    struct msg *m = demand_message(d, MSG_INDEX_OK);
    if (!m)
        return;
    m->index_ok = (struct msg_index_ok){.token = source_token(&o->source), .parcel = o->index->parcel->name, .bytes = bytes};
    demand_answer(d, m);
}

static void indexed(struct job *job)
{
    struct index_job *j = (struct index_job *)job;
    struct index_demand *i = job->owner;
    struct opening *o = i->d.opening;
    struct fault fault = job->fault;
    uint64_t bytes = j->bytes;
    o->core->jobs--;
    i->job = NULL;
    free(j);
    if (fault.code || i->d.why.code || make_ready(o, i->index, &fault) != 0) {
        discard(i->index);
        demand_fail(&i->d, &fault);
        return;
    }
    answer(&i->d, bytes);
}

static void index_begin(struct demand *d)
{
    static const struct fault fault = {.code = ERR_NOMEM, .text = "out of memory for an index"};
    struct index_demand *i = (struct index_demand *)d;
    struct index_job *j = calloc(1, sizeof *j);
    i->index = j ? index_new(d->core, d->peer) : NULL;
    if (!i->index) {
        free(j);
        demand_fail(d, &fault);
        return;
    }
    j->job = (struct job){.kind = JOB_INDEX, .done = indexed, .owner = i};
    j->source = &d->opening->source;
    j->seed = i->seed;
    snprintf(j->dir, sizeof j->dir, "%s", d->core->config.spool);
    memcpy(j->name, i->index->name, sizeof i->index->name);
    i->job = j;
    core_job(d->core, &j->job);
}

static void index_stop(struct demand *d)
{
    struct index_demand *i = (struct index_demand *)d;
    if (i->job)
        atomic_store(&i->job->stop, true);
}

static void index_look(const struct demand *d, struct msg_progress *p)
{
    const struct index_demand *i = (const struct index_demand *)d;
    p->phase = PROGRESS_INDEX;
    p->done = i->job ? i->job->done : 0;
    p->total = source_size(&d->opening->source);
}

/* Those that wait will stand, too. */
static bool has_room(const struct openings *os, const struct opening *o)
{
    unsigned own = demands_waiting(os, WAIT_INDEX, o->account), all = demands_waiting(os, WAIT_INDEX, NULL);
    for (const struct index *x = os->indexes; x; x = x->next) {
        own += x->peer == o->peer;
        all++;
    }
    return own < INDEXES_PER_PEER_MAX && all < INDEXES_KEPT_MAX;
}

/* All of the file is read for one small message, so that it is paid for as what is built is. */
static bool is_paid(struct opening *o)
{
    uint64_t stored = (uint64_t)o->source.st.st_blocks * 512, size = source_size(&o->source);
    uint32_t wait_ms;
    return account_spend(o->core, o->account, stored < size ? stored : size, &wait_ms);
}

void index_on_request(struct link *link, const struct msg *m)
{
    static const struct demand_kind kind = {
        .size = sizeof(struct index_demand), .turn = WAIT_INDEX, .begin = index_begin, .stop = index_stop, .look = index_look};
    struct opening *o = opening_for(link, m, m->index.handle);
    if (!o)
        return;
    if (o->write)
        link_error(link, m->request, ERR_STATE, "open this file to read: an index is made of what stands there");
    else if (!o->core->config.spool)
        link_error(link, m->request, ERR_UNSUPPORTED, "this node makes no indexes");
    else if (source_size(&o->source) / SEGMENT_MEAN > INDEX_BYTES_MAX / BYTES_EACH)
        link_error(link, m->request, ERR_LIMIT, "this file is too large for an index");
    else if (!has_room(link->core->openings, o))
        link_error(link, m->request, ERR_FULL, "as many indexes as this node allows stand for you; close a file, or try later");
    else if (!is_paid(o))
        link_error(link, m->request, ERR_LIMIT, "much has been read for you; send the file as a whole, or try again later");
    else {
        struct demand *d = demand_new(&kind, link, m, o);
        if (!d)
            return;
        ((struct index_demand *)d)->seed = m->index.seed;
        d->wait = WAIT_INDEX;
        demands_look_soon(d->core);
    }
}

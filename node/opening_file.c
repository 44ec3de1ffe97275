/* FILE: opens a file for a peer. See openings_internal.h.
 *
 * What may be opened is decided here and in the job that opens it; that only one peer writes to a file at a time is decided
 * when the job is back, by what the place turned out to be. Where who had it is just leaving, FILE waits. */
#include "openings_internal.h"

#include "tree.h"

#include <stdlib.h>
#include <string.h>

static void describe(const struct opening *o, struct msg_file_ok *ok)
{
    ok->kind = o->write ? o->site.kind : FILE_FILE;
    ok->state = o->write ? site_state(&o->site) : site_state_of(&o->source.st);
}

static void answer(struct demand *d)
{
    struct opening *o = d->opening;
    struct msg *m = demand_message(d, MSG_FILE_OK);
    if (!m)
        return;
    opening_ready(o);
    m->file_ok.handle = o->handle;
    describe(o, &m->file_ok);
    account_limits(o->core, o->account, &m->file_ok.limits);
    demand_answer(d, m);
}

static void take_place(struct demand *d)
{
    struct opening *o = d->opening;
    struct fault fault;
    bool shares = !o->write || !o->site.leaf[0]; /* with all others */
    enum place_verdict verdict = shares ? PLACE_FREE : place_look(d, &o->site, &fault);
    if (verdict == PLACE_TAKEN) {
        demand_fail(d, &fault);
    } else if (verdict == PLACE_FREE) {
        answer(d);
    } else {
        d->place = &o->site;
        d->wait = WAIT_PLACE;
        opening_shut(o); /* what stands there will have changed */
    }
}

static void opened(struct job *job)
{
    struct open_job *j = (struct open_job *)job;
    struct demand *d = job->owner;
    struct opening *o = d->opening;
    struct fault fault = job->fault;
    o->core->jobs--;
    if (!fault.code && o->write)
        o->site = j->site;
    else if (!fault.code)
        o->source = j->source;
    free(j);
    if (fault.code || d->why.code || !opening_allowed(o, &fault))
        demand_fail(d, &fault);
    else
        take_place(d);
}

static void open_again(struct demand *d)
{
    static const struct fault fault = {.code = ERR_NOMEM, .text = "out of memory for another open file"};
    struct opening *o = d->opening;
    struct open_job *j = calloc(1, sizeof *j);
    if (!o->closer)
        o->closer = calloc(1, sizeof *o->closer);
    if (!j || !o->closer) {
        free(j);
        demand_fail(d, &fault);
        return;
    }
    d->place = NULL;
    j->job = (struct job){.kind = JOB_OPEN, .done = opened, .owner = d};
    memcpy(j->root, o->root, sizeof j->root);
    memcpy(j->path, o->path, sizeof j->path);
    j->write = o->write;
    j->site.dir_fd = j->source.fd = -1;
    core_job(o->core, &j->job);
}

static bool may_open(const struct share *share, const struct msg_file *file, struct fault *fault)
{
    if (share_is_stream(share))
        fault_set(fault, ERR_UNSUPPORTED, "this share is a byte stream: connect to it");
    else if (file->write && !share->row.writable)
        fault_set(fault, ERR_REFUSED, "'%s' is not writable for you; its owner can share it with --writable", share->row.name);
    else if (tree_hidden(file->at.path))
        fault_set(fault, ERR_REFUSED, "this path leads into a folder of weft's own");
    else
        return true;
    return false;
}

void file_on_request(struct link *link, const struct msg *m)
{
    static const struct demand_kind kind = {.size = sizeof(struct demand), .begin = open_again};
    struct share *share = files_share_for(link, m->request, &m->file.pipe, m->file.at.share);
    struct fault fault;
    if (!share)
        return;
    struct opening *o = may_open(share, &m->file, &fault) ? opening_new(link, share, &m->file, &fault) : NULL;
    if (!o) {
        core_send_error(link, m->request, &fault);
        return;
    }
    struct demand *d = demand_new(&kind, link, m, o);
    if (d)
        open_again(d);
    else
        opening_release(o);
}

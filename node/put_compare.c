/* What a file of a put is compared with, and what that yields.
 *
 * With a base that fits what is there; without one, with the peer's own index of it (put_index.c). Where nothing is there, the
 * file is read to know what it consists of, and a base of another file of the peer's that is like it will do: what was moved
 * or copied costs nothing. */
#include "put_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- comparisons */

void put_diff_release(struct put_diff *d)
{
    if (--d->users > 0)
        return;
    if (d->back && d->job.number > 0 && !d->kept)
        remember_not(d->core, d->job.number);
    if (d->back && d->job.job.fault.code == 0)
        diff_free(&d->job.diff);
    free(d);
}

/* The file in hand does without. */
void put_drop_diff(struct put *p)
{
    struct put_diff *d = p->file.diff;
    p->file.diff = NULL;
    if (!d)
        return;
    d->put = NULL;
    d->job.stop = true;
    put_diff_release(d);
}

static struct base_key key_of(const struct put *p, const struct share_path *at)
{
    return (struct base_key){.peer = p->peer->id, .at = *at};
}

void put_remember(struct put *p, const struct file_state *there)
{
    struct put_file *f = &p->file;
    struct base_key key = key_of(p, &f->at);
    struct put_diff *d = f->diff;
    if (!d || d->job.number == 0) {
        if (f->state.size >= BASE_MIN_BYTES)
            remember_file(p->core, &key, f->path, there);
        return;
    }
    struct base_row row = {.key = key,
                           .number = d->job.number,
                           .state = *there,
                           .bytes = d->job.bytes,
                           .cost = d->job.cost,
                           .sketch_count = d->job.sketch_count};
    memcpy(row.sketch, d->job.sketch, sizeof row.sketch);
    d->kept = true;
    remember_row(p->core, &row);
}

/* Are the bytes there those that the base is of? */
bool put_base_fits(const struct base_row *base, const struct file_state *there)
{
    const struct file_state *was = &base->state;
    if (was->token != 0)
        return was->token == there->token;
    return was->size == there->size && was->mtime_s == there->mtime_s && was->mtime_ns == there->mtime_ns;
}

static void source_told(struct put *p, const struct msg *m)
{
    struct put_file *f = &p->file;
    const struct msg_file_ok *ok = &m->file_ok;
    bool same = f->there.kind == FILE_FILE;
    f->source = ok->handle;
    f->token = ok->state.token;
    if (ok->kind != FILE_FILE || (same && f->token != f->there.state.token) ||
        (f->way == PUT_BY_BASE && !put_base_fits(&f->base, &ok->state))) {
        put_file_next_way(p);
        return;
    }
    if (f->diff && f->diff->back && f->diff->token == f->token) {
        put_gather_start(p); /* it is begun anew over another link */
        return;
    }
    f->there.state.size = ok->state.size;
    if (f->way == PUT_BY_BASE)
        put_compare_with(p, "");
    else
        put_ask_index(p);
}

/* ---- comparing */

static void similar_told(void *arg, const struct base_row *row, uint64_t seed)
{
    struct put *p = arg;
    (void)seed;
    if (!row) {
        put_file_whole(p);
        return;
    }
    p->file.base = *row;
    p->file.has_base = true;
    put_open(p, &row->key.at, false, source_told);
}

/* Nothing is there, and the file has been read: is another file of the peer's like it? */
static void find_similar(struct put *p)
{
    const struct diff_job *j = &p->file.diff->job;
    struct base_key key = key_of(p, &p->file.at);
    if (j->sketch_count == 0 || remember_similar(p->core, &key, j->sketch, j->sketch_count, similar_told, p) != 0)
        put_file_whole(p);
}

/* Of the file here, so that no way does better? */
static bool is_ours(enum err code)
{
    return code == ERR_CHANGED || code == ERR_NOT_FOUND || code == ERR_DENIED || code == ERR_REFUSED;
}

static void compared(struct job *job)
{
    struct put_diff *d = (struct put_diff *)job;
    struct put *p = d->put;
    struct fault fault = job->fault;
    bool sketch_only = d->job.sketch_only;
    d->core->jobs--;
    d->back = true;
    put_diff_release(d);
    if (!p)
        return;
    p->phase_done = p->phase_total;
    if (fault.code) {
        put_drop_diff(p);
        if (is_ours(fault.code))
            put_file_over(p, &fault);
        else
            put_failed(p, &fault);
    } else if (sketch_only) {
        find_similar(p);
    } else if (core_now(p->core) - p->file.opened_at > OPENING_IDLE / 2) {
        put_anew(p); /* the handles may be closed by now */
    } else if (!put_moves(p)) {
        put_gather_start(p);
    }
}

/* With the base, or the peer's index in that file, or (without both) just to know what the file consists of. */
void put_compare_with(struct put *p, const char *index)
{
    struct put_file *f = &p->file;
    struct put_diff *d = calloc(1, sizeof *d);
    put_drop_diff(p);
    if (!d) {
        put_fail_nomem(p);
        return;
    }
    d->core = p->core;
    d->put = p;
    d->users = 2;
    d->token = f->token;
    d->job.job = (struct job){.kind = JOB_DIFF, .done = compared};
    d->job.dir = p->core->config.bases;
    strcpy(d->job.path, f->path);
    snprintf(d->job.index_path, sizeof d->job.index_path, "%s", index);
    d->job.has_base = f->has_base;
    d->job.sketch_only = !f->has_base && !index[0];
    d->job.base = f->base;
    d->job.base.state.size = f->there.state.size;
    d->job.seed = f->seed;
    d->job.number = p->dry_run ? 0 : remember_number(p->core);
    d->job.bytes_max = p->core->config.base_limit;
    d->job.regions_max = DIFF_REGIONS_MAX;
    f->diff = d;
    put_phase(p, PUT_DIFF, f->state.size);
    core_job(p->core, &d->job.job);
}

void put_compare(struct put *p)
{
    struct put_file *f = &p->file;
    if (f->there.kind == FILE_FILE) {
        if (!f->has_base || !put_base_fits(&f->base, &f->there.state)) {
            f->has_base = false;
            f->way = PUT_BY_INDEX;
        }
        put_open(p, &f->at, false, source_told);
    } else if (f->diff && f->diff->job.sketch_only) {
        find_similar(p); /* it is begun anew */
    } else if (f->has_base && f->diff) {
        put_open(p, &f->base.key.at, false, source_told);
    } else {
        f->has_base = false;
        put_compare_with(p, "");
    }
}

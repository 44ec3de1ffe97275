/* One file of a put: whether it has to go at all, what it is compared with, and what then.
 *
 * The file is opened there first. Equal size and time: it is there. With a base that fits what is there it is compared with
 * that; with a base of another file of the peer's that is like it, where nothing is there; without a base with the peer's own
 * index. What comes of it is gathered (put_gather.c), or sent as a whole where that would save nothing. A way that fails
 * because something is not as it was believed to be is followed by the next one. */
#include "put_internal.h"

#include <stdlib.h>
#include <string.h>

#define INSIDE_LEAST (1u << 20) /* bytes of a file in a folder that is worth to be asked for without a base */

/* ---- the end */

/* Old bytes that cannot be read there, and an index that there is no room for, are only missed. */
static bool is_about_old(const struct put *p)
{
    return p->file.source == 0 || p->phase == PUT_INDEX || p->phase == PUT_FETCH;
}

/* May another way do better? */
static bool is_of_way(const struct put *p, enum err code)
{
    switch (code) {
    case ERR_CHANGED:
    case ERR_VERIFY:
    case ERR_DAMAGED:
    case ERR_NOT_FOUND:
    case ERR_MALFORMED:
    case ERR_STATE:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED: return true;
    case ERR_DENIED:
    case ERR_REFUSED:
    case ERR_IO:
    case ERR_NOSPACE: return is_about_old(p);
    default: return false;
    }
}

static void file_failed(struct put *p, const struct fault *fault)
{
    if (p->file.way < PUT_AS_WHOLE && p->file.destination != 0 && is_of_way(p, fault->code)) {
        log_write(p->core->log, LOG_INFO, "put", "an update came to nothing: %s", fault->text);
        put_file_next_way(p);
    } else {
        put_file_over(p, fault);
    }
}

void put_file_next_way(struct put *p)
{
    bool another = p->file.there.kind == FILE_NOTHING; /* then there is no index of it either */
    p->file.way = p->file.way == PUT_BY_BASE && !another ? PUT_BY_INDEX : PUT_AS_WHOLE;
    p->file.has_base = false;
    put_drop_diff(p);
    put_anew(p);
}

/* What a folder's file came to is told with the folder, but for updates. */
static void over(struct put *p, const struct fault *fault)
{
    bool lost = fault && (fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT); /* so is the rest of the folder */
    if (!p->file.inside || lost) {
        p->files_done += !fault;
        put_source_over(p, fault);
        return;
    }
    put_withdraw(p);
    put_drop_diff(p);
    put_close(p, &p->file.source);
    put_close(p, &p->file.destination);
    put_folder_next(p);
}

static void over_well(struct put *p)
{
    over(p, NULL);
}

void put_file_over(struct put *p, const struct fault *fault)
{
    if (fault)
        over(p, fault);
    else
        put_when_fetched(p, over_well);
}

/* It stays as it is there. */
static void file_left(struct put *p, const char *how)
{
    const struct put_file *f = &p->file;
    if (!f->inside)
        put_tell_file(p, &(struct put_told){.path = f->path, .at = &f->at, .how = how, .bytes = f->state.size, .files = 1});
    put_file_over(p, NULL);
}

static void file_skipped(struct put *p)
{
    p->sum.skipped += !p->file.inside;
    file_left(p, "skipped");
}

/* It may have been this very put that brought it, before it lost its link. */
static void file_present(struct put *p)
{
    struct put_file *f = &p->file;
    if (!f->inside) {
        p->sum.present++;
        p->sum.files++;
        p->sum.bytes += f->state.size;
    }
    if (!p->dry_run && !(f->has_base && put_base_fits(&f->base, &f->there.state)))
        put_remember(p, &f->there.state);
    file_left(p, "present");
}

/* ---- as a whole */

static void whole_done(struct put *p, const struct msg *m)
{
    struct put_file *f = &p->file;
    const struct msg_put_ok *ok = &m->put_ok;
    struct file_state there = f->state;
    there.token = ok->token;
    put_count_whole(p, ok);
    if (ok->files + ok->present + ok->skipped + ok->failed == 0) {
        struct fault fault;
        fault_set(&fault, ERR_VERIFY, "the peer does not say what became of it");
        put_file_over(p, &fault);
        return;
    }
    if (ok->failed == 0)
        put_tell_file(p, &(struct put_told){.path = f->path,
                                            .at = &f->at,
                                            .how = ok->skipped ? "skipped" : "whole",
                                            .bytes = f->state.size,
                                            .sent = p->sum.sent - f->sent_before,
                                            .files = ok->files});
    if (ok->failed == 0 && ok->skipped == 0 && !p->dry_run && p->policy != IF_EXISTS_RENAME)
        put_remember(p, &there);
    put_file_over(p, NULL);
}

void put_file_whole(struct put *p)
{
    p->file.way = PUT_AS_WHOLE;
    if (p->file.inside)
        put_file_over(p, NULL);
    else
        put_whole(p, p->file.destination, "", p->file.path, whole_done);
}

/* ---- what is there */

/* Is an update to be tried? */
static bool is_update(const struct put *p)
{
    const struct put_file *f = &p->file;
    bool is_there = f->there.kind == FILE_FILE;
    return f->way < PUT_AS_WHOLE && f->state.size >= BASE_MIN_BYTES && f->state.size <= f->there.limits.size &&
           (!is_there || (f->there.state.size >= BASE_MIN_BYTES && p->policy == IF_EXISTS_OVERWRITE));
}

static bool is_same(const struct file_state *a, const struct file_state *b)
{
    return a->size == b->size && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

/* Is there nothing to be done? Size and time say so, unless it is known to be another state than the one that was seen here:
 * two edits within one tick of the clocks leave the same time. */
static bool is_present(const struct put_file *f)
{
    return f->there.kind == FILE_FILE && is_same(&f->state, &f->there.state) &&
           (!f->has_base || put_base_fits(&f->base, &f->there.state));
}

static void decide(struct put *p)
{
    struct put_file *f = &p->file;
    struct fault fault;
    if (f->there.kind == FILE_DIR) {
        fault_set(&fault, ERR_EXISTS, "a folder is there under the name of '%s'; a file cannot take its place", p->name);
        put_file_over(p, &fault);
    } else if (is_present(f)) {
        file_present(p);
    } else if (f->there.kind == FILE_FILE && p->policy == IF_EXISTS_SKIP) {
        file_skipped(p);
    } else if (is_update(p)) {
        put_compare(p);
    } else {
        put_file_whole(p);
    }
}

static void opened(struct put *p, const struct msg *m)
{
    p->file.there = m->file_ok;
    p->file.destination = m->file_ok.handle;
    p->file.opened_at = core_now(p->core);
    decide(p);
}

static void open_there(struct put *p)
{
    struct put_file *f = &p->file;
    if (f->inside && !f->has_base && f->state.size < INSIDE_LEAST)
        put_file_over(p, NULL);
    else if (f->destination != 0)
        decide(p);
    else
        put_open(p, &f->at, true, opened);
}

/* ---- the beginning */

static void base_told(void *arg, const struct base_row *row, uint64_t seed)
{
    struct put *p = arg;
    p->file.looked = true;
    p->file.seed = seed;
    p->file.has_base = row != NULL;
    if (row)
        p->file.base = *row;
    open_there(p);
}

static void file_begin(struct put *p)
{
    struct put_file *f = &p->file;
    struct base_key key = {.peer = p->peer->id, .at = f->at};
    if (f->looked || f->state.size < BASE_MIN_BYTES) {
        open_there(p);
    } else if (!p->core->config.bases || remember_find(p->core, &key, base_told, p) != 0) {
        f->looked = true;
        f->way = PUT_AS_WHOLE;
        open_there(p);
    }
}

static const struct put_unit file_unit = {file_begin, file_failed};

void put_file_start(struct put *p)
{
    p->file.sent_before = p->sum.sent;
    put_go(p, &file_unit);
}

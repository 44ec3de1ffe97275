/* The line of files whose bases are still to be made. See remember.h.
 *
 * Each goes through three jobs: is it known already, just so? (which it mostly is when the same folder is fetched again); a
 * clone, so that what the person does to the file from then on does no harm; and the index, which takes long. Clones go first,
 * for as many as LOOK_AHEAD, since they may be copies. All that is one job at a time, by a worker that yields to everyone; only
 * what somebody waits for is made at once, beside it.
 *
 * A file is in the list and its bucket until it is made, has failed, or is forgotten; one that is forgotten while a job of its
 * is out goes to the list `left` until that is back. */
#include "remember_internal.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AHEAD 256

struct lined {
    struct lined *next, *prev; /* in line; `left`: next only */
    struct lined *same_bucket;
    struct remember *r;
    struct node_id peer;
    struct file_state state;
    uint64_t number;          /* of its files; 0: none were begun */
    struct remember_job *job; /* that is out */
    bool busy;                /* a job is out, of whatever kind */
    bool looked, bytes;       /* it is not known, and was cloned where that can be */
    bool wanted;              /* somebody waits */
    bool forgotten;
    size_t text_n;
    const char *item, *path;
    char share[]; /* and item, and path */
};

/* ---- the table */

static struct lined **bucket_of(struct remember *r, const struct node_id *peer, const char *share, const char *item)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof peer->b; i++)
        h = (h ^ peer->b[i]) * 1099511628211u;
    for (; *share; share++)
        h = (h ^ (uint8_t)*share) * 1099511628211u;
    for (; *item; item++)
        h = (h ^ (uint8_t)*item) * 1099511628211u;
    return &r->bucket[(h ^ h >> 32) % LINE_BUCKETS];
}

struct lined *line_find(struct remember *r, const struct base_key *key)
{
    struct lined *e = *bucket_of(r, &key->peer, key->at.share, key->at.path);
    while (e && !(id_equal(&e->peer, &key->peer) && strcmp(e->share, key->at.share) == 0 && strcmp(e->item, key->at.path) == 0))
        e = e->same_bucket;
    return e;
}

static struct lined *lined_new(struct remember *r, const struct base_key *key, const char *path, const struct file_state *state)
{
    size_t share_n = strlen(key->at.share) + 1, item_n = strlen(key->at.path) + 1, path_n = strlen(path) + 1;
    struct lined *e = calloc(1, sizeof *e + share_n + item_n + path_n);
    if (!e)
        return NULL;
    memcpy(e->share, key->at.share, share_n);
    memcpy(e->share + share_n, key->at.path, item_n);
    memcpy(e->share + share_n + item_n, path, path_n);
    e->item = e->share + share_n;
    e->path = e->item + item_n;
    e->text_n = share_n + item_n + path_n;
    e->r = r;
    e->peer = key->peer;
    e->state = *state;
    return e;
}

static void line_up(struct remember *r, struct lined *e)
{
    struct lined **bucket = bucket_of(r, &e->peer, e->share, e->item);
    e->same_bucket = *bucket;
    *bucket = e;
    e->prev = r->last;
    *(r->last ? &r->last->next : &r->first) = e;
    r->last = e;
    r->count++;
    r->text += e->text_n;
}

static void leave(struct remember *r, struct lined *e)
{
    struct lined **at = bucket_of(r, &e->peer, e->share, e->item);
    while (*at != e)
        at = &(*at)->same_bucket;
    *at = e->same_bucket;
    *(e->prev ? &e->prev->next : &r->first) = e->next;
    *(e->next ? &e->next->prev : &r->last) = e->prev;
    r->count--;
    r->text -= e->text_n;
    r->looked -= e->looked;
}

static struct base_key key_of(const struct lined *e)
{
    struct base_key key = {.peer = e->peer};
    strcpy(key.at.share, e->share);
    strcpy(key.at.path, e->item);
    key.at.len = (uint16_t)strlen(e->item);
    return key;
}

/* ---- leaving */

/* Out of line, for good: who waited for it asks what there is now. */
static void finish(struct lined *e)
{
    leave(e->r, e);
    finds_after(e->r, e, NULL);
    free(e);
}

/* Who waited for it waits for `instead`. */
static void forget(struct lined *e, struct lined *instead)
{
    struct remember *r = e->r;
    leave(r, e);
    finds_after(r, e, instead);
    if (!e->busy) {
        r->quiet = r->quiet == e ? NULL : r->quiet;
        remember_not(r->core, e->number);
        free(e);
        return;
    }
    e->forgotten = true;
    e->next = r->left;
    r->left = e;
    if (e->job)
        atomic_store(&e->job->stop, true);
}

void line_forget(struct lined *e)
{
    forget(e, NULL);
}

void line_forget_all(struct remember *r)
{
    while (r->first)
        forget(r->first, NULL);
}

void line_free(struct remember *r)
{
    struct lined *e;
    while ((e = r->first)) {
        r->first = e->next;
        free(e);
    }
    while ((e = r->left)) {
        r->left = e->next;
        free(e);
    }
}

/* ---- jobs */

static void step(struct lined *e);

/* A job of its is back. Is it still in line? If not, it is gone now. */
static bool is_back(struct lined *e)
{
    struct remember *r = e->r;
    r->core->jobs--;
    e->busy = false;
    e->job = NULL;
    if (r->quiet == e)
        r->quiet = NULL;
    if (!e->forgotten)
        return true;
    struct lined **at = &r->left;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    remember_not(r->core, e->number);
    free(e);
    return false;
}

static void made(struct job *job)
{
    struct remember_job *j = (struct remember_job *)job;
    struct lined *e = job->owner;
    struct remember *r = e->r;
    bool clone_only = j->clone_only;
    if (!is_back(e)) {
        free(j);
        line_advance(r);
        return;
    }
    if (job->fault.code) {
        log_write(r->core->log, LOG_INFO, "remember", "%s", job->fault.text);
        finish(e);
    } else if (clone_only) {
        e->looked = true;
        e->bytes = j->row.bytes;
        r->looked++;
        if (e->wanted)
            step(e);
    } else {
        remember_put(r, &j->row);
        finish(e);
    }
    free(j);
    line_advance(r);
}

static void make(struct lined *e)
{
    struct remember *r = e->r;
    struct remember_job *j = calloc(1, sizeof *j);
    if (!j) {
        forget(e, NULL);
        return;
    }
    if (e->number == 0)
        e->number = remember_number(r->core);
    j->job = (struct job){.kind = JOB_REMEMBER, .done = made, .owner = e};
    j->dir = r->core->config.bases;
    strcpy(j->path, e->path);
    j->seed = r->seed;
    j->bytes_max = r->core->config.base_limit;
    j->quiet = !e->wanted;
    j->cloned = e->looked;
    j->clone_only = !e->looked && !e->wanted;
    j->row = (struct base_row){.key = key_of(e), .number = e->number, .state = e->state, .bytes = e->bytes};
    e->job = j;
    e->busy = true;
    core_job(r->core, &j->job);
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
    return a->token == b->token && a->size == b->size && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

/* Is this base what is to be made? One with a token is at least as good as one without. */
static bool is_made(const struct base_row *row, const struct file_state *state)
{
    struct file_state was = row->state;
    if (state->token == 0)
        was.token = 0;
    return same_state(&was, state);
}

static void known(struct job *job)
{
    struct base_job *j = (struct base_job *)job;
    struct lined *e = job->owner;
    struct remember *r = e->r;
    bool quiet = r->quiet == e;
    r->sums = j->sums;
    if (is_back(e)) {
        if (job->fault.code == 0 && is_made(&j->row, &e->state)) {
            finish(e);
        } else {
            r->quiet = quiet ? e : r->quiet;
            make(e);
        }
    }
    free(j);
    line_advance(r);
}

/* What is next for a file: whether it is known, or else its clone, or else its index. */
static void step(struct lined *e)
{
    struct base_key key;
    struct base_job *j;
    if (e->looked) {
        make(e);
        return;
    }
    key = key_of(e);
    j = remember_job(e->r, JOB_BASE_FIND, &key);
    if (!j) {
        forget(e, NULL);
        return;
    }
    j->job.done = known;
    j->job.owner = e;
    e->busy = true;
    core_job(e->r->core, &j->job);
}

/* ---- whose turn is it? */

static struct lined *next_one(const struct remember *r)
{
    struct lined *first = NULL;
    for (struct lined *e = r->first; e; e = e->next) {
        if (e->busy)
            continue;
        if (!e->looked && r->looked < LOOK_AHEAD)
            return e;
        if (!first && e->looked)
            first = e;
        if (first && r->looked >= LOOK_AHEAD)
            break;
    }
    return first;
}

/* Those that somebody waited for before anything could begin. */
static void begin_wanted(struct remember *r)
{
    struct lined *next;
    r->hurried = false;
    for (struct lined *e = r->first; e; e = next) {
        next = e->next;
        if (e->wanted && !e->busy)
            step(e);
    }
}

void line_advance(struct remember *r)
{
    if (!r->ready || r->stopping)
        return;
    if (r->hurried)
        begin_wanted(r);
    struct lined *e = r->quiet ? NULL : next_one(r);
    if (e) {
        r->quiet = e;
        step(e);
    }
}

void line_hurry(struct lined *e)
{
    struct remember *r = e->r;
    e->wanted = true;
    if (!r->ready || r->stopping)
        r->hurried = true;
    else if (!e->busy)
        step(e);
}

/* The oldest ones that are not in work go. */
static void make_room(struct remember *r)
{
    while (r->count > REMEMBER_MAX || r->text > REMEMBER_TEXT_MAX) {
        struct lined *e = r->first;
        while (e->busy && e->next)
            e = e->next;
        forget(e, NULL);
    }
}

/* Could its index be kept at all? That has a byte for each segment at the very least. */
static bool is_worth_it(const struct core *core, const struct file_state *state)
{
    return state->size >= BASE_MIN_BYTES && state->size / SEGMENT_MAX <= core->config.base_limit;
}

void remember_file(struct core *core, const struct base_key *key, const char *path, const struct file_state *state)
{
    struct remember *r = core->config.bases ? remember_of(core) : NULL;
    if (!r || r->stopping || !is_worth_it(core, state) || strlen(path) > PATH_BYTES_MAX)
        return;
    struct lined *older = line_find(r, key);
    if (older && same_state(&older->state, state) && strcmp(older->path, path) == 0)
        return;
    struct lined *e = lined_new(r, key, path, state);
    if (e)
        line_up(r, e);
    if (e && older)
        r->hurried |= e->wanted = older->wanted;
    if (older)
        forget(older, e);
    make_room(r);
    line_advance(r);
}

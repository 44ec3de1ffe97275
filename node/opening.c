/* The life of one opening. See openings_internal.h.
 *
 * Invariants: (1) an opening is in core->openings until nothing is in work that uses it and a worker has closed what it had
 * open; (2) the job that closes it is there before anything is open, so that closing cannot fail; (3) it counts against its
 * peer and holds its place for all that time: who comes next finds nothing half done. */
#include "openings_internal.h"
#include "session.h"

#include "io.h"

#include <stdlib.h>
#include <string.h>

static const struct state_table states = {
    .what = "opening",
    .names = (const char *const[]){"new", "open", "ending", "closing"},
    .allowed = (const uint32_t[]){[OPENING_NEW] = STATE_BIT(OPENING_OPEN) | STATE_BIT(OPENING_CLOSING),
                                  [OPENING_OPEN] = STATE_BIT(OPENING_ENDING),
                                  [OPENING_ENDING] = STATE_BIT(OPENING_CLOSING),
                                  [OPENING_CLOSING] = STATE_BIT(OPENING_NEW)},
    .count = OPENING_STATES,
};

static void move(struct opening *o, enum opening_state to)
{
    state_move(&o->state, (int)to, o->core->log);
}

/* ---- beginning and end */

static void idle(void *arg)
{
    static const struct fault why = {.code = ERR_TIMEOUT, .text = "nothing was asked of this file for too long"};
    opening_end(arg, &why);
}

static bool has_room(const struct openings *os, const struct account *a)
{
    size_t n = 0;
    for (const struct opening *o = os->first; o; o = o->next)
        n++;
    return a->openings < OPENINGS_PER_PEER_MAX && n < OPENINGS_MAX;
}

static struct opening *allocate(const struct share *share, const struct msg_file *file)
{
    size_t room = strlen(file->at.share) + file->at.len + 2;
    struct opening *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->closer = calloc(1, sizeof *o->closer);
    o->shared = strdup(share->row.path);
    o->shown = malloc(room);
    o->root = malloc(PATH_BYTES_MAX + 1);
    o->path = malloc(PATH_BYTES_MAX + 1);
    if (o->shown)
        snprintf(o->shown, room, "%s%s%s", file->at.share, file->at.len > 0 ? "/" : "", file->at.path);
    return o;
}

static void deallocate(struct opening *o)
{
    free(o->closer);
    free(o->shared);
    free(o->shown);
    free(o->root);
    free(o->path);
    free(o);
}

struct opening *opening_new(struct link *link, const struct share *share, const struct msg_file *file, struct fault *fault)
{
    struct openings *os = link->core->openings;
    struct account *account = account_of(os, &link->peer->id);
    struct opening *o = account && has_room(os, account) ? allocate(share, file) : NULL;
    if (!o) {
        fault_set(fault, ERR_FULL, "as many files as this node allows are open; close some, or try again later");
        return NULL;
    }
    if (!o->closer || !o->shared || !o->shown || !o->root || !o->path) {
        deallocate(o);
        fault_set(fault, ERR_NOMEM, "out of memory for another open file");
        return NULL;
    }
    if (!files_place(share, &file->at, o->root, o->path)) {
        deallocate(o);
        fault_set(fault, ERR_NOT_FOUND, "this share is a file; nothing is below it");
        return NULL;
    }
    o->core = link->core;
    o->peer = link->peer;
    o->peer->busy++;
    o->account = account;
    account->openings++;
    o->link = link->no;
    o->handle = ++os->handles;
    state_init(&o->state, &states, OPENING_NEW);
    o->write = file->write;
    memcpy(o->share, share->row.name, sizeof o->share);
    timer_init(&o->idle, idle, o);
    o->site.dir_fd = o->source.fd = -1;
    o->literals = NO_LITERALS;
    o->keep = true;
    o->next = os->first;
    os->first = o;
    return o;
}

static void opening_free(struct opening *o)
{
    struct opening **at = &o->core->openings->first;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    core_cancel(o->core, &o->idle);
    o->account->openings--;
    o->peer->busy--;
    demands_look_soon(o->core);
    deallocate(o);
}

/* ---- closing */

static bool is_held(const struct opening *o)
{
    return o->site.dir_fd >= 0 || o->source.fd >= 0 || o->gather;
}

static void close_here(struct opening *o)
{
    gather_close(o->gather, o->keep);
    if (o->site.dir_fd >= 0)
        site_close(&o->site);
    if (o->source.fd >= 0)
        source_close(&o->source);
}

static void closed(struct job *job)
{
    struct opening *o = job->owner;
    o->core->jobs--;
    if (job->fault.code) /* no worker took it: the node is about to end */
        close_here(o);
    free(job);
    o->site.dir_fd = o->source.fd = -1;
    o->gather = NULL;
    move(o, OPENING_NEW);
    demands_look_soon(o->core);
    if (!o->demand)
        opening_free(o);
}

static void hand_to_closer(struct opening *o)
{
    struct gather_job *j = o->closer;
    o->closer = NULL;
    move(o, OPENING_CLOSING);
    j->job = (struct job){.kind = JOB_CLOSE, .done = closed, .owner = o};
    j->gather = o->gather;
    j->keep = o->keep;
    j->owned_site = o->write ? &o->site : NULL;
    j->owned_source = o->write ? NULL : &o->source;
    core_job(o->core, &j->job);
}

void opening_shut(struct opening *o)
{
    hand_to_closer(o);
}

void opening_release(struct opening *o)
{
    if (o->demand || o->uses > 0 || o->state.now == OPENING_CLOSING)
        return;
    if (o->state.now == OPENING_OPEN)
        core_timer(o->core, &o->idle, OPENING_IDLE);
    else if (is_held(o))
        hand_to_closer(o);
    else
        opening_free(o);
}

void opening_abandon(struct opening *o)
{
    close_here(o);
    opening_free(o);
}

void opening_ready(struct opening *o)
{
    move(o, OPENING_OPEN);
    if (o->write)
        place_key("weft gather 1", o->peer, &o->site, o->key);
}

void opening_end(struct opening *o, const struct fault *why)
{
    struct demand *next;
    core_cancel(o->core, &o->idle);
    index_end(o);
    if (o->state.now == OPENING_OPEN)
        move(o, OPENING_ENDING);
    o->uses++; /* it stays until all have been told */
    for (struct demand *d = o->core->openings->demands; d; d = next) {
        next = d->next;
        if (d->opening == o || d->source == o)
            demand_stop(d, why);
    }
    o->uses--;
    opening_release(o);
}

void opening_step_over(struct opening *o, const struct fault *fault)
{
    o->over = true;
    if (fault->code != ERR_CANCELLED && fault->code != ERR_UNREACHABLE && fault->code != ERR_TIMEOUT)
        o->keep = false;
}

/* ---- use */

/* What has been withdrawn is as what never was. */
bool opening_allowed(const struct opening *o, struct fault *fault)
{
    const struct link *link = link_find(o->core, o->link);
    const struct share *share = share_find(o->core, o->share);
    bool same = share && strcmp(share->row.path, o->shared) == 0;
    if (!link || !same || !share_allows(share, o->peer) || !link_reaches_share(link, &share->row))
        fault_set(fault, ERR_NOT_FOUND, "the share '%s' is not offered to you any more", o->share);
    else if (o->write && !share->row.writable)
        fault_set(fault, ERR_REFUSED, "the share '%s' is not writable for you any more", o->share);
    else
        return true;
    return false;
}

struct opening *opening_find(const struct link *link, uint64_t handle)
{
    struct opening *o = link->core->openings ? link->core->openings->first : NULL;
    while (o && (o->handle != handle || o->link != link->no || o->state.now != OPENING_OPEN))
        o = o->next;
    return o;
}

struct opening *opening_for(struct link *link, const struct msg *m, uint64_t handle)
{
    struct opening *o = opening_find(link, handle);
    struct fault fault;
    if (!o) {
        link_error(link, m->request, ERR_NOT_FOUND, "no such file is open on this link; it may have been closed meanwhile");
    } else if (!opening_allowed(o, &fault)) {
        core_send_error(link, m->request, &fault);
        opening_end(o, &fault);
    } else if (o->demand) {
        link_error(link, m->request, ERR_STATE, "another request for this file is in work; wait for its answer");
    } else {
        return o;
    }
    return NULL;
}

struct opening *opening_to_build(struct link *link, const struct msg *m, uint64_t handle)
{
    struct opening *o = opening_for(link, m, handle);
    if (o && (!o->write || o->site.kind == FILE_DIR))
        link_error(link, m->request, ERR_STATE,
                   o->write ? "this is a folder; it cannot be built" : "this file was opened to read");
    else if (o && o->over)
        link_error(link, m->request, ERR_STATE, "no step towards this file can follow any more; open it again");
    else
        return o;
    return NULL;
}

/* ---- places */

void place_key(const char *context, const struct peer *peer, const struct site *place, char key[KEY_TEXT])
{
    struct {
        uint64_t folder;
        char leaf[ENTRY_NAME_MAX + 1];
    } who = {.folder = (uint64_t)place->dir.st_ino};
    memcpy(who.leaf, place->leaf, strlen(place->leaf));
    struct tag tag = tag_derive(context, peer->id.b, NODE_ID_BYTES, &who, sizeof who);
    base32_encode(tag.b, TAG_BYTES, key);
}

/* An opening to write has its place from its answer on until it is closed. */
static bool has_place(const struct opening *o, const struct site *place)
{
    return o->write && o->site.leaf[0] && o->state.now != OPENING_NEW && !(o->state.now == OPENING_CLOSING && o->demand) &&
           site_same(&o->site, place);
}

static enum place_verdict taken_by(const struct demand *d, const struct peer *peer, const struct site *place,
                                   struct fault *fault)
{
    char label[NAME_MAX_BYTES + 1];
    peer_label(peer, label);
    fault_set(fault, ERR_LOCKED, "'%s' is being updated by %s; try again when that is done", path_text(place->leaf).s,
              peer == d->peer ? "you already" : label);
    return PLACE_TAKEN;
}

enum place_verdict place_look(const struct demand *d, const struct site *place, struct fault *fault)
{
    static const struct fault anew = {.code = ERR_LOCKED, .text = "you have come for this place anew over another link"};
    struct openings *os = d->core->openings;
    struct opening *o = os->first;
    struct demand *e = os->demands;
    while (o && (o == d->opening || !has_place(o, place)))
        o = o->next;
    if (o && o->state.now == OPENING_OPEN && o->peer == d->peer && o->link != d->link)
        opening_end(o, &anew); /* which is then not open any more, and not gone yet */
    if (o)
        return o->state.now == OPENING_OPEN ? taken_by(d, o->peer, place, fault) : PLACE_LEAVING;
    while (e && (e == d || !e->place || e->wait != WAIT_NOT || !site_same(e->place, place)))
        e = e->next;
    if (e && !e->why.code && e->peer == d->peer && e->link != d->link)
        demand_stop(e, &anew);
    if (e)
        return e->why.code ? PLACE_LEAVING : taken_by(d, e->peer, place, fault);
    return PLACE_FREE;
}

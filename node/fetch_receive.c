/* A receive from its first to its last byte, once the streams are up.
 *
 * Order: the stage and the list are opened, then the thread is confined to destination and spool (S61) and with it all
 * threads it starts; the whole list is received and checked, against itself and against what is there; folders and links are
 * made; all streams fetch; folders get their metadata; the sender is told that it is done. Whatever goes wrong, what was
 * staged is kept, and found again by the same command. */
#include "fetch.h"

#include "landlock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void receive_tell(struct receiving *rx, const char *path, const struct fault *fault)
{
    if (atomic_fetch_add(&rx->told, 1) < ITEMS_TOLD)
        rx->t->tell_item(rx->t, path, fault);
}

void receive_item(struct receiving *rx, const char *path, const struct fault *fault)
{
    if (atomic_fetch_add(&rx->t->progress->failed, 1) == 0)
        rx->first = *fault;
    receive_tell(rx, path, fault);
}

/* Of a single file the token is wanted, whatever its size. */
static bool is_single(const struct receiving *rx)
{
    return manifest_count(rx->list) == 1;
}

bool receive_tells_placed(const struct receiving *rx, uint64_t size)
{
    return is_single(rx) || (rx->r->placed != NULL && size >= BASE_MIN_BYTES);
}

void receive_placed(struct receiving *rx, const char *path, const struct entry *entry, uint64_t token)
{
    struct file_state state = {
        .token = token, .size = entry->size, .mtime_s = entry->mtime_s, .mtime_ns = entry->mtime_ns, .mode = entry->mode};

    if (is_single(rx) && stage_token(rx->stage, path, entry, &rx->r->token) != 0)
        rx->r->token = 0; /* it was changed at once, or has another name */
    if (rx->r->placed != NULL && !rx->r->dry_run && entry->size >= BASE_MIN_BYTES &&
        atomic_fetch_add(&rx->placed, 1) < PLACED_TOLD)
        rx->t->tell_placed(rx->t, path, &state);
}

bool receive_fatal(int err)
{
    return err == ERR_NOSPACE || err == ERR_IO || err == ERR_NOMEM;
}

static int confine(const struct receiving *rx, struct fault *fault)
{
    const struct landlock_folder folders[] = {
        {.path = rx->r->at_fd ? NULL : rx->r->dest, .fd = rx->r->dest_fd},
        {.path = rx->t->spool},
    };
    struct fault why;
    int err = landlock_confine_writes(folders, 2, &why);

    if (err == ERR_UNSUPPORTED) {
        log_write(rx->t->log, LOG_DEBUG, "bulk", "%s", why.text);
        return 0;
    }
    if (err != 0)
        *fault = why;
    if (err != 0 && rx->r->at_fd)
        fault_set(fault, err, "cannot confine a thread: %s", err_text(err));
    return err;
}

static int open_stage(struct receiving *rx, struct fault *fault)
{
    const struct receive *r = rx->r;
    if (r->at_fd)
        return stage_open_at(r->dest_fd, r->dest, r->key, r->policy, &rx->stage, fault);
    return stage_open(r->dest, r->key, r->policy, &rx->stage, fault);
}

int receive_folder(const struct receive *r, const char **stage)
{
    if (!r->at_fd)
        return AT_FDCWD;
    *stage = strrchr(*stage, '/') + 1;
    return r->dest_fd;
}

static int open_all(struct receiving *rx, struct fault *fault)
{
    int err = open_stage(rx, fault);
    if (err == 0) {
        err = manifest_new(rx->t->spool, &rx->list, fault);
        if (err != 0 && rx->r->at_fd) /* a peer is told, who hears of no path of ours */
            fault_set(fault, err, "no list of files can be kept: %s", err_text(err));
    }
    return err != 0 ? err : confine(rx, fault);
}

static int make_plan(struct receiving *rx, struct fault *fault)
{
    rx->todo = calloc(manifest_count(rx->list) / 8 + 1, 1);
    rx->dirs = calloc(manifest_count(rx->list) / 8 + 1, 1);
    if (rx->todo == NULL || rx->dirs == NULL || plan_new(rx->list, rx->t->streams, &rx->plan) != 0)
        return fault_set(fault, ERR_NOMEM, "out of memory for a list of %u files", manifest_count(rx->list));
    transfer_set_plan(rx->t, rx->plan);
    return list_views_make(&rx->views, rx->list, rx->t->streams, fault);
}

/* Folders, links, files, metadata. */
static bool fill(struct receiving *rx)
{
    if (!receive_prepare(rx))
        return false;
    atomic_store(&rx->t->progress->phase, TRANSFER_DATA);
    transfer_run(rx->t, receive_stream, rx);
    return !transfer_stopped(rx->t) && receive_finish_dirs(rx);
}

/* All but opening and closing. True when all has been placed that could be. */
static bool receive_all(struct receiving *rx)
{
    struct fault fault = {0};

    if (!receive_list(rx))
        return false;
    if (make_plan(rx, &fault) != 0) {
        fetch_give_up(rx->t, &rx->t->stream[0], &fault);
        return false;
    }
    if (!receive_check(rx) || (!rx->r->dry_run && !fill(rx)))
        return false;
    for (unsigned i = 0; i < rx->t->streams; i++)
        fetch_done(&rx->t->stream[i]);
    return true;
}

/* What was kept. A folder that a peer chose is the peer's to name. */
static void add_kept(const struct receive *r, const char *stage, struct fault *fault)
{
    const char *path = stage;
    int folder = receive_folder(r, &path);
    struct fault why = *fault;

    if (faccessat(folder, path, F_OK, 0) == 0)
        fault_set(fault, (int)why.code, "%.300s; what arrived is kept%s%s: the same command resumes", why.text,
                  r->at_fd ? "" : " in ", r->at_fd ? "" : stage);
}

/* The sentence for a person: what failed, and what was kept. */
static void conclude(struct receiving *rx, bool done, const char *stage)
{
    struct transfer *t = rx->t;
    uint32_t failed = atomic_load(&t->progress->failed), all = rx->list == NULL ? 0 : manifest_count(rx->list);
    struct fault fault = t->fault;

    if (done && failed == 0)
        return;
    if (done && all == 1)
        fault = rx->first;
    else if (done)
        fault_set(&fault, ERR_PARTIAL, "%u of %u items were not fetched", failed, all);
    else if (stage != NULL)
        add_kept(rx->r, stage, &fault);
    pthread_mutex_lock(&t->lock);
    t->fault = fault;
    pthread_mutex_unlock(&t->lock);
}

void fetch_receive(struct transfer *t)
{
    struct receiving rx = {.t = t, .r = t->r};
    struct fault fault = {0};
    char *stage = NULL;
    bool done = false;

    if (open_all(&rx, &fault) == 0) {
        stage = strdup(stage_path(rx.stage));
        done = receive_all(&rx);
    } else {
        fetch_give_up(t, &t->stream[0], &fault);
    }
    transfer_set_plan(t, NULL);
    plan_free(rx.plan);
    list_views_free(&rx.views);
    free(rx.todo);
    free(rx.dirs);
    stage_close(rx.stage, done && !t->r->dry_run);
    conclude(&rx, done, stage);
    manifest_free(rx.list);
    free(stage);
}

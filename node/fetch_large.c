/* The life of a large file at the receiver: begun by the stream that takes it first, finished by the one that brings its last
 * piece back. A file that changed at the sender meanwhile is begun again, all of it, a few times (P33). */
#include "fetch_taker.h"

int taker_large_begin(struct taker *k, struct large *large)
{
    struct manifest_entry e;
    struct stage_file *file;
    uint64_t have;

    int err = taker_look_up(k, large->entry, &e);
    if (err != 0)
        return err;
    err = stage_file_open(k->rx->stage, k->path, large->now.size, large->now.token, &file, &have, &k->fault);
    if (err != 0) {
        plan_unplaceable(k->rx->plan, large);
        return taker_item_or_fatal(k, err);
    }
    uint64_t bytes = have * BLOCK_BYTES;
    atomic_fetch_add(&k->rx->t->progress->bytes_done, bytes < large->now.size ? bytes : large->now.size);
    plan_begun(k->rx->plan, large, file);
    return 0;
}

/* All of it that we count as done is void. */
static void large_forget(struct taker *k, const struct large *large, struct stage_file *file)
{
    uint64_t missing = stage_file_missing(file) * BLOCK_BYTES;
    uint64_t done = missing < large->now.size ? large->now.size - missing : 0;

    atomic_fetch_sub(&k->rx->t->progress->bytes_done, done);
    stage_file_drop(file, false);
}

/* Takes file. */
static int large_finish(struct taker *k, const struct large *large, struct stage_file *file)
{
    struct manifest_entry e;

    int err = taker_look_up(k, large->entry, &e);
    if (err != 0) {
        stage_file_drop(file, true);
        return err;
    }
    struct stage_meta meta = taker_meta(&e.entry, &large->now);
    taker_await(k, &e.entry, &large->now);
    err = stage_file_finish(k->batch, file, &meta, &k->fault);
    if (err != 0)
        taker_await_not(k);
    else
        atomic_fetch_add(&k->rx->t->progress->files_done, 1);
    return taker_item_or_fatal(k, err);
}

/* We own it: it is complete, or something is wrong with it. Takes file. True in *again when it was begun anew. */
static int large_settle(struct taker *k, struct large *large, struct stage_file *file, bool *again)
{
    struct manifest_entry e;

    if (large->status == ITEM_OK)
        return large_finish(k, large, file);
    if (file != NULL)
        large_forget(k, large, file);
    if (large->told)
        return 0;
    int err = taker_look_up(k, large->entry, &e);
    if (err != 0)
        return err;
    if (large->status != ITEM_CHANGED || large->tries == CHANGED_TRIES)
        return taker_item_lost(k, large->status);
    err = taker_regrant(k, large->now.size, large->found.size);
    if (err != 0)
        return err;
    plan_again(k->rx->plan, large);
    *again = true;
    return taker_large_begin(k, large);
}

int taker_large_return(struct taker *k, struct large *large)
{
    struct stage_file *file;

    while (plan_return(k->rx->plan, large, &file)) {
        bool again = false;
        int err = large_settle(k, large, file, &again);
        if (!again || err != 0) {
            plan_ended(k->rx->plan, large);
            return err;
        }
    }
    return 0;
}

/* Preparing the place: folders are made, links are placed, files are planned; and when all is in them, folders get their mode
 * and mtime, deepest first. */
#include "fetch_walk.h"

#include <string.h>

static int make_dir(struct list_walk *w, struct fault *fault)
{
    int err = stage_dir(w->rx->stage, w->path, fault);
    if (err == 0)
        entry_bit_set(w->rx->dirs, w->i);
    return err;
}

static int make_link(struct list_walk *w, struct fault *fault)
{
    char target[LINK_TARGET_MAX + 1];
    struct stage_meta meta = entry_meta(&w->e.entry);

    memcpy(target, w->e.entry.target, w->e.entry.target_len);
    target[w->e.entry.target_len] = '\0';
    int err = stage_link(w->rx->stage, w->path, target, &meta, fault);
    if (err == 0)
        atomic_fetch_add(&w->rx->t->progress->files_done, 1);
    return err;
}

static int prepare_entry(struct list_walk *w, void *arg, struct fault *fault)
{
    int err = 0;
    (void)arg;

    if (!entry_bit(w->rx->todo, w->i))
        return 0;
    if (w->e.entry.kind == ENTRY_DIR)
        err = make_dir(w, fault);
    else if (w->e.entry.kind == ENTRY_LINK)
        err = make_link(w, fault);
    else
        plan_want(w->rx->plan, w->i, w->e.entry.size);
    if (err == 0 || receive_fatal(err))
        return err;
    list_walk_lose(w, fault);
    return 0;
}

bool receive_prepare(struct receiving *rx)
{
    struct fault fault = {0};
    int err = list_walk(rx, prepare_entry, NULL, &fault);

    if (err != 0)
        fetch_give_up(rx->t, &rx->t->stream[0], &fault);
    return err == 0;
}

bool receive_finish_dirs(struct receiving *rx)
{
    struct manifest_entry e;
    char path[PATH_BYTES_MAX + 1];

    atomic_store(&rx->t->progress->phase, TRANSFER_FINISHING);
    for (uint32_t i = manifest_count(rx->list); i-- > 0;) {
        struct fault fault = {0};
        if (!entry_bit(rx->dirs, i))
            continue;
        int err = fetch_path(rx->r->top, rx->list, i, path);
        if (err == 0)
            err = manifest_get(rx->list, i, &e);
        if (err != 0) {
            transfer_failf(rx->t, err, "cannot read the list of files back: %s", err_text(err));
            return false;
        }
        struct stage_meta meta = entry_meta(&e.entry);
        if (stage_finish_dir(rx->stage, path, &meta, &fault) != 0)
            receive_item(rx, path, &fault);
    }
    return true;
}

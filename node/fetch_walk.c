#include "fetch_walk.h"

#include "bulk_thread.h"

static void pass_over(struct list_walk *w, _Atomic uint32_t *count)
{
    if (w->e.entry.kind != ENTRY_DIR)
        return;
    w->skip_below = w->e.depth;
    w->skip_as = count;
}

void list_walk_lose(struct list_walk *w, const struct fault *fault)
{
    receive_item(w->rx, w->path, fault);
    pass_over(w, &w->rx->t->progress->failed);
}

void list_walk_skip(struct list_walk *w)
{
    struct fault fault;

    fault_set(&fault, ERR_EXISTS, "something else is there and was left as it is");
    atomic_fetch_add(&w->rx->t->progress->skipped, 1);
    receive_tell(w->rx, w->path, &fault);
    pass_over(w, &w->rx->t->progress->skipped);
}

/* Entry i with its path. *take is false when it is passed over. */
static int look_at(struct list_walk *w, bool *take, struct fault *fault)
{
    struct fault too_long;
    int err = manifest_get(w->rx->list, w->i, &w->e);

    *take = false;
    if (err == 0 && w->skip_below != UINT32_MAX && w->e.depth > w->skip_below) {
        atomic_fetch_add(w->skip_as, 1);
        return 0;
    }
    w->skip_below = UINT32_MAX;
    if (err == 0)
        err = fetch_path(w->rx->r->top, w->rx->list, w->i, w->path);
    if (err == ERR_LIMIT) { /* w->path is still that of the entry before, which is near enough to tell */
        fault_set(&too_long, err, "a path near it is too long for this destination");
        list_walk_lose(w, &too_long);
        return 0;
    }
    if (err == 0) /* again: name and target are valid until the next call on the list, and that was one */
        err = manifest_get(w->rx->list, w->i, &w->e);
    *take = err == 0;
    return err == 0 ? 0 : fault_set(fault, err, "cannot read the list of files back: %s", err_text(err));
}

/* Going through a million entries takes longer than the sender bears in silence, or a person who cancels. */
static int keep_alive(struct list_walk *w)
{
    if (transfer_stopped(w->rx->t))
        return ERR_CANCELLED;
    if (now_ns() < w->keep_at)
        return 0;
    w->keep_at = now_ns() + KEEP_INTERVAL;
    return fetch_keep(&w->rx->t->stream[0]);
}

int list_walk(struct receiving *rx, int (*each)(struct list_walk *w, void *arg, struct fault *fault), void *arg,
              struct fault *fault)
{
    struct list_walk w = {.rx = rx, .skip_below = UINT32_MAX, .keep_at = now_ns() + KEEP_INTERVAL};
    uint32_t count = manifest_count(rx->list);
    int err = 0;

    for (w.i = 0; w.i < count && err == 0; w.i++) {
        bool take;
        err = look_at(&w, &take, fault);
        if (err == 0 && take)
            err = each(&w, arg, fault);
        if (err == 0 && w.i % 64 == 0)
            err = keep_alive(&w);
    }
    return err;
}

#include "fetch_taker.h"

#include <stdlib.h>
#include <string.h>

int taker_item_or_fatal(struct taker *k, int err)
{
    if (err == 0 || receive_fatal(err))
        return err;
    receive_item(k->rx, k->path, &k->fault);
    k->fault = (struct fault){0};
    return 0;
}

int taker_item_lost(struct taker *k, enum item_status status)
{
    struct fault fault;

    if (status == ITEM_CHANGED)
        fault_set(&fault, ERR_CHANGED, "it kept changing while it was read");
    else
        fault_set(&fault, item_err(status), "the sender cannot read it: %s", err_text(item_err(status)));
    receive_item(k->rx, k->path, &fault);
    return 0;
}

int taker_look_up(struct taker *k, uint32_t i, struct manifest_entry *e)
{
    int err = fetch_path(k->rx->r->top, k->list, i, k->path);
    if (err == 0)
        err = manifest_get(k->list, i, e);
    return err == 0 ? 0 : fault_set(&k->fault, err, "cannot read the list of files back: %s", err_text(err));
}

struct stage_meta taker_meta(const struct entry *e, const struct file_now *now)
{
    return (struct stage_meta){.mode = e->mode, .mtime_s = now->mtime_s, .mtime_ns = now->mtime_ns};
}

int taker_regrant(struct taker *k, uint64_t listed, uint64_t now)
{
    struct receiving *rx = k->rx;
    uint64_t after = atomic_fetch_add(&rx->granted, now - listed) + (now - listed);

    atomic_fetch_add(&rx->t->progress->bytes_total, now - listed);
    if (now <= listed)
        return 0;
    if (rx->r->limit != 0 && after > rx->r->limit)
        return fault_set(&k->fault, ERR_LIMIT, "files grew meanwhile, beyond the limit of %llu bytes",
                         (unsigned long long)rx->r->limit);
    if (rx->r->limit == 0 && now - listed > fetch_limit(rx->r))
        return fault_set(&k->fault, ERR_NOSPACE, "a file grew meanwhile by %llu bytes, more than are free there",
                         (unsigned long long)(now - listed));
    return 0;
}

/* ---- who stands in its place? The batch settles what it was given in order, so the first one that is awaited is the next. */

void taker_await(struct taker *k, const struct entry *e, const struct file_now *now)
{
    size_t n = strlen(k->path) + 1;
    struct awaited *a = receive_tells_placed(k->rx, now->size) ? malloc(sizeof *a + n) : NULL;

    if (a == NULL)
        return; /* nothing depends on it */
    a->token = now->token;
    a->entry = (struct entry){
        .kind = ENTRY_FILE, .size = now->size, .mode = e->mode, .mtime_s = now->mtime_s, .mtime_ns = now->mtime_ns};
    memcpy(a->path, k->path, n);
    TAILQ_INSERT_TAIL(&k->awaited, a, link);
}

static void forget(struct taker *k, struct awaited *a)
{
    TAILQ_REMOVE(&k->awaited, a, link);
    free(a);
}

void taker_await_not(struct taker *k)
{
    struct awaited *a = TAILQ_LAST(&k->awaited, awaits);
    if (a != NULL && strcmp(a->path, k->path) == 0)
        forget(k, a);
}

void taker_placed(struct taker *k, const char *path, bool placed)
{
    struct awaited *a = TAILQ_FIRST(&k->awaited);

    if (a == NULL || strcmp(a->path, path) != 0)
        return;
    if (placed)
        receive_placed(k->rx, path, &a->entry, a->token);
    forget(k, a);
}

void taker_awaits_nothing(struct taker *k)
{
    while (!TAILQ_EMPTY(&k->awaited))
        forget(k, TAILQ_FIRST(&k->awaited));
}

void taker_file_is_there(struct taker *k, uint64_t bytes)
{
    atomic_fetch_add(&k->rx->t->progress->files_done, 1);
    atomic_fetch_add(&k->rx->t->progress->bytes_done, bytes);
}

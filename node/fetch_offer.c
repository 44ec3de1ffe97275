/* The sender's list: one walk of the tree, which goes into our own list and onto the wire at once. Of a view it is one file. */
#include "bulk_list.h"
#include "bulk_thread.h"
#include "fetch_sending.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

struct lister {
    struct sending *tx;
    struct stream *s;
    struct root *root;
    struct list_writer out;
    struct list_hash hash;
    uint64_t holes;
    uint64_t keep_at;
    uint8_t frame[FRAME_HEAD + LIST_BYTES_MAX];
};

static int list_flush(struct lister *l)
{
    size_t n = list_end(&l->out);
    uint8_t *b = n == 0 ? NULL : stream_room(l->s, n);

    if (b != NULL) {
        memcpy(b, l->frame, n);
        list_hash_add(&l->hash, b + FRAME_HEAD, n - FRAME_HEAD);
        stream_put(l->s, n);
        stream_flush(l->s);
        l->keep_at = now_ns() + KEEP_INTERVAL;
    }
    list_begin(&l->out, l->frame);
    return (int)l->s->fault.code;
}

/* How much of a large file is surely holes: so that a sparse file is not taken for one that cannot fit. */
static uint64_t holes_of(struct lister *l, const struct tree_item *item)
{
    struct stat st;
    struct fault ignored;

    if (l->tx->s->view != NULL || item->entry.kind != ENTRY_FILE || item->err != 0 || item->entry.size <= SMALL_BYTES ||
        root_stat(l->root, item->path, &st, &ignored) != 0)
        return 0;
    uint64_t stored = (uint64_t)st.st_blocks * 512;
    return stored < item->entry.size ? item->entry.size - stored : 0;
}

static int list_item(void *arg, const struct tree_item *item)
{
    struct lister *l = arg;
    struct list_entry e = {.entry = item->entry, .depth = item->depth, .token = item->token, .status = item_status(item->err)};
    struct entry own = item->entry;

    if (item->depth == 0) { /* what it is called here is not the receiver's business */
        e.entry.name_len = 0;
        own.name = "top";
        own.name_len = 3;
    }
    int err = manifest_add(l->tx->list, &own, item->depth, item->token, item->err);
    if (err == 0 && list_add(&l->out, &e) == ERR_FULL) {
        err = list_flush(l);
        if (err == 0)
            err = list_add(&l->out, &e);
    }
    l->holes += holes_of(l, item);
    if (err == 0 && now_ns() > l->keep_at)
        err = list_flush(l);
    return err != 0 || !transfer_stopped(l->tx->t) ? err : ERR_CANCELLED;
}

static int list_finish(struct lister *l, struct fault *fault)
{
    struct manifest_sums sums;
    struct list_end end = {.count = manifest_count(l->tx->list)};
    struct transfer_progress *progress = l->tx->t->progress;

    if (list_flush(l) != 0)
        return (int)l->s->fault.code;
    if (end.count == 0)
        return fault_set(fault, ERR_NOT_FOUND, "it is no longer there");
    manifest_sums(l->tx->list, &sums);
    end.bytes = sums.bytes;
    end.holes = l->holes < sums.bytes ? l->holes : sums.bytes;
    end.hash = list_hash_end(&l->hash);
    atomic_store(&progress->bytes_total, sums.bytes);
    atomic_store(&progress->files_total, sums.files + sums.links);
    atomic_store(&progress->failed, sums.failed);
    uint8_t *b = stream_room(l->s, FRAME_HEAD + LIST_END_BYTES);
    if (b != NULL)
        stream_put(l->s, list_end_encode(b, &end));
    return stream_flush(l->s);
}

/* A view of a file, as if it were one. */
static int list_view(struct lister *l, struct fault *fault)
{
    const struct send *s = l->tx->s;
    struct tree_item item = {.path = s->path, .entry = {.kind = ENTRY_FILE}};
    struct source src;

    int err = send_open(l->tx, l->root, s->path, &src, fault);
    if (err != 0)
        return err;
    if (s->token != 0 && s->token != tree_token(&src.st))
        err = fault_set(fault, ERR_CHANGED, "the file was changed before its new bytes were sent");
    l->tx->token = item.token = source_token(&src);
    item.entry.size = source_size(&src);
    item.entry.mode = src.st.st_mode & 0777;
    item.entry.mtime_s = src.st.st_mtim.tv_sec;
    item.entry.mtime_ns = (uint32_t)src.st.st_mtim.tv_nsec;
    source_close(&src);
    return err != 0 ? err : list_item(l, &item);
}

static int walk(struct lister *l, struct fault *fault)
{
    int err = list_hash_init(&l->hash);
    if (err != 0)
        return fault_set(fault, err, "out of memory for a list of files");
    list_begin(&l->out, l->frame);
    l->keep_at = now_ns() + KEEP_INTERVAL;
    err = l->tx->s->view != NULL ? list_view(l, fault) : tree_walk(l->root, l->tx->s->path, list_item, l, fault);
    if (err != 0 && fault->code == 0 && l->s->fault.code == 0)
        fault_set(fault, err, "cannot list the files: %s", err_text(err));
    return err != 0 ? err : list_finish(l, fault);
}

bool send_list(struct sending *tx)
{
    struct fault fault = {0};
    struct root root;
    struct lister *l = calloc(1, sizeof *l);

    atomic_store(&tx->t->progress->phase, TRANSFER_LISTING);
    int err = l == NULL ? fault_set(&fault, ERR_NOMEM, "out of memory for a list of files")
                        : root_open_shared(tx->s->root, &root, &fault);
    if (err == 0) {
        l->tx = tx;
        l->s = &tx->t->stream[0];
        l->root = &root;
        err = walk(l, &fault);
        list_hash_fini(&l->hash);
        root_close(&root);
    }
    free(l);
    if (err != 0)
        fetch_give_up(tx->t, &tx->t->stream[0], &fault);
    return err == 0;
}

/* A send, once the streams are up: the list, then whatever the receiver asks for.
 *
 * The sender keeps no state of what it has sent. Every wish is checked against the list it made itself: an entry that is no
 * readable file of the right size class, or blocks beyond a file's end, end the transfer. So does asking for more than
 * every byte of the reception's limit four times over (a file that changes may be asked for again three times). */
#include "bulk_list.h"
#include "bulk_thread.h"
#include "fetch.h"
#include "source.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASKED_TIMES_MAX (1 + CHANGED_TRIES)

struct sending {
    struct transfer *t;
    struct send *s;
    struct manifest *list;
    _Atomic uint64_t left; /* content bytes that may still be asked for */
};

/* ---- the list */

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

    if (item->entry.kind != ENTRY_FILE || item->err != 0 || item->entry.size <= SMALL_BYTES ||
        root_stat(l->root, item->path, &st, &ignored) != 0)
        return 0;
    uint64_t stored = (uint64_t)st.st_blocks * 512;
    return stored < item->entry.size ? item->entry.size - stored : 0;
}

static int list_item(void *arg, const struct tree_item *item)
{
    struct lister *l = arg;
    struct list_entry e = {
        .entry = item->entry, .depth = item->depth, .token = item->token, .status = item_status(item->err)};
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

static int walk(struct lister *l, struct fault *fault)
{
    int err = list_hash_init(&l->hash);
    if (err != 0)
        return fault_set(fault, err, "out of memory for a list of files");
    list_begin(&l->out, l->frame);
    l->keep_at = now_ns() + KEEP_INTERVAL;
    err = tree_walk(l->root, l->tx->s->path, list_item, l, fault);
    if (err != 0 && fault->code == 0 && l->s->fault.code == 0)
        fault_set(fault, err, "cannot list the files: %s", err_text(err));
    return err != 0 ? err : list_finish(l, fault);
}

static bool send_list(struct sending *tx)
{
    struct fault fault = {0};
    struct root root;
    struct lister *l = calloc(1, sizeof *l);

    atomic_store(&tx->t->progress->phase, TRANSFER_LISTING);
    int err = l == NULL ? fault_set(&fault, ERR_NOMEM, "out of memory for a list of files") : root_open(tx->s->root, &root, &fault);
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

/* ---- serving */

struct server { /* one stream's own */
    struct sending *tx;
    struct stream *s;
    struct manifest *list;
    struct root root;
    char path[PATH_BYTES_MAX + 1];
};

static struct file_now now_of(const struct source *src)
{
    return (struct file_now){.token = source_token(src),
                             .size = source_size(src),
                             .mtime_s = src->st.st_mtim.tv_sec,
                             .mtime_ns = (uint32_t)src->st.st_mtim.tv_nsec};
}

static void settle(void)
{
    const struct timespec t = {.tv_nsec = SOURCE_SETTLE};
    nanosleep(&t, NULL);
}

/* Looks up a file that the receiver asks for, and its path. Other than that it may only be read, nothing is believed. */
static int look_up(struct server *v, uint32_t i, bool small, struct manifest_entry *e)
{
    if (i >= manifest_count(v->list))
        return fetch_wrong(v->s, "an entry beyond the list");
    int err = fetch_path(v->tx->s->path, v->list, i, v->path);
    if (err == 0)
        err = manifest_get(v->list, i, e);
    if (err != 0)
        return fault_set(&v->s->fault, err, "cannot read the list of files back: %s", err_text(err));
    if (e->entry.kind != ENTRY_FILE || e->err != 0 || small != (e->entry.size <= SMALL_BYTES))
        return fetch_wrong(v->s, "an entry that cannot be asked for so");
    return 0;
}

/* Takes n bytes from what may still be asked for. */
static int charge(struct server *v, uint64_t n)
{
    uint64_t left = atomic_load(&v->tx->left);
    do {
        if (n > left)
            return fetch_wrong(v->s, "more is asked for than was reserved");
    } while (!atomic_compare_exchange_weak(&v->tx->left, &left, left - n));
    atomic_fetch_add(&v->tx->t->progress->bytes_moved, n);
    return 0;
}

/* Reads a small file whole, behind where its frame's head will stand. */
static enum item_status read_small(struct server *v, uint8_t *frame, struct file_frame *f)
{
    struct source src;
    struct fault why;
    int err = source_open(&v->root, v->path, &src, &why);

    if (err != 0)
        return item_status(err == ERR_REFUSED ? ERR_CHANGED : err); /* it was a file when it was listed */
    f->now = now_of(&src);
    if (f->now.size > SMALL_BYTES)
        err = ERR_CHANGED;
    if (err == 0)
        err = source_read(&src, 0, frame + FRAME_HEAD + FILE_FIXED, f->now.size);
    if (err == 0)
        err = source_changed(&src, &why);
    source_close(&src);
    return item_status(err);
}

static int send_small(struct server *v, uint32_t i)
{
    struct manifest_entry e;
    struct file_frame f = {.entry = i, .status = ITEM_CHANGED};
    int err = look_up(v, i, true, &e);
    uint8_t *b = err != 0 ? NULL : stream_room(v->s, FRAME_BYTES_MAX);

    if (b == NULL)
        return err != 0 ? err : (int)v->s->fault.code;
    for (unsigned tries = 0; f.status == ITEM_CHANGED && tries <= CHANGED_TRIES; tries++) {
        if (tries > 0)
            settle();
        f.status = read_small(v, b, &f);
    }
    if (f.status == ITEM_OK) {
        f.hash = hash128_of(b + FRAME_HEAD + FILE_FIXED, f.now.size);
        atomic_fetch_add(&v->tx->t->progress->files_done, 1);
        atomic_fetch_add(&v->tx->t->progress->bytes_done, f.now.size);
    } else {
        f.now = (struct file_now){0};
    }
    stream_put(v->s, file_frame_encode(b, &f) + f.now.size);
    return charge(v, f.now.size);
}

static int send_files(struct server *v, const uint8_t *body, size_t n)
{
    struct want_files w;
    int err = want_files_decode(body, n, &w);

    if (err != 0)
        return fetch_wrong(v->s, "a wish for files that makes no sense");
    for (unsigned i = 0; i < w.count && err == 0; i++)
        if (want_files_has(&w, i))
            err = send_small(v, w.first + i);
    return err;
}

/* ---- slices of large files */

/* Opens it in a state that the receiver knows and that can be told from a later one. */
static enum item_status open_large(struct server *v, const struct want_blocks *w, struct source *src, struct file_now *now)
{
    struct fault why;

    for (unsigned tries = 0;; tries++) {
        int err = source_open(&v->root, v->path, src, &why);
        if (err != 0)
            return item_status(err == ERR_REFUSED ? ERR_CHANGED : err);
        *now = now_of(src);
        if (now->token != w->token) {
            source_close(src);
            return ITEM_CHANGED;
        }
        if (source_changed(src, &why) == 0)
            return ITEM_OK;
        source_close(src);
        if (tries == CHANGED_TRIES)
            return ITEM_CHANGED;
        settle();
    }
}

static int send_block(struct server *v, const struct source *src, uint64_t at, enum item_status *status)
{
    uint64_t left = source_size(src) - at;
    size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    uint8_t *b = stream_room(v->s, FRAME_HEAD + BLOCK_FIXED + n);

    if (b == NULL)
        return (int)v->s->fault.code;
    int err = source_read(src, at, b + FRAME_HEAD + BLOCK_FIXED, n);
    if (err != 0) {
        *status = item_status(err);
        return 0;
    }
    struct hash128 hash = hash128_of(b + FRAME_HEAD + BLOCK_FIXED, n);
    stream_put(v->s, block_encode(b, n, &hash) + n);
    atomic_fetch_add(&v->tx->t->progress->bytes_done, n);
    return charge(v, n);
}

static int send_hole(struct server *v, uint64_t blocks)
{
    uint8_t *b = stream_room(v->s, FRAME_HEAD + HOLE_BYTES);
    if (b == NULL)
        return (int)v->s->fault.code;
    stream_put(v->s, hole_encode(b, blocks));
    return 0;
}

/* Blocks [first, end) of an open file: data as blocks, and holes that span whole blocks as holes. */
static int send_range(struct server *v, const struct source *src, uint64_t first, uint64_t end, enum item_status *status)
{
    uint64_t data = 0, data_end = 0; /* where data is known to be, in bytes */
    int err = 0;

    for (uint64_t at = first; at < end && err == 0 && *status == ITEM_OK;) {
        if (at * BLOCK_BYTES >= data_end) {
            int why = source_next_data(src, at * BLOCK_BYTES, &data, &data_end);
            if (why != 0) {
                *status = item_status(why);
                break;
            }
        }
        uint64_t solid = data == source_size(src) ? end : data / BLOCK_BYTES; /* the block in which data begins */
        if (solid > at) {
            uint64_t blocks = (solid < end ? solid : end) - at;
            err = send_hole(v, blocks);
            at += blocks;
        } else {
            err = send_block(v, src, at++ * BLOCK_BYTES, status);
        }
    }
    return err;
}

static int send_slice(struct server *v, const struct want_blocks *w, struct blocks_end *end)
{
    struct source src;
    struct fault why;
    int err = 0;

    end->status = open_large(v, w, &src, &end->now);
    if (end->status != ITEM_OK)
        return 0;
    uint64_t blocks = end->now.size / BLOCK_BYTES + (end->now.size % BLOCK_BYTES != 0);
    if (w->first + w->count > blocks)
        err = fetch_wrong(v->s, "blocks beyond a file's end");
    if (err == 0)
        err = send_range(v, &src, w->first, w->first + w->count, &end->status);
    if (err == 0 && source_changed(&src, &why) != 0)
        end->status = ITEM_CHANGED;
    source_close(&src);
    return err;
}

/* After a change under our hands: what is there now, for the receiver to begin again with. */
static void see_again(struct server *v, struct blocks_end *end)
{
    struct source src;
    struct fault why;

    settle();
    int err = source_open(&v->root, v->path, &src, &why);
    if (err != 0) {
        end->status = item_status(err == ERR_REFUSED ? ERR_IO : err);
        return;
    }
    end->now = now_of(&src);
    source_close(&src);
}

static int send_blocks(struct server *v, const uint8_t *body)
{
    struct want_blocks w;
    struct manifest_entry e;
    struct blocks_end end = {0};

    if (want_blocks_decode(body, &w) != 0)
        return fetch_wrong(v->s, "a wish for blocks that makes no sense");
    int err = look_up(v, w.entry, false, &e);
    if (err == 0)
        err = send_slice(v, &w, &end);
    if (err != 0)
        return err;
    if (end.status == ITEM_CHANGED)
        see_again(v, &end);
    if (end.status != ITEM_CHANGED)
        end.now = (struct file_now){0};
    uint8_t *b = stream_room(v->s, FRAME_HEAD + BLOCKS_END_BYTES);
    if (b != NULL)
        stream_put(v->s, blocks_end_encode(b, &end));
    return (int)v->s->fault.code;
}

/* ---- the loop */

static int serve(struct server *v)
{
    struct frame_head head;
    const uint8_t *body;
    int err;

    do {
        err = fetch_next(v->s, &head, &body);
        if (err == 0)
            switch (head.type) {
            case FRAME_WANT_FILES: err = send_files(v, body, head.len); break;
            case FRAME_WANT_BLOCKS: err = send_blocks(v, body); break;
            case FRAME_DONE: return 0;
            default: err = fetch_wrong(v->s, "a frame that only a sender sends");
            }
    } while (err == 0);
    return err;
}

static void serve_stream(void *arg, unsigned index)
{
    struct sending *tx = arg;
    struct server v = {.tx = tx, .s = &tx->t->stream[index]};
    struct fault fault = {0};

    int err = root_open(tx->s->root, &v.root, &fault);
    if (err == 0) {
        err = manifest_reader(tx->list, &v.list, &fault);
        if (err == 0)
            err = serve(&v);
        root_close(&v.root);
    }
    if (err != 0)
        fetch_give_up(tx->t, v.s, &fault);
    manifest_free(v.list);
}

void fetch_send(struct transfer *t)
{
    struct fault fault = {0};
    struct sending tx = {.t = t, .s = t->s};
    uint64_t limit = t->info->limit;

    atomic_store(&tx.left, limit < UINT64_MAX / ASKED_TIMES_MAX ? limit * ASKED_TIMES_MAX : UINT64_MAX);
    if (manifest_new(t->spool, &tx.list, &fault) != 0) {
        fetch_give_up(t, &t->stream[0], &fault);
        return;
    }
    if (send_list(&tx)) {
        atomic_store(&t->progress->phase, TRANSFER_DATA);
        transfer_run(t, serve_stream, &tx);
    }
    manifest_free(tx.list);
}

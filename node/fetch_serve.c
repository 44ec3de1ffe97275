/* Answering wishes. Each is checked against the list that we made ourselves: an entry that is no readable file of the right
 * size class, or blocks beyond a file's end, end the transfer. What is sent of a file is one state of it, or is said not to
 * be; of a view it is the state that was listed, or the transfer ends, for its regions fit no other. */
#include "fetch_sending.h"

#include <time.h>

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

/* Could it be sent? Of a view all or nothing can be. */
static int judge(struct server *v, enum item_status status)
{
    if (v->tx->s->view == NULL || status == ITEM_OK)
        return 0;
    if (status == ITEM_CHANGED)
        return fault_set(&v->fault, ERR_CHANGED, "the file was changed while its new bytes were sent");
    return fault_set(&v->fault, item_err(status), "the new bytes of the file cannot be read: %s", err_text(item_err(status)));
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
    int err = send_open(v->tx, &v->root, v->path, &src, &why);

    if (err != 0)
        return item_status(err == ERR_REFUSED ? ERR_CHANGED : err); /* it was a file when it was listed */
    f->now = now_of(&src);
    if (f->now.size > SMALL_BYTES || (src.view != NULL && f->now.token != v->tx->token))
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
    err = judge(v, f.status);
    if (err != 0)
        return err;
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

int serve_files(struct server *v, const uint8_t *body, size_t n)
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
        int err = send_open(v->tx, &v->root, v->path, src, &why);
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
    bool sparse = (uint64_t)src->st.st_blocks * 512 < source_size(src); /* else looking for holes would only cost time */
    uint64_t data = 0, data_end = sparse ? 0 : source_size(src);        /* where data is known to be, in bytes */
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

int serve_blocks(struct server *v, const uint8_t *body)
{
    struct want_blocks w;
    struct manifest_entry e;
    struct blocks_end end = {0};

    if (want_blocks_decode(body, &w) != 0)
        return fetch_wrong(v->s, "a wish for blocks that makes no sense");
    int err = look_up(v, w.entry, false, &e);
    if (err == 0)
        err = send_slice(v, &w, &end);
    if (err == 0)
        err = judge(v, end.status);
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

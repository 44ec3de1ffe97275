/* Taking what was asked for: everything is compared with it. An entry that is not due, a block more or less, a length that its
 * place does not have end the transfer (S8). A hash is compared before a byte of what it covers is written (P39). */
#include "fetch_taker.h"

#include <string.h>

static int take_file(struct taker *k, uint32_t i)
{
    struct file_frame f;
    struct manifest_entry e;
    const uint8_t *body;
    size_t n;

    int err = fetch_expect(k->s, FRAME_FILE, &body, &n);
    if (err != 0)
        return err;
    if (file_frame_decode(body, n, &f) != 0 || f.entry != i)
        return fetch_wrong(k->s, "a file that was not asked for");
    body += FILE_FIXED;
    n -= FILE_FIXED;
    struct hash128 hash = hash128_of(body, n);
    if (f.status == ITEM_OK && !hash128_equal(&hash, &f.hash))
        return fault_set(&k->s->fault, ERR_VERIFY, "a file's content does not match its hash");
    err = taker_look_up(k, i, &e);
    if (err != 0)
        return err;
    if (f.status != ITEM_OK)
        return taker_item_lost(k, f.status);
    atomic_fetch_add(&k->rx->t->progress->bytes_moved, n);
    if (n != e.entry.size && (err = taker_regrant(k, e.entry.size, n)) != 0)
        return err;
    struct stage_meta meta = taker_meta(&e.entry, &f.now);
    taker_await(k, &e.entry, &f.now);
    err = stage_small(k->batch, k->path, body, n, f.now.token, &meta, &k->fault);
    if (err == 0)
        taker_file_is_there(k, n);
    else
        taker_await_not(k);
    return taker_item_or_fatal(k, err);
}

int taker_take_files(struct taker *k, const struct want_files *w)
{
    int err = 0;
    for (unsigned i = 0; i < w->count && err == 0; i++)
        if (want_files_has(w, i))
            err = take_file(k, w->first + i);
    return err;
}

/* Something local went wrong with this large file alone: told, and the rest of it is only passed over. */
static int large_trouble(struct taker *k, struct large *large, int err)
{
    struct manifest_entry e;
    struct fault why = k->fault;

    if (err == 0 || receive_fatal(err))
        return err;
    k->fault = (struct fault){0};
    err = taker_look_up(k, large->entry, &e);
    if (err == 0 && plan_unplaceable(k->rx->plan, large))
        receive_item(k->rx, k->path, &why);
    return err;
}

static uint64_t block_bytes(const struct large *large, uint64_t block)
{
    uint64_t at = block * BLOCK_BYTES;
    return large->now.size - at < BLOCK_BYTES ? large->now.size - at : BLOCK_BYTES;
}

static int take_block(struct taker *k, struct large *large, uint64_t block, const uint8_t *body, size_t n)
{
    struct hash128 said, is = hash128_of(body + BLOCK_FIXED, n - BLOCK_FIXED);

    n -= BLOCK_FIXED;
    memcpy(said.b, body, sizeof said.b);
    if (n != block_bytes(large, block))
        return fetch_wrong(k->s, "a block of a length that its place does not have");
    if (!hash128_equal(&is, &said))
        return fault_set(&k->s->fault, ERR_VERIFY, "a block does not match its hash");
    atomic_fetch_add(&k->rx->t->progress->bytes_moved, n);
    if (plan_spoilt(k->rx->plan, large))
        return 0;
    pthread_mutex_lock(&large->writing);
    int err = stage_file_write(large->file, block, body + BLOCK_FIXED, n, &is, &k->fault);
    pthread_mutex_unlock(&large->writing);
    if (err == 0)
        atomic_fetch_add(&k->rx->t->progress->bytes_done, n);
    return large_trouble(k, large, err);
}

static int take_hole(struct taker *k, struct large *large, uint64_t first, uint64_t count)
{
    if (plan_spoilt(k->rx->plan, large))
        return 0;
    int err = stage_file_hole(large->file, first, count, &k->fault);
    if (err == 0) {
        uint64_t end = (first + count) * BLOCK_BYTES;
        atomic_fetch_add(&k->rx->t->progress->bytes_done,
                         (end < large->now.size ? end : large->now.size) - first * BLOCK_BYTES);
    }
    return large_trouble(k, large, err);
}

static int take_blocks_end(struct taker *k, struct large *large, const uint8_t *body, bool complete)
{
    struct blocks_end end;

    if (blocks_end_decode(body, &end) != 0 || (end.status == ITEM_OK && !complete))
        return fetch_wrong(k->s, "fewer blocks than were asked for");
    if (end.status != ITEM_OK)
        plan_spoil(k->rx->plan, large, end.status, &end.now);
    return 0;
}

int taker_take_blocks(struct taker *k, const struct piece *piece)
{
    struct large *large = piece->large;
    uint64_t at = piece->blocks.first, end = at + piece->blocks.count, count;
    struct frame_head head;
    const uint8_t *body;

    for (;;) {
        int err = fetch_next(k->s, &head, &body);
        if (err != 0)
            return err;
        if (head.type == FRAME_BLOCKS_END)
            return take_blocks_end(k, large, body, at == end);
        if (head.type == FRAME_BLOCK && at < end) {
            err = take_block(k, large, at, body, head.len);
            at++;
        } else if (head.type == FRAME_HOLE && hole_decode(body, &count) == 0 && count <= end - at) {
            err = take_hole(k, large, at, count);
            at += count;
        } else {
            return fetch_wrong(k->s, "more blocks than were asked for");
        }
        if (err != 0)
            return err;
    }
}

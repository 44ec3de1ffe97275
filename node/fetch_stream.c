/* One stream of a receive: takes pieces from the plan and asks for them, two ahead, so that the sender never waits for us. */
#include "fetch_taker.h"

#include <string.h>

/* ---- asking */

/* Takes out of the wish what an earlier attempt has staged. */
static int find_staged(struct taker *k, struct want_files *w)
{
    struct manifest_entry e;

    for (unsigned i = 0; i < w->count; i++) {
        bool found = false;
        if (!want_files_has(w, i))
            continue;
        int err = taker_look_up(k, w->first + i, &e);
        if (err != 0)
            return err;
        struct stage_meta meta = {.mode = e.entry.mode, .mtime_s = e.entry.mtime_s, .mtime_ns = e.entry.mtime_ns};
        taker_await(k, &e.entry, &(struct file_now){e.token, e.entry.size, e.entry.mtime_s, e.entry.mtime_ns});
        err = stage_small_again(k->batch, k->path, e.entry.size, e.token, &meta, &found, &k->fault);
        if (!found)
            taker_await_not(k);
        if (err != 0 && taker_item_or_fatal(k, err) != 0)
            return err;
        if (found)
            taker_file_is_there(k, e.entry.size);
        if (found || err != 0)
            w->bits[i / 8] &= (uint8_t) ~(1u << i % 8);
    }
    return 0;
}

/* Drops unset bits at both ends, as the wire wants it. False when none is set. */
static bool trim(struct want_files *w)
{
    struct want_files out = {0};
    unsigned first = 0, end = w->count;

    while (first < end && !want_files_has(w, first))
        first++;
    while (end > first && !want_files_has(w, end - 1))
        end--;
    out.first = w->first + first;
    out.count = (uint16_t)(end - first);
    for (unsigned i = first; i < end; i++)
        if (want_files_has(w, i))
            out.bits[(i - first) / 8] |= (uint8_t)(1u << (i - first) % 8);
    *w = out;
    return w->count > 0;
}

static int ask(struct taker *k, const struct piece *piece)
{
    uint8_t *b = stream_room(k->s, WANT_FILES_BYTES_MAX);
    if (b == NULL)
        return (int)k->s->fault.code;
    stream_put(k->s, piece->kind == PIECE_FILES ? want_files_encode(b, &piece->files) : want_blocks_encode(b, &piece->blocks));
    k->piece[k->pieces++] = *piece;
    return 0;
}

/* ---- the loop */

/* One more piece, if there is one. *more: false when none will come. */
static int ask_more(struct taker *k, bool *more)
{
    struct piece piece;
    int err = plan_take(k->rx->plan, k->pieces == 0 ? KEEP_INTERVAL : 0, &piece);

    if (err != 0)
        return fault_set(&k->fault, err, "cannot plan what to fetch: %s", err_text(err));
    switch (piece.kind) {
    case PIECE_END: *more = false; return 0;
    case PIECE_LATER: return k->pieces == 0 ? fetch_keep(k->s) : 0;
    case PIECE_OPEN: err = taker_large_begin(k, piece.large); return err != 0 ? err : taker_large_return(k, piece.large);
    case PIECE_FILES: err = find_staged(k, &piece.files); return err != 0 || !trim(&piece.files) ? err : ask(k, &piece);
    default: return ask(k, &piece);
    }
}

static int take_oldest(struct taker *k)
{
    struct piece piece = k->piece[0];

    memmove(k->piece, k->piece + 1, --k->pieces * sizeof k->piece[0]);
    if (piece.kind == PIECE_FILES)
        return taker_take_files(k, &piece.files);
    int err = taker_take_blocks(k, &piece);
    return err != 0 ? err : taker_large_return(k, piece.large);
}

static int take_all(struct taker *k)
{
    bool more = true;
    int err = 0;

    while (err == 0 && (more || k->pieces > 0)) {
        unsigned before;
        do {
            before = k->pieces;
            if (more && k->pieces < PIECES_AHEAD)
                err = ask_more(k, &more);
        } while (err == 0 && k->pieces > before);
        if (err == 0 && k->pieces > 0)
            err = take_oldest(k);
    }
    return err;
}

static void batch_failed(void *arg, const char *path, const struct fault *fault)
{
    struct taker *k = arg;
    atomic_fetch_sub(&k->rx->t->progress->files_done, 1); /* it was counted when it was staged */
    receive_item(k->rx, path, fault);
    taker_placed(k, path, false);
}

static void batch_placed(void *arg, const char *path)
{
    taker_placed(arg, path, true);
}

void receive_stream(void *arg, unsigned index)
{
    struct receiving *rx = arg;
    struct taker k = {.rx = rx, .s = &rx->t->stream[index], .list = rx->views.view[index]};

    int err = stage_batch_new(rx->stage, batch_failed, &k, &k.batch, &k.fault);
    TAILQ_INIT(&k.awaited);
    if (err == 0) {
        stage_batch_tell(k.batch, batch_placed);
        err = take_all(&k);
    }
    if (err == 0)
        err = stage_batch_commit(k.batch, &k.fault);
    if (err != 0)
        fetch_give_up(rx->t, k.s, &k.fault);
    stage_batch_free(k.batch);
    taker_awaits_nothing(&k);
}

/* One stream of a receive: takes pieces from the plan, asks for them, checks and stages what comes.
 *
 * Two pieces are asked for ahead, so that the sender never waits for us. Everything is compared with what was asked: an entry that is
 * not due, a block more or less, a length that its place does not have end the transfer (S8). A block's or a file's hash is
 * compared before a byte of it is written (P39). */
#include "fetch.h"

#include "log.h"

#include <string.h>

#define AHEAD 2

struct taker { /* one stream's own */
    struct receiving *rx;
    struct stream *s;
    struct manifest *list;
    struct stage_batch *batch;
    struct fault fault; /* ours, not the stream's */
    struct piece piece[AHEAD]; /* asked for, oldest first */
    unsigned pieces;
    char path[PATH_BYTES_MAX + 1];
};

/* Is this a fault of the place itself, with which nothing can go on? */
static bool fatal(int err)
{
    return err == ERR_NOSPACE || err == ERR_IO || err == ERR_NOMEM;
}

/* An item that failed alone is told; 0. A fatal error stays one. */
static int item_or_fatal(struct taker *k, int err)
{
    if (err == 0 || fatal(err))
        return err;
    receive_item(k->rx, k->path, &k->fault);
    k->fault = (struct fault){0};
    return 0;
}

static int item_lost(struct taker *k, enum item_status status)
{
    struct fault fault;

    if (status == ITEM_CHANGED)
        fault_set(&fault, ERR_CHANGED, "it kept changing while it was read");
    else
        fault_set(&fault, item_err(status), "the sender cannot read it: %s", err_text(item_err(status)));
    receive_item(k->rx, k->path, &fault);
    return 0;
}

/* Entry i and its path. */
static int look_up(struct taker *k, uint32_t i, struct manifest_entry *e)
{
    int err = fetch_path(k->rx->r->top, k->list, i, k->path);
    if (err == 0)
        err = manifest_get(k->list, i, e);
    return err == 0 ? 0 : fault_set(&k->fault, err, "cannot read the list of files back: %s", err_text(err));
}

static struct stage_meta meta_now(const struct entry *e, const struct file_now *now)
{
    return (struct stage_meta){.mode = e->mode, .mtime_s = now->mtime_s, .mtime_ns = now->mtime_ns};
}

/* A file has another size than the list said: may it? */
static int regrant(struct taker *k, uint64_t listed, uint64_t now)
{
    struct receiving *rx = k->rx;
    uint64_t after = atomic_fetch_add(&rx->granted, now - listed) + (now - listed);

    atomic_fetch_add(&rx->t->progress->bytes_total, now - listed);
    if (now > listed && after > rx->limit)
        return fault_set(&k->fault, ERR_LIMIT, "files grew meanwhile, beyond the limit of %llu bytes",
                         (unsigned long long)rx->limit);
    return 0;
}

static void file_is_there(struct taker *k, uint64_t bytes)
{
    atomic_fetch_add(&k->rx->t->progress->files_done, 1);
    atomic_fetch_add(&k->rx->t->progress->bytes_done, bytes);
}

/* ---- asking */

/* Takes out of the wish what an earlier attempt has staged. */
static int find_staged(struct taker *k, struct want_files *w)
{
    struct manifest_entry e;

    for (unsigned i = 0; i < w->count; i++) {
        bool found = false;
        if (!want_files_has(w, i))
            continue;
        int err = look_up(k, w->first + i, &e);
        if (err != 0)
            return err;
        struct stage_meta meta = {e.entry.mode, e.entry.mtime_s, e.entry.mtime_ns};
        err = stage_small_again(k->batch, k->path, e.entry.size, e.token, &meta, &found, &k->fault);
        if (err != 0 && item_or_fatal(k, err) != 0)
            return err;
        if (found)
            file_is_there(k, e.entry.size);
        if (found || err != 0)
            w->bits[i / 8] &= (uint8_t)~(1u << i % 8);
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

/* ---- large files */

static int large_begin(struct taker *k, struct large *large)
{
    struct manifest_entry e;
    struct stage_file *file;
    uint64_t have;

    int err = look_up(k, large->entry, &e);
    if (err != 0)
        return err;
    err = stage_file_open(k->rx->stage, k->path, large->now.size, large->now.token, &file, &have, &k->fault);
    if (err != 0) {
        plan_spoil(k->rx->plan, large, ITEM_FAILED, NULL);
        int rest = item_or_fatal(k, err);
        return rest;
    }
    uint64_t bytes = have * BLOCK_BYTES;
    atomic_fetch_add(&k->rx->t->progress->bytes_done, bytes < large->now.size ? bytes : large->now.size);
    plan_begun(k->rx->plan, large, file);
    return 0;
}

/* All of it that we count as done is void. */
static void large_forget(struct taker *k, struct large *large)
{
    uint64_t missing = stage_file_missing(large->file) * BLOCK_BYTES;
    uint64_t done = missing < large->now.size ? large->now.size - missing : 0;

    atomic_fetch_sub(&k->rx->t->progress->bytes_done, done);
    stage_file_drop(large->file, false);
    large->file = NULL;
}

static int large_finish(struct taker *k, struct large *large)
{
    struct manifest_entry e;
    struct stage_file *file = large->file;

    int err = look_up(k, large->entry, &e);
    if (err != 0)
        return err;
    struct stage_meta meta = meta_now(&e.entry, &large->now);
    large->file = NULL;
    err = stage_file_finish(k->batch, file, &meta, &k->fault);
    if (err == 0)
        atomic_fetch_add(&k->rx->t->progress->files_done, 1);
    return item_or_fatal(k, err);
}

/* We own it: it is complete, or something is wrong with it. True in *again when it was begun anew. */
static int large_settle(struct taker *k, struct large *large, bool *again)
{
    struct manifest_entry e;

    *again = false;
    if (large->status == ITEM_OK)
        return large_finish(k, large);
    if (large->file == NULL)
        return 0; /* it could not be begun, and has been told */
    large_forget(k, large);
    int err = look_up(k, large->entry, &e);
    if (err != 0)
        return err;
    if (large->status != ITEM_CHANGED || large->tries == CHANGED_TRIES)
        return item_lost(k, large->status);
    err = regrant(k, large->now.size, large->found.size);
    if (err != 0)
        return err;
    plan_again(k->rx->plan, large);
    *again = true;
    return large_begin(k, large);
}

/* A piece of a large file is back. */
static int large_return(struct taker *k, struct large *large)
{
    while (plan_return(k->rx->plan, large)) {
        bool again;
        int err = large_settle(k, large, &again);
        if (!again || err != 0) {
            plan_ended(k->rx->plan, large);
            return err;
        }
    }
    return 0;
}

/* ---- taking what was asked for */

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
    err = look_up(k, i, &e);
    if (err != 0)
        return err;
    if (f.status != ITEM_OK)
        return item_lost(k, f.status);
    atomic_fetch_add(&k->rx->t->progress->bytes_moved, n);
    if (n != e.entry.size && (err = regrant(k, e.entry.size, n)) != 0)
        return err;
    struct stage_meta meta = meta_now(&e.entry, &f.now);
    err = stage_small(k->batch, k->path, body, n, f.now.token, &meta, &k->fault);
    if (err == 0)
        file_is_there(k, n);
    return item_or_fatal(k, err);
}

static int take_files(struct taker *k, const struct want_files *w)
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

    if (err == 0 || fatal(err))
        return err;
    k->fault = (struct fault){0};
    err = look_up(k, large->entry, &e);
    if (err == 0 && !plan_spoilt(k->rx->plan, large)) {
        receive_item(k->rx, k->path, &why);
        plan_spoil(k->rx->plan, large, ITEM_FAILED, NULL);
    }
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
    int err = stage_file_write(large->file, block, body + BLOCK_FIXED, n, &is, &k->fault);
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

static int take_blocks(struct taker *k, const struct piece *piece)
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
    case PIECE_OPEN:
        err = large_begin(k, piece.large);
        return err != 0 ? err : large_return(k, piece.large);
    case PIECE_FILES:
        err = find_staged(k, &piece.files);
        return err != 0 || !trim(&piece.files) ? err : ask(k, &piece);
    default: return ask(k, &piece);
    }
}

static int take_oldest(struct taker *k)
{
    struct piece piece = k->piece[0];

    memmove(k->piece, k->piece + 1, --k->pieces * sizeof k->piece[0]);
    if (piece.kind == PIECE_FILES)
        return take_files(k, &piece.files);
    int err = take_blocks(k, &piece);
    return err != 0 ? err : large_return(k, piece.large);
}

static int take_all(struct taker *k)
{
    bool more = true;
    int err = 0;

    while (err == 0 && (more || k->pieces > 0)) {
        unsigned before;
        do {
            before = k->pieces;
            if (more && k->pieces < AHEAD)
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
}

static int taker_init(struct taker *k)
{
    struct receiving *rx = k->rx;
    int err = manifest_reader(rx->list, &k->list, &k->fault);
    return err != 0 ? err : stage_batch_new(rx->stage, batch_failed, k, &k->batch, &k->fault);
}

void receive_stream(void *arg, unsigned index)
{
    struct receiving *rx = arg;
    struct taker k = {.rx = rx, .s = &rx->t->stream[index]};

    int err = taker_init(&k);
    if (err == 0)
        err = take_all(&k);
    if (err == 0)
        err = stage_batch_commit(k.batch, &k.fault);
    if (err != 0)
        fetch_give_up(rx->t, k.s, &k.fault);
    stage_batch_free(k.batch);
    manifest_free(k.list);
}

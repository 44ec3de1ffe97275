/* Receiving the list (P45, S35 to S43): what comes is counted, capped and checked entry by entry, then as a whole, before
 * anything is written at the destination. */
#include "bulk_list.h"
#include "fetch.h"

#include <string.h>

struct listing {
    struct receiving *rx;
    struct list_hash hash;
    struct list_end end; /* what the sender claims in LIST_END */
};

static int add(void *arg, const struct list_entry *e)
{
    struct receiving *rx = ((struct listing *)arg)->rx;
    struct entry entry = e->entry;

    if (manifest_count(rx->list) == 0) { /* the fetched thing itself: it gets our name, whatever it is called there */
        if (entry.name_len != 0 || (entry.kind == ENTRY_OTHER && e->status == ITEM_OK))
            return ERR_MALFORMED;
        entry.name = rx->r->top;
        entry.name_len = (uint16_t)strlen(rx->r->top);
    }
    return manifest_add(rx->list, &entry, e->depth, e->token, item_err(e->status));
}

static int add_frame(struct listing *l, const uint8_t *body, size_t n, struct fault *fault)
{
    int err = list_parse(body, n, add, l);
    list_hash_add(&l->hash, body, n);
    switch (err) {
    case 0: return 0;
    case ERR_MALFORMED:
        return fault_set(fault, err, "the sender's list of files breaks the bulk protocol; nothing was written");
    case ERR_LIMIT: return fault_set(fault, err, "the sender's list of files is too long or too deep; nothing was written");
    default:
        return fault_set(fault, err, "cannot keep the sender's list of files in %s: %s",
                         l->rx->r->at_fd ? "its place" : l->rx->t->spool, err_text(err));
    }
}

static bool is_one_file(struct manifest *list)
{
    struct manifest_entry e;
    return manifest_count(list) == 1 && manifest_get(list, 0, &e) == 0 && (e.err != 0 || e.entry.kind == ENTRY_FILE);
}

/* The list as a whole. */
static int check(struct listing *l, struct fault *fault)
{
    struct receiving *rx = l->rx;
    struct hash128 hash = list_hash_end(&l->hash);
    struct manifest_sums sums;

    manifest_sums(rx->list, &sums);
    if (l->end.count != manifest_count(rx->list) || l->end.bytes != sums.bytes || !hash128_equal(&hash, &l->end.hash))
        return fault_set(fault, ERR_VERIFY, "the sender's list of files is not what it says it is; nothing was written");
    if (rx->r->file_only && !is_one_file(rx->list))
        return fault_set(fault, ERR_VERIFY, "one file was to come, and something else is offered; nothing was written");
    rx->holes = l->end.holes;
    atomic_store(&rx->granted, sums.bytes - l->end.holes);
    if (rx->r->limit != 0 && sums.bytes - l->end.holes > rx->r->limit)
        return fault_set(fault, ERR_LIMIT, "%llu bytes are offered, more than the limit of %llu; nothing was written",
                         (unsigned long long)sums.bytes, (unsigned long long)rx->r->limit);
    atomic_store(&rx->t->progress->bytes_total, sums.bytes);
    atomic_store(&rx->t->progress->files_total, sums.files + sums.links);
    return 0;
}

/* Until LIST_END. */
static int read_frames(struct listing *l, struct fault *fault)
{
    struct stream *s = &l->rx->t->stream[0];
    struct frame_head head;
    const uint8_t *body;
    int err;

    for (;;) {
        err = fetch_next(s, &head, &body);
        if (err != 0)
            return err;
        if (head.type == FRAME_LIST_END)
            return list_end_decode(body, &l->end) != 0 ? fetch_wrong(s, "a list's end that makes no sense") : 0;
        if (head.type != FRAME_LIST)
            return fetch_wrong(s, "data before the list");
        err = add_frame(l, body, head.len, fault);
        if (err != 0)
            return err;
    }
}

bool receive_list(struct receiving *rx)
{
    struct listing l = {.rx = rx};
    struct fault fault = {0};

    atomic_store(&rx->t->progress->phase, TRANSFER_LISTING);
    int err = list_hash_init(&l.hash);
    if (err != 0)
        fault_set(&fault, err, "out of memory for the list of files");
    if (err == 0)
        err = read_frames(&l, &fault);
    if (err == 0)
        err = check(&l, &fault);
    list_hash_fini(&l.hash);
    if (err != 0)
        fetch_give_up(rx->t, &rx->t->stream[0], &fault);
    return err == 0;
}

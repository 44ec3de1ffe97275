#include "bulk_list.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define ENTRY_ITEMS 10
#define ARRAY_BYTES 3 /* of the 16 bit array head */

int list_hash_init(struct list_hash *h)
{
    XXH3_state_t *state = XXH3_createState();
    h->state = state;
    if (state == NULL)
        return ERR_NOMEM;
    XXH3_128bits_reset(state);
    return 0;
}

void list_hash_fini(struct list_hash *h)
{
    XXH3_freeState(h->state);
    h->state = NULL;
}

void list_hash_add(struct list_hash *h, const void *body, size_t n)
{
    XXH3_128bits_update(h->state, body, n);
}

struct hash128 list_hash_end(const struct list_hash *h)
{
    XXH128_canonical_t canonical;
    struct hash128 out;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->state));
    _Static_assert(sizeof out.b == sizeof canonical.digest, "128 bits");
    for (size_t i = 0; i < sizeof out.b; i++)
        out.b[i] = canonical.digest[i];
    return out;
}

void list_begin(struct list_writer *l, uint8_t *frame)
{
    l->frame = frame;
    l->count = 0;
    mpw_init(&l->w, frame + FRAME_HEAD + ARRAY_BYTES, LIST_BYTES_MAX - ARRAY_BYTES);
}

int list_add(struct list_writer *l, const struct list_entry *e)
{
    size_t before = l->w.len;
    const struct entry *entry = &e->entry;

    if (l->count == LIST_FRAME_ENTRIES)
        return ERR_FULL;
    mpw_array(&l->w, ENTRY_ITEMS);
    mpw_uint(&l->w, e->depth);
    mpw_uint(&l->w, (uint64_t)entry->kind);
    mpw_uint(&l->w, entry->mode);
    mpw_uint(&l->w, entry->size);
    mpw_int(&l->w, entry->mtime_s);
    mpw_uint(&l->w, entry->mtime_ns);
    mpw_uint(&l->w, e->token);
    mpw_uint(&l->w, (uint64_t)e->status);
    mpw_bin(&l->w, entry->name, entry->name_len);
    mpw_bin(&l->w, entry->target, entry->target_len);
    if (l->w.err != 0) {
        l->w.err = 0;
        l->w.len = before;
        return ERR_FULL;
    }
    l->count++;
    return 0;
}

size_t list_end(struct list_writer *l)
{
    size_t len = ARRAY_BYTES + l->w.len;
    uint8_t *array = l->frame + FRAME_HEAD;

    if (l->count == 0)
        return 0;
    array[0] = 0xdc; /* array 16: the count was not known when the entries were written */
    array[1] = (uint8_t)(l->count >> 8);
    array[2] = (uint8_t)l->count;
    frame_head_encode(l->frame, FRAME_LIST, len);
    return FRAME_HEAD + len;
}

static void entry_read(struct mpr *r, struct list_entry *e)
{
    size_t name_len, target_len;
    struct entry *entry = &e->entry;

    mpr_array_of(r, ENTRY_ITEMS);
    e->depth = (uint32_t)mpr_uint(r, DEPTH_MAX);
    entry->kind = (enum entry_kind)mpr_uint(r, ENTRY_KIND_COUNT - 1);
    entry->mode = (uint32_t)mpr_uint(r, 07777);
    entry->size = mpr_uint(r, INT64_MAX);
    entry->mtime_s = mpr_int(r);
    entry->mtime_ns = (uint32_t)mpr_uint(r, SECOND - 1);
    e->token = mpr_uint(r, UINT64_MAX);
    e->status = (enum item_status)mpr_uint(r, ITEM_STATUS_COUNT - 1);
    entry->name = (const char *)mpr_bin(r, ENTRY_NAME_MAX, &name_len);
    entry->target = (const char *)mpr_bin(r, LINK_TARGET_MAX, &target_len);
    entry->name_len = (uint16_t)name_len;
    entry->target_len = (uint16_t)target_len;
    mpr_leave(r);
    if ((entry->kind == ENTRY_LINK && e->status == ITEM_OK) != (target_len > 0))
        mpr_fail(r, ERR_MALFORMED);
}

int list_parse(const uint8_t *body, size_t n, int (*each)(void *arg, const struct list_entry *e), void *arg)
{
    struct mpr r;
    int err = 0;

    mpr_open(&r, body, n, 1 + LIST_FRAME_ENTRIES * (1 + ENTRY_ITEMS));
    size_t count = mpr_array(&r, LIST_FRAME_ENTRIES);
    if (count == 0)
        mpr_fail(&r, ERR_MALFORMED);
    for (size_t i = 0; i < count && r.err == 0 && err == 0; i++) {
        struct list_entry e = {0};
        entry_read(&r, &e);
        if (r.err == 0)
            err = each(arg, &e);
    }
    if (err != 0) {
        mpr_close(&r);
        return err;
    }
    mpr_leave(&r);
    return mpr_close(&r);
}

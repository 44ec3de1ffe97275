/* Fields of the requests to a `files` pipe and their answers: SHARES, LIST, FETCH. See msg.h.
 *
 * Names, paths and targets are bytes on the wire, since file names are; names of shares are text. */
#include "msg_codec.h"

#include <assert.h>
#include <string.h>

/* ---- SHARES */

void shares_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->shares.pipe.b, TAG_BYTES);
    mpw_str(w, m->shares.after);
}

void shares_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->shares.pipe.b, TAG_BYTES);
    mpr_str(r, m->shares.after, sizeof m->shares.after);
    must(r, m->shares.after[0] == 0 || name_valid(m->shares.after));
}

void shares_ok_write(struct mpw *w, const struct msg *m)
{
    assert(m->shares_ok.count <= SHARES_PAGE_MAX);
    mpw_bool(w, m->shares_ok.more);
    mpw_array(w, m->shares_ok.count);
    for (size_t i = 0; i < m->shares_ok.count; i++) {
        const struct share_info *s = &m->shares_ok.share[i];
        mpw_array(w, 5);
        mpw_str(w, s->name);
        mpw_uint(w, s->kind);
        mpw_uint(w, s->size);
        mpw_bool(w, s->is_public);
        mpw_bool(w, s->writable);
    }
}

static void share_read(struct mpr *r, struct share_info *s)
{
    mpr_array_of(r, 5);
    mpr_str(r, s->name, sizeof s->name);
    s->kind = (enum resource_kind)mpr_uint(r, RESOURCE_KIND_COUNT - 1);
    s->size = mpr_uint(r, INT64_MAX);
    s->is_public = mpr_bool(r);
    s->writable = mpr_bool(r);
    mpr_leave(r);
    must(r, name_valid(s->name));
}

void shares_ok_read(struct mpr *r, struct msg *m)
{
    struct msg_shares_ok *ok = &m->shares_ok;
    ok->more = mpr_bool(r);
    ok->count = (uint16_t)mpr_array(r, SHARES_PAGE_MAX);
    for (size_t i = 0; i < ok->count; i++)
        share_read(r, &ok->share[i]);
    mpr_leave(r);
    must(r, !ok->more || ok->count > 0); /* the next page is asked for by the last name of this one */
}

/* ---- LIST */

void share_path_write(struct mpw *w, const struct share_path *at)
{
    mpw_str(w, at->share);
    mpw_bin(w, at->path, at->len);
}

void share_path_read(struct mpr *r, struct share_path *at)
{
    size_t n;
    mpr_str(r, at->share, sizeof at->share);
    const uint8_t *path = mpr_bin(r, PATH_BYTES_MAX, &n);
    at->len = (uint16_t)n;
    memcpy(at->path, path, n);
    at->path[n] = 0;
    must(r, name_valid(at->share) && share_path_valid(at->path, n));
}

void list_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->list.pipe.b, TAG_BYTES);
    share_path_write(w, &m->list.at);
    mpw_uint(w, m->list.cursor);
}

void list_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->list.pipe.b, TAG_BYTES);
    share_path_read(r, &m->list.at);
    m->list.cursor = mpr_uint(r, UINT64_MAX);
}

static void entry_write(struct mpw *w, const struct entry *e)
{
    mpw_array(w, 7);
    mpw_uint(w, e->kind);
    mpw_uint(w, e->mode);
    mpw_uint(w, e->size);
    mpw_int(w, e->mtime_s);
    mpw_uint(w, e->mtime_ns);
    mpw_bin(w, e->name, e->name_len);
    mpw_bin(w, e->target, e->target_len);
}

static void entry_read(struct mpr *r, struct entry *e)
{
    size_t name_n, target_n;
    mpr_array_of(r, 7);
    e->kind = (enum entry_kind)mpr_uint(r, ENTRY_KIND_COUNT - 1);
    e->mode = (uint32_t)mpr_uint(r, 07777);
    e->size = mpr_uint(r, INT64_MAX);
    e->mtime_s = mpr_int(r);
    e->mtime_ns = (uint32_t)mpr_uint(r, SECOND - 1);
    e->name = (const char *)mpr_bin(r, ENTRY_NAME_MAX, &name_n);
    e->target = (const char *)mpr_bin(r, LINK_TARGET_MAX, &target_n);
    e->name_len = (uint16_t)name_n;
    e->target_len = (uint16_t)target_n;
    mpr_leave(r);
    must(r, entry_name_valid(e->name, name_n));
    must(r, target_n == 0 || (e->kind == ENTRY_LINK && !memchr(e->target, 0, target_n)));
}

void list_ok_write(struct mpw *w, const struct msg *m)
{
    assert(m->list_ok.count <= LIST_ENTRIES_MAX);
    mpw_bool(w, m->list_ok.more);
    mpw_uint(w, m->list_ok.cursor);
    mpw_array(w, m->list_ok.count);
    for (size_t i = 0; i < m->list_ok.count; i++)
        entry_write(w, &m->list_ok.entry[i]);
}

void list_ok_read(struct mpr *r, struct msg *m)
{
    struct msg_list_ok *ok = &m->list_ok;
    ok->more = mpr_bool(r);
    ok->cursor = mpr_uint(r, UINT64_MAX);
    ok->count = (uint16_t)mpr_array(r, LIST_ENTRIES_MAX);
    for (size_t i = 0; i < ok->count; i++)
        entry_read(r, &ok->entry[i]);
    mpr_leave(r);
    must(r, !ok->more || ok->cursor != 0);
}

/* ---- FETCH */

/* What stands ready as a parcel is in no share: its name stands where a share's would, and there is no path. */
void fetch_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->fetch.pipe.b, TAG_BYTES);
    if (tag_is_zero(&m->fetch.parcel)) {
        share_path_write(w, &m->fetch.at);
    } else {
        parcel_write(w, &m->fetch.parcel);
        mpw_nil(w);
    }
    reception_write(w, &m->fetch.reception);
}

void fetch_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->fetch.pipe.b, TAG_BYTES);
    if (mpr_peek(r) == MP_BIN) {
        parcel_read(r, &m->fetch.parcel);
        mpr_nil(r);
    } else {
        share_path_read(r, &m->fetch.at);
    }
    reception_read(r, &m->fetch.reception);
}

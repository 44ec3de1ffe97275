/* Fields of the requests to a `files` pipe and their answers: SHARES, LIST, FETCH, CANCEL. See msg.h.
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
    s->kind = (enum entry_kind)mpr_uint(r, ENTRY_DIR);
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

static void share_path_write(struct mpw *w, const struct share_path *at)
{
    mpw_str(w, at->share);
    mpw_bin(w, at->path, at->len);
}

static void share_path_read(struct mpr *r, struct share_path *at)
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

static void addrs_write(struct mpw *w, const struct addr *addrs, size_t count)
{
    assert(count <= RECEPTION_ENDPOINTS_MAX);
    mpw_array(w, count);
    for (size_t i = 0; i < count; i++) {
        mpw_array(w, 2);
        mpw_bin(w, addrs[i].ip, addrs[i].family == AF_INET ? 4 : 16);
        mpw_uint(w, addrs[i].port);
    }
}

static void addr_read(struct mpr *r, struct addr *a)
{
    size_t n;
    mpr_array_of(r, 2);
    const uint8_t *ip = mpr_bin(r, sizeof a->ip, &n);
    a->family = n == 4 ? AF_INET : AF_INET6;
    memcpy(a->ip, ip, n);
    a->port = (uint16_t)mpr_uint(r, UINT16_MAX);
    mpr_leave(r);
    must(r, (n == 4 || n == 16) && addr_is_dialable(a));
}

static uint8_t addrs_read(struct mpr *r, struct addr addrs[RECEPTION_ENDPOINTS_MAX])
{
    size_t count = mpr_array(r, RECEPTION_ENDPOINTS_MAX);
    for (size_t i = 0; i < count; i++)
        addr_read(r, &addrs[i]);
    mpr_leave(r);
    return (uint8_t)count;
}

static uint8_t streams_read(struct mpr *r)
{
    uint8_t streams = (uint8_t)mpr_uint(r, STREAMS_MAX);
    must(r, streams > 0);
    return streams;
}

void fetch_write(struct mpw *w, const struct msg *m)
{
    const struct reception_info *info = &m->fetch.reception;
    mpw_bin(w, m->fetch.pipe.b, TAG_BYTES);
    share_path_write(w, &m->fetch.at);
    mpw_array(w, 6);
    mpw_bin(w, info->id.b, TAG_BYTES);
    mpw_bin(w, info->key, sizeof info->key);
    mpw_uint(w, info->streams);
    mpw_uint(w, info->limit);
    mpw_uint(w, info->deadline_s);
    addrs_write(w, info->addr, info->addr_count);
}

static void reception_read(struct mpr *r, struct reception_info *info)
{
    mpr_array_of(r, 6);
    mpr_bin_of(r, info->id.b, TAG_BYTES);
    mpr_bin_of(r, info->key, sizeof info->key);
    info->streams = streams_read(r);
    info->limit = mpr_uint(r, INT64_MAX);
    info->deadline_s = (uint32_t)mpr_uint(r, RECEPTION_DEADLINE_S);
    must(r, info->deadline_s > 0);
    info->addr_count = addrs_read(r, info->addr);
    mpr_leave(r);
}

void fetch_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->fetch.pipe.b, TAG_BYTES);
    share_path_read(r, &m->fetch.at);
    reception_read(r, &m->fetch.reception);
}

void fetch_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->fetch_ok.streams);
    addrs_write(w, m->fetch_ok.addr, m->fetch_ok.addr_count);
}

void fetch_ok_read(struct mpr *r, struct msg *m)
{
    m->fetch_ok.streams = streams_read(r);
    m->fetch_ok.addr_count = addrs_read(r, m->fetch_ok.addr);
}

/* ---- CANCEL */

void cancel_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->cancel.request);
}

void cancel_read(struct mpr *r, struct msg *m)
{
    m->cancel.request = mpr_uint(r, INT64_MAX);
    must(r, m->cancel.request > 0);
}

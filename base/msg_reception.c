/* Fields about reception objects: what FETCH and CONNECT say of one, FETCH_OK, CONNECT_OK, and CANCEL. See msg.h. */
#include "msg_codec.h"

#include <assert.h>
#include <string.h>

#define CONNECT_STREAMS 2 /* of a byte stream: one each way */

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

void way_write(struct mpw *w, const struct relay_way *way)
{
    mpw_array(w, 3);
    mpw_bin(w, way->id.b, TAG_BYTES);
    mpw_bin(w, way->key, sizeof way->key);
    addrs_write(w, way->addr, way->addr_count);
}

void way_read(struct mpr *r, struct relay_way *way)
{
    mpr_array_of(r, 3);
    mpr_bin_of(r, way->id.b, TAG_BYTES);
    mpr_bin_of(r, way->key, sizeof way->key);
    way->addr_count = addrs_read(r, way->addr);
    mpr_leave(r);
    must(r, way->addr_count > 0);
}

/* Nil when there is none. */
static void maybe_way_write(struct mpw *w, const struct relay_way *way)
{
    if (way->addr_count > 0)
        way_write(w, way);
    else
        mpw_nil(w);
}

static void maybe_way_read(struct mpr *r, struct relay_way *way)
{
    if (mpr_peek(r) == MP_NIL)
        mpr_nil(r);
    else
        way_read(r, way);
}

void reception_write(struct mpw *w, const struct reception_info *info)
{
    mpw_array(w, 7);
    mpw_bin(w, info->id.b, TAG_BYTES);
    mpw_bin(w, info->key, sizeof info->key);
    mpw_uint(w, info->streams);
    mpw_uint(w, info->limit);
    mpw_uint(w, info->deadline_s);
    addrs_write(w, info->addr, info->addr_count);
    maybe_way_write(w, &info->way);
}

void reception_read(struct mpr *r, struct reception_info *info)
{
    mpr_array_of(r, 7);
    mpr_bin_of(r, info->id.b, TAG_BYTES);
    mpr_bin_of(r, info->key, sizeof info->key);
    info->streams = streams_read(r);
    info->limit = mpr_uint(r, INT64_MAX);
    info->deadline_s = (uint32_t)mpr_uint(r, RECEPTION_DEADLINE_S);
    must(r, info->deadline_s > 0);
    info->addr_count = addrs_read(r, info->addr);
    maybe_way_read(r, &info->way);
    mpr_leave(r);
    must(r, info->addr_count == 0 || info->way.addr_count == 0);
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

/* ---- CONNECT */

void connect_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->connect.pipe.b, TAG_BYTES);
    reception_write(w, &m->connect.reception);
    mpw_bin(w, m->connect.stream.b, TAG_BYTES);
    mpw_bool(w, m->connect.lasting);
    mpw_bool(w, m->connect.again);
}

void connect_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->connect.pipe.b, TAG_BYTES);
    reception_read(r, &m->connect.reception);
    mpr_bin_of(r, m->connect.stream.b, TAG_BYTES);
    m->connect.lasting = mpr_bool(r);
    m->connect.again = mpr_bool(r);
    must(r, m->connect.reception.streams == CONNECT_STREAMS);
    must(r, m->connect.lasting || !m->connect.again);
}

void connect_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->connect_ok.streams);
    addrs_write(w, m->connect_ok.addr, m->connect_ok.addr_count);
}

void connect_ok_read(struct mpr *r, struct msg *m)
{
    m->connect_ok.streams = streams_read(r);
    m->connect_ok.addr_count = addrs_read(r, m->connect_ok.addr);
    must(r, m->connect_ok.streams == CONNECT_STREAMS);
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

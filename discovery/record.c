/* Node records: encoding, signing, reading. See record.h.
 *
 * Does not judge a record: whether it is news, whether its name is free, is for peers.c. */
#include "record.h"

#include <string.h>

#define RECORD_VERSION 1
#define RECORD_CONTEXT "weft record 1"
#define RECORD_ITEMS_MAX 96

/* Writes the body with the first `endpoints` of the record's endpoints. */
static int body_write(const struct record *record, size_t endpoints, uint8_t *buf, size_t cap, size_t *len)
{
    struct mpw w;
    mpw_init(&w, buf, cap);
    mpw_array(&w, 8);
    mpw_uint(&w, RECORD_VERSION);
    mpw_bin(&w, record->id.b, NODE_ID_BYTES);
    mpw_str(&w, record->name);
    mpw_uint(&w, record->incarnation);
    mpw_uint(&w, record->seq);
    mpw_uint(&w, record->roles);
    mpw_uint(&w, record->life_s);
    mpw_array(&w, endpoints);
    for (size_t i = 0; i < endpoints; i++)
        endpoint_write(&w, &record->endpoint[i]);
    return mpw_finish(&w, len);
}

static int sealed_write(const struct identity *identity, const uint8_t *body, size_t n, struct record_bytes *out)
{
    uint8_t signature[SIGNATURE_BYTES];
    identity_sign(identity, RECORD_CONTEXT, body, n, signature);

    struct mpw w;
    size_t len;
    mpw_init(&w, out->b, sizeof out->b);
    mpw_array(&w, 2);
    mpw_bin(&w, body, n);
    mpw_bin(&w, signature, sizeof signature);
    int err = mpw_finish(&w, &len);
    out->len = err ? 0 : (uint16_t)len;
    return err;
}

int record_sign(const struct record *record, const struct identity *identity, struct record_bytes *out)
{
    memset(out, 0, sizeof *out);
    for (size_t endpoints = record->endpoint_count;; endpoints--) {
        uint8_t body[RECORD_BYTES_MAX];
        size_t n;
        int err = body_write(record, endpoints, body, sizeof body, &n);
        if (!err)
            err = sealed_write(identity, body, n, out);
        if (!err || endpoints == 0)
            return err;
    }
}

static void body_read(struct mpr *r, struct record *out)
{
    mpr_array_of(r, 8);
    if (mpr_uint(r, UINT32_MAX) != RECORD_VERSION)
        mpr_fail(r, ERR_UNSUPPORTED);
    mpr_bin_of(r, out->id.b, NODE_ID_BYTES);
    mpr_str(r, out->name, sizeof out->name);
    out->incarnation = mpr_uint(r, INT64_MAX);
    out->seq = mpr_uint(r, INT64_MAX);
    out->roles = (uint32_t)mpr_uint(r, UINT32_MAX);
    out->life_s = (uint32_t)mpr_uint(r, RECORD_LIFE_MAX_S);
    out->endpoint_count = (uint8_t)mpr_array(r, RECORD_ENDPOINTS_MAX);
    for (size_t i = 0; i < out->endpoint_count; i++)
        endpoint_read(r, &out->endpoint[i]);
    mpr_leave(r);
    mpr_leave(r);
    if (!r->err && !name_valid(out->name))
        mpr_fail(r, ERR_MALFORMED);
}

/* The two parts of a sealed record; both borrow from `bytes`. */
static int sealed_read(const struct record_bytes *bytes, const uint8_t **body, size_t *n, uint8_t signature[SIGNATURE_BYTES])
{
    struct mpr r;
    if (mpr_open(&r, bytes->b, bytes->len, 3) == 0) {
        mpr_array_of(&r, 2);
        *body = mpr_bin(&r, RECORD_BYTES_MAX, n);
        mpr_bin_of(&r, signature, SIGNATURE_BYTES);
        mpr_leave(&r);
    }
    return mpr_close(&r);
}

int record_decode(const struct record_bytes *bytes, struct record *out)
{
    memset(out, 0, sizeof *out);
    const uint8_t *body;
    size_t n;
    uint8_t signature[SIGNATURE_BYTES];
    int err = sealed_read(bytes, &body, &n, signature);
    if (err)
        return err;

    struct mpr r;
    if (mpr_open(&r, body, n, RECORD_ITEMS_MAX) == 0)
        body_read(&r, out);
    return mpr_close(&r);
}

int record_verify(const struct record_bytes *bytes, const struct record *record)
{
    const uint8_t *body;
    size_t n;
    uint8_t signature[SIGNATURE_BYTES];
    int err = sealed_read(bytes, &body, &n, signature);
    return err ? err : identity_check(&record->id, RECORD_CONTEXT, body, n, signature);
}

int record_compare(const struct record *a, const struct record *b)
{
    if (a->incarnation != b->incarnation)
        return a->incarnation < b->incarnation ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

int record_bytes_set(struct record_bytes *out, const void *bytes, size_t n)
{
    if (n > sizeof out->b)
        return ERR_LIMIT;
    memset(out, 0, sizeof *out);
    if (n > 0)
        memcpy(out->b, bytes, n);
    out->len = (uint16_t)n;
    return 0;
}

/* Beacons: encoding, signing, reading. See beacon.h. What a beacon means is for peers.c. */
#include "beacon.h"

#include <string.h>

#define BEACON_MAGIC "weft"
#define BEACON_VERSION 1
#define BEACON_CONTEXT "weft beacon 1"

int beacon_sign(const struct beacon *beacon, const struct identity *identity, uint8_t *buf, size_t cap, size_t *len)
{
    uint8_t body[BEACON_BYTES_MAX];
    size_t n;
    struct mpw w;
    mpw_init(&w, body, sizeof body);
    mpw_array(&w, 6);
    mpw_str(&w, BEACON_MAGIC);
    mpw_uint(&w, BEACON_VERSION);
    mpw_uint(&w, beacon->kind);
    mpw_uint(&w, beacon->beat);
    mpw_bin(&w, beacon->nonce.b, TAG_BYTES);
    mpw_bin(&w, beacon->record.b, beacon->record.len);
    int err = mpw_finish(&w, &n);
    if (err)
        return err;

    uint8_t signature[SIGNATURE_BYTES];
    identity_sign(identity, BEACON_CONTEXT, body, n, signature);
    mpw_init(&w, buf, cap);
    mpw_array(&w, 2);
    mpw_bin(&w, body, n);
    mpw_bin(&w, signature, sizeof signature);
    return mpw_finish(&w, len);
}

static int sealed_read(const void *bytes, size_t n, const uint8_t **body, size_t *body_n, uint8_t signature[SIGNATURE_BYTES])
{
    struct mpr r;
    if (n > BEACON_BYTES_MAX)
        return ERR_LIMIT;
    if (mpr_open(&r, bytes, n, 3) == 0) {
        mpr_array_of(&r, 2);
        *body = mpr_bin(&r, BEACON_BYTES_MAX, body_n);
        mpr_bin_of(&r, signature, SIGNATURE_BYTES);
        mpr_leave(&r);
    }
    return mpr_close(&r);
}

static void body_read(struct mpr *r, struct beacon *beacon)
{
    char magic[8];
    size_t n;
    mpr_array_of(r, 6);
    mpr_str(r, magic, sizeof magic);
    if (!r->err && strcmp(magic, BEACON_MAGIC) != 0)
        mpr_fail(r, ERR_MALFORMED);
    if (mpr_uint(r, UINT32_MAX) != BEACON_VERSION)
        mpr_fail(r, ERR_UNSUPPORTED);
    beacon->kind = (enum beacon_kind)mpr_uint(r, BEACON_KIND_COUNT - 1);
    beacon->beat = mpr_uint(r, INT64_MAX);
    mpr_bin_of(r, beacon->nonce.b, TAG_BYTES);
    const uint8_t *record = mpr_bin(r, RECORD_BYTES_MAX, &n);
    mpr_leave(r);
    if (!r->err && record_bytes_set(&beacon->record, record, n) != 0)
        mpr_fail(r, ERR_LIMIT);
}

int beacon_decode(const void *bytes, size_t n, struct beacon *beacon, struct record *record)
{
    const uint8_t *body;
    size_t body_n;
    uint8_t signature[SIGNATURE_BYTES];
    memset(beacon, 0, sizeof *beacon);
    int err = sealed_read(bytes, n, &body, &body_n, signature);
    if (err)
        return err;

    struct mpr r;
    if (mpr_open(&r, body, body_n, 8) == 0)
        body_read(&r, beacon);
    err = mpr_close(&r);
    return err ? err : record_decode(&beacon->record, record);
}

int beacon_verify(const void *bytes, size_t n, const struct record *record)
{
    const uint8_t *body;
    size_t body_n;
    uint8_t signature[SIGNATURE_BYTES];
    int err = sealed_read(bytes, n, &body, &body_n, signature);
    return err ? err : identity_check(&record->id, BEACON_CONTEXT, body, body_n, signature);
}

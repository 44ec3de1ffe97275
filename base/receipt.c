/* Receipts. See receipt.h. */
#include "receipt.h"

#include "err.h"
#include "mp.h"

#include <sodium.h>
#include <string.h>

#define RECEIPT_MAGIC "weft receipt"
#define RECEIPT_VERSION 1

size_t receipt_write(const struct receipt *receipt, const uint8_t key[RECEIPT_KEY_BYTES], uint8_t buf[RECEIPT_BYTES_MAX])
{
    uint8_t body[RECEIPT_BYTES_MAX], mac[crypto_auth_BYTES];
    size_t n;
    struct mpw w;
    mpw_init(&w, body, sizeof body);
    mpw_array(&w, 4);
    mpw_str(&w, RECEIPT_MAGIC);
    mpw_uint(&w, RECEIPT_VERSION);
    mpw_bin(&w, receipt->channel.b, TAG_BYTES);
    mpw_uint(&w, receipt->seq);
    mpw_finish(&w, &n);
    crypto_auth(mac, body, n, key);

    mpw_init(&w, buf, RECEIPT_BYTES_MAX);
    mpw_array(&w, 2);
    mpw_bin(&w, body, n);
    mpw_bin(&w, mac, sizeof mac);
    mpw_finish(&w, &n);
    return n;
}

static int sealed_read(const void *bytes, size_t n, const uint8_t **body, size_t *body_n, uint8_t mac[crypto_auth_BYTES])
{
    struct mpr r;
    if (n > RECEIPT_BYTES_MAX)
        return ERR_LIMIT;
    if (mpr_open(&r, bytes, n, 3) == 0) {
        mpr_array_of(&r, 2);
        *body = mpr_bin(&r, RECEIPT_BYTES_MAX, body_n);
        mpr_bin_of(&r, mac, crypto_auth_BYTES);
        mpr_leave(&r);
    }
    return mpr_close(&r);
}

int receipt_read(const void *bytes, size_t n, struct receipt *out)
{
    const uint8_t *body;
    size_t body_n;
    uint8_t mac[crypto_auth_BYTES];
    char magic[sizeof RECEIPT_MAGIC];
    struct mpr r;
    memset(out, 0, sizeof *out);
    int err = sealed_read(bytes, n, &body, &body_n, mac);
    if (err)
        return err;
    if (mpr_open(&r, body, body_n, 5) == 0) {
        mpr_array_of(&r, 4);
        mpr_str(&r, magic, sizeof magic);
        if (!r.err && strcmp(magic, RECEIPT_MAGIC) != 0)
            mpr_fail(&r, ERR_MALFORMED);
        if (mpr_uint(&r, UINT32_MAX) != RECEIPT_VERSION)
            mpr_fail(&r, ERR_UNSUPPORTED);
        mpr_bin_of(&r, out->channel.b, TAG_BYTES);
        out->seq = mpr_uint(&r, INT64_MAX);
        mpr_leave(&r);
    }
    return mpr_close(&r);
}

bool receipt_proves(const void *bytes, size_t n, const uint8_t key[RECEIPT_KEY_BYTES])
{
    const uint8_t *body;
    size_t body_n;
    uint8_t mac[crypto_auth_BYTES];
    return sealed_read(bytes, n, &body, &body_n, mac) == 0 && crypto_auth_verify(mac, body, body_n, key) == 0;
}

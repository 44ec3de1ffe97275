/* Fields of a reliable pipe's channel: OPEN, OPEN_OK, DATA, ACK, CLOSE. See msg.h.
 *
 * Numbers of messages begin at 1, and the number behind a message's own always exists: handlers may add without overflow. */
#include "msg_codec.h"

static uint64_t seq_read(struct mpr *r)
{
    uint64_t seq = mpr_uint(r, INT64_MAX);
    must(r, seq > 0);
    return seq;
}

void open_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->open.pipe.b, TAG_BYTES);
    mpw_bin(w, m->open.channel.b, TAG_BYTES);
    mpw_uint(w, m->open.seq);
    mpw_bin(w, m->open.key, sizeof m->open.key);
}

void open_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->open.pipe.b, TAG_BYTES);
    mpr_bin_of(r, m->open.channel.b, TAG_BYTES);
    m->open.seq = seq_read(r);
    mpr_bin_of(r, m->open.key, sizeof m->open.key);
}

void open_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->open_ok.seq);
    mpw_uint(w, m->open_ok.credit);
    mpw_uint(w, m->open_ok.lease_ms);
}

/* The lease has a cap: a sender whose binder is lost waits for its end before it goes elsewhere. */
void open_ok_read(struct mpr *r, struct msg *m)
{
    m->open_ok.seq = seq_read(r);
    m->open_ok.credit = mpr_uint(r, INT64_MAX);
    m->open_ok.lease_ms = (uint32_t)mpr_uint(r, PIPE_LEASE_MS);
}

void data_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->data.channel.b, TAG_BYTES);
    mpw_uint(w, m->data.seq);
    mpw_uint(w, m->data.stamp);
    mpw_bool(w, m->data.again);
    mpw_bin(w, m->data.batch.bytes, m->data.batch.n);
}

void data_read(struct mpr *r, struct msg *m)
{
    size_t n;
    mpr_bin_of(r, m->data.channel.b, TAG_BYTES);
    m->data.seq = seq_read(r);
    m->data.stamp = mpr_uint(r, INT64_MAX);
    m->data.again = mpr_bool(r);
    const uint8_t *bytes = mpr_bin(r, BATCH_BYTES_MAX, &n);
    int err = batch_read(bytes, n, &m->data.batch);
    if (!err && m->data.batch.count > INT64_MAX - m->data.seq)
        err = ERR_LIMIT;
    if (err)
        mpr_fail(r, err);
}

void ack_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->ack.channel.b, TAG_BYTES);
    mpw_uint(w, m->ack.seq);
    mpw_uint(w, m->ack.credit);
    mpw_uint(w, m->ack.stamp);
}

void ack_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->ack.channel.b, TAG_BYTES);
    m->ack.seq = seq_read(r);
    m->ack.credit = mpr_uint(r, INT64_MAX);
    m->ack.stamp = mpr_uint(r, INT64_MAX);
}

void close_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->close.channel.b, TAG_BYTES);
    mpw_uint(w, m->close.seq);
    mpw_uint(w, m->close.reason);
}

void close_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->close.channel.b, TAG_BYTES);
    m->close.seq = seq_read(r);
    m->close.reason = (enum close_reason)mpr_uint(r, CLOSE_REASON_COUNT - 1);
}

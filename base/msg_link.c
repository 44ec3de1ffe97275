/* Fields of the messages about a link itself: HELLO, WELCOME, BYE, PING, PONG, RECORDS, ERROR, JOIN, JOIN_OK. See msg.h. */
#include "msg_codec.h"

#include <assert.h>
#include <string.h>

void record_bytes_write(struct mpw *w, const struct record_bytes *record)
{
    assert(record->len <= RECORD_BYTES_MAX);
    mpw_bin(w, record->b, record->len);
}

void record_bytes_read(struct mpr *r, struct record_bytes *record, bool may_be_missing)
{
    size_t n;
    const uint8_t *bytes = mpr_bin(r, RECORD_BYTES_MAX, &n);
    must(r, n > 0 || may_be_missing);
    record->len = (uint16_t)n;
    memcpy(record->b, bytes, n);
}

void hello_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->hello.version);
    mpw_uint(w, m->hello.features);
    record_bytes_write(w, &m->hello.record);
}

void hello_read(struct mpr *r, struct msg *m)
{
    m->hello.version = (uint32_t)mpr_uint(r, UINT32_MAX);
    m->hello.features = (uint32_t)mpr_uint(r, UINT32_MAX);
    record_bytes_read(r, &m->hello.record, false);
}

void bye_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->bye.reason);
}

void bye_read(struct mpr *r, struct msg *m)
{
    m->bye.reason = (enum bye_reason)mpr_uint(r, BYE_REASON_COUNT - 1);
}

void ping_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->ping.nonce);
}

void ping_read(struct mpr *r, struct msg *m)
{
    m->ping.nonce = mpr_uint(r, UINT64_MAX);
}

void records_write(struct mpw *w, const struct msg *m)
{
    assert(m->records.count <= GOSSIP_RECORDS_MAX);
    mpw_array(w, m->records.count);
    for (size_t i = 0; i < m->records.count; i++)
        record_bytes_write(w, &m->records.record[i]);
}

void records_read(struct mpr *r, struct msg *m)
{
    m->records.count = (uint16_t)mpr_array(r, GOSSIP_RECORDS_MAX);
    for (size_t i = 0; i < m->records.count; i++)
        record_bytes_read(r, &m->records.record[i], false);
    mpr_leave(r);
}

void code_write(struct mpw *w, enum err code)
{
    mpw_str(w, err_name((int)code));
}

/* A code that this version does not know would hide why a request failed, so it is wrong: new codes come with a new version. */
enum err code_read(struct mpr *r)
{
    char name[32];
    mpr_str(r, name, sizeof name);
    int code = err_from_name(name);
    must(r, strcmp(name, err_name(code)) == 0);
    return (enum err)code;
}

void error_write(struct mpw *w, const struct msg *m)
{
    code_write(w, m->error.code);
    mpw_str(w, m->error.text);
}

void error_read(struct mpr *r, struct msg *m)
{
    m->error.code = code_read(r);
    mpr_str(r, m->error.text, sizeof m->error.text);
    must(r, m->error.code != ERR_OK);
}

void join_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->join.ticket.b, TAG_BYTES);
    mpw_bin(w, m->join.proof, sizeof m->join.proof);
}

void join_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->join.ticket.b, TAG_BYTES);
    mpr_bin_of(r, m->join.proof, sizeof m->join.proof);
}

/* The envelope of all messages, [type, request, ...fields], and the table of types. See msg.h.
 *
 * The fields themselves are in the other msg_*.c. */
#include "msg_codec.h"

#include <string.h>

#define ENVELOPE_ITEMS 2

static const struct codec {
    const char *name;
    msg_write *write;
    msg_read *read;
    uint8_t fields;
    bool numbered; /* a request, or the answer to one: its number is not 0 */
} codecs[MSG_TYPE_END] = {
    [MSG_HELLO] = {"HELLO", hello_write, hello_read, 3, false},
    [MSG_WELCOME] = {"WELCOME", hello_write, hello_read, 3, false},
    [MSG_BYE] = {"BYE", bye_write, bye_read, 1, false},
    [MSG_PING] = {"PING", ping_write, ping_read, 1, false},
    [MSG_PONG] = {"PONG", ping_write, ping_read, 1, false},
    [MSG_RECORDS] = {"RECORDS", records_write, records_read, 1, false},
    [MSG_ERROR] = {"ERROR", error_write, error_read, 2, false},
    [MSG_JOIN] = {"JOIN", join_write, join_read, 2, true},
    [MSG_JOIN_OK] = {"JOIN_OK", join_write, join_read, 2, true},
    [MSG_QUERY] = {"QUERY", query_write, query_read, 8, false},
    [MSG_ANSWER] = {"ANSWER", answer_write, answer_read, 4, false},
    [MSG_SHARES] = {"SHARES", shares_write, shares_read, 2, true},
    [MSG_SHARES_OK] = {"SHARES_OK", shares_ok_write, shares_ok_read, 2, true},
    [MSG_LIST] = {"LIST", list_write, list_read, 4, true},
    [MSG_LIST_OK] = {"LIST_OK", list_ok_write, list_ok_read, 3, true},
    [MSG_FETCH] = {"FETCH", fetch_write, fetch_read, 4, true},
    [MSG_FETCH_OK] = {"FETCH_OK", fetch_ok_write, fetch_ok_read, 2, true},
    [MSG_CANCEL] = {"CANCEL", cancel_write, cancel_read, 1, false},
    [MSG_REGISTER] = {"REGISTER", register_write, register_read, 3, true},
    [MSG_REGISTER_OK] = {"REGISTER_OK", register_ok_write, register_ok_read, 2, true},
    [MSG_OPEN] = {"OPEN", open_write, open_read, 4, true},
    [MSG_OPEN_OK] = {"OPEN_OK", open_ok_write, open_ok_read, 3, true},
    [MSG_DATA] = {"DATA", data_write, data_read, 5, false},
    [MSG_ACK] = {"ACK", ack_write, ack_read, 4, false},
    [MSG_CLOSE] = {"CLOSE", close_write, close_read, 3, false},
    [MSG_SPREAD] = {"SPREAD", spread_write, spread_read, 8, false},
    [MSG_SPREAD_HAVE] = {"SPREAD_HAVE", spread_ids_write, spread_ids_read, 1, false},
    [MSG_SPREAD_WANT] = {"SPREAD_WANT", spread_ids_write, spread_ids_read, 1, false},
    [MSG_SPREAD_PRUNE] = {"SPREAD_PRUNE", spread_prune_write, spread_prune_read, 1, false},
    [MSG_CONNECT] = {"CONNECT", connect_write, connect_read, 5, true},
    [MSG_CONNECT_OK] = {"CONNECT_OK", connect_ok_write, connect_ok_read, 2, true},
    [MSG_PIPES] = {"PIPES", pipes_write, pipes_read, 2, true},
    [MSG_PIPES_OK] = {"PIPES_OK", pipes_ok_write, pipes_ok_read, 2, true},
    [MSG_RESERVE] = {"RESERVE", reserve_write, reserve_read, 3, true},
    [MSG_RESERVE_OK] = {"RESERVE_OK", reserve_ok_write, reserve_ok_read, 5, true},
    [MSG_OFFER] = {"OFFER", offer_write, offer_read, 5, true},
    [MSG_OFFER_OK] = {"OFFER_OK", offer_ok_write, offer_ok_read, 0, true},
    [MSG_HANDLES] = {"HANDLES", handles_write, handles_read, 3, true},
    [MSG_HANDLES_OK] = {"HANDLES_OK", handles_ok_write, handles_ok_read, 2, true},
    [MSG_USE] = {"USE", use_write, use_read, 5, true},
    [MSG_USE_OK] = {"USE_OK", use_ok_write, use_ok_read, 3, true},
    [MSG_NEXT] = {"NEXT", next_write, next_read, 4, true},
    [MSG_NEXT_OK] = {"NEXT_OK", next_write, next_read, 4, true},
    [MSG_BRIDGE] = {"BRIDGE", bridge_write, bridge_read, 2, true},
    [MSG_BRIDGE_OK] = {"BRIDGE_OK", bridge_ok_write, bridge_ok_read, 3, true},
    [MSG_FILE] = {"FILE", file_write, file_read, 4, true},
    [MSG_FILE_OK] = {"FILE_OK", file_ok_write, file_ok_read, 4, true},
    [MSG_FILE_CLOSE] = {"FILE_CLOSE", file_close_write, file_close_read, 1, false},
    [MSG_INDEX] = {"INDEX", index_write, index_read, 2, true},
    [MSG_INDEX_OK] = {"INDEX_OK", index_ok_write, index_ok_read, 3, true},
    [MSG_PUT] = {"PUT", put_write, put_read, 5, true},
    [MSG_PUT_OK] = {"PUT_OK", put_ok_write, put_ok_read, 7, true},
    [MSG_LITERALS] = {"LITERALS", literals_write, literals_read, 3, true},
    [MSG_LITERALS_OK] = {"LITERALS_OK", literals_ok_write, literals_ok_read, 1, true},
    [MSG_GATHER] = {"GATHER", gather_write, gather_read, 7, true},
    [MSG_GATHER_OK] = {"GATHER_OK", gather_ok_write, gather_ok_read, 3, true},
    [MSG_COMMIT] = {"COMMIT", commit_write, commit_read, 6, true},
    [MSG_COMMIT_OK] = {"COMMIT_OK", commit_ok_write, commit_ok_read, 1, true},
    [MSG_PROGRESS] = {"PROGRESS", progress_write, progress_read, 3, true},
};

static const struct codec *codec_of(uint64_t type)
{
    return type > 0 && type < MSG_TYPE_END && codecs[type].name ? &codecs[type] : NULL;
}

const char *msg_name(enum msg_type type)
{
    const struct codec *codec = codec_of(type);
    return codec ? codec->name : "unknown";
}

int msg_encode(const struct msg *m, void *buf, size_t cap, size_t *len)
{
    struct mpw w;
    *len = 0;
    const struct codec *codec = codec_of(m->type);
    if (!codec)
        return ERR_USAGE;
    mpw_init(&w, buf, cap < MSG_BYTES_MAX ? cap : MSG_BYTES_MAX);
    mpw_array(&w, ENVELOPE_ITEMS + (size_t)codec->fields);
    mpw_uint(&w, m->type);
    mpw_uint(&w, m->request);
    codec->write(&w, m);
    return mpw_finish(&w, len);
}

/* Reads into a zeroed message. ERR_UNSUPPORTED is told apart from bytes that are wrong: the sender may just be newer. */
static int message_read(struct mpr *r, struct msg *m)
{
    mpr_array(r, MSG_ITEMS_MAX);
    uint64_t type = mpr_uint(r, UINT16_MAX);
    m->request = mpr_uint(r, INT64_MAX);
    must(r, type > 0);
    if (r->err)
        return r->err;
    m->type = (enum msg_type)type;
    const struct codec *codec = codec_of(type);
    if (!codec)
        return ERR_UNSUPPORTED;
    must(r, m->request > 0 || !codec->numbered);
    codec->read(r, m);
    mpr_leave(r);
    return r->err;
}

int msg_decode(const void *bytes, size_t n, struct msg *m)
{
    struct mpr r;
    memset(m, 0, sizeof *m);
    if (n > MSG_BYTES_MAX)
        return ERR_LIMIT;
    int err = mpr_open(&r, bytes, n, MSG_ITEMS_MAX);
    if (!err)
        err = message_read(&r, m);
    int closing = mpr_close(&r);
    return err ? err : closing;
}

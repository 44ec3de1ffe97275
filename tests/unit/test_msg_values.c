/* The values in messages: each of another type, each field out of its range, lists and bytes at their caps and one beyond. */
#include "msg_samples.h"

#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- values of another type, arrays of another length: the message is written again with one of its values changed */

enum change { TO_NIL, TO_BOOL, TO_INT, TO_FLOAT, TO_STR, TO_BIN, TO_ARRAY, TO_MAP, ONE_LESS, ONE_MORE, CHANGES };

struct rewrite {
    struct msg_wire *out;
    msgpack_packer packer;
    size_t target, seen; /* index of the value to change; of the value at hand, in the order of the bytes */
    enum change change;
    bool changed; /* false: there is no such value, or this change would leave it as it is */
};

static int rewrite_append(void *arg, const char *bytes, size_t n)
{
    struct rewrite *w = arg;
    assert_true(n <= sizeof w->out->bytes - w->out->n);
    memcpy(w->out->bytes + w->out->n, bytes, n);
    w->out->n += n;
    return 0;
}

static bool has_type_of(const msgpack_object *o, enum change change)
{
    switch (change) {
    case TO_NIL: return o->type == MSGPACK_OBJECT_NIL;
    case TO_BOOL: return o->type == MSGPACK_OBJECT_BOOLEAN;
    case TO_INT: return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    case TO_STR: return o->type == MSGPACK_OBJECT_STR;
    case TO_BIN: return o->type == MSGPACK_OBJECT_BIN;
    case TO_ARRAY: return o->type == MSGPACK_OBJECT_ARRAY;
    default: return false;
    }
}

static void changed_write(struct rewrite *w)
{
    switch (w->change) {
    case TO_BOOL: msgpack_pack_true(&w->packer); break;
    case TO_INT: msgpack_pack_int(&w->packer, 1); break;
    case TO_FLOAT: msgpack_pack_double(&w->packer, 1.0); break;
    case TO_STR: msgpack_pack_str_with_body(&w->packer, "x", 1); break;
    case TO_BIN: msgpack_pack_bin_with_body(&w->packer, "x", 1); break;
    case TO_ARRAY: msgpack_pack_array(&w->packer, 0); break;
    case TO_MAP: msgpack_pack_map(&w->packer, 0); break;
    default: msgpack_pack_nil(&w->packer); break;
    }
}

static void value_rewrite(struct rewrite *w, const msgpack_object *o)
{
    bool here = w->seen++ == w->target;
    bool is_array = o->type == MSGPACK_OBJECT_ARRAY;
    if (here && w->change < ONE_LESS) {
        w->changed = !has_type_of(o, w->change);
        changed_write(w);
        return;
    }
    if (!is_array) {
        msgpack_pack_object(&w->packer, *o);
        return;
    }
    size_t n = o->via.array.size;
    w->changed |= here && (w->change == ONE_MORE || n > 0);
    size_t count = !here ? n : w->change == ONE_MORE ? n + 1 : n ? n - 1 : 0;
    msgpack_pack_array(&w->packer, count);
    for (size_t i = 0; i < count && i < n; i++)
        value_rewrite(w, &o->via.array.ptr[i]);
    if (count > n)
        msgpack_pack_nil(&w->packer);
}

#define SAMPLE_WAYS 2 /* in reception objects: these may be nil instead */

static bool is_way(const char *sample, size_t value)
{
    return (strcmp(sample, "fetch_way") == 0 && value == 13) || (strcmp(sample, "connect_again") == 0 && value == 11);
}

static void every_value_of_another_type_is_malformed(void **state)
{
    struct msg_buffers *s = *state;
    size_t left_out = 0;
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        msg_sample_encode(msg_sample_name(i), s);
        assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)s->wire.bytes, s->wire.n, NULL), MSGPACK_UNPACK_SUCCESS);
        size_t values = 1;
        for (size_t target = 0; target < values; target++)
            for (int change = 0; change < CHANGES; change++) {
                struct rewrite w = {.out = &s->other, .target = target, .change = (enum change)change};
                s->other.n = 0;
                msgpack_packer_init(&w.packer, &w, rewrite_append);
                value_rewrite(&w, &unpacked.data);
                if (w.seen > values)
                    values = w.seen;
                if (!w.changed)
                    continue;
                if (msg_decode_exactly(&s->other, s->other.n, &s->back) != 0)
                    continue;
                left_out++; /* a list may be shorter, an array of fixed positions not; a way through a relay may be missing */
                if (change != ONE_LESS && !(change == TO_NIL && is_way(msg_sample_name(i), target)))
                    fail_msg("%s: value %zu, change %d is taken", msg_sample_name(i), target, change);
            }
        msgpack_unpacked_destroy(&unpacked);
    }
    assert_int_equal(left_out, MSG_SAMPLE_LISTS + SAMPLE_WAYS);
}

/* ---- one field out of its range */

struct wrong {
    const char *sample;
    size_t at, size;
    uint64_t number;
    const char *text; /* instead of a number */
    int err;
};

#define SIZE_OF(field) sizeof(((struct msg *)0)->field)
#define NUMBER(sample, field, number, err)                                     \
    {                                                                          \
        sample, offsetof(struct msg, field), SIZE_OF(field), number, NULL, err \
    }
#define TEXT(sample, field, text)                                                   \
    {                                                                               \
        sample, offsetof(struct msg, field), SIZE_OF(field), 0, text, ERR_MALFORMED \
    }

static const struct wrong wrongs[] = {
    NUMBER("ping", request, 1ull << 63, ERR_LIMIT),
    NUMBER("join", request, 0, ERR_MALFORMED),
    NUMBER("join_ok", request, 0, ERR_MALFORMED),
    NUMBER("shares", request, 0, ERR_MALFORMED),
    NUMBER("shares_ok", request, 0, ERR_MALFORMED),
    NUMBER("list", request, 0, ERR_MALFORMED),
    NUMBER("list_ok", request, 0, ERR_MALFORMED),
    NUMBER("fetch", request, 0, ERR_MALFORMED),
    NUMBER("fetch_ok", request, 0, ERR_MALFORMED),
    NUMBER("register", request, 0, ERR_MALFORMED),
    NUMBER("register_ok", request, 0, ERR_MALFORMED),
    NUMBER("open", request, 0, ERR_MALFORMED),
    NUMBER("open_ok", request, 0, ERR_MALFORMED),
    NUMBER("connect", request, 0, ERR_MALFORMED),
    NUMBER("connect_ok", request, 0, ERR_MALFORMED),
    NUMBER("pipes", request, 0, ERR_MALFORMED),
    NUMBER("pipes_ok", request, 0, ERR_MALFORMED),
    NUMBER("reserve", request, 0, ERR_MALFORMED),
    NUMBER("reserve_ok", request, 0, ERR_MALFORMED),
    NUMBER("offer", request, 0, ERR_MALFORMED),
    NUMBER("offer_ok", request, 0, ERR_MALFORMED),
    NUMBER("handles", request, 0, ERR_MALFORMED),
    NUMBER("handles_ok", request, 0, ERR_MALFORMED),
    NUMBER("use", request, 0, ERR_MALFORMED),
    NUMBER("use_ok", request, 0, ERR_MALFORMED),
    NUMBER("next", request, 0, ERR_MALFORMED),
    NUMBER("next_ok_drain", request, 0, ERR_MALFORMED),
    NUMBER("bridge", request, 0, ERR_MALFORMED),
    NUMBER("bridge_ok", request, 0, ERR_MALFORMED),
    NUMBER("file", request, 0, ERR_MALFORMED),
    NUMBER("file_ok", request, 0, ERR_MALFORMED),
    NUMBER("index", request, 0, ERR_MALFORMED),
    NUMBER("index_ok", request, 0, ERR_MALFORMED),
    NUMBER("put", request, 0, ERR_MALFORMED),
    NUMBER("put_ok", request, 0, ERR_MALFORMED),
    NUMBER("literals", request, 0, ERR_MALFORMED),
    NUMBER("literals_ok", request, 0, ERR_MALFORMED),
    NUMBER("gather", request, 0, ERR_MALFORMED),
    NUMBER("gather_ok", request, 0, ERR_MALFORMED),
    NUMBER("commit", request, 0, ERR_MALFORMED),
    NUMBER("commit_ok", request, 0, ERR_MALFORMED),
    NUMBER("progress", request, 0, ERR_MALFORMED),
    NUMBER("hello", hello.record.len, 0, ERR_MALFORMED),
    NUMBER("bye", bye.reason, BYE_REASON_COUNT, ERR_LIMIT),
    NUMBER("records", records.record[1].len, 0, ERR_MALFORMED),
    NUMBER("error", error.code, ERR_OK, ERR_MALFORMED),
    NUMBER("error", error.code, ERR_COUNT, ERR_MALFORMED),
    TEXT("error", error.text, "\xff"),
    NUMBER("query", query.type, PIPE_TYPE_COUNT, ERR_LIMIT),
    NUMBER("query", query.transport, TRANSPORT_RELAY, ERR_LIMIT),
    NUMBER("query", query.hops, QUERY_HOPS_MAX + 1, ERR_LIMIT),
    NUMBER("answer", answer.type, PIPE_TYPE_COUNT, ERR_LIMIT),
    NUMBER("answer", answer.holder[1].incarnation, 1ull << 63, ERR_LIMIT),
    NUMBER("answer", answer.holder[1].life_s, PIPE_ANSWER_LIFE_MAX_S + 1, ERR_LIMIT),
    NUMBER("answer", answer.holder[1].record.len, 0, ERR_MALFORMED),
    NUMBER("answer", answer.holder[0].endpoint[0].transport, TRANSPORT_ANY, ERR_MALFORMED),
    NUMBER("answer", answer.holder[0].endpoint[0].transport, TRANSPORT_WS, ERR_MALFORMED),
    NUMBER("answer", answer.holder[0].endpoint[0].transport, TRANSPORT_COUNT, ERR_LIMIT),
    TEXT("answer", answer.holder[0].endpoint[0].text, "tcp://example.org:80"),
    TEXT("answer", answer.holder[0].endpoint[0].text, "tcp://*:*"),
    TEXT("answer", answer.holder[0].endpoint[0].text, ""),
    TEXT("answer", answer.holder[0].endpoint[1].text, "ipc:///tmp/a\nb"),
    TEXT("answer", answer.holder[0].endpoint[0].iface, "eth\x1b"),
    TEXT("answer", answer.holder[0].endpoint[2].text, "relay://1.2.3.4:80"),
    TEXT("answer", answer.holder[0].endpoint[2].iface, "eth0"),
    NUMBER("answer", answer.holder[0].endpoint[2].scope, 1, ERR_MALFORMED),
    TEXT("shares", shares.after, "-x"),
    TEXT("shares_ok", shares_ok.share[0].name, ""),
    TEXT("shares_ok", shares_ok.share[1].name, "a/b"),
    NUMBER("shares_ok", shares_ok.share[0].kind, RESOURCE_KIND_COUNT, ERR_LIMIT),
    NUMBER("shares_ok", shares_ok.share[0].size, 1ull << 63, ERR_LIMIT),
    NUMBER("shares_ok", shares_ok.count, 0, ERR_MALFORMED), /* and yet more to come */
    TEXT("list", list.at.share, ""),
    TEXT("list", list.at.share, ".."),
    TEXT("list", list.at.path, "../etc/pa"),
    TEXT("list", list.at.path, "/2024/caf"),
    TEXT("list", list.at.path, "2024//caf"),
    NUMBER("list_ok", list_ok.cursor, 0, ERR_MALFORMED), /* and yet more to come */
    NUMBER("list_ok", list_ok.entry[0].kind, ENTRY_KIND_COUNT, ERR_LIMIT),
    NUMBER("list_ok", list_ok.entry[0].mode, 010000, ERR_LIMIT),
    NUMBER("list_ok", list_ok.entry[0].size, 1ull << 63, ERR_LIMIT),
    NUMBER("list_ok", list_ok.entry[0].mtime_ns, SECOND, ERR_LIMIT),
    NUMBER("list_ok", list_ok.entry[0].name_len, 0, ERR_MALFORMED),
    NUMBER("list_ok", list_ok.entry[0].name, (uintptr_t) "a/jpg", ERR_MALFORMED),
    NUMBER("list_ok", list_ok.entry[0].name, (uintptr_t) "a\0jpg", ERR_MALFORMED),
    NUMBER("list_ok", list_ok.entry[2].kind, ENTRY_FILE, ERR_MALFORMED), /* and yet a target */
    NUMBER("list_ok", list_ok.entry[2].target, (uintptr_t) "..\0a.jpg", ERR_MALFORMED),
    TEXT("fetch", fetch.at.share, "a:b"),
    TEXT("fetch_listen", fetch.at.path, "a//b"),
    NUMBER("fetch", fetch.reception.streams, 0, ERR_MALFORMED),
    NUMBER("fetch", fetch.reception.streams, STREAMS_MAX + 1, ERR_LIMIT),
    NUMBER("fetch", fetch.reception.limit, 1ull << 63, ERR_LIMIT),
    NUMBER("fetch", fetch.reception.deadline_s, 0, ERR_MALFORMED),
    NUMBER("fetch", fetch.reception.deadline_s, RECEPTION_DEADLINE_S + 1, ERR_LIMIT),
    NUMBER("fetch", fetch.reception.addr[0].port, 0, ERR_MALFORMED),
    NUMBER("fetch", fetch.reception.addr[0].ip[0], 224, ERR_MALFORMED),
    NUMBER("fetch", fetch.reception.addr[1].ip[0], 0xff, ERR_MALFORMED),
    NUMBER("fetch_ok", fetch_ok.streams, 0, ERR_MALFORMED),
    NUMBER("fetch_ok", fetch_ok.streams, STREAMS_MAX + 1, ERR_LIMIT),
    NUMBER("fetch_ok_listen", fetch_ok.addr[0].port, 0, ERR_MALFORMED),
    NUMBER("cancel", cancel.request, 0, ERR_MALFORMED),
    NUMBER("cancel", cancel.request, 1ull << 63, ERR_LIMIT),
    NUMBER("register", registered.life_s, LEASE_LIFE_MAX_S + 1, ERR_LIMIT),
    NUMBER("register", registered.pipe[0].type, PIPE_TYPE_COUNT, ERR_LIMIT),
    NUMBER("register", registered.pipe[0].transport, TRANSPORT_RELAY, ERR_LIMIT),
    NUMBER("register_ok", registered_ok.life_s, LEASE_LIFE_MAX_S + 1, ERR_LIMIT),
    NUMBER("register_ok", registered_ok.kept, LOCAL_PIPES_MAX + 1, ERR_LIMIT),
    NUMBER("open", open.seq, 0, ERR_MALFORMED),
    NUMBER("open", open.seq, 1ull << 63, ERR_LIMIT),
    NUMBER("open_ok", open_ok.seq, 0, ERR_MALFORMED),
    NUMBER("open_ok", open_ok.seq, 1ull << 63, ERR_LIMIT),
    NUMBER("open_ok", open_ok.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("open_ok", open_ok.lease_ms, PIPE_LEASE_MS + 1, ERR_LIMIT), /* s29: a binder sets none of the sender's times */
    NUMBER("data", data.seq, 0, ERR_MALFORMED),
    NUMBER("data", data.seq, INT64_MAX - 1, ERR_LIMIT), /* and two messages */
    NUMBER("data", data.stamp, 1ull << 63, ERR_LIMIT),
    NUMBER("data", data.batch.bytes, (uintptr_t) "\0\0\0\6hello\0\0\0\0", ERR_MALFORMED),
    NUMBER("data", data.batch.bytes, (uintptr_t) "\0\0\0\5hello\0\0\0\1", ERR_MALFORMED),
    NUMBER("data", data.batch.bytes, (uintptr_t) "\0\0\xc0\1hello\0\0\0\0", ERR_LIMIT),
    NUMBER("data", data.batch.n, 12, ERR_MALFORMED),
    NUMBER("data_empty", data.seq, 1ull << 63, ERR_LIMIT),
    NUMBER("ack", ack.seq, 0, ERR_MALFORMED),
    NUMBER("ack", ack.seq, 1ull << 63, ERR_LIMIT),
    NUMBER("ack", ack.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("ack", ack.stamp, 1ull << 63, ERR_LIMIT),
    NUMBER("close", close.seq, 0, ERR_MALFORMED),
    NUMBER("close", close.seq, 1ull << 63, ERR_LIMIT),
    NUMBER("close", close.reason, CLOSE_REASON_COUNT, ERR_LIMIT),
    NUMBER("spread", spread.incarnation, 1ull << 63, ERR_LIMIT),
    NUMBER("spread", spread.number, 1ull << 63, ERR_LIMIT),
    NUMBER("spread", spread.hops, SPREAD_HOPS_MAX + 1, ERR_LIMIT),
    NUMBER("spread_have", spread_ids.count, 0, ERR_MALFORMED),
    NUMBER("connect", connect.reception.streams, 1, ERR_MALFORMED),
    NUMBER("connect", connect.reception.streams, 3, ERR_MALFORMED),
    NUMBER("connect", connect.reception.limit, 1ull << 63, ERR_LIMIT),
    NUMBER("connect", connect.reception.deadline_s, 0, ERR_MALFORMED),
    NUMBER("connect_ok", connect_ok.streams, 1, ERR_MALFORMED),
    NUMBER("connect_ok", connect_ok.streams, 3, ERR_MALFORMED),
    TEXT("pipes", pipes.after, "a/b"),
    TEXT("pipes_ok", pipes_ok.pipe[0].name, ""),
    TEXT("pipes_ok", pipes_ok.pipe[1].name, "bob:logs"),
    TEXT("pipes_ok", pipes_ok.pipe[1].name, "a\x1b[2J"),
    NUMBER("pipes_ok", pipes_ok.pipe[0].type, PIPE_TYPE_COUNT, ERR_LIMIT),
    NUMBER("pipes_ok", pipes_ok.pipe[0].transport, TRANSPORT_RELAY, ERR_LIMIT),
    NUMBER("pipes_ok", pipes_ok.count, 0, ERR_MALFORMED), /* and yet more to come */
    NUMBER("fetch_way", fetch.reception.way.addr[0].port, 0, ERR_MALFORMED),
    NUMBER("connect_again", connect.lasting, false, ERR_MALFORMED), /* and yet again */
    NUMBER("reserve", reserve.life_s, RELAY_LIFE_MAX_S + 1, ERR_LIMIT),
    NUMBER("reserve", reserve.sessions, RELAY_SESSIONS_MAX + 1, ERR_LIMIT),
    NUMBER("reserve_ok", reserve_ok.life_s, RELAY_LIFE_MAX_S + 1, ERR_LIMIT),
    NUMBER("reserve_ok", reserve_ok.sessions, RELAY_SESSIONS_MAX + 1, ERR_LIMIT),
    NUMBER("reserve_ok", reserve_ok.bytes, 1ull << 63, ERR_LIMIT),
    NUMBER("reserve_ok", reserve_ok.rate, 1ull << 63, ERR_LIMIT),
    NUMBER("reserve_ok", reserve_ok.nexts, 0, ERR_MALFORMED),
    NUMBER("reserve_ok", reserve_ok.nexts, RELAY_NEXTS_MAX + 1, ERR_LIMIT),
    TEXT("offer", offer.name, ""),
    TEXT("offer", offer.name, "bob:photos"),
    TEXT("offer_withdrawn", offer.name, "a\x1b[2J"),
    NUMBER("offer", offer.kind, RESOURCE_KIND_COUNT, ERR_LIMIT),
    NUMBER("offer", offer.is_public, true, ERR_MALFORMED), /* and yet an audience */
    TEXT("handles", handles.after_name, "../x"),
    TEXT("handles_ok", handles_ok.handle[0].holder_name, "-bob"),
    TEXT("handles_ok", handles_ok.handle[0].name, ""),
    TEXT("handles_ok", handles_ok.handle[1].name, "a/b"),
    NUMBER("handles_ok", handles_ok.handle[0].kind, RESOURCE_KIND_COUNT, ERR_LIMIT),
    NUMBER("handles_ok", handles_ok.handle[0].state, HANDLE_STATE_COUNT, ERR_LIMIT),
    NUMBER("handles_ok", handles_ok.count, 0, ERR_MALFORMED), /* and yet more to come */
    NUMBER("use", use.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("use_ok", use_ok.session, 0, ERR_MALFORMED),
    NUMBER("use_ok", use_ok.session, 1ull << 63, ERR_LIMIT),
    NUMBER("use_ok", use_ok.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("next", part.session, 9, ERR_MALFORMED), /* nothing to say of it */
    NUMBER("next", part.credit, 1, ERR_MALFORMED),
    NUMBER("next_accept", part.session, 0, ERR_MALFORMED),
    NUMBER("next_accept", part.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("next_data", part.session, 0, ERR_MALFORMED),
    NUMBER("next_data", part.session, 1ull << 63, ERR_LIMIT),
    NUMBER("next_data", part.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("next_close", part.session, 0, ERR_MALFORMED),
    NUMBER("next_close", part.credit, 1, ERR_MALFORMED),
    NUMBER("next_close", part.code, ERR_COUNT, ERR_MALFORMED),
    TEXT("next_ok_refuse", part.text, "\xff"),
    NUMBER("next_ok_use", part.session, 0, ERR_MALFORMED),
    NUMBER("next_ok_use", part.credit, 1ull << 63, ERR_LIMIT),
    NUMBER("next_ok_drain", part.session, 9, ERR_MALFORMED),
    NUMBER("next_ok_drain", part.credit, 1, ERR_MALFORMED),
    NUMBER("next_accept", type, MSG_NEXT_OK, ERR_MALFORMED), /* a relay does not accept */
    NUMBER("next_ok_use", type, MSG_NEXT, ERR_MALFORMED),    /* a client does not want, or drain, that way */
    NUMBER("next_ok_drain", type, MSG_NEXT, ERR_MALFORMED),
    NUMBER("bridge", bridge.session, 0, ERR_MALFORMED),
    NUMBER("bridge", bridge.session, 1ull << 63, ERR_LIMIT),
    NUMBER("bridge", bridge.streams, 0, ERR_MALFORMED),
    NUMBER("bridge", bridge.streams, STREAMS_MAX + 1, ERR_LIMIT),
    NUMBER("bridge_ok", bridge_ok.own.addr_count, 0, ERR_MALFORMED),
    NUMBER("bridge_ok", bridge_ok.other.addr_count, 0, ERR_MALFORMED),
    NUMBER("bridge_ok", bridge_ok.other.addr[0].ip[0], 224, ERR_MALFORMED),
    NUMBER("bridge_ok", bridge_ok.deadline_s, 0, ERR_MALFORMED),
    NUMBER("bridge_ok", bridge_ok.deadline_s, RECEPTION_DEADLINE_S + 1, ERR_LIMIT),
    TEXT("file", file.at.share, "a:b"),
    TEXT("file", file.at.share, ""),
    TEXT("file", file.at.path, "../etc/pa"),
    TEXT("file", file.at.path, "2024//caf"),
    NUMBER("file_ok", file_ok.handle, 0, ERR_MALFORMED),
    NUMBER("file_ok", file_ok.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("file_ok", file_ok.kind, FILE_KIND_COUNT, ERR_LIMIT),
    NUMBER("file_ok", file_ok.state.size, 1ull << 63, ERR_LIMIT),
    NUMBER("file_ok", file_ok.state.mtime_ns, SECOND, ERR_LIMIT),
    NUMBER("file_ok", file_ok.state.mode, 010000, ERR_LIMIT),
    NUMBER("file_ok", file_ok.limits.regions, GATHER_REGIONS_MAX + 1, ERR_LIMIT),
    NUMBER("file_ok", file_ok.limits.bytes, 1ull << 63, ERR_LIMIT),
    NUMBER("file_ok", file_ok.limits.size, 1ull << 63, ERR_LIMIT),
    NUMBER("file_ok", file_ok.limits.budget, 1ull << 63, ERR_LIMIT),
    NUMBER("file_close", file_close.handle, 0, ERR_MALFORMED),
    NUMBER("file_close", file_close.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("index", index.handle, 0, ERR_MALFORMED),
    NUMBER("index", index.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("index_ok", index_ok.bytes, 0, ERR_MALFORMED),
    NUMBER("index_ok", index_ok.bytes, INDEX_BYTES_MAX + 1, ERR_LIMIT),
    NUMBER("put", put.handle, 0, ERR_MALFORMED),
    NUMBER("put", put.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("put", put.policy, IF_EXISTS_COUNT, ERR_LIMIT),
    TEXT("put", put.name, "."),
    TEXT("put", put.name, ".."),
    TEXT("put", put.name, "a/b"),
    TEXT("put", put.name, STAGE_PREFIX "x"),
    NUMBER("put_ok", put_ok.files, 1ull << 63, ERR_LIMIT),
    NUMBER("put_ok", put_ok.bytes, 1ull << 63, ERR_LIMIT),
    NUMBER("put_ok", put_ok.present, 1ull << 63, ERR_LIMIT),
    NUMBER("put_ok", put_ok.skipped, 1ull << 63, ERR_LIMIT),
    NUMBER("put_ok", put_ok.failed, 1ull << 63, ERR_LIMIT),
    NUMBER("put_ok_failed", put_ok.failed, 0, ERR_MALFORMED), /* one was skipped; and yet two are told of */
    NUMBER("put_ok_failed", put_ok.item[0].len, 0, ERR_MALFORMED),
    NUMBER("put_ok_failed", put_ok.item[0].path, (uintptr_t) "/a/b/c.jpg", ERR_MALFORMED),
    NUMBER("put_ok_failed", put_ok.item[0].path, (uintptr_t) "a/../c.jpg", ERR_MALFORMED),
    NUMBER("put_ok_failed", put_ok.item[0].path, (uintptr_t) "a\0bcdef.jpg", ERR_MALFORMED),
    NUMBER("put_ok_failed", put_ok.item[0].code, ERR_OK, ERR_MALFORMED),
    NUMBER("put_ok_failed", put_ok.item[0].code, ERR_COUNT, ERR_MALFORMED),
    TEXT("put_ok_failed", put_ok.item[0].text, "\xff"),
    NUMBER("literals", literals.handle, 0, ERR_MALFORMED),
    NUMBER("literals", literals.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("literals", literals.bytes, 0, ERR_MALFORMED),
    NUMBER("literals", literals.bytes, 1ull << 63, ERR_LIMIT),
    NUMBER("literals_ok", literals.bytes, 1ull << 63, ERR_LIMIT),
    NUMBER("gather", gather.destination, 0, ERR_MALFORMED),
    NUMBER("gather", gather.destination, 1ull << 63, ERR_LIMIT),
    NUMBER("gather", gather.source, 1ull << 63, ERR_LIMIT),
    NUMBER("gather", gather.from, INT64_MAX - 69741, ERR_LIMIT), /* p40: its end is none */
    NUMBER("gather", gather.from, 1ull << 63, ERR_LIMIT),
    NUMBER("gather", gather.length, INT64_MAX - (1u << 20) + 1, ERR_LIMIT),
    NUMBER("gather", gather.length, 0, ERR_MALFORMED), /* of four regions */
    NUMBER("gather", gather.length, 3, ERR_MALFORMED),
    NUMBER("gather", gather.count, GATHER_REGIONS_MAX + 1, ERR_LIMIT),
    NUMBER("gather", gather.count, 13, ERR_MALFORMED), /* in twelve bytes */
    NUMBER("gather", gather.count, 0, ERR_MALFORMED),  /* and yet bytes */
    NUMBER("gather", gather.len, 0, ERR_MALFORMED),
    NUMBER("gather_ok", gather_ok.end, 1ull << 63, ERR_LIMIT),
    NUMBER("gather_ok", gather_ok.limits.wait_ms, 1, ERR_MALFORMED), /* for what was taken */
    NUMBER("gather_ok", gather_ok.limits.regions, GATHER_REGIONS_MAX + 1, ERR_LIMIT),
    NUMBER("commit", commit.handle, 0, ERR_MALFORMED),
    NUMBER("commit", commit.handle, 1ull << 63, ERR_LIMIT),
    NUMBER("commit", commit.size, 1ull << 63, ERR_LIMIT),
    NUMBER("commit", commit.mtime_ns, SECOND, ERR_LIMIT),
    NUMBER("commit", commit.mode, 010000, ERR_LIMIT),
    NUMBER("commit_ok", commit_ok.state.size, 1ull << 63, ERR_LIMIT),
    NUMBER("commit_ok", commit_ok.state.mtime_ns, SECOND, ERR_LIMIT),
    NUMBER("commit_ok", commit_ok.state.mode, 010000, ERR_LIMIT),
    NUMBER("progress", progress.phase, PROGRESS_PHASE_COUNT, ERR_LIMIT),
    NUMBER("progress", progress.done, 1ull << 63, ERR_LIMIT),
    NUMBER("progress", progress.total, 1ull << 63, ERR_LIMIT),
};

static void put(struct msg *m, const struct wrong *wrong)
{
    uint8_t *field = (uint8_t *)m + wrong->at;
    if (wrong->text) {
        assert_true(strlen(wrong->text) < wrong->size);
        memset(field, 0, wrong->size);
        memcpy(field, wrong->text, strlen(wrong->text));
        return;
    }
    uint8_t v1 = (uint8_t)wrong->number;
    uint16_t v2 = (uint16_t)wrong->number;
    uint32_t v4 = (uint32_t)wrong->number;
    const void *v = wrong->size == 1   ? (void *)&v1
                    : wrong->size == 2 ? (void *)&v2
                    : wrong->size == 4 ? (void *)&v4
                                       : (void *)&wrong->number;
    memcpy(field, v, wrong->size);
}

static void every_field_out_of_its_range_is_refused(void **state)
{
    struct msg_buffers *s = *state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        msg_sample(wrongs[i].sample, &s->msg);
        put(&s->msg, &wrongs[i]);
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
        int err = msg_decode_exactly(&s->wire, s->wire.n, &s->back);
        if (err != wrongs[i].err)
            fail_msg("wrong %zu, %s: %s instead of %s", i, wrongs[i].sample, err_name(err), err_name(wrongs[i].err));
    }
}

/* ---- lists and bytes at their caps, and one beyond */

struct longest {
    const char *sample;
    size_t value; /* index of the list or bytes among the message's values */
    size_t max;
};

struct stretch {
    struct rewrite rewrite;
    size_t count;
};

/* Writes the message with its value number `target` made `count` long: an array of its first item, or bytes of 'a'. */
static void value_stretch(struct stretch *w, const msgpack_object *o)
{
    msgpack_packer *packer = &w->rewrite.packer;
    bool here = w->rewrite.seen++ == w->rewrite.target;
    bool is_array = o->type == MSGPACK_OBJECT_ARRAY;
    size_t n = is_array ? o->via.array.size : 0;
    if (here && o->type == MSGPACK_OBJECT_STR) {
        msgpack_pack_str(packer, w->count);
        for (size_t i = 0; i < w->count; i++)
            msgpack_pack_str_body(packer, "a", 1);
    } else if (here && o->type == MSGPACK_OBJECT_BIN) {
        msgpack_pack_bin(packer, w->count);
        for (size_t i = 0; i < w->count; i++)
            msgpack_pack_bin_body(packer, i % 200 == 199 ? "/" : "a", 1);
    } else if (here) {
        assert_true(n > 0);
        msgpack_pack_array(packer, w->count);
        for (size_t i = 0; i < w->count; i++)
            msgpack_pack_object(packer, o->via.array.ptr[0]);
    } else if (is_array) {
        msgpack_pack_array(packer, n);
        for (size_t i = 0; i < n; i++)
            value_stretch(w, &o->via.array.ptr[i]);
    } else {
        msgpack_pack_object(packer, *o);
    }
}

/* How a sample is decoded when that value of it is `n` long. */
static int err_of_length(struct msg_buffers *s, const struct longest *which, size_t n)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    msg_sample_encode(which->sample, s);
    assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)s->wire.bytes, s->wire.n, NULL), MSGPACK_UNPACK_SUCCESS);
    struct stretch w = {.rewrite = {.out = &s->other, .target = which->value}, .count = n};
    s->other.n = 0;
    msgpack_packer_init(&w.rewrite.packer, &w.rewrite, rewrite_append);
    value_stretch(&w, &unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return msg_decode_exactly(&s->other, s->other.n, &s->back);
}

static void lists_and_bytes_end_at_their_caps(void **state)
{
    static const struct longest cases[] = {
        {"hello", 5, RECORD_BYTES_MAX},
        {"records", 3, GOSSIP_RECORDS_MAX},
        {"records", 4, RECORD_BYTES_MAX},
        {"error", 4, ERROR_TEXT_MAX},
        {"query", 9, QUERY_VISITED_MAX},
        {"query", 11, QUERY_VISITED_MAX},
        {"answer", 6, ANSWER_HOLDERS_MAX},
        {"answer", 11, RECORD_BYTES_MAX},
        {"answer", 12, PIPE_ENDPOINTS_MAX},
        {"answer", 16, IFACE_TEXT - 1},
        {"shares", 4, NAME_MAX_BYTES},
        {"shares_ok", 4, SHARES_PAGE_MAX},
        {"shares_ok", 6, NAME_MAX_BYTES},
        {"list", 4, NAME_MAX_BYTES},
        {"list", 5, PATH_BYTES_MAX},
        {"list_ok", 5, LIST_ENTRIES_MAX},
        {"fetch", 5, PATH_BYTES_MAX},
        {"fetch", 12, RECEPTION_ENDPOINTS_MAX},
        {"fetch_ok_listen", 4, RECEPTION_ENDPOINTS_MAX},
        {"register_for", 3, RECORD_BYTES_MAX},
        {"register", 5, REGISTER_PIPES_MAX},
        {"spread", 8, QUERY_VISITED_MAX},
        {"spread", 11, SPREAD_BYTES_MAX},
        {"spread_have", 3, SPREAD_IDS_MAX},
        {"spread_want", 3, SPREAD_IDS_MAX},
        {"connect", 10, RECEPTION_ENDPOINTS_MAX},
        {"pipes", 4, NAME_MAX_BYTES},
        {"pipes_ok", 4, PIPES_PAGE_MAX},
        {"pipes_ok", 6, NAME_MAX_BYTES},
        {"fetch_way", 16, RECEPTION_ENDPOINTS_MAX},
        {"offer", 7, AUDIENCE_MAX},
        {"offer", 3, NAME_MAX_BYTES},
        {"handles", 5, NAME_MAX_BYTES},
        {"handles_ok", 4, HANDLES_PAGE_MAX},
        {"handles_ok", 7, NAME_MAX_BYTES},
        {"handles_ok", 8, NAME_MAX_BYTES},
        {"next_data", 6, RELAY_PART_MAX},
        {"next_ok_credit", 6, RELAY_PART_MAX},
        {"next_ok_refuse", 8, ERROR_TEXT_MAX},
        {"bridge_ok", 6, RECEPTION_ENDPOINTS_MAX},
        {"bridge_ok", 13, RECEPTION_ENDPOINTS_MAX},
        {"file", 4, NAME_MAX_BYTES},
        {"file", 5, PATH_BYTES_MAX},
        {"put_ok_failed", 11, PATH_BYTES_MAX},
        {"put_ok_failed", 13, ERROR_TEXT_MAX},
        {"gather", 9, GATHER_REGION_BYTES_MAX},
    };
    struct msg_buffers *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t over = 0; over < 2; over++) {
            int err = err_of_length(s, &cases[i], cases[i].max + over);
            if (err != (over ? ERR_LIMIT : 0))
                fail_msg("%s, value %zu, %zu over: %s", cases[i].sample, cases[i].value, over, err_name(err));
        }
}

/* One that could be dialled both ways would have two senders. */
static void a_reception_object_has_addresses_or_a_way(void **state)
{
    struct msg_buffers *s = *state;
    msg_sample("fetch_way", &s->msg);
    s->msg.fetch.reception.addr_count = 1;
    s->msg.fetch.reception.addr[0] = s->msg.fetch.reception.way.addr[0];
    assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
    assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), ERR_MALFORMED);
}

static void an_ip_has_four_or_sixteen_bytes(void **state)
{
    static const struct longest ip = {"fetch", 14, 16};
    for (size_t n = 0; n <= ip.max; n++)
        assert_int_equal(err_of_length(*state, &ip, n), n == 4 || n == 16 ? 0 : ERR_MALFORMED);
    assert_int_equal(err_of_length(*state, &ip, ip.max + 1), ERR_LIMIT);
}

/* Else it would be something shared, by the share's absence. */
static void a_parcel_has_a_name(void **state)
{
    static const char *const samples[] = {"fetch_parcel", "index_ok", "put", "literals"};
    struct msg_buffers *s = *state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        msg_sample_encode(samples[i], s);
        uint8_t *name = memmem(s->wire.bytes, s->wire.n, "\xc4\x10\xd6", 3);
        assert_non_null(name);
        memset(name + 2, 0, TAG_BYTES);
        assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), ERR_MALFORMED);
    }
}

/* PUT's name may be empty, and names of folders are names too: one byte more than a name has is over the cap, not cut. */
static void p26_a_name_to_put_ends_at_its_cap(void **state)
{
    static const struct longest name = {"put", 4, ENTRY_NAME_MAX};
    assert_int_equal(err_of_length(*state, &name, 0), 0);
    assert_int_equal(err_of_length(*state, &name, 199), 0);
    assert_int_equal(err_of_length(*state, &name, 200), ERR_MALFORMED); /* a '/' is in it */
    assert_int_equal(err_of_length(*state, &name, ENTRY_NAME_MAX + 1), ERR_LIMIT);
    struct msg_buffers *s = *state;
    msg_sample("put", &s->msg);
    memset(s->msg.put.name, 'a', ENTRY_NAME_MAX);
    assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
    assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), 0);
    assert_int_equal(strlen(s->back.put.name), ENTRY_NAME_MAX);
}

static void put_ok_names_at_most_so_many(void **state)
{
    static const struct longest items = {"put_ok_failed", 9, PUT_ITEMS_MAX};
    assert_int_equal(err_of_length(*state, &items, 4), 0);
    assert_int_equal(err_of_length(*state, &items, 5), ERR_MALFORMED); /* more than failed or were skipped */
    assert_int_equal(err_of_length(*state, &items, PUT_ITEMS_MAX + 1), ERR_LIMIT);
}

static void s22_a_batch_ends_at_its_cap(void **state)
{
    struct msg_buffers *s = *state;
    uint8_t *bytes = calloc(1, BATCH_BYTES_MAX + BATCH_HEAD);
    for (size_t over = 0; over < 2; over++) {
        msg_sample("data", &s->msg);
        s->msg.data.batch = (struct batch){.bytes = bytes, .n = BATCH_BYTES_MAX + over * BATCH_HEAD};
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
        assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), over ? ERR_LIMIT : 0);
    }
    free(bytes);
}

static void p26_entry_names_and_targets_end_at_their_caps(void **state)
{
    struct msg_buffers *s = *state;
    char *bytes = malloc(LINK_TARGET_MAX + 1);
    memset(bytes, 'a', LINK_TARGET_MAX + 1);
    for (uint16_t over = 0; over < 2; over++) {
        msg_sample("list_ok", &s->msg);
        struct entry *e = &s->msg.list_ok.entry[2];
        e->name = bytes;
        e->name_len = (uint16_t)(ENTRY_NAME_MAX + over);
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
        assert_int_equal(msg_decode(s->wire.bytes, s->wire.n, &s->back), over ? ERR_LIMIT : 0);
        msg_sample("list_ok", &s->msg);
        e->target = bytes;
        e->target_len = (uint16_t)(LINK_TARGET_MAX + over);
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
        assert_int_equal(msg_decode(s->wire.bytes, s->wire.n, &s->back), over ? ERR_LIMIT : 0);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_of_another_type_is_malformed),
        cmocka_unit_test(every_field_out_of_its_range_is_refused),
        cmocka_unit_test(lists_and_bytes_end_at_their_caps),
        cmocka_unit_test(a_reception_object_has_addresses_or_a_way),
        cmocka_unit_test(an_ip_has_four_or_sixteen_bytes),
        cmocka_unit_test(a_parcel_has_a_name),
        cmocka_unit_test(p26_a_name_to_put_ends_at_its_cap),
        cmocka_unit_test(put_ok_names_at_most_so_many),
        cmocka_unit_test(s22_a_batch_ends_at_its_cap),
        cmocka_unit_test(p26_entry_names_and_targets_end_at_their_caps),
    };
    return cmocka_run_group_tests(tests, msg_buffers_new, msg_buffers_free);
}

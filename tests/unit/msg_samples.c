/* The messages of tests/golden/msg as structs. See msg_samples.h. */
#include "msg_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void tag_fill(struct tag *tag, int byte)
{
    memset(tag->b, byte, sizeof tag->b);
}

static void id_fill(struct node_id *id, int byte)
{
    memset(id->b, byte, sizeof id->b);
}

static void record_fill(struct record_bytes *record, const char *text)
{
    record->len = (uint16_t)strlen(text);
    memcpy(record->b, text, record->len);
}

static void path_fill(struct share_path *at, const char *share, const char *path)
{
    strcpy(at->share, share);
    strcpy(at->path, path);
    at->len = (uint16_t)strlen(path);
}

static const struct addr addr4 = {.family = AF_INET, .ip = {192, 168, 1, 4}, .port = 49161};
static const struct addr addr6 = {.family = AF_INET6, .ip = {0xfe, 0x80, [15] = 1}, .port = 49161};

static void hello(struct msg *m)
{
    m->hello.version = PROTOCOL_VERSION;
    record_fill(&m->hello.record, "record");
}

static void bye(struct msg *m)
{
    m->bye.reason = BYE_DUPLICATE;
}

static void ping(struct msg *m)
{
    m->ping.nonce = UINT64_MAX;
}

static void records(struct msg *m)
{
    m->records.count = 2;
    record_fill(&m->records.record[0], "record");
    record_fill(&m->records.record[1], "other");
}

static void error(struct msg *m)
{
    m->error.code = ERR_NOT_FOUND;
    strcpy(m->error.text, "no share of that name");
}

static void join(struct msg *m)
{
    tag_fill(&m->join.ticket, 0xa1);
    memset(m->join.proof, m->type == MSG_JOIN ? 0xa2 : 0xa3, sizeof m->join.proof);
}

static void query(struct msg *m)
{
    struct msg_query *q = &m->query;
    tag_fill(&q->query, 0xc0);
    tag_fill(&q->pipe, 0xb0);
    q->hops = 3;
    id_fill(&q->asker, 1);
    q->wanted_count = 1;
    id_fill(&q->wanted[0], 2);
    q->visited_count = 2;
    id_fill(&q->visited[0], 1);
    id_fill(&q->visited[1], 3);
}

static void answer_no(struct msg *m)
{
    tag_fill(&m->answer.query, 0xc0);
    tag_fill(&m->answer.pipe, 0xb0);
}

static void answer(struct msg *m)
{
    struct msg_answer *a = &m->answer;
    answer_no(m);
    a->found = true;
    a->incarnation = 1700000000;
    a->life_s = 60;
    record_fill(&a->holder, "record");
    a->endpoint_count = 2;
    a->endpoint[0] = (struct endpoint){TRANSPORT_TCP, "tcp://192.168.1.4:49160", "eth0", 0};
    a->endpoint[1] = (struct endpoint){TRANSPORT_IPC, "ipc:///run/weft/node", "", UINT64_MAX};
}

static void shares(struct msg *m)
{
    tag_fill(&m->shares.pipe, 0xb0);
    strcpy(m->shares.after, "music");
}

static void shares_ok(struct msg *m)
{
    m->shares_ok.more = true;
    m->shares_ok.count = 2;
    m->shares_ok.share[0] = (struct share_info){"notes.txt", ENTRY_FILE, 1234, true, false};
    m->shares_ok.share[1] = (struct share_info){"photos", ENTRY_DIR, 0, false, true};
}

static void list(struct msg *m)
{
    tag_fill(&m->list.pipe, 0xb0);
    path_fill(&m->list.at, "photos", "2024/caf\xe9");
    m->list.cursor = 512;
}

static void list_ok(struct msg *m)
{
    struct msg_list_ok *ok = &m->list_ok;
    ok->more = true;
    ok->cursor = 515;
    ok->count = 3;
    ok->entry[0] = (struct entry){ENTRY_FILE, 0644, 1ull << 32, 1700000000, 999999999, 5, 0, "a.jpg", ""};
    ok->entry[1] = (struct entry){ENTRY_DIR, 02755, 0, -1, 0, 2, 0, "\xff\n", ""};
    ok->entry[2] = (struct entry){ENTRY_LINK, 0777, 0, INT64_MIN, 1, 4, 8, "last", "../a.jpg"};
}

static void fetch_listen(struct msg *m)
{
    struct reception_info *info = &m->fetch.reception;
    tag_fill(&m->fetch.pipe, 0xb0);
    path_fill(&m->fetch.at, "photos", "2024");
    tag_fill(&info->id, 0xd0);
    memset(info->key, 0xe1, sizeof info->key);
    info->streams = 4;
    info->limit = 1ull << 40;
    info->deadline_s = 15;
}

static void fetch(struct msg *m)
{
    fetch_listen(m);
    path_fill(&m->fetch.at, "photos", "");
    m->fetch.reception.addr_count = 2;
    m->fetch.reception.addr[0] = addr4;
    m->fetch.reception.addr[1] = addr6;
}

static void fetch_ok(struct msg *m)
{
    m->fetch_ok.streams = 4;
}

static void fetch_ok_listen(struct msg *m)
{
    m->fetch_ok.streams = 1;
    m->fetch_ok.addr_count = 1;
    m->fetch_ok.addr[0] = addr4;
}

static void cancel(struct msg *m)
{
    m->cancel.request = 7;
}

static const struct {
    const char *name;
    enum msg_type type;
    uint64_t request;
    void (*fill)(struct msg *m);
} samples[MSG_SAMPLES] = {
    {"hello", MSG_HELLO, 0, hello},
    {"welcome", MSG_WELCOME, 0, hello},
    {"bye", MSG_BYE, 0, bye},
    {"ping", MSG_PING, 0, ping},
    {"pong", MSG_PONG, 0, ping},
    {"records", MSG_RECORDS, 0, records},
    {"error", MSG_ERROR, 7, error},
    {"join", MSG_JOIN, 7, join},
    {"join_ok", MSG_JOIN_OK, 7, join},
    {"query", MSG_QUERY, 0, query},
    {"answer", MSG_ANSWER, 0, answer},
    {"answer_no", MSG_ANSWER, 0, answer_no},
    {"shares", MSG_SHARES, 7, shares},
    {"shares_ok", MSG_SHARES_OK, 7, shares_ok},
    {"list", MSG_LIST, 7, list},
    {"list_ok", MSG_LIST_OK, 7, list_ok},
    {"fetch", MSG_FETCH, 7, fetch},
    {"fetch_listen", MSG_FETCH, 7, fetch_listen},
    {"fetch_ok", MSG_FETCH_OK, 7, fetch_ok},
    {"fetch_ok_listen", MSG_FETCH_OK, 7, fetch_ok_listen},
    {"cancel", MSG_CANCEL, 0, cancel},
};

const char *msg_sample_name(size_t i)
{
    assert_true(i < MSG_SAMPLES);
    return samples[i].name;
}

void msg_sample(const char *name, struct msg *m)
{
    for (size_t i = 0; i < MSG_SAMPLES; i++)
        if (strcmp(samples[i].name, name) == 0) {
            memset(m, 0, sizeof *m);
            m->type = samples[i].type;
            m->request = samples[i].request;
            samples[i].fill(m);
            return;
        }
    fail_msg("no sample %s", name);
}

void msg_sample_encode(const char *name, struct msg_buffers *b)
{
    msg_sample(name, &b->msg);
    assert_int_equal(msg_encode(&b->msg, b->wire.bytes, sizeof b->wire.bytes, &b->wire.n), 0);
}

int msg_decode_exactly(const struct msg_wire *wire, size_t n, struct msg *m)
{
    uint8_t *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, wire->bytes, n);
    int err = msg_decode(exact, n, m);
    free(exact);
    return err;
}

int msg_buffers_new(void **state)
{
    *state = calloc(1, sizeof(struct msg_buffers));
    return *state ? 0 : -1;
}

int msg_buffers_free(void **state)
{
    free(*state);
    return 0;
}

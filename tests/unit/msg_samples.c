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
    struct pipe_holder *h = m->answer.holder;
    answer_no(m);
    m->answer.holder_count = 2;
    h[0] = (struct pipe_holder){.incarnation = 1700000000, .life_s = 60, .endpoint_count = 3};
    h[0].endpoint[0] = (struct endpoint){TRANSPORT_TCP, "tcp://192.168.1.4:49160", "eth0", 0};
    h[0].endpoint[1] = (struct endpoint){TRANSPORT_IPC, "ipc:///run/weft/node", "", UINT64_MAX};
    struct node_id relay;
    id_fill(&relay, 1);
    endpoint_set_relay(&h[0].endpoint[2], &relay);
    record_fill(&h[0].record, "record");
    h[1] = (struct pipe_holder){.rank = 200, .incarnation = INT64_MAX, .life_s = 3600};
    record_fill(&h[1].record, "other");
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
    m->shares_ok.share[0] = (struct share_info){"notes.txt", RESOURCE_FILE, 1234, true, false};
    m->shares_ok.share[1] = (struct share_info){"photos", RESOURCE_DIR, 0, false, true};
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

static void way_fill(struct relay_way *way, int byte, struct addr addr)
{
    tag_fill(&way->id, byte);
    memset(way->key, byte + 1, sizeof way->key);
    way->addr_count = 1;
    way->addr[0] = addr;
}

static void fetch_way(struct msg *m)
{
    fetch_listen(m);
    way_fill(&m->fetch.reception.way, 0xd2, addr4);
}

static void fetch_parcel(struct msg *m)
{
    fetch_listen(m);
    memset(&m->fetch.at, 0, sizeof m->fetch.at);
    tag_fill(&m->fetch.parcel, 0xd6);
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

/* ---- pipes */

static void register_own(struct msg *m)
{
    struct msg_register *reg = &m->registered;
    reg->life_s = LEASE_LIFE_MAX_S;
    reg->count = 2;
    tag_fill(&reg->pipe[0].pipe, 0xb0);
    reg->pipe[1] = (struct registered_pipe){.type = PIPE_PROPAGATE, .transport = TRANSPORT_WS, .rank = 255};
    tag_fill(&reg->pipe[1].pipe, 0xb1);
}

static void register_for(struct msg *m)
{
    record_fill(&m->registered.holder, "record");
}

static void register_ok(struct msg *m)
{
    m->registered_ok = (struct msg_register_ok){.life_s = 120, .kept = LOCAL_PIPES_MAX};
}

static void open_channel(struct msg *m)
{
    tag_fill(&m->open.pipe, 0xb0);
    tag_fill(&m->open.channel, 0xe0);
    m->open.seq = 1;
    memset(m->open.key, 0xe1, sizeof m->open.key);
}

static void open_ok(struct msg *m)
{
    m->open_ok = (struct msg_open_ok){.seq = 1, .credit = PIPE_CREDIT_BYTES, .lease_ms = PIPE_LEASE_MS};
}

static void data(struct msg *m)
{
    static const uint8_t two[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0};
    tag_fill(&m->data.channel, 0xe0);
    m->data.seq = 1000;
    m->data.stamp = INT64_MAX;
    m->data.again = true;
    m->data.batch = (struct batch){.bytes = two, .n = sizeof two, .count = 2};
}

static void data_empty(struct msg *m)
{
    tag_fill(&m->data.channel, 0xe0);
    m->data.seq = INT64_MAX;
}

static void ack(struct msg *m)
{
    tag_fill(&m->ack.channel, 0xe0);
    m->ack.seq = 1002;
    m->ack.credit = INT64_MAX;
    m->ack.stamp = 123456789;
}

static void close_channel(struct msg *m)
{
    tag_fill(&m->close.channel, 0xe0);
    m->close.seq = 1002;
    m->close.reason = CLOSE_RELEASED;
}

static void spread(struct msg *m)
{
    struct msg_spread *s = &m->spread;
    tag_fill(&s->pipe, 0xb0);
    id_fill(&s->origin, 1);
    s->incarnation = 3;
    s->number = INT64_MAX;
    s->hops = SPREAD_HOPS_MAX;
    s->visited_count = 2;
    id_fill(&s->visited[0], 1);
    id_fill(&s->visited[1], 2);
    s->bytes = (const uint8_t *)"hello";
    s->len = 5;
    memset(s->signature, 0xf1, sizeof s->signature);
}

static void spread_want(struct msg *m)
{
    m->spread_ids.count = 1;
    tag_fill(&m->spread_ids.id[0], 0xf0);
}

static void spread_have(struct msg *m)
{
    spread_want(m);
    m->spread_ids.count = 2;
    tag_fill(&m->spread_ids.id[1], 0xf2);
}

static void spread_want_none(struct msg *m)
{
    m->spread_ids.count = 0;
}

static void spread_prune(struct msg *m)
{
    m->spread_prune.ids = true;
}

static void connect_stream(struct msg *m)
{
    struct reception_info *info = &m->connect.reception;
    tag_fill(&m->connect.pipe, 0xb0);
    tag_fill(&info->id, 0xd0);
    memset(info->key, 0xe1, sizeof info->key);
    info->streams = 2;
    info->limit = INT64_MAX;
    info->deadline_s = RECEPTION_DEADLINE_S;
    info->addr_count = 1;
    info->addr[0] = addr4;
    tag_fill(&m->connect.stream, 0xd4);
}

static void connect_again(struct msg *m)
{
    connect_stream(m);
    m->connect.reception.addr_count = 0;
    way_fill(&m->connect.reception.way, 0xd2, addr6);
    m->connect.lasting = true;
    m->connect.again = true;
}

static void connect_ok(struct msg *m)
{
    m->connect_ok.streams = 2;
}

static void pipes(struct msg *m)
{
    tag_fill(&m->pipes.pipe, 0xb0);
    strcpy(m->pipes.after, "log");
}

static void pipes_ok(struct msg *m)
{
    m->pipes_ok.more = true;
    m->pipes_ok.count = 2;
    m->pipes_ok.pipe[0] = (struct pipe_info){"logs", PIPE_UNICAST, TRANSPORT_ANY, false, 0};
    m->pipes_ok.pipe[1] = (struct pipe_info){"news", PIPE_PROPAGATE, TRANSPORT_TCP, true, 9};
}

/* ---- the relay */

static void reserve(struct msg *m)
{
    tag_fill(&m->reserve.pipe, 0xb0);
    m->reserve.life_s = RELAY_LIFE_MAX_S;
    m->reserve.sessions = RELAY_SESSIONS_PER_CLIENT;
}

static void reserve_ok(struct msg *m)
{
    m->reserve_ok = (struct msg_reserve_ok){.life_s = 300, .sessions = 16, .bytes = 1ull << 40, .nexts = RELAY_NEXTS_MAX};
}

static void offer(struct msg *m)
{
    strcpy(m->offer.name, "photos");
    m->offer.kind = RESOURCE_DIR;
    m->offer.audience_count = 2;
    id_fill(&m->offer.audience[0], 1);
    id_fill(&m->offer.audience[1], 2);
}

static void offer_public(struct msg *m)
{
    strcpy(m->offer.name, "ssh");
    m->offer.kind = RESOURCE_TCP;
    m->offer.is_public = true;
}

static void offer_withdrawn(struct msg *m)
{
    strcpy(m->offer.name, "ssh");
    m->offer.withdrawn = true;
}

static void offer_ok(struct msg *m)
{
    (void)m;
}

static void handles(struct msg *m)
{
    tag_fill(&m->handles.pipe, 0xb0);
    id_fill(&m->handles.after_holder, 1);
    strcpy(m->handles.after_name, "photos");
}

static void handles_ok(struct msg *m)
{
    struct msg_handles_ok *ok = &m->handles_ok;
    ok->more = true;
    ok->count = 2;
    ok->handle[0] = (struct handle_info){.holder_name = "bob", .name = "ssh", .kind = RESOURCE_TCP, .is_public = true};
    id_fill(&ok->handle[0].holder, 1);
    ok->handle[1] = (struct handle_info){.name = "log", .kind = RESOURCE_FIFO, .state = HANDLE_AWAY};
    id_fill(&ok->handle[1].holder, 2);
}

static void use(struct msg *m)
{
    tag_fill(&m->use.pipe, 0xb0);
    id_fill(&m->use.holder, 1);
    tag_fill(&m->use.handle, 0xf4);
    m->use.credit = RELAY_WINDOW;
    memset(m->use.noise, 0xf5, sizeof m->use.noise);
}

static void use_ok(struct msg *m)
{
    m->use_ok.session = 9;
    m->use_ok.credit = RELAY_WINDOW;
    memset(m->use_ok.noise, 0xf6, sizeof m->use_ok.noise);
}

static void part_none(struct msg *m)
{
    m->part.kind = PART_NONE;
}

static void part_use(struct msg *m)
{
    m->part = (struct relay_part){.kind = PART_USE, .session = 9, .credit = RELAY_WINDOW};
    tag_fill(&m->part.handle, 0xf4);
    id_fill(&m->part.user, 2);
    memset(m->part.noise, 0xf5, NOISE_FIRST_BYTES);
}

static void part_accept(struct msg *m)
{
    m->part = (struct relay_part){.kind = PART_ACCEPT, .session = 9, .credit = RELAY_WINDOW};
    memset(m->part.noise, 0xf6, NOISE_SECOND_BYTES);
}

static void part_data(struct msg *m)
{
    static const uint8_t sealed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    m->part = (struct relay_part){.kind = PART_DATA, .session = 9, .credit = INT64_MAX, .len = sizeof sealed, .bytes = sealed};
}

static void part_credit(struct msg *m)
{
    m->part = (struct relay_part){.kind = PART_DATA, .session = INT64_MAX, .credit = 2 * RELAY_WINDOW};
}

static void part_close(struct msg *m)
{
    m->part = (struct relay_part){.kind = PART_CLOSE, .session = 9};
}

static void part_refuse(struct msg *m)
{
    m->part = (struct relay_part){.kind = PART_CLOSE, .session = 9, .code = ERR_REFUSED, .text = "not for you"};
}

static void part_drain(struct msg *m)
{
    m->part.kind = PART_DRAIN;
}

static void bridge(struct msg *m)
{
    m->bridge = (struct msg_bridge){.session = 9, .streams = 4};
}

static void bridge_ok(struct msg *m)
{
    way_fill(&m->bridge_ok.own, 0xd0, addr4);
    way_fill(&m->bridge_ok.other, 0xd2, addr4);
    m->bridge_ok.deadline_s = RECEPTION_DEADLINE_S;
}

/* ---- files of a peer, written */

static const struct gather_limits limits = {GATHER_REGIONS_MAX, GATHER_BYTES_MAX, GATHER_SIZE_MAX, GATHER_BUDGET, 0};

static void file(struct msg *m)
{
    tag_fill(&m->file.pipe, 0xb0);
    path_fill(&m->file.at, "photos", "2024/caf\xe9");
    m->file.write = true;
}

static void file_ok(struct msg *m)
{
    m->file_ok = (struct msg_file_ok){.handle = 9, .kind = FILE_FILE, .limits = limits};
    m->file_ok.state = (struct file_state){UINT64_MAX, 1u << 30, 1700000000, 999999999, 0644};
}

static void file_ok_nothing(struct msg *m)
{
    m->file_ok = (struct msg_file_ok){.handle = INT64_MAX, .kind = FILE_NOTHING};
    m->file_ok.limits = (struct gather_limits){.regions = 1024, .bytes = 1u << 20, .size = INT64_MAX, .wait_ms = 500};
}

static void file_close(struct msg *m)
{
    m->file_close.handle = 9;
}

static void index_file(struct msg *m)
{
    m->index = (struct msg_index){.handle = 9, .seed = 0x0123456789abcdef};
}

static void index_ok(struct msg *m)
{
    m->index_ok = (struct msg_index_ok){.token = UINT64_MAX, .bytes = INDEX_BYTES_MAX};
    tag_fill(&m->index_ok.parcel, 0xd6);
}

static void put(struct msg *m)
{
    m->put = (struct msg_put){.handle = 9, .name = "caf\xe9", .policy = IF_EXISTS_OVERWRITE};
    tag_fill(&m->put.parcel, 0xd6);
}

static void put_here(struct msg *m)
{
    m->put = (struct msg_put){.handle = 9, .policy = IF_EXISTS_REFUSE, .dry_run = true};
    tag_fill(&m->put.parcel, 0xd6);
}

static void put_ok(struct msg *m)
{
    m->put_ok = (struct msg_put_ok){.files = 1, .bytes = 1ull << 32, .token = UINT64_MAX};
}

static void put_ok_failed(struct msg *m)
{
    m->put_ok =
        (struct msg_put_ok){.files = 1000, .bytes = 1ull << 32, .present = 7, .skipped = 1, .failed = 3, .item_count = 2};
    m->put_ok.item[0] = (struct put_item){10, "caf\xe9/a.jpg", ERR_NOSPACE, "the disk is full"};
    m->put_ok.item[1] = (struct put_item){1, "b", ERR_CHANGED, ""};
}

static void literals(struct msg *m)
{
    m->literals = (struct msg_literals){.handle = 9, .bytes = 409600};
    tag_fill(&m->literals.parcel, 0xd6);
}

static void literals_ok(struct msg *m)
{
    m->literals.bytes = 409600;
}

static void gather(struct msg *m)
{
    static const uint8_t four[] = {0x28, 0x81, 0x80, 0x01, 0x00, 0x82, 0x80, 0x10, 0x91, 0x03, 0xbf, 0x01};
    m->gather = (struct msg_gather){.destination = 9, .source = 8, .token = UINT64_MAX, .from = 1u << 20, .length = 69742};
    m->gather.count = 4;
    m->gather.len = sizeof four;
    m->gather.bytes = four;
}

static void gather_new(struct msg *m)
{
    static const uint8_t one[] = {0x80, 0x80, 0x64};
    m->gather = (struct msg_gather){.destination = 9, .length = 409600, .count = 1, .len = sizeof one, .bytes = one};
}

static void gather_ok(struct msg *m)
{
    m->gather_ok = (struct msg_gather_ok){.taken = true, .end = INT64_MAX, .limits = limits};
}

static void gather_ok_wait(struct msg *m)
{
    m->gather_ok = (struct msg_gather_ok){.end = 1u << 20, .limits = limits};
    m->gather_ok.limits.budget = 0;
    m->gather_ok.limits.wait_ms = 2000;
}

static void commit(struct msg *m)
{
    m->commit = (struct msg_commit){.handle = 9, .size = 1u << 30, .mtime_s = -1, .mtime_ns = 999999999, .mode = 0755};
    memset(m->commit.hash, 0xf7, sizeof m->commit.hash);
}

static void commit_ok(struct msg *m)
{
    m->commit_ok.state = (struct file_state){UINT64_MAX, 1u << 30, -1, 999999999, 0755};
}

static void progress(struct msg *m)
{
    m->progress = (struct msg_progress){.phase = PROGRESS_GATHER, .done = 1u << 20, .total = 1u << 30};
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
    {"fetch_way", MSG_FETCH, 7, fetch_way},
    {"fetch_parcel", MSG_FETCH, 7, fetch_parcel},
    {"fetch_ok", MSG_FETCH_OK, 7, fetch_ok},
    {"fetch_ok_listen", MSG_FETCH_OK, 7, fetch_ok_listen},
    {"cancel", MSG_CANCEL, 0, cancel},
    {"register", MSG_REGISTER, 7, register_own},
    {"register_for", MSG_REGISTER, 7, register_for},
    {"register_ok", MSG_REGISTER_OK, 7, register_ok},
    {"open", MSG_OPEN, 7, open_channel},
    {"open_ok", MSG_OPEN_OK, 7, open_ok},
    {"data", MSG_DATA, 0, data},
    {"data_empty", MSG_DATA, 0, data_empty},
    {"ack", MSG_ACK, 0, ack},
    {"close", MSG_CLOSE, 0, close_channel},
    {"spread", MSG_SPREAD, 0, spread},
    {"spread_have", MSG_SPREAD_HAVE, 0, spread_have},
    {"spread_want", MSG_SPREAD_WANT, 0, spread_want},
    {"spread_want_none", MSG_SPREAD_WANT, 0, spread_want_none},
    {"spread_prune", MSG_SPREAD_PRUNE, 0, spread_prune},
    {"connect", MSG_CONNECT, 7, connect_stream},
    {"connect_again", MSG_CONNECT, 7, connect_again},
    {"connect_ok", MSG_CONNECT_OK, 7, connect_ok},
    {"pipes", MSG_PIPES, 7, pipes},
    {"pipes_ok", MSG_PIPES_OK, 7, pipes_ok},
    {"reserve", MSG_RESERVE, 7, reserve},
    {"reserve_ok", MSG_RESERVE_OK, 7, reserve_ok},
    {"offer", MSG_OFFER, 7, offer},
    {"offer_public", MSG_OFFER, 7, offer_public},
    {"offer_withdrawn", MSG_OFFER, 7, offer_withdrawn},
    {"offer_ok", MSG_OFFER_OK, 7, offer_ok},
    {"handles", MSG_HANDLES, 7, handles},
    {"handles_ok", MSG_HANDLES_OK, 7, handles_ok},
    {"use", MSG_USE, 7, use},
    {"use_ok", MSG_USE_OK, 7, use_ok},
    {"next", MSG_NEXT, 7, part_none},
    {"next_accept", MSG_NEXT, 7, part_accept},
    {"next_data", MSG_NEXT, 7, part_data},
    {"next_close", MSG_NEXT, 7, part_close},
    {"next_ok_use", MSG_NEXT_OK, 7, part_use},
    {"next_ok_credit", MSG_NEXT_OK, 7, part_credit},
    {"next_ok_refuse", MSG_NEXT_OK, 7, part_refuse},
    {"next_ok_drain", MSG_NEXT_OK, 7, part_drain},
    {"bridge", MSG_BRIDGE, 7, bridge},
    {"bridge_ok", MSG_BRIDGE_OK, 7, bridge_ok},
    {"file", MSG_FILE, 7, file},
    {"file_ok", MSG_FILE_OK, 7, file_ok},
    {"file_ok_nothing", MSG_FILE_OK, 7, file_ok_nothing},
    {"file_close", MSG_FILE_CLOSE, 0, file_close},
    {"index", MSG_INDEX, 7, index_file},
    {"index_ok", MSG_INDEX_OK, 7, index_ok},
    {"put", MSG_PUT, 7, put},
    {"put_here", MSG_PUT, 7, put_here},
    {"put_ok", MSG_PUT_OK, 7, put_ok},
    {"put_ok_failed", MSG_PUT_OK, 7, put_ok_failed},
    {"literals", MSG_LITERALS, 7, literals},
    {"literals_ok", MSG_LITERALS_OK, 7, literals_ok},
    {"gather", MSG_GATHER, 7, gather},
    {"gather_new", MSG_GATHER, 7, gather_new},
    {"gather_ok", MSG_GATHER_OK, 7, gather_ok},
    {"gather_ok_wait", MSG_GATHER_OK, 7, gather_ok_wait},
    {"commit", MSG_COMMIT, 7, commit},
    {"commit_ok", MSG_COMMIT_OK, 7, commit_ok},
    {"progress", MSG_PROGRESS, 7, progress},
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

/* Messages as a whole: golden bytes both ways, truncation, sizes, envelope. What single values may be: test_msg_values.c. */
#include "golden.h"
#include "identity.h"
#include "msg_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void golden_bytes_hold_both_ways(void **state)
{
    struct msg_buffers *s = *state;
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        char file[64];
        snprintf(file, sizeof file, "msg/%s.hex", msg_sample_name(i));
        s->other.n = golden_load(file, s->other.bytes, sizeof s->other.bytes);
        msg_sample_encode(msg_sample_name(i), s);
        if (s->wire.n != s->other.n || memcmp(s->wire.bytes, s->other.bytes, s->wire.n) != 0)
            fail_msg("%s is not encoded as in its golden file", msg_sample_name(i));

        assert_int_equal(msg_decode(s->other.bytes, s->other.n, &s->back), 0);
        assert_int_equal(s->back.type, s->msg.type);
        assert_int_equal(msg_encode(&s->back, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
        if (s->wire.n != s->other.n || memcmp(s->wire.bytes, s->other.bytes, s->wire.n) != 0)
            fail_msg("%s does not survive decoding", msg_sample_name(i));
    }
}

static void every_type_has_a_sample_and_a_name(void **state)
{
    struct msg_buffers *s = *state;
    bool seen[MSG_TYPE_END] = {false};
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        msg_sample(msg_sample_name(i), &s->msg);
        seen[s->msg.type] = true;
    }
    for (int type = 1; type < MSG_TYPE_END; type++) {
        assert_true(seen[type]);
        assert_string_not_equal(msg_name((enum msg_type)type), "unknown");
    }
    assert_string_equal(msg_name(0), "unknown");
    assert_string_equal(msg_name(MSG_TYPE_END), "unknown");
}

static void every_truncation_is_malformed(void **state)
{
    struct msg_buffers *s = *state;
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        msg_sample_encode(msg_sample_name(i), s);
        for (size_t n = 0; n < s->wire.n; n++)
            assert_int_equal(msg_decode_exactly(&s->wire, n, &s->back), ERR_MALFORMED);
        s->wire.bytes[s->wire.n] = 0xc0;
        assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n + 1, &s->back), ERR_MALFORMED);
    }
}

/* Any one byte changed to anything: decoded or refused, never worse; what is decoded can be encoded again. */
static void any_byte_may_be_wrong(void **state)
{
    struct msg_buffers *s = *state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0x90, 0x9f, 0xa0, 0xc0, 0xc4, 0xc6, 0xcf, 0xd9, 0xdb, 0xdd, 0xff};
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        msg_sample_encode(msg_sample_name(i), s);
        for (size_t at = 0; at < s->wire.n; at++) {
            uint8_t was = s->wire.bytes[at];
            for (size_t v = 0; v < sizeof values; v++) {
                s->wire.bytes[at] = values[v];
                if (msg_decode(s->wire.bytes, s->wire.n, &s->back) == 0)
                    assert_int_equal(msg_encode(&s->back, s->other.bytes, sizeof s->other.bytes, &s->other.n), 0);
            }
            s->wire.bytes[at] = was;
        }
    }
}

/* ---- the envelope */

static void an_unknown_type_can_be_refused_by_its_number(void **state)
{
    struct msg_buffers *s = *state;
    static const struct {
        const char *hex;
        int err;
        unsigned type, request;
    } cases[] = {
        {"92 63 07", ERR_UNSUPPORTED, 99, 7},
        {"94 63 07 c0 91 01", ERR_UNSUPPORTED, 99, 7},
        {"92 3c 00", ERR_UNSUPPORTED, 60, 0},
        {"92 cd ffff 07", ERR_UNSUPPORTED, 65535, 7},
        {"92 ce 00010000 07", ERR_LIMIT, 0, 0},
        {"92 00 07", ERR_MALFORMED, 0, 0},
        {"91 63", ERR_MALFORMED, 0, 0},
        {"90", ERR_MALFORMED, 0, 0},
        {"63", ERR_MALFORMED, 0, 0},
        {"92 ff 07", ERR_MALFORMED, 0, 0},
        {"92 63 ff", ERR_MALFORMED, 0, 0},
        {"92 63 07 c0", ERR_MALFORMED, 0, 0},
        {"93 63 07 80", ERR_MALFORMED, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s->wire.n = golden_parse(cases[i].hex, s->wire.bytes, sizeof s->wire.bytes);
        assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), cases[i].err);
        if (cases[i].err == ERR_UNSUPPORTED) {
            assert_int_equal(s->back.type, cases[i].type);
            assert_int_equal(s->back.request, cases[i].request);
        }
    }
    s->msg = (struct msg){.type = MSG_TYPE_END};
    assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), ERR_USAGE);
}

static void messages_end_at_their_size(void **state)
{
    struct msg_buffers *s = *state;
    memset(s->wire.bytes, 0x90, sizeof s->wire.bytes);
    assert_int_equal(msg_decode(s->wire.bytes, sizeof s->wire.bytes, &s->back), ERR_MALFORMED);
    uint8_t *more = calloc(1, MSG_BYTES_MAX + 1);
    assert_int_equal(msg_decode(more, MSG_BYTES_MAX + 1, &s->back), ERR_LIMIT);
    free(more);
    for (size_t i = 0; i < MSG_SAMPLES; i++) {
        msg_sample_encode(msg_sample_name(i), s);
        size_t need = s->wire.n;
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, need, &s->wire.n), 0);
        assert_int_equal(msg_encode(&s->msg, s->wire.bytes, need - 1, &s->wire.n), ERR_LIMIT);
        assert_int_equal(s->wire.n, 0);
    }
}

static void s3_nothing_of_the_buffer_travels(void **state)
{
    struct msg_buffers *s = *state;
    memset(s->wire.bytes, 0xee, sizeof s->wire.bytes);
    msg_sample_encode("answer", s);
    for (size_t i = s->wire.n; i < sizeof s->wire.bytes; i++)
        assert_int_equal(s->wire.bytes[i], 0);
}

/* A page as large as store/tree.h makes it: every entry the caps allow, every number at its longest, 45056 bytes of names. */
static void a_full_page_fits_a_message(void **state)
{
    struct msg_buffers *s = *state;
    char name[88];
    memset(name, 'a', sizeof name);
    s->msg = (struct msg){.type = MSG_LIST_OK, .request = INT64_MAX};
    s->msg.list_ok.more = true;
    s->msg.list_ok.cursor = UINT64_MAX;
    s->msg.list_ok.count = LIST_ENTRIES_MAX;
    for (size_t i = 0; i < LIST_ENTRIES_MAX; i++)
        s->msg.list_ok.entry[i] = (struct entry){ENTRY_LINK, 07777, INT64_MAX, INT64_MIN, SECOND - 1, 44, 44, name, name};
    assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
    assert_int_equal(msg_decode(s->wire.bytes, s->wire.n, &s->back), 0);
    assert_int_equal(s->back.list_ok.count, LIST_ENTRIES_MAX);
}

static void assert_largest_fits(struct msg_buffers *s)
{
    assert_int_equal(msg_encode(&s->msg, s->wire.bytes, sizeof s->wire.bytes, &s->wire.n), 0);
    assert_int_equal(msg_decode_exactly(&s->wire, s->wire.n, &s->back), 0);
}

static struct endpoint longest_endpoint(void)
{
    struct endpoint e = {.transport = TRANSPORT_IPC, .text = "ipc://", .scope = UINT64_MAX};
    memset(e.text + strlen(e.text), 'a', sizeof e.text - 1 - strlen(e.text));
    memset(e.iface, 'a', sizeof e.iface - 1);
    return e;
}

static void the_largest_answer_fits_a_message(void **state)
{
    struct msg_buffers *s = *state;
    struct pipe_holder h = {.rank = 255, .incarnation = INT64_MAX, .life_s = PIPE_ANSWER_LIFE_MAX_S};
    h.record.len = RECORD_BYTES_MAX;
    h.endpoint_count = PIPE_ENDPOINTS_MAX;
    for (size_t i = 0; i < PIPE_ENDPOINTS_MAX; i++)
        h.endpoint[i] = longest_endpoint();
    s->msg = (struct msg){.type = MSG_ANSWER, .request = INT64_MAX};
    s->msg.answer.holder_count = ANSWER_HOLDERS_MAX;
    for (size_t i = 0; i < ANSWER_HOLDERS_MAX; i++)
        s->msg.answer.holder[i] = h;
    assert_largest_fits(s);
    assert_int_equal(s->back.answer.holder_count, ANSWER_HOLDERS_MAX);
}

static void the_largest_register_and_pipes_ok_fit_a_message(void **state)
{
    struct msg_buffers *s = *state;
    s->msg = (struct msg){.type = MSG_REGISTER, .request = INT64_MAX};
    s->msg.registered.holder.len = RECORD_BYTES_MAX;
    s->msg.registered.count = REGISTER_PIPES_MAX;
    for (size_t i = 0; i < REGISTER_PIPES_MAX; i++)
        s->msg.registered.pipe[i] = (struct registered_pipe){.type = PIPE_PROPAGATE, .transport = TRANSPORT_WS, .rank = 255};
    assert_largest_fits(s);

    s->msg = (struct msg){.type = MSG_PIPES_OK, .request = INT64_MAX};
    s->msg.pipes_ok.count = PIPES_PAGE_MAX;
    for (size_t i = 0; i < PIPES_PAGE_MAX; i++) {
        s->msg.pipes_ok.pipe[i] = (struct pipe_info){.type = PIPE_PROPAGATE, .transport = TRANSPORT_WS, .rank = 255};
        memset(s->msg.pipes_ok.pipe[i].name, 'a', NAME_MAX_BYTES);
    }
    assert_largest_fits(s);
    assert_int_equal(s->back.pipes_ok.count, PIPES_PAGE_MAX);
}

/* A batch as full as it gets: BATCH_BYTES_MAX of messages without a byte, behind numbers at their longest. */
static void the_largest_data_fits_a_message(void **state)
{
    struct msg_buffers *s = *state;
    uint8_t *bytes = calloc(1, BATCH_BYTES_MAX);
    s->msg = (struct msg){.type = MSG_DATA, .request = INT64_MAX};
    assert_int_equal(batch_read(bytes, BATCH_BYTES_MAX, &s->msg.data.batch), 0);
    s->msg.data.seq = INT64_MAX - s->msg.data.batch.count;
    s->msg.data.stamp = INT64_MAX;
    assert_largest_fits(s);
    assert_int_equal(s->back.data.batch.count, BATCH_BYTES_MAX / BATCH_HEAD);
    free(bytes);
}

static void the_largest_spread_fits_a_message(void **state)
{
    struct msg_buffers *s = *state;
    uint8_t *bytes = calloc(1, SPREAD_BYTES_MAX);
    s->msg = (struct msg){.type = MSG_SPREAD, .request = INT64_MAX};
    s->msg.spread.hops = SPREAD_HOPS_MAX;
    s->msg.spread.visited_count = QUERY_VISITED_MAX;
    s->msg.spread.bytes = bytes;
    s->msg.spread.len = SPREAD_BYTES_MAX;
    assert_largest_fits(s);
    free(bytes);

    s->msg = (struct msg){.type = MSG_SPREAD_HAVE, .request = INT64_MAX};
    s->msg.spread_ids.count = SPREAD_IDS_MAX;
    assert_largest_fits(s);
    assert_int_equal(s->back.spread_ids.count, SPREAD_IDS_MAX);
}

static void the_largest_messages_of_a_relay_fit_a_message(void **state)
{
    struct msg_buffers *s = *state;
    uint8_t *bytes = calloc(1, RELAY_PART_MAX);
    s->msg = (struct msg){.type = MSG_NEXT_OK, .request = INT64_MAX};
    s->msg.part = (struct relay_part){.kind = PART_DATA, .session = INT64_MAX, .credit = INT64_MAX};
    s->msg.part.bytes = bytes;
    s->msg.part.len = RELAY_PART_MAX;
    assert_largest_fits(s);
    free(bytes);

    s->msg = (struct msg){.type = MSG_HANDLES_OK, .request = INT64_MAX};
    s->msg.handles_ok.count = HANDLES_PAGE_MAX;
    for (size_t i = 0; i < HANDLES_PAGE_MAX; i++) {
        memset(s->msg.handles_ok.handle[i].holder_name, 'a', NAME_MAX_BYTES);
        memset(s->msg.handles_ok.handle[i].name, 'a', NAME_MAX_BYTES);
    }
    assert_largest_fits(s);
    assert_int_equal(s->back.handles_ok.count, HANDLES_PAGE_MAX);
}

/* As many failed items as fit; of the longest, these are not all. */
static void the_largest_put_ok_leaves_items_out(void **state)
{
    struct msg_buffers *s = *state;
    char path[PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 200 == 199 ? '/' : 'a';
    s->msg = (struct msg){.type = MSG_PUT_OK, .request = INT64_MAX};
    struct msg_put_ok *ok = &s->msg.put_ok;
    *ok = (struct msg_put_ok){INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, UINT64_MAX, PUT_ITEMS_MAX, {{0}}};
    for (size_t i = 0; i < PUT_ITEMS_MAX; i++) {
        ok->item[i] = (struct put_item){.len = sizeof path, .path = path, .code = ERR_UNREACHABLE};
        memset(ok->item[i].text, 'a', ERROR_TEXT_MAX);
    }
    assert_largest_fits(s);
    assert_int_equal(s->back.put_ok.item_count, PUT_ITEMS_MAX - 2);
    for (size_t i = 0; i < PUT_ITEMS_MAX; i++)
        ok->item[i].len = 3700;
    assert_largest_fits(s);
    assert_int_equal(s->back.put_ok.item_count, PUT_ITEMS_MAX);
}

static void the_largest_gather_fits_a_message(void **state)
{
    struct msg_buffers *s = *state;
    uint8_t *bytes = calloc(1, GATHER_REGION_BYTES_MAX);
    s->msg = (struct msg){.type = MSG_GATHER, .request = INT64_MAX};
    s->msg.gather =
        (struct msg_gather){INT64_MAX, INT64_MAX, UINT64_MAX, 0, INT64_MAX, GATHER_REGIONS_MAX, GATHER_REGION_BYTES_MAX, bytes};
    assert_largest_fits(s);
    assert_int_equal(s->back.gather.len, GATHER_REGION_BYTES_MAX);
    free(bytes);
}

/* Whoever knows the holder and the name knows the handle, and other names give other handles. As node/PROTOCOL.md has them. */
static void a_handle_is_named_by_holder_and_name(void **state)
{
    (void)state;
    uint8_t photos[TAG_BYTES], node[TAG_BYTES], seed[SEED_BYTES];
    golden_parse("0c0727da63aa639bb319e086a166ea15", photos, sizeof photos);
    golden_parse("0809c19e82021ef38035f5911647efd9", node, sizeof node);
    struct identity anna, bob;
    memset(seed, 1, sizeof seed);
    identity_from_seed(seed, &anna);
    memset(seed, 2, sizeof seed);
    identity_from_seed(seed, &bob);
    struct tag tag = handle_of(&anna.id, "photos"), other = handle_of(&bob.id, "photos");
    assert_memory_equal(tag.b, photos, sizeof photos);
    assert_false(tag_equal(&tag, &other));
    tag = handle_of(&anna.id, "");
    assert_memory_equal(tag.b, node, sizeof node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(every_type_has_a_sample_and_a_name),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(an_unknown_type_can_be_refused_by_its_number),
        cmocka_unit_test(messages_end_at_their_size),
        cmocka_unit_test(s3_nothing_of_the_buffer_travels),
        cmocka_unit_test(a_full_page_fits_a_message),
        cmocka_unit_test(the_largest_answer_fits_a_message),
        cmocka_unit_test(the_largest_register_and_pipes_ok_fit_a_message),
        cmocka_unit_test(the_largest_data_fits_a_message),
        cmocka_unit_test(the_largest_spread_fits_a_message),
        cmocka_unit_test(the_largest_messages_of_a_relay_fit_a_message),
        cmocka_unit_test(the_largest_put_ok_leaves_items_out),
        cmocka_unit_test(the_largest_gather_fits_a_message),
        cmocka_unit_test(a_handle_is_named_by_holder_and_name),
    };
    return cmocka_run_group_tests(tests, msg_buffers_new, msg_buffers_free);
}

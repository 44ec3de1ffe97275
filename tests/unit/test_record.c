/* Node records: golden bytes both ways, what is malformed, what is not signed by its own id, which of two is newer. */
#include "golden.h"
#include "someone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A record as numbers, so that each can be wrong. */
struct fields {
    size_t items, id_n, endpoints, behind;
    uint64_t version, incarnation, seq, roles, life_s, transport;
    const char *name, *text;
};

static const struct fields good = {.items = 8,
                                   .id_n = NODE_ID_BYTES,
                                   .endpoints = 1,
                                   .version = 1,
                                   .incarnation = INT64_MAX,
                                   .seq = INT64_MAX,
                                   .roles = UINT32_MAX,
                                   .life_s = RECORD_LIFE_MAX_S,
                                   .transport = TRANSPORT_TCP,
                                   .name = "anna",
                                   .text = "tcp://10.0.0.1:7000"};

static size_t body_of(const struct fields *f, const struct node_id *id, uint8_t *buf, size_t cap)
{
    struct mpw w;
    size_t n;
    uint8_t padded[NODE_ID_BYTES + 1] = {0};
    memcpy(padded, id->b, NODE_ID_BYTES);
    mpw_init(&w, buf, cap);
    mpw_array(&w, f->items);
    mpw_uint(&w, f->version);
    mpw_bin(&w, padded, f->id_n);
    mpw_str(&w, f->name);
    mpw_uint(&w, f->incarnation);
    mpw_uint(&w, f->seq);
    mpw_uint(&w, f->roles);
    mpw_uint(&w, f->life_s);
    mpw_array(&w, f->endpoints);
    for (size_t i = 0; i < f->endpoints; i++) {
        mpw_array(&w, 4);
        mpw_uint(&w, f->transport);
        mpw_str(&w, f->text);
        mpw_str(&w, "eth0");
        mpw_uint(&w, 0);
    }
    for (size_t i = 0; i < f->behind; i++)
        mpw_nil(&w);
    assert_int_equal(mpw_finish(&w, &n), 0);
    return n;
}

static void seal(const struct identity *by, const char *context, const uint8_t *body, size_t n, struct record_bytes *out)
{
    uint8_t signature[SIGNATURE_BYTES], buf[RECORD_BYTES_MAX];
    struct mpw w;
    size_t len;
    identity_sign(by, context, body, n, signature);
    mpw_init(&w, buf, sizeof buf);
    mpw_array(&w, 2);
    mpw_bin(&w, body, n);
    mpw_bin(&w, signature, sizeof signature);
    assert_int_equal(mpw_finish(&w, &len), 0);
    assert_int_equal(record_bytes_set(out, buf, len), 0);
}

/* Decodes a record with these fields, signed well. */
static int decoded(const struct fields *f, struct record *out)
{
    struct someone anna;
    struct record_bytes bytes;
    uint8_t body[RECORD_BYTES_MAX];
    someone_make(&anna, 1, "anna");
    size_t n = body_of(f, &anna.identity.id, body, sizeof body);
    seal(&anna.identity, "weft record 1", body, n, &bytes);
    return record_decode(&bytes, out);
}

static void golden_bytes_hold_both_ways(void **state)
{
    (void)state;
    struct someone anna;
    struct record_bytes golden = {0};
    struct record read;
    someone_make(&anna, 1, "anna");
    golden.len = (uint16_t)golden_load("discovery/record.hex", golden.b, sizeof golden.b);
    assert_int_equal(golden.len, anna.bytes.len);
    assert_memory_equal(golden.b, anna.bytes.b, golden.len);
    assert_int_equal(record_decode(&golden, &read), 0);
    assert_memory_equal(&read, &anna.record, sizeof read);
    assert_int_equal(record_verify(&golden, &read), 0);
}

static void every_truncation_is_malformed(void **state)
{
    (void)state;
    struct someone anna;
    struct record read;
    someone_make(&anna, 1, "anna");
    for (uint16_t n = 0; n < anna.bytes.len; n++) {
        struct record_bytes cut = {.len = n};
        memcpy(cut.b, anna.bytes.b, n);
        assert_int_equal(record_decode(&cut, &read), ERR_MALFORMED);
    }
    anna.bytes.b[anna.bytes.len++] = 0xc0;
    assert_int_equal(record_decode(&anna.bytes, &read), ERR_MALFORMED);
}

static void any_changed_bit_is_refused_or_breaks_the_signature(void **state)
{
    (void)state;
    struct someone anna;
    struct record read;
    someone_make(&anna, 1, "anna");
    for (size_t bit = 0; bit < anna.bytes.len * 8u; bit++) {
        anna.bytes.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(record_decode(&anna.bytes, &read) != 0 || record_verify(&anna.bytes, &read) == ERR_VERIFY);
        anna.bytes.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(record_decode(&anna.bytes, &read), 0);
}

static void s22_every_field_ends_at_its_cap(void **state)
{
    (void)state;
    struct record read;
    char name[NAME_MAX_BYTES + 2] = {0}, text[ENDPOINT_TEXT + 1] = "ipc:///";
    memset(name, 'n', NAME_MAX_BYTES + 1);
    memset(text + 7, 'p', ENDPOINT_TEXT - 7);
    assert_int_equal(decoded(&good, &read), 0);
    assert_true(read.incarnation == INT64_MAX && read.life_s == RECORD_LIFE_MAX_S && read.endpoint_count == 1);

    struct {
        struct fields f;
        int err;
    } cases[] = {{good, ERR_UNSUPPORTED}, {good, ERR_MALFORMED}, {good, ERR_MALFORMED}, {good, ERR_LIMIT},
                 {good, ERR_LIMIT},       {good, ERR_LIMIT},     {good, ERR_LIMIT},     {good, ERR_LIMIT},
                 {good, ERR_LIMIT},       {good, ERR_MALFORMED}, {good, ERR_MALFORMED}, {good, ERR_MALFORMED},
                 {good, ERR_LIMIT},       {good, ERR_MALFORMED}, {good, ERR_MALFORMED}};
    size_t i = 0;
    cases[i++].f.version = 2;
    cases[i++].f.id_n = NODE_ID_BYTES - 1;
    cases[i++].f.id_n = NODE_ID_BYTES + 1;
    cases[i++].f.name = name;
    cases[i++].f.incarnation = 1ull << 63;
    cases[i++].f.seq = UINT64_MAX;
    cases[i++].f.roles = 1ull << 32;
    cases[i++].f.life_s = RECORD_LIFE_MAX_S + 1;
    cases[i++].f.endpoints = RECORD_ENDPOINTS_MAX + 1;
    cases[i++].f.transport = TRANSPORT_ANY;
    cases[i++].f.transport = TRANSPORT_IPC; /* its text says tcp */
    cases[i++].f.text = "tcp://example.org:80";
    cases[i++].f.text = text;
    cases[i++].f.items = 7;
    cases[i].f.items = 9;
    cases[i++].f.behind = 1;
    assert_int_equal(i, sizeof cases / sizeof *cases);
    while (i-- > 0)
        if (decoded(&cases[i].f, &read) != cases[i].err)
            fail_msg("case %zu: %s", i, err_name(decoded(&cases[i].f, &read)));
}

static void s12_names_are_those_of_the_one_validator(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-x", ".x", "a/b", "a:b", "a@b", "a\\b", "a\nb", " a", "a ", "\xe2\x80\xae"};
    struct record read;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fields f = good;
        f.name = bad[i];
        assert_int_equal(decoded(&f, &read), ERR_MALFORMED);
    }
}

static void s20_a_record_is_believed_only_with_the_signature_of_its_own_id(void **state)
{
    (void)state;
    struct someone anna, bob;
    struct record_bytes bytes;
    struct record read;
    uint8_t body[RECORD_BYTES_MAX];
    someone_make(&anna, 1, "anna");
    someone_make(&bob, 2, "bob");
    size_t n = body_of(&good, &anna.identity.id, body, sizeof body);

    seal(&bob.identity, "weft record 1", body, n, &bytes);
    assert_int_equal(record_decode(&bytes, &read), 0);
    assert_int_equal(record_verify(&bytes, &read), ERR_VERIFY);

    seal(&anna.identity, "weft beacon 1", body, n, &bytes); /* a signature made for another use */
    assert_int_equal(record_verify(&bytes, &read), ERR_VERIFY);

    seal(&anna.identity, "weft record 1", body, n, &bytes);
    assert_int_equal(record_verify(&bytes, &read), 0);
}

static void endpoints_that_do_not_fit_are_left_out_from_the_end(void **state)
{
    (void)state;
    struct someone anna;
    struct record read;
    someone_make(&anna, 1, "anna");
    anna.record.endpoint_count = RECORD_ENDPOINTS_MAX;
    for (size_t i = 0; i < RECORD_ENDPOINTS_MAX; i++) {
        struct endpoint *e = &anna.record.endpoint[i];
        *e = (struct endpoint){.transport = TRANSPORT_IPC, .text = "ipc:///", .scope = UINT64_MAX};
        memset(e->text + 7, 'a' + (int)i, ENDPOINT_TEXT - 8);
    }
    someone_sign(&anna);
    assert_true(anna.bytes.len <= RECORD_BYTES_MAX);
    assert_int_equal(record_decode(&anna.bytes, &read), 0);
    assert_int_equal(record_verify(&anna.bytes, &read), 0);
    assert_in_range(read.endpoint_count, 5, RECORD_ENDPOINTS_MAX - 1);
    for (size_t i = 0; i < read.endpoint_count; i++)
        assert_string_equal(read.endpoint[i].text, anna.record.endpoint[i].text);
}

/* As gossip.c writes them: four of the node's own at their longest, then its relays. */
static void relays_of_a_node_fit_its_record(void **state)
{
    (void)state;
    struct someone anna;
    struct record read;
    someone_make(&anna, 1, "anna");
    memset(anna.record.name, 'a', NAME_MAX_BYTES);
    anna.record.incarnation = anna.record.seq = INT64_MAX;
    anna.record.endpoint_count = 4 + RELAYS_PER_NODE_MAX;
    for (size_t i = 0; i < 4; i++) {
        struct endpoint *e = &anna.record.endpoint[i];
        *e = (struct endpoint){.transport = TRANSPORT_IPC, .text = "ipc:///", .scope = UINT64_MAX};
        memset(e->text + 7, 'a' + (int)i, ENDPOINT_TEXT - 8);
        memset(e->iface, 'i', IFACE_TEXT - 1);
    }
    for (size_t i = 0; i < RELAYS_PER_NODE_MAX; i++)
        endpoint_set_relay(&anna.record.endpoint[4 + i], &(struct node_id){.b = {(uint8_t)i}});
    someone_sign(&anna);
    assert_int_equal(record_decode(&anna.bytes, &read), 0);
    assert_int_equal(read.endpoint_count, anna.record.endpoint_count);
    for (size_t i = 0; i < read.endpoint_count; i++)
        assert_string_equal(read.endpoint[i].text, anna.record.endpoint[i].text);
}

static void p14_the_newer_of_two_is_known_without_a_clock(void **state)
{
    (void)state;
    static const struct record a = {.incarnation = 2, .seq = 9}, later = {.incarnation = 2, .seq = 10},
                               next_life = {.incarnation = 3, .seq = 1};
    assert_true(record_compare(&a, &a) == 0);
    assert_true(record_compare(&a, &later) < 0 && record_compare(&later, &a) > 0);
    assert_true(record_compare(&later, &next_life) < 0 && record_compare(&next_life, &later) > 0);
}

static void s1_bytes_over_the_cap_are_not_copied(void **state)
{
    (void)state;
    static const uint8_t zero[RECORD_BYTES_MAX + 1];
    struct record_bytes bytes;
    assert_int_equal(record_bytes_set(&bytes, zero, sizeof zero), ERR_LIMIT);
    assert_int_equal(record_bytes_set(&bytes, zero, sizeof zero - 1), 0);
    assert_int_equal(record_bytes_set(&bytes, NULL, 0), 0);
    assert_int_equal(bytes.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(any_changed_bit_is_refused_or_breaks_the_signature),
        cmocka_unit_test(s22_every_field_ends_at_its_cap),
        cmocka_unit_test(s12_names_are_those_of_the_one_validator),
        cmocka_unit_test(s20_a_record_is_believed_only_with_the_signature_of_its_own_id),
        cmocka_unit_test(endpoints_that_do_not_fit_are_left_out_from_the_end),
        cmocka_unit_test(relays_of_a_node_fit_its_record),
        cmocka_unit_test(p14_the_newer_of_two_is_known_without_a_clock),
        cmocka_unit_test(s1_bytes_over_the_cap_are_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

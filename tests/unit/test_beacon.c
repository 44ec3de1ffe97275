/* Beacons: golden bytes both ways, what is malformed, whose signature counts, and that the largest still fits a datagram. */
#include "beacon.h"
#include "golden.h"
#include "someone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sent {
    size_t n;
    uint8_t b[BEACON_BYTES_MAX + 1];
};

static void sign(struct sent *out, const struct beacon *beacon, const struct someone *by)
{
    assert_int_equal(beacon_sign(beacon, &by->identity, out->b, BEACON_BYTES_MAX, &out->n), 0);
}

static struct beacon probe_of(const struct someone *s)
{
    struct beacon b = {.kind = BEACON_PROBE, .beat = 300, .record = s->bytes};
    memset(b.nonce.b, 0xc5, TAG_BYTES);
    return b;
}

static void golden_bytes_hold_both_ways(void **state)
{
    (void)state;
    struct someone anna;
    struct sent sent, golden;
    struct beacon read;
    struct record record;
    someone_make(&anna, 1, "anna");
    struct beacon probe = probe_of(&anna);
    sign(&sent, &probe, &anna);
    golden.n = golden_load("discovery/beacon.hex", golden.b, sizeof golden.b);
    assert_int_equal(golden.n, sent.n);
    assert_memory_equal(golden.b, sent.b, sent.n);
    assert_int_equal(beacon_decode(golden.b, golden.n, &read, &record), 0);
    assert_true(read.kind == probe.kind && read.beat == probe.beat && tag_equal(&read.nonce, &probe.nonce));
    assert_memory_equal(&read.record, &probe.record, sizeof read.record);
    assert_memory_equal(&record, &anna.record, sizeof record);
    assert_int_equal(beacon_verify(golden.b, golden.n, &record), 0);
}

static void every_truncation_is_malformed(void **state)
{
    (void)state;
    struct someone anna;
    struct sent sent;
    struct beacon read;
    struct record record;
    someone_make(&anna, 1, "anna");
    struct beacon probe = probe_of(&anna);
    sign(&sent, &probe, &anna);
    for (size_t n = 0; n < sent.n; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, sent.b, n);
        assert_int_equal(beacon_decode(exact, n, &read, &record), ERR_MALFORMED);
        free(exact);
    }
    sent.b[sent.n] = 0xc0;
    assert_int_equal(beacon_decode(sent.b, sent.n + 1, &read, &record), ERR_MALFORMED);
    assert_int_equal(beacon_decode(sent.b, BEACON_BYTES_MAX + 1, &read, &record), ERR_LIMIT);
}

static void any_changed_bit_is_refused_or_breaks_the_signature(void **state)
{
    (void)state;
    struct someone anna;
    struct sent sent;
    struct beacon read;
    struct record record;
    someone_make(&anna, 1, "anna");
    struct beacon probe = probe_of(&anna);
    sign(&sent, &probe, &anna);
    for (size_t bit = 0; bit < sent.n * 8; bit++) {
        sent.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(beacon_decode(sent.b, sent.n, &read, &record) != 0 || beacon_verify(sent.b, sent.n, &record) == ERR_VERIFY);
        sent.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Somebody else's record in a beacon of one's own: the sender is who the record names, and that one did not sign. */
static void s20_a_beacon_counts_only_with_the_signature_of_its_records_id(void **state)
{
    (void)state;
    struct someone anna, bob;
    struct sent sent;
    struct beacon read;
    struct record record;
    someone_make(&anna, 1, "anna");
    someone_make(&bob, 2, "bob");
    struct beacon b = {.kind = BEACON_ALIVE, .beat = 1, .record = anna.bytes};
    sign(&sent, &b, &bob);
    assert_int_equal(beacon_decode(sent.b, sent.n, &read, &record), 0);
    assert_true(id_equal(&record.id, &anna.identity.id));
    assert_int_equal(beacon_verify(sent.b, sent.n, &record), ERR_VERIFY);
}

/* ---- single values */

struct fields {
    size_t items, nonce_n;
    uint64_t version, kind, beat;
    const char *magic;
};

static int decoded(const struct fields *f, const struct someone *s)
{
    struct sent sent;
    struct beacon read;
    struct record record;
    struct mpw w;
    uint8_t body[BEACON_BYTES_MAX], signature[SIGNATURE_BYTES] = {0};
    static const uint8_t nonce[TAG_BYTES + 1];
    size_t n;
    mpw_init(&w, body, sizeof body);
    mpw_array(&w, f->items);
    mpw_str(&w, f->magic);
    mpw_uint(&w, f->version);
    mpw_uint(&w, f->kind);
    mpw_uint(&w, f->beat);
    mpw_bin(&w, nonce, f->nonce_n);
    if (f->items >= 6)
        mpw_bin(&w, s->bytes.b, s->bytes.len);
    if (f->items == 7)
        mpw_nil(&w);
    assert_int_equal(mpw_finish(&w, &n), 0);
    mpw_init(&w, sent.b, sizeof sent.b);
    mpw_array(&w, 2);
    mpw_bin(&w, body, n);
    mpw_bin(&w, signature, sizeof signature);
    assert_int_equal(mpw_finish(&w, &sent.n), 0);
    return beacon_decode(sent.b, sent.n, &read, &record);
}

static void s22_every_field_ends_at_its_cap(void **state)
{
    (void)state;
    static const struct fields good = {
        .items = 6, .nonce_n = TAG_BYTES, .version = 1, .kind = BEACON_REPLY, .beat = INT64_MAX, .magic = "weft"};
    struct someone anna;
    someone_make(&anna, 1, "anna");
    assert_int_equal(decoded(&good, &anna), 0);
    struct {
        struct fields f;
        int err;
    } cases[] = {{good, ERR_MALFORMED}, {good, ERR_LIMIT},     {good, ERR_UNSUPPORTED}, {good, ERR_LIMIT},
                 {good, ERR_LIMIT},     {good, ERR_MALFORMED}, {good, ERR_MALFORMED},   {good, ERR_MALFORMED}};
    size_t i = 0;
    cases[i++].f.magic = "WEFT";
    cases[i++].f.magic = "weftweft";
    cases[i++].f.version = 2;
    cases[i++].f.kind = BEACON_KIND_COUNT;
    cases[i++].f.beat = 1ull << 63;
    cases[i++].f.nonce_n = TAG_BYTES + 1;
    cases[i++].f.items = 5;
    cases[i++].f.items = 7;
    assert_int_equal(i, sizeof cases / sizeof *cases);
    while (i-- > 0)
        if (decoded(&cases[i].f, &anna) != cases[i].err)
            fail_msg("case %zu: %s", i, err_name(decoded(&cases[i].f, &anna)));
}

static void the_largest_beacon_fits_a_datagram(void **state)
{
    (void)state;
    struct someone anna;
    struct sent sent;
    someone_make(&anna, 1, "anna");
    struct beacon largest = {.kind = BEACON_REPLY, .beat = INT64_MAX, .record = anna.bytes};
    largest.record.len = RECORD_BYTES_MAX;
    sign(&sent, &largest, &anna);
    assert_true(sent.n <= BEACON_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(any_changed_bit_is_refused_or_breaks_the_signature),
        cmocka_unit_test(s20_a_beacon_counts_only_with_the_signature_of_its_records_id),
        cmocka_unit_test(s22_every_field_ends_at_its_cap),
        cmocka_unit_test(the_largest_beacon_fits_a_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

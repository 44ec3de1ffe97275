/* Tickets: golden bytes, every truncation and typing error, counts of addresses, and proofs that fit one pair of nodes only. */
#include "golden.h"
#include "someone.h"
#include "ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define BYTES_MAX 256

static struct ticket_text sample(uint8_t addrs)
{
    static const char *const texts[TICKET_ADDRS_MAX] = {"192.168.1.4:49160", "[2001:db8::1]:49161", "127.0.0.1:1",
                                                        "[::1]:65535"};
    struct ticket_text t = {.addr_count = addrs};
    struct someone anna;
    someone_make(&anna, 1, "anna");
    t.inviter = anna.identity.id;
    memset(t.secret, 0x5e, sizeof t.secret);
    for (size_t i = 0; i < addrs; i++)
        assert_int_equal(addr_parse(texts[i], &t.addr[i]), 0);
    return t;
}

/* The text of bytes, with a check that is right when `check` says so. */
static void text_of(uint8_t *bytes, size_t n, bool check, char out[512])
{
    if (check) {
        struct tag tag = tag_derive("weft ticket check 1", bytes, n - 4, NULL, 0);
        memcpy(bytes + n - 4, tag.b, 4);
    }
    strcpy(out, TICKET_PREFIX);
    base32_encode(bytes, n, out + strlen(TICKET_PREFIX));
}

static void golden_bytes_hold_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[BYTES_MAX];
    char written[TICKET_TEXT], golden[512];
    struct ticket_text ticket = sample(2), read;
    size_t n = golden_load("ticket/ticket.hex", bytes, sizeof bytes);
    text_of(bytes, n, false, golden);
    ticket_write(&ticket, written);
    assert_string_equal(written, golden);
    assert_int_equal(ticket_read(golden, &read), 0);
    assert_memory_equal(&read, &ticket, sizeof read);
}

static void any_number_of_addresses_up_to_the_cap_survives(void **state)
{
    (void)state;
    for (uint8_t addrs = 0; addrs <= TICKET_ADDRS_MAX; addrs++) {
        char text[TICKET_TEXT];
        struct ticket_text ticket = sample(addrs), read;
        memset(text, 'x', sizeof text);
        ticket_write(&ticket, text);
        assert_true(strlen(text) < TICKET_TEXT);
        assert_int_equal(ticket_read(text, &read), 0);
        assert_memory_equal(&read, &ticket, sizeof read);
    }
}

static void every_truncation_is_malformed(void **state)
{
    (void)state;
    char text[TICKET_TEXT];
    struct ticket_text ticket = sample(TICKET_ADDRS_MAX), read;
    ticket_write(&ticket, text);
    for (size_t n = strlen(text); n-- > 0;) {
        text[n] = '\0';
        assert_int_equal(ticket_read(text, &read), ERR_MALFORMED);
    }
}

static void every_mistyped_character_is_noticed(void **state)
{
    (void)state;
    char text[TICKET_TEXT];
    struct ticket_text ticket = sample(2), read;
    ticket_write(&ticket, text);
    for (size_t i = 0; i < strlen(text); i++)
        for (const char *c = "abcdefghijklmnopqrstuvwxyz234567180 -\n"; *c; c++) {
            char was = text[i];
            text[i] = *c;
            assert_int_equal(ticket_read(text, &read), was == *c ? 0 : ERR_MALFORMED);
            text[i] = was;
        }
    for (size_t i = 0; i + 1 < strlen(text); i++) { /* two swapped */
        char a = text[i], b = text[i + 1];
        text[i] = b;
        text[i + 1] = a;
        assert_int_equal(ticket_read(text, &read), a == b ? 0 : ERR_MALFORMED);
        text[i] = a;
        text[i + 1] = b;
    }
}

static void what_is_no_ticket_at_all_is_malformed(void **state)
{
    (void)state;
    char text[TICKET_TEXT + 2];
    struct ticket_text ticket = sample(TICKET_ADDRS_MAX), read;
    static const char *const none[] = {"", "weft1", "weft2", "hello", "weft1=====", "\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(ticket_read(none[i], &read), ERR_MALFORMED);
    ticket_write(&ticket, text);
    strcat(text, "a");
    assert_int_equal(ticket_read(text, &read), ERR_MALFORMED);
    ticket_write(&ticket, text);
    memcpy(text, "WEFT1", 5);
    assert_int_equal(ticket_read(text, &read), ERR_MALFORMED);
    char *huge = malloc(1 << 20);
    assert_non_null(huge);
    memset(huge, 'a', 1 << 20);
    huge[(1 << 20) - 1] = '\0';
    memcpy(huge, TICKET_PREFIX, strlen(TICKET_PREFIX));
    assert_int_equal(ticket_read(huge, &read), ERR_MALFORMED);
    free(huge);
}

/* The check catches typing errors; who makes a ticket by hand can make the check too, and gets no further. */
static void s22_bytes_that_no_writer_writes_are_malformed(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {
        {48, 1},  /* counts one address, holds two */
        {48, 3},  /* or three */
        {48, 5},  /* or more than there may be */
        {49, 0},  /* family */
        {49, 2},  /* as the system writes it */
        {58, 1},  /* an IPv4 address of more than four bytes */
        {66, 0},  /* port, together with the next */
        {68, 10}, /* family of the second */
    };
    struct ticket_text read;
    char text[512];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[BYTES_MAX];
        size_t n = golden_load("ticket/ticket.hex", bytes, sizeof bytes);
        bytes[wrong[i].at] = wrong[i].value;
        if (wrong[i].at == 66)
            bytes[67] = 0;
        text_of(bytes, n, true, text);
        if (ticket_read(text, &read) != ERR_MALFORMED)
            fail_msg("byte %zu may be %u", wrong[i].at, wrong[i].value);
    }
    uint8_t bytes[BYTES_MAX] = {0}; /* five addresses, and counted so */
    bytes[48] = 5;
    text_of(bytes, 49 + 5 * 19 + 4, true, text);
    assert_int_equal(ticket_read(text, &read), ERR_MALFORMED);
}

static void proofs_are_as_in_the_golden_file(void **state)
{
    (void)state;
    uint8_t golden[TAG_BYTES + 2 * TICKET_PROOF_BYTES], proof[TICKET_PROOF_BYTES];
    struct someone anna, bob;
    struct ticket_text ticket = sample(0);
    someone_make(&anna, 1, "anna");
    someone_make(&bob, 2, "bob");
    assert_int_equal(golden_load("ticket/proofs.hex", golden, sizeof golden), sizeof golden);
    struct tag id = ticket_id(ticket.secret);
    assert_memory_equal(id.b, golden, TAG_BYTES);
    ticket_proof(ticket.secret, &bob.identity.id, &anna.identity.id, proof);
    assert_memory_equal(proof, golden + TAG_BYTES, sizeof proof);
    ticket_proof(ticket.secret, &anna.identity.id, &bob.identity.id, proof);
    assert_memory_equal(proof, golden + TAG_BYTES + TICKET_PROOF_BYTES, sizeof proof);
}

/* A proof that somebody overhears, or is shown, proves nothing in his own hands. */
static void s25_a_proof_is_for_one_prover_one_verifier_and_one_secret(void **state)
{
    (void)state;
    struct someone who[3];
    uint8_t secret[2][TICKET_SECRET_BYTES] = {{1}, {2}}, proof[18][TICKET_PROOF_BYTES];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        someone_make(&who[i], i + 1, "x");
    for (int s = 0; s < 2; s++)
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                ticket_proof(secret[s], &who[a].identity.id, &who[b].identity.id, proof[n++]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(proof[i], proof[k], TICKET_PROOF_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(any_number_of_addresses_up_to_the_cap_survives),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(every_mistyped_character_is_noticed),
        cmocka_unit_test(what_is_no_ticket_at_all_is_malformed),
        cmocka_unit_test(s22_bytes_that_no_writer_writes_are_malformed),
        cmocka_unit_test(proofs_are_as_in_the_golden_file),
        cmocka_unit_test(s25_a_proof_is_for_one_prover_one_verifier_and_one_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Channels end to end: the published test vector, every bit changed, messages left out, repeated, swapped, from elsewhere. */
#include "golden.h"
#include "noise_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

static const char prologue[] = "what it is for";

/* Alice begins, and knows Bob's key. */
struct two {
    struct identity alice, bob;
    struct noise_purpose alices, bobs;
    struct noise a, b;
    uint8_t first[NOISE_FIRST_BYTES], second[NOISE_SECOND_BYTES];
    uint8_t met[CURVE_KEY_BYTES]; /* whom Bob met */
};

static struct identity identity_of(uint8_t byte)
{
    struct identity id;
    uint8_t seed[SEED_BYTES] = {byte};
    identity_from_seed(seed, &id);
    return id;
}

static struct noise_purpose purpose_of(uint8_t byte)
{
    return (struct noise_purpose){.prologue = prologue, .prologue_n = sizeof prologue, .ephemeral = {[1] = byte}};
}

static struct two two_new(void)
{
    return (struct two){.alice = identity_of(1), .bob = identity_of(2), .alices = purpose_of(3), .bobs = purpose_of(4)};
}

static int start(struct two *t)
{
    return noise_start(&t->a, &t->alice, t->bob.curve_public, &t->alices, t->first);
}

static int accept(struct two *t)
{
    return noise_accept(&t->b, &t->bob, &t->bobs, t->first, t->met, t->second);
}

static int finish(struct two *t)
{
    return noise_finish(&t->a, &t->alice, t->second);
}

static struct two channel(void)
{
    struct two t = two_new();
    assert_int_equal(start(&t), 0);
    assert_int_equal(accept(&t), 0);
    assert_int_equal(finish(&t), 0);
    return t;
}

struct sealed {
    uint8_t b[5 + NOISE_TAG_BYTES];
};

static struct sealed said(struct noise *n, const char word[5])
{
    struct sealed s;
    assert_int_equal(noise_seal(n, word, 5, s.b), 0);
    return s;
}

static bool heard(struct noise *n, const struct sealed *s, const char *word)
{
    uint8_t plain[5];
    int err = noise_open(n, s->b, sizeof s->b, plain);
    assert_true(err == 0 || err == ERR_VERIFY);
    return err == 0 && memcmp(plain, word, 5) == 0;
}

/* Nothing goes either way any more, not even what would have. */
static void assert_dead(struct noise *n, struct noise *far)
{
    uint8_t sealed[5 + NOISE_TAG_BYTES];
    struct sealed good = said(far, "after");
    assert_false(heard(n, &good, "after"));
    assert_int_equal(noise_seal(n, "hello", 5, sealed), ERR_VERIFY);
    struct noise wiped = {0};
    assert_memory_equal(n, &wiped, sizeof wiped);
}

/* ---- as the specification says */

struct vector {
    uint8_t bytes[2048];
    size_t n, at;
};

static uint8_t *taken(struct vector *v, size_t n)
{
    assert_true(v->n - v->at >= n);
    v->at += n;
    return v->bytes + v->at - n;
}

static struct identity keys_of(const uint8_t secret[32])
{
    struct identity id = {0};
    memcpy(id.curve_secret, secret, 32);
    crypto_scalarmult_base(id.curve_public, secret);
    return id;
}

static void published_vector_holds(void **state)
{
    (void)state;
    enum { PROLOGUE = 9, P1 = 16, P2 = 15 };
    struct vector v = {.n = golden_load("noise/vector.hex", v.bytes, sizeof v.bytes)};
    struct two t = {0};
    t.alices = (struct noise_purpose){.prologue = taken(&v, PROLOGUE), .prologue_n = PROLOGUE};
    t.bobs = t.alices;
    t.alice = keys_of(taken(&v, 32));
    memcpy(t.alices.ephemeral, taken(&v, 32), 32);
    t.bob = keys_of(taken(&v, 32));
    memcpy(t.bobs.ephemeral, taken(&v, 32), 32);
    assert_memory_equal(t.bob.curve_public, taken(&v, 32), 32);
    const uint8_t *hash = taken(&v, 32);

    uint8_t first[NOISE_FIRST_BYTES + P1], second[NOISE_SECOND_BYTES + P2], got[P1];
    struct noise_payload p1 = {taken(&v, P1), P1}, got1 = {got, P1};
    struct noise_side alice = {&t.alice, &t.alices}, bob = {&t.bob, &t.bobs};
    assert_int_equal(noise_first_write(&t.a, &alice, t.bob.curve_public, &p1, first), 0);
    assert_memory_equal(first, taken(&v, sizeof first), sizeof first);
    assert_memory_equal(t.a.hash, hash, sizeof t.a.hash);
    assert_int_equal(noise_first_read(&t.b, &bob, first, t.met, &got1), 0);
    assert_memory_equal(got, p1.b, P1);
    assert_memory_equal(t.met, t.alice.curve_public, sizeof t.met);

    struct noise_payload p2 = {taken(&v, P2), P2}, got2 = {got, P2};
    assert_int_equal(noise_second_write(&t.b, t.met, &p2, second), 0);
    assert_memory_equal(second, taken(&v, sizeof second), sizeof second);
    assert_int_equal(noise_second_read(&t.a, &t.alice, second, &got2), 0);
    assert_memory_equal(got, p2.b, P2);

    static const size_t lengths[] = {11, 11, 17, 21};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t sealed[64], plain[64];
        const uint8_t *payload = taken(&v, lengths[i]);
        assert_int_equal(noise_seal(i % 2 ? &t.b : &t.a, payload, lengths[i], sealed), 0);
        assert_memory_equal(sealed, taken(&v, lengths[i] + NOISE_TAG_BYTES), lengths[i] + NOISE_TAG_BYTES);
        assert_int_equal(noise_open(i % 2 ? &t.a : &t.b, sealed, lengths[i] + NOISE_TAG_BYTES, plain), 0);
        assert_memory_equal(plain, payload, lengths[i]);
    }
    assert_int_equal(v.at, v.n);
}

/* What node/PROTOCOL.md shows, made by another implementation. */
static void the_example_of_the_protocol_holds(void **state)
{
    (void)state;
    enum { PROLOGUE = 12 + NODE_ID_BYTES + TAG_BYTES + NODE_ID_BYTES };
    struct vector v = {.n = golden_load("noise/session.hex", v.bytes, sizeof v.bytes)};
    struct two t = {.alices = {.prologue = taken(&v, PROLOGUE), .prologue_n = PROLOGUE}};
    uint8_t seed[SEED_BYTES], sealed[6 + NOISE_TAG_BYTES];
    t.bobs = t.alices;
    memset(t.alices.ephemeral, 0x0a, sizeof t.alices.ephemeral);
    memset(t.bobs.ephemeral, 0x0b, sizeof t.bobs.ephemeral);
    identity_from_seed(memset(seed, 2, sizeof seed), &t.alice);
    identity_from_seed(memset(seed, 1, sizeof seed), &t.bob);
    assert_int_equal(start(&t), 0);
    assert_memory_equal(t.first, taken(&v, sizeof t.first), sizeof t.first);
    assert_int_equal(accept(&t), 0);
    assert_memory_equal(t.second, taken(&v, sizeof t.second), sizeof t.second);
    assert_int_equal(finish(&t), 0);
    assert_int_equal(noise_seal(&t.a, "\0hello", 6, sealed), 0);
    assert_memory_equal(sealed, taken(&v, sizeof sealed), sizeof sealed);
    assert_int_equal(noise_seal(&t.b, "\0hello", 6, sealed), 0);
    assert_memory_equal(sealed, taken(&v, sizeof sealed), sizeof sealed);
    assert_int_equal(v.at, v.n);
}

static void what_is_sealed_opens_and_both_know_whom_they_met(void **state)
{
    (void)state;
    struct two t = channel();
    assert_memory_equal(t.met, t.alice.curve_public, sizeof t.met);
    assert_memory_equal(t.a.hash, t.b.hash, sizeof t.a.hash);
    for (size_t n = 0; n < 64; n++) {
        uint8_t buf[64 + NOISE_TAG_BYTES], want[64];
        memset(want, (int)n, sizeof want);
        memcpy(buf, want, n);
        struct noise *from = n % 3 ? &t.a : &t.b, *to = n % 3 ? &t.b : &t.a;
        assert_int_equal(noise_seal(from, buf, n, buf), 0);
        assert_int_equal(noise_open(to, buf, n + NOISE_TAG_BYTES, buf), 0);
        assert_memory_equal(buf, want, n);
    }
}

/* ---- what comes in between */

static void p42_every_changed_bit_of_the_handshake_is_refused(void **state)
{
    (void)state;
    struct two t = two_new();
    assert_int_equal(start(&t), 0);
    for (size_t bit = 0; bit < 8 * sizeof t.first; bit++) {
        struct two other = t;
        other.first[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(accept(&other), ERR_VERIFY); /* X25519 takes no notice of a point's top bit, but the hash does */
        assert_int_equal(other.b.state, NOISE_NONE);
    }
    assert_int_equal(accept(&t), 0);
    for (size_t bit = 0; bit < 8 * sizeof t.second; bit++) {
        struct two other = t;
        other.second[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(finish(&other), ERR_VERIFY);
        assert_int_equal(other.a.state, NOISE_NONE);
        memcpy(other.second, t.second, sizeof t.second);
        assert_int_equal(finish(&other), ERR_VERIFY);
    }
    assert_int_equal(finish(&t), 0);
}

static void p42_every_changed_bit_of_a_message_ends_the_channel(void **state)
{
    (void)state;
    struct two open = channel();
    struct sealed hello = said(&open.a, "hello");
    for (size_t bit = 0; bit < 8 * sizeof hello.b; bit++) {
        struct two t = open;
        struct sealed other = hello;
        other.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(heard(&t.b, &other, "hello"));
        assert_false(heard(&t.b, &hello, "hello"));
        assert_dead(&t.b, &t.a);
    }
    assert_true(heard(&open.b, &hello, "hello"));
}

static void p42_every_truncation_ends_the_channel(void **state)
{
    (void)state;
    struct two open = channel();
    struct sealed hello = said(&open.a, "hello");
    for (size_t n = 0; n < sizeof hello.b; n++) {
        struct two t = open;
        uint8_t plain[5], *exact = malloc(n ? n : 1);
        memcpy(exact, hello.b, n);
        assert_int_equal(noise_open(&t.b, exact, n, plain), ERR_VERIFY);
        free(exact);
        assert_dead(&t.b, &t.a);
    }
}

static void p42_a_message_repeated_left_out_or_swapped_ends_the_channel(void **state)
{
    (void)state;
    struct two open = channel();
    struct sealed one = said(&open.a, "one  "), two = said(&open.a, "two  ");

    struct two t = open;
    assert_true(heard(&t.b, &one, "one  "));
    assert_false(heard(&t.b, &one, "one  "));
    assert_dead(&t.b, &t.a);

    t = open;
    assert_false(heard(&t.b, &two, "two  "));
    assert_false(heard(&t.b, &one, "one  "));
    assert_dead(&t.b, &t.a);

    t = open;
    assert_true(heard(&t.b, &one, "one  "));
    assert_true(heard(&t.b, &two, "two  "));
}

static void p42_a_message_goes_back_to_nobody(void **state)
{
    (void)state;
    struct two t = channel();
    struct sealed hello = said(&t.a, "hello");
    assert_false(heard(&t.a, &hello, "hello"));
    assert_dead(&t.a, &t.b);
}

/* Between the same two, for the same thing: yet another channel. */
static void p42_sessions_swapped_end_both(void **state)
{
    (void)state;
    struct two t = channel(), other = two_new();
    other.bobs = purpose_of(5);
    assert_int_equal(start(&other), 0);
    assert_int_equal(accept(&other), 0);
    assert_int_equal(finish(&other), 0);
    struct sealed here = said(&t.a, "hello"), there = said(&other.a, "hello");
    assert_memory_not_equal(here.b, there.b, sizeof here.b);
    assert_false(heard(&t.b, &there, "hello"));
    assert_false(heard(&other.b, &here, "hello"));
    assert_dead(&t.b, &t.a);
}

/* ---- who it is, and what for */

static void s20_nobody_else_can_be_the_holder(void **state)
{
    (void)state;
    struct two t = two_new();
    assert_int_equal(start(&t), 0);
    struct two forged = t;
    forged.bob = identity_of(9);
    assert_int_equal(accept(&forged), ERR_VERIFY);

    /* Eve accepts a channel of her own with Alice's key, and gives Alice that second message. */
    forged = two_new();
    forged.bob = identity_of(9);
    assert_int_equal(start(&forged), 0);
    assert_int_equal(accept(&forged), 0);
    memcpy(t.second, forged.second, sizeof t.second);
    assert_int_equal(finish(&t), ERR_VERIFY);
}

static void p42_an_old_first_message_opens_nothing(void **state)
{
    (void)state;
    struct two t = channel();
    struct sealed hello = said(&t.a, "hello");
    struct two again = t;
    again.bobs = purpose_of(7);
    assert_int_equal(accept(&again), 0);
    assert_false(heard(&again.b, &hello, "hello"));
}

static void p42_a_channel_for_something_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof prologue; i++) {
        struct two t = two_new();
        char other[sizeof prologue];
        memcpy(other, prologue, sizeof other);
        other[i] ^= 1;
        t.bobs.prologue = other;
        assert_int_equal(start(&t), 0);
        assert_int_equal(accept(&t), ERR_VERIFY);
    }
    struct two t = two_new();
    t.bobs.prologue_n--;
    assert_int_equal(start(&t), 0);
    assert_int_equal(accept(&t), ERR_VERIFY);
}

/* Points whose shared secret would be zeros with any key, of RFC 7748's curve. */
static const uint8_t low_order[][CURVE_KEY_BYTES] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
};

static void p42_points_of_low_order_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof low_order / sizeof *low_order; i++) {
        struct two t = two_new();
        assert_int_equal(noise_start(&t.a, &t.alice, low_order[i], &t.alices, t.first), ERR_MALFORMED);
        assert_int_equal(t.a.state, NOISE_NONE);

        assert_int_equal(start(&t), 0);
        struct two other = t;
        memcpy(other.first, low_order[i], CURVE_KEY_BYTES);
        assert_int_equal(accept(&other), ERR_VERIFY);

        assert_int_equal(accept(&t), 0);
        memcpy(t.second, low_order[i], CURVE_KEY_BYTES);
        assert_int_equal(finish(&t), ERR_VERIFY);

        t = two_new();
        memcpy(t.alice.curve_public, low_order[i], CURVE_KEY_BYTES); /* sealed as it should be */
        assert_int_equal(start(&t), 0);
        assert_int_equal(accept(&t), ERR_VERIFY);
    }
}

/* ---- states, numbers, memory */

static void nothing_goes_before_the_handshake_is_over(void **state)
{
    (void)state;
    struct two t = two_new();
    struct sealed none = {0};
    assert_int_equal(noise_seal(&t.a, "hello", 5, none.b), ERR_VERIFY);
    assert_int_equal(finish(&t), ERR_VERIFY);
    assert_int_equal(start(&t), 0);
    struct two early = t;
    assert_int_equal(noise_seal(&early.a, "hello", 5, none.b), ERR_VERIFY);
    assert_int_equal(early.a.state, NOISE_NONE);
    assert_int_equal(accept(&t), 0);
    assert_int_equal(finish(&t), 0);
    assert_int_equal(finish(&t), ERR_VERIFY);
}

static void numbers_end(void **state)
{
    (void)state;
    struct two t = channel();
    uint8_t sealed[5 + NOISE_TAG_BYTES];
    t.a.out.n = t.b.in.n = UINT64_MAX - 1;
    struct sealed last = said(&t.a, "last ");
    assert_true(heard(&t.b, &last, "last "));
    assert_int_equal(noise_seal(&t.a, "hello", 5, sealed), ERR_LIMIT);
    assert_int_equal(noise_open(&t.b, last.b, sizeof last.b, sealed), ERR_LIMIT);
    assert_int_equal(t.a.state, NOISE_NONE);
}

static bool contains(const void *memory, size_t n, const uint8_t secret[32])
{
    return memmem(memory, n, secret, 32) != NULL;
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    struct two t = channel();
    assert_false(contains(&t.a, sizeof t.a, t.alices.ephemeral));
    assert_false(contains(&t.b, sizeof t.b, t.bobs.ephemeral));
    uint8_t key[32];
    memcpy(key, t.a.out.key, sizeof key);
    assert_true(contains(&t.a, sizeof t.a, key));
    noise_wipe(&t.a);
    assert_false(contains(&t.a, sizeof t.a, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vector_holds),
        cmocka_unit_test(the_example_of_the_protocol_holds),
        cmocka_unit_test(what_is_sealed_opens_and_both_know_whom_they_met),
        cmocka_unit_test(p42_every_changed_bit_of_the_handshake_is_refused),
        cmocka_unit_test(p42_every_changed_bit_of_a_message_ends_the_channel),
        cmocka_unit_test(p42_every_truncation_ends_the_channel),
        cmocka_unit_test(p42_a_message_repeated_left_out_or_swapped_ends_the_channel),
        cmocka_unit_test(p42_a_message_goes_back_to_nobody),
        cmocka_unit_test(p42_sessions_swapped_end_both),
        cmocka_unit_test(s20_nobody_else_can_be_the_holder),
        cmocka_unit_test(p42_an_old_first_message_opens_nothing),
        cmocka_unit_test(p42_a_channel_for_something_else_is_refused),
        cmocka_unit_test(p42_points_of_low_order_are_refused),
        cmocka_unit_test(nothing_goes_before_the_handshake_is_over),
        cmocka_unit_test(numbers_end),
        cmocka_unit_test(secrets_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

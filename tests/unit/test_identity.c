/* Keys, signatures and derived tags. */
#include "err.h"
#include "golden.h"
#include "identity.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seed_one[SEED_BYTES] = {1};
static const uint8_t seed_two[SEED_BYTES] = {2};

/* RFC 8032, 7.1, test 1: the public key of its secret key. */
static void an_id_is_the_ed25519_key_of_the_seed(void **unused)
{
    (void)unused;
    uint8_t seed[SEED_BYTES], public_key[NODE_ID_BYTES];
    struct identity identity;
    golden_parse("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", seed, sizeof seed);
    golden_parse("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", public_key, sizeof public_key);
    identity_from_seed(seed, &identity);
    assert_memory_equal(identity.id.b, public_key, sizeof public_key);
    identity_wipe(&identity);
    assert_true(sodium_is_zero((const unsigned char *)&identity, sizeof identity));
}

static void who_knows_the_id_knows_the_curve_key(void **unused)
{
    (void)unused;
    struct identity identity;
    uint8_t derived[CURVE_KEY_BYTES], from_secret[CURVE_KEY_BYTES];
    identity_from_seed(seed_one, &identity);
    assert_int_equal(id_curve_key(&identity.id, derived), 0);
    assert_memory_equal(derived, identity.curve_public, sizeof derived);
    assert_int_equal(crypto_scalarmult_base(from_secret, identity.curve_secret), 0);
    assert_memory_equal(derived, from_secret, sizeof derived);
}

static void bytes_that_are_no_key_are_refused(void **unused)
{
    (void)unused;
    uint8_t curve[CURVE_KEY_BYTES];
    static const char *const wrong[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", /* small order */
        "0100000000000000000000000000000000000000000000000000000000000000", /* the neutral element */
        "0200000000000000000000000000000000000000000000000000000000000000", /* not on the curve */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order two */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct node_id id;
        golden_parse(wrong[i], id.b, sizeof id.b);
        assert_int_equal(id_curve_key(&id, curve), ERR_MALFORMED);
    }
}

static void a_signature_holds_for_its_id_word_and_bytes_only(void **unused)
{
    (void)unused;
    struct identity one, two;
    uint8_t signature[SIGNATURE_BYTES];
    identity_from_seed(seed_one, &one);
    identity_from_seed(seed_two, &two);
    identity_sign(&one, "weft test 1", "hello", 5, signature);
    assert_int_equal(identity_check(&one.id, "weft test 1", "hello", 5, signature), 0);
    assert_int_equal(identity_check(&two.id, "weft test 1", "hello", 5, signature), ERR_VERIFY);
    assert_int_equal(identity_check(&one.id, "weft test 2", "hello", 5, signature), ERR_VERIFY);
    assert_int_equal(identity_check(&one.id, "weft test", "\0001hello", 6, signature), ERR_VERIFY);
    assert_int_equal(identity_check(&one.id, "weft test 1", "hellO", 5, signature), ERR_VERIFY);
    assert_int_equal(identity_check(&one.id, "weft test 1", "hell", 4, signature), ERR_VERIFY);
    for (size_t i = 0; i < SIGNATURE_BYTES; i++) {
        signature[i] ^= 0x10;
        assert_int_equal(identity_check(&one.id, "weft test 1", "hello", 5, signature), ERR_VERIFY);
        signature[i] ^= 0x10;
    }
}

/* What another implementation has to sign: word, zero byte, bytes; plain Ed25519. */
static void what_is_signed_is_the_framed_bytes(void **unused)
{
    (void)unused;
    struct identity one;
    uint8_t signature[SIGNATURE_BYTES];
    identity_from_seed(seed_one, &one);
    identity_sign(&one, "weft test 1", "hello", 5, signature);
    assert_int_equal(crypto_sign_verify_detached(signature, (const uint8_t *)"weft test 1\0hello", 17, one.id.b), 0);
}

static void the_length_of_what_is_signed_is_bounded(void **unused)
{
    (void)unused;
    static const uint8_t bytes[SIGNED_BYTES_MAX + 1];
    struct identity one;
    uint8_t signature[SIGNATURE_BYTES];
    identity_from_seed(seed_one, &one);
    identity_sign(&one, "w", bytes, SIGNED_BYTES_MAX, signature);
    assert_int_equal(identity_check(&one.id, "w", bytes, SIGNED_BYTES_MAX, signature), 0);
    assert_int_equal(identity_check(&one.id, "w", bytes, SIGNED_BYTES_MAX + 1, signature), ERR_VERIFY);
    identity_sign(&one, "w", NULL, 0, signature);
    assert_int_equal(identity_check(&one.id, "w", NULL, 0, signature), 0);
}

static void a_tag_hashes_each_piece_behind_its_length(void **unused)
{
    (void)unused;
    static const uint8_t framed[] = "\0\0\0\0\0\0\0\4word\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c";
    uint8_t expected[TAG_BYTES];
    crypto_generichash(expected, TAG_BYTES, framed, sizeof framed - 1, NULL, 0);
    struct tag tag = tag_derive("word", "ab", 2, "c", 1);
    assert_memory_equal(tag.b, expected, TAG_BYTES);
}

static void a_tag_tells_where_its_pieces_end(void **unused)
{
    (void)unused;
    struct tag tags[] = {
        tag_derive("word", "ab", 2, "c", 1), tag_derive("word", "a", 1, "bc", 2), tag_derive("word", "abc", 3, NULL, 0),
        tag_derive("word", "", 0, "abc", 3), tag_derive("worda", "b", 1, "c", 1), tag_derive("word2", "ab", 2, "c", 1),
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(tag_equal(&tags[i], &tags[j]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_the_ed25519_key_of_the_seed),
        cmocka_unit_test(who_knows_the_id_knows_the_curve_key),
        cmocka_unit_test(bytes_that_are_no_key_are_refused),
        cmocka_unit_test(a_signature_holds_for_its_id_word_and_bytes_only),
        cmocka_unit_test(what_is_signed_is_the_framed_bytes),
        cmocka_unit_test(the_length_of_what_is_signed_is_bounded),
        cmocka_unit_test(a_tag_hashes_each_piece_behind_its_length),
        cmocka_unit_test(a_tag_tells_where_its_pieces_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

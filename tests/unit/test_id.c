/* Ids in text and back. */
#include "err.h"
#include "id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void base32_is_that_of_rfc_4648(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"", ""},
                 {"f", "my"},
                 {"fo", "mzxq"},
                 {"foo", "mzxw6"},
                 {"foob", "mzxw6yq"},
                 {"fooba", "mzxw6ytb"},
                 {"foobar", "mzxw6ytboi"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        uint8_t bytes[8] = {0};
        size_t n = strlen(cases[i].bytes);
        base32_encode(cases[i].bytes, n, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(strlen(text), BASE32_CHARS(n));
        assert_int_equal(base32_decode(text, bytes, n), 0);
        assert_memory_equal(bytes, cases[i].bytes, n);
    }
}

static void base32_takes_upper_case_and_nothing_else(void **unused)
{
    (void)unused;
    uint8_t bytes[3];
    assert_int_equal(base32_decode("MZXW6", bytes, 3), 0);
    assert_memory_equal(bytes, "foo", 3);
    static const char *const wrong[] = {"",      "mzxw",  "mzxw66", "mzxw6=", "mzx 6",
                                        "mzx06", "mzx16", "mzx86",  "mzxw7",  "mzxw\xc3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base32_decode(wrong[i], bytes, 3), ERR_MALFORMED); /* "mzxw7" sets the unused bit */
}

static void an_id_survives_its_text(void **unused)
{
    (void)unused;
    struct node_id id, back;
    for (size_t i = 0; i < NODE_ID_BYTES; i++)
        id.b[i] = (uint8_t)(255 - 7 * i);
    struct id_text text = id_text(&id);
    assert_int_equal(strlen(text.s), NODE_ID_TEXT);
    assert_int_equal(id_parse(text.s, &back), 0);
    assert_true(id_equal(&id, &back));
    struct id_text first = id_short(&id);
    assert_int_equal(strlen(first.s), NODE_ID_SHORT);
    assert_memory_equal(first.s, text.s, NODE_ID_SHORT);
    for (size_t n = 0; n < NODE_ID_TEXT; n++) {
        struct id_text cut = text;
        cut.s[n] = 0;
        assert_int_equal(id_parse(cut.s, &back), ERR_MALFORMED);
    }
    text.s[NODE_ID_TEXT - 1] = 'b'; /* unused bits */
    assert_int_equal(id_parse(text.s, &back), ERR_MALFORMED);
}

static void ids_are_ordered_as_bytes(void **unused)
{
    (void)unused;
    struct node_id a = {{1}}, b = {{2}};
    assert_true(id_compare(&a, &b) < 0 && id_compare(&b, &a) > 0 && id_compare(&a, &a) == 0);
    assert_false(id_equal(&a, &b));
    struct tag x = {{1}}, y = x;
    assert_true(tag_equal(&x, &y));
    y.b[TAG_BYTES - 1] ^= 1;
    assert_false(tag_equal(&x, &y));
}

static void a_tag_of_zeros_is_none(void **unused)
{
    (void)unused;
    struct tag tag = {{0}};
    assert_true(tag_is_zero(&tag));
    tag.b[TAG_BYTES - 1] = 1;
    assert_false(tag_is_zero(&tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base32_is_that_of_rfc_4648), cmocka_unit_test(base32_takes_upper_case_and_nothing_else),
        cmocka_unit_test(an_id_survives_its_text),    cmocka_unit_test(ids_are_ordered_as_bytes),
        cmocka_unit_test(a_tag_of_zeros_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

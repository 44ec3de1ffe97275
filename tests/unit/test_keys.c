/* Everything that two nodes must derive alike, against bytes that were made without this code: keys, pipes, streams. */
#include "binding.h"
#include "golden.h"
#include "someone.h"
#include "tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void an_id_yields_its_curve_key(void **state)
{
    (void)state;
    struct someone anna;
    uint8_t golden[NODE_ID_BYTES + CURVE_KEY_BYTES], curve[CURVE_KEY_BYTES];
    someone_make(&anna, 1, "anna");
    assert_int_equal(golden_load("keys/anna.hex", golden, sizeof golden), sizeof golden);
    assert_memory_equal(anna.identity.id.b, golden, NODE_ID_BYTES);
    assert_int_equal(id_curve_key(&anna.identity.id, curve), 0);
    assert_memory_equal(curve, golden + NODE_ID_BYTES, CURVE_KEY_BYTES);
    assert_memory_equal(anna.identity.curve_public, curve, CURVE_KEY_BYTES);
}

static void names_yield_pipes(void **state)
{
    (void)state;
    struct someone anna;
    uint8_t golden[2 * TAG_BYTES];
    someone_make(&anna, 1, "anna");
    assert_int_equal(golden_load("discovery/pipes.hex", golden, sizeof golden), sizeof golden);
    assert_memory_equal(pipe_owned(&anna.identity.id, "files").b, golden, TAG_BYTES);
    assert_memory_equal(pipe_shared("logs").b, golden + TAG_BYTES, TAG_BYTES);
}

static void a_reception_object_yields_the_key_of_each_stream(void **state)
{
    (void)state;
    struct someone anna, bob;
    struct reception_info info = {.streams = 1};
    struct tls_secret secret;
    uint8_t golden[TLS_PSK_BYTES];
    someone_make(&anna, 1, "anna");
    someone_make(&bob, 2, "bob");
    memset(info.id.b, 0xd0, TAG_BYTES);
    memset(info.key, 0xe1, sizeof info.key);
    assert_int_equal(tls_derive(&info, &anna.identity.id, &bob.identity.id, 0, &secret), 0);
    assert_int_equal(golden_load("keys/psk.hex", golden, sizeof golden), sizeof golden);
    assert_memory_equal(secret.psk, golden, sizeof golden);
    assert_memory_equal(secret.identity, info.id.b, TAG_BYTES);
    assert_int_equal(secret.identity[TAG_BYTES], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_yields_its_curve_key),
        cmocka_unit_test(names_yield_pipes),
        cmocka_unit_test(a_reception_object_yields_the_key_of_each_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bridges: bytes both ways, ends of every kind, and the first bytes of a stream. */
#include "bridge_town.h"
#include "bulk_thread.h"
#include "golden.h"

#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- bytes */

static void oob_5_bytes_pass_both_ways_and_so_do_ends(void **state)
{
    enum { N = 24 << 20 };
    struct town t;
    struct bridge b;
    struct mover m[2 * STREAMS_MAX];
    uint8_t *one = town_noise(N), *two = town_noise(N);
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 3);
    for (uint8_t i = 0; i < 3; i++) {
        size_t n = i == 0 ? N : i == 1 ? 1000 : 0; /* a long one, a short one, an empty one */
        mover_start(&m[2 * i], town_dial_way(&b.way[0], i), one, two, n);
        mover_start(&m[2 * i + 1], town_dial_way(&b.way[1], i), two, one, n);
    }
    for (unsigned i = 0; i < 6; i++)
        mover_end(&m[i]);
    town_until_done(&t, 1);
    assert_int_equal(b.fault.code, 0);
    assert_int_equal(b.moved, 2 * (N + 1000));
    town_close(&t);
    free(one);
    free(two);
}

/* What comes with the hello in one piece, or long before the other side, is the other side's all the same. */
static void the_hello_takes_no_byte_of_the_stream(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t hello[HELLO_BYTES + 5];
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    hello_encode(hello, &b.way[0], 0);
    memcpy(hello + HELLO_BYTES, "first", 5);
    int one = town_dial(&b.way[0].addr[0]);
    for (size_t i = 0; i < 40; i++)
        town_say(one, hello + i, 1);
    town_say(one, hello + 40, sizeof hello - 40);
    int two = town_dial_way(&b.way[1], 0);
    town_hear(two, "first", 5);
    town_say(two, "second", 6);
    town_hear(one, "second", 6);
    close(one);
    close(two);
    town_until_done(&t, 1);
    town_close(&t);
}

static void p42_two_bridges_never_cross(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    town_bridge(&t, &a, 2);
    town_bridge(&t, &b, 2);
    int fd[2][2][2];
    for (uint8_t i = 0; i < 2; i++)
        for (unsigned w = 0; w < 2; w++) {
            fd[0][w][i] = town_dial_way(&a.way[w], i);
            fd[1][w][i] = town_dial_way(&b.way[w], i);
        }
    for (unsigned k = 0; k < 8; k++) {
        char text[2] = {'a', (char)('0' + k)};
        town_say(fd[k & 1][k >> 1 & 1][k >> 2], text, 2);
    }
    for (unsigned k = 0; k < 8; k++) {
        char text[2] = {'a', (char)('0' + k)};
        town_hear(fd[k & 1][1 - (k >> 1 & 1)][k >> 2], text, 2);
    }
    for (unsigned k = 0; k < 8; k++)
        close(fd[k & 1][k >> 1 & 1][k >> 2]);
    town_until_done(&t, 2);
    town_close(&t);
}

/* ---- ends */

static void p42_streams_that_do_not_come_in_time_end_the_bridge(void **state)
{
    struct town t;
    struct bridge b;
    (void)state;

    town_open(&t);
    b = town_bridge_of(&t, 2);
    b.deadline_s = 1;
    assert_int_equal(bridge_open(t.bridges, &b), 0);
    int one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 0), alone = town_dial_way(&b.way[0], 1);
    town_until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_TIMEOUT);
    town_assert_closed(one, SECOND);
    town_assert_closed(two, SECOND);
    town_assert_closed(alone, SECOND);
    town_close(&t);
}

static void p38_an_end_that_breaks_ends_its_stream_and_no_other(void **state)
{
    struct town t;
    struct bridge b;
    const struct linger reset = {.l_onoff = 1};
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 2);
    int one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 0);
    int three = town_dial_way(&b.way[0], 1), four = town_dial_way(&b.way[1], 1);
    town_say(one, "x", 1);
    town_hear(two, "x", 1);
    setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(one);
    town_assert_closed(two, SECOND);
    town_say(three, "still", 5);
    town_hear(four, "still", 5);
    close(three);
    close(four);
    town_until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_UNREACHABLE);
    town_close(&t);
}

static void one_that_leaves_before_the_other_comes(void **state)
{
    struct town t;
    struct bridge b;
    const struct linger reset = {.l_onoff = 1};
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    int one = town_dial_way(&b.way[0], 0);
    town_say(one, "last words", 10);
    close(one);
    int two = town_dial_way(&b.way[1], 0);
    town_hear(two, "last words", 10);
    town_assert_closed(two, SECOND);
    town_until_done(&t, 1);
    town_bridge(&t, &b, 2);
    one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 1);
    town_say(one, "unheard", 7);
    setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(one);
    setsockopt(two, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(two);
    town_until_done(&t, 2);
    assert_int_equal(b.fault.code, ERR_UNREACHABLE);
    town_close(&t);
}

static void silence_ends_a_bridge_but_waiting_bytes_are_none(void **state)
{
    struct town t;
    struct bridge quiet, full;
    uint8_t *bytes = calloc(1, 1 << 20);
    (void)state;

    assert_non_null(bytes);
    town_open(&t);
    t.bridges->silence = 700 * MILLISECOND;
    town_bridge(&t, &full, 1);
    int in = town_dial_way(&full.way[0], 0), out = town_dial_way(&full.way[1], 0);
    town_fill(in);
    town_bridge(&t, &quiet, 1);
    int one = town_dial_way(&quiet.way[0], 0), two = town_dial_way(&quiet.way[1], 0);
    town_until_done(&t, 1);
    assert_int_equal(quiet.fault.code, ERR_TIMEOUT);
    town_assert_closed(one, SECOND);
    town_assert_closed(two, SECOND);
    town_hear(out, bytes, 1 << 20);
    assert_non_null(full.port_data);
    close(in);
    close(out);
    town_close(&t);
    free(bytes);
}

static void free_in_the_middle_says_nothing_more(void **state)
{
    struct town t;
    struct bridge b[4];
    (void)state;

    town_open(&t);
    for (unsigned i = 0; i < 4; i++)
        town_bridge(&t, &b[i], 1);
    int half = town_dial(&b[0].way[0].addr[0]), alone = town_dial_way(&b[1].way[0], 0);
    int one = town_dial_way(&b[2].way[0], 0), two = town_dial_way(&b[2].way[1], 0);
    town_say(one, "x", 1);
    town_hear(two, "x", 1);
    bridge_close(t.bridges, &b[3], ERR_CANCELLED); /* its end may be on its way */
    town_close(&t);
    assert_int_equal(t.done, 0);
    town_assert_closed(half, SECOND);
    town_assert_closed(alone, SECOND);
    town_assert_closed(one, SECOND);
    town_assert_closed(two, SECOND);
}

/* ---- the hello's bytes */

static void hello_golden_and_every_change(void **state)
{
    struct relay_way way;
    uint8_t b[HELLO_BYTES], golden[HELLO_BYTES];
    struct hello hello;
    (void)state;

    assert_int_equal(golden_load("bridge/hello.hex", golden, sizeof golden), HELLO_BYTES);
    memset(&way, 0, sizeof way);
    memset(way.id.b, 0xd0, sizeof way.id.b);
    memset(way.key, 0xd1, sizeof way.key);
    hello_encode(b, &way, 1);
    assert_memory_equal(b, golden, sizeof golden);
    assert_int_equal(hello_decode(b, &hello), 0);
    assert_int_equal(hello.index, 1);
    assert_true(tag_equal(&hello.id, &way.id));
    assert_true(hello_proves(b, way.key));
    for (unsigned bit = 0; bit < 8 * HELLO_BYTES; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(hello_decode(b, &hello) != 0 || !hello_proves(b, way.key));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    hello_encode(b, &way, STREAMS_MAX);
    assert_int_equal(hello_decode(b, &hello), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oob_5_bytes_pass_both_ways_and_so_do_ends),
        cmocka_unit_test(the_hello_takes_no_byte_of_the_stream),
        cmocka_unit_test(p42_two_bridges_never_cross),
        cmocka_unit_test(p42_streams_that_do_not_come_in_time_end_the_bridge),
        cmocka_unit_test(p38_an_end_that_breaks_ends_its_stream_and_no_other),
        cmocka_unit_test(one_that_leaves_before_the_other_comes),
        cmocka_unit_test(silence_ends_a_bridge_but_waiting_bytes_are_none),
        cmocka_unit_test(free_in_the_middle_says_nothing_more),
        cmocka_unit_test(hello_golden_and_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bridges: who is kept out, and what one may use of them: quota, rate, fair turns. */
#include "bridge_town.h"
#include "bulk_thread.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOOD 10000

/* ---- who is kept out */

static void s62_ways_are_of_128_bits_and_share_nothing(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    town_bridge(&t, &a, 1);
    town_bridge(&t, &b, 1);
    const struct relay_way *way[] = {&a.way[0], &a.way[1], &b.way[0], &b.way[1]};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < i; k++) {
            assert_memory_not_equal(way[i]->id.b, way[k]->id.b, TAG_BYTES);
            assert_memory_not_equal(way[i]->key, way[k]->key, sizeof way[i]->key);
        }
    town_close(&t);
}

static void p43_wrong_reused_guessed_and_anothers_are_refused(void **state)
{
    struct town t;
    struct bridge a, b;
    (void)state;

    town_open(&t);
    town_bridge(&t, &a, 2);
    town_bridge(&t, &b, 2);
    struct relay_way wrong = a.way[0], guessed = a.way[0], mixed = a.way[0];
    wrong.key[31] ^= 1;
    guessed.id.b[0] ^= 1;
    memcpy(mixed.key, b.way[0].key, sizeof mixed.key);
    town_assert_closed(town_dial_way(&wrong, 0), SECOND);
    town_assert_closed(town_dial_way(&guessed, 0), SECOND);
    town_assert_closed(town_dial_way(&mixed, 0), SECOND);
    town_assert_closed(town_dial_way(&a.way[0], 2), SECOND); /* of two streams */
    assert_int_equal(town_refused(&t), 4);
    int one = town_dial_way(&a.way[0], 0), two = town_dial_way(&a.way[1], 0);
    town_say(one, "x", 1);
    town_hear(two, "x", 1);
    town_assert_closed(town_dial_way(&a.way[0], 0), SECOND); /* once a stream and side */
    town_assert_closed(town_dial_way(&a.way[1], 0), SECOND);
    assert_int_equal(town_refused(&t), 6);
    town_say(two, "y", 1); /* which has disturbed nobody */
    town_hear(one, "y", 1);
    close(one);
    close(two);
    town_close(&t);
}

static void oob_6_expired_and_closed_ways_are_refused(void **state)
{
    struct town t;
    struct bridge a, b, c;
    (void)state;

    town_open(&t);
    town_bridge(&t, &a, 1);
    b = town_bridge_of(&t, 1);
    b.deadline_s = 0;
    assert_int_equal(bridge_open(t.bridges, &b), 0);
    town_assert_closed(town_dial_way(&b.way[0], 0), SECOND);
    town_until_done(&t, 1);
    assert_int_equal(b.fault.code, ERR_TIMEOUT);
    town_bridge(&t, &c, 1);
    bridge_close(t.bridges, &c, ERR_CANCELLED);
    town_until_done(&t, 2);
    assert_int_equal(c.fault.code, ERR_CANCELLED);
    town_assert_closed(town_dial_way(&c.way[0], 0), SECOND);
    bridge_close(t.bridges, &a, ERR_CANCELLED);
    town_until_done(&t, 3);
    assert_int_equal(town_dial(&a.way[0].addr[0]), -1); /* the last bridge shuts the port */
    town_bridge(&t, &a, 1);
    int again = town_dial_way(&a.way[0], 0);
    int other = town_dial_way(&a.way[1], 0);
    town_say(again, "z", 1);
    town_hear(other, "z", 1);
    close(again);
    close(other);
    town_close(&t);
}

static void s31_late_and_slow_hellos_are_dropped(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t hello[HELLO_BYTES];
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    uint64_t begin = now_ns();
    int quiet = town_dial(&b.way[0].addr[0]), slow = town_dial(&b.way[0].addr[0]);
    hello_encode(hello, &b.way[0], 0);
    town_say(slow, hello, HELLO_BYTES - 1);
    town_assert_closed(quiet, 2 * HANDSHAKE_DEADLINE);
    town_assert_closed(slow, HANDSHAKE_DEADLINE);
    assert_true(now_ns() - begin >= HANDSHAKE_DEADLINE - SECOND && now_ns() - begin < 2 * HANDSHAKE_DEADLINE);
    assert_int_equal(town_refused(&t), 2);
    town_close(&t);
}

static void garbage_is_dropped_at_once(void **state)
{
    struct town t;
    struct bridge b;
    uint8_t zeros[HELLO_BYTES] = {0};
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    int fd = town_dial(&b.way[0].addr[0]);
    town_say(fd, zeros, sizeof zeros);
    town_assert_closed(fd, SECOND);
    assert_int_equal(town_refused(&t), 1);
    town_close(&t);
}

/* Room for `n` silent connections of ours; returns for how many there is. */
static unsigned room_for(unsigned n)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur > n + 400 ? n : (unsigned)limit.rlim_cur - 400;
}

static void p45_ten_thousand_half_open_connections(void **state)
{
    struct town t;
    struct bridge b;
    unsigned keep = room_for(FLOOD);
    int *fd = malloc(keep * sizeof *fd);
    (void)state;

    assert_non_null(fd);
    town_open(&t);
    town_bridge(&t, &b, 1);
    for (unsigned i = 0; i < FLOOD; i++) { /* where descriptors are few the oldest of ours go */
        if (i >= keep)
            close(fd[i % keep]);
        fd[i % keep] = town_dial(&b.way[0].addr[0]);
    }
    int one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 0);
    town_say(one, "through", 7);
    town_hear(two, "through", 7);
    assert_true(town_refused(&t) >= FLOOD - HALF_OPEN_MAX);
    close(one);
    close(two);
    town_until_done(&t, 1);
    for (unsigned i = 0; i < keep; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    free(fd);
    town_close(&t);
}

/* P21: without descriptors accepting pauses instead of spinning, and goes on when there are some. */
static void p21_emfile_on_accept_does_not_spin(void **state)
{
    struct town t;
    struct bridge b;
    struct rlimit limit, low;
    struct rusage before, after;
    uint8_t hello[HELLO_BYTES];
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&b.way[0].addr[0], &ss);
    assert_true(fd >= 0);
    int last = dup(fd);
    close(last);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)last; /* not one more */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    getrusage(RUSAGE_SELF, &before);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 500), 0); /* half a second in which a spinning thread would burn a core */
    getrusage(RUSAGE_SELF, &after);
    long burnt = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                 after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    assert_true(burnt < 200000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    hello_encode(hello, &b.way[0], 0);
    town_say(fd, hello, sizeof hello);
    int other = town_dial_way(&b.way[1], 0);
    town_say(other, "on", 2);
    town_hear(fd, "on", 2);
    close(fd);
    close(other);
    town_close(&t);
}

/* Without descriptors for a pipe a stream waits for some, and no byte of it is lost. */
static void p21_a_stream_waits_for_a_pipe(void **state)
{
    struct town t;
    struct bridge b;
    struct rlimit limit, low;
    (void)state;

    town_open(&t);
    town_bridge(&t, &b, 1);
    int one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 3; /* not one more, whatever has been accepted meanwhile */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    town_say(one, "patience", 8);
    struct pollfd p = {.fd = two, .events = POLLIN};
    int early = poll(&p, 1, 300);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    town_hear(two, "patience", 8);
    assert_int_equal(early, 0);
    close(one);
    close(two);
    town_until_done(&t, 1);
    assert_int_equal(b.fault.code, 0);
    town_close(&t);
}

static void p45_bridges_are_capped(void **state)
{
    struct town t;
    struct bridge *b = calloc(BRIDGES_MAX + 1, sizeof *b), none = {.streams = 0}, many = {.streams = STREAMS_MAX + 1};
    (void)state;

    assert_non_null(b);
    town_open(&t);
    assert_int_equal(bridge_open(t.bridges, &none), ERR_USAGE);
    assert_int_equal(bridge_open(t.bridges, &many), ERR_USAGE);
    for (unsigned i = 0; i < BRIDGES_MAX; i++)
        town_bridge(&t, &b[i], STREAMS_MAX);
    b[BRIDGES_MAX] = town_bridge_of(&t, 1);
    assert_int_equal(bridge_open(t.bridges, &b[BRIDGES_MAX]), ERR_FULL);
    for (unsigned i = 0; i < BRIDGES_MAX; i++)
        bridge_close(t.bridges, &b[i], ERR_CANCELLED);
    town_until_done(&t, BRIDGES_MAX);
    town_close(&t);
    free(b);
}

/* ---- limits */

static void relay_7_quota_ends_a_bridge_and_not_a_byte_earlier(void **state)
{
    struct town t;
    struct bridge b;
    (void)state;

    town_open(&t);
    for (int over = 0; over < 2; over++) {
        b = town_bridge_of(&t, 1);
        b.limit = 1000;
        assert_int_equal(bridge_open(t.bridges, &b), 0);
        int one = town_dial_way(&b.way[0], 0), two = town_dial_way(&b.way[1], 0);
        uint8_t bytes[500] = {1};
        town_say(one, bytes, 500);
        town_hear(two, bytes, 500);
        town_say(two, bytes, 500);
        town_hear(one, bytes, 500);
        if (over)
            town_say(one, bytes, 1);
        else
            shutdown(one, SHUT_WR);
        town_assert_closed(two, SECOND);
        close(one);
        town_until_done(&t, (unsigned)over + 1);
        assert_int_equal(b.fault.code, over ? ERR_FULL : 0);
        if (over)
            assert_string_equal(b.fault.text, "quota");
        assert_int_equal(b.moved, 1000);
    }
    town_close(&t);
}

/* Two bridges of one account share its rate; one of another's is as fast as ever meanwhile. */
static void relay_7_rate_is_an_accounts_and_delays_nobody_else(void **state)
{
    enum { N = 1 << 20, RATE = 2 << 20 };
    struct town t;
    struct bridge b[3];
    struct mover m[6];
    uint8_t *bytes = town_noise(N);
    (void)state;

    town_open(&t);
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < 3; i++) {
        b[i] = town_bridge_of(&t, 1);
        b[i].account = i < 2 ? 7 : 8;
        b[i].rate = i < 2 ? RATE : 0;
        assert_int_equal(bridge_open(t.bridges, &b[i]), 0);
        mover_start(&m[2 * i], town_dial_way(&b[i].way[0], 0), bytes, bytes, N);
        mover_start(&m[2 * i + 1], town_dial_way(&b[i].way[1], 0), bytes, bytes, N);
    }
    mover_end(&m[4]);
    mover_end(&m[5]);
    uint64_t free_one = now_ns() - begin;
    for (unsigned i = 0; i < 4; i++)
        mover_end(&m[i]);
    uint64_t all = now_ns() - begin; /* 4 MB at 2 MB/s, but for a burst */
    assert_true(all > 1600 * MILLISECOND && all < 6 * SECOND);
    assert_true(free_one < all / 2);
    town_until_done(&t, 3);
    town_close(&t);
    free(bytes);
}

/* P46: a stream whose reader stands still, and one that has no end, hold up no other. */
static void p46_a_stalled_and_an_endless_stream_delay_no_other(void **state)
{
    enum { N = 64 << 20 };
    struct town t;
    struct bridge stalled, endless, small;
    struct mover m[2];
    uint8_t *bytes = town_noise(N);
    (void)state;

    town_open(&t);
    town_bridge(&t, &stalled, 1);
    town_bridge(&t, &endless, 1);
    town_bridge(&t, &small, 1);
    int one = town_dial_way(&stalled.way[0], 0), two = town_dial_way(&stalled.way[1], 0);
    town_fill(one);
    mover_start(&m[0], town_dial_way(&endless.way[0], 0), bytes, bytes, N);
    mover_start(&m[1], town_dial_way(&endless.way[1], 0), bytes, bytes, N);
    int from = town_dial_way(&small.way[0], 0), to = town_dial_way(&small.way[1], 0);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t begin = now_ns();
        town_say(from, "ping", 4);
        town_hear(to, "ping", 4);
        assert_true(now_ns() - begin < SECOND);
    }
    mover_end(&m[0]);
    mover_end(&m[1]);
    close(from);
    close(to);
    close(one);
    close(two);
    town_until_done(&t, 3);
    town_close(&t);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s62_ways_are_of_128_bits_and_share_nothing),
        cmocka_unit_test(p43_wrong_reused_guessed_and_anothers_are_refused),
        cmocka_unit_test(oob_6_expired_and_closed_ways_are_refused),
        cmocka_unit_test(s31_late_and_slow_hellos_are_dropped),
        cmocka_unit_test(garbage_is_dropped_at_once),
        cmocka_unit_test(p45_ten_thousand_half_open_connections),
        cmocka_unit_test(p21_emfile_on_accept_does_not_spin),
        cmocka_unit_test(p21_a_stream_waits_for_a_pipe),
        cmocka_unit_test(p45_bridges_are_capped),
        cmocka_unit_test(relay_7_quota_ends_a_bridge_and_not_a_byte_earlier),
        cmocka_unit_test(relay_7_rate_is_an_accounts_and_delays_nobody_else),
        cmocka_unit_test(p46_a_stalled_and_an_endless_stream_delay_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

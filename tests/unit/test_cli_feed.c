/* Cutting a stream into messages: whatever is read in whatever pieces, the messages joined are the input. */
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX 49152

struct made {
    char *bytes;
    size_t n, count;
    size_t sizes[32];
};

static void collect(struct feed *feed, struct made *made)
{
    const char *bytes;
    size_t n;

    while (feed_next(feed, &bytes, &n)) {
        assert_true(n > 0 && n <= feed->max);
        assert_ptr_equal(memchr(bytes, '\n', n - 1), NULL);
        memcpy(made->bytes + made->n, bytes, n);
        made->n += n;
        if (made->count < 32)
            made->sizes[made->count] = n;
        made->count++;
    }
}

/* Feeds the input in pieces, and checks that nothing was added, lost or moved. */
static struct made cut(const char *input, size_t n, size_t piece, size_t max)
{
    struct feed feed;
    struct made made = {.bytes = malloc(n + 1)};

    feed_init(&feed, max);
    for (size_t at = 0; at < n;) {
        size_t room, now = n - at < piece ? n - at : piece;
        char *to = feed_room(&feed, &room);
        assert_true(room > 0);
        now = now < room ? now : room;
        memcpy(to, input + at, now);
        feed_add(&feed, now);
        at += now;
        collect(&feed, &made);
    }
    feed_end(&feed);
    collect(&feed, &made);
    feed_fini(&feed);
    assert_int_equal(made.n, n);
    assert_memory_equal(made.bytes, input, n);
    free(made.bytes);
    return made;
}

static void lines_keep_their_newline(void **state)
{
    static const char input[] = "one\n\n\nfour\nno newline";
    (void)state;

    for (size_t piece = 1; piece < sizeof input; piece++) {
        struct made made = cut(input, strlen(input), piece, MAX);
        assert_int_equal(made.count, 5);
        assert_int_equal(made.sizes[0], 4);
        assert_int_equal(made.sizes[1], 1);
        assert_int_equal(made.sizes[4], 10);
    }
    assert_int_equal(cut("", 0, 1, MAX).count, 0);
    assert_int_equal(cut("\n", 1, 1, MAX).count, 1);
    assert_int_equal(cut("\0\0\n\0", 4, 1, MAX).count, 2);
}

/* A line of exactly `max` bytes with its newline is one message; one byte more, and it is two. */
static void s20_lines_at_the_limit(void **state)
{
    static char input[3 * MAX];
    (void)state;

    memset(input, 'x', sizeof input);
    for (size_t n = MAX - 1; n <= MAX + 1; n++)
        for (size_t piece = 1; piece < 2 * MAX; piece = piece * 7 + 1) {
            input[n - 1] = '\n';
            struct made made = cut(input, n, piece, MAX);
            assert_int_equal(made.count, n > MAX ? 2 : 1);
            assert_int_equal(made.sizes[0], n > MAX ? MAX : n);
            input[n - 1] = 'x';
            assert_int_equal(cut(input, n, piece, MAX).count, n > MAX ? 2 : 1);
        }
    assert_int_equal(cut(input, sizeof input, 100000, MAX).count, 3);
}

static void any_bytes_in_any_pieces(void **state)
{
    size_t n = 1 << 20;
    char *input = malloc(n);
    uint32_t x = 1;
    (void)state;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        input[i] = i % 300000 < 100000 ? 'y' : (char)(x >> 24);
    }
    for (size_t piece = 999; piece < n; piece *= 9)
        assert_true(cut(input, n, piece, 32768).count > 100);
    free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_keep_their_newline),
        cmocka_unit_test(s20_lines_at_the_limit),
        cmocka_unit_test(any_bytes_in_any_pieces),
    };

    return cmocka_run_group_tests_name("cli_feed", tests, NULL, NULL);
}

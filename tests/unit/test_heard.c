/* Messages of a propagate pipe that wait for its reader. */
#include "heard.h"

#include "batch.h"
#include "err.h"
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct node_id origin = {{7}};
static const struct tag id = {{9}};

static void messages_keep_their_order_and_their_bytes(void **state)
{
    (void)state;
    struct heard q = {0};
    const char *const text[] = {"one", "", "three"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(heard_add(&q, &origin, &id, text[i], strlen(text[i])), 0);
    for (size_t i = 0; i < 3; i++) {
        struct batch batch;
        const uint8_t *bytes;
        size_t at = 0, n;
        assert_non_null(q.oldest);
        assert_int_equal(q.oldest->number, i + 1);
        assert_true(id_equal(&q.oldest->origin, &origin) && tag_equal(&q.oldest->id, &id));
        assert_int_equal(batch_read(q.oldest->batch, q.oldest->n, &batch), 0);
        assert_true(batch_next(&batch, &at, &bytes, &n));
        assert_int_equal(n, strlen(text[i]));
        assert_memory_equal(bytes, text[i], n);
        heard_drop_oldest(&q);
    }
    assert_null(q.oldest);
    assert_int_equal(q.bytes, 0);
    assert_int_equal(q.dropped, 0);
}

static void p45_the_oldest_make_room_and_are_counted(void **state)
{
    (void)state;
    struct heard q = {0};
    static const uint8_t message[SPREAD_BYTES_MAX];
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(heard_add(&q, &origin, &id, message, sizeof message), 0);
    assert_true(q.bytes <= 1 << 20);
    assert_int_equal(q.count, 1000);
    assert_int_equal(q.oldest->number, q.dropped + 1);
    assert_int_equal(q.newest->number, 1000);
    assert_true(q.dropped > 960 && q.dropped < 1000);
    heard_fini(&q);
    assert_int_equal(q.bytes, 0);
}

/* So that a million empty messages are not free. */
static void p45_empty_messages_count_too(void **state)
{
    (void)state;
    struct heard q = {0};
    for (size_t i = 0; i < 50000; i++)
        assert_int_equal(heard_add(&q, &origin, &id, "", 0), 0);
    assert_true(q.dropped > 30000);
    heard_fini(&q);
}

static void a_message_has_its_most_bytes_and_no_more(void **state)
{
    (void)state;
    struct heard q = {0};
    static const uint8_t message[PIPE_MESSAGE_MAX + 1];
    assert_int_equal(heard_add(&q, &origin, &id, message, sizeof message), ERR_LIMIT);
    assert_int_equal(q.count, 0);
    assert_int_equal(heard_add(&q, &origin, &id, message, PIPE_MESSAGE_MAX), 0);
    heard_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_order_and_their_bytes),
        cmocka_unit_test(p45_the_oldest_make_room_and_are_counted),
        cmocka_unit_test(p45_empty_messages_count_too),
        cmocka_unit_test(a_message_has_its_most_bytes_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

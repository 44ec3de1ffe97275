/* The sender's queue: order, credit, bounds, acknowledgements that are wrong, and binders that change. */
#include "outflow.h"

#include "err.h"
#include "flow_messages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PLENTY (1u << 30)

static int push(struct outflow *f, uint32_t count, size_t size)
{
    static struct numbers n;
    return outflow_push(f, numbers_from(&n, f->pushed, count, size));
}

/* Sends all that may go: how many parts. */
static size_t send_all(struct outflow *f)
{
    struct outflow_part part;
    size_t parts = 0;
    while (outflow_next(f, &part)) {
        assert_int_equal(numbers_check(&part.batch, part.seq), part.seq + part.batch.count);
        outflow_sent(f, &part);
        parts++;
    }
    return parts;
}

static void opened(struct outflow *f, uint64_t credit)
{
    outflow_init(f);
    assert_int_equal(outflow_open(f, 1, 1, credit), 0);
}

static void small_batches_that_wait_leave_together(void **state)
{
    (void)state;
    struct outflow f;
    outflow_init(&f);
    for (int i = 0; i < 100; i++)
        assert_int_equal(push(&f, 3, 40), 0);
    assert_int_equal(outflow_open(&f, 1, 1, PLENTY), 0);
    assert_int_equal(send_all(&f), 1);
    assert_int_equal(push(&f, 1, 40), 0);
    assert_int_equal(send_all(&f), 1);
    assert_int_equal(f.next, 302);
    outflow_fini(&f);
}

static void a_queue_takes_exactly_its_cap_and_says_full(void **state)
{
    (void)state;
    struct outflow f;
    opened(&f, PLENTY);
    uint64_t pushed = 0, cost = 200 * (256 + BATCH_HEAD + PIPE_MESSAGE_COST);
    while (push(&f, 200, 256) == 0)
        pushed++;
    assert_int_equal(pushed, PIPE_QUEUE_BYTES / cost);
    assert_int_equal(push(&f, 200, 256), ERR_FULL);
    assert_int_equal(f.pushed, pushed * 200 + 1);
    assert_int_equal(outflow_room(&f), PIPE_QUEUE_BYTES - pushed * cost);
    send_all(&f);
    assert_int_equal(push(&f, 200, 256), ERR_FULL); /* sending frees nothing */
    assert_int_equal(outflow_ack(&f, 202, PLENTY), 0);
    assert_int_equal(push(&f, 200, 256), 0);
    assert_int_equal(outflow_ack(&f, f.next, PLENTY), 0);
    send_all(&f);
    assert_int_equal(outflow_ack(&f, f.next, PLENTY), 0);
    assert_true(outflow_empty(&f));
    assert_int_equal(outflow_room(&f), PIPE_QUEUE_BYTES);
    outflow_fini(&f);
}

static void p44_never_more_is_sent_than_there_is_credit_for(void **state)
{
    (void)state;
    struct outflow f;
    struct outflow_part part;
    uint64_t each = 100 + BATCH_HEAD + PIPE_MESSAGE_COST;
    opened(&f, 0);
    assert_int_equal(push(&f, 10, 100), 0);
    assert_false(outflow_next(&f, &part));
    assert_int_equal(outflow_ack(&f, 1, each - 1), 0);
    assert_false(outflow_next(&f, &part));
    assert_int_equal(outflow_ack(&f, 1, 3 * each + 5), 0); /* three messages of ten: the batch is parted */
    assert_true(outflow_next(&f, &part));
    assert_int_equal(part.batch.count, 3);
    outflow_sent(&f, &part);
    assert_false(outflow_next(&f, &part));
    assert_int_equal(outflow_ack(&f, 2, 10 * each), 0);
    assert_true(outflow_next(&f, &part));
    assert_int_equal(part.seq, 4);
    assert_int_equal(part.batch.count, 7);
    numbers_check(&part.batch, 4);
    outflow_fini(&f);
}

static void p44_wrong_acknowledgements_change_nothing(void **state)
{
    (void)state;
    struct outflow f;
    opened(&f, 1000);
    assert_int_equal(push(&f, 5, 10), 0);
    assert_int_equal(send_all(&f), 1);
    assert_int_equal(outflow_ack(&f, 7, 1000), ERR_MALFORMED);         /* beyond what was sent */
    assert_int_equal(outflow_ack(&f, INT64_MAX, 1000), ERR_MALFORMED); /* far beyond */
    assert_int_equal(outflow_ack(&f, 4, 999), ERR_MALFORMED);          /* credit taken back */
    assert_int_equal(f.taken, 1);
    assert_int_equal(outflow_ack(&f, 4, 1000), 0);
    assert_int_equal(outflow_ack(&f, 3, 1000), ERR_MALFORMED); /* backwards */
    assert_int_equal(outflow_ack(&f, 4, 1000), 0);             /* again is fine */
    assert_int_equal(f.taken, 4);
    assert_int_equal(outflow_open(&f, 4, 3, 1000), ERR_MALFORMED);
    assert_int_equal(outflow_open(&f, 4, 7, 1000), ERR_MALFORMED);
    outflow_fini(&f);
}

static void p44_numbers_end_at_their_maximum(void **state)
{
    (void)state;
    struct outflow f;
    outflow_init(&f);
    f.taken = f.pushed = f.next = f.acked = f.reach = f.doubt = INT64_MAX - 3;
    assert_int_equal(push(&f, 3, 8), ERR_LIMIT);
    assert_int_equal(push(&f, 2, 8), 0);
    assert_int_equal(push(&f, 1, 8), ERR_LIMIT);
    assert_int_equal(outflow_open(&f, INT64_MAX - 3, INT64_MAX - 3, 1000), 0);
    assert_int_equal(send_all(&f), 1);
    assert_int_equal(outflow_ack(&f, INT64_MAX - 1, 1000), 0);
    assert_true(outflow_empty(&f));
    outflow_fini(&f);
}

static void p44_another_binder_is_sent_all_that_was_not_taken(void **state)
{
    (void)state;
    struct outflow f;
    struct outflow_part part;
    opened(&f, PLENTY);
    for (int i = 0; i < 3; i++)
        assert_int_equal(push(&f, 10, 2000), 0); /* two parcels */
    assert_int_equal(send_all(&f), 2);
    assert_int_equal(push(&f, 10, 2000), 0); /* and these were never sent */
    assert_int_equal(outflow_ack(&f, 5, PLENTY), 0);
    assert_int_equal(outflow_open(&f, 5, 5, PLENTY), 0);
    assert_true(outflow_next(&f, &part));
    assert_int_equal(part.seq, 5); /* the first part is trimmed */
    assert_true(part.again);
    assert_int_equal(numbers_check(&part.batch, 5), 5 + part.batch.count);
    bool again = true;
    while (outflow_next(&f, &part)) {
        assert_true(part.again == (part.seq < 31));
        again = part.again;
        outflow_sent(&f, &part);
    }
    assert_int_equal(f.next, 41);
    assert_true(again); /* the last part began with old ones */
    outflow_fini(&f);
}

static void p44_the_same_binder_is_sent_what_it_lacks(void **state)
{
    (void)state;
    struct outflow f;
    struct outflow_part part;
    opened(&f, PLENTY);
    assert_int_equal(push(&f, 20, 100), 0);
    send_all(&f);
    assert_int_equal(outflow_ack(&f, 5, PLENTY), 0);
    assert_int_equal(outflow_open(&f, 5, 12, PLENTY), 0); /* it has 5 to 11 */
    assert_true(outflow_next(&f, &part));
    assert_int_equal(part.seq, 12);
    assert_false(part.again);
    assert_int_equal(numbers_check(&part.batch, 12), 21);
    assert_int_equal(outflow_ack(&f, 12, PLENTY), 0);
    outflow_fini(&f);
}

static void what_the_binder_of_before_took_late_is_not_sent_again(void **state)
{
    (void)state;
    struct outflow f;
    struct outflow_part part;
    opened(&f, PLENTY);
    assert_int_equal(push(&f, 20, 100), 0);
    send_all(&f);
    assert_int_equal(outflow_taken(&f, 8), 0);
    assert_int_equal(outflow_open(&f, 5, 5, PLENTY), ERR_STATE); /* it was asked before that was known */
    assert_int_equal(outflow_open(&f, 8, 8, PLENTY), 0);
    assert_int_equal(outflow_taken(&f, 12), ERR_STATE); /* the new one expects 8 */
    assert_false(outflow_next(&f, &part));
    assert_int_equal(push(&f, 1, 100), 0);
    assert_false(outflow_next(&f, &part));
    assert_int_equal(outflow_open(&f, 12, 12, PLENTY), 0);
    send_all(&f);
    assert_int_equal(f.next, 22);
    assert_int_equal(outflow_taken(&f, 23), ERR_MALFORMED);
    outflow_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_batches_that_wait_leave_together),
        cmocka_unit_test(a_queue_takes_exactly_its_cap_and_says_full),
        cmocka_unit_test(p44_never_more_is_sent_than_there_is_credit_for),
        cmocka_unit_test(p44_wrong_acknowledgements_change_nothing),
        cmocka_unit_test(p44_numbers_end_at_their_maximum),
        cmocka_unit_test(p44_another_binder_is_sent_all_that_was_not_taken),
        cmocka_unit_test(p44_the_same_binder_is_sent_what_it_lacks),
        cmocka_unit_test(what_the_binder_of_before_took_late_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What flows in a relayed session: messages, their pieces and credit, and what a relay can do to them. How sessions begin, and
 * the NEXTs that they travel in: test_session_begin.c. All of it between nodes: tests/sim/test_hostile_relays.c. */
#include "session_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- messages */

static void relay_7_messages_of_any_size_arrive_whole_both_ways(void **state)
{
    static const size_t sizes[] = {1, 2, 16366, 16367, 16368, 32734, 32735, 65535, 65536, 3};
    (void)state;
    struct ends *p = ends_new();
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i / 2];
        struct session *from = i % 2 ? p->b.session : p->a.session, *to = i % 2 ? p->a.session : p->b.session;
        uint8_t *bytes = pattern(n, (uint8_t)i);
        assert_int_equal(session_queue(from, bytes, n), 0);
        pass_parts(from, to);
        assert_message(to, bytes, n);
        free(bytes);
    }
    ends_free(p);
}

static void relay_7_messages_keep_their_order(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(session_queue(p->a.session, &i, 1), 0);
    pass_parts(p->a.session, p->b.session);
    for (uint8_t i = 0; i < 100; i++)
        assert_message(p->b.session, &i, 1);
    ends_free(p);
}

static void relay_7_credit_bounds_what_is_in_flight(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct held *h = calloc(4, sizeof *h);
    uint8_t *bytes = pattern(MSG_BYTES_MAX, 0);
    assert_int_equal(parts_of(p->a.session, bytes, MSG_BYTES_MAX, h, 4), 1); /* two whole pieces are more than the window */
    assert_int_equal(h[0].part.len, RELAY_PART_MAX);
    assert_true(p->a.session->out.sent <= RELAY_WINDOW);
    session_data(p->b.session, &h[0].part);
    assert_true(take_part(p->b.session, &h[1])); /* credit alone */
    assert_int_equal(h[1].part.len, 0);
    session_data(p->a.session, &h[1].part);
    assert_true(take_part(p->a.session, &h[2]));
    free(bytes);
    free(h);
    ends_free(p);
}

/* Whole messages that the link has not taken yet count: their memory is bounded too. */
static void relay_7_a_link_that_takes_nothing_gets_no_more(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    uint8_t *bytes = pattern(8000, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(session_queue(p->a.session, bytes, 8000), 0);
    pass_parts(p->a.session, p->b.session);
    assert_true(p->b.session->in.whole.bytes <= RELAY_WINDOW);
    assert_true(p->a.session->out.sealed.bytes > 0);
    for (unsigned i = 0; i < 100; i++) {
        struct held *h = calloc(1, sizeof *h);
        assert_message(p->b.session, bytes, 8000);
        if (take_part(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
        pass_parts(p->a.session, p->b.session);
    }
    assert_null(p->b.session->in.whole.first);
    free(bytes);
    ends_free(p);
}

static void s26_the_queue_of_a_session_is_bounded(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    uint8_t *bytes = pattern(MSG_BYTES_MAX, 0);
    unsigned taken = 0;
    while (session_queue(p->a.session, bytes, MSG_BYTES_MAX) == 0)
        taken++;
    assert_true(taken >= 14 && p->a.session->out.sealed.bytes <= SESSION_QUEUE_BYTES);
    assert_int_equal(session_queue(p->a.session, bytes, MSG_BYTES_MAX), ERR_FULL);
    for (unsigned i = 0; i < taken; i++) { /* what was refused has left nothing behind */
        pass_parts(p->a.session, p->b.session);
        assert_message(p->b.session, bytes, MSG_BYTES_MAX);
        struct held *h = calloc(1, sizeof *h);
        if (take_part(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
    }
    assert_null(p->b.session->in.whole.first);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN);
    free(bytes);
    ends_free(p);
}

/* ---- what a relay can do to what it carries */

static void assert_broken(const struct session *s)
{
    struct relay_part part;
    assert_int_equal(s->state.now, SESSION_ENDED);
    assert_int_equal(s->fault.code, ERR_VERIFY);
    assert_non_null(strstr(s->fault.text, "did not carry"));
    assert_true(session_part((struct session *)s, &part)); /* and the other side is told */
    assert_int_equal(part.kind, PART_CLOSE);
    assert_int_equal(part.code, ERR_VERIFY);
}

static void p42_each_changed_byte_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 + 1 + NOISE_TAG_BYTES; i++) {
        struct ends *p = ends_new();
        struct held *h = calloc(1, sizeof *h);
        assert_int_equal(parts_of(p->a.session, "ping", 4, h, 1), 1);
        h->bytes[i] ^= 0x10;
        session_data(p->b.session, &h->part);
        assert_broken(p->b.session);
        free(h);
        ends_free(p);
    }
}

static void p42_each_length_but_the_true_one_is_found(void **state)
{
    (void)state;
    for (uint16_t n = 1; n < 40; n++) {
        struct ends *p = ends_new();
        struct held *h = calloc(1, sizeof *h);
        assert_int_equal(parts_of(p->a.session, "ping", 4, h, 1), 1);
        bool is_true = h->part.len == n;
        h->part.len = n;
        session_data(p->b.session, &h->part);
        if (is_true)
            assert_int_equal(p->b.session->state.now, SESSION_OPEN);
        else
            assert_broken(p->b.session);
        free(h);
        ends_free(p);
    }
}

static void three_parts(struct ends *p, struct held *h)
{
    assert_int_equal(parts_of(p->a.session, "one", 3, &h[0], 1), 1);
    assert_int_equal(parts_of(p->a.session, "two", 3, &h[1], 1), 1);
    assert_int_equal(parts_of(p->a.session, "three", 5, &h[2], 1), 1);
}

/* Each order of parts in which the relay may hand them on, but the true one: numbers of parts of which the last breaks it. */
static void p42_dropped_repeated_and_reordered_parts_are_found(void **state)
{
    static const int orders[][3] = {{1, -1}, {2, -1}, {0, 0, -1}, {0, 2, -1}, {0, 1, 1}, {0, 1, 0}};
    (void)state;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        struct ends *p = ends_new();
        struct held *h = calloc(3, sizeof *h);
        three_parts(p, h);
        for (size_t i = 0; i < 3 && orders[k][i] >= 0; i++) {
            assert_int_equal(p->b.session->state.now, SESSION_OPEN);
            session_data(p->b.session, &h[orders[k][i]].part);
        }
        assert_broken(p->b.session);
        free(h);
        ends_free(p);
    }
}

static void p42_parts_of_another_session_are_found(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct session *a2, *b2;
    struct held *h = calloc(1, sizeof *h);
    open_session(p, 2, &a2, &b2);
    assert_int_equal(parts_of(a2, "two", 3, h, 1), 1);
    session_data(p->b.session, &h->part);
    assert_broken(p->b.session);
    assert_int_equal(p->b.warnings, 0);            /* nor can a stranger make us speak ill of one */
    assert_int_equal(b2->state.now, SESSION_OPEN); /* whose own bytes still come */
    session_data(b2, &h->part);
    assert_message(b2, "two", 3);
    free(h);
    ends_free(p);
}

/* What one side said comes back to it, as if the other had said it. */
static void p42_parts_sent_back_are_found(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct held *h = calloc(1, sizeof *h);
    assert_int_equal(parts_of(p->a.session, "one", 3, h, 1), 1);
    session_data(p->a.session, &h->part);
    assert_broken(p->a.session);
    assert_int_equal(p->a.warnings, 1); /* whoever runs the node should know of such a relay */
    free(h);
    ends_free(p);
}

static void s20_messages_before_the_break_are_kept_and_none_after(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct held *h = calloc(3, sizeof *h);
    three_parts(p, h);
    session_data(p->b.session, &h[0].part);
    session_data(p->b.session, &h[2].part);
    assert_broken(p->b.session);
    session_data(p->b.session, &h[1].part);
    assert_message(p->b.session, "one", 3);
    assert_null(p->b.session->in.whole.first);
    free(h);
    ends_free(p);
}

/* ---- credit that lies */

static void p42_more_than_was_granted_ends_the_session(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct held *h = calloc(1, sizeof *h);
    uint8_t *bytes = pattern(10000, 0);
    for (unsigned i = 0; i < 3; i++) {
        p->a.session->out.limit = INT64_MAX; /* this side believes whatever the relay says */
        assert_int_equal(parts_of(p->a.session, bytes, 10000, h, 1), 1);
        session_data(p->b.session, &h->part);
    }
    assert_int_equal(p->b.session->state.now, SESSION_ENDED);
    assert_int_equal(p->b.session->fault.code, ERR_LIMIT);
    free(bytes);
    free(h);
    ends_free(p);
}

static void p42_credit_beyond_a_window_is_not_believed(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct relay_part part = {.kind = PART_DATA, .session = 1, .credit = INT64_MAX};
    session_data(p->a.session, &part);
    assert_int_equal(p->a.session->out.limit, RELAY_WINDOW);
    part.credit = 5; /* nor is granted credit taken back */
    session_data(p->a.session, &part);
    assert_int_equal(p->a.session->out.limit, RELAY_WINDOW);
    ends_free(p);
}

/* ---- what the node at the other end can do: it seals what is no piece */

static void say_sealed(struct ends *p, const void *plain, size_t n)
{
    struct held *h = calloc(1, sizeof *h);
    assert_non_null(h);
    assert_int_equal(noise_seal(&p->a.session->noise, plain, n, h->bytes), 0);
    h->part = (struct relay_part){.kind = PART_DATA, .session = 1, .len = (uint16_t)(n + NOISE_TAG_BYTES), .bytes = h->bytes};
    session_data(p->b.session, &h->part);
    free(h);
}

static void s8_what_is_no_piece_ends_the_session(void **state)
{
    static const char *const wrong[] = {"", "\2a", "\377", "a"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ends *p = ends_new();
        say_sealed(p, wrong[i], strlen(wrong[i]));
        assert_int_equal(p->b.session->state.now, SESSION_ENDED);
        assert_int_equal(p->b.session->fault.code, ERR_MALFORMED);
        ends_free(p);
    }
}

static void s26_a_message_without_end_ends_the_session(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    uint8_t more[10001] = {1};
    unsigned pieces = 0;
    while (p->b.session->state.now == SESSION_OPEN && ++pieces < 100) {
        struct held *h = calloc(1, sizeof *h);
        say_sealed(p, more, sizeof more);
        if (p->b.session->state.now == SESSION_OPEN && take_part(p->b.session, h))
            session_data(p->a.session, &h->part);
        free(h);
    }
    assert_int_equal(pieces, MSG_BYTES_MAX / 10000 + 1);
    assert_int_equal(p->b.session->fault.code, ERR_LIMIT);
    ends_free(p);
}

static void relay_7_pings_are_no_use_of_a_session(void **state)
{
    static const uint8_t ping[] = {0x93, MSG_PING, 0, 1}, list[] = {0x95, MSG_LIST, 1};
    (void)state;
    struct ends *p = ends_new();
    p->a.now = p->b.now = 10 * SECOND;
    assert_int_equal(session_queue(p->a.session, ping, sizeof ping), 0);
    pass_parts(p->a.session, p->b.session);
    assert_int_equal(session_idle(p->a.session), 9 * SECOND);
    assert_int_equal(session_idle(p->b.session), 9 * SECOND);
    assert_int_equal(session_queue(p->a.session, list, sizeof list), 0);
    pass_parts(p->a.session, p->b.session);
    assert_int_equal(session_idle(p->a.session), 0);
    assert_int_equal(session_idle(p->b.session), 0);
    ends_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_7_messages_of_any_size_arrive_whole_both_ways),
        cmocka_unit_test(relay_7_messages_keep_their_order),
        cmocka_unit_test(relay_7_credit_bounds_what_is_in_flight),
        cmocka_unit_test(relay_7_a_link_that_takes_nothing_gets_no_more),
        cmocka_unit_test(s26_the_queue_of_a_session_is_bounded),
        cmocka_unit_test(p42_each_changed_byte_is_found),
        cmocka_unit_test(p42_each_length_but_the_true_one_is_found),
        cmocka_unit_test(p42_dropped_repeated_and_reordered_parts_are_found),
        cmocka_unit_test(p42_parts_of_another_session_are_found),
        cmocka_unit_test(p42_parts_sent_back_are_found),
        cmocka_unit_test(s20_messages_before_the_break_are_kept_and_none_after),
        cmocka_unit_test(p42_more_than_was_granted_ends_the_session),
        cmocka_unit_test(p42_credit_beyond_a_window_is_not_believed),
        cmocka_unit_test(s8_what_is_no_piece_ends_the_session),
        cmocka_unit_test(s26_a_message_without_end_ends_the_session),
        cmocka_unit_test(relay_7_pings_are_no_use_of_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

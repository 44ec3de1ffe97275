/* Sessions of a relay: how they begin, what flows in them, who breaks them. How they end is test_relay_ends.c's. */
#include "relay_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PIECE 17 /* the shortest DATA */

/* ---- how they begin */

/* Each step of the method, by what goes over which link under which number. */
static void relay_1_to_6_a_request_rides_in_an_answer_to_its_holder(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t waiting = node_next(n, BOB);
    uint64_t request = node_use(n, ANNA, BOB, "pictures"); /* relay_1: the resource is at bob, who asked for work */
    node_silent(n, ANNA);
    const struct msg *m = node_hear_a(n, BOB, MSG_NEXT_OK); /* relay_3: an answer of the normal flow, on bob's own link */
    struct tag handle = handle_of(node_id_of(n, BOB), "pictures");
    assert_int_equal(m->request, waiting);
    assert_int_equal(m->part.kind, PART_USE); /* relay_4: anna's request in it */
    assert_true(tag_equal(&m->part.handle, &handle));
    assert_true(id_equal(&m->part.user, node_id_of(n, ANNA)));
    assert_int_equal(m->part.noise[NOISE_FIRST_BYTES - 1], 'u');
    assert_int_equal(m->part.credit, RELAY_WINDOW);
    uint64_t session = m->part.session; /* relay_5: what ties all of it together */
    assert_true(session > 0);
    node_accept(n, BOB, session); /* relay_6: his answer comes as his next request */
    m = node_hear_a(n, ANNA, MSG_USE_OK);
    assert_int_equal(m->request, request);
    assert_int_equal(m->use_ok.session, session);
    assert_int_equal(m->use_ok.credit, RELAY_WINDOW);
    assert_int_equal(m->use_ok.noise[NOISE_SECOND_BYTES - 1], 'h');
    node_data(n, ANNA, session, 100);
    const struct relay_part *part = node_part(n, BOB, PART_DATA);
    assert_int_equal(part->session, session);
    assert_int_equal(part->len, 100);
    node_data(n, BOB, session, RELAY_PART_MAX);
    part = node_part(n, ANNA, PART_DATA);
    assert_int_equal(part->session, session);
    assert_int_equal(part->len, RELAY_PART_MAX);
    node_free(n);
}

static void p42_parts_of_two_sessions_never_mix(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t annas = node_session(n, ANNA, BOB, "pictures"), carls = node_session(n, CARL, BOB, "pictures");
    assert_int_not_equal(annas, carls);
    node_nexts(n, ANNA, 4);
    node_nexts(n, CARL, 4);
    for (unsigned i = 0; i < 4; i++) {
        node_data(n, BOB, i % 2 ? annas : carls, 50 + i);
        const struct relay_part *part = node_part(n, i % 2 ? ANNA : CARL, PART_DATA);
        assert_int_equal(part->len, 50 + i);
        node_silent(n, i % 2 ? CARL : ANNA);
    }
    node_free(n);
}

static void a_use_waits_for_the_holder_to_ask_for_work(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_use(n, ANNA, BOB, "pictures");
    node_wait(n, RELAY_ACCEPT - SECOND);
    node_silent(n, ANNA);
    node_next(n, BOB);
    uint64_t session = node_part(n, BOB, PART_USE)->session;
    node_accept(n, BOB, session);
    node_hear_a(n, ANNA, MSG_USE_OK);
    node_free(n);
}

static void s31_a_holder_that_never_answers_costs_only_that_session(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_join(n, "dora", true);
    enum { DORA = EVE + 1 };
    node_reserve_ok(n, DORA);
    node_offer_ok(n, DORA, "music", true);
    uint64_t other = node_session(n, ANNA, DORA, "music");
    node_next(n, DORA);
    node_next(n, BOB);
    node_use(n, ANNA, BOB, "pictures");
    uint64_t asked = node_part(n, BOB, PART_USE)->session; /* and never accepts */
    node_use(n, CARL, BOB, "pictures");                    /* nor asks for more work */
    node_wait(n, RELAY_ACCEPT - MILLISECOND);
    node_silent(n, ANNA);
    node_data(n, ANNA, other, 33);
    assert_int_equal(node_part(n, DORA, PART_DATA)->len, 33);
    node_wait(n, 2 * MILLISECOND);
    node_refused(n, ANNA, ERR_TIMEOUT);
    node_refused(n, CARL, ERR_TIMEOUT);
    node_next(n, BOB);
    const struct relay_part *part = node_part(n, BOB, PART_CLOSE); /* of what he was asked, and of that only */
    assert_int_equal(part->session, asked);
    assert_int_equal(part->code, ERR_TIMEOUT);
    node_silent(n, BOB);
    node_data(n, ANNA, other, 34);
    assert_int_equal(node_part(n, DORA, PART_DATA)->len, 34);
    assert_int_equal(node_relay(n)->session_count, 1);
    node_free(n);
}

static void a_holder_that_refuses_is_heard_by_who_asked(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_next(n, BOB);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t request = node_use(n, ANNA, BOB, "pictures");
        node_close(n, BOB, node_part(n, BOB, PART_USE)->session, i ? ERR_OK : ERR_FULL, "come back tomorrow");
        const struct msg *m = node_hear_a(n, ANNA, MSG_ERROR);
        assert_int_equal(m->request, request);
        assert_int_equal(m->error.code, i ? ERR_REFUSED : ERR_FULL);
        assert_string_equal(m->error.text, "come back tomorrow");
    }
    assert_nothing_left(n);
    node_free(n);
}

static void who_asked_may_be_gone_before_the_answer(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    node_use(n, ANNA, BOB, "pictures"); /* not told to bob yet */
    node_lose(n, ANNA);
    assert_nothing_left(n);
    node_next(n, BOB);
    node_silent(n, BOB);
    node_use(n, CARL, BOB, "pictures"); /* told */
    uint64_t session = node_part(n, BOB, PART_USE)->session;
    node_lose(n, CARL);
    node_accept(n, BOB, session); /* crosses the news */
    const struct relay_part *part = node_part(n, BOB, PART_CLOSE);
    assert_int_equal(part->session, session);
    assert_int_equal(part->code, ERR_UNREACHABLE);
    assert_string_equal(part->text, "carl is gone");
    assert_nothing_left(n);
    node_free(n);
}

/* ---- NEXTs and turns */

static void of_more_nexts_than_may_wait_the_oldest_is_answered(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t first = node_next(n, BOB);
    node_nexts(n, BOB, RELAY_NEXTS_MAX - 1);
    node_silent(n, BOB);
    for (unsigned i = 0; i < 3; i++) {
        node_next(n, BOB);
        const struct msg *m = node_hear_a(n, BOB, MSG_NEXT_OK);
        assert_int_equal(m->request, first + i);
        assert_int_equal(m->part.kind, PART_NONE);
    }
    node_use(n, ANNA, BOB, "pictures");
    assert_int_equal(node_hear_a(n, BOB, MSG_NEXT_OK)->request, first + 3);
    node_free(n);
}

static void p46_a_session_in_use_does_not_hold_up_another(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t annas = node_session(n, ANNA, BOB, "pictures"), carls = node_session(n, CARL, BOB, "pictures");
    while (node_relay(n)->sessions->end[END_HOLDER].line->next_count > 0) { /* bob asks for nothing now */
        node_data(n, ANNA, annas, PIECE);
        node_part(n, BOB, PART_DATA);
    }
    for (unsigned i = 0; i < 4; i++)
        node_data(n, ANNA, annas, 1000);
    node_data(n, CARL, carls, 2000);
    node_nexts(n, BOB, 5);
    static const bool is_carls[] = {false, true, false, false, false};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(node_part(n, BOB, PART_DATA)->session, is_carls[i] ? carls : annas);
    node_silent(n, BOB);
    node_free(n);
}

static void a_link_that_is_full_loses_nothing(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures");
    node_nexts(n, BOB, 3);
    node_stuff(n, BOB, true);
    for (unsigned i = 0; i < 3; i++)
        node_data(n, ANNA, session, 100 + i);
    node_wait(n, SECOND / 2);
    node_silent(n, BOB);
    node_stuff(n, BOB, false);
    node_wait(n, SECOND / 10);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(node_part(n, BOB, PART_DATA)->len, 100 + i);
    node_free(n);
}

/* ---- credit */

static void what_waits_is_bounded_by_what_was_granted(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures");
    node_data(n, ANNA, session, RELAY_PART_MAX);
    node_part(n, BOB, PART_DATA);
    node_data(n, ANNA, session, RELAY_WINDOW - RELAY_PART_MAX);
    node_silent(n, ANNA);
    node_next(n, BOB); /* the last byte that was granted */
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, RELAY_WINDOW - RELAY_PART_MAX);
    node_credit(n, BOB, session, RELAY_WINDOW + 500);
    const struct relay_part *part = node_part(n, ANNA, PART_DATA);
    assert_int_equal(part->len, 0);
    assert_int_equal(part->credit, RELAY_WINDOW + 500);
    node_credit(n, BOB, session, 7); /* it never falls */
    node_credit(n, BOB, session, RELAY_WINDOW + 500);
    node_nexts(n, ANNA, 2);
    node_silent(n, ANNA);
    node_data(n, ANNA, session, 500);
    node_nexts(n, BOB, 2);
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, 500);
    node_free(n);
}

static void s26_more_than_was_granted_ends_the_session(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t carls = node_session(n, CARL, BOB, "pictures"), annas = node_session(n, ANNA, BOB, "pictures");
    uint64_t refused = node_core(n)->refused_messages;
    node_data(n, ANNA, annas, RELAY_PART_MAX);
    node_data(n, ANNA, annas, RELAY_WINDOW - RELAY_PART_MAX + 1);
    node_wait(n, MILLISECOND);
    const struct relay_part *part = node_part(n, ANNA, PART_CLOSE);
    assert_int_equal(part->session, annas);
    assert_int_equal(part->code, ERR_LIMIT);
    node_nexts(n, BOB, 4);
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, RELAY_PART_MAX); /* what was in order, was */
    assert_int_equal(node_part(n, BOB, PART_CLOSE)->code, ERR_LIMIT);
    assert_int_equal(node_core(n)->refused_messages, refused + 1);
    node_data(n, CARL, carls, 99);
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, 99);
    assert_int_equal(node_relay(n)->session_count, 1);
    node_free(n);
}

/* Whatever an end says that it takes: what waits here is a window. */
static void s22_credit_without_bounds_is_a_window_at_a_time(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures"), sent = 0, taken = 0, credit = RELAY_WINDOW;
    node_credit(n, BOB, session, INT64_MAX);
    node_nexts(n, ANNA, 4);
    node_silent(n, ANNA); /* all that he granted before is there to be used */
    for (unsigned i = 0; i < 100; i++) {
        for (; credit - sent >= 8000; sent += 8000)
            node_data(n, ANNA, session, 8000);
        assert_true(node_relay(n)->sessions->end[END_HOLDER].waiting.cap <= BACKLOG_MAX);
        node_next(n, BOB);
        for (const struct msg *m; (m = node_hear(n, BOB));)
            taken += m->part.len;
        node_wait(n, MILLISECOND);
        for (const struct msg *m; (m = node_hear(n, ANNA));)
            credit = m->part.credit > credit ? m->part.credit : credit;
        assert_true(credit <= taken + RELAY_WINDOW);
    }
    assert_true(taken >= 90 * 8000);
    node_data(n, ANNA, session, 16000);
    node_data(n, ANNA, session, 16000);
    node_wait(n, MILLISECOND);
    node_part(n, ANNA, PART_CLOSE);
    node_free(n);
}

/* ---- who breaks them */

static void s20_a_session_of_others_cannot_be_touched(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures"), before = node_core(n)->refused_messages;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t number = i % 2 ? session : session + 1000; /* one that is, and one that is not: there is no difference */
        if (i / 2 == 0)
            node_data(n, EVE, number, 100);
        else if (i / 2 == 1)
            node_accept(n, EVE, number);
        else
            node_close(n, EVE, number, ERR_OK, "");
        if (i / 2 < 2) {
            const struct relay_part *part = node_part(n, EVE, PART_CLOSE);
            assert_int_equal(part->session, number);
            assert_int_equal(part->code, ERR_NOT_FOUND);
        }
        node_silent(n, EVE);
    }
    assert_int_equal(node_core(n)->refused_messages, before + 4);
    assert_false(node_parted(n, EVE));
    struct msg *m = node_msg(n, MSG_BRIDGE, 1);
    m->bridge = (struct msg_bridge){.session = session, .streams = 1};
    node_say(n, EVE, m);
    node_refused(n, EVE, ERR_NOT_FOUND);
    node_nexts(n, ANNA, 2);
    node_data(n, ANNA, session, 40);
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, 40);
    node_data(n, BOB, session, 41);
    assert_int_equal(node_part(n, ANNA, PART_DATA)->len, 41);
    node_free(n);
}

/* The same client by another link is another client: it is the link that has the session. */
static void s20_a_session_belongs_to_a_link(void **state)
{
    (void)state;
    struct relay_node *n = relay_people(NULL);
    uint64_t session = node_session(n, ANNA, BOB, "pictures");
    size_t again = node_join_again(n, ANNA);
    node_data(n, again, session, 100);
    assert_int_equal(node_part(n, again, PART_CLOSE)->code, ERR_NOT_FOUND);
    node_data(n, ANNA, session, 100);
    assert_int_equal(node_part(n, BOB, PART_DATA)->len, 100);
    node_free(n);
}

enum wrong { ACCEPT_TWICE, ACCEPT_BY_USER, DATA_BEFORE_ACCEPT, DATA_BY_USER_BEFORE, DATA_TOO_SHORT, WRONGS };

static void do_wrong(struct relay_node *n, enum wrong wrong, uint64_t session)
{
    switch (wrong) {
    case ACCEPT_TWICE: node_accept(n, BOB, session); break;
    case ACCEPT_BY_USER: node_accept(n, ANNA, session); break;
    case DATA_BEFORE_ACCEPT: node_data(n, BOB, session, 100); break;
    case DATA_BY_USER_BEFORE: node_data(n, ANNA, session, 100); break;
    default: node_data(n, ANNA, session, PIECE - 1); break;
    }
}

static void s20_what_nobody_waits_for_ends_that_session_alone(void **state)
{
    (void)state;
    for (enum wrong wrong = 0; wrong < WRONGS; wrong++) {
        struct relay_node *n = relay_people(NULL);
        bool open = wrong == ACCEPT_TWICE || wrong == DATA_TOO_SHORT;
        uint64_t other = node_session(n, ANNA, BOB, "pictures"), session;
        node_nexts(n, ANNA, 2);
        node_nexts(n, BOB, 2);
        if (open) {
            session = node_session(n, ANNA, BOB, "pictures");
        } else {
            node_use(n, ANNA, BOB, "pictures");
            session = node_part(n, BOB, PART_USE)->session;
        }
        do_wrong(n, wrong, session);
        node_wait(n, MILLISECOND);
        const struct relay_part *part = node_part(n, BOB, PART_CLOSE);
        assert_int_equal(part->session, session);
        assert_int_not_equal(part->code, ERR_OK);
        if (open)
            assert_int_equal(node_part(n, ANNA, PART_CLOSE)->session, session);
        else
            node_refused(n, ANNA, part->code);
        node_data(n, ANNA, other, 77);
        assert_int_equal(node_part(n, BOB, PART_DATA)->session, other);
        node_data(n, BOB, other, 78);
        assert_int_equal(node_part(n, ANNA, PART_DATA)->session, other);
        assert_int_equal(node_relay(n)->session_count, 1);
        assert_false(node_parted(n, ANNA) || node_parted(n, BOB));
        node_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_1_to_6_a_request_rides_in_an_answer_to_its_holder),
        cmocka_unit_test(p42_parts_of_two_sessions_never_mix),
        cmocka_unit_test(a_use_waits_for_the_holder_to_ask_for_work),
        cmocka_unit_test(s31_a_holder_that_never_answers_costs_only_that_session),
        cmocka_unit_test(a_holder_that_refuses_is_heard_by_who_asked),
        cmocka_unit_test(who_asked_may_be_gone_before_the_answer),
        cmocka_unit_test(of_more_nexts_than_may_wait_the_oldest_is_answered),
        cmocka_unit_test(p46_a_session_in_use_does_not_hold_up_another),
        cmocka_unit_test(a_link_that_is_full_loses_nothing),
        cmocka_unit_test(what_waits_is_bounded_by_what_was_granted),
        cmocka_unit_test(s26_more_than_was_granted_ends_the_session),
        cmocka_unit_test(s22_credit_without_bounds_is_a_window_at_a_time),
        cmocka_unit_test(s20_a_session_of_others_cannot_be_touched),
        cmocka_unit_test(s20_a_session_belongs_to_a_link),
        cmocka_unit_test(s20_what_nobody_waits_for_ends_that_session_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

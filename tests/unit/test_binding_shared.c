/* Shared pipes, which several may have bound: who of them is believed, gathered, and taken first. */
#include "binding_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void trust(struct node *n, int first, int last)
{
    for (int i = first; i <= last; i++)
        n->trusted[i] = true;
}

/* The number of the message by which this peer was asked. */
static size_t asked(const struct node *n, int peer)
{
    for (size_t i = n->sent_count; i-- > 0;)
        if (n->sent[i]->m.type == MSG_QUERY && peer_number(n, &n->sent[i]->to) == peer)
            return i;
    fail_msg("peer %d was not asked", peer);
    return 0;
}

static struct msg *yes_rank(const struct node *n, int peer, uint8_t rank)
{
    struct msg *m = yes(n, asked(n, peer), &n->peer[peer]);
    m->answer.holder[0].rank = rank;
    return m;
}

static void pipe_7_several_binders_are_gathered_best_first(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 4);
    trust(n, 0, 4);
    n->rtt[1] = 9 * MILLISECOND;
    n->rtt[2] = 3 * MILLISECOND; /* nothing is known of the others */
    resolve(n, &want);
    assert_int_equal(n->sent_count, 5);
    answer(n, 0, yes_rank(n, 0, 7));
    answer(n, 1, yes_rank(n, 1, 5));
    answer(n, 2, yes_rank(n, 2, 5));
    answer(n, 3, yes_rank(n, 3, 5));
    assert_int_equal(n->results, 0);
    answer(n, 4, no(n, asked(n, 4)));
    assert_int_equal(n->results, 1); /* all have spoken */
    assert_int_equal(n->result.count, 4);
    assert_int_equal(n->result.asked, 5);
    static const int order[] = {2, 1, 3, 0}; /* by rank, then by round trip */
    for (size_t i = 0; i < 4; i++)
        assert_true(result_is(n, i, &n->peer[order[i]]));
    assert_int_equal(n->result.holder[3].rank, 7);
}

static void equals_are_in_order_of_id(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 5);
    trust(n, 0, 5);
    resolve(n, &want);
    for (int i = 5; i >= 0; i--)
        answer(n, i, yes_rank(n, i, 0));
    assert_int_equal(n->result.count, ANSWER_HOLDERS_MAX);
    for (size_t i = 1; i < ANSWER_HOLDERS_MAX; i++)
        assert_true(id_compare(&n->result.holder[i - 1].record.id, &n->result.holder[i].record.id) < 0);
}

static void after_the_first_answer_others_have_a_moment(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 3);
    trust(n, 0, 3);
    resolve(n, &want);
    n->now += 20 * MILLISECOND;
    answer(n, 1, yes_rank(n, 1, 5));
    run(n, n->now + GATHER_WAIT / 2);
    answer(n, 2, yes_rank(n, 2, 1)); /* prolongs nothing */
    run(n, n->now + GATHER_WAIT / 2 - 1);
    assert_int_equal(n->results, 0);
    run(n, n->now + 1);
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.count, 2);
    assert_true(result_is(n, 0, &n->peer[2]) && result_is(n, 1, &n->peer[1]));
    assert_int_equal(n->result.elapsed, 20 * MILLISECOND + GATHER_WAIT);
    answer(n, 3, yes_rank(n, 3, 0)); /* late */
    assert_int_equal(refused(n), 1);
}

static void s20_a_binder_that_is_not_trusted_is_not_taken(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 1);
    trust(n, 1, 1);
    resolve(n, &want);
    answer(n, 0, yes(n, asked(n, 0), &n->peer[0]));
    assert_int_equal(n->results, 0);
    assert_int_equal(n->b->cache.count, 0);
    struct msg *m = yes(n, asked(n, 1), &n->peer[5]); /* nor one that a trusted peer names; but the other that it names is */
    also(m, &n->peer[1], 9);
    answer(n, 1, m);
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.count, 1);
    assert_true(result_is(n, 0, &n->peer[1]));
    n->trusted[1] = false; /* what is cached does not outlive the trust */
    resolve(n, &want);
    assert_int_equal(n->results, 1);
    answer(n, 0, no(n, asked(n, 0)));
    answer(n, 1, yes(n, asked(n, 1), &n->peer[1]));
    assert_int_equal(n->results, 2);
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
}

static void of_several_holders_each_is_believed_for_itself(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 0);
    trust(n, 0, 5);
    resolve(n, &want);
    struct msg *m = yes(n, 0, &n->peer[3]);
    also(m, &n->peer[4], 0);
    also(m, &n->peer[5], 0);
    m->answer.holder[0].record.b[m->answer.holder[0].record.len - 1] ^= 1;
    strcpy(m->answer.holder[1].endpoint[0].text, "tcp://10.6.6.6:666");
    answer(n, 0, m);
    assert_int_equal(n->result.count, 1);
    assert_true(result_is(n, 0, &n->peer[5]));
    assert_true(id_equal(&n->result.holder[0].answered_by, &n->peer[0].identity.id));
}

static void pipe_7_another_binder_is_known_without_a_message_when_one_fails(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 2);
    trust(n, 0, 2);
    resolve(n, &want);
    for (int i = 0; i < 3; i++)
        answer(n, i, yes_rank(n, i, (uint8_t)i));
    assert_int_equal(n->result.count, 3);
    for (size_t left = 2; left > 0; left--) {
        binding_forget(n->b, &want.pipe, &n->result.holder[0].record.id);
        resolve(n, &want);
        assert_true(n->result.cached);
        assert_int_equal(n->result.count, left);
        assert_true(result_is(n, 0, &n->peer[3 - left]));
    }
    assert_int_equal(n->sent_count, 3);
    binding_forget(n->b, &want.pipe, &n->peer[2].identity.id);
    resolve(n, &want); /* now all are asked again */
    assert_int_equal(n->sent_count, 6);
}

static void a_no_clears_what_was_believed_of_who_says_it(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs(), by_tcp = want;
    by_tcp.transport = TRANSPORT_TCP;
    link_to_peers(n, 0, 1);
    trust(n, 0, 1);
    resolve(n, &want);
    answer(n, 0, yes_rank(n, 0, 0));
    answer(n, 1, yes_rank(n, 1, 1));
    resolve(n, &by_tcp);
    answer(n, 0, no(n, asked(n, 0)));
    resolve(n, &want);
    assert_true(n->result.cached && n->result.count == 1);
    assert_true(result_is(n, 0, &n->peer[1]));
    answer(n, 1, no(n, asked(n, 1)));
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    assert_int_equal(n->b->cache.count, 0);
}

static void late_answers_of_a_dead_incarnation_lose(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 1);
    trust(n, 0, 1);
    resolve(n, &want);
    answer(n, 0, yes_rank(n, 0, 0));
    answer(n, 1, yes_rank(n, 1, 1));
    n->newest[0] = n->peer[0].record.incarnation + 1; /* it was started again */
    resolve(n, &want);
    assert_true(n->result.cached && n->result.count == 1);
    assert_true(result_is(n, 0, &n->peer[1]));
}

static void an_answer_lives_no_longer_than_the_record(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 0);
    trust(n, 0, 0);
    n->peer[0].record.life_s = 10;
    someone_sign(&n->peer[0]);
    resolve(n, &want);
    answer(n, 0, yes(n, 0, &n->peer[0])); /* it says: 60 s */
    assert_int_equal(n->result.holder[0].expires, n->now + 10 * SECOND);
    run(n, n->now + 10 * SECOND);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 2);
}

static void pipe_3_a_question_for_one_transport_is_not_answered_from_another(void **state)
{
    struct node *n = *state;
    struct binding_want any = shared_logs(), ws = any, tcp = any;
    ws.transport = TRANSPORT_WS;
    tcp.transport = TRANSPORT_TCP;
    link_to_peers(n, 0, 0);
    trust(n, 0, 0);
    resolve(n, &any);
    answer(n, 0, yes(n, 0, &n->peer[0]));
    query(n, 0, query_of(&ws, 1, &n->peer[1], 0));
    query(n, 0, query_of(&tcp, 2, &n->peer[1], 0));
    query(n, 0, query_of(&any, 3, &n->peer[1], 0));
    assert_int_equal(sent(n, 1, MSG_ANSWER, 0)->answer.holder_count, 0);
    assert_int_equal(sent(n, 2, MSG_ANSWER, 0)->answer.holder_count, 0);
    assert_int_equal(sent(n, 3, MSG_ANSWER, 0)->answer.holder_count, 1);
    struct binding_want other_type = any;
    other_type.type = PIPE_PROPAGATE;
    query(n, 0, query_of(&other_type, 4, &n->peer[1], 0));
    assert_int_equal(sent(n, 4, MSG_ANSWER, 0)->answer.holder_count, 0);
}

static void trusted_peers_are_asked_before_others(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 11);
    trust(n, 4, 11);
    resolve(n, &want);
    assert_int_equal(n->sent_count, FAN_OUT);
    for (size_t i = 0; i < FAN_OUT; i++)
        assert_true(n->trusted[peer_number(n, &n->sent[i]->to)]);
    for (int i = 4; i <= 11; i++)
        answer(n, i, no(n, asked(n, i)));
    assert_int_equal(n->results, 0);
    assert_int_equal(n->sent_count, 12); /* then the rest, so that all who are linked have been asked */
    for (int i = 0; i <= 3; i++)
        answer(n, i, no(n, asked(n, i)));
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    assert_int_equal(n->result.asked, 12);
}

static void when_those_asked_are_silent_further_ones_are(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 11);
    trust(n, 0, 11);
    resolve(n, &want);
    run(n, T0 + ROUND_WAIT - 1);
    assert_int_equal(n->sent_count, FAN_OUT);
    run(n, T0 + ROUND_WAIT);
    assert_int_equal(n->sent_count, 12);
    run(n, T0 + QUERY_TIMEOUT);
    assert_int_equal(n->result.err, ERR_TIMEOUT);
}

static void a_binder_names_the_others_that_it_knows(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 1);
    trust(n, 0, 0);
    resolve(n, &want);
    answer(n, 0, yes_rank(n, 0, 3));
    answer(n, 1, no(n, asked(n, 1)));
    assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_ANY, 5), 0);
    query(n, 1, query_of(&want, 1, &n->peer[1], 1));
    const struct msg_answer *a = &sent(n, 2, MSG_ANSWER, 1)->answer;
    assert_int_equal(a->holder_count, 2);
    assert_true(answer_is(a, 0, &n->peer[0]) && answer_is(a, 1, &n->self));
}

static void a_node_between_gathers_too(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 4);
    query(n, 0, query_of(&want, 1, &n->peer[0], 2)); /* nobody is trusted here: the asker will choose */
    assert_int_equal(n->sent_count, 4);
    answer(n, 2, yes_rank(n, 2, 3));
    answer(n, 3, yes_rank(n, 3, 1));
    assert_int_equal(n->sent_count, 4);
    run(n, n->now + GATHER_BETWEEN);
    const struct msg_answer *a = &sent(n, 4, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 2);
    assert_true(answer_is(a, 0, &n->peer[3]) && answer_is(a, 1, &n->peer[2]));
    n->peer[2].record.seq++; /* believed to have it, these two are asked, and nobody else */
    query(n, 0, query_of(&want, 2, &n->peer[0], 1));
    assert_int_equal(n->sent_count, 7);
    sent(n, 5, MSG_QUERY, 3);
    sent(n, 6, MSG_QUERY, 2);
    answer(n, 3, no(n, 5));
    answer(n, 2, yes_rank(n, 2, 3));
    a = &sent(n, 7, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, binding_node_new, binding_node_free)
    const struct CMUnitTest tests[] = {
        TEST(pipe_7_several_binders_are_gathered_best_first),
        TEST(equals_are_in_order_of_id),
        TEST(after_the_first_answer_others_have_a_moment),
        TEST(s20_a_binder_that_is_not_trusted_is_not_taken),
        TEST(of_several_holders_each_is_believed_for_itself),
        TEST(pipe_7_another_binder_is_known_without_a_message_when_one_fails),
        TEST(a_no_clears_what_was_believed_of_who_says_it),
        TEST(late_answers_of_a_dead_incarnation_lose),
        TEST(an_answer_lives_no_longer_than_the_record),
        TEST(pipe_3_a_question_for_one_transport_is_not_answered_from_another),
        TEST(trusted_peers_are_asked_before_others),
        TEST(when_those_asked_are_silent_further_ones_are),
        TEST(a_binder_names_the_others_that_it_knows),
        TEST(a_node_between_gathers_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pipe binding protocol: whom it asks in which order, what it answers, and what it passes on. What it does not believe:
 * test_binding_hostile.c. */
#include "binding_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- pipes bound here */

static void pipe_2_and_6_a_query_for_a_pipe_bound_here_is_answered_with_record_and_endpoints(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->self);
    link_to_peers(n, 0, 0);
    assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_ANY, 3), 0);
    assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_TCP, 0), ERR_EXISTS);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    const struct msg_answer *a = &sent(n, 0, MSG_ANSWER, 0)->answer;
    const struct pipe_holder *h = &a->holder[0];
    assert_true(a->holder_count == 1 && tag_equal(&a->pipe, &want.pipe));
    assert_int_equal(h->rank, 3);
    assert_int_equal(h->incarnation, n->self.record.incarnation);
    assert_memory_equal(&h->record, &n->self.bytes, sizeof h->record);
    assert_int_equal(h->endpoint_count, 2);
    assert_string_equal(h->endpoint[0].text, n->self.record.endpoint[0].text);
    assert_string_equal(h->endpoint[0].iface, "eth0");
    assert_int_equal(n->changes, 1);
    binding_unbind(n->b, &want.pipe);
    query(n, 0, query_of(&want, 2, &n->peer[0], 0));
    assert_int_equal(sent(n, 1, MSG_ANSWER, 0)->answer.holder_count, 0);
    assert_int_equal(n->changes, 2);
}

static void pipe_3_an_answer_names_only_endpoints_that_speak_the_pipes_transport(void **state)
{
    struct node *n = *state;
    static const struct {
        enum transport bound, asked;
        int endpoints;
    } cases[] = {{TRANSPORT_ANY, TRANSPORT_TCP, 1}, {TRANSPORT_ANY, TRANSPORT_WS, 0},  {TRANSPORT_IPC, TRANSPORT_ANY, 1},
                 {TRANSPORT_IPC, TRANSPORT_IPC, 1}, {TRANSPORT_IPC, TRANSPORT_TCP, 0}, {TRANSPORT_ANY, TRANSPORT_ANY, 2}};
    struct binding_want want = files_of(&n->self);
    link_to_peers(n, 0, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        binding_unbind(n->b, &want.pipe);
        assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, cases[i].bound, 0), 0);
        want.transport = cases[i].asked;
        query(n, 0, query_of(&want, (int)i, &n->peer[0], 0));
        const struct msg_answer *a = &sent(n, i, MSG_ANSWER, 0)->answer;
        assert_int_equal(a->holder_count, cases[i].endpoints > 0);
        assert_int_equal(a->holder[0].endpoint_count, cases[i].endpoints);
        for (size_t k = 0; k < a->holder[0].endpoint_count; k++)
            assert_true(cases[i].asked == TRANSPORT_ANY || a->holder[0].endpoint[k].transport == cases[i].asked);
    }
    want.transport = TRANSPORT_ANY;
    want.type = PIPE_PROPAGATE; /* bound, but of another type */
    query(n, 0, query_of(&want, 100, &n->peer[0], 0));
    assert_false(sent(n, n->sent_count - 1, MSG_ANSWER, 0)->answer.holder_count > 0);
}

static void what_is_bound_here_is_known_without_a_message(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->self);
    link_to_peers(n, 0, 3);
    binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_ANY, 0);
    resolve(n, &want);
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.err, 0);
    assert_true(id_equal(&n->result.holder[0].answered_by, &n->self.identity.id));
    assert_int_equal(n->result.count, 1);
    assert_int_equal(n->result.holder[0].count, 2);
    assert_int_equal(n->sent_count, 0);
}

/* ---- asking */

static void pipe_6_the_wanted_peer_itself_is_asked_first_and_alone(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 11);
    resolve(n, &want);
    const struct msg_query *q = &sent(n, 0, MSG_QUERY, 4)->query;
    assert_int_equal(n->sent_count, 1);
    assert_int_equal(q->hops, 0);
    assert_true(q->wanted_count == 1 && id_equal(&q->wanted[0], &n->peer[4].identity.id));
    assert_true(q->visited_count == 1 && id_equal(&q->visited[0], &n->self.identity.id));
    n->now += 30 * MILLISECOND;
    answer(n, 4, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.err, 0);
    assert_int_equal(n->result.count, 1);
    assert_int_equal(n->result.holder[0].count, 2);
    assert_int_equal(n->result.elapsed, 30 * MILLISECOND);
    assert_true(id_equal(&n->result.holder[0].answered_by, &n->peer[4].identity.id));
    assert_true(result_is(n, 0, &n->peer[4]));
    assert_int_equal(n->result.holder[0].expires, n->now + 60 * SECOND);
}

static void an_answer_is_cached_until_it_expires_or_is_forgotten(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]), by_tcp = want;
    link_to_peers(n, 4, 4);
    resolve(n, &want);
    answer(n, 4, yes(n, 0, &n->peer[4]));
    resolve(n, &want);
    assert_int_equal(n->results, 2);
    assert_true(n->result.cached && n->result.err == 0);
    assert_int_equal(n->sent_count, 1);
    by_tcp.transport = TRANSPORT_TCP; /* another question */
    resolve(n, &by_tcp);
    assert_int_equal(n->sent_count, 2);
    answer(n, 4, no(n, 1)); /* a "no" clears what was believed of the pipe */
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 3);
    answer(n, 4, yes(n, 2, &n->peer[4]));
    binding_forget(n->b, &want.pipe, &n->peer[3].identity.id); /* another's */
    resolve(n, &want);
    assert_int_equal(n->sent_count, 3);
    binding_forget(n->b, &want.pipe, &n->peer[4].identity.id);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 4);
    answer(n, 4, yes(n, 3, &n->peer[4]));
    run(n, n->now + 61 * SECOND);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 5);
}

static void when_the_wanted_peer_is_silent_a_few_others_are_asked(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 11);
    resolve(n, &want);
    run(n, T0 + DIRECTED_WAIT - 1);
    assert_int_equal(n->sent_count, 1);
    run(n, T0 + DIRECTED_WAIT);
    assert_int_equal(n->sent_count, 1 + FAN_OUT);
    bool asked[PEERS] = {[4] = true};
    for (size_t i = 1; i < n->sent_count; i++) {
        const struct msg *m = sent(n, i, MSG_QUERY, -1);
        int to = peer_number(n, &n->sent[i]->to);
        assert_false(asked[to]); /* each at most once, the silent one not again */
        asked[to] = true;
        assert_int_equal(m->query.hops, 2);
    }
    int third = peer_number(n, &n->sent[3]->to);
    answer(n, third, yes(n, 3, &n->peer[4]));
    assert_int_equal(n->result.err, 0);
    assert_true(id_equal(&n->result.holder[0].answered_by, &n->peer[third].identity.id));
    assert_true(result_is(n, 0, &n->peer[4]));
}

static void when_the_wanted_peer_is_not_linked_others_are_asked_at_once(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 2);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 3);
    answer(n, 0, no(n, 0));
    answer(n, 1, no(n, 0));
    assert_int_equal(n->results, 0);
    answer(n, 2, no(n, 0));
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
}

static void the_wanted_peers_own_no_is_believed_at_once(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 11);
    resolve(n, &want);
    answer(n, 4, no(n, 0));
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    assert_int_equal(n->sent_count, 1);
}

static void a_question_ends_in_bounded_time(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    resolve(n, &want); /* nobody to ask */
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.err, ERR_UNREACHABLE);
    link_to_peers(n, 0, 4);
    resolve(n, &want);
    run(n, T0 + QUERY_TIMEOUT - 1);
    assert_int_equal(n->results, 1);
    run(n, T0 + QUERY_TIMEOUT);
    assert_int_equal(n->results, 2);
    assert_int_equal(n->result.err, ERR_TIMEOUT);
    size_t before = n->sent_count;
    answer(n, 4, yes(n, 0, &n->peer[4])); /* late */
    assert_int_equal(n->results, 2);
    assert_int_equal(refused(n), 1);
    assert_int_equal(n->sent_count, before);
    assert_int_equal(n->b->cache.count, 0);
}

static void a_cancelled_question_is_never_answered(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 4, 4);
    resolve(n, &want);
    binding_cancel(n->b, n);
    answer(n, 4, yes(n, 0, &n->peer[4]));
    run(n, T0 + MILLISECOND + QUERY_TIMEOUT);
    assert_int_equal(n->results, 0);
    resolve(n, &want);
    assert_int_equal(n->results, 0); /* teardown frees it while it is out */
}

/* ---- passing on */

static void pipe_5_a_node_between_asks_the_holder_and_answers_with_its_endpoint(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 6);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    const struct msg_query *q = &sent(n, 0, MSG_QUERY, 4)->query; /* the holder, and nobody else */
    assert_int_equal(n->sent_count, 1);
    assert_int_equal(q->hops, 0);
    assert_true(id_equal(&q->asker, &n->peer[0].identity.id));
    assert_int_equal(q->visited_count, 2);
    assert_true(id_equal(&q->visited[1], &n->self.identity.id));
    answer(n, 4, yes(n, 0, &n->peer[4]));
    const struct msg_answer *a = &sent(n, 1, MSG_ANSWER, 0)->answer;
    assert_true(answer_is(a, 0, &n->peer[4]));
    assert_int_equal(a->holder[0].endpoint_count, 2);
    assert_string_equal(a->holder[0].endpoint[0].text, n->peer[4].record.endpoint[0].text);
    assert_string_equal(a->holder[0].endpoint[0].iface, "eth0");
    assert_int_equal(a->holder[0].life_s, 60);
    struct binding_counts counts;
    binding_counts(n->b, &counts);
    assert_int_equal(counts.forwarded, 1);
    assert_int_equal(counts.cached, 1);
}

static void pipe_5_a_node_between_answers_from_its_cache_when_it_can_ask_nobody(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 0);
    link_to_peers(n, 4, 4);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    answer(n, 4, yes(n, 0, &n->peer[4]));
    n->linked[4] = false;
    run(n, n->now + 20 * SECOND);
    query(n, 0, query_of(&want, 2, &n->peer[0], 1));
    const struct msg_answer *a = &sent(n, 2, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 1);
    assert_int_equal(a->holder[0].life_s, 40); /* what is left of it */
    query(n, 0, query_of(&want, 3, &n->peer[0], 0));
    assert_true(sent(n, 3, MSG_ANSWER, 0)->answer.holder_count > 0);
    run(n, n->now + 41 * SECOND);
    query(n, 0, query_of(&want, 4, &n->peer[0], 0));
    assert_false(sent(n, 4, MSG_ANSWER, 0)->answer.holder_count > 0);
}

static void a_query_passed_on_ends_with_no_when_all_say_no_or_time_is_up(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[11]); /* not linked */
    link_to_peers(n, 0, 3);
    query(n, 0, query_of(&want, 1, &n->peer[0], 2));
    assert_int_equal(n->sent_count, 3); /* to all but whom it came from */
    answer(n, 1, no(n, 0));
    answer(n, 2, no(n, 0));
    assert_int_equal(n->sent_count, 3);
    answer(n, 3, no(n, 0));
    assert_false(sent(n, 3, MSG_ANSWER, 0)->answer.holder_count > 0);
    query(n, 0, query_of(&want, 2, &n->peer[0], 2));
    run(n, n->now + QUERY_TIMEOUT);
    assert_false(sent(n, n->sent_count - 1, MSG_ANSWER, 0)->answer.holder_count > 0);
    assert_int_equal(n->b->outstanding, 0);
}

static void a_query_goes_no_further_than_its_hops_and_its_visited_list(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    assert_false(sent(n, 0, MSG_ANSWER, 0)->answer.holder_count > 0);
    struct msg *m = query_of(&want, 2, &n->peer[0], 8);
    m->query.visited_count = QUERY_VISITED_MAX;
    query(n, 0, m);
    assert_false(sent(n, 1, MSG_ANSWER, 0)->answer.holder_count > 0);
    want = files_of(&n->peer[11]); /* not linked: others are asked, but not those who have seen it */
    m = query_of(&want, 3, &n->peer[0], 8);
    for (int i = 1; i <= 3; i++)
        m->query.visited[m->query.visited_count++] = n->peer[i].identity.id;
    query(n, 0, m);
    sent(n, 2, MSG_QUERY, 4);
    assert_int_equal(n->sent_count, 3);
}

static void a_query_that_comes_round_again_is_dropped(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    struct msg *m = query_of(&want, 1, &n->peer[0], 8);
    m->query.visited[m->query.visited_count++] = n->self.identity.id;
    query(n, 1, m);
    assert_int_equal(n->sent_count, 0);
    query(n, 0, query_of(&want, 2, &n->peer[0], 8));
    query(n, 1, query_of(&want, 2, &n->peer[0], 8)); /* the same, by another way */
    assert_int_equal(n->sent_count, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, binding_node_new, binding_node_free)
    const struct CMUnitTest tests[] = {
        TEST(pipe_2_and_6_a_query_for_a_pipe_bound_here_is_answered_with_record_and_endpoints),
        TEST(pipe_3_an_answer_names_only_endpoints_that_speak_the_pipes_transport),
        TEST(what_is_bound_here_is_known_without_a_message),
        TEST(pipe_6_the_wanted_peer_itself_is_asked_first_and_alone),
        TEST(an_answer_is_cached_until_it_expires_or_is_forgotten),
        TEST(when_the_wanted_peer_is_silent_a_few_others_are_asked),
        TEST(when_the_wanted_peer_is_not_linked_others_are_asked_at_once),
        TEST(the_wanted_peers_own_no_is_believed_at_once),
        TEST(a_question_ends_in_bounded_time),
        TEST(a_cancelled_question_is_never_answered),
        TEST(pipe_5_a_node_between_asks_the_holder_and_answers_with_its_endpoint),
        TEST(pipe_5_a_node_between_answers_from_its_cache_when_it_can_ask_nobody),
        TEST(a_query_passed_on_ends_with_no_when_all_say_no_or_time_is_up),
        TEST(a_query_goes_no_further_than_its_hops_and_its_visited_list),
        TEST(a_query_that_comes_round_again_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

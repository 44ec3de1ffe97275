/* Rendezvous nodes in the binding protocol: whom an asker asks, and what a rendezvous answers and passes on. */
#include "binding_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The peers from `first` to `last` are rendezvous nodes; the one of these that is the i-th nearest to a pipe. */
static int nearest(const struct node *n, const struct tag *pipe, int first, int last, int i)
{
    int order[PEERS], count = 0;
    for (int p = first; p <= last; p++) {
        int at = count++;
        for (; at > 0 && xor_nearer(pipe->b, &n->peer[p].identity.id, &n->peer[order[at - 1]].identity.id, TAG_BYTES); at--)
            order[at] = order[at - 1];
        order[at] = p;
    }
    return order[i];
}

static void relays(struct node *n, int first, int last)
{
    link_to_peers(n, first, last);
    for (int i = first; i <= last; i++)
        n->relay[i] = true;
}

/* A pipe of the owner that is nearer to one peer than to us (or not). */
static struct binding_want files_near(const struct node *n, const struct someone *owner, int peer, bool near)
{
    struct binding_want want = {.owned = true, .owner = owner->identity.id};
    for (int i = 0;; i++) {
        char name[16];
        snprintf(name, sizeof name, "files%d", i);
        want.pipe = pipe_owned(&owner->identity.id, name);
        if (xor_nearer(want.pipe.b, &n->peer[peer].identity.id, &n->self.identity.id, TAG_BYTES) == near)
            return want;
    }
}

/* ---- asking */

static void the_two_nearest_to_the_pipe_are_asked_and_nobody_else(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[11]);
    link_to_peers(n, 5, 10);
    relays(n, 0, 4);
    resolve(n, &want);
    assert_int_equal(n->sent_count, RELAYS_ASKED);
    for (int i = 0; i < RELAYS_ASKED; i++)
        assert_int_equal(sent(n, (size_t)i, MSG_QUERY, nearest(n, &want.pipe, 0, 4, i))->query.hops, 1);
    answer(n, nearest(n, &want.pipe, 0, 4, 1), yes(n, 1, &n->peer[11]));
    assert_int_equal(n->result.err, 0);
    assert_true(result_is(n, 0, &n->peer[11]));
}

static void the_owner_is_asked_before_any_rendezvous(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[6]);
    relays(n, 0, 4);
    link_to_peers(n, 6, 6);
    resolve(n, &want);
    assert_int_equal(n->sent_count, 1);
    sent(n, 0, MSG_QUERY, 6);
    run(n, n->now + DIRECTED_WAIT);
    assert_int_equal(n->sent_count, 1 + RELAYS_ASKED);
}

static void for_a_shared_pipe_trusted_peers_are_asked_beside_one_of_them(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    relays(n, 0, 2);
    link_to_peers(n, 3, 11);
    n->trusted[5] = n->trusted[7] = true;
    resolve(n, &want);
    assert_int_equal(n->sent_count, 3);
    sent(n, 0, MSG_QUERY, nearest(n, &want.pipe, 0, 2, 0));
    for (size_t i = 1; i < n->sent_count; i++) {
        int to = peer_number(n, &n->sent[i]->to);
        assert_true(to == 5 || to == 7);
        assert_int_equal(sent(n, i, MSG_QUERY, to)->query.hops, 0);
    }
    run(n, n->now + ROUND_WAIT); /* none of them answers */
    sent(n, 3, MSG_QUERY, nearest(n, &want.pipe, 0, 2, 1));
    assert_int_equal(n->sent_count, 4);
}

static void those_who_once_had_a_shared_pipe_are_asked_again(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    relays(n, 0, 0);
    link_to_peers(n, 5, 11);
    for (int i = 5; i <= 11; i++)
        n->trusted[i] = true;
    resolve(n, &want);
    struct msg *m = yes(n, 0, &n->peer[11]);
    also(m, &n->peer[10], 0);
    answer(n, 0, m);
    run(n, n->now + 61 * SECOND); /* what is cached has expired */
    size_t before = n->sent_count;
    resolve(n, &want);
    assert_int_equal(n->sent_count, before + SHARED_AT_ONCE);
    for (size_t i = before + 1; i <= before + 2; i++)
        assert_true(peer_number(n, &n->sent[i]->to) >= 10);
    n->linked[10] = n->linked[11] = false; /* until all say that nobody has it */
    for (size_t i = before; i < n->sent_count; i++)
        if (peer_number(n, &n->sent[i]->to) < 10)
            answer(n, peer_number(n, &n->sent[i]->to), no(n, i));
    run(n, n->now + QUERY_TIMEOUT);
    assert_int_equal(n->result.err, ERR_TIMEOUT);
    assert_int_equal(n->b->cache.count, 2);
    before = n->sent_count;
    resolve(n, &want);
    for (size_t i = before; i < n->sent_count; i++)
        answer(n, peer_number(n, &n->sent[i]->to), no(n, i));
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    assert_int_equal(n->b->cache.count, 0);
}

static void a_question_costs_few_messages_where_there_are_rendezvous_nodes(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    relays(n, 0, 2);
    link_to_peers(n, 3, 11);
    for (int i = 3; i < PEERS; i++)
        n->trusted[i] = true;
    resolve(n, &want);
    run(n, n->now + QUERY_TIMEOUT); /* nobody answers, so that more and more are asked */
    assert_int_equal(n->sent_count, ASKED_WITH_RELAYS);
    assert_int_equal(n->result.err, ERR_TIMEOUT);
}

static void when_rendezvous_nodes_say_no_a_few_others_are_asked(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[11]);
    relays(n, 0, 1);
    link_to_peers(n, 2, 10);
    resolve(n, &want);
    answer(n, 0, no(n, 0));
    assert_int_equal(n->sent_count, 2);
    answer(n, 1, no(n, 1));
    assert_int_equal(n->sent_count, ASKED_WITH_RELAYS);
    for (size_t i = 2; i < ASKED_WITH_RELAYS; i++)
        assert_int_equal(sent(n, i, MSG_QUERY, -1)->query.hops, 1);
    for (size_t i = 2; i < ASKED_WITH_RELAYS; i++)
        answer(n, peer_number(n, &n->sent[i]->to), no(n, i));
    assert_int_equal(n->result.err, ERR_NOT_FOUND);
    assert_int_equal(n->sent_count, ASKED_WITH_RELAYS);
}

/* ---- being a rendezvous */

static void pipe_5_a_rendezvous_asks_the_holder_that_it_is_linked_to(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 3);
    register_pipe(n, 2, &want, 4, 100 * SECOND);
    register_pipe(n, 3, &want, 1, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    assert_int_equal(n->sent_count, 2); /* the two, and nobody else */
    answer(n, 2, yes(n, 0, &n->peer[2]));
    answer(n, 3, yes(n, 1, &n->peer[3]));
    const struct msg_answer *a = &sent(n, 2, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 2);
    assert_int_equal(a->holder[0].life_s, 60); /* as the holders said */
}

static void pipe_5_a_rendezvous_answers_for_holders_that_it_cannot_ask(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 1);
    register_pipe(n, 2, &want, 4, 100 * SECOND);
    register_pipe(n, 3, &want, 1, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    const struct msg_answer *a = &sent(n, 0, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 2);
    assert_true(answer_is(a, 0, &n->peer[3]) && answer_is(a, 1, &n->peer[2])); /* with what they have signed */
    assert_int_equal(a->holder[0].rank, 1);
    assert_int_equal(a->holder[0].endpoint_count, 2);
    assert_int_equal(a->holder[0].life_s, 100);
}

static void a_silent_holder_is_answered_for_after_a_moment(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[2]);
    link_to_peers(n, 0, 2);
    register_pipe(n, 2, &want, 0, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    sent(n, 0, MSG_QUERY, 2);
    run(n, n->now + STALE_WAIT);
    assert_true(answer_is(&sent(n, 1, MSG_ANSWER, 0)->answer, 0, &n->peer[2]));
}

/* Two binders, one of them frozen: who answers is named, and the frozen one is not. */
static void pipe_7_a_frozen_binder_does_not_keep_others_waiting(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 3);
    register_pipe(n, 2, &want, 0, 100 * SECOND);
    register_pipe(n, 3, &want, 1, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    answer(n, 3, yes(n, 1, &n->peer[3]));
    run(n, n->now + GATHER_BETWEEN);
    const struct msg_answer *a = &sent(n, 2, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 1);
    assert_true(answer_is(a, 0, &n->peer[3]));
}

static void pipe_3_the_index_minds_type_transport_and_owner(void **state)
{
    struct node *n = *state;
    struct binding_want bound = files_of(&n->peer[2]);
    bound.transport = TRANSPORT_TCP;
    link_to_peers(n, 0, 0);
    register_pipe(n, 2, &bound, 0, 100 * SECOND);
    static const struct {
        enum pipe_type type;
        enum transport transport;
        bool other_owner;
        int found;
    } cases[] = {{PIPE_UNICAST, TRANSPORT_TCP, false, 1}, {PIPE_UNICAST, TRANSPORT_ANY, false, 1},
                 {PIPE_UNICAST, TRANSPORT_WS, false, 0},  {PIPE_PROPAGATE, TRANSPORT_ANY, false, 0},
                 {PIPE_UNICAST, TRANSPORT_ANY, true, 0},  {PIPE_UNICAST, TRANSPORT_IPC, false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct binding_want want = bound;
        want.type = cases[i].type;
        want.transport = cases[i].transport;
        want.owner = cases[i].other_owner ? n->peer[3].identity.id : want.owner;
        query(n, 0, query_of(&want, (int)i, &n->peer[0], 0));
        const struct msg_answer *a = &sent(n, i, MSG_ANSWER, 0)->answer;
        assert_int_equal(a->holder_count, cases[i].found);
        for (size_t e = 0; e < a->holder[0].endpoint_count; e++)
            assert_int_equal(a->holder[0].endpoint[e].transport, TRANSPORT_TCP);
    }
}

static void a_lease_of_an_earlier_life_or_that_is_over_answers_nothing(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 0);
    register_pipe(n, 2, &want, 0, 100 * SECOND);
    register_pipe(n, 3, &want, 0, 10 * SECOND);
    n->peer[2].record.incarnation = n->newest[2] = 8;
    someone_sign(&n->peer[2]);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    assert_int_equal(sent(n, 0, MSG_ANSWER, 0)->answer.holder_count, 1);
    run(n, n->now + 10 * SECOND);
    query(n, 0, query_of(&want, 2, &n->peer[0], 0));
    assert_int_equal(sent(n, 1, MSG_ANSWER, 0)->answer.holder_count, 0);
}

static void a_rendezvous_asks_one_that_is_nearer_and_never_one_that_is_not(void **state)
{
    struct node *n = *state;
    relays(n, 1, 1);
    link_to_peers(n, 0, 5);
    struct binding_want theirs = files_near(n, &n->peer[11], 1, true), ours = files_near(n, &n->peer[11], 1, false);
    query(n, 0, query_of(&ours, 1, &n->peer[0], 8));
    assert_int_equal(sent(n, 0, MSG_ANSWER, 0)->answer.holder_count, 0); /* at once, whatever the hops: it would be here */
    query(n, 0, query_of(&theirs, 2, &n->peer[0], 1));
    assert_int_equal(sent(n, 1, MSG_QUERY, 1)->query.hops, 0);
    answer(n, 1, yes(n, 1, &n->peer[11]));
    assert_true(answer_is(&sent(n, 2, MSG_ANSWER, 0)->answer, 0, &n->peer[11]));
    query(n, 1, query_of(&theirs, 3, &n->peer[0], 1)); /* from that very one: not back */
    assert_int_equal(n->sent_count, 4);
    sent(n, 3, MSG_ANSWER, 1);
}

/* Only the nearest rendezvous knows all binders of a shared pipe, however many are registered here. */
static void of_a_shared_pipe_the_nearest_rendezvous_is_asked_besides(void **state)
{
    struct node *n = *state;
    struct binding_want want = {.pipe = files_near(n, &n->peer[11], 1, true).pipe};
    relays(n, 1, 1);
    link_to_peers(n, 0, 5);
    for (int i = 2; i <= 5; i++)
        register_pipe(n, i, &want, (uint8_t)i, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 1));
    assert_int_equal(n->sent_count, BELIEVED_ASKED + 1); /* the best two, and that one */
    sent(n, 0, MSG_QUERY, 2);
    sent(n, 1, MSG_QUERY, 3);
    sent(n, 2, MSG_QUERY, 1);
    struct msg *m = yes(n, 2, &n->peer[11]);
    answer(n, 1, m);
    answer(n, 2, no(n, 0));
    answer(n, 3, yes(n, 1, &n->peer[3]));
    const struct msg_answer *a = &sent(n, 3, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, 4); /* these two, and those two that were not asked */
    for (size_t i = 0; i < a->holder_count; i++)
        assert_false(answer_is(a, i, &n->peer[2]));
}

static void what_is_registered_here_answers_our_own_questions(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[2]), shared = shared_logs();
    register_pipe(n, 2, &want, 0, 100 * SECOND);
    register_pipe(n, 2, &shared, 0, 100 * SECOND);
    resolve(n, &want);
    assert_true(result_is(n, 0, &n->peer[2]) && n->result.cached);
    assert_true(id_equal(&n->result.holder[0].answered_by, &n->self.identity.id));
    resolve(n, &shared);
    assert_int_equal(n->result.err, ERR_UNREACHABLE); /* by somebody who is not trusted */
    n->trusted[2] = true;
    resolve(n, &shared);
    assert_int_equal(n->result.err, 0);
    assert_int_equal(n->sent_count, 0);
}

/* Strangers register a shared pipe first and with the best of ranks. */
static void s44_strangers_do_not_crowd_out_a_trusted_binder(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 0);
    n->trusted[9] = true;
    for (int i = 1; i < 9; i++)
        register_pipe(n, i, &want, 0, 200 * SECOND);
    register_pipe(n, 9, &want, 200, 100 * SECOND);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    const struct msg_answer *a = &sent(n, 0, MSG_ANSWER, 0)->answer;
    assert_int_equal(a->holder_count, ANSWER_HOLDERS_MAX);
    assert_true(answer_is(a, 0, &n->peer[9]));
}

static void s26_a_storm_of_queries_at_a_rendezvous_is_answered_from_what_it_knows(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    register_pipe(n, 4, &want, 0, 100 * SECOND);
    for (int i = 0; i < 3000; i++)
        query(n, 0, query_of(&want, i, &n->peer[0], 1));
    assert_int_equal(n->b->outstanding, FORWARDS_PER_PEER_MAX);
    assert_int_equal(queries(n), FORWARDS_PER_PEER_MAX);
    assert_true(answer_is(&sent(n, n->sent_count - 1, MSG_ANSWER, 0)->answer, 0, &n->peer[4]));
    run(n, n->now + STALE_WAIT);
    assert_int_equal(n->b->outstanding, 0);
    assert_int_equal(n->sent_count, 3000 + FORWARDS_PER_PEER_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, binding_node_new, binding_node_free)
#define AT_RENDEZVOUS(f) cmocka_unit_test_setup_teardown(f, binding_rendezvous_new, binding_node_free)
    const struct CMUnitTest tests[] = {
        TEST(the_two_nearest_to_the_pipe_are_asked_and_nobody_else),
        TEST(the_owner_is_asked_before_any_rendezvous),
        TEST(for_a_shared_pipe_trusted_peers_are_asked_beside_one_of_them),
        TEST(those_who_once_had_a_shared_pipe_are_asked_again),
        TEST(a_question_costs_few_messages_where_there_are_rendezvous_nodes),
        TEST(when_rendezvous_nodes_say_no_a_few_others_are_asked),
        AT_RENDEZVOUS(pipe_5_a_rendezvous_asks_the_holder_that_it_is_linked_to),
        AT_RENDEZVOUS(pipe_5_a_rendezvous_answers_for_holders_that_it_cannot_ask),
        AT_RENDEZVOUS(a_silent_holder_is_answered_for_after_a_moment),
        AT_RENDEZVOUS(pipe_7_a_frozen_binder_does_not_keep_others_waiting),
        AT_RENDEZVOUS(pipe_3_the_index_minds_type_transport_and_owner),
        AT_RENDEZVOUS(a_lease_of_an_earlier_life_or_that_is_over_answers_nothing),
        AT_RENDEZVOUS(a_rendezvous_asks_one_that_is_nearer_and_never_one_that_is_not),
        AT_RENDEZVOUS(of_a_shared_pipe_the_nearest_rendezvous_is_asked_besides),
        AT_RENDEZVOUS(what_is_registered_here_answers_our_own_questions),
        AT_RENDEZVOUS(s44_strangers_do_not_crowd_out_a_trusted_binder),
        AT_RENDEZVOUS(s26_a_storm_of_queries_at_a_rendezvous_is_answered_from_what_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pipe binding protocol among peers that lie: answers that are not believed, kept or passed on, and storms of queries. */
#include "binding_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- answers that are not believed */

static void wrong_endpoint(struct node *n, struct msg *m)
{
    (void)n;
    strcpy(m->answer.holder[0].endpoint[1].text, "tcp://10.6.6.6:666");
    m->answer.holder[0].endpoint[1].transport = TRANSPORT_TCP;
}

static void wrong_scope(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder[0].endpoint[1].scope++;
}

static void other_holder(struct node *n, struct msg *m)
{
    m->answer.holder_count = 0;
    also(m, &n->peer[5], 0);
}

static void unsigned_record(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder[0].record.b[m->answer.holder[0].record.len - 1] ^= 1;
}

static void no_record(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder[0].record.len = 0;
}

static void other_incarnation(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder[0].incarnation++;
}

static void no_endpoint(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder[0].endpoint_count = 0;
}

static void other_type(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.type = PIPE_PROPAGATE;
}

static void other_pipe(struct node *n, struct msg *m)
{
    m->answer.pipe = pipe_owned(&n->peer[4].identity.id, "sync");
}

static void other_query(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.query.b[0] ^= 1;
}

static void s44_forged_answers_are_not_believed_kept_or_passed_on(void **state)
{
    struct node *n = *state;
    void (*const forge[])(struct node * n, struct msg * m) = {wrong_endpoint, wrong_scope,       other_holder, unsigned_record,
                                                              no_record,      other_incarnation, no_endpoint,  other_type,
                                                              other_pipe,     other_query};
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    for (size_t i = 0; i < sizeof forge / sizeof *forge; i++) {
        resolve(n, &want);
        query(n, 0, query_of(&want, (int)i + 1, &n->peer[0], 1)); /* somebody else asks the same */
        size_t ours = n->sent_count - 2, theirs = n->sent_count - 1;
        struct msg *m = yes(n, ours, &n->peer[4]);
        forge[i](n, m);
        answer(n, 4, m);
        m = yes(n, theirs, &n->peer[4]);
        forge[i](n, m);
        answer(n, 4, m);
        assert_int_equal(n->sent_count, theirs + 1);
        assert_int_equal(n->results, i);
        assert_int_equal(refused(n), 2 * (i + 1));
        assert_int_equal(n->b->cache.count, 0);
        run(n, n->now + QUERY_TIMEOUT);
        assert_int_equal(n->results, i + 1);
        assert_int_equal(n->result.err != 0, true);
    }
}

static void s44_an_answer_for_another_transport_is_not_believed(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    want.transport = TRANSPORT_TCP;
    link_to_peers(n, 4, 4);
    resolve(n, &want);
    answer(n, 4, yes(n, 0, &n->peer[4])); /* tcp and ipc */
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 1);
}

/* Peer 4 says that it can be reached by its first endpoint, and through a relay. */
static void behind(struct node *n, const struct node_id *relay)
{
    struct record *r = &n->peer[4].record;
    r->endpoint_count = 2;
    endpoint_set_relay(&r->endpoint[1], relay);
    someone_sign(&n->peer[4]);
}

static void s44_a_relay_that_is_the_holder_itself_is_not_believed(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 4, 4);
    behind(n, &n->peer[4].identity.id);
    resolve(n, &want);
    answer(n, 4, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 1);
}

static void answers_say_by_which_relays_the_holder_can_be_reached(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 1);
    behind(n, &n->peer[1].identity.id);
    resolve(n, &want);
    answer(n, 0, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.holder[0].count, 2);
    assert_int_equal(n->result.holder[0].endpoint[1].transport, TRANSPORT_RELAY);
}

static void s44_answers_by_peers_who_were_not_asked_are_not_believed(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 3, 4);
    resolve(n, &want);
    answer(n, 3, yes(n, 0, &n->peer[4]));
    answer(n, 3, no(n, 0));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 2);
    answer(n, 4, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 1);
}

/* A wrong answer costs a signature check: who has given one is not listened to again. */
static void s24_each_peer_answers_a_question_once(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 4, 4);
    resolve(n, &want);
    struct msg *m = yes(n, 0, &n->peer[4]);
    unsigned_record(n, m);
    answer(n, 4, m);
    answer(n, 4, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 2);
}

static void an_answer_from_an_earlier_life_loses(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 1);
    n->newest[4] = 8; /* the record in the answer says 7 */
    resolve(n, &want);
    answer(n, 0, yes(n, 0, &n->peer[4]));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 1);
    n->peer[4].record.incarnation = 8;
    someone_sign(&n->peer[4]);
    answer(n, 1, yes(n, 1, &n->peer[4]));
    assert_int_equal(n->result.err, 0);
    assert_int_equal(n->result.holder[0].record.incarnation, 8);
}

/* ---- storms */

/* One peer asks without end; nobody answers. */
static void s26_a_storm_of_queries_leaves_room_for_others_and_for_our_own(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    for (int i = 0; i < 3000; i++)
        query(n, 0, query_of(&want, i, &n->peer[0], 1));
    assert_int_equal(n->b->outstanding, FORWARDS_PER_PEER_MAX);
    size_t passed = 0;
    for (size_t i = 0; i < n->sent_count; i++)
        passed += n->sent[i]->m.type == MSG_QUERY;
    assert_int_equal(passed, FORWARDS_PER_PEER_MAX);
    assert_int_equal(n->sent_count, 3000); /* the others got their "no" at once */
    query(n, 1, query_of(&want, 5000, &n->peer[1], 1));
    sent(n, n->sent_count - 1, MSG_QUERY, 4);
    resolve(n, &want);
    sent(n, n->sent_count - 1, MSG_QUERY, 4);
    run(n, n->now + QUERY_TIMEOUT);
    assert_int_equal(n->b->outstanding, 0);
}

static void p45_questions_of_ours_are_bounded(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 4, 4);
    for (int i = 0; i < QUERIES_MAX; i++)
        assert_int_equal(binding_resolve(n->b, &want, resolved, n), 0);
    assert_int_equal(binding_resolve(n->b, &want, resolved, n), ERR_FULL);
    run(n, n->now + QUERY_TIMEOUT);
    assert_int_equal(n->results, QUERIES_MAX);
    assert_int_equal(n->b->outstanding, 0);
}

/* Our own bindings we know ourselves: a record with our id is not news that another may bring. */
static void s20_nobody_else_says_what_is_bound_here(void **state)
{
    struct node *n = *state;
    struct binding_want want = shared_logs();
    link_to_peers(n, 0, 1);
    n->trusted[3] = true;
    resolve(n, &want);
    answer(n, 0, yes(n, 0, &n->self));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 1);
    answer(n, 1, yes(n, 1, &n->peer[3]));
    assert_int_equal(n->result.err, 0);
    assert_true(result_is(n, 0, &n->peer[3]));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, binding_node_new, binding_node_free)
    const struct CMUnitTest tests[] = {
        TEST(s44_forged_answers_are_not_believed_kept_or_passed_on),
        TEST(s44_an_answer_for_another_transport_is_not_believed),
        TEST(s44_a_relay_that_is_the_holder_itself_is_not_believed),
        TEST(answers_say_by_which_relays_the_holder_can_be_reached),
        TEST(s44_answers_by_peers_who_were_not_asked_are_not_believed),
        TEST(s24_each_peer_answers_a_question_once),
        TEST(an_answer_from_an_earlier_life_loses),
        TEST(s26_a_storm_of_queries_leaves_room_for_others_and_for_our_own),
        TEST(p45_questions_of_ours_are_bounded),
        TEST(s20_nobody_else_says_what_is_bound_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

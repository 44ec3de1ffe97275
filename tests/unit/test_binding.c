/* The pipe binding protocol against a node around it that is played by hand: whom it asks in which order, what it answers
 * and passes on, and which answers it does not believe. */
#include "binding.h"
#include "binding_internal.h"
#include "someone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PEERS 12
#define SENT_MAX 8192
#define T0 (100 * SECOND)

struct sent {
    struct node_id to;
    struct msg m;
};

struct node {
    struct binding *b;
    struct port port;
    struct timers timers;
    uint64_t now, random;
    struct someone self, peer[PEERS];
    uint64_t newest[PEERS]; /* incarnation of each that is known */
    bool linked[PEERS];
    size_t sent_count;
    struct sent *sent[SENT_MAX];
    unsigned results;
    struct binding_result result; /* the last */
};

/* ---- the node around it */

static uint64_t port_now(void *self)
{
    return ((struct node *)self)->now;
}

static void port_random(void *self, void *buf, size_t n)
{
    memset(buf, (int)(++((struct node *)self)->random & 0xff), n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct node *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct node *)self)->timers, t);
}

static int find(const struct node *n, const struct node_id *id)
{
    for (int i = 0; i < PEERS; i++)
        if (id_equal(&n->peer[i].identity.id, id))
            return i;
    return -1;
}

static int host_send(void *arg, const struct node_id *to, const struct msg *m)
{
    struct node *n = arg;
    int i = find(n, to);
    if (i < 0 || !n->linked[i])
        return ERR_UNREACHABLE;
    assert_true(n->sent_count < SENT_MAX);
    struct sent *s = n->sent[n->sent_count++] = malloc(sizeof *s);
    assert_non_null(s);
    s->to = *to;
    s->m = *m;
    return 0;
}

static size_t host_linked(void *arg, struct node_id *out, size_t max)
{
    struct node *n = arg;
    size_t count = 0;
    for (size_t i = 0; i < PEERS && count < max; i++)
        if (n->linked[i])
            out[count++] = n->peer[i].identity.id;
    return count;
}

static const struct record_bytes *host_own_record(void *arg, struct record *decoded)
{
    struct node *n = arg;
    *decoded = n->self.record;
    return &n->self.bytes;
}

static int host_take_record(void *arg, const struct record_bytes *bytes, struct record *decoded)
{
    struct node *n = arg;
    int err = record_decode(bytes, decoded);
    if (!err)
        err = record_verify(bytes, decoded);
    int i = err ? -1 : find(n, &decoded->id);
    if (i >= 0 && decoded->incarnation < n->newest[i])
        err = ERR_STATE;
    else if (i >= 0)
        n->newest[i] = decoded->incarnation;
    return err;
}

static int setup(void **state)
{
    struct node *n = *state = calloc(1, sizeof *n);
    assert_non_null(n);
    n->now = T0;
    timers_init(&n->timers);
    n->port = (struct port){
        .self = n, .now = port_now, .random = port_random, .timer_set = port_timer_set, .timer_cancel = port_timer_cancel};
    someone_make(&n->self, 99, "self");
    for (int i = 0; i < PEERS; i++)
        someone_make(&n->peer[i], i + 1, "peer");
    struct binding_host host = {.arg = n,
                                .port = &n->port,
                                .self = n->self.identity.id,
                                .send = host_send,
                                .linked = host_linked,
                                .own_record = host_own_record,
                                .take_record = host_take_record};
    return binding_new(&host, &n->b);
}

static int teardown(void **state)
{
    struct node *n = *state;
    binding_free(n->b);
    assert_int_equal(timers_next(&n->timers), TIMER_NEVER); /* nothing is left that could fire */
    timers_fini(&n->timers);
    for (size_t i = 0; i < n->sent_count; i++)
        free(n->sent[i]);
    free(n);
    return 0;
}

static void run(struct node *n, uint64_t until)
{
    while (timers_next(&n->timers) <= until) {
        n->now = timers_next(&n->timers) > n->now ? timers_next(&n->timers) : n->now;
        timers_run(&n->timers, n->now);
    }
    n->now = until;
}

/* ---- what tests say in one line */

static void link_to_peers(struct node *n, int first, int last)
{
    for (int i = first; i <= last; i++)
        n->linked[i] = true;
}

static struct binding_want files_of(const struct someone *s)
{
    return (struct binding_want){.pipe = pipe_owned(&s->identity.id, "files"), .owned = true, .owner = s->identity.id};
}

static void done(void *arg, const struct binding_result *result)
{
    struct node *n = arg;
    n->results++;
    n->result = *result;
}

static void resolve(struct node *n, const struct binding_want *want)
{
    unsigned before = n->results;
    assert_int_equal(binding_resolve(n->b, want, done, n), 0);
    assert_int_equal(n->results, before); /* never from inside the call */
    run(n, n->now);
}

/* The i-th message sent, which must be of this type and for this peer. */
static const struct msg *sent(const struct node *n, size_t i, enum msg_type type, int peer)
{
    assert_true(i < n->sent_count);
    assert_int_equal(n->sent[i]->m.type, type);
    if (peer >= 0)
        assert_int_equal(find(n, &n->sent[i]->to), peer);
    return &n->sent[i]->m;
}

/* The answer that `holder` would give to the i-th message sent, a query. */
static struct msg *yes(const struct node *n, size_t i, const struct someone *holder)
{
    const struct msg_query *q = &sent(n, i, MSG_QUERY, -1)->query;
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_ANSWER;
    m->answer.query = q->query;
    m->answer.pipe = q->pipe;
    m->answer.type = q->type;
    m->answer.found = true;
    m->answer.incarnation = holder->record.incarnation;
    m->answer.life_s = 60;
    m->answer.holder = holder->bytes;
    m->answer.endpoint_count = holder->record.endpoint_count;
    memcpy(m->answer.endpoint, holder->record.endpoint, sizeof m->answer.endpoint);
    return m;
}

static struct msg *no(const struct node *n, size_t i)
{
    struct msg *m = yes(n, i, &n->self);
    m->answer.found = false;
    m->answer.endpoint_count = 0;
    m->answer.holder.len = 0;
    return m;
}

static void answer(struct node *n, int from, struct msg *m)
{
    binding_on_answer(n->b, &n->peer[from].identity.id, m);
    free(m);
}

static uint64_t refused(const struct node *n)
{
    struct binding_counts counts;
    binding_counts(n->b, &counts);
    return counts.answers_refused;
}

static struct msg *query_of(const struct binding_want *want, int number, const struct someone *asker, uint8_t hops)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_QUERY;
    memset(m->query.query.b, number, TAG_BYTES);
    m->query.query.b[0] = (uint8_t)(number >> 8);
    m->query.pipe = want->pipe;
    m->query.type = want->type;
    m->query.transport = want->transport;
    m->query.hops = hops;
    m->query.asker = asker->identity.id;
    m->query.wanted_count = want->owned ? 1 : 0;
    m->query.wanted[0] = want->owner;
    m->query.visited_count = 1;
    m->query.visited[0] = asker->identity.id;
    return m;
}

static void query(struct node *n, int from, struct msg *m)
{
    binding_on_query(n->b, &n->peer[from].identity.id, m);
    free(m);
}

/* ---- pipes bound here */

static void pipe_2_and_6_a_query_for_a_pipe_bound_here_is_answered_with_record_and_endpoints(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->self);
    link_to_peers(n, 0, 0);
    assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_ANY), 0);
    assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_TCP), ERR_EXISTS);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    const struct msg_answer *a = &sent(n, 0, MSG_ANSWER, 0)->answer;
    assert_true(a->found && tag_equal(&a->pipe, &want.pipe));
    assert_int_equal(a->incarnation, n->self.record.incarnation);
    assert_memory_equal(&a->holder, &n->self.bytes, sizeof a->holder);
    assert_int_equal(a->endpoint_count, 2);
    assert_string_equal(a->endpoint[0].text, n->self.record.endpoint[0].text);
    assert_string_equal(a->endpoint[0].iface, "eth0");
    binding_unbind(n->b, &want.pipe);
    query(n, 0, query_of(&want, 2, &n->peer[0], 0));
    assert_false(sent(n, 1, MSG_ANSWER, 0)->answer.found);
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
        assert_int_equal(binding_bind(n->b, &want.pipe, PIPE_UNICAST, cases[i].bound), 0);
        want.transport = cases[i].asked;
        query(n, 0, query_of(&want, (int)i, &n->peer[0], 0));
        const struct msg_answer *a = &sent(n, i, MSG_ANSWER, 0)->answer;
        assert_int_equal(a->found, cases[i].endpoints > 0);
        assert_int_equal(a->endpoint_count, cases[i].endpoints);
        for (size_t k = 0; k < a->endpoint_count; k++)
            assert_true(cases[i].asked == TRANSPORT_ANY || a->endpoint[k].transport == cases[i].asked);
    }
    want.transport = TRANSPORT_ANY;
    want.type = PIPE_PROPAGATE; /* bound, but of another type */
    query(n, 0, query_of(&want, 100, &n->peer[0], 0));
    assert_false(sent(n, n->sent_count - 1, MSG_ANSWER, 0)->answer.found);
}

static void what_is_bound_here_is_known_without_a_message(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->self);
    link_to_peers(n, 0, 3);
    binding_bind(n->b, &want.pipe, PIPE_UNICAST, TRANSPORT_ANY);
    resolve(n, &want);
    assert_int_equal(n->results, 1);
    assert_int_equal(n->result.err, 0);
    assert_true(id_equal(&n->result.answered_by, &n->self.identity.id));
    assert_int_equal(n->result.count, 2);
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
    assert_int_equal(n->result.count, 2);
    assert_int_equal(n->result.elapsed, 30 * MILLISECOND);
    assert_true(id_equal(&n->result.answered_by, &n->peer[4].identity.id));
    assert_true(id_equal(&n->result.holder.id, &n->peer[4].identity.id));
    assert_int_equal(n->result.expires, n->now + 60 * SECOND);
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
    binding_forget(n->b, &want.pipe);
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
        int to = find(n, &n->sent[i]->to);
        assert_false(asked[to]); /* each at most once, the silent one not again */
        asked[to] = true;
        assert_int_equal(m->query.hops, 2);
    }
    int third = find(n, &n->sent[3]->to);
    answer(n, third, yes(n, 3, &n->peer[4]));
    assert_int_equal(n->result.err, 0);
    assert_true(id_equal(&n->result.answered_by, &n->peer[third].identity.id));
    assert_true(id_equal(&n->result.holder.id, &n->peer[4].identity.id));
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
    assert_null(binding_cached(n->b, &want));
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

/* ---- answers that are not believed */

static void wrong_endpoint(struct node *n, struct msg *m)
{
    (void)n;
    strcpy(m->answer.endpoint[1].text, "tcp://10.6.6.6:666");
    m->answer.endpoint[1].transport = TRANSPORT_TCP;
}

static void wrong_scope(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.endpoint[1].scope++;
}

static void other_holder(struct node *n, struct msg *m)
{
    m->answer.holder = n->peer[5].bytes;
    memcpy(m->answer.endpoint, n->peer[5].record.endpoint, sizeof m->answer.endpoint);
}

static void unsigned_record(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder.b[m->answer.holder.len - 1] ^= 1;
}

static void no_record(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.holder.len = 0;
}

static void other_incarnation(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.incarnation++;
}

static void no_endpoint(struct node *n, struct msg *m)
{
    (void)n;
    m->answer.endpoint_count = 0;
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
        assert_null(binding_cached(n->b, &want));
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
    assert_int_equal(n->result.holder.incarnation, 8);
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
    assert_true(a->found && a->endpoint_count == 2);
    assert_memory_equal(&a->holder, &n->peer[4].bytes, sizeof a->holder);
    assert_string_equal(a->endpoint[0].text, n->peer[4].record.endpoint[0].text);
    assert_string_equal(a->endpoint[0].iface, "eth0");
    assert_int_equal(a->life_s, 60);
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
    assert_true(a->found);
    assert_int_equal(a->life_s, 40); /* what is left of it */
    query(n, 0, query_of(&want, 3, &n->peer[0], 0));
    assert_true(sent(n, 3, MSG_ANSWER, 0)->answer.found);
    run(n, n->now + 41 * SECOND);
    query(n, 0, query_of(&want, 4, &n->peer[0], 0));
    assert_false(sent(n, 4, MSG_ANSWER, 0)->answer.found);
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
    assert_false(sent(n, 3, MSG_ANSWER, 0)->answer.found);
    query(n, 0, query_of(&want, 2, &n->peer[0], 2));
    run(n, n->now + QUERY_TIMEOUT);
    assert_false(sent(n, n->sent_count - 1, MSG_ANSWER, 0)->answer.found);
    assert_int_equal(n->b->outstanding, 0);
}

static void a_query_goes_no_further_than_its_hops_and_its_visited_list(void **state)
{
    struct node *n = *state;
    struct binding_want want = files_of(&n->peer[4]);
    link_to_peers(n, 0, 4);
    query(n, 0, query_of(&want, 1, &n->peer[0], 0));
    assert_false(sent(n, 0, MSG_ANSWER, 0)->answer.found);
    struct msg *m = query_of(&want, 2, &n->peer[0], 8);
    m->query.visited_count = QUERY_VISITED_MAX;
    query(n, 0, m);
    assert_false(sent(n, 1, MSG_ANSWER, 0)->answer.found);
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
        assert_int_equal(binding_resolve(n->b, &want, done, n), 0);
    assert_int_equal(binding_resolve(n->b, &want, done, n), ERR_FULL);
    run(n, n->now + QUERY_TIMEOUT);
    assert_int_equal(n->results, QUERIES_MAX);
    assert_int_equal(n->b->outstanding, 0);
}

/* Our own bindings we know ourselves: a record with our id is not news that another may bring. */
static void s20_nobody_else_says_what_is_bound_here(void **state)
{
    struct node *n = *state;
    struct binding_want want = {.pipe = pipe_shared("logs")};
    link_to_peers(n, 0, 1);
    resolve(n, &want);
    answer(n, 0, yes(n, 0, &n->self));
    assert_int_equal(n->results, 0);
    assert_int_equal(refused(n), 1);
    answer(n, 1, yes(n, 1, &n->peer[3]));
    assert_int_equal(n->result.err, 0);
    assert_true(id_equal(&n->result.holder.id, &n->peer[3].identity.id));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
        TEST(s44_forged_answers_are_not_believed_kept_or_passed_on),
        TEST(s44_an_answer_for_another_transport_is_not_believed),
        TEST(s44_answers_by_peers_who_were_not_asked_are_not_believed),
        TEST(s24_each_peer_answers_a_question_once),
        TEST(an_answer_from_an_earlier_life_loses),
        TEST(pipe_5_a_node_between_asks_the_holder_and_answers_with_its_endpoint),
        TEST(pipe_5_a_node_between_answers_from_its_cache_when_it_can_ask_nobody),
        TEST(a_query_passed_on_ends_with_no_when_all_say_no_or_time_is_up),
        TEST(a_query_goes_no_further_than_its_hops_and_its_visited_list),
        TEST(a_query_that_comes_round_again_is_dropped),
        TEST(s26_a_storm_of_queries_leaves_room_for_others_and_for_our_own),
        TEST(p45_questions_of_ours_are_bounded),
        TEST(s20_nobody_else_says_what_is_bound_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

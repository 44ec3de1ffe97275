/* A hostile peer in the simulated world that speaks the protocol well: requests without the right to them, answers that
 * nobody asked for, false ones about pipes, and guessed tickets. */
#include "hostile.h"
#include "ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- rights */

static void s8_to_a_stranger_a_private_share_is_as_one_that_is_not_there(void **state)
{
    (void)state;
    struct world *w = hostile_world(16);
    struct msg *answer[2] = {message(0, 0), message(0, 0)};
    static const char *const names[2] = {"shut", "gone"};
    share(w, "/srv/shut", false);
    link_no link = greet(w, MALLORY);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < 2; i++) {
            say_new(w, MALLORY, link, asking(w, kind ? MSG_FETCH : MSG_LIST, 7, names[i]));
            soon(w);
            assert_int_equal(heard(w, MALLORY, link, MSG_ERROR, answer[i]), 1);
            raw_forget(w, MALLORY);
        }
        char *name = strstr(answer[0]->error.text, "shut");
        assert_non_null(name);
        memcpy(name, "gone", 4);
        assert_string_equal(answer[0]->error.text, answer[1]->error.text);
        assert_int_equal(answer[0]->error.code, ERR_NOT_FOUND);
        assert_int_equal(answer[1]->error.code, ERR_NOT_FOUND);
    }
    say_new(w, MALLORY, link, asking(w, MSG_SHARES, 8, NULL));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_SHARES_OK, answer[0]), 1);
    assert_int_equal(answer[0]->shares_ok.count, 0);
    assert_int_equal(anna(w)->transfers, 0);
    free(answer[0]);
    free(answer[1]);
    world_free(w);
}

static void pipe_3_requests_through_another_pipe_are_refused(void **state)
{
    (void)state;
    struct world *w = hostile_world(17);
    share(w, "/srv/open", true);
    link_no link = greet(w, MALLORY);
    static const enum msg_type types[] = {MSG_SHARES, MSG_LIST, MSG_FETCH};
    for (size_t i = 0; i < 3; i++) {
        struct msg *m = asking(w, types[i], i + 1, "open");
        struct tag *pipe = types[i] == MSG_SHARES ? &m->shares.pipe : types[i] == MSG_LIST ? &m->list.pipe : &m->fetch.pipe;
        *pipe = pipe_owned(world_id(w, BOB), "files");
        say_new(w, MALLORY, link, m);
    }
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_STATE), 3);
    world_free(w);
}

static void s8_a_transfer_is_cancelled_only_by_the_link_that_asked_for_it(void **state)
{
    (void)state;
    struct world *w = hostile_world(18);
    share(w, "/srv/open", true);
    link_no link = greet(w, MALLORY), other = greet(w, MALLORY), eves = greet(w, EVE);
    struct msg *cancel = message(MSG_CANCEL, 0);
    cancel->cancel.request = 1;
    fetch(w, MALLORY, link, 1);
    say(w, EVE, eves, cancel);
    say(w, MALLORY, other, cancel);
    world_run(w, world_now(w) + 10 * MILLISECOND);
    assert_int_equal(heard(w, MALLORY, link, MSG_FETCH_OK, NULL), 1);
    assert_int_equal(errors(w, MALLORY, ERR_CANCELLED), 0);
    world_run(w, world_now(w) + SECOND);
    assert_int_equal(anna(w)->transfers, 0);
    fetch(w, MALLORY, link, 1);
    say_new(w, MALLORY, link, cancel);
    say_new(w, MALLORY, link, message(MSG_PING, 1));
    world_run(w, world_now(w) + 10 * MILLISECOND);
    assert_int_equal(anna(w)->transfers, 0);
    assert_int_equal(errors(w, MALLORY, ERR_CANCELLED), 1);
    world_free(w);
}

/* ---- answers */

static void s8_answers_to_requests_never_made_change_nothing(void **state)
{
    (void)state;
    struct world *w = hostile_world(19);
    link_no link = greet(w, MALLORY);
    static const enum msg_type types[] = {MSG_ERROR,    MSG_JOIN_OK, MSG_SHARES_OK, MSG_LIST_OK,
                                          MSG_FETCH_OK, MSG_ANSWER,  MSG_PONG};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (uint64_t number = 1; number < 20; number++) {
            struct msg *m = message(types[i], number);
            if (types[i] == MSG_ERROR)
                m->error.code = ERR_REFUSED;
            if (types[i] == MSG_FETCH_OK)
                m->fetch_ok.streams = 1;
            say_new(w, MALLORY, link, m);
        }
    soon(w);
    assert_true(is_up(w, MALLORY)); /* they may be late: no reason to part */
    assert_false(known(w, MALLORY)->trusted);
    assert_true(anna(w)->refused_messages >= 5 * 19);
    anna_still_serves_bob(w);
    world_free(w);
}

/* Mallory answers on her own link, with all numbers, what anna asks bob. */
static void s20_an_answer_counts_only_on_the_link_of_its_request(void **state)
{
    (void)state;
    struct world *w = hostile_world(20);
    link_no link = greet(w, MALLORY);
    ok(w, BOB, request("share", "path", "/srv/bobs"));
    struct row *ls = request("ls", "target", "bob");
    core_request(anna(w), 1, ls);
    row_free(ls);
    for (int i = 0; i < 20; i++) {
        for (uint64_t number = 1; number < 20; number++) {
            struct msg *m = message(MSG_SHARES_OK, number);
            m->shares_ok.count = 1;
            strcpy(m->shares_ok.share[0].name, "trap");
            say_new(w, MALLORY, link, m);
        }
        world_run(w, world_now(w) + MILLISECOND / 10);
    }
    soon(w);
    const struct answer *a = ok(w, ANNA, request("ls", "target", "bob"));
    for (size_t i = 0; i < answer_count(a, "share"); i++)
        assert_string_not_equal(row_get_text(answer_row(a, "share", i), "name", ""), "trap");
    world_free(w);
}

static void answer_of_another_type(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_FETCH_OK, m->request);
    a->fetch_ok.streams = 1;
    say_new(w, raw, link, a);
}

static void same_page_for_ever(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_SHARES_OK, m->request);
    a->shares_ok.more = true;
    a->shares_ok.count = 2;
    strcpy(a->shares_ok.share[0].name, "a");
    strcpy(a->shares_ok.share[1].name, "b");
    if (m->type == MSG_SHARES)
        say(w, raw, link, a);
    free(a);
}

/* How anna's listing of that server ends. */
static void ls_ends(struct server *server, uint64_t seed, const char *expected)
{
    struct world *w = hostile_world(seed);
    raw_answers(w, MALLORY, serve, server);
    greet(w, MALLORY);
    const struct answer *a = world_call(w, ANNA, request("ls", "target", "mallory"));
    assert_string_equal(a->code ? a->code : a->done ? "done" : "never", expected);
    world_free(w);
}

static void s8_an_answer_of_another_type_is_none(void **state)
{
    (void)state;
    struct server server = {.other = answer_of_another_type};
    ls_ends(&server, 21, "timeout");
}

static void s22_pages_that_do_not_advance_end_the_listing(void **state)
{
    (void)state;
    struct server server = {.other = same_page_for_ever};
    ls_ends(&server, 22, "malformed");
    assert_int_equal(server.asked, 2);
}

/* ---- answers about pipes */

/* Bob is known but gone; mallory says where he is. */
static void forge_answer(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    const struct record_bytes *forged = arg;
    struct msg *m = message(0, 0), *a = message(MSG_ANSWER, 0);
    struct record record;
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY) {
        assert_int_equal(record_decode(forged, &record), 0);
        a->answer.query = m->query.query;
        a->answer.pipe = m->query.pipe;
        struct pipe_holder *holder = &a->answer.holder[a->answer.holder_count++];
        holder->incarnation = record.incarnation;
        holder->life_s = 60;
        holder->record = *forged;
        holder->endpoint_count = record.endpoint_count;
        memcpy(holder->endpoint, record.endpoint, sizeof record.endpoint);
        say(w, raw, h->link, a);
    }
    free(m);
    free(a);
}

static void s20_a_holders_record_is_believed_only_with_its_signature(void **state)
{
    (void)state;
    struct world *w = hostile_world(23);
    struct binding_counts counts;
    struct record_bytes forged;
    struct record r = known(w, BOB)->record; /* its very numbers, so that it is no news */
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%d:7000", MALLORY);
    assert_int_equal(record_sign(&r, raw_identity(w, MALLORY), &forged), 0);
    world_crash(w, BOB);
    world_run(w, world_now(w) + MINUTE);
    raw_answers(w, MALLORY, forge_answer, &forged);
    greet(w, MALLORY);
    const struct answer *a = world_call(w, ANNA, request("pipe-resolve", "pipe", "bob:files"));
    assert_string_equal(a->code, "unreachable");
    binding_counts(anna(w)->binding, &counts);
    assert_int_equal(counts.answers_refused, 1);
    assert_int_equal(counts.cached, 0);
    world_free(w);
}

/* Eve asks who has a shared pipe; mallory says: anna herself, with a record that anna never signed. */
static void s20_nobody_else_says_what_anna_has_bound(void **state)
{
    (void)state;
    struct world *w = hostile_world(24);
    struct record_bytes forged;
    struct record r = anna(w)->record;
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%d:7000", MALLORY);
    assert_int_equal(record_sign(&r, raw_identity(w, MALLORY), &forged), 0);
    raw_answers(w, MALLORY, forge_answer, &forged);
    greet(w, MALLORY);
    link_no link = greet(w, EVE);
    struct msg *m = message(MSG_QUERY, 0);
    m->query.pipe = pipe_shared("logs");
    m->query.hops = 1;
    m->query.asker = *world_id(w, EVE);
    say(w, EVE, link, m);
    world_run(w, world_now(w) + QUERY_TIMEOUT);
    assert_int_equal(heard(w, EVE, link, MSG_ANSWER, m), 1);
    assert_int_equal(m->answer.holder_count, 0);
    free(m);
    world_free(w);
}

/* ---- tickets */

static void wrong_join(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = message(MSG_JOIN, number);
    for (size_t i = 0; i < sizeof m->join.ticket.b; i++)
        m->join.ticket.b[i] = (uint8_t)world_random(w);
    say_new(w, raw, link, m);
}

static void s46_limits_on_wrong_tickets_survive_reconnecting(void **state)
{
    (void)state;
    struct world *w = hostile_world(25);
    char ticket[TICKET_TEXT];
    const char *word = row_get_text(answer_row(ok(w, ANNA, request("invite", NULL, NULL)), "ticket", 0), "ticket", "");
    snprintf(ticket, sizeof ticket, "%s", word);
    unsigned guesses = 0, turned_away = 0;
    for (int i = 0; i < 40; i++) { /* a new link for each, by one key and another */
        size_t raw = i % 2 ? MALLORY : EVE;
        link_no link = greet(w, raw);
        wrong_join(w, raw, link, 1);
        world_run(w, world_now(w) + 10 * MILLISECOND);
        guesses += errors(w, raw, ERR_REFUSED) > 0;
        turned_away += parted(w, raw, link);
        say_new(w, raw, link, message(MSG_BYE, 0));
        soon(w);
        raw_forget(w, raw);
    }
    assert_in_range(guesses, TICKET_WRONG_PER_MIN, TICKET_WRONG_PER_MIN + 2); /* two more in the four seconds that it takes */
    assert_int_equal(guesses + turned_away, 40);
    assert_false(known(w, MALLORY)->trusted);
    ok(w, BOB, request("join", "ticket", ticket)); /* a right one is never turned away for the wrong ones */
    assert_true(known(w, BOB)->trusted);
    world_free(w);
}

/* What mallory overheard is of no use to her: the proof is for bob, and the ticket works once. */
static void s25_a_proof_made_for_another_is_refused(void **state)
{
    (void)state;
    struct world *w = hostile_world(26);
    struct ticket_text ticket;
    const char *word = row_get_text(answer_row(ok(w, ANNA, request("invite", NULL, NULL)), "ticket", 0), "ticket", "");
    assert_int_equal(ticket_read(word, &ticket), 0);
    struct msg *m = message(MSG_JOIN, 1);
    m->join.ticket = ticket_id(ticket.secret);
    ticket_proof(ticket.secret, world_id(w, BOB), world_id(w, ANNA), m->join.proof);
    link_no link = greet(w, MALLORY);
    say(w, MALLORY, link, m);
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 1);
    assert_false(known(w, MALLORY)->trusted);
    ticket_proof(ticket.secret, world_id(w, MALLORY), world_id(w, ANNA), m->join.proof);
    for (uint64_t i = 2; i <= 3; i++) {
        m->request = i;
        say(w, MALLORY, link, m);
    }
    soon(w);
    assert_true(known(w, MALLORY)->trusted);
    assert_int_equal(heard(w, MALLORY, link, MSG_JOIN_OK, m), 1);
    assert_int_equal(m->request, 2);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 2);
    free(m);
    world_free(w);
}

static void join_ok_without_proof(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_JOIN_OK, m->request);
    a->join.ticket = m->join.ticket;
    memcpy(a->join.proof, m->join.proof, sizeof a->join.proof); /* anna's own, sent back */
    if (m->type == MSG_JOIN)
        say(w, raw, link, a);
    free(a);
}

static void s20_an_inviter_that_does_not_know_the_secret_is_not_trusted(void **state)
{
    (void)state;
    struct world *w = hostile_world(27);
    struct server server = {.other = join_ok_without_proof};
    struct ticket_text ticket = {.inviter = *world_id(w, MALLORY), .secret = {1, 2, 3}};
    char word[TICKET_TEXT];
    raw_answers(w, MALLORY, serve, &server);
    greet(w, MALLORY);
    ticket_write(&ticket, word);
    const struct answer *a = world_call(w, ANNA, request("join", "ticket", word));
    assert_string_equal(a->code, "verify");
    assert_int_equal(server.asked, 1);
    assert_false(known(w, MALLORY)->trusted);
    world_free(w);
}

/* ---- as the one who is dialled */

static void wrong_welcome(struct world *w, size_t raw, const struct heard *h, void *arg)
{
    const struct record_bytes *record = arg;
    if (h->opened)
        return;
    if (record)
        say_hello(w, raw, h->link, MSG_WELCOME, record);
    else
        say_new(w, raw, h->link, message(MSG_PING, 1));
}

static void s20_a_welcome_with_somebody_elses_record_or_none_is_not_believed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world *w = hostile_world(28);
        struct record_bytes mallorys = record_of(raw_identity(w, MALLORY), "mallory", 1, MALLORY);
        struct record_bytes eves = record_of(raw_identity(w, EVE), "eve", 1, EVE);
        struct seed seed = {.id = *world_id(w, MALLORY), .id_known = true, .endpoint = "tcp://10.0.0.2:7000"};
        raw_answers(w, MALLORY, wrong_welcome, i ? NULL : &eves);
        assert_int_equal(core_add_seed(anna(w), &seed), 0);
        world_run(w, world_now(w) + 10 * SECOND);
        assert_true(raw_heard_count(w, MALLORY) > 0);
        assert_false(is_up(w, MALLORY));
        assert_false(is_up(w, EVE));
        raw_answers(w, MALLORY, wrong_welcome, &mallorys); /* its own is good */
        world_run(w, world_now(w) + MINUTE);
        assert_true(is_up(w, MALLORY));
        world_free(w);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s8_to_a_stranger_a_private_share_is_as_one_that_is_not_there),
        cmocka_unit_test(pipe_3_requests_through_another_pipe_are_refused),
        cmocka_unit_test(s8_a_transfer_is_cancelled_only_by_the_link_that_asked_for_it),
        cmocka_unit_test(s8_answers_to_requests_never_made_change_nothing),
        cmocka_unit_test(s20_an_answer_counts_only_on_the_link_of_its_request),
        cmocka_unit_test(s8_an_answer_of_another_type_is_none),
        cmocka_unit_test(s22_pages_that_do_not_advance_end_the_listing),
        cmocka_unit_test(s20_a_holders_record_is_believed_only_with_its_signature),
        cmocka_unit_test(s20_nobody_else_says_what_anna_has_bound),
        cmocka_unit_test(s46_limits_on_wrong_tickets_survive_reconnecting),
        cmocka_unit_test(s25_a_proof_made_for_another_is_refused),
        cmocka_unit_test(s20_an_inviter_that_does_not_know_the_secret_is_not_trusted),
        cmocka_unit_test(s20_a_welcome_with_somebody_elses_record_or_none_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

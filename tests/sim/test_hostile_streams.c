/* A hostile peer that calls: byte streams asked for without end, or in somebody else's name. */
#include "hostile.h"
#include "pipe_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Anna listens on "talk", for all. */
static struct world *listening(uint64_t seed, struct reader *r)
{
    struct world *w = hostile_world(seed);
    struct row *row = listen_on("talk");
    row_bool(row, "public", true);
    reader_start(r, w, ANNA, row);
    soon(w);
    assert_true(r->bound);
    return w;
}

static void say_connect(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = message(MSG_CONNECT, number);
    m->connect.pipe = pipe_owned(world_id(w, ANNA), "talk");
    memcpy(m->connect.stream.b, &number, sizeof number); /* each is another stream */
    m->connect.reception = (struct reception_info){.streams = 2, .limit = INT64_MAX, .deadline_s = RECEPTION_DEADLINE_S};
    say_new(w, raw, link, m);
}

static void no_word(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    (void)w, (void)raw, (void)link, (void)m;
}

static void p45_a_thousand_streams_asked_for_are_one_offer(void **state)
{
    (void)state;
    struct server server = {.other = no_word};
    struct reader r = {0};
    struct world *w = listening(121, &r);
    raw_answers(w, MALLORY, serve, &server);
    link_no link = greet(w, MALLORY);
    for (uint64_t i = 1; i <= 1000; i++)
        say_connect(w, MALLORY, link, i);
    soon(w);
    assert_int_equal(r.offers, 1);
    assert_int_equal(errors(w, MALLORY, ERR_FULL), 999);
    assert_int_equal(anna(w)->transfers, 0);
    world_run(w, world_now(w) + CONNECT_OFFER + SECOND);
    assert_int_equal(errors(w, MALLORY, ERR_TIMEOUT), 1);
    world_free(w);
}

static void s20_an_offer_is_withdrawn_only_by_its_caller(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = listening(122, &r);
    struct msg *cancel = message(MSG_CANCEL, 0);
    link_no link = greet(w, MALLORY), eves = greet(w, EVE);
    say_connect(w, MALLORY, link, 7);
    cancel->cancel.request = 7;
    say(w, EVE, eves, cancel);
    say_connect(w, EVE, eves, 7); /* it is still mallory's turn */
    soon(w);
    assert_int_equal(errors(w, EVE, ERR_FULL), 1);
    say_new(w, MALLORY, link, cancel);
    say_connect(w, EVE, eves, 8);
    soon(w);
    assert_int_equal(r.offers, 2);
    assert_int_equal(errors(w, EVE, ERR_FULL), 1);
    world_free(w);
}

/* One caller has a quota of its own: it does not keep others' callers out. */
static void s26_one_caller_takes_a_part_of_the_room(void **state)
{
    (void)state;
    struct reader r[CONNECTS_PER_PEER_MAX + 2] = {{0}};
    struct world *w = hostile_world(123);
    link_no link = greet(w, MALLORY), eves = greet(w, EVE);
    for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
        char name[16];
        snprintf(name, sizeof name, "talk%zu", i);
        struct row *row = listen_on(name);
        row_bool(row, "public", true);
        reader_start(&r[i], w, ANNA, row);
        soon(w);
        struct msg *m = message(MSG_CONNECT, i + 1);
        m->connect.pipe = pipe_owned(world_id(w, ANNA), name);
        m->connect.stream.b[0] = (uint8_t)(i + 1);
        m->connect.reception = (struct reception_info){.streams = 2, .deadline_s = 1};
        say(w, MALLORY, link, m);
        soon(w);
        assert_int_equal(r[i].offers, i < CONNECTS_PER_PEER_MAX);
        say_new(w, EVE, eves, m);
        soon(w);
        assert_int_equal(r[i].offers, 1);
    }
    assert_int_equal(errors(w, MALLORY, ERR_FULL), 2);
    assert_int_equal(errors(w, EVE, ERR_FULL), CONNECTS_PER_PEER_MAX);
    world_free(w);
}

static void s10_who_may_not_use_a_pipe_is_offered_to_nobody(void **state)
{
    (void)state;
    struct reader r = {0};
    struct world *w = hostile_world(124);
    reader_start(&r, w, ANNA, listen_on("talk"));
    soon(w);
    link_no link = greet(w, MALLORY);
    say_connect(w, MALLORY, link, 1);
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_REFUSED), 1);
    assert_int_equal(r.offers, 0);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p45_a_thousand_streams_asked_for_are_one_offer),
        cmocka_unit_test(s20_an_offer_is_withdrawn_only_by_its_caller),
        cmocka_unit_test(s26_one_caller_takes_a_part_of_the_room),
        cmocka_unit_test(s10_who_may_not_use_a_pipe_is_offered_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

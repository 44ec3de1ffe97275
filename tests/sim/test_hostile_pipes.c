/* A hostile peer that asks for pipes, and one that is asked for its own. */
#include "hostile.h"
#include "pipe_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct reader trusted, open_to_all;

/* Anna's programs listen on "mine", for those she trusts, and on "open", for all. */
static void anna_listens(struct world *w)
{
    struct row *row = listen_on("open");
    row_bool(row, "public", true);
    trusted = open_to_all = (struct reader){0};
    reader_start(&trusted, w, ANNA, listen_on("mine"));
    reader_start(&open_to_all, w, ANNA, row);
    soon(w);
    assert_true(trusted.bound && open_to_all.bound);
}

static struct msg *asking_for_pipes(struct world *w, size_t owner, const char *after)
{
    struct msg *m = message(MSG_PIPES, 5);
    m->pipes.pipe = pipe_owned(world_id(w, owner), "pipes");
    snprintf(m->pipes.after, sizeof m->pipes.after, "%s", after);
    return m;
}

static void s10_a_stranger_learns_of_no_pipe_but_public_ones(void **state)
{
    (void)state;
    struct world *w = hostile_world(41);
    struct msg *answer = message(0, 0);
    anna_listens(w);
    link_no link = greet(w, MALLORY);
    say_new(w, MALLORY, link, asking_for_pipes(w, ANNA, ""));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_PIPES_OK, answer), 1);
    assert_int_equal(answer->pipes_ok.count, 1);
    assert_false(answer->pipes_ok.more);
    assert_string_equal(answer->pipes_ok.pipe[0].name, "open");
    raw_forget(w, MALLORY);
    say_new(w, MALLORY, link, asking_for_pipes(w, ANNA, "open"));
    soon(w);
    assert_int_equal(heard(w, MALLORY, link, MSG_PIPES_OK, answer), 1);
    assert_int_equal(answer->pipes_ok.count, 0);
    free(answer);
    world_free(w);
}

static void pipe_3_pipes_are_told_through_the_service_alone(void **state)
{
    (void)state;
    struct world *w = hostile_world(42);
    anna_listens(w);
    link_no link = greet(w, MALLORY);
    say_new(w, MALLORY, link, asking_for_pipes(w, BOB, ""));
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_STATE), 1);
    assert_int_equal(heard(w, MALLORY, link, MSG_PIPES_OK, NULL), 0);
    world_free(w);
}

/* A service has a reader of its own kind: nothing can be sent into it. */
static void s4_a_service_takes_no_messages_of_pipes(void **state)
{
    (void)state;
    struct world *w = hostile_world(43);
    link_no link = greet(w, MALLORY);
    static const char *const services[] = {"files", "pipes"};
    for (size_t i = 0; i < 2; i++) {
        struct msg *m = message(MSG_OPEN, i + 1);
        m->open.pipe = pipe_owned(world_id(w, ANNA), services[i]);
        m->open.channel.b[0] = 1;
        m->open.seq = 1;
        say_new(w, MALLORY, link, m);
    }
    soon(w);
    assert_int_equal(errors(w, MALLORY, ERR_NOT_FOUND), 2);
    anna_still_serves_bob(w);
    world_free(w);
}

/* ---- answers of others */

static struct msg *pipes_page(const struct msg *asked, bool more)
{
    struct msg *m = message(MSG_PIPES_OK, asked->request);
    m->pipes_ok.more = more;
    return m;
}

static void add(struct msg *m, const char *name, bool shared)
{
    struct pipe_info *info = &m->pipes_ok.pipe[m->pipes_ok.count++];
    info->shared = shared;
    snprintf(info->name, sizeof info->name, "%s", name);
}

static void same_page_for_ever(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = pipes_page(m, true);
    add(a, "a", false);
    add(a, "b", false);
    say_new(w, raw, link, a);
}

static void empty_pages(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    say_new(w, raw, link, pipes_page(m, true));
}

static void going_down(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = pipes_page(m, false);
    add(a, "b", false);
    add(a, "a", false);
    say_new(w, raw, link, a);
}

static void twice_the_same(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = pipes_page(m, false);
    add(a, "a", true);
    add(a, "a", true);
    say_new(w, raw, link, a);
}

static void one_owned_one_shared(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = pipes_page(m, false);
    add(a, "a", false);
    add(a, "a", true);
    say_new(w, raw, link, a);
}

static void refusal(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    struct msg *a = message(MSG_ERROR, m->request);
    a->error.code = ERR_REFUSED;
    snprintf(a->error.text, sizeof a->error.text, "not to \x1b[31myou");
    say_new(w, raw, link, a);
}

static void s22_listings_that_do_not_advance_end(void **state)
{
    (void)state;
    static const struct {
        struct server server;
        const char *ends;
    } cases[] = {
        {{.other = same_page_for_ever}, "malformed"},
        {{.other = empty_pages}, "timeout"}, /* breaks the grammar: no answer at all */
        {{.other = going_down}, "malformed"},
        {{.other = twice_the_same}, "malformed"},
        {{.other = one_owned_one_shared}, "done"},
        {{.other = refusal}, "refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = cases[i].server;
        struct world *w = hostile_world(50 + i);
        raw_answers(w, MALLORY, serve, &server);
        greet(w, MALLORY);
        const struct answer *a = world_call(w, ANNA, request("pipe-ls", "peer", "mallory"));
        const char *ends = a->code ? a->code : a->done ? "done" : "never";
        if (strcmp(ends, cases[i].ends) != 0)
            fail_msg("case %zu ends with %s", i, ends);
        assert_true(server.asked <= 2);
        for (size_t j = 0; j < a->count; j++)
            assert_null(strchr(row_get_text(a->row[j], "text", ""), 0x1b));
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s10_a_stranger_learns_of_no_pipe_but_public_ones),
        cmocka_unit_test(pipe_3_pipes_are_told_through_the_service_alone),
        cmocka_unit_test(s4_a_service_takes_no_messages_of_pipes),
        cmocka_unit_test(s22_listings_that_do_not_advance_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

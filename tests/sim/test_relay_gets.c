/* Gets between nodes that meet only at relays, in the simulated world: they come through, move to a connection and back, and
 * outlive relays; and whatever goes for good is told in time, with nothing lost. */
#include "core_internal.h"
#include "relayed_world.h"
#include "world_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOWLY 1000000u /* bytes a second: five seconds for all */
#define TOTAL ((int64_t)SIM_FILES * SIM_FILE_BYTES)

/* ---- a program that gets something */

struct getter {
    struct world *w;
    struct program *program;
    bool over;
    char code[32], text[FAULT_TEXT], route[128], stream[128];
    int64_t moved, files, progress, last;
    unsigned rows; /* progress */
    bool back;     /* progress went back */
};

static void on_row(void *arg, const struct row *row)
{
    struct getter *g = arg;
    const char *kind = row_kind(row);
    if (strcmp(kind, "progress") == 0) {
        g->rows++;
        g->progress = row_get_int(row, "bytes_moved", 0);
        int64_t done = row_get_int(row, "bytes_done", 0);
        g->back |= done < g->last;
        g->last = done;
    } else if (strcmp(kind, "done") == 0 || strcmp(kind, "summary") == 0) {
        g->moved = row_get_int(row, "bytes_moved", -1);
        g->files = row_get_int(row, "files", -1);
        snprintf(g->route, sizeof g->route, "%s", row_get_text(row, "route", ""));
    } else if (strcmp(kind, "stream") == 0) {
        snprintf(g->stream, sizeof g->stream, "%s", row_get_text(row, "pipe", ""));
    } else if (strcmp(kind, "error") == 0) {
        snprintf(g->code, sizeof g->code, "%s", row_get_text(row, "code", ""));
        snprintf(g->text, sizeof g->text, "%s", row_get_text(row, "text", ""));
    }
    g->over |= strcmp(kind, "done") == 0 || strcmp(kind, "error") == 0;
}

static struct row *get_row(const char *source)
{
    struct row *row = row_for("get", "source", source);
    row_text(row, "dest", "/home/anna");
    return row;
}

static void start_get(struct getter *g, struct world *w, const char *source)
{
    memset(g, 0, sizeof *g);
    g->w = w;
    world_rate(w, SLOWLY);
    g->program = world_program(w, ANNA, on_row, g);
    program_send(g->program, get_row(source));
}

static bool is_moving(struct world *w, void *arg)
{
    const struct getter *g = arg;
    (void)w;
    return g->progress > 0 || g->over;
}

static bool is_over(struct world *w, void *arg)
{
    (void)w;
    return ((const struct getter *)arg)->over;
}

static void until_moving(struct getter *g)
{
    assert_true(world_run_until(g->w, is_moving, g, world_now(g->w) + 10 * SECOND));
    assert_false(g->over);
}

static void until_over(struct getter *g, uint64_t within)
{
    if (!world_run_until(g->w, is_over, g, world_now(g->w) + within))
        fail_msg("not over after %llu s: %lld bytes", within / SECOND, (long long)g->progress);
}

/* All came, each byte once, by this route. */
static void assert_whole(const struct getter *g, const char *route)
{
    if (g->code[0])
        fail_msg("%s: %s", g->code, g->text);
    assert_int_equal(g->files, SIM_FILES);
    assert_int_equal(g->moved, TOTAL);
    assert_string_equal(g->route, route);
    assert_false(g->back);
}

/* Nothing of it is left anywhere but for what resumes. */
static void assert_quiet(struct world *w)
{
    run(w, 30 * SECOND);
    for (size_t i = ANNA; i < w->node_count; i++) {
        if (!w->nodes[i]->up)
            continue;
        assert_int_equal(world_core(w, i)->transfers, 0);
        assert_null(world_core(w, i)->serves);
        assert_null(world_core(w, i)->gets);
        assert_null(w->nodes[i]->bridges);
    }
}

/* ---- as if there were no relay */

static void relay_6_a_get_through_a_relay(void **state)
{
    struct world *w = relayed_world(1, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_over(&g, 20 * SECOND);
    assert_whole(&g, "relay:sara");
    assert_quiet(w);
    world_free(w);
}

static void directly_where_that_is_possible(void **state)
{
    struct world *w = relayed_world(2, 1);
    struct getter g;
    (void)state;

    world_cut(w, ANNA, HUGO, false);
    world_firewall(w, HUGO, false);
    run(w, 5 * SECOND);
    start_get(&g, w, "hugo:docs");
    until_over(&g, 20 * SECOND);
    assert_whole(&g, "direct");
    assert_quiet(w);
    world_free(w);
}

/* ---- moving */

/* Whoever of the two can be dialled then. */
static void relay_7_moves_to_a_connection(void **state)
{
    (void)state;
    for (size_t open = ANNA; open <= HUGO; open++) {
        struct world *w = relayed_world(3 + open, 1);
        struct getter g;
        start_get(&g, w, "hugo:docs");
        until_moving(&g);
        world_firewall(w, open, false);
        world_cut(w, ANNA, HUGO, false);
        until_over(&g, 20 * SECOND);
        assert_whole(&g, "relay:sara, direct");
        assert_quiet(w);
        assert_int_equal(sessions_at(w, ANNA), 0);
        world_free(w);
    }
}

/* A get that began over a connection loses it, and goes on through the relay. */
static void falls_back(struct world *w, uint64_t within)
{
    struct getter g;
    world_cut(w, ANNA, HUGO, false);
    world_firewall(w, HUGO, false);
    run(w, 5 * SECOND);
    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_cut(w, ANNA, HUGO, true);
    until_over(&g, within);
    assert_whole(&g, "direct, relay:sara");
    assert_quiet(w);
    world_free(w);
}

static void relay_7_falls_back_to_the_relay(void **state)
{
    (void)state;
    falls_back(relayed_world(5, 1), 40 * SECOND);
}

/* The streams say nothing for long, as over a cable that was pulled; but the links are known to be lost much sooner. */
static void relay_7_does_not_wait_for_streams_that_died_in_silence(void **state)
{
    struct world *w = relayed_world(15, 1);
    (void)state;
    world_cuts_silently(w);
    falls_back(w, 15 * SECOND);
}

static void relay_7_there_and_back_and_there(void **state)
{
    struct world *w = relayed_world(6, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_firewall(w, HUGO, false);
    world_cut(w, ANNA, HUGO, false);
    run(w, 600 * MILLISECOND);
    world_cut(w, ANNA, HUGO, true);
    until_over(&g, 60 * SECOND);
    assert_whole(&g, g.route); /* by whatever it took */
    assert_quiet(w);
    world_free(w);
}

/* Messages pass between the two, but no streams. */
static void no_fetch(void *arg, struct world_message *m)
{
    (void)arg;
    if (m->from == ANNA && m->to == HUGO && m->n > 1 && m->bytes[1] == MSG_FETCH)
        m->times = 0;
}

static void relay_7_goes_back_where_only_messages_get_through(void **state)
{
    struct world *w = relayed_world(24, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_tap(w, no_fetch, NULL);
    world_firewall(w, HUGO, false);
    world_cut(w, ANNA, HUGO, false);
    until_over(&g, 90 * SECOND);
    assert_whole(&g, "relay:sara"); /* which is where all came by */
    assert_quiet(w);
    world_free(w);
}

/* ---- relays that go */

static void p38_a_relay_that_crashes_and_comes_back(void **state)
{
    struct world *w = relayed_world(7, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    unsigned rows = g.rows;
    world_crash(w, SARA);
    run(w, SECOND);
    world_start(w, SARA);
    run(w, SECOND);
    assert_true(g.rows > rows + 4); /* it goes on telling how far it is */
    until_over(&g, 40 * SECOND);
    assert_whole(&g, "relay:sara");
    assert_quiet(w);
    world_free(w);
}

static void p38_a_relay_that_crashes_and_another_one(void **state)
{
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        struct world *w = relayed_world(8 + (uint64_t)in_order, 2);
        struct getter g;
        start_get(&g, w, "hugo:docs");
        until_moving(&g);
        size_t first = sessions_via(w, ANNA, SARA) > 0 ? SARA : RITA;
        world_rate(w, SLOWLY / 4); /* for longer than a relay waits when it stops */
        if (in_order)
            world_stop(w, first); /* drained: its clients are told */
        else
            world_crash(w, first);
        until_over(&g, 40 * SECOND);
        assert_whole(&g, first == SARA ? "relay:sara, relay:rita" : "relay:rita, relay:sara");
        assert_quiet(w);
        world_free(w);
    }
}

static void p38_a_relay_that_never_comes_back(void **state)
{
    struct world *w = relayed_world(10, 1);
    struct getter g, again;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_crash(w, SARA);
    until_over(&g, 40 * SECOND);
    assert_string_equal(g.code, "unreachable");
    assert_non_null(strstr(g.text, "the same command resumes"));
    assert_true(g.moved > 0 && g.moved < TOTAL);
    assert_quiet(w);
    world_start(w, SARA);
    run(w, 20 * SECOND);
    start_get(&again, w, "hugo:docs");
    until_over(&again, 40 * SECOND);
    assert_string_equal(again.code, "");
    assert_int_equal(g.moved + again.moved, TOTAL);
    assert_int_equal(again.files, SIM_FILES);
    world_free(w);
}

/* ---- holders that go */

static void relay_7_holder_gone_before(void **state)
{
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        struct world *w = relayed_world(11, 1);
        struct getter g;
        if (in_order)
            world_stop(w, HUGO);
        else
            world_crash(w, HUGO);
        run(w, 20 * SECOND);
        start_get(&g, w, "hugo:docs");
        until_over(&g, 20 * SECOND);
        assert_string_equal(g.code, "unreachable");
        assert_int_equal(g.moved, 0);
        assert_quiet(w);
        world_free(w);
    }
}

static void relay_7_holder_gone_while(void **state)
{
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        struct world *w = relayed_world(12, 1);
        struct getter g;
        start_get(&g, w, "hugo:docs");
        until_moving(&g);
        if (in_order)
            world_stop(w, HUGO);
        else
            world_crash(w, HUGO);
        until_over(&g, 40 * SECOND);
        assert_string_not_equal(g.code, "");
        assert_true(g.moved > 0 && g.moved < TOTAL);
        assert_quiet(w);
        world_free(w);
    }
}

static void relay_7_holder_gone_after_is_nothing(void **state)
{
    struct world *w = relayed_world(13, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_over(&g, 20 * SECOND);
    world_crash(w, HUGO);
    assert_whole(&g, "relay:sara");
    assert_quiet(w);
    world_free(w);
}

static void p38_a_holder_that_crashes_and_comes_back(void **state)
{
    struct world *w = relayed_world(14, 1);
    struct getter g;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_crash(w, HUGO);
    run(w, SECOND);
    world_start(w, HUGO);
    offer(w, "docs", 1);
    until_over(&g, 60 * SECOND);
    assert_whole(&g, "relay:sara");
    assert_quiet(w);
    world_free(w);
}

/* S26: it sets none of our times. */
static void relay_7_a_holder_that_never_answers(void **state)
{
    struct world *w = relayed_world(15, 1);
    struct getter g, other;
    (void)state;

    start_get(&g, w, "hugo:docs");
    until_moving(&g);
    world_freeze(w, HUGO, true);
    start_get(&other, w, "hugo:docs");
    until_over(&g, 60 * SECOND);
    until_over(&other, 60 * SECOND);
    assert_string_not_equal(g.code, "");
    assert_string_not_equal(other.code, "");
    world_free(w);
}

/* ---- requesters that go */

static void relay_7_requester_gone(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct world *w = relayed_world(16, 1);
        struct getter g;
        start_get(&g, w, "hugo:docs");
        until_moving(&g);
        if (how == 0)
            program_leave(g.program);
        else if (how == 1)
            world_crash(w, ANNA);
        else
            world_stop(w, ANNA);
        assert_quiet(w);
        world_free(w);
    }
}

/* Wherever it is when its program goes. */
static void stopped_at_any_time(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 60; step++) {
        struct world *w = relayed_world(17, 1);
        struct getter g;
        start_get(&g, w, "hugo:docs");
        run(w, step * 5 * MILLISECOND);
        if (step % 3 == 0)
            world_crash(w, SARA);
        if (step % 5 == 0)
            run(w, step * 100 * MILLISECOND);
        if (!g.over)
            program_leave(g.program);
        assert_quiet(w);
        world_free(w);
    }
}

/* ---- rights */

static void relay_7_withdrawn_in_use(void **state)
{
    struct world *w = relayed_world(18, 1);
    struct getter g, other;
    (void)state;

    offer(w, "music", 1);
    run(w, SECOND);
    start_get(&g, w, "hugo:docs");
    start_get(&other, w, "hugo:music");
    until_moving(&g);
    offer(w, "docs", 0); /* still shared, but not there */
    until_over(&g, 5 * SECOND);
    assert_string_equal(g.code, "not-found");
    assert_true(g.moved > 0 && g.moved < TOTAL);
    until_over(&other, 20 * SECOND);
    assert_whole(&other, "relay:sara");
    start_get(&g, w, "hugo:docs");
    until_over(&g, 20 * SECOND);
    assert_string_not_equal(g.code, "");
    assert_int_equal(g.moved, 0);
    assert_quiet(w);
    world_free(w);
}

/* S20, S46: what is not offered at the relay is not there for who comes by it, though he could have it directly. */
static void s46_what_is_not_offered_there_is_not_there(void **state)
{
    struct world *w = relayed_world(19, 1);
    struct getter g;
    const struct answer *a;
    (void)state;

    offer(w, "private", 0);
    run(w, SECOND);
    a = world_call(w, ANNA, row_for("ls", "target", "hugo"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "share"), 1);
    assert_string_equal(row_get_text(answer_row(a, "share", 0), "name", ""), "docs");
    start_get(&g, w, "hugo:private");
    until_over(&g, 20 * SECOND);
    char absent[FAULT_TEXT];
    assert_string_equal(g.code, "not-found");
    snprintf(absent, sizeof absent, "%s", g.text);
    start_get(&g, w, "hugo:missing");
    until_over(&g, 20 * SECOND);
    assert_string_equal(g.code, "not-found");
    assert_int_equal(strlen(absent) - strlen("private"), strlen(g.text) - strlen("missing"));
    world_free(w);
}

/* A stranger may know the handle's names: the last word is the holder's. */
static void s20_an_audience_holds_through_a_relay(void **state)
{
    struct world *w = relayed_world(20, 1);
    struct getter g;
    struct share_row row = {.kind = RESOURCE_DIR, .path = "/srv/docs", .name = "docs", .via_count = 1, .audience_count = 1};
    (void)state;

    row.via[0] = *world_id(w, SARA);
    row.audience[0] = *world_id(w, SARA);
    assert_int_equal(share_put(world_core(w, HUGO), &row, NULL), 0);
    reservations_changed(world_core(w, HUGO));
    run(w, SECOND);
    start_get(&g, w, "hugo:docs");
    until_over(&g, 20 * SECOND);
    assert_string_equal(g.code, "not-found");
    assert_int_equal(g.moved, 0);
    world_free(w);
}

/* ---- shares that are byte streams, and handles */

static void relay_2_a_stream_is_handed_on(void **state)
{
    struct world *w = relayed_world(21, 1);
    struct getter g;
    struct share_row row = {.kind = RESOURCE_TCP, .path = "tcp:127.0.0.1:22", .name = "ssh", .via_count = 1, .is_public = true};
    (void)state;

    row.via[0] = *world_id(w, SARA);
    assert_int_equal(share_put(world_core(w, HUGO), &row, NULL), 0);
    reservations_changed(world_core(w, HUGO));
    run(w, SECOND);
    start_get(&g, w, "hugo:ssh");
    until_over(&g, 20 * SECOND);
    assert_string_equal(g.code, "");
    assert_string_equal(g.stream, "hugo:ssh");
    start_get(&g, w, "hugo:ssh/below");
    until_over(&g, 20 * SECOND);
    assert_string_equal(g.code, "not-found");
    assert_string_equal(g.stream, "");
    assert_quiet(w);
    world_free(w);
}

static void relay_1_ls_of_a_relay_lists_handles(void **state)
{
    enum { MORE = HANDLES_PAGE_MAX + 20 };
    struct world *w = relayed_world(22, 1);
    const struct answer *a;
    (void)state;

    for (unsigned i = 0; i < MORE; i++) {
        char name[NAME_MAX_BYTES + 1];
        snprintf(name, sizeof name, "folder-%04u", i);
        offer(w, name, 1);
    }
    run(w, 5 * SECOND);
    a = world_call(w, ANNA, row_for("ls", "target", "sara"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "handle"), 1 + MORE); /* several pages */
    const struct row *row = answer_row(a, "handle", 0);
    assert_string_equal(row_get_text(row, "relay", ""), "sara");
    assert_string_equal(row_get_text(row, "holder", ""), "hugo");
    assert_string_equal(row_get_text(row, "id", ""), id_text(world_id(w, HUGO)).s);
    assert_string_equal(row_get_text(row, "name", ""), "docs");
    assert_string_equal(row_get_text(row, "kind", ""), "dir");
    assert_string_equal(row_get_text(row, "state", ""), "ready");
    assert_true(row_get_bool(row, "public", false));
    world_free(w);
}

/* What a hostile relay says of its handles, instead of the truth. */
enum lie { REPEATED, SWAPPED, ENDLESS };

struct liar {
    enum lie lie;
    struct handle_info first;
};

static void lie_about_handles(void *arg, struct world_message *m)
{
    struct liar *l = arg;
    struct msg *said = calloc(1, sizeof *said);
    assert_non_null(said);
    if (m->from == SARA && m->to == ANNA && msg_decode(m->bytes, m->n, said) == 0 && said->type == MSG_HANDLES_OK) {
        struct msg_handles_ok *ok = &said->handles_ok;
        if (ok->count > 0)
            l->first = ok->handle[0];
        ok->handle[0] = l->lie == SWAPPED ? ok->handle[1] : l->first;
        ok->handle[1] = l->first;
        ok->more = l->lie == ENDLESS; /* the same one again and again */
        ok->count = l->lie == ENDLESS ? 1 : 2;
        assert_int_equal(msg_encode(said, m->bytes, m->n + MSG_BYTES_MAX, &m->n), 0);
    }
    free(said);
}

static void s19_handles_out_of_order_are_refused(void **state)
{
    (void)state;
    for (enum lie lie = REPEATED; lie <= ENDLESS; lie++) {
        struct world *w = relayed_world(25, 1);
        struct liar liar = {.lie = lie};
        offer(w, "more", 1);
        run(w, SECOND);
        world_tap(w, lie_about_handles, &liar);
        const struct answer *a = world_call(w, ANNA, row_for("ls", "target", "sara"));
        assert_non_null(a->code);
        assert_string_equal(a->code, "malformed");
        assert_true(answer_count(a, "handle") <= 2); /* what was right so far */
        world_free(w);
    }
}

/* The link is lost while a folder is listed: it is sought again, once. */
static void ls_outlives_a_relay_that_restarts(void **state)
{
    struct world *w = relayed_world(23, 2);
    struct getter g;
    (void)state;

    memset(&g, 0, sizeof g);
    assert_true(world_call(w, ANNA, row_for("ls", "target", "hugo:docs"))->done);
    size_t first = sessions_via(w, ANNA, SARA) > 0 ? SARA : RITA;
    world_crash(w, first);
    const struct answer *a = world_call(w, ANNA, row_for("ls", "target", "hugo:docs"));
    assert_true(a->done);
    assert_true(answer_count(a, "entry") > 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_6_a_get_through_a_relay),
        cmocka_unit_test(directly_where_that_is_possible),
        cmocka_unit_test(relay_7_moves_to_a_connection),
        cmocka_unit_test(relay_7_falls_back_to_the_relay),
        cmocka_unit_test(relay_7_does_not_wait_for_streams_that_died_in_silence),
        cmocka_unit_test(relay_7_there_and_back_and_there),
        cmocka_unit_test(relay_7_goes_back_where_only_messages_get_through),
        cmocka_unit_test(p38_a_relay_that_crashes_and_comes_back),
        cmocka_unit_test(p38_a_relay_that_crashes_and_another_one),
        cmocka_unit_test(p38_a_relay_that_never_comes_back),
        cmocka_unit_test(relay_7_holder_gone_before),
        cmocka_unit_test(relay_7_holder_gone_while),
        cmocka_unit_test(relay_7_holder_gone_after_is_nothing),
        cmocka_unit_test(p38_a_holder_that_crashes_and_comes_back),
        cmocka_unit_test(relay_7_a_holder_that_never_answers),
        cmocka_unit_test(relay_7_requester_gone),
        cmocka_unit_test(stopped_at_any_time),
        cmocka_unit_test(relay_7_withdrawn_in_use),
        cmocka_unit_test(s46_what_is_not_offered_there_is_not_there),
        cmocka_unit_test(s20_an_audience_holds_through_a_relay),
        cmocka_unit_test(relay_2_a_stream_is_handed_on),
        cmocka_unit_test(relay_1_ls_of_a_relay_lists_handles),
        cmocka_unit_test(s19_handles_out_of_order_are_refused),
        cmocka_unit_test(ls_outlives_a_relay_that_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

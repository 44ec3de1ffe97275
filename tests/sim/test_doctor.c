/* What status and doctor tell of relays: which way a peer is reached and why, and what a relay that does not carry has said. */
#include "relayed_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The check of that name whose text has those words in it; NULL: there is none. */
static const struct row *check_of(const struct answer *a, const char *name, const char *words)
{
    for (size_t i = 0; i < answer_count(a, "check"); i++) {
        const struct row *row = answer_row(a, "check", i);
        if (strcmp(row_get_text(row, "name", ""), name) == 0 && strstr(row_get_text(row, "text", ""), words))
            return row;
    }
    return NULL;
}

static void assert_check(const struct answer *a, const char *name, const char *words, const char *level, const char *advice)
{
    const struct row *row = check_of(a, name, words);
    if (!row)
        fail_msg("no check %s says \"%s\"", name, words);
    assert_string_equal(row_get_text(row, "level", ""), level);
    if (!strstr(row_get_text(row, "advice", ""), advice))
        fail_msg("\"%s\" does not advise \"%s\"", row_get_text(row, "advice", ""), advice);
}

static const struct answer *doctor(struct world *w, size_t node, const char *peer)
{
    return world_call(w, node, row_for("doctor", peer ? "peer" : NULL, peer));
}

static void doctor_says_which_relays_carry(void **state)
{
    (void)state;
    struct world *w = relayed_world(1, 2);
    offer(w, "more", 1);
    run(w, SECOND);
    const struct answer *a = doctor(w, HUGO, NULL);
    assert_true(a->done);
    assert_check(a, "relay", "sara carries 2 shares of this node", "ok", "");
    assert_check(a, "relay", "rita carries 1 share of this node", "ok", "");
    a = doctor(w, ANNA, NULL);
    assert_null(check_of(a, "relay", "")); /* she shares nothing there */
    world_free(w);
}

static void doctor_says_what_to_do_about_a_refusal(void **state)
{
    (void)state;
    struct world *w = strange_world(2, 1);
    offer(w, "docs", 1);
    run(w, 2 * SECOND);
    assert_check(doctor(w, HUGO, NULL), "relay", "sara", "warning", "'weft invite' on sara, 'weft join' here");
    world_call(w, SARA, row_for("trust", "peer", id_text(world_id(w, HUGO)).s));
    world_call(w, HUGO, row_for("trust", "peer", id_text(world_id(w, SARA)).s));
    run(w, 100 * SECOND);
    assert_check(doctor(w, HUGO, NULL), "relay", "sara carries 1 share of this node", "ok", "");
    world_crash(w, SARA);
    run(w, 60 * SECOND);
    assert_check(doctor(w, HUGO, NULL), "relay", "cannot be had there", "warning", "is sara up?");
    world_free(w);
}

static void doctor_says_why_a_peer_is_only_reached_through_a_relay(void **state)
{
    (void)state;
    struct world *w = relayed_world(3, 1);
    const struct answer *a = doctor(w, ANNA, "hugo");
    assert_true(a->done);
    assert_check(a, "reach", "reached over relay:sara, round trip ", "ok", "");
    assert_check(a, "route", "relay:sara only: hugo", "note", "open its port in the firewall or router");
    a = doctor(w, ANNA, "sara");
    assert_check(a, "reach", "reached over tcp://", "ok", "");
    assert_null(check_of(a, "route", ""));
    world_crash(w, SARA);
    run(w, 30 * SECOND);
    assert_check(doctor(w, ANNA, "hugo"), "reach", "", "error", "man weft-relay");
    world_free(w);
}

static void status_lists_reservations_and_sessions(void **state)
{
    (void)state;
    struct world *w = relayed_world(4, 1);
    assert_true(ping(w)->done);
    const struct answer *a = world_call(w, HUGO, row_for("status", NULL, NULL));
    assert_int_equal(answer_count(a, "reservation"), 1);
    const struct row *row = answer_row(a, "reservation", 0);
    assert_string_equal(row_get_text(row, "relay", ""), "sara");
    assert_string_equal(row_get_text(row, "state", ""), "held");
    assert_int_equal(row_get_int(row, "offers", -1), 1);
    assert_true(row_get_int(row, "expires_s", 0) > 0);
    assert_int_equal(answer_count(a, "session"), 1);
    row = answer_row(a, "session", 0);
    assert_string_equal(row_get_text(row, "peer", ""), "anna");
    assert_string_equal(row_get_text(row, "relay", ""), "sara");
    assert_string_equal(row_get_text(row, "direction", ""), "in");
    assert_string_equal(row_get_text(row, "handle", "?"), "");
    assert_true(row_get_int(row, "bytes_in", 0) > 0);
    assert_true(world_call(w, ANNA, row_for("ls", "target", "hugo:docs"))->done);
    a = world_call(w, ANNA, row_for("status", NULL, NULL));
    assert_int_equal(answer_count(a, "session"), 2);
    assert_string_equal(row_get_text(answer_row(a, "session", 0), "handle", "?"), "docs");
    assert_string_equal(row_get_text(answer_row(a, "session", 1), "handle", "?"), "");
    a = world_call(w, SARA, row_for("status", NULL, NULL));
    assert_int_equal(answer_count(a, "reservation") + answer_count(a, "session"), 0);
    assert_int_equal(row_get_int(answer_row(a, "status", 0), "relay_reservations", -1), 1);
    assert_int_equal(row_get_int(answer_row(a, "status", 0), "relay_sessions", -1), 2);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doctor_says_which_relays_carry),
        cmocka_unit_test(doctor_says_what_to_do_about_a_refusal),
        cmocka_unit_test(doctor_says_why_a_peer_is_only_reached_through_a_relay),
        cmocka_unit_test(status_lists_reservations_and_sessions),
    };
    return cmocka_run_group_tests_name("sim_doctor", tests, NULL, NULL);
}

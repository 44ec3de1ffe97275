/* How relayed sessions begin and end, and the NEXTs that their parts travel in. What flows in them: test_session.c. */
#include "session_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- NEXTs */

static void answer(struct end *e, uint64_t request, const struct relay_part *part)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_NEXT_OK;
    m->request = request;
    m->part = *part;
    sessions_on_next(e->link, m);
    free(m);
}

static const struct relay_part nothing = {.kind = PART_NONE};

static void relay_3_nexts_are_kept_waiting_and_asked_again(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    end_turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS);
    struct relay_part credit = {.kind = PART_DATA, .session = 1, .credit = 1};
    answer(&p->a, p->a.said[2].request, &credit);
    end_turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 1);
    answer(&p->a, p->a.said[3].request, &nothing); /* no work: not asked again at once */
    end_turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 1);
    p->a.now += SECOND;
    end_turn(&p->a);
    end_turn(&p->a);
    assert_int_equal(p->a.count, RELAY_NEXTS + 2);
    assert_int_equal(p->a.link->strikes, 0);
    ends_free(p);
}

static void relay_3_no_more_nexts_wait_than_the_relay_lets(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    p->a.carrier->nexts = 3;
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    end_turn(&p->a);
    assert_int_equal(p->a.count, 3);
    ends_free(p);
}

static void p42_answers_nobody_asked_for_are_strikes(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    end_turn(&p->a);
    answer(&p->a, 4711, &nothing);
    assert_int_equal(p->a.link->strikes, 1);
    answer(&p->a, p->a.said[0].request, &nothing);
    answer(&p->a, p->a.said[0].request, &nothing); /* the same one twice */
    assert_int_equal(p->a.link->strikes, 2);
    struct relay_part accept = {.kind = PART_ACCEPT, .session = 1};
    answer(&p->a, p->a.said[1].request, &accept); /* what only holders say */
    assert_int_equal(p->a.link->strikes, 3);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN);
    ends_free(p);
}

static void s26_few_nexts_are_out_however_much_is_to_be_said(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    p->a.session->out.limit = INT64_MAX;
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(session_send(p->a.session, "x", 1), 0);
    assert_int_equal(p->a.count, NEXTS_OUT_MAX);
    answer(&p->a, p->a.said[0].request, &nothing);
    end_turn(&p->a);
    assert_int_equal(p->a.count, NEXTS_OUT_MAX + 1);
    ends_free(p);
}

static void s46_sessions_take_turns(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct session *a2, *b2;
    open_session(p, 2, &a2, &b2);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(session_queue(p->a.session, "x", 1), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(session_queue(a2, "y", 1), 0);
    carrier_say(p->a.carrier);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(p->a.said[i].part.session, 1 + (p->a.said[0].part.session + i + 1) % 2);
    ends_free(p);
}

/* A refused NEXT ends the session whose part it carried, and is not repeated at once. */
static void p42_a_refused_part_ends_its_session(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct msg *m = calloc(1, sizeof *m);
    assert_int_equal(session_send(p->a.session, "x", 1), 0);
    *m = (struct msg){.type = MSG_ERROR, .request = p->a.said[p->a.count - 1].request, .error = {.code = ERR_NOT_FOUND}};
    strcpy(m->error.text, "no such session");
    assert_true(sessions_on_error(p->a.link, m));
    assert_false(sessions_on_error(p->a.link, m));
    assert_int_equal(p->a.session->state.now, SESSION_ENDED);
    assert_int_equal(p->a.session->fault.code, ERR_NOT_FOUND);
    size_t count = p->a.count;
    end_turn(&p->a);
    assert_int_equal(p->a.count, count);
    free(m);
    ends_free(p);
}

static void s31_a_lost_relay_ends_its_sessions(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    sessions_link_lost(p->a.core, p->a.link);
    assert_int_equal(p->a.session->state.now, SESSION_ENDED);
    assert_int_equal(p->a.session->fault.code, ERR_UNREACHABLE);
    end_turn(&p->a);
    assert_null(p->a.core->relayed->sessions);
    assert_null(p->a.core->relayed->carriers); /* nothing is left of it */
    ends_free(p);
}

static void relay_7_a_relay_that_drains_is_left(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct relay_part drain = {.kind = PART_DRAIN};
    p->a.carrier->hungry = true;
    relayed_soon(p->a.core, 0);
    end_turn(&p->a);
    answer(&p->a, p->a.said[0].request, &drain);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN); /* what is under way may end */
    for (unsigned i = 0; i < 3; i++) {
        p->a.now += SECOND;
        end_turn(&p->a);
    }
    assert_null(p->a.core->relayed->sessions);
    ends_free(p);
}

/* ---- how sessions begin: what is believed of a relay that asks, and of one that answers */

/* The end has a reservation at its relay. */
static void reserve(struct end *e)
{
    static const uint32_t any[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static const char *const names[] = {"waiting", "reaching", "asking", "held"};
    static const struct state_table table = {
        .what = "reservation", .names = names, .allowed = any, .count = RESERVATION_STATES};
    struct reservation *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->core = e->core;
    r->carrier = e->carrier;
    r->wanted = true;
    state_init(&r->state, &table, RESERVATION_HELD);
    timer_init(&r->timer, NULL, NULL);
    e->carrier->reservation = e->core->relayed->reservations = r;
}

/* A request for a session for this name, as the node with these keys would make it. */
static struct relay_part use_by(const struct end *e, const struct identity *user, uint64_t number, const char *name)
{
    struct relay_part part = {.kind = PART_USE, .session = number, .credit = RELAY_WINDOW, .user = user->id};
    uint8_t prologue[12 + NODE_ID_BYTES + TAG_BYTES + NODE_ID_BYTES] = "weft relay 1";
    struct noise_purpose purpose = {.prologue = prologue, .prologue_n = sizeof prologue, .ephemeral = {1, 2, 3}};
    struct noise noise;
    part.handle = handle_of(&e->identity.id, name);
    memcpy(prologue + 12, e->carrier->peer->id.b, NODE_ID_BYTES);
    memcpy(prologue + 44, part.handle.b, TAG_BYTES);
    memcpy(prologue + 60, e->identity.id.b, NODE_ID_BYTES);
    assert_int_equal(noise_start(&noise, user, e->identity.curve_public, &purpose, part.noise), 0);
    return part;
}

/* The code of the CLOSE that was said last, for this session; ERR_COUNT: it was none. */
static enum err closed_with(const struct end *e, uint64_t number)
{
    const struct relay_part *part = &e->said[e->count - 1].part;
    return e->count > 0 && part->kind == PART_CLOSE && part->session == number ? part->code : ERR_COUNT;
}

static void relay_4_a_request_in_an_answer_is_accepted(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    reserve(&p->b);
    struct relay_part part = use_by(&p->b, &p->a.identity, 7, "");
    session_asked(p->b.carrier, &part);
    end_turn(&p->b);
    carrier_say(p->b.carrier);
    struct session *s = session_find(p->b.carrier, 7);
    assert_int_equal(s->state.now, SESSION_PROVING);
    assert_null(s->link); /* which is made when something that the other side sealed has come */
    assert_memory_equal(s->curve, p->a.identity.curve_public, CURVE_KEY_BYTES);
    assert_int_equal(p->b.said[0].part.kind, PART_ACCEPT);
    ends_free(p);
}

static void s8_what_is_not_offered_is_not_found(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct relay_part part = use_by(&p->b, &p->a.identity, 7, "");
    session_asked(p->b.carrier, &part); /* no reservation */
    assert_int_equal(closed_with(&p->b, 7), ERR_NOT_FOUND);
    reserve(&p->b);
    part = use_by(&p->b, &p->a.identity, 8, "secret");
    session_asked(p->b.carrier, &part);
    assert_int_equal(closed_with(&p->b, 8), ERR_NOT_FOUND);
    assert_null(session_find(p->b.carrier, 7));
    assert_null(session_find(p->b.carrier, 8));
    ends_free(p);
}

static void s8_a_relay_needs_no_session_to_us_nor_do_we(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct identity relay;
    uint8_t seed[SEED_BYTES] = {9};
    identity_from_seed(seed, &relay);
    reserve(&p->b);
    struct relay_part part = use_by(&p->b, &relay, 7, "");
    session_asked(p->b.carrier, &part);
    assert_int_equal(session_find(p->b.carrier, 7)->fault.code, ERR_REFUSED);
    part = use_by(&p->b, &p->b.identity, 8, "");
    session_asked(p->b.carrier, &part);
    assert_int_equal(session_find(p->b.carrier, 8)->fault.code, ERR_REFUSED);
    assert_int_equal(p->b.core->relayed->broken, 0); /* the bytes themselves were carried well */
    ends_free(p);
}

static void p42_a_number_that_is_taken_is_a_strike(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    reserve(&p->b);
    struct relay_part part = use_by(&p->b, &p->a.identity, 1, "");
    session_asked(p->b.carrier, &part);
    assert_int_equal(p->b.link->strikes, 1);
    assert_int_equal(carrier_sessions(p->b.carrier, true), 1);
    assert_int_equal(p->b.session->state.now, SESSION_OPEN);
    ends_free(p);
}

static void s26_requests_are_bounded_in_number_and_rate(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    reserve(&p->b);
    p->b.carrier->uses.level = 10;
    for (uint64_t number = 10; number < 40; number++) {
        struct relay_part part = use_by(&p->b, &p->a.identity, number, "");
        session_asked(p->b.carrier, &part);
    }
    assert_int_equal(carrier_sessions(p->b.carrier, true), 1 + 10);
    assert_int_equal(closed_with(&p->b, 39), ERR_FULL);
    p->b.carrier->uses.level = p->b.carrier->uses.burst = 1000;
    p->b.carrier->out_count = 0;
    for (uint64_t number = 100; number < 200; number++) {
        struct relay_part part = use_by(&p->b, &p->a.identity, number, "");
        session_asked(p->b.carrier, &part);
        p->b.carrier->out_count = 0;
    }
    assert_int_equal(carrier_sessions(p->b.carrier, true), RELAY_SESSIONS_PER_CLIENT);
    assert_int_equal(closed_with(&p->b, 199), ERR_FULL);
    ends_free(p);
}

/* A session of a's that asks for b, with a link that is being dialled. */
static struct session *dial(struct ends *p)
{
    struct tag handle = handle_of(&p->b.identity.id, "");
    struct peer *b;
    assert_int_equal(peers_add(p->a.core->peers, &p->b.identity.id, &b), 0);
    struct link *link = link_new(p->a.core, ++p->a.core->next_link, b, true);
    assert_non_null(link);
    link->relayed = true;
    assert_int_equal(session_open(link, &p->a.carrier->peer->id, &handle), 0);
    end_turn(&p->a);
    assert_true(p->a.request > 0);
    return link->session;
}

static void use_ok(struct ends *p, const struct msg_use_ok *ok)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = MSG_USE_OK;
    m->request = p->a.request;
    m->use_ok = *ok;
    assert_true(ask_on_answer(p->a.link, m));
    free(m);
}

static void relay_1_a_session_opens_when_the_holder_answers(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    reserve(&p->b);
    struct session *s = dial(p);
    struct relay_part part = {.kind = PART_USE, .session = 7, .credit = p->a.use.credit, .handle = p->a.use.handle};
    memcpy(part.noise, p->a.use.noise, NOISE_FIRST_BYTES);
    session_asked(p->b.carrier, &part);
    struct msg_use_ok ok = {.session = 7, .credit = RELAY_WINDOW};
    memcpy(ok.noise, session_find(p->b.carrier, 7)->second, NOISE_SECOND_BYTES);
    use_ok(p, &ok);
    assert_int_equal(s->state.now, SESSION_OPEN);
    assert_int_equal(p->a.said[p->a.count - 1].part.kind, PART_DATA); /* HELLO */
    ends_free(p);
}

static void p42_an_answer_by_anyone_else_is_refused(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct session *s = dial(p);
    struct msg_use_ok ok = {.session = 7, .credit = RELAY_WINDOW, .noise = {1}};
    use_ok(p, &ok);
    assert_int_equal(s->state.now, SESSION_ENDED);
    assert_int_equal(s->fault.code, ERR_VERIFY);
    assert_int_equal(p->a.warnings, 1);
    ends_free(p);
}

static void p42_an_answer_with_a_number_that_is_taken_is_a_strike(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct session *s = dial(p);
    struct msg_use_ok ok = {.session = 1, .credit = RELAY_WINDOW};
    use_ok(p, &ok);
    assert_int_equal(p->a.link->strikes, 1);
    assert_int_equal(s->fault.code, ERR_VERIFY);
    assert_int_equal(p->a.session->state.now, SESSION_OPEN); /* whose number it is */
    ends_free(p);
}

/* Nobody waits for it any more: what was opened meanwhile is closed. */
static void relay_7_a_session_that_is_not_wanted_any_more_is_closed(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct session *s = dial(p);
    struct link *link = s->link;
    session_hangup(s);
    link->session = NULL;
    end_turn(&p->a);
    struct msg_use_ok ok = {.session = 7, .credit = RELAY_WINDOW};
    use_ok(p, &ok);
    end_turn(&p->a);
    assert_int_equal(closed_with(&p->a, 7), ERR_OK);
    end_turn(&p->a);
    assert_null(session_find(p->a.carrier, 7));
    ends_free(p);
}

static void p42_no_session_goes_round_in_a_loop(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct tag handle = handle_of(&p->b.identity.id, "");
    struct peer *b;
    assert_int_equal(peers_add(p->a.core->peers, &p->b.identity.id, &b), 0);
    struct link *link = link_new(p->a.core, ++p->a.core->next_link, b, true);
    assert_int_equal(session_open(link, &p->b.identity.id, &handle), ERR_STATE); /* through the peer */
    assert_int_equal(session_open(link, &p->a.identity.id, &handle), ERR_STATE); /* through us */
    struct carrier *c = carrier_get(p->a.core, &p->b.identity.id);
    c->reaching = true; /* it is to be a relay, and is being reached */
    assert_int_equal(session_open(link, &p->a.carrier->peer->id, &handle), ERR_STATE);
    c->reaching = false;
    assert_int_equal(session_open(link, &p->a.carrier->peer->id, &handle), 0);
    ends_free(p);
}

/* ---- bulk streams */

struct bridged {
    unsigned calls;
    enum err code;
    struct tag own;
};

static void bridged(void *arg, const struct msg_bridge_ok *ok, const struct fault *fault)
{
    struct bridged *b = arg;
    b->calls++;
    b->code = ok ? ERR_OK : fault->code;
    if (ok)
        b->own = ok->own.id;
}

static void answer_bridge(struct ends *p, bool well)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = well ? MSG_BRIDGE_OK : MSG_ERROR;
    m->request = p->a.core->next_request;
    if (well)
        m->bridge_ok.own.id.b[0] = 7;
    else
        m->error.code = ERR_FULL;
    assert_true(ask_on_answer(p->a.link, m));
    free(m);
}

static void relay_6_a_bridge_is_asked_for_and_told_of_once(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct bridged good = {0}, refused = {0}, lost = {0}, cancelled = {0};
    assert_int_equal(session_bridge(p->a.session, 4, bridged, &good), 0);
    assert_int_equal(good.calls, 0); /* never from inside */
    answer_bridge(p, true);
    assert_int_equal(session_bridge(p->a.session, 4, bridged, &refused), 0);
    answer_bridge(p, false);
    assert_int_equal(session_bridge(p->a.session, 4, bridged, &cancelled), 0);
    session_bridge_cancel(p->a.core, &cancelled);
    assert_int_equal(session_bridge(p->a.session, 4, bridged, &lost), 0);
    ask_link_lost(p->a.core, p->a.link);
    assert_int_equal(good.calls + refused.calls + lost.calls, 3);
    assert_int_equal(cancelled.calls, 0);
    assert_int_equal(good.code, ERR_OK);
    assert_int_equal(good.own.b[0], 7);
    assert_int_equal(refused.code, ERR_FULL);
    assert_int_equal(lost.code, ERR_UNREACHABLE);
    ends_free(p);
}

static void relay_6_no_bridge_without_a_session(void **state)
{
    (void)state;
    struct ends *p = ends_new();
    struct bridged b = {0};
    sessions_link_lost(p->a.core, p->a.link);
    assert_int_equal(session_bridge(p->a.session, 4, bridged, &b), ERR_UNREACHABLE);
    assert_int_equal(b.calls, 0);
    ends_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_3_nexts_are_kept_waiting_and_asked_again),
        cmocka_unit_test(relay_3_no_more_nexts_wait_than_the_relay_lets),
        cmocka_unit_test(p42_answers_nobody_asked_for_are_strikes),
        cmocka_unit_test(s26_few_nexts_are_out_however_much_is_to_be_said),
        cmocka_unit_test(s46_sessions_take_turns),
        cmocka_unit_test(p42_a_refused_part_ends_its_session),
        cmocka_unit_test(s31_a_lost_relay_ends_its_sessions),
        cmocka_unit_test(relay_7_a_relay_that_drains_is_left),
        cmocka_unit_test(relay_4_a_request_in_an_answer_is_accepted),
        cmocka_unit_test(s8_what_is_not_offered_is_not_found),
        cmocka_unit_test(s8_a_relay_needs_no_session_to_us_nor_do_we),
        cmocka_unit_test(p42_a_number_that_is_taken_is_a_strike),
        cmocka_unit_test(s26_requests_are_bounded_in_number_and_rate),
        cmocka_unit_test(relay_1_a_session_opens_when_the_holder_answers),
        cmocka_unit_test(p42_an_answer_by_anyone_else_is_refused),
        cmocka_unit_test(p42_an_answer_with_a_number_that_is_taken_is_a_strike),
        cmocka_unit_test(relay_7_a_session_that_is_not_wanted_any_more_is_closed),
        cmocka_unit_test(p42_no_session_goes_round_in_a_loop),
        cmocka_unit_test(relay_6_a_bridge_is_asked_for_and_told_of_once),
        cmocka_unit_test(relay_6_no_bridge_without_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A relay: reservations, handles, and who may use them. Sessions are test_relay_sessions.c's. */
#include "relay_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- RESERVE */

static void reservations_are_for_peers_that_the_relay_trusts(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t eve = node_join(n, "eve", false), bob = node_join(n, "bob", true);
    node_reserve(n, eve);
    const struct msg *m = node_hear_a(n, eve, MSG_ERROR);
    assert_int_equal(m->error.code, ERR_REFUSED);
    assert_non_null(strstr(m->error.text, "weft trust eve")); /* what to do about it */
    node_reserve(n, bob);
    m = node_hear_a(n, bob, MSG_RESERVE_OK);
    assert_int_equal(m->reserve_ok.life_s, RELAY_LIFE_MAX_S);
    assert_int_equal(m->reserve_ok.sessions, RELAY_SESSIONS_PER_CLIENT);
    assert_int_equal(m->reserve_ok.bytes, INT64_MAX);
    assert_int_equal(m->reserve_ok.rate, 0);
    assert_int_equal(m->reserve_ok.nexts, RELAY_NEXTS_MAX);
    assert_int_equal(node_relay(n)->reservations, 1);
    node_free(n);
}

static void a_reservation_is_what_the_quota_says_or_less(void **state)
{
    (void)state;
    const struct relay_quota quota = {.sessions = 5, .bytes = 1000, .rate = 70};
    struct relay_node *n = node_new(&quota);
    size_t bob = node_join(n, "bob", true);
    for (uint32_t wanted = 0; wanted <= 10; wanted += 2) {
        struct msg *m = node_msg(n, MSG_RESERVE, 1);
        m->reserve = (struct msg_reserve){.pipe = pipe_owned(node_self(n), "relay"), .life_s = 30 + wanted, .sessions = wanted};
        node_say(n, bob, m);
        const struct msg_reserve_ok *ok = &node_hear_a(n, bob, MSG_RESERVE_OK)->reserve_ok;
        assert_int_equal(ok->sessions, wanted > 0 && wanted < 5 ? wanted : 5);
        assert_int_equal(ok->life_s, 30 + wanted);
        assert_int_equal(ok->bytes, 1000);
        assert_int_equal(ok->rate, 70);
    }
    assert_int_equal(node_relay(n)->reservations, 1);
    node_free(n);
}

static void a_reservation_lapses_unless_it_is_renewed(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    node_wait(n, (RELAY_LIFE_MAX_S - 1) * SECOND);
    assert_int_equal(node_relay(n)->reservations, 1);
    node_reserve_ok(n, bob);
    node_wait(n, (RELAY_LIFE_MAX_S - 1) * SECOND);
    assert_int_equal(node_relay(n)->reservations, 1);
    assert_int_equal(node_relay(n)->offers, 1);
    node_wait(n, 2 * SECOND);
    assert_int_equal(node_relay(n)->reservations, 0);
    assert_int_equal(node_relay(n)->offers, 0);
    node_offer(n, bob, "pictures", true);
    node_refused(n, bob, ERR_STATE);
    node_free(n);
}

static void a_reservation_outlives_the_link_and_no_more(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    node_lose(n, bob);
    assert_int_equal(node_relay(n)->reservations, 1);
    node_use(n, anna, bob, "pictures");
    node_refused(n, anna, ERR_UNREACHABLE);
    size_t again = node_join_again(n, bob);
    node_session(n, anna, again, "pictures");
    node_lose(n, again);
    assert_int_equal(node_relay(n)->client_count, 2);
    node_wait(n, RELAY_LIFE_MAX_S * SECOND);
    assert_int_equal(node_relay(n)->client_count, 1);
    assert_int_equal(node_relay(n)->reservations, 0);
    node_free(n);
}

static void a_reservation_ends_when_it_is_not_wanted_any_more(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    uint64_t session = node_session(n, anna, bob, "pictures");
    struct msg *m = node_msg(n, MSG_RESERVE, 1);
    m->reserve.pipe = pipe_owned(node_self(n), "relay");
    node_say(n, bob, m);
    assert_int_equal(node_hear_a(n, bob, MSG_RESERVE_OK)->reserve_ok.life_s, 0);
    assert_int_equal(node_relay(n)->offers, 0);
    node_next(n, anna);
    const struct relay_part *part = node_part(n, anna, PART_CLOSE);
    assert_int_equal(part->session, session);
    assert_int_equal(part->code, ERR_STATE);
    node_free(n);
}

static void who_is_not_trusted_any_more_serves_nobody(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    uint64_t session = node_session(n, anna, bob, "pictures");
    node_peer(n, bob)->trusted = false;
    relay_trust(node_core(n), node_peer(n, bob));
    assert_int_equal(node_relay(n)->reservations, 0);
    assert_int_equal(node_relay(n)->offers, 0);
    node_next(n, anna);
    const struct relay_part *part = node_part(n, anna, PART_CLOSE);
    assert_int_equal(part->session, session);
    assert_int_equal(part->code, ERR_STATE);
    node_use(n, anna, bob, "pictures");
    node_refused(n, anna, ERR_NOT_FOUND);
    node_offer(n, bob, "more", true);
    node_refused(n, bob, ERR_STATE);
    node_reserve(n, bob);
    node_refused(n, bob, ERR_REFUSED);
    node_free(n);
}

static void requests_through_another_pipe_are_refused(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true);
    static const enum msg_type types[] = {MSG_RESERVE, MSG_HANDLES, MSG_USE};
    for (size_t i = 0; i < 3; i++) {
        node_say(n, bob, node_msg(n, types[i], i + 1)); /* pipe: zeros */
        node_refused(n, bob, ERR_STATE);
    }
    assert_int_equal(node_relay(n)->reservations, 0);
    node_free(n);
}

/* ---- OFFER and HANDLES */

static void handles_need_a_reservation(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true);
    node_offer(n, bob, "pictures", true);
    const struct msg *m = node_hear_a(n, bob, MSG_ERROR);
    assert_int_equal(m->error.code, ERR_STATE);
    assert_non_null(strstr(m->error.text, "no reservation"));
    node_free(n);
}

static void s26_one_clients_handles_have_a_bound(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true);
    char name[16];
    node_reserve_ok(n, bob);
    for (unsigned i = 0; i < SHARES_MAX; i++) {
        snprintf(name, sizeof name, "share-%u", i);
        node_offer_ok(n, bob, name, false);
        if (i % 1000 == 999)
            node_wait(n, SECOND); /* a link may say only so much at once */
    }
    node_offer(n, bob, "one-more", false);
    node_refused(n, bob, ERR_FULL);
    node_offer_ok(n, bob, "share-7", true); /* as it is there already */
    node_withdraw_ok(n, bob, "share-8");
    node_withdraw_ok(n, bob, "share-8");
    assert_int_equal(node_relay(n)->offers, SHARES_MAX - 1);
    node_offer_ok(n, bob, "one-more", false);
    node_lose(n, bob);
    node_wait(n, RELAY_LIFE_MAX_S * SECOND);
    assert_int_equal(node_relay(n)->offers, 0);
    node_free(n);
}

static void s26_handles_of_all_clients_have_a_bound(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    char name[16];
    for (unsigned i = 0; i <= RELAY_HANDLES_MAX; i++) {
        size_t client = i / SHARES_MAX;
        snprintf(name, sizeof name, "client-%zu", client);
        if (i % SHARES_MAX == 0)
            node_reserve_ok(n, node_join(n, name, true));
        snprintf(name, sizeof name, "share-%04u", SHARES_MAX - i % SHARES_MAX); /* each is the first */
        if (i < RELAY_HANDLES_MAX)
            node_offer_ok(n, client, name, false);
        else
            node_offer(n, client, name, false);
    }
    node_refused(n, RELAY_HANDLES_MAX / SHARES_MAX, ERR_FULL);
    assert_int_equal(node_relay(n)->offers, RELAY_HANDLES_MAX);
    node_free(n);
}

static const struct msg_handles_ok *list(struct relay_node *n, size_t client, const struct handle_info *after)
{
    struct msg *m = node_msg(n, MSG_HANDLES, 1);
    m->handles.pipe = pipe_owned(node_self(n), "relay");
    if (after) {
        m->handles.after_holder = after->holder;
        memcpy(m->handles.after_name, after->name, sizeof after->name);
    }
    node_say(n, client, m);
    return &node_hear_a(n, client, MSG_HANDLES_OK)->handles_ok;
}

static void s8_a_handle_is_shown_to_those_it_is_for(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    size_t eve = node_join(n, "eve", false), mallory = node_join(n, "mallory", false);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "for-all", true);
    node_offer_ok(n, bob, "for-friends", false);
    struct msg *m = node_msg(n, MSG_OFFER, 1);
    strcpy(m->offer.name, "for-eve");
    m->offer.audience_count = 2;
    m->offer.audience[0] = *node_id_of(n, eve);
    m->offer.audience[1] = *node_self(n);
    node_say(n, bob, m);
    node_hear_a(n, bob, MSG_OFFER_OK);
    const struct {
        size_t client;
        bool sees[3];
    } rights[] = {{anna, {true, false, true}}, {eve, {true, true, false}}, {mallory, {true, false, false}}};
    static const char *const names[] = {"for-all", "for-eve", "for-friends"};
    for (size_t i = 0; i < 3; i++) {
        struct msg_handles_ok ok = *list(n, rights[i].client, NULL);
        size_t seen = 0;
        for (size_t k = 0; k < 3; k++) {
            if (rights[i].sees[k])
                assert_string_equal(ok.handle[seen++].name, names[k]);
            node_use(n, rights[i].client, bob, names[k]); /* it waits for bob, when it may be */
            if (!rights[i].sees[k])
                node_refused(n, rights[i].client, ERR_NOT_FOUND);
            node_silent(n, rights[i].client);
        }
        assert_int_equal(ok.count, seen);
        node_use(n, rights[i].client, bob, ""); /* the node itself: what is said then is for bob to judge */
        node_silent(n, rights[i].client);
    }
    node_free(n);
}

static void s8_what_may_not_be_seen_is_as_what_is_not_there(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), carl = node_join(n, "carl", true), eve = node_join(n, "eve", false);
    char texts[4][ERROR_TEXT_MAX + 1];
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "secret", false);
    for (size_t i = 0; i < 4; i++) { /* not for her; not there; no reservation; nor when the holder is away */
        if (i == 3)
            node_lose(n, bob);
        node_use(n, eve, i == 2 ? carl : bob, i == 1 ? "nothing" : "secret");
        const struct msg *m = node_hear_a(n, eve, MSG_ERROR);
        assert_int_equal(m->error.code, ERR_NOT_FOUND);
        strcpy(texts[i], m->error.text);
        assert_string_equal(texts[i], texts[0]);
    }
    node_free(n);
}

static void handles_come_in_pages_in_order(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    enum { HOLDERS = 5, EACH = 100 };
    char name[16];
    struct handle_info last = {.name = ""};
    unsigned count = 0, pages = 0;
    for (size_t i = 0; i < HOLDERS; i++) {
        snprintf(name, sizeof name, "holder-%zu", i);
        size_t holder = node_join(n, name, true);
        node_reserve_ok(n, holder);
        for (unsigned k = 0; k < EACH; k++) {
            snprintf(name, sizeof name, "share-%u", (k * 37) % EACH);
            node_offer_ok(n, holder, name, k % 2 == 0);
        }
    }
    size_t eve = node_join(n, "eve", false);
    const struct msg_handles_ok *ok;
    do {
        ok = list(n, eve, count > 0 ? &last : NULL);
        for (size_t i = 0; i < ok->count; i++) {
            int order = id_compare(&last.holder, &ok->handle[i].holder);
            assert_true(count == 0 || order < 0 || (order == 0 && strcmp(last.name, ok->handle[i].name) < 0));
            assert_true(ok->handle[i].is_public);
            last = ok->handle[i];
            count++;
        }
        pages++;
    } while (ok->more);
    assert_int_equal(count, HOLDERS * EACH / 2);
    assert_int_equal(pages, (HOLDERS * EACH / 2 + HANDLES_PAGE_MAX - 1) / HANDLES_PAGE_MAX);
    node_free(n);
}

static void a_handle_is_ready_busy_or_away(void **state)
{
    (void)state;
    const struct relay_quota quota = {.sessions = 1};
    struct relay_node *n = node_new(&quota);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    const struct handle_info *h = &list(n, anna, NULL)->handle[0];
    assert_int_equal(h->state, HANDLE_READY);
    assert_string_equal(h->holder_name, "bob");
    node_session(n, anna, bob, "pictures");
    assert_int_equal(list(n, anna, NULL)->handle[0].state, HANDLE_BUSY);
    node_lose(n, bob);
    node_wait(n, RELAY_ACCEPT);
    assert_int_equal(list(n, anna, NULL)->handle[0].state, HANDLE_AWAY);
    node_free(n);
}

/* Looking through what is for others is work too. */
static void s26_who_asks_for_handles_without_end_is_slowed(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), eve = node_join(n, "eve", false);
    char name[16];
    unsigned answered = 0;
    node_reserve_ok(n, bob);
    for (unsigned i = 0; i < 640; i++) {
        snprintf(name, sizeof name, "share-%u", i);
        node_offer_ok(n, bob, name, false);
    }
    for (unsigned i = 0; i < 500; i++) {
        struct msg *m = node_msg(n, MSG_HANDLES, i + 1);
        m->handles.pipe = pipe_owned(node_self(n), "relay");
        node_say(n, eve, m);
        const struct msg *a = node_hear(n, eve);
        assert_non_null(a);
        answered += a->type == MSG_HANDLES_OK;
    }
    assert_in_range(answered, 50, 100); /* each cost eleven queries */
    node_wait(n, SECOND);
    assert_int_equal(list(n, eve, NULL)->count, 0);
    node_free(n);
}

/* ---- USE */

static void what_cannot_be_used_is_refused_with_a_reason(void **state)
{
    (void)state;
    const struct relay_quota quota = {.sessions = 2};
    struct relay_node *n = node_new(&quota);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true), carl = node_join(n, "carl", true);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    node_use(n, anna, bob, "music");
    node_refused(n, anna, ERR_NOT_FOUND);
    node_use(n, anna, carl, "pictures"); /* who has no reservation */
    node_refused(n, anna, ERR_NOT_FOUND);
    node_use(n, bob, bob, "pictures"); /* in a circle */
    node_refused(n, bob, ERR_REFUSED);
    struct msg *m = node_msg(n, MSG_USE, 1);
    m->use.pipe = pipe_owned(node_self(n), "relay");
    m->use.holder = *node_self(n);
    m->use.handle = handle_of(node_self(n), "");
    node_say(n, anna, m);
    node_refused(n, anna, ERR_REFUSED);
    node_session(n, anna, bob, "pictures");
    node_session(n, anna, bob, "pictures");
    node_use(n, anna, bob, "pictures"); /* both have as many as they may */
    node_refused(n, anna, ERR_FULL);
    node_use(n, carl, bob, "pictures");
    node_refused(n, carl, ERR_FULL);
    node_free(n);
}

static void s26_strangers_leave_room_for_friends(void **state)
{
    (void)state;
    const struct relay_quota quota = {.sessions = 4};
    struct relay_node *n = node_new(&quota);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true), eve = node_join(n, "eve", false);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    node_session(n, eve, bob, "pictures");
    node_session(n, eve, bob, "pictures");
    node_use(n, eve, bob, "pictures");
    node_refused(n, eve, ERR_FULL);
    node_session(n, anna, bob, "pictures");
    node_session(n, anna, bob, "pictures");
    node_use(n, anna, bob, "pictures");
    node_refused(n, anna, ERR_FULL);
    node_free(n);
}

/* How many of 1000 sessions the user begins at once, each refused by bob in no time. */
static unsigned begin_many(struct relay_node *n, size_t user, size_t bob)
{
    unsigned begun = 0;
    for (unsigned i = 0; i < 1000; i++) {
        node_use(n, user, bob, "pictures");
        const struct msg *m = node_hear(n, bob);
        if (m)
            node_close(n, bob, m->part.session, ERR_REFUSED, "go away");
        begun += m != NULL;
        node_refused(n, user, m ? ERR_REFUSED : ERR_LIMIT);
    }
    return begun;
}

static void s46_sessions_are_not_begun_faster_than_holders_can_shake_hands(void **state)
{
    (void)state;
    struct relay_node *n = node_new(NULL);
    size_t bob = node_join(n, "bob", true), anna = node_join(n, "anna", true);
    size_t eve = node_join(n, "eve", false), mallory = node_join(n, "mallory", false);
    node_reserve_ok(n, bob);
    node_offer_ok(n, bob, "pictures", true);
    node_next(n, bob);
    assert_int_equal(begin_many(n, eve, bob), RELAY_USES_BURST);
    node_lose(n, eve);
    size_t again = node_join_again(n, eve); /* another link is no new beginning, nor is another key */
    assert_int_equal(begin_many(n, again, bob) + begin_many(n, mallory, bob), 0);
    assert_int_equal(begin_many(n, anna, bob), RELAY_USES_BURST);
    node_wait(n, SECOND);
    assert_in_range(begin_many(n, again, bob), 1, RELAY_USES_PER_S);
    assert_in_range(begin_many(n, anna, bob), 1, RELAY_USES_PER_S);
    node_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reservations_are_for_peers_that_the_relay_trusts),
        cmocka_unit_test(a_reservation_is_what_the_quota_says_or_less),
        cmocka_unit_test(a_reservation_lapses_unless_it_is_renewed),
        cmocka_unit_test(a_reservation_outlives_the_link_and_no_more),
        cmocka_unit_test(a_reservation_ends_when_it_is_not_wanted_any_more),
        cmocka_unit_test(who_is_not_trusted_any_more_serves_nobody),
        cmocka_unit_test(requests_through_another_pipe_are_refused),
        cmocka_unit_test(handles_need_a_reservation),
        cmocka_unit_test(s26_one_clients_handles_have_a_bound),
        cmocka_unit_test(s26_handles_of_all_clients_have_a_bound),
        cmocka_unit_test(s8_a_handle_is_shown_to_those_it_is_for),
        cmocka_unit_test(s8_what_may_not_be_seen_is_as_what_is_not_there),
        cmocka_unit_test(handles_come_in_pages_in_order),
        cmocka_unit_test(a_handle_is_ready_busy_or_away),
        cmocka_unit_test(s26_who_asks_for_handles_without_end_is_slowed),
        cmocka_unit_test(what_cannot_be_used_is_refused_with_a_reason),
        cmocka_unit_test(s26_strangers_leave_room_for_friends),
        cmocka_unit_test(s46_sessions_are_not_begun_faster_than_holders_can_shake_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

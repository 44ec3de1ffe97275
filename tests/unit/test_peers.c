/* The table of known peers: its invariants, names and their keys, what counts as news or as a sign of life, and who is let
 * go. */
#include "peers.h"
#include "someone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 (100 * SECOND)

/* The node itself is number 99; anna, bob and a second node that calls itself bob. */
struct world {
    struct peers *peers;
    struct someone self, anna, bob, other;
    int checks; /* how many signature checks are still paid for */
    int asked;
};

static int setup(void **state)
{
    struct world *w = *state = calloc(1, sizeof *w);
    assert_non_null(w);
    someone_make(&w->self, 99, "self");
    someone_make(&w->anna, 1, "anna");
    someone_make(&w->bob, 2, "bob");
    someone_make(&w->other, 3, "bob");
    w->checks = 1000000;
    return peers_new(&w->self.identity.id, &w->peers);
}

static int teardown(void **state)
{
    struct world *w = *state;
    peers_free(w->peers);
    free(w);
    return 0;
}

static bool budget(void *arg)
{
    struct world *w = arg;
    w->asked++;
    return w->checks-- > 0;
}

struct heard {
    int err;
    enum peer_news news;
    struct peer *peer;
};

static struct heard take(struct world *w, const struct someone *s, bool from_link, uint64_t now)
{
    struct heard h;
    h.err = peers_take_record(w->peers, &s->bytes, from_link, now, &h.peer, &h.news);
    return h;
}

static struct heard beacon(struct world *w, const struct someone *s, enum beacon_kind kind, uint64_t beat, uint64_t now)
{
    uint8_t buf[BEACON_BYTES_MAX];
    struct beacon b = {.kind = kind, .beat = beat, .record = s->bytes}, read;
    struct heard h;
    size_t n;
    assert_int_equal(beacon_sign(&b, &s->identity, buf, sizeof buf, &n), 0);
    h.err = peers_take_beacon(w->peers, buf, n, now, budget, w, &read, &h.peer, &h.news);
    return h;
}

/* ---- the table */

static void peers_stand_in_order_of_id_and_never_the_node_itself(void **state)
{
    struct world *w = *state;
    struct peer *p, *again;
    assert_int_equal(peers_add(w->peers, &w->self.identity.id, &p), ERR_USAGE);
    for (size_t i = 0; i < 300; i++) {
        struct node_id id = {.b = {(uint8_t)(i * 101), (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(peers_add(w->peers, &id, &p), 0);
        assert_int_equal(peers_add(w->peers, &id, &again), 0);
        assert_ptr_equal(p, again);
        assert_ptr_equal(peers_find(w->peers, &id), p);
    }
    assert_int_equal(peers_count(w->peers), 300);
    for (size_t i = 1; i < 300; i++)
        assert_true(id_compare(&peers_at(w->peers, i - 1)->id, &peers_at(w->peers, i)->id) < 0);
    while (peers_count(w->peers) > 0)
        peers_drop(w->peers, peers_at(w->peers, peers_count(w->peers) / 2));
    struct heard h = take(w, &w->self, true, T0);
    assert_int_equal(h.err, 0);
    assert_null(h.peer);
    h = beacon(w, &w->self, BEACON_ALIVE, 1, T0);
    assert_null(h.peer);
    assert_int_equal(w->asked, 0); /* our own beacon, heard back, costs nothing */
}

static void p45_the_longest_unseen_makes_room_but_never_a_trusted_or_busy_one(void **state)
{
    struct world *w = *state;
    struct peer *p;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct node_id id = {.b = {1, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(peers_add(w->peers, &id, &p), 0);
        p->heard_at = T0 + i;
        p->trusted = i == 0;
        p->busy = i == 1;
    }
    struct node_id third = {.b = {1, 0, 2}}, next = {.b = {2}};
    assert_int_equal(peers_add(w->peers, &next, &p), 0);
    assert_int_equal(peers_count(w->peers), PEERS_MAX);
    assert_null(peers_find(w->peers, &third));
    for (size_t i = 0; i < PEERS_MAX; i++)
        peers_at(w->peers, i)->busy = 1;
    next.b[0] = 3;
    assert_int_equal(peers_add(w->peers, &next, &p), ERR_FULL);
}

/* ---- records */

static void a_record_replaces_older_ones_only(void **state)
{
    struct world *w = *state;
    struct someone older = w->anna, newer = w->anna, next_life = w->anna;
    older.record.seq = 2;
    newer.record.seq = 4;
    next_life.record.incarnation = 8;
    next_life.record.seq = 1;
    someone_sign(&older);
    someone_sign(&newer);
    someone_sign(&next_life);
    assert_int_equal(take(w, &w->anna, false, T0).news, PEER_NEWS_RECORD);
    assert_int_equal(take(w, &w->anna, false, T0).news, PEER_NEWS_NONE);
    assert_int_equal(take(w, &older, false, T0).news, PEER_NEWS_NONE);
    struct heard h = take(w, &newer, false, T0);
    assert_int_equal(h.news, PEER_NEWS_RECORD);
    assert_int_equal(take(w, &next_life, false, T0).news, PEER_NEWS_RECORD);
    assert_int_equal(take(w, &newer, false, T0).news, PEER_NEWS_NONE);
    assert_int_equal(h.peer->record.incarnation, 8);
    assert_memory_equal(&h.peer->signed_record, &next_life.bytes, sizeof next_life.bytes);
}

static void s20_a_record_without_its_ids_signature_changes_nothing(void **state)
{
    struct world *w = *state;
    struct someone forged = w->anna;
    forged.identity = w->bob.identity;
    someone_sign(&forged);
    assert_int_equal(take(w, &forged, true, T0).err, ERR_VERIFY);
    assert_int_equal(peers_count(w->peers), 0);
    take(w, &w->anna, false, T0);
    forged.record.seq = 100;
    someone_sign(&forged);
    assert_int_equal(take(w, &forged, false, T0).err, ERR_VERIFY);
    assert_int_equal(peers_find(w->peers, &w->anna.identity.id)->seq, 3);
}

static void a_record_from_a_third_is_no_sign_of_life_but_one_over_the_link_is(void **state)
{
    struct world *w = *state;
    struct heard h = take(w, &w->anna, false, T0);
    assert_false(peer_alive(h.peer, T0));
    h = take(w, &w->anna, true, T0);
    assert_int_equal(h.news, PEER_NEWS_ALIVE);
    assert_true(peer_alive(h.peer, T0));
    assert_true(peer_alive(h.peer, T0 + BEACON_SILENCE - 1));
    assert_false(peer_alive(h.peer, T0 + BEACON_SILENCE));
}

static void silence_is_judged_by_how_often_beacons_come(void **state)
{
    struct world *w = *state;
    struct heard h = beacon(w, &w->anna, BEACON_ALIVE, 1, T0);
    assert_false(peer_alive(h.peer, T0 + BEACON_SILENCE));
    peers_silence(w->peers, 2 * BEACON_SILENCE);
    assert_true(peer_alive(h.peer, T0 + BEACON_SILENCE));
    assert_false(peer_alive(h.peer, T0 + 2 * BEACON_SILENCE));
}

static void hearsay_is_known_for_what_it_is(void **state)
{
    struct world *w = *state;
    struct heard h = take(w, &w->anna, false, T0);
    peer_told(h.peer, T0);
    assert_true(peer_alive(h.peer, T0) && h.peer->told);
    beacon(w, &w->anna, BEACON_ALIVE, 1, T0 + 1);
    assert_false(h.peer->told);
    peer_told(h.peer, T0 + 2); /* takes nothing away */
    assert_false(h.peer->told);
}

static void a_record_is_forgotten_after_its_life(void **state)
{
    struct world *w = *state;
    struct heard h = take(w, &w->anna, true, T0);
    uint64_t life = h.peer->record.life_s * SECOND;
    peers_forget(w->peers, T0 + life);
    assert_int_equal(peers_count(w->peers), 1);
    h.peer->busy = 1;
    peers_forget(w->peers, T0 + life + BEACON_SILENCE);
    h.peer->busy = 0;
    h.peer->trusted = true;
    peers_forget(w->peers, T0 + life + BEACON_SILENCE);
    assert_int_equal(peers_count(w->peers), 1);
    h.peer->trusted = false;
    peers_forget(w->peers, T0 + life + BEACON_SILENCE);
    assert_int_equal(peers_count(w->peers), 0);
}

/* ---- beacons */

static void s44_a_beacon_counts_once_and_old_ones_cost_no_check(void **state)
{
    struct world *w = *state;
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 10, T0).news, PEER_NEWS_RECORD);
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 11, T0 + 1).news, PEER_NEWS_ALIVE);
    assert_int_equal(w->asked, 2);
    struct heard h = beacon(w, &w->anna, BEACON_ALIVE, 11, T0 + 2 * BEACON_SILENCE); /* heard before: a replay */
    assert_int_equal(h.news, PEER_NEWS_NONE);
    assert_false(peer_alive(h.peer, T0 + 2 * BEACON_SILENCE));
    assert_int_equal(beacon(w, &w->anna, BEACON_BYE, 9, T0).news, PEER_NEWS_NONE);
    struct someone earlier = w->anna;
    earlier.record.incarnation = 6;
    someone_sign(&earlier);
    assert_int_equal(beacon(w, &earlier, BEACON_ALIVE, 1000, T0).news, PEER_NEWS_NONE);
    assert_int_equal(w->asked, 2);
}

static void s44_without_budget_nothing_is_checked_and_nothing_kept(void **state)
{
    struct world *w = *state;
    w->checks = 0;
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 1, T0).err, ERR_LIMIT);
    assert_int_equal(peers_count(w->peers), 0);
}

static void s20_a_beacon_signed_by_another_is_not_believed(void **state)
{
    struct world *w = *state;
    struct someone forged = w->anna;
    forged.identity = w->bob.identity; /* anna's true record in a beacon by bob */
    assert_int_equal(beacon(w, &forged, BEACON_ALIVE, 1, T0).err, ERR_VERIFY);
    assert_int_equal(peers_count(w->peers), 0);
    beacon(w, &w->anna, BEACON_ALIVE, 1, T0);
    assert_int_equal(beacon(w, &forged, BEACON_BYE, 2, T0).err, ERR_VERIFY);
    assert_true(peer_alive(peers_find(w->peers, &w->anna.identity.id), T0));
}

static void a_goodbye_ends_a_sighting_and_the_next_life_begins_another(void **state)
{
    struct world *w = *state;
    beacon(w, &w->anna, BEACON_ALIVE, 10, T0);
    struct heard h = beacon(w, &w->anna, BEACON_BYE, 11, T0);
    assert_int_equal(h.news, PEER_NEWS_BYE);
    assert_false(peer_alive(h.peer, T0));
    w->anna.record.incarnation = 8;
    someone_sign(&w->anna);
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 1, T0).news, PEER_NEWS_RECORD); /* its beats begin anew */
    assert_true(peer_alive(h.peer, T0));
}

static void beacons_of_a_linked_peer_cost_nothing_unless_they_say_something_new(void **state)
{
    struct world *w = *state;
    struct heard h = beacon(w, &w->anna, BEACON_ALIVE, 10, T0);
    h.peer->up = 1;
    w->asked = 0;
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 11, T0).news, PEER_NEWS_NONE);
    assert_int_equal(w->asked, 0);
    w->anna.record.seq = 4;
    someone_sign(&w->anna);
    assert_int_equal(beacon(w, &w->anna, BEACON_ALIVE, 12, T0).news, PEER_NEWS_RECORD);
    assert_int_equal(beacon(w, &w->anna, BEACON_BYE, 13, T0).news, PEER_NEWS_BYE);
    h.peer->up = 0;
}

/* ---- names */

static void a_name_stays_with_the_key_that_had_it_first(void **state)
{
    struct world *w = *state;
    struct peer *bob = take(w, &w->bob, false, T0).peer, *other = take(w, &w->other, false, T0).peer, *found;
    char label[NAME_MAX_BYTES + 1];
    assert_string_equal(bob->name, "bob");
    assert_string_equal(other->name, "");
    assert_false(peer_impostor(bob));
    assert_true(peer_impostor(other));
    assert_int_equal(peers_lookup(w->peers, "bob", &found), 0);
    assert_ptr_equal(found, bob);
    peer_label(other, label);
    assert_string_equal(label, id_short(&other->id).s);
}

static void a_trusted_peer_takes_its_name_from_a_stranger_but_not_from_a_trusted_one(void **state)
{
    struct world *w = *state;
    struct peer *bob = take(w, &w->bob, false, T0).peer, *other = take(w, &w->other, false, T0).peer;
    other->trusted = true;
    peers_pin(w->peers, other);
    assert_string_equal(other->name, "bob");
    assert_true(peer_impostor(bob));
    bob->trusted = true;
    peers_pin(w->peers, bob);
    assert_string_equal(bob->name, "");
    assert_false(peer_impostor(bob)); /* it is trusted by its id, if not under that name */
}

static void s20_a_name_whose_key_is_another_is_refused_by_lookup(void **state)
{
    struct world *w = *state;
    struct peer *bob = take(w, &w->bob, false, T0).peer, *found;
    take(w, &w->other, false, T0);
    bob->name[0] = '\0'; /* as after an untrust that gave the name up */
    assert_int_equal(peers_lookup(w->peers, "bob", &found), ERR_REFUSED);
    assert_int_equal(peers_lookup(w->peers, "nobody", &found), ERR_NOT_FOUND);
    assert_int_equal(peers_lookup(w->peers, "", &found), ERR_NOT_FOUND);
}

static void an_id_is_found_by_six_characters_that_fit_only_one(void **state)
{
    struct world *w = *state;
    struct node_id ids[2] = {{.b = {0xaa, 0xaa, 0xaa, 0xaa, 1}}, {.b = {0xaa, 0xaa, 0xaa, 0xaa, 2}}};
    struct peer *p[2], *found;
    char text[NODE_ID_TEXT + 2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(peers_add(w->peers, &ids[i], &p[i]), 0);
    snprintf(text, sizeof text, "%s", id_text(&ids[1]).s);
    assert_int_equal(peers_lookup(w->peers, text, &found), 0);
    assert_ptr_equal(found, p[1]);
    text[8] = '\0';
    assert_int_equal(peers_lookup(w->peers, text, &found), 0);
    assert_ptr_equal(found, p[1]);
    text[6] = '\0';
    assert_int_equal(peers_lookup(w->peers, text, &found), ERR_NOT_FOUND); /* both begin so */
    text[5] = '\0';
    assert_int_equal(peers_lookup(w->peers, text, &found), ERR_NOT_FOUND);
    snprintf(text, sizeof text, "%sa", id_text(&ids[1]).s);
    assert_int_equal(peers_lookup(w->peers, text, &found), ERR_NOT_FOUND);
}

/* ---- dialling */

static void the_oftener_it_is_lost_the_longer_it_is_left_alone(void **state)
{
    struct world *w = *state;
    struct peer *p = take(w, &w->anna, true, T0).peer;
    uint64_t last = 0;
    for (int i = 0; i < 8; i++) {
        peer_lost(p, T0);
        assert_true(p->damped_until - T0 > last);
        last = p->damped_until - T0;
        p->gone = true;
        peer_heard(p, T0); /* back at once: its damping stays */
        assert_int_equal(p->dial_after, p->damped_until);
    }
    for (int i = 0; i < 100; i++)
        peer_lost(p, T0);
    assert_true(p->damped_until - T0 <= 60 * SECOND);
    double before = p->penalty;
    peer_lost(p, T0 + DAMP_HALF_LIFE);
    assert_true(p->penalty < before * 0.6 && p->penalty > before * 0.5);
}

static void attempts_double_until_a_sign_of_life(void **state)
{
    struct world *w = *state;
    struct peer *p = take(w, &w->anna, false, T0).peer;
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        peer_dialled(p, T0);
        assert_true(p->dial_wait >= last && p->dial_wait <= 60 * SECOND);
        assert_int_equal(p->dial_after, T0 + p->dial_wait);
        last = p->dial_wait;
    }
    assert_int_equal(last, 60 * SECOND);
    peer_heard(p, T0);
    assert_int_equal(p->dial_after, 0);
    peer_dialled(p, T0);
    assert_int_equal(p->dial_wait, SECOND / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(peers_stand_in_order_of_id_and_never_the_node_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(p45_the_longest_unseen_makes_room_but_never_a_trusted_or_busy_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_replaces_older_ones_only, setup, teardown),
        cmocka_unit_test_setup_teardown(s20_a_record_without_its_ids_signature_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_from_a_third_is_no_sign_of_life_but_one_over_the_link_is, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_judged_by_how_often_beacons_come, setup, teardown),
        cmocka_unit_test_setup_teardown(hearsay_is_known_for_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_forgotten_after_its_life, setup, teardown),
        cmocka_unit_test_setup_teardown(s44_a_beacon_counts_once_and_old_ones_cost_no_check, setup, teardown),
        cmocka_unit_test_setup_teardown(s44_without_budget_nothing_is_checked_and_nothing_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(s20_a_beacon_signed_by_another_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_goodbye_ends_a_sighting_and_the_next_life_begins_another, setup, teardown),
        cmocka_unit_test_setup_teardown(beacons_of_a_linked_peer_cost_nothing_unless_they_say_something_new, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_stays_with_the_key_that_had_it_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trusted_peer_takes_its_name_from_a_stranger_but_not_from_a_trusted_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(s20_a_name_whose_key_is_another_is_refused_by_lookup, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_found_by_six_characters_that_fit_only_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oftener_it_is_lost_the_longer_it_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(attempts_double_until_a_sign_of_life, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

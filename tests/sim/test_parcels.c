/* Parcels and takes between nodes of the simulated world: only whom a parcel stands ready for can fetch it, by connections and
 * through relays, from either end; and whatever ends meanwhile, each side is told once and nothing is left. */
#include "core_internal.h"
#include "parcels.h"
#include "relayed_world.h"
#include "take.h"
#include "world_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOWLY 1000000u /* bytes a second: five seconds for all */
#define TOTAL ((uint64_t)SIM_FILES * SIM_FILE_BYTES)

/* One parcel of node `from`, and who takes it. */
struct errand {
    struct world *w;
    size_t from, to;
    struct parcel *parcel;
    struct tag name;
    unsigned ended, freed; /* how often the parcel's owner was told */
    int sent;              /* what ended() was told */
    bool ends_inside;      /* the owner takes it back from inside ended() */
    struct take *take;
    unsigned done;
    struct fault fault;
    uint64_t moved;
};

static void free_after(void *owner)
{
    ((struct errand *)owner)->freed++;
}

static void on_ended(struct parcel *p)
{
    struct errand *e = p->owner;
    assert_non_null(p->send);
    e->ended++;
    e->sent = (int)p->send->fault.code;
    if (!e->ends_inside)
        return;
    parcel_end(p, free_after);
    assert_int_equal(e->freed, 1);
    e->parcel = NULL;
}

static void on_done(struct take *t)
{
    struct errand *e = t->owner;
    e->done++;
    e->fault = t->fault;
    e->moved = t->receive ? t->receive->progress.bytes_moved : 0;
    e->take = NULL;
    take_free(t);
}

static struct peer *peer_at(const struct errand *e, size_t node, size_t other)
{
    struct peer *peer = peers_find(world_core(e->w, node)->peers, world_id(e->w, other));
    assert_non_null(peer);
    return peer;
}

static void make(struct errand *e, struct world *w, size_t from, size_t to)
{
    *e = (struct errand){.w = w, .from = from, .to = to};
    e->parcel = parcel_make(world_core(w, from), peer_at(e, from, to), "/home", "new.txt", e);
    assert_non_null(e->parcel);
    e->parcel->ended = on_ended;
    e->name = e->parcel->name;
}

static int fetch_by(struct errand *e, struct link *link, const char *key)
{
    struct take *t = calloc(1, sizeof *t);
    assert_true(t != NULL && link != NULL);
    t->parcel = e->name;
    t->dest = "/srv/docs";
    t->top = "new.txt";
    t->key = key;
    t->policy = IF_EXISTS_OVERWRITE;
    t->owner = e;
    t->done = on_done;
    int err = take_start(t, link);
    if (err)
        free(t);
    else
        e->take = t;
    return err;
}

static void fetch(struct errand *e)
{
    struct core *core = world_core(e->w, e->to);
    assert_int_equal(fetch_by(e, link_to(core, peer_at(e, e->to, e->from)), "key"), 0);
    assert_int_equal(e->done, 0); /* never from inside */
}

static bool is_done(struct world *w, void *arg)
{
    (void)w;
    return ((const struct errand *)arg)->done > 0;
}

static bool is_moving(struct world *w, void *arg)
{
    const struct errand *e = arg;
    (void)w;
    return e->done > 0 || (e->take->receive && e->take->receive->progress.bytes_moved > 0);
}

static void until(struct errand *e, bool (*check)(struct world *w, void *arg))
{
    if (!world_run_until(e->w, check, e, world_now(e->w) + 60 * SECOND))
        fail_msg("%s", "nothing happens");
}

/* Nothing is left at any node. */
static void assert_quiet(struct world *w)
{
    run(w, 30 * SECOND);
    for (size_t i = 0; i < w->node_count; i++) {
        struct core *core = w->nodes[i]->up ? world_core(w, i) : NULL;
        if (!core)
            continue;
        assert_int_equal(core->transfers, 0);
        assert_null(core->serves);
        assert_null(core->takes);
        assert_null(w->nodes[i]->bridges);
    }
}

static void assert_came(struct errand *e)
{
    until(e, is_done);
    if (e->fault.code)
        fail_msg("%s", e->fault.text);
    assert_true(e->moved == TOTAL);
    run(e->w, SECOND);
    assert_int_equal(e->done, 1);
    assert_int_equal(e->ended, 1);
    assert_int_equal(e->sent, 0);
    if (e->parcel)
        assert_null(e->parcel->send);
}

/* ---- by a connection */

enum { BERT, CLARA, DORA };

static struct world *direct_world(void)
{
    static const char *const names[] = {"bert", "clara", "dora"};
    struct world *w = world_new(7);
    for (size_t i = 0; i < 3; i++) {
        world_add(w, names[i]);
        world_start(w, i);
    }
    run(w, 2 * SECOND);
    trust(w, BERT, CLARA);
    trust(w, BERT, DORA);
    trust(w, CLARA, DORA);
    run(w, 2 * SECOND);
    return w;
}

static void what_stands_ready_comes(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_moving);
    assert_non_null(e.parcel->send);
    assert_string_equal(e.parcel->send->root, "/home");
    assert_string_equal(e.parcel->send->path, "new.txt");
    assert_came(&e);
    parcel_end(e.parcel, free_after);
    assert_int_equal(e.freed, 1);
    assert_null(world_core(w, BERT)->parcels);
    assert_quiet(w);
    world_free(w);
}

static void a_view_and_its_state_are_handed_on(void **state)
{
    (void)state;
    struct errand e;
    struct regions regions = {0};
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    e.parcel->view = &regions;
    e.parcel->token = 4711;
    fetch(&e);
    until(&e, is_moving);
    assert_ptr_equal(e.parcel->send->view, &regions);
    assert_true(e.parcel->send->token == 4711);
    assert_came(&e);
    parcel_end(e.parcel, NULL);
    world_free(w);
}

static void who_dials_is_swapped_where_the_taker_cannot_be_reached(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    world_firewall(w, CLARA, true);
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_done);
    run(w, SECOND);
    assert_int_equal(e.fault.code, 0);
    assert_true(e.moved == TOTAL);
    assert_int_equal(e.ended, 2); /* the fetch that could not connect, and the one that came */
    assert_int_equal(e.freed, 0);
    assert_quiet(w);
    world_free(w);
}

static void only_for_whom_it_stands_ready(void **state)
{
    (void)state;
    struct errand e, thief;
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    thief = (struct errand){.w = w, .from = BERT, .to = DORA, .name = e.name}; /* she has learned its name */
    fetch(&thief);
    until(&thief, is_done);
    assert_int_equal(thief.fault.code, ERR_NOT_FOUND);
    thief = (struct errand){.w = w, .from = BERT, .to = CLARA, .name = {{1, 2, 3}}};
    fetch(&thief);
    until(&thief, is_done);
    assert_int_equal(thief.fault.code, ERR_NOT_FOUND);
    assert_int_equal(e.ended, 0);
    fetch(&e);
    assert_came(&e);
    world_free(w);
}

static void one_fetch_at_a_time(void **state)
{
    (void)state;
    struct errand e, other;
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_moving);
    other = (struct errand){.w = w, .from = BERT, .to = CLARA, .name = e.name};
    struct link *link = link_to(world_core(w, CLARA), peer_at(&e, CLARA, BERT));
    assert_int_equal(fetch_by(&other, link, "another"), 0);
    run(w, SECOND);
    assert_int_equal(other.done, 0); /* it waits: what is there may be about to end */
    until(&e, is_done);
    until(&other, is_done);
    assert_int_equal(e.fault.code, 0);
    assert_true(other.fault.code == 0 || other.fault.code == ERR_LOCKED);
    assert_quiet(w);
    assert_int_equal(e.ended, other.fault.code == 0 ? 2 : 1);
    world_free(w);
}

static void as_many_as_other_transfers(void **state)
{
    (void)state;
    struct errand e[SENDS_PER_PEER_MAX + 1];
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    for (unsigned i = 0; i <= SENDS_PER_PEER_MAX; i++) {
        char key[] = {'k', (char)('a' + i), '\0'};
        make(&e[i], w, BERT, CLARA);
        assert_int_equal(fetch_by(&e[i], link_to(world_core(w, CLARA), peer_at(&e[i], CLARA, BERT)), key), 0);
        run(w, 100 * MILLISECOND);
    }
    until(&e[SENDS_PER_PEER_MAX], is_done);
    assert_int_equal(e[SENDS_PER_PEER_MAX].fault.code, ERR_FULL);
    for (unsigned i = 0; i < SENDS_PER_PEER_MAX; i++)
        assert_came(&e[i]);
    assert_quiet(w);
    world_free(w);
}

static void no_more_than_so_many(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    struct core *core = world_core(w, BERT);
    for (unsigned i = 1; i < PARCELS_MAX; i++)
        assert_non_null(parcel_make(core, e.parcel->peer, "/", "", NULL));
    assert_null(parcel_make(core, e.parcel->peer, "/", "", NULL));
    parcel_end(e.parcel, NULL);
    assert_non_null(parcel_make(core, peer_at(&e, BERT, CLARA), "/", "", NULL));
    world_free(w); /* with all of them */
}

/* ---- taken back */

static void taken_back_while_it_is_fetched(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_moving);
    parcel_end(e.parcel, free_after);
    assert_int_equal(e.freed, 0); /* its view is still read */
    until(&e, is_done);
    assert_int_not_equal(e.fault.code, 0);
    run(w, SECOND);
    assert_int_equal(e.freed, 1);
    assert_int_equal(e.ended, 0);
    struct errand late = {.w = w, .from = BERT, .to = CLARA, .name = e.name};
    fetch(&late);
    until(&late, is_done);
    assert_int_equal(late.fault.code, ERR_NOT_FOUND);
    assert_quiet(w);
    world_free(w);
}

static void taken_back_from_inside(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    e.ends_inside = true;
    fetch(&e);
    assert_came(&e);
    assert_int_equal(e.freed, 1);
    assert_null(world_core(w, BERT)->parcels);
    world_free(w);
}

static void taken_back_and_the_node_ends(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_moving);
    parcel_end(e.parcel, free_after);
    world_crash(w, BERT);
    assert_int_equal(e.freed, 1);
    until(&e, is_done);
    assert_quiet(w);
    world_free(w);
}

/* ---- cancelled, and lost */

static void cancel_at(struct world *w, size_t from, size_t to, uint64_t after)
{
    struct errand e;
    make(&e, w, from, to);
    fetch(&e);
    run(w, after);
    if (!e.done) {
        take_cancel(e.take, ERR_CANCELLED);
        assert_int_equal(e.done, 0); /* in a turn of its own */
        take_cancel(e.take, ERR_LIMIT);
        until(&e, is_done);
        assert_int_equal(e.fault.code, ERR_CANCELLED);
    }
    run(w, SECOND);
    assert_int_equal(e.done, 1);
    assert_null(e.parcel->send);
    parcel_end(e.parcel, NULL);
}

static void p38_cancelled_at_any_time(void **state)
{
    (void)state;
    struct world *w = direct_world();
    for (uint64_t after = 0; after < 200 * MILLISECOND; after += after < 3 * MILLISECOND ? 50000 : 20 * MILLISECOND)
        cancel_at(w, BERT, CLARA, after);
    assert_quiet(w);
    world_free(w);
}

static void p38_a_lost_link_before_the_streams_are_up_ends_it(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    make(&e, w, BERT, CLARA);
    fetch(&e);
    world_crash(w, BERT);
    until(&e, is_done);
    assert_int_equal(e.fault.code, ERR_UNREACHABLE);
    assert_quiet(w);
    world_free(w);
}

static void p38_streams_outlive_their_link(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    make(&e, w, BERT, CLARA);
    fetch(&e);
    until(&e, is_moving);
    link_close(link_to(world_core(w, CLARA), peer_at(&e, CLARA, BERT)), BYE_DUPLICATE);
    assert_came(&e);
    world_free(w);
}

/* The peer comes by a new link and says once more what to take: what is left of the first attempt makes way. */
static void p38_the_next_attempt_goes_on(void **state)
{
    (void)state;
    struct errand first, second;
    struct world *w = direct_world();
    world_rate(w, SLOWLY);
    make(&first, w, BERT, CLARA);
    fetch(&first);
    until(&first, is_moving);
    run(w, 2 * SECOND);
    link_close(link_to(world_core(w, CLARA), peer_at(&first, CLARA, BERT)), BYE_DUPLICATE);
    run(w, 2 * SECOND);
    assert_int_equal(first.done, 0);
    assert_true(world_call(w, BERT, row_for("ping", "peer", "clara"))->done);
    make(&second, w, BERT, CLARA);
    fetch(&second);
    until(&first, is_done);
    assert_int_equal(first.fault.code, ERR_CHANGED);
    until(&second, is_done);
    assert_int_equal(second.fault.code, 0);
    assert_true(second.moved > 0 && second.moved < TOTAL - SLOWLY);
    assert_quiet(w);
    world_free(w);
}

static void p38_a_node_ends_with_all_that_it_takes(void **state)
{
    (void)state;
    for (size_t node = BERT; node <= CLARA; node++)
        for (uint64_t after = 0; after < SECOND; after += 111 * MILLISECOND) {
            struct errand e;
            struct world *w = direct_world();
            world_rate(w, SLOWLY);
            make(&e, w, BERT, CLARA);
            fetch(&e);
            run(w, after);
            world_crash(w, node);
            if (node == BERT)
                until(&e, is_done);
            assert_quiet(w);
            assert_int_equal(e.done, node == BERT);
            world_free(w);
        }
}

/* ---- through relays */

static struct world *session_world(void)
{
    struct world *w = relayed_world(3, 1);
    assert_true(ping(w)->done);
    assert_int_equal(sessions_at(w, ANNA), 1);
    return w;
}

static void through_a_relay_from_either_end(void **state)
{
    (void)state;
    struct world *w = session_world();
    for (int i = 0; i < 2; i++) {
        struct errand e;
        size_t from = i == 0 ? ANNA : HUGO;
        make(&e, w, from, from == ANNA ? HUGO : ANNA);
        fetch(&e);
        until(&e, is_moving);
        assert_true(e.take->relayed);
        assert_came(&e);
        parcel_end(e.parcel, NULL);
    }
    assert_quiet(w);
    world_free(w);
}

/* A session that was opened for a share is as good for what stands ready. */
static void by_a_session_for_any_handle(void **state)
{
    (void)state;
    struct errand e;
    struct world *w = relayed_world(3, 1);
    struct row *row = row_for("get", "source", "hugo:docs");
    row_text(row, "dest", "/home/anna");
    assert_true(world_call(w, ANNA, row)->done);
    struct link *link = peer_at(&(struct errand){.w = w}, ANNA, HUGO)->links;
    while (link && strcmp(link->share, "docs") != 0)
        link = link->same_peer;
    assert_true(link && link->relayed);
    make(&e, w, HUGO, ANNA);
    assert_int_equal(fetch_by(&e, link, "key"), 0);
    assert_came(&e);
    world_free(w);
}

static void p38_cancelled_at_any_time_through_a_relay(void **state)
{
    (void)state;
    struct world *w = session_world();
    for (uint64_t after = 0; after < 200 * MILLISECOND; after += after < 5 * MILLISECOND ? 100000 : 20 * MILLISECOND)
        cancel_at(w, ANNA, HUGO, after);
    assert_quiet(w);
    world_free(w);
}

static void p38_the_relay_is_lost(void **state)
{
    (void)state;
    for (uint64_t after = 0; after < 2 * SECOND; after += after < 2 * MILLISECOND ? 500000 : 333 * MILLISECOND) {
        struct errand e;
        struct world *w = session_world();
        world_rate(w, SLOWLY);
        make(&e, w, ANNA, HUGO);
        fetch(&e);
        run(w, after);
        world_crash(w, SARA);
        until(&e, is_done);
        assert_int_not_equal(e.fault.code, 0);
        assert_quiet(w);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_ready_comes),
        cmocka_unit_test(a_view_and_its_state_are_handed_on),
        cmocka_unit_test(who_dials_is_swapped_where_the_taker_cannot_be_reached),
        cmocka_unit_test(only_for_whom_it_stands_ready),
        cmocka_unit_test(one_fetch_at_a_time),
        cmocka_unit_test(as_many_as_other_transfers),
        cmocka_unit_test(no_more_than_so_many),
        cmocka_unit_test(taken_back_while_it_is_fetched),
        cmocka_unit_test(taken_back_from_inside),
        cmocka_unit_test(taken_back_and_the_node_ends),
        cmocka_unit_test(p38_cancelled_at_any_time),
        cmocka_unit_test(p38_a_lost_link_before_the_streams_are_up_ends_it),
        cmocka_unit_test(p38_streams_outlive_their_link),
        cmocka_unit_test(p38_the_next_attempt_goes_on),
        cmocka_unit_test(p38_a_node_ends_with_all_that_it_takes),
        cmocka_unit_test(through_a_relay_from_either_end),
        cmocka_unit_test(by_a_session_for_any_handle),
        cmocka_unit_test(p38_cancelled_at_any_time_through_a_relay),
        cmocka_unit_test(p38_the_relay_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* See relayed_world.h. */
#include "relayed_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row *row_for(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

void run(struct world *w, uint64_t ns)
{
    world_run(w, world_now(w) + ns);
}

void trust(struct world *w, size_t a, size_t b)
{
    assert_true(world_call(w, a, row_for("trust", "peer", id_text(world_id(w, b)).s))->done);
    assert_true(world_call(w, b, row_for("trust", "peer", id_text(world_id(w, a)).s))->done);
}

void offer(struct world *w, const char *name, size_t relays)
{
    struct share_row row = {.kind = RESOURCE_DIR, .is_public = true, .via_count = (uint8_t)relays};
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.path, sizeof row.path, "/srv/%s", name);
    for (size_t i = 0; i < relays; i++)
        row.via[i] = *world_id(w, SARA + i);
    assert_int_equal(share_put(world_core(w, HUGO), &row, NULL), 0);
    reservations_changed(world_core(w, HUGO));
}

struct world *strange_world(uint64_t seed, size_t relays)
{
    static const char *const names[] = {"anna", "hugo", "sara", "rita"};
    struct world *w = world_new(seed);
    for (size_t i = 0; i < SARA + relays; i++) {
        world_add(w, names[i]);
        world_roles(w, i, i >= SARA ? ROLE_RELAY : 0);
        world_firewall(w, i, i < SARA);
        world_start(w, i);
    }
    world_cut(w, ANNA, HUGO, true);
    run(w, 2 * SECOND);
    return w;
}

struct world *relayed_world(uint64_t seed, size_t relays)
{
    struct world *w = strange_world(seed, relays);
    trust(w, ANNA, HUGO);
    for (size_t i = SARA; i < SARA + relays; i++) {
        trust(w, ANNA, i);
        trust(w, HUGO, i);
    }
    offer(w, "docs", relays);
    run(w, 2 * SECOND);
    return w;
}

const struct answer *ping(struct world *w)
{
    return world_call(w, ANNA, row_for("ping", "peer", "hugo"));
}

struct relayed *relayed_at(struct world *w, size_t node)
{
    return world_core(w, node)->relayed;
}

static const struct session *first_session(struct world *w, size_t node)
{
    return relayed_at(w, node) ? relayed_at(w, node)->sessions : NULL;
}

size_t sessions_at(struct world *w, size_t node)
{
    size_t n = 0;
    for (const struct session *s = first_session(w, node); s; s = s->next)
        n += s->state.now == SESSION_OPEN && s->link;
    return n;
}

size_t sessions_via(struct world *w, size_t node, size_t relay)
{
    size_t n = 0;
    for (const struct session *s = first_session(w, node); s; s = s->next)
        n += s->state.now == SESSION_OPEN && s->link && id_equal(session_relay(s), world_id(w, relay));
    return n;
}

uint64_t broken_at(struct world *w, size_t node)
{
    return relayed_at(w, node) ? relayed_at(w, node)->broken : 0;
}

struct reservation *reservation_with(struct world *w, size_t relay)
{
    struct reservation *r = relayed_at(w, HUGO) ? relayed_at(w, HUGO)->reservations : NULL;
    while (r && !id_equal(&r->carrier->peer->id, world_id(w, relay)))
        r = r->next;
    return r;
}

bool is_held(struct world *w, size_t relay)
{
    return reservation_with(w, relay) && reservation_with(w, relay)->state.now == RESERVATION_HELD;
}

static void shown(void *arg, const struct msg *m, const struct fault *fault)
{
    (void)fault;
    assert_non_null(m);
    *(size_t *)arg = m->handles_ok.count;
}

size_t handles_at(struct world *w, size_t relay)
{
    struct core *core = world_core(w, ANNA);
    struct link *link = link_direct(peers_find(core->peers, world_id(w, relay)));
    struct msg *m = calloc(1, sizeof *m);
    size_t count = SIZE_MAX;
    assert_true(m && link);
    m->type = MSG_HANDLES;
    m->handles.pipe = pipe_owned(world_id(w, relay), "relay");
    assert_int_equal(ask(link, m, MSG_HANDLES_OK, SECOND, shown, &count), 0);
    free(m);
    run(w, 10 * MILLISECOND);
    return count;
}

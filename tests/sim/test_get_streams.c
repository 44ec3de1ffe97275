/* Gets of shares that are byte streams, through a relay: what they are is found out without a bridge, to which none would
 * come. */
#include "relay_internal.h"
#include "relayed_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY (2 * BRIDGES_PER_CLIENT_MAX)

static void offer_stream(struct world *w, const char *name)
{
    struct share_row row = {.kind = RESOURCE_COMMAND, .path = "cmd:/bin/true", .is_public = true, .via_count = 1};
    snprintf(row.name, sizeof row.name, "%s", name);
    row.via[0] = *world_id(w, SARA);
    assert_int_equal(share_put(world_core(w, HUGO), &row, NULL), 0);
    reservations_changed(world_core(w, HUGO));
    run(w, SECOND);
}

static struct row *get_row(void)
{
    struct row *row = row_for("get", "dest", "/tmp");
    row_text(row, "if_exists", "rename");
    return row;
}

static void more_streams_than_a_client_may_have_bridges(void **state)
{
    (void)state;
    struct world *w = relayed_world(1, 1);
    struct row *get = get_row();
    offer_stream(w, "disk");
    for (unsigned i = 0; i < MANY; i++)
        row_text(get, "source", "hugo:disk");
    const struct answer *a = world_call(w, ANNA, get);
    assert_true(a->done);
    assert_int_equal(answer_count(a, "stream"), MANY);
    assert_string_equal(row_get_text(answer_row(a, "stream", MANY - 1), "pipe", ""), "hugo:disk");
    assert_int_equal(world_core(w, SARA)->relay->bridge_count, 0);
    world_free(w);
}

static void what_is_below_a_stream_is_not_found(void **state)
{
    (void)state;
    struct world *w = relayed_world(2, 1);
    struct row *get = get_row();
    offer_stream(w, "disk");
    row_text(get, "source", "hugo:disk/x");
    const struct answer *a = world_call(w, ANNA, get);
    assert_string_equal(a->code, "not-found");
    assert_int_equal(answer_count(a, "stream"), 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_streams_than_a_client_may_have_bridges),
        cmocka_unit_test(what_is_below_a_stream_is_not_found),
    };
    return cmocka_run_group_tests_name("sim_get_streams", tests, NULL, NULL);
}

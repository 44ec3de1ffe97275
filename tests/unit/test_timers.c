/* Timers: order, moving, cancelling, and handlers that do either. */
#include "timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 200

struct world {
    struct timers timers;
    int fired[4 * MANY];
    size_t count;
};

struct bell {
    struct timer timer;
    struct world *world;
    int number;
    struct bell *cancels; /* when it fires */
    uint64_t again;       /* sets itself to that, unless 0 */
};

static void ring(void *arg)
{
    struct bell *bell = arg;
    struct world *world = bell->world;
    assert_true(world->count < sizeof world->fired / sizeof *world->fired);
    assert_true(bell->timer.slot == TIMER_IDLE);
    world->fired[world->count++] = bell->number;
    if (bell->cancels)
        timers_cancel(&world->timers, &bell->cancels->timer);
    if (bell->again)
        timers_set(&world->timers, &bell->timer, bell->again);
}

static void bells_init(struct world *world, struct bell *bells, size_t n)
{
    *world = (struct world){0};
    timers_init(&world->timers);
    for (size_t i = 0; i < n; i++) {
        bells[i] = (struct bell){.world = world, .number = (int)i};
        timer_init(&bells[i].timer, ring, &bells[i]);
    }
}

static void heap_holds(const struct timers *ts)
{
    for (size_t i = 0; i < ts->count; i++) {
        assert_int_equal(ts->heap[i]->slot, i);
        assert_true(i == 0 || ts->heap[(i - 1) / 2]->at <= ts->heap[i]->at);
    }
}

static void timers_fire_in_order_of_time(void **unused)
{
    (void)unused;
    struct world world;
    struct bell bells[MANY];
    bells_init(&world, bells, MANY);
    for (size_t i = 0; i < MANY; i++) {
        timers_set(&world.timers, &bells[i].timer, 1 + (i * 77) % MANY);
        heap_holds(&world.timers);
    }
    timers_run(&world.timers, MANY / 2);
    assert_int_equal(world.count, MANY / 2);
    assert_true(timers_next(&world.timers) == MANY / 2 + 1);
    timers_run(&world.timers, UINT64_MAX);
    assert_int_equal(world.count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(1 + (world.fired[i] * 77) % MANY, i + 1);
    assert_true(timers_next(&world.timers) == TIMER_NEVER);
    timers_fini(&world.timers);
}

static void equals_fire_in_order_of_setting(void **unused)
{
    (void)unused;
    struct world world;
    struct bell bells[MANY];
    bells_init(&world, bells, MANY);
    for (size_t i = 0; i < MANY; i++)
        timers_set(&world.timers, &bells[i].timer, 5);
    timers_set(&world.timers, &bells[0].timer, 5); /* set again: now it is the last */
    timers_run(&world.timers, 5);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(world.fired[i], (i + 1) % MANY);
    timers_fini(&world.timers);
}

static void a_timer_can_be_moved_and_cancelled_anywhere(void **unused)
{
    (void)unused;
    for (size_t victim = 0; victim < 16; victim++) {
        struct world world;
        struct bell bells[16];
        bells_init(&world, bells, 16);
        for (size_t i = 0; i < 16; i++)
            timers_set(&world.timers, &bells[i].timer, 10 + (i * 7) % 16);
        timers_cancel(&world.timers, &bells[victim].timer);
        timers_cancel(&world.timers, &bells[victim].timer); /* idle: nothing happens */
        heap_holds(&world.timers);
        timers_set(&world.timers, &bells[(victim + 5) % 16].timer, 1);
        timers_set(&world.timers, &bells[(victim + 9) % 16].timer, 100);
        heap_holds(&world.timers);
        timers_run(&world.timers, 100);
        assert_int_equal(world.count, 15);
        assert_int_equal(world.fired[0], (victim + 5) % 16);
        assert_int_equal(world.fired[14], (victim + 9) % 16);
        timers_fini(&world.timers);
    }
}

static void a_handler_may_cancel_what_is_due(void **unused)
{
    (void)unused;
    struct world world;
    struct bell bells[3];
    bells_init(&world, bells, 3);
    for (size_t i = 0; i < 3; i++)
        timers_set(&world.timers, &bells[i].timer, 5);
    bells[0].cancels = &bells[1];
    timers_run(&world.timers, 9);
    assert_int_equal(world.count, 2);
    assert_int_equal(world.fired[1], 2);
    timers_fini(&world.timers);
}

/* A handler that sets itself for now, or for the past, neither keeps a run from ending nor the others from firing. */
static void a_run_ends(void **unused)
{
    (void)unused;
    struct world world;
    struct bell bells[3];
    bells_init(&world, bells, 3);
    timers_set(&world.timers, &bells[0].timer, 1);
    timers_set(&world.timers, &bells[1].timer, 8);
    timers_set(&world.timers, &bells[2].timer, 9);
    bells[0].again = 2;
    timers_run(&world.timers, 9);
    assert_int_equal(world.count, 3);
    assert_int_equal(world.fired[2], 2);
    assert_true(timers_next(&world.timers) == 9);
    timers_run(&world.timers, 9);
    assert_int_equal(world.count, 4);
    assert_int_equal(world.fired[3], 0);
    timers_fini(&world.timers);
    assert_true(bells[0].timer.slot == TIMER_IDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(equals_fire_in_order_of_setting),
        cmocka_unit_test(a_timer_can_be_moved_and_cancelled_anywhere),
        cmocka_unit_test(a_handler_may_cancel_what_is_due),
        cmocka_unit_test(a_run_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

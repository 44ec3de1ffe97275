/* A thousand runs of a sender and two binders that die, freeze, leave and are cut off at random. The seed of a run that fails
 * is printed. */
#include "channel_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RUNS 1000

static void fault_at_random(struct scene *s, bool down[3])
{
    size_t node = 1 + world_random(s->w) % 2;
    switch (world_random(s->w) % 6) {
    case 0:
        if (!down[node])
            crash(s, node);
        down[node] = true;
        break;
    case 1: world_freeze(s->w, node, !down[node] && world_random(s->w) % 2); break;
    case 2: world_cut(s->w, 0, node, true); break;
    case 3: world_cut(s->w, 0, node, false); break;
    case 4:
        if (!down[node] && s->ear[node].program)
            leave(s, node);
        break;
    default: break;
    }
}

static void mend(struct scene *s, size_t node, bool down[3])
{
    world_freeze(s->w, node, false);
    world_cut(s->w, 0, node, false);
    if (down[node])
        world_start(s->w, node);
    down[node] = false;
    if (!s->ear[node].program)
        listen_at(s, node, "box", true);
}

/* Each message is handled, in order; one that is handled twice was flagged. */
static void random_run(uint64_t seed)
{
    struct scene *s = scene_new(seed, 3);
    bool down[3] = {false};
    listen_at(s, 1, "box", true);
    listen_at(s, 2, "box", true);
    speak_at(s, 0, "box", 60000);
    for (int i = 0; i < 8; i++) {
        uint64_t rate = world_random(s->w) % 30;
        for (uint64_t left = world_random(s->w) % 100; left > 0; left--) { /* in steps of 4 ms */
            push(s, rate);
            world_run(s->w, world_now(s->w) + 4 * MS);
        }
        if (world_random(s->w) % 3)
            fault_at_random(s, down);
        else
            mend(s, 1 + world_random(s->w) % 2, down);
    }
    mend(s, 1, down);
    mend(s, 2, down);
    bool ended = finish(s, 60000);
    if (!ended || s->oracle.handled != s->voice.pushed || s->oracle.disorder || s->oracle.unflagged)
        print_message("seed %llu: handled %llu of %llu, %s %s\n", (unsigned long long)seed,
                      (unsigned long long)s->oracle.handled, (unsigned long long)s->voice.pushed, s->voice.code, s->voice.text);
    assert_true(ended);
    check_all(s);
    scene_free(s);
}

static void p44_a_thousand_random_runs_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        random_run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p44_a_thousand_random_runs_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

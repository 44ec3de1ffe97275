/* Pipes through relays: long messages, and relays that do to them whatever they can. Sessions end again and again in the middle
 * of messages; the pipe's channel goes on in the next one, and nothing is lost, doubled or changed. */
#include "hostile_tap.h"
#include "pipe_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Messages of a pipe that are longer than a part, from anna to a program at hugo. They outlive their world. */
struct letters {
    struct reader reader;
    struct writer writer;
};

static struct letters *letters_new(struct world *w, uint64_t total)
{
    struct letters *l = calloc(1, sizeof *l);
    assert_non_null(l);
    reader_start(&l->reader, w, HUGO, listen_on("log"));
    run(w, SECOND);
    assert_true(l->reader.bound);
    l->writer = (struct writer){.total = total, .size = PIPE_MESSAGE_MAX};
    writer_start(&l->writer, w, ANNA, send_to("hugo:log"));
    return l;
}

static bool all_read(struct world *w, void *arg)
{
    struct letters *l = arg;
    (void)w;
    return l->reader.messages >= l->writer.total && l->writer.done;
}

static void assert_all_read(struct world *w, struct letters *l)
{
    assert_true(world_run_until(w, all_read, l, world_now(w) + 300 * SECOND));
    assert_int_equal(l->reader.messages, l->writer.total);
    assert_int_equal(l->reader.disorder, 0);
}

static void relay_6_long_messages_arrive(void **state)
{
    (void)state;
    struct world *w = relayed_world(30, 1);
    struct letters *l = letters_new(w, 100);
    assert_all_read(w, l);
    assert_int_equal(broken_at(w, ANNA) + broken_at(w, HUGO), 0);
    world_free(w);
    free(l);
}

static void p42_nothing_is_lost_doubled_or_changed_whatever_a_relay_does(void **state)
{
    static tamper_kind *const kinds[] = {tamper_changes, tamper_shortens, tamper_drops};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world *w = relayed_world(31 + k, 1);
        struct letters *l = letters_new(w, 100);
        struct tamper *t = tamper_new(w, HUGO, kinds[k]);
        t->every = 97;
        assert_all_read(w, l);
        assert_true(t->done >= 3);
        assert_true(kinds[k] == tamper_drops || broken_at(w, HUGO) >= 3); /* what is left out may show as silence */
        tamper_free(t);
        world_free(w);
        free(l);
    }
}

/* One of all that it can do to a part, by chance. */
static bool does_anything(struct tamper *t, struct msg *m)
{
    static tamper_kind *const kinds[] = {tamper_changes, tamper_shortens, tamper_drops, tamper_withholds};
    if (world_random(t->w) % 100 > 0)
        return true;
    return kinds[world_random(t->w) % (sizeof kinds / sizeof *kinds)](t, m);
}

static void p42_a_relay_that_does_anything_at_any_time(void **state)
{
    unsigned done = 0;
    (void)state;
    for (uint64_t seed = 40; seed < 50; seed++)
        for (size_t victim = ANNA; victim <= HUGO; victim++) {
            struct world *w = relayed_world(seed, 1 + seed % 2);
            struct letters *l = letters_new(w, 60);
            struct tamper *t = tamper_new(w, victim, does_anything);
            assert_all_read(w, l);
            done += t->done;
            tamper_free(t);
            run(w, 60 * SECOND);
            assert_true(ping(w)->done);
            world_free(w);
            free(l);
        }
    assert_true(done > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_6_long_messages_arrive),
        cmocka_unit_test(p42_nothing_is_lost_doubled_or_changed_whatever_a_relay_does),
        cmocka_unit_test(p42_a_relay_that_does_anything_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

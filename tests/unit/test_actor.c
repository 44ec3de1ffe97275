/* Actors and the loop: jobs come back once and in order, full mailboxes say so, timers fire when due, calls from other
 * threads run on the loop's. */
#include "actor.h"
#include "job.h"
#include "loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define JOBS 500

struct world {
    struct loop *loop;
    struct actor *actor;
    pthread_mutex_t gate; /* held: the actor's work waits */
    struct job job[JOBS];
    int wanted, back;
    uint64_t last_tag;
    bool in_order;
    pthread_t loop_thread;
    struct fault fault;
};

static void work(void *arg, struct job *job)
{
    struct world *w = arg;
    pthread_mutex_lock(&w->gate);
    pthread_mutex_unlock(&w->gate);
    job->fault.code = ERR_PARTIAL;
}

static void came_back(void *data)
{
    struct job *job = data;
    struct world *w = job->owner;
    assert_true(pthread_equal(pthread_self(), w->loop_thread));
    assert_int_equal(job->fault.code, ERR_PARTIAL);
    job->fault.code = ERR_OK; /* a second return would be seen */
    w->in_order = w->in_order && job->tag == w->last_tag + 1;
    w->last_tag = job->tag;
    if (++w->back == w->wanted)
        loop_stop(w->loop);
}

static void finish(void *arg, struct job *job)
{
    struct world *w = arg;
    loop_post(w->loop, came_back, job);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    pthread_mutex_init(&w->gate, NULL);
    w->in_order = true;
    w->loop_thread = pthread_self();
    assert_int_equal(loop_new(&w->loop, &w->fault), 0);
    for (size_t i = 0; i < JOBS; i++)
        w->job[i] = (struct job){.owner = w, .tag = i + 1};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    actor_free(w->actor);
    loop_free(w->loop);
    pthread_mutex_destroy(&w->gate);
    free(w);
    return 0;
}

static void start(struct world *w, int threads)
{
    const struct actor_config config = {"test", threads, work, finish, w};
    assert_int_equal(actor_new(&config, &w->actor, &w->fault), 0);
}

static void jobs_of_one_thread_come_back_in_order(void **state)
{
    struct world *w = *state;
    start(w, 1);
    w->wanted = JOBS;
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(actor_send(w->actor, &w->job[i]), 0);
    loop_run(w->loop);
    assert_int_equal(w->back, JOBS);
    assert_true(w->in_order);
}

static void jobs_of_several_threads_come_back_once(void **state)
{
    struct world *w = *state;
    start(w, 4);
    w->wanted = JOBS;
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(actor_send(w->actor, &w->job[i]), 0);
    loop_run(w->loop);
    assert_int_equal(w->back, JOBS);
}

static void what_waits_is_done_before_the_end(void **state)
{
    struct world *w = *state;
    start(w, 2);
    pthread_mutex_lock(&w->gate);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(actor_send(w->actor, &w->job[i]), 0);
    pthread_mutex_unlock(&w->gate);
    actor_free(w->actor);
    w->actor = NULL;
    loop_drain(w->loop);
    assert_int_equal(w->back, JOBS);
}

static void p45_a_full_mailbox_says_so(void **state)
{
    struct world *w = *state;
    static const size_t lots = MAILBOX_MAX + 2;
    start(w, 1);
    struct job *jobs = calloc(lots, sizeof *jobs);
    pthread_mutex_lock(&w->gate);
    size_t taken = 0;
    for (; taken < lots; taken++) {
        jobs[taken] = (struct job){.owner = w, .tag = taken + 1};
        if (actor_send(w->actor, &jobs[taken]) != 0)
            break;
    }
    assert_in_range(taken, MAILBOX_MAX, MAILBOX_MAX + 1); /* one may be in work */
    assert_int_equal(actor_send(w->actor, &jobs[taken]), ERR_FULL);
    pthread_mutex_unlock(&w->gate);
    w->wanted = (int)taken;
    loop_run(w->loop);
    assert_true(w->in_order);
    free(jobs);
}

/* ---- the loop */

struct ring {
    struct loop *loop;
    struct timer timer;
    uint64_t due, fired;
    int count;
};

static void fire(void *arg)
{
    struct ring *r = arg;
    r->fired = loop_now();
    if (++r->count == 3) {
        loop_stop(r->loop);
        return;
    }
    r->due = r->fired + 1000000;
    loop_timer_set(r->loop, &r->timer, r->due);
}

static void timers_fire_when_they_are_due(void **state)
{
    struct world *w = *state;
    struct ring r = {.loop = w->loop}, never = {.loop = w->loop}, late = {.loop = w->loop};
    timer_init(&r.timer, fire, &r);
    timer_init(&never.timer, fire, &never);
    timer_init(&late.timer, fire, &late);
    loop_timer_set(w->loop, &late.timer, loop_now() + 3600000000000u);
    loop_timer_set(w->loop, &never.timer, loop_now() + 1000);
    loop_timer_cancel(w->loop, &never.timer);
    r.due = loop_now() + 2000000;
    loop_timer_set(w->loop, &r.timer, r.due);
    loop_run(w->loop);
    assert_int_equal(r.count, 3);
    assert_true(r.fired >= r.due);
    assert_int_equal(never.count, 0);
    assert_int_equal(late.count, 0);
    loop_timer_cancel(w->loop, &late.timer);
}

static void count_up(void *data)
{
    struct world *w = data;
    if (++w->back == 4 * JOBS)
        loop_stop(w->loop);
}

static void *post_many(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < JOBS; i++)
        loop_post(w->loop, count_up, w);
    return NULL;
}

static void calls_of_many_threads_all_run(void **state)
{
    struct world *w = *state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, post_many, w), 0);
    loop_run(w->loop);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(w->back, 4 * JOBS);
}

static void a_stop_before_the_run_counts(void **state)
{
    struct world *w = *state;
    loop_stop(w->loop);
    loop_run(w->loop);
}

/* Two watches of readable pipes; the first to be told ends the other one. */
struct pair {
    struct loop *loop;
    struct watch *watch[2];
    int fd[2], told[2];
};

static void end_other(struct pair *p, int me)
{
    p->told[me]++;
    loop_unwatch(p->watch[1 - me]);
    p->watch[1 - me] = NULL;
    loop_stop(p->loop);
}

static void first_ready(void *arg)
{
    end_other(arg, 0);
}

static void second_ready(void *arg)
{
    end_other(arg, 1);
}

static void a_watch_that_ended_is_not_told(void **state)
{
    struct world *w = *state;
    struct pair p = {.loop = w->loop};
    int a[2], b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    p.watch[0] = loop_watch_fd(w->loop, a[0], first_ready, &p);
    p.watch[1] = loop_watch_fd(w->loop, b[0], second_ready, &p);
    loop_run(w->loop);
    assert_int_equal(p.told[0] + p.told[1], 1);
    loop_unwatch(p.watch[0]);
    loop_unwatch(p.watch[1]);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_of_one_thread_come_back_in_order), TEST(jobs_of_several_threads_come_back_once),
        TEST(what_waits_is_done_before_the_end),     TEST(p45_a_full_mailbox_says_so),
        TEST(timers_fire_when_they_are_due),         TEST(calls_of_many_threads_all_run),
        TEST(a_stop_before_the_run_counts),          TEST(a_watch_that_ended_is_not_told),
    };
    return cmocka_run_group_tests_name("actor", tests, NULL, NULL);
}

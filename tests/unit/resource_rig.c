#include "resource_rig.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- around a test */

static size_t count_in(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void out_of_patience(void *arg)
{
    (void)arg;
    fail_msg("nothing has come of it");
}

static void stop_loop(void *arg)
{
    loop_stop(((struct world *)arg)->loop);
}

void restart_with(struct world *w, const struct supply_limits *limits)
{
    supplies_free(w->supplies);
    assert_int_equal(supplies_new(w->loop, limits, &w->supplies, &w->fault), 0);
}

static void *nothing(void *arg)
{
    return arg;
}

int world_setup(void **state)
{
    pthread_t first; /* with which a sanitizer may begin one of its own */
    assert_int_equal(pthread_create(&first, NULL, nothing, NULL), 0);
    pthread_join(first, NULL);
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    w->fds = count_in("/proc/self/fd");
    w->threads = count_in("/proc/self/task");
    w->fd[0] = w->fd[1] = -1;
    assert_int_equal(loop_new(&w->loop, &w->fault), 0);
    timer_init(&w->patience, out_of_patience, w);
    timer_init(&w->moment, stop_loop, w);
    restart_with(w, NULL);
    *state = w;
    return 0;
}

static void take_back(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        if (w->fd[i] >= 0)
            close(w->fd[i]);
        w->fd[i] = -1;
    }
}

/* Nothing is left. What ends by itself (a look-up) is given time. */
int world_teardown(void **state)
{
    struct world *w = *state;
    take_back(w);
    supplies_free(w->supplies);
    loop_timer_cancel(w->loop, &w->patience);
    loop_free(w->loop);
    for (int i = 0; i < 4000 && count_in("/proc/self/task") > w->threads; i++)
        poll(NULL, 0, 5);
    assert_int_equal(count_in("/proc/self/task"), w->threads);
    assert_int_equal(count_in("/proc/self/fd"), w->fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

/* ---- opening and reading */

static void opened(struct resource *r)
{
    struct world *w = r->owner;
    assert_false(w->opened);
    w->opened = true;
    loop_stop(w->loop);
}

static enum resource_kind kind_of(const char *target)
{
    switch (target[0]) {
    case 't': return RESOURCE_TCP;
    case 'h': return RESOURCE_HTTP;
    case 'c': return RESOURCE_COMMAND;
    default: return RESOURCE_FIFO;
    }
}

void begin(struct world *w, const char *target)
{
    w->opened = false;
    w->r = (struct resource){.kind = kind_of(target), .target = w->target, .owner = w, .opened = opened};
    assert_true(strlen(target) < sizeof w->target);
    strcpy(w->target, target);
    resource_open(w->supplies, &w->r);
    memset(w->target, 'x', sizeof w->target - 1); /* it was copied */
}

void close_now(struct world *w)
{
    take_back(w);
    resource_close(w->supplies, &w->r);
}

int open_now(struct world *w, const char *target)
{
    begin(w, target);
    assert_false(w->opened); /* never from inside */
    loop_timer_set(w->loop, &w->patience, loop_now() + PATIENCE);
    loop_run(w->loop);
    loop_timer_cancel(w->loop, &w->patience);
    assert_true(w->opened);
    if (w->r.fault.code == 0) {
        resource_take(&w->r, w->fd);
        assert_true(w->fd[0] >= 0 && w->fd[1] >= 0);
    }
    return (int)w->r.fault.code;
}

void assert_fails(struct world *w, const char *target, int code, const char *word)
{
    int err = open_now(w, target);
    if (err != code || !strstr(w->r.fault.text, word) || strstr(w->r.fault.text, "127.0.0.1") || strstr(w->r.fault.text, "/"))
        fail_msg("%s: %d %s", target, err, w->r.fault.text);
    resource_close(w->supplies, &w->r);
}

struct text read_up_to(struct world *w, size_t max)
{
    struct text t = {.bytes = calloc(1, max + 1)};
    while (t.n < max) {
        struct pollfd p = {.fd = w->fd[0], .events = POLLIN};
        assert_int_equal(poll(&p, 1, (int)(PATIENCE / MILLISECOND)), 1);
        ssize_t n = read(w->fd[0], t.bytes + t.n, max - t.n);
        if (n <= 0)
            break;
        t.n += (size_t)n;
    }
    return t;
}

struct text read_line(struct world *w)
{
    struct text line = {.bytes = calloc(1, MIB)};
    while (line.n == 0 || line.bytes[line.n - 1] != '\n') {
        struct text t = read_up_to(w, 1);
        assert_int_equal(t.n, 1);
        line.bytes[line.n++] = t.bytes[0];
        free(t.bytes);
    }
    return line;
}

int assert_brings(struct world *w, const char *bytes)
{
    struct text t = read_up_to(w, MIB);
    assert_string_equal(t.bytes, bytes);
    free(t.bytes);
    int err = resource_verdict(&w->r, &w->fault);
    close_now(w);
    return err;
}

void assert_brings_all(struct world *w, const char *target, const char *bytes)
{
    if (open_now(w, target) != 0)
        fail_msg("%s: %s", target, w->r.fault.text);
    if (assert_brings(w, bytes) != 0)
        fail_msg("%s: %s", target, w->fault.text);
}

void assert_ends_badly(struct world *w, const char *target, const char *bytes, int code, const char *word)
{
    if (open_now(w, target) != 0)
        fail_msg("%s: %s", target, w->r.fault.text);
    int err = assert_brings(w, bytes);
    if (err != code || (int)w->fault.code != code || !strstr(w->fault.text, word))
        fail_msg("%s: %d %s", target, err, w->fault.text);
}

void run_for(struct world *w, uint64_t ns)
{
    loop_timer_set(w->loop, &w->moment, loop_now() + ns);
    loop_run(w->loop);
    loop_timer_cancel(w->loop, &w->moment);
}

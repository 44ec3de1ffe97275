/* The node writes to the file itself; here are waiting, progress, and the file's name.
 *
 * Invariants: (1) the ticking thread runs only while the stream does, and touches nothing but the file's size and on_progress;
 * (2) the file gets its name only after the node said that the stream ended as it should. */
#include "intake.h"

#include "call.h"
#include "interrupt.h"
#include "landing.h"
#include "pipe_verb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 250

static int give(struct weft_error *error, const struct fault *fault)
{
    *error = (struct weft_error){.code = (int)fault->code, .name = err_name((int)fault->code)};
    memcpy(error->text, fault->text, sizeof error->text);
    return error->code;
}

/* ---- progress */

struct ticker {
    const struct intake *in;
    int file, stop;
    pthread_t thread;
};

static void tell(const struct intake *in, int file)
{
    struct stat st;
    struct weft_row *row = cli_request("progress");
    int64_t bytes = fstat(file, &st) == 0 ? st.st_size : 0;

    weft_row_set_text(row, "phase", "stream");
    weft_row_set_text(row, "name", in->pipe);
    weft_row_set_int(row, "bytes_done", bytes);
    weft_row_set_int(row, "bytes_moved", bytes);
    in->on_progress(in->arg, row);
    weft_row_free(row);
}

static void *tick(void *arg)
{
    struct ticker *t = arg;
    struct pollfd stop = {.fd = t->stop, .events = POLLIN};

    while (poll(&stop, 1, TICK_MS) == 0)
        tell(t->in, t->file);
    return NULL;
}

/* Without a thread there is no progress, and all else is as it should be. */
static void ticker_start(struct ticker *t)
{
    t->stop = t->in->on_progress ? eventfd(0, EFD_CLOEXEC) : -1;
    if (t->stop < 0 || pthread_create(&t->thread, NULL, tick, t) == 0)
        return;
    close(t->stop);
    t->stop = -1;
}

static void ticker_stop(struct ticker *t)
{
    if (t->stop < 0)
        return;
    eventfd_write(t->stop, 1);
    pthread_join(t->thread, NULL);
    close(t->stop);
}

/* ---- the stream */

static void cancel(void *weft)
{
    weft_cancel(weft);
}

/* Nothing is sent there: its input is at its end from the beginning. */
static int fetch(struct intake *in, int file, struct weft_error *error)
{
    struct interrupt interrupt = {.stop = cancel, .arg = in->cli->weft};
    const struct weft_pipe_options options = {.on_row = routes_watch, .arg = &in->routes};
    struct ticker ticker = {.in = in, .file = file};
    uint64_t moved[2] = {0, 0}, began = pipe_verb_clock();
    struct fault fault;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (nothing < 0 || interrupt_start(&interrupt)) {
        fault_errno(&fault, errno, "cannot begin with '%s'", in->pipe);
        if (nothing >= 0)
            close(nothing);
        return give(error, &fault);
    }
    ticker_start(&ticker);
    int code = weft_pipe_connect(in->cli->weft, in->pipe, &options, nothing, file, moved, error);
    ticker_stop(&ticker);
    interrupt_finish(&interrupt);
    close(nothing);
    in->bytes = moved[1];
    in->elapsed_us = pipe_verb_clock() - began;
    return code;
}

static int run(struct intake *in, struct landing *l, struct weft_error *error)
{
    struct fault fault = {0};
    bool skip;

    if (landing_check(l, in->top, in->policy, &skip, &fault))
        return give(error, &fault);
    if (!skip)
        snprintf(in->placed, sizeof in->placed, "%s", in->top);
    if (skip || in->dry_run)
        return 0;
    if (landing_make(l, &fault))
        return give(error, &fault);
    int code = fetch(in, l->fd, error);
    if (code == 0 && landing_place(l, in->top, in->policy, in->placed, &fault))
        code = give(error, &fault);
    return code;
}

int intake_run(struct intake *in, struct weft_error *error)
{
    struct landing l;
    struct fault fault = {0};

    int code = landing_open(in->folder, in->top, &l, &fault) ? give(error, &fault) : run(in, &l, error);
    landing_close(&l);
    return code;
}

/* weft pipe listen: binds a pipe, and prints the messages that come, or becomes one end of a byte stream.
 *
 * Invariants: (1) a message is taken when all of it has been written, not before; (2) with --once nothing is printed, and
 * nothing taken, but what the first sender sent: the others' messages wait for the next listener. */
#include "call.h"
#include "err.h"
#include "escape.h"
#include "exits.h"
#include "json.h"
#include "namelist.h"
#include "pipe_verb.h"
#include "sink.h"
#include "units.h"
#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SHOWN 256
#define CHANNEL_BYTES 64
#define RANK_MAX 255

struct listen {
    struct cli *cli;
    struct weft_pipe *pipe;
    struct sink sink;
    bool once, keep;
    char channel[CHANNEL_BYTES]; /* of the first sender, with --once */
    uint64_t messages, bytes;
    bool over;
    int status;
    struct weft_error error;
};

static void end(struct listen *l, int status)
{
    l->over = true;
    l->status = status;
}

/* What was printed is taken. */
static void put_out(struct listen *l)
{
    struct weft_error error;

    if (l->sink.used == 0)
        return;
    int code = sink_write(&l->sink);
    if (code == EPIPE) /* nobody reads any more, as behind "| head": that is no error */
        end(l, EXITS_DONE);
    else if (code)
        end(l, cli_fail(l->cli, err_from_errno(code), "cannot write the output: %s", strerror(code)));
    if (code)
        return;
    if (weft_pipe_take(l->pipe, *l->channel ? l->channel : NULL, &error) != 0)
        end(l, pipe_verb_fail(l->cli, "", &error));
}

static void say_of(struct listen *l, const struct weft_event *e, const char *what)
{
    char from[SHOWN];

    cli_say(l->cli, "%s %s\n", escape(e->from, strlen(e->from), from, sizeof from), what);
}

/* ---- events */

/* Is it of a sender that this run is not about? */
static bool passed_over(struct listen *l, const struct weft_event *e)
{
    if (!l->once)
        return false;
    if (!*l->channel)
        snprintf(l->channel, sizeof l->channel, "%s", e->channel);
    return strcmp(l->channel, e->channel) != 0;
}

static void on_message(struct listen *l, const struct weft_event *e)
{
    if (passed_over(l, e))
        return;
    l->messages++;
    l->bytes += e->n;
    if (l->cli->json)
        sink_add_event(&l->sink, e);
    else
        sink_add(&l->sink, e->bytes, e->n);
    if (sink_is_full(&l->sink))
        put_out(l);
}

static void on_sender(struct listen *l, const struct weft_event *e)
{
    if (passed_over(l, e))
        return;
    put_out(l);
    if (l->over)
        return;
    if (l->cli->json)
        sink_add_event(&l->sink, e);
    else
        say_of(l, e,
               e->kind == WEFT_PIPE_SENDER         ? "sends"
               : e->kind == WEFT_PIPE_SENDER_ENDED ? "has sent all"
                                                   : "is gone, before all was sent");
    if (l->once && e->kind != WEFT_PIPE_SENDER)
        end(l, e->kind == WEFT_PIPE_SENDER_ENDED ? EXITS_DONE : EXITS_UNREACHABLE);
}

static void on_dropped(struct listen *l, const struct weft_event *e)
{
    if (l->cli->json)
        sink_add_event(&l->sink, e);
    else
        cli_say(l->cli, "weft: %" PRIu64 " messages came faster than they were printed, and are lost\n", e->seq);
}

static void join(struct listen *l)
{
    struct cli *cli = l->cli;
    uint64_t began = pipe_verb_clock(), moved[2] = {0, 0};

    fflush(cli->out);
    int code = weft_pipe_accept(l->pipe, fileno(cli->in), fileno(cli->out), moved, &l->error);
    pipe_verb_say_moved(cli, moved, pipe_verb_clock() - began, NULL);
    if (code == ERR_CANCELLED)
        end(l, EXITS_INTERRUPTED);
    else if (code && !l->keep)
        end(l, pipe_verb_fail(cli, "", &l->error));
    else if (code)
        cli_say(cli, "weft: %s\n", l->error.text);
    else if (!l->keep)
        end(l, EXITS_DONE);
}

static void on_offer(struct listen *l, const struct weft_event *e)
{
    put_out(l);
    if (l->over)
        return;
    if (l->cli->json) {
        sink_add_event(&l->sink, e);
        weft_pipe_refuse(l->pipe, "who listens there wants messages only", NULL);
    } else if (*l->channel) {
        weft_pipe_refuse(l->pipe, "who listens there is busy with the messages of another", NULL);
    } else {
        say_of(l, e, "is connected");
        join(l);
    }
}

static void on_event(struct listen *l, const struct weft_event *e)
{
    switch (e->kind) {
    case WEFT_PIPE_MESSAGE: on_message(l, e); break;
    case WEFT_PIPE_SENDER:
    case WEFT_PIPE_SENDER_ENDED:
    case WEFT_PIPE_SENDER_LOST: on_sender(l, e); break;
    case WEFT_PIPE_OFFER: on_offer(l, e); break;
    case WEFT_PIPE_DROPPED: on_dropped(l, e); break;
    }
}

/* ---- the run */

static void fail(struct listen *l, int code)
{
    put_out(l);
    if (!l->over)
        end(l, code == ERR_CANCELLED ? EXITS_INTERRUPTED : pipe_verb_fail(l->cli, "", &l->error));
}

/* While something is gathered it looks for more without waiting, and writes when there is none. */
static void listen_on(struct listen *l)
{
    while (!l->over) {
        struct weft_event event;
        bool gathered = l->sink.used > 0;
        int code = weft_pipe_receive(l->pipe, &event, gathered ? 0 : -1, &l->error);
        if (code == 0)
            on_event(l, &event);
        else if (code == ERR_TIMEOUT && gathered)
            put_out(l);
        else
            fail(l, code);
    }
    if (l->sink.used)
        put_out(l);
}

static void say_bound(struct listen *l, const struct weft_pipe_options *options)
{
    struct cli *cli = l->cli;
    struct weft_pipe_status status;
    char name[SHOWN];

    weft_pipe_status(l->pipe, &status);
    escape(status.name, strlen(status.name), name, sizeof name);
    if (cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s, s:s, s:b, s:b, s:s, s:i}", "event", "bound", "pipe", status.name,
                                                "shared", options->shared, "propagate", options->propagate, "transport",
                                                options->transport ? options->transport : "any", "rank", options->rank)));
    else
        cli_say(cli, "%s is bound for %s. Elsewhere: weft pipe send%s %s\n", name,
                options->is_public  ? "everyone"
                : options->allow[0] ? "those named"
                                    : "trusted peers",
                options->propagate ? " --propagate" : "", name);
}

static int run(struct listen *l, const struct weft_pipe_options *options)
{
    struct interrupt interrupt;

    int code = pipe_verb_watch(&interrupt, l->pipe);
    if (code)
        return cli_fail(l->cli, code, "cannot watch for signals");
    say_bound(l, options);
    sink_init(&l->sink, l->cli);
    listen_on(l);
    sink_fini(&l->sink);
    interrupt_finish(&interrupt);
    if (l->messages && !l->cli->json && (l->status == EXITS_DONE || l->status == EXITS_INTERRUPTED))
        cli_say(l->cli, "%" PRIu64 " message%s, %s\n", l->messages, l->messages == 1 ? "" : "s", units_size(l->bytes).s);
    return l->status;
}

static int read_options(struct cli *cli, struct weft_pipe_options *options)
{
    const char *rank = args_value(&cli->args, "rank", NULL);
    int64_t number = 0;

    int status = pipe_verb_options(cli, options);
    options->shared = args_has(&cli->args, "shared") || options->propagate;
    options->is_public = args_has(&cli->args, "public");
    options->hold = true;
    if (status)
        return status;
    if (options->is_public && args_has(&cli->args, "to"))
        return cli_fail(cli, ERR_USAGE, "--public is for anyone and --to for some: choose one");
    if (options->propagate && args_has(&cli->args, "once"))
        return cli_fail(cli, ERR_USAGE, "--once waits for a sender's end, and in a propagate pipe there is none");
    if (args_has(&cli->args, "keep") && args_has(&cli->args, "once"))
        return cli_fail(cli, ERR_USAGE, "--keep goes on and --once does not: choose one");
    if (rank && !units_parse_int(rank, 0, RANK_MAX, &number))
        return cli_fail(cli, ERR_USAGE, "--rank takes a number from 0 to %d", RANK_MAX);
    options->rank = (int)number;
    return EXITS_DONE;
}

int cli_verb_pipe_listen(struct cli *cli)
{
    struct listen l = {.cli = cli, .once = args_has(&cli->args, "once"), .keep = args_has(&cli->args, "keep")};
    struct weft_pipe_options options = {.wait_ms = 0};

    int status = read_options(cli, &options);
    if (status)
        return status;
    char **allowed = namelist_new(&cli->args, "to");
    if (!allowed)
        return cli_fail(cli, ERR_USAGE, "--to needs the names of peers, with commas between them");
    options.allow = (const char *const *)allowed;
    l.pipe = weft_pipe_listen(cli->home, args_word(&cli->args, 0), &options, &l.error);
    status = l.pipe ? run(&l, &options) : pipe_verb_fail(cli, "", &l.error);
    weft_pipe_close(l.pipe);
    namelist_free(allowed);
    return status;
}

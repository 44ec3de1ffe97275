/* weft pipe send: sends words, or the lines of standard input, as messages.
 *
 * As long as there is more to read at once, messages are gathered; before the program waits for input, they leave. So a line
 * that a person types goes at once, and a file goes in large pieces. */
#include "err.h"
#include "escape.h"
#include "exits.h"
#include "feed.h"
#include "json.h"
#include "limits.h"
#include "pipe_verb.h"
#include "units.h"
#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_SHOWN 256

struct send {
    struct cli *cli;
    const char *name;
    struct weft_pipe *pipe;
    size_t message_max;
    uint64_t bytes, began;
    struct weft_error error;
};

static int send_message(struct send *s, const char *bytes, size_t n)
{
    int code = weft_pipe_send(s->pipe, bytes, n, -1, &s->error);

    s->bytes += code ? 0 : n;
    return code;
}

/* Each word becomes a message of its own, with a newline behind it, as echo would write it. */
static int send_words(struct send *s)
{
    int code = 0;

    for (size_t i = 1; !code && args_word(&s->cli->args, i); i++) {
        char *line;
        int n = asprintf(&line, "%s\n", args_word(&s->cli->args, i));
        line = cli_need(n < 0 ? NULL : line);
        code = send_message(s, line, (size_t)n);
        free(line);
    }
    return code;
}

static int send_all(struct send *s, struct feed *feed)
{
    const char *bytes;
    size_t n;
    int code = 0;

    while (!code && feed_next(feed, &bytes, &n))
        code = send_message(s, bytes, n);
    return code;
}

/* Waits until there is input; what the node says meanwhile is heard, for it may be that nobody has the pipe bound. */
static int await_input(struct send *s, int in)
{
    struct pollfd ready[2] = {{.fd = in, .events = POLLIN}, {.fd = weft_pipe_fd(s->pipe), .events = POLLIN}};

    if (poll(ready, 1, 0) > 0)
        return 0;
    for (ready[0].revents = 0; !ready[0].revents; poll(ready, 2, -1)) {
        int code = weft_pipe_flush(s->pipe, &s->error);
        if (code && code != ERR_FULL)
            return code;
    }
    return 0;
}

static int read_input(struct send *s, struct feed *feed, int in)
{
    size_t room;
    char *at = feed_room(feed, &room);
    ssize_t n = read(in, at, room);

    if (n > 0)
        feed_add(feed, (size_t)n);
    else if (n == 0)
        feed_end(feed);
    else if (errno != EINTR && errno != EAGAIN) {
        s->error = (struct weft_error){.code = ERR_IO, .name = err_name(ERR_IO)};
        snprintf(s->error.text, sizeof s->error.text, "cannot read the input: %s", strerror(errno));
        return ERR_IO;
    }
    return 0;
}

static int send_input(struct send *s)
{
    struct feed feed;
    int code = 0, in = fileno(s->cli->in);

    feed_init(&feed, s->message_max);
    while (!code && !feed.ended) {
        code = await_input(s, in);
        if (!code)
            code = read_input(s, &feed, in);
        if (!code)
            code = send_all(s, &feed);
    }
    feed_fini(&feed);
    return code;
}

/* ---- how it ended */

static void print_json(const struct send *s, const struct weft_pipe_status *status, const char *kind)
{
    json_print(s->cli->out, cli_need(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "row", kind, "messages",
                                               (json_int_t)status->taken, "sent", (json_int_t)status->sent, "bytes",
                                               (json_int_t)s->bytes, "elapsed_us", (json_int_t)(pipe_verb_clock() - s->began),
                                               "rebound", (json_int_t)status->rebound, "peer", status->peer)));
}

/* "1204 messages, 3.10 MiB in 2.1 s (1.5 MiB/s, bob)" */
static void say_done(const struct send *s, const struct weft_pipe_status *status)
{
    struct cli *cli = s->cli;
    char peer[PEER_SHOWN];

    cli_say(cli, "%" PRIu64 " message%s, %s in ", status->taken, status->taken == 1 ? "" : "s", units_size(s->bytes).s);
    pipes_say_rate(cli, s->bytes, pipe_verb_clock() - s->began);
    if (*status->peer)
        cli_say(cli, ", %s", escape(status->peer, strlen(status->peer), peer, sizeof peer));
    if (status->rebound)
        cli_say(cli, ", rebound %" PRIu32 "x", status->rebound);
    cli_say(cli, ")\n");
}

static int report(struct send *s, int code)
{
    struct cli *cli = s->cli;
    struct weft_pipe_status status;

    weft_pipe_status(s->pipe, &status);
    if (cli->json)
        print_json(s, &status, code ? "summary" : "done");
    else if (!code)
        say_done(s, &status);
    if (!code)
        return EXITS_DONE;
    if (code != ERR_CANCELLED)
        return pipe_verb_fail(cli, s->name, &s->error);
    cli_say(cli, "weft: stopped; %" PRIu64 " of %" PRIu64 " messages had been taken\n", status.taken, status.sent);
    return EXITS_INTERRUPTED;
}

static int run(struct send *s)
{
    struct interrupt interrupt;

    int code = pipe_verb_watch(&interrupt, s->pipe);
    if (code)
        return cli_fail(s->cli, code, "cannot watch for signals");
    code = args_word(&s->cli->args, 1) ? send_words(s) : send_input(s);
    if (!code)
        code = weft_pipe_finish(s->pipe, &s->error);
    interrupt_finish(&interrupt);
    return report(s, code);
}

int cli_verb_pipe_send(struct cli *cli)
{
    struct send s = {.cli = cli, .name = args_word(&cli->args, 0), .began = pipe_verb_clock()};
    struct weft_pipe_options options = {.wait_ms = 0};

    int status = pipe_verb_options(cli, &options);
    if (status)
        return status;
    s.message_max = options.propagate ? SPREAD_BYTES_MAX : PIPE_MESSAGE_MAX;
    s.pipe = weft_pipe_open(cli->home, s.name, &options, &s.error);
    status = s.pipe ? run(&s) : pipe_verb_fail(cli, s.name, &s.error);
    weft_pipe_close(s.pipe);
    return status;
}

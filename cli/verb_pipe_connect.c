/* weft pipe connect: standard input and output become a byte stream to whoever listens on the pipe. The node moves the bytes;
 * here is only waiting, and saying how it went. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "pipe_verb.h"
#include "units.h"
#include "verbs.h"

static void cancel(void *weft)
{
    weft_cancel(weft);
}

static void say_moved(struct cli *cli, const uint64_t moved[2], uint64_t us)
{
    cli_say(cli, "%s sent, ", units_size(moved[0]).s);
    cli_say(cli, "%s received in ", units_size(moved[1]).s);
    pipes_say_rate(cli, moved[0] + moved[1], us);
    cli_say(cli, ")\n");
}

static int connect_pipe(struct cli *cli, const char *name, const struct weft_pipe_options *options)
{
    struct interrupt interrupt = {.stop = cancel, .arg = cli->weft};
    struct weft_error error = {0};
    uint64_t began = pipe_verb_clock(), moved[2] = {0, 0};

    int code = interrupt_start(&interrupt);
    if (code)
        return cli_fail(cli, code, "cannot watch for signals");
    code = weft_pipe_connect(cli->weft, name, options, fileno(cli->in), fileno(cli->out), moved, &error);
    interrupt_finish(&interrupt);
    if (!code || moved[0] + moved[1] > 0)
        say_moved(cli, moved, pipe_verb_clock() - began);
    if (code == ERR_CANCELLED)
        return EXITS_INTERRUPTED;
    return code ? pipe_verb_fail(cli, name, &error) : EXITS_DONE;
}

int cli_verb_pipe_connect(struct cli *cli)
{
    struct weft_pipe_options options = {.wait_ms = 0};

    int status = pipe_verb_options(cli, &options);
    if (status)
        return status;
    if (cli->json)
        return cli_fail(cli, ERR_USAGE, "--json has no place here: what comes out of the pipe goes to standard output");
    status = cli_connect(cli);
    return status ? status : connect_pipe(cli, args_word(&cli->args, 0), &options);
}

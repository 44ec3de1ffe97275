/* weft pipe connect: standard input and output, or each connection to a local port, become a byte stream to whoever listens on
 * the pipe. The node moves the bytes; here is only waiting, and saying how it went. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "forward.h"
#include "log.h"
#include "pipe_verb.h"
#include "routes.h"
#include "verbs.h"

#include <string.h>

#define SHOWN 160

static void cancel(void *weft)
{
    weft_cancel(weft);
}

static int connect_pipe(struct cli *cli, const char *name, const struct weft_pipe_options *given)
{
    struct weft_pipe_options options = *given;
    struct interrupt interrupt = {.stop = cancel, .arg = cli->weft};
    struct weft_error error = {0};
    struct routes routes = {{0}};
    uint64_t began = pipe_verb_clock(), moved[2] = {0, 0};

    options.on_row = routes_watch;
    options.arg = &routes;
    int code = interrupt_start(&interrupt);
    if (code)
        return cli_fail(cli, code, "cannot watch for signals");
    code = weft_pipe_connect(cli->weft, name, &options, fileno(cli->in), fileno(cli->out), moved, &error);
    interrupt_finish(&interrupt);
    if (!code || moved[0] + moved[1] > 0)
        pipe_verb_say_moved(cli, moved, pipe_verb_clock() - began, &routes);
    if (code == ERR_CANCELLED)
        return EXITS_INTERRUPTED;
    return code ? pipe_verb_fail(cli, name, &error) : EXITS_DONE;
}

static int read_listen(struct cli *cli, struct forward *forward)
{
    const char *listen = args_value(&cli->args, "listen", NULL);
    char shown[SHOWN];

    forward->once = args_has(&cli->args, "once");
    if (!listen && forward->once)
        return cli_fail(cli, ERR_USAGE, "--once is for --listen: without it there is one stream anyway");
    if (!listen && cli->json)
        return cli_fail(cli, ERR_USAGE, "--json has no place here: what comes out of the pipe goes to standard output");
    if (listen && !forward_parse(listen, &forward->at))
        return cli_fail(cli, ERR_USAGE, "%s: --listen takes an address and a port, such as 127.0.0.1:8080, or port 0",
                        escape(listen, strlen(listen), shown, sizeof shown));
    return EXITS_DONE;
}

int cli_verb_pipe_connect(struct cli *cli)
{
    struct weft_pipe_options options = {.wait_ms = 0};
    struct forward forward = {.pipe = args_word(&cli->args, 0), .options = &options};

    int status = pipe_verb_options(cli, &options);
    if (status == EXITS_DONE)
        status = read_listen(cli, &forward);
    if (status == EXITS_DONE)
        status = cli_connect(cli);
    if (status)
        return status;
    return forward.at.family ? forward_run(cli, &forward) : connect_pipe(cli, forward.pipe, &options);
}

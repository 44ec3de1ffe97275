/* What the verbs of pipes have in common. See pipe_verb.h. */
#include "pipe_verb.h"

#include "call.h"
#include "err.h"
#include "exits.h"
#include "log.h"
#include "units.h"

#include <string.h>
#include <time.h>

#define WAIT_MAX_S 86400

static bool known_transport(const char *transport)
{
    static const char *const known[] = {"any", "tcp", "ipc", "ws"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(transport, known[i]) == 0)
            return true;
    return false;
}

int pipe_verb_options(struct cli *cli, struct weft_pipe_options *options)
{
    const char *wait = args_value(&cli->args, "wait", NULL);
    int64_t seconds = 0;

    options->transport = args_value(&cli->args, "transport", NULL);
    options->propagate = args_has(&cli->args, "propagate");
    if (options->transport && !known_transport(options->transport))
        return cli_fail(cli, ERR_USAGE, "--transport takes any, tcp, ipc or ws");
    if (wait && (!units_parse_duration(wait, &seconds) || seconds > WAIT_MAX_S))
        return cli_fail(cli, ERR_USAGE, "--wait takes a time of up to a day, such as 30s or 10m");
    if (wait)
        options->wait_ms = seconds ? (int)seconds * 1000 : 1; /* 0 would be the default */
    return EXITS_DONE;
}

static void interrupt(void *pipe)
{
    weft_pipe_interrupt(pipe);
}

int pipe_verb_watch(struct interrupt *i, struct weft_pipe *pipe)
{
    *i = (struct interrupt){.stop = interrupt, .arg = pipe};
    return interrupt_start(i);
}

int pipe_verb_fail(struct cli *cli, const char *name, const struct weft_error *error)
{
    int status = cli_fail_open(cli, error);

    if (status == EXITS_NOT_FOUND && strchr(name, ':'))
        cli_suggest_peer(cli, name);
    return status;
}

uint64_t pipe_verb_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void pipes_say_rate(struct cli *cli, uint64_t bytes, uint64_t us)
{
    cli_say(cli, "%s (%s/s", units_duration(us).s, units_size((uint64_t)(us ? (double)bytes * 1e6 / (double)us : 0)).s);
}

void pipe_verb_say_moved(struct cli *cli, const uint64_t moved[2], uint64_t us, const struct routes *routes)
{
    const char *route = routes ? routes->s : "";
    char shown[4 * ROUTES_TEXT + 8];

    cli_say(cli, "%s sent, ", units_size(moved[0]).s);
    cli_say(cli, "%s received in ", units_size(moved[1]).s);
    pipes_say_rate(cli, moved[0] + moved[1], us);
    cli_say(cli, "%s%s)\n", *route ? ", " : "", escape(route, strlen(route), shown, sizeof shown));
}

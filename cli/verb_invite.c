/* weft invite: makes a ticket. It is alone on out, so that it can be piped; the words around it are on err. */
#include "call.h"
#include "err.h"
#include "limits.h"
#include "show.h"
#include "units.h"
#include "verbs.h"

static void show(struct cli *cli, const struct weft_row *row)
{
    cli_say(cli, "Good for one machine, for %s. There, type weft join and then this ticket:\n",
            units_seconds((uint64_t)weft_row_int(row, "expires_s", 0)).s);
    show_put(cli->out, row, "ticket");
    putc('\n', cli->out);
}

int cli_verb_invite(struct cli *cli)
{
    int64_t seconds;

    if (!units_parse_duration(args_value(&cli->args, "expire", "10m"), &seconds) || seconds < 1 || seconds > TICKET_LIFE_MAX_S)
        return cli_fail(cli, ERR_USAGE, "--expire takes a time such as 30s, 10m or 1h, and at most 24h");
    struct call call = {.request = cli_request("invite")};
    weft_row_set_int(call.request, "expire_s", seconds);
    return cli_call_for_one(cli, &call, &(struct call_one){"ticket", show});
}

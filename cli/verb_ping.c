/* weft ping: how long a peer takes to answer, and on which way. */
#include "call.h"
#include "err.h"
#include "show.h"
#include "units.h"
#include "verbs.h"

#include <inttypes.h>
#include <string.h>

#define COUNT_DEFAULT 4
#define COUNT_MAX 100000

struct ping {
    struct cli *cli;
    int64_t answers, least, most, sum; /* microseconds */
};

static void put_way(FILE *out, const struct weft_row *row)
{
    if (show_route(row)) {
        show_put(out, row, "route");
        return;
    }
    show_put(out, row, "transport");
    putc(' ', out);
    show_put(out, row, "endpoint");
    if (*weft_row_text(row, "iface", "")) {
        fputs(" on ", out);
        show_put(out, row, "iface");
    }
}

static void show_pong(FILE *out, const struct weft_row *row, int64_t rtt)
{
    fprintf(out, "%" PRId64 ": %s  ", weft_row_int(row, "seq", 0), units_duration((uint64_t)rtt).s);
    put_way(out, row);
    putc('\n', out);
    fflush(out);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct ping *ping = arg;
    int64_t rtt = weft_row_int(row, "rtt_us", 0);

    if (strcmp(weft_row_kind(row), "pong") != 0 || rtt < 0)
        return;
    ping->least = ping->answers == 0 || rtt < ping->least ? rtt : ping->least;
    ping->most = rtt > ping->most ? rtt : ping->most;
    ping->sum += rtt;
    ping->answers++;
    if (!ping->cli->json)
        show_pong(ping->cli->out, row, rtt);
}

int cli_verb_ping(struct cli *cli)
{
    const char *peer = args_word(&cli->args, 0);
    const char *text = args_value(&cli->args, "count", NULL);
    int64_t count = COUNT_DEFAULT;
    struct ping ping = {.cli = cli};

    if (text && !units_parse_int(text, 1, COUNT_MAX, &count))
        return cli_fail(cli, ERR_USAGE, "--count takes a number from 1 to %d", COUNT_MAX);
    struct call call = {.request = cli_request("ping"), .peer = peer, .on_row = on_row, .arg = &ping};
    weft_row_set_text(call.request, "peer", peer);
    weft_row_set_int(call.request, "count", count);
    int status = cli_call_stream(cli, &call);
    if (ping.answers > 0)
        cli_say(cli, "%" PRId64 " answers: least %s, mean %s, most %s\n", ping.answers, units_duration((uint64_t)ping.least).s,
                units_duration((uint64_t)(ping.sum / ping.answers)).s, units_duration((uint64_t)ping.most).s);
    return status;
}

/* weft pipe resolve: who has a pipe bound and where, who said so, and how long it took. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "id.h"
#include "pipe_verb.h"
#include "show.h"
#include "units.h"
#include "verbs.h"

#include <inttypes.h>
#include <string.h>

static void line(FILE *out, const struct weft_row *row, const char *label, const char *field)
{
    if (!*weft_row_text(row, field, ""))
        return;
    fprintf(out, "%-11s ", label);
    show_put(out, row, field);
    putc('\n', out);
}

static void on_pipe(struct cli *cli, const struct weft_row *row)
{
    FILE *out = cli->out;

    line(out, row, "pipe", "pipe");
    line(out, row, "type", "type");
    line(out, row, "held by", "peer");
    line(out, row, "id", "id");
    line(out, row, "transport", "transport");
    line(out, row, "endpoint", "endpoint");
    line(out, row, "interface", "iface");
    fprintf(out, "%-11s ", "answered by");
    show_put(out, row, "answered_by");
    fprintf(out, "%s, in %s\n", weft_row_bool(row, "cached", false) ? " (kept from before)" : "",
            units_duration((uint64_t)weft_row_int(row, "elapsed_us", 0)).s);
    fprintf(out, "%-11s %s\n", "good for", units_seconds((uint64_t)weft_row_int(row, "expires_s", 0)).s);
}

static void on_endpoint(struct cli *cli, const struct weft_row *row)
{
    bool chosen = weft_row_bool(row, "chosen", false);

    fprintf(cli->out, "  %s %" PRId64 " ", chosen ? "*" : " ", weft_row_int(row, "rank", 0));
    show_put(cli->out, row, "endpoint");
    if (*weft_row_text(row, "iface", "")) {
        fputs(" on ", cli->out);
        show_put(cli->out, row, "iface");
    }
    putc('\n', cli->out);
}

/* One of several that have a shared pipe bound. */
static void on_holder(struct cli *cli, const struct weft_row *row)
{
    const char *id = weft_row_text(row, "id", "");

    fprintf(cli->out, "  %s ", weft_row_bool(row, "chosen", false) ? "*" : " ");
    show_put(cli->out, row, "peer");
    fprintf(cli->out, " %.*s, rank %" PRId64 ", answered by ", NODE_ID_SHORT, id, weft_row_int(row, "rank", 0));
    show_put(cli->out, row, "answered_by");
    fprintf(cli->out, ", good for %s\n", units_seconds((uint64_t)weft_row_int(row, "expires_s", 0)).s);
}

static void on_row(void *arg, const struct weft_row *row)
{
    if (strcmp(weft_row_kind(row), "pipe") == 0)
        on_pipe(arg, row);
    else if (strcmp(weft_row_kind(row), "endpoint") == 0)
        on_endpoint(arg, row);
    else if (strcmp(weft_row_kind(row), "holder") == 0)
        on_holder(arg, row);
}

int cli_verb_pipe_resolve(struct cli *cli)
{
    const char *pipe = args_word(&cli->args, 0);
    struct weft_pipe_options options = {.wait_ms = 0};

    int status = pipe_verb_options(cli, &options);
    if (status)
        return status;
    struct call call = {.request = cli_request("pipe-resolve"), .on_row = cli->json ? NULL : on_row, .arg = cli};
    call.peer = strchr(pipe, ':') ? pipe : NULL;
    weft_row_set_text(call.request, "pipe", pipe);
    weft_row_set_bool(call.request, "propagate", options.propagate);
    if (options.transport)
        weft_row_set_text(call.request, "transport", options.transport);
    return cli_call_stream(cli, &call);
}

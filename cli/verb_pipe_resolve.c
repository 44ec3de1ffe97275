/* weft pipe resolve: to which endpoint a pipe is bound, who said so, and how long it took. */
#include "call.h"
#include "err.h"
#include "exits.h"
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

static void on_row(void *arg, const struct weft_row *row)
{
    if (strcmp(weft_row_kind(row), "pipe") == 0)
        on_pipe(arg, row);
    else if (strcmp(weft_row_kind(row), "endpoint") == 0)
        on_endpoint(arg, row);
}

int cli_verb_pipe_resolve(struct cli *cli)
{
    const char *pipe = args_word(&cli->args, 0);
    struct call call = {.request = cli_request("pipe-resolve"), .peer = pipe, .on_row = cli->json ? NULL : on_row, .arg = cli};

    weft_row_set_text(call.request, "pipe", pipe);
    return cli_call_stream(cli, &call);
}

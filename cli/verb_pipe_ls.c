/* weft pipe ls: the pipes that are bound at this node, or at a peer. */
#include "call.h"
#include "table.h"
#include "verbs.h"

#include <inttypes.h>
#include <string.h>

static const char *const heads[] = {"PIPE", "TYPE", "KIND", "TRANSPORT", ">RANK", ">SENDERS", NULL};

/* "-" for what the node does not say: a peer tells nobody how many send to it. */
static void put_number(struct table *table, const struct weft_row *row, const char *field)
{
    int64_t value = weft_row_int(row, field, -1);
    char text[24] = "-";

    if (value >= 0)
        snprintf(text, sizeof text, "%" PRId64, value);
    table_text(table, text);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct table *table = arg;

    if (strcmp(weft_row_kind(row), "pipe") != 0)
        return;
    table_text(table, weft_row_text(row, "pipe", NULL));
    table_text(table, weft_row_text(row, "type", NULL));
    table_text(table, weft_row_bool(row, "shared", false) ? "shared" : "owned");
    table_text(table, weft_row_text(row, "transport", NULL));
    put_number(table, row, "rank");
    put_number(table, row, "channels");
}

int cli_verb_pipe_ls(struct cli *cli)
{
    const char *peer = args_word(&cli->args, 0);
    struct table *table = table_new(heads);
    struct call call = {.request = cli_request("pipe-ls"), .peer = peer, .on_row = cli->json ? NULL : on_row, .arg = table};

    if (peer)
        weft_row_set_text(call.request, "peer", peer);
    int status = cli_call_stream(cli, &call);
    table_print(table, cli->out, true);
    if (table_empty(table) && !status && !cli->json)
        cli_say(cli, peer ? "Nothing is bound there that this node may use.\n"
                          : "No pipe is bound here. One is with: weft pipe listen NAME\n");
    table_free(table);
    return status;
}

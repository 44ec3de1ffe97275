/* weft join: uses a ticket, given as a word, on standard input, or typed where nobody sees it. */
#include "call.h"
#include "err.h"
#include "prompt.h"
#include "show.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

#define TICKET_PREFIX "weft1"

static void show(struct cli *cli, const struct weft_row *row)
{
    show_put(cli->out, row, "name");
    fputs(" and this node trust each other now. What it shares: weft ls ", cli->out);
    show_put(cli->out, row, "name");
    putc('\n', cli->out);
}

static char *read_ticket(struct cli *cli)
{
    const char *word = args_word(&cli->args, 0);

    if (word && strcmp(word, "-") != 0)
        return strdup(word);
    return prompt_line(cli, !word && cli_is_terminal(cli->in) ? "Ticket: " : NULL);
}

int cli_verb_join(struct cli *cli)
{
    char *ticket = read_ticket(cli);

    if (!ticket || strncmp(ticket, TICKET_PREFIX, strlen(TICKET_PREFIX)) != 0) {
        free(ticket);
        return cli_fail(cli, ERR_USAGE, "this is no ticket: one begins with " TICKET_PREFIX ", and weft invite makes it");
    }
    struct call call = {.request = cli_request("join")};
    weft_row_set_text(call.request, "ticket", ticket);
    free(ticket);
    return cli_call_for_one(cli, &call, &(struct call_one){"peer", show});
}

/* weft trust and weft untrust.
 *
 * Trust is given to a key and not to a name, for anyone can take a name. So the request to the node carries the whole id:
 * the one typed, or the one whose fingerprint was shown and confirmed. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "fingerprint.h"
#include "log.h"
#include "peerlist.h"
#include "prompt.h"
#include "show.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 160

static void show_trust(struct cli *cli, const struct weft_row *row)
{
    show_put(cli->out, row, "name");
    fprintf(cli->out, " is trusted now. For it to trust this node too, type weft trust there.\n");
}

static void show_untrust(struct cli *cli, const struct weft_row *row)
{
    show_put(cli->out, row, "name");
    fprintf(cli->out, " is trusted no longer; it sees public shares only.\n");
}

static int send(struct cli *cli, const char *id)
{
    struct call call = {.request = cli_request("trust")};

    weft_row_set_text(call.request, "peer", id);
    return cli_call_for_one(cli, &call, &(struct call_one){"peer", show_trust});
}

static int not_one(struct cli *cli, const struct peerlist *list, const char *typed, size_t count)
{
    char shown[SHOWN], near_shown[SHOWN];
    const char *near = peerlist_nearest(list, typed);

    escape(typed, strlen(typed), shown, sizeof shown);
    if (count > 1)
        return cli_fail(cli, ERR_USAGE, "%zu peers are called %s; say which by its id, see weft peers --json", count, shown);
    if (near)
        return cli_fail(cli, ERR_NOT_FOUND, "no peer %s is known; did you mean %s?", shown,
                        escape(near, strlen(near), near_shown, sizeof near_shown));
    return cli_fail(cli, ERR_NOT_FOUND, "no peer %s is known; weft peers lists them", shown);
}

static int confirm(struct cli *cli, const struct peerlist_peer *peer)
{
    char shown[SHOWN];

    if (args_has(&cli->args, "yes"))
        return send(cli, peer->id);
    fprintf(cli->err, "%s has the fingerprint\n\n    %s\n\nIt must be what weft id shows there.\n",
            escape(peer->name, strlen(peer->name), shown, sizeof shown), fingerprint_of(peer->id).s);
    if (!prompt_yes(cli, "Is it the same? [y/N] "))
        return cli_fail(cli, ERR_REFUSED, "not confirmed; nothing was changed");
    return send(cli, peer->id);
}

int cli_verb_trust(struct cli *cli)
{
    const char *typed = args_word(&cli->args, 0);
    struct peerlist list = {0};
    size_t count;

    if (fingerprint_is_id(typed))
        return send(cli, typed);
    if (!args_has(&cli->args, "yes") && !cli_is_terminal(cli->in))
        return cli_fail(cli, ERR_USAGE, "without a terminal nobody can compare the fingerprint: give the whole id, or --yes");
    int status = cli_call(cli, &(struct call){.request = cli_request("peers"), .on_row = peerlist_add, .arg = &list});
    const struct peerlist_peer *peer = status ? NULL : peerlist_find(&list, typed, &count);
    if (peer && count == 1)
        status = confirm(cli, peer);
    else if (status == EXITS_DONE)
        status = not_one(cli, &list, typed, count);
    peerlist_fini(&list);
    return status;
}

int cli_verb_untrust(struct cli *cli)
{
    const char *peer = args_word(&cli->args, 0);
    struct call call = {.request = cli_request("untrust"), .peer = peer};

    weft_row_set_text(call.request, "peer", peer);
    return cli_call_for_one(cli, &call, &(struct call_one){"peer", show_untrust});
}

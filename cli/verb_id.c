/* weft id: who this node is. Needs no running node. The id alone goes to out, the words around it to err. */
#include "cli.h"
#include "exits.h"
#include "fingerprint.h"
#include "json.h"
#include "verbs.h"

int cli_verb_id(struct cli *cli)
{
    char id[NODE_ID_TEXT + 1];
    struct weft_error error = {0};

    if (weft_id(cli->home, id, sizeof id, &error))
        return cli_fail_error(cli, &error);
    struct fingerprint print = fingerprint_of(id);
    if (cli->json) {
        json_print(cli->out, cli_need(json_pack("{s:s, s:s, s:s#, s:s}", "row", "id", "id", id, "short", id, NODE_ID_SHORT,
                                                "fingerprint", print.s)));
        return EXITS_DONE;
    }
    fprintf(cli->out, "%s\n", id);
    fflush(cli->out);
    cli_say(cli, "fingerprint: %s\n", print.s);
    return EXITS_DONE;
}

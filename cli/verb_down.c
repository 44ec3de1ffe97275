/* weft down: stops the node of this home. */
#include "call.h"
#include "exits.h"
#include "json.h"
#include "verbs.h"

int cli_verb_down(struct cli *cli)
{
    int status = cli_call(cli, &(struct call){.request = cli_request("down")});

    if (status == EXITS_DONE && cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s}", "row", "done")));
    else if (status == EXITS_DONE)
        cli_say(cli, "The node has stopped.\n");
    return status;
}

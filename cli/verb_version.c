/* weft version: the program's version and, with --json, that of its JSON. */
#include "cli.h"
#include "exits.h"
#include "json.h"
#include "verbs.h"

int cli_verb_version(struct cli *cli)
{
    if (cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s, s:s, s:i}", "row", "version", "version", WEFT_VERSION, "schema",
                                                CLI_JSON_SCHEMA)));
    else
        fprintf(cli->out, "weft %s\n", WEFT_VERSION);
    return EXITS_DONE;
}

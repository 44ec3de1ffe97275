/* weft peers: the nodes that this one knows, nearest state first as the node sends them. */
#include "call.h"
#include "id.h"
#include "show.h"
#include "table.h"
#include "units.h"
#include "verbs.h"

#include <string.h>

static const char *const heads[] = {"NAME",   "ID",       "STATE", "TRUST", ">RTT", ">SEEN",
                                    "?ROUTE", "ENDPOINT", "ROLES", "?NOTE", NULL};

static void put_time(struct table *table, const struct weft_row *row, const char *field, int64_t unit_us)
{
    int64_t value = weft_row_int(row, field, -1);

    table_text(table, value < 0 ? "-" : units_duration((uint64_t)value * (uint64_t)unit_us).s);
}

/* Roles come as bits: 1 a relay, 2 a hub. */
static const char *roles(const struct weft_row *row)
{
    static const char *const names[] = {NULL, "relay", "hub", "relay,hub"};

    return names[weft_row_int(row, "roles", 0) & 3];
}

/* A relayed one would say no more than the route. */
static const char *endpoint(const struct weft_row *row)
{
    static const char relayed[] = "relay://";
    const char *text = weft_row_text(row, "endpoint", "");

    return strncmp(text, relayed, strlen(relayed)) == 0 ? NULL : text;
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct table *table = arg;
    const char *id = weft_row_text(row, "id", "");

    if (strcmp(weft_row_kind(row), "peer") != 0)
        return;
    table_text(table, weft_row_text(row, "name", NULL));
    table_bytes(table, id, strnlen(id, NODE_ID_SHORT));
    table_text(table, weft_row_text(row, "state", NULL));
    table_text(table, weft_row_text(row, "trust", NULL));
    put_time(table, row, "rtt_us", 1);
    put_time(table, row, "age_ms", 1000);
    table_text(table, show_route(row));
    table_text(table, endpoint(row));
    table_text(table, roles(row));
    table_text(table, weft_row_text(row, "note", NULL));
}

int cli_verb_peers(struct cli *cli)
{
    struct table *table = table_new(heads);
    struct call call = {.request = cli_request("peers"), .on_row = cli->json ? NULL : on_row, .arg = table};

    int status = cli_call_stream(cli, &call);
    table_print(table, cli->out, true);
    if (table_empty(table) && !status && !cli->json)
        cli_say(cli, "No other node is known yet. On another machine of this network: weft up\n");
    table_free(table);
    return status;
}

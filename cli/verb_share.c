/* weft share and weft unshare.
 *
 * What is shared is a path, or a target that is none: a service, a URL, a command. Here they are only told apart; what a target
 * may be is for the node to say. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "json.h"
#include "local.h"
#include "log.h"
#include "namelist.h"
#include "show.h"
#include "utf8.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 200

/* Is it a resource that is no path? A path that looks like one is written with "./" before it. */
static bool is_target(const char *typed)
{
    static const char *const schemes[] = {"tcp:", "http://", "https://", "cmd:"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(typed, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

static bool is_stream(const struct weft_row *share)
{
    const char *kind = weft_row_text(share, "kind", "");

    return strcmp(kind, "file") != 0 && strcmp(kind, "dir") != 0;
}

/* ---- what it says */

static void put_text(FILE *out, char *text)
{
    size_t cap = 4 * strlen(text) + 8;
    char *escaped = cli_need(malloc(cap));

    fputs(escape(text, strlen(text), escaped, cap), out);
    free(escaped);
    free(text);
}

/* "photos  dir  1.42 GiB  trusted", "shell  tcp  127.0.0.1:22  trusted  via hub" */
static void put_share(struct cli *cli, const struct weft_row *row)
{
    char *place = show_field(row, "path");

    fputs(args_has(&cli->args, "dry-run") ? "would share " : "", cli->out);
    show_put(cli->out, row, "name");
    fprintf(cli->out, "  %s  %s  ", weft_row_text(row, "kind", ""), is_stream(row) && *place ? place : show_size(row).s);
    free(place);
    put_text(cli->out, show_audience(row));
    char *via = show_list(row, "via");
    fputs(*via ? "  via " : "", cli->out);
    put_text(cli->out, via);
    putc('\n', cli->out);
    fflush(cli->out);
}

/* What to type elsewhere. */
static void say_how(struct cli *cli, const struct weft_row *row)
{
    bool service = strcmp(weft_row_text(row, "kind", ""), "tcp") == 0;
    char *peer = show_field(row, "peer"), *name = show_field(row, "name"), *via = show_list(row, "via");
    char shown[SHOWN];

    if (service)
        cli_say(cli, "Elsewhere: weft pipe connect %s:%s --listen 127.0.0.1:0 makes a local port that leads there.\n", peer,
                name);
    else
        cli_say(cli, "Elsewhere: weft get %s:%s\n", peer, name);
    if (weft_row_bool(row, "writable", false))
        cli_say(cli, "or, to change it: weft put FILE... %s:%s\n", peer, name);
    if (is_stream(row) && !service)
        cli_say(cli, "or, as a stream: weft pipe connect %s:%s\n", peer, name);
    if (*via)
        cli_say(cli, "Who cannot reach this node gets it through %s, by the same name.\n",
                escape(via, strlen(via), shown, sizeof shown));
    free(via);
    free(name);
    free(peer);
}

static void say_warning(void *cli, const char *text, size_t n)
{
    size_t cap = 4 * n + 8;
    char *escaped = cli_need(malloc(cap));

    cli_say(cli, "weft: %s\n", escape(text, n, escaped, cap));
    free(escaped);
}

static void show(struct cli *cli, const struct weft_row *row)
{
    put_share(cli, row);
    show_each(row, "warning", say_warning, cli);
    if (!args_has(&cli->args, "dry-run"))
        say_how(cli, row);
}

/* ---- what it asks */

/* Adds every name of an option that holds a list. */
static int set_names(struct cli *cli, struct weft_row *request, const char *option)
{
    char **names = namelist_new(&cli->args, option);

    if (!names)
        return cli_fail(cli, ERR_USAGE, "--%s needs the names of peers, with commas between them", option);
    for (char **name = names; *name; name++)
        weft_row_set_text(request, option, *name);
    namelist_free(names);
    return EXITS_DONE;
}

/* Takes a request that says what is shared. */
static int share(struct cli *cli, struct weft_row *request, const char *name)
{
    const char *peer = args_value(&cli->args, "via", args_value(&cli->args, "to", NULL));
    int status = EXITS_DONE;

    weft_row_set_text(request, "name", name);
    weft_row_set_bool(request, "public", args_has(&cli->args, "public"));
    weft_row_set_bool(request, "writable", args_has(&cli->args, "writable"));
    weft_row_set_bool(request, "dry_run", args_has(&cli->args, "dry-run"));
    if (!*name || !utf8_valid(name, strlen(name)))
        status = cli_fail(cli, ERR_USAGE, "the share needs a name in UTF-8; give it one with --as");
    if (status == EXITS_DONE)
        status = set_names(cli, request, "to");
    if (status == EXITS_DONE)
        status = set_names(cli, request, "via");
    if (status == EXITS_DONE)
        return cli_call_for_one(cli, &(struct call){.request = request, .peer = peer}, &(struct call_one){"share", show});
    weft_row_free(request);
    return status;
}

static int share_target(struct cli *cli, const char *target)
{
    const char *as = args_value(&cli->args, "as", NULL);

    if (!as)
        return cli_fail(cli, ERR_USAGE, "what is shared here has no name of its own; give it one with --as");
    if (args_has(&cli->args, "writable"))
        return cli_fail(cli, ERR_USAGE, "--writable is for files and folders; a stream goes both ways as it is");
    if (!utf8_valid(target, strlen(target)))
        return cli_fail(cli, ERR_USAGE, "the target is no UTF-8");
    struct weft_row *request = cli_request("share");
    weft_row_set_text(request, "target", target);
    return share(cli, request, as);
}

static int share_path(struct cli *cli, const char *typed)
{
    const char *as = args_value(&cli->args, "as", NULL);
    struct local local;
    struct fault why = {0};
    int status;

    int code = local_find(typed, &local, &why);
    if (code == 0) {
        struct weft_row *request = cli_request("share");
        weft_row_set_bytes(request, "path", local.real, strlen(local.real));
        status = share(cli, request, as ? as : local.name);
    } else {
        status = cli_fail(cli, code, "%s", why.text);
    }
    local_fini(&local);
    return status;
}

int cli_verb_share(struct cli *cli)
{
    const char *typed = args_word(&cli->args, 0);

    if (args_has(&cli->args, "public") && args_has(&cli->args, "to"))
        return cli_fail(cli, ERR_USAGE, "--public is for anyone and --to for some: choose one");
    return is_target(typed) ? share_target(cli, typed) : share_path(cli, typed);
}

int cli_verb_unshare(struct cli *cli)
{
    const char *name = args_word(&cli->args, 0);
    struct call call = {.request = cli_request("unshare")};
    bool dry = args_has(&cli->args, "dry-run");
    char shown[SHOWN];

    weft_row_set_text(call.request, "name", name);
    weft_row_set_bool(call.request, "dry_run", dry);
    int status = cli_call(cli, &call);
    if (status == EXITS_DONE && cli->json)
        json_print(cli->out, cli_need(json_pack("{s:s}", "row", "done")));
    else if (status == EXITS_DONE)
        cli_say(cli, dry ? "would no longer share %s\n" : "%s is shared no longer; the files stay where they are.\n",
                escape(name, strlen(name), shown, sizeof shown));
    return status;
}

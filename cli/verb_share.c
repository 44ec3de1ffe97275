/* weft share and weft unshare. */
#include "audience.h"
#include "call.h"
#include "err.h"
#include "exits.h"
#include "json.h"
#include "log.h"
#include "show.h"
#include "utf8.h"
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 200

/* The last part of the path as typed, for a link has a name of its own; of the real path when that says nothing (".",
 * "a/.."). */
static char *default_name(const char *typed, const char *real)
{
    size_t n = strlen(typed);

    while (n && typed[n - 1] == '/')
        n--;
    size_t start = n;
    while (start && typed[start - 1] != '/')
        start--;
    bool says_nothing = n == start || strncmp(typed + start, "..", n - start) == 0;
    return cli_need(says_nothing ? strdup(strrchr(real, '/') + 1) : strndup(typed + start, n - start));
}

static bool set_audience(const struct args *args, struct weft_row *request)
{
    char **names = audience_new(args);
    bool good = names != NULL;

    for (char **name = names; name && *name; name++)
        weft_row_set_text(request, "to", *name);
    audience_free(names);
    return good;
}

static void show(struct cli *cli, const struct weft_row *row)
{
    bool dry = args_has(&cli->args, "dry-run");
    char *audience = show_audience(row);
    char *escaped = cli_need(malloc(4 * strlen(audience) + 8));

    fputs(dry ? "would share " : "", cli->out);
    show_put(cli->out, row, "name");
    fprintf(cli->out, "  %s  %s  %s\n", weft_row_text(row, "kind", ""), show_size(row).s,
            escape(audience, strlen(audience), escaped, 4 * strlen(audience) + 8));
    free(escaped);
    free(audience);
    fflush(cli->out);
    if (!dry)
        cli_say(cli, "Elsewhere: weft ls shows it, weft get fetches it.\n");
}

static struct weft_row *request_for(const struct cli *cli, const char *real, const char *name)
{
    struct weft_row *request = cli_request("share");

    weft_row_set_bytes(request, "path", real, strlen(real));
    weft_row_set_text(request, "name", name);
    weft_row_set_bool(request, "public", args_has(&cli->args, "public"));
    weft_row_set_bool(request, "writable", args_has(&cli->args, "writable"));
    weft_row_set_bool(request, "dry_run", args_has(&cli->args, "dry-run"));
    return request;
}

static int share(struct cli *cli, const char *real, const char *name)
{
    if (!*name || !utf8_valid(name, strlen(name)))
        return cli_fail(cli, ERR_USAGE, "the share needs a name in UTF-8; give it one with --as");
    struct weft_row *request = request_for(cli, real, name);
    if (!set_audience(&cli->args, request)) {
        weft_row_free(request);
        return cli_fail(cli, ERR_USAGE, "--to needs the names of peers, with commas between them");
    }
    struct call call = {.request = request, .peer = args_value(&cli->args, "to", NULL)};
    return cli_call_for_one(cli, &call, &(struct call_one){"share", show});
}

int cli_verb_share(struct cli *cli)
{
    const char *typed = args_word(&cli->args, 0);
    char shown[SHOWN];

    if (args_has(&cli->args, "public") && args_has(&cli->args, "to"))
        return cli_fail(cli, ERR_USAGE, "--public is for anyone and --to for some: choose one");
    char *real = realpath(typed, NULL);
    if (!real)
        return cli_fail(cli, err_from_errno(errno), "%s: %s", escape(typed, strlen(typed), shown, sizeof shown),
                        strerror(errno));
    const char *as = args_value(&cli->args, "as", NULL);
    char *name = as ? cli_need(strdup(as)) : default_name(typed, real);
    int status = share(cli, real, name);
    free(name);
    free(real);
    return status;
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

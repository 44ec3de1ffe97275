/* weft put: sends files and folders into what peers share for writing; of what is there already only what changed.
 *
 * The node does the work; here the words of the command are understood, progress is shown, and the end is told. A source
 * that is not there ends the command before anything is sent. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "json.h"
#include "local.h"
#include "log.h"
#include "meter.h"
#include "policy.h"
#include "put_file.h"
#include "put_sum.h"
#include "show.h"
#include "target.h"
#include "verbs.h"

#include <string.h>

#define SHOWN 160

struct put {
    struct cli *cli;
    struct meter meter;
    struct put_sum sum;
    bool dry_run;
    bool ended, good; /* with "summary" or "done"; with "done" */
};

/* ---- rows */

/* What makes the rate: bytes sent are counted over the whole put, so that what was resumed is none; others in their file. */
static uint64_t flowed(const struct weft_row *row)
{
    bool sends = strcmp(weft_row_text(row, "phase", ""), "send") == 0;

    return show_number(row, sends ? "bytes_sent" : "bytes_done");
}

static void on_end(struct put *put, const struct weft_row *row)
{
    put->ended = true;
    put->good = strcmp(weft_row_kind(row), "done") == 0;
    put_sum_read(&put->sum, row);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct put *put = arg;
    struct cli *cli = put->cli;
    const char *kind = weft_row_kind(row);

    if (cli->json)
        json_print_row(cli->out, row);
    if (strcmp(kind, "done") == 0 || strcmp(kind, "summary") == 0)
        on_end(put, row);
    else if (strcmp(kind, "progress") == 0)
        meter_show(&put->meter, row, flowed(row));
    else if (strcmp(kind, "item") == 0)
        cli_say_item(cli, row);
    else if (strcmp(kind, "file") == 0 && cli->verbose)
        put_file_say(cli, row, put->dry_run);
    if (ferror(cli->out)) /* nobody reads any more, as behind "| head" */
        weft_cancel(cli->weft);
}

/* Before it is said why it failed. What failed as a whole, before any work, needs no sum. */
static int after(void *arg, int code, struct weft_error *error)
{
    const struct put *put = arg;
    const struct put_sum *s = &put->sum;
    (void)error;

    if (put->ended && (put->good || s->files + s->skipped + s->present > 0 || s->failed > 1))
        put_sum_say(put->cli, s, put->dry_run);
    return code;
}

/* ---- the words */

static int set_source(struct cli *cli, struct weft_row *request, const char *typed)
{
    char shown[SHOWN];
    struct local local;
    struct fault why = {0};

    if (target_is_remote(typed))
        return cli_fail(
            cli, ERR_USAGE,
            "%s: this is at a peer; put sends files of this machine (one with a colon in its name has ./ before it)",
            escape(typed, strlen(typed), shown, sizeof shown));
    int code = local_find(typed, &local, &why);
    if (code == 0)
        weft_row_set_bytes(request, "source", local.path, strlen(local.path));
    local_fini(&local);
    return code ? cli_fail(cli, code, "%s", why.text) : EXITS_DONE;
}

static int set_target(struct cli *cli, struct weft_row *request, const char *typed)
{
    char shown[SHOWN];
    struct target target;
    struct fault why = {0};

    if (!target_is_remote(typed))
        return cli_fail(cli, ERR_USAGE, "%s: this is a path on this machine; where to? weft put FILE... PEER:SHARE[/PATH]",
                        escape(typed, strlen(typed), shown, sizeof shown));
    int code = target_parse(typed, &target, &why);
    if (code == 0)
        weft_row_set_bytes(request, "target", target.text, strlen(target.text));
    target_fini(&target);
    return code ? cli_fail(cli, code, "%s", why.text) : EXITS_DONE;
}

static int set_request(const struct put *put, struct weft_row *request)
{
    struct cli *cli = put->cli;
    const char *if_exists = args_value(&cli->args, "if-exists", "overwrite");
    size_t sources = cli->args.word_count - 1;
    enum if_exists policy;

    if (!policy_read(if_exists, &policy) || policy == IF_EXISTS_REFUSE)
        return cli_fail(cli, ERR_USAGE, "--if-exists takes skip, rename or overwrite");
    int status = set_target(cli, request, args_word(&cli->args, sources));
    for (size_t i = 0; status == EXITS_DONE && i < sources; i++)
        status = set_source(cli, request, args_word(&cli->args, i));
    weft_row_set_text(request, "if_exists", if_exists);
    weft_row_set_bool(request, "dry_run", put->dry_run);
    return status;
}

int cli_verb_put(struct cli *cli)
{
    struct put put = {.cli = cli, .dry_run = args_has(&cli->args, "dry-run")};
    struct call call = {.request = cli_request("put"),
                        .peer = args_word(&cli->args, cli->args.word_count - 1),
                        .on_row = on_row,
                        .arg = &put,
                        .resumes = true,
                        .after = after};

    int status = set_request(&put, call.request);
    if (status) {
        weft_row_free(call.request);
        return status;
    }
    meter_start(&put.meter, cli);
    status = cli_call(cli, &call);
    cli_clear_line(cli);
    return status == EXITS_DONE && put.sum.failed ? EXITS_PARTIAL : status;
}

/* weft get: fetches files and folders, and what byte streams bring.
 *
 * The node does the work; here the words of the command are understood, progress is shown, streams are put into files
 * (get_streams.h), and the end is told. */
#include "call.h"
#include "dest.h"
#include "err.h"
#include "exits.h"
#include "get_streams.h"
#include "get_sum.h"
#include "json.h"
#include "meter.h"
#include "policy.h"
#include "show.h"
#include "target.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

struct get {
    struct cli *cli;
    struct meter meter;
    struct get_sum sum;
    bool ended, good; /* the node's part has, with "done" */
    bool exists;      /* something was in the way */
    enum if_exists policy;
    size_t sources;
    struct get_streams streams;
    struct call *call;
};

/* ---- rows */

static void on_item(struct get *get, const struct weft_row *row)
{
    get->exists = get->exists || strcmp(weft_row_text(row, "code", ""), err_name(ERR_EXISTS)) == 0;
    cli_say_item(get->cli, row);
}

/* The node's part is over. With streams to come, so is nothing else. */
static void on_end(struct get *get, const struct weft_row *row)
{
    get->ended = true;
    get->good = strcmp(weft_row_kind(row), "done") == 0;
    get_sum_read(&get->sum, row);
    if (get->cli->json && get->streams.count == 0)
        json_print_row(get->cli->out, row);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct get *get = arg;
    struct cli *cli = get->cli;
    const char *kind = weft_row_kind(row);

    if (strcmp(kind, "done") == 0 || strcmp(kind, "summary") == 0) {
        on_end(get, row);
        return;
    }
    if (cli->json)
        json_print_row(cli->out, row);
    if (strcmp(kind, "progress") == 0)
        meter_show(&get->meter, row, show_number(row, "bytes_moved"));
    else if (strcmp(kind, "item") == 0)
        on_item(get, row);
    else
        get_streams_note(&get->streams, row);
    if (ferror(cli->out)) /* nobody reads any more, as behind "| head" */
        weft_cancel(cli->weft);
}

/* ---- the end */

/* What failed as a whole, before any work, has its error and needs no sum. */
static void say_end(const struct get *get, int code)
{
    if (get->cli->json && get->streams.count > 0) {
        struct weft_row *row = get_sum_row(&get->sum, code ? "summary" : "done");
        json_print_row(get->cli->out, row);
        weft_row_free(row);
    }
    if (!(get->good && code == 0) && get->sum.files + get->sum.skipped == 0 && get->sum.failed < 2)
        return;
    get_sum_say(get->cli, &get->sum, args_has(&get->cli->args, "dry-run"));
}

/* The node has done its part: now the streams, unless somebody wants no more. */
static int after(void *arg, int code, struct weft_error *error)
{
    struct get *get = arg;
    const struct get_streams_run run = {.cli = get->cli,
                                        .policy = get->policy,
                                        .dry_run = args_has(&get->cli->args, "dry-run"),
                                        .alone = get->sources == 1,
                                        .on_row = on_row,
                                        .arg = get,
                                        .sum = &get->sum};

    if (!get->ended)
        return code;
    if (code != ERR_CANCELLED) {
        code = get_streams_run(&get->streams, &run, code, error);
        get->call->resumes = get->streams.count == 0; /* a byte stream begins anew */
    }
    get->exists = get->exists || code == ERR_EXISTS;
    say_end(get, code);
    return code;
}

/* ---- the words */

/* Adds the first `count` words as sources. */
static int set_sources(struct cli *cli, struct weft_row *request, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct target target;
        struct fault why = {0};
        int code = target_parse(args_word(&cli->args, i), &target, &why);
        if (code == 0)
            weft_row_set_bytes(request, "source", target.text, strlen(target.text));
        target_fini(&target);
        if (code)
            return cli_fail(cli, code, "%s", why.text);
    }
    return EXITS_DONE;
}

static int set_dest(struct cli *cli, struct weft_row *request, const char *text, bool one_source)
{
    struct dest dest;
    struct fault why = {0};

    int code = dest_find(text, one_source, &dest, &why);
    if (code == 0)
        weft_row_set_bytes(request, "dest", dest.folder, strlen(dest.folder));
    if (code == 0 && dest.name)
        weft_row_set_bytes(request, "top", dest.name, strlen(dest.name));
    dest_fini(&dest);
    return code ? cli_fail(cli, code, "%s", why.text) : EXITS_DONE;
}

static int set_request(struct get *get, struct weft_row *request)
{
    struct cli *cli = get->cli;
    const char *if_exists = args_value(&cli->args, "if-exists", "refuse");
    size_t words = cli->args.word_count;
    const char *last = args_word(&cli->args, words - 1);
    bool has_dest = words > 1 && !target_is_remote(last);

    if (!policy_read(if_exists, &get->policy))
        return cli_fail(cli, ERR_USAGE, "--if-exists takes refuse, skip, rename or overwrite");
    get->sources = words - has_dest;
    int status = set_sources(cli, request, get->sources);
    if (status == EXITS_DONE)
        status = set_dest(cli, request, has_dest ? last : NULL, get->sources == 1);
    weft_row_set_text(request, "if_exists", if_exists);
    weft_row_set_bool(request, "dry_run", args_has(&cli->args, "dry-run"));
    return status;
}

int cli_verb_get(struct cli *cli)
{
    struct get get = {.cli = cli};
    struct call call = {.request = cli_request("get"), .peer = args_word(&cli->args, 0), .on_row = on_row, .arg = &get};

    get.call = &call;
    call.resumes = true;
    call.after = after;
    int status = set_request(&get, call.request);
    if (status) {
        weft_row_free(call.request);
        return status;
    }
    meter_start(&get.meter, cli);
    status = cli_call(cli, &call);
    cli_clear_line(cli);
    if (get.exists && !args_has(&cli->args, "if-exists"))
        cli_say(cli, "weft: --if-exists skip, rename or overwrite says what to do with what is there\n");
    get_streams_fini(&get.streams);
    return status == EXITS_DONE && get.sum.failed ? EXITS_PARTIAL : status;
}

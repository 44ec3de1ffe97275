/* weft get: fetches files and folders.
 *
 * The node does the work; here the words of the command are understood, progress is shown, and the end is told. */
#include "call.h"
#include "dest.h"
#include "err.h"
#include "exits.h"
#include "progress.h"
#include "show.h"
#include "target.h"
#include "units.h"
#include "verbs.h"
#include "width.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 2048

struct get {
    struct cli *cli;
    struct progress progress;
    bool shows_progress;
    uint64_t failed;
    bool exists; /* something was in the way */
};

static uint64_t number(const struct weft_row *row, const char *name)
{
    int64_t value = weft_row_int(row, name, 0);

    return value < 0 ? 0 : (uint64_t)value;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void on_progress(struct get *get, const struct weft_row *row)
{
    struct cli *cli = get->cli;
    char text[LINE_BYTES];

    if (!get->shows_progress)
        return;
    if (strcmp(weft_row_text(row, "phase", ""), "data") != 0)
        get->progress = (struct progress){0}; /* a wait is no slow transfer */
    progress_sample(&get->progress, now_ns(), number(row, "bytes_moved"));
    char *name = show_field(row, "name");
    struct progress_view view = {
        .phase = weft_row_text(row, "phase", ""),
        .name = name,
        .files_done = number(row, "files_done"),
        .files_total = number(row, "files_total"),
        .bytes_done = number(row, "bytes_done"),
        .bytes_total = number(row, "bytes_total"),
    };
    progress_line(&get->progress, &view, width_of_terminal(cli->err) - 1, text, sizeof text);
    fprintf(cli->err, "\r%s\033[K", text);
    fflush(cli->err);
    cli->line = true;
    free(name);
}

static void say_count(struct cli *cli, uint64_t count, const char *what)
{
    if (count)
        cli_say(cli, ", %" PRIu64 " %s", count, what);
}

/* "3 files, 1.42 GiB in 2.1 s (692 MiB/s, direct)" */
static void say_work(struct cli *cli, const struct weft_row *row)
{
    uint64_t files = number(row, "files"), bytes = number(row, "bytes");
    uint64_t moved = number(row, "bytes_moved"), us = number(row, "elapsed_us");
    char *route = show_field(row, "route");

    if (args_has(&cli->args, "dry-run"))
        cli_say(cli, "would fetch ");
    cli_say(cli, "%" PRIu64 " file%s, %s", files, files == 1 ? "" : "s", units_size(bytes).s);
    if (!args_has(&cli->args, "dry-run"))
        cli_say(cli, " in %s", units_duration(us).s);
    if (moved > 0)
        cli_say(cli, " (%s/s%s%s)", units_size((uint64_t)(us ? (double)moved * 1e6 / (double)us : 0)).s, *route ? ", " : "",
                route);
    if (moved > 0 && moved < bytes)
        cli_say(cli, ", %s of it without being sent", units_size(bytes - moved).s);
    free(route);
}

/* The end, good or bad. What failed as a whole, before any work, has its error and needs no sum. */
static void on_end(struct get *get, const struct weft_row *row)
{
    struct cli *cli = get->cli;

    get->failed = number(row, "failed");
    if (strcmp(weft_row_kind(row), "done") != 0 && number(row, "files") + number(row, "skipped") == 0 && get->failed < 2)
        return;
    say_work(cli, row);
    say_count(cli, number(row, "present"), "already there");
    say_count(cli, number(row, "skipped"), "skipped");
    say_count(cli, get->failed, "failed");
    cli_say(cli, "\n");
}

static void on_item(struct get *get, const struct weft_row *row)
{
    get->failed++; /* until the end says how many it were */
    get->exists = get->exists || strcmp(weft_row_text(row, "code", ""), err_name(ERR_EXISTS)) == 0;
    cli_say_item(get->cli, row);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct get *get = arg;
    const char *kind = weft_row_kind(row);

    if (strcmp(kind, "progress") == 0) {
        on_progress(get, row);
    } else if (strcmp(kind, "item") == 0) {
        on_item(get, row);
    } else if (strcmp(kind, "done") == 0 || strcmp(kind, "summary") == 0) {
        on_end(get, row);
    }
}

static bool known_choice(const char *choice)
{
    static const char *const choices[] = {"refuse", "skip", "rename", "overwrite"};

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (strcmp(choice, choices[i]) == 0)
            return true;
    return false;
}

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

static int set_request(struct cli *cli, struct weft_row *request)
{
    const char *if_exists = args_value(&cli->args, "if-exists", "refuse");
    size_t words = cli->args.word_count;
    const char *last = args_word(&cli->args, words - 1);
    bool has_dest = words > 1 && !target_is_remote(last);

    if (!known_choice(if_exists))
        return cli_fail(cli, ERR_USAGE, "--if-exists takes refuse, skip, rename or overwrite");
    int status = set_sources(cli, request, words - has_dest);
    if (status == EXITS_DONE)
        status = set_dest(cli, request, has_dest ? last : NULL, words - has_dest == 1);
    weft_row_set_text(request, "if_exists", if_exists);
    weft_row_set_bool(request, "dry_run", args_has(&cli->args, "dry-run"));
    return status;
}

int cli_verb_get(struct cli *cli)
{
    struct get get = {.cli = cli, .shows_progress = !cli->quiet && !cli->json && cli_is_terminal(cli->err)};
    struct call call = {.request = cli_request("get"), .peer = args_word(&cli->args, 0), .on_row = on_row, .arg = &get};

    call.resumes = true;
    int status = set_request(cli, call.request);
    if (status) {
        weft_row_free(call.request);
        return status;
    }
    progress_sample(&get.progress, now_ns(), 0);
    status = cli_call_stream(cli, &call);
    cli_clear_line(cli);
    if (get.exists && !args_has(&cli->args, "if-exists"))
        cli_say(cli, "weft: --if-exists skip, rename or overwrite says what to do with what is there\n");
    return status == EXITS_DONE && get.failed ? EXITS_PARTIAL : status;
}

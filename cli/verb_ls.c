/* weft ls: shares when no file is named, files otherwise.
 *
 * Shares are few and wait for aligned columns; files may be millions and are printed as they come, in columns of fixed
 * width. What is printed for a share can be typed after `weft ls` or `weft get` as it is. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "log.h"
#include "peerlist.h"
#include "show.h"
#include "table.h"
#include "target.h"
#include "units.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

static const char *const heads[] = {"KIND", ">SIZE", "AUDIENCE", "SHARE", NULL};

struct ls {
    struct cli *cli;
    struct table *table; /* shares of -l */
    bool wide;
    struct peerlist here, sharing; /* who is here, and who shares something */
    size_t entries, failed;
};

static char *share_target(const struct weft_row *row)
{
    char *text;

    if (asprintf(&text, "%s:%s", weft_row_text(row, "peer", ""), weft_row_text(row, "name", "")) < 0)
        text = NULL;
    return cli_need(text);
}

static void on_share(struct ls *ls, const struct weft_row *row)
{
    char *target = share_target(row), *audience = show_audience(row);

    peerlist_note(&ls->sharing, weft_row_text(row, "peer", ""), "");
    if (ls->wide) {
        table_text(ls->table, weft_row_text(row, "kind", NULL));
        table_text(ls->table, show_size(row).s);
        table_text(ls->table, audience);
        table_text(ls->table, target);
    } else {
        show_put(ls->cli->out, row, "peer");
        putc(':', ls->cli->out);
        show_put(ls->cli->out, row, "name");
        putc('\n', ls->cli->out);
    }
    free(audience);
    free(target);
}

static void on_entry(struct ls *ls, const struct weft_row *row)
{
    const char *kind = weft_row_text(row, "kind", "other");
    bool is_link = strcmp(kind, "link") == 0;
    FILE *out = ls->cli->out;

    ls->entries++;
    if (ls->wide)
        fprintf(out, "%s %9s  %s  ", units_mode(kind, (uint64_t)weft_row_int(row, "mode", 0)).s,
                strcmp(kind, "file") == 0 ? units_size((uint64_t)weft_row_int(row, "size", 0)).s : "-",
                units_time(weft_row_int(row, "mtime_s", 0)).s);
    show_put(out, row, "path");
    if (strcmp(kind, "dir") == 0)
        putc('/', out);
    if (ls->wide && is_link) {
        fputs(" -> ", out);
        show_put(out, row, "target");
    }
    putc('\n', out);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct ls *ls = arg;
    const char *kind = weft_row_kind(row);

    if (strcmp(kind, "item") == 0) { /* a folder that could not be listed */
        ls->failed++;
        cli_say_item(ls->cli, row);
    } else if (ls->cli->json) {
        return;
    } else if (strcmp(kind, "share") == 0) {
        on_share(ls, row);
    } else if (strcmp(kind, "entry") == 0) {
        on_entry(ls, row);
    } else {
        peerlist_add(&ls->here, row);
    }
}

/* A peer that shares nothing with this node is listed as "NAME:", which is what can be typed for it too. */
static void put_idle_peers(struct ls *ls)
{
    char shown[256];
    size_t count;

    for (size_t i = 0; i < ls->here.count; i++) {
        const char *name = ls->here.peers[i].name;
        if (peerlist_find(&ls->sharing, name, &count))
            continue;
        fprintf(ls->cli->out, "%s:\n", escape(name, strlen(name), shown, sizeof shown));
    }
}

static void tell_nothing(struct ls *ls, const char *target)
{
    if (ls->sharing.count + ls->here.count + ls->entries > 0 || ls->cli->json)
        return;
    if (!target)
        cli_say(ls->cli, "Nobody here shares anything yet. To begin: weft share FOLDER; who is here: weft peers\n");
    else if (!strchr(target, ':'))
        cli_say(ls->cli, "It shares nothing with this node. If it should: weft invite there, weft join here\n");
}

static int list(struct cli *cli, const char *target)
{
    struct ls ls = {.cli = cli, .wide = args_has(&cli->args, "long"), .table = table_new(heads)};
    struct call call = {.request = cli_request("ls"), .peer = target, .on_row = on_row, .arg = &ls};

    if (target)
        weft_row_set_bytes(call.request, "target", target, strlen(target));
    weft_row_set_bool(call.request, "recursive", args_has(&cli->args, "recursive"));
    int status = cli_call_stream(cli, &call);
    table_print(ls.table, cli->out, true);
    if (!target)
        put_idle_peers(&ls);
    if (status == EXITS_DONE)
        tell_nothing(&ls, target);
    peerlist_fini(&ls.here);
    peerlist_fini(&ls.sharing);
    table_free(ls.table);
    return status == EXITS_DONE && ls.failed ? EXITS_PARTIAL : status;
}

int cli_verb_ls(struct cli *cli)
{
    const char *word = args_word(&cli->args, 0);
    struct target target = {0};
    struct fault why = {0};

    int code = word ? target_parse_loose(word, &target, &why) : 0;
    int status = code ? cli_fail(cli, code, "%s", why.text) : list(cli, target.text);
    target_fini(&target);
    return status;
}

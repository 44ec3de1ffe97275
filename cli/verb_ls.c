/* weft ls: shares when no file is named, files otherwise. A relay has its own shares, and handles: those of nodes that it is a
 * relay for.
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

static const char *const heads[] = {"KIND", ">SIZE", "AUDIENCE", "?VIA", "?ROUTE", "SHARE", NULL};
static const char *const handle_heads[] = {"KIND", "STATE", "AUDIENCE", "RELAY", "HANDLE", NULL};

struct ls {
    struct cli *cli;
    struct table *table, *handles; /* of -l */
    bool wide;
    struct peerlist here, sharing; /* who is here, and who shares something */
    size_t entries, failed, listed, away;
};

/* PEER:NAME, as it is typed. A holder whose name is not known is called by its id. */
static char *share_target(const struct weft_row *row, const char *peer)
{
    char *text;

    if (asprintf(&text, "%s:%s", peer, weft_row_text(row, "name", "")) < 0)
        text = NULL;
    return cli_need(text);
}

static void put_target(const struct ls *ls, const char *target)
{
    size_t cap = 4 * strlen(target) + 8;
    char *shown = cli_need(malloc(cap));

    fprintf(ls->cli->out, "%s\n", escape(target, strlen(target), shown, cap));
    free(shown);
}

/* How the peer of that name is reached, if not directly. Its row came before its shares. */
static const char *route_to(const struct ls *ls, const char *name)
{
    size_t count;
    const struct peerlist_peer *peer = peerlist_find(&ls->here, name, &count);

    return peer ? peer->route : NULL;
}

static void on_share(struct ls *ls, const struct weft_row *row)
{
    const char *peer = weft_row_text(row, "peer", "");
    char *target = share_target(row, peer), *audience = show_audience(row), *via = show_list(row, "via");

    peerlist_note(&ls->sharing, peer, "");
    if (ls->wide) {
        table_text(ls->table, weft_row_text(row, "kind", NULL));
        table_text(ls->table, show_size(row).s);
        table_text(ls->table, audience);
        table_text(ls->table, via);
        table_text(ls->table, route_to(ls, peer));
        table_text(ls->table, target);
    } else {
        put_target(ls, target);
    }
    free(via);
    free(audience);
    free(target);
}

/* What a relay has of another node. */
static void on_handle(struct ls *ls, const struct weft_row *row)
{
    const char *holder = weft_row_text(row, "holder", ""), *state = weft_row_text(row, "state", "");
    char *target = share_target(row, *holder ? holder : weft_row_text(row, "id", ""));

    ls->listed++;
    ls->away += strcmp(state, "away") == 0;
    if (ls->wide) {
        table_text(ls->handles, weft_row_text(row, "kind", NULL));
        table_text(ls->handles, state);
        table_text(ls->handles, weft_row_bool(row, "public", false) ? "public" : "-");
        table_text(ls->handles, weft_row_text(row, "relay", NULL));
        table_text(ls->handles, target);
    } else {
        put_target(ls, target);
    }
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
    } else if (strcmp(kind, "handle") == 0) {
        on_handle(ls, row);
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
    if (ls->sharing.count + ls->here.count + ls->entries + ls->listed > 0 || ls->cli->json)
        return;
    if (!target)
        cli_say(ls->cli, "Nobody here shares anything yet. To begin: weft share FOLDER; who is here: weft peers\n");
    else if (!strchr(target, ':'))
        cli_say(ls->cli, "It shares nothing with this node. If it should: weft invite there, weft join here\n");
}

static void print_tables(struct ls *ls)
{
    table_print(ls->table, ls->cli->out, true);
    if (!table_empty(ls->table) && !table_empty(ls->handles))
        putc('\n', ls->cli->out);
    table_print(ls->handles, ls->cli->out, true);
    table_free(ls->table);
    table_free(ls->handles);
}

static int list(struct cli *cli, const char *target)
{
    struct ls ls = {
        .cli = cli, .wide = args_has(&cli->args, "long"), .table = table_new(heads), .handles = table_new(handle_heads)};
    struct call call = {.request = cli_request("ls"), .peer = target, .on_row = on_row, .arg = &ls};

    if (target)
        weft_row_set_bytes(call.request, "target", target, strlen(target));
    weft_row_set_bool(call.request, "recursive", args_has(&cli->args, "recursive"));
    int status = cli_call_stream(cli, &call);
    print_tables(&ls);
    if (!target)
        put_idle_peers(&ls);
    if (status == EXITS_DONE)
        tell_nothing(&ls, target);
    if (ls.away && !ls.wide)
        cli_say(cli, "%zu of these cannot be had now, for who holds them is away; -l shows which\n", ls.away);
    peerlist_fini(&ls.here);
    peerlist_fini(&ls.sharing);
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

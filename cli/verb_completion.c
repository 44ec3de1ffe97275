/* weft completion SHELL prints the script; weft completion peers|shares|sources|targets|pipes prints names for the scripts,
 * one a line.
 *
 * A name that is not shown as it is (escape() changes it) cannot be typed either, and is left out. Nobody waits long at a
 * Tab. */
#include "call.h"
#include "complete.h"
#include "err.h"
#include "exits.h"
#include "log.h"
#include "peerlist.h"
#include "verbs.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE_S 2

static bool is_plain(const char *text)
{
    char shown[1024];

    return strcmp(escape(text, strlen(text), shown, sizeof shown), text) == 0;
}

static void put_peer(void *arg, const struct weft_row *row)
{
    const char *name = weft_row_text(row, "name", "");

    if (strcmp(weft_row_kind(row), "peer") == 0 && is_plain(name))
        fprintf(arg, "%s\n", name);
}

static void put_source(void *arg, const struct weft_row *row)
{
    const char *peer = weft_row_text(row, "peer", ""), *name = weft_row_text(row, "name", "");

    if (strcmp(weft_row_kind(row), "share") == 0 && is_plain(name) && is_plain(peer))
        fprintf(arg, "%s:%s\n", peer, name);
}

/* Shares that may be written to. */
static void put_target(void *arg, const struct weft_row *row)
{
    if (weft_row_bool(row, "writable", false))
        put_source(arg, row);
}

static void put_own(void *arg, const struct weft_row *row)
{
    const char *name = weft_row_text(row, "name", "");

    if (strcmp(weft_row_kind(row), "share") == 0 && is_plain(name))
        fprintf(arg, "%s\n", name);
}

static void keep_name(void *arg, const struct weft_row *row)
{
    if (strcmp(weft_row_kind(row), "status") == 0)
        weft_row_set_text(arg, "target", weft_row_text(row, "name", ""));
}

/* This node's shares are those of the peer with its own name. */
static int put_shares(struct cli *cli)
{
    struct weft_row *ls = cli_request("ls");

    int status = cli_call(cli, &(struct call){.request = cli_request("status"), .on_row = keep_name, .arg = ls});
    if (status == EXITS_DONE)
        return cli_call(cli, &(struct call){.request = ls, .on_row = put_own, .arg = cli->out});
    weft_row_free(ls);
    return status;
}

static void put_pipe(void *arg, const struct weft_row *row)
{
    const char *name = weft_row_text(row, "pipe", "");

    if (strcmp(weft_row_kind(row), "pipe") == 0 && is_plain(name))
        fprintf(arg, "%s\n", name);
}

static void keep_linked(void *arg, const struct weft_row *row)
{
    if (strcmp(weft_row_text(row, "state", ""), "linked") == 0)
        peerlist_add(arg, row);
}

/* Those of this node, and those of each peer that is linked. One that does not answer has none. */
static int put_pipes(struct cli *cli)
{
    struct peerlist list = {0};

    int status = cli_call(cli, &(struct call){.request = cli_request("pipe-ls"), .on_row = put_pipe, .arg = cli->out});
    if (status == EXITS_DONE)
        status = cli_call(cli, &(struct call){.request = cli_request("peers"), .on_row = keep_linked, .arg = &list});
    for (size_t i = 0; status == EXITS_DONE && i < list.count; i++) {
        struct weft_row *ls = cli_request("pipe-ls");
        weft_row_set_text(ls, "peer", list.peers[i].id);
        weft_call(cli->weft, ls, put_pipe, cli->out, NULL);
        weft_row_free(ls);
    }
    peerlist_fini(&list);
    return status;
}

static const struct {
    const char *shell;
    void (*put)(FILE *out);
} scripts[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};

static int put_names(struct cli *cli, const char *word)
{
    alarm(PATIENCE_S);
    if (strcmp(word, "peers") == 0)
        return cli_call(cli, &(struct call){.request = cli_request("peers"), .on_row = put_peer, .arg = cli->out});
    if (strcmp(word, "sources") == 0)
        return cli_call(cli, &(struct call){.request = cli_request("ls"), .on_row = put_source, .arg = cli->out});
    if (strcmp(word, "targets") == 0)
        return cli_call(cli, &(struct call){.request = cli_request("ls"), .on_row = put_target, .arg = cli->out});
    if (strcmp(word, "shares") == 0)
        return put_shares(cli);
    if (strcmp(word, "pipes") == 0)
        return put_pipes(cli);
    return cli_fail(cli, ERR_USAGE, "completions are made for bash, zsh and fish");
}

int cli_verb_completion(struct cli *cli)
{
    const char *word = args_word(&cli->args, 0);

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (strcmp(word, scripts[i].shell) == 0) {
            scripts[i].put(cli->out);
            return EXITS_DONE;
        }
    return put_names(cli, word);
}

/* One call of the node, from connecting to the words about its failure. */
#include "call.h"

#include "err.h"
#include "exits.h"
#include "interrupt.h"
#include "json.h"
#include "log.h"
#include "peerlist.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 160

struct weft_row *cli_request(const char *verb)
{
    return cli_need(weft_row_new(verb));
}

int cli_fail_open(struct cli *cli, const struct weft_error *error)
{
    if (error->name && strcmp(error->name, err_name(ERR_NO_NODE)) == 0 && !strstr(error->text, "weft up"))
        return cli_fail(cli, ERR_NO_NODE, "%s; start one with: weft up", error->text);
    return cli_fail_error(cli, error);
}

int cli_connect(struct cli *cli)
{
    struct weft_error error = {0};

    if (!cli->weft)
        cli->weft = weft_open(cli->home, &error);
    return cli->weft ? EXITS_DONE : cli_fail_open(cli, &error);
}

/* The peers, and this node itself. */
static int list_all(struct cli *cli, struct peerlist *list)
{
    static const char *const verbs[] = {"peers", "status"};
    int code = 0;

    for (size_t i = 0; !code && i < 2; i++) {
        struct weft_row *request = cli_request(verbs[i]);
        code = weft_call(cli->weft, request, peerlist_add, list, NULL);
        weft_row_free(request);
    }
    return code;
}

void cli_suggest_peer(struct cli *cli, const char *target)
{
    if (!cli->weft)
        cli->weft = weft_open(cli->home, NULL);
    if (!cli->weft)
        return;
    struct peerlist list = {0};
    char *typed = cli_need(strndup(target, strcspn(target, ":/")));
    char shown[SHOWN];
    size_t count;

    if (list_all(cli, &list) == 0 && !peerlist_find(&list, typed, &count)) {
        const char *near = peerlist_nearest(&list, typed);
        if (near)
            cli_say(cli, "weft: did you mean %s?\n", escape(near, strlen(near), shown, sizeof shown));
        else
            cli_say(cli, "weft: the peers known here: weft peers\n");
    }
    peerlist_fini(&list);
    free(typed);
}

static int report(struct cli *cli, const struct call *call, const struct weft_error *error)
{
    if (exits_of(error->name) == EXITS_INTERRUPTED) {
        cli_say(cli, call->resumes ? "weft: stopped; the same command again goes on from here\n" : "weft: stopped\n");
        return EXITS_INTERRUPTED;
    }
    int status = cli_fail_error(cli, error);
    if (status == EXITS_NOT_FOUND && call->peer)
        cli_suggest_peer(cli, call->peer);
    return status;
}

static void cancel(void *weft)
{
    weft_cancel(weft);
}

static int call_node(struct cli *cli, const struct call *call)
{
    struct interrupt interrupt = {.stop = cancel, .arg = cli->weft};
    struct weft_error error = {0};

    int code = interrupt_start(&interrupt);
    if (code)
        return cli_fail(cli, code, "cannot watch for signals");
    code = weft_call(cli->weft, call->request, call->on_row, call->arg, &error);
    interrupt_finish(&interrupt);
    if (call->after)
        code = call->after(call->arg, code, &error);
    return code ? report(cli, call, &error) : EXITS_DONE;
}

int cli_call(struct cli *cli, const struct call *call)
{
    int status = cli_connect(cli);

    if (status == EXITS_DONE)
        status = call_node(cli, call);
    weft_row_free(call->request);
    return status;
}

struct one {
    struct cli *cli;
    const struct call_one *wanted;
    bool seen;
};

static void on_one(void *arg, const struct weft_row *row)
{
    struct one *one = arg;

    if (one->seen || strcmp(weft_row_kind(row), one->wanted->kind) != 0)
        return;
    one->seen = true;
    if (one->cli->json)
        json_print_row(one->cli->out, row);
    else
        one->wanted->show(one->cli, row);
}

int cli_call_for_one(struct cli *cli, const struct call *call, const struct call_one *wanted)
{
    struct one one = {.cli = cli, .wanted = wanted};
    struct call inner = *call;

    inner.on_row = on_one;
    inner.arg = &one;
    int status = cli_call(cli, &inner);
    if (status == EXITS_DONE && !one.seen)
        return cli_fail(cli, ERR_MALFORMED, "the node's answer has no row \"%s\"; is it of another version?", wanted->kind);
    return status;
}

struct stream {
    struct cli *cli;
    const struct call *call;
};

/* Output that nobody reads any more (weft ls | head) ends the call. */
static void on_stream(void *arg, const struct weft_row *row)
{
    struct stream *stream = arg;
    struct cli *cli = stream->cli;
    bool bare = strcmp(weft_row_kind(row), "done") == 0 && weft_row_fields(row) == 0;

    if (cli->json && !bare)
        json_print_row(cli->out, row);
    if (stream->call->on_row)
        stream->call->on_row(stream->call->arg, row);
    if (ferror(cli->out))
        weft_cancel(cli->weft);
}

int cli_call_stream(struct cli *cli, const struct call *call)
{
    struct stream stream = {.cli = cli, .call = call};
    struct call inner = *call;

    inner.on_row = on_stream;
    inner.arg = &stream;
    return cli_call(cli, &inner);
}

void cli_say_item(struct cli *cli, const struct weft_row *row)
{
    cli_clear_line(cli);
    fputs("weft: ", cli->err);
    show_put(cli->err, row, "path");
    fputs(": ", cli->err);
    show_put(cli->err, row, *weft_row_text(row, "text", "") ? "text" : "code");
    putc('\n', cli->err);
    fflush(cli->err);
    snprintf(cli->item, sizeof cli->item, "%s", weft_row_text(row, "text", ""));
}

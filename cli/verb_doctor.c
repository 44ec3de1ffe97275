/* weft doctor: the node's checks of itself, its network and one peer; what is wrong comes with what to do. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "show.h"
#include "verbs.h"

#include <string.h>

struct doctor {
    struct cli *cli;
    unsigned errors, warnings;
};

static const struct {
    const char *level, *tint;
} levels[] = {{"ok", TINT_GREEN}, {"note", TINT_DIM}, {"warning", TINT_YELLOW}, {"error", TINT_RED}};

/* The tint of a level; NULL for one that this release does not know. */
static const char *tint_of(const char *level)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i].level, level) == 0)
            return levels[i].tint;
    return NULL;
}

static void show_check(struct cli *cli, const struct weft_row *row, const char *level)
{
    fprintf(cli->out, "%s%-7.7s%s  ", cli_tint(cli->color_out, tint_of(level)), level, cli_tint(cli->color_out, TINT_OFF));
    show_put(cli->out, row, "name");
    fputs(": ", cli->out);
    show_put(cli->out, row, "text");
    putc('\n', cli->out);
    if (*weft_row_text(row, "advice", "")) {
        fprintf(cli->out, "%9s-> ", "");
        show_put(cli->out, row, "advice");
        putc('\n', cli->out);
    }
    fflush(cli->out);
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct doctor *doctor = arg;
    const char *level = weft_row_text(row, "level", "");

    if (strcmp(weft_row_kind(row), "check") != 0)
        return;
    doctor->errors += strcmp(level, "error") == 0;
    doctor->warnings += strcmp(level, "warning") == 0;
    if (!doctor->cli->json)
        show_check(doctor->cli, row, tint_of(level) ? level : "note");
}

int cli_verb_doctor(struct cli *cli)
{
    const char *peer = args_word(&cli->args, 0);
    struct doctor doctor = {.cli = cli};
    struct call call = {.request = cli_request("doctor"), .peer = peer, .on_row = on_row, .arg = &doctor};

    if (peer)
        weft_row_set_text(call.request, "peer", peer);
    int status = cli_call_stream(cli, &call);
    if (status)
        return status;
    if (doctor.errors + doctor.warnings == 0)
        cli_say(cli, "Nothing is wrong.\n");
    else
        cli_say(cli, "%u errors, %u warnings.\n", doctor.errors, doctor.warnings);
    return doctor.errors ? EXITS_ERROR : EXITS_DONE;
}

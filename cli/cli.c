/* From argv to an exit status: parse, settle the global options, run the verb, and make sure that what it wrote arrived. */
#include "cli.h"

#include "exits.h"
#include "help.h"
#include "json.h"
#include "verbs.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_is_terminal(FILE *stream)
{
    return fileno(stream) >= 0 && isatty(fileno(stream));
}

void *cli_need(void *pointer)
{
    if (pointer)
        return pointer;
    fputs("weft: out of memory\n", stderr);
    _exit(EXITS_ERROR);
}

void cli_clear_line(struct cli *cli)
{
    if (cli->line)
        fputs("\r\033[K", cli->err);
    cli->line = false;
}

void cli_say(struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->quiet)
        return;
    cli_clear_line(cli);
    va_start(ap, fmt);
    vfprintf(cli->err, fmt, ap);
    va_end(ap);
    fflush(cli->err);
}

const char *cli_tint(bool on, const char *sgr)
{
    static const char *const codes[][2] = {
        {TINT_OFF, "\033[0m"},  {TINT_BOLD, "\033[1m"},   {TINT_DIM, "\033[2m"},
        {TINT_RED, "\033[31m"}, {TINT_GREEN, "\033[32m"}, {TINT_YELLOW, "\033[33m"},
    };

    for (size_t i = 0; on && i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i][0], sgr) == 0)
            return codes[i][1];
    return "";
}

/* Errors are sentences on err; with --json they are also the last row on out, for whoever reads only that. */
static int fail(struct cli *cli, const char *name, const char *text)
{
    int status = exits_of(name);

    cli_clear_line(cli);
    fflush(cli->out);
    if (strcmp(text, cli->item) != 0)
        fprintf(cli->err, "%sweft:%s %s\n", cli_tint(cli->color_err, TINT_RED), cli_tint(cli->color_err, TINT_OFF), text);
    fflush(cli->err);
    if (cli->json)
        json_print(cli->out,
                   cli_need(json_pack("{s:s, s:s, s:s, s:i}", "row", "error", "error", name, "text", text, "exit", status)));
    return status;
}

int cli_fail(struct cli *cli, int code, const char *fmt, ...)
{
    char text[FAULT_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fail(cli, err_name(code), text);
}

int cli_fail_error(struct cli *cli, const struct weft_error *error)
{
    const char *name = error->name ? error->name : err_name(error->code);

    return fail(cli, name, error->text[0] ? error->text : name);
}

static int usage(struct cli *cli, const struct fault *why)
{
    int status = cli_fail(cli, (int)why->code, "%s", why->text);

    if (status == EXITS_USAGE && cli->args.verb)
        cli_say(cli, "usage: %s\n       weft help %s tells more\n", help_usage(cli->args.verb).s, cli->args.verb->name);
    return status;
}

static int color(const struct cli *cli, FILE *stream, bool *on)
{
    const char *when = args_value(&cli->args, "color", "auto");
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (strcmp(when, "auto") == 0)
        *on = cli_is_terminal(stream) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    else if (strcmp(when, "always") == 0 || strcmp(when, "never") == 0)
        *on = when[0] == 'a';
    else
        return ERR_USAGE;
    return 0;
}

static int settle(struct cli *cli, struct fault *why)
{
    cli->home = args_value(&cli->args, "home", NULL);
    cli->quiet = args_has(&cli->args, "quiet");
    cli->verbose = (int)args_count(&cli->args, "verbose");
    if (color(cli, cli->out, &cli->color_out) || color(cli, cli->err, &cli->color_err))
        return fault_set(why, ERR_USAGE, "--color takes auto, always or never");
    if (cli->home && !*cli->home)
        return fault_set(why, ERR_USAGE, "--home needs the name of a folder");
    return 0;
}

static int run(struct cli *cli)
{
    if (args_has(&cli->args, "version"))
        return cli_verb_version(cli);
    if (args_has(&cli->args, "help") && cli->args.verb)
        return help_print_verb(cli->out, cli->args.verb);
    if (args_has(&cli->args, "help"))
        return help_print_all(cli->out);
    if (!cli->args.verb) {
        help_print_all(cli->err);
        return EXITS_USAGE;
    }
    return cli->args.verb->run(cli);
}

/* A full disk behind ">" is an error; a reader that went away ("| head") is not. */
static int finish_output(const struct cli *cli, int status)
{
    errno = 0;
    if (fflush(cli->out) == 0 && !ferror(cli->out))
        return status;
    if (errno == EPIPE || errno == 0)
        return status == EXITS_INTERRUPTED ? EXITS_DONE : status;
    fprintf(cli->err, "weft: cannot write the output: %s\n", strerror(errno));
    return status ? status : EXITS_ERROR;
}

int cli_run(int argc, char **argv, FILE *const streams[3])
{
    struct cli cli = {.in = streams[0], .out = streams[1], .err = streams[2]};
    struct fault why = {0};

    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    int code = args_parse(&cli.args, argc, argv, &why);
    cli.json = args_has(&cli.args, "json");
    if (code == 0)
        code = settle(&cli, &why);
    int status = code ? usage(&cli, &why) : run(&cli);
    if (cli.weft)
        weft_close(cli.weft);
    args_fini(&cli.args);
    return finish_output(&cli, status);
}

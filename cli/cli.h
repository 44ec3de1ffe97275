/* One run of the program: what was asked, and where its words go.
 *
 * Verbs get a struct cli and return an exit status. Data goes to `out`, progress and messages to `err`; both are streams and
 * not stdout and stderr, so that a test can run a whole command in its own process. */
#ifndef WEFT_CLI_CLI_H
#define WEFT_CLI_CLI_H

#include "args.h"
#include "weft.h"

#include <stdbool.h>
#include <stdio.h>

/* The version of the JSON that --json prints: weft-json(5). Fields are added under it, never changed. */
#define CLI_JSON_SCHEMA 1

struct cli {
    struct args args;
    const char *home; /* as given by --home, or NULL */
    bool json, quiet;
    int verbose;
    bool color_out, color_err;
    FILE *in, *out, *err;
    bool line;             /* a progress line stands on err; whoever writes next clears it */
    char item[FAULT_TEXT]; /* what was last said of one item: not said again as the whole command's error */
    struct weft *weft;     /* open once a verb has called the node */
};

/* Runs the command in argv and returns the exit status. The three streams stay open. */
int cli_run(int argc, char **argv, FILE *const streams[3]);

/* Is the stream a terminal? */
bool cli_is_terminal(FILE *stream);

/* A pointer that is NULL only when memory ran out, which ends the program: for the program's own small allocations. */
void *cli_need(void *pointer);

/* A message on err, unless -q. The text must be escaped where it holds others' words. */
void cli_say(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reports an error of the program's own: `name` is one of err_name. Returns its exit status. */
int cli_fail(struct cli *cli, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Reports what a function of libweft said. Returns its exit status. */
int cli_fail_error(struct cli *cli, const struct weft_error *error);

/* Removes the progress line, if there is one. */
void cli_clear_line(struct cli *cli);

/* The start and the end of coloured text: SGR numbers, or nothing when `on` is false. */
const char *cli_tint(bool on, const char *sgr);
#define TINT_RED "31"
#define TINT_GREEN "32"
#define TINT_YELLOW "33"
#define TINT_DIM "2"
#define TINT_BOLD "1"
#define TINT_OFF "0"

#endif

/* A source of get that is a byte stream: it is connected to, and what comes is put into a file.
 *
 * Nothing is ever seen of a file that is not whole: see landing.h. How long a stream is, nobody knows before its end. */
#ifndef WEFT_CLI_INTAKE_H
#define WEFT_CLI_INTAKE_H

#include "cli.h"
#include "limits.h"
#include "routes.h"
#include "stage.h"

struct intake {
    struct cli *cli;
    const char *pipe;         /* PEER:NAME */
    const char *folder, *top; /* where it goes, and under which name */
    enum if_exists policy;
    bool dry_run;             /* only looks whether it could be placed */
    weft_on_row *on_progress; /* rows "progress", a few times a second, on another thread; or NULL */
    void *arg;
    /* How it went: */
    uint64_t bytes, elapsed_us;
    char placed[ENTRY_NAME_MAX + 1]; /* under which name; "": it was there already and is left as it is */
    struct routes routes;
};

/* Runs until the stream has ended, or Ctrl-C was typed (ERR_CANCELLED). cli->weft is connected. */
int intake_run(struct intake *in, struct weft_error *error);

#endif

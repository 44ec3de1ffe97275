/* Calling the node: connect, ask, report what went wrong, stop on Ctrl-C. Every verb that needs a node goes through here. */
#ifndef WEFT_CLI_CALL_H
#define WEFT_CLI_CALL_H

#include "cli.h"

struct call {
    struct weft_row *request; /* taken */
    const char *peer;         /* PEER or PEER:..., that may be mistyped; or NULL */
    weft_on_row *on_row;      /* NULL: the rows do not matter */
    void *arg;
    bool resumes; /* the same command goes on where it was stopped, and Ctrl-C says so */
    /* More that belongs to the call, before it is reported how it ended; or NULL. Gets how it ended so far, and returns how it
     * ends: 0, or a code with *error. */
    int (*after)(void *arg, int code, struct weft_error *error);
};

/* Gives a request row for the verb. Memory that runs out ends the program. */
struct weft_row *cli_request(const char *verb);

/* Connects to the node, if need be: cli->weft. Returns the exit status; errors have been reported. */
int cli_connect(struct cli *cli);
/* Reports that opening something at the node failed; when there is no node, also how to start one. */
int cli_fail_open(struct cli *cli, const struct weft_error *error);
/* When PEER or PEER:... was not found, because of the peer: says which names are near. */
void cli_suggest_peer(struct cli *cli, const char *target);

/* Returns the exit status; errors have been reported. */
int cli_call(struct cli *cli, const struct call *call);

/* For a verb whose answer is one row of that kind: in JSON it is printed as it is, else passed to `show`. */
struct call_one {
    const char *kind;
    void (*show)(struct cli *cli, const struct weft_row *row);
};
int cli_call_for_one(struct cli *cli, const struct call *call, const struct call_one *one);

/* As cli_call_for_one for a stream of rows: every row but a bare "done" is printed as JSON, or passed to call->on_row. */
int cli_call_stream(struct cli *cli, const struct call *call);

/* Reports a row "item": something that failed while the rest went on. */
void cli_say_item(struct cli *cli, const struct weft_row *row);

#endif

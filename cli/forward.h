/* A local TCP port that leads to a pipe: every connection that it accepts is a byte stream of its own. */
#ifndef WEFT_CLI_FORWARD_H
#define WEFT_CLI_FORWARD_H

#include "addr.h"
#include "cli.h"
#include "limits.h"

#define FORWARD_STREAMS_MAX CONNECTS_PER_PEER_MAX /* at once: further ones wait to be accepted */

struct forward {
    const char *pipe;
    const struct weft_pipe_options *options;
    struct addr at; /* port 0: a free one */
    bool once;      /* takes one connection, and ends with it */
};

/* Reads "ADDR:PORT", numbers or localhost; "PORT" alone is one of 127.0.0.1. False for anything else. */
bool forward_parse(const char *text, struct addr *at);

/* Until Ctrl-C, or with `once` the end of the one stream. cli->weft is connected. Returns the exit status; errors have been
 * reported. */
int forward_run(struct cli *cli, const struct forward *forward);

#endif

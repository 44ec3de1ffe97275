/* What the verbs of pipes have in common. */
#ifndef WEFT_CLI_PIPE_VERB_H
#define WEFT_CLI_PIPE_VERB_H

#include "cli.h"
#include "interrupt.h"
#include "routes.h"

#include <stdint.h>

/* Reads --transport, --wait and --propagate. Returns the exit status; errors have been reported. */
int pipe_verb_options(struct cli *cli, struct weft_pipe_options *options);

/* Makes Ctrl-C end whatever waits for the pipe. interrupt_finish is due when it returns 0. */
int pipe_verb_watch(struct interrupt *interrupt, struct weft_pipe *pipe);

/* Reports why a pipe of that name failed (not "cancelled"). Returns the exit status. */
int pipe_verb_fail(struct cli *cli, const char *name, const struct weft_error *error);

/* Microseconds of a clock that only goes forward. */
uint64_t pipe_verb_clock(void);
/* "2.1 s (1.5 MiB/s" for so many bytes in so many microseconds, on err. */
void pipes_say_rate(struct cli *cli, uint64_t bytes, uint64_t us);
/* "1 B sent, 2 B received in 2.1 s (1.5 MiB/s, relay:hub)" as a line on err. `routes` may be NULL. */
void pipe_verb_say_moved(struct cli *cli, const uint64_t moved[2], uint64_t us, const struct routes *routes);

#endif

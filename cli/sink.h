/* Messages on their way to standard output: gathered, and written in one go.
 *
 * On a terminal, what it would act upon instead of showing it is escaped; elsewhere bytes are bytes. */
#ifndef WEFT_CLI_SINK_H
#define WEFT_CLI_SINK_H

#include "cli.h"

#define SINK_BYTES (256 * 1024)

struct sink {
    struct cli *cli;
    bool shown; /* out is a terminal */
    char *bytes;
    size_t used, room;
};

/* Memory that runs out ends the program. */
void sink_init(struct sink *sink, struct cli *cli);
void sink_fini(struct sink *sink);

/* Adds bytes as they are, or shown. */
void sink_add(struct sink *sink, const void *bytes, size_t n);
/* Adds one event as a JSON line: {"event":"message","from",...,"text" or "data"}. */
void sink_add_event(struct sink *sink, const struct weft_event *event);
/* Is there enough for a write to be worth it? */
bool sink_is_full(const struct sink *sink);
/* Writes it all, or gives up: the errno. */
int sink_write(struct sink *sink);

#endif

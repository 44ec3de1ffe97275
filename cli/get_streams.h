/* The sources of a get that are byte streams. The node finds out which ones are; they are fetched when it has fetched the files
 * of the others, one after the other. */
#ifndef WEFT_CLI_GET_STREAMS_H
#define WEFT_CLI_GET_STREAMS_H

#include "get_sum.h"
#include "stage.h"

struct get_stream {
    char *pipe, *folder, *top;
};

struct get_streams { /* zeroed at first */
    struct get_stream *stream;
    size_t count, room;
    char *folder, *top; /* of the latest row "source": where the next stream goes */
};

/* Takes in the node's rows "source" and "stream"; others are passed over. Memory that runs out ends the program. */
void get_streams_note(struct get_streams *streams, const struct weft_row *row);
void get_streams_fini(struct get_streams *streams);

struct get_streams_run {
    struct cli *cli;
    enum if_exists policy;
    bool dry_run, alone; /* alone: there is no other source, so that its failure is the whole's */
    weft_on_row *on_row; /* rows "progress", from another thread, "stored" and "item" */
    void *arg;
    struct get_sum *sum; /* is added to */
};

/* Fetches them all. How it ended before goes in, and how it ends comes out: 0, or a code with *error. */
int get_streams_run(const struct get_streams *streams, const struct get_streams_run *run, int code, struct weft_error *error);

#endif

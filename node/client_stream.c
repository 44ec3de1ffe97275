/* Byte streams for programs: weft_pipe_connect. The node reads and writes the two descriptors itself; here is only waiting. */
#include "client.h"
#include "rows.h"

#include <string.h>

struct watch {
    const struct weft_pipe_options *options; /* or NULL */
    uint64_t *moved;
};

/* What was moved stands in the closing row, or in the "summary" before an error. */
static void on_row(void *arg, const struct weft_row *row)
{
    const struct watch *watch = arg;
    if (watch->options && watch->options->on_row)
        watch->options->on_row(watch->options->arg, row);
    if (strcmp(weft_row_kind(row), "done") != 0 && strcmp(weft_row_kind(row), "summary") != 0)
        return;
    watch->moved[0] = (uint64_t)weft_row_int(row, "bytes_in", 0);
    watch->moved[1] = (uint64_t)weft_row_int(row, "bytes_out", 0);
}

static struct row *request_of(const char *name, const struct weft_pipe_options *options)
{
    struct row *row = row_new("pipe-connect");
    row_text(row, "pipe", name);
    if (options && options->transport)
        row_text(row, "transport", options->transport);
    if (options && options->wait_ms > 0)
        row_int(row, "wait_ms", options->wait_ms);
    return row;
}

int weft_pipe_connect(struct weft *weft, const char *name, const struct weft_pipe_options *options, int in, int out,
                      uint64_t moved[2], struct weft_error *error)
{
    struct fault fault = {0};
    uint64_t sink[2];
    struct row *request = request_of(name, options);
    if (!moved)
        moved = sink;
    moved[0] = moved[1] = 0;
    struct watch watch = {options, moved};
    if (request)
        client_call(weft, request, (const int[2]){in, out}, on_row, &watch, &fault);
    else
        fault_set(&fault, ERR_NOMEM, "out of memory");
    row_free(request);
    return fault.code ? error_of(&fault, error) : 0;
}

/* Pipes for programs: the client's end of the verbs pipe-listen and pipe-send. See weft.h. */
#include "client.h"

#include <stdlib.h>

static int refuse(struct weft_error *error)
{
    struct fault fault = {0};
    fault_set(&fault, ERR_STATE, "there is no such pipe");
    return error_of(&fault, error);
}

struct weft_pipe *weft_pipe_listen(const char *home, const char *name, const struct weft_pipe_options *options,
                                   struct weft_error *error)
{
    (void)home, (void)name, (void)options;
    refuse(error);
    return NULL;
}

struct weft_pipe *weft_pipe_open(const char *home, const char *name, const struct weft_pipe_options *options,
                                 struct weft_error *error)
{
    (void)home, (void)name, (void)options;
    refuse(error);
    return NULL;
}

void weft_pipe_close(struct weft_pipe *pipe)
{
    (void)pipe;
}

int weft_pipe_fd(const struct weft_pipe *pipe)
{
    (void)pipe;
    return -1;
}

int weft_pipe_send(struct weft_pipe *pipe, const void *bytes, size_t n, int timeout_ms, struct weft_error *error)
{
    (void)pipe, (void)bytes, (void)n, (void)timeout_ms;
    return refuse(error);
}

int weft_pipe_flush(struct weft_pipe *pipe, struct weft_error *error)
{
    (void)pipe;
    return refuse(error);
}

int weft_pipe_finish(struct weft_pipe *pipe, struct weft_error *error)
{
    (void)pipe;
    return refuse(error);
}

int weft_pipe_receive(struct weft_pipe *pipe, struct weft_event *event, int timeout_ms, struct weft_error *error)
{
    (void)pipe, (void)event, (void)timeout_ms;
    return refuse(error);
}

void weft_pipe_interrupt(struct weft_pipe *pipe)
{
    (void)pipe;
}

int weft_pipe_accept(struct weft_pipe *pipe, int in, int out, uint64_t moved[2], struct weft_error *error)
{
    (void)pipe, (void)in, (void)out, (void)moved;
    return refuse(error);
}

int weft_pipe_refuse(struct weft_pipe *pipe, const char *why, struct weft_error *error)
{
    (void)pipe, (void)why;
    return refuse(error);
}

/* The verb pipe-listen: a program that reads a pipe. */
#include "pipes.h"

void verb_pipe_listen(struct call *call, const struct row *request)
{
    struct fault fault;
    (void)request;
    fault_set(&fault, ERR_UNSUPPORTED, "this node binds no pipes");
    call_fail(call, &fault);
}

bool pipe_deliver(struct pipe *pipe, const struct tag *channel, const struct peer *from, uint64_t seq, bool again,
                  uint64_t until, const struct batch *batch)
{
    (void)pipe, (void)channel, (void)from, (void)seq, (void)again, (void)until, (void)batch;
    return false;
}

void pipe_lease(struct pipe *pipe, const struct tag *channel, uint64_t until)
{
    (void)pipe, (void)channel, (void)until;
}

void pipe_void(struct pipe *pipe, const struct tag *channel)
{
    (void)pipe, (void)channel;
}

void pipe_sender(struct pipe *pipe, const struct tag *channel, const struct peer *from, const char *state)
{
    (void)pipe, (void)channel, (void)from, (void)state;
}

void pipe_heard(struct pipe *pipe, const struct peer *origin, const struct tag *id, const void *bytes, size_t n)
{
    (void)pipe, (void)origin, (void)id, (void)bytes, (void)n;
}

int pipe_offer(struct pipe *pipe, const struct peer *from, uint64_t number)
{
    (void)pipe, (void)from, (void)number;
    return ERR_REFUSED;
}

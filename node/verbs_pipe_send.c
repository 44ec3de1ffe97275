/* The verb pipe-send: a program that sends messages into a pipe. */
#include "pipes.h"

void verb_pipe_send(struct call *call, const struct row *request)
{
    struct fault fault;
    (void)request;
    fault_set(&fault, ERR_UNSUPPORTED, "this node sends no messages");
    call_fail(call, &fault);
}

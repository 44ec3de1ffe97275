/* The verb pipe-ls, and the `pipes` service: which pipes are bound where. */
#include "pipes.h"

void verb_pipe_ls(struct call *call, const struct row *request)
{
    struct fault fault;
    (void)request;
    fault_set(&fault, ERR_UNSUPPORTED, "this node lists no pipes");
    call_fail(call, &fault);
}

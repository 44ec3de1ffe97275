/* The verb put. See put.h. */
#include "put.h"

void verb_put(struct call *call, const struct row *request)
{
    struct fault fault;
    (void)request;
    fault_set(&fault, ERR_UNSUPPORTED, "not yet");
    call_fail(call, &fault);
}

void puts_free(struct core *core)
{
    (void)core;
}

void puts_stop(struct core *core)
{
    (void)core;
}

void puts_upgrade(struct core *core, struct peer *peer)
{
    (void)core, (void)peer;
}

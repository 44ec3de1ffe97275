/* Byte streams between two programs, by a pipe's name: the verb pipe-connect and its other side. */
#include "pipes.h"

void verb_pipe_connect(struct call *call, const struct row *request)
{
    struct fault fault;
    (void)request;
    fault_set(&fault, ERR_UNSUPPORTED, "this node cannot make byte streams");
    call_fail(call, &fault);
}

void connect_on_request(struct link *link, const struct msg *m)
{
    link_error(link, m->request, ERR_STATE, "this pipe is not bound here");
}

void connect_on_cancel(struct link *link, const struct msg *m)
{
    (void)link;
    (void)m;
}

void connect_accepted(struct core *core, uint64_t number, uint64_t client)
{
    (void)core;
    (void)number;
    (void)client;
}

void connect_refused(struct core *core, uint64_t number, uint64_t client, const struct fault *why)
{
    (void)core;
    (void)number;
    (void)client;
    (void)why;
}

void connect_release(struct core *core, const struct pipe *pipe)
{
    (void)core;
    (void)pipe;
}

void connects_free(struct core *core)
{
    (void)core;
}

/* Why a pipe was not found: it may be bound with another type, or for another transport. See pipes.h.
 *
 * Two questions at most, one after the other: the same pipe by any transport, then the other type by any transport. */
#include "pipes.h"

#include <stdlib.h>

struct pipe_why {
    struct core *core;
    struct pipe_send_request request;
    struct binding_want asked; /* the question that is out */
    struct fault fault;
    pipe_why_done *done;
    void *arg;
};

static void answered(void *arg, const struct binding_result *result);

static int ask_transport(struct pipe_why *w)
{
    w->asked.transport = TRANSPORT_ANY;
    return binding_resolve(w->core->binding, &w->asked, answered, w);
}

static int ask_type(struct pipe_why *w)
{
    w->asked.transport = TRANSPORT_ANY;
    w->asked.type = w->asked.type == PIPE_PROPAGATE ? PIPE_UNICAST : PIPE_PROPAGATE;
    return binding_resolve(w->core->binding, &w->asked, answered, w);
}

static void explain(struct pipe_why *w, const struct binding_result *result)
{
    const struct pipe_send_request *r = &w->request;
    int code = (int)w->fault.code;
    if (w->asked.type != r->want.type)
        fault_set(&w->fault, code, "'%s' is bound, but as a %s pipe: say %s", r->name, pipe_type_name(w->asked.type),
                  w->asked.type == PIPE_PROPAGATE ? "--propagate" : "it without --propagate");
    else
        fault_set(&w->fault, code, "'%s' is bound, but cannot be reached by %s, only by %s", r->name,
                  transport_name(r->want.transport), transport_name(result->holder[0].endpoint[0].transport));
}

static void answered(void *arg, const struct binding_result *result)
{
    struct pipe_why *w = arg;
    bool found = !result->err && result->count > 0 && result->holder[0].count > 0;
    if (found)
        explain(w, result);
    else if (w->asked.type == w->request.want.type && ask_type(w) == 0)
        return;
    w->done(w->arg, &w->fault);
    free(w);
}

struct pipe_why *pipe_why(struct core *core, const struct pipe_send_request *request, const struct fault *fault,
                          pipe_why_done *done, void *arg)
{
    struct pipe_why *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    *w =
        (struct pipe_why){.core = core, .request = *request, .asked = request->want, .fault = *fault, .done = done, .arg = arg};
    int err = request->want.transport != TRANSPORT_ANY ? ask_transport(w) : ask_type(w);
    if (!err)
        return w;
    free(w);
    return NULL;
}

void pipe_why_cancel(struct pipe_why *w)
{
    if (!w)
        return;
    binding_cancel(w->core->binding, w);
    free(w);
}

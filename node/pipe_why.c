/* Why a pipe was not found: it may be bound for another transport, with another type, or as a shared one. See pipes.h.
 *
 * The questions are put one after the other, until one is answered or WHY_WAIT is over: it has taken long enough to fail. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

#define WHY_WAIT SECOND

enum question { ANY_TRANSPORT, OTHER_TYPE, SHARED_ONE, QUESTIONS };

struct pipe_why {
    struct core *core;
    struct pipe_send_request request;
    enum question question; /* that is out */
    struct fault fault;
    struct timer timer;
    pipe_why_done *done;
    void *arg;
};

static void answered(void *arg, const struct binding_result *result);

/* The name without its owner. */
static const char *bare_name(const struct pipe_why *w)
{
    const char *colon = strchr(w->request.name, ':');
    return colon ? colon + 1 : w->request.name;
}

/* Is there any sense in the question? Then it is put. */
static bool ask_it(struct pipe_why *w)
{
    const struct binding_want *want = &w->request.want;
    struct binding_want asked = {.type = want->type, .transport = TRANSPORT_ANY, .pipe = pipe_shared(bare_name(w))};
    if (w->question == ANY_TRANSPORT) {
        asked = *want;
        asked.transport = TRANSPORT_ANY;
    } else if (w->question == OTHER_TYPE) {
        asked.type = want->type == PIPE_PROPAGATE ? PIPE_UNICAST : PIPE_PROPAGATE;
    }
    if ((w->question == ANY_TRANSPORT && want->transport == TRANSPORT_ANY) || (w->question == SHARED_ONE && !want->owned))
        return false;
    return binding_resolve(w->core->binding, &asked, answered, w) == 0;
}

static bool ask_next(struct pipe_why *w)
{
    while (w->question < QUESTIONS && !ask_it(w))
        w->question++;
    return w->question < QUESTIONS;
}

static void explain(struct pipe_why *w, const struct binding_result *result)
{
    const struct pipe_send_request *r = &w->request;
    const char *name = bare_name(w);
    int code = (int)w->fault.code;
    if (w->question == ANY_TRANSPORT)
        fault_set(&w->fault, code, "'%s' is bound, but cannot be reached by %s, only by %s", r->name,
                  transport_name(r->want.transport), transport_name(result->holder[0].endpoint[0].transport));
    else if (w->question == SHARED_ONE)
        fault_set(&w->fault, code, "nobody has '%s' bound, but there is a shared pipe of that name: say '%s'", r->name, name);
    else if (r->want.type == PIPE_PROPAGATE)
        fault_set(&w->fault, code, "'%s' is bound, but as a unicast pipe: say it without --propagate", name);
    else
        fault_set(&w->fault, code, "'%s' is bound, but as a propagate pipe: say --propagate '%s'", r->name, name);
}

static void end(struct pipe_why *w)
{
    binding_cancel(w->core->binding, w);
    core_cancel(w->core, &w->timer);
    w->done(w->arg, &w->fault);
    free(w);
}

static void out_of_time(void *arg)
{
    end(arg);
}

static void answered(void *arg, const struct binding_result *result)
{
    struct pipe_why *w = arg;
    if (!result->err && result->count > 0 && result->holder[0].count > 0) {
        explain(w, result);
    } else {
        w->question++;
        if (ask_next(w))
            return;
    }
    end(w);
}

struct pipe_why *pipe_why(struct core *core, const struct pipe_send_request *request, const struct fault *fault,
                          pipe_why_done *done, void *arg)
{
    struct pipe_why *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    *w = (struct pipe_why){.core = core, .request = *request, .fault = *fault, .done = done, .arg = arg};
    timer_init(&w->timer, out_of_time, w);
    if (ask_next(w)) {
        core_timer(core, &w->timer, WHY_WAIT);
        return w;
    }
    free(w);
    return NULL;
}

void pipe_why_cancel(struct pipe_why *w)
{
    if (!w)
        return;
    binding_cancel(w->core->binding, w);
    core_cancel(w->core, &w->timer);
    free(w);
}

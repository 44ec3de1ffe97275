/* Bulk streams through the relay that carries a session: it is asked for two reception objects, one for each of the two. */
#include "session_internal.h"

#include <stdlib.h>

#define BRIDGE_TIMEOUT (5 * SECOND)

struct bridging {
    struct bridging *next;
    struct core *core;
    bridge_done *done;
    void *arg;
};

static void bridging_drop(struct relayed *r, struct bridging *b)
{
    struct bridging **at = &r->bridgings;
    ask_cancel(r->core, b);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    free(b);
}

static void bridged(void *arg, const struct msg *m, const struct fault *fault)
{
    struct bridging b = *(struct bridging *)arg;
    bridging_drop(b.core->relayed, arg);
    b.done(b.arg, m ? &m->bridge_ok : NULL, fault);
}

int session_bridge(struct session *s, uint8_t streams, bridge_done *done, void *arg)
{
    struct relayed *r = s->carrier->core->relayed;
    if (s->state.now != SESSION_OPEN || !s->carrier->link)
        return ERR_UNREACHABLE;
    struct bridging *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_NOMEM;
    r->out.type = MSG_BRIDGE;
    r->out.bridge = (struct msg_bridge){.session = s->number, .streams = streams};
    *b = (struct bridging){.next = r->bridgings, .core = r->core, .done = done, .arg = arg};
    int err = ask(s->carrier->link, &r->out, MSG_BRIDGE_OK, BRIDGE_TIMEOUT, bridged, b);
    if (err)
        free(b);
    else
        r->bridgings = b;
    return err;
}

void session_bridge_cancel(struct core *core, void *arg)
{
    struct bridging *b = core->relayed ? core->relayed->bridgings : NULL;
    while (b) {
        struct bridging *next = b->next;
        if (b->arg == arg)
            bridging_drop(core->relayed, b);
        b = next;
    }
}

void bridgings_free(struct relayed *r)
{
    while (r->bridgings)
        bridging_drop(r, r->bridgings);
}

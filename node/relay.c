#include "relay.h"

int relay_new(struct core *core)
{
    (void)core;
    return 0;
}

void relay_free(struct core *core)
{
    (void)core;
}

void relay_start(struct core *core)
{
    (void)core;
}

void relay_on_request(struct link *link, const struct msg *m)
{
    link_error(link, m->request, ERR_UNSUPPORTED, "this node is no relay");
}

void relay_link_lost(struct core *core, struct link *link)
{
    (void)core, (void)link;
}

void relay_drain(struct core *core)
{
    (void)core;
}

bool relay_idle(const struct core *core)
{
    (void)core;
    return true;
}

void relay_describe(const struct core *core, struct row *status)
{
    (void)core, (void)status;
}

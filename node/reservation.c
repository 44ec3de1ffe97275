#include "session.h"

void reservations_start(struct core *core)
{
    (void)core;
}

void reservations_changed(struct core *core)
{
    (void)core;
}

size_t reservations_endpoints(struct core *core, struct endpoint *out, size_t max)
{
    (void)core, (void)out, (void)max;
    return 0;
}

bool link_reaches_share(const struct link *link, const struct share_row *row)
{
    (void)row;
    return !link->session;
}

void reservations_describe(struct call *call)
{
    (void)call;
}

void reservations_free(struct core *core)
{
    (void)core;
}

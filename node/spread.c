/* Propagate pipes: messages that reach everyone who has a pipe bound, over a tree of links. */
#include "pipes.h"

void spread_init(struct core *core)
{
    core->spread = NULL;
}

void spread_free(struct core *core)
{
    core->spread = NULL;
}

int spread_send(struct core *core, const struct tag *pipe, const void *bytes, size_t n)
{
    (void)core, (void)pipe, (void)bytes;
    return n > SPREAD_BYTES_MAX ? ERR_LIMIT : ERR_UNREACHABLE;
}

void spread_on_message(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

void spread_link_up(struct link *link)
{
    (void)link;
}

void spread_link_lost(struct core *core, const struct link *link)
{
    (void)core, (void)link;
}

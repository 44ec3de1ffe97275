/* Channels from other nodes' programs into pipes that are bound here. See pipes.h. */
#include "pipes.h"

void channel_in_on_open(struct link *link, const struct msg *m)
{
    link_error(link, m->request, ERR_UNSUPPORTED, "this node takes no messages for pipes");
}

void channel_in_on_data(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

void channel_in_on_close(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

int channel_in_taken(struct core *core, const struct tag *channel, uint64_t seq)
{
    (void)core, (void)channel, (void)seq;
    return ERR_USAGE;
}

void channel_in_resume(struct pipe *pipe)
{
    (void)pipe;
}

void channel_in_release(struct pipe *pipe)
{
    (void)pipe;
}

void channel_in_link_lost(struct core *core, const struct link *link)
{
    (void)core, (void)link;
}

void channel_in_free(struct core *core)
{
    core->ins = NULL;
}

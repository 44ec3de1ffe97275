/* Channels of this node's programs to pipes that others have bound. See pipes.h. */
#include "pipes.h"

int channel_out_new(struct core *core, const struct channel_out_config *config, struct channel_out **out)
{
    (void)core, (void)config;
    *out = NULL;
    return ERR_UNSUPPORTED;
}

int channel_out_push(struct channel_out *c, const struct batch *batch)
{
    (void)c, (void)batch;
    return ERR_FULL;
}

void channel_out_finish(struct channel_out *c)
{
    (void)c;
}

void channel_out_cancel(struct channel_out *c)
{
    (void)c;
}

void channel_out_status(const struct channel_out *c, struct channel_out_status *out)
{
    (void)c;
    *out = (struct channel_out_status){.state = CHANNEL_ENDED};
}

void channel_out_on_ack(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

void channel_out_on_close(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

void channel_out_link_lost(struct core *core, const struct link *link)
{
    (void)core, (void)link;
}

void channel_out_free(struct core *core)
{
    core->outs = NULL;
}

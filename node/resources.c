#include "resources.h"

void resources_share_put(struct core *core, struct share *share)
{
    (void)core, (void)share;
}

void resources_share_dropped(struct core *core, struct share *share)
{
    (void)core, (void)share;
}

int resources_offer(struct pipe *pipe, uint64_t number)
{
    (void)pipe, (void)number;
    return ERR_UNSUPPORTED;
}

void resources_close(struct core *core, uint64_t number)
{
    (void)core, (void)number;
}

void resources_free(struct core *core)
{
    (void)core;
}

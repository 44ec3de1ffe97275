#include "bridge.h"

int bridges_new(const struct bulk_config *config, struct bridges **out, struct fault *fault)
{
    (void)config, (void)fault;
    *out = NULL;
    return 0;
}

void bridges_free(struct bridges *bridges)
{
    (void)bridges;
}

int bridge_open(struct bridges *bridges, struct bridge *b)
{
    (void)bridges, (void)b;
    return ERR_UNSUPPORTED;
}

void bridge_close(struct bridges *bridges, struct bridge *b, int code)
{
    (void)bridges, (void)b, (void)code;
}

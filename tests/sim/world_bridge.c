/* Relays of the simulated world: joined reception objects, and resources behind byte streams. */
#include "world_internal.h"

void sim_duplex_drop(void *self, const struct tag *stream)
{
    (void)self, (void)stream;
}

void sim_resource_open(void *self, struct resource *r)
{
    (void)self, (void)r;
}

void sim_resource_close(void *self, struct resource *r)
{
    (void)self, (void)r;
}

int sim_bridge_open(void *self, struct bridge *b)
{
    (void)self, (void)b;
    return ERR_UNSUPPORTED;
}

void sim_bridge_close(void *self, struct bridge *b, int code)
{
    (void)self, (void)b, (void)code;
}

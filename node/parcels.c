/* Parcels: what stands ready for one peer. See parcels.h. */
#include "parcels.h"

struct parcel *parcel_make(struct core *core, struct peer *peer, const char *root, const char *path, void *owner)
{
    (void)core, (void)peer, (void)root, (void)path, (void)owner;
    return NULL;
}

void parcel_end(struct parcel *parcel, void (*free_after)(void *owner))
{
    (void)parcel, (void)free_after;
}

struct parcel *parcel_find(struct core *core, const struct peer *peer, const struct tag *name)
{
    (void)core, (void)peer, (void)name;
    return NULL;
}

void parcels_free(struct core *core)
{
    (void)core;
}

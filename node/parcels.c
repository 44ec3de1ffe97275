/* Parcels: what stands ready for one peer. See parcels.h.
 *
 * Invariants: (1) a parcel that was taken back is found by nobody; (2) it is freed when no fetch reads it, and its owner hears
 * of that first, if it wants to; (3) at most one fetch reads it. */
#include "parcels.h"

#include <stdlib.h>
#include <string.h>

static bool has_room(const struct core *core)
{
    size_t n = 0;
    for (const struct parcel *p = core->parcels; p; p = p->next)
        n++;
    return n < PARCELS_MAX;
}

struct parcel *parcel_make(struct core *core, struct peer *peer, const char *root, const char *path, void *owner)
{
    bool fits = strlen(root) <= PATH_BYTES_MAX && strlen(path) <= PATH_BYTES_MAX;
    struct parcel *p = fits && has_room(core) ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    core_random(core, p->name.b, sizeof p->name.b);
    strcpy(p->root, root);
    strcpy(p->path, path);
    p->core = core;
    p->peer = peer;
    p->owner = owner;
    p->next = core->parcels;
    core->parcels = p;
    peer->busy++;
    return p;
}

/* Nothing reads it any more. */
static void tell_owner(struct parcel *p)
{
    void (*free_after)(void *owner) = p->free_after;
    p->free_after = NULL;
    if (free_after)
        free_after(p->owner);
}

static void parcel_free(struct parcel *p)
{
    struct parcel **at = &p->core->parcels;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->peer->busy--;
    tell_owner(p);
    free(p);
}

void parcel_end(struct parcel *parcel, void (*free_after)(void *owner))
{
    const struct port *port = parcel ? parcel->core->port : NULL;
    if (!parcel)
        return;
    parcel->gone = true;
    parcel->free_after = free_after;
    if (parcel->telling)
        tell_owner(parcel); /* the fetch is over; parcel_fetch_ended, which called the owner, frees it */
    else if (parcel->send)
        port->send_cancel(port->self, parcel->send, ERR_CANCELLED);
    else
        parcel_free(parcel);
}

struct parcel *parcel_find(struct core *core, const struct peer *peer, const struct tag *name)
{
    for (struct parcel *p = core->parcels; p; p = p->next)
        if (!p->gone && p->peer == peer && tag_equal(&p->name, name))
            return p;
    return NULL;
}

void parcel_fetch_begun(struct parcel *parcel, struct send *send)
{
    parcel->send = send;
}

void parcel_fetch_ended(struct parcel *parcel)
{
    parcel->telling = true;
    if (!parcel->gone && parcel->ended)
        parcel->ended(parcel);
    parcel->telling = false;
    if (parcel->gone)
        parcel_free(parcel);
    else
        parcel->send = NULL;
}

void parcels_free(struct core *core)
{
    while (core->parcels)
        parcel_free(core->parcels);
}

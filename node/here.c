/* The link to ourselves: programs of one node reach each other's pipes by the same messages as those of others.
 *
 * It is a link like any other for whoever holds it, and up for as long as the core lives. It is in no table: nobody else's
 * messages come by it, it is neither pinged nor counted, and the peer at its far end is this node, whom we trust. What is sent
 * arrives in the next turn, in order. Invariant: at most HERE_BYTES_MAX wait. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

#define HERE_BYTES_MAX (16u << 20)

struct note {
    struct note *next;
    size_t n;
    uint8_t bytes[];
};

struct here {
    struct link link;
    struct peer peer;
    struct note *first, **end;
    size_t waiting;
    struct timer timer;
};

static void notes_free(struct note *note)
{
    while (note) {
        struct note *next = note->next;
        free(note);
        note = next;
    }
}

/* What the handlers send meanwhile waits for the next turn. */
static void deliver(void *arg)
{
    struct here *here = arg;
    struct note *first = here->first;
    here->first = NULL;
    here->end = &here->first;
    here->waiting = 0;
    for (const struct note *note = first; note; note = note->next)
        core_take(&here->link, note->bytes, note->n);
    notes_free(first);
}

struct link *link_here(struct core *core)
{
    struct here *here = core->here ? core->here : calloc(1, sizeof *here);
    if (!here || core->here)
        return here ? &here->link : NULL;
    here->peer = (struct peer){.id = core->config.identity->id, .trusted = true, .heard = true, .up = 1, .busy = 1};
    memcpy(here->peer.name, core->config.name, sizeof here->peer.name);
    here->link = (struct link){.core = core, .peer = &here->peer, .incarnation = core->config.incarnation};
    here->link.state.now = LINK_UP;
    bucket_init(&here->link.pace, LINK_DATA_PER_S, LINK_DATA_PER_S, core_now(core));
    here->end = &here->first;
    timer_init(&here->timer, deliver, here);
    core->here = here;
    return &here->link;
}

bool link_is_here(const struct link *link)
{
    return link->core->here && link == &link->core->here->link;
}

int here_send(struct core *core, const void *bytes, size_t n)
{
    struct here *here = core->here;
    struct note *note = here->waiting + n <= HERE_BYTES_MAX ? malloc(sizeof *note + n) : NULL;
    if (!note)
        return ERR_FULL;
    *note = (struct note){.n = n};
    memcpy(note->bytes, bytes, n);
    *here->end = note;
    here->end = &note->next;
    here->waiting += n;
    if (here->timer.slot == TIMER_IDLE)
        core_timer(core, &here->timer, 0);
    return 0;
}

void here_free(struct core *core)
{
    if (!core->here)
        return;
    core_cancel(core, &core->here->timer);
    notes_free(core->here->first);
    free(core->here);
    core->here = NULL;
}

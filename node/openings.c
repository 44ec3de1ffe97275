/* Files of this node that peers have open: requests come in here, and what happens around them. See openings.h. */
#include "openings_internal.h"

#include <stdlib.h>
#include <string.h>

static struct openings *openings_of(struct core *core)
{
    struct openings *os = core->openings ? core->openings : calloc(1, sizeof *os);
    if (os && !core->openings) {
        os->core = core;
        timer_init(&os->beat, demands_beat, os);
        timer_init(&os->soon, demands_look, os);
        core->openings = os;
    }
    return os;
}

/* ---- requests */

static void on_close(struct link *link, const struct msg *m)
{
    static const struct fault why = {.code = ERR_CANCELLED, .text = "the file was closed"};
    struct opening *o = opening_find(link, m->file_close.handle);
    if (o)
        opening_end(o, &why);
}

static void on_cancel(const struct link *link, const struct msg *m)
{
    static const struct fault why = {.code = ERR_CANCELLED, .text = "stopped as you wished"};
    struct demand *d = link->core->openings->demands;
    while (d && (d->link != link->no || d->number != m->cancel.request))
        d = d->next;
    if (d)
        demand_stop(d, &why);
}

static void on_request(struct link *link, const struct msg *m)
{
    switch (m->type) {
    case MSG_FILE: file_on_request(link, m); break;
    case MSG_INDEX: index_on_request(link, m); break;
    case MSG_PUT: put_on_request(link, m); break;
    case MSG_LITERALS: literals_on_request(link, m); break;
    case MSG_GATHER: gather_on_request(link, m); break;
    default: commit_on_request(link, m); break;
    }
}

void openings_on_request(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    link->used_at = core_now(core);
    if (m->type == MSG_FILE_CLOSE && core->openings)
        on_close(link, m);
    else if (m->type == MSG_CANCEL && core->openings)
        on_cancel(link, m);
    else if (m->type == MSG_FILE_CLOSE || m->type == MSG_CANCEL)
        return; /* nothing was ever open */
    else if (core->stopping || !openings_of(core))
        link_error(link, m->request, core->stopping ? ERR_CANCELLED : ERR_NOMEM, "this node is stopping, or out of memory");
    else
        on_request(link, m);
}

/* ---- what happens around */

void openings_link_lost(struct core *core, struct link *link)
{
    static const struct fault why = {.code = ERR_UNREACHABLE, .text = "the link was lost"};
    struct opening *next;
    for (struct opening *o = core->openings ? core->openings->first : NULL; o; o = next) {
        next = o->next;
        if (o->link != link->no)
            continue;
        if (o->demand)
            o->demand->link = 0; /* nobody hears an answer */
        opening_end(o, &why);
    }
}

void openings_share_changed(struct core *core, const char *name)
{
    struct opening *next;
    struct fault why;
    for (struct opening *o = core->openings ? core->openings->first : NULL; o; o = next) {
        next = o->next;
        if ((!name || strcmp(o->share, name) == 0) && !opening_allowed(o, &why))
            opening_end(o, &why);
    }
}

void openings_stop(struct core *core)
{
    static const struct fault why = {.code = ERR_CANCELLED,
                                     .text = "this node is stopping; the same goes on once it is up again"};
    struct opening *next;
    for (struct opening *o = core->openings ? core->openings->first : NULL; o; o = next) {
        next = o->next;
        opening_end(o, &why);
    }
}

size_t openings_count(const struct core *core)
{
    size_t n = 0;
    for (const struct opening *o = core->openings ? core->openings->first : NULL; o; o = o->next)
        n++;
    return n;
}

void openings_free(struct core *core)
{
    struct openings *os = core->openings;
    if (!os)
        return;
    while (os->demands)
        demand_abandon(os->demands);
    while (os->first)
        opening_abandon(os->first);
    indexes_free(os);
    accounts_free(os);
    core_cancel(core, &os->beat);
    core_cancel(core, &os->soon);
    core->openings = NULL;
    free(os);
}

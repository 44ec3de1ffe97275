/* Files of this node that peers have open. See openings.h. */
#include "openings.h"

void openings_on_request(struct link *link, const struct msg *m)
{
    if (m->type != MSG_CANCEL)
        link_error(link, m->request, ERR_UNSUPPORTED, "not yet");
}

void openings_link_lost(struct core *core, struct link *link)
{
    (void)core, (void)link;
}

void openings_share_changed(struct core *core, const char *name)
{
    (void)core, (void)name;
}

void openings_stop(struct core *core)
{
    (void)core;
}

void openings_free(struct core *core)
{
    (void)core;
}

size_t openings_count(const struct core *core)
{
    (void)core;
    return 0;
}

/* Taking what a peer has offered. See take.h. */
#include "take.h"

int take_start(struct take *t, struct link *link)
{
    (void)t, (void)link;
    return ERR_UNSUPPORTED;
}

void take_cancel(struct take *t, int code)
{
    (void)t, (void)code;
}

void take_free(struct take *t)
{
    (void)t;
}

void takes_free(struct core *core)
{
    (void)core;
}

bool takes_on_error(struct link *link, const struct msg *m)
{
    (void)link, (void)m;
    return false;
}

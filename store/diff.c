/* The local diff. See diff.h. */
#include "diff.h"

int diff_run(struct diff *d)
{
    (void)d;
    return ERR_UNSUPPORTED;
}

void diff_free(struct diff *d)
{
    regions_free(&d->regions);
    anchors_free(d->fresh_index);
}

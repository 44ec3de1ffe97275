#include "bulk_kept.h"

#include "packet.h"

#include <stdlib.h>

struct kept *kept_new(const struct tag *name)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (kept == NULL || ring_init(&kept->ring) != 0) {
        free(kept);
        return NULL;
    }
    kept->name = *name;
    kept->fd[0] = kept->fd[1] = kept->in.fd = kept->out.fd = -1;
    return kept;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    packet_close(kept->fd);
    conduit_close(&kept->in);
    conduit_close(&kept->out);
    ring_fini(&kept->ring);
    free(kept);
}

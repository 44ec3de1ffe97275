/* Views of a source: of a new file only what its regions say is literal, back to back, as if that were a file of its own.
 *
 * That is what crosses the wire when a file is gathered (claims GATHER-3, GATHER-7). A view has the size and the token of that
 * file: another state of the real one, or other regions, give another token. It has no holes: what is a hole in the new file
 * is no literal. A view is only read, so any number of threads may use it. */
#ifndef WEFT_STORE_SOURCE_VIEW_H
#define WEFT_STORE_SOURCE_VIEW_H

#include "regions.h"

struct source_view {
    const struct regions *regions;
    uint32_t *literal; /* the numbers of the LITERALs */
    uint32_t count;
    uint64_t digest; /* of the regions */
};

/* Borrows the regions until source_view_fini. ERR_NOMEM. */
int source_view_init(struct source_view *v, const struct regions *regions);
void source_view_fini(struct source_view *v); /* a zeroed one is fine */

uint64_t source_view_size(const struct source_view *v);
/* Of the view, when the file's token is `token`. */
uint64_t source_view_token(const struct source_view *v, uint64_t token);
/* Reads exactly n bytes from `offset` of the view, within its size; `fd` is the file. ERR_CHANGED when that is shorter than its
 * regions say; others with errno. */
int source_view_read(const struct source_view *v, int fd, uint64_t offset, void *buf, size_t n);

#endif

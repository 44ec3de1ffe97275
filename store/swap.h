/* Swapping: the rename that makes a new file stand under its name.
 *
 * What stands there may be a user's, so nothing is replaced that was not looked at before and after: the new file and the
 * old one are exchanged, and what came out must be what was seen. If it is not, the two are exchanged back. Where a
 * file system cannot exchange (NFS, exFAT), what stands there is looked at just before a plain rename: an edit in the
 * microseconds between is lost then. Where it cannot refuse to replace either, a hard link is made instead.
 *
 * Both folders are open, and names are single components: no path is walked. */
#ifndef WEFT_STORE_SWAP_H
#define WEFT_STORE_SWAP_H

#include "err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

struct swap {
    int from_fd; /* the hidden folder where the new file is */
    const char *from;
    int to_fd; /* the folder where it is to stand */
    const char *to;
    const char *shown;     /* what its place is called in sentences, */
    const char *hidden;    /* and the hidden folder */
    atomic_bool *precious; /* set when something of the user's had to be left in the hidden folder */
};

/* To a name that nothing has (`to`, or another one in its folder): 0, or -1 with errno, EEXIST when something has it. */
int swap_new(const struct swap *s, const char *to);
/* To the first free one of "name (2)", "name (3)", ... : 0, or -1 with errno. */
int swap_beside(const struct swap *s);
/* In the place of `old`, which was just seen there. ERR_CHANGED when something else was; then that is there still. */
int swap_replace(const struct swap *s, const struct stat *old, struct fault *fault);
/* The fault for a place that is not as it was. */
int swap_changed(const struct swap *s, struct fault *fault);

#endif

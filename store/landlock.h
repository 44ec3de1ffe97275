/* Confines the calling thread to folders, with Landlock: the second lock on the door that root.h is the first of.
 *
 * A thread that places what a peer sent may afterwards write, make, rename and remove only beneath the given folders, whatever
 * a path check gets wrong. Threads it starts inherit that. */
#ifndef WEFT_STORE_LANDLOCK_H
#define WEFT_STORE_LANDLOCK_H

#include "err.h"

struct landlock_folder {
    const char *path; /* NULL: it is reached by no path */
    int fd;           /* then this is the folder (borrowed) */
};

/* Write access only beneath these folders (n of them); reading stays free. 0; ERR_UNSUPPORTED when the kernel has no Landlock
 * (the caller goes on without); ERR_IO. */
int landlock_confine_writes(const struct landlock_folder *folders, int n, struct fault *fault);

#endif

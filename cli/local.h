/* A path of this machine, as a person types it. */
#ifndef WEFT_CLI_LOCAL_H
#define WEFT_CLI_LOCAL_H

#include "err.h"

/* Owned strings. A link at the end is followed in `real`, and not in `path`: what people call it is its own name. */
struct local {
    char *path;       /* absolute, all links but one at the end resolved */
    char *real;       /* absolute, without any link */
    const char *name; /* the last component of `path`, borrowed from it; "" of the root folder */
};

/* Finds it; there must be something. The system's error, with a sentence. local_fini is due in any case. */
int local_find(const char *typed, struct local *local, struct fault *why);
void local_fini(struct local *local);

#endif

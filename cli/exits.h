/* Exit statuses: one table from the names of errors to the numbers that scripts rely on. */
#ifndef WEFT_CLI_EXITS_H
#define WEFT_CLI_EXITS_H

#include <stddef.h>

enum exits {
    EXITS_DONE = 0,
    EXITS_ERROR = 1,
    EXITS_USAGE = 2,
    EXITS_UNREACHABLE = 3,
    EXITS_REFUSED = 4,
    EXITS_PARTIAL = 5,
    EXITS_NOT_FOUND = 6,
    EXITS_VERIFY = 7,
    EXITS_NOSPACE = 8,
    EXITS_GUARD = 9,
    EXITS_TIMEOUT = 10,
    EXITS_CONFLICTS = 11,
    EXITS_INTERRUPTED = 130
};

/* The exit status for the name of an error (err_name); EXITS_ERROR for any that has none of its own. */
int exits_of(const char *name);

/* What a status means, for the man pages: the i-th of all, in order; false behind the last. */
struct exits_meaning {
    int status;
    const char *text;
};
const struct exits_meaning *exits_meaning(size_t i);

#endif

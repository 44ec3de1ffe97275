/* PEER:SHARE/PATH, as a person types it. */
#ifndef WEFT_CLI_TARGET_H
#define WEFT_CLI_TARGET_H

#include "err.h"

#include <stdbool.h>

/* Owned copies of the parts. `path` has neither empty nor "." components and no slash at an end; "" is the share itself. */
struct target {
    char *peer, *share, *path;
    char *text;       /* all of it, put together again: what the node is sent */
    const char *name; /* the last component: of path, else the share. Borrowed from the parts */
};

/* Does it look like PEER:...: a colon before any slash, and something before the colon? */
bool target_is_remote(const char *text);

/* Parses a source of get: peer and share are required. ERR_USAGE with a sentence, ERR_NOMEM. target_fini is due in any case. */
int target_parse(const char *text, struct target *target, struct fault *why);
/* Parses a target of ls: a peer alone will do. */
int target_parse_loose(const char *text, struct target *target, struct fault *why);
void target_fini(struct target *target);

#endif

/* Where `get` puts things: the last word of the command, understood as people know it from scp.
 *
 *   left out                  the current folder
 *   an existing folder        into it, each source under its last component
 *   an existing file          one source only: it takes that file's place (what happens then is for --if-exists)
 *   nothing there yet         one source only: it is the new name; the folder it stands in must exist
 *
 * A slash at the end changes nothing, but that it must be a folder. Several sources need a folder. */
#ifndef WEFT_CLI_DEST_H
#define WEFT_CLI_DEST_H

#include "err.h"

#include <stdbool.h>

struct dest {
    char *folder; /* absolute, existing, owned */
    char *name;   /* the name to place a single source under, or NULL: its own; owned */
};

/* Finds it. `text` may be NULL. ERR_USAGE, ERR_NOT_FOUND or the system's error, with a sentence. dest_fini is due in any
 * case. */
int dest_find(const char *text, bool one_source, struct dest *dest, struct fault *why);
void dest_fini(struct dest *dest);

#endif

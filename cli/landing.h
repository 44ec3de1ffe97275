/* A file that is being made here, and comes to stand under its name when it is whole and safe on disk, or not at all.
 *
 * Until then it has no name, so that nothing is left of it however the program ends. Where the file system cannot do that
 * (NFS), it has a hidden one, which goes with the landing. */
#ifndef WEFT_CLI_LANDING_H
#define WEFT_CLI_LANDING_H

#include "err.h"
#include "stage.h"

#include <stdbool.h>
#include <sys/stat.h>

#define LANDING_HIDDEN 40

struct landing {
    int folder, fd;              /* write to fd */
    char hidden[LANDING_HIDDEN]; /* its name; "": it has none */
    struct stat seen;            /* what stood under its name when that was checked */
};

/* Begins with an existing folder, in which nothing is made yet. `name` is one component; ERR_USAGE when it is none.
 * landing_close is due in any case. */
int landing_open(const char *folder, const char *name, struct landing *l, struct fault *fault);
/* Would its name be free, or could it be had? ERR_EXISTS when not; *skip: it is there, and that is fine. It is decided when the
 * file is placed; but only what was seen here may be replaced then. */
int landing_check(struct landing *l, const char *name, enum if_exists policy, bool *skip, struct fault *fault);
/* Makes the file, empty: l->fd. */
int landing_make(struct landing *l, struct fault *fault);
/* What was written is made durable and gets its name, or another one beside it: *placed. ERR_EXISTS, ERR_CHANGED; then nothing
 * stands there that was not there before. With IF_EXISTS_SKIP that is no error, and *placed is "". */
int landing_place(struct landing *l, const char *name, enum if_exists policy, char placed[ENTRY_NAME_MAX + 1],
                  struct fault *fault);
/* What was not placed is gone. */
void landing_close(struct landing *l);

#endif

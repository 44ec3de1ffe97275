/* Help, made from the table of verbs. */
#ifndef WEFT_CLI_HELP_H
#define WEFT_CLI_HELP_H

#include "args.h"

#include <stdio.h>

struct help_text {
    char s[400];
};

/* "weft get [--if-exists ...] [-n] PEER:SHARE[/PATH]... [DEST]" */
struct help_text help_usage(const struct verb *verb);

/* The help of one verb, or the list of all. Returns the exit status. */
int help_print_verb(FILE *out, const struct verb *verb);
int help_print_all(FILE *out);

#endif

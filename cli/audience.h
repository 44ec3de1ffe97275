/* Who may use something: the option --to. */
#ifndef WEFT_CLI_AUDIENCE_H
#define WEFT_CLI_AUDIENCE_H

#include "args.h"

/* --to may be given more than once, and holds peers with commas between. Gives the names, NULL-terminated; NULL when one is
 * empty. Memory that runs out ends the program. */
char **audience_new(const struct args *args);
void audience_free(char **names);

#endif

/* Options that hold names with commas between, such as --to and --via. */
#ifndef WEFT_CLI_NAMELIST_H
#define WEFT_CLI_NAMELIST_H

#include "args.h"

/* The option may be given more than once. Gives all its names, NULL-terminated; NULL when one is empty. Memory that runs out
 * ends the program. */
char **namelist_new(const struct args *args, const char *option);
void namelist_free(char **names);

#endif

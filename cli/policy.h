/* The word of --if-exists. */
#ifndef WEFT_CLI_POLICY_H
#define WEFT_CLI_POLICY_H

#include "stage.h"

/* False for a word that is none of refuse, skip, rename and overwrite. */
bool policy_read(const char *word, enum if_exists *policy);

#endif

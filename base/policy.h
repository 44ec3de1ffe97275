/* What is to be done where something stands already, as a word: of --if-exists, and of requests of clients. */
#ifndef WEFT_BASE_POLICY_H
#define WEFT_BASE_POLICY_H

#include "msg.h"

/* False for a word that is none of refuse, skip, rename and overwrite. */
bool policy_read(const char *word, enum if_exists *policy);

#endif

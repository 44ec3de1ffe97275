/* Fingerprints: a node's id as two people compare it, in groups of four characters. */
#ifndef WEFT_CLI_FINGERPRINT_H
#define WEFT_CLI_FINGERPRINT_H

#include "id.h"

#include <stdbool.h>

struct fingerprint {
    char s[NODE_ID_TEXT + NODE_ID_TEXT / 4];
};

struct fingerprint fingerprint_of(const char *id);

/* Is it a whole id, and so nothing that could be mistaken for another? */
bool fingerprint_is_id(const char *text);

#endif

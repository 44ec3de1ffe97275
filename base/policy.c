/* See policy.h. */
#include "policy.h"

#include <string.h>

bool policy_read(const char *word, enum if_exists *policy)
{
    static const char *const words[IF_EXISTS_COUNT] = {"refuse", "skip", "rename", "overwrite"};

    for (size_t i = 0; i < IF_EXISTS_COUNT; i++)
        if (strcmp(word, words[i]) == 0) {
            *policy = (enum if_exists)i;
            return true;
        }
    return false;
}

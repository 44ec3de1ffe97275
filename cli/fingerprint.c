/* The grouping of fingerprint.h. */
#include "fingerprint.h"

#include <string.h>

struct fingerprint fingerprint_of(const char *id)
{
    struct fingerprint f = {{0}};
    size_t n = 0;

    for (size_t i = 0; id[i] && n + 1 < sizeof f.s; i++) {
        if (i && i % 4 == 0)
            f.s[n++] = ' ';
        f.s[n++] = id[i];
    }
    return f;
}

bool fingerprint_is_id(const char *text)
{
    struct node_id id;

    return strlen(text) == NODE_ID_TEXT && id_parse(text, &id) == 0;
}

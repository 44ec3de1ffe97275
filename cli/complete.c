/* What the three generators of completion scripts share. */
#include "complete.h"

#include "verbs.h"

#include <string.h>

void complete_put_choices(FILE *out, const char *choices)
{
    for (; *choices; choices++)
        putc(*choices == '|' ? ' ' : *choices, out);
}

static bool seen_before(size_t i, size_t length)
{
    const char *name = verbs_at(i)->name;

    for (size_t k = 0; k < i; k++)
        if (strncmp(verbs_at(k)->name, name, length) == 0 && strcspn(verbs_at(k)->name, " ") == length)
            return true;
    return false;
}

bool complete_first(size_t i, struct complete_first *first)
{
    for (size_t k = 0; verbs_at(k); k++) {
        size_t length = strcspn(verbs_at(k)->name, " ");
        if (seen_before(k, length) || i-- > 0)
            continue;
        bool group = verbs_at(k)->name[length] == ' ';
        *first = (struct complete_first){verbs_at(k)->name, length, group ? NULL : verbs_at(k)};
        return true;
    }
    return false;
}

const char *complete_names(enum complete complete)
{
    switch (complete) {
    case COMPLETE_PEER: return "peers";
    case COMPLETE_SHARE: return "shares";
    case COMPLETE_SOURCE: return "sources";
    case COMPLETE_TARGET: return "targets";
    case COMPLETE_PIPE: return "pipes";
    default: return NULL;
    }
}

/* See namelist.h. */
#include "namelist.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

static size_t count_names(const char *const *lists)
{
    size_t n = 0;

    for (; lists && *lists; lists++)
        for (const char *at = *lists; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
            n++;
    return n;
}

char **namelist_new(const struct args *args, const char *option)
{
    const char **lists = args_values(args, option);
    char **names = cli_need(calloc(count_names(lists) + 1, sizeof *names));
    size_t n = 0;
    bool good = true;

    for (const char **list = lists; list && *list; list++)
        for (const char *at = *list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
            names[n] = cli_need(strndup(at, strcspn(at, ",")));
            good = *names[n] && good;
            n++;
        }
    free(lists);
    if (good)
        return names;
    namelist_free(names);
    return NULL;
}

void namelist_free(char **names)
{
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
}

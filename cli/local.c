/* See local.h. */
#include "local.h"

#include "cli.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 200

static int system_says(struct fault *why, int errnum, const char *typed)
{
    char shown[SHOWN];

    return fault_errno(why, errnum, "%s", escape(typed, strlen(typed), shown, sizeof shown));
}

/* What is typed names a thing by its last part, unless that says nothing: ".", "a/..", "/". NULL, and errno. */
static char *unfollowed(const char *typed, const char *real)
{
    size_t n = strlen(typed);

    while (n && typed[n - 1] == '/')
        n--;
    size_t start = n;
    while (start && typed[start - 1] != '/')
        start--;
    if (n == start || strncmp(typed + start, "..", n - start) == 0)
        return cli_need(strdup(real));
    char *above = cli_need(start ? strndup(typed, start) : strdup("."));
    char *folder = realpath(above, NULL), *path = NULL;
    free(above);
    if (!folder)
        return NULL;
    if (asprintf(&path, "%s/%.*s", folder[1] ? folder : "", (int)(n - start), typed + start) < 0)
        path = NULL;
    free(folder);
    return cli_need(path);
}

int local_find(const char *typed, struct local *local, struct fault *why)
{
    *local = (struct local){.real = realpath(typed, NULL)};
    if (!local->real)
        return system_says(why, errno, typed);
    local->path = unfollowed(typed, local->real);
    if (!local->path)
        return system_says(why, errno, typed);
    local->name = strrchr(local->path, '/') + 1;
    return 0;
}

void local_fini(struct local *local)
{
    free(local->path);
    free(local->real);
    *local = (struct local){0};
}

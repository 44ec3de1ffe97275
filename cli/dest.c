/* The rules of dest.h. It looks and touches nothing; the node checks again by file descriptor when it writes. */
#include "dest.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHOWN 200

struct shown {
    char s[SHOWN];
};

static struct shown show(const char *path)
{
    struct shown shown;

    escape(path, strlen(path), shown.s, sizeof shown.s);
    return shown;
}

static int into_folder(const char *path, struct dest *dest, struct fault *why)
{
    dest->folder = realpath(path, NULL);
    return dest->folder ? 0 : fault_errno(why, errno, "%s", show(path).s);
}

/* `path` has no slash at its end. Splits it into a folder and a name. */
static int under_name(const char *path, struct dest *dest, struct fault *why)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");

    dest->name = strdup(slash ? slash + 1 : path);
    if (!parent || !dest->name) {
        free(parent);
        return fault_set(why, ERR_NOMEM, "out of memory");
    }
    dest->folder = realpath(parent, NULL);
    int code = 0;
    if (!dest->folder && errno == ENOENT)
        code = fault_set(why, ERR_NOT_FOUND, "%s: there is no folder %s to put it in; make it first with mkdir -p",
                         show(path).s, show(parent).s);
    else if (!dest->folder)
        code = fault_errno(why, errno, "%s", show(parent).s);
    free(parent);
    return code;
}

static int not_a_folder(const char *path, bool exists, bool one_source, struct fault *why)
{
    if (!one_source)
        return fault_set(why, ERR_USAGE, "%s is no folder; several sources need one%s", show(path).s,
                         exists ? "" : ", make it first with mkdir");
    return fault_set(why, exists ? ERR_USAGE : ERR_NOT_FOUND, "%s: there is no such folder; leave out the slash, or mkdir it",
                     show(path).s);
}

static int find(char *path, bool one_source, struct dest *dest, struct fault *why)
{
    size_t n = strlen(path);
    bool slash = n > 1 && path[n - 1] == '/';
    struct stat st;

    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return into_folder(path, dest, why);
    if (!exists && errno != ENOENT)
        return fault_errno(why, errno, "%s", show(path).s);
    if (slash || !one_source)
        return not_a_folder(path, exists, one_source, why);
    if (!exists && lstat(path, &st) == 0)
        return fault_set(why, ERR_NOT_FOUND, "%s is a link to nothing; remove it or name another place", show(path).s);
    return under_name(path, dest, why);
}

int dest_find(const char *text, bool one_source, struct dest *dest, struct fault *why)
{
    *dest = (struct dest){0};
    if (text && !*text)
        return fault_set(why, ERR_USAGE, "the destination is empty; leave it out for the current folder");
    char *path = strdup(text ? text : ".");
    if (!path)
        return fault_set(why, ERR_NOMEM, "out of memory");
    int code = find(path, one_source, dest, why);
    free(path);
    return code;
}

void dest_fini(struct dest *dest)
{
    free(dest->folder);
    free(dest->name);
    *dest = (struct dest){0};
}

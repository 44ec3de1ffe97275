/* Validators of names and paths. See names.h.
 *
 * Says nothing about what exists, and resolves nothing: links are the business of whoever opens (store/root.h). */
#include "names.h"

#include "limits.h"
#include "utf8.h"

#include <string.h>

bool name_valid(const char *name)
{
    size_t n = strnlen(name, NAME_MAX_BYTES + 1);
    if (n == 0 || n > NAME_MAX_BYTES || name[0] == '-' || name[0] == '.' || name[0] == ' ' || name[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t length = utf8_next(name + i, n - i, &cp);
        if (length == 0 || utf8_hidden(cp) || (cp < 0x80 && strchr("/:@\\", (int)cp)))
            return false;
        i += length;
    }
    return true;
}

bool entry_name_valid(const char *name, size_t n)
{
    if (n == 0 || n > ENTRY_NAME_MAX || memchr(name, 0, n) || memchr(name, '/', n))
        return false;
    return !(name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')));
}

bool entry_name_hidden(const char *name)
{
    return strncmp(name, STAGE_PREFIX, sizeof STAGE_PREFIX - 1) == 0;
}

bool share_path_valid(const char *path, size_t n)
{
    if (n == 0)
        return true;
    if (n > PATH_BYTES_MAX)
        return false;
    size_t depth = 0;
    for (const char *end = path + n;; depth++) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        const char *stop = slash ? slash : end;
        if (!entry_name_valid(path, (size_t)(stop - path)))
            return false;
        if (!slash)
            return depth <= DEPTH_MAX;
        path = slash + 1;
    }
}

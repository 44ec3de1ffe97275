/* Characters are decoded by utf8.h and not by the C library, so that the result does not hang on the locale's encoding;
 * their width is wcwidth's, on a system where wchar_t is ISO 10646. */
#include "width.h"

#include "utf8.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

/* The columns of the character that text begins with, and its bytes. One that is no UTF-8 is a byte of one column. */
static size_t next_columns(const char *text, size_t *bytes)
{
    uint32_t cp;

    *bytes = utf8_next(text, strnlen(text, 4), &cp);
    int columns = *bytes ? wcwidth((wchar_t)cp) : 1;
    *bytes += *bytes == 0;
    return columns < 0 ? 1 : (size_t)columns;
}

size_t width_of(const char *text)
{
    size_t columns = 0, n;

    for (; *text; text += n)
        columns += next_columns(text, &n);
    return columns;
}

const char *width_cut(const char *text, size_t columns, char *out, size_t cap)
{
    bool whole = width_of(text) <= columns && strlen(text) < cap;
    const char *dots = whole ? "" : "...";
    size_t room = cap - 1 - strlen(dots), used = 0, at = 0, n;

    if (!whole && (columns < 3 || cap < 4))
        return memset(out, 0, 1);
    for (; text[at]; at += n) {
        used += next_columns(text + at, &n);
        if (used + strlen(dots) > columns || at + n > room)
            break;
    }
    memcpy(out, text, at);
    memcpy(out + at, dots, strlen(dots) + 1);
    return out;
}

size_t width_of_terminal(FILE *stream)
{
    struct winsize size;

    if (fileno(stream) < 0 || ioctl(fileno(stream), TIOCGWINSZ, &size) || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

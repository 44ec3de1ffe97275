/* Escaping for people. See escape.h.
 *
 * Invariant: the output is valid UTF-8 of characters that a terminal shows and does not act on. */
#include "escape.h"

#include "utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DOTS "..."

/* What the next character of the input turns into. */
struct piece {
    size_t taken, len;
    char text[16];
};

static void piece_next(const char *bytes, size_t n, bool double_backslash, struct piece *piece)
{
    uint32_t cp;
    size_t length = utf8_next(bytes, n, &cp);
    int written;
    if (length == 0 || cp < 0x20 || cp == 0x7f)
        written = snprintf(piece->text, sizeof piece->text, "\\x%02x", (unsigned char)bytes[0]);
    else if (utf8_hidden(cp))
        written = snprintf(piece->text, sizeof piece->text, "\\u{%04x}", (unsigned)cp);
    else if (cp == '\\' && double_backslash)
        written = snprintf(piece->text, sizeof piece->text, "\\\\");
    else
        written = snprintf(piece->text, sizeof piece->text, "%.*s", (int)length, bytes);
    piece->len = (size_t)written;
    piece->taken = length ? length : 1;
}

static const char *escape_bytes(const char *bytes, size_t n, bool double_backslash, char *out, size_t cap)
{
    if (cap == 0)
        return out;
    size_t room = cap - 1, len = 0;
    size_t cut = 0; /* the last end of a piece behind which the dots still fit */
    for (size_t i = 0; i < n;) {
        struct piece piece;
        piece_next(bytes + i, n - i, double_backslash, &piece);
        if (piece.len > room - len) {
            size_t dots = room - cut < strlen(DOTS) ? room - cut : strlen(DOTS);
            memcpy(out + cut, DOTS, dots);
            len = cut + dots;
            break;
        }
        memcpy(out + len, piece.text, piece.len);
        len += piece.len;
        i += piece.taken;
        if (len + strlen(DOTS) <= room)
            cut = len;
    }
    out[len] = 0;
    return out;
}

const char *escape(const void *bytes, size_t n, char *out, size_t cap)
{
    return escape_bytes(bytes, n, true, out, cap);
}

const char *escape_line(const void *bytes, size_t n, char *out, size_t cap)
{
    return escape_bytes(bytes, n, false, out, cap);
}

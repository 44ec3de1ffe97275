/* Escaping of what others wrote, before a person sees it. */
#ifndef WEFT_BASE_ESCAPE_H
#define WEFT_BASE_ESCAPE_H

#include <stddef.h>

/* Escapes `n` bytes for a person: control characters (C0, DEL, C1), bidirectional overrides and invalid UTF-8 become \xNN or
 * \u{NNNN}, a backslash \\. Writes a terminated string of at most cap - 1 bytes, cut at a whole character with "..." when it
 * does not fit. Returns `out`. */
const char *escape(const void *bytes, size_t n, char *out, size_t cap);

/* The same, but backslashes stay: for a sentence whose parts have been escaped already, which it leaves unchanged. */
const char *escape_line(const void *bytes, size_t n, char *out, size_t cap);

#endif

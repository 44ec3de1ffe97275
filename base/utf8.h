/* UTF-8: is it valid, and may a person be shown it? */
#ifndef WEFT_BASE_UTF8_H
#define WEFT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character that `n` bytes (at least one) begin with, in `*cp`. Returns its length, or 0 when they begin with no character:
 * only shortest forms up to U+10FFFF that are no surrogates are one. */
size_t utf8_next(const void *bytes, size_t n, uint32_t *cp);

/* Is this valid UTF-8 without NUL? */
bool utf8_valid(const void *bytes, size_t n);

/* Does a terminal act on this character instead of showing it? Controls (C0, DEL, C1), line and paragraph separators, and what
 * changes the direction of text. */
bool utf8_hidden(uint32_t cp);

#endif

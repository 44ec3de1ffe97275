/* Golden bytes: hex text with comments, so that a review can read them. */
#ifndef WEFT_TESTS_GOLDEN_H
#define WEFT_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* Reads tests/golden/NAME: two hex digits a byte, white space between them, '#' to the end of a line is a comment. Fails the
 * test when that cannot be done, or `cap` bytes do not hold it. Returns the number of bytes. */
size_t golden_load(const char *name, uint8_t *bytes, size_t cap);

/* The same notation from a string. */
size_t golden_parse(const char *hex, uint8_t *bytes, size_t cap);

#endif

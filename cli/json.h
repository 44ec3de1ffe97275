/* Rows as JSON, the way weft-json(5) describes it.
 *
 * An object's first member is "row", the row's kind; then its fields in order. Fields that can repeat are arrays always,
 * also with one value or none. Bytes that are no UTF-8 become text with U+FFFD in their place, and a member NAME_b64 with
 * the exact ones. */
#ifndef WEFT_CLI_JSON_H
#define WEFT_CLI_JSON_H

#include "weft.h"

#include <jansson.h>
#include <stdio.h>

/* Gives the object. Memory that runs out ends the program. */
json_t *json_of_row(const struct weft_row *row);

/* Sets the member "text", or "data" with base64 when the bytes are no UTF-8. */
void json_set_bytes(json_t *object, const void *bytes, size_t n);

/* Prints an object on one line and frees it. On a terminal everything but ASCII is written as \uNNNN. */
void json_print(FILE *out, json_t *object);
void json_print_row(FILE *out, const struct weft_row *row);

#endif

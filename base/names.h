/* Names and paths from others: the one place that says which are acceptable. */
#ifndef WEFT_BASE_NAMES_H
#define WEFT_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The one validator of names of nodes, shares and pipes: 1..NAME_MAX_BYTES of UTF-8, no control characters and no characters
 * that turn text around, none of "/:@\\" and no leading '-' or '.', no space at either end. */
bool name_valid(const char *name);
/* The one validator of a file name from a peer: 1..255 bytes, no NUL, no '/', not "." or "..". */
bool entry_name_valid(const char *name, size_t n);
/* Names that begin so are of weft's own staging folders: no peer reads or writes there. */
#define STAGE_PREFIX ".weft-stage-"
bool entry_name_hidden(const char *name);
/* A path inside a share: "" or valid entry names joined by single slashes; at most PATH_BYTES_MAX bytes, DEPTH_MAX slashes. */
bool share_path_valid(const char *path, size_t n);

#endif

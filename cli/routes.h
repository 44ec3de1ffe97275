/* The ways that bytes took, each once, in order of first use: "direct", "relay:hub, direct". */
#ifndef WEFT_CLI_ROUTES_H
#define WEFT_CLI_ROUTES_H

#include "weft.h"

#define ROUTES_TEXT 512

struct routes { /* zeroed at first */
    char s[ROUTES_TEXT];
};

/* Adds those in the text, which has ", " between them. What does not fit is left out. */
void routes_add(struct routes *routes, const char *text);
/* A weft_on_row for byte streams: arg is a struct routes. */
void routes_watch(void *routes, const struct weft_row *row);

#endif

/* See routes.h. Routes hold the names of relays, and are escaped where they are shown. */
#include "routes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char comma[] = ", ";

/* The first route of a list; *next is where the others begin, or NULL. */
static size_t first_of(const char *list, const char **next)
{
    const char *end = strstr(list, comma);

    *next = end ? end + strlen(comma) : NULL;
    return end ? (size_t)(end - list) : strlen(list);
}

static bool has(const struct routes *r, const char *route, size_t n)
{
    for (const char *at = r->s, *next; at; at = next)
        if (first_of(at, &next) == n && memcmp(at, route, n) == 0)
            return true;
    return false;
}

void routes_add(struct routes *r, const char *text)
{
    for (const char *next; text; text = next) {
        size_t n = first_of(text, &next), used = strlen(r->s);
        if (n > 0 && !has(r, text, n) && used + strlen(comma) + n < sizeof r->s)
            snprintf(r->s + used, sizeof r->s - used, "%s%.*s", used ? comma : "", (int)n, text);
    }
}

void routes_watch(void *routes, const struct weft_row *row)
{
    routes_add(routes, weft_row_text(row, "route", ""));
}

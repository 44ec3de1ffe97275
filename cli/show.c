/* The values of show.h. */
#include "show.h"

#include "cli.h"
#include "log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static char *escaped(const char *bytes, size_t n)
{
    size_t cap = bytes ? 4 * n + 8 : 1; /* an escape is at most four times as long */
    char *text = cli_need(malloc(cap));

    text[0] = '\0';
    if (bytes)
        escape(bytes, n, text, cap);
    return text;
}

char *show_field(const struct weft_row *row, const char *name)
{
    size_t n = 0;
    const char *bytes = weft_row_bytes(row, name, &n);

    return escaped(bytes, n);
}

void show_put_at(FILE *out, const struct weft_row *row, size_t i)
{
    size_t n = 0;
    const char *bytes = weft_row_field_bytes(row, i, &n);
    char *text = escaped(bytes, n);

    switch (weft_row_field_type(row, i)) {
    case 'i': fprintf(out, "%" PRId64, weft_row_field_int(row, i)); break;
    case 'b': fputs(weft_row_field_int(row, i) ? "yes" : "no", out); break;
    case 'n': putc('-', out); break;
    default: fputs(text, out);
    }
    free(text);
}

void show_put(FILE *out, const struct weft_row *row, const char *name)
{
    char *text = show_field(row, name);

    fputs(text, out);
    free(text);
}

uint64_t show_number(const struct weft_row *row, const char *name)
{
    int64_t value = weft_row_int(row, name, 0);

    return value < 0 ? 0 : (uint64_t)value;
}

void show_each(const struct weft_row *row, const char *name, void (*each)(void *arg, const char *text, size_t n), void *arg)
{
    for (size_t i = 0; i < weft_row_fields(row); i++) {
        size_t n = 0;
        if (strcmp(weft_row_field_name(row, i), name) != 0)
            continue;
        const char *bytes = weft_row_field_bytes(row, i, &n);
        if (bytes)
            each(arg, bytes, n);
    }
}

const char *show_route(const struct weft_row *row)
{
    const char *route = weft_row_text(row, "route", "direct");

    return *route && strcmp(route, "direct") != 0 ? route : NULL;
}

struct units_text show_size(const struct weft_row *row)
{
    int64_t size = weft_row_int(row, "size", 0);
    bool is_file = strcmp(weft_row_text(row, "kind", ""), "file") == 0;

    return size > 0 || is_file ? units_size(size > 0 ? (uint64_t)size : 0) : (struct units_text){"-"};
}

static void add_value(void *stream, const char *text, size_t n)
{
    fprintf(stream, "%s%.*s", ftell(stream) > 0 ? "," : "", (int)n, text);
}

char *show_list(const struct weft_row *row, const char *name)
{
    char *text = NULL;
    size_t n = 0;
    FILE *stream = cli_need(open_memstream(&text, &n));

    show_each(row, name, add_value, stream);
    fclose(stream);
    return cli_need(text);
}

char *show_audience(const struct weft_row *share)
{
    char *named = show_list(share, "to"), *text;
    bool is_public = weft_row_bool(share, "public", false), writable = weft_row_bool(share, "writable", false);

    if (asprintf(&text, "%s%s", is_public ? "public" : *named ? named : "trusted", writable ? " rw" : "") < 0)
        text = NULL;
    free(named);
    return cli_need(text);
}

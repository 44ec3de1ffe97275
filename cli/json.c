/* The translation from rows to JSON. Which fields are arrays is public schema, so it is a table and not a guess from one
 * row. */
#include "json.h"

#include "cli.h"
#include "utf8.h"

#include <sodium/utils.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *kind, *field, *member;
} arrays[] = {
    {"status", "endpoint", "endpoint"}, {"share", "to", "to"}, {"share", "via", "via"}, {"share", "warning", "warning"},
    {"ready", "endpoint", "endpoints"},
};

#define ARRAYS (sizeof arrays / sizeof *arrays)

static bool is_array(const char *kind, const char *field, const char **member)
{
    for (size_t i = 0; i < ARRAYS; i++)
        if (strcmp(arrays[i].kind, kind) == 0 && strcmp(arrays[i].field, field) == 0) {
            *member = arrays[i].member;
            return true;
        }
    *member = field;
    return false;
}

/* Text for any bytes: what is no UTF-8 is replaced, byte by byte. */
static json_t *text_of(const char *bytes, size_t n)
{
    char *text = cli_need(malloc(3 * n + 1));
    size_t out = 0;

    for (size_t at = 0; at < n;) {
        uint32_t cp;
        size_t length = utf8_next(bytes + at, n - at, &cp);
        memcpy(text + out, length ? bytes + at : "\xef\xbf\xbd", length ? length : 3);
        out += length ? length : 3;
        at += length ? length : 1;
    }
    json_t *value = cli_need(json_stringn(text, out));
    free(text);
    return value;
}

static json_t *base64_of(const char *bytes, size_t n)
{
    size_t room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
    char *text = cli_need(malloc(room));

    sodium_bin2base64(text, room, (const unsigned char *)bytes, n, sodium_base64_VARIANT_ORIGINAL);
    json_t *value = cli_need(json_string(text));
    free(text);
    return value;
}

static json_t *value_of(const struct weft_row *row, size_t i)
{
    size_t n = 0;
    const char *bytes;

    switch (weft_row_field_type(row, i)) {
    case 'b': return json_boolean(weft_row_field_int(row, i));
    case 'i': return cli_need(json_integer(weft_row_field_int(row, i)));
    case 't':
    case 'd': bytes = weft_row_field_bytes(row, i, &n); return text_of(bytes, n);
    default: return json_null();
    }
}

/* Sets a member. One that is there already becomes an array, for a later release may repeat what this one knows as single. */
static void set(json_t *object, const char *member, bool array, json_t *value)
{
    json_t *old = json_object_get(object, member);

    if (!old && !array) {
        json_object_set_new(object, member, value);
        return;
    }
    if (!json_is_array(old)) {
        json_t *list = cli_need(json_array());
        if (old)
            json_array_append(list, old);
        json_object_set_new(object, member, list);
        old = list;
    }
    json_array_append_new(old, value);
}

static void set_field(json_t *object, const struct weft_row *row, size_t i)
{
    const char *member, *name = weft_row_field_name(row, i);
    bool array = is_array(weft_row_kind(row), name, &member);
    size_t n = 0;
    const char *bytes = weft_row_field_bytes(row, i, &n);
    char *exact;

    set(object, member, array, value_of(row, i));
    if (!bytes || utf8_valid(bytes, n))
        return;
    if (asprintf(&exact, "%s_b64", member) < 0)
        exact = NULL;
    set(object, cli_need(exact), array, base64_of(bytes, n));
    free(exact);
}

json_t *json_of_row(const struct weft_row *row)
{
    const char *kind = weft_row_kind(row);
    json_t *object = cli_need(json_object());

    json_object_set_new(object, "row", text_of(kind, strlen(kind)));
    for (size_t i = 0; i < weft_row_fields(row); i++)
        set_field(object, row, i);
    for (size_t i = 0; i < ARRAYS; i++)
        if (strcmp(arrays[i].kind, kind) == 0 && !json_object_get(object, arrays[i].member))
            json_object_set_new(object, arrays[i].member, json_array());
    return object;
}

void json_set_bytes(json_t *object, const void *bytes, size_t n)
{
    json_t *text = json_stringn(bytes ? bytes : "", n); /* refuses what is no UTF-8 */

    if (text)
        json_object_set_new(object, "text", text);
    else
        json_object_set_new(object, "data", base64_of(bytes, n));
}

void json_print(FILE *out, json_t *object)
{
    size_t ascii = cli_is_terminal(out) ? JSON_ENSURE_ASCII : 0;

    json_dumpf(object, out, JSON_COMPACT | ascii);
    putc('\n', out);
    fflush(out);
    json_decref(object);
}

void json_print_row(FILE *out, const struct weft_row *row)
{
    json_print(out, json_of_row(row));
}

/* Ids and their text. See id.h. */
#include "id.h"

#include "err.h"

#include <string.h>

void base32_encode(const void *bytes, size_t n, char *text)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    const uint8_t *p = bytes;
    uint32_t pending = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        pending = pending << 8 | p[i];
        for (bits += 8; bits >= 5; bits -= 5)
            *text++ = digits[pending >> (bits - 5) & 31];
    }
    if (bits)
        *text++ = digits[pending << (5 - bits) & 31];
    *text = 0;
}

/* The value of a base32 digit, or 32. */
static unsigned digit_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a');
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= '2' && c <= '7')
        return (unsigned)(c - '2') + 26;
    return 32;
}

int base32_decode(const char *text, void *bytes, size_t n)
{
    size_t chars = BASE32_CHARS(n);
    if (strnlen(text, chars + 1) != chars)
        return ERR_MALFORMED;
    uint8_t *p = bytes;
    uint32_t pending = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < chars; i++) {
        unsigned value = digit_value(text[i]);
        if (value > 31)
            return ERR_MALFORMED;
        pending = pending << 5 | value;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            *p++ = (uint8_t)(pending >> bits);
        }
    }
    return pending & ((1u << bits) - 1) ? ERR_MALFORMED : 0;
}

struct id_text id_text(const struct node_id *id)
{
    struct id_text text;
    base32_encode(id->b, NODE_ID_BYTES, text.s);
    return text;
}

struct id_text id_short(const struct node_id *id)
{
    struct id_text text = id_text(id);
    memset(text.s + NODE_ID_SHORT, 0, sizeof text.s - NODE_ID_SHORT);
    return text;
}

int id_parse(const char *text, struct node_id *id)
{
    return base32_decode(text, id->b, NODE_ID_BYTES);
}

bool id_equal(const struct node_id *a, const struct node_id *b)
{
    return id_compare(a, b) == 0;
}

int id_compare(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->b, b->b, NODE_ID_BYTES);
}

bool tag_equal(const struct tag *a, const struct tag *b)
{
    return memcmp(a->b, b->b, TAG_BYTES) == 0;
}

bool tag_is_zero(const struct tag *tag)
{
    static const struct tag zero;
    return tag_equal(tag, &zero);
}

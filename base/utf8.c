/* UTF-8 by the table of well-formed byte sequences (Unicode 15, table 3-7). See utf8.h.
 *
 * Does not normalise and knows no properties of characters beyond the few that fool a terminal. */
#include "utf8.h"

/* How the first byte of a longer sequence bounds the second; all later ones are 0x80..0xbf. */
struct lead {
    uint8_t first, last; /* lead bytes */
    uint8_t length;
    uint8_t low, high; /* second byte */
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *lead_of(uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    return NULL;
}

size_t utf8_next(const void *bytes, size_t n, uint32_t *cp)
{
    const uint8_t *p = bytes;
    *cp = p[0];
    if (p[0] < 0x80)
        return 1;

    const struct lead *lead = lead_of(p[0]);
    if (!lead || n < lead->length || p[1] < lead->low || p[1] > lead->high)
        return 0;
    *cp = p[0] & (0x7fu >> lead->length);
    for (size_t i = 1; i < lead->length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *cp = *cp << 6 | (p[i] & 0x3fu);
    }
    return lead->length;
}

bool utf8_valid(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t length = utf8_next(p + i, n - i, &cp);
        if (length == 0 || cp == 0)
            return false;
        i += length;
    }
    return true;
}

bool utf8_hidden(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0)          /* C0, DEL, C1 */
           || cp == 0x2028 || cp == 0x2029                 /* separators of lines and paragraphs */
           || cp == 0x061c || cp == 0x200e || cp == 0x200f /* direction marks */
           || (cp >= 0x202a && cp <= 0x202e)               /* embeddings and overrides */
           || (cp >= 0x2066 && cp <= 0x2069);              /* isolates */
}

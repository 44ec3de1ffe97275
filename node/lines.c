/* The table of lines. See lines.h.
 *
 * Invariants: (1) a line whose number is not 0 is in the bucket of its number, any other in the list of free ones; (2) an
 * inbound line is in the bucket of its routing id besides. */
#include "lines.h"

#include <string.h>

static struct line **number_bucket(struct lines *lines, link_no no)
{
    return &lines->by_no[no % LINE_BUCKETS];
}

/* libzmq counts its routing ids upwards from a random number. */
static struct line **from_bucket(struct lines *lines, const uint8_t rid[SOCKET_ID_BYTES])
{
    return &lines->from[((unsigned)rid[SOCKET_ID_BYTES - 2] << 8 | rid[SOCKET_ID_BYTES - 1]) % LINE_BUCKETS];
}

void lines_init(struct lines *lines, struct wire *wire)
{
    for (size_t i = LINES_MAX; i-- > 0;) {
        lines->line[i] = (struct line){.wire = wire, .same_no = lines->free};
        lines->free = &lines->line[i];
    }
}

struct line *lines_add(struct lines *lines, link_no no)
{
    struct line *line = lines->free;
    if (!line)
        return NULL;
    lines->free = line->same_no;
    struct line **bucket = number_bucket(lines, no);
    *line = (struct line){.wire = line->wire, .no = no, .same_no = *bucket};
    *bucket = line;
    lines->in_use++;
    return line;
}

void lines_inbound(struct lines *lines, struct line *line, struct listener *at, const uint8_t rid[SOCKET_ID_BYTES])
{
    struct line **bucket = from_bucket(lines, rid);
    line->at = at;
    memcpy(line->rid, rid, SOCKET_ID_BYTES);
    line->same_from = *bucket;
    *bucket = line;
}

void lines_drop(struct lines *lines, struct line *line)
{
    struct line **at = number_bucket(lines, line->no);
    while (*at != line)
        at = &(*at)->same_no;
    *at = line->same_no;
    if (line->at) {
        for (at = from_bucket(lines, line->rid); *at != line;)
            at = &(*at)->same_from;
        *at = line->same_from;
        lines_ignore(lines, line->at, line->rid);
    }
    line->no = 0;
    line->same_no = lines->free;
    lines->free = line;
    lines->in_use--;
}

struct line *lines_find(struct lines *lines, link_no no)
{
    struct line *line = *number_bucket(lines, no);
    while (line && line->no != no)
        line = line->same_no;
    return line;
}

struct line *lines_from(struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES])
{
    struct line *line = *from_bucket(lines, rid);
    while (line && (line->at != at || memcmp(line->rid, rid, SOCKET_ID_BYTES) != 0))
        line = line->same_from;
    return line;
}

/* ---- routing ids that were given up */

void lines_ignore(struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES])
{
    struct ignored *i = &lines->ignored[lines->ignored_at++ % IGNORED_MAX];
    i->at = at;
    memcpy(i->rid, rid, SOCKET_ID_BYTES);
}

/* A search, but only for a message that is of no line. */
bool lines_ignored(const struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES])
{
    for (size_t i = 0; i < IGNORED_MAX; i++)
        if (lines->ignored[i].at == at && memcmp(lines->ignored[i].rid, rid, SOCKET_ID_BYTES) == 0)
            return true;
    return false;
}

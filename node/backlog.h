/* What waits for somebody: pieces of bytes, first in, first out, in one allocation that is as large as it must be.
 *
 * It does not know what the pieces are, and it is empty when it is all zeros. Its bound is its owner's, but for BACKLOG_MAX. */
#ifndef WEFT_NODE_BACKLOG_H
#define WEFT_NODE_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_MAX 28160 /* bytes in all, with BACKLOG_HEAD for each piece */
#define BACKLOG_HEAD 2

struct backlog {
    uint8_t *bytes;
    uint16_t first, end; /* pieces stand from `first` to `end`, each behind its length */
    uint16_t cap;
    uint16_t count;
};

/* Copies a piece in, which may be empty. ERR_LIMIT beyond BACKLOG_MAX, ERR_NOMEM. */
int backlog_put(struct backlog *b, const void *bytes, size_t n);
/* The first piece, until the backlog is changed, and its length. There must be one. */
const uint8_t *backlog_first(const struct backlog *b, size_t *n);
void backlog_drop_first(struct backlog *b);
void backlog_clear(struct backlog *b);

#endif

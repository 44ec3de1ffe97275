/* The manifest on the wire: entries into LIST frames and back. Pure.
 *
 * The body of a LIST is one MessagePack array (always in its 16 bit form) of at most LIST_FRAME_ENTRIES entries, each an array
 *     [depth, kind, mode, size, mtime s, mtime ns, token, status, name, target]
 * in pre-order over all frames. The first entry's name is empty: the receiver names it. Whether depths, names and order make
 * a tree is for store/manifest.h to say. */
#ifndef WEFT_NODE_BULK_LIST_H
#define WEFT_NODE_BULK_LIST_H

#include "bulk_frame.h"
#include "mp.h"

#define LIST_FRAME_ENTRIES 512

struct list_entry {
    struct entry entry;
    uint32_t depth;
    uint64_t token;
    enum item_status status;
};

/* The hash over the bodies of all LIST frames. */
struct list_hash {
    void *state;
};
int list_hash_init(struct list_hash *h); /* ERR_NOMEM */
void list_hash_fini(struct list_hash *h);
void list_hash_add(struct list_hash *h, const void *body, size_t n);
struct hash128 list_hash_end(const struct list_hash *h);

struct list_writer {
    uint8_t *frame; /* FRAME_HEAD + LIST_BYTES_MAX bytes of the caller's */
    struct mpw w;
    uint16_t count;
};
void list_begin(struct list_writer *l, uint8_t *frame);
/* ERR_FULL when it does not fit any more: end this frame, begin the next. */
int list_add(struct list_writer *l, const struct list_entry *e);
/* Completes the frame; returns its length, or 0 when it has no entries. */
size_t list_end(struct list_writer *l);

/* Calls `each` per entry of a body (names and targets point into it) until one returns non-zero, which is returned.
 * ERR_MALFORMED: nothing before the fault is taken back. */
int list_parse(const uint8_t *body, size_t n, int (*each)(void *arg, const struct list_entry *e), void *arg);

#endif

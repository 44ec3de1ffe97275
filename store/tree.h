/* Reading trees: one folder by pages, or everything below a path in pre-order.
 *
 * Links are told as links, with their targets, and never followed. FIFOs, sockets and devices are told as ENTRY_OTHER. Weft's own
 * staging folders (names that begin with STAGE_PREFIX) are left out. */
#ifndef WEFT_STORE_TREE_H
#define WEFT_STORE_TREE_H

#include "msg.h"
#include "root.h"

#define STAGE_PREFIX ".weft-stage-"

/* One page of the folder (or the one entry, when `path` is a file) at `path`. `cursor` is 0 at first, then what the last page
 * gave; *more says whether there is another. The page's names are kept in `names`. Never reads more than fits: at most
 * LIST_ENTRIES_MAX entries and `names_cap` bytes of names and targets. */
struct tree_page {
    bool more;
    uint64_t cursor;
    uint16_t count;
    struct entry entry[LIST_ENTRIES_MAX];
    size_t names_len;
    char names[49152];
};

int tree_page(struct root *root, const char *path, uint64_t cursor, struct tree_page *page, struct fault *fault);

/* One step of a walk. */
struct tree_item {
    struct entry entry;   /* entry.name is the last component; "" for a walk's own start */
    unsigned depth;       /* 0 for the start itself, 1 for what is in it, ... */
    uint64_t token;       /* changes whenever the file's content may have: from inode, size, mtime, ctime */
    const char *path;     /* whole path inside the root */
    int err;              /* not 0: this item could not be read and is only named (ERR_DENIED, ...) */
};

/* Walks everything at and below `path`, each folder before what is in it, names in byte order. `each` returning non-zero ends
 * the walk with that code. Memory is bounded by the largest single folder's names, not by the tree. At most DEPTH_MAX deep and
 * PATH_BYTES_MAX long; what is beyond is told with err = ERR_LIMIT. */
int tree_walk(struct root *root, const char *path, int (*each)(void *arg, const struct tree_item *item), void *arg,
              struct fault *fault);

/* The token of a file, as in tree_item. */
uint64_t tree_token(const struct stat *st);
enum entry_kind tree_kind(const struct stat *st);

#endif

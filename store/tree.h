/* Reading trees: one folder by pages, or everything below a path in pre-order.
 *
 * Links are told as links, with their targets, and never followed. FIFOs, sockets and devices are told as ENTRY_OTHER. Weft's
 * own staging folders (names that begin with STAGE_PREFIX) are left out. */
#ifndef WEFT_STORE_TREE_H
#define WEFT_STORE_TREE_H

#include "msg.h"
#include "root.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Does the path lead into a staging folder? Peers may neither read nor write there. */
bool tree_hidden(const char *path);

/* One page of a folder, in the order of the file system. `names` keeps names and targets; it and LIST_ENTRIES_MAX bound a page
 * such that it fits one message. */
struct tree_page {
    bool more;
    uint64_t cursor;
    uint16_t count;
    struct entry entry[LIST_ENTRIES_MAX];
    size_t names_len;
    char names[45056];
};

/* Reads one page of the folder at `path`, or the one entry when it is no folder. `cursor` is 0 at first, then what the page
 * before gave: a position that the file system keeps, so that nothing stands between pages. It may come from a peer: a wrong
 * one yields names of the same folder, or ERR_MALFORMED. What vanishes meanwhile is left out. */
int tree_page(struct root *root, const char *path, uint64_t cursor, struct tree_page *page, struct fault *fault);

/* One step of a walk. */
struct tree_item {
    struct entry entry; /* entry.name is the last component; "" for a walk that starts at the root */
    uint32_t depth;     /* 0 for the start itself, 1 for what is in it, ... */
    uint64_t token;     /* changes whenever the file's content may have: from inode, size, mtime, ctime */
    const char *path;   /* whole path inside the root */
    int err;            /* not 0: this item could not be read and is only named (ERR_DENIED, ...) */
};

/* Walks everything at and below `path`, each folder before what is in it, names in byte order. `each` returning non-zero ends
 * the walk with that code. Memory is bounded by the names in the folders on the way down to the current one, not by the tree;
 * few descriptors are open whatever the depth. A folder with something deeper than DEPTH_MAX or a path longer than
 * PATH_BYTES_MAX in it is told with err = ERR_LIMIT and not entered, so that every item can be a manifest's entry. */
int tree_walk(struct root *root, const char *path, int (*each)(void *arg, const struct tree_item *item), void *arg,
              struct fault *fault);

/* The token of a file, as in tree_item. */
uint64_t tree_token(const struct stat *st);
enum entry_kind tree_kind(const struct stat *st);

#endif

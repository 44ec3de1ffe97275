/* What tree.c and tree_walk.c share. */
#ifndef WEFT_STORE_TREE_INTERNAL_H
#define WEFT_STORE_TREE_INTERNAL_H

#include "tree.h"

/* Describes `name` in folder `fd` (its lstat, and its target when it is a link, into LINK_TARGET_MAX + 1 bytes). entry->name
 * borrows `name`. ERR_NOT_FOUND when it is gone; another code when it could not be read, with what is known in *entry. */
int tree_look(int fd, const char *name, struct stat *st, struct entry *entry, char *target);

/* Reads on in an open folder: calls `each` with every name but ".", ".." and weft's own, and with where the next one begins,
 * until the end (0) or until `each` returns non-zero (returned) or it fails (a code, with errno). */
int tree_names(int fd, int (*each)(void *arg, const char *name, uint64_t next), void *arg);

#endif

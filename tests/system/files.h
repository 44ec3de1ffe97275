/* Files and trees for system tests: making, comparing, removing. What goes wrong in here fails the test that called. */
#ifndef WEFT_TESTS_FILES_H
#define WEFT_TESTS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file of pseudo-random bytes, the same for the same seed. */
void file_make(const char *path, uint64_t size, uint64_t seed);
void file_save(const char *path, const void *bytes, size_t n);
/* The whole file as a string; empty when there is none. The caller frees. */
char *file_text(const char *path);
uint64_t file_size(const char *path); /* UINT64_MAX when there is none */
bool file_there(const char *path);
void folder_make(const char *path);

/* `count` small files in folders of 50 beside links, an empty folder, odd modes and names. */
void tree_make(const char *path, unsigned count);
/* Are both the same: kinds, names, content, permission bits, modification times, link targets? Prints the first difference. */
bool tree_same(const char *a, const char *b);

/* Changes one byte, so far the same as in the file `like`, at an offset of the largest file anywhere in the folder. */
void spoil_largest(const char *folder, const char *like, uint64_t at);

/* A file system of its own at `path`, which is made; false when this user may not mount. */
bool small_disk(const char *path, uint64_t bytes);
/* A file that takes all the space that is left. */
void file_fill_disk(const char *path);

/* Removes a whole tree, and what is mounted in it. */
void files_remove(const char *path);

#endif

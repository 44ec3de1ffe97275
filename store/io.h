/* Whole reads and writes on descriptors, and paths in sentences.
 *
 * The system may read or write less than was asked, or be interrupted; callers of these never see it. When one fails it returns
 * the code of err_from_errno and leaves errno, for fault_errno. */
#ifndef WEFT_STORE_IO_H
#define WEFT_STORE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int io_write(int fd, const void *bytes, size_t n);
int io_pwrite(int fd, const void *bytes, size_t n, uint64_t offset);
/* Reads until n bytes or the end: *got says how many. */
int io_pread(int fd, void *buf, size_t n, uint64_t offset, size_t *got);
/* close, ignoring -1 and keeping errno. */
void io_close(int fd);
/* A nameless file in folder `dir` for reading and writing, or -1 with errno. */
int io_temp(const char *dir);

/* A path escaped for a person and cut to what a sentence bears: fault_set(f, code, "... '%s'", path_text(path).s). */
struct path_text {
    char s[200];
};
struct path_text path_text(const char *path);

#endif

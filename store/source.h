/* Sources: regular files read for a peer, and the proof that what was read is one state of them.
 *
 * A file that is changed while it is read yields a mix of old and new. So a source remembers how the file looked when it was
 * opened, and whoever has read it asks source_changed before telling the peer that it is whole. A change that leaves size and
 * times as they were can only happen within one tick of the file system's clock; a file changed so recently is therefore not
 * believed either, and is read again by the caller a little later. */
#ifndef WEFT_STORE_SOURCE_H
#define WEFT_STORE_SOURCE_H

#include "root.h"
#include "source_view.h"

struct source {
    int fd;
    struct stat st;                 /* when it was opened */
    const struct source_view *view; /* NULL: all of the file. Else that of it (borrowed) */
};

/* Opens the regular file at `path` for reading (root_open_file). Close it with source_close. ERR_NOT_FOUND, ERR_REFUSED,
 * ERR_DENIED, ... */
int source_open(struct root *root, const char *path, struct source *src, struct fault *fault);
void source_close(struct source *src);

/* From now on the source is what the view shows of the file, and nothing else: its size, its offsets and its token are of that.
 * Without holes. NULL: it stays whole. */
void source_narrow(struct source *src, const struct source_view *view);

uint64_t source_size(const struct source *src);
/* As tree_token: the same as in the manifest when nothing has changed since. */
uint64_t source_token(const struct source *src);

/* Reads exactly n bytes at offset, within the size. Any number of threads may do so at once. ERR_CHANGED when the file is
 * shorter now or was replaced under us (ESTALE), ERR_IO; errno is left. */
int source_read(const struct source *src, uint64_t offset, void *buf, size_t n);

/* Where the next data is, from offset on: [*data, *end). What is before *data is a hole; when there is no more data both are
 * the size. Without support for holes all is data. ERR_CHANGED, ERR_IO. */
int source_next_data(const struct source *src, uint64_t offset, uint64_t *data, uint64_t *end);

/* 0 when all that was read is of one state of the file; ERR_CHANGED when it changed, or may have changed unseen: open and read
 * it again, after SOURCE_SETTLE. */
#define SOURCE_SETTLE (20 * 1000000ull) /* ns: longer than the coarsest tick of a kernel's clock, 10 ms */
int source_changed(const struct source *src, struct fault *fault);
/* Before the first read of one that may have been made this very moment: waits SOURCE_SETTLE if so. From then on every change
 * shows. ERR_CHANGED when it is not as it was opened. */
int source_settle(const struct source *src, struct fault *fault);

#endif

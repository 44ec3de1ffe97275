/* What the two ends of a transfer have in common, and the inside of a receive. */
#ifndef WEFT_NODE_FETCH_H
#define WEFT_NODE_FETCH_H

#include "bulk_transfer.h"
#include "manifest.h"
#include "root.h"
#include "stage.h"

/* "prefix/path of entry i", or either alone where the other is empty. `path` has PATH_BYTES_MAX + 1 bytes; ERR_LIMIT when it
 * does not fit. */
int fetch_path(const char *prefix, struct manifest *list, uint32_t i, char *path);

/* A view of a finished list for each of n streams; all or none. Made by the list's owner, before the streams run. */
struct list_views {
    struct manifest *view[STREAMS_MAX];
};
int list_views_make(struct list_views *v, struct manifest *list, unsigned n, struct fault *fault);
void list_views_free(struct list_views *v);

/* The next frame of a stream with its body. 0 when it is `type`; else the stream's fault is set: what the other side said by
 * STOP, or that it broke the protocol. */
int fetch_expect(struct stream *s, enum frame_type type, const uint8_t **body, size_t *n);
/* As above for any type but STOP; the caller judges it. */
int fetch_next(struct stream *s, struct frame_head *head, const uint8_t **body);
/* The other side broke the protocol: sets the stream's fault. Returns ERR_MALFORMED. */
int fetch_wrong(struct stream *s, const char *what);
/* Best effort: tells the other side why we stop, unless the stream has failed itself. */
void fetch_tell_stop(struct stream *s, const struct fault *fault);
/* The stream or we have failed: so does the transfer. `own` NULL: only the stream may have. */
void fetch_give_up(struct transfer *t, struct stream *s, const struct fault *own);
int fetch_keep(struct stream *s);
int fetch_done(struct stream *s);

/* ---- a receive */

struct receiving {
    struct transfer *t;
    struct receive *r;
    struct stage *stage;
    struct manifest *list;
    struct list_views views;
    struct plan *plan;
    uint8_t *todo;            /* bit per entry: what is to be fetched or made */
    uint8_t *dirs;            /* bit per entry: folders that get their metadata at the end */
    uint64_t holes;           /* at least so much of the content is holes */
    _Atomic uint64_t granted; /* content bytes that the list, and files that changed since, claim */
    _Atomic unsigned told;    /* items told */
    _Atomic unsigned placed;  /* files told as placed */
    struct fault first;       /* of the first item that failed */
};

/* Tells of an item by its path in the destination, unless too many have been told. */
void receive_tell(struct receiving *rx, const char *path, const struct fault *fault);
/* An item could not be placed: counts and tells it. */
void receive_item(struct receiving *rx, const char *path, const struct fault *fault);

/* Is anybody to hear that a file of this size stands in its place? */
bool receive_tells_placed(const struct receiving *rx, uint64_t size);
/* It does. `entry` has the size and time that it was given, `token` is the sender's. */
void receive_placed(struct receiving *rx, const char *path, const struct entry *entry, uint64_t token);

/* The folder that *stage (stage_path) is to be reached from, a descriptor or AT_FDCWD; makes it a path from there. */
int receive_folder(const struct receive *r, const char **stage);

/* Is this a fault of the place itself, with which nothing can go on? Others concern one item. */
bool receive_fatal(int err);

/* The list: from the wire into rx->list, all of it, checked against itself and the limit. Nothing is written but the
 * list. Errors are told by transfer_fail, as below. (fetch_list.c) */
bool receive_list(struct receiving *rx);
/* Compares the list with the destination: rx->todo. Nothing is written. (fetch_check.c) */
bool receive_check(struct receiving *rx);
/* Makes folders and links, plans files. (fetch_prepare.c) */
bool receive_prepare(struct receiving *rx);
/* Mode and mtime of folders, deepest first. (fetch_prepare.c) */
bool receive_finish_dirs(struct receiving *rx);
/* Runs one stream until the plan has ended; arg is the receiving. (fetch_stream.c) */
void receive_stream(void *arg, unsigned index);

#endif

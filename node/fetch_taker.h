/* One stream of a receive, from the inside: fetch_stream.c asks, fetch_take.c takes what comes, fetch_large.c looks after large
 * files, fetch_taker.c is what they share. */
#ifndef WEFT_NODE_FETCH_TAKER_H
#define WEFT_NODE_FETCH_TAKER_H

#include "fetch.h"

#include <sys/queue.h>

#define PIECES_AHEAD 2

struct awaited { /* a file that was staged, until it stands in its place: of those that are told then */
    TAILQ_ENTRY(awaited) link;
    uint64_t token;
    struct entry entry;
    char path[];
};

struct taker {
    struct receiving *rx;
    struct stream *s;
    struct manifest *list;
    struct stage_batch *batch;
    struct fault fault;               /* ours, not the stream's */
    struct piece piece[PIECES_AHEAD]; /* asked for, oldest first */
    unsigned pieces;
    TAILQ_HEAD(awaits, awaited) awaited; /* in the order of the batch */
    char path[PATH_BYTES_MAX + 1];
};

/* The file at k->path is about to be handed to the batch, as the sender sees it now; and was not, after all. */
void taker_await(struct taker *k, const struct entry *e, const struct file_now *now);
void taker_await_not(struct taker *k);
/* The batch has placed a file, or could not. */
void taker_placed(struct taker *k, const char *path, bool placed);
void taker_awaits_nothing(struct taker *k);

/* The item at k->path failed with k->fault: told, and 0. A fatal error stays one; so does 0. */
int taker_item_or_fatal(struct taker *k, int err);
/* The item at k->path could not be had from the sender: told. 0. */
int taker_item_lost(struct taker *k, enum item_status status);
/* Entry i, and its path in k->path. */
int taker_look_up(struct taker *k, uint32_t i, struct manifest_entry *e);
struct stage_meta taker_meta(const struct entry *e, const struct file_now *now);
/* A file has another size than the list said: counts that. ERR_LIMIT, ERR_NOSPACE when it may not. */
int taker_regrant(struct taker *k, uint64_t listed, uint64_t now);
void taker_file_is_there(struct taker *k, uint64_t bytes);

/* Begins a large file, or tells why it could not. */
int taker_large_begin(struct taker *k, struct large *large);
/* A piece of it is back: the last one finishes it, or begins it again, or gives it up. */
int taker_large_return(struct taker *k, struct large *large);

/* Takes what was asked for. */
int taker_take_files(struct taker *k, const struct want_files *w);
int taker_take_blocks(struct taker *k, const struct piece *piece);

#endif
